"""The terms of a graph: wires and nodes back into expressions of the language.

Terms are a domain of the interpreter of graphs (graph/interpret.py). A node becomes the
expression of its primitive (spelling/), a `Map` a `map`, a `Loop` a fold or an accumulating
map, a `Choose` an `if`. What is used once stands where it is used; what is shared, is bound
by `let`, once: the text grows as the graph does. A name that the program gave to a wire is
kept.

    Blocks of bindings are made for the graph and for each body. A graph may have two: what
    does not depend on its `late` inputs goes to the first, so that it is shared by all the
    values these will take.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from ..graph.graph import (
    ArrayType,
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
from ..graph.interpret import interpret
from ..language import syntax as s
from ..language.layout import KEYWORDS
from .drawing import Drawn, Draws
from .spelling import (
    Names,
    Term,
    Unspeakable,
    apply,
    as_integer,
    constant,
    lambda_,
    number,
    sized,
    spell,
    term,
    whole,
    zeros,
)

Terms: TypeAlias = "Sequence[Term | None]"

MOST_STEPS = 100_000  # of a `fixpoint` without brackets
DEEPEST = 10  # operations inside each other in one expression
PLAIN = re.compile(r"[a-z][A-Za-z0-9_]*\Z")
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
    "eigValues",
    "eigVectors",
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
        """`let … in body`, with the bindings that are used; a draw that nothing uses stands
        before one that is."""
        used, kept = _names(body), list[s.Binding]()
        for binding in reversed(self.bindings):
            unused = isinstance(binding.pattern, s.PatternWildcard)
            if unused and kept and "draw" in _names(kept[-1].body):
                kept.append(binding)
            elif not used.isdisjoint(_names(binding.pattern)):
                kept.append(binding)
                used |= _names(binding.body)
        if kept and kept[0].pattern == s.PatternName(body.name if isinstance(body, s.Name) else ""):
            body = kept.pop(0).body
        return s.Let(tuple(reversed(kept)), body) if kept else body


def _names(tree: s.Tree) -> set[str]:
    return {each.name for each in s.walk(tree) if isinstance(each, s.Name | s.PatternName)}


def names_of(wires: Iterable[str]) -> Names:
    """Names beside those of wires, words of the language and whatever else is in use."""
    return Names({*KEYWORDS, *wires})


def decompile(
    graph: Graph, inputs: Mapping[Wire, Term], names: Names, late: Iterable[Wire] = ()
) -> tuple[Block, Block, list[Term]]:
    """The bindings that do not depend on the `late` inputs, those that do, and the terms
    of the outputs. Raises Unspeakable for what has no words in the language."""
    writer = _Writer(graph, names, set(late), split=True)
    return writer.early, writer.after, writer.terms(inputs)


class _Writer:
    """The domain of the terms of one graph, on their way to a block of bindings. A value is
    the term of a wire, or None: of a random key, and of what nothing asks for."""

    def __init__(
        self,
        graph: Graph,
        names: Names,
        late: set[Wire],
        split: bool,
        keys: Mapping[Wire, Drawn] | None = None,
    ) -> None:
        self.graph, self.names, self.split = graph, names, split
        self.early, self.after = Block(), Block()
        self.late = _after(graph, late)
        self.uses = _uses(graph, late if split else set())
        self.draws = Draws(graph, keys)

    def terms(self, inputs: Mapping[Wire, Term | None]) -> list[Term]:
        """The terms of the graph's outputs, from those of its inputs."""
        made = interpret(self.graph, [inputs.get(wire) for wire in self.graph.inputs], self)
        return [_there(each) for each in made]

    def _draw(self, node: Node) -> None:
        """Draws as often as the program did before, of which nothing is used here."""
        for wire in node.outputs[:1]:
            for _ in range(self.draws.unused_before(node)):
                drawn = spell("uniform", {}, (), ArrayType("R"), self.names)
                self.block(wire).bind(s.PatternWildcard(), drawn.tree)

    # --- where a term is kept --------------------------------------------------------------

    def block(self, wire: Wire) -> Block:
        return self.after if self.split and wire in self.late else self.early

    def _name(self, wire: Wire, otherwise: str) -> str:
        given = wire.name.split(".")[-1]
        return self.names.fresh(given if PLAIN.match(given) else otherwise)

    def keep(self, wire: Wire, made: Term) -> Term:
        """The term, or the name that it is bound to."""
        uses, drawn = self.uses[wire], wire in self.draws.wires
        if made.atom or (uses <= 1 and made.depth < DEEPEST and not drawn):
            return made
        if isinstance(made.tree, s.Negate) and isinstance(made.tree.operand, s.Number):
            return made
        name = self._name(wire, "v" if wire in self.late else "h")
        self.block(wire).bind(s.PatternName(name), made.tree)
        return replace(made, tree=s.Name(name), depth=0, heavy=False)

    # --- nodes --------------------------------------------------------------------------------

    def constant(self, operation: Constant, operands: list[Term | None], node: Node) -> Terms:
        (wire,) = node.outputs
        return (self.keep(wire, constant(operation)),)

    def call(self, operation: Call, operands: list[Term | None], node: Node) -> Terms:
        (wire,) = node.outputs
        if wire.type.kind == "Key":
            return (None,)
        name, parameters = operation.primitive.name, operation.parameters
        pairs = list(zip(node.inputs, operands, strict=True))
        if name == "mul" and not parameters.get("conjugate"):
            pairs.sort(key=lambda pair: pair[0] in self.late)  # the factor first
        given = [_there(made) for each, made in pairs if each.type.kind != "Key"]
        self._draw(node)
        return (self.keep(wire, spell(name, parameters, given, wire.type, self.names)),)

    def tree_loop(self, operation: TreeLoop, operands: list[Term | None], node: Node) -> Terms:
        raise Unspeakable("a loop over a forest")

    def _body(
        self,
        graph: Graph,
        outer: Sequence[Wire],
        given: Sequence[tuple[Wire, Term | None]],
        give: Callable[..., s.Expression],
        keys: Mapping[Wire, Drawn] | None = None,
    ) -> s.Expression:
        """The body of a structured node with such operands, as an expression."""
        late = {own for wire, own in zip(outer, graph.inputs, strict=True) if wire in self.late}
        writer = _Writer(graph, self.names, late, split=False, keys=keys)
        terms = writer.terms(dict(given))
        return writer.early.around(give(terms))

    def _parameters(self, wires: Sequence[Wire], otherwise: str) -> list[str]:
        return [self._name(wire, otherwise) for wire in wires]

    def _sequence(
        self, outer: Sequence[Term | None], inner: Sequence[Wire]
    ) -> tuple[s.PatternTree, s.Expression | None, list[tuple[Wire, Term | None]]]:
        """What a body takes of each element: its pattern, the zipped sequences, its terms."""
        pattern: s.PatternTree | None = None
        zipped: s.Expression | None = None
        given: list[tuple[Wire, Term | None]] = []
        for outside, own in zip(outer, inner, strict=True):
            if outside is None:
                given.append((own, None))
                continue
            if not outside.core or len(outside.core) < outside.type.rank:
                # The same for every element.
                same = Term(
                    outside.tree, own.type, outside.core, outside.depth, outside.heavy,
                    outside.below,
                )  # fmt: skip
                given.append((own, same))
                continue
            name = self._name(own, "x")
            known = term(s.Name(name), own.type, below=outside.below, untyped=True)
            given.append((own, known))
            if pattern is None or zipped is None:
                pattern, zipped = s.PatternName(name), whole(outside)
            else:
                pattern = s.PatternTuple((pattern, s.PatternName(name)))
                zipped = apply("zip", s.Tuple((zipped, whole(outside))))
        return pattern or s.PatternWildcard(), zipped, given

    def _unzipped(
        self, wires: Sequence[Wire], tree: s.Expression, heavy: bool, each: Sequence[Term]
    ) -> list[Term]:
        """The sequences that a sequence of nested pairs is made of, from the terms of one:
        indices stay indices."""
        belows = [one.below for one in each]
        if len(wires) == 1:
            (wire,) = wires
            return [self.keep(wire, term(tree, wire.type, heavy=heavy, depth=2, below=belows[0]))]
        block = self.block(wires[0])
        found: list[Term] = []
        for k in range(len(wires) - 1, 0, -1):
            name = self._name(wires[k], "ys")
            rest = self._name(wires[0], "ys") if k == 1 else self.names.fresh("rest")
            pattern = s.PatternTuple((s.PatternName(rest), s.PatternName(name)))
            block.bind(pattern, apply("unzip", tree))
            found.insert(0, term(s.Name(name), wires[k].type, below=belows[k]))
            tree = s.Name(rest)
        return [term(tree, wires[0].type, below=belows[0]), *found]

    def map(self, operation: Map, operands: list[Term | None], node: Node) -> Terms:
        self._draw(node)
        shared, inner = operation.shared, operation.body.inputs
        given = zip(inner[:shared], operands[:shared], strict=True)
        pattern, zipped, own = self._sequence(operands[shared:], inner[shared:])
        made: list[Term] = []

        def give(terms: Sequence[Term]) -> s.Expression:
            made.extend(terms)
            return _paired(terms)

        body = self._body(operation.body, node.inputs, [*given, *own], give)
        if zipped is None:
            zipped = sized("iota", operation.length)
        tree = _mapped(pattern, body, zipped)
        return self._unzipped(node.outputs, tree, True, made)

    def loop(self, loop: Loop, operands: list[Term | None], node: Node) -> Terms:
        if not loop.carried and not loop.counted:
            return self.map(Map(loop.body, loop.shared, loop.length), operands, node)
        self._draw(node)
        first, last = loop.shared, loop.shared + loop.carried
        shared, initial, along, rounds = loop.operands(operands)
        given = list(zip(loop.body.inputs[:first], shared, strict=True))
        states = loop.body.inputs[first:last]
        names = self._parameters(states, "s")
        given += [(w, _local(name, w)) for w, name in zip(states, names, strict=True)]
        pattern, zipped, own = self._sequence(along, loop.body.inputs[last:])
        state: s.PatternTree = _pattern(names)
        if loop.counted:
            number = self.names.fresh("i")
            there = among_rounds(s.Name(number), _there(rounds[0]))
            numbered = s.PatternName(number), sized("iota", loop.length)
            pattern, zipped = numbered if zipped is None else (
                s.PatternTuple((pattern, numbered[0])),
                apply("zip", s.Tuple((zipped, numbered[1]))),
            )  # fmt: skip
        outputs = loop.carried < len(node.outputs)
        finals = [wire for wire in node.outputs[: loop.carried] if self.uses[wire]]

        made: list[Term] = []

        def give(terms: Sequence[Term]) -> s.Expression:
            made.extend(terms[loop.carried :])
            after = _tuple([whole(as_integer(each)) for each in terms[: loop.carried]])
            if not outputs:
                return after
            return s.Tuple((after, _paired(terms[loop.carried :])))

        body = self._body(loop.body, node.inputs[: len(loop.body.inputs)], [*given, *own], give)
        if loop.counted:
            body = self._while_there(loop, there, names, body)
        start = _start(initial)
        count = self.names
        if zipped is None and not outputs:
            tree = apply(sized("iterate", loop.length), s.Lambda((state,), body), start)
            return self._states(node.outputs, tree)
        if zipped is None and not finals and not loop.reverse:
            tree = apply(sized("unfold", loop.length), s.Lambda((state,), body), start)
            return [
                *(None for _ in states),
                *self._unzipped(node.outputs[loop.carried :], tree, True, made),
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
            return [*(None for _ in states), *self._unzipped(stacks, tree, True, made)]
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
            *self._unzipped(stacks, s.Name(name), False, made),
        ]

    def _while_there(
        self, loop: Loop, there: s.Expression, names: Sequence[str], body: s.Expression
    ) -> s.Expression:
        """The step where it is made; the others leave the state, and zeros."""
        kept = _tuple(list(map(s.Name, names)))
        rest = [zeros(wire.type) for wire in loop.body.outputs[loop.carried :]]
        return s.If(there, body, s.Tuple((kept, _paired(rest))) if rest else kept)

    def _states(self, wires: Sequence[Wire], tree: s.Expression) -> list[Term]:
        """The parts of a value that is a tuple of arrays."""
        if len(wires) == 1:
            return [self.keep(wires[0], term(tree, wires[0].type, heavy=True, depth=2))]
        names = [self._name(wire, "s") for wire in wires]
        self.block(wires[0]).bind(_pattern(names), tree)
        return [term(s.Name(n), w.type) for n, w in zip(names, wires, strict=True)]

    def while_loop(self, loop: While, operands: list[Term | None], node: Node) -> Terms:
        self._draw(node)
        shared, states = loop.shared, loop.body.inputs[loop.shared + 1 :]
        numbers = (loop.body.inputs[shared], loop.condition.inputs[shared])
        # The rounds are part of the state where something asks for their number.
        numbered = bool(self.uses[node.outputs[0]]) or any(
            not set(numbers).isdisjoint(each.inputs) and each.outputs[0].type.kind != "Key"
            for graph in (loop.condition, loop.body)
            for each in graph.nodes
        )
        names = self._parameters(states, "s")
        count = self.names.fresh("n") if numbered else ""
        front = [count] if numbered else []
        functions = []
        for graph in (loop.condition, loop.body):
            given = list(zip(graph.inputs[:shared], operands[:shared], strict=True))
            number, *own = graph.inputs[shared:]
            given += [(w, _local(name, w)) for w, name in zip(own, names, strict=True)]
            given.append((number, term(s.Name(count), number.type) if numbered else None))
            outer = (*node.inputs[:shared], number, *node.inputs[shared:])
            more = [s.Binary("+", s.Name(count), s.Number(1))] if numbered else []
            more = more if graph is loop.body else []

            def give(terms: Sequence[Term], more: Sequence[s.Expression] = more) -> s.Expression:
                return _tuple([*more, *(whole(as_integer(own)) for own in terms)])

            body = self._body(graph, outer, given, give)
            functions.append(s.Lambda((_pattern([*front, *names]),), body))
        initial = [term(s.Number(0), numbers[0].type), *operands[shared:]]
        name = s.Name("while") if loop.most is None else sized("while", loop.most)
        tree = apply(name, *functions, _start(initial if numbered else initial[1:]))
        if numbered:
            return self._states(node.outputs, tree)
        return [None, *self._states(node.outputs[1:], tree)]

    def fixpoint(self, fixpoint: Fixpoint, operands: list[Term | None], node: Node) -> Terms:
        shared, states = fixpoint.shared, fixpoint.body.inputs[fixpoint.shared :]
        *found, _ = node.outputs
        names = self._parameters(states, "s")
        given = list(zip(fixpoint.body.inputs[:shared], operands[:shared], strict=True))
        given += [(w, _local(name, w)) for w, name in zip(states, names, strict=True)]
        body, sides = fixpoint.body, None
        if fixpoint.linear:
            sides = _equation(body, shared)
            body = body if sides is None else _for(body, sides[0])
        tree = self._body(body, node.inputs, given, _wholes)
        solver = apply("solve")
        if fixpoint.tolerance:
            solver = apply("solveWithin", number(fixpoint.tolerance))
        function = lambda_(names, tree) if len(names) == 1 else s.Lambda((_pattern(names),), tree)
        if fixpoint.linear and sides is None:
            return [*self._states(found, self._affine(node, function, solver, states)), None]
        if sides is None:
            most = s.Name("fixpoint") if fixpoint.most == MOST_STEPS else sized(
                "fixpoint", fixpoint.most
            )  # fmt: skip
            start = _wholes(operands[shared:])
            made = apply(most, s.Lambda((_pattern(names),), tree), start)
            return [*self._states(found, made), None]
        place = dict(zip(body.inputs, operands, strict=True))
        image = _wholes([place[wire] for wire in sides[1]])
        made = apply(solver, apply("section", function), image)
        return [*self._states(found, made), None]

    def _affine(
        self, node: Node, step: s.Expression, solver: s.Expression, states: Sequence[Wire]
    ) -> s.Expression:
        """The equation v = step v of a step that is linear but for what it gives of zero."""
        name = self.names.fresh("step")
        self.block(node.outputs[0]).bind(s.PatternName(name), step)
        none = _tuple([whole(zeros(wire.type)) for wire in states])
        linear = apply("derivative", s.Name(name), none)
        rest = s.Binary("-", apply("scale", s.Number(1)), linear)
        return apply(solver, rest, apply(s.Name(name), none))

    def choose(self, choose: Choose, operands: list[Term | None], node: Node) -> Terms:
        selector, *outer = node.inputs
        if selector.type.rank:
            raise Unspeakable("a choice for each example of a batch")
        which = _there(operands[0])
        branches = []
        # Of an `if` the other branch is traced first, and draws first (graph/choices.py); of what
        # is written as one in another, the innermost.
        turned = selector.type.kind != "Bool"
        for branch in choose.branches[:: -1 if turned else 1]:
            given = list(zip(branch.inputs, operands[1:], strict=True))
            pairs = zip(branch.inputs, outer, strict=True)
            keys = {own: self.draws.of(wire) for own, wire in pairs if wire.type.kind == "Key"}
            branches.append(self._body(branch, outer, given, _wholes, keys))
        if not turned:
            tree: s.Expression = s.If(which.tree, branches[1], branches[0])
        else:
            tree = branches[0]
            for k, each in zip(range(len(branches) - 2, -1, -1), branches[1:], strict=True):
                here = s.Binary("<=" if k == 0 else "==", which.tree, number(k))
                tree = s.If(here, each, tree)
        return self._states(node.outputs, tree)


