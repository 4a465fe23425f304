"""Fixed points in JAX: a step taken again and again until nothing moves any more.

    iterate(step, initial, most)   s, f s, f (f s), … to working precision
    solve(step, initial, most)     of an affine step s ↦ A s + b, by GMRES
    nearest(step, initial, most)   the same, and how far it is from being left as it is

`iterate` and `solve` give the state and whether it was reached, NaN where it was not. A
state is a list of arrays; its norm is that of all their entries. Nothing of the way there
is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Array = Any
State = Sequence[Array]
Step = Callable[[State], State]

_PATIENCE = 20  # steps without progress after which rounding is all that still moves
_BASIS = 64  # directions of GMRES before it starts again


def iterate(step: Step, initial: State, most: int) -> tuple[State, Array]:
    """Steps until one moves the state by no more than a few units of its last place.

    A step that only rounding keeps from that is taken as the last one, too: where none of
    twenty steps comes nearer, and the nearest of all was below the root of the precision,
    or (the state being close to 0) this one is lost beside the largest state on the way.
    Entries that are no numbers (Int, Bool) must not change at all.
    """
    import jax.numpy as np
    from jax import lax

    precision = _precision(initial)

    def moved(before: State, after: State, largest: Array) -> tuple[Array, Array, Array]:
        """How far a step went, in relation to where it led (NaN where that is nowhere);
        the largest state so far; and whether the step is lost beside that."""
        entries = [pair for pair in zip(before, after, strict=True) if _moves(pair[0])]
        size = _norm([b for _, b in entries])
        step = _norm([b - a for a, b in entries])
        ratio = np.where(step == 0, 0, step / np.where(step == 0, 1, size))
        for a, b in zip(before, after, strict=True):
            if not _moves(a):
                ratio = np.where((a == b).all(), ratio, np.inf)
        largest = np.maximum(largest, size)
        return ratio, largest, step <= 64 * precision * largest

    def done(last: Array, best: Array, waited: Array, lost: Array) -> Array:
        near = (best <= np.sqrt(precision)) | lost
        return (last <= 4 * precision) | ((waited >= _PATIENCE) & near)

    def going(all: Any) -> Array:
        number, _, last, best, waited, _, lost = all
        return (number < most) & ~done(last, best, waited, lost) & ~np.isnan(last)

    def one(all: Any) -> Any:
        number, state, _, best, waited, largest, _ = all
        after = list(step(state))
        last, largest, lost = moved(state, after, largest)
        waited = np.where(last < best, 0, waited + 1)
        return number + 1, after, last, np.minimum(best, last), waited, largest, lost

    still, largest, _ = moved(initial, initial, _norm([]).astype(precision.dtype))
    infinite, zero = 0 * still + np.inf, (0 * still).astype(int)
    start = (zero, list(initial), infinite, infinite, zero, largest, infinite < 0)
    _, state, last, best, waited, _, lost = lax.while_loop(going, one, start)
    reached = done(last, best, waited, lost) & ~np.isnan(last)  # not on the way to infinity
    return _kept(state, reached), reached


def solve(
    step: Step, initial: State, most: int, tolerance: float = 0.0, positive: bool = False
) -> tuple[State, Array]:
    """The state that an affine step s ↦ A s + b leaves as it is: (id - A) s = b.

    Reached is a residual of a few units of the last place of b, or one below the root of
    the precision that further steps do not make smaller; with a `tolerance` any residual
    that is so much smaller than b. By conjugate gradients where id - A is self-adjoint and
    `positive`, else by GMRES.
    """
    import jax.numpy as np

    state, left = nearest(step, initial, most, tolerance, positive)
    reached = (left <= tolerated(initial, tolerance)) & np.isfinite(left)
    return _kept(state, reached), reached


def nearest(
    step: Step, initial: State, most: int, tolerance: float = 0.0, positive: bool = False
) -> tuple[State, Array]:
    """The state that comes nearest to being left as it is by an affine step, and the residual
    of the equation, in relation to its right side."""
    import jax.numpy as np

    flat, shaped = _flattening(initial)
    target = flat(step(shaped(np.zeros_like(flat(initial)))))
    if not target.size:
        return initial, np.asarray(0.0)
    precision = _precision([target])

    def image(vector: Array) -> Array:
        return vector - flat(step(shaped(vector))) + target

    method = _conjugate_gradients if positive else _generalised_residuals
    vector, size = method(image, target, most, np.maximum(8 * precision, tolerance))
    whole = _norm([target])
    return shaped(vector), np.where(whole == 0, size, size / np.where(whole == 0, 1, whole))


def tolerated(state: State, tolerance: float = 0.0) -> Array:
    """The largest residual, in relation to the right side, that counts as a solution."""
    import jax.numpy as np

    return np.maximum(np.sqrt(_precision(state)), tolerance)


def _generalised_residuals(
    image: Callable[[Array], Array], target: Array, most: int, enough: Array
) -> tuple[Array, Array]:
    """The vector with that image, and the size of its residual.

    GMRES, started again after some steps, at most `most` times (Saad and Schultz 1986),
    on the real and imaginary parts of all entries: A need not be complex-linear.
    """
    import jax.numpy as np
    import jax.scipy.linalg
    from jax import lax

    precision = _precision([target])
    count = target.size
    basis = min(count, _BASIS)
    whole = _norm([target])

    def cycle(residual: Array, size: Array) -> Array:
        """What to add to the solution: the best of the next directions (Arnoldi's basis,
        the least squares by rotations, so that the residual is known at every step)."""

        def going(all: Any) -> Array:
            number, _, _, left, _, more = all
            return (number < basis) & more & (abs(left[number]) > enough / 2 * whole)

        def direction(all: Any) -> Any:
            k, directions, triangle, left, turns, _ = all
            new = image(directions[k])
            length = _norm([new])
            column = directions @ new
            new = new - column @ directions
            again = directions @ new  # once more, for what rounding has left
            new = new - again @ directions
            more = _norm([new]) > 4 * precision * length
            length = np.where(more, _norm([new]), 0)
            column = (column + again).at[k + 1].set(length)
            column = lax.fori_loop(0, k, lambda j, c: _turned(c, j, *turns[j]), column)
            diagonal = np.hypot(column[k], length)
            regular = diagonal > 0
            safe = np.where(regular, diagonal, 1)
            turn = np.where(regular, column[k] / safe, 1), length / safe
            left = _turned(left, k, *turn).at[k].set(np.where(regular, turn[0] * left[k], 0))
            column = column.at[k].set(safe).at[k + 1].set(0)
            new = np.where(more, new / np.where(more, length, 1), 0)
            return (
                k + 1, directions.at[k + 1].set(new), triangle.at[:, k].set(column), left,
                turns.at[k].set(np.stack(turn)), more,
            )  # fmt: skip

        zeros = np.zeros((basis + 1, count), target.dtype) + 0 * whole
        triangle = np.eye(basis + 1, basis, dtype=target.dtype) + 0 * whole
        start = (
            (0 * whole).astype(int), zeros.at[0].set(residual / size), triangle,
            zeros[:, 0].at[0].set(size), 0 * triangle[:basis, :1] + np.zeros(2, target.dtype),
            whole == whole,
        )  # fmt: skip
        _, directions, triangle, left, _, _ = lax.while_loop(going, direction, start)
        steps = jax.scipy.linalg.solve_triangular(triangle[:basis], left[:basis])
        return steps @ directions[:basis]

    def going(all: Any) -> Array:
        number, _, _, size, before = all
        finished = (size <= enough * whole) | (size > 0.99 * before)
        finished |= (size <= np.sqrt(precision) * whole) & (size > before / 2)
        return (number < most) & ~finished & np.isfinite(size)

    def one(all: Any) -> Any:
        number, vector, residual, size, _ = all
        after = vector + cycle(residual, np.where(size > 0, size, 1))
        left = target - image(after)
        better = _norm([left]) < size
        after, left = np.where(better, after, vector), np.where(better, left, residual)
        return number + 1, after, left, _norm([left]), size

    nothing = 0 * target
    start = ((0 * whole).astype(int), nothing, target, whole, whole + np.inf)
    _, vector, _, size, _ = lax.while_loop(going, one, start)
    return vector, size


def _conjugate_gradients(
    image: Callable[[Array], Array], target: Array, most: int, enough: Array
) -> tuple[Array, Array]:
    """As `_generalised_residuals`, of a self-adjoint and positive map: a few vectors, no
    basis.

    In exact arithmetic as many steps suffice as there are entries; rounding takes more,
    at most `most` for each. Source: Hestenes and Stiefel 1952.
    """
    import jax.numpy as np
    from jax import lax

    whole = np.sum(target * target)
    least_square = enough**2 * whole

    def going(all: Any) -> Array:
        number, _, _, _, size, _, _, waited = all
        return (
            (number < most * target.size) & (size > least_square) & (waited < 2 * target.size + 20)
        )

    def one(all: Any) -> Any:
        number, vector, residual, way, size, best, least, waited = all
        along = image(way)
        bent = np.sum(way * along)
        length = size / np.where(bent > 0, bent, 1) * (bent > 0)
        vector, residual = vector + length * way, residual - length * along
        after = np.sum(residual * residual)
        better = after < least
        return (
            number + 1, vector, residual, residual + after / size * way, after,
            np.where(better, vector, best), np.where(better, after, least),
            np.where(better, 0, waited + 1),
        )  # fmt: skip

    nothing, zero = 0 * target, (0 * whole).astype(int)
    start = (zero, nothing, target, target, whole, nothing, whole, zero)
    *_, best, _, _ = lax.while_loop(going, one, start)
    # Rounding may have led the running residual astray.
    return best, _norm([target - image(best)])


def _turned(vector: Array, k: Array, cosine: Array, sine: Array) -> Array:
    """The entries k and k + 1 turned in their plane."""
    one, other = vector[k], vector[k + 1]
    return vector.at[k].set(cosine * one + sine * other).at[k + 1].set(cosine * other - sine * one)


def _moves(array: Array) -> bool:
    return bool(array.dtype.kind in "fc")


def _precision(arrays: State) -> Array:
    """The distance from 1 to the next number, of the arrays' type."""
    import numpy

    kinds = [array.dtype for array in arrays if _moves(array)] or [numpy.dtype("float32")]
    found = numpy.finfo(kinds[0])
    return numpy.asarray(found.eps, found.dtype)


def _norm(arrays: State) -> Array:
    import jax.numpy as np

    squares = [np.sum(np.real(array * np.conj(array))) for array in arrays]
    return np.sqrt(sum(squares, start=np.zeros((), squares[0].dtype) if squares else np.zeros(())))


def _kept(state: State, reached: Array) -> State:
    import jax.numpy as np

    return [np.where(reached, array, np.nan) if _moves(array) else array for array in state]


def _flattening(like: State) -> tuple[Callable[[State], Array], Callable[[Array], State]]:
    """All entries of a state as one real vector, and back."""
    import jax.numpy as np

    def flat(state: State) -> Array:
        parts = [
            part.ravel()
            for array in state
            for part in ((array.real, array.imag) if array.dtype.kind == "c" else (array,))
        ]
        return np.concatenate(parts)

    def shaped(vector: Array) -> State:
        found, start = [], 0
        for array in like:
            size = array.size
            part = vector[start : start + size]
            start += size
            if array.dtype.kind == "c":
                part = part + 1j * vector[start : start + size]
                start += size
            found.append(part.reshape(array.shape).astype(array.dtype))
        return found

    return flat, shaped
