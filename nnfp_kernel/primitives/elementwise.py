"""Entry by entry: arithmetic and elementary functions.

A function of one number is one line here: its JAX form, its derivative as a formula
in the argument x and the value y, its LaTeX, its sentence. The value is used in a
derivative wherever that is cheaper than to compute anew (tanh: 1 - y²).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import pi, sqrt
from typing import Any

from ..graph.context import Context
from ..graph.graph import ArrayType, Builder, Constant, Wire
from ..graph.primitive import Parameters, Primitive, Step
from ..graph.sequences import filled_throughout
from ..graph.values import Sequence as Ragged
from ..graph.values import Value, map_leaves
from . import sequences, tree_vectors
from .records import (
    SHAPES,
    Entry,
    Fixed,
    batch_all,
    complex_,
    expect,
    per_entry,
    real,
    same,
    samples,
)
from .table import Builtin, Occurrence, builtin, primitive
from .tracing import along, arguments, axes, lift, lifted

Array = Any  # a jax.Array or a tracer of one


def _alike(name: str, count: int, kinds: str) -> Callable[..., ArrayType]:
    """The result of `count` operands of one type, whose kind is among `kinds`."""
    allowed = kinds.split()

    def result(_parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
        expect(len(types) == count, f"{name}: found {len(types)} operands, expected {count}")
        expect(
            all(type == types[0] for type in types),
            f"{name}: the operands differ: {', '.join(map(str, types))}",
        )
        expect(
            types[0].kind in allowed, f"{name}: found {types[0]}, expected {' or '.join(allowed)}"
        )
        return types[0]

    return result


# --- functions of one number ---------------------------------------------------------------


def function(
    name: str,
    lower: Callable[[Any, Array], Array],
    derivative: Callable[[Entry, Entry], Entry] | None,
    latex: str,
    doc: str,
    *,
    kinds: str = "R C",
    low: float = -2.0,
    high: float = 2.0,
    public: bool = True,
    operations: int = 1,
) -> None:
    """Enter an elementwise function of one number: `lower(lax, x)` computes it and
    `derivative(x, y)` is its derivative; None is the derivative zero. One that is put
    together of others says how many `operations` it is."""

    def partials(builder: Builder, inputs: Sequence[Wire], output: Wire) -> list[Wire | None]:
        if derivative is None:
            return [None]
        return [derivative(Entry(builder, inputs[0]), Entry(builder, output)).wire]

    def lowered(_parameters: Parameters, x: Array) -> Array:
        from jax import lax

        return lower(lax, x)

    types = [real(shape) for shape in SHAPES]
    if "C" in kinds:
        types.append(complex_((2,)))
    primitive(
        Primitive(
            name, "elementwise",
            result=_alike(name, 1, kinds),
            lower=lowered,
            batch=batch_all(name),
            partials=partials, cost=per_entry(operations),
            latex=latex, doc=doc, samples=samples(*types, low=low, high=high),
        )
    )  # fmt: skip
    if public:
        of = "elementwise a" if "C" in kinds else "real a"
        example = f"{name} [0.5, 1.5]"
        builtin(
            Builtin(
                name,
                f"a -> a where {of}",
                1,
                along(name),
                (),
                doc,
                latex,
                example,
                sequences.elementwise(along(name)),
            )
        )


def _softplus(lax: Any, x: Array) -> Array:
    # log(1 + e^x) without overflow: the larger of x and 0, and a small rest.
    return lax.max(x, lax.full_like(x, 0)) + lax.log1p(lax.exp(-lax.abs(x)))


def _reciprocal_or_zero(lax: Any, x: Array) -> Array:
    zero = lax.eq(x, lax.full_like(x, 0))
    finite = lax.select(zero, lax.full_like(x, 1), x)
    return lax.select(zero, lax.full_like(x, 0), 1 / finite)


def _gelu(lax: Any, x: Array) -> Array:
    # x Φ(x); by erfc, which keeps its digits where Φ is tiny.
    return x * lax.erfc(x * -sqrt(0.5)) * 0.5


def _gelu_derivative(x: Entry, _: Entry) -> Entry:
    below = 0.5 * (x * -sqrt(0.5)).apply("erfc")
    return below + x * ((x * x * -0.5).apply("exp") * (1 / sqrt(2 * pi)))


def _silu_derivative(x: Entry, y: Entry) -> Entry:
    s = x.apply("sigmoid")
    return s + y * (1 - s)


def _bell(x: Entry, scale: float) -> Entry:
    return (-(x * x)).apply("exp") * scale


function(
    "tanh", lambda lax, x: lax.tanh(x), lambda x, y: 1 - y * y,
    r"\tanh {0}", "The hyperbolic tangent.",
)  # fmt: skip
function(
    "sigmoid", lambda lax, x: lax.logistic(x), lambda x, y: y * (1 - y),
    r"\sigma({0})", "The logistic function 1 / (1 + exp (-x)).",
    operations=4,
)  # fmt: skip
function(
    "relu", lambda lax, x: lax.max(x, lax.full_like(x, 0)), lambda x, y: y.where("gt", 0),
    r"\max(0, {0})", "The positive part. Its derivative at 0 is 0.", kinds="R",
)  # fmt: skip
function(
    "gelu", _gelu, _gelu_derivative,
    r"\operatorname{{gelu}} {0}", "x times the normal distribution function of x.", kinds="R",
    operations=4,
)  # fmt: skip
function(
    "silu", lambda lax, x: x * lax.logistic(x), _silu_derivative,
    r"\operatorname{{silu}} {0}", "x times its logistic function, also called swish.",
    operations=5,
)  # fmt: skip
function(
    "softplus", _softplus, lambda x, y: x.apply("sigmoid"),
    r"\log(1 + e^{{{0}}})", "The smooth positive part log (1 + exp x).", kinds="R",
    operations=6,
)  # fmt: skip
function(
    "exp", lambda lax, x: lax.exp(x), lambda x, y: y,
    r"e^{{{0}}}", "The exponential function.",
)  # fmt: skip
function(
    "log", lambda lax, x: lax.log(x), lambda x, y: x.inverse(),
    r"\log {0}", "The natural logarithm.", low=0.2,
)  # fmt: skip
function(
    "log1p", lambda lax, x: lax.log1p(x), lambda x, y: (1 + x).inverse(),
    r"\log(1 + {0})", "log (1 + x), exact for small x.", low=-0.7,
)  # fmt: skip
function(
    "expm1", lambda lax, x: lax.expm1(x), lambda x, y: y + 1,
    r"e^{{{0}}} - 1", "exp x - 1, exact for small x.",
)  # fmt: skip
function(
    "sin", lambda lax, x: lax.sin(x), lambda x, y: x.apply("cos"),
    r"\sin {0}", "The sine.",
)  # fmt: skip
function(
    "cos", lambda lax, x: lax.cos(x), lambda x, y: -x.apply("sin"),
    r"\cos {0}", "The cosine.",
)  # fmt: skip
function(
    "tan", lambda lax, x: lax.tan(x), lambda x, y: 1 + y * y,
    r"\tan {0}", "The tangent.", low=-1.2, high=1.2,
)  # fmt: skip
function(
    "abs", lambda lax, x: lax.abs(x), lambda x, y: x.apply("sign"),
    r"\lvert {0} \rvert", "The absolute value. Its derivative at 0 is 0.", kinds="R",
    public=False,
)  # fmt: skip
function(
    "sign", lambda lax, x: lax.sign(x), None,
    r"\operatorname{{sgn}} {0}", "-1, 0 or 1. Its derivative is 0.", kinds="R",
)  # fmt: skip
function(
    "sqrt", lambda lax, x: lax.sqrt(x), lambda x, y: 0.5 * y.inverse(),
    r"\sqrt{{{0}}}", "The square root.", low=0.2,
)  # fmt: skip
function(
    "square", lambda lax, x: lax.square(x), lambda x, y: 2 * x,
    "{0}^2", "The square.",
)  # fmt: skip
function(
    "erf", lambda lax, x: lax.erf(x), lambda x, y: _bell(x, 2 / sqrt(pi)),
    r"\operatorname{{erf}} {0}", "The error function.", kinds="R",
)  # fmt: skip
function(
    "erfc", lambda lax, x: lax.erfc(x), lambda x, y: _bell(x, -2 / sqrt(pi)),
    r"\operatorname{{erfc}} {0}", "One minus the error function.", kinds="R",
)  # fmt: skip
function(
    "lgamma", lambda lax, x: lax.lgamma(x), lambda x, y: x.apply("digamma"),
    r"\log \Gamma({0})", "The logarithm of the gamma function.", kinds="R", low=0.2, high=4.0,
)  # fmt: skip
function(
    "digamma", lambda lax, x: lax.digamma(x), lambda x, y: x.apply("polygamma", order=1),
    r"\psi({0})", "The derivative of lgamma.", kinds="R", low=0.2, high=4.0,
)  # fmt: skip
function(
    "reciprocal", lambda lax, x: lax.reciprocal(x), lambda x, y: -(y * y),
    r"\frac{{1}}{{{0}}}", "1 / x.", low=0.4, public=False,
)  # fmt: skip
function(
    "reciprocalOrZero",
    _reciprocal_or_zero,
    lambda x, y: -(y * y),
    r"{0}^{{+}}", "1 / x, and 0 at 0: the pseudo-inverse of a number.", kinds="R", low=0.4,
    operations=4,
)  # fmt: skip
function(
    "magnitude", lambda lax, x: lax.sqrt(x), lambda x, y: 0.5 * y.apply("reciprocalOrZero"),
    r"\sqrt{{{0}}}", "The square root of a sum of squares. Its derivative at 0 is 0, as that "
    "of a norm is.", kinds="R", low=0.2, public=False,
)  # fmt: skip


# --- powers ----------------------------------------------------------------------------------


def _scaled(factor: Entry) -> list[tuple[Step, ...] | None]:
    return [(Step("mul", {}, 0, (factor.wire,)),)]


def _power_result(parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
    exponent = parameters["exponent"]
    expect(isinstance(exponent, int), "power: the exponent is a static integer")
    expect(exponent >= 0 or types[0].kind != "Int", "a negative power of an Int")
    return _alike("power", 1, "R C Int")(parameters, types)


def _power_lower(parameters: Parameters, x: Array) -> Array:
    from jax import lax

    return lax.integer_pow(x, parameters["exponent"])


def _power_differential(
    builder: Builder, parameters: Parameters, inputs: Sequence[Wire], _output: Wire
) -> list[tuple[Step, ...] | None]:
    exponent = parameters["exponent"]
    if exponent == 0:
        return [None]
    x = Entry(builder, inputs[0])
    return _scaled(
        exponent * x if exponent == 2 else exponent * x.apply("power", exponent=exponent - 1)
    )


def _power_cost(parameters: Parameters, _types: Sequence[ArrayType], result: ArrayType) -> int:
    """Squarings and multiplications, and a division for a negative exponent."""
    exponent: int = parameters["exponent"]
    digits = bin(abs(exponent))[2:]
    return result.size * (max(len(digits) + digits.count("1") - 2, 0) + (exponent < 0))


primitive(
    Primitive(
        "power", "general",
        result=_power_result,
        lower=_power_lower,
        batch=batch_all("power"),
        differential=_power_differential, cost=_power_cost,
        is_identity=lambda parameters, _types: bool(parameters["exponent"] == 1),
        latex="{0}^{{n}}", doc="A power with a fixed integer exponent, also of negative numbers.",
        samples=(
            *samples(*(real(shape) for shape in SHAPES), exponent=3),
            *samples(real((3,)), complex_((2,)), exponent=2),
            *samples(real((3,)), exponent=0), *samples(real((3,)), exponent=1),
            *samples(real((3,)), low=0.3, exponent=-2),
            *samples((ArrayType("Int", (3,)),), exponent=2),
        ),
    )
)  # fmt: skip


def _polygamma_differential(
    builder: Builder, parameters: Parameters, inputs: Sequence[Wire], _output: Wire
) -> list[tuple[Step, ...] | None]:
    x = Entry(builder, inputs[0])
    return _scaled(x.apply("polygamma", order=parameters["order"] + 1))


def _polygamma_lower(parameters: Parameters, x: Array) -> Array:
    from jax import lax

    return lax.polygamma(lax.full_like(x, parameters["order"]), x)


primitive(
    Primitive(
        "polygamma", "general",
        result=_alike("polygamma", 1, "R"),
        lower=_polygamma_lower,
        batch=batch_all("polygamma"),
        differential=_polygamma_differential,
        latex=r"\psi^{{(n)}}({0})", doc="A derivative of digamma, of a fixed order from 1.",
        samples=samples(*(real(shape) for shape in SHAPES), low=0.5, high=4.0, order=1),
    )
)  # fmt: skip


# --- arithmetic of two numbers -------------------------------------------------------------


def operation(
    name: str,
    lower: Callable[[Any, Array, Array], Array],
    partials: Callable[[Entry, Entry, Entry], Sequence[Entry]],
    latex: str,
    doc: str,
    *,
    kinds: str = "R C Int",
    low: float = -2.0,
) -> None:
    """Enter an elementwise function of two numbers; `partials(a, b, y)` are the
    derivatives in a and in b."""

    def entries(builder: Builder, inputs: Sequence[Wire], output: Wire) -> list[Wire | None]:
        a, b, y = (Entry(builder, wire) for wire in (*inputs, output))
        return [factor.wire for factor in partials(a, b, y)]

    def lowered(_parameters: Parameters, a: Array, b: Array) -> Array:
        from jax import lax

        return lower(lax, a, b)

    primitive(
        Primitive(
            name, "elementwise",
            result=_alike(name, 2, kinds),
            lower=lowered,
            batch=batch_all(name),
            partials=entries,
            latex=latex, doc=doc, samples=_pairs(kinds, low),
        )
    )  # fmt: skip


def _pairs(kinds: str, low: float = -2.0) -> tuple[Any, ...]:
    types = [real(shape, shape) for shape in SHAPES]
    if "C" in kinds.split():
        types.append(complex_((2,), (2,)))
    if "Int" in kinds.split():
        types.append((ArrayType("Int", (3,)),) * 2)
    return samples(*types, low=low)


def _quotient(lax: Any, a: Array, b: Array) -> Array:
    if a.dtype.kind != "i":
        return lax.div(a, b)
    # As sizes do, integers round down; lax.div rounds towards zero.
    exact = lax.div(a, b)
    below = (lax.rem(a, b) != 0) & (lax.sign(a) != lax.sign(b))
    return lax.select(below, exact - 1, exact)


def _pow(lax: Any, a: Array, b: Array) -> Array:
    if a.dtype.kind == "i":
        import jax.numpy

        return jax.numpy.power(a, b)
    return lax.pow(a, b)


def _pow_partials(a: Entry, b: Entry, y: Entry) -> Sequence[Entry]:
    # At b = 0 the first is 0 for every a, and at a = 0 the second is: the exponent and
    # the logarithm are kept finite there.
    below = b - 1 + b.where("eq", 0)
    return b * a.apply("pow", below), y * (a + a.where("eq", 0)).apply("log")


def _share(winner: str) -> Callable[[Entry, Entry, Entry], Sequence[Entry]]:
    """The derivative of the larger or smaller of two: ties share equally."""

    def partials(a: Entry, b: Entry, _: Entry) -> Sequence[Entry]:
        first = a.where(winner, b) + 0.5 * a.where("eq", b)
        return first, 1 - first

    return partials


operation(
    "divide", _quotient, lambda a, b, y: (b.inverse(), -(y * b.inverse())),
    r"\frac{{{0}}}{{{1}}}", "Quotient entry by entry; of two Ints, rounded down.", low=0.4,
)  # fmt: skip
operation(
    "pow", _pow, _pow_partials, "{0}^{{{1}}}", "Power, of a base above 0 in general.", low=0.3,
)  # fmt: skip
operation(
    "max", lambda lax, a, b: lax.max(a, b), _share("gt"),
    r"\max({0}, {1})", "The larger of two. In a derivative, ties share equally.", kinds="R Int",
)  # fmt: skip
operation(
    "min", lambda lax, a, b: lax.min(a, b), _share("lt"),
    r"\min({0}, {1})", "The smaller of two. In a derivative, ties share equally.", kinds="R Int",
)  # fmt: skip


def _add(_parameters: Parameters, a: Array, b: Array) -> Array:
    from jax import lax

    return lax.add(a, b)


def _subtract(_parameters: Parameters, a: Array, b: Array) -> Array:
    from jax import lax

    return lax.sub(a, b)


def _negate(_parameters: Parameters, a: Array) -> Array:
    from jax import lax

    return lax.neg(a)


def _identity(*_: Any) -> tuple[Step, ...]:
    return ()


def _subtract_adjoint(_parameters: Parameters, position: int, *_: Any) -> tuple[Step, ...]:
    return (Step("negate"),) if position else ()


primitive(
    Primitive(
        "add", "linear",
        result=_alike("add", 2, "R C Int"), lower=_add, batch=batch_all("add"),
        adjoint=_identity, cost=per_entry(),
        latex="{0} + {1}", doc="The sum of two arrays.", samples=_pairs("R C Int"),
    )
)  # fmt: skip
primitive(
    Primitive(
        "subtract", "linear",
        result=_alike("subtract", 2, "R C Int"), lower=_subtract, batch=batch_all("subtract"),
        adjoint=_subtract_adjoint, cost=per_entry(),
        latex="{0} - {1}", doc="The difference of two arrays.", samples=_pairs("R C Int"),
    )
)  # fmt: skip
primitive(
    Primitive(
        "negate", "linear",
        result=_alike("negate", 1, "R C Int"), lower=_negate, batch=batch_all("negate"),
        adjoint=same("negate"), cost=per_entry(),
        latex="-{0}", doc="The negative of an array.",
        samples=samples(*(real(s) for s in SHAPES), complex_((2,)), (ArrayType("Int", (3,)),)),
    )
)  # fmt: skip


def _conj(_parameters: Parameters, x: Array) -> Array:
    from jax import lax

    return lax.conj(x) if x.dtype.kind == "c" else x


primitive(
    Primitive(
        "conj", "linear",
        result=_alike("conj", 1, "R C"), lower=_conj, batch=batch_all("conj"),
        adjoint=same("conj"), is_identity=lambda _parameters, types: types[0].kind == "R",
        latex="{0}^{{*}}", doc="The complex conjugate.",
        samples=samples(*(complex_(s) for s in SHAPES), real((2,))),
    )
)  # fmt: skip


def _mul(parameters: Parameters, a: Array, b: Array) -> Array:
    from jax import lax

    return lax.mul(a, lax.conj(b) if parameters.get("conjugate") else b)


def _mul_adjoint(
    parameters: Parameters, position: int, fixed: Fixed, domain: ArrayType, _codomain: ArrayType
) -> tuple[Step, ...]:
    """Open at a: w ↦ w conj(b). Open at b: w ↦ conj(a) w; where b is conjugated,
    b ↦ a conj(b) is conjugate-linear and its own adjoint for Re ⟨·, ·⟩."""
    conjugate = bool(parameters.get("conjugate"))
    if domain.kind == "R":
        return (Step("mul", {}, 0, fixed),)
    if position == 1 and conjugate:
        return (Step("mul", {"conjugate": True}, 1, fixed),)
    return (Step("mul", {} if position == 0 and conjugate else {"conjugate": True}, 0, fixed),)


primitive(
    Primitive(
        "mul", "bilinear",
        result=_alike("mul", 2, "R C Int"), lower=_mul, batch=batch_all("mul"),
        adjoint=_mul_adjoint,
        latex=r"{0} \cdot {1}",
        doc="The product entry by entry; `conjugate` takes the conjugate of the second operand.",
        samples=(*_pairs("R C Int"), *samples(complex_((2,), (2,)), conjugate=True)),
    )
)  # fmt: skip


# --- names of the language -------------------------------------------------------------------


def _literal(builder: Builder, wire: Wire) -> float | None:
    """The real number a scalar wire is known to be."""
    if wire.type.shape:
        return None
    node = builder.producer(builder.own(wire))
    if node is None or not isinstance(node.operation, Constant):
        return None
    value = node.operation.value
    return float(value.real) if value.imag == 0 else None


def _power(context: Context, occurrence: Occurrence, x: Value, exponent: Value) -> Value:
    """An integer literal is an integer power: exact for negative numbers, and cheaper."""
    builder = context.builder
    if isinstance(exponent, Wire) and isinstance(x, Wire | Ragged):
        known = _literal(builder, exponent)
        if known is not None and known.is_integer():
            x = filled_throughout(builder, x)
            return map_leaves(lambda leaf: builder.emit("power", leaf, exponent=int(known)), x)
    if isinstance(x, Ragged) or isinstance(exponent, Ragged):
        return sequences.lifted("pow")(context, occurrence, x, exponent)
    both = isinstance(exponent, Wire) and isinstance(x, Wire)
    if both and exponent.type.kind == "Int" and x.type.kind != "Int":
        exponent = builder.emit("convert", exponent, kind=x.type.kind)
    (x_type, exponent_type), _ = arguments(occurrence.type, 2)
    return lifted(builder, "pow", x, exponent, axes(x_type), axes(exponent_type))


def _negative(context: Context, _occurrence: Occurrence, x: Value) -> Value:
    if hasattr(x, "arithmetic"):
        return context.linear_arithmetic("negate", x)
    if tree_vectors.of_trees(x):
        return tree_vectors.negative(context, x)
    return along("negate")(context, _occurrence, x)


def _on_trees(symbol: str, trace: Callable[..., Value]) -> Callable[..., Value]:
    """An operator's trace, for trees of one shape too."""

    def traced(context: Context, occurrence: Occurrence, a: Value, b: Value) -> Value:
        if tree_vectors.of_trees(a) or tree_vectors.of_trees(b):
            return tree_vectors.arithmetic(context, symbol, a, b)
        made: Value = trace(context, occurrence, a, b)
        return made

    return traced


