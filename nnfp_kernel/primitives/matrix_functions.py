"""Functions of a square matrix as a whole: `expm`, `logm`, `sqrtm`.

The derivative L(A, ·) of such a function f stands beside the value in f of a block
triangular matrix,

    f [A E; 0 A] = [f A  L(A, E); 0  f A],

its adjoint is L(Aᴴ, ·), and the derivative of L(A, E) in A is a block of f one size up.
So one primitive more, `frechet`, closes all three functions under differentiation, to
any order. It is finite at equal eigenvalues, where eigenvectors have no derivative.

Each algorithm is written once and runs on a matrix or on a block triangular one, a `Dual`,
whose blocks are kept apart: three products where the whole would cost eight.

    expm    scaling and squaring with the Padé approximant of degree 13; how far to scale
            is told by norms of powers, so that an imbalanced matrix is not scaled too far
    sqrtm   the product form of the Denman-Beavers iteration, scaled by determinants
    logm    square roots until the matrix is near 1, then the Padé approximant of degree
            12 as a sum of partial fractions

Sources: Al-Mohy and Higham, *A new scaling and squaring algorithm for the matrix
exponential* and *Computing the Fréchet derivative of the matrix exponential* (2009);
Cheng, Higham, Kenney and Laub, *Approximating the logarithm of a matrix to specified
accuracy* (2001); Higham, *Functions of Matrices* (2008), theorem 3.6 for the blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb, factorial
from typing import Any

from ..graph.context import Context
from ..graph.graph import ArrayType, Builder, Wire
from ..graph.primitive import Chain, Parameters, Primitive, Sample, Step
from ..graph.values import Value
from .matrix import conjugate_transposed, square, triangular
from .records import Fixed, batch_all, complex_, expect, per_matrix, real, samples
from .table import Builtin, Occurrence, builtin, primitive

Array = Any  # a jax.Array or a tracer of one
# Operations for n³: a typical count, for the numbers decide how many rounds there are.
_CUBES = {"expm": 25, "logm": 180, "sqrtm": 45}
FUNCTIONS = ("expm", "logm", "sqrtm")


# --- matrices and block triangular ones ----------------------------------------------------------


@dataclass(frozen=True)
class Dual:
    """The block triangular matrix [a b; 0 a]; b may be None, for zero."""

    a: Array
    b: Array | None = None

    def __matmul__(self, other: Dual) -> Dual:
        if self.b is None or other.b is None:
            return Dual(self.a @ other.a)
        return Dual(self.a @ other.a, self.a @ other.b + self.b @ other.a)

    def __add__(self, other: Dual) -> Dual:
        b = None if self.b is None or other.b is None else self.b + other.b
        return Dual(self.a + other.a, b)

    def __mul__(self, factor: Any) -> Dual:
        return Dual(self.a * factor, None if self.b is None else self.b * factor)

    def __sub__(self, other: Dual) -> Dual:
        return self + other * -1.0

    def plus(self, number: float) -> Dual:
        """The number added on the diagonal."""
        from jax import numpy

        return Dual(self.a + number * numpy.eye(self.a.shape[-1], dtype=self.a.dtype), self.b)

    def solve(self, other: Dual) -> Dual:
        """This matrix inverted, times another one."""
        from jax.scipy.linalg import lu_factor, lu_solve

        factors = lu_factor(self.a)
        a = lu_solve(factors, other.a)
        if self.b is None or other.b is None:
            return Dual(a)
        return Dual(a, lu_solve(factors, other.b - self.b @ a))

    @property
    def parts(self) -> tuple[Array, Array | None]:
        """The blocks, as the state of a loop."""
        return self.a, self.b


def _norm(matrix: Array) -> Array:
    """The largest sum of a column, of each matrix."""
    return abs(matrix).sum(-2).max(-1)


def _each(factor: Array) -> Array:
    """One number for each matrix, as a factor of the matrices."""
    return factor[..., None, None]


def _repeated(
    limit: int, unsettled: Callable[[Any], Array], step: Callable[[Any], Any], state: Any
) -> Any:
    """`step` on those of a batch that are unsettled, while there are any.

    A scan, not a `while`: so jax's own reverse mode passes too."""
    from jax import lax, tree

    def body(state: Any, _: None) -> tuple[Any, None]:
        active = unsettled(state)

        def advanced(state: Any) -> Any:
            def chosen(new: Array, old: Array) -> Array:
                axes = tuple(range(active.ndim, new.ndim))
                return lax.select(
                    lax.broadcast_in_dim(active, new.shape, range(active.ndim)) if axes
                    else active, new, old,
                )  # fmt: skip

            return tree.map(chosen, step(state), state)

        return lax.cond(active.any(), advanced, lambda state: state, state), None

    return lax.scan(body, state, None, length=limit)[0]


