"""Random Python values for the inputs of a generated program."""

from __future__ import annotations

from typing import Any

import numpy
from programs.generate.program import GeneratedProgram
from programs.trees import (
    Type,
    length,
)

from nnfp_kernel.language import types as t


def value(type: Type, program: GeneratedProgram, session: Any, random: Any, batch: int = -1) -> Any:
    """A random Python value of `type`; with `batch`, that many along a new leading axis."""
    return _value(type, (batch,) if batch >= 0 else (), program, session, random)


def _value(type: Type, over: tuple[int, ...], program: Any, session: Any, random: Any) -> Any:
    match type:
        case t.Array(element=element):
            return _value(element, (*over, length(type)), program, session, random)
        case t.Product(items=items):
            return tuple(_value(item, over, program, session, random) for item in items)
        case t.Named(name=word) if word in program.reps:
            return _value(program.reps[word], over, program, session, random)
        case t.Named(name=word):
            constructors = program.data[word].constructors
            constructor, fields = constructors[int(random.integers(len(constructors)))]
            values = [_value(one, over, program, session, random) for one in fields]
            return session.constructor(constructor)(*values)
        case t.Fin(size=size):
            return numpy.asarray(random.integers(0, size.value, over))
        case t.Scalar(name="Bool"):
            return numpy.asarray(random.integers(0, 2, over), dtype=bool)
        case t.Scalar(name="Int"):
            return numpy.asarray(random.integers(0, 3, over))
        case _:
            return numpy.asarray(random.normal(size=over))
