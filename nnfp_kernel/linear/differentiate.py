"""D: from a graph to the graph of its linear maps.

    linearize   the graph once, and the network of linear maps that is its derivative
    jvp, vjp    that network, or its adjoint, at tangents or cotangents
    gradient_graph   values and gradient as one graph, for the runtime

Every node of the primal is made once; the linear maps refer to its wires. What a node
contributes follows from its kind:

    Call          f            what the record of its primitive gives (`rules`)
    Map           map f        mapL (D f xᵢ)
    Loop          mapAccum f   recurrence (D f (sₜ₋₁, xₜ))
    While         while c f    the same, by rounds (D f sₜ₋₁); c has no derivative
    Fixpoint      fixpoint f   (id - ∂f)⁻¹ of the derivative in what f captures, at the
                               fixpoint; nothing in the initial state
    TreeLoop      cata alg     treeRecurrence (D alg)
    Choose        if c f g     choose c (D f x) (D g x)

A wire that does not depend on an active input has no tangent; nor have integers,
Booleans and keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ..graph.branches import within_branches
from ..graph.graph import (
    ArrayType,
    Builder,
    Call,
    Choose,
    Constant,
    Fixpoint,
    Graph,
    Loop,
    Map,
    Node,
    TreeLoop,
    While,
    Wire,
)
from ..graph.primitive import Primitive
from ..graph.segments import segmented
from .kept import Kept, kept_of, seated, seats_of
from .maps import (
    Cell,
    ChooseL,
    Identity,
    MapL,
    Network,
    Part,
    Recurrence,
    Scale,
    SolveL,
    Sum,
    Tangent,
    TreeRecurrence,
    Variable,
    WhileL,
)
from .planning import Plan
from .reach import fixpoint_reach, loop_reach, tree_reach, while_reach
from .rules import call_parts
from .taken import Branches, coefficients_within, masked, taken


def linearize(
    builder: Builder,
    graph: Graph,
    inputs: Sequence[Wire],
    active: Sequence[bool],
    plan: Plan | None = None,
) -> tuple[tuple[Wire, ...], Network]:
    """The outputs of `graph` at `inputs`, and its derivative there.

    The network goes from the tangents of the inputs flagged in `active`, in order, to
    the tangents of the outputs that are real or complex, in order. A `plan` decides which
    loops are made in segments, for an adjoint that holds less. Raises ValueError for an
    active input that is neither real nor complex.
    """
    for wire, flag in zip(graph.inputs, active, strict=True):
        if flag and not wire.type.differentiable:
            raise ValueError(f"an input of type {wire.type} has no tangent")
    wanted = [wire.type.differentiable for wire in graph.outputs]
    outputs, traced = _trace(builder, within_branches(graph), inputs, active, wanted, plan)
    results = tuple(
        variable or Variable(wire.type)
        for variable, wire in zip(traced.outputs, graph.outputs, strict=True)
        if wire.type.differentiable
    )
    return outputs, Network(traced.inputs, tuple(traced.parts), results).useful()


def jvp(
    builder: Builder, graph: Graph, inputs: Sequence[Wire], tangents: Sequence[Tangent]
) -> tuple[tuple[Wire, ...], tuple[Tangent, ...]]:
    """The outputs, and their tangents (None is zero) for the tangents of the inputs."""
    outputs, network = linearize(builder, graph, inputs, [t is not None for t in tangents])
    made = iter(network.apply(builder, [t for t in tangents if t is not None]))
    return outputs, tuple(next(made) if w.type.differentiable else None for w in graph.outputs)


def vjp(
    builder: Builder,
    graph: Graph,
    inputs: Sequence[Wire],
    active: Sequence[bool],
    cotangents: Sequence[Tangent],
) -> tuple[tuple[Wire, ...], tuple[Tangent, ...]]:
    """The outputs, and the cotangents of all inputs (None is zero) for those of the
    outputs; the cotangent of an output that has none is not looked at."""
    outputs, network = linearize(builder, graph, inputs, active)
    given = [
        cotangent
        for cotangent, wire in zip(cotangents, graph.outputs, strict=True)
        if wire.type.differentiable
    ]
    made = iter(network.adjoint().apply(builder, given))
    return outputs, tuple(next(made) if flag else None for flag in active)


def gradient_graph(
    primitives: Mapping[str, Primitive],
    graph: Graph,
    active: Sequence[bool],
    plan: Plan | None = None,
) -> Graph:
    """The graph inputs ++ cotangents -> outputs ++ cotangents of the active inputs.

    There is one cotangent for each output that is real or complex. A `plan` decides which
    loops hold less for it.
    """
    builder = Builder(primitives)
    inputs = [builder.input(w.type, w.name, w.representation) for w in graph.inputs]
    outputs, network = linearize(builder, graph, inputs, active, plan)
    cotangents = [builder.input(type, "cotangent") for type in network.codomain]
    gradients = network.adjoint().apply(builder, cotangents)
    filled = [
        builder.zeros(type) if wire is None else wire
        for wire, type in zip(gradients, network.domain, strict=True)
    ]
    return builder.finish([*outputs, *filled])


# --- the derivative of a graph --------------------------------------------------------------


class _Trace:
    """The primal's wires in the builder, the variables of their tangents, the parts."""

    __slots__ = ("inputs", "later", "outputs", "parts", "place", "plan", "taken", "variable")

    def __init__(self, taken: Mapping[Wire, Branches], plan: Plan | None) -> None:
        self.taken = taken
        self.plan = plan
        # The parts that wait for a condition, which may be made after what it is for: where
        # they belong among the others, and how they are made.
        self.later: list[tuple[int, Callable[[], list[Part]]]] = []
        self.place: dict[Wire, Wire] = {}
        self.variable: dict[Wire, Variable] = {}
        self.parts: list[Part] = []
        self.inputs: tuple[Variable, ...] = ()
        self.outputs: tuple[Variable | None, ...] = ()


