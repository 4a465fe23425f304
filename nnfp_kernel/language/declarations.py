"""What a session declares of types: sizes, aliases, representations, data; and how the
syntax of a type is read as a type.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from . import syntax
from .diagnostics import Diagnostic
from .sizes import Size, SizeVariable, as_size, constant
from .solve import AlreadyTold, Mistake
from .source import Span
from .telling import did_you_mean, nearest, plain, several
from .typed import DataDeclaration, RepDeclaration
from .types import (
    Array,
    Fin,
    Function,
    Linear,
    Named,
    Origin,
    Product,
    Scalar,
    Type,
    TypeVariable,
    Weights,
    with_origin,
)

SCALARS = ("R", "C", "Bool", "Int")
BUILT_IN = {"Distribution": 0}  # named types that are not declared


@dataclass
class Declarations:
    """Everything a type may name."""

    sizes: dict[str, int] = field(default_factory=dict)
    aliases: dict[str, syntax.AliasItem] = field(default_factory=dict)
    reps: dict[str, RepDeclaration] = field(default_factory=dict)
    data: dict[str, DataDeclaration] = field(default_factory=dict)
    constructors: dict[str, tuple[str, int]] = field(default_factory=dict)  # to type, place
    wrong: dict[str, Diagnostic] = field(default_factory=dict)  # types that cannot be read

    def require(self, name: str) -> None:
        """Raise AlreadyTold if the type or constructor of this name is wrong itself."""
        owner = self.constructors[name][0] if name in self.constructors else name
        if owner in self.wrong:
            raise AlreadyTold(self.wrong[owner])

    def type_names(self) -> list[str]:
        return [*SCALARS, "Fin", *self.aliases, *self.reps, *self.data]

    def copy(self) -> Declarations:
        return Declarations(
            dict(self.sizes),
            dict(self.aliases),
            dict(self.reps),
            dict(self.data),
            dict(self.constructors),
            dict(self.wrong),
        )


@dataclass
class Reader:
    """Reads types. `new_type` and `new_size` say what an unknown lower-case name is: a
    variable of the signature, or an unknown; what they make is remembered."""

    declarations: Declarations
    new_type: Callable[[str, Span], Type]
    new_size: Callable[[str, Span, bool], Size]
    role: str = ""
    types: dict[str, Type] = field(default_factory=dict)
    sizes: dict[str, Size] = field(default_factory=dict)
    subtractions: list[tuple[Size, Span]] = field(default_factory=list)
    declared_sizes: list[tuple[str, Span]] = field(default_factory=list)  # `size` items used
    weights: Callable[[str, Span], None] | None = None
    located: bool = True  # whether types say where they were written

    def read_as(self, tree: syntax.TypeTree, role: str) -> Type:
        """Read a type that stands elsewhere than those before it: `the ascription`."""
        outer, self.role = self.role, role
        try:
            return self.read(tree)
        finally:
            self.role = outer

    def read(self, tree: syntax.TypeTree) -> Type:
        origin = Origin(tree.span, self.role) if self.located else None
        match tree:
            case syntax.TypeName():
                return self._name(tree, origin)
            case syntax.TypeArray():
                return self._array(tree, origin)
            case syntax.TypeSequence(element):
                inside = self.read(element)
                return Array(inside, self.new_size("n", tree.span, True), origin=origin)
            case syntax.TypeProduct(items):
                return Product(tuple(map(self.read, items)), origin=origin)
            case syntax.TypeApply():
                return self._apply(tree, origin)
            case syntax.TypeArrow(arrow, domain, codomain):
                made = Linear if arrow == "-o" else Function
                return made(self.read(domain), self.read(codomain), origin=origin)

    def _name(self, tree: syntax.TypeName, origin: Origin | None) -> Type:
        name = tree.name
        if name in SCALARS:
            return Scalar(name, origin=origin)
        if name[:1].islower() or name[:1] == "_":
            if name not in self.types:
                self.types[name] = self.new_type(name, tree.span)
            return self.types[name]
        return self._declared(name, (), tree.span, origin)

    def _declared(
        self, name: str, arguments: tuple[syntax.TypeTree, ...], span: Span, origin: Origin | None
    ) -> Type:
        declarations = self.declarations
        declarations.require(name)
        if name in declarations.aliases:
            alias = declarations.aliases[name]
            self._arity(name, len(alias.parameters), len(arguments), span)
            inner = Reader(
                declarations,
                self.new_type,
                self.new_size,
                self.role,
                dict(zip(alias.parameters, map(self.read, arguments), strict=True)),
                {},
                self.subtractions,
                self.declared_sizes,
                self.weights,
                self.located,
            )
            return inner.read(alias.type)
        if name in declarations.reps:
            self._arity(name, 0, len(arguments), span)
            return Named(name, origin=origin)
        if name in declarations.data:
            self._arity(name, len(declarations.data[name].parameters), len(arguments), span)
            return Named(name, tuple(map(self.read, arguments)), origin=origin)
        if name in BUILT_IN:
            self._arity(name, BUILT_IN[name], len(arguments), span)
            return Named(name, tuple(map(self.read, arguments)), origin=origin)
        if name == "Fin":
            raise Mistake(
                plain(
                    "fin-size",
                    "`Fin` needs a size",
                    span,
                    "no size is given",
                    notes=["`Fin[n]` has the indices from 0 to n - 1. For ten classes:"],
                    better=(span, "Fin[10]"),
                )
            )
        near = nearest(name, declarations.type_names())
        raise Mistake(
            plain(
                "unknown-type",
                f"there is no type `{name}`",
                span,
                "not declared",
                notes=did_you_mean(near, ["Types are declared with `rep`, `data` and `type`."]),
                better=(span, near) if near else None,
            )
        )

    def _arity(self, name: str, wanted: int, found: int, span: Span) -> None:
        if wanted != found:
            raise Mistake(
                plain(
                    "type-arity",
                    f"`{name}` takes {several(wanted, 'type')}, and {found or 'none'} "
                    f"{'is' if found < 2 else 'are'} given",
                    span,
                    f"expected {several(wanted, 'type')} after `{name}`",
                )
            )

    def _array(self, tree: syntax.TypeArray, origin: Origin | None) -> Type:
        sizes = [self.size(size) for size in tree.sizes]
        for size, written in zip(sizes, tree.sizes, strict=True):
            if size.value is None and _subtracts(written):
                self.subtractions.append((size, written.span))
        if isinstance(tree.element, syntax.TypeName) and tree.element.name == "Fin":
            if len(sizes) != 1:
                raise Mistake(
                    plain(
                        "fin-size",
                        "`Fin` takes one size",
                        tree.span,
                        f"{len(sizes)} are given",
                        notes=["An array of indices is written `Fin[n][m]`."],
                    )
                )
            return Fin(sizes[0], origin=origin)
        element = self.read(tree.element)
        if isinstance(element, Function):
            raise Mistake(
                plain(
                    "function-in-array",
                    "functions cannot be kept in arrays",
                    tree.span,
                    "an array of functions",
                    notes=["To have several functions, use a tuple."],
                )
            )
        for length in reversed(sizes):
            element = Array(element, length, origin=origin)
        return element

    def _apply(self, tree: syntax.TypeApply, origin: Origin | None) -> Type:
        if tree.name == "Weights":
            match tree.arguments:
                case (syntax.TypeName(name),):
                    if self.weights is not None:
                        self.weights(name, tree.span)
                    return Weights(name, origin=origin)
            raise Mistake(
                plain(
                    "weights-of-what",
                    "`Weights` takes the name of a definition",
                    tree.span,
                    "no name of a definition",
                    notes=["The weights of `f` are `Weights f`."],
                )
            )
        if tree.name == "Tangent":
            self._arity("Tangent", 1, len(tree.arguments), tree.span)
            made = self._tangent(self.read(tree.arguments[0]), tree)
            return made if origin is None else with_origin(made, origin)
        return self._declared(tree.name, tree.arguments, tree.span, origin)

    def _tangent(self, type: Type, tree: syntax.TypeApply) -> Type:
        """`Tangent T`, in the form it has: () for what cannot move, a data type for itself,
        since a tangent of a tree is a tree of its shape (decision 28)."""

        def inside(type: Type) -> Type:
            match type:
                case Scalar("Int" | "Bool") | Fin():
                    return Product(())
                case Array(element, length):
                    moved = inside(element)
                    return moved if moved == Product(()) else Array(moved, length)
                case Product(items):
                    return Product(tuple(map(inside, items)))
                case Named(name) if name in self.declarations.reps:
                    carrier = self.declarations.reps[name].carrier
                    moved = inside(carrier)
                    return type if moved == carrier else moved
                case Function():
                    raise Mistake(
                        plain(
                            "no-tangent",
                            "a function has no tangent",
                            tree.span,
                            "of a function",
                            notes=[
                                "Tangents are of values: vector spaces, data, and what is made "
                                "of them. The derivative of `f : a -> b` at a point is a linear "
                                "map, `Tangent a -o Tangent b`."
                            ],
                        )
                    )
                case _:
                    return type

        return inside(type)

    def size(self, tree: syntax.SizeTree) -> Size:
        match tree:
            case syntax.SizeNumber(value):
                return constant(value)
            case syntax.SizeName(name):
                if name in self.sizes:
                    return self.sizes[name]
                if name in self.declarations.sizes:
                    self.declared_sizes.append((name, tree.span))
                    return constant(self.declarations.sizes[name])
                self.sizes[name] = self.new_size(name, tree.span, False)
                return self.sizes[name]
            case syntax.SizeBinary(operator, left, right):
                a, b = self.size(left), self.size(right)
                match operator:
                    case "+":
                        return a + b
                    case "*":
                        return a * b
                    case "-":
                        difference = a - b
                        if difference.value is not None and difference.value < 0:
                            raise Mistake(
                                plain(
                                    "negative-size",
                                    "a size cannot be negative",
                                    tree.span,
                                    f"this is {difference}",
                                )
                            )
                        return difference
                    case _:
                        if b.value == 0:
                            raise Mistake(
                                plain(
                                    "size-division",
                                    "a size is divided by 0",
                                    tree.span,
                                    "the divisor is 0",
                                )
                            )
                        return a // b
            case syntax.SizeWildcard():
                return self.new_size("n", tree.span, False)


def _subtracts(tree: syntax.SizeTree) -> bool:
    if not isinstance(tree, syntax.SizeBinary):
        return False
    return tree.operator == "-" or _subtracts(tree.left) or _subtracts(tree.right)


def rigid_reader(
    declarations: Declarations, counter: Callable[[], int], role: str = ""
) -> tuple[Reader, list[TypeVariable], list[SizeVariable]]:
    """A reader whose unknown names are variables of a signature; they are listed."""
    types: list[TypeVariable] = []
    sizes: list[SizeVariable] = []

    def new_type(name: str, span: Span) -> Type:
        types.append(TypeVariable(name, counter(), origin=Origin(span, role)))
        return types[-1]

    def new_size(name: str, _span: Span, runtime: bool) -> Size:
        sizes.append(SizeVariable(name, counter(), False, runtime))
        return as_size(sizes[-1])

    return Reader(declarations, new_type, new_size, role), types, sizes
