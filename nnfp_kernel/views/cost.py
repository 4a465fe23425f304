"""What a function costs, as tables: counts in all and by place, and measured times.

              operations      read   written   alive
    forward       2.10 M   8.42 MB   20.5 kB   4.21 MB
    adjoint       4.20 M   16.8 MB   8.43 MB   12.6 MB

Data come from runtime/calls/cost.py; nothing here counts or measures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..language.source import Span
from ..runtime.calls.cost import Cost, Pass, Timing, Timings
from .table import Grid

ROWS = 12  # places shown; the rest together in one more row


def scaled(number: float, unit: str = "") -> str:
    """A number in three digits with a prefix.

    >>> scaled(950), scaled(2_100_000), scaled(20_480, "B"), scaled(0.00021, "s")
    ('950', '2.10 M', '20.5 kB', '210 µs')
    """
    prefixes = ("n", "µ", "m", "", "k", "M", "G", "T", "P")
    if number == int(number) and abs(number) < 1000:
        return f"{int(number)} {unit}".strip()
    value, place = float(number), 3
    while abs(value) >= 999.5 and place < len(prefixes) - 1:
        value, place = value / 1000, place + 1
    while abs(value) < 0.9995 and place > 0:
        value, place = value * 1000, place - 1
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f} {prefixes[place]}{unit}".strip()


def totals(name: str, cost: Cost) -> Grid:
    """The whole of the forward pass and of the adjoint."""
    rows = [_row("forward", cost.forward)]
    notes = []
    if cost.adjoint is not None:
        rows.append(_row("adjoint", cost.adjoint))
        said = f"The forward pass keeps {scaled(cost.kept, 'B')} for the adjoint"
        if cost.ratio is not None:
            said += f", which takes {cost.ratio:.2f} times its operations"
        notes.append(said + ".")
    given = f", for {_given(cost)}" if cost.inputs else ""
    headings = (name, "operations", "read", "written", "alive at most")
    notes.append(f"Counted before anything runs{given}; what fusing spares is not known yet.")
    return Grid(headings, tuple(rows), (1, 2, 3, 4), tuple(notes))


def _given(cost: Cost) -> str:
    return ", ".join(f"an input {type}" for type in cost.inputs)


def _row(name: str, found: Pass) -> tuple[str, ...]:
    total = found.total
    sizes = (total.read, total.written, found.peak)
    return (name, scaled(total.operations), *(scaled(size, "B") for size in sizes))


def places(cost: Cost, definitions: Mapping[str, Span]) -> Grid:
    """Where the operations are: the dearest expressions, by definition. Occurrences of
    one expression, of a layer used twice say, are one row."""
    found: dict[tuple[str, str], list[int]] = {}
    for k, each in enumerate((cost.forward, cost.adjoint)):
        for span, count in each.places.items() if each is not None else ():
            operations = found.setdefault(_place(span, definitions), [0, 0])
            operations[k] += count.operations
    whole = sum(map(sum, found.values())) or 1
    ranked = sorted(found.items(), key=lambda item: -sum(item[1]))
    ranked = [item for item in ranked if sum(item[1])]
    rest = [operations for _, operations in ranked[ROWS:]]
    if len(rest) > 1:
        total = [sum(pair[k] for pair in rest) for k in (0, 1)]
        ranked = [*ranked[:ROWS], (("", f"{len(rest)} others"), total)]
    rows = tuple(
        (definition, text, *map(scaled, operations), f"{100 * sum(operations) / whole:.1f} %")
        for (definition, text), operations in ranked
    )
    if cost.adjoint is None:
        rows = tuple((*row[:3], "", row[4]) for row in rows)
    return Grid(("definition", "expression", "forward", "adjoint", "share"), rows, (2, 3, 4))


def loops(cost: Cost, definitions: Mapping[str, Span]) -> Grid | None:
    """What was decided of every loop, with the counts that decided it; None without loops."""
    rows = []
    for one in cost.loops:
        short = one.reason in ("quicker", "memory")
        sizes = [one.kept, one.held if short else one.kept]
        rows.append(
            (
                *_place(one.place, definitions),
                str(one.length),
                f"segments of {one.steps}" if one.steps else "plain",
                *(scaled(size, "B") for size in sizes),
                scaled(one.operations) if short else "0",
                _KEPT[one.reason].format(scaled(one.held, "B"), scaled(one.operations)),
            )
        )
    for (name, law, place, length, fired), (stands, moved) in _summed(cost).items():
        counts = [stands, moved if fired else stands]
        said, why = _MOVED[law]
        packed = law == "packed"
        rows.append(
            (
                *_place(place, definitions),
                str(length),
                f"{name}: {said}" if fired else f"{name}: plain",
                *(_arrays(k) if packed else scaled(k * cost.number, "B") for k in counts),
                "0",
                why if fired else f"{said} would take {scaled(moved * cost.number, 'B')}",
            )
        )
    rows = _said_once(rows)
    headings = ("definition", "loop", "steps", "decision", "plain", "so", "operations", "why")
    note = (
        "Bytes: of segments and plain loops what is kept for the adjoint, of a pass what all its "
        "steps read and write for the products. Operations: those that are made again."
    )
    return Grid(headings, tuple(rows), (2, 4, 5, 6), (note,)) if rows else None


def _said_once(rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The rows with the loop named in the first of those that are about it."""
    before = [("", ""), *(row[:2] for row in rows)]
    return [
        ("", "", *row[2:]) if row[:2] == above else row
        for row, above in zip(rows, before, strict=False)
    ]


