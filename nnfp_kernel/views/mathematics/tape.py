"""A tape of quantities: how each is computed, how its differential and its cotangent are.

Mathematics at the level of a program's own names. A `Quantity` is a vector that a formula
can name; an `Operation` makes quantities of quantities and knows its value, its tangent
and its cotangents as formulas. A `Pass` walks the tape, forwards for the values and the
differentials, backwards for the cotangents, and writes a line for every quantity that has
a name. What has none is written out where it is used.

    Rule         a formula with its derivative: y = tanh a, dy = (1 - y²) ⊙ da
    Recurrence   a state and elements: s_t = …, ds_t = …, and backwards for the adjoint
    Choice       a case distinction
    Recursion    a tree: y_{Node l r} = … of y_l and y_r

Elementwise rules are the primitives' own partials, so that no derivative is said twice.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, TypeVar

from ...language import types as t
from . import formula as m
from .formula import Formula

T = TypeVar("T")


@dataclass(eq=False)
class Quantity:
    """A vector of the tape. Without a name it is written out where it is used."""

    type: t.Type
    name: Formula | None = None
    maker: Operation | None = None
    place: int = 0  # among its maker's outputs
    role: str = ""  # "input", "weight" or, for what does not vary, "constant"
    indices: tuple[Formula, ...] = ()  # of the loops it is made in
    per: Formula | None = None  # the index of a loop that has one for each value of it

    def shown(self) -> Formula:
        if self.name is not None:
            return self.name
        assert self.maker is not None, "what no operation makes has a name"
        return self.maker.value(self.place)

    @property
    def bar(self) -> Formula:
        assert self.name is not None
        return m.barred(self.name)


@dataclass(frozen=True)
class Factor:
    formula: Formula
    entrywise: bool


@dataclass(frozen=True)
class Term:
    """A tangent or cotangent times factors, the first applied first."""

    base: Formula
    factors: tuple[Factor, ...] = ()


def _grouped(items: Iterable[T], key: Callable[[T], Hashable]) -> dict[Any, list[T]]:
    groups: dict[Any, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _scaled(factor: Factor, formula: Formula) -> Formula:
    return (m.entrywise if factor.entrywise else m.product)(factor.formula, formula)


def _coefficients(lists: Sequence[tuple[Factor, ...]]) -> Formula:
    """The sum of products of factors, the first ones taken out where they are shared."""
    total: Formula = m.ZERO
    for (*first,), group in _grouped(lists, lambda factors: factors[:1]).items():
        if not first:
            total = m.plus(total, m.Digits(str(len(group))))
            continue
        inner = _coefficients([factors[1:] for factors in group])
        wide = any(factor.entrywise for factors in group for factor in factors[1:])
        together = first[0].entrywise and wide
        total = m.plus(total, m.coefficient(inner, first[0].formula, together))
    return total


@dataclass(frozen=True)
class Linear:
    """A sum of terms: a differential or a cotangent on its way."""

    terms: tuple[Term, ...]

    @classmethod
    def of(cls, base: Formula) -> Linear:
        return cls((Term(base),))

    def times(self, formula: Formula, entrywise: bool) -> Linear:
        factor = Factor(formula, entrywise)
        return Linear(tuple(replace(term, factors=(*term.factors, factor)) for term in self.terms))

    def through(self, function: Callable[[Formula], Formula]) -> Linear:
        """A linear function of the sum as a whole."""
        return Linear.of(function(self.formula()))

    def negative(self) -> Linear:
        return self.times(m.negative(m.ONE), False)

    def formula(self) -> Formula:
        """The sum, with what its terms have in common taken out: (1/x₁ + x₂) dx₁."""
        total: Formula = m.ZERO
        rest: list[Term] = []
        groups = _grouped(self.terms, lambda term: term.factors[-1:])
        for (*factors,), group in groups.items():
            if not factors or len(group) < 2 or len({term.base for term in group}) < 2:
                rest += group
                continue
            inner = Linear(tuple(replace(term, factors=term.factors[:-1]) for term in group))
            total = m.plus(total, _scaled(factors[0], inner.formula()))
        for (base,), group in _grouped(rest, lambda term: (term.base,)).items():
            lists = [term.factors for term in group]
            entrywise = dict.fromkeys(any(f.entrywise for f in factors) for factors in lists)
            for wide in entrywise:
                own = [fs for fs in lists if any(f.entrywise for f in fs) == wide]
                whole = Factor(_coefficients(own), wide)
                total = m.plus(total, _scaled(whole, base))
        return total


Change: TypeAlias = Linear | None  # None: zero


def plus(a: Change, b: Change) -> Change:
    if a is None or b is None:
        return a or b
    return Linear(a.terms + b.terms)


class Operation(ABC):
    """How some quantities are made of others."""

    inputs: tuple[Quantity, ...]
    outputs: tuple[Quantity, ...] = ()

    @abstractmethod
    def value(self, place: int) -> Formula:
        """The formula of an output, in the quantities it is made of."""

    def values(self, walk: Pass) -> None:
        """Lines for the outputs that have names."""
        for quantity in self.outputs:
            if quantity.name is not None and quantity in walk.wanted:
                walk.line(quantity.name, self.value(quantity.place))

    @abstractmethod
    def tangents(self, walk: Pass, given: list[Change]) -> list[Change]:
        """The differentials of the outputs, of those of the inputs."""

    @abstractmethod
    def cotangents(self, walk: Pass, bars: list[Change]) -> list[Change]:
        """The cotangents of the inputs, of those of the outputs."""


@dataclass(eq=False)
class Rule(Operation):
    """One formula with its derivative."""

    inputs: tuple[Quantity, ...]
    formula: Callable[[int], Formula]
    forward: Callable[[Pass, list[Change]], list[Change]]
    backward: Callable[[Pass, list[Change]], list[Change]]
    # Of several outputs: their value, and their differential, said in one line.
    joint: Callable[[], Formula] | None = None
    jointly: Callable[[list[Change]], Change] | None = None

    def value(self, place: int) -> Formula:
        return self.formula(place)

    @property
    def together(self) -> tuple[Formula, ...] | None:
        """The names of the outputs, where they are said in one line."""
        names = tuple(q.name for q in self.outputs if q.name is not None)
        return names if self.joint and len(names) == len(self.outputs) > 1 else None

    def values(self, walk: Pass) -> None:
        if self.together and self.joint:
            walk.line(m.tupled(self.together), self.joint())
        else:
            super().values(walk)

    def tangents(self, walk: Pass, given: list[Change]) -> list[Change]:
        return self.forward(walk, given)

    def cotangents(self, walk: Pass, bars: list[Change]) -> list[Change]:
        return self.backward(walk, bars)


@dataclass(eq=False)
class Block:
    """Operations in their order; `index` where they are done for every value of it."""

    index: Formula | None = None
    range: Formula | None = None
    operations: list[Operation] = field(default_factory=list)

    def everywhere(self) -> Iterator[Operation]:
        for operation in self.operations:
            yield operation
            for block in blocks_of(operation):
                yield from block.everywhere()

    def outside(self) -> list[Quantity]:
        """The quantities of enclosing blocks that it refers to, each once."""
        own = {q for operation in self.everywhere() for q in operation.outputs}
        own |= {q for operation in self.everywhere() for q in placeholders(operation)}
        used = [q for operation in self.everywhere() for q in operation.inputs]
        return [q for q in dict.fromkeys(used) if q not in own]


@dataclass(frozen=True)
class Line:
    """left = right, said for the values in `range` of an index."""

    left: Formula
    right: Formula
    sign: str = "="
    range: Formula | None = None
    of: str = ""  # the role of what is on the left: "weight", "input"

    @property
    def formula(self) -> Formula:
        return m.equation(self.left, self.right, self.sign)


class Pass:
    """One walk over the tape, which writes lines.

    `asked` collects the quantities that should have a name, for the formulas would be
    long without: the reader names them and the walk is done again.
    """

    LONG = 30

    def __init__(self, wanted: set[Quantity], varied: set[Quantity]) -> None:
        self.wanted = wanted
        self.varied = varied  # what differentials and cotangents are asked for
        self.lines: list[Line] = []
        self.asked: list[Quantity] = []
        self.change: dict[Quantity, Change] = {}
        self.elements: dict[Quantity, list[tuple[Formula, Formula | None, Linear]]] = {}
        self.range: Formula | None = None

    def line(self, left: Formula, right: Formula, sign: str = "=", of: str = "") -> None:
        self.lines.append(Line(left, right, sign, self.range, of))

    def ask(self, quantity: Quantity, most: int) -> None:
        """Ask for a name where the formula is longer than `most` atoms, or is a sum."""
        if quantity.name is None:
            shown = quantity.shown()
            if m.size_of(shown) > most or m.has_sum(shown):
                self.asked.append(quantity)

    # --- forwards

    def values(self, block: Block) -> None:
        for operation in block.operations:
            if not self.wanted.isdisjoint(operation.outputs):
                operation.values(self)
                for quantity in operation.outputs:
                    if quantity.name is None and m.size_of(quantity.shown()) > self.LONG:
                        self.asked.append(quantity)

    def forwards(self, block: Block) -> None:
        for operation in block.operations:
            given = [self.change.get(quantity) for quantity in operation.inputs]
            if self.wanted.isdisjoint(operation.outputs) or not any(given):
                continue
            made = operation.tangents(self, given)
            if isinstance(operation, Rule) and operation.jointly and operation.together:
                whole = operation.jointly(given)
                symbols = [m.differential(name) for name in operation.together]
                if whole is not None:
                    self.line(m.tupled(symbols), whole.formula())
                made = [change and Linear.of(d) for change, d in zip(made, symbols, strict=True)]
            for quantity, change in zip(operation.outputs, made, strict=True):
                if change is None:
                    continue
                self.change[quantity] = change
                if quantity.name is not None:
                    symbol = m.differential(quantity.name)
                    if change != Linear.of(symbol):
                        self.line(symbol, change.formula())
                    self.change[quantity] = Linear.of(symbol)

    # --- backwards

    def contribute(self, quantity: Quantity, bar: Change) -> None:
        if bar is not None and quantity in self.varied:
            self.change[quantity] = plus(bar, self.change.get(quantity))  # as in the program

    def backwards(self, block: Block) -> None:
        for operation in reversed(block.operations):
            bars = [self.total(quantity) for quantity in operation.outputs]
            if any(bars) and not self.varied.isdisjoint(operation.inputs):
                found = operation.cotangents(self, bars)
                for quantity, bar in zip(operation.inputs, found, strict=True):
                    self.contribute(quantity, bar)

    def total(self, quantity: Quantity) -> Change:
        """The cotangent of a quantity, now that all contributions are there."""
        if quantity in self.elements:
            return self._of_elements(quantity)
        total = self.change.get(quantity)
        if total is None or quantity not in self.varied:
            return None
        if isinstance(quantity.maker, Element | Equation):  # they say it in lines of their own
            return total
        if quantity.name is None:
            several = quantity.maker is not None and len(quantity.maker.inputs) > 1
            if several and len(total.terms) > 1 and m.size_of(total.formula()) > 12:
                self.asked.append(quantity)
            return total
        symbol = quantity.bar
        if total != Linear.of(symbol):
            seeded = [term for term in total.terms if term == Term(symbol)]
            rest = Linear(tuple(term for term in total.terms if term != Term(symbol)))
            self.line(symbol, rest.formula(), "+=" if seeded else "=", quantity.role)
        return Linear.of(symbol)

    def _of_elements(self, quantity: Quantity) -> Change:
        """The cotangent of a sequence, said element by element."""
        found = self.elements.pop(quantity)
        whole = self.change.pop(quantity, None)
        before = self.range
        for number, (element, range, bar) in enumerate(found):
            total: Change = bar
            if whole is not None and not number and isinstance(element, m.Script):
                assert element.sub is not None
                part = m.indexed(whole.formula(), element.sub)
                total = plus(Linear.of(part), bar)
            assert total is not None
            windowed = isinstance(element, m.Script) and m.Sign("…") in _atoms(element.sub)
            self.range = range
            several = windowed or number > 0
            sign = "+=" if several else "="
            self.line(m.barred(element), total.formula(), sign, quantity.role)
        self.range = before
        return Linear.of(quantity.bar)


def _atoms(formula: Formula | None) -> list[Formula]:
    if formula is None:
        return []
    inside = m.parts(formula)
    return [each for part in inside for each in _atoms(part)] if inside else [formula]


# --- rules --------------------------------------------------------------------------------


def alias(quantity: Quantity) -> Rule:
    """The same under another name."""
    return Rule(
        (quantity,), lambda _: quantity.shown(), lambda _, given: given, lambda _, bars: bars
    )


@dataclass(eq=False)
class Element(Rule):
    """An element of a sequence: x_t, whose cotangent is a part of the sequence's."""

    def values(self, walk: Pass) -> None:
        pass


