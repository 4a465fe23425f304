"""The colours of the house, light and dark, and of representations: of errors as of all views.

JupyterLab's variables come first; the hexadecimal values are for pages without them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

PAPER, INK, INK2, INK3 = "#ffffff", "#1b1f24", "#57606a", "#67707a"
LINE, HAIR = "#d5dae0", "#e9ecef"
# Okabe and Ito's colours, which the colour-blind can tell apart, without their yellow.
ORANGE, BLUE, PURPLE, GREEN, VERMILLION, SKY = REPRESENTATIONS = (
    "#E69F00", "#0072B2", "#CC79A7", "#009E73", "#D55E00", "#56B4E9",
)  # fmt: skip
# From negative over zero, which is the paper, to positive.
SIGN = (BLUE, PAPER, VERMILLION)

_LIGHT = f"""
--nn-paper:var(--jp-layout-color0,{PAPER});--nn-inset:var(--jp-cell-editor-background,#f7f8f9);
--nn-ink:var(--jp-content-font-color0,{INK});--nn-ink2:var(--jp-content-font-color2,{INK2});
--nn-ink3:{INK3};--nn-line:var(--jp-border-color2,{LINE});
--nn-hair:var(--jp-border-color3,{HAIR});--nn-tint:rgba(27,31,36,.05);
--nn-error:var(--jp-error-color1,#c62828);
{"".join(f"--rep{k}:{colour};" for k, colour in enumerate(REPRESENTATIONS, 1))}
--neg:{BLUE};--pos:{VERMILLION};
--nn-ui:var(--jp-ui-font-family,system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif);
--nn-code:var(--jp-code-font-family,Menlo,Consolas,"DejaVu Sans Mono",monospace);
"""

_DARK = """
--nn-paper:var(--jp-layout-color0,#111316);--nn-inset:var(--jp-cell-editor-background,#1a1d21);
--nn-ink:var(--jp-content-font-color0,#e8eaed);--nn-ink2:var(--jp-content-font-color2,#a5adb7);
--nn-ink3:#8a939d;--nn-line:var(--jp-border-color2,#3a4048);
--nn-hair:var(--jp-border-color3,#262b31);--nn-tint:rgba(255,255,255,.06);
--nn-error:var(--jp-error-color1,#ff8a80);
--rep1:#F0B440;--rep2:#4AA8E8;--rep3:#E09CC4;--rep4:#35C79C;--rep5:#F58549;--rep6:#9AD6F7;
--neg:#4AA8E8;--pos:#F58549;
"""


UNDERLINES = "".join(
    [
        "{0} .rep{{text-decoration:underline 2px;text-underline-offset:3px;"
        "text-decoration-skip-ink:none}}",
        "{0} .dashed{{text-decoration-style:dashed}}",
        *(f"{{0}} .r{k}{{{{text-decoration-color:var(--rep{k})}}}}" for k in range(1, 7)),
    ]
)


def theme(selector: str) -> str:
    """The colours for what stands under a selector, as the notebook or the reader has it,
    and the underlines of representations."""
    light, dark = _LIGHT.replace("\n", ""), _DARK.replace("\n", "")
    return (
        f"{selector}{{{light}}}"
        f'body[data-jp-theme-light="false"] {selector}{{{dark}}}'
        "@media (prefers-color-scheme:dark){"
        f"body:not([data-jp-theme-light]) {selector}{{{dark}}}}}" + UNDERLINES.format(selector)
    )


def underlined(text: str, representations: Sequence[str]) -> str:
    """Text as HTML, every representation in it underlined in its colour.

    >>> underlined("[Word] ~> R[2]", ["Word"])
    '[<span class="rep r1">Word</span>] ~&gt; R[2]'

    The colours go by the order of declaration; from the seventh on they are dashed.
    """
    place = {name: k for k, name in enumerate(representations)}
    parts = []
    for word in re.split(r"(\w+)", text):
        shown = html.escape(word)
        if word in place:
            dashed = " dashed" if place[word] >= 6 else ""
            shown = f'<span class="rep r{place[word] % 6 + 1}{dashed}">{shown}</span>'
        parts.append(shown)
    return "".join(parts)
