"""Combinators that go along a sequence, or round and round: map, fold, window, while.

All but `fixpoint` are one operation, `loop`: a block done for every value of an index,
with a state that goes from one to the next and outputs that are put together.

Elements are counted from 0, as in the program, where `xs ! 0` is the first: x_0, …, x_{n-1}.
The state s_t is the one that the step at x_t is given, so s_0 is where a fold begins and
s_n where it ends; from the right, s_n is where it begins and s_0 where it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...language import typed as p
from ...language import types as t
from ...language.sizes import Size, constant
from . import formula as m
from .blocks import Equation, Recurrence
from .constructors import joined
from .formula import Formula
from .named import opaque_builtin
from .pieces import has_name, length_of
from .quantities import Meaning, Value, flat, rebuilt, size_formula, size_of_loop
from .table import domains_of, function_of, result_of, rule, rule_of
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
    over: Callable[[t.Type], t.Type] = lambda type: type,
    letter: str = "s",
    going: Value = None,
    most: Formula | None = None,
    note: Formula | None = None,
    along: tuple[Formula, Formula] | None = None,
    items: Sequence[t.Type] = (),
    whole: t.Type | None = None,
    known: Sequence[Quantity] = (),
    types: tuple[t.Type, t.Type] | None = None,
    size: Size | None = None,
) -> tuple[Value, Value]:
    """A block done for every index: `step(state, element) -> (state, output)`.

    With `going`, as long as that holds of the state, `most` times; with `along`, for an
    index with a range of its own. `items` and `whole` are the types of the elements and of
    the outputs where these are no arrays; `known` what a window refers to; `types`
    those of the state and of an output. `size` is the number of outputs where there are no
    sequences.
    """
    if types is not None:
        initial = joined(reader, initial, types[0])
    for quantity in flat(sequences):
        reader.ensure_named(quantity, "u", "v", "w")
    starts = list(flat(initial))
    counts: list[Formula] = length if isinstance(length, list) else [length]
    letters: list[Formula] = [along[0]] if along else []
    for _ in counts[len(letters) :]:
        letters.append(reader.index(*(n for n in index if m.symbol(n) not in letters)))
    i = letters[0] if len(letters) == 1 else m.listed(letters)
    count: Formula = counts[0]
    ranges = [m.counted(*pair) for pair in zip(letters, counts, strict=True)]
    range: Formula = m.nested(ranges)
    if along:
        range = along[1]
    names = [reader.fresh(letter, "h", "c")] if len(starts) == 1 else [
        reader.fresh(*pair) for pair in (("s", "h"), ("c", "r"), ("q", "p"))[: len(starts)]
    ] + [reader.fresh("s") for _ in starts[3:]]  # fmt: skip
    names = [reader.within_loops(name) for name in names]
    here, given, made = i, i, m.plus(i, m.ONE)
    ends: tuple[Formula, Formula] = (m.ZERO, count)
    if reverse:
        given, made, ends = made, given, ends[::-1]
        range = m.counted(i, count, down=True)
    if note is not None:
        range = m.Row((*m.parts(range), m.Sign(","), m.Space(True), note), m.RELATION)
    before = tuple(
        Quantity(q.type, m.indexed(name, given)) for q, name in zip(starts, names, strict=True)
    )
    if going is not None:
        with reader.apart(), reader.within(Block(i)):
            states = iter(before)
            holds = reader.shown(reader.apply(going, rebuilt(initial, lambda _: next(states))))
        range = m.Row((*m.parts(range), m.Words(" while "), holds), m.RELATION)
    if most is not None:
        bound = (m.Sign(","), m.Space(True), count, m.Sign("≤"), most)
        range = m.Row((*m.parts(range), *bound), m.RELATION)
    with reader.within(Block(i, range)) as block:
        at = here if window is None else window(here)

        kinds = iter(items)

        def take(sequence: Quantity) -> Value:
            inner = sequence.type.element if isinstance(sequence.type, t.Array) else sequence.type
            return part(sequence, at, next(kinds, inner))

        def part(sequence: Quantity, at: Formula, inner: t.Type) -> Value:
            if isinstance(inner, t.Product):
                places = ((m.listed([at, m.Digits(str(k))]), each)
                          for k, each in enumerate(inner.items, 1))  # fmt: skip
                return tuple(part(sequence, *place) for place in places)
            own = element(sequence, at, over(inner))
            if sequence.role == "constant":
                own.role = "constant"
            reader.add(own.maker)  # type: ignore[arg-type]
            own.name = m.indexed(sequence.shown(), at)
            return own

        elements = rebuilt(sequences, take)
        supply = iter(before)
        state, output = step(rebuilt(initial, lambda _: next(supply)), elements)
        if types is not None:
            state, output = joined(reader, state, types[0]), joined(reader, output, types[1])
        after = tuple(
            reader.renamed(q, m.indexed(name, made))
            for q, name in zip(flat(state), names, strict=True)
        )
        plain = window is None and along is None and not starts
        same = dict(zip(flat(elements), flat(sequences), strict=True)) if plain else {}
        each = [reader.renamed(q, None) for q in flat(output) if q not in same]
    if plain and not each and list(flat(output)):  # it only puts sequences in other places
        return (), rebuilt(output, lambda q: same[q])
    finals = [
        Quantity(q.type, m.indexed(name, ends[1])) for q, name in zip(starts, names, strict=True)
    ]
    stacked = []
    paired = whole is not None and isinstance(output, tuple)
    if paired:  # y_{v,1} and y_{v,2} of a tree of pairs
        base = reader.within_loops(reader.fresh("y", "u", "v", "w", "p"))
        stacked.append(Quantity(whole or t.UNIT, base))
        for quantity, place in zip(each, _places(output, here), strict=True):
            quantity.name = m.indexed(base, place)
    for quantity in [] if paired else each:
        base = reader.within_loops(reader.fresh("y", "u", "v", "w", "p"))
        together = Quantity(whole or t.Array(quantity.type, size or size_of_loop(sequences)), base)
        together.role = quantity.role if quantity.role == "constant" else ""
        quantity.name = m.indexed(base, here)
        stacked.append(together)
    operation = Recurrence(
        (), block, tuple(starts),
        tuple(m.indexed(name, ends[0]) for name in names), before, after, tuple(each),
        together=paired,
    )  # fmt: skip
    outside = [q for q in block.outside() if q not in before]
    outside += [q for q in (*after, *each) if q.maker is None and q not in before]
    operation.inputs = (*starts, *dict.fromkeys([*outside, *known]))
    operation.outputs = (*finals, *stacked)
    reader.add(operation)
    ends_supply, outs = iter(finals), iter(stacked)
    if paired:
        return rebuilt(initial, lambda _: next(ends_supply)), stacked[0]
    made_of = rebuilt(output, lambda q: same[q] if q in same else next(outs))
    return rebuilt(initial, lambda _: next(ends_supply)), made_of


def _places(value: Value, at: Formula) -> list[Formula]:
    """Where the parts of a product are: v,1 and v,2."""
    if not isinstance(value, tuple):
        return [at]
    numbered = enumerate(value, 1)
    return [p for k, part in numbered for p in _places(part, m.listed([at, m.Digits(str(k))]))]


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
    reader: Reader, use: p.Builtin, f: Value, xs: Value, *, axes: int = 1,
    counts: list[Formula] | None = None, **options: Any,
) -> Value:  # fmt: skip
    result = result_of(use, 2)
    for _ in range(axes):
        assert isinstance(result, t.Array)
        result = result.element
    if not list(flat(xs)):
        return opaque_builtin(reader, use, [f, xs])
    if counts is None:
        counts = [length_of(reader, size_of_loop(xs), xs)]
    _, out = loop(reader,
        (), xs, counts, lambda _, item: ((), reader.apply(f, item)),
        index=("i", "j", "k"), types=(t.UNIT, result), **options,
    )  # fmt: skip
    return out


@rule("fold", "foldRight")
def fold(reader: Reader, use: p.Builtin, f: Value, z: Value, xs: Value) -> Value:
    step = lambda s, x: (reader.apply(f, (s, x)), ())  # noqa: E731
    return along(reader, use, step, z, xs, t.UNIT)[0]


@rule("scan")
def scan(reader: Reader, use: p.Builtin, f: Value, z: Value, xs: Value) -> Value:
    def step(s: Value, x: Value) -> tuple[Value, Value]:
        after = reader.apply(f, (s, x))
        return after, after

    return along(reader, use, step, z, xs, domains_of(use)[1])[1]


@rule("mapAccum", "mapAccumRight")
def accumulate(reader: Reader, use: p.Builtin, f: Value, z: Value, xs: Value) -> Value:
    return along(reader, use, lambda s, x: reader.apply(f, (s, x)), z, xs, _output(use))


@rule("moore")
def moore(reader: Reader, use: p.Builtin, f: Value, z: Value, xs: Value) -> Value:
    return along(reader, use, lambda s, x: reader.apply(f, (s, x)), z, xs, _output(use))[1]


def _output(use: p.Builtin) -> t.Type:
    """The type of what a step puts out: f : (s, a) -> (s, b) gives b."""
    made = function_of(domains_of(use)[0]).codomain
    assert isinstance(made, t.Product)
    return made.items[1]


def along(
    reader: Reader, use: p.Builtin, step: Any, z: Value, xs: Value, output: t.Type
) -> tuple[Value, Value]:
    count = length_of(reader, size_of_loop(xs), xs)
    types = (domains_of(use)[1], output)
    return loop(reader, z, xs, count, step, reverse=use.name.endswith("Right"), types=types)


@rule("unfold")
def unfold(reader: Reader, use: p.Builtin, f: Value, seed: Value) -> Value:
    step = lambda s, _: reader.apply(f, s)  # noqa: E731
    types = (domains_of(use)[1], _output(use))
    (size,) = use.brackets
    return loop(reader, seed, (), size_formula(size), step, types=types, size=size)[1]


@rule("iterate")
def iterate(reader: Reader, use: p.Builtin, f: Value, x: Value) -> Value:
    step = lambda s, _: (reader.apply(f, s), ())  # noqa: E731
    count, types = size_formula(use.brackets[0]), (domains_of(use)[1], t.UNIT)
    return loop(reader, x, (), count, step, index=("k",), letter="h", types=types)[0]


@rule("while")
def while_holds(reader: Reader, use: p.Builtin, going: Value, f: Value, x: Value) -> Value:
    step = lambda s, _: (reader.apply(f, s), ())  # noqa: E731
    most = size_formula(use.brackets[0]) if use.brackets else None
    types = (domains_of(use)[2], t.UNIT)
    return loop(reader, x, (), m.Letter("T"), step, going=going, most=most, types=types)[0]


@rule("unfoldWhile")
def unfold_while(reader: Reader, use: p.Builtin, f: Value, seed: Value) -> Value:
    """Outputs as long as the third part is true; the one with the first False is none."""

    def step(s: Value, _: Value) -> tuple[Value, Value]:
        after, output, _more = reader.apply(f, s)
        return after, output

    going = Meaning(lambda s: reader.apply(f, s)[2], lambda: m.Letter("going"))
    most, types = size_formula(use.brackets[0]), (domains_of(use)[1], _output(use))
    result = result_of(use, 2)
    size = result.length if isinstance(result, t.Array) else None
    return loop(reader,
        seed, (), m.Letter("T"), step, going=going, most=most, types=types, size=size,
    )[1]  # fmt: skip


@rule("fixpoint")
def fixpoint(reader: Reader, use: p.Builtin, f: Value, start: Value) -> Value:
    return equation(reader, f, start)


@rule("window", "pool")
def window(reader: Reader, use: p.Builtin, f: Value, xs: Value) -> Value:
    """Every window is said by its first and last place, x_{i…i+k-1}; with a dilation by the
    second one, too; with padding what is outside is said to be 0."""
    whole = next((q.type for q in flat(xs)), t.UNIT)
    lengths = []
    for _ in use.brackets:
        if not isinstance(whole, t.Array):
            return opaque_builtin(reader, use, [f, xs])
        lengths.append(whole.length)
        whole = whole.element
    result_lengths, made = [], result_of(use, 2)
    for _ in use.brackets:
        if not isinstance(made, t.Array):
            return opaque_builtin(reader, use, [f, xs])
        result_lengths.append(made.length)
        made = made.element
    spans, known = [], []
    for size, length in zip(use.brackets, lengths, strict=True):
        span = _span(use, size, length)
        if span.centred is not None:
            known.append(_shift(reader, span.centred, size, length, xs))
            span = replace(span, shift=known[-1].name)
        spans.append(span)

    def place(index: Formula) -> Formula:
        indices = index.items[::2] if isinstance(index, m.Row) else (index,)
        places = [span.at(i) for span, i in zip(spans, indices, strict=True)]
        return places[0] if len(places) == 1 else m.listed(places)

    def over(type: t.Type) -> t.Type:
        for _ in use.brackets[1:]:
            type = type.element if isinstance(type, t.Array) else type
        for size in reversed(use.brackets):
            type = t.Array(type, size)
        return type

    note: Formula | None = None
    if any(span.padded for span in spans):
        for q in flat(xs):
            reader.ensure_named(q, "u", "v", "w")
        outside = [m.equation(q.shown(), m.ZERO) for q in flat(xs)]
        note = m.Row((m.listed(outside), m.Words(" outside")), m.RELATION)
    sizes = zip(result_lengths, spans, lengths, strict=True)
    counts = [_windows(reader, use, *each, xs) for each in sizes]
    return map_over(
        reader, use, f, xs, window=place, over=over, axes=len(spans), note=note, known=known,
        counts=counts,
    )  # fmt: skip


@dataclass(frozen=True)
class _Span:
    """The places of window i: scale i + first, by steps, up to scale i + last; all of them
    less a `shift`, where what `centred` windows of a stride reach over is not known."""

    scale: Size
    first: Size
    step: Size
    last: Size
    padded: bool
    centred: tuple[Size, Size] | None = None  # the stride, and the reach of a window
    shift: Formula | None = None

    def at(self, i: Formula) -> Formula:
        start, end = self._place(i, self.first), self._place(i, self.last)
        if self.step.value == 1:
            return m.Row((start, m.Sign("…"), end), m.RELATION)
        second = self._place(i, self.first + self.step)
        return m.Row((start, m.Sign(","), second, m.Sign(","), m.Sign("…"), m.Sign(","), end),
                     m.RELATION)  # fmt: skip

    def _place(self, i: Formula, offset: Size) -> Formula:
        base = m.product(size_formula(self.scale), i)
        if self.shift is not None:
            base = m.minus(base, self.shift)
        if offset.value is None:
            return m.plus(base, size_formula(offset))
        number = m.Digits(str(abs(offset.value)))
        return m.plus(base, number) if offset.value >= 0 else m.minus(base, number)


def _windows(
    reader: Reader, use: p.Builtin, count: Size, span: _Span, length: Size, xs: Value
) -> Formula:
    """How many windows there are, of a sequence whose length has no name as well."""
    if has_name(count):
        return size_formula(count)
    n, step = length_of(reader, length, xs), size_formula(span.scale)
    if use.options.get("pad") == "same":
        return n if span.scale.value == 1 else m.floor(m.Fraction(n, step), ceiling=True)
    if use.name == "pool":
        return m.floor(m.Fraction(n, step))
    more = -span.last - span.first  # n + 2 pad - reach + 1, and the places are counted from 0
    rest = m.shifted(n, more.value) if more.value is not None else m.plus(n, size_formula(more))
    if span.scale.value == 1:
        return rest
    return m.plus(m.floor(m.Fraction(m.shifted(rest, -1), step)), m.ONE)


def _shift(
    reader: Reader, centred: tuple[Size, Size], size: Size, length: Size, xs: Value
) -> Quantity:
    """p = ⌊max(0, s (⌈n/s⌉ - 1) + k - n)/2⌋: how many zeros stand before what is centred."""
    stride, reach = centred
    if stride.value == 1:
        total = size_formula(reach - 1)
    else:
        n, step = length_of(reader, length, xs), size_formula(stride)
        whole = m.floor(m.Fraction(n, step), ceiling=True)
        total = m.product(step, m.minus(whole, m.ONE))
        total = m.minus(m.plus(total, size_formula(reach)), n)
        total = m.applied(m.Letter("max"), [m.ZERO, total])
    zeros = m.floor(m.Fraction(total, m.Digits("2")))
    made = rule_of(reader, t.INT, (), lambda: zeros, lambda _, d: None, lambda _, bar: [])
    made.name, made.role = reader.fresh("p", "q", "r"), "constant"
    return made


def _span(use: p.Builtin, size: Size, length: Size) -> _Span:
    """Where the windows over one axis stand."""
    if use.name == "pool":
        return _Span(size, constant(0), constant(1), size - 1, False)
    stride, dilation, padding = (
        use.options.get(name, default)
        for name, default in (("stride", constant(1)), ("dilation", constant(1)), ("pad", "valid"))
    )
    assert isinstance(stride, Size)
    assert isinstance(dilation, Size)
    reach = (size - 1) * dilation + 1
    low = constant(0) if padding == "valid" else padding
    padded = padding != "valid"
    if padding == "same":  # as many windows as strides, centred; the odd zero goes to the end
        total = reach - 1
        if stride.value != 1:
            strided = (length + stride - 1) // stride
            total = (strided - 1) * stride + reach - length
        if total.value is None:
            centred = stride, reach
            return _Span(stride, constant(0), dilation, reach - 1, True, centred)
        low, padded = constant(max(total.value, 0) // 2), total.value > 0
    assert isinstance(low, Size)
    first = -low
    return _Span(stride, first, dilation, first + reach - 1, padded)