def _trace(
    builder: Builder,
    graph: Graph,
    inputs: Sequence[Wire],
    active: Sequence[bool],
    wanted: Sequence[bool],
    plan: Plan | None,
) -> tuple[tuple[Wire, ...], _Trace]:
    trace = _Trace(taken(graph), plan)
    place, variable = trace.place, trace.variable
    given = []
    for inner, outer, flag in zip(graph.inputs, inputs, active, strict=True):
        place[inner] = builder.own(outer)
        if flag:
            variable[inner] = Variable(inner.type, inner.name)
            given.append(variable[inner])
    before = builder.origin
    _nodes(builder, trace, graph, wanted)
    for place_among, make in reversed(trace.later):
        trace.parts[place_among:place_among] = make()
    builder.origin = before
    trace.inputs = tuple(given)
    trace.outputs = tuple(
        variable.get(wire) if flag else None
        for wire, flag in zip(graph.outputs, wanted, strict=True)
    )
    return tuple(place[wire] for wire in graph.outputs), trace


def _nodes(builder: Builder, trace: _Trace, graph: Graph, wanted: Sequence[bool]) -> None:
    """The nodes of a graph whose inputs are known to the trace."""
    place, useful = trace.place, _useful(graph, wanted)
    before = builder.origin
    for node in graph.nodes:
        builder.origin = node.origin or before
        operands = [place[wire] for wire in node.inputs]
        if trace.variable.keys().isdisjoint(node.inputs) or useful.isdisjoint(node.outputs):
            made: Sequence[Wire] = _inline(builder, node, operands)
        else:
            made = _node(builder, trace, node, operands, useful)
        for old, new in zip(node.outputs, made, strict=True):
            place[old] = new
            new.name = new.name or old.name
    builder.origin = before


def _useful(graph: Graph, wanted: Sequence[bool]) -> set[Wire]:
    """The wires on which a wanted output depends."""
    useful = {wire for wire, flag in zip(graph.outputs, wanted, strict=True) if flag}
    for node in reversed(graph.nodes):
        if not useful.isdisjoint(node.outputs):
            useful.update(node.inputs)
    return useful


def _inline(builder: Builder, node: Node, operands: Sequence[Wire]) -> tuple[Wire, ...]:
    if isinstance(node.operation, Constant):
        return (builder.constant(node.operation.value, node.operation.type.kind),)
    return builder.add(node.operation, operands)


def _node(
    builder: Builder, trace: _Trace, node: Node, operands: list[Wire], useful: set[Wire]
) -> Sequence[Wire]:
    """The node in the builder; the parts of its derivative go to the trace."""
    match node.operation:
        case Call() as call:
            return _call(builder, trace, node, call, operands)
        case Map() as each:
            return _map(builder, trace, node, each, operands, useful)
        case Loop() as loop:
            return _loop(builder, trace, node, loop, operands, useful)
        case While() as loop:
            return _while(builder, trace, node, loop, operands)
        case Fixpoint() as fixpoint:
            return _fixpoint(builder, trace, node, fixpoint, operands)
        case TreeLoop() as tree:
            return _tree_loop(builder, trace, node, tree, operands, useful)
        case Choose() as choose:
            return _choose(builder, trace, node, choose, operands, useful)
        case other:
            raise AssertionError(f"no derivative for {other}")


