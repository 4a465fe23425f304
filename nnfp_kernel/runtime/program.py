"""From a typed expression to something that runs: one trace, one graph, one executable.

A `Program` is a snapshot of what a session defines. `trace_application` runs one of
its expressions on wires; the `Traced` graph knows what each of its inputs is: an
argument, a weight, a weight held constant, or the random key.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy

from ..graph.context import Doubt, Further
from ..graph.forest import (
    AnyTree,
    Columns,
    Constructors,
    Fellow,
    Forest,
    ForestShape,
    Kind,
    NoForest,
    Observation,
    Own,
    Unknown,
    planted,
)
from ..graph.graph import ArrayType, Builder, Graph, Wire
from ..graph.grown import Grown, opened, tree_name
from ..graph.primitive import Primitive
from ..graph.rewrite import optimise, vectorise
from ..graph.scope import Environment, InputWeights, Keys, Scope, Surroundings
from ..graph.sequences import over
from ..graph.trace import Tracer
from ..graph.values import (
    Declarations,
    Extent,
    Items,
    NotFirstOrder,
    OpenSize,
    Value,
    Variant,
    emptied,
    leaves,
    lengths,
)
from ..graph.values import Sequence as Ragged
from ..language import typed as p
from ..language import types as t
from ..language.diagnostics import Diagnostic, Label, NnfpError
from ..language.reach import ReachedWeight, WeightPath, reached
from ..language.sizes import SizeVariable, constant
from ..language.syntax import NOWHERE
from .data import DataValue, register_with_jax
from .equations import told
from .exchange import (
    Packed,
    flatten,
    is_concrete,
    match,
    rebuild,
    tags_of,
    with_tags,
)
from .executables import Executables
from .forest import Planted
from .lower import DTYPES, Compiled, Precision, lower
from .misfits import in_example

Array = Any
Structure = Any  # hashable: the constructors of the data values among the arguments


@dataclass(frozen=True, eq=False)
class Program:
    """What a session defined at some moment. Immutable; graphs made from it are kept."""

    definitions: Mapping[str, p.Definition]
    reps: Mapping[str, p.RepDeclaration]
    data: Mapping[str, p.DataDeclaration]
    builtins: Mapping[str, Any]
    primitives: Mapping[str, Primitive]
    precision: Precision = 32
    externals: Mapping[str, Any] = field(default_factory=dict)  # values brought in by name
    memory: int | None = None  # bytes that what runs may take; None: those the device has
    executables: Executables = field(default_factory=Executables)  # the session's
    _reached: dict[str, tuple[ReachedWeight, ...]] = field(default_factory=dict)

    @cached_property
    def declarations(self) -> Declarations:
        return Declarations(
            self.reps, self.data, lambda name: tuple((w.path, w.type) for w in self.reached(name))
        )

    def reached(self, name: str) -> tuple[ReachedWeight, ...]:
        """The weights a definition reaches, in order."""
        if name not in self._reached:
            self._reached[name] = reached(self.definitions, name)
        return self._reached[name]


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
) -> Traced:
    """Trace `expression`, in which `External` names stand for the arguments.

    With `batch`, every argument has one more leading axis, and so has the answer: one
    map over examples, with the weights shared and a random key for each.

    With `capacity` besides, lengths in the arguments' types that are variables are known
    only at run time, and are at most that: arguments have a wire for the length of each
    sequence, before those of its elements, and the key is one for each example. So it is in
    a batch whose keys come `apart`: it is a part of a larger one.
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
            given[name] = _with_room(type, structure, declarations, make, capacity, extents), own
    # Weights, weights held constant, and values brought in from Python by name.
    sources = [InputWeights(builder, declarations) for _ in range(3)]
    keys: list[Wire] = []

    def key(over: tuple[int, ...] = () if capacity is None else over) -> Wire:
        keys.append(builder.input(ArrayType("Key", over), "key"))
        return keys[-1]

    surroundings = Surroundings(
        program.definitions, declarations, program.builtins, program.primitives, training
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
    values = _with_origins(values)
    tracer.forests = any(map(holds_forest, values.values()))
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
        value, tuple(observed),
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
            values[name] = _shared(replaced(value, place), outside, own)
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


def numbers(precision: Precision) -> Callable[[Any, str], Array]:
    """Python numbers and arrays as arrays of a kind, in the session's precision."""
    import jax.numpy as jnp

    register_with_jax()
    dtypes = DTYPES[precision]

    def number(value: Any, kind: str) -> Array:
        if isinstance(value, numpy.ndarray):  # else JAX converts it, by a computation
            value = numpy.asarray(value, dtypes[kind])
        return jnp.asarray(value, dtypes[kind])

    return number


def placed(
    type: t.Type,
    structure: Structure,
    declarations: Declarations,
    make: Callable[..., Wire],
    observed: list[Observation],
) -> Value:
    """A value of `type` on new input wires; `structure` says which constructors it has."""
    match type:
        case _ if isinstance(structure, t.Array):  # the type, with lengths
            return placed(structure, None, declarations, make, observed)
        case t.Product(items=items):
            parts = structure or (None,) * len(items)
            return tuple(
                placed(item, part, declarations, make, observed)
                for item, part in zip(items, parts, strict=True)
            )
        case _ if isinstance(structure, AnyTree | Columns):
            return planted(type, structure, declarations, make, make, observed, None)
        case t.Named() if isinstance(structure, ForestShape):
            new = partial(make, shared=structure.shared)
            return Forest.make(type, structure, declarations, new)
        case t.Array(element=element) if structure is not None:
            return Items(
                element,
                tuple(placed(element, part, declarations, make, observed) for part in structure),
            )
        case t.Named(name=name) if name in declarations.data and structure is not None:
            constructor, parts = structure
            fields = declarations.constructors(type)[constructor]
            values = tuple(
                placed(field, part, declarations, make, observed)
                for field, part in zip(fields, parts, strict=True)
            )
            return Variant(type, constructor, {constructor: values})
        case _:
            return declarations.rebuild(type, [make(array) for array in declarations.layout(type)])


def _with_room(
    type: t.Type,
    structure: Structure,
    declarations: Declarations,
    make: Callable[[ArrayType], Wire],
    capacity: int,
    extents: dict[SizeVariable, Extent],
    axes: tuple[int, ...] = (),
) -> Value:
    """A value of `type` on new input wires, with room for so many elements where a length
    is a variable; `extents` is told of those that are one number for the example."""
    match type:
        case t.Array(element=element, length=length):
            count = length.value
            if count is not None:
                return _with_room(
                    element, None, declarations, make, capacity, extents, (*axes, count)
                )
            wire = make(ArrayType("Int", axes))
            variable = length.lone_variable
            assert variable is not None
            if not axes:
                extents[variable] = Extent(capacity, wire)
            inside = _with_room(
                element, None, declarations, make, capacity, extents, (*axes, capacity)
            )
            return over(inside, wire, filled=True)
        case t.Product(items=items):
            parts = structure or (None,) * len(items)
            return tuple(
                _with_room(item, part, declarations, make, capacity, extents, axes)
                for item, part in zip(items, parts, strict=True)
            )
        case t.Named() if isinstance(structure, ForestShape):
            return Forest.make(type, structure, declarations, make)
        case t.Named(name=name) if name in declarations.reps:
            carrier = declarations.reps[name].carrier
            return _with_room(carrier, structure, declarations, make, capacity, extents, axes)
        case _:
            wires = [make(array) for array in declarations.layout(type, axes)]
            return declarations.rebuild(type, wires)


def structure_of(type: t.Type, value: Any, declarations: Declarations) -> Structure:
    """What `placed` must know of a Python value beside its type; None for plain arrays.

    Of a data value its constructor and the structures of its fields; of a sequence of
    trees those of its items; of a field `[R]` its type with the length that is there.
    """
    if isinstance(value, Packed):
        return value.structure
    match type:
        case t.Product(items=items):
            parts = tuple(
                structure_of(item, part, declarations)
                for item, part in zip(items, value, strict=True)
            )
            return parts if any(part is not None for part in parts) else None
        case t.Array(element=element) if declarations.one_by_one(element):
            return tuple(structure_of(element, part, declarations) for part in value)
        case t.Array() if not t.is_concrete(type):
            return match(type, value, declarations)
        case t.Named(name=name) if name in declarations.data:
            fields = declarations.constructors(type)[value.constructor]
            return value.constructor, tuple(
                structure_of(field, part, declarations)
                for field, part in zip(fields, value.fields, strict=True)
            )
        case _:
            return None


def any_structure(
    type: t.Type, declarations: Declarations, room: int, path: tuple[int, ...] = ()
) -> Structure:
    """The structure of values of `type` in which every tree is one of which nothing is
    known: for reading. `path` is where the value stands. Raises NotFirstOrder for sequences,
    of any length, of what holds trees or sequences."""
    match type:
        case t.Product(items=items):
            parts = tuple(
                any_structure(item, declarations, room, (*path, k)) for k, item in enumerate(items)
            )
            return parts if any(part is not None for part in parts) else None
        case t.Named(name=name) if name in declarations.data:
            return AnyTree(room, path)
        case t.Array(element=element, length=length) if declarations.one_by_one(element):
            if length.value is None:
                # Another number of elements than any other sequence here has.
                few = sum((k + 1) * 3**depth for depth, k in enumerate(path)) % 8
                own = room + 6 * (16 + few)
                if isinstance(element, t.Product) and declarations.has_trees(element):
                    return Columns.of(element, declarations, own, path)
                if not (isinstance(element, t.Named) and declarations.has_trees(element)):
                    raise NotFirstOrder(type)
                return AnyTree(own, path, many=True)
            return tuple(
                any_structure(element, declarations, room, (*path, k)) for k in range(length.value)
            )
        case t.Array():
            _, sizes = t.free_variables(type)
            open_ends = dict.fromkeys(sizes, constant(room))
            return t.substitute(type, {}, open_ends) if sizes else None
        case _:
            return None


def decided(
    type: t.Type, structure: Structure, declarations: Declarations, path: tuple[int, ...]
) -> list[Structure]:
    """The structures that a value may have once it is known what the tree at `path` is: one
    for each of its constructors."""
    if isinstance(structure, AnyTree):
        assert isinstance(type, t.Named)
        return [
            (name, tuple(
                any_structure(field, declarations, structure.room, (*structure.path, k))
                for k, field in enumerate(fields)
            ))
            for name, fields in declarations.constructors(type).items()
        ]  # fmt: skip
    k, *rest = path
    match type, structure:
        case t.Named(), (str(name), parts):
            types = declarations.constructors(type)[name]
            return [
                (name, (*parts[:k], each, *parts[k + 1 :]))
                for each in decided(types[k], parts[k], declarations, tuple(rest))
            ]
        case t.Product() | t.Array(), _:
            inner = type.items[k] if isinstance(type, t.Product) else type.element
            return [
                (*structure[:k], each, *structure[k + 1 :])
                for each in decided(inner, structure[k], declarations, tuple(rest))
            ]
        case _:
            raise AssertionError(f"nothing stands at {path} of {t.show(type)}")


def smallest_structure(
    type: t.Type, declarations: Declarations, inside: frozenset[str] = frozenset()
) -> Structure:
    """The structure of a small value of `type`: of each data type the first constructor
    that needs no value of the type itself. Raises NotFirstOrder where there is none."""
    match type:
        case t.Product(items=items):
            parts = tuple(smallest_structure(item, declarations, inside) for item in items)
            return parts if any(part is not None for part in parts) else None
        case t.Array(element=element, length=length) if declarations.one_by_one(element):
            one = smallest_structure(element, declarations, inside) if length.value else None
            return (one,) * (length.value or 0)
        case t.Array() if not t.is_concrete(type):
            _, sizes = t.free_variables(type)
            return t.substitute(type, {}, dict.fromkeys(sizes, constant(0)))
        case t.Named(name=name) if name in declarations.data:
            if name in inside:
                raise NotFirstOrder(type)
            for constructor, fields in declarations.constructors(type).items():
                try:
                    return constructor, tuple(
                        smallest_structure(field, declarations, inside | {name}) for field in fields
                    )
                except NotFirstOrder:
                    continue
            raise NotFirstOrder(type)
        case _:
            return None


def shaped(type: t.Type, value: Any, arrays: Iterator[Array], declarations: Declarations) -> Any:
    """The Python value that these arrays make up, in the shape of `value`: a gradient in
    an argument, a tree where the argument is one."""
    if isinstance(value, Packed):
        return value.unpacked(arrays)
    match type:
        case t.Product(items=items):
            return tuple(
                shaped(item, part, arrays, declarations)
                for item, part in zip(items, value, strict=True)
            )
        case t.Array() if declarations.one_by_one(type.element):
            return [shaped(type.element, part, arrays, declarations) for part in value]
        case t.Named(name=name) if name in declarations.data:
            fields = declarations.constructors(type)[value.constructor]
            return DataValue(
                value.constructor,
                tuple(
                    shaped(field, part, arrays, declarations)
                    for field, part in zip(fields, value.fields, strict=True)
                ),
            )
        case _:
            return rebuild(type, with_tags(type, value, arrays, declarations), declarations)


def replaced(value: Value, place: Mapping[Wire, Wire]) -> Value:
    """A value with its wires replaced."""
    if isinstance(value, tuple):
        return tuple(replaced(item, place) for item in value)
    if isinstance(value, Ragged):
        return Ragged(replaced(value.elements, place), place[value.length], value.filled)
    if isinstance(value, Forest):
        return value if value.shape.shared else value.replaced(lambda part: replaced(part, place))
    if isinstance(value, Variant):
        fields = {name: replaced(parts, place) for name, parts in value.fields.items()}
        return Variant(value.type, value.constructor, fields, value.tag and place[value.tag])
    if isinstance(value, Items):
        return Items(value.type, tuple(replaced(item, place) for item in value.items))
    return place[value]


def _with_origins(values: dict[str, Value]) -> dict[str, Value]:
    """Arguments in which each forest knows which one it is."""
    number = itertools.count()

    def one(value: Value) -> Value:
        if isinstance(value, tuple):
            return tuple(map(one, value))
        return replace(value, origin=next(number)) if isinstance(value, Forest) else value

    return {name: one(value) for name, value in values.items()}


def holds_forest(value: Value) -> bool:
    if isinstance(value, tuple):
        return any(map(holds_forest, value))
    return isinstance(value, Forest | Unknown)


def _shared(value: Value, place: tuple[Builder, Keys], own: Own) -> Value:
    """A value in which the forests shared by all examples know where they are reduced,
    and how this example takes its own of what comes of it."""
    if isinstance(value, tuple):
        return tuple(_shared(item, place, own) for item in value)
    if isinstance(value, Forest) and value.shape.shared:
        return replace(value, place=place, own=own)
    return value


@dataclass(frozen=True)
class Answer:
    """What a traced expression gives: its wires, and the Python value of their arrays.
    `tags` are the wires that say which constructor a data value has, or how long a
    sequence is; `lengths` are the latter."""

    wires: tuple[Wire, ...]
    rebuild: Callable[[Iterator[Array]], Any]
    tags: frozenset[int] = frozenset()
    lengths: frozenset[int] = frozenset()

    @classmethod
    def of(cls, value: Value, type: t.Type, tracer: Tracer) -> Answer:
        """Raises NnfpError for a function, which is not an answer."""
        made: list[tuple[Wire, bool]] = []
        rebuild = _rebuilder(value, type, tracer, made)
        said = set(lengths(value))
        long = frozenset(k for k, (wire, _) in enumerate(made) if wire in said)
        tags = frozenset(k for k, (_, is_tag) in enumerate(made) if is_tag) | long
        return cls(tuple(wire for wire, _ in made), rebuild, tags, long)


def _rebuilder(
    value: Value, type: t.Type, tracer: Tracer, made: list[tuple[Wire, bool]]
) -> Callable[[Iterator[Array]], Any]:
    declarations = tracer.declarations
    if isinstance(value, Forest):
        return _forest_rebuilder(value, tracer, made)
    if isinstance(value, Fellow):  # for reading: which of the trees
        made.append((value.place, False))
        return lambda arrays: None
    if isinstance(value, Unknown):  # for reading: its payload, where that was changed
        changed = () if value.shown is None else leaves(value.payload()[0])
        made.extend((wire, False) for wire in changed)
        return lambda arrays: None
    if isinstance(value, Variant) and value.constructor is not None:
        # The constructor is known, so only its own fields are there: trees come out too.
        fields = declarations.constructors(value.type)[value.constructor]
        parts = [
            _rebuilder(part, field, tracer, made)
            for part, field in zip(value.fields[value.constructor], fields, strict=True)
        ]
        constructor = value.constructor
        return lambda arrays: DataValue(constructor, tuple(part(arrays) for part in parts))
    if isinstance(value, Grown) and not value.layers:  # only the end below them, which is known
        return _rebuilder(opened(tracer, value), type, tracer, made)
    if isinstance(value, Grown):
        return _grown_rebuilder(value, tracer, made)
    if isinstance(value, Items):
        each = [_rebuilder(item, value.type, tracer, made) for item in value.items]
        return lambda arrays: [one(arrays) for one in each]
    if isinstance(type, t.Product):
        items = [
            _rebuilder(part, item, tracer, made)
            for part, item in zip(value, type.items, strict=True)
        ]
        return lambda arrays: tuple(item(arrays) for item in items)
    if isinstance(value, tuple) and isinstance(type, t.Array) and declarations.has_trees(type):
        assert isinstance(type.element, t.Product)  # for reading: what stands at each place
        for part, item in zip(value, type.element.items, strict=True):
            _rebuilder(part, t.Array(item, type.length), tracer, made)
        return lambda arrays: None
    try:
        wires = tracer.flatten(value, type)
        tags = tags_of(type, declarations, value) if declarations.has_data(type) else []
        tags = tags if len(tags) == len(wires) else [False] * len(wires)
        made.extend(zip(wires, tags, strict=True))
    except NotFirstOrder as problem:
        raise NnfpError(
            Diagnostic(
                "function-as-value",
                f"{problem.kind} has no value of numbers to show",
                Label(tracer.builder.origin or NOWHERE, f"has type {t.show(problem.type)}"),
                (),
                (
                    "Draw from it with `draw`."
                    if problem.kind == "a distribution"
                    else "Apply it to an argument, or define it with a name to see its type.",
                ),
            )
        ) from None
    return lambda arrays: rebuild(type, arrays, declarations, like=value)


def _forest_rebuilder(
    forest: Forest, tracer: Tracer, made: list[tuple[Wire, bool]]
) -> Callable[[Iterator[Array]], Any]:
    """Trees by their payload: the shape is that of an argument, which a call knows."""
    if forest.shape.shared:  # each example needs a forest of its own
        raise NoForest(forest.type)
    constructors = Constructors.of(forest.type, tracer.declarations)
    for key, wires in forest.payload.items():
        kind = key if isinstance(key, Kind) else Kind(key)
        tags = [
            tag
            for part in constructors.parts(kind.constructor)
            if part.type != forest.type and not constructors.missing(kind, part)
            for tag in tags_of(part.type, tracer.declarations)
        ]
        lengths = [False] * (len(wires) - len(tags))
        made.extend(zip(wires, [*lengths, *tags], strict=True))
    count = len(forest.wires)
    return lambda arrays: Planted(
        forest.origin, forest.type, tuple(next(arrays) for _ in range(count))
    )


def _next(slots: Iterator[int], _: int) -> int:
    return next(slots)


def _rows_of(type: t.Type, value: Any, count: int | None = None) -> list[Any]:
    """The elements of an array of products, of which a part that is () counts nothing."""
    if not isinstance(type, t.Product):
        return [()] * count if count is not None and isinstance(value, tuple) else list(value)
    parts = [_rows_of(item, part, count) for item, part in zip(type.items, value, strict=True)]
    return list(zip(*parts, strict=True))


def _grown_rebuilder(
    tree: Grown, tracer: Tracer, made: list[tuple[Wire, bool]]
) -> Callable[[Iterator[Array]], Any]:
    """The tree, node by node, of its levels' arrays: only the nodes that are there."""
    functor, declarations = tree.functor, tracer.declarations
    levels = [
        _rebuilder(
            layer, t.Array(functor.layer(t.UNIT), constant(alive.type.shape[0])), tracer, made
        )
        for layer, alive in zip(tree.layers, tree.alive, strict=True)
    ]
    assert functor.end is not None

    def zero(type: t.Type) -> Any:
        """A field of the node that stands below the last level."""
        if t.mentions(type, functor.tree):
            return tuple(map(zero, type.items)) if isinstance(type, t.Product) else []
        item = emptied(type)
        arrays = iter([numpy.zeros(array.shape) for array in declarations.layout(item)])
        return rebuild(item, arrays, declarations)

    end = DataValue(functor.end, tuple(map(zero, functor.fields[functor.end])))

    def filled(
        type: t.Type, value: Any, level: int, take: Callable[[int], int], child: Callable[..., Any]
    ) -> Any:
        """A field of a layer with its children; `take` gives so many slots of the layer."""
        if type == functor.tree:
            return child(take(1))
        if not t.mentions(type, functor.tree):
            return value
        if isinstance(type, t.Product):
            pairs = zip(type.items, value, strict=True)
            return tuple(filled(item, part, level, take, child) for item, part in pairs)
        assert isinstance(type, t.Array)
        element, count = type.element, type.length.value
        if count is not None:
            rows = _rows_of(element, value, count)
            return [filled(element, row, level, take, child) for row in rows]
        starts = [take(tree.rooms[level]) for _ in functor.children(element)]
        if not tree.slots(level):  # below the last level
            return []
        made = []
        for k, row in enumerate(_rows_of(element, value)):
            slots = iter([start + k for start in starts])
            made.append(filled(element, row, level, partial(_next, slots), child))
        return made

    def build(arrays: Iterator[Array]) -> DataValue:
        layers = [level(arrays) for level in levels]

        def node(level: int, k: int) -> DataValue:
            layer, slots = layers[level][k], tree.slots(level)
            name, first = tree_name(layer.constructor), 0

            def take(count: int) -> int:
                nonlocal first
                first += count
                return first - count

            def child(slot: int) -> DataValue:
                return node(level + 1, k * slots + slot) if slots else end

            pairs = zip(functor.fields[name], layer.fields, strict=True)
            return DataValue(
                name, tuple(filled(type, value, level, take, child) for type, value in pairs)
            )

        return node(0, 0)

    return build


__all__ = [
    "Program", "Traced", "WeightInputs", "numbers", "shaped", "smallest_structure", "structure_of",
    "trace_application",
]  # fmt: skip
