"""Wiring diagrams: a definition as a string diagram, in text, in SVG and in matplotlib.

    diagram.py   boxes and wires, not yet laid out
    read.py      typed program -> diagram: what is named is a box, what is not is opened
    values.py, combinators.py    what flows meanwhile, and how combinators lead it
    draft.py, patterns.py    the boxes and groups made on the way, and values taken apart
    place.py, owners.py    what names stand for there, and whose weights a box has
    picture.py   rectangles, strokes and words at their places
    layers.py    columns, orders, heights
    layout.py    diagram -> picture: how large boxes and groups are
    rows.py      channels between columns, and rows of what is wide
    ties.py      weights used in several places
    unroll.py    loops and maps laid out over some positions
    tree.py      a catamorphism over one tree
    opening.py   what a hand can do with a picture: boxes that open, wires that say what they are
    derivative.py   the derivative of each box, below it, and the adjoint
    svg.py, figure.py, text.py    the three faces of it

A colour is a representation and nothing else; a ring is a set of weights, a dotted tie
says that they are the same; a double line is a sequence, single elements of which go in
and out of a group through dots. Data flows left to right.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ...language import types as t
from ...language.palette import picture as hidden
from ...language.palette import underlined
from ...runtime.data import DataValue
from ...runtime.program import Program
from ..style import escape, page
from . import svg
from .derivative import with_derivative
from .diagram import Diagram
from .figure import figure
from .layout import WIDTH, picture
from .picture import NotDrawn, Picture
from .read import read
from .text import diagram_text
from .tree import over_tree
from .unroll import unrolled

__all__ = ["NotDrawn", "Wiring", "drawing", "to_html", "to_svg", "to_text", "wiring"]

MOST = 200  # boxes that one can still look at


@dataclass(frozen=True)
class Wiring:
    """What there is to see of a definition: pictures one below the other, with captions."""

    name: str
    type: str
    diagram: Diagram
    pictures: tuple[tuple[str, Picture], ...]
    representations: tuple[str, ...] = ()


def wiring(
    program: Program,
    name: str,
    of: str = "value",
    unroll: int | None = None,
    on: DataValue | None = None,
    width: float = WIDTH,
    opened: Collection[str] = (),
) -> Wiring:
    """The wiring diagram of a definition; `of` "derivative" or "adjoint", those below it;
    with `unroll` also its loops and maps laid out over so many positions, with `on` its
    catamorphism over that tree. Boxes that are `opened`, by their keys, show their definitions.
    Raises NotDrawn for what is too large to look at, and for
    a tree that cannot be drawn.

    >>> from nnfp_kernel import Session
    >>> session = Session()
    >>> _ = session.run("layer : R[8] ~> R[12]\\nlayer x = tanh (?W @ x + ?b)")
    >>> print(to_text(wiring(session.program, "layer")))
    layer : R[8] ~> R[12]
      x : R[8] ──[ ?W @ · ○ ]── R[12] ──[ + ?b ○ ]── R[12] ──[ tanh ]── a : R[12]
    """
    definition = program.definitions[name]
    diagram = _read(program, name, opened=opened)
    representations = tuple(program.reps)
    if of == "value":
        drawn = picture(diagram, representations, width)
    else:
        drawn = with_derivative(program, diagram, representations, width, of == "adjoint")
    pictures = [("", drawn)]
    loops = _read(program, name, loops=True) if unroll or on else diagram
    if on is not None:
        pictures.append(("over the tree", over_tree(loops, on, representations)))
    if unroll is not None:
        steps = unrolled(loops, representations, unroll, width)
        if steps is not None:
            pictures.append((f"unrolled over {unroll} positions", steps))
    return Wiring(
        name,
        t.show_scheme(definition.scheme, definition.learns),
        diagram,
        tuple(pictures),
        representations,
    )


def _read(
    program: Program, name: str, loops: bool = False, opened: Collection[str] = ()
) -> Diagram:
    """The diagram of a definition, if it can be looked at."""
    try:
        diagram = read(program, name, loops, opened)
        count = sum(1 for _ in diagram.everywhere())
    except RecursionError:
        count = MOST + 1
    if count > MOST:
        raise NotDrawn(f"{name} has more than {MOST} boxes: give names to its parts")
    return diagram


def to_text(wiring: Wiring) -> str:
    """As lines: the definition and its type, then its chains of boxes."""
    lines = diagram_text(wiring.diagram).split("\n")
    return "\n".join([f"{wiring.name} : {wiring.type}", *("  " + line for line in lines)])


def to_svg(wiring: Wiring) -> str:
    """The pictures as an SVG file of its own, for where there is no notebook around it."""
    return svg.standalone([picture for _, picture in wiring.pictures])


def drawing(program: Program, name: str, of: str) -> str:
    """The first picture alone, as SVG, for a place in a page. Raises NotDrawn as `wiring`."""
    found = wiring(program, name, of)
    return svg.svg(found.pictures[0][1], f"wiring diagram of {name} : {found.type}")


def to_html(wiring: Wiring) -> str:
    """The pictures as SVG under the definition's type."""
    title = f"{wiring.name} : {wiring.type}"
    shown = underlined(title, wiring.representations)
    parts = [f'<div class="code" style="margin-bottom:8px">{shown}</div>']
    for caption, drawn in wiring.pictures:
        if caption:
            parts.append(f'<div class="small" style="margin:16px 0 6px">{escape(caption)}</div>')
        parts.append(hidden(svg.svg(drawn, f"wiring diagram of {title}")))
    parts.append(f'<div class="told"><pre>{escape(diagram_text(wiring.diagram))}</pre></div>')
    return page("\n".join(parts))


__all__ = ["Wiring", "drawing", "figure", "to_html", "to_svg", "to_text", "wiring"]
