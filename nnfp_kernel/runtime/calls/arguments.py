"""What a call's graph takes, as arrays: the inputs, then what is the same for all examples.

    f x = W @ x + b          arrays(…) = [x, W, b]

The weights come nested by path, as Python has them; after them what the program has from
Python by name, and the random key, where it draws. What does not fit is told with the place
where the program says what it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ...language import typed as p
from ...language.reach import WeightPath
from ...language.source import Span
from ..exchange import Misfit, flatten, lookup, match, numbers, one_key, paths_of
from . import misfits
from .call import Call
from .specialise import Calls
from .traced import WeightInputs

Array = Any
NestedWeights = Mapping[str, Any]


def input_arrays(calls: Calls, call: Call, inputs: Sequence[Any]) -> list[Array]:
    """The arrays of the inputs, which were looked at when the call was found."""
    quick = None if call.fast is None else call.fast.arrays(inputs)
    return laid_out(calls, call, inputs) if quick is None else quick


def laid_out(calls: Calls, call: Call, values: Sequence[Any]) -> list[Array]:
    """The same of values that have the inputs' types: their tangents, say."""
    declarations = calls.program.declarations
    number = numbers(calls.program.precision)
    pairs = zip(call.types, values, strict=True)
    return [a for type, value in pairs for a in flatten(value, type, declarations, number)]


def held_arrays(
    calls: Calls,
    call: Call,
    weights: NestedWeights,
    key: Array,
    present: Callable[[], NestedWeights],
) -> list[Array]:
    """The arrays that are the same for all examples: all but the inputs. `present` gives the
    session's weights, for those that are held constant. Without a key, all but that."""
    quick = None if call.fast is None else call.fast.held(weights)
    arrays = weight_arrays(calls, call.traced.weights, weights) if quick is None else quick
    if call.traced.present:
        arrays.extend(weight_arrays(calls, call.traced.present, present()))
    arrays.extend(call.traced.external_arrays())
    if call.traced.draws and key is not None:
        arrays.append(key)
    return arrays


def weight_arrays(
    calls: Calls, wanted: Sequence[WeightInputs], weights: NestedWeights
) -> list[Array]:
    """The arrays of weights, or of their tangents. Raises NnfpError for one that is missing,
    or has another shape."""
    return list(_weight_arrays(calls, wanted, weights))


def _weight_arrays(
    calls: Calls, wanted: Sequence[WeightInputs], weights: NestedWeights
) -> Iterator[Array]:
    declarations = calls.program.declarations
    number = numbers(calls.program.precision)
    for weight in wanted:
        value = lookup(weights, weight.path)
        name = ".".join(weight.path)
        if value is None:
            paths = paths_of(weights) if isinstance(weights, Mapping) else ()
            found = [".".join(path) for path, _ in paths]
            raise misfits.weight_missing(calls, name, found, _hole(calls, weight.path))
        try:
            match(weight.type, value, declarations, f"the weight {name}")
        except Misfit as misfit:
            hole = _hole(calls, weight.path)
            raise misfits.weight_misfit(calls, misfit, name, hole) from None
        yield from flatten(value, weight.type, declarations, number)


def random_key(calls: Calls, key: Array, draws: bool = True) -> Array:
    """The key for random draws, which the session makes when it is asked for. Raises
    NnfpError for none, and for what is no key; where nothing `draws`, for that alone."""
    if not draws and (key is None or callable(key)):
        return key
    if key is None:
        raise misfits.key_missing(calls, _drawing(calls))
    if callable(key):
        key = key()
    try:
        return one_key(key)
    except Misfit as misfit:
        drawing = _drawing(calls) if draws else None
        raise misfits.key_misfit(calls, misfit, drawing, draws) from None


def _hole(calls: Calls, path: WeightPath) -> Span | None:
    """Where the hole of a weight is written."""
    return next((weight.span for weight in calls.reached if weight.path == path), None)


def _drawing(calls: Calls) -> Span | None:
    """Where it draws, if that is in its own definition."""
    return next(
        (
            node.span
            for node in p.nodes(calls.definition.body)
            if isinstance(node, p.Builtin) and node.name == "draw"
        ),
        None,
    )