def element(sequence: Quantity, index: Formula, range: Formula, type: t.Type) -> Quantity:
    """The element of a sequence at an index, or its window there: x_t."""

    def backward(walk: Pass, bars: list[Change]) -> list[Change]:
        (bar,) = bars
        if bar is not None and sequence in walk.varied:
            walk.elements.setdefault(sequence, []).append((made.shown(), range, bar))
        return [None]

    def forward(_: Pass, given: list[Change]) -> list[Change]:
        return [None if given[0] is None else Linear.of(m.differential(made.shown()))]

    rule = Element((sequence,), lambda _: m.indexed(sequence.shown(), index), forward, backward)
    made = Quantity(type, None, rule)
    rule.outputs = (made,)
    return made


# --- blocks of operations -----------------------------------------------------------------


@dataclass(eq=False)
class Recurrence(Operation):
    """A block done for every index, with a state that goes from one to the next.

    `before` are the states a step is given, `after` those it makes; `initial` and `final`
    those at the ends. `each` are a step's outputs, of which `stacked` are the sequences.
    """

    inputs: tuple[Quantity, ...]  # the initial states, then what the block refers to
    block: Block
    initial: tuple[Quantity, ...]
    starts: tuple[Formula, ...]  # the names of the initial states: s_0
    before: tuple[Quantity, ...]
    after: tuple[Quantity, ...]
    each: tuple[Quantity, ...]
    outputs: tuple[Quantity, ...] = ()  # the final states, then the stacked outputs

    def value(self, place: int) -> Formula:
        raise AssertionError("what a recurrence makes has a name")

    def values(self, walk: Pass) -> None:
        for start, quantity in zip(self.starts, self.initial, strict=True):
            walk.line(start, quantity.shown())
        with _within(walk, self.block):
            walk.values(self.block)

    def tangents(self, walk: Pass, given: list[Change]) -> list[Change]:
        count = len(self.initial)
        for start, change, before in zip(self.starts, given, self.before, strict=False):
            formula = m.ZERO if change is None else change.formula()
            walk.line(m.differential(start), formula)
            assert before.name is not None
            walk.change[before] = Linear.of(m.differential(before.name))
        with _within(walk, self.block):
            walk.forwards(self.block)
        made: list[Change] = []
        for place, quantity in enumerate(self.outputs):
            assert quantity.name is not None
            still = place >= count and walk.change.get(self.each[place - count]) is None
            made.append(None if still else Linear.of(m.differential(quantity.name)))
        return made

    def cotangents(self, walk: Pass, bars: list[Change]) -> list[Change]:
        count = len(self.initial)
        for final, bar, after in zip(self.outputs, bars, self.after, strict=False):
            if bar is None:
                walk.line(final.bar, m.ZERO)
            walk.change[after] = Linear.of(after.bar)
            walk.varied.add(after)
        for quantity, bar in zip(self.each, bars[count:], strict=True):
            if bar is not None:
                walk.change[quantity] = plus(walk.change.get(quantity), Linear.of(quantity.bar))
        index = self.block.index
        assert index is not None
        outer = _outer(walk, self.block, self.before)
        found: dict[Quantity, Change] = {}
        for quantity, bar in outer.items():
            if bar is not None and quantity.per != index:
                bar = bar.through(lambda f: m.summed(f, index))
            found[quantity] = bar
        starts: list[Change] = [Linear.of(m.barred(start)) for start in self.starts]
        return [*starts, *(found.get(quantity) for quantity in self.inputs[count:])]


