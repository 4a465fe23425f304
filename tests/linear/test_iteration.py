"""Solutions by iteration: conjugate gradients where the map is proved to be self-adjoint
and positive, else GMRES; told where none is found; differentiated as the equation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy
import pytest
from numpy.testing import assert_allclose

import nnfp_kernel as nnfp
from nnfp_kernel.graph.graph import ArrayType, Builder, Fixpoint
from nnfp_kernel.graph.primitive import Step
from nnfp_kernel.linear import structure
from nnfp_kernel.linear.maps import LinearMap, Sum, compose, section
from nnfp_kernel.linear.structure import cost, proofs
from nnfp_kernel.primitives import PRIMITIVES

# Loops one way and the other: of their sum no structure is known.
PROGRAM = """
mixed : R[12] -> R[12]
mixed x = 4 * x + tanh (along 0.5 x) + reverse (along 0.3 (sin (reverse x)))
along a xs = scan (\\(s, v) -> a * s + v) 0 xs

general : (R[12], R[12]) -> R[12]
general (x, b) = solve (derivative mixed x) b

squared : (R[12], R[12]) -> R[12]
squared (x, b) = let l = derivative mixed x in solve (l >> adjoint l) b

loose : (R[12], R[12]) -> R[12]
loose (x, b) = solveWithin 1e-3 (derivative mixed x) b

jacobian x = matrix (derivative mixed x)

singular : (R[12], R[12]) -> R[12]
singular (x, b) = solve (derivative (\\y -> let z = mixed y in z - mean z) x) b
"""


@pytest.fixture(scope="module")
def session() -> Iterator[nnfp.Session]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cost, "LARGE", 8)
        session = nnfp.Session(precision=64, seed=0)
        session.run(PROGRAM)
        yield session


def numbers(seed: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    random = numpy.random.default_rng(seed)
    return random.normal(size=12), random.normal(size=12)


def iterations(session: nnfp.Session, name: str) -> list[bool]:
    """Of every iteration whether it is one of conjugate gradients."""
    nodes = session[name].graph().walk()
    return [n.operation.positive for n in nodes if isinstance(n.operation, Fixpoint)]


def test_a_map_of_which_nothing_is_known_is_solved_by_gmres(session: nnfp.Session) -> None:
    x, b = numbers(0)
    assert iterations(session, "general") == [False]
    jacobian = numpy.asarray(session["jacobian"](x))
    assert_allclose(jacobian @ session["general"]((x, b)), b, atol=1e-12)


def test_a_map_after_its_adjoint_is_solved_by_conjugate_gradients(session: nnfp.Session) -> None:
    x, b = numbers(1)
    assert iterations(session, "squared") == [True]
    jacobian = numpy.asarray(session["jacobian"](x))
    assert_allclose(jacobian.T @ (jacobian @ session["squared"]((x, b))), b, atol=1e-11)


@pytest.mark.parametrize("name", ["general", "squared"])
def test_the_derivative_is_that_of_the_equation(session: nnfp.Session, name: str) -> None:
    x, b = numbers(2)
    dx, db = numbers(3)
    way = numpy.random.default_rng(4).normal(size=12)
    function = session[name]
    _, pullback = function.vjp({}, (x, b))
    _, (gx, gb) = pullback(way)
    after, before = (numpy.asarray(function((x + h * dx, b + h * db))) for h in (1e-6, -1e-6))
    assert_allclose(gx @ dx + gb @ db, way @ (after - before) / 2e-6, rtol=1e-6)


def test_a_tolerance_leaves_a_residual(session: nnfp.Session) -> None:
    x, b = numbers(5)
    residual = session["jacobian"](x) @ session["loose"]((x, b)) - b
    size = numpy.linalg.norm(residual) / numpy.linalg.norm(b)
    assert 1e-12 < size <= 1e-3


def test_no_solution_is_told(session: nnfp.Session) -> None:
    with pytest.raises(nnfp.NnfpError, match="no solution was found by iteration") as told:
        session["singular"](numbers(6))
    assert "solveWithin" in told.value.render()


# --- proofs -----------------------------------------------------------------------------------


def line() -> ArrayType:
    return ArrayType("R", (5,))


def times(builder: Builder, factor: object) -> LinearMap:
    return section(PRIMITIVES, Step("mul", {}, 0, (factor,)), line())  # type: ignore[arg-type]


def matrix(builder: Builder) -> LinearMap:
    wire = builder.input(ArrayType("R", (5, 5)))
    labels = {"left": (0, 1), "right": (1,), "out": (0,)}
    return section(PRIMITIVES, Step("contract", labels, 1, (wire,)), line())


def test_what_is_proved_and_what_is_not() -> None:
    builder = Builder(PRIMITIVES)
    x = builder.input(line())
    dense, signed = matrix(builder), times(builder, x)
    above = times(builder, builder.emit("exp", x))
    square = times(builder, builder.emit("mul", x, x))
    both = compose(dense, dense.adjoint())
    found = {
        "signed": signed, "above": above, "square": square, "dense": dense, "both": both,
        "sum": Sum((both, above)), "less": Sum((both, signed)),
        "between": compose(dense, above, dense.adjoint()),
        "indefinite": compose(dense, signed, dense.adjoint()),
        "other": compose(dense, matrix(builder).adjoint()),
    }  # fmt: skip
    forms = {name: structure.recognise(map) for name, map in found.items()}
    adjoint = {name for name, form in forms.items() if proofs.self_adjoint(builder, form)}
    assert adjoint == set(found) - {"dense", "other"}
    positive = {name for name, form in forms.items() if proofs.positive(builder, form)}
    assert positive == {"above", "square", "both", "sum", "between"}
