"""What a call contributes to a derivative: the linear maps that the record of its primitive gives.

By its kind:

    elementwise   φ            diag (φ' x)
    linear        f            f, its open slots together
    bilinear      b (x, y)     b(·, y) and b(x, ·), added
    general       f            the chains its record gives
    discrete                   nothing
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..graph.graph import ArrayType, Builder, Call, Wire
from ..graph.primitive import Step, chains_of
from .maps import LinearMap, Part, Section, Variable, chain


def call_parts(
    builder: Builder,
    call: Call,
    operands: Sequence[Wire],
    output: Wire,
    variables: Sequence[Variable | None],
    result: Variable,
    only: Callable[[Wire], Wire] = lambda wire: wire,
) -> list[Part]:
    """What a call contributes; `only` is what is left of a coefficient in the branch that
    the call is made for."""
    parts: list[Part] = []
    primitive = call.primitive

    def part(map: LinearMap, *inputs: Variable) -> None:
        parts.append(Part(map, inputs, (result,), builder.origin, primitive.name, primitive.kind))

    match primitive.kind:
        case "elementwise":
            rule = primitive.partials
            assert rule is not None, f"{primitive.name} has no partials"
            for variable, partial in zip(variables, rule(builder, operands, output), strict=True):
                if variable is not None and partial is not None:
                    step = Step("mul", {}, 0, (only(partial),))
                    map = chain(builder.primitives, (step,), variable.type, output.type)
                    part(map, variable)
        case "linear":
            positions = primitive.open_positions
            opens = range(len(operands)) if positions is None else positions
            live = tuple(k for k in opens if variables[k] is not None)
            shown = tuple(w.type if k in opens else w for k, w in enumerate(operands))
            if live:
                given = [v for k in live if (v := variables[k]) is not None]
                part(_section(builder, call, live, shown, output), *given)
        case "bilinear":
            for k in primitive.open_positions or (0, 1):
                if (variable := variables[k]) is not None:
                    shown = tuple(
                        w.type if place == k else only(w) for place, w in enumerate(operands)
                    )
                    part(_section(builder, call, (k,), shown, output), variable)
        case "general":
            differential = primitive.differential
            assert differential is not None, f"{primitive.name} has no differential"
            given_terms = differential(builder, call.parameters, operands, output)
            for variable, terms in zip(variables, given_terms, strict=True):
                if variable is not None:
                    for steps in chains_of(terms):
                        part(chain(builder.primitives, steps, variable.type, output.type), variable)
        case other:
            raise AssertionError(f"no derivative for a primitive of kind {other}")
    return parts


def _section(
    builder: Builder,
    call: Call,
    positions: tuple[int, ...],
    operands: tuple[Wire | ArrayType, ...],
    output: Wire,
) -> Section:
    domain = tuple(
        operand if isinstance(operand, ArrayType) else operand.type
        for operand in (operands[k] for k in positions)
    )
    return Section(
        builder.primitives, call.primitive, call.parameters, positions, operands, domain,
        (output.type,),
    )  # fmt: skip
