"""Data values made by Python: by a constructor, or read off nested lists."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..language import syntax
from ..language import typed as p
from ..language import types as t
from ..language.diagnostics import Diagnostic, Label, NnfpError
from ..runtime.calls import misfits
from ..runtime.data import DataValue, nested
from ..runtime.exchange import Form, Misfit, describe, form_of, looked_at, match
from ..runtime.program import Program


def constructor(program: Program, name: str) -> Callable[..., DataValue]:
    """A constructor as a function of its fields; of two by one name, the newest."""
    for data in reversed(list(program.data.values())):
        for own, fields in data.constructors:
            if own == name:
                return partial(_construct, program, data, name, fields, set())
    known = [one for data in program.data.values() for one, _ in data.constructors]
    raise misfits.unknown("constructor", name, known)


def tree(program: Program, name: str, written: Any) -> DataValue:
    """The value of the data type `name` that nested lists stand for."""
    if name not in program.data:
        known = ", ".join(program.data) or "none"
        raise NnfpError(
            Diagnostic(
                "unknown-type", f"no data type is called {name}", Label(syntax.NOWHERE), (),
                (f"The session's data types: {known}.",),
            )
        )  # fmt: skip
    data = program.data[name]

    def fail(found: str, wanted: str) -> NnfpError:
        place = Label(data.span, f"{name} is declared here")
        title = f"which constructor of {name} is {found}? ({wanted})"
        hint = ("Write the constructors:",)
        text = 'nnfp.tree("(Node (Leaf 1) (Leaf 2))")'
        return NnfpError(Diagnostic("ambiguous-tree", title, place, (), hint, text))

    type = t.Named(name, data.parameters)
    made = nested(written, type, program.declarations, fail)
    try:
        match(type, made, program.declarations, "the tree")
    except Misfit as misfit:
        raise _field_misfit(data, "field-misfit", str(misfit)) from None
    return made


def _construct(
    program: Program,
    data: p.DataDeclaration,
    name: str,
    fields: tuple[t.Type, ...],
    matched: set[tuple[int, Form]],
    *values: Any,
) -> DataValue:
    """A data value from Python, its fields checked; trees in them were, when made. What has
    the form of one that `matched` needs no second look."""
    if len(values) != len(fields):
        title = f"{name} takes {len(fields)} fields, {len(values)} were given"
        raise _field_misfit(data, "wrong-number-of-fields", title)
    for k, (type, value) in enumerate(zip(fields, values, strict=True), 1):
        inside, items, place = type, [value], f"field {k} of {name}"
        if isinstance(type, t.Array) and isinstance(value, list | tuple):
            inside, items = type.element, list(value)
        try:
            if isinstance(inside, t.Named) and inside.name in program.data:
                own = [constructor for constructor, _ in program.data[inside.name].constructors]
                for item in items:
                    if not isinstance(item, DataValue) or item.constructor not in own:
                        raise Misfit(describe(item), f"a {t.show(inside)}", place)
            elif not isinstance(value, DataValue):
                form = k, form_of(value)
                if form not in matched:
                    match(type, value, program.declarations, place)
                    if form[1] is not None and not looked_at(type, program.declarations.reps):
                        matched.add(form)
        except Misfit as misfit:
            raise _field_misfit(data, "field-misfit", str(misfit)) from None
    return DataValue(name, tuple(values))


def _field_misfit(data: p.DataDeclaration, code: str, title: str) -> NnfpError:
    return NnfpError(Diagnostic(code, title, Label(data.span, f"{data.name} is declared here")))
