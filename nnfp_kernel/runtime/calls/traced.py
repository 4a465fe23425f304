"""From a typed expression to something that runs: one trace, one graph, one executable.

`trace_application` runs an expression of a program on wires; the `Traced` graph knows what
each of its inputs is: an argument, a weight, a weight held constant, or the random key.

    f x = W @ x + b         inputs x, W, b; outputs what answer.py makes the value of
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import repeat
from typing import Any

import numpy

from ...graph.bodies import Further
from ...graph.building import Doubt
from ...graph.forest import ALIKE, Observation, plants, sums_apart
from ...graph.graph import ArrayType, Builder, Graph, Wire
from ...graph.rewrite import optimise, vectorise
from ...graph.scope import Environment, InputWeights, Scope, Surroundings
from ...graph.trace import Tracer
from ...graph.values import Extent, OpenSize, Value
from ...language import typed as p
from ...language import types as t
from ...language.diagnostics import Diagnostic, Label, NnfpError
from ...language.reach import WeightPath
from ...language.sizes import SizeVariable
from ...linear.planning import Decision, Plan
from ..exchange import flatten, is_concrete, numbers
from ..lower import Compiled, lower
from ..program import Program
from .answer import Answer
from .equations import told
from .misfits import in_example
from .placing import holds_forest, placed, replaced, shared, with_origins, with_room
from .structures import Structure

Array = Any


@dataclass(frozen=True)
class WeightInputs:
    """A weight among a graph's inputs: its path, its type, and how many wires it takes."""

    path: WeightPath
    type: t.Type
    count: int


@dataclass(frozen=True, eq=False)
class Traced:
    """A graph with the meaning of its inputs, in this order: arguments (so many wires
    for each), weights, weights held constant, values brought in, the key; and how to make
    the answer of its outputs. Where `problems` may show at run time, the last output is 0
    for all is well, else the number of one, counted from 1."""

    graph: Graph
    counts: tuple[int, ...]
    weights: tuple[WeightInputs, ...]
    present: tuple[WeightInputs, ...]
    externals: tuple[WeightInputs, ...]
    draws: bool
    answer: Answer
    program: Program
    problems: tuple[Diagnostic, ...] = ()
    # For reading: the answer, and what is made of arguments of which nothing is known.
    value: Value = None
    observed: tuple[Observation, ...] = ()
    decisions: tuple[Decision, ...] = ()  # of loops that the program itself differentiates
    compiled: Compiled = field(default_factory=Compiled)

    @property
    def answers(self) -> tuple[Wire, ...]:
        """The outputs that are the answer."""
        return self.graph.outputs[:-1] if self.problems else self.graph.outputs

    def checked(self, arrays: Sequence[Array]) -> Sequence[Array]:
        """The arrays of the answer among those of all outputs. Raises NnfpError for what
        only showed at run time; inside a `jit` of the user's own nothing can be told."""
        if not self.problems:
            return arrays
        *answers, numbers = arrays
        if is_concrete(numbers):
            found = numpy.asarray(numbers)
            for k in numpy.flatnonzero(found):
                error = NnfpError(self.problems[int(found.flat[k]) - 1])
                raise error if not found.shape else in_example(error, int(k))
        return answers

    @property
    def arguments(self) -> int:
        """How many of the inputs are arguments'."""
        return sum(self.counts)

    @cached_property
    def vectorised(self) -> Graph:
        """The graph as it is differentiated: maps made operations on whole arrays."""
        return vectorise(self.program.primitives, self.graph)

    @cached_property
    def optimised(self) -> Graph:
        """The graph as it is run."""
        return optimise(self.program.primitives, self.graph)

    @cached_property
    def lowered(self) -> Callable[..., tuple[Array, ...]]:
        """An ordinary JAX function of the arrays of all inputs."""
        return lower(self.optimised, self.program.precision)

    @cached_property
    def run(self) -> Callable[..., tuple[Array, ...]]:
        """The same, compiled on first use; what has no solution is told."""
        return told(self.optimised, self.bare, self.program.precision)

    @cached_property
    def bare(self) -> Callable[..., tuple[Array, ...]]:
        """The same without telling anything: it knows no places of the program, so that it may
        be that of an equal graph."""
        return self.program.executables.of(
            self.graph, self.program.precision, lambda: self.compiled.function(self.lowered)
        )

    def external_arrays(self) -> list[Array]:
        """The arrays of the values brought in from Python."""
        declarations, number = self.program.declarations, numbers(self.program.precision)
        return [
            array
            for one in self.externals
            for array in flatten(
                self.program.externals[one.path[0]], one.type, declarations, number
            )
        ]

    @property
    def weight_wires(self) -> range:
        """Where the weights are among the graph's inputs."""
        return range(self.arguments, self.arguments + sum(w.count for w in self.weights))


