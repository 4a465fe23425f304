"""The terms of a graph: wires and nodes back into expressions of the language.

A node becomes the expression of its primitive (spelling.py), a `Map` a `map`, a `Loop` a
fold or an accumulating map, a `Choose` an `if`. What is used once stands where it is used;
what is shared, is bound by `let`, once: the text grows as the graph does. A name that the
program gave to a wire is kept.

    Blocks of bindings are made for the graph and for each body. A graph may have two: what
    does not depend on its `late` inputs goes to the first, so that it is shared by all the
    values these will take.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..graph.graph import Call, Choose, Constant, Graph, Loop, Map, Node, TreeLoop, While, Wire
from ..language import syntax as s
from ..language.layout import KEYWORDS
from .spelling import (
    Names,
    Term,
    Unspeakable,
    apply,
    constant,
    lambda_,
    number,
    sized,
    spell,
    term,
    whole,
)

DEEPEST = 10  # operations inside each other in one expression
_PLAIN = re.compile(r"[a-z][A-Za-z0-9_]*\Z")
_COSTLY = {
    "contract",
    "solve",
    "inverse",
    "logdet",
    "cholesky",
    "qrQ",
    "qrR",
    "eighValues",
    "eighVectors",
    "svdU",
    "svdValues",
    "svdV",
    "expm",
    "logm",
    "sqrtm",
    "frechet",
    "fourier",
}
_SHARING = {"gather", "concat"}  # their operands may be written under a `map`


@dataclass
class Block:
    """Bindings in order, for a `let`."""

    bindings: list[s.Binding] = field(default_factory=list)

    def bind(self, pattern: s.PatternTree, body: s.Expression) -> None:
        self.bindings.append(s.Binding(pattern, (), body))

    def around(self, body: s.Expression) -> s.Expression:
        return s.Let(tuple(self.bindings), body) if self.bindings else body


def names_of(wires: Iterable[str]) -> Names:
    """Names beside those of wires, words of the language and whatever else is in use."""
    return Names({*KEYWORDS, *wires})


def decompile(
    graph: Graph, inputs: Mapping[Wire, Term], names: Names, late: Iterable[Wire] = ()
) -> tuple[Block, Block, list[Term]]:
    """The bindings that do not depend on the `late` inputs, those that do, and the terms
    of the outputs. Raises Unspeakable for what has no words in the language."""
    writer = _Writer(graph, dict(inputs), names, set(late), split=True)
    return writer.early, writer.after, [writer.terms[wire] for wire in graph.outputs]


class _Writer:
    """One graph on its way to a block of bindings."""

    def __init__(
        self, graph: Graph, terms: dict[Wire, Term], names: Names, late: set[Wire], split: bool
    ) -> None:
        self.graph, self.terms, self.names, self.split = graph, terms, names, split
        self.early, self.after = Block(), Block()
        self.late = late
        self.uses = _uses(graph, late if split else set())
        for node in graph.nodes:
            if not self.late.isdisjoint(node.inputs):
                self.late.update(node.outputs)
            for wire, made in zip(node.outputs, self._node(node), strict=True):
                if made is not None:
                    self.terms[wire] = made

    # --- where a term is kept --------------------------------------------------------------

    def block(self, wire: Wire) -> Block:
        return self.after if self.split and wire in self.late else self.early

    def _name(self, wire: Wire, otherwise: str) -> str:
        given = wire.name.split(".")[-1]
        return self.names.fresh(given if _PLAIN.match(given) else otherwise)

    def keep(self, wire: Wire, made: Term) -> Term:
        """The term, or the name that it is bound to."""
        uses = self.uses[wire]
        if made.atom or (uses <= 1 and made.depth < DEEPEST):
            return made
        if isinstance(made.tree, s.Negate) and isinstance(made.tree.operand, s.Number):
            return made
        name = self._name(wire, "v" if wire in self.late else "h")
        self.block(wire).bind(s.PatternName(name), made.tree)
        return replace(made, tree=s.Name(name), depth=0, heavy=False)

    # --- nodes --------------------------------------------------------------------------------

    def _node(self, node: Node) -> Sequence[Term | None]:
        match node.operation:
            case Constant() as literal:
                (wire,) = node.outputs
                return (self.keep(wire, constant(literal)),)
            case Call(primitive, parameters):
                (wire,) = node.outputs
                if wire.type.kind == "Key":
                    return (None,)
                given = node.inputs
                if primitive.name == "mul" and not parameters.get("conjugate"):
                    given = tuple(sorted(given, key=self.late.__contains__))  # the factor first
                operands = [self.terms[each] for each in given if each.type.kind != "Key"]
                made = spell(primitive.name, parameters, operands, wire.type, self.names)
                return (self.keep(wire, made),)
            case Map() as each:
                return self._map(node, each)
            case Loop() as loop:
                return self._loop(node, loop)
            case Choose() as choose:
                return self._choose(node, choose)
            case While() as loop:
                return self._while(node, loop)
            case _:
                forest = isinstance(node.operation, TreeLoop)
                raise Unspeakable("a loop over a forest" if forest else "an equation to be solved")

    def _body(
        self,
        graph: Graph,
        outer: Sequence[Wire],
        given: Sequence[tuple[Wire, Term | None]],
        give: Callable[..., s.Expression],
    ) -> s.Expression:
        """The body of a structured node with such operands, as an expression."""
        terms = {wire: made for wire, made in given if made is not None}
        late = {own for wire, own in zip(outer, graph.inputs, strict=True) if wire in self.late}
        writer = _Writer(graph, terms, self.names, late, split=False)
        return writer.early.around(give([writer.terms[wire] for wire in graph.outputs]))

    def _parameters(self, wires: Sequence[Wire], otherwise: str) -> list[str]:
        return [self._name(wire, otherwise) for wire in wires]

    def _sequence(
        self, outer: Sequence[Wire], inner: Sequence[Wire]
    ) -> tuple[s.PatternTree, s.Expression | None, list[tuple[Wire, Term | None]]]:
        """What a body takes of each element: its pattern, the zipped sequences, its terms."""
        pattern: s.PatternTree | None = None
        zipped: s.Expression | None = None
        given: list[tuple[Wire, Term | None]] = []
        for wire, own in zip(outer, inner, strict=True):
            if wire.type.kind == "Key":
                given.append((own, None))
                continue
            outside = self.terms[wire]
            if not outside.core or len(outside.core) < outside.type.rank:
                # The same for every element.
                same = Term(
                    outside.tree, own.type, outside.core, outside.depth, outside.heavy,
                    outside.below,
                )  # fmt: skip
                given.append((own, same))
                continue
            name = self._name(own, "x")
            given.append((own, term(s.Name(name), own.type, below=outside.below)))
            if pattern is None or zipped is None:
                pattern, zipped = s.PatternName(name), whole(outside)
            else:
                pattern = s.PatternTuple((pattern, s.PatternName(name)))
                zipped = apply("zip", s.Tuple((zipped, whole(outside))))
        return pattern or s.PatternWildcard(), zipped, given

    def _unzipped(self, wires: Sequence[Wire], tree: s.Expression, heavy: bool) -> list[Term]:
        """The sequences that a sequence of nested pairs is made of."""
        if len(wires) == 1:
            (wire,) = wires
            return [self.keep(wire, term(tree, wire.type, heavy=heavy, depth=2))]
        block = self.block(wires[0])
        found: list[Term] = []
        for k in range(len(wires) - 1, 0, -1):
            name = self._name(wires[k], "ys")
            rest = self._name(wires[0], "ys") if k == 1 else self.names.fresh("rest")
            pattern = s.PatternTuple((s.PatternName(rest), s.PatternName(name)))
            block.bind(pattern, apply("unzip", tree))
            found.insert(0, term(s.Name(name), wires[k].type))
            tree = s.Name(rest)
        return [term(tree, wires[0].type), *found]

    def _map(self, node: Node, each: Map) -> Sequence[Term]:
        shared = node.inputs[: each.shared]
        given = self._captured(shared, each.body.inputs[: each.shared])
        pattern, zipped, own = self._sequence(
            node.inputs[each.shared :], each.body.inputs[each.shared :]
        )
        body = self._body(each.body, node.inputs, [*given, *own], _paired)
        if zipped is None:
            zipped = sized("iota", each.length)
        tree = _mapped(pattern, body, zipped)
        return self._unzipped(node.outputs, tree, True)

    def _captured(
        self, outer: Sequence[Wire], inner: Sequence[Wire]
    ) -> list[tuple[Wire, Term | None]]:
        return [
            (own, None if wire.type.kind == "Key" else self.terms[wire])
            for wire, own in zip(outer, inner, strict=True)
        ]

    def _loop(self, node: Node, loop: Loop) -> Sequence[Term | None]:
        first, last = loop.shared, loop.shared + loop.carried
        given = self._captured(node.inputs[:first], loop.body.inputs[:first])
        states = loop.body.inputs[first:last]
        names = self._parameters(states, "s")
        given += [(w, term(s.Name(name), w.type)) for w, name in zip(states, names, strict=True)]
        pattern, zipped, own = self._sequence(node.inputs[last:], loop.body.inputs[last:])
        state: s.PatternTree = _pattern(names)
        outputs = loop.carried < len(node.outputs)
        finals = [wire for wire in node.outputs[: loop.carried] if self.uses[wire]]

        def give(terms: Sequence[Term]) -> s.Expression:
            after = _tuple([whole(each) for each in terms[: loop.carried]])
            if not outputs:
                return after
            return s.Tuple((after, _paired(terms[loop.carried :])))

        body = self._body(loop.body, node.inputs, [*given, *own], give)
        start = _tuple([whole(self.terms[wire]) for wire in node.inputs[first:last]])
        count = self.names
        if zipped is None and not outputs:
            tree = apply(sized("iterate", loop.length), s.Lambda((state,), body), start)
            return self._states(node.outputs, tree)
        if zipped is None and not finals:
            tree = apply(sized("unfold", loop.length), s.Lambda((state,), body), start)
            return [
                *(None for _ in states),
                *self._unzipped(node.outputs[loop.carried :], tree, True),
            ]
        if zipped is None:
            zipped = sized("iota", loop.length)
        step = s.Lambda((s.PatternTuple((state, pattern)),), body)
        if not outputs:
            tree = apply("foldRight" if loop.reverse else "fold", step, start, zipped)
            return self._states(node.outputs, tree)
        tree = apply("mapAccumRight" if loop.reverse else "mapAccum", step, start, zipped)
        stacks = node.outputs[loop.carried :]
        if not finals:
            tree = apply("snd", tree)
            return [*(None for _ in states), *self._unzipped(stacks, tree, True)]
        block = self.block(node.outputs[0])
        found = [self._name(wire, "s") for wire in node.outputs[: loop.carried]]
        if not any(self.uses[wire] for wire in stacks):
            block.bind(s.PatternTuple((_pattern(found), s.PatternWildcard())), tree)
            return [
                *(term(s.Name(n), w.type) for n, w in zip(found, node.outputs, strict=False)),
                *(None for _ in stacks),
            ]
        name = count.fresh("ys" if len(stacks) == 1 else "all")
        block.bind(s.PatternTuple((_pattern(found), s.PatternName(name))), tree)
        return [
            *(term(s.Name(n), w.type) for n, w in zip(found, node.outputs, strict=False)),
            *self._unzipped(stacks, s.Name(name), False),
        ]

    def _states(self, wires: Sequence[Wire], tree: s.Expression) -> list[Term]:
        """The parts of a value that is a tuple of arrays."""
        if len(wires) == 1:
            return [self.keep(wires[0], term(tree, wires[0].type, heavy=True, depth=2))]
        names = [self._name(wire, "s") for wire in wires]
        self.block(wires[0]).bind(_pattern(names), tree)
        return [term(s.Name(n), w.type) for n, w in zip(names, wires, strict=True)]

    def _while(self, node: Node, loop: While) -> Sequence[Term | None]:
        shared, states = loop.shared, loop.body.inputs[loop.shared + 1 :]
        if self.uses[node.outputs[0]] or any(
            loop.body.inputs[shared] in each.inputs for each in loop.body.nodes
        ):
            raise Unspeakable("a loop that counts its rounds")
        names = self._parameters(states, "s")
        functions = []
        for graph in (loop.condition, loop.body):
            given = self._captured(node.inputs[:shared], graph.inputs[:shared])
            own = graph.inputs[shared + 1 :]
            given += [(w, term(s.Name(name), w.type)) for w, name in zip(own, names, strict=True)]
            given.append((graph.inputs[shared], None))
            outer = (*node.inputs[:shared], graph.inputs[shared], *node.inputs[shared:])
            body = self._body(
                graph, outer, given, lambda terms: _tuple([whole(each) for each in terms])
            )
            functions.append(s.Lambda((_pattern(names),), body))
        start = _tuple([whole(self.terms[wire]) for wire in node.inputs[shared:]])
        name = s.Name("while") if loop.most is None else sized("while", loop.most)
        return [None, *self._states(node.outputs[1:], apply(name, *functions, start))]

    def _choose(self, node: Node, choose: Choose) -> Sequence[Term]:
        selector, *operands = node.inputs
        if selector.type.rank:
            raise Unspeakable("a choice for each example of a batch")
        which = self.terms[selector]
        branches = []
        for branch in choose.branches:
            given = self._captured(operands, branch.inputs)
            branches.append(
                self._body(
                    branch, operands, given, lambda terms: _tuple([whole(each) for each in terms])
                )
            )
        if selector.type.kind == "Bool":
            tree: s.Expression = s.If(which.tree, branches[1], branches[0])
        else:
            tree = branches[-1]
            for k in range(len(branches) - 2, -1, -1):
                here = s.Binary("<=" if k == 0 else "==", which.tree, number(k))
                tree = s.If(here, branches[k], tree)
        return self._states(node.outputs, tree)


def _uses(graph: Graph, late: set[Wire]) -> Counter[Wire]:
    """How often each wire is needed. What is written under another binder counts twice; so
    does what costs something and need be done once only for all late inputs."""
    uses: Counter[Wire] = Counter(graph.outputs)
    for node in graph.nodes:
        uses.update(node.inputs)
        match node.operation:
            case Map(shared=shared) | Loop(shared=shared) | While(shared=shared):
                uses.update((*node.inputs[:shared], *node.inputs[:shared]))
            case Choose(branches=branches):
                uses.update(node.inputs if len(branches) > 2 else node.inputs[1:])
            case Call(primitive, parameters) if primitive.name == "contract":
                if not _is_plain(parameters):
                    uses.update(node.inputs)
            case Call(primitive, parameters) if primitive.name in _SHARING:
                if parameters["axis"] or (primitive.name == "gather" and node.inputs[1].type.rank):
                    uses.update(node.inputs)
    moving, heavy = set(late), set[Wire]()
    for node in graph.nodes:
        inlined = [wire for wire in node.inputs if wire in heavy and uses[wire] <= 1]
        if not moving.isdisjoint(node.inputs):
            moving.update(node.outputs)
            uses.update(inlined)
        elif inlined or _costs(node):
            heavy.update(node.outputs)
    return uses


def _costs(node: Node) -> bool:
    """Whether a node is worth doing once only."""
    match node.operation:
        case Constant():
            return False
        case Call(primitive, _):
            return primitive.name in _COSTLY
        case _:
            return True


def _is_plain(parameters: Mapping[str, object]) -> bool:
    """A product of at most two axes each, which takes no `map` to write."""
    return all(len(parameters[side]) <= 2 for side in ("left", "right", "out"))  # type: ignore[arg-type]


def _paired(terms: Sequence[Term]) -> s.Expression:
    """Outputs of a body as nested pairs, which `unzip` takes apart."""
    tree = whole(terms[0])
    for each in terms[1:]:
        tree = s.Tuple((tree, whole(each)))
    return tree


def _tuple(items: Sequence[s.Expression]) -> s.Expression:
    return items[0] if len(items) == 1 else s.Tuple(tuple(items))


def _pattern(names: Sequence[str]) -> s.PatternTree:
    if len(names) == 1:
        return s.PatternName(names[0])
    return s.PatternTuple(tuple(map(s.PatternName, names)))


def _mapped(pattern: s.PatternTree, body: s.Expression, zipped: s.Expression) -> s.Expression:
    """`map f xs`, or `zipWith f (xs, ys)` where two sequences go together."""
    if isinstance(pattern, s.PatternName):
        return apply("map", lambda_((pattern.name,), body), zipped)
    function = s.Lambda((pattern,), body)
    if isinstance(zipped, s.Apply) and zipped.function == s.Name("zip"):
        return apply("zipWith", function, zipped.argument)
    return apply("map", function, zipped)


__all__ = ["Block", "Names", "Term", "Unspeakable", "decompile", "names_of", "term", "whole"]
