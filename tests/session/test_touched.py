"""A cell is inferred with what it touches only: nothing of it shows, whatever the cells."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from soak import examples

import nnfp_kernel as nnfp
from nnfp_kernel.language import infer as inference
from nnfp_kernel.language import types as t

NAMES = ("a", "b", "c", "d", "e", "f", "g", "h")
BODIES = (
    "{n} x = ?W @ x + ?b", "{n} x = tanh ({m} x)", "{n} = {m} >> {k}", "{n} x = {m} x + {k} x",
    "{n} : R[3] ~> R[2]\n{n} x = ?W @ x", "{n} x = x * 2", "{n} = map {m}", "{n} x = {m}.W @ x",
    "{n} : R[2] -> R\n{n} x = sum x", "{n} x = ({m} x, {k} x)", "{n} = 3", "{n}[p] x = ?V @ x + ({m} x)",
    "{n} x = open {m} (weights {m}, x)", "{n} x = {m} (x : R[3])", "{n} x = grad (\\y -> sum ({m} y)) x",
    "{n} : R[4]\n{n} = zero", "{n} = ?w", "{n} x = {k} + x", "size hidden = {z}", "{n} x = fresh {m} x",
    "{n} l = matrix (l : Weights {m} -o R[2])", "{n} : Weights {m} -> Weights {m}\n{n} w = 2 * w",
)  # fmt: skip


@st.composite
def cells(draw: st.DrawFn) -> list[str]:
    """Cells of one definition or two, on names that stand and names that do not."""
    made = []
    for _ in range(draw(st.integers(4, 10))):
        name = st.sampled_from(NAMES)
        parts = [
            draw(st.sampled_from(BODIES)).format(
                n=draw(name), m=draw(name), k=draw(name), z=draw(st.integers(1, 3))
            )
            for _ in range(draw(st.integers(1, 2)))
        ]
        made.append("\n".join(parts))
    return made


class InferredWhole(nnfp.Session):
    """A session that infers all that stands with every cell."""

    def _check_touched(self, *_: Any) -> None:
        return None


# What is defined first is many, so that what a cell touches is few.
FIRST = "\n".join(
    f"u{k} x = x + {k}\nv{k} : R[2] ~> R[2]\nv{k} x = ?W @ x" for k in range(8)
) + "\na x = ?W @ x + ?b\nb x = tanh (a x)\nc : R[3] ~> R[2]\nc = b"  # fmt: skip


def outcome(session: nnfp.Session, cell: str) -> Any:
    """What a cell shows and what stands after it; the same names for sizes that are open."""
    try:
        result = session.run(cell)
        shown = [str(getattr(output, "type", "")) for output in result.outputs]
        told = sorted(note.title for note in result.notes)
    except nnfp.NnfpError as error:
        shown, told = ["error"], [each.title for each in error.diagnostics]
    standing = {
        name: (
            inference.show_type(definition),
            [(hole.name, t.show(hole.type)) for hole in definition.holes],
            definition.learns,
        )
        for name, definition in session.program.definitions.items()
    }
    found = shown, told, dict(sorted(standing.items())), sorted(session.broken)
    return re.sub(r"_[a-z]\w*", "_n", repr(found))


@given(cells())
@settings(max_examples=examples(8))
@pytest.mark.slow
def test_what_is_inferred_in_part_is_what_is_inferred_whole(program: list[str]) -> None:
    part, whole = nnfp.Session(), InferredWhole()
    for cell in (FIRST, *program):
        assert outcome(part, cell) == outcome(whole, cell), cell


def test_a_cell_touches_what_is_coupled_with_it_by_weights_or_by_use() -> None:
    session = nnfp.Session()
    session.run(FIRST)
    seen: list[set[str]] = []
    infer = inference.infer

    def watched(cells: Any, *rest: Any, **more: Any) -> Any:
        seen.append({each.name for cell in cells for each in cell.items if hasattr(each, "name")})
        return infer(cells, *rest, **more)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(inference, "infer", watched)
        session.run("u3 x = x * 3")
        session.run("new x = u3 (v2 x)")
        session.run("b x = sin (a x)")
    assert seen == [{"u3"}, {"new", "v2"}, {"a", "b", "c"}]


def test_a_hole_opens_again_when_what_settled_it_goes() -> None:
    session = nnfp.Session()
    session.run(FIRST)
    assert session.type("a") == "R[3] ~> R[2]"
    session.run("c : R[3] -> R[3]\nc x = x")
    assert "_" in session.type("a")
    session.run("c : R[5] ~> R[4]\nc = b")
    assert session.type("b") == "R[5] ~> R[4]"
