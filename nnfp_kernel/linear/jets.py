"""Higher derivatives along a curve, all orders in one pass: Taylor series of a graph.

    taylor      the coefficients of t ↦ f (x + t v), of which each is a wire or zero
    laplacian   f, its derivatives along every entry of x, and the sum of its second ones

Every wire of the graph has a series, and the rule of a node makes its coefficients from
those of its operands. The rules follow from what the records already say:

    linear        each coefficient by itself
    bilinear      Cauchy's product, bₙ = Σ b (xₖ, yₙ₋ₖ)
    elementwise,  y' = φ'(x) x', whose right side is a graph: n yₙ is its coefficient n - 1,
    general       which asks for coefficients of y below n only
    discrete      nothing but the first coefficient
    loops, maps   the loop over the coefficients of its state
    Fixpoint      the fixpoint of all coefficients together

So k coefficients cost k² products, and nothing is differentiated k times.

The Laplacian carries two coefficients as well. The first is one for each direction, over
a leading axis; in the second all directions are added up, so that a product of two first
ones is a product summed over that axis.

Sources: Griewank and Walther 2008, chapter 13 (Taylor arithmetic); Bettencourt, Johnson
and Duvenaud 2019 (jets); Li et al. 2023 (forward Laplacian).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

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
from ..graph.primitive import chains_of
from .reach import reach

Coefficient = Wire | None  # None: zero


def taylor(
    builder: Builder,
    graph: Graph,
    inputs: Sequence[Wire],
    tangents: Sequence[Coefficient],
    order: int,
) -> list[list[Coefficient]]:
    """For each output of `graph`, its Taylor coefficients from 0 to `order`, along the
    line through `inputs` in the direction of `tangents`."""
    made = _Jets(builder, order).run(graph, list(map(_line, inputs, tangents)))
    return [[series.at(n) for n in range(order + 1)] for series in made]


def laplacian(
    builder: Builder,
    graph: Graph,
    inputs: Sequence[Wire],
    directions: Sequence[Coefficient],
    count: int,
) -> list[tuple[Wire, Coefficient, Coefficient]]:
    """For each output of `graph`: its value, its derivatives in the `count` directions
    (over a leading axis, as they come), and the sum of its second derivatives in them."""
    jets = _Jets(builder, 2, count)
    answers = []
    for series in jets.run(graph, list(map(_line, inputs, directions))):
        second = series.at(2)
        twice = None if second is None else jets.scaled(second, 2.0)
        answers.append((series.wire, series.at(1), twice))
    return answers


@dataclass(eq=False)
class Series:
    """The coefficients of a wire, made when they are asked for. A `still` one does not
    move: all but its value are zero. A derivative y' is `late` by one: what is its
    coefficient n is of degree n + 1 along the curve y."""

    type: ArrayType  # of a coefficient in one direction
    value: Coefficient
    still: bool = False
    late: int = 0
    known: list[Coefficient] = field(default_factory=list)  # from the first one on
    more: Callable[[int], Coefficient] | None = None

    def at(self, n: int) -> Coefficient:
        if n == 0:
            return self.value
        if self.still or (self.more is None and n > len(self.known)):
            return None
        while len(self.known) < n:
            assert self.more is not None
            self.known.append(self.more(len(self.known) + 1))
        return self.known[n - 1]

    @property
    def wire(self) -> Wire:
        assert self.value is not None
        return self.value


def _line(wire: Wire, tangent: Coefficient) -> Series:
    return Series(wire.type, wire, still=tangent is None, known=[tangent])


def _opens(call: Call, operands: Sequence[Series]) -> Sequence[int]:
    positions = call.primitive.open_positions
    return range(len(operands)) if positions is None else positions


class _Jets:
    """One pass over a graph. Of several `directions`, coefficients of degree 1 have one
    more leading axis, and those of degree 2 are sums over it."""

    def __init__(self, builder: Builder, order: int, directions: int = 0):
        self.builder, self.order, self.directions = builder, order, directions
        # Equal calls have one series: that of cos, which that of sin asks for, asks for it.
        self.calls: dict[object, Series] = {}
        self.kept: list[Series] = []  # so that no key is taken twice

    def run(self, graph: Graph, inputs: Sequence[Series]) -> list[Series]:
        place = dict(zip(graph.inputs, inputs, strict=True))
        before = self.builder.origin
        for node in graph.nodes:
            self.builder.origin = node.origin or before
            made = self._node(node, [place[wire] for wire in node.inputs])
            place.update(zip(node.outputs, made, strict=True))
        self.builder.origin = before
        return [place[wire] for wire in graph.outputs]

    def _node(self, node: Node, operands: list[Series]) -> Sequence[Series]:
        match node.operation:
            case Constant(value, type):
                return [Series(type, self.builder.constant(value, type.kind), still=True)]
            case Call() as call:
                return [self._call(call, operands)]
        if all(series.still for series in operands):
            made = self.builder.add(node.operation, [series.wire for series in operands])
            return [Series(wire.type, wire, still=True) for wire in made]
        match node.operation:
            case Map() as each:
                return self._map(each, operands)
            case Loop() as loop:
                return self._loop(loop, operands)
            case While() as loop:
                return self._while(loop, operands)
            case Fixpoint() as fixpoint:
                return self._fixpoint(fixpoint, operands)
            case TreeLoop() as tree:
                return self._tree_loop(tree, operands)
            case Choose() as choose:
                return self._choose(choose, operands)
            case other:
                raise AssertionError(f"no Taylor series of {other}")

    # --- primitives ---------------------------------------------------------------------------

    def _call(self, call: Call, operands: list[Series]) -> Series:
        parameters = tuple(sorted(call.parameters.items()))
        key = (call.primitive.name, parameters, *map(id, operands))
        if key not in self.calls:
            self.kept += operands
            self.calls[key] = self._made(call, operands)
        return self.calls[key]

    def _made(self, call: Call, operands: list[Series]) -> Series:
        kind, opens = call.primitive.kind, _opens(call, operands)
        type = call.primitive.result(call.parameters, [series.type for series in operands])
        lates = [series.late for series in operands]
        late = sum(lates) if kind == "bilinear" else max(lates, default=0)
        still = kind == "discrete" or all(series.still for series in operands)
        result = Series(type, None, still, late)
        if kind == "linear":
            result.more = lambda n: self._emit(
                call, operands, [n if k in opens else 0 for k in range(len(operands))]
            )
            result.value = result.more(0)
        elif kind == "bilinear":
            result.more = lambda n: self._product(call, operands, n)
            result.value = result.more(0)
        else:
            result.value = self._emit(call, operands, [0] * len(operands))
            result.more = self._by_derivative(call, operands, result)
        return result

    def _product(self, call: Call, operands: list[Series], n: int) -> Coefficient:
        """Cauchy's product."""
        one, other = _opens(call, operands)
        total: Coefficient = None
        for k in range(n + 1):
            orders = [0] * len(operands)
            orders[one], orders[other] = k, n - k
            term = self._emit(call, operands, orders)
            if term is not None:
                total = term if total is None else self.builder.emit("add", total, term)
        return total

    def _emit(self, call: Call, operands: list[Series], orders: list[int]) -> Coefficient:
        """The primitive at these coefficients; zero, where it has to be."""
        primitive, builder, opens = call.primitive, self.builder, _opens(call, operands)
        wires = [series.at(n) for series, n in zip(operands, orders, strict=True)]
        missing = [k for k in opens if wires[k] is None]
        if primitive.kind == "bilinear" and missing:
            return None
        if primitive.kind == "linear" and len(missing) == len(opens):
            return None
        flags = [
            wire is not None and self._spread(series, n)
            for wire, series, n in zip(wires, operands, orders, strict=True)
        ]
        given = [
            builder.zeros(series.type) if wire is None else wire
            for wire, series in zip(wires, operands, strict=True)
        ]
        if not any(flags):
            return builder.emit(primitive.name, *given, **call.parameters)
        made = primitive.batch(builder, call.parameters, given, flags, self.directions)
        if primitive.kind == "bilinear" and sum(flags) == 2:
            return builder.emit("sum", made, axes=(0,))
        return made

    def _spread(self, series: Series, n: int) -> bool:
        """Whether a coefficient has one more axis, of the directions."""
        return self.directions > 0 and not series.still and n + series.late == 1

    def _by_derivative(
        self, call: Call, operands: list[Series], result: Series
    ) -> Callable[[int], Coefficient]:
        """n yₙ = the coefficient n - 1 of y', a graph of the operands, of y and of x'."""
        slope: list[Series | None] = []

        def more(n: int) -> Coefficient:
            if not slope:
                slope.append(self._slope(call, operands, result))
            found = None if slope[0] is None else slope[0].at(n - 1)
            return None if found is None else self.scaled(found, 1 / n)

        return more

    def _slope(self, call: Call, operands: list[Series], result: Series) -> Series | None:
        primitive, child = call.primitive, Builder(self.builder.primitives)
        child.origin = self.builder.origin
        wires = [child.input(series.type) for series in operands]
        output = child.input(result.type)
        moving = [k for k, series in enumerate(operands) if not series.still]
        rates = {k: child.input(wires[k].type) for k in moving}
        terms: list[Wire] = []
        if primitive.kind == "elementwise":
            assert primitive.partials is not None, f"{primitive.name} has no partials"
            factors = primitive.partials(child, wires, output)
            for k, rate in rates.items():
                if (factor := factors[k]) is not None:
                    terms.append(child.emit("mul", factor, rate))
        else:
            assert primitive.differential is not None, f"{primitive.name} has no differential"
            chains = primitive.differential(child, call.parameters, wires, output)
            for k, rate in rates.items():
                for steps in chains_of(chains[k]):
                    term = rate
                    for step in steps:
                        fixed = [
                            child.zeros(f) if isinstance(f, ArrayType) else f for f in step.fixed
                        ]
                        fixed.insert(step.position, term)
                        term = child.emit(step.primitive, *fixed, **step.parameters)
                    terms.append(term)
        if not terms:
            return None
        total = terms[0]
        for term in terms[1:]:
            total = child.emit("add", total, term)
        given = [*operands, result, *(self._rate(operands[k]) for k in moving)]
        return self.run(child.finish([total]), given)[0]

    def _rate(self, series: Series) -> Series:
        """x', whose coefficient n is (n + 1) xₙ₊₁."""

        def each(n: int) -> Coefficient:
            found = series.at(n + 1)
            return None if found is None else self.scaled(found, n + 1.0)

        return Series(series.type, each(0), late=series.late + 1, more=each)

    def scaled(self, wire: Wire, factor: float) -> Wire:
        if factor == 1:
            return wire
        number = self.builder.constant(factor, wire.type.kind)
        shape = wire.type.shape
        spread = self.builder.emit("broadcast", number, shape=shape, axes=()) if shape else number
        return self.builder.emit("mul", spread, wire)

    # --- maps, loops and branches -----------------------------------------------------------------

    def _moving(self, body: Graph, flags: Sequence[bool], first: int, count: int) -> list[bool]:
        """Which of a body's inputs move, of which `count` from `first` on are its state:
        the least fixed point over it."""
        given = list(flags)
        while True:
            after = reach(body, given)[:count]
            state = [a or b for a, b in zip(given[first : first + count], after, strict=True)]
            if state == given[first : first + count]:
                return given
            given[first : first + count] = state

    def _map(self, each: Map, operands: list[Series]) -> list[Series]:
        body = _Body(self)
        given = [body.enter(s, along=k >= each.shared) for k, s in enumerate(operands)]
        shared = sum(len(body.there(s)) for s in operands[: each.shared])
        made = body.inner.run(each.body, given)
        outputs, forms = body.leave(made)
        operation = Map(body.child.finish(outputs), shared, each.length)
        return body.results(forms, self.builder.add(operation, body.operands), along=True)

    def _loop(self, loop: Loop, operands: list[Series]) -> list[Series]:
        shared, initial, sequences, rounds = loop.operands(operands)
        flags = [not series.still for series in (*shared, *initial, *sequences)]
        moving = self._moving(loop.body, flags, loop.shared, loop.carried)[loop.shared :]
        body = _Body(self)
        given = [body.enter(series) for series in shared]
        count = len(body.operands)
        given += [body.enter(s, full=flag) for s, flag in zip(initial, moving, strict=False)]
        carried = len(body.operands) - count
        given += [body.enter(series, along=True) for series in sequences]
        made = body.inner.run(loop.body, given)
        state, forms = body.leave(made[: loop.carried], moving)
        stacked, further = body.leave(made[loop.carried :])
        graph = body.child.finish([*state, *stacked])
        operation = replace(loop, body=graph, shared=count, carried=carried)
        wires = self.builder.add(operation, [*body.operands, *(s.wire for s in rounds)])
        final = body.results(forms, wires[:carried])
        return [*final, *body.results(further, wires[carried:], along=True)]

    def _while(self, loop: While, operands: list[Series]) -> list[Series]:
        first = loop.shared
        flags = [not series.still for series in operands]
        whole = self._moving(
            loop.body, [*flags[:first], False, *flags[first:]], first + 1, loop.carried
        )
        moving = whole[first + 1 :]
        body = _Body(self)
        given = [body.enter(series) for series in operands[:first]]
        count = len(body.operands)
        number = body.child.input(ArrayType("Int"))
        given.append(Series(number.type, number, still=True))
        given += [body.enter(s, full=f) for s, f in zip(operands[first:], moving, strict=True)]
        made = body.inner.run(loop.body, given)
        outputs, forms = body.leave(made, moving)
        graph = body.child.finish(outputs)
        # The condition looks at values alone.
        values = {
            series.wire: seen for series, seen in zip(given, loop.condition.inputs, strict=True)
        }
        inputs = tuple(values.get(wire) or Wire(wire.type) for wire in graph.inputs)
        condition = Graph(inputs, loop.condition.nodes, loop.condition.outputs)
        operation = While(condition, graph, count, len(outputs), loop.most)
        rounds, *final = self.builder.add(operation, body.operands)
        return [Series(rounds.type, rounds, still=True), *body.results(forms, final)]

    def _fixpoint(self, fixpoint: Fixpoint, operands: list[Series]) -> list[Series]:
        """All coefficients together are the fixpoint of the step over coefficients; those
        of the start do not matter."""
        first = fixpoint.shared
        start = [replace(s, still=True, known=[], more=None) for s in operands[first:]]
        flags = [not series.still for series in (*operands[:first], *start)]
        moving = self._moving(fixpoint.body, flags, first, fixpoint.carried)[first:]
        body = _Body(self)
        given = [body.enter(series) for series in operands[:first]]
        count = len(body.operands)
        given += [body.enter(s, full=flag) for s, flag in zip(start, moving, strict=True)]
        made = body.inner.run(fixpoint.body, given)
        outputs, forms = body.leave(made, moving)
        graph = body.child.finish(outputs)
        # A linear one stays so; but the coefficients depend on each other one way only.
        operation = replace(
            fixpoint, body=graph, shared=count, carried=len(outputs), positive=False
        )
        *final, reached = self.builder.add(operation, body.operands)
        return [*body.results(forms, final), Series(reached.type, reached, still=True)]

    def _tree_loop(self, tree: TreeLoop, operands: list[Series]) -> list[Series]:
        schedule, shared, initial, sequences = tree.operands(operands)
        moving = [wire.type.differentiable for wire in tree.body.outputs[: tree.rows]]
        body = _Body(self)
        given = [body.enter(series) for series in shared]
        count = len(body.operands)
        rows = [body.outside(s, full=f, along=True) for s, f in zip(initial, moving, strict=True)]
        size = len(body.operands) - count
        for _ in range(tree.reads):
            given += [body.lane(row, tree.width) for row in rows]
        given += [body.enter(series, along=True) for series in sequences]
        made = body.inner.run(tree.body, given)
        block = tree.writes * tree.rows
        outputs, forms = body.leave(made[:block], moving * tree.writes, lanes=True)
        stacked, further = body.leave(made[block:])
        graph = body.child.finish([*outputs, *stacked])
        operation = replace(tree, body=graph, shared=count, rows=size)
        wires = self.builder.add(operation, [*(s.wire for s in schedule), *body.operands])
        final = body.results(forms[: tree.rows], wires[:size], along=True)
        return [*final, *body.results(further, wires[size:], along=True)]

    def _choose(self, choose: Choose, operands: list[Series]) -> list[Series]:
        selector, *rest = operands
        if selector.type.rank:
            raise ValueError("a choice over a batch is made after differentiation")
        flags = [not series.still for series in rest]
        found = [reach(branch, flags) for branch in choose.branches]
        moving = [any(column) for column in zip(*found, strict=True)]
        branches = []
        for branch in choose.branches:
            body = _Body(self)
            made = body.inner.run(branch, [body.enter(series) for series in rest])
            outputs, forms = body.leave(made, moving)
            branches.append(body.child.finish(outputs))
        operation = Choose(tuple(branches))
        wires = self.builder.add(operation, [selector.wire, *body.operands])
        return body.results(forms, wires)


