"""A derivative law by law: `%nnfp derivative NAME --steps`.

Each law that fires has its name, what it says, and the map after it, or what it changed
where the map is long. A large program comes in pieces, so many on a page; what a page
leaves out is said.
"""

from __future__ import annotations

from collections.abc import Sequence

from .derivative import Readings, column, head, remark
from .mathematics import formula as m
from .mathematics.formula import Formula
from .mathematics.mathml import to_mathml, to_mathml_parts
from .mathematics.plain import to_plain, wrapped
from .mathematics.steps import Derivation, Shown
from .style import escape, page

PAGE = 10  # pieces
WIDTH = 92  # columns
Titled = tuple[str, Derivation]


def pages(readings: Readings, adjoint: bool = False) -> list[list[Titled]]:
    """The derivations, so many on a page; with `adjoint` only those of the adjoint."""
    maps = readings.maps
    if maps is None:
        return [[]]
    ways = [("adjoint", maps.adjoint)]
    if not adjoint:
        ways.insert(0, ("derivative", maps.derivative))
    found = [(said, each) for said, derivations in ways for each in derivations]
    return [found[k : k + PAGE] for k in range(0, len(found), PAGE)]


def _elided(readings: Readings, adjoint: bool, number: int) -> str:
    """What other pages have."""
    of = pages(readings, adjoint)
    if len(of) < 2:
        return ""
    first = sum(map(len, of[: number - 1])) + 1
    last, total = first + len(of[number - 1]) - 1, sum(map(len, of))
    where = f"`--page {number + 1}` has the next" if number < len(of) else "this is the last page"
    return f"{first} to {last} of {total} pieces; {where}"


# --- text ---------------------------------------------------------------------------------------


def steps_to_text(readings: Readings, adjoint: bool = False, number: int = 1) -> str:
    """Law by law, as a terminal shows it; of a large program, a page of its pieces."""
    if readings.of_trees:
        return f"The maps of {readings.name} are those of the tree: `--at X` settles it."
    if readings.maps is None:
        return f"The sizes of {readings.name} are open: `--at X` settles them."
    out: list[str] = []
    before = ""
    for said, found in pages(readings, adjoint)[number - 1]:
        out += [] if said == before else [f"-- {said}"]
        before = said
        if found.makes is not None:
            out.append(f"{_listed(found.makes)}, of {_listed(found.of)}")
        out += wrapped(to_plain(found.start), WIDTH, "", "  ")
        for step in found.steps:
            out += wrapped(f"{step.law}: {step.statement}", WIDTH, "  ", "    ")
            if step.changes:
                for a, b in step.changes:
                    shown = f"{to_plain(a)}  becomes  {to_plain(b)}"
                    out += wrapped(shown, WIDTH, "    ", "      ")
            else:
                out += wrapped(f"= {to_plain(step.formula)}", WIDTH, "  ", "    ")
        if found.makes is not None and found.steps and found.steps[-1].changes:
            out += wrapped(f"= {to_plain(found.result)}", WIDTH, "  ", "    ")
        for a, b in found.where:
            out += wrapped(f"where {to_plain(a)} = {to_plain(b)}", WIDTH, "  ", "    ")
        out += [""] if found.makes is not None else []
    if elided := _elided(readings, adjoint, number):
        out += [f"-- {elided}"]
    if readings.maps.graph and number == len(pages(readings, adjoint)):
        out.append("-- laws of the graph that runs")
        for name, statement, count in readings.maps.graph:
            out += wrapped(f"{count} x {name}: {statement}", WIDTH, "  ", "    ")
    return "\n".join(out)


def _listed(names: Sequence[Formula]) -> str:
    return ", ".join(map(to_plain, names))


# --- HTML ---------------------------------------------------------------------------------------


def steps_to_html(readings: Readings, adjoint: bool = False, number: int = 1) -> str:
    """Law by law: the law's name and what it says on the left, the map on the right. Pieces
    open in place; closed, each shows what it comes to."""
    if readings.maps is None:
        return page(remark(steps_to_text(readings)))
    parts: dict[str, str] = {}
    for said, found in pages(readings, adjoint)[number - 1]:
        table = _table(found)
        if found.makes is not None:
            table = f"<details><summary>{_summary(found)}</summary>{table}</details>"
        parts[said] = parts.get(said, "") + table
    columns = [column(said.capitalize(), body) for said, body in parts.items()]
    rows = "".join(
        _row(name, f"{count} times" if count > 1 else "", escape(statement))
        for name, statement, count in readings.maps.graph
    )
    if rows and number == len(pages(readings, adjoint)):
        table = f'<table class="rows steps">{rows}</table>'
        columns.append(column("Laws of the graph that runs", table))
    elided = _elided(readings, adjoint, number)
    body = f'<div class="readings rows-only"><div>{"".join(columns)}</div></div>'
    return page(head(readings) + body + remark(elided))


def _summary(found: Derivation) -> str:
    """dh = W · >> diag(1 - h²), of dx"""
    assert found.makes is not None
    made = to_mathml_parts(m.equation(m.tupled(found.makes), found.result))
    return f'{made} <span class="small">of {to_mathml(m.listed(found.of), False)}</span>'


def _table(found: Derivation) -> str:
    rows = _row("", "", to_mathml_parts(found.start))
    for step in found.steps:
        rows += _row(step.law, step.statement, _shown(step))
    for letter, stands in found.where:
        rows += _row("where", "", to_mathml_parts(m.equation(letter, stands), False))
    return f'<table class="rows steps">{rows}</table>'


def _shown(step: Shown) -> str:
    if not step.changes:
        return to_mathml_parts(step.formula)
    arrow = '<span class="small"> becomes </span>'
    pairs = [
        f'<div class="long">{to_mathml_parts(a, False)}{arrow}{to_mathml_parts(b, False)}</div>'
        for a, b in step.changes
    ]
    return "".join(pairs)


def _row(law: str, statement: str, shown: str) -> str:
    said = f'<div>{escape(law)}</div><div class="small">{escape(statement)}</div>'
    return f'<tr><td>{said}</td><td><div class="long">{shown}</div></td></tr>'
