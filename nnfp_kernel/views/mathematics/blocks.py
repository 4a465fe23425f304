"""Operations that are made of blocks: loops, equations, choices and trees on a tape.

    Recurrence   a state and elements: s_{t+1} = …, ds_{t+1} = …, and backwards for the adjoint
    Equation     a state that its block leaves as it is: s = f(s, x)
    Choice       a case distinction
    Recursion    a tree: y_{Node l r} = … of y_l and y_r
    Growth       a tree that is made: the seeds s_l and s_r of s_v, where v = Node l r

Each says its lines once, for every value of its index, and knows which of its quantities
depend on which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

from . import formula as m
from .changes import Change, Linear, plus
from .formula import Formula
from .tape import Block, Line, Operation, Part, Pass, Quantity, nested


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
    together: bool = False  # whether the outputs of a step are the parts of one that is stacked

    @property
    def stacked(self) -> list[tuple[Quantity, int]]:
        """A step's outputs, each with the place among the outputs of what it is stacked in."""
        count = len(self.before)
        return [(q, count if self.together else count + k) for k, q in enumerate(self.each)]

    @property
    def blocks(self) -> tuple[Block, ...]:
        return (self.block,)

    @property
    def given(self) -> tuple[Quantity, ...]:
        return self.before

    @property
    def within(self) -> tuple[Quantity, ...]:
        return (*self.before, *self.after, *self.each, *self.outputs)

    def varying(self, found: set[Quantity]) -> set[Quantity]:
        made = {b for i, b in zip(self.initial, self.before, strict=True) if i in found}
        finals = self.outputs[: len(self.before)]
        if not found.isdisjoint(self.after):
            made |= {*self.before, *finals}
        if not found.isdisjoint(self.before):
            made |= set(finals)
        return made | {self.outputs[place] for one, place in self.stacked if one in found}

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
            own = [walk.change.get(one) for one, at in self.stacked if at == place]
            still = place >= count and not any(own)
            made.append(None if still else Linear.of(m.differential(quantity.name)))
        return made

    def cotangents(self, walk: Pass, bars: list[Change]) -> list[Change]:
        count = len(self.initial)
        for final, bar, after in zip(self.outputs, bars, self.after, strict=False):
            if bar is None:
                walk.line(final.bar, m.ZERO)
            walk.change[after] = Linear.of(after.bar)
            walk.varied.add(after)
        for quantity, place in self.stacked:
            if bars[place] is not None:
                walk.change[quantity] = plus(walk.change.get(quantity), Linear.of(quantity.bar))
        index = self.block.index
        assert index is not None
        with _of_every(walk, index, self.block.range):
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
    says_cotangents = True

    @property
    def blocks(self) -> tuple[Block, ...]:
        return (self.block,)

    @property
    def within(self) -> tuple[Quantity, ...]:
        return (*self.before, *self.after, *self.outputs)

    def varying(self, found: set[Quantity]) -> set[Quantity]:
        if found.isdisjoint(self.inputs):
            return set()
        return {*self.before, *self.after, *self.outputs}

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

    @property
    def blocks(self) -> tuple[Block, ...]:
        return tuple(block for _, _, block, _ in self.branches)

    @property
    def within(self) -> tuple[Quantity, ...]:
        return tuple(q for *_, made in self.branches for q in made)

    def varying(self, found: set[Quantity]) -> set[Quantity]:
        made: set[Quantity] = set()
        for *_, results in self.branches:
            made |= {o for q, o in zip(results, self.outputs, strict=True) if q in found}
        return made

    def value(self, place: int) -> Formula:
        return m.Cases(tuple((made[place].shown(), said) for said, _, _, made in self.branches))

    def values(self, walk: Pass) -> None:
        for _, _, block, _ in self.branches:
            with _within(walk, block):
                walk.values(block)
        super().values(walk)

    def tangents(self, walk: Pass, given: list[Change]) -> list[Change]:
        for _, _, block, _ in self.branches:
            with _within(walk, block):
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
            with _scaled(walk, factor):
                outer_results = _seeded(walk, block, results, bars)
            for quantity, bar in outer_results.items():
                if bar is not None:
                    found[quantity] = plus(found.get(quantity), bar.times(factor, False))
        return [found.get(quantity) for quantity in self.inputs]


@dataclass(frozen=True)
class TreeCase:
    """What a recursion does at the nodes of one constructor."""

    node: Formula  # as a pattern shows it: Node l r
    block: Block
    results: tuple[Quantity, ...]
    children: tuple[Quantity, ...]  # their results
    payload: tuple[Quantity, ...]
    subtrees: tuple[Quantity, ...] = ()  # the children themselves, where they are looked at

    @property
    def given(self) -> tuple[Quantity, ...]:
        return (*self.children, *self.payload, *self.subtrees)


