"""Lowering: every node against numpy; the result is an ordinary JAX function."""

from __future__ import annotations

import ast
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy
import pytest
from numpy.testing import assert_allclose

import nnfp_kernel
from nnfp_kernel.graph.graph import ArrayType, Builder, Choose, Graph, Loop, Map, Node, Wire
from nnfp_kernel.primitives import PRIMITIVES
from nnfp_kernel.runtime.lower import lower


def R(*shape: int) -> ArrayType:
    return ArrayType("R", shape)


def running_sums(length: int, reverse: bool = False) -> Graph:
    """s ↦ s + x, and s * x as output."""
    builder = Builder(PRIMITIVES)
    start, xs = builder.input(R(2), "start"), builder.input(R(length, 2), "xs")
    child = builder.child()
    s, x = child.input(R(2)), child.input(R(2))
    body = child.finish([child.emit("add", s, x), child.emit("mul", s, x)])
    return builder.finish(builder.add(Loop(body, 0, 1, length, reverse), [start, xs]))


@pytest.mark.parametrize("length", [0, 1, 2, 5])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_loop_runs_in_its_direction_and_outputs_stay_in_place(length: int, reverse: bool) -> None:
    random = numpy.random.default_rng(0)
    start, xs = random.normal(size=2), random.normal(size=(length, 2))
    last, outputs = lower(running_sums(length, reverse), 64)(start, xs)
    state, expected = start, numpy.zeros((length, 2))
    for t in reversed(range(length)) if reverse else range(length):
        expected[t] = state * xs[t]
        state = state + xs[t]
    assert_allclose(last, state)
    assert_allclose(outputs, expected)


@pytest.mark.parametrize("length", [0, 1, 3])
def test_a_map_gives_one_result_for_each_element(length: int) -> None:
    builder = Builder(PRIMITIVES)
    w, xs = builder.input(R(2)), builder.input(R(length, 2))
    child = builder.child()
    x = child.input(R(2))
    body = child.finish([child.emit("mul", w, x), child.own(w)])
    graph = builder.finish(builder.add(Map(body, 1, length), [*child.captured, xs]))
    weights, values = numpy.array([2.0, 3.0]), numpy.arange(2.0 * length).reshape(length, 2)
    products, repeated = lower(graph, 64)(weights, values)
    assert_allclose(products, weights * values)
    assert_allclose(repeated, numpy.tile(weights, (length, 1)))


def test_a_map_without_sequences_repeats() -> None:
    builder = Builder(PRIMITIVES)
    w = builder.input(R(2))
    child = builder.child()
    body = child.finish([child.emit("negate", w)])
    graph = builder.finish(builder.add(Map(body, 1, 3), child.captured))
    assert_allclose(lower(graph, 64)([1.0, 2.0])[0], [[-1, -2]] * 3)


def choice(kind: str, count: int, shape: tuple[int, ...] = ()) -> Graph:
    """x, 2x, 3x, … by the selector."""
    builder = Builder(PRIMITIVES)
    selector, x = builder.input(ArrayType(kind, shape)), builder.input(R(*shape, 2))
    branches = []
    for k in range(count):
        child = Builder(PRIMITIVES)
        inner = child.input(x.type)
        factor = child.emit("broadcast", child.constant(k + 1.0), shape=x.type.shape, axes=())
        branches.append(child.finish([child.emit("mul", inner, factor)]))
    return builder.finish(builder.add(Choose(tuple(branches)), [selector, x]))


@pytest.mark.parametrize(
    ("kind", "count", "selector", "taken"),
    [
        ("Bool", 2, False, 0),
        ("Bool", 2, True, 1),
        ("Bool", 1, True, 0),
        ("Bool", 3, True, 1),
        ("Int", 3, 0, 0),
        ("Int", 3, 2, 2),
        ("Int", 3, 7, 2),
        ("Int", 3, -1, 0),
        ("Int", 1, 4, 0),
    ],
)
def test_a_choice_takes_one_branch(kind: str, count: int, selector: object, taken: int) -> None:
    """An index out of range is moved to the nearest end."""
    x = numpy.array([1.0, 2.0])
    assert_allclose(lower(choice(kind, count), 64)(selector, x)[0], (taken + 1) * x)
    several = numpy.stack([x, 10 * x, 100 * x])
    (found,) = lower(choice(kind, count, (3,)), 64)([selector] * 3, several)
    assert_allclose(found, (taken + 1) * several)


def test_in_a_batch_every_entry_takes_its_own_branch() -> None:
    x = numpy.ones((4, 2))
    (found,) = lower(choice("Int", 3, (4,)), 64)([0, 2, 1, 9], x)
    assert_allclose(found[:, 0], [1, 3, 2, 3])


