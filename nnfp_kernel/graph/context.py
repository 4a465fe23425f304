"""The context of a trace: what built-in names make graphs with.

A built-in name's `trace(context, occurrence, *arguments)` (primitives/) works with this
alone: the builder of the graph at hand, random keys, branches, loops, maps and functions
as sub-graphs, whose captures their builders see to. Functions among values are Python
callables while tracing.

Lengths known only at run time are wires; what they may turn out not to allow (the mean of
nothing) is a `Doubt`, one more number beside the answer.

    building.py   the graph at hand: mistakes, doubts, values as wires
    choices.py    and branches
    bodies.py     and loops, maps, functions as graphs
"""

from __future__ import annotations

from collections.abc import Callable

from ..language import types as t
from ..language.source import Span
from .bodies import Bodies
from .choices import APART
from .chosen import chosen_in, put
from .scope import BuiltinRecord, Occurrence
from .values import Chosen, NotFirstOrder, OpenSize, Value, holds_sequence


class Context(Bodies):
    """The graph being built, and the ways of building it."""

    def apply(self, function: Value, argument: Value, span: Span | None = None) -> Value:
        """A function's value at an argument; nodes made by it come from `span`. Of a linear map
        types could not tell how long its argument is to be."""
        with self.builder.at(span):
            try:
                return function(argument)
            except ValueError as problem:
                self.fail("shapes-disagree", str(problem))

    def call(self, record: BuiltinRecord, occurrence: Occurrence, *arguments: Value) -> Value:
        """A built-in at its arguments. What types could not tell (run-time lengths that
        disagree) is a user's mistake, told at the place that asked for it."""
        chosen = next((value for value in arguments if isinstance(value, Chosen)), None)
        if chosen is not None and not isinstance(occurrence.result(record.arity), t.Linear):
            with self._of_numbers():  # a linear map is one of the space that the tree is in
                return self._of_each(chosen, record, occurrence, arguments)
        trace, ragged = record.trace, record.ragged
        if ragged is not True and any(map(holds_sequence, (*occurrence.brackets, *arguments))):
            if ragged is False:
                self.needs_length(f"`{record.name}`")
            trace = ragged
        try:
            with self._of_numbers():
                return self._traced(trace, record, occurrence, arguments)
        except ValueError as problem:
            several = len({wire for wire, _ in self._assumed}) > 1
            self.fail("shapes-disagree", str(problem), *([APART] if several else []))
        except OpenSize as problem:
            if problem.size.variables() <= self.extents.keys():
                self.needs_length(f"`{record.name}`")
            raise

    def _traced(
        self,
        trace: Callable[..., Value],
        record: BuiltinRecord,
        occurrence: Occurrence,
        arguments: tuple[Value, ...],
    ) -> Value:
        """A built-in; once more for each of two trees where it cannot do with a tree, somewhere in
        its arguments, that a condition chooses."""
        doubts, drawn = len(self._doubts), self.keys.drawn
        try:
            return trace(self, occurrence, *arguments)
        except NotFirstOrder:
            chosen = next(chosen_in(arguments), None)
            if chosen is None or isinstance(occurrence.result(record.arity), t.Linear):
                raise
        del self._doubts[doubts:]
        self.keys.drawn = drawn
        return self._of_each(chosen, record, occurrence, arguments)

    def _of_each(
        self,
        chosen: Chosen,
        record: BuiltinRecord,
        occurrence: Occurrence,
        arguments: tuple[Value, ...],
    ) -> Value:
        """A built-in at its arguments, with each of two trees in place of a choice in them."""

        def of(own: Value) -> Value:
            return self.call(record, occurrence, *put(arguments, chosen, own))

        return self.observed(chosen, of, occurrence.result(record.arity))

    def linear_arithmetic(self, operation: str, *operands: Value) -> Value:
        """`+ - * /` and negation where an operand is a linear map, which knows how."""
        linear = next(value for value in operands if hasattr(value, "arithmetic"))
        return linear.arithmetic(operation, *operands)
