"""How each primitive of the graph is written in the language: graph → term.

A `Term` is an expression with the type of the array it stands for. The operators of the
language repeat an operand over missing leading axes; so a term may stand for an array by
one with fewer axes (`core`), and is written out (`replicate`) only where that does not do.

    terms          terms, and what makes expressions
    table          the spelling of a primitive, found by its name: `spell`
    axes           axes in another order, and gone over together
    elementwise, complex_numbers, products, movement, reductions, equations
                   the spellings themselves
    names          definitions that stayed names, and their derivatives
"""

from . import elementwise, equations, movement, names, products, reductions  # noqa: F401  (enter)
from .elementwise import as_integer
from .names import linear_map
from .table import spell
from .terms import (
    Names,
    Term,
    Unspeakable,
    apply,
    constant,
    lambda_,
    mentions,
    number,
    sized,
    term,
    type_tree,
    whole,
    zeros,
)

__all__ = [
    "Names", "Term", "Unspeakable", "apply", "as_integer", "constant", "lambda_", "linear_map",
    "mentions", "number", "sized", "spell", "term", "type_tree", "whole", "zeros",
]  # fmt: skip