def _call(
    builder: Builder, trace: _Trace, node: Node, call: Call, operands: list[Wire]
) -> Sequence[Wire]:
    primitive = call.primitive
    (output,) = made = builder.add(call, operands)
    if primitive.kind == "discrete" or not output.type.differentiable:
        return made
    result = Variable(output.type, node.outputs[0].name)
    variables = [trace.variable.get(wire) for wire in node.inputs]
    origin, branches = builder.origin, coefficients_within(trace.taken, node)
    if branches:

        def make() -> list[Part]:
            builder.origin = origin

            def only(wire: Wire) -> Wire:
                return masked(builder, wire, branches, trace.place)

            return call_parts(builder, call, operands, output, variables, result, only)

        trace.later.append((len(trace.parts), make))
        trace.variable[node.outputs[0]] = result
        return made
    parts = call_parts(builder, call, operands, output, variables, result)
    trace.parts += parts
    if parts:
        trace.variable[node.outputs[0]] = result
    return made


# --- maps, loops and branches -----------------------------------------------------------------


def _body(
    builder: Builder,
    graph: Graph,
    active: Sequence[bool],
    wanted: Sequence[bool],
    plan: Plan | None,
) -> tuple[Builder, tuple[Wire, ...], tuple[Wire, ...], _Trace]:
    """The body of a structured node made again, in a builder of its own."""
    child = Builder(builder.primitives)
    child.origin = builder.origin
    inputs = tuple(child.input(w.type, w.name, w.representation) for w in graph.inputs)
    outputs, trace = _trace(child, graph, inputs, active, wanted, plan)
    return child, inputs, outputs, trace


def _results(trace: _Trace, wires: Sequence[Wire]) -> tuple[Variable, ...]:
    """New variables for the outputs of a node."""
    for wire in wires:
        trace.variable[wire] = Variable(wire.type, wire.name)
    return tuple(trace.variable[wire] for wire in wires)


def _map(
    builder: Builder, trace: _Trace, node: Node, each: Map, operands: list[Wire], useful: set[Wire]
) -> Sequence[Wire]:
    active = [wire in trace.variable for wire in node.inputs]
    wanted = [wire in useful and wire.type.differentiable for wire in node.outputs]
    child, inputs, outputs, inner = _body(builder, each.body, active, wanted, trace.plan)
    reached = [k for k, variable in enumerate(inner.outputs) if variable is not None]
    network = Network(inner.inputs, tuple(inner.parts), _present(inner.outputs)).useful()

    kept = kept_of(
        child,
        network.fixed,
        dict(zip(inputs[: each.shared], operands, strict=False)),
        dict(zip(inputs[each.shared :], operands[each.shared :], strict=True)),
        outputs,
    )
    body = child.finish([*outputs, *kept.extra])
    made = builder.add(Map(body, each.shared, each.length), operands)
    if reached:
        flags = tuple(k < each.shared for k, flag in enumerate(active) if flag)
        summed = (False,) * len(reached)
        map = MapL(kept.cell(network), each.length, kept.shared, kept.found(made), flags, summed)
        given = tuple(trace.variable[wire] for wire in node.inputs if wire in trace.variable)
        results = _results(trace, [node.outputs[k] for k in reached])
        trace.parts.append(Part(map, given, results, builder.origin, "map", "map"))
    return made[: len(outputs)]


def _present(variables: Sequence[Variable | None]) -> tuple[Variable, ...]:
    return tuple(variable for variable in variables if variable is not None)


