"""A network in pieces is the network: one after the other they give what it gives."""

from __future__ import annotations

import numpy
import pytest

from nnfp_kernel import Session
from nnfp_kernel.graph.graph import Builder, Wire
from nnfp_kernel.linear.differentiate import linearize
from nnfp_kernel.linear.laws import LARGEST, expression
from nnfp_kernel.linear.maps import Network, Variable, filled
from nnfp_kernel.linear.pieces import LONGEST, pieces
from nnfp_kernel.primitives import PRIMITIVES
from nnfp_kernel.runtime.lower import lower

PROGRAM = """
f x = x * sin x + x * cos x
deep : R[3] -> R[3]
deep x = f (f (f (f (f x))))
several : (R[3], R[3]) -> (R, R[3])
several (x, y) = (dot (f (f x)) (f y), f (f x + f y))
net : R[4] ~> R[2]
net = mlp[5, 2] >> tanh
"""


def network_of(session: Session, name: str) -> tuple[Builder, Network]:
    call = session[name].sample()
    graph = call.traced.vectorised
    builder = Builder(PRIMITIVES)
    inputs = [builder.input(wire.type, wire.name) for wire in graph.inputs]
    active = [k < call.traced.arguments and w.type.differentiable for k, w in enumerate(inputs)]
    return builder, linearize(builder, graph, inputs, active)[1]


@pytest.mark.parametrize("name", ["deep", "several", "net"])
def test_pieces_give_what_the_network_gives_and_their_adjoints_its_adjoint(name: str) -> None:
    session = Session(precision=64)
    session.run(PROGRAM)
    builder, network = network_of(session, name)
    found = pieces(network)

    tangents = [builder.input(type) for type in network.domain]
    value: dict[Variable, Wire | None] = dict(zip(network.inputs, tangents, strict=True))
    for piece in found:
        given = [value[each] for each in piece.network.inputs]
        (value[piece.variable],) = piece.network.apply(builder, given)
    ours = filled(builder, [value[each] for each in network.outputs], network.codomain)
    whole = filled(builder, network.apply(builder, tangents), network.codomain)

    cotangents = [builder.input(type) for type in network.codomain]
    bars: dict[Variable, Wire | None] = dict(zip(network.outputs, cotangents, strict=True))
    for piece in reversed(found):
        back = piece.network.adjoint().apply(builder, [bars.get(piece.variable)])
        for variable, part in zip(piece.network.inputs, back, strict=True):
            before = bars.get(variable)
            both = part is not None and before is not None
            bars[variable] = builder.emit("add", before, part) if both else before or part  # type: ignore[arg-type]
    ours += filled(builder, [bars[each] for each in network.inputs], network.domain)
    whole += filled(builder, network.adjoint().apply(builder, cotangents), network.domain)

    graph = builder.finish([*ours, *whole])
    random = numpy.random.default_rng(5)
    arrays = [random.uniform(0.4, 1.6, wire.type.shape) for wire in graph.inputs]
    made = lower(graph, 64)(*arrays)
    for one, other in zip(made[: len(ours)], made[len(ours) :], strict=True):
        numpy.testing.assert_allclose(one, other, rtol=1e-12)


def test_a_piece_is_small_and_what_is_shared_is_not_said_twice() -> None:
    session = Session(precision=64)
    session.run(PROGRAM)
    _, network = network_of(session, "deep")
    assert expression(network) is None  # 4⁵ maps
    found = pieces(network)
    assert 5 <= len(found) <= 8
    for piece in found:
        assert expression(piece.network) is not None
        assert len(piece.network.parts) <= LONGEST < LARGEST
