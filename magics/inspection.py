"""What is known of a name, as a person reads it: for Shift-Tab, `NAME?` and `%nnfp help`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnfp_kernel.language.palette import underlined
from nnfp_kernel.views.style import escape, page

from .verb import View

if TYPE_CHECKING:
    from nnfp_kernel.session import Inspection

LINES = 12  # of a source, where the whole is not asked for


def view(found: Inspection, representations: tuple[str, ...], *, whole: bool = False) -> View:
    """Type, documentation, weights, source and example, of those there are."""
    head = f"{found.name} : {found.type}" if found.type else found.name
    place = f", {found.place}" if found.place else ""
    said = [found.documentation, f"No longer checks: {found.broken}" if found.broken else ""]
    weights = [f"{path} : {type}" for path, type in found.weights]
    source = _shortened(found.source, whole)
    parts = [f"{head}\n{found.kind}{place}", *said]
    if weights:
        parts.append("Weights:\n" + indented("\n".join(weights)))
    if source:
        parts.append(source)
    if found.example:
        parts.append("Example:\n\n" + indented(found.example))
    html = [
        _code(head, representations),
        f'<div class="small">{escape(found.kind + place)}</div>',
        *(f"<div>{escape(each)}</div>" for each in said if each),
    ]
    for title, text in (
        ("Weights", "\n".join(weights)),
        ("Source", source),
        ("Example", found.example),
    ):
        if text:
            html.append(f'<div class="small" style="margin-top:6px">{title}</div>')
            html.append(_code(text, representations))
    return View("\n\n".join(part for part in parts if part), page("".join(html)), found)


def _code(text: str, representations: tuple[str, ...]) -> str:
    return (
        f'<div class="code" style="white-space:pre-wrap">{underlined(text, representations)}</div>'
    )


def _shortened(source: str, whole: bool) -> str:
    lines = source.split("\n")
    if whole or len(lines) <= LINES:
        return source
    return "\n".join([*lines[: LINES - 1], f"… {len(lines) - LINES + 1} more lines"])


def indented(text: str) -> str:
    """Lines of a program below a sentence."""
    return "\n".join(f"    {line}".rstrip() for line in text.split("\n"))
