"""What is drawn outside of trees is drawn first, where a program observes trees.

    let d = draw (normal 1) in cata { Leaf v -> v * d ; Node l r -> l + r } t
    fold (\\s -> s * draw (normal 1) + cata { Leaf v -> v * s ; Node l r -> l + r } t) z

An algebra is a graph of its own, out of inputs of the outermost one: of what is drawn before, it
would be the key, and the text would draw at every node. A loop that is observed (rounds.py) is
written as a function that is called twice for every round. So what they draw is made an input of
the outermost graph, by the way to its key (graph/drawn.py), and enters a loop as an element.
What is drawn at a node has a key of the node, which only running tells, and stays there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from ..drawn import DrawnKey, Draws, Level, New, Unordered, is_key
from ..graph import Call, Graph, Node, Wire
from ..laws import Primitives
from ..rewrite import Reader
from .observed import (
    Branch,
    Derived,
    Inside,
    Kept,
    Made,
    Observation,
    Pulled,
    Reduction,
    Rounds,
)

Keys = Mapping[Wire, DrawnKey]


@dataclass(frozen=True)
class First:
    """A program without the draws that it takes as inputs, the `wires`; the graph that makes
    these out of keys, and what is observed."""

    graph: Graph
    observed: Sequence[Observation]
    draws: Graph
    wires: Sequence[Wire]


def drawn_first(
    primitives: Primitives, graph: Graph, observed: Sequence[Observation]
) -> First | None:
    """The program with what its observations draw outside of trees drawn before; None where they
    draw nothing. Raises Unordered for what draws for any number of rounds, or at the nodes of a
    tree in a loop that is observed."""
    if not any(is_key(wire) for one in observed for wire in one.outside):
        return None
    new = partial(Reader, primitives)
    top = Draws(new, graph)
    keys = {wire: DrawnKey(wire) for wire in graph.inputs if is_key(wire)}
    made = _Observed(new).each(observed, top, keys)
    if not top.given:
        return None
    rest = top.finished(graph)
    wires = tuple(top.given.values())
    rest = replace(rest, inputs=(*top.inputs, *wires))
    return First(rest, made, top.alone(), wires)


class _Algebra(Level):
    """A branch of an observation. What is drawn at a node stays, out of the key that the branch
    takes from around it."""

    def __init__(
        self, new: New, branch: Branch, keys: Sequence[DrawnKey | None], outside: Level
    ) -> None:
        super().__init__(new, branch.body, keys, outside)
        self.roots: dict[Wire, Wire] = {}  # keys of around it, of which those of nodes are made

    def drawing(self, node: Node) -> Sequence[Wire] | None:
        keys = [wire for wire in node.inputs if is_key(wire)]
        if not any(wire in self.place or self._of_node(node, wire) for wire in keys):
            return super().drawing(node)
        if self._in_rounds():
            raise Unordered
        inputs = [
            self.place[wire] if wire in self.place else self._entered(self.keys[wire])
            for wire in node.inputs
        ]
        return self.rest.add(node.operation, inputs)

    def _in_rounds(self) -> bool:
        """Whether it stands in a loop that is observed, and draws: what is drawn at a node would
        be drawn again."""
        around = self.outside
        while around is not None and not around.apart:
            around = around.outside
        return around is not None

    def _of_node(self, node: Node, key: Wire) -> bool:
        """Whether it makes a key at a node: of one made before, which is a number's too."""
        steps = self.keys[key].steps
        folds = isinstance(node.operation, Call) and node.operation.primitive.name == "foldKey"
        return folds and bool(steps) and steps[-1][0] == "fold"

    def enter(self, there: Wire) -> Wire:
        """What is drawn around it, in here."""
        return self.shared.setdefault(there, self.rest.input(there.type))

    def _entered(self, key: DrawnKey) -> Wire:
        made = self.roots.get(key.root)
        if made is None:
            made = self.roots[key.root] = self.rest.input(key.root.type)
        for word, number in key.steps:
            if word != "fold":
                raise Unordered
            made = self.rest.emit("foldKey", made, self.rest.constant(number, "Int"))
        return made


