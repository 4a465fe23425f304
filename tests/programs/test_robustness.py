"""Whatever is typed: a program runs, or an NnfpError says where it is wrong.

Random text, soups of the language's tokens, and programs that were right until some of
their characters or tokens were changed go through `Session.run` and `Session.type`. No
other exception may leave them, every error can be shown, its places lie in a text, and a
cell that failed leaves the session as it was.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import jax
import numpy
import pytest
from hypothesis import HealthCheck, assume, currently_in_test_context, given, note, settings
from hypothesis import strategies as st
from programs.generate import programs
from soak import examples

import nnfp_kernel as nnfp
from nnfp_kernel.language import syntax
from nnfp_kernel.language.parser import parse
from nnfp_kernel.language.printer import show
from nnfp_kernel.language.source import Source, Span

TESTS = Path(__file__).parents[1]
LIBRARY = Path(nnfp.__file__).parent / "std"
PROGRAMS = [
    path.read_text(encoding="utf-8")
    for path in sorted([*(TESTS / "acceptance").glob("*.nnfp"), *LIBRARY.glob("*.nnfp")])
]
TOKEN = re.compile(
    r"--[^\n]*|\n[ ]*|[ ]+|\?\w+|\w+|->|~>|-o|>>|<<|&&&|\*\*\*|&&|\|\||\|>|==|/=|<=|>=|\+\+|."
)
TOKENS = sorted({t for p in PROGRAMS for t in TOKEN.findall(p) if not t.startswith("--") and len(t) < 20} | {
    "\n", "\n  ", "-- a comment\n", "fresh", "open", "import", "λ", "→", "⊸", "∘", "{-", "-}", "%nnfp list", "?w",
    "cata", "_", "\t", "\x00", "'", '"', "1e3", "0", "1.5", "Bool", "Int", "C", "weights",
})  # fmt: skip

STANDING = """
rep Thought = R[3]
data Shape = Dot R | Box R R
size width = 2

cell : (R[3], R[2]) ~> R[3]
cell (h, x) = tanh (?W @ h + ?U @ x + ?b)

encode : [R[2]] ~> R[3]
encode = fold cell zero

layer x = tanh (dense[3] x)
half = 0.5
"""


def standing() -> nnfp.Session:
    session = nnfp.Session(precision=64)
    session.run(STANDING)
    session.weights = jax.tree.map(lambda leaf: leaf + 0.25, session.weights)
    return session


class Kept:
    """A session that stands, made anew only when a cell has changed it."""

    def __init__(self) -> None:
        self.session: nnfp.Session | None = None

    def take(self) -> nnfp.Session:
        session, self.session = self.session or standing(), None
        return session

    def put_back(self, session: nnfp.Session) -> None:
        self.session = session


KEPT = Kept()


def state(session: nnfp.Session) -> dict[str, Any]:
    """What a person can see of a session."""
    return {
        "names": session.names,
        "types": {name: session[name].type for name in ("cell", "encode", "layer")},
        "broken": dict(session.broken),
        "half": float(session["half"]),
        "weights": jax.tree.map(numpy.asarray, session.weights),
        "expressions": [session.type(text) for text in ("Thought", "Dot", "width", "encode")],
        "value": numpy.asarray(session["encode"](numpy.ones((2, 2)))),
    }


def assert_same(one: Any, other: Any, place: str = "") -> None:
    if isinstance(one, dict):
        assert set(one) == set(other), place
        for key in one:
            assert_same(one[key], other[key], f"{place}.{key}")
    elif isinstance(one, numpy.ndarray):
        numpy.testing.assert_array_equal(one, other, err_msg=place)
    else:
        assert one == other, place


def lies_in(span: Span) -> bool:
    """Whether a span is a stretch of its source's text."""
    if not span.source.text:
        return True
    lines = span.source.text.split("\n")
    if not 1 <= span.line <= span.end_line <= len(lines):
        return False
    start, end = (span.line, span.column), (span.end_line, span.end_column)
    return (
        1 <= span.column <= len(lines[span.line - 1]) + 1
        and 1 <= span.end_column <= len(lines[span.end_line - 1]) + 2
        and start <= end
    )