@dataclass(eq=False)
class Equation(Operation):
    """A state that its block leaves as it is: s = f(s, x), whose differential is the
    solution of ds = D f (ds, dx), and whose cotangent that of s̄ = ȳ + D₁ f† s̄."""

    inputs: tuple[Quantity, ...]  # what the block refers to
    block: Block
    before: tuple[Quantity, ...]  # the state, as the block is given it and as it leaves it
    after: tuple[Quantity, ...]
    outputs: tuple[Quantity, ...] = ()

    def value(self, place: int) -> Formula:
        raise AssertionError("what solves an equation has a name")

    def values(self, walk: Pass) -> None:
        walk.values(self.block)

    def tangents(self, walk: Pass, given: list[Change]) -> list[Change]:
        moved = [Linear.of(m.differential(q.name)) for q in self.before if q.name is not None]
        walk.change |= dict(zip(self.before, moved, strict=True))
        walk.forwards(self.block)
        return list(moved)

    def cotangents(self, walk: Pass, bars: list[Change]) -> list[Change]:
        for after in self.after:
            walk.change[after] = Linear.of(after.bar)
            walk.varied.add(after)
        place = len(walk.lines)
        outside = _outer(walk, self.block, ())
        for state, bar in zip(reversed(self.before), reversed(bars), strict=True):
            total = plus(bar, outside.get(state))
            formula = m.ZERO if total is None else total.formula()
            walk.lines.insert(place, Line(state.bar, formula, "=", walk.range))
        return [outside.get(quantity) for quantity in self.inputs]