def test_the_branch_not_taken_is_not_run() -> None:
    """Two loops of which one would take ten million steps."""
    builder = Builder(PRIMITIVES)
    selector, x = builder.input(ArrayType("Bool")), builder.input(R())
    branches = []
    for length in (2, 100_000_000):
        child = Builder(PRIMITIVES)
        start = child.input(R())
        inner = child.child()
        body = inner.finish([inner.emit("sin", inner.input(R()))])
        branches.append(child.finish(child.add(Loop(body, 0, 1, length), [start])))
    graph = builder.finish(builder.add(Choose(tuple(branches)), [selector, x]))
    assert_allclose(jax.jit(lower(graph, 64))(False, 1.0)[0], numpy.sin(numpy.sin(1.0)))


# --- types ------------------------------------------------------------------------------------


def every_kind() -> Graph:
    """Arrays of every kind, made from constants and by primitives that know no precision."""
    builder = Builder(PRIMITIVES)
    x = builder.input(R(2))
    truth = builder.constant([True, False], "Bool")
    count = builder.emit("iota", size=3)
    outputs = [
        x,
        builder.constant(0.1),
        builder.constant(1 + 2j, "C"),
        builder.constant([1, 2], "Int"),
        truth,
        builder.emit("convert", truth, kind="R"),
        builder.emit("convert", truth, kind="Int"),
        builder.emit("convert", count, kind="R"),
        builder.emit("convert", x, kind="C"),
        count,
    ]
    return builder.finish(outputs)


@pytest.mark.parametrize("precision", [32, 64])
def test_every_array_has_the_precision_asked_for(precision: int) -> None:
    """Whatever the process's switch: it is 64 bits in these tests."""
    graph = every_kind()
    dtypes = {
        "R": f"float{precision}",
        "C": f"complex{2 * precision}",
        "Int": f"int{precision}",
        "Bool": "bool",
    }
    for function in (lower(graph, precision), jax.jit(lower(graph, precision))):
        for array, wire in zip(function(numpy.zeros(2)), graph.outputs, strict=True):
            assert isinstance(array, jax.Array)
            assert array.dtype == dtypes[wire.type.kind]
            assert array.shape == wire.type.shape


def test_a_wrong_call_is_refused() -> None:
    function = lower(running_sums(3), 64)
    with pytest.raises(TypeError, match="expected 2 arrays, found 1"):
        function(numpy.zeros(2))
    with pytest.raises(TypeError, match=r"xs has shape \(2, 2\), expected R\[3,2\]"):
        function(numpy.zeros(2), numpy.zeros((2, 2)))


def test_an_unknown_operation_is_an_explicit_failure() -> None:
    x, y = Wire(R()), Wire(R())
    graph = Graph((x,), (Node("no operation", (x,), (y,)),), (y,))  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="no case"):
        lower(graph, 64)(1.0)


# --- an ordinary JAX function -------------------------------------------------------------------


def test_the_function_composes_with_jax() -> None:
    function = lower(running_sums(4), 64)
    random = numpy.random.default_rng(1)
    starts, xs = random.normal(size=(3, 2)), random.normal(size=(4, 2))
    expected = [function(start, xs) for start in starts]
    mapped = jax.vmap(jax.jit(function), in_axes=(0, None))(starts, xs)
    for k, pair in enumerate(expected):
        for found, wanted in zip(mapped, pair, strict=True):
            assert_allclose(found[k], wanted)
    gradient = jax.grad(lambda xs: jnp.sum(function(starts[0], xs)[0]))(xs)
    assert_allclose(gradient, numpy.ones((4, 2)))
    exported = jax.export.export(jax.jit(function))(starts[0], xs)
    assert_allclose(exported.call(starts[0], xs)[1], expected[0][1])


@pytest.mark.parametrize("labels", [("ba", "bc"), ("dba", "bdc")])
def test_a_large_product_whose_sum_comes_first_composes_too(labels: tuple[str, str]) -> None:
    """The gradient of a weight: its operands change places, behind a barrier."""
    builder = Builder(PRIMITIVES)
    sizes = {"a": 600, "b": 250, "c": 5, "d": 2}
    types = [R(*(sizes[letter] for letter in word)) for word in labels]
    left, right = (tuple(map(ord, word)) for word in labels)
    inputs = [builder.input(type) for type in types]
    out = tuple(map(ord, "ac"))
    product = builder.emit("contract", *inputs, left=left, right=right, out=out)
    function = lower(builder.finish([product]), 64)
    random = numpy.random.default_rng(2)
    arrays = [random.normal(size=type.shape) for type in types]
    word = ",".join(labels) + "->ac"
    expected = numpy.einsum(word, *arrays)
    assert "optimization_barrier" in str(jax.make_jaxpr(function)(*arrays))
    assert_allclose(jax.jit(function)(*arrays)[0], expected)
    doubled = jax.vmap(lambda a: function(a, arrays[1])[0])(numpy.stack([arrays[0]] * 2))
    assert_allclose(doubled, numpy.stack([expected] * 2))
    gradient = jax.grad(lambda b: jnp.sum(function(arrays[0], b)[0] ** 2))(arrays[1])
    whole = jax.grad(lambda b: jnp.sum(jnp.einsum(word, arrays[0], b) ** 2))(arrays[1])
    assert_allclose(gradient, whole)