def _loop(
    builder: Builder, trace: _Trace, node: Node, loop: Loop, operands: list[Wire], useful: set[Wire]
) -> Sequence[Wire]:
    first, last = loop.shared, loop.shared + loop.carried
    active, _ = loop_reach(loop, [wire in trace.variable for wire in node.inputs])
    states = [k for k in range(loop.carried) if active[first + k]]
    wanted = [
        wire.type.differentiable and (k < loop.carried or wire in useful)
        for k, wire in enumerate(node.outputs)
    ]
    # The loop in a segment is what was to be shared out: it stays as it is.
    plan = trace.plan and trace.plan.within(loop.segments)
    since = len(plan.decisions) if plan else 0
    child, inputs, outputs, inner = _body(builder, loop.body, active, wanted, plan)
    stacks = [k for k in range(loop.carried, len(outputs)) if inner.outputs[k] is not None]

    # The body's variables in a recurrence's order: state, elements, shared.
    variable = dict(zip([k for k, flag in enumerate(active) if flag], inner.inputs, strict=True))
    order = [*(first + k for k in states), *(k for k in variable if k >= last)]
    order += [k for k in variable if k < first]
    elements = sum(k >= last for k in variable)
    after = [inner.outputs[k] or Variable(outputs[k].type) for k in states]
    network = Network(
        tuple(variable[k] for k in order),
        tuple(inner.parts),
        (*after, *_present([inner.outputs[k] for k in stacks])),
    ).useful()

    kept = kept_of(
        child,
        network.fixed,
        dict(zip(inputs[:first], operands, strict=False)),
        dict(zip(inputs[last:], loop.operands(operands)[2], strict=True)),
        outputs[loop.carried :],
        loop.segments,
    )
    if trace.plan is not None and (states or stacks):
        extra = [wire.type for wire in kept.extra]
        size = trace.plan.segment(loop, extra, builder.origin, since)
        if size is not None:
            return _in_segments(builder, trace, node, loop, size, operands, useful)
    operation = replace(loop, body=child.finish([*outputs, *kept.extra]))
    made = builder.add(operation, operands)
    if states or stacks:
        map = Recurrence(
            kept.cell(network), loop.length, loop.reverse, kept.shared,
            kept.found(made[loop.carried :]), len(states), elements, len(stacks),
            next(iter(loop.operands(operands)[3]), None), loop.segments,
        )  # fmt: skip
        wires = [node.inputs[k] for k in order]
        given = tuple(trace.variable.get(wire) or Variable(wire.type) for wire in wires)
        results = _results(trace, [node.outputs[k] for k in (*states, *stacks)])
        trace.parts.append(Part(map, given, results, builder.origin, "loop", "loop"))
    return made[: len(outputs)]


def _in_segments(
    builder: Builder,
    trace: _Trace,
    node: Node,
    loop: Loop,
    size: int,
    operands: list[Wire],
    useful: set[Wire],
) -> Sequence[Wire]:
    """The loop as one over segments of so many steps, and the derivative of that."""
    graph = segmented(builder.primitives, loop, size)
    trace.place.update(zip(graph.inputs, operands, strict=True))
    for wire, old in zip(graph.inputs, node.inputs, strict=True):
        if old in trace.variable:
            trace.variable[wire] = trace.variable[old]
    plan, trace.plan = trace.plan, trace.plan and trace.plan.within(True)
    _nodes(builder, trace, graph, [wire in useful for wire in node.outputs])
    trace.plan = plan
    for wire, new in zip(node.outputs, graph.outputs, strict=True):
        if new in trace.variable:
            trace.variable[wire] = trace.variable[new]
    return [trace.place[wire] for wire in graph.outputs]


def _while(
    builder: Builder, trace: _Trace, node: Node, loop: While, operands: list[Wire]
) -> Sequence[Wire]:
    """The primal stays as it is: its derivative makes the rounds again, with what the
    steps' linear maps refer to (`WhileL`)."""
    made = builder.add(loop, operands)
    first, carried = loop.shared, range(loop.carried)
    active = while_reach(loop, [wire in trace.variable for wire in node.inputs])
    states = [k for k in carried if active[first + k]]
    if not states:
        return made
    wanted = [active[first + k] for k in carried]
    given = [*active[:first], False, *active[first:]]
    child, inputs, outputs, inner = _body(builder, loop.body, given, wanted, trace.plan)
    shared = [k for k in range(first) if active[k]]
    variables = inner.inputs
    after = [inner.outputs[k] or Variable(outputs[k].type) for k in states]
    network = Network(
        (*variables[len(shared) :], *variables[: len(shared)]), tuple(inner.parts), tuple(after)
    ).useful()
    kept = kept_of(child, network.fixed, dict(zip(inputs, operands[:first], strict=False)), {}, ())
    recorder = child.finish([*outputs, *kept.extra])
    map = WhileL(
        loop, recorder, kept.cell(network), tuple(operands), kept.shared, made[0], tuple(states),
        origin=builder.origin, segmented=_rounds_in_segments(builder, trace, loop, active, kept),
    )  # fmt: skip
    wires = [*(node.inputs[first + k] for k in states), *(node.inputs[k] for k in shared)]
    into = tuple(trace.variable.get(wire) or Variable(wire.type) for wire in wires)
    out_of = _results(trace, [node.outputs[1 + k] for k in states])
    trace.parts.append(Part(map, into, out_of, builder.origin, "while", "while"))
    return made


