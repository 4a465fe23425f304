"""The colours of the house, light and dark, and of representations: of errors as of all views.

JupyterLab's variables come first; the hexadecimal values are for pages without them. An
output of a notebook stands alone, so it brings its style; `sheet` gives it only the rules
and colours it uses, so that a saved notebook stays small.
"""

from __future__ import annotations

import html
import re
import zlib
from collections.abc import Sequence

PAPER, INK, INK2, INK3 = "#ffffff", "#1b1f24", "#57606a", "#67707a"
LINE, HAIR = "#d5dae0", "#e9ecef"
# Okabe and Ito's colours, which the colour-blind can tell apart, without their yellow.
ORANGE, BLUE, PURPLE, GREEN, VERMILLION, SKY = REPRESENTATIONS = (
    "#E69F00", "#0072B2", "#CC79A7", "#009E73", "#D55E00", "#56B4E9",
)  # fmt: skip
# From negative over zero, which is the paper, to positive.
SIGN = (BLUE, PAPER, VERMILLION)

# A token is `name: (light, dark)`; what is one in both stands once.
_TOKENS: dict[str, tuple[str, str]] = {
    "--nn-paper": (f"var(--jp-layout-color0,{PAPER})", "var(--jp-layout-color0,#111316)"),
    "--nn-inset": (
        "var(--jp-cell-editor-background,#f7f8f9)", "var(--jp-cell-editor-background,#1a1d21)",
    ),
    "--nn-ink": (f"var(--jp-content-font-color0,{INK})", "var(--jp-content-font-color0,#e8eaed)"),
    "--nn-ink2": (
        f"var(--jp-content-font-color2,{INK2})", "var(--jp-content-font-color2,#a5adb7)",
    ),
    "--nn-ink3": (INK3, "#8a939d"),
    "--nn-line": (f"var(--jp-border-color2,{LINE})", "var(--jp-border-color2,#3a4048)"),
    "--nn-hair": (f"var(--jp-border-color3,{HAIR})", "var(--jp-border-color3,#262b31)"),
    "--nn-tint": ("rgba(27,31,36,.05)", "rgba(255,255,255,.06)"),
    "--nn-error": ("var(--jp-error-color1,#c62828)", "var(--jp-error-color1,#ff8a80)"),
    "--neg": (BLUE, "#4AA8E8"),
    "--pos": (VERMILLION, "#F58549"),
    "--nn-turn": ("none", "invert(1)"),  # a picture in ink: of light on dark paper
    "--nn-lift": ("none", "brightness(1.25)"),  # one in the colours of sign
    "--nn-ui": (
        'var(--jp-ui-font-family,system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif)',
        "",
    ),
    "--nn-code": (
        'var(--jp-code-font-family,Menlo,Consolas,"DejaVu Sans Mono",monospace)', "",
    ),
    **{
        f"--rep{number}": both
        for number, both in enumerate(
            zip(
                REPRESENTATIONS,
                ("#F0B440", "#4AA8E8", "#E09CC4", "#35C79C", "#F58549", "#9AD6F7"),
                strict=True,
            ),
            1,
        )
    },
}  # fmt: skip

_ALWAYS = "".join(
    [
        # A notebook that is not trusted loses its styles and its SVG, of which the words are
        # left: `hidden` is left too, so there the picture is not seen, but what it says is.
        ".drawn[hidden]{display:block!important}",
        ".told{display:none}",
        ".rep{text-decoration:underline 2px;text-underline-offset:3px;"
        "text-decoration-skip-ink:none}",
        ".dashed{text-decoration-style:dashed}",
        *(f".r{number}{{text-decoration-color:var(--rep{number})}}" for number in range(1, 7)),
    ]
)


