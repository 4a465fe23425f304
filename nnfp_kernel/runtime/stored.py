"""Weights on disk: a safetensors file with an array for each path.

    "cell.W"          a weight that is one array
    "cell.p.0", …     one of several arrays that a weight of product type is laid out as

The format has no complex numbers: they have one more axis, with the real and the imaginary
part.

Beside the arrays stand, as text, the types of the weights and digests of the program: of every
definition that takes part (`definitions`), and of all together (`source`). Any program that
reads safetensors reads them, and nothing in them is run.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy

from ..graph.values import Declarations
from ..language import types as t
from ..language.diagnostics import Diagnostic, Label, NnfpError
from ..language.digest import digest_of
from ..language.reach import ReachedWeight, WeightPath
from ..language.syntax import NOWHERE
from .exchange import flatten, rebuild
from .machine.files import reason, write_whole

Array = Any


@dataclass(frozen=True)
class Account:
    """What of a file fits the weights that were asked for, array by array."""

    fits: tuple[str, ...]
    missing: tuple[str, ...] = ()
    reshaped: tuple[tuple[str, str, str], ...] = ()  # the name, as it is in the file, as wanted
    renamed: tuple[tuple[str, str], ...] = ()  # what is missing, and what the file may call it
    extra: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()  # definitions that are not what they were when it was written

    def lines(self) -> tuple[str, ...]:
        """In words, a line for each kind of thing that does not fit."""
        said = []
        if self.missing:
            said.append(f"It does not hold: {', '.join(self.missing)}.")
        if self.renamed:
            pairs = (f"{new} may be what it calls {old}" for new, old in self.renamed)
            said.append(f"{'; '.join(pairs)}: of that shape.")
        for name, found, wanted in self.reshaped:
            said.append(f"{name} is {found} there, and {wanted} here.")
        if self.extra:
            said.append(f"It also holds: {', '.join(self.extra)}.")
        if self.changed:
            said.append(f"The program has changed since: {', '.join(self.changed)}.")
        return tuple(said)


def write(
    file: str | Path,
    weights: Mapping[WeightPath, Any],
    reached: Sequence[ReachedWeight],
    declarations: Declarations,
    definitions: Mapping[str, str],
) -> None:
    """Write the values of the weights `reached`, all or nothing: a file that was there
    stays as it was until the new one is whole. `definitions` are the digests of what they
    are weights of. Raises NnfpError where it cannot."""
    from safetensors.numpy import save

    arrays: dict[str, numpy.ndarray] = {}
    for weight in reached:
        parts = flatten(weights[weight.path], weight.type, declarations, lambda x, _: x)
        found = (numpy.array(as_real(numpy.asarray(part)), order="C") for part in parts)
        arrays.update(zip(_keys(weight, declarations), found, strict=True))
    types = {".".join(weight.path): t.show(weight.type) for weight in reached}
    told = {
        "format": "nnfp",
        "types": json.dumps(types),
        "source": digest_of(definitions),
        "definitions": json.dumps(dict(definitions)),
    }
    try:
        write_whole(Path(file), save(arrays, metadata=told))
    except OSError as error:
        raise _unusable(file, "written", reason(error)) from None


def read(
    file: str | Path,
    name: str,
    reached: Sequence[ReachedWeight],
    declarations: Declarations,
    definitions: Mapping[str, str],
    partial: bool = False,
) -> tuple[dict[WeightPath, Any], Account]:
    """The values of the weights that `name` reaches, and what fits; what else is in the file
    stays there. `partial` gives those that fit. `definitions` are the digests as they are now.

    Raises NnfpError for what is no safetensors file, for a weight that it does not hold, or of
    another shape, and, of a part, where nothing fits.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        content = Path(file).read_bytes()
        arrays = load(content)
    except OSError as error:
        raise _unusable(file, "read", reason(error)) from None
    except SafetensorError:
        raise _unusable(file, "read", "it is no safetensors file") from None
    changed = _changed(content, definitions)
    account = replace(_account(arrays, reached, declarations), changed=changed)
    values: dict[WeightPath, Any] = {}
    for weight in reached:
        keys = _keys(weight, declarations)
        if partial and not set(keys) <= set(account.fits):
            continue
        missing = [key for key in keys if key not in arrays]
        if missing:
            held = ", ".join(sorted(arrays)) or "none"
            raise NnfpError(
                Diagnostic(
                    "stored-weight-missing",
                    f"{file} holds no weight called {missing[0]}",
                    Label(weight.span or NOWHERE, f"{name} needs it"),
                    (),
                    (f"It holds: {held}.", *account.lines(), "--partial loads what fits."),
                )
            )
        for key, then, now in account.reshaped:
            if key in keys:
                title = f"{key} of {file} has shape {then}, and {now} is taken"
                raise NnfpError(
                    Diagnostic(
                        "stored-weight-reshaped", title,
                        Label(weight.span or NOWHERE, f"{name} needs it"), (),
                        (*account.lines(), "--partial loads what fits."),
                    )
                )  # fmt: skip
        layout = declarations.layout(weight.type)
        found = (
            as_complex(arrays[key])
            if array.kind == "C" and arrays[key].shape == (*array.shape, 2)
            else arrays[key]
            for key, array in zip(keys, layout, strict=True)
        )
        values[weight.path] = rebuild(weight.type, found, declarations)
    if partial and reached and not values:
        raise _unusable(file, "loaded", f"none of it fits {name}. {' '.join(account.lines())}")
    return values, account


def _account(
    arrays: Mapping[str, numpy.ndarray],
    reached: Sequence[ReachedWeight],
    declarations: Declarations,
) -> Account:
    """What fits, by name and shape. A weight may have been renamed where the file holds one
    array of its shape that nothing else wants."""
    shapes: dict[str, tuple[int, ...]] = {}
    for weight in reached:
        layout = declarations.layout(weight.type)
        for key, array in zip(_keys(weight, declarations), layout, strict=True):
            shapes[key] = (*array.shape, 2) if array.kind == "C" else tuple(array.shape)
    extra = sorted(set(arrays) - set(shapes))
    missing = [key for key in shapes if key not in arrays]
    both = [key for key in shapes if key in arrays]
    fits = [key for key in both if arrays[key].shape == shapes[key]]
    renamed = []
    for key in missing:
        alike = [other for other in extra if arrays[other].shape == shapes[key]]
        rivals = [other for other in missing if shapes[other] == shapes[key]]
        if len(alike) == len(rivals) == 1:
            renamed.append((key, alike[0]))
    return Account(
        tuple(fits),
        tuple(missing),
        tuple((k, _shape(arrays[k].shape), _shape(shapes[k])) for k in both if k not in fits),
        tuple(renamed),
        tuple(extra),
    )


def _shape(shape: Sequence[int]) -> str:
    return f"[{','.join(map(str, shape))}]" if shape else "a number"


def _changed(content: bytes, definitions: Mapping[str, str]) -> tuple[str, ...]:
    """The definitions that are in the file with another digest, or not at all; none where it
    was written by a program that keeps no digests."""
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    # Whatever else stands there is no account of ours.
    with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError, RecursionError):
        then = json.loads(header["__metadata__"]["definitions"])
        return tuple(name for name, digest in definitions.items() if then.get(name) != digest)
    return ()


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


__all__ = ["Account", "as_complex", "as_real", "read", "write"]
