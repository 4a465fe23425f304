"""The table of spellings: a primitive by its name, what it is handed, and how one enters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...graph.graph import ArrayType
from ...graph.primitive import Parameters
from ...language import syntax as s
from .terms import Names, Term, Unspeakable, apply, deeper, term, under, whole

Spelling = Callable[["Call"], Term]
SPELLINGS: dict[str, Spelling] = {}
_MOVING = {
    "broadcast", "reshape", "transpose", "reverse", "slice", "gather", "concat", "hold", "select",
}  # fmt: skip


@dataclass(frozen=True)
class Call:
    """One use of a primitive, its operands spelled."""

    parameters: Parameters
    operands: tuple[Term, ...]
    type: ArrayType
    names: Names

    def made(self, tree: s.Expression, **more: Any) -> Term:
        return term(tree, self.type, **{**deeper(*self.operands), **more})

    def lifted(self, tree: s.Expression) -> Term:
        """Of an operation that works entry by entry."""
        core = max((operand.core for operand in self.operands), key=len)
        return Term(tree, self.type, core, **deeper(*self.operands))

    def axis_of(self, function: s.Expression, axis: int | None = None) -> Term:
        """A function of the first operand along an axis."""
        place = self.parameters["axis"] if axis is None else axis
        return self.made(apply(under(place, function), whole(self.operands[0])))


def spell(
    name: str, parameters: Parameters, operands: Sequence[Term], type: ArrayType, names: Names
) -> Term:
    """The term of one primitive at its operands. Raises Unspeakable."""
    rule = SPELLINGS.get(name)
    if rule is None:
        raise Unspeakable(f"the operation `{name}`")
    made = rule(Call(parameters, tuple(operands), type, names))
    if type.kind == "Int" and made.below is None and name in _MOVING:
        # Indices stay indices where they are only moved.
        moved = {"gather": operands[:1], "select": operands[1:]}.get(name, operands)
        belows = {each.below for each in moved if not _is_literal(each.tree)}
        made = replace(made, below=belows.pop() if len(belows) == 1 else None)
    return made


def _is_literal(tree: s.Expression) -> bool:
    """Whether whole numbers are written out: they are indices wherever these are asked for."""
    return isinstance(tree, s.Number) or (
        isinstance(tree, s.Sequence) and all(isinstance(each, s.Number) for each in tree.items)
    )


def spelling(*names: str) -> Callable[[Spelling], Spelling]:
    def enter(rule: Spelling) -> Spelling:
        for name in names:
            SPELLINGS[name] = rule
        return rule

    return enter
