"""What repeats in a program, in words and numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy

from ..table import Grid, grid_to_text
from .steps import Chain, Steps, Strip, Unrolled

MOST = 6  # numbers of a value
ROWS = 24  # steps of a table


def told(unrolled: Unrolled) -> str:
    """Every part as a table, a step a line."""
    lines = [f"{unrolled.name} : {unrolled.type}"]
    for number, part in enumerate(unrolled.parts, 1):
        many = f"{part.count:,} step" + "s" * (part.count != 1)
        lines += ["", f"{number}  {part.label}, {many}", grid_to_text(table(part, unrolled))]
    return "\n".join(lines)


def table(part: Steps, unrolled: Unrolled) -> Grid:
    """A part as a table: of many steps the first and the last ones."""
    head = ["step", *(column for column, _ in _columns(part))]
    shown = list(range(part.count))
    note: tuple[str, ...] = ()
    if part.count > ROWS:
        shown = [*range(ROWS // 2), *range(part.count - ROWS // 2, part.count)]
        note = (f"{part.count - ROWS:,} steps in the middle are left out",)
    rows = []
    for step in shown:
        name = step_name(part, step, unrolled)
        rows.append((name, *(value for _, value in _columns(part, step))))
    return Grid(tuple(head), tuple(rows), (), note)


def step_name(part: Steps, step: int, unrolled: Unrolled) -> str:
    """A step's number, and the word or the constructor that it is for."""
    if part.tree is not None:
        return f"{step + 1}  {part.tree.constructors[step]} {part.tree.payload[step]}".rstrip()
    labels = unrolled.labels if not unrolled.trail else ()
    place = part.count - 1 - step if _backward(part) else step
    word = f"  {labels[place]}" if part.elements and place < len(labels) else ""
    return f"{step + 1}{word}"


def _backward(part: Steps) -> bool:
    return all(chain.reverse for chain in part.chains)


def _columns(part: Steps, step: int | None = None) -> Iterator[tuple[str, str]]:
    """The columns of a table, each with its value at a step."""
    backward = _backward(part)
    at = None if step is None else part.count - 1 - step if backward else step
    if part.tree is None:
        for strip in part.elements:
            value = "" if at is None else _seen(strip, part, at)
            yield f"{strip.name or 'x'} : {strip.type}", value
    for chain in part.chains:
        yield from _chain(chain, part, step, at)


def _chain(
    chain: Chain, part: Steps, step: int | None, at: int | None
) -> Iterator[tuple[str, str]]:
    after = 0 if part.tree is not None else 1
    which = f"{chain.label} " if len(part.chains) > 1 else ""
    for strip in chain.states:
        name = f"{which}{strip.name or ('result' if part.tree else 'state')} : {strip.type}"
        yield name, "" if step is None else numbers(strip.values[step + after])
    for strip in chain.outputs:
        place = step if at is None or step is None else at
        if chain.reverse and len(part.chains) > 1 and step is not None:
            place = part.count - 1 - step
        value = "" if place is None else numbers(strip.values[place])
        yield f"{which}gives {strip.type}", value


def _seen(strip: Strip, part: Steps, at: int) -> str:
    if part.seen is None:
        return numbers(strip.values[at])
    return numbers(strip.values[part.seen[at]].reshape(-1))


def numbers(values: Any) -> str:
    """A few numbers, with three digits."""
    array = numpy.asarray(values, float).reshape(-1)
    shown = ", ".join(f"{value:.3g}" for value in array[:MOST])
    more = ", …" if array.size > MOST else ""
    return shown if array.size == 1 else f"({shown}{more})"
