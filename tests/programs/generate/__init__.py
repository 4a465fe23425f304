"""Random well-typed programs: a hypothesis strategy that writes syntax trees.

    programs()            a strategy of `GeneratedProgram`
    GeneratedProgram      items, its main function and type; `text`, `unsigned`
    value(type, …)        a random Python value of a type

The writer is directed by types. It chooses a goal type and writes an expression of that
type from all forms that can give one: `expression` knows the forms, `function` those of
functions, `linear_map` those of linear maps. What a form asks of its parts are goals in
turn, with less depth left. At depth 0 only leaves are written, which every type has.

A `smooth` program has a derivative everywhere, so that finite differences can judge it:
it asks for no kinks and makes no choice by a real number. Simple choices come first, so
that hypothesis shrinks to small programs.
"""

from programs.generate.definitions import programs
from programs.generate.program import GeneratedProgram
from programs.generate.values import value

__all__ = ["GeneratedProgram", "programs", "value"]
