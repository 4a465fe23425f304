"""Formulas: mathematics as a tree, which latex.py and views/mathml.py print.

    x, W, σ, 3, +         Letter, Digits, Sign: atoms
    W x + b               Row: atoms side by side, and how tightly they bind
    x_1, x^2, s_{t+1}     Script
    ȳ                     Bar
    fractions, roots      Fraction, Root
    (…), |…|, ‖…‖, [x > 0] Fenced
    a case distinction    Cases

A formula is put into another by `fitted`, which brackets it where it binds less tightly
than its place asks for; so no printer ever has to think of brackets.

    tree.py         the formulas, and what is inside of one
    arithmetic.py   sums, products, fractions and powers, as a hand writes them
    marks.py        transposes, inverses and conjugates
    ranges.py       sums over an index, and how far it runs; conditions
    entries.py      the entry of an array at an index

>>> from ..latex import to_latex
>>> x = symbol("x1")
>>> to_latex(plus(power(x, Digits("2")), product(x, symbol("W"))))
'x_1^2 + x_1 W'
"""

from .arithmetic import (
    coefficient,
    collected,
    common_number,
    constant_array,
    entrywise,
    factors,
    fraction,
    joined,
    minus,
    negated,
    negative,
    number,
    outer,
    plus,
    power,
    product,
    shifted,
    terms,
    times,
)
from .entries import entry, has_windows, indexed
from .marks import inverted, marked, starred, transposed
from .ranges import counted, counts, negation, nested, ranges, summed
from .tree import (
    ATOM,
    FUNCTION,
    GREEK,
    ONE,
    ONES,
    POWER,
    PRODUCT,
    RELATION,
    SUM,
    SUMMED,
    ZERO,
    ZEROS,
    Bar,
    Cases,
    Digits,
    Fenced,
    Formula,
    Fraction,
    Letter,
    Root,
    Row,
    Script,
    Sign,
    Slot,
    Space,
    Words,
    applied,
    barred,
    binding,
    differential,
    equation,
    fitted,
    floor,
    has_sum,
    holds,
    in_line,
    inside,
    is_differential,
    listed,
    parts,
    row,
    size_of,
    substitute,
    symbol,
    tupled,
)

__all__ = [
    "ATOM", "FUNCTION", "GREEK", "ONE", "ONES", "POWER", "PRODUCT", "RELATION", "SUM", "SUMMED",
    "ZERO", "ZEROS", "Bar", "Cases", "Digits", "Fenced", "Formula", "Fraction", "Letter", "Root",
    "Row", "Script", "Sign", "Slot", "Space", "Words", "applied", "barred", "binding",
    "coefficient", "collected", "common_number", "constant_array", "counted", "counts",
    "differential", "entry", "entrywise", "equation", "factors", "fitted", "floor", "fraction",
    "has_sum", "has_windows", "holds", "in_line", "indexed", "inside", "inverted",
    "is_differential", "joined", "listed", "marked", "minus", "negated", "negation", "negative",
    "nested", "number", "outer", "parts", "plus", "power", "product", "ranges", "row", "shifted",
    "size_of", "starred", "substitute", "summed", "symbol", "terms", "times", "transposed",
    "tupled",
]  # fmt: skip
