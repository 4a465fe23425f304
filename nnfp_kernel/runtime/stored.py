"""Weights on disk: a safetensors file with an array for each path.

    "cell.W"          a weight that is one array
    "cell.p.0", …     one of several arrays that a weight of product type is laid out as

The format has no complex numbers: they have one more axis, with the real and the imaginary
part.

Any program that reads safetensors reads them, and nothing in them is run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy

from ..graph.values import Declarations
from ..language.diagnostics import Diagnostic, Label, NnfpError
from ..language.reach import ReachedWeight, WeightPath
from ..language.syntax import NOWHERE
from .exchange import flatten, rebuild
from .files import reason, write_whole

Array = Any


def write(
    file: str | Path,
    weights: Mapping[WeightPath, Any],
    reached: Sequence[ReachedWeight],
    declarations: Declarations,
) -> None:
    """Write the values of the weights `reached`, all or nothing: a file that was there
    stays as it was until the new one is whole. Raises NnfpError where it cannot."""
    from safetensors.numpy import save

    arrays: dict[str, numpy.ndarray] = {}
    for weight in reached:
        parts = flatten(weights[weight.path], weight.type, declarations, lambda x, _: x)
        found = (numpy.array(as_real(numpy.asarray(part)), order="C") for part in parts)
        arrays.update(zip(_keys(weight, declarations), found, strict=True))
    try:
        write_whole(Path(file), save(arrays, metadata={"format": "nnfp"}))
    except OSError as error:
        raise _unusable(file, "written", reason(error)) from None


def read(
    file: str | Path, name: str, reached: Sequence[ReachedWeight], declarations: Declarations
) -> dict[WeightPath, Any]:
    """The values of the weights that `name` reaches; what else is in the file stays there.

    Raises NnfpError for what is no safetensors file and for a weight it does not hold.
    Whether shapes fit is for the reader to check.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(Path(file).read_bytes())
    except OSError as error:
        raise _unusable(file, "read", reason(error)) from None
    except SafetensorError:
        raise _unusable(file, "read", "it is no safetensors file") from None
    values: dict[WeightPath, Any] = {}
    for weight in reached:
        keys = _keys(weight, declarations)
        missing = [key for key in keys if key not in arrays]
        if missing:
            held = ", ".join(sorted(arrays)) or "none"
            raise NnfpError(
                Diagnostic(
                    "stored-weight-missing",
                    f"{file} holds no weight called {missing[0]}",
                    Label(weight.span or NOWHERE, f"{name} needs it"),
                    (),
                    (f"It holds: {held}.",),
                )
            )
        layout = declarations.layout(weight.type)
        found = (
            as_complex(arrays[key])
            if array.kind == "C" and arrays[key].shape == (*array.shape, 2)
            else arrays[key]
            for key, array in zip(keys, layout, strict=True)
        )
        values[weight.path] = rebuild(weight.type, found, declarations)
    return values


def as_real(array: numpy.ndarray) -> numpy.ndarray:
    """Complex numbers as pairs along one more axis; real ones as they are.

    >>> as_real(numpy.array([1 + 2j])).tolist()
    [[1.0, 2.0]]
    """
    if array.dtype.kind != "c":
        return array
    return numpy.stack([array.real, array.imag], axis=-1)


def as_complex(array: numpy.ndarray) -> numpy.ndarray:
    """Pairs along the last axis as complex numbers, to the same bits.

    >>> as_complex(numpy.array([[1.0, 2.0]])).tolist()
    [(1+2j)]
    """
    dtype = numpy.result_type(array.dtype, numpy.complex64)
    return numpy.ascontiguousarray(array).view(dtype)[..., 0]


def _keys(weight: ReachedWeight, declarations: Declarations) -> list[str]:
    """The names in a file of the arrays that make up a weight."""
    path, parts = ".".join(weight.path), len(declarations.layout(weight.type))
    return [path] if parts == 1 else [f"{path}.{k}" for k in range(parts)]


def _unusable(file: str | Path, how: str, why: str) -> NnfpError:
    title = f"{file} cannot be {how}: {why}"
    return NnfpError(Diagnostic("weights-file", title, Label(NOWHERE)))


__all__ = ["as_complex", "as_real", "read", "write"]
