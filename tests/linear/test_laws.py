"""The laws of linear maps: each fires, and each keeps what the map computes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy
import pytest

from nnfp_kernel import Session
from nnfp_kernel.graph.graph import ArrayType, Builder, Wire
from nnfp_kernel.linear import laws
from nnfp_kernel.linear.differentiate import linearize
from nnfp_kernel.linear.laws import LAWS, Adjoint, Differential, expression, steps, worked_out
from nnfp_kernel.linear.maps import Compose, Identity, LinearMap, Pair, Project, Sum, Zero, filled
from nnfp_kernel.primitives import PRIMITIVES
from nnfp_kernel.runtime.lower import lower

PROGRAM = r"""
layer : R[4] ~> R[3]
layer x = tanh (?W @ x + ?b)
griewank : (R, R) -> R
griewank (x1, x2) = log x1 + x1 * x2 - sin x2
shifted : R[3] -> R[3]
shifted x = 1 - square x
squares : R[3] -> R[3]
squares x = x ^ 3 + x
gated : (R[3], R[3]) -> R[3]
gated (x, y) = if sum x > 0 then x * y else x - y
encode : R[4,2] ~> R[3]
encode xs = fold (\(h, x) -> tanh (?W @ h + ?U @ x)) zero xs
convolution : R[6] ~> R[4]
convolution = window[3] (dot ?k)
pairs : (R[3], R[3]) -> (R[3], R[3])
pairs (x, y) = (x + y, sin x)
scanned : R[4] -> (R, R[4])
scanned xs = mapAccum (\(s, x) -> (s * x, s + x)) 1 xs
looped : R[3] -> R[3]
looped x = while[5] (\y -> sum y < 4) (\y -> y * y + x) x
settled : R[3] -> R[3]
settled x = fixpoint (\y -> 0.4 * tanh y + x) zero
chosen : R[4] -> R[4]
chosen xs = map (\x -> if x > 1 then x * x else sin x) xs
"""
NAMES = [line.split(" ")[0] for line in PROGRAM.splitlines() if " : " in line]


@pytest.fixture(scope="module")
def session() -> Session:
    session = Session(precision=64)
    session.run(PROGRAM)
    return session


def started(session: Session, name: str) -> tuple[Builder, tuple[Wire, ...], LinearMap]:
    """A derivative in which nothing is worked out."""
    call = session[name].sample()
    graph = call.traced.vectorised
    builder = Builder(PRIMITIVES)
    inputs = tuple(builder.input(wire.type, wire.name) for wire in graph.inputs)
    active = [k < call.traced.arguments and w.type.differentiable for k, w in enumerate(inputs)]
    _, network = linearize(builder, graph, inputs, active)
    found = expression(network)
    assert found is not None
    return builder, inputs, Differential(name, "program", found)


def images(builder: Builder, inputs: tuple[Wire, ...], maps: list[LinearMap]) -> list[list]:  # type: ignore[type-arg]
    """What each map makes of the same tangents, at the same point."""
    tangents = [builder.input(type) for type in maps[0].domain]
    outputs = []
    for each in maps:
        outputs.append(filled(builder, each.apply(builder, tangents), each.codomain))
    graph = builder.finish([wire for made in outputs for wire in made])
    random = numpy.random.default_rng(3)
    arrays = [random.uniform(0.4, 1.6, wire.type.shape) for wire in graph.inputs]
    made = iter(lower(graph, 64)(*arrays))
    return [[numpy.asarray(next(made)) for _ in out] for out in outputs]


def same(found: list[list]) -> None:  # type: ignore[type-arg]
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            numpy.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_every_step_keeps_what_the_derivative_computes(session: Session, name: str) -> None:
    builder, inputs, start = started(session, name)
    found = steps(builder, start)
    assert len(found) < laws.MOST
    same(images(builder, inputs, [start, *(step.map for step in found)]))
    assert not holds(found[-1].map, Differential)


@pytest.mark.parametrize("name", NAMES)
def test_every_step_keeps_what_the_adjoint_computes(session: Session, name: str) -> None:
    builder, inputs, start = started(session, name)
    worked = steps(builder, start)[-1].map
    found = steps(builder, Adjoint(worked))
    direct = worked_out(start).adjoint()
    same(images(builder, inputs, [direct, *(step.map for step in found)]))
    assert not holds(found[-1].map, Adjoint)


def holds(map: LinearMap, kind: type) -> bool:
    if isinstance(map, kind):
        return True
    found = []
    laws.rebuilt(map, lambda each: (found.append(holds(each, kind)), each)[1])  # type: ignore[func-returns-value]
    return any(found)


def hand_made() -> Iterator[tuple[str, Builder, tuple[Wire, ...], LinearMap]]:
    """Maps for the laws that a derivative of these programs has no need of."""
    builder = Builder(PRIMITIVES)
    x = builder.input(ArrayType("R", (3,)), "x")
    types = (x.type,)
    tanh = laws.section(PRIMITIVES, laws.PrimitiveStep("mul", {}, 0, (x,)), x.type)
    nothing = Zero(types, types)
    yield "zero", builder, (x,), Sum((Compose((tanh, nothing)), tanh))
    yield "zero", builder, (x,), Compose((nothing, tanh))
    yield "associativity", builder, (x,), Compose((Compose((tanh, tanh)), tanh))
    yield "identity", builder, (x,), Compose((Identity(types), Identity(types)))
    pair = Pair((tanh, Identity(types)))
    yield "projection of a pair", builder, (x,), Compose((pair, Project(pair.codomain, 1, 2)))


@pytest.mark.parametrize("number", range(5))
def test_a_law_by_hand_fires_and_keeps_the_map(number: int) -> None:
    name, builder, inputs, map = list(hand_made())[number]
    step = laws.fired(builder, map, named(name))
    assert step is not None
    Session(precision=64)
    same(images(builder, inputs, [map, step.map]))


def test_every_law_has_a_name_of_its_own_and_fires(session: Session) -> None:
    fired = {name for name, *_ in hand_made()}
    for name in NAMES:
        builder, _, start = started(session, name)
        found = steps(builder, start)
        found += steps(builder, Adjoint(found[-1].map))
        fired |= {step.law.name for step in found}
    names = {law.name for law in LAWS}
    assert len(names) == len(LAWS)
    # Forests of trees are traced by the runtime alone: their tests are in tests/runtime.
    assert names - fired == {"derivative of a cata", "adjoint of a tree recurrence"}


def named(name: str) -> laws.Law:
    return next(each for each in LAWS if each.name == name)


def test_a_derivative_that_shares_too_much_is_not_written_out() -> None:
    session = Session()
    lines = "\n".join(f"    x{k} = x{k - 1} * sin x{k - 1}" for k in range(1, 12))
    session.run(f"f : R -> R\nf x0 = x11\n  where\n{lines}")
    call = session["f"].sample()
    builder = Builder(PRIMITIVES)
    inputs = [builder.input(w.type) for w in call.traced.vectorised.inputs]
    assert expression(linearize(builder, call.traced.vectorised, inputs, [True])[1]) is None


def test_what_is_applied_at_construction_leaves_its_laws_nothing_to_do() -> None:
    builder = Builder(PRIMITIVES)
    d = builder.input(ArrayType("R", (3,)))
    diag = laws.section(PRIMITIVES, laws.PrimitiveStep("mul", {}, 0, (d,)), d.type)
    same = Identity((d.type,))
    plain = Compose((Compose((diag, same)), diag, Compose((same, diag))))
    made = laws.compose(Compose((diag, same)), diag, Compose((same, diag)))
    named = {each.name: each for each in LAWS}
    assert {*named} >= laws.AT_CONSTRUCTION
    for name in laws.AT_CONSTRUCTION:
        assert laws.fired(builder, plain, named[name]) is not None
        assert laws.fired(builder, made, named[name]) is None
    assert isinstance(made, Compose)
    assert len(made.maps) == 3