@dataclass(eq=False)
class Choice(Operation):
    """One of several blocks, by conditions of which one holds."""

    inputs: tuple[Quantity, ...]
    branches: tuple[tuple[Formula, Formula, Block, tuple[Quantity, ...]], ...]
    outputs: tuple[Quantity, ...] = ()

    def value(self, place: int) -> Formula:
        return m.Cases(tuple((made[place].shown(), said) for said, _, _, made in self.branches))

    def values(self, walk: Pass) -> None:
        for _, _, block, _ in self.branches:
            walk.values(block)
        super().values(walk)

    def tangents(self, walk: Pass, given: list[Change]) -> list[Change]:
        for _, _, block, _ in self.branches:
            walk.forwards(block)
        made: list[Change] = []
        for place in range(len(self.outputs)):
            changes = [walk.change.get(results[place]) for *_, results in self.branches]
            rows = tuple(
                (m.ZERO if change is None else change.formula(), branch[0])
                for change, branch in zip(changes, self.branches, strict=True)
            )
            made.append(Linear.of(m.Cases(rows)) if any(changes) else None)
        return made

    def cotangents(self, walk: Pass, bars: list[Change]) -> list[Change]:
        found: dict[Quantity, Change] = {}
        for _, condition, block, results in self.branches:
            factor = m.Fenced("[", condition, "]")
            outer_results = _seeded(walk, block, results, bars)
            for quantity, bar in outer_results.items():
                if bar is not None:
                    found[quantity] = plus(found.get(quantity), bar.times(factor, False))
        return [found.get(quantity) for quantity in self.inputs]


