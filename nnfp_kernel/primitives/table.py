"""The table: every primitive of the graph, and every built-in name of the language.

`PRIMITIVES` are operations on arrays (graph/primitive.py). `BUILTINS` are names a
user may write, each with its type as the user reads it and the way it is traced.
An elementwise primitive is both, from one record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..graph.primitive import Primitive
from ..graph.scope import Occurrence
from ..language.types import Type


@dataclass(frozen=True, eq=False)
class Builtin:
    """A name of the language.

    `type` is a scheme in the language's own syntax, constraints after `where`:
    `"a -> b -> c where c = lift a b"` (the vocabulary: language/signatures.py).
    `brackets` names the size variables its brackets stand for, in order; `("...",)`
    stands for any number of them (`reshape`, with the constraint `b = reshape a`).
    `trace(context, occurrence, *arguments)` is called once `arity` arguments are
    there; arity 0 is a constant. Values are as in graph/values.py. Where some length is
    known only at run time, `ragged` is called in its place (True: `trace` serves both);
    a name without it is told to need the length. `bare`: without its brackets the name
    means something of its own, and the occurrence has none.
    """

    name: str
    type: str
    arity: int
    trace: Callable[..., Any]
    brackets: tuple[str, ...] = ()
    doc: str = ""
    latex: str = ""
    example: str = ""  # a program that runs and shows it
    ragged: Callable[..., Any] | bool = False
    bare: bool = False
    image: Callable[[Type], Type] | None = None  # of a function of Python's: imported.py


PRIMITIVES: dict[str, Primitive] = {}
BUILTINS: dict[str, Builtin] = {}


def primitive(record: Primitive) -> Primitive:
    """Enter a primitive into the table; a name is taken once."""
    if record.name in PRIMITIVES:
        raise ValueError(f"primitive {record.name} is declared twice")
    PRIMITIVES[record.name] = record
    return record


def builtin(record: Builtin) -> Builtin:
    """Enter a built-in name into the table; a name is taken once."""
    if record.name in BUILTINS:
        raise ValueError(f"built-in {record.name} is declared twice")
    BUILTINS[record.name] = record
    return record


__all__ = ["BUILTINS", "PRIMITIVES", "Builtin", "Occurrence", "builtin", "primitive"]
