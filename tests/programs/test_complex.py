"""Complex numbers: a complex space is a real one under Re ⟨·, ·⟩.

The judges are `jax.grad` of the same function, whose gradient is the conjugate of ours, and
central differences in the real and the imaginary direction.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy
import pytest
from jax import numpy as jnp
from numpy.testing import assert_allclose, assert_array_equal

import nnfp_kernel as nnfp

Z = numpy.array([0.7 + 0.4j, -0.3 + 1.1j, 1.6 - 0.8j])
W = numpy.array([1.2 - 0.5j, 0.4 + 0.9j, -0.8 + 0.3j])
X = numpy.array([0.5, -1.5, 2.0])


@pytest.fixture(scope="module")
def session() -> nnfp.Session:
    return nnfp.Session(precision=64, seed=0)


# Functions of complex numbers, entry by entry: the program's name and jax's. The last ones
# are holomorphic nowhere.
FUNCTIONS = {
    "exp": jnp.exp, "log": jnp.log, "sqrt": jnp.sqrt, "tanh": jnp.tanh,
    "\\z -> 1 / (z + 2)": lambda z: 1 / (z + 2),
    "\\z -> z ^ (0.5 + 1i)": lambda z: z ** (0.5 + 1j),
    "conj": jnp.conj, "real": jnp.real, "imag": jnp.imag, "abs": jnp.abs, "angle": jnp.angle,
    "\\z -> z * conj z": lambda z: z * jnp.conj(z), "\\z -> z * abs z": lambda z: z * abs(z),
    "\\z -> complex (imag z) (2 * real z)": lambda z: 1j * 2 * z.real + z.imag,
}  # fmt: skip


def test_every_function_has_the_derivative_that_jax_has(session: nnfp.Session) -> None:
    """The gradient of Re Σ w̄ f(z), which is f's adjoint at w; jax gives its conjugate."""
    session.run(
        "adjoints : (C[3], C[3]) -> ("
        + ", ".join(["(C[3], C[3])"] * len(FUNCTIONS))
        + ")\nadjoints (z, w) = ("
        + ", ".join(
            f"(({name}) z + 0 * z, grad (\\v -> dot w (({name}) v + 0 * v)) z)"
            for name in FUNCTIONS
        )
        + ")"
    )
    found = session["adjoints"]((Z, W))
    for (name, function), (value, gradient) in zip(FUNCTIONS.items(), found, strict=True):
        assert_allclose(value, function(Z), rtol=1e-12, err_msg=name)
        theirs = jax.grad(lambda z, f=function: jnp.sum((jnp.conj(W) * f(z)).real))(Z)
        assert_allclose(gradient, jnp.conj(theirs), rtol=1e-10, atol=1e-12, err_msg=name)


def test_a_gradient_is_the_direction_of_steepest_growth(session: nnfp.Session) -> None:
    """Its parts are the derivatives in the real and in the imaginary part."""
    session.run(
        "height : C -> R\nheight z = square (abs (z - (1 + 2i)))\n"
        "uphill : C -> C\nuphill = grad height"
    )
    height, step = session["height"], 1e-6
    slopes = [(height(3 + 1j + s) - height(3 + 1j - s)) / (2 * step) for s in (step, 1j * step)]
    gradient = session["uphill"](3 + 1j)
    assert_allclose(gradient, 2 * ((3 + 1j) - (1 + 2j)), rtol=1e-14)
    assert_allclose(gradient, slopes[0] + 1j * slopes[1], rtol=1e-8)


MIXED = """
mixed : (R[3], C[3], R) -> (C[3], C[3], C[3], C[3], C[3], C)
mixed (x, z, a) = (x + z, z - x, a * z, z / x, 2i + x, x @ z)

objective : (R[3], C[3], R) -> R
objective p = norm a + norm (b * c) + norm (d / e) + abs f
  where (a, b, c, d, e, f) = mixed p

slopes : (R[3], C[3], R) -> (R[3], C[3], R)
slopes = grad objective
"""


def test_real_and_complex_operands_mix(session: nnfp.Session) -> None:
    session.run(MIXED)

    def mixed(x: Any, z: Any, a: Any) -> tuple[Any, ...]:
        return x + z, z - x, a * z, z / x, 2j + x, x @ z

    def objective(x: Any, z: Any, a: Any) -> Any:
        parts = mixed(x, z, a)
        norm = jnp.linalg.norm
        return (
            norm(parts[0]) + norm(parts[1] * parts[2]) + norm(parts[3] / parts[4]) + abs(parts[5])
        )

    for ours, theirs in zip(session["mixed"]((X, Z, 1.5)), mixed(X, Z, 1.5), strict=True):
        assert_allclose(ours, theirs, rtol=1e-13)
    theirs = jax.grad(objective, argnums=(0, 1, 2))(X, Z, 1.5)
    for ours, expected in zip(session["slopes"]((X, Z, 1.5)), theirs, strict=True):
        assert_allclose(ours, jnp.conj(expected), rtol=1e-12)
        assert ours.dtype == expected.dtype  # the gradient in a real number is real


REDUCED = """
reduced : C[3] -> (C, C, C, R, R, R)
reduced z = (sum z, mean z, product z, norm z, dot z (conj z), squaredError z 1i3)
"""