for _symbol, _operation, _latex, _doc in (
    ("+", "add", "{0} + {1}", "Sum; an operand with fewer axes is repeated over the leading ones."),
    ("-", "subtract", "{0} - {1}", "Difference; operands as for a sum."),
    ("*", "mul", r"{0} \cdot {1}", "Product entry by entry; a number scales any vector."),
    ("/", "divide", r"\frac{{{0}}}{{{1}}}", "Quotient entry by entry; of two Ints, rounded down."),
    ("min", "min", r"\min({0}, {1})", "The smaller of two, entry by entry. In a derivative, ties "
     "share equally."),
    ("max", "max", r"\max({0}, {1})", "The larger of two, entry by entry. In a derivative, ties "
     "share equally."),
):  # fmt: skip
    _use = f"{_symbol} [4, 6] 5" if _symbol.isalpha() else f"[4, 6] {_symbol} 2"
    builtin(
        Builtin(
            _symbol, f"a -> b -> c where c = {_symbol if _symbol.isalpha() else 'lift'} a b", 2,
            _on_trees(_symbol, lift(_symbol, _operation)),
            latex=_latex, doc=_doc, example=_use,
            ragged=_on_trees(_symbol, sequences.lifted(_operation)),
        )
    )  # fmt: skip
builtin(
    Builtin(
        "^", "a -> b -> c where c = lift a b", 2, _power, latex="{0}^{{{1}}}",
        doc="Power. An integer literal is an integer power, also of negative numbers.",
        example="[1, 2, 3] ^ 2", ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "conj", "a -> a where elementwise a", 1, along("conj"), latex="{0}^{{*}}",
        doc="The complex conjugate; of a real number, itself.", example="conj 2",
        ragged=sequences.elementwise(along("conj")),
    )
)  # fmt: skip
builtin(
    Builtin(
        "negate", "a -> b where b = lift a a", 1, _negative, latex="-{0}",
        doc="The negative, of a number or of an element of a vector space.",
        example="-[1, 2]", ragged=True,
    )
)  # fmt: skip