@dataclass(eq=False)
class Recursion(Operation):
    """A value for every node of a tree, made of those of its children."""

    inputs: tuple[Quantity, ...]  # the tree, then what the blocks refer to
    # Of each constructor: its fields as a pattern shows them, the block, what it makes,
    # the children's results, the payload.
    cases: tuple[
        tuple[Formula, Block, tuple[Quantity, ...], tuple[Quantity, ...], tuple[Quantity, ...]], ...
    ]
    outputs: tuple[Quantity, ...] = ()

    def value(self, place: int) -> Formula:
        raise AssertionError("what a recursion makes has a name")

    def values(self, walk: Pass) -> None:
        for _, block, _, _, _ in self.cases:
            walk.values(block)

    def tangents(self, walk: Pass, given: list[Change]) -> list[Change]:
        for _, block, _, children, payload in self.cases:
            for quantity in (*children, *payload):
                if quantity in walk.varied:
                    assert quantity.name is not None
                    walk.change[quantity] = Linear.of(m.differential(quantity.name))
            walk.forwards(block)
        return [Linear.of(m.differential(q.name)) for q in self.outputs if q.name is not None]

    def cotangents(self, walk: Pass, bars: list[Change]) -> list[Change]:
        found: dict[Quantity, Change] = {}
        for said, block, results, children, payload in self.cases:
            for quantity in results:
                walk.change[quantity] = Linear.of(quantity.bar)
                walk.varied.add(quantity)
            for quantity, bar in _outer(walk, block, (*children, *payload)).items():
                if bar is not None:
                    below = said
                    total = bar.through(lambda f, below=below: m.summed(f, below))  # type: ignore[misc]
                    found[quantity] = plus(found.get(quantity), total)
        tree: Change = None
        if self.inputs[0].name is not None:
            tree = Linear.of(self.inputs[0].bar)
        return [tree, *(found.get(quantity) for quantity in self.inputs[1:])]


def _outer(walk: Pass, block: Block, given: Sequence[Quantity]) -> dict[Quantity, Change]:
    """The block backwards: what it contributes to the quantities outside, and lines for
    those it is given."""
    outside = block.outside()
    kept = {quantity: walk.change.pop(quantity, None) for quantity in outside}
    with _within(walk, block):
        walk.backwards(block)
        for quantity in given:
            walk.total(quantity)
    found = {quantity: walk.change.pop(quantity, None) for quantity in outside}
    walk.change |= {quantity: bar for quantity, bar in kept.items() if bar is not None}
    return found


