"""A tree that is grown, for an answer: its tangent is grown beside it.

    grow = \\ds -> ana[3] (\\(s, ds) -> case … of { … -> NodeF (s / 2, ds / 2) … }) (x, ds)

A seed beside its tangent grows the tree of tangents, which has the shape of the tree. It is
linear in the tangent of the first seed and of what moves around it, and its adjoint takes a
tree of cotangents back to these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ...graph.forest import Branch, NoForest, growing
from ...graph.graph import ArrayType, Builder, Wire
from ...graph.grown import Growth
from ...graph.rewrite import tidy
from ...language import syntax as s
from ...language import types as t
from ...linear.differentiate import linearize
from ...linear.maps import Primitives, filled
from ...primitives.decompile import Block, Term, Unspeakable, decompile, term, whole
from ...primitives.spelling import apply, sized, zeros
from ..combinators import pair_pattern, pairs
from .entries import known_around
from .shapes import Opening, Sprout
from .values import Values


@dataclass
class Growing:
    """A grown tree's linear map, by name; `around` are inputs that move and that it takes."""

    values: Values
    shape: Sprout
    name: str
    around: tuple[Wire, ...]

    @property
    def space(self) -> t.Type:
        """The tangents of the seed."""
        return self.values.tangent(_growth(self.shape).seed_type)

    def tangent(self, terms: Mapping[Wire, Term], reals: Iterator[s.Expression]) -> s.Expression:
        """The tree of tangents, of those of the seed and of what is around."""
        given = self.values.rebuilt(self.space, reals)
        if self.around:
            given = s.Tuple((pairs([whole(terms[wire]) for wire in self.around]), given))
        return apply(self.name, given)

    def cotangents(self, tree: str, opening: Opening) -> list[tuple[Wire, s.Expression]]:
        """Binds those of the seed, and tells those of what is around."""
        made = apply(apply("adjoint", apply("section", s.Name(self.name))), s.Name(tree))
        inside = Block()
        pattern, found = self.values.taken(self.space, None, opening.given, "w", inside)
        names = [self.values.names.fresh("w") for _ in self.around]
        if names:
            pattern = s.PatternTuple((pair_pattern(names), pattern))
        opening.block.bind(pattern, made)
        opening.block.bindings += inside.bindings
        opening.terms |= found
        return [(wire, s.Name(name)) for wire, name in zip(self.around, names, strict=True)]


def grown(
    values: Values,
    primitives: Primitives,
    shape: Sprout,
    seed: list[Term],
    terms: Mapping[Wire, Term],
    moving: set[Wire],
    block: Block,
) -> Growing:
    """Binds the linear map from the tangents of the seed, and of what moves around, to that of
    the tree."""
    growth = _growth(shape)
    try:
        branch = growing(shape.tree)
    except NoForest:
        raise Unspeakable(
            "a tree that is grown with sequences of children of which only running tells how many "
            "there are. With as many at each node, `[s / 2, s / 3]`, or with a constructor for "
            "each number, it can be written"
        ) from None
    around = tuple(wire for wire in branch.outside if wire in moving)
    space = values.tangent(growth.seed_type)
    if False not in values.slots(space):
        raise Unspeakable("a tree that is grown from what does not move")
    names = values.names
    own = [names.fresh(_stem(terms[wire])) for wire in around]
    beside = [term(s.Name(name), wire.type) for name, wire in zip(own, around, strict=True)]
    step = _step(values, primitives, shape, branch, terms, dict(zip(around, beside, strict=True)))
    first = names.fresh("ds")
    start = values.rebuilt(growth.seed_type, iter(map(whole, seed)), every=True)
    depth = sized("ana", growth.depth)
    body = apply(depth, step, s.Tuple((start, s.Name(first))))
    pattern: s.PatternTree = s.PatternName(first)
    if around:
        pattern = s.PatternTuple((pair_pattern(own), pattern))
    name = names.fresh("grow")
    block.bind(s.PatternName(name), s.Lambda((pattern,), body))
    return Growing(values, shape, name, around)


def _step(
    values: Values,
    primitives: Primitives,
    shape: Sprout,
    branch: Branch,
    terms: Mapping[Wire, Term],
    around: Mapping[Wire, Term],
) -> s.Expression:
    """From a seed and its tangent to the layer of these, with tangents for payload."""
    growth, block, count = _growth(shape), Block(), len(branch.outside)
    builder = Builder(primitives)
    inputs = [builder.input(w.type, w.name, w.representation) for w in branch.body.inputs]
    active = [wire in around for wire in branch.outside]
    active += [wire.type.differentiable for wire in inputs[count:]]
    given = known_around(inputs, branch, terms)
    seed, found = values.taken(growth.seed_type, None, iter(inputs[count:]), "s", block)
    outputs, network = linearize(builder, branch.body, inputs, active)
    late = [builder.input(array) for array in network.domain]
    moved, tangents = values.taken(
        values.tangent(growth.seed_type), None, iter(late[len(around) :]), "ds", block
    )
    images = filled(builder, network.apply(builder, late), network.codomain)
    graph = tidy(builder.primitives, builder.finish([*outputs, *images]))
    place = dict(zip((*inputs, *late), graph.inputs, strict=True))
    beside = dict(zip(late, [around[w] for w in branch.outside if w in around], strict=False))
    known = given | found | tangents | beside
    early, after, made = decompile(
        graph, {place[wire]: each for wire, each in known.items()}, values.names
    )
    block.bindings += [*early.bindings, *after.bindings]
    supply = iter(made[: len(outputs)]), iter(made[len(outputs) :])
    arrays = iter(list(_arrays(values, shape, [wire.type for wire in outputs], *supply)))
    both = t.Product((growth.seed_type, values.tangent(growth.seed_type)))
    layer = values.rebuilt(shape.tree.functor.layer(both), arrays, True, True)
    return s.Lambda((s.PatternTuple((seed, moved)),), block.around(layer))


def _arrays(
    values: Values,
    shape: Sprout,
    types: list[ArrayType],
    own: Iterator[Term],
    images: Iterator[Term],
) -> Iterator[s.Expression]:
    """The arrays of the layer: its tag, seeds with their tangents, tangents of payload."""
    functor, seed = shape.tree.functor, _growth(shape).seed_type
    kinds = iter(types)
    next(kinds)

    def of(item: t.Type) -> Iterator[s.Expression]:
        match item:
            case t.Product(items=items):
                for each in items:
                    yield from of(each)
            case t.Array(element=element) if t.mentions(element, functor.tree):
                yield from of(element)  # an array of seeds is one of each array in them
            case _:
                child = item == functor.tree
                tangents: list[s.Expression] = []
                for _ in values.declarations.layout(seed if child else item):
                    kind, value = next(kinds), whole(next(own))
                    moved = whole(next(images)) if kind.differentiable else None
                    if child:
                        yield value
                        tangents += [moved] if moved is not None else []
                    else:
                        yield whole(zeros(kind)) if moved is None else moved
                yield from tangents

    yield whole(next(own))
    for items in functor.fields.values():
        yield from of(t.Product(items))


def _growth(shape: Sprout) -> Growth:
    assert shape.tree.growth is not None
    return shape.tree.growth


def _stem(known: Term) -> str:
    return f"d{known.tree.name}" if isinstance(known.tree, s.Name) else "dx"


__all__ = ["Growing", "grown"]
