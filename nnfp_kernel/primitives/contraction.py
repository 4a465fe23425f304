"""Products of arrays: `contract` sums products over labelled axes, `convolve` does so
along windows that move. Both are bilinear, and both adjoints of each are again
themselves with the labels exchanged: there is no second set of formulas.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce
from math import prod
from typing import Any

import numpy

from ..graph.context import Context
from ..graph.graph import ArrayType, Builder, Wire
from ..graph.primitive import Parameters, Primitive, Sample, Step
from ..graph.values import Value, leaves
from . import sequences, tree_vectors
from .records import Batch, Fixed, batched, complex_, expect, real
from .reducing import reduce_axes
from .table import Builtin, Occurrence, builtin, primitive
from .tracing import of_one_kind, real_inner

Array = Any  # a jax.Array or a tracer of one
Labels = tuple[int, ...]

# --- contract --------------------------------------------------------------------------------


def _sizes(name: str, *operands: tuple[Labels, ArrayType]) -> dict[int, int]:
    """The size of every label; two axes of one label must agree."""
    sizes: dict[int, int] = {}
    for labels, type in operands:
        expect(len(labels) == type.rank, f"{name}: {len(labels)} labels for {type}")
        expect(len(set(labels)) == len(labels), f"{name}: a label twice in {labels}")
        for label, size in zip(labels, type.shape, strict=True):
            expect(
                sizes.setdefault(label, size) == size,
                f"{name}: the axes of one label are {sizes[label]} and {size} long",
            )
    return sizes


def _closed(name: str, left: Labels, right: Labels, out: Labels) -> None:
    """Every label stands in two of the three at least: so the adjoints exist."""
    expect(len(set(out)) == len(out), f"{name}: a label twice in the result's {out}")
    for label in {*left, *right, *out}:
        count = (label in left) + (label in right) + (label in out)
        expect(count >= 2, f"{name}: the label {label} stands in one place only")


def _contract_result(parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
    left, right, out = parameters["left"], parameters["right"], parameters["out"]
    a, b = types
    expect(a.kind == b.kind and a.kind in ("R", "C", "Int"), f"contract: found {a} and {b}")
    sizes = _sizes("contract", (left, a), (right, b))
    _closed("contract", left, right, out)
    return ArrayType(a.kind, tuple(sizes[label] for label in out))


def _contract(parameters: Parameters, a: Array, b: Array) -> Array:
    """A product entry by entry where nothing is summed or nothing is free, for XLA to
    fuse with what is around; else one `dot_general`, its operands in the order that
    spares a transpose."""
    from jax import lax

    left, right, out = parameters["left"], parameters["right"], parameters["out"]
    if parameters.get("conjugate"):
        b = lax.conj(b)
    summed = [label for label in left if label not in out]
    shared = [label for label in left if label in out and label in right]
    free_left = [label for label in out if label not in right]
    free_right = [label for label in out if label not in left]
    sizes = dict(zip((*left, *right), (*a.shape, *b.shape), strict=True))
    if not summed:
        shape = [sizes[label] for label in out]
        return lax.mul(_placed(a, left, out, shape), _placed(b, right, out, shape))
    if not free_left and not free_right:
        product = lax.mul(a, _permuted(b, right, left))
        total = reduce_axes("sum", product, [left.index(label) for label in summed])
        return _permuted(total, tuple(label for label in left if label in out), out)
    if prod(sizes.values()) <= _SMALL:
        labels = (*out, *summed)
        shape = [sizes[label] for label in labels]
        product = lax.mul(_placed(a, left, labels, shape), _placed(b, right, labels, shape))
        return lax.reduce_sum(product, tuple(range(len(out), len(labels))))
    if tuple(out) == (*shared, *free_right, *free_left):
        a, b, left, right = b, a, right, left
        free_left, free_right = free_right, free_left
    entries = prod(sizes[label] for label in out)
    a, left = _freely(a, left, free_left, entries)
    b, right = _freely(b, right, free_right, entries)
    turned = _turned(left, right, summed, shared, a.size, b.size)
    if turned:
        a, b, left, right = b, a, right, left
    contracting = tuple(tuple(labels.index(label) for label in summed) for labels in (left, right))
    batch = tuple(tuple(labels.index(label) for label in shared) for labels in (left, right))
    product = lax.dot_general(a, b, (contracting, batch))
    if turned:
        product = lax.optimization_barrier(product)
    free = [label for label in (*left, *right) if label not in (*summed, *shared)]
    return _permuted(product, (*shared, *free), out)


# A product so small is written out too: a call of the matrix product, in a loop say, takes
# longer than it computes.
_SMALL = 64


def _turned(
    left: Labels, right: Labels, summed: Sequence[int], shared: Sequence[int], a: int, b: int
) -> bool:
    """Whether the smaller operand should go first although the result is then transposed.

    On a CPU XLA copies a first operand whose summed axes do not come last, as in the
    gradient of a weight, and undoes a plain exchange: measured with 2048 examples, 512 by
    128, 5.5 ms against 3.1 ms."""
    first = set(left[: len(summed)]) == set(summed) == set(right[: len(summed)])
    return first and not shared and a >= 2 * b and a >= 1 << 17


def _freely(a: Array, labels: Labels, free: Sequence[int], entries: int) -> tuple[Array, Labels]:
    """An operand with its free axes in this order, the result's: where it has no more entries
    than the result, it is the one to transpose."""
    order = iter(free)
    wanted = tuple(next(order) if label in free else label for label in labels)
    return (a, labels) if a.size > entries else (_permuted(a, labels, wanted), wanted)


def _permuted(array: Array, labels: Sequence[int], wanted: Sequence[int]) -> Array:
    from jax import lax

    if tuple(labels) == tuple(wanted):
        return array
    return lax.transpose(array, [labels.index(label) for label in wanted])


def _placed(array: Array, labels: Labels, out: Labels, sizes: Sequence[int]) -> Array:
    """The array repeated to the labels of the result."""
    from jax import lax

    ordered = tuple(label for label in out if label in labels)
    array = _permuted(array, labels, ordered)
    return lax.broadcast_in_dim(array, sizes, [out.index(label) for label in ordered])


def _one_more_label(
    name: str,
    builder: Builder,
    parameters: Parameters,
    inputs: Sequence[Wire],
    flags: Sequence[bool],
    _length: int,
) -> Wire:
    """One more label: of a convolution a batch, new features, or convolutions side by side. An
    operand without the new axis is not repeated."""
    new = _new_label(parameters)
    left, right = ((new,) if flag else () for flag in flags)
    moved = {
        **parameters,
        "left": (*left, *parameters["left"]),
        "right": (*right, *parameters["right"]),
        "out": (new, *parameters["out"]),
    }
    return builder.emit(name, *inputs, **moved)


def _labelled(name: str) -> Batch:
    return batched(name, partial(_one_more_label, name))


def _new_label(parameters: Parameters) -> int:
    used: tuple[int, ...] = (*parameters["left"], *parameters["right"], *parameters["out"])
    return max(used, default=-1) + 1


def _contract_adjoint(
    parameters: Parameters, position: int, fixed: Fixed, domain: ArrayType, _codomain: ArrayType
) -> tuple[Step, ...]:
    left, right, out = parameters["left"], parameters["right"], parameters["out"]
    conjugate = bool(parameters.get("conjugate"))
    if position == 0:  # w ↦ w · conj b
        labels: dict[str, Any] = {"left": out, "right": right, "out": left}
        flipped = not conjugate
    elif conjugate:  # conjugate-linear in b: w ↦ a · conj w
        labels = {"left": left, "right": out, "out": right}
        return (Step("contract", {**labels, "conjugate": True}, 1, fixed),)
    else:  # w ↦ w · conj a
        labels = {"left": out, "right": left, "out": right}
        flipped = True
    if domain.kind == "C" and flipped:
        labels["conjugate"] = True
    return (Step("contract", labels, 0, fixed),)


def _contraction(
    left: Labels, right: Labels, out: Labels, *types: ArrayType, **more: Any
) -> Sample:
    return Sample(types, {"left": left, "right": right, "out": out, **more})


def _contract_cost(parameters: Parameters, types: Sequence[ArrayType], result: ArrayType) -> int:
    """A product, and where labels are summed an addition, for all values of all labels."""
    sizes = _sizes("contract", *zip((parameters["left"], parameters["right"]), types, strict=True))
    products = prod(sizes.values())
    return products if products == result.size else 2 * products


primitive(
    Primitive(
        "contract", "bilinear",
        result=_contract_result, lower=_contract, batch=_labelled("contract"),
        adjoint=_contract_adjoint, cost=_contract_cost,
        latex=r"{0} \cdot {1}",
        doc="The sum of products over the labels that the result lacks: matrix product, dot, "
            "outer product and scaling are cases. `conjugate` takes that of the second operand.",
        samples=(
            _contraction((0, 1), (1,), (0,), *real((2, 3), (3,))),
            _contraction((0, 1), (1, 2), (0, 2), *real((2, 3), (3, 4))),
            _contraction((0, 1), (1, 2), (2, 0), *real((2, 3), (3, 4))),
            _contraction((0,), (0,), (), *real((3,), (3,))),
            _contraction((0, 1), (0, 1), (), *real((2, 3), (2, 3))),
            _contraction((0,), (1,), (0, 1), *real((2,), (3,))),
            _contraction((), (0, 1), (0, 1), *real((), (2, 3))),
            _contraction((), (), (), *real((), ())),
            _contraction((0, 1, 2), (2, 0, 3), (3, 0, 1), *real((2, 3, 4), (4, 2, 5))),
            _contraction((0, 1), (1, 0), (1,), *real((2, 3), (3, 2))),
            _contraction((2, 0), (0, 1), (1, 0, 2), *real((4, 2), (2, 3))),
            _contraction((0, 1), (1,), (0,), *real((0, 3), (3,))),
            _contraction((0, 1), (1,), (0,), *real((2, 0), (0,))),
            _contraction((0, 1), (1,), (0,), *complex_((2, 3), (3,))),
            _contraction((0,), (0,), (), *complex_((3,), (3,)), conjugate=True),
            _contraction((0, 1), (1,), (0,), ArrayType("Int", (2, 3)), ArrayType("Int", (3,))),
        ),
    )
)  # fmt: skip

# --- convolve --------------------------------------------------------------------------------
#
# Labels as for `contract`, plus `spatial` ones that stand in all three. Along those
#
#     out[p] = Σ_j kernel[j] x[p · stride + j · right_dilation - low]
#
# where x is first spread by left_dilation, and the kernel reversed if `flip`. The
# other labels say what the remaining axes are: in x and kernel only, features that are
# summed; in x and the result, a batch; in kernel and the result, new features; in all
# three, independent convolutions side by side.

Window = tuple[int, ...]


def _dilated(size: int, dilation: int) -> int:
    return (size - 1) * dilation + 1 if size else 0


def _convolve_result(parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
    left, right, out = parameters["left"], parameters["right"], parameters["out"]
    spatial = parameters["spatial"]
    x, kernel = types
    expect(x.kind == kernel.kind == "R", f"convolve: found {x} and {kernel}")
    plain = [(tuple(k for k in labels if k not in spatial), labels) for labels in (left, right)]
    sizes = _sizes(
        "convolve",
        *(
            (
                rest,
                ArrayType(
                    "R", tuple(n for k, n in zip(labels, type.shape, strict=True) if k in rest)
                ),
            )
            for (rest, labels), type in zip(plain, types, strict=True)
        ),
    )
    _closed("convolve", left, right, out)
    for label in spatial:
        expect(
            label in left and label in right and label in out,
            f"convolve: the spatial label {label} does not stand in all three",
        )
    for k, label in enumerate(spatial):
        sizes[label] = _positions(
            x.shape[left.index(label)], kernel.shape[right.index(label)],
            parameters["strides"][k], parameters["padding"][k],
            parameters["left_dilation"][k], parameters["right_dilation"][k],
        )  # fmt: skip
    return ArrayType("R", tuple(sizes[label] for label in out))


def _positions(
    x: int, kernel: int, stride: int, padding: tuple[int, int], spread: int, dilation: int
) -> int:
    """How many places a window has along one axis."""
    low, high = padding
    room = _dilated(x, spread) + low + high - _dilated(kernel, dilation)
    return max(0, room // stride + 1)


def _convolve(parameters: Parameters, x: Array, kernel: Array) -> Array:
    """One XLA convolution; convolutions side by side are a `vmap` of it."""
    import jax
    from jax import lax

    left, right, out = parameters["left"], parameters["right"], parameters["out"]
    spatial = parameters["spatial"]
    result = _convolve_result(
        parameters, (ArrayType("R", tuple(x.shape)), ArrayType("R", tuple(kernel.shape)))
    )
    if 0 in (*x.shape, *kernel.shape, *result.shape):
        return lax.full(result.shape, 0, x.dtype)
    beside = [k for k in out if k in left and k in right and k not in spatial]
    if beside:
        label = beside[0]
        inner = {
            **parameters,
            **{
                side: tuple(k for k in parameters[side] if k != label)
                for side in ("left", "right", "out")
            },
        }
        places = left.index(label), right.index(label)
        return jax.vmap(
            lambda a, b: _convolve(inner, a, b), in_axes=places, out_axes=out.index(label)
        )(x, kernel)
    sizes = dict(zip(out, result.shape, strict=True))
    batch = [k for k in out if k in left and k not in right]
    features = [k for k in left if k in right and k not in out]
    created = [k for k in out if k in right and k not in left]
    space = [[k] for k in spatial]
    x, x_places = _grouped(x, left, [batch, *space, features])
    kernel, kernel_places = _grouped(kernel, right, [*space, features, created])
    if parameters["flip"]:
        kernel = lax.rev(kernel, kernel_places[: len(spatial)])
    order, out_places = _arrangement(out, [batch, *space, created])
    answer = lax.conv_general_dilated(
        x, kernel, parameters["strides"], parameters["padding"],
        lhs_dilation=parameters["left_dilation"], rhs_dilation=parameters["right_dilation"],
        dimension_numbers=lax.ConvDimensionNumbers(
            (x_places[0], x_places[-1], *x_places[1:-1]),
            (kernel_places[-1], kernel_places[-2], *kernel_places[:-2]),
            (out_places[0], out_places[-1], *out_places[1:-1]),
        ),
    )  # fmt: skip
    return _permuted(lax.reshape(answer, [sizes[k] for k in order]), order, out)


def _arrangement(labels: Labels, groups: Sequence[Sequence[int]]) -> tuple[Labels, tuple[int, ...]]:
    """An order of the labels in which every group stands together, and the place of
    each group in it: the order they have already, if it is one, for then XLA moves the
    axes as it likes best. An empty group is an axis of its own, of size 1."""
    ranked = sorted(
        range(len(groups)),
        # an empty batch goes first, empty features last
        key=lambda g: labels.index(groups[g][0]) if groups[g] else (-1 if g == 0 else len(labels)),
    )
    order = tuple(label for g in ranked for label in groups[g])
    if order != tuple(labels):
        ranked = list(range(len(groups)))
        order = tuple(label for group in groups for label in group)
    return order, tuple(ranked.index(g) for g in range(len(groups)))


def _grouped(
    array: Array, labels: Labels, groups: Sequence[Sequence[int]]
) -> tuple[Array, tuple[int, ...]]:
    """The array with the axes of every group made one, and where each group is."""
    from jax import lax

    sizes = dict(zip(labels, array.shape, strict=True))
    order, places = _arrangement(labels, groups)
    array = _permuted(array, labels, order)
    shape = [0] * len(groups)
    for group, place in zip(groups, places, strict=True):
        shape[place] = prod(sizes[label] for label in group)
    return lax.reshape(array, shape), places


def _convolve_adjoint(
    parameters: Parameters, position: int, fixed: Fixed, domain: ArrayType, codomain: ArrayType
) -> tuple[Step, ...]:
    left, right, out = parameters["left"], parameters["right"], parameters["out"]
    spatial = parameters["spatial"]
    other = fixed[0] if isinstance(fixed[0], ArrayType) else fixed[0].type
    x, kernel = (domain, other) if position == 0 else (other, domain)
    windows = [
        (
            x.shape[left.index(label)], kernel.shape[right.index(label)],
            codomain.shape[out.index(label)], parameters["strides"][k],
            parameters["padding"][k][0], parameters["left_dilation"][k],
            parameters["right_dilation"][k],
        )
        for k, label in enumerate(spatial)
    ]  # fmt: skip
    if position == 0:
        # The cotangent, spread by the strides, with the kernel turned round.
        padding = []
        for n, size, positions, stride, low, spread, dilation in windows:
            before = _dilated(size, dilation) - 1 - low
            after = _dilated(n, spread) + _dilated(size, dilation) - 1
            padding.append((before, after - _dilated(positions, stride) - before))
        turned = {
            "left": out, "right": right, "out": left, "spatial": spatial,
            "strides": parameters["left_dilation"], "padding": tuple(padding),
            "left_dilation": parameters["strides"],
            "right_dilation": parameters["right_dilation"], "flip": not parameters["flip"],
        }  # fmt: skip
        return (Step("convolve", turned, 0, fixed),)
    # x correlated with the cotangent, which is spread by the strides.
    padding = []
    for n, size, positions, stride, low, spread, dilation in windows:
        after = _dilated(positions, stride) - _dilated(n, spread) + _dilated(size, dilation)
        padding.append((low, after - 1 - low))
    correlated = {
        "left": left, "right": out, "out": right, "spatial": spatial,
        "strides": parameters["right_dilation"], "padding": tuple(padding),
        "left_dilation": parameters["left_dilation"],
        "right_dilation": parameters["strides"], "flip": False,
    }  # fmt: skip
    turns = [Step("reverse", {"axis": right.index(k)}) for k in spatial if parameters["flip"]]
    return (Step("convolve", correlated, 1, fixed), *turns)


def _convolution(
    left: Labels, right: Labels, out: Labels, spatial: Labels, *types: ArrayType,
    strides: Window | None = None, padding: tuple[tuple[int, int], ...] | None = None,
    left_dilation: Window | None = None, right_dilation: Window | None = None, flip: bool = False,
) -> Sample:  # fmt: skip
    ones = (1,) * len(spatial)
    parameters = {
        "left": left, "right": right, "out": out, "spatial": spatial,
        "strides": strides or ones, "padding": padding or ((0, 0),) * len(spatial),
        "left_dilation": left_dilation or ones, "right_dilation": right_dilation or ones,
        "flip": flip,
    }  # fmt: skip
    return Sample(types, parameters)


def _convolve_cost(parameters: Parameters, types: Sequence[ArrayType], result: ArrayType) -> int:
    """A product and an addition wherever an entry of x, not of the padding nor of what
    spreads it, meets one of the kernel."""
    left, right, out = parameters["left"], parameters["right"], parameters["out"]
    spatial = parameters["spatial"]
    x, kernel = types
    sizes = {
        label: size
        for labels, type in ((left, x), (right, kernel), (out, result))
        for label, size in zip(labels, type.shape, strict=True)
        if label not in spatial
    }
    products = prod(sizes.values())
    for k, label in enumerate(spatial):
        entries, spread = x.shape[left.index(label)], parameters["left_dilation"][k]
        places = numpy.arange(result.shape[out.index(label)]) * parameters["strides"][k]
        steps = numpy.arange(kernel.shape[right.index(label)]) * parameters["right_dilation"][k]
        met = places[:, None] + steps - parameters["padding"][k][0]
        met = met[(met >= 0) & (met % spread == 0)] // spread
        products *= int((met < entries).sum())
    return 2 * products


# Labels in the samples: 0 batch, 1 and 2 space, 3 features, 4 new features, 5 side by side.
primitive(
    Primitive(
        "convolve", "bilinear",
        result=_convolve_result, lower=_convolve, batch=_labelled("convolve"),
        adjoint=_convolve_adjoint, cost=_convolve_cost,
        latex=r"{0} \star {1}",
        doc="A kernel moved over an array: the contraction at every place of the window.",
        samples=(
            _convolution((0, 1, 3), (1, 3, 4), (0, 1, 4), (1,), *real((2, 5, 3), (2, 3, 4))),
            _convolution((1,), (1,), (1,), (1,), *real((6,), (3,)), flip=True),
            _convolution((1, 3), (4, 1, 3), (1, 4), (1,), *real((7, 2), (3, 2, 2)),
                         strides=(2,), padding=((1, 2),), flip=True),
            _convolution((1, 3), (1, 3), (1,), (1,), *real((4, 2), (2, 2)),
                         padding=((-1, 3),), left_dilation=(3,), right_dilation=(2,)),
            _convolution((0, 1, 2, 3), (1, 2, 3, 4), (0, 1, 2, 4), (1, 2),
                         *real((2, 5, 4, 2), (3, 2, 2, 3)), strides=(2, 1),
                         padding=((0, 1), (1, 0)), right_dilation=(1, 2)),
            _convolution((5, 0, 1), (1, 5, 4), (0, 1, 5, 4), (1,), *real((2, 2, 4), (2, 2, 3))),
            _convolution((1, 2), (1, 2), (1, 2), (1, 2), *real((3, 4), (3, 4))),
            _convolution((1, 3), (1, 3, 4), (1, 4), (1,), *real((4, 0), (2, 0, 3))),
            _convolution((1,), (1,), (1,), (1,), *real((2,), (3,))),
            _convolution((1,), (1,), (1,), (1,), *real((0,), (1,))),
        ),
    )
)  # fmt: skip

# --- names of the language -------------------------------------------------------------------


def _matmul(context: Context, _occurrence: Occurrence, a: Value, b: Value) -> Value:
    a, b = of_one_kind(context.builder, a, b)
    last = a.type.rank - 1
    left = tuple(range(a.type.rank))
    right = (last, *range(a.type.rank, a.type.rank + b.type.rank - 1))
    out = (*left[:-1], *right[1:])
    return context.builder.emit("contract", a, b, left=left, right=right, out=out)


def inner_product(context: Context, a: Value, b: Value) -> Value:
    """The inner product of two elements of a vector space, all leaves together."""
    terms = []
    for x, y in zip(leaves(a), leaves(b), strict=True):
        terms.append(real_inner(context.builder, x, y))
    if not terms:
        return context.builder.constant(0.0)
    return reduce(lambda total, term: context.builder.emit("add", total, term), terms)


def _dot(context: Context, _occurrence: Occurrence, a: Value, b: Value) -> Value:
    if tree_vectors.of_trees(a):
        return tree_vectors.inner(context, a, b)
    return inner_product(context, a, b)


def _ragged_dot(context: Context, occurrence: Occurrence, a: Value, b: Value) -> Value:
    if tree_vectors.of_trees(a):
        return tree_vectors.inner(context, a, b)
    return sequences.inner(context, occurrence, a, b)


def _outer(context: Context, _occurrence: Occurrence, a: Value, b: Value) -> Value:
    return context.builder.emit("contract", a, b, left=(0,), right=(1,), out=(0, 1))


builtin(
    Builtin(
        "@", "a -> b -> c where c = matmul a b", 2, _matmul,
        latex=r"{0}\,{1}", example="[[1, 2], [3, 4]] @ [5, 6]",
        doc="Matrix product: contracts the last axis of the left operand with the first of the "
            "right one; each is a vector or a matrix.",
        ragged=sequences.matmul,
    )
)  # fmt: skip
builtin(
    Builtin(
        "dot", "a -> a -> R where space a", 2, _dot,
        latex=r"\langle {0}, {1} \rangle", example="dot [1, 2] [3, 4]",
        doc="The inner product of two elements of one vector space, a real number: over C the "
            "real part of the sum of x conj y, which is the same in either order.",
        ragged=_ragged_dot,
    )
)  # fmt: skip
builtin(
    Builtin(
        "outer", "R[n] -> R[m] -> R[n,m]", 2, _outer,
        latex=r"{0} \otimes {1}", example="outer [1, 2] [3, 4, 5]",
        doc="The outer product: every entry of the first times every entry of the second.",
    )
)  # fmt: skip
