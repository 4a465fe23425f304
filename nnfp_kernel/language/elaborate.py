"""One definition's syntax → typed tree, in check mode: the wanted type goes in first.

Every method takes the type that is wanted (an unknown where nothing is known) and returns a
node of the typed tree whose types may still have unknowns; `finish.py` puts in what was
learned. A mistake is raised as `Mistake`; infer.py gives it to the definition it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from . import syntax, typed
from .bindings import Bindings
from .elaboration import Scope
from .operators import Operators
from .sizes import constant
from .types import (
    Array,
    Linear,
    Product,
    Type,
    gives_linear,
)
from .windows import OWN_RULES


class Elaborator(Operators, Bindings):
    """Elaborates one definition or one expression item."""

    def _tuple(self, tree: syntax.Tuple, wanted: Type, scope: Scope, role: str) -> typed.Expression:
        product = self.solver.resolve(wanted)
        types: Sequence[Type]
        if isinstance(product, Product) and len(product.items) == len(tree.items):
            types = product.items
            made: Type = product
        else:
            types = [self.solver.fresh("a", self.place(item.span)) for item in tree.items]
            made = Product(tuple(types), origin=self.place(tree.span))
            self.fit(made, wanted, tree.span, role)
        items = tuple(
            self.expression(item, type_, scope, "")
            for item, type_ in zip(tree.items, types, strict=True)
        )
        return typed.MakeProduct(items, made, span=tree.span)

    def _sequence(
        self, tree: syntax.Sequence, wanted: Type, scope: Scope, role: str
    ) -> typed.Expression:
        element: Type = self.solver.fresh("a", self.place(tree.span))
        made = Array(element, constant(len(tree.items)), origin=self.place(tree.span))
        is_matrix = isinstance(self.solver.resolve(wanted), Linear)
        if not is_matrix:
            self.fit(made, wanted, tree.span, role)
        said = "an element of the sequence"
        items = self.in_turn(
            tree.items, element, scope,
            lambda k: self.expression(tree.items[k], element, scope, said),
        )  # fmt: skip
        node = typed.MakeSequence(tuple(items), made, span=tree.span)
        return self.coerce(node, made, wanted, tree.span, role) if is_matrix else node

    def _ascription(
        self, tree: syntax.Ascription, wanted: Type, scope: Scope, role: str
    ) -> typed.Expression:
        type_ = self.reader.read_as(tree.type, "the ascription")
        if gives_linear(type_):
            self.promise(tree.expression)
        node = self.expression(tree.expression, type_, scope, "")
        return self.coerce(node, type_, wanted, tree.span, role)

    def forms(self) -> Mapping[type, Callable[..., typed.Expression]]:
        return _FORMS

    def rules(self) -> Mapping[str, Callable[..., tuple[typed.Expression, Type]]]:
        return OWN_RULES


_FORMS: Mapping[type, Callable[..., typed.Expression]] = {
    syntax.Name: Elaborator._name,
    syntax.Number: Elaborator._number,
    syntax.Hole: Elaborator._hole,
    syntax.Blank: Elaborator._blank,
    syntax.Path: Elaborator._path,
    syntax.Bracket: Elaborator._bracket,
    syntax.Apply: Elaborator._apply,
    syntax.Lambda: Elaborator._lambda,
    syntax.Let: Elaborator._let,
    syntax.If: Elaborator._if,
    syntax.Case: Elaborator._case,
    syntax.Cata: Elaborator._cata,
    syntax.Tuple: Elaborator._tuple,
    syntax.Sequence: Elaborator._sequence,
    syntax.Binary: Elaborator._binary,
    syntax.Negate: Elaborator._negate,
    syntax.OperatorFunction: Elaborator._operator_function,
    syntax.LeftSection: Elaborator._left_section,
    syntax.RightSection: Elaborator._right_section,
    syntax.Ascription: Elaborator._ascription,
    syntax.Fresh: Elaborator._fresh,
    syntax.Open: Elaborator._open,
}

__all__ = ["Elaborator"]
