"""`%nnfp type --functor`: of which functor a cell is an algebra or a coalgebra."""

from __future__ import annotations

import re
from typing import Any

import pytest

import nnfp_kernel as nnfp
from nnfp_kernel.views.functor import Law, Machine, of_function, to_html, to_text

PROGRAM = """
data Tree a = Leaf a | Node (Tree a) (Tree a)
data Rose a = Rose a [Rose a]
data Pair = Pair R R
cell : (R[4], R[3]) ~> (R[4], R[2])
cell (h, x) = (tanh (?W @ h + ?U @ x), ?V @ h + ?T @ x)
late : (R[4], R[3]) ~> (R[4], R[2])
late (h, x) = (tanh (?W @ h + ?U @ x), ?V @ h)
step : (R[4], R[3]) ~> R[4]
step (h, x) = tanh (?W @ h + ?U @ x)
write h = (tanh (0.5 * h), 2 * h)
turn : R[4] ~> R[4]
turn h = tanh (?W @ h)
join : TreeF R[2] R[4] ~> R[4]
join layer = case layer of { LeafF x -> ?E @ x; NodeF l r -> tanh (?L @ l + ?R @ r) }
split s = if s > 0.1 then NodeF (s / 2) (s / 3) else LeafF (sin s)
total = cata { Leaf x -> x; Node l r -> l + r }
fan layer = case layer of { RoseF x ns -> x + sum (map sin ns) }
bush s = if s > 0.1 then RoseF s [s / 2, s / 3] else RoseF (sin s) []
noisy (s, x) = (s + draw (normal 1), x)
odd : R[3] -> R
odd = sum
"""


@pytest.fixture(scope="module")
def session() -> nnfp.Session:
    made = nnfp.Session(precision=64)
    made.run(PROGRAM)
    return made


@pytest.mark.parametrize(
    ("name", "kind", "functor", "strength"),
    [
        ("cell", "a Mealy machine", "A → X × B", "(p, f) ↦ (a ↦ ((p, x), b) where (x, b) = f a)"),
        ("late", "a Moore machine", "(A → X) × B", "(p, (f, b)) ↦ (a ↦ (p, f a), b)"),
        ("step", "a folding cell", "1 + A × X", "(p, (a, x)) ↦ (a, (p, x))"),
        ("write", "an unfolding cell", "X × B", "(p, (x, b)) ↦ ((p, x), b)"),
        ("turn", "a coalgebra of the identity functor", "X", "(p, x) ↦ (p, x)"),
        ("join", "a TreeNet", "R[2] + X × X", "(p, Node x y) ↦ Node (p, x) (p, y)"),
        ("fan", "a TreeNet", "A × List(X)", "(p, Rose x y) ↦ Rose x [(p, y), …]"),
        ("bush", "it grows trees", "R × List(X)", "(p, Rose x y) ↦ Rose x [(p, y), …]"),
        ("split", "it grows trees", "R + X × X", "(p, Node x y) ↦ Node (p, x) (p, y)"),
    ],
)
def test_a_cell_is_what_its_type_says_and_its_square_holds(
    session: nnfp.Session, name: str, kind: str, functor: str, strength: str
) -> None:
    machine = session.functor(name)
    assert kind in machine.kind
    assert machine.functor == f"F(X) = {functor}"
    assert machine.strength.endswith(strength)
    (law,) = machine.laws
    assert law.holds, law
    assert law.apart is not None
    assert law.apart < 1e-12


def test_a_law_that_is_broken_is_seen(session: nnfp.Session) -> None:
    definition = session.program.definitions["step"]

    def run(text: str) -> Any:  # a machine that is not the one that is folded
        return session.function(text if "fold" in text else "\\(h, x) -> 0.5 * step (h, x)")

    machine = of_function("step", definition.scheme.type, "", 28, session.program.declarations, run)
    assert machine is not None
    assert not machine.laws[0].holds
    assert "fails on random values" in to_text(machine)


def test_a_data_type_is_the_fixed_point_of_its_functor(session: nnfp.Session) -> None:
    tree, rose = session.functor("Tree"), session.functor("Rose")
    assert tree.functor == "F(X) = A + X × X"
    assert "a layer is a TreeF" in tree.kind
    assert rose.functor == "F(X) = A × List(X)"
    assert rose.strength.endswith("(p, Rose x y) ↦ Rose x [(p, y), …]")
    assert session.functor("total").functor == "F(X) = A + X × X"


def test_what_draws_or_is_open_is_not_run(session: nnfp.Session) -> None:
    for name in ("noisy", "gruCell"):
        machine = session.functor(name)
        assert machine.functor == "F(X) = A → X × B"
        assert [law.apart for law in machine.laws] == [None]
        assert "not run" in to_text(machine)


@pytest.mark.parametrize("name", ["odd", "Pair"])
def test_what_has_no_functor_is_told(session: nnfp.Session, name: str) -> None:
    with pytest.raises(nnfp.NnfpError, match="neither a cell nor a recursive data type"):
        session.functor(name)


def test_a_machine_is_lines_of_text() -> None:
    machine = Machine(
        "f", "(s, a) -> s", "a folding cell", "F(X) = 1 + A × X", "σ", (("A", "R"),), "F(S) → S",
        ("one", "two"), (Law("left = right", 1e-16),),
    )  # fmt: skip
    assert to_text(machine).split("\n") == [
        "f : (s, a) -> s",
        "a folding cell",
        "  functor    F(X) = 1 + A × X",
        "  where      A = R",
        "  strength   σ",
        "  structure  F(S) → S",
        "  square     one",
        "             two",
        "  law        left = right",
        "             holds on random values: the sides are at most 1e-16 apart",
    ]


def test_in_a_notebook_the_parts_stand_in_a_table(session: nnfp.Session) -> None:
    """Blanks do not align in letters of different widths, and backticks are for text."""
    shown = to_html(session.functor("Tree"))
    assert '<td class="small">functor</td><td>F(X) = A + X × X</td>' in shown
    assert '<span class="code">cata alg</span>' in shown
    assert "`" not in re.sub(r"<style>.*?</style>", "", shown)
    laws = to_html(session.functor("cell"))
    assert laws.count("<tr>") == to_text(session.functor("cell")).count("\n  ") - laws.count("<br>")
