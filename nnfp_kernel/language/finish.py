"""The typed tree with everything that was learned put in: no unknown is left that is known.

Runs once, after the whole session is solved.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from . import typed
from .elaboration import MaybeLinear, MaybeMeasured
from .measured import claims, in_doubt, told
from .sizes import Size
from .solve import Solver
from .types import UNIT, Array, Function, Linear, Named, Type, free_variables, substitute


class Finisher:
    """Puts in what the solver knows. Answers for types are remembered."""

    def __init__(self, solver: Solver, on_kept: Callable[[Type, typed.Node], None]) -> None:
        self.solver = solver
        self.on_kept = on_kept  # told of functions in arrays and data
        self._types: dict[int, tuple[Type, Type]] = {}

    def type(self, type_: Type, node: typed.Node | None = None) -> Type:
        remembered = self._types.get(id(type_))
        if remembered is not None:
            return remembered[1]
        made = self.solver.closed(type_)
        ambiguous = {
            variable: UNIT
            for variable in free_variables(made)[0]
            if variable.open and variable.identity not in self.solver.anchored
        }
        if ambiguous:
            made = substitute(made, ambiguous, {})
        if node is not None and _holds_functions(made):
            self.on_kept(made, node)
        self._types[id(type_)] = (type_, made)  # the key's type is kept alive with it
        return made

    def size(self, size: Size) -> Size:
        return self.solver.size(size)

    # --- patterns ------------------------------------------------------------------------

    def pattern(self, pattern: typed.Pattern) -> typed.Pattern:
        type_ = self.type(pattern.type)
        match pattern:
            case typed.MatchTuple(items):
                return replace(pattern, items=tuple(map(self.pattern, items)), type=type_)
            case typed.MatchConstructor(_, arguments):
                return replace(pattern, arguments=tuple(map(self.pattern, arguments)), type=type_)
            case typed.LeaveRep(_, argument):
                return replace(pattern, argument=self.pattern(argument), type=type_)
            case _:
                return replace(pattern, type=type_)

    # --- expressions ------------------------------------------------------------------------

    def expression(self, node: typed.Expression) -> typed.Expression:
        """The tree with all types put in. Long chains to the left are walked, not recursed."""
        if isinstance(node, typed.Apply):
            return self._apply(node)
        if isinstance(node, MaybeLinear):
            inner = self.expression(node.expression)
            if isinstance(self.solver.resolve(node.found), Array):
                return typed.AsLinear(inner, self._linear(node.type), span=node.span)
            return inner
        if isinstance(node, MaybeMeasured):
            return self._measured(node)
        type_ = self.type(node.type, node)
        again = self.expression
        match node:
            case typed.Global():
                instance = typed.Instance(
                    {v: self.type(t) for v, t in node.instance.types.items()},
                    {v: self.size(s) for v, s in node.instance.sizes.items()},
                )
                return self._in_doubt(replace(node, type=type_, instance=instance))
            case typed.Builtin():
                options = {
                    name: self.size(value) if isinstance(value, Size) else value
                    for name, value in node.options.items()
                }
                brackets = tuple(map(self.size, node.brackets))
                return self._in_doubt(replace(node, type=type_, brackets=brackets, options=options))
            case typed.SizeValue():
                return replace(node, type=type_, size=self.size(node.size))
            case typed.Lambda():
                return replace(
                    node, parameter=self.pattern(node.parameter), body=again(node.body), type=type_
                )
            case typed.Let():
                bindings = tuple((self.pattern(p), again(e)) for p, e in node.bindings)
                return replace(node, bindings=bindings, body=again(node.body), type=type_)
            case typed.If():
                return replace(
                    node,
                    condition=again(node.condition),
                    then=again(node.then),
                    otherwise=again(node.otherwise),
                    type=type_,
                )
            case typed.Case():
                alternatives = tuple((self.pattern(p), again(e)) for p, e in node.alternatives)
                return replace(
                    node, scrutinee=again(node.scrutinee), alternatives=alternatives, type=type_
                )
            case typed.Cata():
                algebra = []
                for pattern, body in node.alternatives:
                    made = self.pattern(pattern)
                    assert isinstance(made, typed.MatchConstructor)
                    algebra.append((made, again(body)))
                return replace(node, alternatives=tuple(algebra), type=type_)
            case typed.MakeProduct() | typed.MakeSequence():
                return replace(node, items=tuple(map(again, node.items)), type=type_)
            case typed.Fresh() | typed.AsLinear():
                return replace(node, expression=again(node.expression), type=type_)
            case typed.Stack():
                return replace(
                    node,
                    expression=again(node.expression),
                    count=self.size(node.count),
                    type=type_,
                )
            case typed.Open():
                target = again(node.target)
                assert isinstance(target, typed.Global)
                return replace(node, target=target, type=type_)
            case _:
                return replace(node, type=type_)

    def _apply(self, node: typed.Apply) -> typed.Expression:
        """A long sum nests in its left operands, a long pipe in its arguments: these are
        walked down, and built up again."""
        pending: list[typed.Apply] = []
        inner: typed.Expression = node
        while isinstance(inner, typed.Apply):
            pending.append(inner)
            inner = _deep_child(inner)
        made = self.expression(inner)
        while pending:
            outer = pending.pop()
            if _is_binary(outer):
                assert isinstance(outer.function, typed.Apply)
                partial = outer.function
                function: typed.Expression = replace(
                    partial,
                    function=self.expression(partial.function),
                    argument=made,
                    type=self.type(partial.type),
                )
                argument = self.expression(outer.argument)
            else:
                function, argument = self.expression(outer.function), made
            made = replace(
                outer, function=function, argument=argument, type=self.type(outer.type, outer)
            )
        return made

    def _measured(self, node: MaybeMeasured) -> typed.Expression:
        inner = self.expression(node.expression)
        return self._looked_at(inner, self.type(node.found), self.type(node.type), node.role)

    def _in_doubt(self, node: typed.Global | typed.Builtin) -> typed.Expression:
        """A name of whose result a constraint did not prove the sizes."""
        if node.span not in self.solver.doubted:
            return node
        return self._looked_at(node, in_doubt(self.solver, node.type), node.type)

    def _looked_at(
        self, node: typed.Expression, found: Type, said: Type, role: str = ""
    ) -> typed.Expression:
        if claims(self.solver, found, said) is None:
            return node
        mistake = told(self.solver, found, said, node.span, role)
        return typed.Measured(node, found, said, mistake, span=node.span)

    def _linear(self, type_: Type) -> Type:
        found = self.type(type_)
        if isinstance(found, Function):  # an arrow of unknown kind where a matrix stood
            return Linear(found.domain, found.codomain, origin=found.origin)
        return found


def _is_binary(node: typed.Apply) -> bool:
    """`a + b`, or another built-in name with two arguments."""
    return isinstance(node.function, typed.Apply) and isinstance(
        node.function.function, typed.Builtin
    )


def _deep_child(node: typed.Apply) -> typed.Expression:
    if _is_binary(node):
        assert isinstance(node.function, typed.Apply)
        return node.function.argument
    return node.argument


def _holds_functions(type_: Type) -> bool:
    match type_:
        case Array():
            return isinstance(_element(type_), Function)
        case Named(_, arguments):
            return any(isinstance(item, Function) or _holds_functions(item) for item in arguments)
        case _:
            return False


def _element(type_: Type) -> Type:
    while isinstance(type_, Array):
        type_ = type_.element
    return type_


def renamed(node: Any, names: Mapping[str, str]) -> Any:
    """A typed tree in which definitions are called by other names."""
    if isinstance(node, tuple):
        parts = tuple(renamed(part, names) for part in node)
        return node if all(map(operator.is_, parts, node)) else parts
    if not isinstance(node, typed.Node):
        return node
    changes: dict[str, Any] = {}
    for item in fields(node):
        value = getattr(node, item.name)
        if isinstance(node, typed.Global | typed.WeightsOf) and item.name == "name":
            new = names.get(value, value)
        elif item.name == "path" and isinstance(node, typed.WeightValue):
            new = (names.get(value[0], value[0]), *value[1:])
        else:
            new = renamed(value, names)
        if new is not value:
            changes[item.name] = new
    return replace(node, **changes) if changes else node
