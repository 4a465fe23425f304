"""What the language does with linear maps (LANGUAGE section 6): `derivative`, `adjoint`, `matrix`,
`trace`, `solve` and the like, each by the structure of the map.

What a linear map is while a program is traced stands in linear_values.py.
"""

from __future__ import annotations

from ..graph.context import Context
from ..graph.graph import Wire
from ..graph.scope import Occurrence
from ..graph.values import (
    Value,
    refilled,
)
from ..language import types as t
from ..linear import structure
from .linear_values import LinearValue, OfTrees, Promised, derivative, require_regular
from .table import Builtin, builtin


def _as_linear(context: Context, use: Occurrence, value: Value) -> Value:
    """A matrix `A`, standing for `A @ ·`, or a function known to be linear."""
    linear = use.type
    assert isinstance(linear, t.Linear)
    if isinstance(value, LinearValue):
        return value
    function = value
    if isinstance(value, Wire):
        matrix = value

        def function(x: Wire) -> Wire:
            return context.builder.emit("contract", matrix, x, left=(0, 1), right=(1,), out=(0,))

    return Promised(context, function, linear.domain, linear.codomain, checked=False)


def _section(context: Context, use: Occurrence, function: Value) -> Value:
    linear = use.result(1)
    assert isinstance(linear, t.Linear)
    if isinstance(function, LinearValue):
        return function
    return Promised(context, function, linear.domain, linear.codomain, checked=True)


def _linear(context: Context, value: Value, type: t.Type) -> LinearValue:
    """The argument of `adjoint`, `matrix`, … as a linear map."""
    if isinstance(value, LinearValue):
        return value
    return _as_linear(context, Occurrence(type), value)  # type: ignore[no-any-return]


def _adjoint(context: Context, use: Occurrence, value: Value) -> Value:
    return _linear(context, value, use.domains()[0]).adjoint()


def _matrix(context: Context, use: Occurrence, value: Value) -> Value:
    linear = _linear(context, value, use.domains()[0])
    linear.without_trees()
    made = structure.matrix(context.builder, linear.linear_map)
    _require_complex_linear(context, linear, made, "matrix")
    return _as_typed(context, made, use.result(1))


def _as_typed(context: Context, matrix: Wire, type: t.Type) -> Wire:
    """A single array is a matrix's axes, a product or weights one axis, if of one array only."""
    (array,) = context.layout(type)
    if array.shape == matrix.type.shape:
        return matrix
    return context.builder.emit("reshape", matrix, shape=array.shape)


def _real_matrix(context: Context, use: Occurrence, value: Value) -> Value:
    linear = _linear(context, value, use.domains()[0])
    linear.without_trees()
    made = structure.matrix(context.builder, linear.linear_map, real=True)
    return _as_typed(context, made, use.result(1))


def _require_complex_linear(context: Context, linear: LinearValue, made: Wire, what: str) -> None:
    """Between complex spaces, a map with a complex matrix and trace: L (i u) = i L u."""
    types = (*linear.linear_map.domain, *linear.linear_map.codomain)
    if made.type.kind != "C" and types and all(type.kind == "C" for type in types):
        way_out = "realMatrix l" if what == "matrix" else "trace (realMatrix l)"
        context.fail(
            "not-complex-linear",
            f"this map is linear over R only: it has no complex {what}",
            "What conjugates, or takes real parts, is not linear in complex factors.",
            f"As a map of real and imaginary parts: `{way_out}`.",
        )


def _diagonal(context: Context, use: Occurrence, value: Value) -> Value:
    linear = _linear(context, value, use.domains()[0])
    linear.without_trees()
    return context.rebuild(use.result(1), structure.diagonal(context.builder, linear.linear_map))


def _trace(context: Context, use: Occurrence, value: Value) -> Value:
    linear = _linear(context, value, use.domains()[0])
    made = structure.trace(context.builder, linear.linear_map)
    _require_complex_linear(context, linear, made, "trace")
    return made


def _inverse(context: Context, use: Occurrence, value: Value) -> Value:
    type = use.domains()[0]
    if not isinstance(type, t.Linear):
        made = context.builder.emit("inverse", value)
        require_regular(context, [made])
        return made
    linear = _linear(context, value, type)
    linear.without_trees()
    return LinearValue(
        context, structure.Inverse(linear.linear_map), linear.codomain, linear.domain
    )


def _operator_norm(context: Context, use: Occurrence, value: Value) -> Value:
    linear = _linear(context, value, use.domains()[0])
    linear.without_trees()
    return structure.operator_norm(context.builder, linear.linear_map)


def _self_adjoint(context: Context, use: Occurrence, value: Value) -> Value:
    linear = _linear(context, value, use.domains()[0])
    if isinstance(linear, OfTrees):
        return OfTrees(
            context, linear.forward, linear.back, linear.domain, linear.codomain, self_adjoint=True
        )
    return LinearValue(
        context, linear.linear_map, linear.domain, linear.codomain, linear.source, linear.target,
        self_adjoint=True,
    )  # fmt: skip