@dataclass
class _Observed:
    """What is observed, given what is drawn before. `known` are the keys by what they are called
    around an observation."""

    new: New
    again: dict[Reduction, Reduction] = field(default_factory=dict)

    def each(
        self, observed: Sequence[Observation], outer: Level, known: Keys
    ) -> tuple[Observation, ...]:
        return tuple(self.one(each, outer, known) for each in observed)

    def one(self, one: Observation, outer: Level, known: Keys) -> Observation:
        match one:
            case Rounds():
                return self.rounds(one, outer, known)
            case Reduction(branches=branches):
                made = {name: self.branch(each, outer, known) for name, each in branches.items()}
                same = all(made[name] is branches[name] for name in made)
                self.again[one] = one if same else replace(one, branches=made)
                return self.again[one]
            case Made(branch=Branch() as branch) | Kept(branch=branch):
                return replace(one, branch=self.branch(branch, outer, known))
            case (
                Pulled(reduction=reduction, branch=branch)
                | Derived(reduction=reduction, branch=branch)
            ):
                reduction = self.again.get(reduction, reduction)
                return replace(one, branch=self.branch(branch, outer, known), reduction=reduction)
            case _:
                return one

    def branch(self, branch: Branch, outer: Level, known: Keys) -> Branch:
        if not any(map(is_key, branch.outside)):
            return branch
        own = [None] * (len(branch.body.inputs) - len(branch.outside))
        keys = [known.get(wire) for wire in branch.outside]
        level = _Algebra(self.new, branch, [*keys, *own], outer)
        return self._finished(branch, level, known)

    def rounds(self, one: Rounds, outer: Level, known: Keys) -> Rounds:
        """A loop: of a key for each round what is drawn with it comes along."""
        if not any(map(is_key, one.outside)):
            return one
        given, body, inside = one.given, one.body, one.inside
        before = _Algebra(self.new, given, [known.get(wire) for wire in given.outside], outer)
        ends = given.body.outputs
        arrays = tuple(wire for wire in ends if not is_key(wire))
        start = before.finished(replace(given.body, outputs=arrays))
        seen = {wire for each in inside.observed for wire in each.wires}
        own = [wire for wire in inside.given if wire not in seen]
        keys, apart = dict(known), []
        for wire, every in zip(own, ends, strict=True):
            if is_key(wire):
                if every not in before.keys:
                    raise Unordered
                key = before.keys[every]
                first, *others = key.axes
                keys[wire] = replace(key, axes=tuple(others))
                apart.append((key.root, key.steps[: first + 1]))
        inputs = [keys.get(wire) for wire in (*body.outside, *inside.given)]
        level = _Algebra(self.new, body, inputs, outer)
        level.apart.update(apart)
        after = self._finished(body, level, keys)
        along = [before.enter(sequence) for sequence in level.along]
        start = replace(start, outputs=(*start.outputs, *along))
        return replace(one, given=self._made(given, before, start), body=after)

    def _finished(self, branch: Branch, level: _Algebra, known: Keys) -> Branch:
        """The branch with what it draws as inputs, and what is observed in it."""
        graph = level.finished(branch.body)
        inside = branch.inside
        if inside is not None:
            observed = self.each(inside.observed, level, known)
            given = [wire for wire in inside.given if not is_key(wire)]
            inside = replace(inside, observed=observed, given=(*given, *level.along.values()))
        return self._made(branch, level, graph, inside)

    def _made(
        self, branch: Branch, level: _Algebra, graph: Graph, inside: Inside | None = None
    ) -> Branch:
        outside = [wire for wire in branch.outside if not is_key(wire)]
        count = len(outside)
        inputs = (
            *level.inputs[:count], *level.roots.values(), *level.shared.values(),
            *level.inputs[count:], *level.along.values(),
        )  # fmt: skip
        assert level.outside is not None
        outside += [*level.roots, *(_called(level.outside, wire) for wire in level.shared)]
        graph = replace(graph, inputs=inputs)
        return replace(branch, body=graph, outside=tuple(outside), inside=inside)


def _called(level: Level, wire: Wire) -> Wire:
    """What is drawn, as it is known in there: an input of the outermost graph, or an element."""
    if level.outside is None:
        if wire in level.given.values():
            return wire
    elif wire in level.along.values():
        return wire
    else:
        for there, own in level.shared.items():
            if own is wire:
                return _called(level.outside, there)
    raise Unordered


__all__ = ["First", "drawn_first"]
