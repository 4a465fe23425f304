"""What a form holds and what the operations on it cost, by formula.

Multiplications and additions of numbers, counted before anything runs and without
their lower orders. They decide between two readings of one map, and are shown by
`%nnfp derivative NAME --structure`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .forms import (
    Blocks,
    Dense,
    Form,
    Inverted,
    Kronecker,
    Opaque,
    Product,
    Scaling,
    Sparse,
    Steps,
    Sum,
    Transitions,
    Zero,
)


def held(form: Form) -> int:
    """How many numbers the form holds."""
    match form:
        case Zero():
            return 0
        case Scaling(factor=factor):
            return 0 if factor is None else 1
        case Sparse(pattern=pattern):
            return 0 if pattern.ones else pattern.count
        case Dense(rows=rows, columns=columns):
            return rows * columns
        case Kronecker(left=left, right=right):
            return held(left) + held(right)
        case Product(factors=parts) | Sum(terms=parts) | Blocks(parts=parts):
            return sum(map(held, parts))
        case Steps() | Transitions() | Opaque():
            assert form.map is not None
            return sum(wire.type.size for wire in form.map.fixed)
        case Inverted(inner=inner):
            return held(inner)
        case other:
            raise AssertionError(f"no cost of {other}")


def apply(form: Form) -> int:
    """Of the map at one vector."""
    match form:
        case Zero():
            return 0
        case Scaling(factor=factor, rows=rows):
            return 0 if factor is None else rows
        case Sparse(pattern=pattern):
            return 0 if pattern.ones and pattern.permutation else 2 * pattern.count
        case Kronecker(left=left, right=right):
            return left.columns * apply(right) + right.rows * apply(left)
        case Product(factors=parts) | Sum(terms=parts) | Blocks(parts=parts):
            return sum(map(apply, parts))
        case Steps(recurrence=steps) | Transitions(recurrence=steps):
            # What all steps share is used by each of them.
            shared = sum(wire.type.size for wire in steps.shared)
            return 2 * (steps.length * shared + sum(wire.type.size for wire in steps.stacked))
        case Dense() | Opaque():
            return 2 * held(form)
        case Inverted(inner=inner):
            return solve(inner)
        case other:
            raise AssertionError(f"no cost of {other}")


def matrix(form: Form) -> int:
    """Of all entries."""
    match form:
        case Zero() | Dense():
            return 0
        case Scaling():
            return form.rows * form.columns
        case Sparse():
            return held(form)
        case Kronecker(left=left, right=right):
            return matrix(left) + matrix(right) + form.rows * form.columns
        case Product(factors=factors):
            return _chain(factors)
        case Sum(terms=parts):
            return sum(map(matrix, parts)) + (len(parts) - 1) * form.rows * form.columns
        case Blocks(parts=parts):
            return sum(map(matrix, parts))
        case Steps() | Transitions() | Opaque():
            return apply(form) * min(form.rows, form.columns)
        case Inverted(inner=inner):
            return solve(inner) * form.columns
        case other:
            raise AssertionError(f"no cost of {other}")


def _chain(factors: Sequence[Form]) -> int:
    """Of the matrix of a product, as `operations.chain` makes it."""
    first, last = factors[0], factors[-1]
    if last.rows < first.columns:
        return sum(map(matrix, factors)) + sum(map(apply, factors[:-1])) * last.rows
    start = next((k for k, each in enumerate(factors) if not entrywise(each)), 0)
    before = sum(map(apply, factors[:start])) * factors[start].rows
    return matrix(factors[start]) + before + sum(map(apply, factors[start + 1 :])) * first.columns


def diagonal(form: Form) -> int:
    """Of the diagonal entries."""
    match form:
        case Zero() | Scaling() | Dense():
            return 0
        case Sparse():
            return min(held(form), form.rows)
        case Kronecker(left=left, right=right):
            return diagonal(left) + diagonal(right) + form.rows
        case Product():
            first, second = halves(form)
            parts = sum(map(matrix, (*first, *second)))
            return parts + 2 * form.rows * form.rank
        case Sum(terms=parts) | Blocks(parts=parts):
            return sum(map(diagonal, parts)) + form.rows
        case Steps(recurrence=steps):
            return apply(form) * (form.rows // max(steps.length, 1))
        case Opaque() | Transitions():
            return matrix(form)
        case Inverted(inner=Scaling() | Sparse(shape="diagonal")):
            return form.rows
        case Inverted():
            return matrix(form)
        case other:
            raise AssertionError(f"no cost of {other}")


def _factored(form: Form, again: Callable[[Form], int]) -> int:
    """Of a factorisation: `again` is the cost of the same of a part."""
    size = form.rows
    match form:
        case Zero():
            return 0
        case Scaling():
            return size
        case Sparse(shape="diagonal" | "permutation"):
            return size
        case Sparse(shape="banded", pattern=pattern):
            lower, upper = pattern.bandwidths
            return held(form) + 2 * size * lower * (lower + upper + 1)
        case Sparse(shape="blocks", pattern=pattern):
            return held(form) + sum(2 * len(block) ** 3 // 3 for block in pattern.blocks)
        case Sparse(shape="triangular"):
            return size if again is logdet else held(form) + size**2
        case Dense() | Sparse() | Opaque():
            return matrix(form) + 2 * size**3 // 3
        case Kronecker(left=left, right=right) if left.square and right.square:
            return again(left) + again(right)
        case Kronecker():
            return matrix(form) + 2 * size**3 // 3
        case Product() if form.narrow:
            return 0  # singular
        case Product():
            groups = squares(form)
            if len(groups) == 1:
                return matrix(form) + 2 * size**3 // 3
            return sum(again(each) for each in groups)
        case Sum():
            split = woodbury(form)
            if split is None:
                return matrix(form) + 2 * size**3 // 3
            base, narrow = split
            rank = sum(each.rank for each in narrow)
            thin = sum(matrix(half) for each in narrow for part in halves(each) for half in part)
            rank = raised(base, rank)
            columns = solve(base) * rank + thin
            return again(base) + columns + 2 * size * rank**2 + 2 * rank**3 // 3
        case Blocks(parts=parts):
            return sum(again(each) for each in parts)
        case Steps(recurrence=steps):
            block = size // max(steps.length, 1)
            return apply(form) * block + 2 * steps.length * block**3 // 3
        case Transitions(recurrence=steps):
            return apply(form) + steps.length * 2 * size**3 // 3
        case Inverted(inner=inner):
            return again(inner)
        case other:
            raise AssertionError(f"no cost of {other}")


def logdet(form: Form) -> int:
    """Of log |det L|."""
    return _factored(form, logdet)


def solve(form: Form) -> int:
    """Of the solution for one right side."""
    match form:
        case Inverted(inner=inner):
            return apply(inner)
        case Kronecker(left=left, right=right) if left.square and right.square:
            return (
                _factored(form, logdet)
                + 2 * left.rows * right.rows * (right.rows + left.rows)
            )  # fmt: skip
        case Opaque() | Sum() if iterative(form):
            return 2 * apply(form) * form.rows
        case _:
            return _factored(form, solve) + 2 * held(form)


def norm(form: Form) -> int:
    """Of Frobenius's norm."""
    match form:
        case Zero():
            return 0
        case Scaling():
            return 2 * form.rows
        case Sparse(pattern=pattern):
            return held(form) + 2 * pattern.count
        case Kronecker(left=left, right=right):
            return norm(left) + norm(right)
        case Blocks(parts=parts):
            return sum(map(norm, parts))
        case Product() if form.narrow:
            return _small_side(form, [form])
        case _:
            return matrix(form) + 2 * form.rows * form.columns


