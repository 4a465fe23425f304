"""Types: representations, functions between them, and which of them are vector spaces.

`R[n,m]` is n copies of m copies of R, so an array is nested one axis at a time:
`Array(Array(R, m), n)`. How a type came about (`origin`) never takes part in equality.

    writing      show, show_scheme
    asking       is_vector_space, free_variables
    knowing      substitute
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .sizes import Size, SizeVariable, constant
from .source import Span

if TYPE_CHECKING:
    from .typed import DataDeclaration, RepDeclaration


@dataclass(frozen=True)
class Origin:
    """Where a type was settled and in what role: `the argument of encode`, line 3."""

    span: Span
    role: str = ""


@dataclass(frozen=True, kw_only=True)
class Typed:
    origin: Origin | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Scalar(Typed):
    name: str  # "R", "C", "Bool", "Int"


@dataclass(frozen=True)
class Fin(Typed):
    """An index in 0..size-1."""

    size: Size


@dataclass(frozen=True)
class Array(Typed):
    """`length` copies of `element`: t[n]. A sequence [t] is an array whose length is
    a run-time size variable (`SizeVariable.runtime`)."""

    element: Type
    length: Size


@dataclass(frozen=True)
class Product(Typed):
    items: tuple[Type, ...]


@dataclass(frozen=True)
class Named(Typed):
    """A declared `data` type or representation, applied to its arguments."""

    name: str
    arguments: tuple[Type, ...] = ()


@dataclass(frozen=True)
class Function(Typed):
    """`domain -> codomain`; whether it owns weights is not part of the type."""

    domain: Type
    codomain: Type


@dataclass(frozen=True)
class Linear(Typed):  # domain -o codomain
    domain: Type
    codomain: Type


@dataclass(frozen=True)
class Weights(Typed):
    """`Weights f`: the vector space of all weights that the definition f reaches."""

    name: str


@dataclass(frozen=True)
class TypeVariable(Typed):
    """A type not known here: of a scheme, or (`open`) still to be solved."""

    name: str
    identity: int = 0
    open: bool = field(default=False)


Type = Scalar | Fin | Array | Product | Named | Function | Linear | Weights | TypeVariable

R = Scalar("R")
C = Scalar("C")
BOOL = Scalar("Bool")
INT = Scalar("Int")
UNIT = Product(())


@dataclass(frozen=True)
class Scheme:
    """A type for all values of its variables: what a definition or a builtin has.

    `residual` are the constraints that travel with it, as text for people
    (`c = a * b`); inference keeps its own form of them.
    """

    type: Type
    types: tuple[TypeVariable, ...] = ()
    sizes: tuple[SizeVariable, ...] = ()
    residual: tuple[str, ...] = ()


# --- parts ---------------------------------------------------------------------------------


def _parts(type: Type) -> Iterator[Type | Size]:
    """The types and sizes a type is made of, in the order in which they are written."""
    match type:
        case Scalar() | Weights() | TypeVariable():
            return
        case Fin(size):
            yield size
        case Array():
            lengths: list[Size] = []
            element: Type = type
            while isinstance(element, Array):
                lengths.append(element.length)
                element = element.element
            yield element
            yield from lengths
        case Product(items):
            yield from items
        case Named(_, arguments):
            yield from arguments
        case Function(domain, codomain) | Linear(domain, codomain):
            yield domain
            yield codomain


def of_shape(element: Type, shape: Sequence[int]) -> Type:
    """Arrays of an element: `R[2,3]` is R of the shape (2, 3)."""
    for length in reversed(shape):
        element = Array(element, constant(int(length)))
    return element


def uncurried(type: Type) -> tuple[list[Type], Type]:
    """The types of the arguments that a curried function takes, and of what it then gives.

    >>> domains, result = uncurried(Function(R, Linear(INT, BOOL)))
    >>> [show(domain) for domain in domains], show(result)
    (['R', 'Int'], 'Bool')
    """
    domains = []
    while isinstance(type, Function | Linear):
        domains.append(type.domain)
        type = type.codomain
    return domains, type


def gives_linear(type: Type) -> bool:
    """Whether it is a linear map, or a function that comes to one at last."""
    while isinstance(type, Function):
        type = type.codomain
    return isinstance(type, Linear)


def with_origin(type: Type, origin: Origin) -> Type:
    """The same type, said to come from `origin` in all its parts but its variables."""
    match type:
        case Array(element, length):
            return Array(with_origin(element, origin), length, origin=origin)
        case Product(items):
            return Product(tuple(with_origin(item, origin) for item in items), origin=origin)
        case Function(domain, codomain) | Linear(domain, codomain):
            made = Function if isinstance(type, Function) else Linear
            return made(with_origin(domain, origin), with_origin(codomain, origin), origin=origin)
        case Named(name, arguments):
            inside = tuple(with_origin(item, origin) for item in arguments)
            return Named(name, inside, origin=origin)
        case Scalar(name):
            return Scalar(name, origin=origin)
        case Fin(size):
            return Fin(size, origin=origin)
        case _:
            return type


def is_concrete(type: Type) -> bool:
    """Whether no variable is left in a type.

    >>> from nnfp_kernel.language.sizes import constant
    >>> is_concrete(Array(R, constant(3)))
    True
    """
    return free_variables(type) == ((), ())


def free_variables(type: Type) -> tuple[tuple[TypeVariable, ...], tuple[SizeVariable, ...]]:
    """All type variables and all size variables, in the order in which they are written.

    >>> from nnfp_kernel.language.sizes import variable
    >>> a, n = TypeVariable("a"), variable("n")
    >>> types, sizes = free_variables(Function(Array(a, n + 1), Array(R, n)))
    >>> [variable.name for variable in types], [variable.name for variable in sizes]
    (['a'], ['n'])
    """
    types: dict[TypeVariable, None] = {}
    sizes: dict[SizeVariable, None] = {}
    pending: list[Type | Size] = [type]
    while pending:
        part = pending.pop()
        match part:
            case Size():
                sizes.update(dict.fromkeys(part.written_variables()))
            case TypeVariable():
                types[part] = None
            case _:
                pending.extend(reversed(list(_parts(part))))
    return tuple(types), tuple(sizes)


def substitute(
    type: Type,
    types: Mapping[TypeVariable, Type],
    sizes: Mapping[SizeVariable, Size],
) -> Type:
    """The type with types and sizes in place of variables. Every node keeps its origin,
    and what has no such variable is the same object.

    >>> from nnfp_kernel.language.sizes import SizeVariable, constant, variable
    >>> show(substitute(Array(R, variable("n") - 2), {}, {SizeVariable("n"): constant(5)}))
    'R[3]'
    """

    def inside(part: Type) -> Type:
        return substitute(part, types, sizes)

    match type:
        case Scalar() | Weights():
            return type
        case TypeVariable():
            return types.get(type, type)
        case Fin(size):
            new_size = size.substitute(sizes)
            return type if new_size is size else replace(type, size=new_size)
        case Array(element, length):
            new_element, new_length = inside(element), length.substitute(sizes)
            if new_element is element and new_length is length:
                return type
            return replace(type, element=new_element, length=new_length)
        case Product(items):
            new_items = tuple(map(inside, items))
            if all(map(operator.is_, new_items, items)):
                return type
            return replace(type, items=new_items)
        case Named(_, arguments):
            new_arguments = tuple(map(inside, arguments))
            if all(map(operator.is_, new_arguments, arguments)):
                return type
            return replace(type, arguments=new_arguments)
        case Function(domain, codomain) | Linear(domain, codomain):
            new_domain, new_codomain = inside(domain), inside(codomain)
            if new_domain is domain and new_codomain is codomain:
                return type
            return replace(type, domain=new_domain, codomain=new_codomain)


def replace_type(type: Type, old: Type, new: Type) -> Type:
    """The type with `new` in place of `old`: a constructor's field with results in place
    of the children.

    >>> tree = Named("Tree")
    >>> show(replace_type(Product((R, tree)), tree, R))
    '(R, R)'
    """
    if type == old:
        return new
    match type:
        case Array(element, length):
            return Array(replace_type(element, old, new), length, origin=type.origin)
        case Product(items):
            inside = tuple(replace_type(item, old, new) for item in items)
            return Product(inside, origin=type.origin)
        case _:
            return type


def mentions(type: Type, other: Type) -> bool:
    """Whether `other` is a type, or is somewhere in it.

    >>> mentions(Product((R, Named("Tree"))), Named("Tree"))
    True
    """
    if type == other:
        return True
    match type:
        case Array(element):
            return mentions(element, other)
        case Product(items) | Named(_, items):
            return any(mentions(item, other) for item in items)
        case Function(domain, codomain) | Linear(domain, codomain):
            return mentions(domain, other) or mentions(codomain, other)
        case _:
            return False


def lengths(type: Type) -> Iterator[Size]:
    """The sizes in a type: lengths of arrays, and of Fin."""
    for part in _parts(type):
        if isinstance(part, Size):
            yield part
        else:
            yield from lengths(part)


def is_vector_space(
    type: Type, declarations: Mapping[str, RepDeclaration | DataDeclaration]
) -> bool | None:
    """Whether `+`, `zero`, `dot` and derivatives exist on a type; None while a type
    variable leaves it open.

    >>> from nnfp_kernel.language.sizes import variable
    >>> is_vector_space(Product((R, Array(C, variable("n")))), {}), is_vector_space(INT, {})
    (True, False)

    Vector spaces are built from R and C by arrays, products, representations and `-o`;
    weights are too, and so is `()`, of dimension 0.
    """
    match type:
        case Scalar(name):
            return name in ("R", "C")
        case Fin() | Function():
            return False
        case Linear() | Weights():
            return True
        case TypeVariable():
            return None
        case Array(element):
            return is_vector_space(element, declarations)
        case Product(items):
            answers = [is_vector_space(item, declarations) for item in items]
            return False if False in answers else None if None in answers else True
        case Named(name):
            carrier = getattr(declarations[name], "carrier", None)  # `data` has none
            return carrier is not None and is_vector_space(carrier, declarations)


# --- writing -------------------------------------------------------------------------------


def show(type: Type, learns: bool = False) -> str:
    """As the language writes it; the first arrow is `~>` where a definition learns.

    >>> from nnfp_kernel.language.sizes import constant, variable
    >>> image = Array(Array(R, variable("m")), variable("n"))
    >>> show(Function(image, Array(Named("Word"), constant(10))), learns=True)
    'R[n,m] ~> Word[10]'
    >>> show(Function(Function(R, R), Linear(R, R)))
    '(R -> R) -> (R -o R)'

    A constant with weights is shown as `() ~> t`. Two variables of one name get
    different names here; variables still open begin with `_`.
    """
    return _Writing(type).top(type, learns)


def show_together(types: Sequence[Type]) -> list[str]:
    """Several types as the language writes them, each variable called the same in all.

    >>> show_together([TypeVariable("a", 1), TypeVariable("a", 2)])
    ['a', 'a2']
    """
    writing = _Writing(Product(tuple(types)))
    return [writing.text(type) for type in types]


def show_scheme(scheme: Scheme, learns: bool = False) -> str:
    """A scheme's type, and after `where` the constraints that travel with it.

    >>> a, b, c = (TypeVariable(name) for name in "abc")
    >>> show_scheme(Scheme(Function(a, Function(b, c)), (a, b, c), residual=("c = a * b",)))
    'a -> b -> c where c = a * b'
    """
    text = show(scheme.type, learns)
    return f"{text} where {', '.join(scheme.residual)}" if scheme.residual else text


class _Writing:
    """Types with every variable called by one name of its own."""

    def __init__(self, type: Type) -> None:
        types, sizes = free_variables(type)
        taken: set[str] = set()
        self.types = {variable: _free_name(_spelled(variable), taken) for variable in types}
        # In the order in which they are met, so that R[k] and R[n] join to R[k+n].
        self.sizes = {variable: _free_name(str(variable), taken) for variable in sizes}

    def top(self, type: Type, learns: bool) -> str:
        match type:
            case Function(domain, codomain):
                arrow = "~>" if learns else "->"
                return f"{self.domain(domain)} {arrow} {self.codomain(codomain)}"
            case Linear():  # a linear map may own weights: its arrow says nothing of them
                return self.text(type)
            case _:
                return f"() ~> {self.text(type)}" if learns else self.text(type)

    def text(self, type: Type) -> str:
        match type:
            case Scalar(name):
                return name
            case TypeVariable():
                return self.types[type]
            case Fin(size):
                return f"Fin[{self.size(size)}]"
            case Array():
                return self.array(type)
            case Product(items):
                return f"({', '.join(map(self.text, items))})"
            case Named(name, arguments):
                return " ".join([name, *map(self.argument, arguments)])
            case Weights(name):
                return f"Weights {name}"
            case Function(domain, codomain):
                return f"{self.domain(domain)} -> {self.codomain(codomain)}"
            case Linear(domain, codomain):
                return f"{self.domain(domain)} -o {self.codomain(codomain)}"

    def array(self, type: Array) -> str:
        if _is_sequence(type):
            return f"[{self.text(type.element)}]"
        lengths: list[str] = []
        element: Type = type
        while isinstance(element, Array) and not _is_sequence(element):
            lengths.append(self.size(element.length))
            element = element.element
        return f"{self.argument(element)}[{','.join(lengths)}]"

    def size(self, size: Size) -> str:
        return size.show(self.sizes)

    def domain(self, type: Type) -> str:
        text = self.text(type)
        return f"({text})" if isinstance(type, Function | Linear) else text

    def codomain(self, type: Type) -> str:
        """A linear map that comes out is a value of its own: `a -> (a -o b)`."""
        text = self.text(type)
        return f"({text})" if isinstance(type, Linear) else text

    def argument(self, type: Type) -> str:
        """In brackets where an application or an arrow would be read otherwise."""
        text = self.text(type)
        match type:
            case Function() | Linear() | Weights():
                return f"({text})"
            case Named(_, arguments) if arguments:
                return f"({text})"
            case _:
                return text


def _is_sequence(type: Array) -> bool:
    """Whether it is written `[t]`."""
    length = type.length.lone_variable
    return length is not None and length.runtime


def _spelled(variable: TypeVariable) -> str:
    return f"_{variable.name}" if variable.open else variable.name


def _free_name(name: str, taken: set[str]) -> str:
    """`n`, and for a second variable of that name `n2`."""
    free, number = name, 2
    while free in taken:
        free, number = f"{name}{number}", number + 1
    taken.add(free)
    return free