# --- the exponential -----------------------------------------------------------------------------

_DEGREE = 13
_PADE = [
    factorial(2 * _DEGREE - k) * comb(_DEGREE, k) / factorial(2 * _DEGREE) for k in range(14)
]  # of numerator and, with alternating signs, denominator
_NEAR = 4.25  # the norm up to which degree 13 is exact to 64 bits
_SQUARINGS = 64  # enough for any norm whose exponential means something


def _expm(x: Dual) -> Dual:
    from jax import numpy

    b = _PADE
    norm = _norm(x.a)
    square = x.a @ x.a
    fourth = square @ square
    # Norms of powers, at their roots: far below the norm where a matrix is imbalanced.
    roots = [
        _norm(power) ** (1 / k)
        for k, power in ((4, fourth), (6, fourth @ square), (8, fourth @ fourth))
    ]
    least = numpy.minimum(numpy.maximum(roots[0], roots[1]), numpy.maximum(roots[1], roots[2]))
    least = numpy.minimum(least, norm)
    times = numpy.ceil(numpy.log2(numpy.maximum(least / _NEAR, 1)))
    times = numpy.where(numpy.isfinite(times), times, 0)
    x = x * _each(2.0**-times).astype(norm.dtype)
    x2 = x @ x
    x4 = x2 @ x2
    x6 = x4 @ x2
    odd = x6 @ (x6 * b[13] + x4 * b[11] + x2 * b[9]) + x6 * b[7] + x4 * b[5] + x2 * b[3]
    odd = x @ odd.plus(b[1])
    even = x6 @ (x6 * b[12] + x4 * b[10] + x2 * b[8]) + x6 * b[6] + x4 * b[4] + x2 * b[2]
    even = even.plus(b[0])
    made = (even - odd).solve(even + odd)

    def squared(state: Any) -> Any:
        parts, done = state
        made = Dual(*parts)
        return (made @ made).parts, done + 1

    state = made.parts, numpy.zeros_like(times)
    parts, _ = _repeated(_SQUARINGS, lambda state: state[1] < times, squared, state)
    return Dual(*parts)


# --- square root and logarithm -------------------------------------------------------------------


def _sqrtm(x: Dual) -> Dual:
    """M ← (1 + (M + M⁻¹)/2)/2, Y ← Y (1 + M⁻¹)/2, both from x: M to 1, Y to the root.

    Scaled by |det M|^(-1/2n) until M is near 1."""
    from jax import numpy

    size = x.a.shape[-1]
    one = (x * 0.0).plus(1.0)
    error = _norm(x.plus(-1.0).a)

    def unsettled(state: Any) -> Array:
        _, _, error, before = state
        # Quadratic: once it is small it falls to rounding, and then it stays.
        return numpy.isfinite(error) & ~((error < _NEARLY) & (error >= before / 2))

    def step(state: Any) -> Any:
        m, y = (Dual(*parts) for parts in state[:2])
        error = state[2]
        _, logarithm = numpy.linalg.slogdet(m.a)
        scale = numpy.where(error < _NEARLY, 1.0, numpy.exp(logarithm / (-2 * size)))
        scale = _each(scale.astype(error.dtype))
        m, y = m * scale**2, y * scale
        inverse = m.solve(one)
        y = (y @ inverse.plus(1.0)) * 0.5
        m = ((m + inverse) * 0.5).plus(1.0) * 0.5
        return m.parts, y.parts, _norm(m.plus(-1.0).a), error

    start = (x.parts, x.parts, error, numpy.full_like(error, numpy.inf))
    _, parts, error, _ = _repeated(40, unsettled, step, start)
    found = _each(error < _NEARLY)
    return Dual(*(part if part is None else numpy.where(found, part, numpy.nan) for part in parts))


