"""The table of rules: what a built-in name means on a tape.

    @rule("transpose")
    def transpose(reader, use, a): …     a name at its arguments: quantities go on the tape

A rule is made of a value, a differential and a cotangent, each a formula of those of the
operands (`rule_of`). What is linear or bilinear gives its adjoints alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ...language import typed as p
from ...language import types as t
from . import formula as m
from .changes import Change, Linear
from .formula import Formula
from .latex import template
from .pieces import with_brackets
from .quantities import Value
from .tape import Pass, Quantity, Rule

if TYPE_CHECKING:
    from .reading import Reader

SMALL = 4  # atoms above a letter
RULES: dict[str, Callable[..., Value]] = {}


def rule(*names: str) -> Callable[[Callable[..., Value]], Callable[..., Value]]:
    """Enter the rule of some built-in names: `rule(reader, use, *arguments)`."""

    def enter(function: Callable[..., Value]) -> Callable[..., Value]:
        RULES.update(dict.fromkeys(names, function))
        return function

    return enter


def result_of(use: p.Builtin, arity: int) -> t.Type:
    type = use.type
    for _ in range(arity):
        assert isinstance(type, t.Function | t.Linear)
        type = type.codomain
    return type


def domains_of(use: p.Builtin) -> list[t.Type]:
    """The types of a name's arguments."""
    return list(t.uncurried(use.type)[0])


def function_of(type: t.Type) -> t.Function:
    """A type that is one of functions."""
    assert isinstance(type, t.Function)
    return type


def template_of(reader: Reader, use: p.Builtin, shown: Sequence[Formula]) -> Formula:
    latex = reader.program.builtins[use.name].latex
    if use.name == "exp" and m.size_of(shown[0]) > SMALL:
        return m.applied(m.Letter("exp"), list(shown))
    if latex:
        return template(latex, *shown)
    return m.applied(with_brackets(use), list(shown))


def rule_of(
    reader: Reader,
    type: t.Type,
    inputs: Sequence[Quantity],
    formula: Callable[[], Formula],
    forward: Callable[[Pass, list[Change]], Change],
    backward: Callable[[Pass, Linear], list[Change]],
) -> Quantity:
    """A rule with one output."""

    def backwards(walk: Pass, bars: list[Change]) -> list[Change]:
        assert bars[0] is not None
        return backward(walk, bars[0])

    operation = Rule(
        tuple(inputs), lambda _: formula(), lambda walk, d: [forward(walk, d)], backwards
    )
    return reader.add(operation, type)


def linear_map(
    reader: Reader,
    type: t.Type,
    a: Quantity,
    there: Callable[[Formula], Formula],
    back: Callable[[Formula], Formula],
    *still: Quantity,
) -> Quantity:
    """A linear map and its adjoint, as functions of formulas; `still` are quantities that
    decide which map it is, and do not vary: an index."""
    return rule_of(reader,
        type, (a, *still), lambda: there(a.shown()),
        lambda _, d: None if d[0] is None else d[0].through(there),
        lambda _, bar: [bar.through(back), *[None for _ in still]],
    )  # fmt: skip


def bilinear(
    reader: Reader,
    type: t.Type,
    a: Quantity,
    b: Quantity,
    there: Callable[[Formula, Formula], Formula],
    to_a: Callable[[Formula], Formula],
    to_b: Callable[[Formula], Formula],
) -> Quantity:
    """b(x, y): the differential is b(dx, y) + b(x, dy)."""

    def forward(_: Pass, d: list[Change]) -> Change:
        first = None if d[0] is None else d[0].through(lambda f: there(f, b.shown()))
        second = None if d[1] is None else d[1].through(lambda f: there(a.shown(), f))
        if first is None or second is None:
            return first or second
        return Linear(first.terms + second.terms)

    return rule_of(reader,
        type, (a, b), lambda: there(a.shown(), b.shown()), forward,
        lambda _, bar: [bar.through(to_a), bar.through(to_b)],
    )  # fmt: skip