def check_error(error: nnfp.NnfpError, text: str | None) -> None:
    assert error.diagnostics
    for diagnostic in error.diagnostics:
        assert diagnostic.title
        assert re.fullmatch(r"[a-z0-9-]+", diagnostic.code), diagnostic.code
        primary = diagnostic.primary.span
        assert text is None or primary.source.text == text, "it points at another text"
        for label in (diagnostic.primary, *diagnostic.secondary):
            assert lies_in(label.span), label
    rendered = error.render()
    assert error.diagnostics[0].title.split("\n")[0][:20] in rendered
    assert "Traceback" not in rendered
    assert rendered.strip()
    assert "<" in error.render_html()
    str(error)


def run_is_safe(text: str) -> bool:
    """Run a cell; whether it went through."""
    if currently_in_test_context():
        note(text)
        assume(not re.search(r"\d{3,}", text))  # arrays too large for a test
    session = KEPT.take()
    before = state(session)
    try:
        session.run(text)
    except nnfp.NnfpError as error:
        check_error(error, text)
        assert_same(state(session), before)
        KEPT.put_back(session)
        return False
    for name in session.names:
        ask(session, name)
    return True


def ask(session: nnfp.Session, name: str) -> None:
    """What a person may do with a definition: look at its type, its weights, its graph."""
    for question in (
        lambda: session[name],
        lambda: session.weights,
        lambda: session[name].init(jax.random.key(0)),
        lambda: session[name].graph(),
    ):
        try:
            question()
        except nnfp.NnfpError as error:
            check_error(error, None)
        except AttributeError:
            assert not isinstance(session[name], nnfp.Function)  # a value: it has no weights


def type_is_safe(text: str) -> None:
    note(text)
    session = KEPT.take()
    names = session.names
    try:
        assert isinstance(session.type(text), str)
    except nnfp.NnfpError as error:
        check_error(error, text)
    assert session.names == names
    KEPT.put_back(session)


# --- texts -------------------------------------------------------------------------------------


def soup(most: int) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(TOKENS), max_size=most).map(" ".join)


def edited(text: str, pieces: list[str], edits: list[tuple[int, int, int]], new: list[str]) -> str:
    """`pieces` of a text after some edits: (kind, place, other place)."""
    pieces = list(pieces)
    for (kind, place, other), piece in zip(edits, new, strict=True):
        if not pieces:
            break
        place, other = place % len(pieces), other % len(pieces)
        match kind:
            case 0:
                del pieces[place]
            case 1:
                pieces.insert(place, piece)
            case 2:
                pieces[place] = piece
            case 3:
                pieces[place], pieces[other] = pieces[other], pieces[place]
            case 4:
                pieces.insert(place, pieces[other])
            case _:
                low, high = sorted((place, other))
                del pieces[low : min(high, low + 20)]
    return "".join(pieces)


def edits(most: int) -> st.SearchStrategy[list[tuple[int, int, int]]]:
    place = st.integers(0, 10_000)
    return st.lists(st.tuples(st.integers(0, 5), place, place), min_size=1, max_size=most)


@st.composite
def mutated(draw: Callable[[Any], Any], sources: st.SearchStrategy[str]) -> str:
    """A program with a few characters or tokens changed."""
    text = draw(sources)
    changes = draw(edits(3))
    if draw(st.booleans()):
        pieces, new = TOKEN.findall(text), st.sampled_from(TOKENS)
    else:
        pieces, new = list(text), st.characters(codec="utf-8") | st.sampled_from("()[]{}=:?,;\\ \n")
    return edited(text, pieces, changes, draw(st.lists(new, min_size=len(changes),
                                                       max_size=len(changes))))  # fmt: skip


def replaced(tree: Any, places: dict[int, Any]) -> Any:
    """A tree with the nodes of these identities replaced."""
    if id(tree) in places:
        return places[id(tree)]
    if isinstance(tree, tuple):
        return tuple(replaced(part, places) for part in tree)
    if isinstance(tree, syntax.Tree):
        parts = {f.name: replaced(getattr(tree, f.name), places) for f in fields(tree)}
        return type(tree)(**parts)
    return tree