def trace_application(
    program: Program,
    expression: p.Expression,
    arguments: Mapping[str, tuple[t.Type, Structure]],
    *,
    training: bool = False,
    batch: int | None = None,
    capacity: int | None = None,
    apart: bool = False,
    plan: Plan | None = None,
) -> Traced:
    """Trace `expression`, in which `External` names stand for the arguments.

    With `batch`, every argument has one more leading axis, and so has the answer: one
    map over examples, with the weights shared and a random key for each.

    With `capacity` besides, lengths in the arguments' types that are variables are known
    only at run time, and are at most that: arguments have a wire for the length of each
    sequence, before those of its elements, and the key is one for each example. So it is in
    a batch whose keys come `apart`: it is a part of a larger one.

    A `plan` decides of the loops that the program itself differentiates.
    """
    builder = Builder(program.primitives)
    declarations = program.declarations
    over: tuple[int, ...] = () if batch is None else (batch,)
    examples: list[Wire] = []  # those with an axis of examples in a batch
    given: dict[str, tuple[Value, list[Wire]]] = {}
    extents: dict[SizeVariable, Extent] = {}
    observed: list[Observation] = []
    for name, (type, structure) in arguments.items():
        own: list[Wire] = []

        def make(
            array: ArrayType, name: str = name, own: list[Wire] = own, shared: bool = False
        ) -> Wire:
            axes = () if shared else over
            own.append(builder.input(ArrayType(array.kind, axes + array.shape), name))
            if not shared:
                examples.append(own[-1])
            return own[-1]

        if capacity is None:
            given[name] = placed(type, structure, declarations, make, observed), own
        else:
            given[name] = with_room(type, structure, declarations, make, capacity, extents), own
    # Weights, weights held constant, and values brought in from Python by name.
    sources = [InputWeights(builder, declarations) for _ in range(3)]
    keys: list[Wire] = []

    def key(over: tuple[int, ...] = () if capacity is None else over) -> Wire:
        keys.append(builder.input(ArrayType("Key", over), "key"))
        return keys[-1]

    surroundings = Surroundings(
        program.definitions, declarations, program.builtins, program.primitives, training, plan
    )
    values = {name: value for name, (value, _) in given.items()}
    tracer = Tracer(
        surroundings,
        builder,
        key=key,
        external=lambda name, type: (
            values[name] if name in values else sources[2].weight((name,), type)
        ),
        present=sources[1],
        extents=extents,
    )
    values = with_origins(values)
    tracer.forests = any(map(holds_forest, values.values()))
    for tree in plants(tuple(values.values())):
        tracer.plants.setdefault(builder, tree)
        if tree.alike:
            tracer.lengths, tracer.apart = repeat(ALIKE), sums_apart(ALIKE + 1)
    environment = Environment(Scope(sources[0]))
    value: Value = None
    try:
        if batch is None:
            value = tracer.evaluate(expression, environment)
            answer = Answer.of(value, expression.type, tracer)
            doubt = tracer.doubt()
        else:
            answer, doubt = _batched(
                tracer, expression, environment, values, examples, batch,
                partial(key, over) if apart or capacity is not None else None,
            )  # fmt: skip
    except OpenSize as problem:
        raise NnfpError(
            Diagnostic(
                "size-open",
                str(problem),
                Label(builder.origin or expression.span, "a value is asked for here"),
                (),
                ("Nothing in the program settles it.",),
                "give a type: (expression : R[3])",
            )
        ) from None
    graph = builder.finish([*answer.wires, *([] if doubt.wire is None else [doubt.wire])])
    weights, present, externals = (
        tuple(WeightInputs(path, type, len(made)) for path, (type, made) in source.wires.items())
        for source in sources
    )
    order = [
        *(wire for _, own in given.values() for wire in own),
        *(wire for source in sources for _, made in source.wires.values() for wire in made),
        *keys,
    ]
    graph = Graph(tuple(order), graph.nodes, graph.outputs)
    counts = tuple(len(own) for _, own in given.values())
    problems = () if doubt.wire is None else doubt.problems
    return Traced(
        graph, counts, weights, present, externals, bool(keys), answer, program, problems,
        value, tuple(observed), () if plan is None else tuple(plan.decisions),
    )  # fmt: skip


def _batched(
    tracer: Tracer,
    expression: p.Expression,
    environment: Environment,
    values: dict[str, Value],
    examples: Sequence[Wire],
    batch: int,
    key: Callable[[], Wire] | None,
) -> tuple[Answer, Doubt]:
    whole = dict(values)
    inner: list[Answer] = []
    doubts: list[Doubt] = []
    extents = tracer.extents
    further: Further = []
    outside = tracer.builder, tracer.keys

    def one(example: Sequence[Wire]) -> Value:
        place = dict(zip(examples, example, strict=True))
        child = tracer.builder

        def own(results: Sequence[Wire]) -> list[Wire]:
            """This example's own among the results of all, made outside."""
            further.extend(lambda wire=wire: wire for wire in results)  # type: ignore[misc]
            return [child.input(wire.type.element()) for wire in results]

        for name, value in whole.items():
            values[name] = shared(replaced(value, place), outside, own)
        tracer.extents = {
            variable: Extent(extent.capacity, place[extent.length])
            for variable, extent in extents.items()
        }
        inner.append(Answer.of(tracer.evaluate(expression, environment), expression.type, tracer))
        doubts.append(tracer.doubt())
        wire = doubts[-1].wire
        return (*inner[-1].wires, *([] if wire is None else [wire]))

    made = tracer.map_wires(batch, examples, one, further, key)
    (answer,), (doubt,) = inner, doubts
    count = len(answer.wires)
    if doubt.wire is not None:
        doubt = Doubt(made[count], doubt.problems)
    made = made[:count]
    rebuild = answer.rebuild
    if key is None and (answer.tags or tracer.declarations.has_data(expression.type)):

        def rebuild(arrays: Iterator[Array]) -> list[Any]:
            own = [next(arrays) for _ in made]
            return [answer.rebuild(iter([_row(array, k) for array in own])) for k in range(batch)]

    return Answer(made, rebuild, answer.tags, answer.lengths), doubt


def _row(array: Array, k: int) -> Array:
    return array if isinstance(array, tuple) else array[k]