Form = tuple[ArrayType, list[int]]  # a value's type, and which coefficients there are


class _Body:
    """The body of a structured node over coefficients: what it is given outside, and the
    series of its inputs and outputs. A coefficient of all directions has their axis in
    front inside; outside the axis of what the node goes along comes before it."""

    def __init__(self, jets: _Jets):
        self.jets = jets
        self.child = Builder(jets.builder.primitives)
        self.child.origin = jets.builder.origin
        self.inner = _Jets(self.child, jets.order, jets.directions)
        self.operands: list[Wire] = []

    def there(self, series: Series, full: bool = False) -> list[int]:
        """Which coefficients there are; all of them, of a state that moves."""
        orders = range(1 if series.still and not full else self.jets.order + 1)
        return [n for n in orders if full or series.at(n) is not None]

    def outside(self, series: Series, *, full: bool = False, along: bool = False) -> Form:
        """The coefficients as operands of the node."""
        orders = self.there(series, full)
        for n in orders:
            wire = series.at(n)
            if wire is None:
                wire = self.jets.builder.zeros(self._type(series.type, n))
            if along and self._all(n):
                wire = _exchanged(self.jets.builder, wire)
            self.operands.append(wire)
        return series.type, orders

    def enter(self, series: Series, *, full: bool = False, along: bool = False) -> Series:
        """The coefficients as operands, and as inputs of the body."""
        type, orders = self.outside(series, full=full, along=along)
        inside = type.element() if along else type
        return self._series(inside, {n: self.child.input(self._type(inside, n)) for n in orders})

    def lane(self, row: Form, width: int) -> Series:
        """A row that a tree loop reads: `width` of them, for each of all directions."""
        type = ArrayType(row[0].kind, (width, *row[0].shape[1:]))
        found = {}
        for n in row[1]:
            shape = type.shape
            if self._all(n):
                wire = self.child.input(
                    ArrayType(type.kind, (width, self.jets.directions, *shape[1:]))
                )
                found[n] = _exchanged(self.child, wire)
            else:
                found[n] = self.child.input(type)
        return self._series(type, found)

    def leave(
        self, made: Sequence[Series], full: Sequence[bool] = (), lanes: bool = False
    ) -> tuple[list[Wire], list[Form]]:
        """The coefficients as outputs of the body."""
        outputs, forms = [], []
        for k, series in enumerate(made):
            orders = self.there(series, k < len(full) and full[k])
            for n in orders:
                wire = series.at(n)
                if wire is None:
                    wire = self.child.zeros(self._type(series.type, n))
                outputs.append(_exchanged(self.child, wire) if lanes and self._all(n) else wire)
            forms.append((series.type, orders))
        return outputs, forms

    def results(
        self, forms: Sequence[Form], wires: Sequence[Wire], along: bool = False
    ) -> list[Series]:
        """The series that outputs of the node are the coefficients of."""
        supply, found = iter(wires), []
        for _, orders in forms:
            each = {n: next(supply) for n in orders}
            if along:
                for n, wire in each.items():
                    each[n] = _exchanged(self.jets.builder, wire) if self._all(n) else wire
            found.append(self._series(each[0].type, each))
        return found

    def _series(self, type: ArrayType, found: dict[int, Wire]) -> Series:
        known = [found.get(n) for n in range(1, self.jets.order + 1)]
        return Series(type, found[0], still=all(wire is None for wire in known), known=known)

    def _all(self, n: int) -> bool:
        """Whether a coefficient is one for each of all directions."""
        return self.jets.directions > 0 and n == 1

    def _type(self, type: ArrayType, n: int) -> ArrayType:
        return type.over(self.jets.directions) if self._all(n) else type


def _exchanged(builder: Builder, wire: Wire) -> Wire:
    """The two leading axes exchanged."""
    permutation = (1, 0, *range(2, wire.type.rank))
    return builder.emit("transpose", wire, permutation=permutation)
