"""The names of linear algebra in programs: on matrices, on linear maps, real and complex."""

from __future__ import annotations

import re
from typing import Any

import numpy
import pytest
from numpy.testing import assert_allclose

import nnfp_kernel as nnfp

PROGRAM = """


a : R[4,4] -> R[4] -> R[4]
a m x = tanh (m @ x) + 2 * x

complexes : C[3] -> C[3]
complexes z = z * z * z

parted : C[3] -> C[3]
parted z = z + 2 * conj z

on m x = (logdet l, trace l, norm l, operatorNorm l, matrix (inverse l))
  where l = derivative (a m) x

fields z = (logdet l, trace l, diagonal l, matrix l, norm l) where l = derivative complexes z
halved z = (logdet l, solve l z) where l = derivative parted z

energy : R[4,4] -> R[4] -> R
energy m x = sum (tanh (m @ x)) + x ! 0 * x ! 1

curved m x = eigenvalues (hessian (energy m) x)
squared m x = eigenvalues (l >> adjoint l) where l = derivative (a m) x
-- between the weights of a definition, whose sizes the session settles
net : R[3] ~> R[2]
net x = tanh (?W @ x + ?b)
deep x = sum (stack[2] (tanh << dense) (half x))
half x = ?A @ x
slopes x = derivative (\\w -> open net (w, x)) (weights net)
jacobian x = matrix (slopes x)
kernel x y = matrix (adjoint (slopes y) >> slopes x)
gauss x y = (matrix g, eigenvalues g, trace g)
  where g = gaussNewton (squaredError y) (\\w -> open net (w, x)) (weights net)
descent x y = naturalGradient 0.5 (squaredError y) (\\w -> open net (w, x)) (weights net)
deeper x = matrix (derivative (\\w -> (open deep (w, x), open half (w', x))) (weights deep))
  where w' = weights half
halves x = matrix (adjoint (derivative (\\w -> open half (w, x)) (weights half)))
settled : R[2]
settled = half [1, 2, 3]

turned m x = spectrum (derivative (a m) x)
fieldSpectrum z = spectrum (derivative complexes z)
weighed m = norm (sin (spectrum m) + spectrum m * spectrum m)
thin : R[2,4] -> R
thin m = norm (l >> adjoint l) where l = derivative (\\x -> m @ x) zero
"""


@pytest.fixture(scope="module")
def session() -> nnfp.Session:
    session = nnfp.Session(precision=64, seed=0)
    session.run(PROGRAM)
    return session


def normal(seed: int, *shape: int) -> numpy.ndarray:
    return numpy.random.default_rng(seed).normal(size=shape)


def test_of_a_real_map(session: nnfp.Session) -> None:
    m, x = normal(0, 4, 4), normal(1, 4)
    jacobian = (1 - numpy.tanh(m @ x) ** 2)[:, None] * m + 2 * numpy.eye(4)
    logdet, trace, norm, operator, inverse = session["on"](m, x)
    assert_allclose(logdet, numpy.linalg.slogdet(jacobian)[1], rtol=1e-9)
    assert_allclose(trace, numpy.trace(jacobian), rtol=1e-9)
    assert_allclose(norm, numpy.linalg.norm(jacobian), rtol=1e-9)
    assert_allclose(operator, numpy.linalg.norm(jacobian, 2), rtol=1e-9)
    assert_allclose(inverse, numpy.linalg.inv(jacobian), rtol=1e-9)


def test_of_a_complex_linear_map(session: nnfp.Session) -> None:
    z = normal(2, 3) + 1j * normal(3, 3)
    slopes = 3 * z**2
    logdet, trace, diagonal, matrix, norm = session["fields"](z)
    assert_allclose(logdet, numpy.log(abs(slopes)).sum(), rtol=1e-9)
    assert_allclose(trace, slopes.sum(), rtol=1e-9)
    assert_allclose(diagonal, slopes, rtol=1e-9)
    assert_allclose(matrix, numpy.diag(slopes), rtol=1e-9)
    assert_allclose(norm, numpy.linalg.norm(slopes), rtol=1e-9)


def test_a_map_that_conjugates_has_the_determinant_and_solution_of_its_real_matrix(
    session: nnfp.Session,
) -> None:
    z = normal(4, 3) + 1j * normal(5, 3)
    logdet, solution = session["halved"](z)
    assert_allclose(logdet, 3 * numpy.log(3), rtol=1e-9)  # real parts by 3, imaginary by -1
    assert_allclose(solution, z.real / 3 - 1j * z.imag, rtol=1e-9)


