"""Laws of the operation counts. That they are XLA's own is tested in runtime/test_cost.py."""

from __future__ import annotations

import pytest

from nnfp_kernel.graph.counts import Count, bytes_of, count, peak
from nnfp_kernel.graph.graph import ArrayType, Builder, Call, Choose, Graph, Loop, Map
from nnfp_kernel.graph.primitive import Primitive, Sample
from nnfp_kernel.primitives import PRIMITIVES

CASES = [
    pytest.param(primitive, sample, id=f"{name}-{k}")
    for name, primitive in PRIMITIVES.items()
    for k, sample in enumerate(primitive.samples)
]


def R(*shape: int) -> ArrayType:
    return ArrayType("R", shape)


def one(name: str, *types: ArrayType, **parameters: object) -> Graph:
    """The graph of one primitive."""
    builder = Builder(PRIMITIVES)
    inputs = [builder.input(type) for type in types]
    return builder.finish([builder.emit(name, *inputs, **parameters)])


@pytest.mark.parametrize(("primitive", "sample"), CASES)
def test_a_batch_costs_as_many_times_what_one_costs(primitive: Primitive, sample: Sample) -> None:
    def operations(graph: Graph) -> int:
        return sum(
            node.operation.primitive.operations(
                node.operation.parameters, [w.type for w in node.inputs], node.outputs[0].type
            )
            for node in graph.nodes
            if isinstance(node.operation, Call)
        )

    single = operations(one(primitive.name, *sample.types, **sample.parameters))
    builder = Builder(PRIMITIVES)
    inputs = [builder.input(type.over(5)) for type in sample.types]
    flags = [True] * len(inputs)
    batched = builder.finish([primitive.batch(builder, sample.parameters, inputs, flags, 5)])
    assert single >= 0
    if inputs:
        assert operations(batched) >= 5 * single
        # Indices of a batch are made one array's: two operations for each.
        assert operations(batched) <= 5 * (single + 2 * sum(t.size for t in sample.types))


@pytest.mark.parametrize(
    ("graph", "operations"),
    [
        (one("tanh", R(3, 4)), 12),
        (one("add", R(3), R(3)), 3),
        (one("sum", R(3, 4), axes=(0,)), 12),
        (one("transpose", R(3, 4), permutation=(1, 0)), 0),
        (one("contract", R(3, 4), R(4, 5), left=(0, 1), right=(1, 2), out=(0, 2)), 2 * 3 * 4 * 5),
        (one("contract", R(3), R(4), left=(0,), right=(1,), out=(0, 1)), 3 * 4),
        (one("power", R(2), exponent=7), 2 * 4),  # x, x², x³, x⁶, x⁷
        (one("power", R(2), exponent=-1), 2),
        (one("solve", R(6, 6), R(6)), 2 * 6**3 // 3 + 2 * 6**2),
    ],
)
def test_operations_are_those_of_the_mathematics(graph: Graph, operations: int) -> None:
    assert count(graph).total.operations == operations


def test_padding_and_spread_zeros_take_no_operations() -> None:
    """Of three places of a window of three over three entries, padded by one: 2 + 3 + 2."""
    labels = {"left": (0,), "right": (0,), "out": (0,), "spatial": (0,)}
    padded = one(
        "convolve", R(3), R(3), **labels, strides=(1,), padding=((1, 1),),
        left_dilation=(1,), right_dilation=(1,), flip=False,
    )  # fmt: skip
    assert count(padded).total.operations == 2 * 7


def test_bytes_follow_the_precision_and_views_cost_none() -> None:
    assert count(one("tanh", R(3)), 64).total == Count(3, 24, 24)
    assert count(one("reshape", R(3, 4), shape=(12,))).total == Count()
    assert bytes_of(ArrayType("Bool", (5,)), 64) == 5


def test_moving_entries_reads_no_more_than_it_writes() -> None:
    cut = one("slice", R(1000), axis=0, start=3, stop=5, stride=1)
    assert count(cut).total == Count(0, 8, 8)


def body(name: str, size: int = 4) -> Graph:
    return one(name, R(size))


def test_a_loop_costs_its_body_at_every_step() -> None:
    builder = Builder(PRIMITIVES)
    x = builder.input(R(4))
    loop = builder.finish(list(builder.add(Loop(body("tanh"), 0, 1, 7), [x])))
    assert count(loop).total == count(body("tanh")).total * 7


def test_a_map_costs_its_body_for_every_element() -> None:
    builder = Builder(PRIMITIVES)
    xs = builder.input(R(7, 4))
    mapped = builder.finish(list(builder.add(Map(body("exp"), 0, 7), [xs])))
    assert count(mapped).total.operations == 28


def choice(*selector: int) -> Graph:
    builder = Builder(PRIMITIVES)
    c = builder.input(ArrayType("Bool", selector))
    x = builder.input(R(4))
    cheap, dear = one("negate", R(4)), one("power", R(4), exponent=7)
    return builder.finish(list(builder.add(Choose((cheap, dear)), [c, x])))


def test_a_choice_costs_its_dearer_branch() -> None:
    assert count(choice()).total.operations == 16


def test_a_choice_in_a_batch_costs_all_branches_and_the_selection() -> None:
    assert count(choice(4)).total.operations == 4 + 16 + 4


def test_what_is_alive_at_most() -> None:
    """Of a chain no more than two results are alive beside the input."""
    builder = Builder(PRIMITIVES)
    x = wire = builder.input(R(100))
    for _ in range(10):
        wire = builder.emit("tanh", wire)
    chain = builder.finish([wire])
    assert peak(chain) == 3 * 400
    kept = Graph(chain.inputs, chain.nodes, tuple(w for n in chain.nodes for w in n.outputs))
    assert peak(kept) == 11 * 400
    assert peak(Graph((x,), (), (x,)), 64) == 800


def test_a_view_keeps_alive_what_it_shows() -> None:
    builder = Builder(PRIMITIVES)
    x = builder.input(R(100))
    view = builder.emit("reshape", builder.emit("tanh", x), shape=(10, 10))
    total = builder.emit("sum", builder.emit("exp", x), axes=(0,))
    graph = builder.finish([total, builder.emit("sum", view, axes=(0, 1))])
    assert peak(graph) == 3 * 400 + 4  # x, tanh x, exp x and the sum of that