def _local(name: str, wire: Wire) -> Term:
    """A parameter of a function in the text."""
    return term(s.Name(name), wire.type, untyped=True)


def _equation(body: Graph, shared: int) -> tuple[tuple[Wire, ...], tuple[Wire, ...]] | None:
    """Of the body v ↦ v + u - L v of an equation L v = u what L v is, and u, which does not
    move; None of a body that is another."""
    made = {wire: node for node in body.nodes for wire in node.outputs}

    def operands(wire: Wire, name: str) -> tuple[Wire, ...] | None:
        match made.get(wire):
            case Node(operation=Call(primitive, _), inputs=inputs) if primitive.name == name:
                return inputs
        return None

    images, given = [], []
    for wire, state in zip(body.outputs, body.inputs[shared:], strict=True):
        difference = operands(wire, "subtract")
        total = None if difference is None else operands(difference[0], "add")
        if difference is None or total is None or state not in total:
            return None
        (u,) = [each for each in total if each is not state] or (state,)
        if u not in body.inputs[:shared]:
            return None
        images.append(difference[1])
        given.append(u)
    return tuple(images), tuple(given)


def _for(graph: Graph, outputs: tuple[Wire, ...]) -> Graph:
    """The graph with other outputs, and the nodes that these take."""
    needed, kept = set(outputs), []
    for node in reversed(graph.nodes):
        if not needed.isdisjoint(node.outputs):
            kept.append(node)
            needed.update(node.inputs)
    return Graph(graph.inputs, tuple(reversed(kept)), outputs)