_NEARLY = 1e-2


def _logm(x: Dual) -> Dual:
    from jax import numpy

    def far(state: Any) -> Array:
        (a, _), _ = state
        return _norm(Dual(a).plus(-1.0).a) > 0.35  # up to there degree 12 is exact to 64 bits

    def root(state: Any) -> Any:
        parts, roots = state
        return _sqrtm(Dual(*parts)).parts, roots + 1

    start = (x.parts, numpy.zeros_like(_norm(x.a)))
    parts, roots = _repeated(32, far, root, start)
    rest = Dual(*parts).plus(-1.0)
    # log (1 + x) = ∫ x / (1 + t x) dt from 0 to 1, by Gauss and Legendre's quadrature,
    # which is the Padé approximant; all nodes at once.
    nodes, weights = (
        numpy.asarray(values, roots.dtype).reshape(-1, *[1] * rest.a.ndim)
        for values in _gauss_legendre(12)
    )
    spread = Dual(rest.a + 0 * nodes, None if rest.b is None else rest.b + 0 * nodes)
    terms = (spread * nodes).plus(1.0).solve(spread) * (weights * _each(2.0**roots))
    return Dual(terms.a.sum(0), None if terms.b is None else terms.b.sum(0))


def _gauss_legendre(count: int) -> tuple[Any, Any]:
    """Nodes and weights on [0, 1]."""
    from numpy.polynomial.legendre import leggauss

    nodes, weights = leggauss(count)
    return (1 + nodes) / 2, weights / 2


_ALGORITHM: dict[str, Callable[[Dual], Dual]] = {"expm": _expm, "logm": _logm, "sqrtm": _sqrtm}


# --- primitives -------------------------------------------------------------------------------


