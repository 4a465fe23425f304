"""Weights on disk: a safetensors file with an array for each path.

    "cell.W"          a weight that is one array
    "cell.p.0", …     one of several arrays that a weight of product type is laid out as

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

Array = Any


def write(
    file: str | Path,
    weights: Mapping[WeightPath, Any],
    reached: Sequence[ReachedWeight],
    declarations: Declarations,
) -> None:
    """Write the values of the weights `reached`. Raises NnfpError where it cannot."""
    from safetensors.numpy import save

    arrays: dict[str, numpy.ndarray] = {}
    for weight in reached:
        parts = flatten(weights[weight.path], weight.type, declarations, lambda x, _: x)
        found = (numpy.asarray(part, order="C") for part in parts)
        arrays.update(zip(_keys(weight, declarations), found, strict=True))
    try:
        Path(file).write_bytes(save(arrays, metadata={"format": "nnfp"}))
    except OSError as error:
        raise _unusable(file, "written", _reason(error)) from None


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
        raise _unusable(file, "read", _reason(error)) from None
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
        values[weight.path] = rebuild(weight.type, (arrays[key] for key in keys), declarations)
    return values


def _keys(weight: ReachedWeight, declarations: Declarations) -> list[str]:
    """The names in a file of the arrays that make up a weight."""
    path, parts = ".".join(weight.path), len(declarations.layout(weight.type))
    return [path] if parts == 1 else [f"{path}.{k}" for k in range(parts)]


def _reason(error: OSError) -> str:
    return (error.strerror or "the system refuses").lower()


def _unusable(file: str | Path, how: str, why: str) -> NnfpError:
    title = f"{file} cannot be {how}: {why}"
    return NnfpError(Diagnostic("weights-file", title, Label(NOWHERE)))


__all__ = ["read", "write"]
