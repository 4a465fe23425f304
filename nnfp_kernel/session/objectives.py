"""The objectives of a session's trainings, the same object while they compute the same.

What was compiled for an objective serves the next training, whatever was run between the two
that does not concern it. Constants are part of what it computes: weights held constant, and
values brought in from Python.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..language import typed as p
from ..language.digest import digests
from ..language.reach import WeightPath

if TYPE_CHECKING:  # with it comes optax, for which a session that trains nothing does not wait
    from ..runtime.function import Function
    from ..runtime.program import Program
    from ..runtime.training.plan import Objective

Reads = tuple[p.WeightValue | p.WeightsOf | p.External, ...]


@dataclass(frozen=True, eq=False)
class Known:
    """An objective, and what it was made from."""

    program: Program
    words: Hashable  # what its functions say, and the types of their weights
    reads: Reads
    constants: tuple[Any, ...]  # their values when it was made
    objective: Objective
    function: Function


class Objectives:
    """Objectives by what a training names. `read` makes a function of an expression, `present`
    is a weight's present value."""

    def __init__(
        self, read: Callable[[str], Function], present: Callable[[WeightPath], Any]
    ) -> None:
        self.read, self.present = read, present
        self._known: dict[tuple[str, str | None, str | None, int | None], Known] = {}

    def of(
        self,
        program: Program,
        name: str,
        loss: str | None,
        metric: str | None,
        memory: int | None,
    ) -> tuple[Objective, Function]:
        """The objective, and the function of an example that it is the mean of; its gradient
        may take so many bytes of `memory`."""
        known = self._known.get((name, loss, metric, memory))
        if known is not None and known.program is program and self._stands(known, program):
            return known.objective, known.function
        from ..runtime.training.objective import objective_of

        function, measured = self._functions(name, loss, metric)
        if memory != program.memory:
            function = function.within(memory)
        objective = objective_of(function, measured)
        functions = (function,) if measured is None else (function, measured)
        words = tuple(map(_words, functions))
        reads = tuple(read for each in functions for read in _reads(each))
        if (
            known is not None
            and known.words == words
            and _declares_the_same(known.program, program)
            and self._stands(known, program)
        ):  # its places may have moved, and what is compiled tells none
            objective = replace(known.objective, blame=objective.blame, place=objective.place)
        constants = tuple(self._constants(program, reads))
        self._known[name, loss, metric, memory] = Known(
            program, words, reads, constants, objective, function
        )
        return objective, function

    def _functions(
        self, name: str, loss: str | None, metric: str | None
    ) -> tuple[Function, Function | None]:
        """What is minimised and what is measured, as functions of an example."""

        def of_example(measure: str) -> Function:
            if loss is None:
                return self.read(measure)
            return self.read(f"\\(x, y) -> ({measure}) (({name}) x) y")

        function = of_example(name if loss is None else loss)
        measured = None if metric is None else of_example(metric)
        if measured is not None and measured.type.rpartition("> ")[2] == "Bool":
            measured = self.read(f"({measured.name}) >> toReal")
        return function, measured

    def _stands(self, known: Known, program: Program) -> bool:
        """Whether the constants are what they were."""
        now = tuple(self._constants(program, known.reads))
        same = (one is other for one, other in zip(known.constants, now, strict=False))
        return len(now) == len(known.constants) and all(same)

    def _constants(self, program: Program, reads: Reads) -> Iterator[Any]:
        for read in reads:
            match read:
                case p.WeightValue(path=path):
                    yield self.present(path)
                case p.WeightsOf(name=name):
                    yield from (self.present(weight.path) for weight in program.reached(name))
                case p.External(name=name):
                    yield program.externals.get(name)


def _used(function: Function) -> dict[str, str]:
    """The digests of all that the expression uses, by name: that of a definition whose name is
    the expression too."""
    used = p.nodes(function.definition.body)
    names = {node.name for node in used if isinstance(node, p.Global)}
    definitions = function.program.definitions
    return {k: v for name in sorted(names) for k, v in digests(definitions, name).items()}


def _words(function: Function) -> Hashable:
    """What a function and all that it uses say, and the types of the weights it reaches."""
    weights = tuple((weight.path, weight.shown) for weight in function.reached)
    return function.name, function.type, tuple(sorted(_used(function).items())), weights


def _reads(function: Function) -> Iterator[Any]:
    """The constants in a function and in all that it uses."""
    definitions = function.program.definitions
    for definition in (function.definition, *(definitions[name] for name in _used(function))):
        for node in p.nodes(definition.body):
            if isinstance(node, p.WeightValue | p.WeightsOf | p.External):
                yield node


def _declares_the_same(one: Program, other: Program) -> bool:
    """Whether names that are no definitions mean the same in both."""
    parts = ("precision", "memory", "reps", "data", "builtins", "primitives")
    return all(getattr(one, part) == getattr(other, part) for part in parts)
