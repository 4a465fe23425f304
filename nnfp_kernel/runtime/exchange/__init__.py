"""Values between Python and the graph: what is handed in, checked and laid out as
arrays, and what comes out, given the form Python people expect.

    t[n], [t]       an array with one more leading axis (or a Python list of such)
    products        tuples
    Fin[n]          an integer array, its range checked
    data            `DataValue`s, made by `session.constructor(name)` (data.py)

values.py        a value by itself: its array, its type, its words
matching.py      whether it is one of a type
layout.py        as arrays
rebuilding.py    and back
paths.py         weights by path, in nested dicts
form.py          what a check of plain arrays looks at
packed.py        trees, which are packed before
"""

from ..data import DataValue
from .form import NUMBERS, Form, form_of, looked_at
from .layout import flatten, numbers, tags_of, with_tags
from .matching import common_type, match
from .packed import Packed
from .paths import lookup, paths_of, unflatten_paths
from .rebuilding import NotConcrete, rebuild, shaped
from .values import (
    Misfit,
    as_array,
    as_tuples,
    describe,
    is_concrete,
    one_key,
    part_of,
    type_of,
)

__all__ = [
    "NUMBERS", "DataValue", "Form", "Misfit", "NotConcrete", "Packed", "as_array", "as_tuples",
    "common_type", "describe", "flatten", "form_of", "is_concrete", "looked_at", "lookup",
    "match", "numbers", "one_key", "part_of", "paths_of", "rebuild", "shaped", "tags_of", "type_of",
    "unflatten_paths", "with_tags",
]  # fmt: skip