def test_eigenvalues_are_ordered_and_real(session: nnfp.Session) -> None:
    m, x = normal(6, 4, 4), normal(7, 4)
    y = numpy.tanh(m @ x)
    hessian = m.T @ numpy.diag(-2 * y * (1 - y**2)) @ m
    hessian[0, 1] += 1
    hessian[1, 0] += 1
    assert_allclose(session["curved"](m, x), numpy.linalg.eigvalsh(hessian), rtol=1e-8)
    jacobian = (1 - y**2)[:, None] * m + 2 * numpy.eye(4)
    expected = numpy.linalg.eigvalsh(jacobian.T @ jacobian)
    assert_allclose(session["squared"](m, x), expected, rtol=1e-8)


def test_the_spectrum_is_complex_and_ordered_by_its_parts(session: nnfp.Session) -> None:
    m, x = normal(6, 4, 4), normal(7, 4)
    jacobian = (1 - numpy.tanh(m @ x) ** 2)[:, None] * m + 2 * numpy.eye(4)
    found = session["turned"](m, x)
    assert_allclose(found, numpy.sort_complex(numpy.linalg.eigvals(jacobian)), rtol=1e-9)
    z = normal(2, 3) + 1j * normal(3, 3)
    assert_allclose(session["fieldSpectrum"](z), numpy.sort_complex(3 * z**2), rtol=1e-9)


@pytest.mark.parametrize("name", ["curved", "thin", "turned", "weighed"])
def test_they_have_derivatives(session: nnfp.Session, name: str) -> None:
    inputs: tuple[Any, ...] = {
        "curved": (normal(8, 4, 4), normal(9, 4)), "turned": (normal(8, 4, 4), normal(9, 4)),
        "thin": (normal(8, 2, 4),), "weighed": (normal(8, 4, 4),),
    }[name]  # fmt: skip
    way = tuple(normal(10 + k, *each.shape) for k, each in enumerate(inputs))
    _, tangent = session[name].jvp(({}, *inputs), ({}, *way))

    def at(h: float) -> Any:
        return numpy.asarray(session[name](*(x + h * v for x, v in zip(inputs, way, strict=True))))

    assert_allclose(tangent, (at(1e-6) - at(-1e-6)) / 2e-6, rtol=1e-5, atol=1e-7)


def test_the_weights_of_a_definition_are_one_axis(session: nnfp.Session) -> None:
    """Laid end to end, as they are shown; their number is inferred from the holes."""
    types = {
        name: session[name].type for name in ("jacobian", "kernel", "gauss", "deeper", "halves")
    }
    assert types == {
        "jacobian": "R[3] -> R[2,8]",
        "kernel": "R[3] -> R[3] -> R[2,2]",
        "gauss": "R[3] -> R[2] -> (R[8,8], R[8], R)",
        "deeper": "R[3] -> R[3,18]",
        "halves": "R[3] -> R[6,2]",
    }
    x, y = normal(20, 3), normal(21, 2)
    session.weights = {"net": {"W": normal(22, 2, 3), "b": normal(23, 2)}}
    W, b = (numpy.asarray(each) for each in session.weights["net"].values())

    def slopes(x: numpy.ndarray) -> numpy.ndarray:
        on = 1 - numpy.tanh(W @ x + b) ** 2
        return on[:, None] * numpy.hstack([numpy.kron(numpy.eye(2), x), numpy.eye(2)])

    assert_allclose(session["jacobian"](x), slopes(x), rtol=1e-9)
    assert_allclose(session["kernel"](x, x + 1), slopes(x + 1) @ slopes(x).T, rtol=1e-9)
    matrix, values, trace = session["gauss"](x, y)
    curvature = slopes(x).T @ slopes(x)  # of half the squared error
    scale = float(matrix[0, 0] / curvature[0, 0])
    assert_allclose(matrix, scale * curvature, rtol=1e-9)
    assert_allclose(values, scale * numpy.linalg.eigvalsh(curvature), rtol=1e-9, atol=1e-12)
    assert_allclose(trace, scale * numpy.trace(curvature), rtol=1e-9)
    step = session["descent"](x, y)["net"]
    flat = numpy.concatenate([numpy.ravel(step["W"]), step["b"]])
    residual = slopes(x).T @ (numpy.tanh(W @ x + b) - y)
    expected = numpy.linalg.solve(scale * curvature + 0.5 * numpy.eye(8), scale * residual)
    assert_allclose(flat, expected, rtol=1e-8)


