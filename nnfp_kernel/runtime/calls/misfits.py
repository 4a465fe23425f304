"""What is said about what Python hands to a function: inputs, weights, keys, cotangents.

The place is where the function says what it takes: the type in its signature, else the head
of its definition. What was found is described as the language would show it, and the way
out is Python.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from ...language import typed as p
from ...language import types as t
from ...language.diagnostics import NnfpError
from ...language.source import Span
from ...language.syntax import NOWHERE
from ...language.telling import did_you_mean, listed, nearest, plain
from ..exchange import Misfit, describe


class Described(Protocol):
    """A function, as far as mistakes speak of it."""

    name: str
    type: str
    definition: p.Definition


def input_misfit(
    function: Described, misfit: Misfit, number: int = 0, where: str = "the input"
) -> NnfpError:
    """A value that is no value of the type; `number` counts the inputs."""
    asked = _domain(function, number)
    found, _, whole = misfit.found.partition(", expected ")
    wanted = whole or misfit.expected
    notes = []
    if whole and t.free_variables(asked)[1]:
        notes.append(f"Expected: {misfit.expected}.")
    notes += _ways_out(function, found, t.show(asked), wanted)
    return NnfpError(
        plain(
            "input-misfit",
            f"{misfit.where or where} of {_called(function)} is {found}: expected {wanted}",
            _place(function, asked),
            _takes(function, asked, number),
            notes=notes,
        )
    )


def weight_misfit(function: Described, misfit: Misfit, path: str, hole: Span | None) -> NnfpError:
    """A weight that has not the shape that the program gives it."""
    found, _, whole = misfit.found.partition(", expected ")
    return NnfpError(
        plain(
            "weight-misfit",
            f"the weight `{path}` is {found}: expected {whole or misfit.expected}",
            _head(function) if hole is None else hole,
            f"the hole of `{path}`" if hole is not None else f"{_called(function)} reaches it",
            notes=["The weights that the session has now fit:"],
            suggestion=f"weights = {function.name}.weights",
        )
    )


def weight_set(misfit: Misfit, path: str, hole: Span | None) -> NnfpError:
    """A weight of the session is set to what has another shape."""
    found, _, whole = misfit.found.partition(", expected ")
    return NnfpError(
        plain(
            "weight-misfit",
            f"the weight `{path}` is {whole or misfit.expected}, and {found} was handed over",
            NOWHERE if hole is None else hole,
            f"its shape is settled to {whole or misfit.expected}",
            notes=["A weight keeps its shape; another program gives it another one."],
        )
    )


def unknown(kind: str, name: str, known: Iterable[str]) -> NnfpError:
    """A constructor or a weight that the session has not."""
    names = sorted(set(known))
    near = nearest(name, names)
    listing = listed(names) if names else "none"
    return NnfpError(
        plain(
            f"unknown-{kind}",
            f"no {kind} is called `{name}`",
            NOWHERE,
            notes=[f"The session's {kind}s: {listing}.", *did_you_mean(near)],
            suggestion=near,
        )
    )


def weight_missing(
    function: Described, path: str, found: Iterable[str], hole: Span | None
) -> NnfpError:
    known = list(found)
    near = nearest(path, known)
    notes = [f"Found: {listed(known)}." if known else "They hold none."]
    if near:
        notes.append(f"Was `{near}` meant to be `{path}`?")
    return NnfpError(
        plain(
            "weight-missing",
            f"the weights hold no `{path}`",
            _head(function) if hole is None else hole,
            f"{_called(function)} reaches it",
            notes=[*notes, "A nested dict of all weights comes from:"],
            suggestion=f"weights = {function.name}.init(jax.random.key(0))",
        )
    )


def number_of_inputs(function: Described, count: int, forgotten: bool) -> NnfpError:
    """Too many or too few inputs; maybe the weights were `forgotten`."""
    most = _count(function)
    notes, suggestion = [], None
    if forgotten:
        notes = ["Methods that take weights take them first, as here the present ones:"]
        suggestion = f"{function.name}.apply({function.name}.weights, x)"
    elif count > most == 1 and isinstance(_domain(function, 0), t.Product):
        notes = ["Its one input is a tuple:"]
        suggestion = f"{function.name}(({', '.join('xyzuvw'[: min(count, 6)])}))"
    given = f"{count} {'was' if count == 1 else 'were'}" if count else "none was"
    inputs = f"{most} input{'' if most == 1 else 's'}" if most else "no inputs"
    return NnfpError(
        plain(
            "number-of-inputs",
            f"{_called(function)} takes {inputs}, and {given} given",
            _place(function, function.definition.scheme.type),
            f"{_called(function)} is {function.type}",
            notes=notes,
            suggestion=suggestion,
        )
    )


def number_of_tangents(function: Described, inputs: int, tangents: int) -> NnfpError:
    return NnfpError(
        plain(
            "number-of-inputs",
            f"each input has a tangent: {inputs} and {tangents} were given",
            _place(function, function.definition.scheme.type),
            f"{_called(function)} is {function.type}",
            notes=["Of an input that does not move, the tangent is zero, or () for integers."],
        )
    )


def key_missing(function: Described, draw: Span | None) -> NnfpError:
    return NnfpError(
        plain(
            "key-missing",
            f"{_called(function)} draws random numbers and needs a key",
            _head(function) if draw is None else draw,
            "draws here" if draw is not None else "draws",
            notes=["A key is handed over by its name:"],
            suggestion=f"{function.name}.apply(weights, x, key=jax.random.key(0))",
        )
    )


def key_misfit(
    function: Described, misfit: Misfit, draw: Span | None, draws: bool = True
) -> NnfpError:
    """What is no key, where random numbers are drawn, or could be."""
    said = "draws" if draws else "draws nothing, and needs no key"
    return NnfpError(
        plain(
            "key-misfit",
            f"the key of {_called(function)} is {misfit.found}: expected {misfit.expected}",
            _head(function) if draw is None else draw,
            "draws here" if draw is not None else said,
            notes=["A key is made by JAX and handed over by its name:"],
            suggestion=f"{function.name}.apply(weights, x, key=jax.random.key(0))",
        )
    )


def first_key_misfit(function: Described, misfit: Misfit) -> NnfpError:
    """What is no key, where first weights are drawn."""
    return NnfpError(
        plain(
            "key-misfit",
            f"the key of `{function.name}.init` is {misfit.found}: expected {misfit.expected}",
            _head(function),
            "its first weights are drawn",
            notes=["A key is made by JAX:"],
            suggestion=f"{function.name}.init(jax.random.key(0))",
        )
    )


def constructor_not_known(function: Described) -> NnfpError:
    """A value of a data type asked for inside a `jit` of the user's own."""
    _, type = t.uncurried(function.definition.scheme.type)
    return NnfpError(
        plain(
            "constructor-not-known",
            f"which constructor {_called(function)} gives is known only once it has run",
            _place(function, type),
            f"{_called(function)} gives {t.show(type)}",
            notes=[
                "Under a `jit`, `vmap` or `grad` of JAX nothing has run yet. Inside, call a "
                "function that takes the value apart with `case` or `cata` and gives numbers; "
                f"or call {_called(function)} outside."
            ],
        )
    )


