"""What inference makes, as data that JSON can hold, and back: for a process to begin with.

    as_data(value)       dataclasses of this floor, tuples, mappings, sets, texts and numbers
    from_data(data)      the same again

Equal parts are written once, and are one object afterwards: types and places recur. Nodes of
typed programs are told apart, for passes know them by identity.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from importlib import import_module
from typing import Any

from . import typed

Data = Any
_TUPLE, _SET, _MAPPING = "tuple", "set", "mapping"


def as_data(value: object) -> Data:
    """A value as rows of names, numbers and references to earlier rows.

    >>> from nnfp_kernel.language.types import Array, R
    >>> from nnfp_kernel.language.sizes import constant
    >>> row = Array(R, constant(2))
    >>> from_data(as_data((row, row))) == (row, row)
    True

    Raises TypeError for a value of another kind.
    """
    return _Writer().written(value)


class _Writer:
    def __init__(self) -> None:
        self.classes: dict[str, int] = {}
        self.rows: list[list[Any]] = []
        self.known: dict[int, int] = {}  # the row of an object, by its identity
        self.equal: dict[str, int] = {}  # … and by what is in the row
        self.alive: list[object] = []  # identities are of the living

    def written(self, value: object) -> Data:
        last = self.part(value)
        return {"classes": list(self.classes), "rows": self.rows, "last": last}

    def part(self, value: object) -> Any:
        """Itself where JSON has it; else its row, in a list."""
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if id(value) not in self.known:
            self.alive.append(value)
            row = self.row(value)
            text = json.dumps(row)
            if isinstance(value, typed.Node) or text not in self.equal:
                self.equal[text] = len(self.rows)
                self.rows.append(row)
            self.known[id(value)] = self.equal[text]
        return [self.known[id(value)]]

    def row(self, value: object) -> list[Any]:
        if isinstance(value, tuple):
            return [_TUPLE, *map(self.part, value)]
        if isinstance(value, frozenset):
            return [_SET, *map(self.part, value)]
        if isinstance(value, dict):
            return [_MAPPING, *(self.part(each) for item in value.items() for each in item)]
        if not dataclasses.is_dataclass(value) or isinstance(value, type):
            raise TypeError(f"{type(value).__name__} cannot be kept")
        of = type(value)
        name = f"{of.__module__.rpartition('.')[2]}.{of.__qualname__}"
        number = self.classes.setdefault(name, len(self.classes))
        return [number, *(self.part(getattr(value, f.name)) for f in dataclasses.fields(value))]


def from_data(data: Data) -> Any:
    """The value that `as_data` was given."""
    classes = [_class(name) for name in data["classes"]]
    made: list[Any] = []
    for kind, *parts in data["rows"]:
        values = [made[part[0]] if type(part) is list else part for part in parts]
        if kind == _TUPLE:
            made.append(tuple(values))
        elif kind == _SET:
            made.append(frozenset(values))
        elif kind == _MAPPING:
            made.append(dict(zip(values[::2], values[1::2], strict=True)))
        else:
            of, names, slots = classes[kind]
            value = of.__new__(of)
            if slots:
                for name, each in zip(names, values, strict=True):
                    object.__setattr__(value, name, each)
            else:
                value.__dict__.update(zip(names, values, strict=True))
            made.append(value)
    last = data["last"]
    return made[last[0]] if type(last) is list else last


def _class(name: str) -> tuple[Any, list[str], bool]:
    """A dataclass of this floor, the names of its fields, and whether it has slots for them."""
    module, _, own = name.partition(".")
    import_module(f"{__package__}.{module}")
    of = getattr(sys.modules[f"{__package__}.{module}"], own)
    return of, [field.name for field in dataclasses.fields(of)], "__slots__" in of.__dict__