@dataclass(eq=False)
class Recursion(Operation):
    """A value for every node of a tree, made of those of its children."""

    inputs: tuple[Quantity, ...]  # the tree, then what the blocks refer to
    cases: tuple[TreeCase, ...]
    outputs: tuple[Quantity, ...] = ()

    @property
    def blocks(self) -> tuple[Block, ...]:
        return tuple(case.block for case in self.cases)

    @property
    def given(self) -> tuple[Quantity, ...]:
        return tuple(q for case in self.cases for q in case.given)

    @property
    def within(self) -> tuple[Quantity, ...]:
        return tuple(q for case in self.cases for q in (*case.results, *case.given))

    def varying(self, found: set[Quantity]) -> set[Quantity]:
        made: set[Quantity] = set()
        if self.inputs[0] in found:
            own = [q for case in self.cases for q in (*case.payload, *case.subtrees)]
            made |= {q for q in own if q.role != "constant"}
        results = {q for case in self.cases for q in case.results}
        if not found.isdisjoint(results):
            made |= {*self.outputs, *results, *(q for case in self.cases for q in case.children)}
        return made

    def value(self, place: int) -> Formula:
        raise AssertionError("what a recursion makes has a name")

    def values(self, walk: Pass) -> None:
        for block in self.blocks:
            walk.values(block)

    def tangents(self, walk: Pass, given: list[Change]) -> list[Change]:
        for case in self.cases:
            for quantity in case.given:
                if quantity in walk.varied:
                    assert quantity.name is not None
                    walk.change[quantity] = Linear.of(m.differential(quantity.name))
            walk.forwards(case.block)
        return [
            Linear.of(m.differential(q.name)) if q.name and q in walk.varied else None
            for q in self.outputs
        ]

    def cotangents(self, walk: Pass, bars: list[Change]) -> list[Change]:
        found: dict[Quantity, Change] = {}
        for case in self.cases:
            for quantity in case.results:
                walk.change[quantity] = Linear.of(quantity.bar)
                walk.varied.add(quantity)
            if case.subtrees or any(other.subtrees for other in self.cases):
                # What is inside a subtree has a cotangent from there, too: it is added.
                for quantity in (*case.payload, *case.subtrees):
                    walk.contribute(quantity, Linear.of(quantity.bar))
            with _of_every(walk, case.node):
                outer = _outer(walk, case.block, case.given)
            for quantity, bar in outer.items():
                if bar is not None:
                    total = bar.through(lambda f, below=case.node: m.summed(f, below))  # type: ignore[misc]
                    found[quantity] = plus(found.get(quantity), total)
        tree: Change = None
        if self.inputs[0].name is not None:
            tree = Linear.of(self.inputs[0].bar)
        return [tree, *(found.get(quantity) for quantity in self.inputs[1:])]


@dataclass(frozen=True)
class Branch:
    """One way in which a node is grown: its form, when, and what is made of the seed."""

    node: Formula  # Node l r
    condition: Formula
    block: Block
    made: tuple[Quantity, ...]  # the seeds of its children, s_l, and its payload


