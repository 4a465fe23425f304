"""Factorisations and functions of matrices, and the Fourier transform, as programs.

Their values are judged by scipy and by the identities they are defined by, their
derivatives by central differences, by `jax.grad` of the lowered program (whose gradient
over C is the conjugate of ours), and by `scipy.linalg.expm_frechet`. Second derivatives
by central differences of the first.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import jax
import numpy
import pytest
import scipy.linalg
from numpy.testing import assert_allclose
from soak import FACTOR

import nnfp_kernel as nnfp

Array = Any


@pytest.fixture(scope="module")
def session() -> nnfp.Session:
    return nnfp.Session(precision=64, seed=0)


# A function of a matrix, the type of its argument, the type of its result.
CASES = {
    "cholesky": ("cholesky", "C[3,3]", "C[3,3]"),
    "qr of a tall matrix": ("qr", "C[4,2]", "(C[4,2], C[2,2])"),
    "qr of a wide matrix": ("qr", "R[2,4]", "(R[2,2], R[2,4])"),
    "eigh": ("eigh", "C[3,3]", "(R[3], C[3,3])"),
    "eig": ("eig", "R[3,3]", "(C[3], C[3,3])"),
    "eig over C": ("eig", "C[3,3]", "(C[3], C[3,3])"),
    "svd of a tall matrix": ("svd", "C[4,2]", "(C[4,2], R[2], C[2,2])"),
    "svd of a wide matrix": ("svd", "R[2,3]", "(R[2,2], R[2], R[2,3])"),
    "expm": ("expm", "C[3,3]", "C[3,3]"),
    "logm": ("logm", "R[3,3]", "R[3,3]"),
    "sqrtm": ("sqrtm", "C[2,2]", "C[2,2]"),
}
PROGRAM = """
f : ({given}, {made}) -> R
f (a, c) = dot c ({name} a)

-- the value, the gradient, and the gradient's derivative along v
all3 (a, v, c) = (f (a, c), grad g a, hessian g a v) where g x = f (x, c)
"""


def element(random: numpy.random.Generator, type_: str) -> Array:
    """A random element of a type: an array or a tuple of them."""
    if type_.startswith("("):
        parts = type_[1:-1].split(", ")
        return tuple(element(random, part) for part in parts)
    shape = tuple(int(n) for n in type_[2:-1].split(","))
    array = random.standard_normal(shape)
    return array + 1j * random.standard_normal(shape) if type_[0] == "C" else array


def point(random: numpy.random.Generator, type_: str) -> Array:
    """A matrix near a positive definite one, with its eigenvalues apart."""
    array = element(random, type_)
    rows, columns = array.shape
    return array + numpy.diag(numpy.arange(4.0, 4.0 + 3 * max(rows, columns), 3.0))[:rows, :columns]


def inner(a: Array, b: Array) -> float:
    return float(numpy.sum(numpy.conj(numpy.asarray(a)) * numpy.asarray(b)).real)


LONG = {
    "sqrtm",
    "qr of a wide matrix",
    "svd of a wide matrix",
}  # to compile: `make soak` takes them


@pytest.mark.parametrize("case", [case for case in CASES if FACTOR > 1 or case not in LONG])
def test_first_and_second_derivatives_of_a_function_of_a_matrix(
    session: nnfp.Session, case: str
) -> None:
    name, given, made = CASES[case]
    session.run(PROGRAM.format(name=name, given=given, made=made))
    random = numpy.random.default_rng(3)
    a, c = point(random, given), element(random, made)
    directions = [element(random, given) for _ in range(2)]
    step = 1e-5
    points = [a, *(a + s * step * v for v in directions for s in (1, -1))]
    ours = session["all3"]
    v = directions[0]
    results = [ours((p, v, c)) for p in points]
    value, gradient, curvature = results[0]
    for k, direction in enumerate(directions):
        up, down = results[1 + 2 * k], results[2 + 2 * k]
        assert_allclose(inner(gradient, direction), (up[0] - down[0]) / (2 * step), rtol=1e-7)
    slope = (results[1][1] - results[2][1]) / (2 * step)
    assert_allclose(curvature, slope, rtol=1e-6, atol=1e-7 * abs(slope).max())
    assert numpy.isfinite(value)
    if name == "logm":
        return  # jax needs half a minute for the reverse mode of loops within loops
    function = session["f"]
    theirs = jax.grad(lambda x: function.apply({}, (x, c)))(jax.numpy.asarray(a))
    assert_allclose(gradient, numpy.conj(theirs), rtol=1e-8, atol=1e-10)


# --- the exponential -------------------------------------------------------------------------

EXPONENTIAL = """
ofReal : (R[4,4], R[4,4]) -> (R[4,4], R[4,4], R[4,4])
ofReal (a, e) = (expm a, jvp expm a e, vjp expm a e)

