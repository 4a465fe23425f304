"""The derivative of what a definition makes of a tree: a `treeRecurrence`.

    let (y, dy) = treeRecurrence
          (\\layer -> case layer of
             { LeafF x -> let y = tanh (tree.E @ x)
                          in (y, section (\\d -> case d of { LeafF dx -> …; _ -> zero }))
             ; NodeF l r -> … })
          t

A definition of a tree t is a function of arrays and of what catamorphisms make of t
(graph/forest/unknown.py). All of these together are one (the banana split law), which gives
the results beside a linear map from tangents of t to theirs. The rest of the derivative is
that of a function of arrays.

Source: Meijer, Fokkinga and Paterson 1991.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from ..graph.forest import Branch, Reduction, Unknown
from ..graph.graph import Builder, Graph, Wire
from ..graph.rewrite import tidy
from ..language import syntax as s
from ..language import types as t
from ..linear.differentiate import linearize
from ..linear.maps import Network, Primitives, filled
from ..primitives.decompile import Block, Term, Unspeakable, decompile, whole
from ..primitives.spelling import apply, mentions
from .combinators import combinators, composed, held, pairs, recorded

if TYPE_CHECKING:
    from .terms import Writer


@dataclass(frozen=True)
class Planted:
    """A tree among the arguments: its name, that of its linear map, and its reductions as
    one; `pattern` is for the results, which `after` takes apart."""

    name: str
    linear: str
    reduction: Reduction
    pattern: s.PatternTree
    after: Block = field(default_factory=Block)


def together(primitives: Primitives, tree: Unknown) -> Reduction:
    """All that is made of a tree, in one reduction. Raises Unspeakable where one takes what
    another gives."""
    if not tree.reductions:
        raise Unspeakable("a tree that nothing looks at")
    if len(tree.reductions) == 1:
        return tree.reductions[0]
    made = {wire for one in tree.reductions for wire in one.wires}
    for one in tree.reductions:
        if any(not made.isdisjoint(branch.outside) for branch in one.branches.values()):
            raise Unspeakable("a tree of which one result takes another")
    result = t.Product(tuple(one.result for one in tree.reductions))
    branches = {
        name: _beside(primitives, tree, name, result) for name in tree.reductions[0].branches
    }
    return Reduction(result, branches, tuple(w for one in tree.reductions for w in one.wires))


def _beside(primitives: Primitives, tree: Unknown, name: str, result: t.Product) -> Branch:
    """The algebras of all reductions at one constructor, as one."""
    parts = [one.branches[name] for one in tree.reductions]
    declared = tree.declarations.constructors(tree.base)[name]
    outside = tuple(dict.fromkeys(wire for part in parts for wire in part.outside))
    builder = Builder(primitives)
    own = {wire: builder.input(wire.type, wire.name) for wire in outside}
    fields = tuple(tree.field(each, result) for each in declared)
    layouts = [tree.declarations.layout(each) for each in fields]
    wires = [[builder.input(array) for array in layout] for layout in layouts]

    def of(type: t.Type, supply: Iterator[Wire], k: int) -> list[Wire]:
        """Of the arrays of a field those that the k-th reduction sees."""
        if type == tree.base:
            return [
                wire
                for place, item in enumerate(result.items)
                for wire in [next(supply) for _ in tree.declarations.layout(item)]
                if place == k
            ]
        match type:
            case t.Product(items=items):
                return [wire for item in items for wire in of(item, supply, k)]
            case t.Array(element=element) if t.mentions(element, tree.base):
                return of(element, supply, k)
            case _:
                return [next(supply) for _ in tree.declarations.layout(tree.field(type, t.R))]

    outputs: list[Wire] = []
    for k, part in enumerate(parts):
        given = [own[wire] for wire in part.outside]
        for type, arrays in zip(declared, wires, strict=True):
            given += of(type, iter(arrays), k)
        for mine, theirs in zip(given, part.body.inputs, strict=True):
            mine.name = mine.name or theirs.name
        outputs += builder.inline(part.body, given)
    return Branch(builder.finish(outputs), outside, fields)


# Bindings, the result, what a function of the tangents gives, and the maps after it.
Written: TypeAlias = "tuple[Block, list[Term], s.Expression, tuple[s.Expression, ...]]"


@dataclass
class Steps:
    """Writes the step of one tree's recurrence."""

    writer: Writer
    tree: Unknown
    reduction: Reduction
    terms: Mapping[Wire, Term]  # of the inputs of the traced graph
    active: set[Wire]  # those that move
    combined: bool

    def step(self) -> s.Expression:
        names = self.writer.names
        layer = names.fresh("layer")
        alternatives = tuple(
            self.alternative(name, branch) for name, branch in self.reduction.branches.items()
        )
        return s.Lambda((s.PatternName(layer),), s.Case(s.Name(layer), alternatives))

    def alternative(self, name: str, branch: Branch) -> s.Alternative:
        """`NodeF l r -> (result, linear map)`."""
        if not self.active.isdisjoint(branch.outside):
            raise Unspeakable("a tree reduced by what moves besides")
        writer, result = self.writer, self.reduction.result
        count = len(branch.outside)
        builder = Builder(writer.call.traced.program.primitives)
        inputs = [builder.input(w.type, w.name, w.representation) for w in branch.body.inputs]
        terms = {own: self.terms[wire] for own, wire in zip(inputs, branch.outside, strict=False)}
        opened = Block()
        supply = iter(inputs[count:])
        patterns = []
        for type in branch.fields:
            pattern, found = writer.taken(type, None, supply, "x", opened)
            patterns.append(pattern)
            terms |= found
        self._note(name, patterns)
        stems = [
            f"d{tree.name}" if isinstance(tree := terms[wire].tree, s.Name) else "dx"
            for wire in inputs[count:]
            if wire.type.differentiable
        ]
        active = [k >= count and wire.type.differentiable for k, wire in enumerate(inputs)]
        outputs, network = linearize(builder, branch.body, inputs, active)
        for wire in outputs:
            if wire not in inputs:
                wire.name = wire.name or "y"
        moving = self._moving(branch, stems)
        # A sequence of which only the tree knows the length is no space by itself.
        declared = self.tree.declarations.constructors(self.tree.base)[name]
        open_ends = bool(t.free_variables(t.Product(declared))[1])
        make = self._maps if self.combined and not open_ends else self._function
        block, value, image, rest = make(builder, network, inputs, outputs, terms, moving)
        block.bindings[:0] = opened.bindings
        if not network.domain:
            linear: s.Expression = s.Name("zero")
        else:
            d = writer.names.fresh("d")
            cases = [s.Alternative(s.PatternConstructor(f"{name}F", tuple(moving[0])), image)]
            if len(self.reduction.branches) > 1:
                cases.append(s.Alternative(s.PatternWildcard(), s.Name("zero")))
            body = s.Case(s.Name(d), tuple(cases))
            function = apply("section", s.Lambda((s.PatternName(d),), body))
            linear = composed((function, *rest))
        tree = s.Tuple((writer.rebuilt(result, iter(map(whole, value))), linear))
        return s.Alternative(s.PatternConstructor(f"{name}F", tuple(patterns)), block.around(tree))

    def _note(self, name: str, patterns: Sequence[s.PatternTree]) -> None:
        """Which names are of sequences that have as many elements as a node has."""
        declared = self.tree.declarations.constructors(self.tree.base)[name]
        for type, pattern in zip(declared, patterns, strict=True):
            if isinstance(pattern, s.PatternName) and t.free_variables(type)[1]:
                self.writer.sequences.add(pattern.name)

    def _moving(
        self, branch: Branch, stems: Sequence[str]
    ) -> tuple[list[s.PatternTree], Block, list[Term]]:
        """The tangents of the fields: their patterns, and their arrays."""
        writer, block = self.writer, Block()
        found: list[Term] = []
        patterns = []
        names = iter(stems)
        for type in branch.fields:
            tangent = writer.tangent(type)
            layout = writer.declarations.layout(tangent)
            wires = [Wire(array, next(names)) for array in layout]
            pattern, terms = writer.taken(tangent, None, iter(wires), "dx", block)
            patterns.append(pattern)
            found += [terms[wire] for wire in wires]
        return patterns, block, found

    def _function(
        self,
        builder: Builder,
        network: Network,
        inputs: Sequence[Wire],
        outputs: Sequence[Wire],
        terms: Mapping[Wire, Term],
        moving: tuple[list[s.PatternTree], Block, list[Term]],
    ) -> Written:
        """The linear map as a function of the tangents."""
        late = [builder.input(array) for array in network.domain]
        images = filled(builder, network.apply(builder, late), network.codomain)
        graph = tidy(builder.primitives, builder.finish([*outputs, *images]))
        place = dict(zip((*inputs, *late), graph.inputs, strict=True))
        given = {place[wire]: known for wire, known in terms.items()}
        given |= {place[w]: known for w, known in zip(late, moving[2], strict=True)}
        early, after, made = decompile(
            graph, given, self.writer.names, [place[wire] for wire in late]
        )
        after.bindings[:0] = moving[1].bindings
        value, image = made[: len(outputs)], made[len(outputs) :]
        space = self.writer.tangent(self.reduction.result)
        tree = after.around(self.writer.rebuilt(space, iter(map(whole, image))))
        return early, value, tree, ()

    def _maps(
        self,
        builder: Builder,
        network: Network,
        inputs: Sequence[Wire],
        outputs: Sequence[Wire],
        terms: Mapping[Wire, Term],
        moving: tuple[list[s.PatternTree], Block, list[Term]],
    ) -> Written:
        """The linear map as combinators, after the tangents as nested pairs."""
        arrays = network.domain
        network = recorded(builder, network.useful())
        primal = builder.finish((*outputs, *network.fixed))
        values = Graph(primal.inputs, primal.nodes, primal.outputs)
        names = self.writer.names
        block, made = held(builder.primitives, values, terms, network, names, len(outputs))
        value = [made[k] for k in range(len(outputs))]
        if not arrays:
            return block, value, s.Name("zero"), ()
        fixed = {wire: made[len(outputs) + k] for k, wire in enumerate(network.fixed)}
        tree = combinators(builder.primitives, network, fixed, names)
        space = self.writer.tangent(self.reduction.result)
        given = moving[1].around(pairs([whole(each) for each in moving[2]]))
        return block, value, given, (tree, *self.writer.left(space, network))


