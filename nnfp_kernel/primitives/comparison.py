"""Truth values: comparisons, logic, and conversions between kinds of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..graph.context import Context
from ..graph.graph import ArrayType, Wire
from ..graph.primitive import Parameters, Primitive, Step
from ..graph.values import Value, map_leaves
from ..language.type_mistakes import PARTS_OF_COMPLEX
from . import sequences
from .records import SHAPES, Fixed, batch_all, complex_, expect, free, per_entry, real, samples
from .table import Builtin, Occurrence, builtin, primitive
from .tracing import aligned, along, arguments, axes, lifted

Array = Any  # a jax.Array or a tracer of one
BOOL = "Bool"


def _truths(*shapes: tuple[int, ...]) -> tuple[ArrayType, ...]:
    return tuple(ArrayType(BOOL, shape) for shape in shapes)


# --- comparisons and logic -----------------------------------------------------------------

HOW = ("eq", "ne", "lt", "le", "gt", "ge")


def _compare_result(parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
    how, (a, b) = parameters["how"], types
    expect(how in HOW, f"compare: {how} is not among {', '.join(HOW)}")
    expect(a == b, f"compare: the operands differ: {a}, {b}")
    expect(a.kind in ("R", "Int", BOOL) or how in ("eq", "ne"), f"compare: {a} has no order")
    return ArrayType(BOOL, a.shape)


def _compare(parameters: Parameters, a: Array, b: Array) -> Array:
    from jax import lax

    return getattr(lax, parameters["how"])(a, b)


primitive(
    Primitive(
        "compare", "discrete",
        result=_compare_result, lower=_compare, batch=batch_all("compare", dict),
        latex=r"{0} \lessgtr {1}", doc="A comparison entry by entry: eq, ne, lt, le, gt or ge.",
        samples=(
            *(sample for how in HOW for sample in samples(real((3,), (3,)), how=how)),
            *samples(*(real(shape, shape) for shape in SHAPES), how="lt"),
            *samples((ArrayType("Int", (5,)),) * 2, _truths((4,), (4,)), how="eq"),
            *samples(complex_((2,), (2,)), how="ne"),
        ),
    )
)  # fmt: skip


def _logic(name: str, count: int, latex: str, doc: str) -> None:
    def result(_parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
        expect(len(types) == count, f"{name}: found {len(types)} operands, expected {count}")
        expect(all(type.kind == BOOL for type in types), f"{name}: found {types[0]}, expected Bool")
        expect(all(type == types[0] for type in types), f"{name}: the operands differ")
        return types[0]

    def lower(_parameters: Parameters, *operands: Array) -> Array:
        from jax import lax

        of = {"and": lax.bitwise_and, "or": lax.bitwise_or, "not": lax.bitwise_not}
        return of[name](*operands)

    primitive(
        Primitive(
            name, "discrete", result=result, lower=lower, batch=batch_all(name),
            latex=latex, doc=doc,
            samples=samples(*(_truths(*[shape] * count) for shape in SHAPES)),
        )
    )  # fmt: skip


_logic("and", 2, r"{0} \land {1}", "Both are true.")
_logic("or", 2, r"{0} \lor {1}", "At least one is true.")
_logic("not", 1, r"\lnot {0}", "True where the operand is false.")

# --- choosing entry by entry -------------------------------------------------------------------


def _select_result(_parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
    condition, x, y = types
    expect(condition.kind == BOOL, f"select: the condition is {condition}, not Bool")
    expect(x == y, f"select: the branches differ: {x}, {y}")
    expect(condition.shape == x.shape, f"select: the condition is {condition}, the branches {x}")
    return x


def _select_lower(_parameters: Parameters, condition: Array, x: Array, y: Array) -> Array:
    from jax import lax

    return lax.select(condition, x, y)


def _select_adjoint(
    _parameters: Parameters, position: int, fixed: Fixed, _domain: ArrayType, codomain: ArrayType
) -> tuple[Step, ...]:
    return (Step("select", {}, position, (fixed[0], codomain)),)


primitive(
    Primitive(
        "select", "linear", open_positions=(1, 2),
        result=_select_result, lower=_select_lower, batch=batch_all("select"),
        adjoint=_select_adjoint, cost=per_entry(),
        latex=r"({0}\;?\;{1} : {2})",
        doc="Entry by entry, the second operand where the first is true, else the third.",
        samples=samples(
            *((ArrayType(BOOL, shape), *real(shape, shape)) for shape in SHAPES),
            (ArrayType(BOOL, (3,)), *(ArrayType("Int", (3,)),) * 2),
            (ArrayType(BOOL, (3,)), *complex_((3,), (3,))),
        ),
    )
)  # fmt: skip

# --- kinds -----------------------------------------------------------------------------------

_CONVERSIONS = {
    "R": ("R", "Int", BOOL, "C"), "C": ("R", "C", "Int", BOOL), "Int": ("Int", BOOL), BOOL: (BOOL,),
}  # fmt: skip


def _convert_result(parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
    (type,), kind = types, parameters["kind"]
    expect(type.kind in _CONVERSIONS.get(kind, ()), f"convert: no {kind} is made of {type}")
    return ArrayType(kind, type.shape)


def _convert(parameters: Parameters, x: Array) -> Array:
    from jax import dtypes, lax

    match x.dtype.kind, parameters["kind"]:  # within one precision where there is one
        case ("f", "R") | ("c", "C") | ("i", "Int") | ("b", "Bool"):
            return x
        case "c", "R":
            return lax.real(x)
        case "f", "C":
            return lax.complex(x, lax.full_like(x, 0))
    kinds = {"R": float, "C": complex, "Int": int}
    return lax.convert_element_type(x, dtypes.canonicalize_dtype(kinds[parameters["kind"]]))


def _convert_adjoint(
    _parameters: Parameters, _position: int, _fixed: Fixed, domain: ArrayType, _codomain: ArrayType
) -> tuple[Step, ...]:
    # R into C and the real part are each other's adjoints.
    return (Step("convert", {"kind": domain.kind}),)


primitive(
    Primitive(
        "convert", "linear",
        result=_convert_result, lower=_convert, batch=batch_all("convert"),
        adjoint=_convert_adjoint, cost=per_entry(),
        is_identity=lambda parameters, types: types[0].kind == parameters["kind"],
        latex="{0}",
        doc="The same numbers in another kind; of a complex number in R, the real part.",
        samples=(
            *samples(
                *((ArrayType(kind, (3,)),) for kind in ("R", "Int", BOOL, "C")), _truths((0,)),
                kind="R",
            ),
            *samples(real(()), complex_((2,)), kind="C"), *samples(_truths((2, 2)), kind="Int"),
        ),
    )
)  # fmt: skip


# --- held constant ----------------------------------------------------------------------------


def _hold_result(_parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
    (type,) = types
    return type


primitive(
    Primitive(
        "hold", "discrete",
        result=_hold_result, lower=lambda _parameters, x: x, batch=batch_all("hold"),
        cost=free,
        latex="{0}", doc="The same array, which no derivative sees.",
        samples=samples(*(real(shape) for shape in SHAPES), complex_((2,)), _truths((3,))),
    )
)  # fmt: skip

# --- names of the language -------------------------------------------------------------------


def _comparison(context: Context, occurrence: Occurrence, a: Value, b: Value, how: str) -> Value:
    (a_type, b_type), _ = arguments(occurrence.type, 2)
    counts = axes(a_type), axes(b_type)
    return lifted(context.builder, "compare", a, b, *counts, how=how)


def _select(context: Context, occurrence: Occurrence, c: Value, a: Value, b: Value) -> Value:
    types, _ = arguments(occurrence.type, 3)
    operands = aligned(
        context.builder, [(v, axes(t)) for v, t in zip((c, a, b), types, strict=True)]
    )
    return context.builder.emit("select", *operands)


def _to_real(context: Context, _occurrence: Occurrence, value: Value) -> Value:
    def one(leaf: Wire) -> Wire:
        if leaf.type.kind == "C":
            context.fail("not-real", "a complex number is no real one", PARTS_OF_COMPLEX)
        return context.builder.emit("convert", leaf, kind="R")

    return map_leaves(one, value)


COMPARISONS = {
    "==": ("eq", "=", "equal"), "/=": ("ne", r"\neq", "different"),
    "<": ("lt", "<", "less"), "<=": ("le", r"\leq", "less or equal"),
    ">": ("gt", ">", "greater"), ">=": ("ge", r"\geq", "greater or equal"),
}  # fmt: skip

for _symbol, (_how, _latex, _word) in COMPARISONS.items():
    builtin(
        Builtin(
            _symbol, "a -> b -> c where c = compare a b", 2,
            lambda context, occurrence, a, b, how=_how: _comparison(context, occurrence, a, b, how),
            latex="{0} " + _latex + " {1}", example=f"2 {_symbol} 3",
            ragged=sequences.lifted("compare", how=_how),
            doc=f"Whether the left entry is {_word} to the right one, entry by entry."
                if "equal" in _word else f"Whether the left entry is {_word} than the right one, "
                "entry by entry.",
        )
    )  # fmt: skip

for _symbol, _name, _latex, _doc in (
    ("&&", "and", r"\land", "Both are true, entry by entry."),
    ("||", "or", r"\lor", "At least one is true, entry by entry."),
):
    builtin(
        Builtin(
            _symbol, "a -> a -> a where a = bools a", 2,
            lambda context, _, a, b, name=_name: context.builder.emit(name, a, b),
            latex="{0} " + _latex + " {1}", doc=_doc,
            example=f"(1 < 2) {_symbol} (3 < 2)", ragged=sequences.lifted(_name),
        )
    )  # fmt: skip

builtin(
    Builtin(
        "not", "a -> a where a = bools a", 1, along("not"),
        latex=r"\lnot {0}", doc="True where the argument is false.", example="not (1 < 2)",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "select", "c -> a -> b -> d where e = lift a b, c = bools f, d = lift f e", 3, _select,
        latex=r"({0}\;?\;{1} : {2})", example="select ([-1, 2] > 0) [-1, 2] 0",
        doc="Entry by entry, the second argument where the first is true, else the third. "
            "Both are computed; what is not taken contributes nothing to a derivative.",
        ragged=sequences.lifted("select"),
    )
)  # fmt: skip
builtin(
    Builtin(
        "toReal",
        "a -> b where b = reals a",
        1,
        _to_real,
        doc="The number of an Int, of a Fin, or of a Bool (1 for true).",
        example="toReal (length [1, 2, 3]) / 2",
        ragged=True,
    )
)

builtin(
    Builtin(
        "toInt", "Fin[n] -> Int", 1, lambda context, _, index: index,
        doc="The number of an index, to count with: `toInt i + 1`.",
        example="toInt (argmax [1, 3, 2]) + 1",
    )
)  # fmt: skip

for _name, _value in (("True", True), ("False", False)):
    builtin(
        Builtin(
            _name, "Bool", 0,
            lambda context, _, value=_value: context.builder.constant(value, "Bool"),
            latex=rf"\mathrm{{{{{_name}}}}}", doc=f"The truth value {_name.lower()}.",
            example=f"if {_name} then 1 else 2",
        )
    )  # fmt: skip
