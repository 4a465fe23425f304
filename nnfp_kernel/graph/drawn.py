"""Draws of a graph made once, and first, where its derivative would make them again.

A `While` keeps nothing of its rounds, a `Fixpoint` nothing of its steps: their derivatives make
them again, and draw the same numbers again, for these depend on the key and the round. Written
as a program the second loop would draw anew. So before the derivative of a graph is read as a
program, such loops are given what they draw, for as many rounds as there may be:

    while[4] c (\\s -> s + draw d) x
    let ds = map (\\_ -> draw d) iota[4] in while[4] c (\\(k, s) -> (k + 1, s + ds ! k)) (0, x)

What is drawn depends on keys and numbers of rounds alone, so it can leave everything that it
stands in: a loop in a loop has a sequence of sequences. A draw is known by the way to its key,
a number folded into it or one of so many made of it: so a graph that was differentiated before,
in which the same is drawn at several places, draws it once, and elements drawn at once are
drawn by a `map`, as the program said. Without a bound there is no such sequence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from .canonical import frozen
from .graph import (
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
    While,
    Wire,
    over_subgraphs,
    subgraphs,
)

New = Callable[[], Builder]
Steps = tuple[tuple[str, int], ...]  # ("fold", n): the number n; ("each", n): one of n keys


def drawn_before(new: New, graph: Graph) -> Graph:
    """The graph, in which what would be drawn again is drawn first. `new` makes builders that
    make equal nodes once."""
    levels = [graph, *(each for node in graph.walk() for each in subgraphs(node.operation))]
    return _whole(new, graph) if any(map(_draws_again, levels)) else graph


def _whole(new: New, graph: Graph) -> Graph:
    if _draws_again(graph):
        try:
            return Draws(new, graph).first()
        except Unordered:
            pass
    builder = new()
    place = {w: builder.input(w.type, w.name, w.representation) for w in graph.inputs}
    for node in graph.nodes:
        operation = over_subgraphs(node.operation, partial(_whole, new))
        with builder.at(node.origin):
            made = builder.add(operation, [place[wire] for wire in node.inputs])
        _noted(place, node, made)
    return builder.finish([place[wire] for wire in graph.outputs])


def _draws_again(graph: Graph) -> bool:
    """Whether a derivative would draw again what nodes of the graph draw; or several of them
    draw with one key, or one with several."""
    uses: Counter[Wire] = Counter()
    for node in graph.nodes:
        keys = {wire for wire in node.inputs if is_key(wire)}
        match node.operation:
            case Call():
                if not is_key(node.outputs[0]) and any(wire.type.rank for wire in keys):
                    return True
                continue
            case Fixpoint() | While(most=int()) if keys:
                return True
            case Map(body=body) | Loop(body=body):
                if any(is_key(wire) and wire.type.rank for wire in body.inputs):
                    return True
        uses.update(keys)
    return any(count > 1 for count in uses.values())


def is_key(wire: Wire) -> bool:
    return wire.type.kind == "Key"


def _noted(place: dict[Wire, Wire], node: Node, made: Sequence[Wire]) -> None:
    for old, new in zip(node.outputs, made, strict=True):
        new.name = new.name or old.name
        place[old] = new


class Unordered(Exception):
    """What draws for any number of rounds, or in no order that is known."""


@dataclass(frozen=True)
class DrawnKey:
    """An array of keys: the way to it from the `root`, an input; and of the keys made on it
    so many at a time, the places in `steps` of those that are axes."""

    root: Wire
    steps: Steps = ()
    axes: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Draw:
    """What is drawn with a key; by its steps all of the keys that are made on the way."""

    root: Wire
    steps: Steps
    operation: Call = field(compare=False)
    known: object  # the operation, to compare

    @property
    def each(self) -> list[int]:
        return [k for k, (word, _) in enumerate(self.steps) if word == "each"]


# --- a graph and what stands in it -------------------------------------------------------------


class Level:
    """A graph without its draws, which it is given: of a body, what is drawn outside of it."""

    def __init__(
        self,
        new: New,
        graph: Graph,
        keys: Sequence[DrawnKey | None],
        outside: Level | None = None,
        number: Wire | None = None,
        length: int = 0,
    ) -> None:
        self.new, self.outside, self.number, self.length = new, outside, number, length
        self.rest = new()
        self.place = {
            w: self.rest.input(w.type, w.name, w.representation)
            for w in graph.inputs
            if not is_key(w)
        }
        self.inputs = list(self.place.values())
        self.keys = {w: key for w, key in zip(graph.inputs, keys, strict=True) if key is not None}
        self.apart: set[tuple[Wire, Steps]] = set()  # of which the body has one at a time
        self.given: dict[_Draw, Wire] = {}
        self.shared: dict[Wire, Wire] = {}  # what is drawn, outside and in here
        self.along: dict[Wire, Wire] = {}
        self.constants: dict[Wire, int] = {}
        self.numbers: set[Wire] = set()  # sequences of 0, 1, 2, …

    def finished(self, graph: Graph) -> Graph:
        """The graph from the inputs that are no keys; what is drawn are further ones."""
        for node in graph.nodes:
            with self.rest.at(node.origin):
                if any(map(is_key, node.inputs)):
                    made = self.drawing(node)
                else:
                    made = self.rest.add(node.operation, [self.place[w] for w in node.inputs])
                    self._note(node)
            if made is not None:
                _noted(self.place, node, made)
        return self.rest.finish([self.place[wire] for wire in graph.outputs])

    def _note(self, node: Node) -> None:
        match node.operation:
            case Constant(value=value, type=type) if type.kind == "Int" and not type.rank:
                self.constants[node.outputs[0]] = int(value)
            case Call(primitive, _) if primitive.name == "broadcast":
                if node.inputs[0] in self.constants:
                    self.constants[node.outputs[0]] = self.constants[node.inputs[0]]
            case Call(primitive, _) if primitive.name == "iota":
                self.numbers.add(node.outputs[0])

    def drawing(self, node: Node) -> Sequence[Wire] | None:
        if not isinstance(node.operation, Call):
            return _structured(self, node)
        name, key = node.operation.primitive.name, self.keys[node.inputs[0]]
        if not is_key(node.outputs[0]):
            known = name, frozen(node.operation.parameters)
            draw = _Draw(key.root, key.steps, node.operation, known)
            there = self.axes(draw)
            if set(there) != set(key.axes):
                raise Unordered
            return (_moved(self.rest, self.draw(draw), [there.index(k) for k in key.axes]),)
        match name:
            case "splitKey":
                step = "each", node.operation.parameters["count"]
                axes = *key.axes, len(key.steps)
                made_key = DrawnKey(key.root, (*key.steps, step), axes)
            case "transpose":
                order = node.operation.parameters["permutation"]
                made_key = replace(key, axes=tuple(key.axes[k] for k in order))
            case "foldKey" if node.inputs[1] in self.constants:
                step = "fold", self.constants[node.inputs[1]]
                made_key = replace(key, steps=(*key.steps, step))
            case "foldKey" if node.inputs[1] is self.number and not key.axes:
                made_key = replace(key, steps=(*key.steps, ("each", self.length)))
                self.apart.add((key.root, made_key.steps))
            case _:
                raise Unordered
        self.keys[node.outputs[0]] = made_key
        return None

    def draw(self, draw: _Draw) -> Wire:
        """What is drawn, by its name in here."""
        if draw not in self.given:
            self.given[draw] = self._drawn_outside(draw)
        return self.given[draw]

    def _drawn_outside(self, draw: _Draw) -> Wire:
        assert self.outside is not None
        there = self.outside.draw(draw)
        mine = [k for k in draw.each if (draw.root, draw.steps[: k + 1]) in self.apart]
        if not mine:
            return self.shared.setdefault(there, self.rest.input(there.type))
        axes = self.outside.axes(draw)
        (first,) = (axes.index(k) for k in mine)
        others = (k for k in range(len(axes)) if k != first)
        return self.element(_moved(self.outside.rest, there, [first, *others]))

    def element(self, there: Wire) -> Wire:
        return self.along.setdefault(there, self.rest.input(there.type.element()))

    def axes(self, draw: _Draw) -> list[int]:
        """The axes that what is drawn has in here, as the places of their steps."""
        outside = draw.each if self.outside is None else self.outside.axes(draw)
        return [k for k in outside if (draw.root, draw.steps[: k + 1]) not in self.apart]


class _Round(Level):
    """The body of a loop that knows the number of its round, and all that is drawn."""

    def element(self, there: Wire) -> Wire:
        assert self.number is not None
        every = self.shared.setdefault(there, self.rest.input(there.type))
        return self.rest.emit("gather", every, self.place[self.number], axis=0)


def _moved(builder: Builder, wire: Wire, order: Sequence[int]) -> Wire:
    """The array with its first axes in an order."""
    permutation = (*order, *range(len(order), wire.type.rank))
    return builder.emit("transpose", wire, permutation=permutation)


def _structured(level: Level, node: Node) -> Sequence[Wire]:
    """A node with graphs in it, which draw: it is given what they draw."""
    keys = [level.keys.get(wire) for wire in node.inputs]
    own = [level.place[wire] for wire in node.inputs if not is_key(wire)]

    def few(count: int) -> int:
        return sum(not is_key(wire) for wire in node.inputs[:count])

    match node.operation:
        case Map() | Loop() as each:
            first, last = few(each.shared), few(len(each.body.inputs))
            carried = each.carried if isinstance(each, Loop) else 0
            inside, graph = _body(level, node, each, keys, each.shared + carried)
            inputs = inside.inputs
            inputs = [*inputs[:first], *inside.shared.values(), *inputs[first:]]
            body = replace(graph, inputs=(*inputs, *inside.along.values()))
            operands = [*own[:first], *inside.shared, *own[first:last], *inside.along]
            made = replace(each, body=body, shared=first + len(inside.shared))
            return level.rest.add(made, [*operands, *own[last:]])
        case Fixpoint(body=body, shared=shared) as fixpoint:
            inside = Level(level.new, body, keys, level)
            graphs, drawn = _together([inside], [body], few(shared))
            found = replace(fixpoint, body=graphs[0], shared=few(shared) + len(drawn))
            return level.rest.add(found, [*own[: few(shared)], *drawn, *own[few(shared) :]])
        case Choose(branches=branches):
            branched = [Level(level.new, branch, keys[1:], level) for branch in branches]
            graphs, drawn = _together(branched, branches, 0)
            return level.rest.add(Choose(tuple(graphs)), [own[0], *drawn, *own[1:]])
        case While(most=0, shared=shared):
            return [level.rest.constant(0, "Int"), *own[few(shared) :]]
        case While(most=int(most), shared=shared) as loop:
            both = loop.condition, loop.body
            numbered = [*keys[:shared], None, *keys[shared:]]
            rounds = [
                _Round(level.new, part, numbered, level, part.inputs[shared], most) for part in both
            ]
            graphs, drawn = _together(rounds, both, few(shared))
            again = replace(
                loop, condition=graphs[0], body=graphs[1], shared=few(shared) + len(drawn)
            )
            return level.rest.add(again, [*own[: few(shared)], *drawn, *own[few(shared) :]])
        case _:
            raise Unordered


def _body(
    level: Level, node: Node, each: Map | Loop, keys: Sequence[DrawnKey | None], elements: int
) -> tuple[Level, Graph]:
    """The body of a loop or a map, which has `elements` of what comes from there on."""
    body, shared = each.body, each.shared
    numbers = [
        own
        for own, wire in zip(body.inputs[elements:], node.inputs[elements:], strict=False)
        if wire in level.numbers
    ]
    given: list[DrawnKey | None] = list(keys[:elements])
    apart = []
    for key in keys[elements : len(body.inputs)]:
        if key is not None:
            first, *others = key.axes
            apart.append((key.root, key.steps[: first + 1]))
            key = replace(key, axes=tuple(others))
        given.append(key)
    inside = Level(level.new, body, given, level, next(iter(numbers), None), each.length)
    inside.apart.update(apart)
    for own, wire in zip(body.inputs[:shared], node.inputs[:shared], strict=True):
        if wire in level.numbers:
            inside.numbers.add(own)
        if wire in level.constants:
            inside.constants[own] = level.constants[wire]
    return inside, inside.finished(body)


def _together(
    insides: Sequence[Level], graphs: Sequence[Graph], first: int
) -> tuple[list[Graph], list[Wire]]:
    """Graphs of one node, which all take what any of them draws, after so many `first` inputs;
    and what that is."""
    made = [inside.finished(graph) for inside, graph in zip(insides, graphs, strict=True)]
    drawn = list(dict.fromkeys(wire for inside in insides for wire in inside.shared))
    whole = []
    for inside, graph in zip(insides, made, strict=True):
        taken = [inside.shared.get(wire) or Wire(wire.type) for wire in drawn]
        inputs = [*inside.inputs[:first], *taken, *inside.inputs[first:]]
        whole.append(replace(graph, inputs=tuple(inputs)))
    return whole, drawn


# --- draws made first --------------------------------------------------------------------------


class Draws(Level):
    """A graph with its draws made first, in the order of the program."""

    def __init__(self, new: New, graph: Graph) -> None:
        keys = [DrawnKey(wire) if is_key(wire) else None for wire in graph.inputs]
        if any(is_key(wire) and wire.type.rank for wire in graph.inputs):
            raise Unordered
        super().__init__(new, graph, keys)
        self.graph = graph

    def _drawn_outside(self, draw: _Draw) -> Wire:
        lengths = tuple(draw.steps[k][1] for k in draw.each)
        (scalar,) = [draw.operation.results([ArrayType("Key")])]
        type = ArrayType(scalar[0].kind, (*lengths, *scalar[0].shape))
        return self.rest.input(type)

    def first(self) -> Graph:
        """The draws, then the rest."""
        rest = self.finished(self.graph)
        builder = self.new()
        place = {w: builder.input(w.type, w.name, w.representation) for w in self.graph.inputs}
        given = [place[wire] for wire in self.graph.inputs if not is_key(wire)]
        given += self._all(builder, place)
        whole = replace(rest, inputs=(*self.inputs, *self.given.values()))
        return builder.finish(builder.inline(whole, given))

    def alone(self) -> Graph:
        """The draws, out of keys."""
        builder = self.new()
        place = {w: builder.input(w.type) for w in self.graph.inputs if is_key(w)}
        return builder.finish(self._all(builder, place))

    def _all(self, builder: Builder, place: Mapping[Wire, Wire]) -> list[Wire]:
        made: dict[_Draw, Wire] = {}
        for root in filter(is_key, self.graph.inputs):
            own = {draw: draw.steps for draw in self.given if draw.root is root}
            made |= self._made(builder, place[root], own)
        return [made[draw] for draw in self.given]

    def _made(self, builder: Builder, key: Wire, draws: Mapping[_Draw, Steps]) -> dict[_Draw, Wire]:
        """What is drawn with a key, after the steps that are left."""
        made: dict[_Draw, Wire] = {}
        groups: dict[tuple[str, int], dict[_Draw, Steps]] = {}
        for draw, steps in draws.items():
            if steps:
                groups.setdefault(steps[0], {})[draw] = steps[1:]
            else:
                (made[draw],) = builder.add(draw.operation, (key,))
        for (word, number), own in sorted(groups.items(), key=lambda group: group[0]):
            if word == "fold":
                folded = builder.emit("foldKey", key, builder.constant(number, "Int"))
                made |= self._made(builder, folded, own)
                continue
            body = self.new()
            inner = self._made(body, body.input(ArrayType("Key")), own)
            keys = builder.emit("splitKey", key, count=number)
            each = Map(body.finish(list(inner.values())), 0, number)
            made.update(zip(inner, builder.add(each, (keys,)), strict=True))
        return made


__all__ = ["DrawnKey", "Draws", "Level", "New", "Unordered", "drawn_before", "is_key"]
