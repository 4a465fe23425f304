"""Rules that the table of primitives has, read as formulas: no derivative is said twice.

An elementwise function's derivative is what its record says (`partials`), read back. What
is linear is its own derivative; where mathematics has no sign for an adjoint it is f†.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...graph.graph import ArrayType, Builder, Call, Constant, Wire
from ...language import typed as p
from . import formula as m
from .changes import Change, Linear
from .formula import Formula
from .latex import template
from .named import opaque_builtin
from .pieces import (
    down,
    inner,
    is_complex,
    larger,
    rank,
    with_brackets,
)
from .quantities import Value
from .table import linear_map, result_of, rule_of, template_of
from .tape import Pass, Quantity

if TYPE_CHECKING:
    from .reading import Reader

# Linear in their one argument, and without a sign of their own for the adjoint.
LINEAR = frozenset(
    (
        "reverse", "take", "drop", "reshape", "flatten", "concat", "split", "replicate", "shift",
        "real", "imag",
    )
)  # fmt: skip
_COMPARISONS = {
    "eq": "=", "ne": r"\neq", "lt": "<", "le": r"\leq", "gt": ">", "ge": r"\geq",
}  # fmt: skip


def elementwise(reader: Reader, use: p.Builtin, *arguments: Quantity, name: str = "") -> Value:
    """φ: the differential is φ' ⊙, with φ' as its record has it."""
    if not all(isinstance(argument, Quantity) for argument in arguments):
        return opaque_builtin(reader, use, list(arguments))
    name = name or use.name
    type = arguments[0].type
    for argument in arguments[1:]:
        type = larger(type, argument.type)
    wide = rank(type) > 0

    def factors(walk: Pass) -> list[Formula | None]:
        found, output_used = partials(
            reader.program.primitives, name, [q.shown() for q in arguments], made.shown(), wide
        )
        if output_used:
            walk.ask(made, 3)
        for argument in arguments:
            walk.ask(argument, 8)
        return found

    def forward(walk: Pass, d: list[Change]) -> Change:
        total: Change = None
        for change, factor in zip(d, factors(walk), strict=True):
            if change is not None and factor is not None:
                part = change.times(factor, wide)
                total = part if total is None else Linear(total.terms + part.terms)
        return total

    def backward(walk: Pass, bar: Linear) -> list[Change]:
        made: list[Change] = []
        for q, factor in zip(arguments, factors(walk), strict=True):
            if factor is not None and is_complex(type):
                factor = template("{0}^{{*}}", m.fitted(factor, m.ATOM))
            if factor is None:
                made.append(None)
            elif rank(q.type) == 0 and rank(type) == 1:
                made.append(bar.through(lambda f, factor=factor: inner(factor, f)))  # type: ignore[misc]
            else:
                made.append(down(bar.times(factor, wide), type, q.type))
        return made

    made = rule_of(reader,
        type, arguments, lambda: template_of(reader, use, [q.shown() for q in arguments]),
        forward, backward,
    )  # fmt: skip
    if reader.program.primitives[name].partials is not None and not any(
        partials(reader.program.primitives, name, [m.ONE] * len(arguments), m.ONE, wide)[0]
    ):
        made.role = "constant"
    return made


def linear(reader: Reader, use: p.Builtin, a: Quantity) -> Value:
    function = with_brackets(use)
    return linear_map(reader,
        result_of(use, 1), a, lambda f: m.applied(function, [f]),
        lambda f: m.applied(m.transposed(function, "†"), [f]),
    )  # fmt: skip


def partials(
    primitives: Mapping[str, Any],
    name: str,
    inputs: Sequence[Formula],
    output: Formula,
    wide: bool,
) -> tuple[list[Formula | None], bool]:
    """The derivative by each operand as a formula, and whether the value occurs in it."""
    builder = Builder(primitives)
    wires = [builder.input(ArrayType("R"), f"x{k}") for k in range(len(inputs))]
    made = builder.input(ArrayType("R"), "y")
    shown: dict[Wire, Formula] = {**dict(zip(wires, inputs, strict=True)), made: output}
    rule = primitives[name].partials
    if rule is None:
        return [None] * len(inputs), False
    found = rule(builder, wires, made)
    used: set[Wire] = set()
    formulas = [
        None if wire is None else _read_back(builder, wire, shown, used, wide) for wire in found
    ]
    return formulas, made in used


def _read_back(
    builder: Builder, wire: Wire, shown: Mapping[Wire, Formula], used: set[Wire], wide: bool
) -> Formula:
    if wire in shown:
        used.add(wire)
        return shown[wire]
    node = builder.producer(wire)
    assert node is not None
    if isinstance(node.operation, Constant):
        return _number(float(node.operation.value))
    assert isinstance(node.operation, Call)
    operands = [_read_back(builder, each, shown, used, wide) for each in node.inputs]
    primitive, parameters = node.operation.primitive, node.operation.parameters
    match primitive.name:
        case "add":
            return m.plus(*operands)
        case "subtract":
            return m.minus(*operands)
        case "negate":
            return m.negative(operands[0])
        case "mul":
            return _multiplied(operands[0], operands[1], wide)
        case "compare":
            said = template("{0} " + _COMPARISONS[parameters["how"]] + " {1}", *operands)
            return m.Fenced("[", said, "]")
        case "convert" | "broadcast":
            return operands[0]
        case "power":
            return m.power(operands[0], m.Digits(str(parameters["exponent"])))
        case "polygamma":
            order = m.Fenced("(", m.Digits(str(parameters["order"])), ")")
            return m.applied(m.Script(m.Letter("ψ"), None, order), operands)
        case _:
            return template(primitive.latex, *operands)


def _multiplied(a: Formula, b: Formula, wide: bool) -> Formula:
    """a b, a number first; of two vectors, a ⊙ b."""
    if a == b:
        return m.power(a, m.Digits("2"))
    if isinstance(b, m.Digits | m.Fraction) and not isinstance(a, m.Digits | m.Fraction):
        a, b = b, a
    number = isinstance(a, m.Digits) or (isinstance(a, m.Fraction) and not m.inside(a.top))
    return m.product(a, b) if number or not wide else m.entrywise(a, b)


def _number(value: float) -> Formula:
    """A constant of a rule: 2, ½, 2/√π and its like by their digits."""
    if value == 0.5:
        return m.Fraction(m.ONE, m.Digits("2"))
    return m.number(float(f"{value:.4g}"))