def operator_norm(form: Form) -> int:
    """Of the largest singular value."""
    match form:
        case Zero() | Scaling():
            return 1
        case Sparse(shape="diagonal" | "permutation", pattern=pattern):
            return held(form) + pattern.count
        case Kronecker(left=left, right=right):
            return operator_norm(left) + operator_norm(right)
        case Blocks(parts=parts):
            return sum(map(operator_norm, parts))
        case Product() if form.narrow:
            return _small_side(form, [form]) + EIGENVALUES * form.rank**3
        case _:
            long, short = max(form.rows, form.columns), min(form.rows, form.columns)
            return matrix(form) + 8 * long * short**2 // 3


EIGENVALUES = 10  # n³ of them: the QR algorithm, without vectors (Golub and Van Loan 2013)


def spectrum(form: Form) -> int:
    """Of the eigenvalues of a square map that need not be self-adjoint."""
    match form:
        case Zero():
            return 0
        case Scaling():
            return form.rows
        case Sparse(shape="diagonal" | "permutation" | "triangular"):
            return held(form) + form.rows
        case Sparse(shape="blocks", pattern=pattern):
            return held(form) + sum(EIGENVALUES * len(block) ** 3 for block in pattern.blocks)
        case Kronecker(left=left, right=right) if left.square and right.square:
            return spectrum(left) + spectrum(right) + form.rows
        case Blocks(parts=parts) if all(part.square for part in parts):
            return sum(map(spectrum, parts))
        case Product() if form.narrow:
            return _small_side(form, [form]) + EIGENVALUES * form.rank**3
        case Sum() if (split := woodbury(form)) is not None and isinstance(split[0], Scaling):
            rank = sum(each.rank for each in split[1])
            return form.rows + _small_side(form, split[1]) + EIGENVALUES * rank**3
        case Steps(recurrence=steps):
            block = form.rows // max(steps.length, 1)
            return apply(form) * block + EIGENVALUES * steps.length * block**3
        case Inverted(inner=inner):
            return spectrum(inner) + form.rows
        case _:
            return matrix(form) + EIGENVALUES * form.rows**3


