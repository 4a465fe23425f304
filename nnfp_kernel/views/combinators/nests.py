"""Several arrays as pairs that nest to the right: as variables, expressions and patterns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from ...language import syntax as s
from ...linear.maps import Variable
from ...primitives.spelling import apply

Nest: TypeAlias = "Variable | tuple[Nest, Nest]"  # variables as nested pairs


def nested(variables: Sequence[Variable]) -> Nest:
    """Several as pairs that nest to the right."""
    *front, last = variables
    nest: Nest = last
    for variable in reversed(front):
        nest = (variable, nest)
    return nest


def variables_of(nest: Nest) -> tuple[Variable, ...]:
    if isinstance(nest, Variable):
        return (nest,)
    return (*variables_of(nest[0]), *variables_of(nest[1]))


def nest_tree(nest: Nest, trees: Mapping[Variable, s.Expression]) -> s.Expression:
    if isinstance(nest, Variable):
        return trees[nest]
    return s.Tuple((nest_tree(nest[0], trees), nest_tree(nest[1], trees)))


def pairs(trees: Sequence[s.Expression]) -> s.Expression:
    *front, tree = trees
    for each in reversed(front):
        tree = s.Tuple((each, tree))
    return tree


def zip_tree(trees: Sequence[s.Expression]) -> s.Expression:
    *front, tree = trees
    for each in reversed(front):
        tree = apply("zip", s.Tuple((each, tree)))
    return tree


def pair_pattern(names: Sequence[str]) -> s.PatternTree:
    *front, last = names
    pattern: s.PatternTree = s.PatternName(last)
    for name in reversed(front):
        pattern = s.PatternTuple((s.PatternName(name), pattern))
    return pattern