def sheet(scope: str, rules: str, body: str, dark: bool = True) -> str:
    """The style of some HTML that stands in an element of class `scope`: those rules and
    colours that it uses, light and dark as the notebook or the reader has it.

    >>> print(sheet("nnfp", "p{margin:0}.nums td{color:var(--nn-ink3)}", "<p>one</p>"))
    <style>.nnfp p{margin:0}</style>
    >>> sheet("nnfp", ".a{color:var(--nn-ink3)}", "<p class=a>one</p>").count("--nn-ink3:")
    3

    The rules have no scope yet; `&` in a selector is the scope's element itself. What is
    always on light paper is not `dark`.
    """
    classes = set(re.findall(r"[\w-]+", " ".join(_attributes(body, "class"))))
    tags = set(re.findall(r"<(\w+)", body))
    kept = []
    for selectors, declarations in re.findall(r"([^{}]+)\{([^{}]*)\}", _ALWAYS + rules):
        used = [each for each in selectors.split(",") if _used(each.strip(), classes, tags)]
        if used:
            scoped = ",".join(_scoped(each.strip(), scope) for each in used)
            kept.append(f"{scoped}{{{declarations.strip()}}}")
    style = "".join(kept)
    names = [name for name in _TOKENS if re.search(rf"var\({name}[,)]", style + body)]
    return f"<style>{_themed(scope, names, dark)}{style}</style>"


def colours(scope: str) -> str:
    """All the colours, light and dark, for what is in elements of class `scope`.

    >>> colours("nnfp-bend").startswith(".nnfp-bend{--nn-paper:var(--jp-layout-color0,#ffffff);")
    True
    """
    return _themed(scope, tuple(_TOKENS), dark=True)


def styled(name: str, rules: str, body: str) -> str:
    """HTML with its style, as a `<div>` of class `name`.

    It has a class of its own too, which its rules are under: outputs of one notebook must
    not style each other, for a rule that one leaves out would win over another's.
    """
    scope = f"{name}-{zlib.crc32(body.encode()):08x}"
    return f'<div class="{name} {scope}">\n{sheet(scope, rules, body)}\n{body}\n</div>'


def picture(drawn: str, told: str = "") -> str:
    """A picture as HTML, and what is to be read in its place where there is no style:
    HTML both.

    >>> picture("<svg></svg>", "<pre>a line</pre>")
    '<div class="drawn" hidden="hidden"><svg></svg></div><div class="told"><pre>a line</pre></div>'

    JupyterLab's sanitiser takes away attributes that are empty.
    """
    instead = f'<div class="told">{told}</div>' if told else ""
    return f'<div class="drawn" hidden="hidden">{drawn}</div>{instead}'


def _attributes(body: str, name: str) -> list[str]:
    found = re.findall(rf"""\s{name}=(?:"([^"]*)"|'([^']*)'|([^\s>"']+))""", body)
    return ["".join(each) for each in found]


def _used(selector: str, classes: set[str], tags: set[str]) -> bool:
    plain = re.sub(r"\[[^\]]*\]|:[\w-]+(?:\([^)]*\))?", "", selector)
    named = set(re.findall(r"\.([\w-]+)", plain))
    written = set(re.findall(r"(?:^|[\s>+~])(\w+)", plain))
    return named <= classes and written <= tags


def _scoped(selector: str, scope: str) -> str:
    return selector.replace("&", f".{scope}") if "&" in selector else f".{scope} {selector}"


def _themed(scope: str, names: Sequence[str], dark: bool) -> str:
    by_day = "".join(f"{name}:{_TOKENS[name][0]};" for name in names)
    by_night = "".join(f"{name}:{_TOKENS[name][1]};" for name in names if _TOKENS[name][1])
    told = f".{scope}{{{by_day}}}" if by_day else ""
    if by_night and dark:
        told += (
            f'body[data-jp-theme-light="false"] .{scope}{{{by_night}}}'
            f"@media (prefers-color-scheme:dark){{body:not([data-jp-theme-light]) "
            f".{scope}{{{by_night}}}}}"
        )
    return told


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
