"""The laws: how a graph may compute otherwise what it computes, one function each.

A law has a name and `law(builder, parameters, inputs)`: it looks at one primitive about
to be used and answers with the wire to use instead, or with None. Every node is looked
at once, when it is made, and its operands have been simplified before: the cost is
linear in the size of the graph.

A law that would do the work of an operand a second time asks whether the operand has
no other use.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from typing import Any, TypeAlias

from .graph import ArrayType, Builder, Call, Constant, Loop, Node, Operation, Wire
from .primitive import Parameters, Primitive

Primitives: TypeAlias = Mapping[str, Primitive]
Law: TypeAlias = Callable[["Simplifier", Parameters, tuple[Wire, ...]], Wire | None]
Labels: TypeAlias = tuple[int, ...]
Fired: TypeAlias = "Counter[tuple[str, str]]"  # laws by name and statement: how often


class Simplifier(Builder):
    """A builder that applies the laws, and makes equal nodes once."""

    def __init__(self, primitives: Primitives, parent: Builder | None = None):
        super().__init__(primitives, parent)
        # What fires is told where somebody asks (views/mathematics/steps.py), at no cost otherwise.
        self.fired: Fired | None = parent.fired if isinstance(parent, Simplifier) else None
        self._known: dict[Any, Wire] = {}
        self.uses: Counter[Wire] = Counter()  # as far as they are known beforehand

    def child(self) -> Simplifier:
        return Simplifier(self.primitives, self)

    def add(self, operation: Operation, inputs: Sequence[Wire]) -> tuple[Wire, ...]:
        if type(operation) is not Call:
            return super().add(operation, inputs)
        own = tuple([self.own(wire) for wire in inputs])
        name = operation.primitive.name
        key = (name, own, *operation.parameters.items())
        wire = self._known.get(key)
        if wire is None:
            for law in self.laws(name):
                wire = law(self, operation.parameters, own)
                if wire is not None:
                    if self.fired is not None:
                        self.tell(law.__name__, law.__doc__ or "")
                    break
            else:
                (wire,) = super().add(operation, own)
            self._known[key] = wire
        elif self.fired is not None:
            self.tell("common_subexpression", "equal nodes are made once (CSE)")
        return (wire,)

    def tell(self, name: str, statement: str) -> None:
        """A law fired: where that is asked for, it is counted."""
        if self.fired is not None:
            self.fired[name.replace("_", " "), " ".join(statement.split())] += 1

    def laws(self, name: str) -> Sequence[Law]:
        """The laws of the primitive `name`, in the order in which they are tried."""
        return LAWS.get(name, ())

    def made_by(self, wire: Wire, name: str) -> Node | None:
        """The node that made `wire`, if it is a use of the primitive `name`."""
        node = self._producer.get(wire)
        if node is not None and type(node.operation) is Call:
            return node if node.operation.primitive.name == name else None
        return None

    def only_here(self, wire: Wire) -> bool:
        """Whether nothing else is known to use the wire."""
        return self.uses.get(wire, 0) <= 1

    def number(self, wire: Wire) -> Any:
        """The number that every entry of `wire` is known to be, or None."""
        node = self._producer.get(wire)
        if node is not None and type(node.operation) is Call:
            if node.operation.primitive.name != "broadcast":
                return None
            node = self._producer[node.inputs[0]]
        if node is None or type(node.operation) is not Constant or node.outputs[0].type.rank:
            return None
        return node.operation.value.item()


def _name(node: Node) -> str:
    assert isinstance(node.operation, Call)
    return node.operation.primitive.name


def _parameters(node: Node) -> Parameters:
    assert isinstance(node.operation, Call)
    return node.operation.parameters


# --- arithmetic ------------------------------------------------------------------------------


def one_times(builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]) -> Wire | None:
    """x · 1 = x = 1 · x"""
    left, right = inputs
    if builder.number(right) == 1:
        return left
    if builder.number(left) == 1 and not parameters.get("conjugate"):
        return right
    return None


def plus_zero(builder: Simplifier, _: Parameters, inputs: tuple[Wire, ...]) -> Wire | None:
    """x + 0 = x = 0 + x"""
    left, right = inputs
    if builder.number(right) == 0:
        return left
    return right if builder.number(left) == 0 else None


def plus_negative(builder: Simplifier, _: Parameters, inputs: tuple[Wire, ...]) -> Wire | None:
    """x + (- y) = x - y = (- y) + x"""
    left, right = inputs
    if node := builder.made_by(right, "negate"):
        return builder.emit("subtract", left, node.inputs[0])
    if node := builder.made_by(left, "negate"):
        return builder.emit("subtract", right, node.inputs[0])
    return None


def minus_zero(builder: Simplifier, _: Parameters, inputs: tuple[Wire, ...]) -> Wire | None:
    """x - 0 = x and 0 - x = - x"""
    left, right = inputs
    if builder.number(right) == 0:
        return left
    return builder.emit("negate", right) if builder.number(left) == 0 else None


def minus_negative(builder: Simplifier, _: Parameters, inputs: tuple[Wire, ...]) -> Wire | None:
    """x - (- y) = x + y"""
    left, right = inputs
    if node := builder.made_by(right, "negate"):
        return builder.emit("add", left, node.inputs[0])
    return None


def same_choice(builder: Simplifier, _: Parameters, inputs: tuple[Wire, ...]) -> Wire | None:
    """select c x x = x"""
    return inputs[1] if inputs[1] is inputs[2] else None


def _twice(name: str) -> Law:
    def law(builder: Simplifier, _: Parameters, inputs: tuple[Wire, ...]) -> Wire | None:
        node = builder.made_by(inputs[0], name)
        return node.inputs[0] if node else None

    law.__name__ = f"{name}_twice"
    law.__doc__ = f"{name} ({name} x) = x"
    return law


# --- movement --------------------------------------------------------------------------------


def reverse_twice(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """reverse (reverse x) = x, along one axis"""
    node = builder.made_by(inputs[0], "reverse")
    if node and _parameters(node) == parameters:
        return node.inputs[0]
    return None


def reshape_of_reshape(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """reshape (reshape x) = reshape x"""
    if node := builder.made_by(inputs[0], "reshape"):
        return builder.emit("reshape", node.inputs[0], **parameters)
    return None


def transpose_of_transpose(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """transpose (transpose x) = transpose x, the permutations composed"""
    if node := builder.made_by(inputs[0], "transpose"):
        inner = _parameters(node)["permutation"]
        permutation = tuple([inner[k] for k in parameters["permutation"]])
        return builder.emit("transpose", node.inputs[0], permutation=permutation)
    return None


def transpose_of_broadcast(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """transpose (broadcast x) = broadcast x, where the axes of x keep their order"""
    if node := builder.made_by(inputs[0], "broadcast"):
        permutation = parameters["permutation"]
        axes = tuple([permutation.index(axis) for axis in _parameters(node)["axes"]])
        if list(axes) == sorted(axes):
            shape = tuple([inputs[0].type.shape[k] for k in permutation])
            return builder.emit("broadcast", node.inputs[0], shape=shape, axes=axes)
    return None


def broadcast_of_broadcast(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """broadcast (broadcast x) = broadcast x"""
    if node := builder.made_by(inputs[0], "broadcast"):
        axes = tuple([parameters["axes"][axis] for axis in _parameters(node)["axes"]])
        return builder.emit("broadcast", node.inputs[0], shape=parameters["shape"], axes=axes)
    return None


def _of_broadcasts(name: str) -> Law:
    def law(builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]) -> Wire | None:
        nodes = [builder.made_by(wire, "broadcast") for wire in inputs]
        first, other = nodes
        if first is None or other is None or _parameters(first) != _parameters(other):
            return None
        if first.inputs[0].type != other.inputs[0].type:
            return None
        one = builder.emit(name, first.inputs[0], other.inputs[0], **parameters)
        return builder.emit("broadcast", one, **_parameters(first))

    law.__name__ = f"{name}_of_broadcasts"
    law.__doc__ = f"{name} (broadcast x) (broadcast y) = broadcast ({name} x y)"
    return law


def sum_of_broadcast(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """sum (broadcast x) = broadcast (sum x), as many times as x was repeated along the axes
    summed"""
    node = builder.made_by(inputs[0], "broadcast")
    if node is None:
        return None
    shape, places, summed = inputs[0].type.shape, _parameters(node)["axes"], parameters["axes"]
    x = node.inputs[0]
    own = tuple([k for k, axis in enumerate(places) if axis in summed])
    total = builder.emit("sum", x, axes=own)
    times = prod([shape[axis] for axis in summed if axis not in places])
    if times != 1:
        number = builder.constant(times, x.type.kind)
        total = builder.emit(
            "mul", total, builder.emit("broadcast", number, shape=total.type.shape, axes=())
        )
    rest = [axis for axis in range(len(shape)) if axis not in summed]
    return builder.emit(
        "broadcast", total, shape=tuple([shape[axis] for axis in rest]),
        axes=tuple([rest.index(axis) for axis in places if axis in rest]),
    )  # fmt: skip


def sum_of_sum(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """sum (sum x) = sum x, over the axes of both"""
    if node := builder.made_by(inputs[0], "sum"):
        first, rank = _parameters(node)["axes"], node.inputs[0].type.rank
        kept = [axis for axis in range(rank) if axis not in first]
        axes = sorted([*first, *(kept[axis] for axis in parameters["axes"])])
        return builder.emit("sum", node.inputs[0], axes=tuple(axes))
    return None


def sum_of_transpose(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """sum (transpose x) = transpose (sum x)"""
    if node := builder.made_by(inputs[0], "transpose"):
        permutation = _parameters(node)["permutation"]
        axes = tuple(sorted(permutation[axis] for axis in parameters["axes"]))
        kept = [k for k in range(len(permutation)) if k not in axes]
        order = [kept.index(k) for k in permutation if k not in axes]
        total = builder.emit("sum", node.inputs[0], axes=axes)
        return builder.emit("transpose", total, permutation=tuple(order))
    return None


def slice_of_transpose(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """slice (transpose x) = transpose (slice x): less is moved"""
    if node := builder.made_by(inputs[0], "transpose"):
        permutation = _parameters(node)["permutation"]
        axis = permutation[parameters["axis"]]
        piece = builder.emit("slice", node.inputs[0], **{**parameters, "axis": axis})
        return builder.emit("transpose", piece, permutation=permutation)
    return None


def slice_of_slice(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """slice (slice x) = slice x, along one axis without strides"""
    node = builder.made_by(inputs[0], "slice")
    if node is None:
        return None
    inner = _parameters(node)
    if inner["axis"] != parameters["axis"] or inner["stride"] != 1 or parameters["stride"] != 1:
        return None
    start, stop = (inner["start"] + parameters[end] for end in ("start", "stop"))
    return builder.emit("slice", node.inputs[0], **{**parameters, "start": start, "stop": stop})


def slice_of_concat(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """a slice of x ++ y that lies within x, or within y, is a slice of that"""
    node = builder.made_by(inputs[0], "concat")
    if node is None or _parameters(node)["axis"] != parameters["axis"]:
        return None
    begin = 0
    for part in node.inputs:
        end = begin + part.type.shape[parameters["axis"]]
        if begin <= parameters["start"] and parameters["stop"] <= end:
            start, stop = parameters["start"] - begin, parameters["stop"] - begin
            return builder.emit("slice", part, **{**parameters, "start": start, "stop": stop})
        begin = end
    return None


def last_of_loop(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """last (scan f s xs) = fold f s xs: the state stacked at the last step is the final
    state"""
    node = builder.producer(inputs[0])
    if node is None or not isinstance(node.operation, Loop) or parameters["axis"] != 0:
        return None
    loop = node.operation
    if loop.counted:  # its last step may not be made
        return None
    place = 0 if loop.reverse else loop.length - 1
    if (parameters["start"], parameters["stop"]) != (place, place + 1):
        return None
    results = loop.body.outputs
    stacked = results[node.outputs.index(inputs[0])]
    if inputs[0] in node.outputs[: loop.carried] or stacked not in results[: loop.carried]:
        return None
    final = node.outputs[results.index(stacked)]
    return builder.emit("reshape", final, shape=(1, *final.type.shape))


def gather_at_constant(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """x ! k = a slice of x, where the index k is known"""
    x, index = inputs
    place = None if index.type.rank else builder.number(index)
    if place is None:
        return None
    axis = parameters["axis"]
    shape = x.type.shape
    place = min(max(place, 0), shape[axis] - 1)
    piece = builder.emit("slice", x, axis=axis, start=place, stop=place + 1, stride=1)
    return builder.emit("reshape", piece, shape=(*shape[:axis], *shape[axis + 1 :]))


def scatter_at_constant(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """scatterAdd k w = w with zeros before and after it, where the index k is known"""
    w, index = inputs
    place = None if index.type.rank else builder.number(index)
    if place is None:
        return None
    axis, size = parameters["axis"], parameters["size"]
    shape = w.type.shape
    place = min(max(place, 0), size - 1)
    row = builder.emit("reshape", w, shape=(*shape[:axis], 1, *shape[axis:]))
    return builder.emit("pad", row, axis=axis, low=place, high=size - 1 - place, interior=0)


def choice_of_scatter(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """select m (scatterAdd k w) 0 = scatterAdd k (select m w 0), for a mask m that is the
    same along the axis scattered over; a transpose may stand between"""
    mask = builder.made_by(inputs[0], "broadcast")
    for place, other in ((1, 2), (2, 1)) if mask else ():
        turned = builder.made_by(inputs[place], "transpose")
        scattered = turned.inputs[0] if turned else inputs[place]
        node = builder.made_by(scattered, "scatterAdd")
        if node is None or builder.number(inputs[other]) != 0:
            continue
        if not builder.only_here(scattered) or not builder.only_here(inputs[place]):
            continue
        (w, index), inner = node.inputs, _parameters(node)
        axis, positions = inner["axis"], index.type.rank - inner.get("together", 0)
        assert mask is not None
        axes = list(_parameters(mask)["axes"])
        if turned:
            axes = [_parameters(turned)["permutation"][k] for k in axes]
        if axis in axes:
            continue
        axes = [k if k < axis else k + positions - 1 for k in axes]
        order = tuple(sorted(range(len(axes)), key=axes.__getitem__))
        taken = builder.emit("transpose", mask.inputs[0], permutation=order)
        here = builder.emit("broadcast", taken, shape=w.type.shape, axes=tuple(sorted(axes)))
        cases = {place: w, other: builder.zeros(w.type)}
        chosen = builder.emit("select", here, cases[1], cases[2])
        answer = builder.emit("scatterAdd", chosen, index, **inner)
        return builder.emit("transpose", answer, **_parameters(turned)) if turned else answer
    return None


def sum_of_scatter(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """sum (scatterAdd k w) = scatterAdd k (sum w), along axes that are not scattered over;
    where every element summed has indices of its own, scatterAdd of all at once"""
    node = builder.made_by(inputs[0], "scatterAdd")
    if node is None or not builder.only_here(inputs[0]):
        return None
    (w, index), inner = node.inputs, dict(_parameters(node))
    together, axis = inner.get("together", 0), inner["axis"]
    positions, axes = index.type.rank - together, parameters["axes"]
    joined = [k for k in axes if k < together]
    if axis in axes or (joined and len(joined) < together):
        return None
    plain = [k for k in axes if k >= together]
    if plain:
        above = tuple([k if k < axis else k + positions - 1 for k in plain])
        w = builder.emit("sum", w, axes=above)
        axis -= sum(k < axis for k in plain)
    if joined:
        order = (*range(together, axis), *range(together), *range(axis, w.type.rank))
        w = builder.emit("transpose", w, permutation=order)
        del inner["together"]
        axis -= together
    return builder.emit("scatterAdd", w, index, **{**inner, "axis": axis})


# --- contraction -----------------------------------------------------------------------------


def transpose_of_contract(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """transpose (contract x y) = contract x y, with the labels of the result moved; the
    same for convolve"""
    node = builder.made_by(inputs[0], "contract") or builder.made_by(inputs[0], "convolve")
    if node is not None and builder.only_here(inputs[0]):
        inner = _parameters(node)
        out = tuple([inner["out"][k] for k in parameters["permutation"]])
        return builder.emit(_name(node), *node.inputs, **{**inner, "out": out})
    return None


def contract_of_transpose(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """contract (transpose x) y = contract x y, with the labels of x moved"""
    for k, side in enumerate(("left", "right")):
        if node := builder.made_by(inputs[k], "transpose"):
            labels = parameters[side]
            permutation = _parameters(node)["permutation"]
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
        axes, out = _parameters(node)["axes"], parameters["out"]
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
        inner = _parameters(node)
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
        return builder.emit(_name(node), *terms)
    return None


def _repeated(builder: Simplifier, wire: Wire, labels: Labels) -> Labels:
    """The labels of the axes along which a wire is a repetition."""
    node = builder.made_by(wire, "broadcast")
    if node is None:
        return ()
    axes = _parameters(node)["axes"]
    return tuple([label for axis, label in enumerate(labels) if axis not in axes])


def sum_of_contract(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """sum (contract x y) = contract x y, the label of both summed in the product; an
    axis that only one of them has is summed in it before"""
    node = builder.made_by(inputs[0], "contract")
    if node is None or not builder.only_here(inputs[0]):
        return None
    inner = dict(_parameters(node))
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
    if _name(node) in ("add", "subtract", "negate", "transpose"):
        return all(_contracts(builder, operand) for operand in node.inputs)
    return _name(node) == "contract"


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
    if mask is None or tuple(_parameters(mask)["axes"]) != tuple(parameters["axes"]):
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
        inner = _parameters(product)
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


def contract_of_windows(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """contract (windows x) k = convolve x k: a window map of a linear map is a
    convolution. The window's axes may have been joined by a reshape."""
    if parameters.get("conjugate"):
        return None
    for k, side in enumerate(("left", "right")):
        operand, kernel = inputs[k], inputs[1 - k]
        labels, right = parameters[side], parameters["right" if side == "left" else "left"]
        node = builder.made_by(operand, "windows")
        if node is None and (reshape := builder.made_by(operand, "reshape")):
            node = builder.made_by(reshape.inputs[0], "windows")
            if node is None:
                continue
            split = _split(node.outputs[0].type, operand.type, labels, right, kernel)
            if split is None:
                continue
            labels, right, shape = split
            kernel = builder.emit("reshape", kernel, shape=shape)
        if node is None or node.inputs[0].type.kind != "R":
            continue
        windows, out = _parameters(node), parameters["out"]
        axis, count = windows["axis"], len(windows["sizes"])
        positions = labels[axis : axis + count]
        window = labels[axis + count : axis + 2 * count]
        if any(label not in out or label in right for label in positions):
            continue
        if any(label not in right or label in out for label in window):
            continue
        x, padding = _unpadded(builder, node.inputs[0], range(axis, axis + count))
        there = dict(zip(window, positions, strict=True))
        return builder.emit(
            "convolve", x, kernel,
            left=(*labels[:axis], *positions, *labels[axis + 2 * count :]),
            right=tuple([there.get(label, label) for label in right]),
            out=out, spatial=positions, strides=tuple(windows["strides"]), padding=padding,
            left_dilation=(1,) * count, right_dilation=tuple(windows["dilations"]), flip=False,
        )  # fmt: skip
    return None


