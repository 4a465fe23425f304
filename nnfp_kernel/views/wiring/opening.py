"""Boxes that open: a wiring diagram in the states that a hand can bring it to.

    shown(program, "encode", opened=("0",)).svg     with its first box open

A state is a set of keys, of the uses that are open. Its picture is SVG in which every box has a
name (`data-id`, the same in every state, so that it can move from one to the other), the key by
which it opens or closes (`data-key`), and says, as wires do, what it is (`data-told`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from ...language import types as t
from ...language.source import Span
from ...runtime.program import Program
from . import NotDrawn, Wiring, wiring
from .diagram import Diagram, Group, Node, Wire
from .picture import Box, Path, Text
from .svg import svg

MOST = 64  # states of a page
LETTERS = 600_000  # of all their pictures


@dataclass(frozen=True)
class Shown:
    """One state: its picture, and the keys of all boxes in it, of those that are open too."""

    opened: tuple[str, ...]
    svg: str
    keys: tuple[str, ...]
    size: tuple[float, float]


def shown(
    program: Program, name: str, of: str = "value", opened: Collection[str] = ()
) -> tuple[Shown, Wiring]:
    """The diagram of a definition with some of its boxes open; raises NotDrawn as `wiring`.

    >>> from nnfp_kernel import Session
    >>> session = Session()
    >>> _ = session.run("half x = 0.5 * x\\nquarter : R -> R\\nquarter = half >> half")
    >>> state, _ = shown(session.program, "quarter")
    >>> state.keys
    ('0', '1')
    >>> state, _ = shown(session.program, "quarter", opened=["1"])
    >>> "0.5 *" in state.svg
    True
    """
    made = wiring(program, name, of, opened=opened)
    ids = dict(_ids(made.diagram, ""))
    where = {wire: node.origin for node in made.diagram.everywhere() for wire in node.outputs}
    keys = tuple(sorted({node.key for node in made.diagram.everywhere() if node.key}, key=_order))

    def marks(thing: Box | Path | Text) -> dict[str, str]:
        match thing:
            case Box(node=Node() as node) if node in ids:
                return _of_box(node, ids[node], node.key in opened)
            case Text(of=Node() as node, style=style) if node in ids and style == "box":
                return {"data-id": ids[node] + " word"}
            case Path(wire=Wire() as wire):
                return {"data-told": _told_of_wire(wire, where.get(wire))}
            case _:
                return {}

    picture = made.pictures[0][1]
    title = f"wiring diagram of {name} : {made.type}"
    size = picture.width, picture.height
    return Shown(tuple(sorted(opened, key=_order)), svg(picture, title, marks), keys, size), made


def reachable(program: Program, name: str, of: str = "value") -> Iterator[Shown]:
    """States for a page: the closed one, every box by itself, then more of them together, as
    many as a page has room for."""
    first, _ = shown(program, name, of)
    yield first
    seen, letters = {first.opened}, len(first.svg)
    alone: list[tuple[str, ...]] = [(key,) for key in first.keys]
    together: list[tuple[str, ...]] = []
    while alone or together:
        opened = alone.pop(0) if alone else together.pop(0)
        if opened in seen:
            continue
        seen.add(opened)
        try:
            state, _ = shown(program, name, of, opened)
        except NotDrawn:
            continue
        letters += len(state.svg)
        if len(seen) > MOST or letters > LETTERS:
            return
        yield state
        for key in state.keys:
            if key not in opened:
                wanted = tuple(sorted({*opened, key}, key=_order))
                inner = set(opened) == set(_above(key))
                (alone if inner else together).append(wanted)


def _above(key: str) -> list[str]:
    """The uses that a use stands in.

    >>> _above("0.2.1")
    ['0', '0.2']
    """
    parts = key.split(".")
    return [".".join(parts[:k]) for k in range(1, len(parts))]


def _order(key: str) -> list[int]:
    return [int(part) for part in key.split(".")]


def _ids(diagram: Diagram, above: str) -> Iterator[tuple[Node, str]]:
    """A name for every node, by where it stands: an open box has that of the closed one."""
    met: dict[str, int] = {}
    for node in diagram.nodes:
        own = f"use {node.key}" if node.key else f"{above}/{node.label}"
        number = met[own] = met.get(own, -1) + 1
        own = own if node.key else f"{own} {number}"
        yield node, own
        if isinstance(node, Group):
            yield from _ids(node.body, own)


def _of_box(node: Node, id: str, is_open: bool) -> dict[str, Any]:
    said = _told_of_box(node)
    found = {"data-id": id, "data-told": said}
    if node.key:
        verb = "close" if is_open else "open"
        found |= {
            "data-key": node.key, "tabindex": "0", "role": "button",
            "aria-expanded": "true" if is_open else "false", "aria-label": f"{verb} {node.label}",
        }  # fmt: skip
    return found


def _told_of_box(node: Node) -> str:
    takes = ", ".join(t.show(wire.type) for wire in node.inputs)
    gives = ", ".join(t.show(wire.type) for wire in node.outputs)
    takes = f"({takes})" if len(node.inputs) > 1 else takes
    gives = f"({gives})" if len(node.outputs) > 1 else gives
    type = f"{takes} -> {gives}" if takes else gives
    owner = node.owner
    many = "" if owner is None or owner.count is None else f", {owner.count:,} weights"
    return f"{node.label or 'choice'} : {type}{many}{_place(node.origin)}"


def _told_of_wire(wire: Wire, origin: Span | None) -> str:
    named = f"{wire.name} : " if wire.name else ""
    return f"{named}{t.show(wire.type)}{_place(origin)}"


def _place(origin: Span | None) -> str:
    if origin is None:
        return ""
    text = " ".join(origin.text.split())
    text = text if len(text) <= 40 else text[:39] + "…"
    return f", from `{text}`, {origin}"
