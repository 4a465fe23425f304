"""Functions that Python brought in: what comes out is known once what goes in is.

Nothing is known of such a function but its image of concrete types (in a session: what
`jax.eval_shape` says). So a use waits until all that it is given is settled, and travels in
the scheme of a generic definition till then: `g : a -> b where b = f a`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from .constraints import Constraint
from .diagnostics import Diagnostic, Label
from .sizes import Size
from .solve import Mistake, Solver
from .types import Array, Named, Product, Type, show

Image = Callable[[Type], Type]
"""From the product of the types of all arguments, without names of representations, to that
of the answer. Raises NoImage."""


class NoImage(Exception):
    """The function refuses such arguments: in its own words."""


@dataclass(kw_only=True, eq=False)
class ImageOf(Constraint):
    """`result` is what the function `name` of Python's makes of `arguments`, a product."""

    name: str
    image: Image
    arguments: Type
    result: Type
    kind: ClassVar[str] = "image"

    def attempt(self, solver: Solver) -> bool:
        if any(True for _ in solver.variables(self.arguments)):
            return False
        arguments = solver.zonk(self.arguments, close=True)
        try:
            found = self.image(_carried(solver, arguments))
        except NoImage as problem:
            raise Mistake(self._refused(arguments, str(problem))) from None
        self.unify(solver, found, self.result)
        return True

    def blockers(self, solver: Solver) -> Iterator[int]:
        yield from (each.identity for each in solver.variables(self.arguments))

    def text(self, show: Callable[[Type | Size], str]) -> str:
        assert isinstance(self.arguments, Product)
        given = [show(each) for each in self.arguments.items]
        given = [f"({each})" if "->" in each else each for each in given]
        return " ".join([show(self.result), "=", self.name, *given])

    def _refused(self, arguments: Type, why: str) -> Diagnostic:
        assert self.place is not None
        assert isinstance(arguments, Product)
        given = " and ".join(show(each) for each in arguments.items)
        return Diagnostic(
            "python-function-refuses",
            f"`{self.name}`, a function of Python's, does not take {given}",
            Label(self.place.span, f"is given {given}"),
            (),
            (f"It says: {why}",),
        )


def _carried(solver: Solver, type_: Type) -> Type:
    """The type with the carriers of representations in their places."""
    match type_:
        case Named(name) if name in solver.carriers:
            return _carried(solver, solver.carriers[name])
        case Array(element, length):
            return Array(_carried(solver, element), length)
        case Product(items):
            return Product(tuple(_carried(solver, item) for item in items))
        case _:
            return type_