def _split(
    before: ArrayType, after: ArrayType, labels: Labels, right: Labels, kernel: Wire
) -> tuple[Labels, Labels, tuple[int, ...]] | None:
    """The labels of an operand before a reshape that joined neighbouring axes, the
    labels of the kernel with the same axes split, and its shape then."""
    groups = _joined(before.shape, after.shape)
    if groups is None:
        return None
    new = max((*labels, *right), default=-1) + 1
    split: dict[int, list[tuple[int, int]]] = {}  # label -> labels and sizes of its parts
    mine: list[int] = []
    for label, group in zip(labels, groups, strict=True):
        if len(group) == 1:
            mine.append(label)
        elif label not in right:
            return None
        else:
            split[label] = [(new + k, before.shape[axis]) for k, axis in enumerate(group)]
            new += len(group)
            mine.extend(each for each, _ in split[label])
    theirs: list[int] = []
    shape: list[int] = []
    for label, size in zip(right, kernel.type.shape, strict=True):
        for each, length in split.get(label, [(label, size)]):
            theirs.append(each)
            shape.append(length)
    return tuple(mine), tuple(theirs), tuple(shape)


def _joined(before: Sequence[int], after: Sequence[int]) -> list[list[int]] | None:
    """For each axis after a reshape, the neighbouring axes before that it joins."""
    groups: list[list[int]] = []
    axis = 0
    for size in after:
        group = [axis]
        if axis >= len(before):
            return None
        total = before[axis]
        axis += 1
        while axis < len(before) and (
            total < size or _alone(before[axis:], after[len(groups) + 1 :])
        ):
            total *= before[axis]
            group.append(axis)
            axis += 1
        if total != size:
            return None
        groups.append(group)
    return groups if axis == len(before) else None


