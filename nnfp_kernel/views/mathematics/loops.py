"""Combinators that go along a sequence, or round and round: map, fold, window, while.

All but `fixpoint` are one operation, `loop`: a block done for every value of an index,
with a state that goes from one to the next and outputs that are put together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...language import typed as p
from ...language import types as t
from . import formula as m
from .blocks import Equation, Recurrence
from .formula import Formula
from .named import opaque_builtin
from .quantities import Value, flat, rebuilt, size_formula, size_of_loop
from .table import result_of, rule
from .tape import Block, Quantity, element

if TYPE_CHECKING:
    from .reading import Reader


def loop(
    reader: Reader,
    initial: Value,
    sequences: Value,
    length: Formula | list[Formula],
    step: Callable[[Value, Value], tuple[Value, Value]],
    *,
    reverse: bool = False,
    index: Sequence[str] = ("t",),
    window: Callable[[Formula], Formula] | None = None,
    outputs: Sequence[t.Type] | None = None,
    over: Callable[[t.Type], t.Type] = lambda type: type,
    letter: str = "s",
    going: Value = None,
) -> tuple[Value, Value]:
    """A block done for every index: `step(state, element) -> (state, output)`; with
    `going`, as long as that holds of the state."""
    for quantity in flat(sequences):
        reader.ensure_named(quantity, "u", "v", "w")
    starts = list(flat(initial))
    counts: list[Formula] = length if isinstance(length, list) else [length]
    letters: list[Formula] = []
    for _ in counts:
        letters.append(reader.index(*(n for n in index if m.symbol(n) not in letters)))
    i = letters[0] if len(letters) == 1 else m.listed(letters)
    count: Formula = counts[0]
    first: Formula = m.ONE
    ranges = [m.counted(*pair) for pair in zip(letters, counts, strict=True)]
    range: Formula = ranges[0] if len(ranges) == 1 else m.listed(ranges)
    names = [reader.fresh(letter, "h", "c")] if len(starts) == 1 else [
        reader.fresh(*pair) for pair in (("s", "h"), ("c", "r"), ("q", "p"))[: len(starts)]
    ] + [reader.fresh("s") for _ in starts[3:]]  # fmt: skip
    names = [reader.within_loops(name) for name in names]
    here, there = i, m.minus(i, m.ONE)
    ends: tuple[Formula, Formula] = (m.ZERO, count)
    if reverse:
        there, ends = m.plus(i, m.ONE), (m.plus(count, m.ONE), first)
        range = m.counted(i, first, count)
    before = tuple(
        Quantity(q.type, m.indexed(name, there)) for q, name in zip(starts, names, strict=True)
    )
    if going is not None:
        with reader.apart():
            states = iter(before)
            holds = reader.shown(reader.apply(going, rebuilt(initial, lambda _: next(states))))
        range = m.Row((*m.parts(range), m.Words(" while "), holds), m.RELATION)
    with reader.within(Block(i, range)) as block:
        at = here if window is None else window(here)

        def take(whole: Quantity) -> Quantity:
            inner = whole.type.element if isinstance(whole.type, t.Array) else whole.type
            made = element(whole, at, range, over(inner))
            if whole.role == "constant":
                made.role = "constant"
            reader.add(made.maker)  # type: ignore[arg-type]
            made.name = m.indexed(whole.shown(), at)
            return made

        items = rebuilt(sequences, take)
        supply = iter(before)
        state, output = step(rebuilt(initial, lambda _: next(supply)), items)
        after = tuple(
            reader.renamed(q, m.indexed(name, here))
            for q, name in zip(flat(state), names, strict=True)
        )
        each = [reader.renamed(q, None) for q in flat(output)]
    finals = [
        Quantity(q.type, m.indexed(name, ends[1])) for q, name in zip(starts, names, strict=True)
    ]
    stacked = []
    for quantity in each:
        base = reader.within_loops(reader.fresh("y", "u", "v", "w", "p"))
        whole = Quantity(t.Array(quantity.type, size_of_loop(sequences)), base)
        whole.role = quantity.role if quantity.role == "constant" else ""
        quantity.name = m.indexed(base, here)
        stacked.append(whole)
    operation = Recurrence(
        (), block, tuple(starts),
        tuple(m.indexed(name, ends[0]) for name in names), before, after, tuple(each),
    )  # fmt: skip
    outside = [q for q in block.outside() if q not in before]
    outside += [q for q in (*after, *each) if q.maker is None and q not in before]
    operation.inputs = (*starts, *dict.fromkeys(outside))
    operation.outputs = (*finals, *stacked)
    reader.add(operation)
    ends_supply, outs = iter(finals), iter(stacked)
    return rebuilt(initial, lambda _: next(ends_supply)), rebuilt(output, lambda _: next(outs))


def equation(reader: Reader, function: Value, like: Value) -> Value:
    """A state that a function leaves as it is."""
    starts = list(flat(like))
    letters = ("s", "h", "c", "r", "q", "p")
    names = [reader.within_loops(reader.fresh(*letters)) for _ in starts]

    def state() -> tuple[Quantity, ...]:
        return tuple(Quantity(q.type, n) for q, n in zip(starts, names, strict=True))

    before = state()
    with reader.within(Block()) as block:
        supply = iter(before)
        made = reader.apply(function, rebuilt(like, lambda _: next(supply)))
        pairs = zip(flat(made), names, strict=True)
        after = tuple(reader.renamed(quantity, name) for quantity, name in pairs)
    operation = Equation((), block, before, after)
    operation.inputs = tuple(q for q in block.outside() if q not in before)
    operation.outputs = state()
    reader.add(operation)
    supply = iter(operation.outputs)
    return rebuilt(like, lambda _: next(supply))


@rule("map", "zipWith")
def map_over(
    reader: Reader, use: p.Builtin, f: Value, xs: Value, *, axes: int = 1, **options: Any
) -> Value:
    result = result_of(use, 2)
    counts = []
    for _ in range(axes):
        assert isinstance(result, t.Array)
        counts.append(size_formula(result.length))
        result = result.element
    if not list(flat(xs)):
        return opaque_builtin(reader, use, [f, xs])
    _, out = loop(reader,
        (), xs, counts, lambda _, item: ((), reader.apply(f, item)),
        index=("i", "j", "k"), **options,
    )  # fmt: skip
    return out


@rule("fold", "foldRight")
def fold(reader: Reader, use: p.Builtin, f: Value, z: Value, xs: Value) -> Value:
    step = lambda s, x: (reader.apply(f, (s, x)), ())  # noqa: E731
    return along(reader, use, step, z, xs)[0]


@rule("scan")
def scan(reader: Reader, use: p.Builtin, f: Value, z: Value, xs: Value) -> Value:
    def step(s: Value, x: Value) -> tuple[Value, Value]:
        after = reader.apply(f, (s, x))
        return after, after

    return along(reader, use, step, z, xs)[1]


@rule("mapAccum", "mapAccumRight")
def accumulate(reader: Reader, use: p.Builtin, f: Value, z: Value, xs: Value) -> Value:
    return along(reader, use, lambda s, x: reader.apply(f, (s, x)), z, xs)


@rule("moore")
def moore(reader: Reader, use: p.Builtin, f: Value, z: Value, xs: Value) -> Value:
    return along(reader, use, lambda s, x: reader.apply(f, (s, x)), z, xs)[1]


def along(reader: Reader, use: p.Builtin, step: Any, z: Value, xs: Value) -> tuple[Value, Value]:
    count = size_formula(size_of_loop(xs))
    return loop(reader, z, xs, count, step, reverse=use.name.endswith("Right"))


@rule("unfold")
def unfold(reader: Reader, use: p.Builtin, f: Value, seed: Value) -> Value:
    step = lambda s, _: reader.apply(f, s)  # noqa: E731
    return loop(reader, seed, (), size_formula(use.brackets[0]), step)[1]


@rule("iterate")
def iterate(reader: Reader, use: p.Builtin, f: Value, x: Value) -> Value:
    step = lambda s, _: (reader.apply(f, s), ())  # noqa: E731
    count = size_formula(use.brackets[0])
    return loop(reader, x, (), count, step, index=("k",), letter="h")[0]


@rule("while")
def while_holds(reader: Reader, use: p.Builtin, going: Value, f: Value, x: Value) -> Value:
    step = lambda s, _: (reader.apply(f, s), ())  # noqa: E731
    return loop(reader, x, (), m.Letter("T"), step, going=going)[0]


@rule("fixpoint")
def fixpoint(reader: Reader, use: p.Builtin, f: Value, start: Value) -> Value:
    return equation(reader, f, start)


@rule("window", "pool")
def window(reader: Reader, use: p.Builtin, f: Value, xs: Value) -> Value:
    """Every window is said by its first and last place: x_{i…i+k-1}."""
    sizes = use.brackets
    if use.options or not isinstance(result_of(use, 2), t.Array):
        return opaque_builtin(reader, use, [f, xs])

    def place(index: Formula) -> Formula:
        indices = index.items[::2] if isinstance(index, m.Row) else (index,)
        places = [span(reader, use, *pair) for pair in zip(indices, sizes, strict=True)]
        return places[0] if len(places) == 1 else m.listed(places)

    def over(type: t.Type) -> t.Type:
        for _ in sizes[1:]:
            type = type.element if isinstance(type, t.Array) else type
        for size in reversed(sizes):
            type = t.Array(type, size)
        return type

    return map_over(reader, use, f, xs, window=place, over=over, axes=len(sizes))


def span(reader: Reader, use: p.Builtin, i: Formula, size: Any) -> Formula:
    """From the first to the last place of the window at i."""
    if use.name == "pool":
        last = m.product(size_formula(size), i)
        first = m.plus(m.minus(last, size_formula(size)), m.ONE)
        if size.value is not None:
            first = m.minus(last, m.Digits(str(size.value - 1)))
    else:
        first = i
        last = m.minus(m.plus(i, size_formula(size)), m.ONE)
        if size.value is not None:
            last = m.plus(i, m.Digits(str(size.value - 1)))
    return m.Row((first, m.Sign("…"), last), m.RELATION)
