"""The combinators: how their wires go.

A rule is handed the reader, the use of the name (its type there) and the arguments, and
answers the value. What has no rule here is a box.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...language import types as t
from ...language.sizes import Size
from .patterns import split
from .values import Closure, Term, Value, bracketed, label_of, written

if TYPE_CHECKING:
    from .read import Reader

# Names that do something over and over.
REPEATING = frozenset(
    (
        "map", "zipWith", "fold", "foldRight", "scan", "mapAccum", "mapAccumRight", "moore",
        "unfold", "iterate", "window", "pool",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Use:
    """A use of a built-in name: its type here, and how it is written."""

    name: str
    type: t.Type
    label: str
    sizes: list[Size]

    def domain(self, place: int) -> t.Type:
        return t.uncurried(self.type)[0][place]

    def result(self, arity: int) -> t.Type:
        type = self.type
        for _ in range(arity):
            assert isinstance(type, t.Function | t.Linear)
            type = type.codomain
        return type


# --- combinators: how their wires go -------------------------------------------------------------


def _then(reader: Reader, use: Use, f: Closure, g: Closure) -> Closure:
    assert isinstance(f.type, t.Function | t.Linear)
    middle, last = f.type.codomain, use.result(2)
    assert isinstance(last, t.Function | t.Linear)
    return Closure(
        f"{f.text} >> {g.text}",
        last,
        lambda x: reader.apply(g, reader.apply(f, x, middle), last.codomain),
    )


def _after_that(reader: Reader, use: Use, g: Closure, f: Closure) -> Closure:
    return _then(reader, use, f, g)


def _apply_to(reader: Reader, use: Use, x: Value, f: Value) -> Value:
    return reader.apply(f, x, use.result(2))


def _both(reader: Reader, use: Use, f: Closure, g: Closure) -> Closure:
    made = use.result(2)
    assert isinstance(made, t.Function | t.Linear)
    first, second = made.codomain.items  # type: ignore[union-attr]

    def run(x: Value) -> Value:
        return (reader.apply(f, x, first), reader.apply(g, x, second))

    return Closure(f"{f.text} &&& {g.text}", made, run)


def _beside(reader: Reader, use: Use, f: Closure, g: Closure) -> Closure:
    made = use.result(2)
    assert isinstance(made, t.Function | t.Linear)
    first, second = made.codomain.items  # type: ignore[union-attr]

    def run(pair: Value) -> Value:
        x, y = split(reader.draft, pair, 2)
        return (reader.apply(f, x, first), reader.apply(g, y, second))

    return Closure(f"{f.text} *** {g.text}", made, run)


def _element(type: t.Type) -> t.Type:
    """What one element of a sequence is; of a pair of sequences, a pair."""
    if isinstance(type, t.Product):
        return t.Product(tuple(map(_element, type.items)))
    assert isinstance(type, t.Array), type
    return type.element


def _map(reader: Reader, use: Use, f: Closure, xs: Value) -> Value:
    type, result = use.domain(1), use.result(2)
    out = _element(result)
    _, answer = reader.draft.group(
        use.label, "map", (), [(xs, _element(type))],
        lambda x: ((), reader.apply(f, x, out)), "", result, text=f.text,
    )  # fmt: skip
    return answer


def _window(reader: Reader, use: Use, f: Closure, xs: Value) -> Value:
    type, result = use.domain(0), use.result(2)
    assert isinstance(type, t.Function)
    size = use.sizes[0].value
    _, answer = reader.draft.group(
        use.label, "window", (), [(xs, type.domain)],
        lambda x: ((), reader.apply(f, x, type.codomain)), "", result,
        span=size or 3, axes=len(use.sizes), text=f.text,
    )  # fmt: skip
    return answer


def _loop(reader: Reader, use: Use, f: Closure, z: Value, xs: Value) -> Value:
    state, result = use.domain(1), use.result(3)
    element = _element(use.domain(2))
    accumulates = use.name in ("mapAccum", "mapAccumRight", "moore", "mealy")
    to = t.uncurried(use.domain(0))[1]

    def body(s: Value, x: Value) -> tuple[Value, Value]:
        after = reader.apply(f, (s, x), to)
        if accumulates:
            one, other = split(reader.draft, after, 2)
            return one, other
        return after, ()

    leaves = {"scan": "element", "moore": "", "mealy": ""}.get(use.name, "plain")
    more: dict[str, Any] = {"reverse": use.name.endswith("Right"), "text": f.text}
    if leaves == "element":
        assert isinstance(result, t.Array)
        more["length"] = result.length
    out: t.Type = t.UNIT
    if accumulates:
        out = result.items[1] if use.name.startswith("mapAccum") else result  # type: ignore
    last, answer = reader.draft.group(
        use.label, "loop", [(z, state)], [(xs, element)], body, leaves, out, **more
    )
    if not accumulates:
        return last
    return answer if leaves == "" else (last, answer)


def _unfold(reader: Reader, use: Use, f: Closure, s: Value) -> Value:
    state, result = use.domain(1), use.result(2)
    to = t.uncurried(use.domain(0))[1]

    def body(here: Value) -> tuple[Value, Value]:
        after = split(reader.draft, reader.apply(f, here, to), 2)
        if len(after) == 3:  # unfoldWhile: whether it goes on leaves with the element
            return after[0], after[1]
        return after[0], after[1]

    _, answer = reader.draft.group(
        use.label, "loop", [(s, state)], (), body, "", result,
        count=use.sizes[0].value if use.sizes else None, text=f.text,
    )  # fmt: skip
    return answer


def _iterate(reader: Reader, use: Use, f: Closure, x: Value) -> Value:
    state = use.domain(1)

    def body(here: Value) -> tuple[Value, Value]:
        return reader.apply(f, here, state), ()

    last, _ = reader.draft.group(
        use.label, "loop", [(x, state)], (), body, "plain", t.UNIT,
        count=use.sizes[0].value if use.sizes else None, text=f.text,
    )  # fmt: skip
    return last


def _while(reader: Reader, use: Use, condition: Value, f: Closure, x: Value) -> Value:
    """A loop as long as a condition holds: the condition stands in its name."""
    state = use.domain(2)

    def body(here: Value) -> tuple[Value, Value]:
        return reader.apply(f, here, state), ()

    label = label_of(f"{use.label} {written(condition)}")
    last, _ = reader.draft.group(
        label, "loop", [(x, state)], (), body, "plain", t.UNIT, text=f.text
    )
    return last


def _fixpoint(reader: Reader, use: Use, f: Closure, z: Value) -> Value:
    """A loop until nothing changes any more."""
    state = use.domain(1)

    def body(here: Value) -> tuple[Value, Value]:
        return reader.apply(f, here, state), ()

    last, _ = reader.draft.group(
        use.label, "loop", [(z, state)], (), body, "plain", t.UNIT, text=f.text
    )
    return last


def _zip(reader: Reader, use: Use, pair: Value) -> Value:
    if isinstance(pair, Term):
        return reader.draft.operate(use.label, [pair], use.result(1))
    return pair


def _derivative(reader: Reader, use: Use, f: Value, x: Value) -> Value:
    """The derivative at a point: the function stands in a group, the linear map leaves."""
    return reader.draft.operate(f"derivative {bracketed(written(f))}", [x], use.result(2))


def _map_data(reader: Reader, use: Use, f: Value, x: Value) -> Value:
    type = use.domain(0)
    assert isinstance(type, t.Function)
    _, answer = reader.draft.group(
        use.label, "map", (), [(x, type.domain)],
        lambda part: ((), reader.apply(f, part, type.codomain)), "", use.result(2),
    )  # fmt: skip
    return answer


RULES: dict[str, Callable[..., Value]] = {
    ">>": _then,
    "<<": _after_that,
    "|>": _apply_to,
    "&&&": _both,
    "***": _beside,
    "map": _map,
    "mapData": _map_data,
    "zipWith": _map,
    "window": _window,
    "pool": _window,
    "fold": _loop,
    "foldRight": _loop,
    "scan": _loop,
    "mapAccum": _loop,
    "mapAccumRight": _loop,
    "moore": _loop,
    "unfold": _unfold,
    "unfoldWhile": _unfold,
    "iterate": _iterate,
    "while": _while,
    "fixpoint": _fixpoint,
    "zip": _zip,
    "unzip": _zip,
    "derivative": _derivative,
}
