"""What a built-in name does on a tape: the rule that the table has for it.

functions.py    put together: >>, &&&, zip
vectors.py      arithmetic, products, sums
loops.py        map, fold, window, while, fixpoint
trees.py        cata
records.py      the rest, as the records of the primitives have it
named.py        and what has no record stays a name: f(x), D f(x)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...language import typed as p
from . import functions, loops, named, records, vectors  # noqa: F401  they enter their rules
from .pieces import is_complex
from .quantities import Value
from .table import RULES
from .tape import Quantity

if TYPE_CHECKING:
    from .reading import Reader


def applied(reader: Reader, use: p.Builtin, arguments: list[Value]) -> Value:
    """A built-in name at all its arguments."""
    rule = RULES.get(use.name)
    if rule is not None:
        return rule(reader, use, *arguments)
    quantities = all(isinstance(argument, Quantity) for argument in arguments)
    primitive = reader.program.primitives.get(use.name)
    elementwise = primitive is not None and primitive.kind == "elementwise"
    if (
        quantities
        and elementwise
        and not (use.name == "abs" and any(is_complex(each.type) for each in arguments))
    ):  # |z| has a derivative, but not entry by entry
        return records.elementwise(reader, use, *arguments)
    if use.name in records.LINEAR and quantities:
        return records.linear(reader, use, *arguments)
    return named.opaque_builtin(reader, use, arguments)