ofComplex : (C[4,4], C[4,4]) -> (C[4,4], C[4,4], C[4,4])
ofComplex (a, e) = (expm a, jvp expm a e, vjp expm a e)

imbalanced : (R[3,3], R[3,3]) -> (R[3,3], R[3,3])
imbalanced (a, e) = (expm a, jvp expm a e)
"""


def assert_near(found: Array, expected: Array, tolerance: float) -> None:
    """Within a tolerance of the largest entry."""
    assert_allclose(found, expected, rtol=0, atol=tolerance * abs(numpy.asarray(expected)).max())


@pytest.mark.parametrize("name", ["ofReal", "ofComplex"])
def test_the_exponential_and_its_derivative_at_every_size(session: nnfp.Session, name: str) -> None:
    """In the range of each degree that scipy chooses between, and beyond."""
    session.run(EXPONENTIAL)
    random = numpy.random.default_rng(5)
    kind, function = ("C[4,4]" if name == "ofComplex" else "R[4,4]"), session[name]
    for norm in (0.01, 0.1, 0.2, 0.5, 0.9, 1.5, 2.0, 4.0, 5.0, 8.0, 12.0, 60.0):
        a, e = element(random, kind), element(random, kind)
        a *= norm / numpy.linalg.norm(a, 1)
        value, derivative, adjoint = function((a, e))
        expected, expected_derivative = scipy.linalg.expm_frechet(a, e)
        assert_near(value, expected, 1e-13)
        assert_near(derivative, expected_derivative, 1e-13)
        # The adjoint of L(A, ·) is L(Aᴴ, ·).
        assert_near(adjoint, scipy.linalg.expm_frechet(a.conj().T, e)[1], 1e-13)


def exact_exponential(matrix: Array) -> Array:
    """By the series, in 100 digits."""
    with localcontext() as context:
        context.prec = 100
        size, halvings = len(matrix), 40
        scaled = numpy.array(
            [[Decimal(float(entry)) / 2**halvings for entry in row] for row in matrix]
        )
        total = term = numpy.array(
            [[Decimal(int(i == j)) for j in range(size)] for i in range(size)]
        )
        for k in range(1, 15):
            term = term.dot(scaled) / k
            total = total + term
        for _ in range(halvings):
            total = total.dot(total)
        return total.astype(float)


IMBALANCED = {
    "triangular": [[1, 1e6, 0], [0, -1, 1e6], [0, 0, 0.5]],
    "graded": [[1, 1e3, 1e-3], [1e-3, -1, 1e3], [1e-6, 1e-3, 0.5]],
    "nilpotent": [[0, 1e8, 1], [0, 0, 1e-8], [0, 0, 0]],
}


def test_an_imbalanced_matrix_is_not_scaled_too_far(session: nnfp.Session) -> None:
    session.run(EXPONENTIAL)
    function = session["imbalanced"]
    for entries in IMBALANCED.values():
        a, e = numpy.array(entries, float), numpy.ones((3, 3))
        value, derivative = function((a, e))
        blocks = exact_exponential(numpy.block([[a, e], [numpy.zeros_like(a), a]]))
        assert_near(value, blocks[:3, :3], 1e-13)
        assert_near(derivative, blocks[:3, 3:], 1e-13)


# --- what the factors are ----------------------------------------------------------------------

FACTORS = """
factors : C[4,3] -> ((C[4,3], C[3,3]), (C[4,3], R[3], C[3,3]))
factors a = (qr a, svd a)

ofSquare : C[3,3] -> ((R[3], C[3,3]), C[3,3], C[3,3], C[3,3])
ofSquare a = (eigh a, cholesky a, sqrtm a, logm a)

one : C[3,3] -> ((R[3], C[3,3]), C[3,3])
one a = (eigh a, expm a)