def _eigenvalues(context: Context, use: Occurrence, value: Value) -> Value:
    linear = _linear(context, value, use.domains()[0])
    linear.without_trees()
    try:
        made = structure.eigenvalues(context.builder, linear.linear_map, linear.self_adjoint)
    except ValueError as problem:
        context.fail(
            "not-self-adjoint",
            str(problem),
            "Its eigenvalues may not be real: those of any map, complex numbers, are "
            "`spectrum l`. It is known of a map that is made to be so, such as "
            "`l >> adjoint l` or `hessian f x`. If you know it, say so:",
            suggestion="eigenvalues (selfAdjoint l)",
        )
    return _one_each(context, use, made, "eigenvalues")


def _spectrum(context: Context, use: Occurrence, value: Value) -> Value:
    linear = _linear(context, value, use.domains()[0])
    linear.without_trees()
    made = structure.spectrum(context.builder, linear.linear_map)
    return _one_each(context, use, made, "spectrum")


def _one_each(context: Context, use: Occurrence, made: Wire, name: str) -> Wire:
    """As many eigenvalues as the type says: of a map over C, if it is complex-linear."""
    (array,) = context.layout(use.result(1))
    if array.shape != made.type.shape:
        context.fail(
            "not-complex-linear",
            "this map is linear over R only: it has no complex eigenvectors",
            "What conjugates, or takes real parts, is not linear in complex factors.",
            f"As a map of real and imaginary parts: `{name} (realMatrix l)`.",
        )
    return made


def _logdet(context: Context, use: Occurrence, value: Value) -> Value:
    linear = _linear(context, value, use.domains()[0])
    linear.without_trees()
    return structure.logdet(context.builder, linear.linear_map)


def _bands(context: Context, use: Occurrence, value: Value) -> Value:
    linear = _linear(context, value, use.domains()[0])
    lower, upper = use.brackets
    return structure.bands(context.builder, linear.linear_map, lower, upper)


def _solve(
    context: Context, use: Occurrence, value: Value, image: Value, tolerance: float = 0.0
) -> Value:
    linear = _linear(context, value, use.domains()[0])
    linear.without_trees()
    wires = context.flatten(image, linear.codomain)
    iteration = structure.Iteration(tolerance)
    found = structure.solve(context.builder, linear.linear_map, wires, iteration)
    for reached in iteration.found:
        context.require(
            reached,
            "no solution was found by iteration",
            "The map may be singular, or its iteration needs another form: multiplied by its "
            "adjoint, `solve (l >> adjoint l) (adjoint l b)`, or with a tolerance, "
            "`solveWithin 1e-6 l b`.",
            code="no-solution",
        )
    if not iteration.found:
        require_regular(context, found)
    return context.rebuild(linear.domain, found)


def _solve_within(
    context: Context, use: Occurrence, tolerance: Wire, value: Value, image: Value
) -> Value:
    known = context.constant_value(tolerance)
    if known is None:
        context.fail("open-tolerance", "the tolerance of `solveWithin` is a number, such as 1e-6")
    return _solve(context, Occurrence(use.result(1)), value, image, float(known))


