"""Arithmetic, products of vectors and matrices, sums and choices between numbers.

These have signs of their own in mathematics, a b, W x, ⟨a, b⟩, ∑, ‖a‖, and so rules of
their own; they say no more than the records of the primitives do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from ...language import typed as p
from ...language import types as t
from ...language.sizes import Size
from . import formula as m
from . import records
from .changes import Change, Linear, plus
from .constructors import joined as joined_data
from .formula import Formula
from .latex import template
from .named import opaque_builtin, rule_of_quantities
from .pieces import (
    conjugate,
    down,
    inner,
    is_complex,
    larger,
    length_of,
    rank,
    scaled,
)
from .quantities import Value, flat, size_formula
from .table import bilinear, linear_map, result_of, rule, rule_of
from .tape import Pass, Quantity

if TYPE_CHECKING:
    from .reading import Reader

SUMMAND = 5  # atoms of a sum's argument that needs no name, indices apart


@rule("+")
def add(reader: Reader, use: p.Builtin, a: Value, b: Value) -> Value:
    return sum(reader, use, a, b, 1)


@rule("-")
def subtract(reader: Reader, use: p.Builtin, a: Value, b: Value) -> Value:
    return sum(reader, use, a, b, -1)


def sum(reader: Reader, use: p.Builtin, a: Value, b: Value, sign: int) -> Value:
    if isinstance(a, tuple) and isinstance(b, tuple):
        return tuple(sum(reader, use, *pair, sign) for pair in zip(a, b, strict=True))
    if not (isinstance(a, Quantity) and isinstance(b, Quantity)):
        return opaque_builtin(reader, use, [a, b])
    type = larger(a.type, b.type)

    def forward(_: Pass, d: list[Change]) -> Change:
        second = d[1] if sign > 0 or d[1] is None else d[1].negative()
        if d[0] is None or second is None:
            return d[0] or second
        return Linear(d[0].terms + second.terms)

    def backward(_: Pass, bar: Linear) -> list[Change]:
        second = bar if sign > 0 else bar.negative()
        return [down(bar, type, a.type), down(second, type, b.type)]

    join = m.plus if sign > 0 else m.minus
    return rule_of(reader, type, (a, b), lambda: join(a.shown(), b.shown()), forward, backward)


@rule_of_quantities("negate")
def negate(reader: Reader, use: p.Builtin, a: Quantity) -> Value:
    return rule_of(reader,
        a.type, (a,), lambda: m.negative(a.shown()),
        lambda _, d: None if d[0] is None else d[0].negative(),
        lambda _, bar: [bar.negative()],
    )  # fmt: skip


@rule("*")
def times(reader: Reader, use: p.Builtin, a: Value, b: Value) -> Value:
    if isinstance(a, tuple) or isinstance(b, tuple):
        whole, scalar = (a, b) if isinstance(a, tuple) else (b, a)
        return tuple(times(reader, use, scalar, item) for item in whole)
    if not (isinstance(a, Quantity) and isinstance(b, Quantity)):
        return opaque_builtin(reader, use, [a, b])
    if a is b:
        return power(reader, use, a, reader.constant(m.Digits("2"), t.R))
    type = larger(a.type, b.type)
    both = rank(a.type) > 0 and rank(b.type) > 0

    def formula() -> Formula:
        return (m.entrywise if both else m.times)(a.shown(), b.shown())

    def forward(_: Pass, d: list[Change]) -> Change:
        first, second = (
            None if change is None else change.times(q.shown(), both, rank(q.type) > 0)
            for change, q in zip(d, (b, a), strict=True)
        )
        if first is None or second is None:
            return first or second
        return Linear(first.terms + second.terms)

    def to(own: Quantity, other: Quantity, bar: Linear) -> Change:
        if rank(own.type) == 0 and rank(other.type) > 0:
            return bar.through(lambda f: inner(conjugate(other), f))
        factor, array = conjugate(other), rank(other.type) > 0
        return down(bar.times(factor, array and rank(type) > 0, array), type, own.type)

    return rule_of(
        reader, type, (a, b), formula, forward, lambda _, bar: [to(a, b, bar), to(b, a, bar)]
    )


@rule_of_quantities("/")
def divide(reader: Reader, use: p.Builtin, a: Quantity, b: Quantity) -> Value:
    return records.elementwise(reader, use, a, b, name="divide")


@rule("^")
def power(reader: Reader, use: p.Builtin, a: Value, b: Value) -> Value:
    exponent = b.name if isinstance(b, Quantity) and b.role == "constant" else None
    if not (isinstance(a, Quantity) and isinstance(exponent, m.Digits)):
        return records.elementwise(reader, use, a, b, name="pow")
    number = exponent.text.replace("−", "-")
    wide = rank(a.type) > 0
    try:
        lower = m.Digits(f"{float(number) - 1:g}".replace("-", "−"))
    except ValueError:
        return records.elementwise(reader, use, a, b, name="pow")

    def factor() -> Formula:
        return m.product(exponent, m.power(a.shown(), lower))

    return rule_of(reader,
        a.type, (a,), lambda: m.power(a.shown(), exponent),
        lambda _, d: None if d[0] is None else d[0].times(factor(), wide),
        lambda _, bar: [bar.times(factor(), wide)],
    )  # fmt: skip


@rule_of_quantities("@")
def matmul(reader: Reader, use: p.Builtin, a: Quantity, b: Quantity) -> Value:
    type = result_of(use, 2)
    mark = "H" if is_complex(a.type) or is_complex(b.type) else "⊤"

    def turned(q: Quantity) -> Formula:
        return m.transposed(q.shown(), mark)

    match rank(a.type), rank(b.type):
        case 1, 1:
            return dot(reader, use, a, b)
        case 1, _:  # x W is Wᵀ x
            return bilinear(reader,
                type, a, b, lambda f, g: m.product(m.transposed(g, mark), f),
                lambda f: m.product(b.shown(), f), lambda f: m.outer(a.shown(), f),
            )  # fmt: skip
        case _, 1:
            return bilinear(reader,
                type, a, b, m.product,
                lambda f: m.outer(f, conjugate(b)), lambda f: m.product(turned(a), f),
            )  # fmt: skip
        case _:
            return bilinear(reader,
                type, a, b, m.product,
                lambda f: m.product(f, turned(b)), lambda f: m.product(turned(a), f),
            )  # fmt: skip


@rule("dot")
def dot(reader: Reader, use: p.Builtin, a: Value, b: Value) -> Value:
    if isinstance(a, tuple) and isinstance(b, tuple) and a:
        first, *others = (dot(reader, use, *pair) for pair in zip(a, b, strict=True))
        for each in others:
            first = sum(reader, use, first, each, 1)
        return first
    if not (isinstance(a, Quantity) and isinstance(b, Quantity)):
        return opaque_builtin(reader, use, [a, b])
    if rank(a.type) == rank(b.type) == 0 and not is_complex(a.type):
        return times(reader, use, a, b)
    if a is b:
        return _squared_length(reader, a)
    return bilinear(reader,
        t.R, a, b, inner,
        lambda f: m.product(f, b.shown()), lambda f: m.product(f, a.shown()),
    )  # fmt: skip


def _squared_length(reader: Reader, a: Quantity) -> Quantity:
    """⟨a, a⟩, which moves by 2 ⟨a, da⟩."""
    two = m.Digits("2")
    return rule_of(reader,
        t.R, (a,), lambda: inner(a.shown(), a.shown()),
        lambda _, d: d[0] and d[0].through(lambda f: m.product(two, inner(a.shown(), f))),
        lambda _, bar: [bar.through(lambda f: m.product(m.product(two, f), a.shown()))],
    )  # fmt: skip


@rule_of_quantities("outer")
def outer(reader: Reader, use: p.Builtin, a: Quantity, b: Quantity) -> Value:
    return bilinear(reader,
        result_of(use, 2), a, b, m.outer,
        lambda f: m.product(f, b.shown()),
        lambda f: m.product(m.transposed(f), a.shown()),
    )  # fmt: skip


@rule_of_quantities("transpose", of_arrays=True)
def transpose(reader: Reader, use: p.Builtin, a: Quantity) -> Value:
    assert isinstance(a.type, t.Array)
    rows = a.type.element
    assert isinstance(rows, t.Array)
    type = t.Array(t.Array(rows.element, a.type.length), rows.length)
    return linear_map(reader, type, a, m.transposed, m.transposed)


@rule_of_quantities("sum", of_arrays=True)
def total(reader: Reader, use: p.Builtin, a: Quantity) -> Value:
    assert isinstance(a.type, t.Array)
    return sum_of(reader, a, a.type.element)


def sum_of(reader: Reader, a: Quantity, type: t.Type) -> Quantity:
    if a.name is None and a.maker is not None and m.size_of(a.shown(), indices=False) > SUMMAND:
        a.name = reader.within_loops(reader.fresh("h", "u", "v"))
    total = summing(reader)

    def back(f: Formula) -> Formula:
        if rank(type) == 0:
            return m.product(f, m.ONES)
        return f if m.constant_array(f) is not None else m.outer(m.ONES, f)

    assert isinstance(a.type, t.Array)
    count, vector = a.type.length, rank(a.type) == 1
    return linear_map(reader, type, a, lambda f: total(f, count, vector), back)


Summand: TypeAlias = Formula | Callable[[Formula], Formula]


def summing(reader: Reader, *letters: str) -> Callable[..., Formula]:
    """∑ᵢ of the entries of a formula, or of what is made of an index, whose letter is free;
    of a window, x_{t+i}, it is said how many there are."""
    around = [each for index in reader.indices for each in (index, *m.inside(index))]

    def total(summand: Summand, count: Size | None = None, vector: bool = False) -> Formula:
        whole = summand(m.ONE) if callable(summand) else summand
        used = {*around, *reader.taken, *reader.sizes, *m.inside(whole)}
        i = next(i for i in map(m.symbol, (*letters, *"ijklmnpqrstuvw")) if i not in used)
        many = size_formula(count) if count is not None and m.has_windows(whole) else None
        if callable(summand):
            return m.summed(summand(i), i, many)
        return m.summed(_entry(summand, i, vector), i, many)

    return total


def _entry(f: Formula, index: Formula, vector: bool) -> Formula:
    """The entry of a summand, of a sum that of its own: (∑ₖ aₖ)ᵢ is ∑ₖ aₖᵢ."""
    if isinstance(f, m.Row) and isinstance(f.items[0], m.Script) and f.items[0].base == m.SUMMED:
        inner = f.items[1] if len(f.items) == 2 else m.Row(f.items[1:], f.binding)
        return m.Row((f.items[0], _entry(inner, index, False)), m.PRODUCT)
    return m.entry(f, index) if vector else m.indexed(f, index)


@rule_of_quantities("mean", of_arrays=True)
def mean(reader: Reader, use: p.Builtin, a: Quantity) -> Value:
    assert isinstance(a.type, t.Array)
    share = m.Fraction(m.ONE, length_of(reader, a.type.length, a))
    total = sum_of(reader, a, a.type.element)
    return rule_of(reader,
        total.type, (total,), lambda: scaled(share, total.shown()),
        lambda _, d: None if d[0] is None else d[0].through(lambda f: scaled(share, f)),
        lambda _, bar: [bar.through(lambda f: scaled(share, f))],
    )  # fmt: skip


@rule_of_quantities("conj")
def conj(reader: Reader, use: p.Builtin, a: Quantity) -> Value:
    return linear_map(reader, a.type, a, m.starred, m.starred)


@rule("norm")
def norm(reader: Reader, use: p.Builtin, a: Value) -> Value:
    """‖x‖, of several arrays that of all their entries."""
    parts = tuple(flat(a))
    if not parts or any(not isinstance(part, Quantity) for part in parts):
        return opaque_builtin(reader, use, [a])

    def direction(walk: Pass, part: Quantity) -> Formula:
        walk.ask(made, 3)
        walk.ask(part, 1)
        return m.Fraction(part.shown(), made.shown())

    def forward(walk: Pass, d: list[Change]) -> Change:
        total: Change = None
        for part, change in zip(parts, d, strict=True):
            if change is not None:
                by = direction(walk, part)
                along = m.product if rank(part.type) == 0 else inner
                total = plus(total, change.through(lambda f, by=by, along=along: along(by, f)))  # type: ignore[misc]
        return total

    def backward(walk: Pass, bar: Linear) -> list[Change]:
        return [bar.through(lambda f, q=q: m.product(f, direction(walk, q))) for q in parts]  # type: ignore[misc]

    made = rule_of(reader,
        t.R, parts, lambda: m.Fenced("‖", reader.shown(a), "‖"), forward, backward
    )  # fmt: skip
    return made


@rule_of_quantities("not")
def negation(reader: Reader, use: p.Builtin, a: Quantity) -> Value:
    made = rule_of(reader,
        result_of(use, 1), (a,), lambda: m.negation(a.shown()),
        lambda _, d: None, lambda _, bar: [None],
    )  # fmt: skip
    made.role = "constant"
    return made


@rule("select")
def select(reader: Reader, use: p.Builtin, c: Value, a: Value, b: Value) -> Value:
    if not all(isinstance(each, Quantity) for each in (c, a, b)):
        return opaque_builtin(reader, use, [c, a, b])
    type = result_of(use, 3)
    wide = rank(type) > 0

    def hit() -> Formula:
        return m.Fenced("[", c.shown(), "]")

    def miss() -> Formula:
        return m.Fenced("[", m.negation(c.shown()), "]")

    def cases(x: Formula, y: Formula) -> Formula:
        rest = m.Words("otherwise")
        return m.Cases(((x, m.row(m.Words("where "), c.shown())), (y, rest)))

    def forward(_: Pass, d: list[Change]) -> Change:
        parts = [m.ZERO if change is None else change.formula() for change in d[1:]]
        return Linear.of(cases(*parts)) if any(d[1:]) else None

    return rule_of(reader,
        type, (c, a, b), lambda: cases(a.shown(), b.shown()), forward,
        lambda _, bar: [
            None,
            down(bar.times(hit(), wide), type, a.type),
            down(bar.times(miss(), wide), type, b.type),
        ],
    )  # fmt: skip


@rule_of_quantities("toReal")
def to_real(reader: Reader, use: p.Builtin, a: Quantity) -> Value:
    truth = "Bool" in t.show(a.type)
    made = rule_of(reader,
        result_of(use, 1), (a,),
        lambda: m.Fenced("[", a.shown(), "]") if truth else a.shown(),
        lambda _, d: None, lambda _, bar: [None],
    )  # fmt: skip
    made.role = "constant"
    return made


def sequence(reader: Reader, items: Sequence[Value], type: t.Type) -> Value:
    """[a, b, c]"""
    if items and isinstance(items[0], tuple):
        columns = zip(*items, strict=True)
        return tuple(sequence(reader, list(column), type) for column in columns)
    if isinstance(type, t.Array):
        items = [joined_data(reader, item, type.element) for item in items]
    if not all(isinstance(item, Quantity) for item in items):
        return reader.constant(m.listed([reader.shown(i) for i in items]), type)

    def listed(parts: Sequence[Formula]) -> Formula:
        return m.Fenced("[", m.listed(list(parts)), "]")

    def forward(_: Pass, d: list[Change]) -> Change:
        parts = [m.ZERO if change is None else change.formula() for change in d]
        return Linear.of(listed(parts)) if any(d) else None

    def backward(walk: Pass, bar: Linear) -> list[Change]:
        return [
            bar.through(lambda f, k=k: m.indexed(f, m.Digits(str(k))))  # type: ignore[misc]
            for k in range(len(items))
        ]

    return rule_of(
        reader, type, items, lambda: listed([q.shown() for q in items]), forward, backward
    )


@rule_of_quantities("fft", "ifft")
def fourier(reader: Reader, use: p.Builtin, a: Quantity) -> Value:
    """ℱ z, and ℱᴴ for the adjoint; of a real signal, its real part."""
    sign: Formula = m.Letter("ℱ") if use.name == "fft" else m.inverted(m.Letter("ℱ"))

    def back(f: Formula) -> Formula:
        made = m.product(m.transposed(sign, "H"), f)
        return made if is_complex(a.type) else _real_part(made)

    return linear_map(reader, result_of(use, 1), a, lambda f: m.product(sign, f), back)


@rule_of_quantities("real", "imag")
def part_of(reader: Reader, use: p.Builtin, a: Quantity) -> Value:
    """Re z and Im z; backwards s and i s, under Re ⟨·,·⟩."""
    own: Callable[[Formula], Formula] = _real_part if use.name == "real" else _imaginary_part
    unit = m.ONE if use.name == "real" else m.Letter("i")
    return linear_map(reader, result_of(use, 1), a, own, lambda f: m.product(unit, f))


@rule_of_quantities("complex")
def of_parts(reader: Reader, use: p.Builtin, a: Quantity, b: Quantity) -> Value:
    """a + i b"""

    def joined(x: Formula, y: Formula) -> Formula:
        return m.plus(x, m.product(m.Letter("i"), y))

    def forward(_: Pass, d: list[Change]) -> Change:
        parts = [m.ZERO if change is None else change.formula() for change in d]
        return Linear.of(joined(*parts)) if any(d) else None

    return rule_of(reader,
        result_of(use, 2), (a, b), lambda: joined(a.shown(), b.shown()), forward,
        lambda _, bar: [bar.through(_real_part), bar.through(_imaginary_part)],
    )  # fmt: skip


def _real_part(f: Formula) -> Formula:
    return template(r"\operatorname{{Re}} {0}", f)


def _imaginary_part(f: Formula) -> Formula:
    return template(r"\operatorname{{Im}} {0}", f)