def _alone(before: Sequence[int], after: Sequence[int]) -> bool:
    """Whether the next axis before has one entry and no counterpart after."""
    return before[0] == 1 and (not after or after[0] != 1)


def _unpadded(
    builder: Simplifier, wire: Wire, axes: Sequence[int]
) -> tuple[Wire, tuple[tuple[int, int], ...]]:
    """The wire before zeros were put around it along `axes`, and how many."""
    padding = dict.fromkeys(axes, (0, 0))
    while node := builder.made_by(wire, "pad"):
        pad = _parameters(node)
        axis, low, high = pad["axis"], pad["low"], pad["high"]
        if axis not in padding or pad["interior"] or low < 0 or high < 0:
            break
        before, after = padding[axis]
        padding[axis] = (before + low, after + high)
        wire = node.inputs[0]
    return wire, tuple(padding.values())


def concat_of_concat(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """(x ++ y) ++ z = x ++ y ++ z, in one piece"""
    flat: list[Wire] = []
    for wire in inputs:
        node = builder.made_by(wire, "concat")
        inside = node is not None and _parameters(node)["axis"] == parameters["axis"]
        flat.extend(node.inputs if node is not None and inside else (wire,))
    return builder.emit("concat", *flat, **parameters) if len(flat) > len(inputs) else None


LAWS: dict[str, tuple[Law, ...]] = {
    "mul": (one_times, _of_broadcasts("mul")),
    "add": (plus_zero, plus_negative, _of_broadcasts("add")),
    "subtract": (minus_zero, minus_negative, _of_broadcasts("subtract")),
    "negate": (_twice("negate"),),
    "conj": (_twice("conj"),),
    "not": (_twice("not"),),
    "select": (same_choice, choice_of_scatter),
    "reverse": (reverse_twice,),
    "slice": (slice_of_slice, slice_of_transpose, slice_of_concat, last_of_loop),
    "gather": (gather_at_constant,),
    "scatterAdd": (scatter_at_constant,),
    "reshape": (reshape_of_reshape,),
    "transpose": (transpose_of_transpose, transpose_of_contract, transpose_of_broadcast),
    "broadcast": (broadcast_of_broadcast,),
    "sum": (
        sum_of_contract,
        sum_of_broadcast,
        sum_of_terms,
        sum_of_choice,
        sum_of_scatter,
        sum_of_transpose,
        sum_of_sum,
    ),
    "contract": (
        contract_of_transpose,
        contract_of_broadcast,
        contract_of_difference,
        contract_of_windows,
        contract_of_outer_products,
    ),
    "concat": (concat_of_concat,),
}