@dataclass(eq=False)
class Growth(Operation):
    """A tree grown from a seed: a seed s_v for every node v, of which its form is decided,
    its payload is made and the seeds of its children."""

    inputs: tuple[Quantity, ...]  # the first seed, then what the blocks refer to
    block: Block  # what is made at every node before its form is known
    starts: tuple[Formula, ...]  # the names of the first seed: s_t
    seeds: tuple[Quantity, ...]
    branches: tuple[Branch, ...]
    outputs: tuple[Quantity, ...] = ()  # the tree
    note: Formula | None = None  # how deep it grows

    @property
    def blocks(self) -> tuple[Block, ...]:
        return (self.block, *(branch.block for branch in self.branches))

    @property
    def given(self) -> tuple[Quantity, ...]:
        return self.seeds

    @property
    def within(self) -> tuple[Quantity, ...]:
        return (*self.seeds, *(q for branch in self.branches for q in branch.made))

    def varying(self, found: set[Quantity]) -> set[Quantity]:
        made = {s for i, s in zip(self.inputs, self.seeds, strict=False) if i in found}
        if any(q in found for branch in self.branches for q in branch.made):
            made |= {*self.outputs, *self.seeds}
        return made

    def value(self, place: int) -> Formula:
        raise AssertionError("a tree that is grown has a name")

    def values(self, walk: Pass) -> None:
        for start, quantity in zip(self.starts, self.inputs, strict=False):
            walk.lines.append(Line(start, quantity.shown(), range=self.note or walk.range))
        for block in self.blocks:
            with _within(walk, block):
                walk.values(block)

    def tangents(self, walk: Pass, given: list[Change]) -> list[Change]:
        for start, seed, change in zip(self.starts, self.seeds, given, strict=False):
            walk.line(m.differential(start), m.ZERO if change is None else change.formula())
            assert seed.name is not None
            walk.change[seed] = Linear.of(m.differential(seed.name))
        for block in self.blocks:
            with _within(walk, block):
                walk.forwards(block)
        (tree,) = self.outputs
        assert tree.name is not None
        return [Linear.of(m.differential(tree.name))]

    def cotangents(self, walk: Pass, bars: list[Change]) -> list[Change]:
        found: dict[Quantity, Change] = {}
        shared = {q for operation in self.block.everywhere() for q in operation.outputs}
        shared &= walk.varied
        inner: list[tuple[Branch, Quantity, Change]] = []
        for branch in self.branches:
            for quantity in branch.made:
                walk.change[quantity] = Linear.of(quantity.bar)
                walk.varied.add(quantity)
            with _of_every(walk, branch.node):
                outside = _outer(walk, branch.block, ())
            for quantity, bar in outside.items():
                if quantity in shared or quantity in self.seeds:
                    inner.append((branch, quantity, bar))
                elif bar is not None:
                    total = bar.through(lambda f, below=branch.node: m.summed(f, below))  # type: ignore[misc]
                    found[quantity] = plus(found.get(quantity), total)
            if not shared:
                for seed in self.seeds:
                    bar = outside.get(seed)
                    formula = m.ZERO if bar is None else bar.formula()
                    walk.lines.append(Line(seed.bar, formula, range=branch.block.range))
        if shared:
            self._shared_cotangents(walk, inner, found)
        starts: list[Change] = [Linear.of(m.barred(start)) for start in self.starts]
        return [*starts, *(found.get(quantity) for quantity in self.inputs[len(starts) :])]

    def _shared_cotangents(
        self, walk: Pass, inner: Sequence[tuple[Branch, Quantity, Change]],
        found: dict[Quantity, Change],
    ) -> None:  # fmt: skip
        """What is made before the form is known gets a share of the form there is."""
        outside = [q for q in self.block.outside() if q not in self.seeds]
        kept = {quantity: walk.change.pop(quantity, None) for quantity in outside}
        for branch, quantity, bar in inner:
            if bar is not None and branch.condition != m.Words(""):  # where there are several
                bar = bar.times(m.Fenced("[", branch.condition, "]"), False)
            walk.contribute(quantity, bar)
        index = self.block.index
        assert index is not None
        with _of_every(walk, index), _within(walk, self.block):
            walk.backwards(self.block)
            for seed in self.seeds:
                walk.total(seed)
        for quantity in outside:
            bar = walk.change.pop(quantity, None)
            if bar is not None:
                total = bar.through(lambda f: m.summed(f, index))
                found[quantity] = plus(found.get(quantity), total)
        walk.change |= {quantity: bar for quantity, bar in kept.items() if bar is not None}


def _outer(walk: Pass, block: Block, given: Sequence[Quantity]) -> dict[Quantity, Change]:
    """The block backwards: what it contributes to the quantities outside, and lines for
    those it is given."""
    outside = block.outside()
    kept = {q: walk.change.pop(q, None) for q in outside if q not in given}
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
    with _within(walk, block):
        walk.backwards(block)
    found = {q: walk.change.pop(q, None) for q in outside if q not in own}
    walk.change |= {quantity: bar for quantity, bar in kept.items() if bar is not None}
    return found


@contextmanager
def _elements(walk: Pass, change: Callable[[Part], Part]) -> Iterator[None]:
    """What a block does to elements of sequences outside, changed on its way out."""
    before = {quantity: len(parts) for quantity, parts in walk.elements.items()}
    yield
    for quantity, parts in walk.elements.items():
        new = slice(before.get(quantity, 0), None)
        parts[new] = map(change, parts[new])


def _scaled(walk: Pass, factor: Formula) -> AbstractContextManager[None]:
    return _elements(walk, lambda part: replace(part, bar=part.bar.times(factor, False)))


def _of_every(
    walk: Pass, index: Formula, range: Formula | None = None
) -> AbstractContextManager[None]:
    """An element that an inner loop goes along is the same for every index of this one:
    x̄_j = Σ_i x_i ȳ_{i,j}. What this loop itself goes along has a cotangent for each."""
    around = () if range is None else nested(walk.ranges, range)
    depth = walk.depth + 1

    def summed(part: Part) -> Part:
        if part.depth <= depth:
            return part
        ranges = part.ranges
        if around and ranges[: len(around)] == around:
            ranges = (*around[:-1], *ranges[len(around) :])
        bar = part.bar.through(lambda f: m.summed(f, index))
        return replace(part, ranges=ranges, bar=bar)

    return _elements(walk, summed)


class _within:
    """Lines written inside hold for the values of the block's index."""

    def __init__(self, walk: Pass, block: Block) -> None:
        self.walk, self.block = walk, block

    def __enter__(self) -> None:
        self.before = self.walk.ranges
        self.walk.depth += 1
        if self.block.range is not None:
            self.walk.ranges = nested(self.before, self.block.range)

    def __exit__(self, *_: object) -> None:
        self.walk.depth -= 1
        self.walk.ranges = self.before