def among_rounds(number: s.Expression, rounds: Term) -> s.Expression:
    """Whether a step is among those that are made."""
    return s.Binary("<", apply("toReal", number), apply("toReal", rounds.tree))


def _after(graph: Graph, inputs: Iterable[Wire]) -> set[Wire]:
    """The inputs, and all that depends on them."""
    found = set(inputs)
    for node in graph.nodes:
        if not found.isdisjoint(node.inputs):
            found.update(node.outputs)
    return found


def _uses(graph: Graph, late: set[Wire]) -> Counter[Wire]:
    """How often each wire is needed. What is written under another binder counts twice; so
    does what costs something and need be done once only for all late inputs."""
    uses: Counter[Wire] = Counter(graph.outputs)
    for node in graph.nodes:
        uses.update(node.inputs)
        if isinstance(node.operation, Loop) and node.operation.counted:
            uses[node.inputs[-1]] += 1
        match node.operation:
            case (
                Map(shared=shared)
                | Loop(shared=shared)
                | While(shared=shared)
                | Fixpoint(shared=shared)
            ):
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


def _wholes(terms: Sequence[Term | None]) -> s.Expression:
    """Terms as one value, written out."""
    return _tuple([whole(_there(each)) for each in terms])


def _start(terms: Sequence[Term | None]) -> s.Expression:
    """The state that a loop starts with. An index is a whole number there: what comes later may
    be another one. Of a number that is written only its type tells that it counts."""
    trees = []
    for each in map(as_integer, map(_there, terms)):
        tree = whole(each)
        counts = each.type.kind == "Int" and isinstance(tree, s.Number)
        trees.append(s.Ascription(tree, s.TypeName("Int")) if counts else tree)
    return _tuple(trees)


def _there(made: Term | None) -> Term:
    assert made is not None, "something asks for a term that is not there"
    return made


def _tuple(items: Sequence[s.Expression]) -> s.Expression:
    return items[0] if len(items) == 1 else s.Tuple(tuple(items))


def _pattern(names: Sequence[str]) -> s.PatternTree:
    if len(names) == 1:
        return s.PatternName(names[0])
    return s.PatternTuple(tuple(map(s.PatternName, names)))


def _mapped(pattern: s.PatternTree, body: s.Expression, zipped: s.Expression) -> s.Expression:
    """`map f xs`, or `zipWith f (xs, ys)` where two sequences go together; of the identity, xs."""
    if isinstance(pattern, s.PatternName) and body == s.Name(pattern.name):
        return zipped
    if isinstance(pattern, s.PatternName):
        return apply("map", lambda_((pattern.name,), body), zipped)
    function = s.Lambda((pattern,), body)
    if isinstance(zipped, s.Apply) and zipped.function == s.Name("zip"):
        return apply("zipWith", function, zipped.argument)
    return apply("map", function, zipped)


__all__ = ["Block", "Names", "Term", "Unspeakable", "decompile", "names_of", "term", "whole"]
