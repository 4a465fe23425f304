"""The built-in names: how each is typed, traced and documented."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from math import pi
from typing import Any

import jax
import numpy
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from nnfp_kernel.graph.context import Context
from nnfp_kernel.graph.graph import ArrayType, Builder, Wire
from nnfp_kernel.graph.scope import Occurrence
from nnfp_kernel.graph.values import Declarations
from nnfp_kernel.language import types
from nnfp_kernel.language.parser import parse
from nnfp_kernel.language.signatures import read_signature
from nnfp_kernel.primitives import BUILTINS, PRIMITIVES
from nnfp_kernel.runtime.data import DataValue
from nnfp_kernel.runtime.lower import lower
from nnfp_kernel.session import Session

OWN = [
    name for name, record in BUILTINS.items()
    if record.trace.__module__.rpartition(".")[2] not in ("combinators", "linear_maps", "linear_values")
]  # fmt: skip


def in_context(builder: Builder, training: bool = False) -> Context:
    """The context of a trace without definitions; its one key is an input."""
    random = builder.input(ArrayType("Key"), "key")
    nothing = Declarations({}, {}, lambda name: ())
    return Context(builder, nothing, key=lambda: random, training=training)


def run(
    name: str, type: str, *values: Any, brackets: tuple[int, ...] = (), training: bool = False,
    seed: int = 0,
) -> Any:  # fmt: skip
    """The value of a built-in name of a concrete type on numbers, arrays and tuples."""
    concrete = read_signature(type)[0].type
    builder = Builder(PRIMITIVES)
    context = in_context(builder, training)
    arrays: list[Any] = [jax.random.key(seed)]

    def given(value: Any, type: types.Type) -> Any:
        if isinstance(value, tuple):
            element = type
            while isinstance(element, types.Array):
                element = element.element
            return tuple(given(v, t) for v, t in zip(value, element.items, strict=True))
        if callable(value) or hasattr(value, "parameters"):
            return value
        array = numpy.asarray(value)
        kind = {"f": "R", "i": "R", "b": "Bool", "c": "C"}[array.dtype.kind]
        while isinstance(type, types.Array):
            type = type.element
        if isinstance(type, types.Fin) or type == types.INT:
            kind = "Int"
        arrays.append(array)
        return builder.input(ArrayType(kind, array.shape))

    wires = []
    argument = concrete
    for value in values:
        wires.append(given(value, argument.domain))
        argument = argument.codomain
    result = BUILTINS[name].trace(context, Occurrence(concrete, brackets), *wires)
    leaves: list[Wire] = []

    def shape(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(shape(item) for item in value)
        leaves.append(value)
        return len(leaves) - 1

    structure = shape(result)
    answers = lower(builder.finish(leaves), 64)(*arrays)

    def answered(place: Any) -> Any:
        if isinstance(place, tuple):
            return tuple(answered(item) for item in place)
        return numpy.asarray(answers[place])

    return answered(structure)


# --- the records --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OWN)
def test_every_name_is_documented(name: str) -> None:
    record = BUILTINS[name]
    assert record.doc.endswith(".")
    assert record.latex.format("x", "y", "z") or not record.latex
    assert not parse(record.example).diagnostics


def test_every_example_is_a_program_that_shows_its_value() -> None:
    session = Session(precision=64, seed=0)
    for name in OWN:
        *_, shown = session.run(BUILTINS[name].example).outputs
        assert all(numpy.all(numpy.isfinite(array)) for array in arrays(shown.value)), name


def arrays(value: Any) -> Iterator[Any]:
    if isinstance(value, DataValue):
        for part in value.fields:
            yield from arrays(part)
    elif isinstance(value, tuple):
        for part in value:
            yield from arrays(part)
    else:
        yield value


@pytest.mark.parametrize("name", OWN)
def test_every_type_is_of_the_language(name: str) -> None:
    record = BUILTINS[name]
    scheme, brackets = read_signature(record.type, record.brackets)
    assert len(brackets) == len([b for b in record.brackets if b != "..."])
    type, count = scheme.type, 0
    while isinstance(type, types.Function):
        type, count = type.codomain, count + 1
    assert count == record.arity


def test_the_names_of_the_contract_are_there() -> None:
    promised = """
        tanh sigmoid relu gelu silu softplus exp log log1p expm1 sin cos tan abs sign sqrt
        square erf lgamma min max select not pi sum mean product maximum minimum logsumexp
        argmax topK last head norm take drop reverse transpose reshape flatten concat split gather
        onehot iota replicate shift outer dot toReal toFin length zero draw normal bernoulli
        uniform training + - * / ^ @ ! ++ == /= < <= > >= && ||
    """
    assert set(promised.split()) <= set(BUILTINS)


def test_importing_the_primitives_imports_no_jax() -> None:
    program = "import sys, nnfp_kernel.primitives; print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("False", "")


# --- arithmetic lifts over the leading axes --------------------------------------------------

X, Y = numpy.array([1.0, 2, 3]), numpy.array([[1.0, 2, 3], [4, 5, 6]])
OPERATORS = [
    ("+", numpy.add), ("-", numpy.subtract), ("*", numpy.multiply), ("/", numpy.divide),
    ("min", numpy.minimum), ("max", numpy.maximum), ("^", numpy.power), ("==", numpy.equal),
    ("/=", numpy.not_equal), ("<", numpy.less), ("<=", numpy.less_equal),
    (">", numpy.greater), (">=", numpy.greater_equal),
]  # fmt: skip


@pytest.mark.parametrize(("name", "judge"), OPERATORS)
def test_operators_lift(name: str, judge: Any) -> None:
    to = "Bool" if name in ("==", "/=", "<", "<=", ">", ">=") else "R"
    for a, b, type in (
        (2.0, 3.0, f"R -> R -> {to}"),
        (X, 2.0, f"R[3] -> R -> {to}[3]"),
        (2.0, Y, f"R -> R[2,3] -> {to}[2,3]"),
        (X, Y, f"R[3] -> R[2,3] -> {to}[2,3]"),
        (Y, X, f"R[2,3] -> R[3] -> {to}[2,3]"),
        (numpy.zeros((0, 3)), X, f"R[0,3] -> R[3] -> {to}[0,3]"),
    ):
        assert_allclose(run(name, type, a, b), judge(a, b))


def test_products_are_added_leaf_by_leaf_and_scaled() -> None:
    pair, other = (X, 5.0), (10 * X, 7.0)
    total = run("+", "(R[3], R) -> (R[3], R) -> (R[3], R)", pair, other)
    assert_allclose(total[0], 11 * X)
    assert_allclose(total[1], 12)
    scaled = run("*", "R -> (R[3], R) -> (R[3], R)", 2.0, pair)
    assert_allclose(scaled[0], 2 * X)
    assert_allclose(run("/", "(R[3], R) -> R -> (R[3], R)", pair, 2.0)[1], 2.5)
    # n products and n factors meet at the axis of the array, not at the last one
    many = (numpy.ones((2, 3)), numpy.ones(2))
    by_each = run("*", "R[2] -> (R[3], R)[2] -> (R[3], R)[2]", numpy.array([2.0, 3]), many)
    assert_allclose(by_each[0], [[2, 2, 2], [3, 3, 3]])
    assert_allclose(by_each[1], [2, 3])
    lifted = run("+", "(R[3], R) -> (R[3], R)[2] -> (R[3], R)[2]", pair, many)
    assert_allclose(lifted[0], [X + 1, X + 1])


def test_a_linear_map_in_arithmetic_is_left_to_the_tracer() -> None:
    class Map:
        def arithmetic(self, operation: str, *operands: Any) -> Any:
            return operation, operands

    context = in_context(Builder(PRIMITIVES))
    occurrence = Occurrence(types.R)
    for name in ("+", "-", "*", "/"):
        operation, operands = BUILTINS[name].trace(context, occurrence, 2, Map())
        assert (operation, operands[0]) == (name, 2)
    assert BUILTINS["negate"].trace(context, occurrence, Map())[0] == "negate"


def test_an_integer_literal_is_an_integer_power() -> None:
    builder = Builder(PRIMITIVES)
    context = in_context(builder)
    x = builder.input(ArrayType("R", (2,)))
    type = read_signature("R[2] -> R -> R[2]")[0].type
    for exponent, name in ((2.0, "power"), (0.5, "pow")):
        wire = BUILTINS["^"].trace(context, Occurrence(type), x, builder.constant(exponent))
        node = builder.producer(wire)
        assert node.operation.primitive.name == name
    assert_allclose(run("^", "R -> Int -> R", -2.0, 3), -8)


def test_integers_are_counted_with() -> None:
    assert run("+", "Int -> Int -> Int", 2, 3) == 5
    assert run("/", "Int -> Int -> Int", 7, 2) == 3
    assert run("length", "R[2,3] -> Int", Y) == 2
    assert run("length", "()[2] -> Int", ()) == 2
    assert run("toReal", "Int -> R", 7).dtype == float
    assert_array_equal(run("toReal", "Bool[2] -> R[2]", numpy.array([True, False])), [1, 0])
    assert [int(run("toFin", "Int -> Fin[3]", n, brackets=(3,))) for n in (-1, 1, 9)] == [0, 1, 2]


# --- against numpy -------------------------------------------------------------------------------

P = (numpy.arange(6.0).reshape(3, 2), numpy.arange(3.0))  # (R[2], R)[3]
CASES: list[tuple[str, str, tuple[Any, ...], tuple[int, ...], Any]] = [
    ("negate", "R[3] -> R[3]", (X,), (), -X),
    ("conj", "R[3] -> R[3]", (X,), (), X),
    ("@", "R[2,3] -> R[3] -> R[2]", (Y, X), (), Y @ X),
    ("@", "R[3] -> R[3,2] -> R[2]", (X, Y.T), (), X @ Y.T),
    ("@", "R[2,3] -> R[3,2] -> R[2,2]", (Y, Y.T), (), Y @ Y.T),
    ("@", "R[3] -> R[3] -> R", (X, X), (), X @ X),
    ("dot", "R[2,3] -> R[2,3] -> R", (Y, Y), (), numpy.sum(Y * Y)),
    ("dot", "(R[3], R) -> (R[3], R) -> R", ((X, 2.0), (X, 3.0)), (), 20.0),
    ("outer", "R[3] -> R[2] -> R[3,2]", (X, Y[:, 0]), (), numpy.outer(X, Y[:, 0])),
    ("sum", "R[2,3] -> R[3]", (Y,), (), Y.sum(0)),
    ("sum", "(R[2], R)[3] -> (R[2], R)", (P,), (), (P[0].sum(0), P[1].sum(0))),
    ("sum", "R[0] -> R", (numpy.zeros(0),), (), 0.0),
    ("product", "R[2,3] -> R[3]", (Y,), (), Y.prod(0)),
    ("product", "R[0] -> R", (numpy.zeros(0),), (), 1.0),
    ("mean", "R[2,3] -> R[3]", (Y,), (), Y.mean(0)),
    ("maximum", "R[2,3] -> R[3]", (Y,), (), Y.max(0)),
    ("minimum", "R[2,3] -> R[3]", (Y,), (), Y.min(0)),
    ("logsumexp", "R[3] -> R", (X,), (), numpy.log(numpy.exp(X).sum())),
    ("argmax", "R[3] -> Fin[3]", (numpy.array([1.0, 3, 3]),), (), 1),
    ("topK", "R[4] -> (R[2], Fin[4][2])", (numpy.array([1.0, 3, 0, 3]),), (2,),
     (numpy.array([3.0, 3]), numpy.array([1, 3]))),
    ("topK", "R[2] -> (R[0], Fin[2][0])", (numpy.zeros(2),), (0,),
     (numpy.zeros(0), numpy.zeros(0))),
    ("norm", "R[2,3] -> R", (Y,), (), numpy.sqrt((Y * Y).sum())),
    ("norm", "(R, R) -> R", ((3.0, 4.0),), (), 5.0),
    ("take", "R[3] -> R[2]", (X,), (2,), X[:2]),
    ("take", "(R[2], R)[3] -> (R[2], R)[2]", (P,), (2,), (P[0][:2], P[1][:2])),
    ("drop", "R[2,3] -> R[1,3]", (Y,), (1,), Y[1:]),
    ("drop", "R[3] -> R[0]", (X,), (3,), X[3:]),
    ("head", "R[2,3] -> R[3]", (Y,), (), Y[0]),
    ("last", "(R[2], R)[3] -> (R[2], R)", (P,), (), (P[0][-1], P[1][-1])),
    ("reverse", "R[2,3] -> R[2,3]", (Y,), (), Y[::-1]),
    ("transpose", "R[2,3] -> R[3,2]", (Y,), (), Y.T),
    ("reshape", "R[2,3] -> R[3,2]", (Y,), (3, 2), Y.reshape(3, 2)),
    ("reshape", "(R[2], R)[3] -> (R[2], R)[3,1]", (P,), (3, 1), (P[0][:, None], P[1][:, None])),
    ("flatten", "R[2,3] -> R[6]", (Y,), (), Y.ravel()),
    ("flatten", "R -> R[1]", (2.0,), (), [2.0]),
    ("concat", "R[2,3] -> R[6]", (Y,), (), Y.ravel()),
    ("concat", "R[2,3,1] -> R[6,1]", (Y[:, :, None],), (), Y.reshape(6, 1)),
    ("split", "R[6] -> R[2,3]", (Y.ravel(),), (3,), Y),
    ("split", "R[0] -> R[0,3]", (numpy.zeros(0),), (3,), numpy.zeros((0, 3))),
    ("replicate", "R[3] -> R[2,3]", (X,), (2,), [X, X]),
    ("shift", "R[3] -> R[3]", (X,), (1,), [0, 1, 2]),
    ("shift", "R[3] -> R[3]", (X,), (5,), [0, 0, 0]),
    ("++", "R[2,3] -> R[2,3] -> R[4,3]", (Y, Y), (), numpy.concatenate([Y, Y])),
    ("!", "R[2,3] -> Int -> R[3]", (Y, 1), (), Y[1]),
    ("!", "R[3] -> Fin[3] -> R", (X, 2), (), 3.0),
    ("gather", "R[3] -> Fin[3][4] -> R[4]", (X, numpy.array([2, 0, 0, 1])), (), X[[2, 0, 0, 1]]),
    ("iota", "Fin[3][3]", (), (3,), [0, 1, 2]),
    ("onehot", "Fin[3] -> R[3]", (1,), (3,), [0, 1, 0]),
    ("zero", "(R[2], R)[3]", (), (), (numpy.zeros((3, 2)), numpy.zeros(3))),
    ("pi", "R", (), (), pi),
    ("not", "Bool[2] -> Bool[2]", (numpy.array([True, False]),), (), [False, True]),
    ("&&", "Bool -> Bool -> Bool", (True, False), (), False),
    ("||", "Bool -> Bool -> Bool", (True, False), (), True),
    ("select", "Bool[3] -> R[3] -> R -> R[3]", (X > 1, X, 0.0), (), [0, 2, 3]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "type", "values", "brackets", "expected"),
    [pytest.param(*case, id=f"{case[0]} : {case[1]}") for case in CASES],
)
def test_a_name_means_what_numpy_says(
    name: str, type: str, values: tuple, brackets: tuple, expected: Any
) -> None:
    found = run(name, type, *values, brackets=brackets)
    pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
    for ours, theirs in pairs:
        assert numpy.shape(ours) == numpy.shape(theirs)
        assert_allclose(ours, theirs)


@pytest.mark.parametrize(
    ("name", "type", "values", "brackets", "message"),
    [
        ("mean", "R[0] -> R", (numpy.zeros(0),), (), "the mean of nothing"),
        ("head", "R[0] -> R", (numpy.zeros(0),), (), "the head of nothing"),
        ("last", "R[0] -> R", (numpy.zeros(0),), (), "the last of nothing"),
        ("maximum", "R[0] -> R", (numpy.zeros(0),), (), "the maximum of nothing"),
        ("argmax", "R[0] -> Fin[0]", (numpy.zeros(0),), (), "the argmax of nothing"),
        ("!", "R[0] -> Int -> R", (numpy.zeros(0), 0), (), "an element of nothing"),
        ("take", "R[3] -> R[5]", (X,), (5,), "take[5] of 3 elements"),
        ("drop", "R[3] -> R[5]", (X,), (5,), "drop[5] of 3 elements"),
        ("topK", "R[3] -> (R[4], Fin[3][4])", (X,), (4,), "top: R[3] has no 4 entries"),
        ("split", "R[3] -> R[1,2]", (X,), (2,), "split[2] of 3 elements"),
        ("toFin", "Int -> Fin[0]", (1,), (0,), "there is no index"),
    ],
)
def test_what_types_cannot_tell_is_refused_while_tracing(
    name: str, type: str, values: tuple, brackets: tuple, message: str
) -> None:
    """Lengths known only at run time come to a trace as numbers."""
    with pytest.raises(ValueError, match=re.escape(message)):
        run(name, type, *values, brackets=brackets)


def test_training_is_what_the_context_says() -> None:
    assert [bool(run("training", "Bool", training=flag)) for flag in (True, False)] == [True, False]


# --- draws ----------------------------------------------------------------------------------------


def drawn(distribution: str, *numbers: float, seed: int = 0) -> numpy.ndarray:
    """A thousand draws."""
    builder = Builder(PRIMITIVES)
    context = in_context(builder)
    made = BUILTINS[distribution].trace(
        context, Occurrence(types.R), *(builder.constant(number) for number in numbers)
    )
    type = read_signature("R -> R[1000]")[0].type
    wire = BUILTINS["draw"].trace(context, Occurrence(type), made)
    return numpy.asarray(lower(builder.finish([wire]), 64)(jax.random.key(seed))[0])


def test_draws_have_their_distribution() -> None:
    normal = drawn("normal", 3)
    assert normal.shape == (1000,)
    assert abs(normal.mean()) < 0.5
    assert abs(normal.std() - 3) < 0.3
    uniform = drawn("uniform", -1, 4)
    assert uniform.min() >= -1
    assert uniform.max() < 4
    assert abs(uniform.mean() - 1.5) < 0.3
    coin = drawn("bernoulli", 0.25)
    assert set(coin) == {0.0, 1.0}
    assert abs(coin.mean() - 0.25) < 0.06


def test_a_key_gives_one_draw_and_another_key_another() -> None:
    assert_array_equal(drawn("normal", 1), drawn("normal", 1))
    assert numpy.all(drawn("normal", 1) != drawn("normal", 1, seed=1))
