"""A function as StableHLO, for programs that know nothing of this one.

    encode.stablehlo      the function of weights and inputs, as `jax.export` serialises it
    encode.safetensors    its weights, beside it

`jax.export.deserialize` reads the first back: `.call(weights, xs)`. Any compiler of
StableHLO takes the module itself, `.mlir_module()`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy

from ..language import types as t
from ..language.diagnostics import Diagnostic, Label, NnfpError
from ..language.syntax import NOWHERE
from .exchange import rebuild
from .lower import DTYPES
from .machine.files import place_of, reason, write_whole

if TYPE_CHECKING:
    from .function import Function


def export(function: Function, file: str | Path, inputs: Sequence[Any]) -> None:
    """Write a function for inputs like these, without any for those of its type.

    Raises NnfpError where the type leaves a shape open, for inputs that do not fit it, and for a
    file that cannot be written; ValueError for what names no file.
    """
    place = place_of(file)
    if inputs:
        function.call_for(*inputs)  # refuses what does not fit, and says why
    given = tuple(inputs) or _inputs(function)
    weights = function.weights

    def apply(weights: Any, *inputs: Any) -> Any:
        return function.apply(weights, *inputs)

    shapes = jax.tree.map(_shape, (weights, *given))
    exported = jax.export.export(jax.jit(apply))(*shapes)
    try:
        write_whole(place, bytes(exported.serialize()))
    except OSError as error:
        told = f"{file} cannot be written: {reason(error)}"
        raise NnfpError(Diagnostic("export-file", told, Label(NOWHERE))) from None
    if weights:
        function.save(place.with_suffix(".safetensors"))


def _shape(leaf: Any) -> jax.ShapeDtypeStruct:
    array = jax.numpy.asarray(leaf)
    return jax.ShapeDtypeStruct(array.shape, array.dtype)


def _inputs(function: Function) -> tuple[Any, ...]:
    """Zeros of the types of a function's inputs."""
    domains, _ = t.uncurried(function.definition.scheme.type)
    declarations, dtypes = function.program.declarations, DTYPES[function.program.precision]
    for domain in domains:
        if not t.is_concrete(domain) or declarations.has_trees(domain):
            raise NnfpError(
                Diagnostic(
                    "export-shape",
                    f"{function.name} cannot be exported for every {t.show(domain)}: "
                    "what is exported has fixed shapes",
                    Label(function.definition.span, f"has type {function.type}"),
                    (),
                    ("Hand over inputs of the shape it is wanted for: f.export(file, xs).",),
                )
            )
    return tuple(
        rebuild(
            domain,
            (numpy.zeros(each.shape, dtypes[each.kind]) for each in declarations.layout(domain)),
            declarations,
        )
        for domain in domains
    )
