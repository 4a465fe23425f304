"""Tangents and cotangents between Python and the graph of a call.

    f : R[3] -> R[2]
    tangent_arrays       a tangent of each input and weight      as the pushforward takes them
    cotangent_arrays     a cotangent of the value, in R[2]       as the pullback takes it
    gradients            what the pullback gives                 by path, and for each input

Each has the type of what it belongs to; of what does not move, an integer or the tag of a
constructor, it is (), or left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import numpy

from ...graph.chosen import chosen_in
from ...language.reach import WeightPath
from ..exchange import (
    DataValue,
    Misfit,
    lookup,
    match,
    numbers,
    rebuild,
    shaped,
    unflatten_paths,
)
from ..forest import PackedTrees, Planted, forests_in, packed_like
from ..lower import DTYPES, Precision
from . import misfits
from .arguments import laid_out, weight_arrays
from .batches import leaves
from .call import Call
from .specialise import Calls

Array = Any
NestedWeights = Mapping[str, Any]


# --- tangents in ------------------------------------------------------------------------


def tangent_arrays(
    calls: Calls,
    call: Call,
    inputs: Sequence[Any],
    dweights: NestedWeights,
    dinputs: Sequence[Any],
) -> list[Array]:
    """The tangents of what a call is differentiated in, as arrays."""
    moved = _packed_tangents(calls, inputs, dinputs)
    _check_tangents(calls, call, inputs, moved)
    whole = [
        *laid_out(calls, call, moved),
        *weight_arrays(calls, call.traced.weights, dweights),
    ]
    return [array for array, active in zip(whole, call.active, strict=False) if active]


def _packed_tangents(calls: Calls, inputs: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
    moved = list(tangents)
    for k, (value, tangent) in enumerate(zip(inputs, tangents, strict=False)):
        try:
            moved[k] = packed_like(value, tangent)
        except Misfit as misfit:
            raise misfits.input_misfit(calls, misfit, k) from None
    return moved


def _check_tangents(
    calls: Calls, call: Call, inputs: Sequence[Any], tangents: Sequence[Any]
) -> None:
    """A tangent has the type of what it moves; in the place of what cannot move
    anything may stand, () or the value itself."""
    declarations = calls.program.declarations
    if len(tangents) != len(inputs):
        raise misfits.number_of_tangents(calls, len(inputs), len(tangents))
    for k, (type, tangent) in enumerate(zip(call.types, tangents, strict=True), 1):
        if declarations.one_by_one(type):
            continue  # of the shape of the tree, which was looked at in packing
        if not any(array.differentiable for array in declarations.layout(type)):
            continue
        try:
            match(type, tangent, declarations, f"the tangent of input {k}")
        except Misfit as misfit:
            raise misfits.input_misfit(calls, misfit, k - 1) from None


# --- cotangents in ----------------------------------------------------------------------


def cotangent_arrays(
    calls: Calls, call: Call, cotangent: Any, outputs: Sequence[Array], inputs: Sequence[Any]
) -> list[Array]:
    """A cotangent of the value that these outputs make up, as arrays. Raises NnfpError for
    one that has not its form."""
    precision = calls.program.precision
    try:
        arrays = _laid_out(call, precision, cotangent, outputs, forests_in(inputs))
    except _Unlike as unlike:
        raise misfits.cotangent_misfit(calls, *unlike.args) from None
    number = numbers(precision)
    wires = [wire for wire in _own(call) if wire.type.differentiable]
    return [number(array, wire.type.kind) for array, wire in zip(arrays, wires, strict=True)]


def cotangent_rows(calls: Calls, call: Call, rows: Sequence[tuple[Any, Any]]) -> list[Array]:
    """The cotangents of a run of a batch, each beside its value, padded as the answers
    are; zero for rows to spare."""
    own = _own(call)
    dtypes = DTYPES[calls.program.precision]
    columns = [numpy.zeros(wire.type.shape, dtypes[wire.type.kind]) for wire in own]
    for row, (value, cotangent) in enumerate(rows):
        shapes = [numpy.shape(leaf) for leaf in leaves(value)]
        flat = list(leaves(cotangent))
        if [numpy.shape(leaf) for leaf in flat] != shapes or len(flat) != len(own):
            raise misfits.cotangent_misfit(calls, cotangent)
        for whole, leaf in zip(columns, flat, strict=True):
            index: tuple[Any, ...] = (row, *map(slice, numpy.shape(leaf)))
            whole[index] = leaf
    pairs = zip(own, columns, strict=True)
    return [column for wire, column in pairs if wire.type.differentiable]


class _Unlike(Exception):
    """A part of a cotangent that is not as its value: that part, and what was expected."""


def _own(call: Call) -> list[Any]:
    """The wires of the answer's own numbers, not those of the lengths of its sequences."""
    lengths = call.traced.answer.lengths
    return [wire for k, wire in enumerate(call.traced.answers) if k not in lengths]