def _result(name: str) -> Callable[..., ArrayType]:
    def result(_parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
        square(name, types[0])
        expect(all(type == types[0] for type in types), f"{name}: found {types[0]}, {types[-1]}")
        return types[0]

    return result


def _latex(name: str) -> str:
    """By its name: log A and e^A are entry by entry."""
    return rf"\operatorname{{{{{name}}}}} {{0}}"


def _function(name: str, doc: str, given: Sequence[Sample]) -> None:
    def lower(_parameters: Parameters, matrix: Array) -> Array:
        return matrix if matrix.size == 0 else _ALGORITHM[name](Dual(matrix)).a

    def differential(
        _builder: Builder, _parameters: Parameters, inputs: Sequence[Wire], _output: Wire
    ) -> list[Chain | list[Chain] | None]:
        return [(Step("frechet", {"function": name}, 1, (inputs[0],)),)]

    primitive(
        Primitive(
            name, "general",
            result=_result(name), lower=lower, batch=batch_all(name), differential=differential,
            cost=per_matrix(_CUBES[name]), latex=_latex(name), doc=doc, samples=tuple(given),
        )
    )  # fmt: skip


_function(
    "expm", "The exponential of a square matrix.",
    samples(real((2, 2, 2)), real((0, 0)), complex_((3, 3))),
)  # fmt: skip
_function(
    "logm", "The principal logarithm of a square matrix; where one of its eigenvalues is 0 or a "
    "negative number, no numbers.",
    samples(real((2, 2)), real((0, 0)), low=-1.0, high=1.0, diagonal=3.0),
)  # fmt: skip
_function(
    "sqrtm", "The principal square root of a square matrix; where one of its eigenvalues is 0 or "
    "a negative number, no numbers.",
    samples(complex_((2, 2)), real((0, 0)), low=-1.0, high=1.0, diagonal=3.0),
)  # fmt: skip


def _frechet_result(parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
    expect(parameters["function"] in FUNCTIONS, f"frechet: no function {parameters['function']}")
    expect(len(types) == 2, f"frechet: found {len(types)} operands, expected 2")
    return _result("frechet")(parameters, types)


def _frechet(parameters: Parameters, matrix: Array, direction: Array) -> Array:
    algorithm = _ALGORITHM[parameters["function"]]
    if parameters.get("adjoint"):
        matrix = matrix.swapaxes(-1, -2).conj()
    return direction if direction.size == 0 else algorithm(Dual(matrix, direction)).b


def _frechet_adjoint(
    parameters: Parameters, position: int, fixed: Fixed, _domain: ArrayType, _codomain: ArrayType
) -> tuple[Step, ...]:
    expect(position == 1, "frechet is linear in its direction only")
    return (Step("frechet", {**parameters, "adjoint": not parameters.get("adjoint")}, 1, fixed),)


def _frechet_differential(
    builder: Builder, parameters: Parameters, inputs: Sequence[Wire], _output: Wire
) -> list[Chain | list[Chain] | None]:
    """In the matrix: the block in the corner of f's derivative at [A E; 0 A], in the
    direction [dA 0; 0 dA]. With the adjoint, Aᴴ and dAᴴ stand for A and dA."""
    matrix, direction = inputs
    turned: Chain = conjugate_transposed(matrix.type) if parameters.get("adjoint") else ()
    for step in turned:
        matrix = builder.emit(step.primitive, matrix, **step.parameters)
    *batch, n, _ = matrix.type.shape
    rank = matrix.type.rank
    zero = builder.zeros(matrix.type)
    above = builder.emit("concat", matrix, direction, axis=rank - 1)
    below = builder.emit("concat", zero, matrix, axis=rank - 1)
    whole = builder.emit("concat", above, below, axis=rank - 2)
    twice = triangular(builder, ArrayType(matrix.type.kind, (2, 2)), 0, 1, 0)
    axes, (i, j, p, q) = tuple(range(rank - 2)), range(rank, rank + 4)
    labels = {"left": (p, q), "right": (*axes, i, j), "out": (*axes, p, i, q, j)}

    def half(axis: int, which: int) -> Step:
        return Step(
            "slice", {"axis": axis, "start": which * n, "stop": (which + 1) * n, "stride": 1}
        )

    in_matrix: Chain = (
        *turned, Step("contract", labels, 1, (twice,)),
        Step("reshape", {"shape": (*batch, 2 * n, 2 * n)}),
        Step("frechet", {"function": parameters["function"]}, 1, (whole,)),
        half(rank - 2, 0), half(rank - 1, 1),
    )  # fmt: skip
    return [in_matrix, (Step("frechet", parameters, 1, (inputs[0],)),)]


primitive(
    Primitive(
        "frechet", "general", open_positions=(1,),
        result=_frechet_result, lower=_frechet, batch=batch_all("frechet"),
        differential=_frechet_differential, adjoint=_frechet_adjoint,
        cost=lambda parameters, types, result: 3
        * per_matrix(_CUBES[parameters["function"]])(parameters, types, result),
        latex=r"L({0}, {1})",
        doc="The Fréchet derivative of a matrix function at the first operand in the direction of "
            "the second; `adjoint` is that at the conjugate transpose, the adjoint map.",
        samples=(
            *samples(real((2, 2), (2, 2)), real((0, 0), (0, 0)), function="expm"),
            *samples(complex_((2, 2), (2, 2)), function="expm", adjoint=True),
        ),
    )
)  # fmt: skip


# --- names of the language -----------------------------------------------------------------------


def _named(name: str) -> Callable[..., Value]:
    def trace(context: Context, _occurrence: Occurrence, matrix: Wire) -> Value:
        return context.builder.emit(name, matrix)

    return trace


for _name, _example, _doc in (
    ("expm", "expm [[0, 1], [-1, 0]]", "The exponential of a square matrix."),
    ("logm", "logm (expm [[0, 1], [-1, 0]])",
     "The principal logarithm of a square matrix without eigenvalue on the negative axis."),
    ("sqrtm", "sqrtm [[2, 1], [1, 2]]",
     "The principal square root of a square matrix without eigenvalue on the negative axis."),
):  # fmt: skip
    builtin(
        Builtin(
            _name, "a[n,n] -> a[n,n] where field a", 1, _named(_name), doc=_doc,
            latex=_latex(_name), example=_example,
        )
    )  # fmt: skip