def _small_side(form: Form, narrow: Sequence[Product]) -> int:
    """Of the factors of terms of low rank and their products with each other."""
    rank = sum(each.rank for each in narrow)
    thin = sum(matrix(half) for each in narrow for part in halves(each) for half in part)
    return thin + 2 * (form.rows + form.columns) * rank**2


# A map without structure is solved by its matrix where that is small: from here on by
# conjugate gradients or GMRES.
LARGE = 512


def iterative(form: Form) -> bool:
    """Whether the solution is found by iteration: little but the map is there, and it is
    large."""
    if form.rows < LARGE or not form.square or form.map is None:
        return False
    match form:
        case Opaque():
            return True
        case Sum():
            return woodbury(form) is None and any(map(_probed, form.terms))
        case Product():
            return len(squares(form)) == 1 and any(map(_probed, form.factors))
        case _:
            return False


def _probed(form: Form) -> bool:
    """Whether the matrix takes the map at a basis."""
    match form:
        case Opaque() | Steps() | Transitions():
            return True
        case Product(factors=parts) | Sum(terms=parts) | Blocks(parts=parts):
            return any(map(_probed, parts))
        case _:
            return False


def rank(form: Form) -> int:
    """By which of two readings of a map are compared."""
    return solve(form) if form.square else matrix(form) + held(form)


# --- how products and sums fall apart --------------------------------------------------------


def halves(form: Product) -> tuple[tuple[Form, ...], tuple[Form, ...]]:
    """The factors before the narrowest place, and those after it."""
    inside = [each.rows for each in form.factors[:-1]]
    place = inside.index(min(inside)) + 1
    return form.factors[:place], form.factors[place:]


def squares(form: Product) -> list[Form]:
    """The shortest runs of factors that are square; a run of several is a product."""
    groups: list[Form] = []
    here: list[Form] = []
    for each in form.factors:
        here.append(each)
        if each.rows == form.columns:
            groups.append(
                here[0]
                if len(here) == 1
                else Product(each.rows, form.columns, form.kind, None, tuple(here))
            )
            here = []
    return [form] if here or not form.square else groups


def entrywise(form: Form) -> bool:
    """Whether a form has one place at most in each row and column."""
    return isinstance(form, Scaling) or (
        isinstance(form, Sparse) and (form.pattern.diagonal or form.pattern.permutation)
    )


def raised(base: Form, rank: int) -> int:
    """The rank of what stands beside a base after its small entries are lifted."""
    return 2 * rank if entrywise(base) and not isinstance(base, Scaling) else rank


def woodbury(form: Sum) -> tuple[Form, tuple[Product, ...]] | None:
    """A term that is easily solved, and terms of low rank beside it."""
    narrow = tuple(each for each in form.terms if isinstance(each, Product) and each.narrow)
    rest = [each for each in form.terms if not (isinstance(each, Product) and each.narrow)]
    if len(rest) != 1 or not narrow or not form.square:
        return None
    (base,) = rest
    if isinstance(base, Opaque | Dense):
        return None
    rank = sum(each.rank for each in narrow)
    # A lifted diagonal costs 2 n (2 r)² operations, LU of the matrix 2 n³ / 3.
    if rank >= form.rows or (raised(base, rank) == 2 * rank and 4 * rank > form.rows):
        return None
    return base, narrow