each : C[2,3,3] -> ((R[3], C[3,3])[2], C[2,3,3])
each as = (map eigh as, map expm as)
"""


def hermitian(random: numpy.random.Generator) -> Array:
    a = element(random, "C[3,3]")
    return a @ a.conj().T + numpy.eye(3)


def test_factors_multiply_to_the_matrix_and_their_phases_are_fixed(session: nnfp.Session) -> None:
    session.run(FACTORS)
    random = numpy.random.default_rng(6)
    a = element(random, "C[4,3]")
    (q, r), (u, s, vh) = session["factors"](a)
    assert_allclose(q @ r, a, atol=1e-12)
    assert_allclose((u * s) @ vh, a, atol=1e-12)
    for columns in (q, u, vh.conj().T):
        assert_allclose(columns.conj().T @ columns, numpy.eye(3), atol=1e-12)
    assert numpy.all(numpy.tril(r, -1) == 0)
    diagonal = numpy.diagonal(r)
    assert numpy.all(diagonal.real > 0)
    assert_allclose(diagonal.imag, 0, atol=1e-15)
    assert numpy.all(numpy.diff(s) <= 0)

    b = hermitian(random)
    (w, v), lower, root, logarithm = session["ofSquare"](b)
    assert_allclose((v * w) @ v.conj().T, b, atol=1e-12)
    assert numpy.all(numpy.diff(w) >= 0)
    for vectors in (u, v):
        large = abs(vectors) >= abs(vectors).max(0) / 8**0.5
        leading = vectors[large.argmax(0), numpy.arange(3)]
        assert numpy.all(leading.real > 0)
        assert_allclose(leading.imag, 0, atol=1e-15)
    assert_allclose(lower @ lower.conj().T, b, atol=1e-12)
    assert_allclose(root @ root, b, atol=1e-12)
    assert_allclose(root, scipy.linalg.sqrtm(b), atol=1e-12)
    assert_allclose(logarithm, scipy.linalg.logm(b), atol=1e-11)


def test_a_map_over_matrices_is_each_of_them(session: nnfp.Session) -> None:
    session.run(FACTORS)
    random = numpy.random.default_rng(7)
    both = numpy.stack([hermitian(random), 3 * hermitian(random)])  # scaled differently
    one = session["one"]
    together = jax.tree.leaves(session["each"](both))
    for k, matrix in enumerate(both):
        for found, expected in zip(together, jax.tree.leaves(one(matrix)), strict=True):
            assert_allclose(found[k], expected, rtol=1e-10, atol=1e-12)


# --- where a derivative exists and where not -----------------------------------------------------

EQUAL = r"""
spectral : R[2,2] -> (R[2,2], R[2,2], R[2,2], R[2,2], R[2,2])
spectral a = (slope expm a, slope sqrtm a, slope logm a, grad values a, grad vectors a)

slope f = grad (\x -> sum (flatten (f x)))

values : R[2,2] -> R
values a = let (w, v) = eigh a in sum w

vectors : R[2,2] -> R
vectors a = let (w, v) = eigh a in v ! 0 ! 1 + v ! 1 ! 1

singular : R[3,2] -> (R, R[3,2], R[3,2], R[3,2])
singular a = (nuclear a, grad nuclear a, grad right a, grad orthogonal a)

nuclear : R[3,2] -> R
nuclear a = let (u, s, v) = svd a in sum s

right : R[3,2] -> R
right a = let (u, s, v) = svd a in v ! 0 ! 1

orthogonal : R[3,2] -> R
orthogonal a = let (q, r) = qr a in q ! 2 ! 1
"""


def test_functions_of_a_matrix_have_a_derivative_at_equal_eigenvalues(
    session: nnfp.Session,
) -> None:
    """Eigenvectors have none, and are not finite there."""
    session.run(EQUAL)
    ones = numpy.ones((2, 2))
    exponential, root, logarithm, values, vectors = session["spectral"](2 * numpy.eye(2))
    assert_allclose(exponential, numpy.exp(2) * ones, rtol=1e-13)
    assert_allclose(root, 0.5 / 2**0.5 * ones, rtol=1e-13)
    assert_allclose(logarithm, 0.5 * ones, rtol=1e-13)
    assert_allclose(values, numpy.eye(2), atol=1e-14)
    assert not numpy.all(numpy.isfinite(vectors))


def test_singular_vectors_and_q_of_dependent_columns_have_no_derivative(
    session: nnfp.Session,
) -> None:
    session.run(EQUAL)
    function = session["singular"]
    value, gradient, _, orthogonal = function(numpy.array([[1.0, 0.0], [2.0, 0.0], [0.0, 0.0]]))
    assert_allclose(value, 5**0.5, rtol=1e-13)
    assert numpy.all(numpy.isfinite(gradient))
    assert not numpy.all(numpy.isfinite(orthogonal))
    _, gradient, right, _ = function(numpy.eye(3)[:, :2])
    assert_allclose(gradient, numpy.eye(3)[:, :2], atol=1e-14)
    assert not numpy.all(numpy.isfinite(right))


def test_what_has_no_principal_root_or_logarithm_is_no_number(session: nnfp.Session) -> None:
    (shown,) = session.run(
        "(sqrtm [[-1, 0], [0, 1]], logm [[-1, 0], [0, 2]], cholesky [[1, 2], [2, 1]])"
    ).outputs
    for array in shown.value:
        assert numpy.any(numpy.isnan(array))


# --- Fourier -------------------------------------------------------------------------------------

FOURIER = """
circular : (R[6], R[6]) -> R[6]
circular (x, y) = real (ifft (fft x * fft y))

