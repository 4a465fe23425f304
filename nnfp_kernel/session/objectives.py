"""The objectives of a session's trainings, the same object while they compute the same.

What was compiled for an objective serves the next training, whatever was run between the two
that does not concern it. Constants are part of what it computes: weights held constant, and
values brought in from Python.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..language import syntax
from ..language import typed as p
from ..language import types as t
from ..language.diagnostics import Diagnostic, NnfpError
from ..language.digest import digests
from ..language.parser import parse_expression
from ..language.reach import WeightPath
from ..language.source import Source
from ..language.telling import grouped, listed

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
        self,
        read: Callable[[str, syntax.Expression], Function],
        present: Callable[[WeightPath], Any],
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

        function, measured = self._functions(program, name, loss, metric)
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
        self, program: Program, name: str, loss: str | None, metric: str | None
    ) -> tuple[Function, Function | None]:
        """What is minimised and what is measured, as functions of an example."""

        def of_example(measure: str, flag: str, counted: bool = False) -> Function:
            tree = parse_expression(Source(measure, flag))
            if loss is None:
                return self.read(*_as_number(measure, tree, counted))
            text = f"{grouped(measure)} ({grouped(name)} x) y"
            tree = _after(tree, parse_expression(Source(name, "the model")))
            try:
                return self.read(*_as_number(text, tree, counted))
            except NnfpError as error:
                told = [
                    self._of_flag(each, program, flag, text, name) for each in error.diagnostics
                ]
                raise NnfpError(told, error.representations) from None

        minimised = (name, "the objective") if loss is None else (loss, "--loss")
        function = of_example(*minimised)
        measured = None if metric is None else of_example(metric, "--metric")
        if metric and measured is not None and measured.type.rpartition("> ")[2] == "Bool":
            measured = of_example(metric, "--metric", counted=True)
        return function, measured

    def _of_flag(
        self, told: Diagnostic, program: Program, flag: str, text: str, name: str
    ) -> Diagnostic:
        """A mistake in what a flag and a model make of an example says what that is; and what of
        the library would do, where the two do not fit together."""
        what = flag.removeprefix("--")
        notes = [f"The {what} of an example (x, y) is `{text}`."]
        if told.code in _UNFIT:
            fitting = [each for each in _measures(program) if self._fits(each, name)]
            if fitting:
                notes.append(f"Of the library these take what `{name}` gives: {listed(fitting)}.")
        return replace(told, notes=(*notes, *told.notes))

    def _fits(self, measure: str, name: str) -> bool:
        """Whether a measure takes what a model gives."""
        try:
            trees = (parse_expression(Source(each, "expression")) for each in (measure, name))
            self.read(f"{measure} ({grouped(name)} x) y", _after(*trees))
        except NnfpError:
            return False
        return True

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


def _after(measure: syntax.Expression, model: syntax.Expression) -> syntax.Expression:
    """The measure of an example (x, y): `measure (model x) y`. Every part has its place in what
    was typed, a flag's text or the model's."""
    x, y = (syntax.Name(name, span=tree.span) for name, tree in (("x", model), ("y", measure)))
    answer = syntax.Apply(model, x, span=model.span)
    found = syntax.Apply(syntax.Apply(measure, answer, span=measure.span), y, span=measure.span)
    parts = tuple(syntax.PatternName(name, span=measure.span) for name in ("x", "y"))
    example = syntax.PatternTuple(parts, span=measure.span)
    return syntax.Lambda((example,), found, span=measure.span)


def _as_number(text: str, tree: syntax.Expression, counted: bool) -> tuple[str, syntax.Expression]:
    """An objective as it is; one that is true or false `counted` as 1 or 0."""
    if not counted:
        return text, tree
    number = syntax.Name("toReal", span=tree.span)
    return f"({text}) >> toReal", syntax.Binary(">>", tree, number, span=tree.span)


# The codes of what is told where a model's answer and a measure do not fit together.
_UNFIT = ("type-mismatch", "size-mismatch", "value-for-function", "too-many-arguments")


def _measures(program: Program) -> Iterator[str]:
    """The losses and metrics of the library that take an answer and a target."""
    for name, definition in program.definitions.items():
        domains, codomain = t.uncurried(definition.scheme.type)
        of_losses = definition.span.source.name == "std/losses.nnfp"
        if of_losses and len(domains) == 2 and codomain == t.R:
            yield name


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
