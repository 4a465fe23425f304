"""A tape of quantities: how each is computed, how its differential and its cotangent are.

Mathematics at the level of a program's own names. A `Quantity` is a vector that a formula
can name; an `Operation` makes quantities of quantities and knows its value, its tangent
and its cotangents as formulas. A `Pass` walks the tape, forwards for the values and the
differentials, backwards for the cotangents, and writes a line for every quantity that has
a name. What has none is written out where it is used.

    Rule         a formula with its derivative: y = tanh a, dy = (1 - y²) ⊙ da
    blocks.py    what is made of blocks: loops, choices, equations, trees
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ...language import types as t
from . import formula as m
from .changes import Change, Linear, Term, plus
from .formula import Formula


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
    own_adjoint: bool = False  # of a linear map, whether it is known to be

    def shown(self) -> Formula:
        if self.name is not None:
            return self.name
        assert self.maker is not None, "what no operation makes has a name"
        return self.maker.value(self.place)

    @property
    def bar(self) -> Formula:
        assert self.name is not None
        return m.barred(self.name)


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

    # What follows is more than this only for an operation that is made of blocks.

    says_cotangents = False  # whether the lines of its outputs' cotangents are its own

    @property
    def blocks(self) -> tuple[Block, ...]:
        return ()

    @property
    def given(self) -> tuple[Quantity, ...]:
        """The quantities that stand for what its blocks are given."""
        return ()

    @property
    def within(self) -> tuple[Quantity, ...]:
        """The quantities inside that its outputs are made of."""
        return ()

    def varying(self, found: set[Quantity]) -> set[Quantity]:
        """Of its quantities those that vary if the quantities `found` do."""
        if found.isdisjoint(self.inputs):
            return set()
        return {q for q in self.outputs if q.role != "constant"}


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
            for block in operation.blocks:
                yield from block.everywhere()

    def outside(self) -> list[Quantity]:
        """The quantities of enclosing blocks that it refers to, each once."""
        own = {q for operation in self.everywhere() for q in operation.outputs}
        own |= {q for operation in self.everywhere() for q in operation.given}
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


@dataclass(frozen=True)
class Part:
    """An element of a sequence, or a window of it, and its cotangent."""

    shown: Formula
    index: Formula
    ranges: tuple[Formula, ...]
    bar: Linear
    depth: int = 0  # in how many blocks it is


def nested(outer: tuple[Formula, ...], own: Formula) -> tuple[Formula, ...]:
    """The ranges of a loop in a loop; those of nodes and conditions stand alone."""
    return (*outer, own) if outer and m.counts(outer[-1]) and m.counts(own) else (own,)


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
        self.elements: dict[Quantity, list[Part]] = {}
        self.ranges: tuple[Formula, ...] = ()  # of the loops around, the outermost first
        self.depth = 0  # in how many blocks it is
        self.moves = True  # whether what only derivatives need is said with the values

    @property
    def range(self) -> Formula | None:
        return m.nested(self.ranges) if self.ranges else None

    def line(self, left: Formula, right: Formula, sign: str = "=", of: str = "") -> None:
        if sign == "+=" and right == m.ZERO:
            return
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
            if all(quantity.role == "constant" for quantity in operation.outputs):
                continue  # an index, a truth value: it has no differential
            made = operation.tangents(self, given)
            if isinstance(operation, Rule) and operation.jointly and operation.together:
                whole = operation.jointly(given)
                symbols = [  # what does not move is 0
                    m.ZERO if q.role == "constant" else m.differential(q.name)
                    for q in operation.outputs if q.name is not None
                ]  # fmt: skip
                if whole is not None:
                    self.line(m.tupled(symbols), whole.formula())
                made = [change and Linear.of(d) for change, d in zip(made, symbols, strict=True)]
            for quantity, change in zip(operation.outputs, made, strict=True):
                if change is None or quantity.role == "constant":
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
        if quantity.maker is not None and quantity.maker.says_cotangents:
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
        own = Term(quantity.bar)  # what is there already: a part of it is added to
        seeded = whole is not None and own in whole.terms
        rest = tuple(term for term in whole.terms if term != own) if whole else ()
        before = self.ranges
        for number, part in enumerate(found):
            symbol = Term(m.barred(part.shown))  # of a tree, where the lines of its nodes say it
            own_terms = tuple(term for term in part.bar.terms if term != symbol)
            added = seeded or len(own_terms) < len(part.bar.terms)
            total: Change = Linear(own_terms) if own_terms else None
            if rest and not number:
                total = plus(Linear.of(m.indexed(Linear(rest).formula(), part.index)), total)
            if total is None:
                continue
            windowed = m.Sign("…") in _atoms(part.index)
            self.ranges = part.ranges
            again = any(not _apart(part.index, other.index) for other in found[:number])
            sign = "+=" if windowed or added or again else "="
            self.line(m.barred(part.shown), total.formula(), sign, quantity.role)
        self.ranges = before
        return Linear.of(quantity.bar)


def _apart(one: Formula, two: Formula) -> bool:
    """Whether two indices end in different numbers: t_{k,1} and t_{k,2} are different parts."""
    ends = [m.parts(index)[-1:] for index in (one, two)]
    return ends[0] != ends[1] and all(isinstance(end, m.Digits) for own in ends for end in own)


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

    says_cotangents = True

    def values(self, walk: Pass) -> None:
        pass


def element(sequence: Quantity, index: Formula, type: t.Type) -> Quantity:
    """The element of a sequence at an index, or its window there: x_t."""

    def backward(walk: Pass, bars: list[Change]) -> list[Change]:
        (bar,) = bars
        if bar is not None and sequence in walk.varied:
            part = Part(made.shown(), index, walk.ranges, bar, walk.depth)
            walk.elements.setdefault(sequence, []).append(part)
        return [None]

    def forward(_: Pass, given: list[Change]) -> list[Change]:
        return [None if given[0] is None else Linear.of(m.differential(made.shown()))]

    rule = Element((sequence,), lambda _: m.indexed(sequence.shown(), index), forward, backward)
    made = Quantity(type, None, rule)
    rule.outputs = (made,)
    return made


# --- what depends on what -----------------------------------------------------------------


def reachable(results: Sequence[Quantity], moving: bool = False) -> set[Quantity]:
    """The quantities that the results are made of, or move with: what only decides an index
    moves nothing."""
    found: set[Quantity] = set()
    todo = list(results)
    while todo:
        quantity = todo.pop()
        if quantity in found or (moving and quantity.role == "constant"):
            continue
        found.add(quantity)
        operation = quantity.maker
        if operation is not None:
            todo += [*operation.inputs, *operation.within]
    return found


def varying(block: Block, sources: set[Quantity]) -> set[Quantity]:
    """The quantities that depend on the sources."""
    found = set(sources)
    while True:
        before = len(found)
        for operation in block.everywhere():
            found |= operation.varying(found)
        if len(found) == before:
            return found


def uses(block: Block, results: Sequence[Quantity]) -> Counter[Quantity]:
    """How often each quantity is used."""
    count: Counter[Quantity] = Counter(results)
    for operation in block.everywhere():
        if isinstance(operation, Rule):
            count.update(operation.inputs)
    return count