def cotangent_misfit(function: Described, cotangent: Any, wanted: str = "") -> NnfpError:
    _, type = t.uncurried(function.definition.scheme.type)
    return NnfpError(
        plain(
            "cotangent-misfit",
            f"the cotangent is {describe(cotangent)}: expected {wanted or t.show(type)}",
            _place(function, type),
            f"{_called(function)} gives {t.show(type)}",
            notes=["A cotangent has the type of the value that it belongs to."],
        )
    )


def not_an_objective(function: Described) -> NnfpError:
    _, type = t.uncurried(function.definition.scheme.type)
    return NnfpError(
        plain(
            "objective-not-scalar",
            f"{_called(function)} is no objective: it must give one number",
            _place(function, type),
            f"it gives {t.show(type)}",
            notes=[
                "A gradient belongs to a function that ends in R, such as a loss. Of any "
                "other function there is the pullback:"
            ],
            suggestion=f"value, pullback = {function.name}.vjp(weights, x)",
        )
    )


def batch_misfit(function: Described, inputs: Sequence[Any]) -> NnfpError:
    """Arrays whose leading axes do not count the same examples."""
    found = ", ".join(describe(value) for value in inputs)
    return NnfpError(
        plain(
            "batch-misfit",
            "the arrays of a batch need one leading axis of one length",
            _place(function, function.definition.scheme.type),
            f"{_called(function)} is {function.type}",
            notes=[f"Found: {found}. The leading axis counts the examples."],
        )
    )