def _arrays(count: int) -> str:
    return f"{count} array" + "s" * (count != 1)


def _summed(cost: Cost) -> dict[tuple[str, str, Span | None, int, bool], tuple[int, int]]:
    """What was moved, that of one law in one loop together."""
    found: dict[tuple[str, str, Span | None, int, bool], tuple[int, int]] = {}
    for name, one in cost.moved:
        key = name, one.law, one.place, one.length, one.fired
        stands, moved = found.get(key, (0, 0))
        found[key] = stands + one.stands, moved + one.moved
    return found


_KEPT = {
    "little": "little is kept: it stays in a cache",
    "no less": "segments would hold no less",
    "quicker": "quicker to make again than to write and read",
    "memory": "the whole would not fit in memory",
    "dearer": "making it again takes longer: {1} operations, for {0} held",
}
_MOVED = {
    "before": ("input products before", "the matrix is read once, not at each step"),
    "after": ("products after", "no later step needs them: one product of all"),
    "accumulate": ("summed after", "a sum of products is one product of all steps"),
    "packed": ("packed state", "small arrays travel as one"),
}


def _place(span: Span | None, definitions: Mapping[str, Span]) -> tuple[str, str]:
    """The definition a span stands in, and its text in one line."""
    if span is None:
        return "", "(elsewhere)"
    holders = [
        name
        for name, whole in definitions.items()
        if whole.source == span.source and whole.line <= span.line <= whole.end_line
    ]
    text = " ".join(span.text.split())
    return holders[0] if holders else "", text if len(text) <= 44 else text[:43] + "…"


def times(name: str, timings: Timings, cost: Cost) -> Grid:
    """Compiling and running, with what was counted."""
    total = cost.forward.total
    rows = [_timed("forward", timings.forward, total.operations, total.bytes)]
    notes = []
    if timings.gradient is not None and cost.adjoint is not None:
        both = total + cost.adjoint.total
        rows.append(_timed("with gradient", timings.gradient, both.operations, both.bytes))
        ratio = timings.gradient.quartiles[1] / timings.forward.quartiles[1]
        notes.append(f"The value with its gradient takes {ratio:.2f} times the value alone.")
    given = f" For {_given(cost)}." if cost.inputs else ""
    notes.append(f"Medians with quartiles of {_runs(timings)} runs.{given}")
    headings = (name, "compile", "run", "quartiles", "operations", "bytes", "operations / s")
    return Grid(headings, tuple(rows), (1, 2, 3, 4, 5, 6), tuple(notes))


def _timed(name: str, timing: Timing, operations: int, size: int) -> tuple[str, ...]:
    low, middle, high = timing.quartiles
    return (
        name,
        scaled(timing.compiling, "s"),
        scaled(middle, "s"),
        f"{scaled(low, 's')} to {scaled(high, 's')}",
        scaled(operations),
        scaled(size, "B"),
        scaled(operations / middle),
    )


def _runs(timings: Timings) -> str:
    parts: Sequence[Timing | None] = (timings.forward, timings.gradient)
    return " and ".join(str(len(timing.runs)) for timing in parts if timing is not None)
