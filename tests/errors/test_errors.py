"""Mistakes beyond syntax: each program has its message, kept as a snapshot that a person
has read. What all messages have in common is tested below, over the same programs.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy
import pytest
from errors.programs import BROKEN, PROGRAMS

from nnfp_kernel.language.diagnostics import Diagnostic, NnfpError
from nnfp_kernel.session import Session

SNAPSHOTS = Path(__file__).parents[1] / "snapshots" / "errors"


def cells_of(name: str) -> tuple[str, ...]:
    program = {**PROGRAMS, **BROKEN}[name]
    return (program,) if isinstance(program, str) else program


def session_before(name: str) -> Session:
    """A session in which all cells but the last have run."""
    session = Session(precision=64)
    for number, cell in enumerate(cells_of(name)[:-1], 1):
        session.run(cell, f"cell {number}")
    return session


@cache
def mistake_of(name: str) -> NnfpError:
    """What the last cell of a program is told."""
    session = session_before(name)
    last = f"cell {len(cells_of(name))}"
    if name in BROKEN:
        return NnfpError(list(session.run(cells_of(name)[-1], last).broken.values()))
    with pytest.raises(NnfpError) as mistake:
        session.run(cells_of(name)[-1], last)
    return mistake.value


def diagnostics() -> list[tuple[str, Diagnostic]]:
    return [(name, told) for name in (*PROGRAMS, *BROKEN) for told in mistake_of(name).diagnostics]


@pytest.mark.parametrize("name", [*PROGRAMS, *BROKEN])
def test_a_mistake_has_its_message(name: str, snapshot: Callable[[str, str], None]) -> None:
    error = mistake_of(name)
    assert len(error.diagnostics) == 1, "one mistake, one message"
    program = "\n---\n".join(cells_of(name))
    snapshot(f"errors/{name}.txt", f"{program}\n\n{error.render()}")
    snapshot(f"errors/{name}.html", error.render_html().split("</style>\n")[1])


def test_every_snapshot_belongs_to_a_mistake() -> None:
    assert {path.stem for path in SNAPSHOTS.iterdir()} == {*PROGRAMS, *BROKEN}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_cell_with_a_mistake_leaves_the_session_as_it_was(name: str) -> None:
    session = session_before(name)
    names, program, broken = session.names, session.program, dict(session.broken)
    with pytest.raises(NnfpError):
        session.run(cells_of(name)[-1])
    assert session.names == names
    assert session.program is program
    assert dict(session.broken) == broken


@pytest.mark.parametrize("name", [*PROGRAMS, *BROKEN])
def test_what_is_suggested_for_a_place_is_right_there(name: str) -> None:
    """Put in its place, it removes the mistake."""
    [told] = mistake_of(name).diagnostics
    if told.replaces is None or told.suggestion is None or "…" in told.suggestion:
        return
    number = int(told.replaces.source.name.removeprefix("cell "))
    cells = list(cells_of(name))
    assert told.replaces.source.text == cells[number - 1]
    cells[number - 1] = put(cells[number - 1], told)
    session = Session(precision=64)
    for cell in cells:
        result = session.run(cell)
    assert not result.broken


def put(text: str, told: Diagnostic) -> str:
    """A text with the suggestion in the place that it is for."""
    span = told.replaces
    assert span is not None
    assert told.suggestion is not None
    lines = text.split("\n")
    before = [*lines[: span.line - 1], lines[span.line - 1][: span.column - 1]]
    after = [lines[span.end_line - 1][span.end_column - 1 :], *lines[span.end_line :]]
    return "\n".join(before) + told.suggestion + "\n".join(after)


# --- what all messages have in common -----------------------------------------------------------

# What a reader knows nothing of: variables of inference, classes of this implementation.
INTERNAL = re.compile(
    r"\b(asLinear|AsMap|OpenArrow|MatMul|LiteralIs|TypeVariable|NnfpError|Traceback|None)\b"
    r"|\b[a-z]\d{2,}\b|<[a-z_]+ object|File \"|0x[0-9a-f]+"
)


@pytest.mark.parametrize("name", [*PROGRAMS, *BROKEN])
def test_a_message_is_short_and_speaks_of_the_program(name: str) -> None:
    for told in mistake_of(name).diagnostics:
        text = told.render()
        assert 2 <= len(text.split("\n")) <= 14, text
        assert INTERNAL.search(text) is None, text
        assert all(len(line) <= 100 for line in text.split("\n")), text
        assert told.primary.span.text.strip(), "the caret is on something"
        assert told.title
        assert not told.title.endswith(".")


def test_messages_speak_alike() -> None:
    for name, told in diagnostics():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", told.code), name
        assert len(told.title) <= 84, name
        assert all(note.endswith((".", ":", "?")) for note in told.notes), (name, told.notes)
        if told.suggestion is None and not told.listed:
            assert not any(note.endswith(":") for note in told.notes), (name, told.notes)
        elif told.suggestion is not None:
            assert told.notes, f"{name}: a suggestion is introduced"
            assert told.notes[-1].endswith((":", "?")), (name, told.notes)


def test_html_says_what_the_text_says() -> None:
    for name, told in diagnostics():
        shown = html.unescape(re.sub(r"<[^>]+>", "", told.render_html().split("</style>")[1]))
        for said in (told.title, told.primary.text, *told.notes, told.suggestion or ""):
            plain = re.sub(r"\s+|│", "", said.replace("`", ""))
            assert plain in re.sub(r"\s+|│", "", shown.replace("`", "")), (name, said)


def test_there_are_many_kinds_of_mistakes() -> None:
    assert len({told.code for _, told in diagnostics()}) >= 40


# --- several mistakes -----------------------------------------------------------------------------


def test_mistakes_that_have_nothing_to_do_with_each_other_are_all_told_by_position() -> None:
    with pytest.raises(NnfpError) as mistakes:
        Session(precision=64).run(
            "f x = tnah x\n\n"
            "g : (R[3], R[4]) -> R[3]\ng (x, y) = x + y\n\n"
            "fine x = 2 * x\n\n"
            "h : R -> R\nh x = ?w * x\n\n"
            "fine undefined"
        )
    told = [(d.code, d.primary.span.line) for d in mistakes.value.diagnostics]
    assert told == [
        ("unknown-name", 1), ("operand-shapes", 4), ("arrow-on-learner", 8), ("unknown-name", 11)
    ]  # fmt: skip
    assert mistakes.value.render().endswith("4 errors")


def test_what_uses_a_definition_with_a_mistake_is_not_told_again() -> None:
    with pytest.raises(NnfpError) as mistakes:
        Session(precision=64).run("f x = tnah x\ng x = f (f x)\nh = g 1 + 2\nh\nf 3")
    assert [d.primary.span.line for d in mistakes.value.diagnostics] == [1]


def test_an_older_definition_that_breaks_is_no_error_of_the_cell() -> None:
    session = Session(precision=64)
    session.run("f x = [x, x, x]")
    session.run("g x = f x ! (2 : Fin[3])")
    result = session.run("f x = [x, x]")
    assert set(result.broken) == {"g"}
    assert numpy.shape(session["f"](1.0)) == (2,)