def lists_misfit(function: Described, counts: Sequence[int]) -> NnfpError:
    found = " and ".join(map(str, counts))
    return NnfpError(
        plain(
            "batch-misfit",
            f"{_called(function)} was given lists of different lengths",
            _place(function, function.definition.scheme.type),
            f"{_called(function)} is {function.type}",
            notes=[f"Found: lists of {found} examples. A list has one item for each example."],
        )
    )


# --- in a batch -----------------------------------------------------------------------------


def in_example(error: NnfpError, k: int) -> NnfpError:
    """The mistake, told with the example of a batch that it is in."""
    return NnfpError([replace(one, notes=(*one.notes, _of_batch(k))) for one in error.diagnostics])


def by_itself(error: NnfpError) -> NnfpError:
    """The mistake of a batch of one, told of that example."""
    place = _of_batch(0)
    return NnfpError(
        [
            replace(one, notes=tuple(note for note in one.notes if note != place))
            for one in error.diagnostics
        ]
    )


def _of_batch(k: int) -> str:
    return f"It is example {k} of the batch, counted from 0."


# --- places and ways out ------------------------------------------------------------------------


def _called(function: Described) -> str:
    return f"`{function.name}`"


def _takes(function: Described, asked: t.Type, number: int) -> str:
    if isinstance(asked, t.TypeVariable):
        return f"{_called(function)} is {function.type}"
    which = f" as input {number + 1}" if _count(function) > 1 else ""
    return f"{_called(function)} takes {t.show(asked)}{which}"


def _domain(function: Described, number: int) -> t.Type:
    """What is taken as the input of this number; the whole type where there is none."""
    whole = function.definition.scheme.type
    domains, _ = t.uncurried(whole)
    return domains[number] if number < len(domains) else whole


def _count(function: Described) -> int:
    return len(t.uncurried(function.definition.scheme.type)[0])


def _place(function: Described, type: t.Type) -> Span:
    """Where the signature says a type, else the head of the definition."""
    origin = type.origin
    if origin is not None and origin.role == f"the signature of `{function.name}`":
        return origin.span
    return _head(function)


def _head(function: Described) -> Span:
    """`f x y`, without what it is defined as."""
    span = function.definition.span
    head = span.source.line(span.line)[span.column - 1 :] if span.source.text else ""
    match = re.match(r"[^=]*[^=\s](?=\s*=)", head)
    if match is None or (
        span.line == span.end_line and span.column + match.end() > span.end_column
    ):
        return span
    return Span(span.source, span.line, span.column, span.line, span.column + match.end())


def _ways_out(function: Described, found: str, asked: str, wanted: str) -> list[str]:
    kind, _, shape = found.partition("[")
    kind_wanted, _, shape_wanted = asked.partition("[")
    if shape == shape_wanted and kind_wanted == "R":
        if kind == "Bool":
            return ["Truth values become numbers with `x.astype(float)`."]
        if kind == "C":
            return ["The real part is `x.real`."]
    if kind_wanted in ("Int", "Fin") and kind == "R":
        return ["Whole numbers have an integer dtype: `x.astype(int)`."]
    axes = shape.rstrip("]").split(",") if shape else []
    if shape_wanted and ",".join(axes[1:]) == shape_wanted.rstrip("]"):
        return [f"One axis more: an array of examples goes in by `{function.name}.batch(x)`."]
    if not shape_wanted and len(axes) == 1 and kind == kind_wanted:
        return [f"An array of examples goes in by `{function.name}.batch(x)`."]
    return []
