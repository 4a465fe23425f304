"""Laws of `contract`: sums of products, whatever the order of their axes."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import TYPE_CHECKING

from ..graph import Call, Wire
from ..primitive import Parameters
from .law import Labels, name_of, parameters_of

if TYPE_CHECKING:
    from .simplifier import Simplifier


def transpose_of_contract(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """transpose (contract x y) = contract x y, with the labels of the result moved; the
    same for convolve"""
    node = builder.made_by(inputs[0], "contract") or builder.made_by(inputs[0], "convolve")
    if node is not None and builder.only_here(inputs[0]):
        inner = parameters_of(node)
        out = tuple([inner["out"][k] for k in parameters["permutation"]])
        return builder.emit(name_of(node), *node.inputs, **{**inner, "out": out})
    return None


def contract_of_transpose(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """contract (transpose x) y = contract x y, with the labels of x moved"""
    for k, side in enumerate(("left", "right")):
        if node := builder.made_by(inputs[k], "transpose"):
            labels = parameters[side]
            permutation = parameters_of(node)["permutation"]
            moved = tuple([labels[permutation.index(axis)] for axis in range(len(labels))])
            operands = [*inputs[:k], node.inputs[0], *inputs[k + 1 :]]
            return builder.emit("contract", *operands, **{**parameters, side: moved})
    return None


def contract_of_broadcast(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """contract (broadcast x) y: an axis along which x is the same needs no product.

    If y has the axis and the result too, it is left to y; if it is summed, y is summed
    over it first; if only the result has it, the result is repeated along it.
    """
    for k, side in enumerate(("left", "right")):
        node = builder.made_by(inputs[k], "broadcast")
        if node is None:
            continue
        labels, other = parameters[side], parameters["right" if side == "left" else "left"]
        axes, out = parameters_of(node)["axes"], parameters["out"]
        repeated = [label for axis, label in enumerate(labels) if axis not in axes]
        if not repeated:
            continue
        x, y = node.inputs[0], inputs[1 - k]
        summed = [label for label in repeated if label not in out]
        if summed:
            y = builder.emit("sum", y, axes=tuple(sorted(other.index(label) for label in summed)))
            other = tuple([label for label in other if label not in summed])
        alone = [label for label in repeated if label not in other and label in out]
        inner = tuple([label for label in out if label not in alone])
        mine = tuple([labels[axis] for axis in axes])
        sides = (mine, other) if k == 0 else (other, mine)
        operands = (x, y) if k == 0 else (y, x)
        moved = {**parameters, "left": sides[0], "right": sides[1], "out": inner}
        product = builder.emit("contract", *operands, **moved)
        if not alone:
            return product
        size = dict(zip(labels, inputs[k].type.shape, strict=True))
        size.update(zip(inner, product.type.shape, strict=True))
        shape = tuple([size[label] for label in out])
        places = tuple([axis for axis, label in enumerate(out) if label not in alone])
        return builder.emit("broadcast", product, shape=shape, axes=places)
    return None


def contract_of_outer_products(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """contract (p ⊗ q) (r ⊗ s) = (contract p r) (contract q s), where each of the labels
    that are summed stands in one of p and q, and in its partner among r and s

    So the inner product of two gradients of a weight, p ⊗ q each, never makes them: what
    a neural tangent kernel is made of. Done where it takes fewer products.
    """
    if parameters.get("conjugate"):
        return None
    sides = []
    for wire, labels in zip(inputs, (parameters["left"], parameters["right"]), strict=True):
        node = builder.made_by(wire, "contract")
        if node is None:
            return None
        inner = parameters_of(node)
        if inner.get("conjugate") or {*inner["left"], *inner["right"]} != set(inner["out"]):
            return None
        outer = dict(zip(inner["out"], labels, strict=True))
        both = (inner["left"], inner["right"])
        sides.append([
            (operand, tuple([outer[label] for label in own]))
            for operand, own in zip(node.inputs, both, strict=True)
        ])  # fmt: skip
    out = parameters["out"]
    summed = {label for label in parameters["left"] if label not in out}
    (p, q), others = sides
    for r, s in (others, others[::-1]):
        apart = all(
            (label in p[1]) == (label in r[1]) and (label in q[1]) == (label in s[1])
            and (label in p[1]) != (label in q[1])
            for label in summed
        )  # fmt: skip
        if apart and summed.intersection(p[1]) and summed.intersection(q[1]):
            break
    else:
        return None
    sizes = {
        label: size
        for operand, labels in (p, q, r, s)
        for label, size in zip(labels, operand.type.shape, strict=True)
    }

    def products(labels: Iterable[int]) -> int:
        return prod([sizes[label] for label in labels])

    pairs = [tuple(dict.fromkeys((*one[1], *two[1]))) for one, two in ((p, r), (q, s))]
    kept = [tuple([label for label in pair if label not in summed]) for pair in pairs]
    apart_cost = sum(map(products, pairs)) + products({*kept[0], *kept[1]})
    if apart_cost >= products({*parameters["left"], *parameters["right"]}):
        return None
    made = [
        builder.emit("contract", one[0], two[0], left=one[1], right=two[1], out=rest)
        for (one, two), rest in zip(((p, r), (q, s)), kept, strict=True)
    ]
    return builder.emit("contract", *made, left=kept[0], right=kept[1], out=out)


def contract_of_difference(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """contract A (x - y) = contract A x - contract A y, where x is repeated along axes of
    the result and y along others that A lacks: of every x with every y, as many products
    as there are differences become as many as there are x, and as there are y"""
    for k, side in enumerate(("left", "right")):
        node = builder.made_by(inputs[k], "subtract") or builder.made_by(inputs[k], "add")
        if node is None or not builder.only_here(inputs[k]):
            continue
        labels, other = parameters[side], parameters["right" if side == "left" else "left"]
        repeated = [_repeated(builder, operand, labels) for operand in node.inputs]
        if not all(repeated) or not set(repeated[0]).isdisjoint(repeated[1]):
            continue
        if not set().union(*repeated) <= set(parameters["out"]):
            continue
        if all(set(each) <= set(other) for each in repeated):
            continue
        terms = [
            builder.emit("contract", *inputs[:k], term, *inputs[k + 1 :], **parameters)
            for term in node.inputs
        ]
        return builder.emit(name_of(node), *terms)
    return None


def _repeated(builder: Simplifier, wire: Wire, labels: Labels) -> Labels:
    """The labels of the axes along which a wire is a repetition."""
    node = builder.made_by(wire, "broadcast")
    if node is None:
        return ()
    axes = parameters_of(node)["axes"]
    return tuple([label for axis, label in enumerate(labels) if axis not in axes])


def sum_of_contract(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """sum (contract x y) = contract x y, the label of both summed in the product; an
    axis that only one of them has is summed in it before"""
    node = builder.made_by(inputs[0], "contract")
    if node is None or not builder.only_here(inputs[0]):
        return None
    inner = dict(parameters_of(node))
    out = inner["out"]
    summed = [out[axis] for axis in parameters["axes"]]
    operands = list(node.inputs)
    for k, side in enumerate(("left", "right")):
        labels, other = inner[side], inner["right" if side == "left" else "left"]
        alone = [label for label in summed if label in labels and label not in other]
        if alone:
            axes = tuple(sorted(labels.index(label) for label in alone))
            operands[k] = builder.emit("sum", operands[k], axes=axes)
            inner[side] = tuple([label for label in labels if label not in alone])
    inner["out"] = tuple([label for label in out if label not in summed])
    return builder.emit("contract", *operands, **inner)


def sum_of_terms(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """sum (x ± y) = sum x ± sum y and sum (- x) = - sum x, where all terms are
    contractions, into which their sums go"""
    for name in ("add", "subtract", "negate"):
        node = builder.made_by(inputs[0], name)
        if node is not None and _contracts(builder, inputs[0]):
            terms = [builder.emit("sum", term, **parameters) for term in node.inputs]
            return builder.emit(name, *terms)
    return None


def _contracts(builder: Simplifier, wire: Wire) -> bool:
    """Whether a sum over `wire` goes into contractions altogether."""
    node = builder.producer(wire)
    if node is None or not builder.only_here(wire) or not isinstance(node.operation, Call):
        return False
    if name_of(node) in ("add", "subtract", "negate", "transpose"):
        return all(_contracts(builder, operand) for operand in node.inputs)
    return name_of(node) == "contract"


def sum_of_choice(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """sum (select m x y), for a mask m by the axes summed and contractions x, y of
    operands that have them: the mask goes to the operands, the sum into the product.

    So a weight used in one branch of a choice in a batch gets one product, not one for
    each element. Both operands are masked: 0 times what is not finite is not zero.
    """
    node = builder.made_by(inputs[0], "select")
    if node is None or not builder.only_here(inputs[0]):
        return None
    mask = builder.made_by(node.inputs[0], "broadcast")
    if mask is None or tuple(parameters_of(mask)["axes"]) != tuple(parameters["axes"]):
        return None
    masks = (mask.inputs[0], builder.emit("not", mask.inputs[0]))
    axes = parameters["axes"]
    terms = []
    for case, taken in zip(node.inputs[1:], masks, strict=True):
        if builder.number(case) == 0:
            continue
        product = builder.made_by(case, "contract")
        if product is None or not builder.only_here(case):
            return None
        inner = parameters_of(product)
        batch = [inner["out"][axis] for axis in axes]
        operands = []
        for operand, labels in zip(product.inputs, (inner["left"], inner["right"]), strict=True):
            if not set(batch) <= set(labels):
                return None
            places = [labels.index(label) for label in batch]
            if places != sorted(places):
                return None
            shape = operand.type.shape
            here = builder.emit("broadcast", taken, shape=shape, axes=tuple(places))
            operands.append(builder.emit("select", here, operand, builder.zeros(operand.type)))
        term = builder.emit("contract", *operands, **inner)
        terms.append(builder.emit("sum", term, **parameters))
    if not terms:
        return None
    return terms[0] if len(terms) == 1 else builder.emit("add", *terms)
