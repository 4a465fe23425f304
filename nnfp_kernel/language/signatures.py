"""The types of built-in names, written as text in the language's own syntax.

    "a[n] -> a[k] where n >= k"            take, with brackets ("k",)
    "a -> b -> c where c = lift a b"       max

After `where`, separated by commas:

    vector a          a vector space: from R and C by arrays, products, reps, -o
    smooth a          what a derivative is taken in: a vector space, or data
    elementwise a     R or C under any axes
    real a            R under any axes
    number a          R, C or Int under any axes
    c = lift a b      the shape of the operand with more axes
    c = max a b       the same, of what has an order; `min` likewise
    c = compare a b   Bool under the lifted axes
    c = matmul a b    vectors and matrices, as `@`
    b = flatten a     all entries in one axis
    b = reshape a     the axes of the brackets, as many entries
    b = parts a       the weights of a, `Weights f`, as a product
    b = entries a     as many numbers as a matrix of maps a -o a has rows; `complexEntries`
    m = matrix a b    the axes of b, then those of a; `realMatrix`: of R in any case
    c = scalar a      C for a complex space, else R
    b = inverse a     the other way: of a linear map, or of a matrix
    b = bools a       the same axes, of Bool
    b = reals a       the same axes, of R
    index i n         i is Fin[n] or Int
    f = layer t s     the base functor of the data type t, with s in place of children
    u = t with b for a    the data type t, whose payload is a, with b in its place
    field a           R or C itself
    b = complexes a   the same axes, of C
    n >= k            a bound on sizes
    k = least m n     the lesser of two sizes

Names whose brackets vary in number (`window`, `pool`, `reshape`) and the operators are
typed by rules of their own: windows.py, elaborate.py.
"""

from __future__ import annotations

import itertools
import re
from typing import Protocol

from . import syntax
from .constraints import Class, Constraint
from .counting import (
    EntriesOf,
    FieldOf,
    Flatten,
    Index,
    InverseOf,
    MatrixOf,
    PartsOf,
    Reshape,
    SizeAtLeast,
    SizeLeast,
)
from .declarations import Declarations, Reader, rigid_reader
from .functors import Layer, Payload
from .imported import Image
from .lifting import Lift, MatMul, SameAxes
from .parser import parse_type
from .schemes import Polytype
from .sizes import Size, SizeVariable
from .types import BOOL, C, R, Type

CLASSES = (
    "vector", "space", "smooth", "elementwise", "real", "number", "scaling", "field", "comparable",
    "boolean",
)  # fmt: skip


class BuiltinRecord(Protocol):
    """What inference needs to know of a built-in name."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def brackets(self) -> tuple[str, ...]: ...
    @property
    def bare(self) -> bool: ...
    @property
    def image(self) -> Image | None: ...


_identity = itertools.count(-1, -1)  # apart from every solver's variables
_cache: dict[tuple[str, tuple[str, ...]], tuple[Polytype, tuple[SizeVariable, ...]]] = {}


def read_signature(
    text: str, brackets: tuple[str, ...] = ()
) -> tuple[Polytype, tuple[SizeVariable, ...]]:
    """A built-in's scheme and the size variables its brackets stand for.

    >>> read_signature("a[n] -> a[k] where n >= k", ("k",))[1][0].name
    'k'
    """
    key = (text, brackets)
    if key not in _cache:
        _cache[key] = _read(text, brackets)
    return _cache[key]


def _read(text: str, brackets: tuple[str, ...]) -> tuple[Polytype, tuple[SizeVariable, ...]]:
    body, _, where = text.partition(" where ")
    reader, types, sizes = rigid_reader(Declarations(), lambda: next(_identity))
    reader.located = False  # the text of a signature is no place of the user's
    tree = parse_type(body)
    named = [name for name in brackets if name != "..."]
    for name in named:
        reader.size(syntax.SizeName(name))
    type_ = reader.read(tree)
    constraints = [
        _constraint(part.strip(), reader, text)
        for part in re.split(r",(?![^(]*\))", where)
        if part.strip()
    ]
    of_brackets = tuple(
        variable
        for name in named
        for variable in sizes
        if variable.name == name and not variable.runtime
    )
    return Polytype(type_, tuple(types), tuple(sizes), tuple(constraints)), of_brackets


def _constraint(text: str, reader: Reader, whole: str) -> Constraint:
    words = text.split()

    def named(word: str) -> Type:
        return reader.read(syntax.TypeName(word))

    if ">=" in words:
        left, right = text.split(">=")
        return SizeAtLeast(left=_size(left, reader), right=_size(right, reader))
    match words:
        case [name, variable] if name in CLASSES:
            return Class(name=name, type=named(variable))
        case ["index", index, count]:
            return Index(index=named(index), count=reader.size(syntax.SizeName(count)))
        case [result, "=", "matmul", left, right]:
            return MatMul(left=named(left), right=named(right), result=named(result))
        case [result, "=", "flatten", operand]:
            return Flatten(type=named(operand), flat=named(result))
        case [result, "=", "matrix" | "realMatrix" as word, domain, codomain]:
            return MatrixOf(
                domain=named(domain), codomain=named(codomain), result=named(result),
                real=word == "realMatrix",
            )  # fmt: skip
        case [result, "=", "entries" | "complexEntries" as word, operand]:
            scalar = R if word == "entries" else C
            return EntriesOf(type=named(operand), line=named(result), scalar=scalar)
        case [result, "=", "parts", operand]:
            return PartsOf(type=named(operand), items=named(result))
        case [result, "=", "scalar", operand]:
            return FieldOf(type=named(operand), field=named(result))
        case [result, "=", "inverse", operand]:
            return InverseOf(map=named(operand), inverse=named(result))
        case [result, "=", "reshape", operand]:
            return Reshape(type=named(operand), shaped=named(result))
        case [result, "=", "bools", operand]:
            if result == operand:
                return Class(name="boolean", type=named(result))
            return SameAxes(type=named(operand), shaped=named(result), scalar=BOOL)
        case [result, "=", "reals", operand]:
            return SameAxes(type=named(operand), shaped=named(result), scalar=R)
        case [result, "=", "complexes", operand]:
            return SameAxes(type=named(operand), shaped=named(result), scalar=C)
        case [result, "=", "least", left, right]:
            return SizeLeast(
                least=_size(result, reader), left=_size(left, reader), right=_size(right, reader)
            )
        case [result, "=", "layer", whole, *seed]:
            inside = reader.read(parse_type(" ".join(seed)))
            return Layer(layer=named(result), whole=named(whole), seed=inside)
        case [result, "=", whole, "with", *other, "for", payload]:
            inside = reader.read(parse_type(" ".join(other)))
            return Payload(
                whole=named(whole), payload=named(payload), made=named(result), other=inside
            )
        case [result, "=", "lift" | "min" | "max" | "compare" as word, left, right]:
            return Lift(operator=word, left=named(left), right=named(right), result=named(result))
    raise ValueError(f"no such constraint: {text!r} in {whole!r}")


def _size(text: str, reader: Reader) -> Size:
    tree = parse_type(f"R[{text.strip()}]")
    assert isinstance(tree, syntax.TypeArray)
    return reader.size(tree.sizes[0])