def _seeded(
    walk: Pass, block: Block, results: Sequence[Quantity], bars: Sequence[Change]
) -> dict[Quantity, Change]:
    """What a block contributes outside, where its results have the cotangents `bars`."""
    outside = list(dict.fromkeys([*block.outside(), *results]))
    kept = {quantity: walk.change.pop(quantity, None) for quantity in outside}
    for quantity, bar in zip(results, bars, strict=True):
        walk.contribute(quantity, bar)
    own = {q for operation in block.everywhere() for q in operation.outputs}
    walk.backwards(block)
    found = {q: walk.change.pop(q, None) for q in outside if q not in own}
    walk.change |= {quantity: bar for quantity, bar in kept.items() if bar is not None}
    return found


class _within:
    """Lines written inside hold for the values of the block's index."""

    def __init__(self, walk: Pass, block: Block) -> None:
        self.walk, self.block = walk, block

    def __enter__(self) -> None:
        self.before = self.walk.range
        self.walk.range = self.block.range or self.walk.range

    def __exit__(self, *_: object) -> None:
        self.walk.range = self.before


def blocks_of(operation: Operation) -> tuple[Block, ...]:
    match operation:
        case Recurrence(block=block) | Equation(block=block):
            return (block,)
        case Choice(branches=branches):
            return tuple(block for _, _, block, _ in branches)
        case Recursion(cases=cases):
            return tuple(case[1] for case in cases)
        case _:
            return ()


def placeholders(operation: Operation) -> tuple[Quantity, ...]:
    """The quantities that stand for what a block is given."""
    match operation:
        case Recurrence(before=before):
            return before
        case Recursion(cases=cases):
            return tuple(q for case in cases for q in (*case[3], *case[4]))
        case _:
            return ()


# --- what depends on what -----------------------------------------------------------------


def reachable(block: Block, results: Sequence[Quantity]) -> set[Quantity]:
    """The quantities that the results are made of."""
    found: set[Quantity] = set()
    todo = list(results)
    while todo:
        quantity = todo.pop()
        if quantity in found:
            continue
        found.add(quantity)
        operation = quantity.maker
        if operation is None:
            continue
        todo += operation.inputs
        match operation:
            case Recurrence():
                todo += [*operation.before, *operation.after, *operation.each, *operation.outputs]
            case Equation():
                todo += [*operation.before, *operation.after, *operation.outputs]
            case Choice(branches=branches):
                todo += [q for *_, made in branches for q in made]
            case Recursion(cases=cases):
                todo += [q for case in cases for q in (*case[2], *case[3], *case[4])]
            case _:
                pass
    return found


def varying(block: Block, sources: set[Quantity]) -> set[Quantity]:
    """The quantities that depend on the sources."""
    found = set(sources)
    while True:
        before = len(found)
        for operation in block.everywhere():
            match operation:
                case Recurrence():
                    pairs = zip(operation.initial, operation.before, strict=True)
                    found |= {b for i, b in pairs if i in found}
                    if not found.isdisjoint(operation.after):
                        found |= {*operation.before, *operation.outputs[: len(operation.before)]}
                    if not found.isdisjoint(operation.before):
                        found |= {*operation.outputs[: len(operation.before)]}
                    stacked = operation.outputs[len(operation.before) :]
                    pairs = zip(operation.each, stacked, strict=True)
                    found |= {whole for one, whole in pairs if one in found}
                case Equation():
                    if not found.isdisjoint(operation.inputs):
                        found |= {*operation.before, *operation.after, *operation.outputs}
                case Choice(branches=branches):
                    for *_, made in branches:
                        pairs = zip(made, operation.outputs, strict=True)
                        found |= {o for q, o in pairs if q in found}
                case Recursion(cases=cases):
                    if operation.inputs[0] in found:
                        found |= {q for case in cases for q in case[4] if q.role != "constant"}
                    results = {q for case in cases for q in case[2]}
                    if not found.isdisjoint(results):
                        found |= {*operation.outputs, *results}
                        found |= {q for case in cases for q in case[3]}
                case _:
                    if not found.isdisjoint(operation.inputs):
                        found |= {q for q in operation.outputs if q.role != "constant"}
        if len(found) == before:
            return found


def uses(block: Block, results: Sequence[Quantity]) -> Counter[Quantity]:
    """How often each quantity is used."""
    count: Counter[Quantity] = Counter(results)
    for operation in block.everywhere():
        if isinstance(operation, Rule):
            count.update(operation.inputs)
    return count