def _laid_out(
    call: Call,
    precision: Precision,
    cotangent: Any,
    outputs: Sequence[Array],
    forests: Sequence[PackedTrees],
) -> list[Array]:
    if forests:
        answer = call.traced.answer.rebuild(iter(outputs))
        cotangent = _uprooted(answer, cotangent, forests, precision)
    flat = (
        _tagged(call, precision, cotangent, outputs)
        or _of_weights(call, cotangent)
        or list(leaves(cotangent))
    )
    wires = _own(call)
    wanted = [wire for wire in wires if wire.type.differentiable]
    if len(flat) == len(wires):
        flat = [a for a, wire in zip(flat, wires, strict=True) if wire.type.differentiable]
    if call.traced.answer.lengths and len(flat) == len(wanted):  # padded, as the answer was cut
        flat = [_padded(a, wire.type.shape) for a, wire in zip(flat, wanted, strict=True)]
    if [tuple(getattr(a, "shape", ())) for a in flat] != [wire.type.shape for wire in wanted]:
        raise _Unlike(cotangent)
    return flat


def _uprooted(
    answer: Any, cotangent: Any, forests: Sequence[PackedTrees], precision: Precision
) -> Any:
    """A cotangent in which there is the payload of a tree where a forest gave one."""
    if isinstance(answer, Planted):
        forest, number = forests[answer.origin], numbers(precision)
        try:
            return tuple(forest.payload_of(answer.type, 0, cotangent, number))
        except Misfit as misfit:
            raise _Unlike(cotangent, misfit.expected) from None
    if isinstance(answer, DataValue) and isinstance(cotangent, DataValue):
        if answer.constructor != cotangent.constructor:
            raise _Unlike(cotangent)
        fields = _uprooted(answer.fields, cotangent.fields, forests, precision)
        return DataValue(answer.constructor, fields)
    if isinstance(answer, tuple | list) and isinstance(cotangent, tuple | list):
        if len(answer) != len(cotangent):
            raise _Unlike(cotangent)
        pairs = zip(answer, cotangent, strict=True)
        return tuple(_uprooted(part, other, forests, precision) for part, other in pairs)
    return cotangent


def _of_weights(call: Call, cotangent: Any) -> list[Array]:
    """The cotangent of an answer with weights in it, nested dicts by path, in the order of
    the answer's arrays. Empty for any other cotangent."""
    if not any(isinstance(leaf, Mapping) for leaf in leaves(cotangent)):
        return []
    found: dict[int, Array] = {}

    def beside(place: Any, part: Any) -> None:
        if isinstance(place, Mapping) and isinstance(part, Mapping):
            if place.keys() != part.keys():
                raise _Unlike(cotangent)
            for key, inner in place.items():
                beside(inner, part[key])
        elif isinstance(place, tuple) and isinstance(part, tuple | list):
            if len(place) != len(part):
                raise _Unlike(cotangent)
            for inner, other in zip(place, part, strict=True):
                beside(inner, other)
        else:
            found[place] = part

    beside(call.traced.answer.rebuild(iter(range(len(call.traced.answers)))), cotangent)
    return [found[k] for k in sorted(found)]