def _rounds_in_segments(
    builder: Builder, trace: _Trace, loop: While, active: Sequence[bool], kept: Kept
) -> Cell | None:
    """All rounds of a loop with a bound as a loop in segments, from operands and the number of
    rounds, if the plan says so."""
    if trace.plan is None or loop.most is None:
        return None
    inputs, first = loop.body.inputs, loop.shared
    body = replace(loop.body, inputs=(*inputs[:first], *inputs[first + 1 :], inputs[first]))
    steps = Loop(body, first, loop.carried, loop.most)
    size = trace.plan.segment(steps, [wire.type for wire in kept.extra], builder.origin)
    if size is None:
        return None
    graph = segmented(builder.primitives, replace(steps, counted=True), size)
    child = Builder(builder.primitives)
    child.origin = builder.origin
    *own, _, rounds = graph.inputs
    given = [child.input(wire.type) for wire in (*own, rounds)]
    numbers = child.emit("iota", size=loop.most)
    wanted = active[first:]
    _, inner = _trace(
        child, graph, [*given[:-1], numbers, given[-1]], [*active, False, False], wanted,
        trace.plan.within(True),
    )  # fmt: skip
    states = [k for k, flag in enumerate(wanted) if flag]
    variables = iter(inner.inputs)
    shared = [next(variables) for flag in active[:first] if flag]
    after = [inner.outputs[k] or Variable(graph.outputs[k].type) for k in states]
    network = Network((*variables, *shared), tuple(inner.parts), tuple(after)).useful()
    return Cell(child.finish(network.fixed), network.fixed, network)


def _fixpoint(
    builder: Builder, trace: _Trace, node: Node, fixpoint: Fixpoint, operands: list[Wire]
) -> Sequence[Wire]:
    """The implicit function theorem: at the fixpoint s = f (s, w), of which nothing else is
    kept, ds = ∂f ds + ∂_w f dw. The steps that led there have no part in it."""
    made = builder.add(fixpoint, operands)
    first = fixpoint.shared
    active = fixpoint_reach(fixpoint, [wire in trace.variable for wire in node.inputs])
    states = [k for k in range(fixpoint.carried) if active[first + k]]
    if not states:
        return made
    wanted = active[first:]
    given = [*operands[:first], *made[:-1]]
    _, inner = _trace(builder, fixpoint.body, given, active, wanted, trace.plan)
    shared = [k for k in range(first) if active[k]]
    outside, inside = inner.inputs[: len(shared)], inner.inputs[len(shared) :]
    after = tuple(inner.outputs[k] or Variable(made[k].type) for k in states)
    direct = Network(outside, tuple(inner.parts), after).useful()
    again = Network(inside, tuple(inner.parts), after).useful()
    minus = Scale(builder.constant(-1.0), again.codomain)
    inverted = Sum((Identity(again.domain), again >> minus))
    solve = SolveL(inverted, fixpoint.positive, fixpoint.tolerance)
    moved = tuple(Variable(type) for type in direct.codomain)
    into = tuple(trace.variable[node.inputs[k]] for k in shared)
    trace.parts.append(Part(direct, into, moved, builder.origin, "equation", "fixpoint"))
    out_of = _results(trace, [node.outputs[k] for k in states])
    trace.parts.append(Part(solve, moved, out_of, builder.origin, "fixpoint", "fixpoint"))
    return made


