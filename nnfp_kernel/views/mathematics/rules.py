"""What a built-in name does on a tape: the rule that the table has for it.

functions.py    put together: >>, &&&, zip
vectors.py      arithmetic, products, sums
movements.py    take, reverse, gather: entries in other places
loops.py        map, fold, window, while, fixpoint
trees.py        cata
reductions.py   product, and maximum and logsumexp of arrays of arrays
draws.py        draw
orthogonal.py   qr of what is wider than tall
records.py      the rest, as the records of the primitives have it
linear_values.py    the trace, the inverse, the eigenvalues of a linear map
derivatives.py  D f(x), ∇ f(x), and linear maps at vectors
named.py        and what has no record stays a name: f(x), D f(x)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...language import typed as p
from . import (  # noqa: F401  they enter their rules
    derivatives,
    draws,
    functions,
    linear_values,
    loops,
    movements,
    named,
    orthogonal,
    records,
    reductions,
    trees,
    vectors,
)
from .pieces import is_complex
from .quantities import Value
from .table import RULES
from .tape import Quantity

if TYPE_CHECKING:
    from .reading import Reader


# Functions of one argument that are their own derivatives.
LINEAR = frozenset((
    *movements.MOVEMENTS, "replicate", "head", "last", "sum", "mean", "negate", "transpose",
    "conj", "real", "imag", "fft", "ifft",
))  # fmt: skip


def applied(reader: Reader, use: p.Builtin, arguments: list[Value]) -> Value:
    """A built-in name at all its arguments."""
    rule = RULES.get(use.name)
    if rule is not None:
        return rule(reader, use, *arguments)
    if not all(isinstance(argument, Quantity) for argument in arguments):
        return named.opaque_builtin(reader, use, arguments)
    primitive = reader.program.primitives.get(use.name)
    over_complex = any(is_complex(argument.type) for argument in arguments)
    entrywise = primitive is not None and primitive.kind == "elementwise"
    if entrywise and not (use.name == "abs" and over_complex):  # |z| has no φ'
        return records.elementwise(reader, use, *arguments)
    if use.name in records.GENERAL:
        found = records.general(reader, use, *arguments)
        if found is not None:
            return found
    return named.opaque_builtin(reader, use, arguments)