builtin(
    Builtin(
        "derivative", "(a -> b) -> a -> (a -o b) where smooth a, smooth b", 2, derivative,
        doc="The derivative of a function at a point: a linear map from tangents to tangents. "
        "The tangent of a tree is a tree of the same shape.",
        latex=r"D\,{0}({1})",
        example="derivative square 3 1",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "asLinear", "(a -> b) -> (a -o b) where vector a, vector b", 1, _as_linear,
        doc="A linear function or a matrix as a linear map; put in where one is wanted.",
        latex=r"{0}",
    )
)  # fmt: skip
builtin(
    Builtin(
        "section", "(a -> b) -> (a -o b) where smooth a, smooth b", 1, _section,
        doc="A function that is linear, as a linear map: a section `(w @)` of a bilinear map, "
        "for example. It is checked to be linear.",
        latex=r"{0}",
        example="adjoint (section ([[1, 2], [3, 4]] @)) [1, 0]",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "adjoint", "(a -o b) -> (b -o a)", 1, _adjoint,
        doc="The adjoint of a linear map: <l u, v> = <u, adjoint l v>. Never a matrix.",
        latex=r"{0}^\dagger",
        example="adjoint (derivative (\\x -> 2 * x) [1, 2]) [1, 0]",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "matrix", "(a -o b) -> m where m = matrix a b", 1, _matrix,
        doc="A linear map as an array: codomain axes, then domain axes; over C complex, of a map "
        "that is complex-linear.",
        example="matrix (derivative (\\x -> x * x) [1, 2])",
    )
)  # fmt: skip
builtin(
    Builtin(
        "realMatrix", "(a -o b) -> m where m = realMatrix a b", 1, _real_matrix,
        doc="A linear map as a real array. Of complex spaces, each side is one axis: the real "
        "parts, then the imaginary parts.",
        example="realMatrix (derivative conj [1, 2i])",
    )
)  # fmt: skip
builtin(
    Builtin(
        "diagonal", "(a -o a) -> a", 1, _diagonal,
        doc="The diagonal of a linear map, by its structure where it has one.",
        example="diagonal (derivative (\\x -> x * x) [1, 2])",
    )
)  # fmt: skip
builtin(
    Builtin(
        "trace", "(a -o a) -> c where c = scalar a", 1, _trace,
        doc="The trace of a linear map, by its structure where it has one; over C a complex "
        "number, of a map that is complex-linear.",
        example="trace (derivative (\\x -> x * x) [1, 2])",
    )
)  # fmt: skip
builtin(
    Builtin(
        "logdet", "(a -o b) -> R", 1, _logdet,
        doc="log |det l| of a linear map between spaces of one size, by its structure where it "
        "has one. A matrix stands for its linear map; of a singular one it is -inf.",
        latex=r"\log \lvert \det {0} \rvert",
        example="logdet [[2, 1], [0, 3]]",
    )
)  # fmt: skip
builtin(
    Builtin(
        "bands", "(R[n] -o R[n]) -> R[n,l+u+1]", 1, _bands, brackets=("l", "u"),
        doc="The diagonals of a banded map, from the l-th below the main one to the u-th above "
        "it: row k holds the entries of that row. A map that is not known to be so narrow is an "
        "error.",
        example="bands[1,0] (derivative (\\x -> x * shift[1] x) [1, 2, 3, 4])",
    )
)  # fmt: skip
builtin(
    Builtin(
        "solve", "(a -o b) -> b -> a", 2, _solve,
        doc="The x with l x = b. A matrix stands for its linear map.",
        latex=r"{0}^{{-1}} {1}",
        example="solve [[2, 0], [0, 4]] [1, 1]",
    )
)  # fmt: skip
builtin(
    Builtin(
        "solveWithin", "R -> (a -o b) -> b -> a", 3, _solve_within,
        doc="As `solve`; where the solution is found by iteration (conjugate gradients, where "
        "the map is proved to be self-adjoint and positive, else GMRES), a residual that is so "
        "much smaller than b is enough.",
        latex=r"{1}^{-1} {2}",
        example="solveWithin 1e-6 [[2, 0], [0, 4]] [1, 1]",
    )
)  # fmt: skip


def _held(context: Context, use: Occurrence, value: Value) -> Value:
    """The wires behind a value, cut off from derivatives; those that a map refers to."""

    def hold(wire: Wire) -> Wire:
        return context.builder.emit("hold", wire)

    if isinstance(value, LinearValue):
        linear = value.linear_map
        own = linear.substitute({wire: hold(wire) for wire in linear.fixed})
        return LinearValue(context, own, value.domain, value.codomain, value.source, value.target)
    return refilled(value, hold)


builtin(
    Builtin(
        "held", "a -> a", 1, _held,
        doc="The same value, or the same linear map, held constant: no derivative goes through "
        "it.",
        example="derivative (\\x -> held x * x) 3 1",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "inverse", "a -> b where b = inverse a", 1, _inverse,
        doc="The inverse of a linear map, a linear map that solves by the structure of the first "
        "when it is applied; of a square matrix, its inverse as a matrix.",
        latex=r"{0}^{{-1}}",
        example="inverse [[2, 1], [0, 4]]",
    )
)  # fmt: skip
builtin(
    Builtin(
        "operatorNorm", "(a -o b) -> R", 1, _operator_norm,
        doc="How much longer a linear map, or a matrix, makes a vector at most: its largest "
        "singular value. `norm` is Frobenius's.",
        latex=r"\lVert {0} \rVert_2",
        example="operatorNorm [[3, 0], [0, -4]]",
    )
)  # fmt: skip
builtin(
    Builtin(
        "eigenvalues", "(a -o a) -> b where b = entries a", 1, _eigenvalues,
        doc="The eigenvalues of a linear map that is known to be its own adjoint, from the "
        "least: a diagonal, `l >> adjoint l`, sums of such, `hessian f x`.",
        latex=r"\lambda({0})",
        example="eigenvalues (derivative (\\x -> x * x) [3, 1, 2])",
    )
)  # fmt: skip
builtin(
    Builtin(
        "spectrum", "(a -o a) -> b where b = complexEntries a", 1, _spectrum,
        doc="The eigenvalues of any linear map of a space into itself, complex numbers, by their "
        "real and then their imaginary parts; by its structure where it has one. Where "
        "eigenvalues are equal they have no derivative, but functions that do not tell them "
        "apart have. `eigenvalues` are real numbers, of a map known to be its own adjoint.",
        latex=r"\operatorname{{spec}} {0}",
        example="spectrum [[0, 1], [-1, 0]]",
    )
)  # fmt: skip
builtin(
    Builtin(
        "selfAdjoint", "(a -o a) -> (a -o a)", 1, _self_adjoint,
        doc="The same linear map, said to be its own adjoint, as one knows of a symmetric matrix "
        "or, by Schwarz's theorem, of a Hessian. It is not checked.",
        latex="{0}",
        example="eigenvalues (selfAdjoint [[2, 1], [1, 2]])",
        ragged=True,
    )
)  # fmt: skip