def _tree_loop(
    builder: Builder,
    trace: _Trace,
    node: Node,
    tree: TreeLoop,
    operands: list[Wire],
    useful: set[Wire],
) -> Sequence[Wire]:
    active, _ = tree_reach(tree, [wire in trace.variable for wire in node.inputs])
    _, shared, rows, elements = tree.operands(active)
    made = tree.writes * tree.rows
    moving = [k for k, flag in enumerate(rows) if flag]
    wanted = [wire.type.differentiable for wire in tree.body.outputs[:made]]
    wanted += [wire in useful and wire.type.differentiable for wire in node.outputs[tree.rows :]]
    given = [*shared, *rows * tree.reads, *elements]
    child, inputs, outputs, inner = _body(builder, tree.body, given, wanted, trace.plan)
    stacks = [k for k in range(made, len(outputs)) if inner.outputs[k] is not None]

    # The body's variables in a recurrence's order: rows read, elements, shared.
    variables = iter(inner.inputs)
    own, read, each = tree.inputs([next(variables) if flag else None for flag in given])
    block = [j * tree.rows + k for j in range(tree.writes) for k in moving]
    after = [inner.outputs[k] or Variable(outputs[k].type) for k in block]
    network = Network(
        (*_present(read), *_present(each), *_present(own)),
        tuple(inner.parts),
        (*after, *_present([inner.outputs[k] for k in stacks])),
    ).useful()

    schedule, same, _, sequences = tree.operands(operands)
    body_shared, _, body_elements = tree.inputs(inputs)
    kept = kept_of(
        child,
        network.fixed,
        dict(zip(body_shared, same, strict=True)),
        dict(zip(body_elements, sequences, strict=True)),
        outputs[made:],
    )
    operation = replace(tree, body=child.finish([*outputs, *kept.extra]))
    results = builder.add(operation, operands)
    if moving or stacks:
        map = TreeRecurrence(
            kept.cell(network), tree, tuple(schedule), kept.shared,
            kept.found(results[tree.rows :]), len(moving), len(_present(each)), len(stacks),
        )  # fmt: skip
        _, outer, initial, stacked = tree.operands(node.inputs)
        wires = [initial[k] for k in moving]
        wires += [wire for wire, variable in zip(stacked, each, strict=True) if variable]
        wires += [wire for wire, variable in zip(outer, own, strict=True) if variable]
        into = tuple(trace.variable.get(wire) or Variable(wire.type) for wire in wires)
        places = [*moving, *(tree.rows + k - made for k in stacks)]
        out_of = _results(trace, [node.outputs[k] for k in places])
        trace.parts.append(Part(map, into, out_of, builder.origin, "cata", "tree"))
    return results[: tree.rows + len(outputs) - made]


def _choose(
    builder: Builder,
    trace: _Trace,
    node: Node,
    choose: Choose,
    operands: list[Wire],
    useful: set[Wire],
) -> Sequence[Wire]:
    selector, *given = operands
    if selector.type.rank:
        raise ValueError("a choice over a batch is made after differentiation: linearize first")
    active = [wire in trace.variable for wire in node.inputs[1:]]
    wanted = [wire in useful and wire.type.differentiable for wire in node.outputs]
    bodies = [_body(builder, branch, active, wanted, trace.plan) for branch in choose.branches]
    reached = [k for k in range(len(wanted)) if any(body[3].outputs[k] for body in bodies)]

    # Residuals of a branch that are not there anyway travel in slots, which branches
    # share; a branch that has no use for a slot fills it with zeros.
    slots: list[ArrayType] = []
    placed: list[tuple[Network, Kept, list[int]]] = []
    for child, inputs, outputs, inner in bodies:
        results = tuple(inner.outputs[k] or Variable(outputs[k].type) for k in reached)
        network = Network(inner.inputs, tuple(inner.parts), results).useful()
        kept = kept_of(child, network.fixed, dict(zip(inputs, given, strict=True)), {}, outputs)
        placed.append((network, kept, seats_of(slots, kept.extra, lambda wire: wire.type)))
    branches = []
    for (child, _, outputs, _), (_, kept, seats) in zip(bodies, placed, strict=True):
        filled = dict(zip(seats, kept.extra, strict=True))
        rest = [filled.get(k) or child.zeros(type) for k, type in enumerate(slots)]
        branches.append(child.finish([*outputs, *rest]))
    made = builder.add(Choose(tuple(branches)), operands)
    if reached:
        count = len(wanted)
        residuals: list[Wire] = []
        own = []
        for _, kept, seats in placed:
            found = [
                each if not isinstance(each, int)
                else made[each] if each < count
                else made[count + seats[each - count]]
                for each in kept.stacked
            ]  # fmt: skip
            own.append(seats_of(residuals, (*kept.shared, *found), lambda wire: wire))
        cells = tuple(
            seated(kept.cell(network), where, residuals)
            for (network, kept, _), where in zip(placed, own, strict=True)
        )
        map = ChooseL(selector, cells, tuple(residuals))
        into = tuple(trace.variable[wire] for wire in node.inputs[1:] if wire in trace.variable)
        out_of = _results(trace, [node.outputs[k] for k in reached])
        trace.parts.append(Part(map, into, out_of, builder.origin, "if", "choice"))
    return made[: len(wanted)]
