"""Every law of rewriting fires on its example and preserves the value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy
import pytest
from numpy.testing import assert_allclose

from nnfp_kernel.graph.graph import ArrayType, Builder, Call, Choose, Graph, Loop, Map, Wire
from nnfp_kernel.graph.laws import LAWS, Law, Simplifier
from nnfp_kernel.graph.rewrite import optimise, vectorise
from nnfp_kernel.linear.differentiate import gradient_graph
from nnfp_kernel.primitives import PRIMITIVES
from nnfp_kernel.runtime.lower import lower


def R(*shape: int) -> ArrayType:
    return ArrayType("R", shape)


B = ArrayType("Bool", (4,))
Make = Callable[..., Wire]


class Emit:
    """Primitives by name: `e.tanh(x)`."""

    def __init__(self, builder: Builder):
        self.builder = builder

    def __getattr__(self, name: str) -> Callable[..., Wire]:
        return lambda *wires, **parameters: self.builder.emit(
            name.rstrip("_"), *wires, **parameters
        )

    def number(self, value: float, *shape: int, kind: str = "R") -> Wire:
        constant = self.builder.constant(value, kind)
        return self.builder.emit("broadcast", constant, shape=shape, axes=())

    def spread(self, wire: Wire, shape: tuple[int, ...], axes: tuple[int, ...]) -> Wire:
        return self.builder.emit("broadcast", wire, shape=shape, axes=axes)


def contract(e: Emit, x: Wire, y: Wire, labels: str, **more: object) -> Wire:
    """`contract(e, x, y, "ij,jk->ik")`"""
    sides, out = labels.split("->")
    left, right = sides.split(",")
    numbers = {
        side: tuple(ord(letter) for letter in word)
        for side, word in (("left", left), ("right", right), ("out", out))
    }
    return e.contract(x, y, **numbers, **more)


def windows(e: Emit, x: Wire, axis: int, *sizes: int, strides: int = 1, dilations: int = 1) -> Wire:
    count = len(sizes)
    return e.windows(
        x, axis=axis, sizes=sizes, strides=(strides,) * count, dilations=(dilations,) * count
    )


def piece(e: Emit, x: Wire, axis: int, start: int, stop: int) -> Wire:
    return e.slice(x, axis=axis, start=start, stop=stop, stride=1)


def places(e: Emit, *shape: int) -> Wire:
    """Places from 0 to 6, some of them twice."""
    return e.builder.constant(numpy.arange(numpy.prod(shape)).reshape(shape) * 4 % 7, "Int")


def running(e: Emit, start: Wire, xs: Wire, reverse: bool = False) -> Sequence[Wire]:
    """The running sums, as final state and stacked."""
    child = Builder(PRIMITIVES)
    s, x = child.input(start.type), child.input(start.type)
    after = child.emit("add", s, x)
    loop = Loop(child.finish([after, after]), 0, 1, xs.type.shape[0], reverse)
    return e.builder.add(loop, [start, xs])


def masked(e: Emit, m: Wire, x: Wire, y: Wire) -> Wire:
    """Each example adds its own outer product where it is taken."""
    each = contract(e, x, y, "bi,bj->bij")
    chosen = e.select(e.spread(m, (4, 2, 3), (0,)), each, e.number(0, 4, 2, 3))
    return e.sum(chosen, axes=(0,))


# law -> (what it is tried on, the types of the inputs, the primitives that remain)
CASES: list[tuple[str, Make, Sequence[ArrayType], str]] = [
    ("one_times", lambda e, x: e.mul(x, e.number(1, 3)), [R(3)], ""),
    ("one_times", lambda e, x: e.mul(e.number(1, 3), x), [R(3)], ""),
    ("one_times", lambda e, x: e.mul(x, e.builder.constant(1.0)), [R()], ""),
    ("plus_zero", lambda e, x: e.add(x, e.number(0, 2, 3)), [R(2, 3)], ""),
    ("plus_zero", lambda e, x: e.add(e.number(0, 2, 3), x), [R(2, 3)], ""),
    ("plus_negative", lambda e, x, y: e.add(x, e.negate(y)), [R(3), R(3)], "subtract"),
    ("plus_negative", lambda e, x, y: e.add(e.negate(x), y), [R(3), R(3)], "subtract"),
    ("minus_zero", lambda e, x: e.subtract(x, e.number(0, 3)), [R(3)], ""),
    ("minus_zero", lambda e, x: e.subtract(e.number(0, 3), x), [R(3)], "negate"),
    ("minus_negative", lambda e, x, y: e.subtract(x, e.negate(y)), [R(3), R(3)], "add"),
    ("same_choice", lambda e, m, x: e.select(m, x, x), [B, R(4)], ""),
    ("negate_twice", lambda e, x: e.negate(e.negate(x)), [R(3)], ""),
    ("conj_twice", lambda e, x: e.conj(e.conj(x)), [ArrayType("C", (3,))], ""),
    ("not_twice", lambda e, m, x, y: e.select(e.not_(e.not_(m)), x, y), [B, R(4), R(4)], "select"),
    ("reverse_twice", lambda e, x: e.reverse(e.reverse(x, axis=1), axis=1), [R(2, 3)], ""),
    (
        "reshape_of_reshape",
        lambda e, x: e.reshape(e.reshape(x, shape=(6,)), shape=(3, 2)),
        [R(2, 3)],
        "reshape",
    ),
    (
        "transpose_of_transpose",
        lambda e, x: e.transpose(e.transpose(x, permutation=(1, 2, 0)), permutation=(1, 0, 2)),
        [R(2, 3, 4)],
        "transpose",
    ),
    (
        "transpose_of_transpose",
        lambda e, x: e.transpose(e.transpose(x, permutation=(1, 2, 0)), permutation=(2, 0, 1)),
        [R(2, 3, 4)],
        "",
    ),
    (
        "transpose_of_broadcast",
        lambda e, x: e.transpose(e.spread(x, (2, 3), (1,)), permutation=(1, 0)),
        [R(3)],
        "broadcast",
    ),
    (
        "broadcast_of_broadcast",
        lambda e, x: e.spread(e.spread(x, (2, 3), (1,)), (2, 4, 3), (0, 2)),
        [R(3)],
        "broadcast",
    ),
    ("sum_of_sum", lambda e, x: e.sum(e.sum(x, axes=(1,)), axes=(1,)), [R(2, 3, 4)], "sum"),
    (
        "sum_of_transpose",
        lambda e, x: e.sum(e.transpose(x, permutation=(2, 0, 1)), axes=(0,)),
        [R(2, 3, 4)],
        "sum",
    ),
    (
        "slice_of_transpose",
        lambda e, x: piece(e, e.transpose(x, permutation=(2, 0, 1)), 1, 0, 1),
        [R(2, 3, 4)],
        "slice transpose",
    ),
    ("slice_of_slice", lambda e, x: piece(e, piece(e, x, 0, 1, 5), 0, 1, 3), [R(6, 2)], "slice"),
    (
        "slice_of_concat",
        lambda e, x, y: e.concat(
            piece(e, e.concat(x, y, axis=0), 0, 0, 2),
            piece(e, e.concat(x, y, axis=0), 0, 3, 5),
            axis=0,
        ),
        [R(2, 2), R(3, 2)],
        "concat slice",
    ),
    (
        "last_of_loop",
        lambda e, s, xs: piece(e, running(e, s, xs)[1], 0, 4, 5),
        [R(2), R(5, 2)],
        "add reshape",
    ),
    (
        "last_of_loop",
        lambda e, s, xs: piece(e, running(e, s, xs, reverse=True)[1], 0, 0, 1),
        [R(2), R(5, 2)],
        "add reshape",
    ),
    (
        "gather_at_constant",
        lambda e, x: e.gather(x, e.builder.constant(2, "Int"), axis=1),
        [R(2, 4, 3)],
        "reshape slice",
    ),
    (
        "gather_at_constant",  # an index outside is moved to the nearest end
        lambda e, x: e.gather(x, e.builder.constant(9, "Int"), axis=0),
        [R(4)],
        "reshape slice",
    ),
    (
        "scatter_at_constant",
        lambda e, x: e.scatterAdd(x, e.builder.constant(2, "Int"), axis=1, size=4),
        [R(2, 3)],
        "pad reshape",
    ),
    (
        "transpose_of_contract",
        lambda e, x, y: e.transpose(contract(e, x, y, "ij,jk->ik"), permutation=(1, 0)),
        [R(2, 3), R(3, 4)],
        "contract",
    ),
    (
        "contract_of_transpose",
        lambda e, x, y: contract(e, e.transpose(x, permutation=(1, 0)), y, "ij,jk->ik"),
        [R(3, 2), R(3, 4)],
        "contract",
    ),
    (
        "contract_of_transpose",
        lambda e, x, y: contract(e, x, e.transpose(y, permutation=(2, 0, 1)), "ij,kjl->ikl"),
        [R(2, 3), R(3, 5, 4)],
        "contract",
    ),
    (
        "contract_of_broadcast",  # the other operand and the result have the axis
        lambda e, x, y: contract(e, e.spread(x, (4, 3), (1,)), y, "bi,bij->bj"),
        [R(3), R(4, 3, 2)],
        "contract",
    ),
    (
        "contract_of_broadcast",  # it is summed
        lambda e, x, y: contract(e, e.spread(x, (4, 3), (1,)), y, "bi,bij->j"),
        [R(3), R(4, 3, 2)],
        "contract sum",
    ),
    (
        "contract_of_broadcast",  # only the result has it
        lambda e, x, y: contract(e, y, e.spread(x, (4, 3), (1,)), "ij,bi->bj"),
        [R(3), R(3, 2)],
        "broadcast contract",
    ),
    (
        "sum_of_contract",
        lambda e, x, y: e.sum(contract(e, x, y, "bi,bj->bij"), axes=(0,)),
        [R(5, 2), R(5, 3)],
        "contract",
    ),
    (
        "sum_of_contract",  # one operand alone has the axis
        lambda e, x, y: e.sum(contract(e, x, y, "bi,ij->bj"), axes=(0,)),
        [R(5, 2), R(2, 3)],
        "contract sum",
    ),
    (
        "sum_of_terms",
        lambda e, x, y: e.sum(
            e.negate(e.add(contract(e, x, y, "bi,bj->bij"), contract(e, y, x, "bi,bj->bij"))),
            axes=(0,),
        ),
        [R(5, 2), R(5, 2)],
        "add contract contract negate",
    ),
    (
        "sum_of_choice",
        masked,
        [B, R(4, 2), R(4, 3)],
        "broadcast broadcast broadcast broadcast contract select select",
    ),
    *(
        (
            f"{name}_of_broadcasts",
            lambda e, x, y, name=name: getattr(e, name)(
                e.spread(x, (2, 4), (1,)), e.spread(y, (2, 4), (1,))
            ),
            [R(4), R(4)],
            f"{min(name, 'broadcast')} {max(name, 'broadcast')}",
        )
        for name in ("add", "subtract", "mul")
    ),
    (
        "sum_of_broadcast",
        lambda e, x: e.sum(e.spread(x, (5, 2, 4, 3), (1, 2)), axes=(1, 3)),
        [R(2, 4)],
        "broadcast broadcast mul sum",
    ),
    (
        "sum_of_broadcast",  # of nothing
        lambda e, x: e.sum(e.spread(x, (0, 4), (1,)), axes=(0,)),
        [R(4)],
        "broadcast mul",
    ),
    (
        "contract_of_difference",
        lambda e, a, x, y: contract(
            e,
            a,
            e.subtract(e.spread(x, (5, 4, 3), (0, 2)), e.spread(y, (5, 4, 3), (1, 2))),
            "kij,nkj->nki",
        ),
        [R(4, 2, 3), R(5, 3), R(4, 3)],
        "broadcast contract contract subtract",
    ),
    (
        "contract_of_difference",  # the sum first, and a label that both have
        lambda e, x, y, a: contract(
            e,
            e.add(e.spread(x, (6, 5, 4, 3), (0, 1, 3)), e.spread(y, (6, 5, 4, 3), (0, 2, 3))),
            a,
            "bnkj,kj->knb",
        ),
        [R(6, 5, 3), R(6, 4, 3), R(4, 3)],
        "add broadcast contract contract",
    ),
    (
        "choice_of_scatter",
        lambda e, m, w: e.select(
            e.spread(m, (4, 7), (0,)),
            e.scatterAdd(w, places(e, 4, 2), axis=1, size=7, together=1),
            e.number(0, 4, 7),
        ),
        [B, R(4, 2)],
        "broadcast broadcast scatterAdd select",
    ),
    (
        "choice_of_scatter",  # in the other branch, and the axes moved
        lambda e, m, w: e.select(
            e.spread(m, (7, 3, 4), (2,)),
            e.number(0, 7, 3, 4),
            e.transpose(e.scatterAdd(w, places(e, 5), axis=1, size=7), permutation=(1, 2, 0)),
        ),
        [B, R(4, 5, 3)],
        "broadcast broadcast scatterAdd select transpose",
    ),
    (
        "sum_of_scatter",
        lambda e, w: e.sum(
            e.scatterAdd(w, places(e, 4, 2), axis=2, size=7, together=1), axes=(0, 3)
        ),
        [R(4, 3, 2, 5)],
        "scatterAdd sum transpose",
    ),
    (
        "sum_of_scatter",
        lambda e, w: e.sum(e.scatterAdd(w, places(e, 4, 2), axis=1, size=7), axes=(0,)),
        [R(3, 4, 2, 5)],
        "scatterAdd sum",
    ),
    (
        "contract_of_windows",
        lambda e, x, k: contract(e, windows(e, x, 0, 3), k, "pjc,ojc->po"),
        [R(7, 2), R(4, 3, 2)],
        "convolve",
    ),
    (
        "contract_of_windows",  # in a batch, with stride and dilation, the kernel first
        lambda e, x, k: contract(
            e, k, windows(e, x, 1, 2, strides=2, dilations=2), "ojc,bpjc->bop"
        ),
        [R(3, 9, 2), R(4, 2, 2)],
        "convolve",
    ),
    (
        "contract_of_windows",  # two axes, joined by a reshape
        lambda e, x, k: contract(
            e, e.reshape(windows(e, x, 0, 2, 3), shape=(4, 4, 12)), k, "pqw,ow->pqo"
        ),
        [R(5, 6, 2), R(4, 12)],
        "convolve reshape",
    ),
    (
        "contract_of_windows",  # a last axis of one entry is joined too
        lambda e, x, k: contract(
            e, e.reshape(windows(e, x, 0, 2, 2), shape=(4, 4, 4)), k, "pqw,ow->pqo"
        ),
        [R(5, 5, 1), R(4, 4)],
        "convolve reshape",
    ),
    (
        "contract_of_windows",  # zeros around it become the padding
        lambda e, x, k: contract(
            e, windows(e, e.pad(x, axis=0, low=1, high=2, interior=0), 0, 3), k, "pj,j->p"
        ),
        [R(6), R(3)],
        "convolve",
    ),
    (
        "contract_of_outer_products",  # the kernel of the gradients of a weight
        lambda e, x, y: contract(
            e, contract(e, x, y, "bo,bi->boi"), contract(e, y, x, "ci,co->coi"), "boi,coi->bc"
        ),
        [R(5, 4), R(5, 6)],
        "contract contract contract",
    ),
    (
        "concat_of_concat",
        lambda e, x, y: e.concat(e.concat(x, y, axis=0), x, axis=0),
        [R(2), R(3)],
        "concat",
    ),
]
every_case = pytest.mark.parametrize(
    ("name", "make", "types", "left"),
    [pytest.param(*case, id=f"{case[0]}-{k}") for k, case in enumerate(CASES)],
)
EVERY_LAW = {law.__name__: law for laws in LAWS.values() for law in laws}


def built(builder: Builder, make: Make, types: Sequence[ArrayType]) -> Graph:
    inputs = [builder.input(type) for type in types]
    return builder.finish([make(Emit(builder), *inputs)])


def entries(graph: Graph, seed: int = 0) -> list[numpy.ndarray]:
    random = numpy.random.default_rng(seed)
    made = []
    for wire in graph.inputs:
        array = random.normal(size=wire.type.shape)
        if wire.type.kind == "C":
            array = array + 1j * random.normal(size=wire.type.shape)
        made.append(array > 0 if wire.type.kind == "Bool" else array)
    return made


def names(graph: Graph) -> str:
    calls = [n.operation for n in graph.walk() if isinstance(n.operation, Call)]
    return " ".join(sorted(call.primitive.name for call in calls))


def test_every_law_has_a_case() -> None:
    assert {name for name, *_ in CASES} == set(EVERY_LAW)


def test_every_law_states_itself() -> None:
    for name, law in EVERY_LAW.items():
        assert law.__doc__, name


@every_case
def test_a_law_fires(
    name: str, make: Make, types: Sequence[ArrayType], left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fired = []

    def watched(law: Law) -> Law:
        def watching(*arguments: object) -> Wire | None:
            wire = law(*arguments)  # type: ignore[arg-type]
            fired.extend([law.__name__] if wire is not None else [])
            return wire

        return watching

    for primitive, laws in LAWS.items():
        monkeypatch.setitem(LAWS, primitive, tuple(map(watched, laws)))
    graph = built(Simplifier(PRIMITIVES), make, types)
    assert name in fired
    assert names(graph) == left


@every_case
def test_a_law_preserves_the_value(
    name: str, make: Make, types: Sequence[ArrayType], left: str
) -> None:
    before = built(Builder(PRIMITIVES), make, types)
    for after in (built(Simplifier(PRIMITIVES), make, types), optimise(PRIMITIVES, before)):
        assert [w.type for w in after.outputs] == [w.type for w in before.outputs]
        expected = lower(before, 64)(*entries(before))
        for found, wanted in zip(lower(after, 64)(*entries(before)), expected, strict=True):
            assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


@every_case
def test_a_law_preserves_the_derivative(
    name: str, make: Make, types: Sequence[ArrayType], left: str
) -> None:
    before = built(Builder(PRIMITIVES), make, types)
    flags = [type.differentiable for type in types]
    after = gradient_graph(PRIMITIVES, optimise(PRIMITIVES, before), flags)
    before = gradient_graph(PRIMITIVES, before, flags)
    arguments = entries(before)
    expected = lower(before, 64)(*arguments)
    for found, wanted in zip(lower(after, 64)(*arguments), expected, strict=True):
        assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


# --- where a law has to hold back ---------------------------------------------------------------


def test_a_product_that_is_needed_anyway_is_not_done_twice() -> None:
    """Both the product and its sum, or its transpose, are wanted."""

    def make(e: Emit, x: Wire, y: Wire) -> list[Wire]:
        product = contract(e, x, y, "bi,bj->bij")
        return [product, e.sum(product, axes=(0,)), e.transpose(product, permutation=(2, 0, 1))]

    builder = Builder(PRIMITIVES)
    x, y = builder.input(R(5, 2)), builder.input(R(5, 3))
    graph = optimise(PRIMITIVES, builder.finish(make(Emit(builder), x, y)))
    assert names(graph) == "contract sum transpose"


def test_windows_with_a_kernel_for_each_place_stay_windows() -> None:
    def make(e: Emit, x: Wire, k: Wire) -> Wire:
        return contract(e, windows(e, x, 0, 3), k, "pj,pj->p")

    assert names(built(Simplifier(PRIMITIVES), make, [R(7), R(5, 3)])) == "contract windows"


def test_what_is_not_finite_in_a_masked_product_stays_out() -> None:
    """0 · ∞ and 0 · NaN of an example that is not taken do not reach the sum."""
    graph = built(Simplifier(PRIMITIVES), masked, [B, R(4, 2), R(4, 3)])
    mask = numpy.array([True, False, True, False])
    x = numpy.array([[1.0, 2], [numpy.inf, 0], [3, 4], [numpy.nan, 1]])
    y = numpy.array([[1.0, 0, 2], [0, 1, 2], [1, 1, 1], [numpy.nan, numpy.inf, 0]])
    (found,) = lower(graph, 64)(mask, x, y)
    assert_allclose(found, x[mask].T @ y[mask])


# --- equal nodes, dead nodes ----------------------------------------------------------------------


def test_equal_nodes_are_made_once() -> None:
    builder = Builder(PRIMITIVES)
    x = builder.input(R(3))
    e = Emit(builder)
    same = [e.mul(e.tanh(x), e.number(2, 3)) for _ in range(3)]
    graph = optimise(PRIMITIVES, builder.finish([e.add(same[0], e.add(same[1], same[2]))]))
    assert names(graph) == "add add broadcast mul tanh"


def test_dead_nodes_and_dead_outputs_go() -> None:
    """Of a map with two results of which one is used, only that one is made."""
    builder = Builder(PRIMITIVES)
    xs = builder.input(R(4, 3))
    child = builder.child()
    x = child.input(R(3))
    body = child.finish([child.emit("tanh", x), child.emit("sin", x)])
    first, _ = builder.add(Map(body, 0, 4), [xs])
    assert names(optimise(PRIMITIVES, builder.finish([first]))) == "tanh"


# --- vectorise ------------------------------------------------------------------------------------


def test_the_gradient_of_a_shared_weight_over_a_batch_is_one_product() -> None:
    builder = Builder(PRIMITIVES)
    w, xs = builder.input(R(3, 2)), builder.input(R(5, 2))
    child = builder.child()
    x = child.input(R(2))
    body = child.finish([child.emit("contract", w, x, left=(0, 1), right=(1,), out=(0,))])
    graph = builder.finish(builder.add(Map(body, 1, 5), [*child.captured, xs]))
    flags = [True, False]
    before = gradient_graph(PRIMITIVES, vectorise(PRIMITIVES, graph), flags)
    after = gradient_graph(PRIMITIVES, graph, flags)
    for gradient in (before, after):
        made = optimise(PRIMITIVES, gradient)
        assert names(made) == "contract contract"
        assert max(wire.type.size for n in made.nodes for wire in n.outputs) == 15


def test_what_is_shared_is_made_once_for_all_elements() -> None:
    builder = Builder(PRIMITIVES)
    w, xs = builder.input(R(3)), builder.input(R(5, 3))
    child = builder.child()
    x = child.input(R(3))
    body = child.finish([child.emit("mul", child.emit("exp", w), x)])
    graph = vectorise(
        PRIMITIVES, builder.finish(builder.add(Map(body, 1, 5), [*child.captured, xs]))
    )
    (node,) = [
        n
        for n in graph.nodes
        if isinstance(n.operation, Call) and n.operation.primitive.name == "exp"
    ]
    assert node.outputs[0].type == R(3)


def test_a_choice_by_element_stays_a_map_until_it_is_optimised() -> None:
    builder = Builder(PRIMITIVES)
    xs = builder.input(R(5))
    child = builder.child()
    x = child.input(R())
    branches = []
    for name in ("sin", "cos"):
        inner = Builder(PRIMITIVES)
        branches.append(inner.finish([inner.emit(name, inner.input(R()))]))
    positive = child.emit("compare", x, child.constant(0.0), how="gt")
    (y,) = child.add(Choose(tuple(branches)), [positive, x])
    body = child.finish([child.emit("tanh", y)])
    graph = builder.finish(builder.add(Map(body, 0, 5), [xs]))
    vectorised = vectorise(PRIMITIVES, graph)
    kinds = [type(node.operation).__name__ for node in vectorised.nodes]
    assert kinds.count("Map") == 1
    assert names(vectorised).split().count("tanh") == 1
    (left,) = [n.operation for n in vectorised.nodes if isinstance(n.operation, Map)]
    assert [type(node.operation) for node in left.body.nodes] == [Choose]
    optimised = optimise(PRIMITIVES, graph)
    assert {type(node.operation).__name__ for node in optimised.nodes} <= {"Call", "Constant"}
    values = numpy.linspace(-2, 2, 5)
    expected = numpy.tanh(numpy.where(values > 0, numpy.cos(values), numpy.sin(values)))
    for made in (vectorised, optimised):
        assert_allclose(lower(made, 64)(values)[0], expected)


def test_laws_that_fire_are_told_where_it_is_asked() -> None:
    builder = Builder(PRIMITIVES)
    x = builder.input(ArrayType("R", (2,)), "x")
    twice = builder.emit("add", builder.emit("tanh", x), builder.zeros(x.type))
    graph = builder.finish([twice, builder.emit("tanh", x)])
    fired: Counter[tuple[str, str]] = Counter()
    told = optimise(PRIMITIVES, graph, fired)
    assert len(told.nodes) == len(optimise(PRIMITIVES, graph).nodes) == 1
    assert {name: count for (name, _), count in fired.items()} == {
        "plus zero": 1, "common subexpression": 1,
    }  # fmt: skip
