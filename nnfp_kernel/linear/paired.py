"""The derivative of a reduction of a tree, as a reduction of the tree and its tangent as one.

    cata { Leaf x -> tanh x ; Node l r -> l * r }
    cata { Leaf (x, dx) -> (tanh x, (1 - tanh x * tanh x) * dx)
         ; Node (l, dl) (r, dr) -> (l * r, r * dl + l * dr) }

What the algebra takes from around it has its tangents around it too. The adjoint of this
reduction, at a cotangent of the tangent alone, is the derivative of the adjoint of the first.
Source: Pearlmutter 1994, for the second derivative as the derivative of a derivative.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..graph.forest import Branch, NoForest, Plant, Reduction, field_type
from ..graph.graph import ArrayType, Builder, Wire
from ..language import types as t
from .differentiate import linearize
from .maps import Primitives, filled


def moving(layout: Sequence[ArrayType]) -> t.Type:
    """What moves of a value: the space of its tangents."""
    arrays = [t.of_shape(t.Scalar(own.kind), own.shape) for own in layout if own.differentiable]
    return arrays[0] if len(arrays) == 1 else t.Product(tuple(arrays))


def pairs_up(reduction: Reduction) -> bool:
    """Whether a tree and its tangent are one tree, and the reduction has one of that: it knows
    nothing of trees, does with any number of children, and all that moves is payload."""
    tree = reduction.tree
    declared = tree.declarations.constructors(tree.type)
    return (reduction.deep and tree.bare) and all(
        branch.inside is None
        and branch.fields == tuple(field_type(tree, each, reduction.result) for each in declared[k])
        for k, branch in reduction.branches.items()
    )


def with_tangent(tree: t.Named) -> t.Named:
    """The type of a tree and its tangent as one."""
    payload = tree.arguments[-1]
    return t.Named(tree.name, (*tree.arguments[:-1], t.Product((payload, payload))))


def paired(
    primitives: Primitives, reduction: Reduction, both: Plant, around: Mapping[Wire, Wire]
) -> Reduction:
    """The reduction of `both`, the tree and its tangent as one, to the result and its tangent.
    `around` are the tangents of what moves around the algebra. It has no wires yet."""
    tree = reduction.tree
    layout = tree.declarations.layout(reduction.result)
    result = t.Product((reduction.result, moving(layout)))
    declarations = tree.declarations
    generic = t.Named(tree.type.name, declarations.data[tree.type.name].parameters)
    branches = {}
    for name, branch in reduction.branches.items():
        fields = tuple(
            field_type(both, each, result) for each in declarations.constructors(both.type)[name]
        )
        at = _At(tree, generic, reduction.result)
        branches[name] = at.branch(
            Builder(primitives), branch, declarations.constructors(generic)[name], fields, around
        )
    return Reduction(both, result, branches, ())


@dataclass(frozen=True)
class _At:
    """The fields of a node: `generic` is the type of the tree with its own parameters."""

    tree: Plant
    generic: t.Named
    result: t.Type

    def branch(
        self,
        builder: Builder,
        branch: Branch,
        declared: Sequence[t.Type],
        fields: tuple[t.Type, ...],
        around: Mapping[Wire, Wire],
    ) -> Branch:
        given = [builder.input(wire.type, wire.name) for wire in branch.outside]
        beside = [wire for wire in branch.outside if wire in around]
        outside = (*branch.outside, *(around[wire] for wire in beside))
        tangents = [builder.input(around[wire].type, around[wire].name) for wire in beside]
        active = [wire in around for wire in branch.outside]
        inputs = [
            builder.input(one) for each in fields for one in self.tree.declarations.layout(each)
        ]
        supply = iter(inputs)
        for type in declared:
            for wire, tangent in self._field(type, supply):
                given.append(wire)
                active.append(tangent is not None)
                if tangent is not None:
                    tangents.append(tangent)
        for wire, inner in zip(given, branch.body.inputs, strict=True):
            wire.name = wire.name or inner.name
        outputs, network = linearize(builder, branch.body, given, active)
        images = filled(builder, network.apply(builder, tangents), network.codomain)
        body = builder.finish([*outputs, *images])
        return Branch(body, outside, fields)

    def _field(self, type: t.Type, supply: Iterator[Wire]) -> list[tuple[Wire, Wire | None]]:
        """The arrays of a field, each with its tangent."""
        layout = self.tree.declarations.layout
        last = self.generic.arguments[-1]
        if type == self.generic:
            return _beside(supply, len(layout(self.result)), every=False)
        if type == last:
            return _beside(supply, len(layout(self.tree.type.arguments[-1])), every=True)
        if last not in t.free_variables(type)[0]:
            parameters = self.tree.declarations.data[self.generic.name].parameters
            known = dict(zip(parameters, self.tree.type.arguments, strict=True))
            count = len(layout(field_type(self.tree, t.substitute(type, known, {}), t.R)))
            return [(next(supply), None) for _ in range(count)]
        match type:
            case t.Product(items=items):
                return [each for item in items for each in self._field(item, supply)]
            case t.Array(element=element):
                return self._field(element, supply)
            case _:
                raise NoForest(self.tree.type)


def _beside(supply: Iterator[Wire], count: int, every: bool) -> list[tuple[Wire, Wire | None]]:
    """So many arrays and their tangents, which come after them: of all, or of those that move."""
    values = [next(supply) for _ in range(count)]
    tangents = [next(supply) if every or wire.type.differentiable else None for wire in values]
    return [
        (wire, tangent if wire.type.differentiable else None)
        for wire, tangent in zip(values, tangents, strict=True)
    ]


__all__ = ["moving", "paired", "pairs_up", "with_tangent"]
