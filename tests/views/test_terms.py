"""A derivative as text: what it looks like, and that it is the derivative."""

from __future__ import annotations

import pytest
from views.roundtrip import check

from nnfp_kernel import Session
from nnfp_kernel.views.terms import derivative_definition

PROGRAMS = {
    "layer": "f : R[4] ~> R[3]\nf x = tanh (?W @ x + ?b)",
    "pair": "f : (R[4], R[3]) ~> R[3]\nf (h, x) = let y = tanh (?U @ h + x) in y * y + sum h",
    "curried": "f : R[3] -> R[3] -> R\nf a b = dot a (sin b)",
    "index": "f : (R[5,4], Fin[5]) -> R[4]\nf (xs, i) = exp (xs ! i)",
    "branch": "f : R[3] -> R[3]\nf x = if sum x > 0 then tanh x else x * x",
    "map": "f : (R[2], R[3])[4] -> R\nf xs = sum (map (\\(a, b) -> sum a * sum b) xs)",
    "representation": (
        "rep Word = R[3]\nstep : (R[4], Word) ~> R[4]\nstep (h, Word x) = tanh (?W @ h + ?U @ x)\n"
        "f : Word[5] ~> R[4]\nf = fold step zero"
    ),
    "softmax": "f : R[4] -> R[4]\nf x = softmax x",
}


@pytest.mark.parametrize("case", PROGRAMS)
def test_a_printed_derivative_is_the_derivative(case: str) -> None:
    session = Session(precision=64)
    session.run(PROGRAMS[case])
    check(session, session["f"])


def test_a_layer_reads_as_in_a_book() -> None:
    session = Session(precision=64)
    session.run("layer : R[8] ~> R[12]\nlayer x = tanh (?W @ x + ?b)")
    assert str(derivative_definition(session["layer"])) == (
        "layerDerivative : R[8] -> (R[8] -o R[12])\n"
        "layerDerivative x =\n"
        "  let y = tanh (layer.W @ x + layer.b) in \\dx -> (1 - y * y) * layer.W @ dx"
    )
    assert str(derivative_definition(session["layer"], adjoint=True)) == (
        "layerAdjoint : R[8] -> (R[12] -o R[8])\n"
        "layerAdjoint x =\n"
        "  let y = tanh (layer.W @ x + layer.b) in \\w -> ((1 - y * y) * w) @ layer.W"
    )