@pytest.mark.parametrize(
    ("program", "type"),
    [
        ("inverse [[2, 1], [0, 4]]", "R[2,2]"),
        ("trace (derivative (\\z -> z * z) (complex [1, 2] [3, 4]))", "C"),
        ("eigenvalues (derivative (\\x -> x * x) [[3, 1], [2, 4]])", "R[4]"),
        ("spectrum [[0, 1], [-1, 0]]", "C[2]"),
        ("eig [[0, 1], [-1, 0]]", "(C[2], C[2,2])"),
        ("spectrum (derivative (\\(x, z) -> (2 * x, z)) (1, complex [1] [2]))", "C[3]"),
        ("bands[1,2] (derivative (\\x -> x * x) [3, 1, 2])", "R[3,4]"),
    ],
)
def test_their_types(session: nnfp.Session, program: str, type: str) -> None:
    assert str(session.run(program).outputs[-1].type) == type


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("trace (derivative conj (complex [1] [2]))", "linear over R only"),
        ("eigenvalues [[1, 2], [3, 4]]", "not known to be its own adjoint"),
        ("eigenvalues [[1, 2], [3, 4]]", "`spectrum l`"),
        ("spectrum (derivative conj (complex [1] [2]))", "linear over R only"),
        ("bands[1,0] (derivative reverse [1, 2, 3])", "2 diagonals below the main one"),
        ("bands[1,1] (derivative softmax [1, 2, 3])", "diagonals below|not known to be banded"),
        ("inverse (derivative (\\x -> x ! 0) [1, 2]) 1", "different sizes"),
        ("solve [[1, 2], [2, 4]] [1, 1]", "the map is singular"),
        ("map (\\b -> solve [[1, 2], [2, 4]] b) [[1, 1]]", "the map is singular"),
        ("map inverse [[[1, 2], [2, 4]]]", "the map is singular"),
        ("inverse (derivative square [1, 0]) [1, 1]", "the map is singular"),
        ("solve (derivative (\\x -> 2 * shift[1] x) [1, 2]) [1, 1]", "singular, for 1 of its rows"),
        ("solve (derivative (\\x -> replicate[3] (sum x)) [1, 2, 3]) [1, 1, 1]", "singular"),
        ("solveWithin (sum [1]) [[1, 2], [3, 4]] [1, 1]", "the tolerance of `solveWithin`"),
    ],
)
def test_what_cannot_be_is_told(session: nnfp.Session, program: str, told: str) -> None:
    with pytest.raises(nnfp.NnfpError, match=told):
        session.run(program)


def test_the_way_out_of_a_singular_map_is_one(session: nnfp.Session) -> None:
    with pytest.raises(nnfp.NnfpError) as raised:
        session.run("solve [[1, 1], [1, 1]] [1, 2]")
    told = " ".join(raised.value.render().split())
    found = re.search(r"`(solve \(\(l .*?adjoint l b\))`", told)
    assert found is not None, told
    session.run("ones : R[2] -o R[2]\nones x = [[1, 1], [1, 1]] @ x")
    near = found[1].replace("(adjoint l b)", "(adjoint ones [1, 2])")
    near = re.sub(r"\bl\b", "ones", near).replace("id x", "id [0, 0]")
    assert session.evaluate(near) == pytest.approx([0.75, 0.75], abs=1e-5)


def test_no_square_array_where_structure_spares_it(session: nnfp.Session) -> None:
    """Of maps of 60 numbers no array has more than a few times as many entries."""
    session.run("""
slopes : R[60] -> R[60]
slopes x = diagonal (derivative tanh x)
volume : (R[60,2], R[2,60], R[60]) -> R
volume (u, v, x) = logdet (derivative (\\y -> 3 * y + tanh y + u @ tanh (v @ y)) x)
""")
    for name, most in (("slopes", 60), ("volume", 60 * 5)):
        nodes = list(session[name].graph().walk())
        assert max(wire.type.size for node in nodes for wire in node.outputs) <= most