both : C[5,2] -> (C[5,2], C[5,2], C[5,2])
both x = (fft x, ifft x, map fft x)

adjoints : (C[5], C[5]) -> (R, R, C[5])
adjoints (u, v) = (dot (fft u) v, dot u (vjp fft u v), vjp fft u v)

spectrum : R[7] -> R
spectrum x = sum (square (abs (take[3] (fft x))))

slope : R[7] -> R[7]
slope = grad spectrum
"""


def test_the_fourier_transform_and_its_inverse(session: nnfp.Session) -> None:
    session.run(FOURIER)
    random = numpy.random.default_rng(8)
    x = element(random, "C[5,2]")
    forward, backward, rows = session["both"](x)
    assert_allclose(forward, numpy.fft.fft(x, axis=0), atol=1e-12)
    assert_allclose(backward, numpy.fft.ifft(x, axis=0), atol=1e-12)
    assert_allclose(rows, numpy.fft.fft(x, axis=1), atol=1e-12)
    u, v = element(random, "C[5]"), element(random, "C[5]")
    left, right, adjoint = session["adjoints"]((u, v))
    assert_allclose(left, right, rtol=1e-12)
    assert_allclose(adjoint, 5 * numpy.fft.ifft(v), atol=1e-12)


def test_a_product_of_transforms_is_a_circular_convolution(session: nnfp.Session) -> None:
    session.run(FOURIER)
    random = numpy.random.default_rng(9)
    x, y = element(random, "R[6]"), element(random, "R[6]")
    direct = [sum(x[j] * y[(k - j) % 6] for j in range(6)) for k in range(6)]
    assert_allclose(session["circular"]((x, y)), direct, atol=1e-12)


def test_the_gradient_through_a_spectrum(session: nnfp.Session) -> None:
    session.run(FOURIER)
    x = numpy.random.default_rng(10).standard_normal(7)
    theirs = jax.grad(lambda x: (abs(jax.numpy.fft.fft(x)[:3]) ** 2).sum())(x)
    assert_allclose(session["slope"](x), theirs, rtol=1e-12)


def test_a_length_known_only_at_run_time_is_refused(session: nnfp.Session) -> None:
    session.run("grow s = (s - 1, s, s > 1)")
    with pytest.raises(nnfp.NnfpError, match="length is known") as told:
        session.run("fft (unfoldWhile[5] grow 3)")
    assert "`fft` needs a sequence" in told.value.render()


A, B = numpy.array([[2.0, 1.0], [0.0, 3.0]]), numpy.array([[1.0, 0.5], [-1.0, 2.0]])


@pytest.mark.parametrize(
    ("written", "matrix"),
    [
        ("a @ b", A @ B),
        ("2 * a", 2 * A),
        ("a * b / 3", A * B / 3),
        ("a @ b + 2 * a", A @ B + 2 * A),
        ("- (b @ a)", -B @ A),
    ],
)
def test_a_matrix_made_by_an_operator_stands_for_a_linear_map(
    written: str, matrix: numpy.ndarray
) -> None:
    made = nnfp.Session(precision=64)
    made.bind("a", A)
    made.bind("b", B)
    assert made.evaluate(f"logdet ({written})") == pytest.approx(numpy.linalg.slogdet(matrix)[1])
    solved = made.evaluate(f"solve ({written}) [1, 2]")
    numpy.testing.assert_allclose(matrix @ solved, [1, 2], atol=1e-12)