def counted(definition: s.Tree, word: str, sequences: set[str]) -> Any:
    """The definition in which `word` stands for how many elements the sequence of a node
    has: bound there. `sequences` are the names of such. Raises Unspeakable where it is a
    size, or one of several."""
    if any(isinstance(tree, s.SizeName) and tree.name == word for tree in s.walk(definition)):
        raise Unspeakable("a size that is a number of children")

    def bound(tree: Any) -> Any:
        if isinstance(tree, tuple):
            return tuple(map(bound, tree))
        if not isinstance(tree, s.Tree) or not mentions(tree, word):
            return tree
        if isinstance(tree, s.Alternative):
            names = [each.name for each in s.walk(tree.pattern) if isinstance(each, s.PatternName)]
            own = [name for name in names if name in sequences]
            if len(own) > 1:
                raise Unspeakable("a number of children of several sequences")
            if own:
                block = Block()
                number = apply("toReal", apply("length", s.Name(own[0])))
                block.bind(s.PatternName(word), number)
                return replace(tree, body=block.around(tree.body))
        parts = {
            each.name: bound(getattr(tree, each.name)) for each in fields(tree) if each.compare
        }
        return replace(tree, **parts)

    return bound(definition)


__all__ = ["Planted", "Steps", "counted", "together"]