def test_reductions_of_complex_numbers(session: nnfp.Session) -> None:
    session.run(REDUCED.replace("1i3", "[1i, 2, 0]"))
    total, mean, product, norm, inner, error = session["reduced"](Z)
    assert_allclose(total, Z.sum(), rtol=1e-14)
    assert_allclose(mean, Z.mean(), rtol=1e-14)
    assert_allclose(product, Z.prod(), rtol=1e-14)
    assert_allclose(norm, numpy.linalg.norm(Z), rtol=1e-14)
    # Re of the sum of x conj y, in either order; no conjugate is left to the user.
    assert_allclose(inner, (Z * Z).sum().real, rtol=1e-13)
    assert_allclose(error, (abs(Z - numpy.array([1j, 2, 0])) ** 2).sum(), rtol=1e-14)


# --- linear maps between complex spaces ----------------------------------------------------------


def test_the_matrix_of_a_complex_linear_map_is_complex(session: nnfp.Session) -> None:
    session.run(
        "cubic : C[3] -> C[3]\ncubic z = z * z * z\n"
        "jacobian : C[3] -> (C[3,3], R[6,6], C, R[6,6])\n"
        "jacobian z = (matrix l, realMatrix l, trace l, realMatrix (derivative conj z))\n"
        "  where l = derivative cubic z"
    )
    holomorphic, real, trace, conjugation = session["jacobian"](Z)
    assert_allclose(holomorphic, numpy.diag(3 * Z**2), rtol=1e-13)
    assert_allclose(trace, (3 * Z**2).sum(), rtol=1e-13)
    blocks = numpy.block([
        [holomorphic.real, -holomorphic.imag], [holomorphic.imag, holomorphic.real]
    ])  # fmt: skip
    assert_allclose(real, blocks, rtol=1e-13)
    assert_allclose(conjugation, numpy.diag([1.0, 1, 1, -1, -1, -1]), atol=1e-15)


@pytest.mark.parametrize(
    "map", ["derivative conj [1i, 2]", "derivative (\\z -> z * abs z) [1i, 2]",
            "derivative (\\a -> let (q, r) = qr a in q) [[1i, 2], [0, 1]]"]
)  # fmt: skip
def test_a_map_that_conjugates_has_no_complex_matrix(session: nnfp.Session, map: str) -> None:
    with pytest.raises(nnfp.NnfpError, match="linear over R only") as told:
        session.run(f"matrix ({map})")
    assert "realMatrix" in told.value.render()


# --- weights ---------------------------------------------------------------------------------------

MODEL = """
model : C[3] ~> C[2]
model z = ?W @ z + ?b

loss : (C[3], C[2]) ~> R
loss (z, y) = squaredError (model z) y
"""


def test_first_values_of_complex_weights_are_complex_with_the_same_variance() -> None:
    session = nnfp.Session(precision=32, seed=0)
    initialisers = ["lecun", "normal 1", "uniform 1", "orthogonal", "identity", "constant 2"]
    for k, initialiser in enumerate(initialisers):
        session.run(
            f"f{k} : C[100] ~> C[100]\nf{k} z = ?W @ z\n  where ?W : C[100,100] ~ {initialiser}"
        )
    drawn = [session.weights[f"f{k}"]["W"] for k in range(len(initialisers))]
    assert all(array.dtype == "complex64" for array in drawn)
    for array, variance in zip(drawn, (1 / 100, 1, 1 / 3), strict=False):
        assert_allclose(numpy.var(array.real), variance / 2, rtol=0.05)
        assert_allclose(numpy.var(array.imag), variance / 2, rtol=0.05)
    unitary = drawn[3]
    assert_allclose(unitary @ unitary.conj().T, numpy.eye(100), atol=1e-4)
    assert_array_equal(drawn[4], numpy.eye(100))
    assert_array_equal(drawn[5], numpy.full((100, 100), 2))


def test_complex_weights_are_learned(session: nnfp.Session) -> None:
    session.run(MODEL)
    random = numpy.random.default_rng(0)
    inputs = random.normal(size=(64, 3)) + 1j * random.normal(size=(64, 3))
    true = random.normal(size=(2, 3)) + 1j * random.normal(size=(2, 3))
    for _ in session.train("loss", (inputs, inputs @ true.T + 2j), rate=0.05, epochs=60, batch=16):
        pass
    assert_allclose(session.weights["model"]["W"], true, atol=1e-2)
    assert_allclose(session.weights["model"]["b"], [2j, 2j], atol=1e-2)


@pytest.mark.parametrize("precision", [32, 64])
def test_saved_complex_weights_come_back_to_the_same_bits(precision: int, tmp_path: Path) -> None:
    session = nnfp.Session(precision=precision, seed=4)
    session.run(MODEL)
    before = session.weights["model"]["W"]
    session.save("model", tmp_path / "model.safetensors")
    session.reset_weights()
    session.weights = {"model.W": jnp.zeros((2, 3), before.dtype)}
    session.load("model", tmp_path / "model.safetensors")
    after = session.weights["model"]["W"]
    assert after.dtype == before.dtype
    assert_array_equal(after, before)


# --- Python --------------------------------------------------------------------------------------


def test_a_complex_number_is_not_taken_for_a_real_one(session: nnfp.Session) -> None:
    session.run("ofReals : R[2] -> R\nofReals x = sum x\nofComplex : C[2] -> R\nofComplex = norm")
    with pytest.raises(nnfp.NnfpError, match="expected entries of type R"):
        session["ofReals"](numpy.array([1j, 2]))
    assert_allclose(session["ofComplex"](numpy.array([3.0, 4.0])), 5)
    assert_allclose(session["ofComplex"](numpy.array([3j, 4])), 5)


def test_numbers_are_printed_as_they_are_read(session: nnfp.Session) -> None:
    for text in ("2i", "1.5i", "1e3i"):
        (shown,) = session.run(text).outputs
        assert shown.type == "C"
        assert complex(shown.value) == complex(text.replace("i", "j"))