@st.composite
def transplanted(draw: Callable[[Any], Any]) -> str:
    """A program in which some parts stand in the places of others of their kind: its syntax
    is right, and hardly anything else."""
    trees = list(draw(programs(depth=2)).items)
    if draw(st.booleans()):
        trees += parse(Source(draw(excerpts()), "other")).program.items
    kinds = (
        syntax.Expression, syntax.Expression, syntax.Expression, syntax.TypeTree,
        syntax.SizeTree, syntax.PatternTree,
    )  # fmt: skip
    nodes = [node for tree in trees for node in syntax.walk(tree)]
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(kinds))
        of_kind = [node for node in nodes if isinstance(node, kind)]
        if len(of_kind) > 1:
            target, donor = draw(st.tuples(*[st.sampled_from(range(len(of_kind)))] * 2))
            places = {id(of_kind[target]): of_kind[donor]}
            trees = [replaced(tree, places) for tree in trees]
            nodes = [node for tree in trees for node in syntax.walk(tree)]
    try:
        return show(syntax.Program(tuple(trees)))
    except ValueError:  # a tree that no text has, as a section of `-`
        return ""


def items(text: str) -> list[str]:
    """A text cut where items start, so that a mutation of one is run alone with a few others."""
    return re.split(r"\n(?=\S)", text)


@st.composite
def excerpts(draw: Callable[[Any], Any]) -> str:
    """A few neighbouring items of a program that stands in the repository."""
    pieces = items(draw(st.sampled_from(PROGRAMS)))
    start = draw(st.integers(0, max(0, len(pieces) - 1)))
    return "\n".join(pieces[start : start + draw(st.integers(1, 4))])


# --- laws --------------------------------------------------------------------------------------

SAFE = settings(
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large,
                           HealthCheck.filter_too_much, HealthCheck.large_base_example],
)  # fmt: skip
MANY = settings(SAFE, max_examples=examples(250))


@settings(SAFE, max_examples=200)
@given(st.text(max_size=60) | st.text(string.printable, max_size=60))
def test_random_text(text: str) -> None:
    run_is_safe(text)
    type_is_safe(text)


@settings(SAFE, max_examples=200)
@given(soup(25))
def test_a_soup_of_tokens(text: str) -> None:
    run_is_safe(text)
    type_is_safe(text)


@SAFE
@given(mutated(excerpts()))
def test_mutated_programs_of_the_repository(text: str) -> None:
    run_is_safe(text)


@SAFE
@given(mutated(programs(depth=2).map(lambda program: program.text)))
def test_mutated_random_programs(text: str) -> None:
    run_is_safe(text)


@SAFE
@given(mutated(programs(depth=2).map(lambda program: program.text)))
def test_mutated_expressions_have_a_type_or_an_error(text: str) -> None:
    body = re.split(r" = ", text)[-1].split("\n  where")[0]
    type_is_safe(body)


@SAFE
@given(transplanted())
def test_transplanted_programs(text: str) -> None:
    run_is_safe(text)


@pytest.mark.slow
@MANY
@given(transplanted())
def test_many_transplanted_programs(text: str) -> None:
    run_is_safe(text)


@pytest.mark.slow
@MANY
@given(st.text(max_size=200) | soup(60))
def test_many_texts(text: str) -> None:
    run_is_safe(text)
    type_is_safe(text)


@pytest.mark.slow
@MANY
@given(mutated(excerpts() | programs(depth=3).map(lambda program: program.text)))
def test_many_mutated_programs(text: str) -> None:
    run_is_safe(text)


@pytest.mark.parametrize("text", PROGRAMS, ids=range(len(PROGRAMS)))
def test_the_programs_that_are_mutated_are_right(text: str) -> None:
    """Otherwise mutation would only ever meet the first error."""
    assert run_is_safe(text) or "cata" in text