@pytest.mark.parametrize("name", ["sum", "product", "maximum", "minimum", "logsumexp"])
@pytest.mark.parametrize(
    ("shape", "axes"), [((5, 64), (0,)), ((2, 3, 4, 70), (1, 2)), ((32, 64), (0,)), ((3, 0), (0,))]
)
def test_few_long_rows_are_added_in_their_order(
    name: str, shape: tuple[int, ...], axes: tuple[int, ...]
) -> None:
    """What is written out is what is reduced, entry for entry, and NaN stays where it is."""
    builder = Builder(PRIMITIVES)
    x = builder.input(R(*shape))
    function = lower(builder.finish([builder.emit(name, x, axes=axes)]), 64)
    values = numpy.random.default_rng(0).normal(size=shape)
    judge = {
        "sum": numpy.sum, "product": numpy.prod, "maximum": numpy.max, "minimum": numpy.min,
        "logsumexp": numpy.logaddexp.reduce,
    }[name]  # fmt: skip
    wanted = judge(values, axis=axes if name != "logsumexp" or len(axes) > 1 else axes[0])
    assert_allclose(function(values)[0], wanted, rtol=1e-13)
    if values.size:
        values[(1,) + (0,) * (values.ndim - 1)] = numpy.nan
        found = numpy.asarray(function(values)[0])
        assert numpy.isnan(found).sum() == 1


def test_a_loop_of_constants_is_run_once_and_for_all() -> None:
    """XLA would run it at each call; a loop over what is given stays one."""
    builder = Builder(PRIMITIVES)
    start = builder.constant(numpy.ones(2))
    child = builder.child()
    s = child.input(R(2))
    body = child.finish([child.emit("add", s, s), child.own(s)])
    last, stacked = builder.add(Loop(body, 0, 1, 5), [start])
    x = builder.input(R(2))
    graph = builder.finish([builder.emit("mul", last, x), stacked])
    function = lower(graph, 64)
    assert "scan" not in str(jax.make_jaxpr(function)(numpy.ones(2)))
    found, states = jax.jit(function)(numpy.array([1.0, 2.0]))
    assert found.tolist() == [32, 64]
    assert states[:, 0].tolist() == [1, 2, 4, 8, 16]
    given = builder.finish([builder.add(Loop(body, 0, 1, 5), [x])[0]])
    assert "scan" in str(jax.make_jaxpr(lower(given, 64))(numpy.ones(2)))


@pytest.mark.parametrize(
    "index", [[2, 0, 1], [1, 1, 4], [[0, 3], [3, 1]], [2, 2, 2], [-1, 9, 2], [5]]
)
@pytest.mark.parametrize("axis", [0, 1])
def test_what_is_put_at_places_that_are_known_is_looked_up(index: object, axis: int) -> None:
    places = numpy.asarray(index)
    shape = (*(2,) * axis, *places.shape, 3)
    builder = Builder(PRIMITIVES)
    w, known = builder.input(R(*shape)), builder.constant(places, "Int")
    graph = builder.finish([builder.emit("scatterAdd", w, known, axis=axis, size=6)])
    values = numpy.random.default_rng(0).normal(size=shape)
    wanted = numpy.zeros((*(2,) * axis, 6, 3))
    flat = values.reshape(*(2,) * axis, places.size, 3)
    for k, place in enumerate(numpy.clip(places.ravel(), 0, 5)):
        wanted[(slice(None),) * axis + (place,)] += flat[(slice(None),) * axis + (k,)]
    function = lower(graph, 64)
    assert_allclose(function(values)[0], wanted, rtol=1e-15)
    alone = len(set(places.ravel())) >= places.size - 1
    assert ("scatter" in str(jax.make_jaxpr(function)(values))) is not alone


def test_lowering_has_no_state() -> None:
    """Two functions of one graph, and one function twice, agree; the graph is untouched."""
    graph = running_sums(3)
    nodes = tuple(graph.nodes)
    one, other = lower(graph, 64), lower(graph, 64)
    arguments = (numpy.ones(2), numpy.ones((3, 2)))
    first = one(*arguments)
    for function in (one, other):
        for found, wanted in zip(function(*arguments), first, strict=True):
            assert_allclose(found, wanted)
    assert graph.nodes == nodes


def test_no_module_differentiates_with_jax() -> None:
    """Gradients are ours: jax's are judges in the tests only. But a function that comes from
    Python is differentiated by its own rules."""
    forbidden = {
        "grad", "vjp", "jvp", "value_and_grad", "linearize", "jacfwd", "jacrev", "hessian",
        "custom_vjp", "custom_jvp",
    }  # fmt: skip
    root = Path(nnfp_kernel.__file__).parent
    paths = set(root.rglob("*.py")) - {root / "primitives" / "imported.py"}
    assert len(paths) > 20
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Attribute(value=ast.Name(id="jax"), attr=name):
                    assert name not in forbidden, f"{path}: jax.{name}"
                case ast.ImportFrom(module="jax", names=names):
                    found = {alias.name for alias in names} & forbidden
                    assert not found, f"{path}: {found} from jax"
                case _:
                    pass
