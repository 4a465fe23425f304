"""What puts entries in other places and computes nothing; backwards they go the other way.

    reverse      reverse(ȳ)              split, concat, reshape    each the other's adjoint
    take, drop   ȳ ⧺ 𝟎₄, 𝟎₂ ⧺ ȳ         ++                        take(ȳ), drop(ȳ)
    x ! z        ȳ e_z                   gather                    ∑ₖ ȳₖ e_{zₖ}: of equal indices
    replicate    ∑ᵢ ȳᵢ                                             all are added up

An array of pairs is a pair of arrays: each is moved for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from ...language import typed as p
from ...language import types as t
from ...language.sizes import Size
from . import formula as m
from .changes import Change, Linear
from .formula import Formula
from .named import opaque_builtin, rule_of_quantities
from .pieces import has_name, length_of, rank, with_brackets
from .quantities import Value, size_formula
from .table import linear_map, result_of, rule, rule_of
from .tape import Pass, Quantity, Rule
from .vectors import summing

if TYPE_CHECKING:
    from .reading import Reader

Moved: TypeAlias = tuple[t.Type, Callable[[Formula], Formula]]  # of an array; its adjoint


def _named(name: str, sizes: Sequence[Size | Formula]) -> Callable[[Formula], Formula]:
    """take_2(…)"""
    letter: Formula = m.Letter(name)
    said = [size_formula(size) if isinstance(size, Size) else size for size in sizes]
    function = m.indexed(letter, m.listed(said)) if sizes else letter
    return lambda f: m.applied(function, [f])


def _shape(type: t.Type) -> list[Size]:
    return [type.length, *_shape(type.element)] if isinstance(type, t.Array) else []


def _padded(
    f: Formula, element: t.Type, *, before: Size | int = 0, after: Size | int = 0
) -> Formula:
    """f with elements that are zero before or after it: 𝟎₂ ⧺ f."""

    if isinstance(before, Size) and before.value != 0:
        return m.joined(_zeros(t.Array(element, before)), f)
    if isinstance(after, Size) and after.value != 0:
        return m.joined(f, _zeros(t.Array(element, after)))
    return f


def _zeros(type: t.Type) -> Formula:
    return m.Script(m.ZEROS, m.listed([size_formula(size) for size in _shape(type)]))


def _reverse(use: p.Builtin, own: t.Array, made: t.Type) -> Moved:
    return own, _named("reverse", [])


def _take(use: p.Builtin, own: t.Array, made: t.Type) -> Moved:
    (count,) = use.brackets
    rest = own.length - count
    return t.Array(own.element, count), lambda f: _padded(f, own.element, after=rest)


def _drop(use: p.Builtin, own: t.Array, made: t.Type) -> Moved:
    (count,) = use.brackets
    type = t.Array(own.element, own.length - count)
    return type, lambda f: _padded(f, own.element, before=count)


def _shift(use: p.Builtin, own: t.Array, made: t.Type) -> Moved:
    """What is moved to the end comes back from there; zeros follow it."""
    (count,) = use.brackets
    left = (own.length - count).value
    if left is not None and left <= 0:  # all of it is moved out
        return own, lambda f: _zeros(own)
    drop = _named("drop", [count]) if count.value != 0 else lambda f: f
    return own, lambda f: _padded(drop(f), own.element, after=count)


def _concat(use: p.Builtin, own: t.Array, made: t.Type) -> Moved:
    assert isinstance(made, t.Array)
    assert isinstance(own.element, t.Array)
    inner = own.element
    return t.Array(inner.element, made.length), _named("split", [inner.length])


def _split(use: p.Builtin, own: t.Array, made: t.Type) -> Moved:
    assert isinstance(made, t.Array)
    (count,) = use.brackets
    return t.Array(t.Array(own.element, count), made.length), _named("concat", [])


def _reshape(use: p.Builtin, own: t.Array, made: t.Type) -> Moved:
    return made, _named("reshape", _shape(own))


MOVEMENTS: dict[str, Callable[[p.Builtin, t.Array, t.Type], Moved]] = {
    "reverse": _reverse, "take": _take, "drop": _drop, "shift": _shift,
    "concat": _concat, "split": _split, "reshape": _reshape, "flatten": _reshape,
}  # fmt: skip


@rule_of_quantities(*MOVEMENTS)
def moved(reader: Reader, use: p.Builtin, a: Quantity) -> Value:
    function = with_brackets(use)
    if isinstance(a.type, t.Array):
        type, back = MOVEMENTS[use.name](use, a.type, result_of(use, 1))
        if MOVEMENTS[use.name] is _reshape:  # of a length without a name, |a|
            first, *rest = _shape(a.type)
            back = _named("reshape", [length_of(reader, first, a), *rest])
    elif use.name == "flatten" and isinstance(a.type, t.Scalar):  # a number as an array
        type, back = result_of(use, 1), lambda f: m.indexed(f, m.ZERO)
    else:
        return opaque_builtin(reader, use, [a])
    return linear_map(reader, type, a, lambda f: m.applied(function, [f]), back)


@rule_of_quantities("replicate")
def replicated(reader: Reader, use: p.Builtin, a: Quantity) -> Value:
    function, (count,) = with_brackets(use), use.brackets
    total = summing(reader)
    return linear_map(reader, t.Array(a.type, count), a, lambda f: m.applied(function, [f]), total)


@rule("++")
def joined(reader: Reader, use: p.Builtin, a: Value, b: Value) -> Value:
    if isinstance(a, tuple) and isinstance(b, tuple):
        return tuple(joined(reader, use, *pair) for pair in zip(a, b, strict=True))
    if not (isinstance(a, Quantity) and isinstance(b, Quantity)) or not (
        isinstance(a.type, t.Array) and isinstance(b.type, t.Array)
    ):
        return opaque_builtin(reader, use, [a, b])
    count = a.type.length
    first = length_of(reader, count, a)

    def both(*parts: Formula) -> Formula:
        pairs = zip(parts, (a, b), strict=True)
        return m.joined(*(_zeros(q.type) if f == m.ZERO else f for f, q in pairs))

    def forward(_: Pass, d: list[Change]) -> Change:
        parts = [m.ZERO if change is None else change.formula() for change in d]
        return Linear.of(both(*parts)) if any(d) else None

    return rule_of(reader,
        t.Array(a.type.element, count + b.type.length), (a, b),
        lambda: both(a.shown(), b.shown()), forward,
        lambda _, bar: [bar.through(_named(name, [first])) for name in ("take", "drop")],
    )  # fmt: skip


# --- by indices -------------------------------------------------------------------------------


def _at(f: Formula, place: Formula, type: t.Type) -> Formula:
    """What has the element f at one place and is zero elsewhere: f e_z, or e_z ⊗ f."""
    unit = m.Script(m.Letter("e"), place)
    return m.product(f, unit) if rank(type) == 0 else m.outer(unit, f)


@rule_of_quantities("!")
def element(reader: Reader, use: p.Builtin, a: Quantity, index: Quantity) -> Value:
    return _picked(reader, a, index.shown, index)


def _picked(
    reader: Reader, a: Quantity, place: Callable[[], Formula], *index: Quantity
) -> Quantity:
    type = a.type.element if isinstance(a.type, t.Array) else a.type
    return linear_map(reader,
        type, a, lambda f: m.indexed(f, place()), lambda f: _at(f, place(), type), *index
    )  # fmt: skip


@rule_of_quantities("head", "last", of_arrays=True)
def end(reader: Reader, use: p.Builtin, a: Quantity) -> Value:
    """x_0, and x_{n-1}."""
    if use.name == "head":
        return _picked(reader, a, lambda: m.ZERO)
    assert isinstance(a.type, t.Array)
    length = a.type.length
    if not has_name(length):  # the array has a name from here on
        place = m.minus(length_of(reader, length, a), m.ONE)
        return _picked(reader, a, lambda: place)
    return _picked(reader, a, lambda: size_formula(length - 1))


def _literal(index: Quantity) -> list[Formula] | None:
    """The numbers of an index that is written down: [3, 1, 3]."""
    match index.shown():
        case m.Fenced(left="[", inside=m.Row(items=items)):
            numbers = list(items[::2])
            return numbers if all(isinstance(each, m.Digits) for each in numbers) else None
    return None


def _numbers(count: int) -> list[Formula]:
    return [m.Digits(str(k)) for k in range(count)]


@rule("iota")
def counted(reader: Reader, use: p.Builtin) -> Value:
    """[0, …, n - 1]"""
    (count,) = use.brackets
    known = count.value
    if known is not None and known < 4:
        places = _numbers(known)
    else:
        places = [m.ZERO, m.Sign("…"), size_formula(count - 1)]
    return reader.constant(m.Fenced("[", m.listed(places), "]"), use.type)


@rule_of_quantities("gather", of_arrays=True)
def gathered(reader: Reader, use: p.Builtin, a: Quantity, index: Quantity) -> Value:
    assert isinstance(a.type, t.Array)
    assert isinstance(index.type, t.Array)
    inner, total = a.type.element, summing(reader, "k", "l", "j", "i")

    places = _literal(index)

    def there(f: Formula) -> Formula:
        if places is None:
            return m.indexed(f, index.shown())
        return m.Fenced("[", m.listed([m.indexed(f, place) for place in places]), "]")

    def back(f: Formula) -> Formula:
        if places is None:
            return total(lambda k: _at(m.indexed(f, k), m.indexed(index.shown(), k), inner))
        made: Formula = m.ZERO
        for k, place in zip(_numbers(len(places)), places, strict=True):
            made = m.plus(made, _at(m.indexed(f, k), place, inner))
        return made

    type = t.Array(inner, index.type.length)
    return linear_map(reader, type, a, there, back, index)


@rule_of_quantities("topK")
def largest(reader: Reader, use: p.Builtin, a: Quantity) -> Value:
    """The largest entries and their indices z: dy is dx_z."""
    total = summing(reader, "k", "l", "j", "i")

    def value() -> Formula:
        return m.applied(with_brackets(use), [a.shown()])

    def places(walk: Pass) -> Formula:
        walk.asked += [made for made in operation.outputs if made.name is None]
        return operation.outputs[1].shown()

    def forward(walk: Pass, d: list[Change]) -> list[Change]:
        z = places(walk)
        return [None if d[0] is None else d[0].through(lambda f: m.indexed(f, z)), None]

    def backward(walk: Pass, bars: list[Change]) -> list[Change]:
        z, bar = places(walk), bars[0]

        def back(f: Formula) -> Formula:
            return total(lambda k: _at(m.indexed(f, k), m.indexed(z, k), t.R))

        return [None if bar is None else bar.through(back)]

    def component(k: int) -> Formula:
        return m.indexed(m.Fenced("(", value(), ")"), m.Digits(str(k + 1)))

    result = result_of(use, 1)
    assert isinstance(result, t.Product)
    operation = Rule((a,), component, forward, backward, joint=value)
    reader.add(operation, *result.items)
    return operation.outputs