def _tagged(
    call: Call, precision: Precision, cotangent: Any, outputs: Sequence[Array]
) -> list[Array]:
    """The cotangent of data whose constructors are only known by their tags, laid out as
    the answer: zero where the answer has nothing. Empty for any other answer.

    The answer is put together once more of the places of its numbers, which says where
    each number of the cotangent belongs.
    """
    answer = call.traced.answer
    chosen = any(chosen_in(call.traced.value))
    if not answer.tags - answer.lengths or not (
        chosen or any(isinstance(leaf, DataValue) for leaf in leaves(cotangent, of_data=False))
    ):
        return []
    places, count = [], 1  # 0 is what the answer makes up, beyond the end of a grown tree
    wires = call.traced.answers
    for k, wire in enumerate(wires):
        if k in answer.tags:
            places.append(outputs[k])
        elif wire.type.differentiable:
            size = numpy.prod(wire.type.shape, dtype=int)
            places.append(numpy.arange(count, count + size).reshape(wire.type.shape))
            count += size
        else:
            places.append(())
    import jax.numpy

    kind = "C" if any(wire.type.kind == "C" for wire in wires) else "R"
    flat = jax.numpy.zeros(count, DTYPES[precision][kind])
    tags = {id(outputs[k]) for k in answer.tags}
    for place, part in _beside(answer.rebuild(iter(places)), cotangent, cotangent, tags):
        flat = flat.at[place].add(part)  # a tree that stands in it twice moves once
    real = flat.real
    return [
        (flat if wires[k].type.kind == "C" else real)[place]
        if isinstance(place, numpy.ndarray)
        else outputs[k]
        for k, place in enumerate(places)
        if k not in answer.lengths
    ]


def _beside(place: Any, part: Any, whole: Any, tags: Set[int]) -> Iterator[tuple[Any, Any]]:
    """The places of an answer, each with the part of a cotangent that belongs there."""
    if isinstance(place, DataValue):
        if not isinstance(part, DataValue) or part.constructor != place.constructor:
            raise _Unlike(whole, "the constructor of the value")
        place, part = place.fields, part.fields
    if isinstance(place, Planted):
        place = tuple(() if id(own) in tags else own for own in place.payload)
    if isinstance(place, tuple | list) and place:
        if not isinstance(part, tuple | list) or len(part) != len(place):
            raise _Unlike(whole)
        for inner, other in zip(place, part, strict=True):
            yield from _beside(inner, other, whole, tags)
    elif not isinstance(place, tuple | list):
        if numpy.shape(part) != numpy.shape(place):
            raise _Unlike(whole)
        yield numpy.asarray(place, int), part


def _padded(array: Any, shape: tuple[int, ...]) -> Any:
    """The array with zeros behind it on every axis, where it is smaller than `shape`."""
    import jax.numpy

    array = jax.numpy.asarray(array)
    if (
        array.shape == shape
        or array.ndim != len(shape)
        or any(n > m for n, m in zip(array.shape, shape, strict=True))
    ):
        return array
    return jax.numpy.pad(array, [(0, m - n) for n, m in zip(array.shape, shape, strict=True)])


# --- gradients out ----------------------------------------------------------------------


def require_scalar(calls: Calls, call: Call, batch: int | None) -> None:
    """Raise NnfpError unless a call, of so many examples, gives one number for each."""
    outputs = call.traced.answers
    shape = () if batch is None else (batch,)
    if len(outputs) != 1 or outputs[0].type.shape != shape or outputs[0].type.kind != "R":
        raise misfits.not_an_objective(calls)


def gradients(
    calls: Calls,
    call: Call,
    weights: NestedWeights,
    inputs: Sequence[Any],
    arrays: Sequence[Array],
) -> tuple[Any, ...]:
    """What a pullback gives: the weights' gradients by path, and the gradient of each input."""
    declarations = calls.program.declarations
    active = iter(call.active)
    supply = iter(arrays)
    found = []
    for type, value, count in zip(call.types, inputs, call.traced.counts, strict=True):
        parts = [next(supply) if next(active) else () for _ in range(count)]
        found.append(shaped(type, value, iter(parts), declarations))
    return weight_gradients(calls, call, weights, supply), *found


def weight_gradients(
    calls: Calls, call: Call, weights: NestedWeights, supply: Iterator[Array]
) -> dict[str, Any]:
    """Gradients by path, of all weights the definition reaches: zero for those that this
    call had no use for."""
    declarations = calls.program.declarations
    by_path: dict[WeightPath, Any] = {}
    used = {weight.path for weight in call.traced.weights}
    if calls.name in calls.program.definitions:
        for reached in calls.reached:
            value = lookup(weights, reached.path)
            if value is not None:
                by_path[reached.path] = () if reached.path in used else _zeros_like(value)
    for weight in call.traced.weights:
        own = [
            next(supply) if array.differentiable else ()
            for array in declarations.layout(weight.type)
        ]
        by_path[weight.path] = rebuild(weight.type, iter(own), declarations)
    return unflatten_paths(by_path)


def _zeros_like(value: Any) -> Any:
    import jax

    return jax.tree.map(jax.numpy.zeros_like, value)
