"""A Python list as a batch: examples of any length, answered bucket by bucket.

Every bucket has one executable for values and one for the gradient, whatever the number
of examples (runtime/ragged.py). What cannot be run with padding, a window
over rows of different lengths say, is answered one by one. Trees have a batch of their own
(runtime/forest), but beside sequences of different length, where they are here. One
example whose own rows differ in length (`[[R]]`) is a batch of it alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy

from ..graph.forest import NoForest, forestable
from ..graph.values import Declarations
from ..language import types as t
from ..language.diagnostics import Diagnostic, Label, NnfpError
from .calls import misfits
from .calls.arguments import random_key
from .calls.batches import column, example_of
from .calls.misfits import by_itself, in_example
from .calls.specialise import Calls
from .calls.tangents import cotangent_rows, require_scalar, weight_gradients
from .exchange import Misfit, is_concrete
from .ragged import Differ, Form, bucketed, form, rows_of, unpacked

if TYPE_CHECKING:
    from .calls.call import Call
    from .function import Function
    from .machine.devices import Layout

Array = Any
NestedWeights = Mapping[str, Any]
Example = tuple[Any, ...]
T = TypeVar("T")


class OneByOne(Exception):
    """A batch that cannot be run with padding."""


def examples_of(function: Function, inputs: Sequence[Any]) -> list[Example]:
    """The examples of a batch: lists are taken apart, what is no list belongs to each."""
    counts = {len(value) for value in inputs if isinstance(value, list)}
    if len(counts) != 1:
        raise misfits.lists_misfit(function, sorted(counts))
    (count,) = counts
    return [
        tuple(value[k] if isinstance(value, list) else value for value in inputs)
        for k in range(count)
    ]


def uneven(value: Any) -> bool:
    """Whether there is a list in it, at any depth, that is no array: of rows that differ in
    shape, or of none, which tells no shape.

    >>> uneven([[1.0, 2.0], [3.0]]), uneven([[1.0, 2.0], [3.0, 4.0]]), uneven([])
    (True, False, True)
    """
    if isinstance(value, tuple):
        return any(map(uneven, value))
    return isinstance(value, list) and _shape(value) is None


def _shape(value: Any) -> tuple[int, ...] | None:
    """The shape of an array that a list writes down; None where it is no array."""
    if not isinstance(value, list):
        return getattr(value, "shape", ())
    shapes = set(map(_shape, value)) or {None}
    first = shapes.pop()
    return None if shapes or first is None else (len(value), *first)


def is_example(domain: t.Type, value: Any) -> bool:
    """Whether a list of rows is one example written down, and no batch of them: as deep as
    the type says. A list of numbers is a batch of numbers."""
    axes = 0
    while isinstance(domain, t.Array):
        axes, domain = axes + 1, domain.element
    return isinstance(domain, t.Scalar | t.Fin) and axes > 1 and _depth(value) == axes


def _depth(value: Any) -> int | None:
    """How many axes a value has, lists and those of its arrays; None where it is not known,
    since there is nothing in it."""
    if not isinstance(value, list):
        return getattr(value, "ndim", 0)
    inside = [depth for depth in map(_depth, value) if depth is not None]
    return 1 + max(inside) if inside else None


def is_batch(calls: Calls, inputs: Sequence[Any]) -> bool:
    """Whether a list among the inputs is a batch, and no example written down."""
    if not any(isinstance(value, list) for value in inputs):
        return False
    pairs = zip(calls.domains(len(inputs)), inputs, strict=True)
    return not all(is_example(domain, value) for domain, value in pairs if isinstance(value, list))


def are_lists(calls: Calls, inputs: Sequence[Any]) -> bool:
    """Whether examples come in lists, and no forest holds them: what differs beside
    trees, or without any, is padded."""
    domains = calls.domains(len(inputs))
    if not any(isinstance(value, list) for value in inputs):
        return False
    if not any(map(calls.program.declarations.has_data, domains)):
        return True
    try:
        calls.columns(inputs)
    except NoForest:
        return True
    return False


# --- what runs together -----------------------------------------------------------------


def form_of(function: Function, examples: Sequence[Example]) -> Form:
    """The form of examples. Raises NnfpError that names the wrong one, and OneByOne."""
    domains = function.calls.domains(len(examples[0]))
    declarations = function.program.declarations
    if not all(map(_settled, examples)):
        raise OneByOne
    try:
        found = form(domains, examples, declarations)
    except Misfit as misfit:
        error = misfits.input_misfit(function, misfit, misfit.input)
        raise in_example(error, misfit.example) from None
    except Differ:
        raise OneByOne from None
    if any(map(declarations.has_data, found.types)):
        # Trees beside sequences of different length, if forests hold them.
        answer = t.uncurried(function.definition.scheme.type)[1]
        held = all(_held(type, declarations) for type in found.types)
        if not (found.ragged and held) or declarations.has_data(answer):
            raise OneByOne
    if found.ragged:
        function.calls.require_sizes_of(examples)
    return found


def _held(type: t.Type, declarations: Declarations) -> bool:
    """Whether all data in it are trees that a forest can hold."""
    if isinstance(type, t.Product):
        return all(_held(item, declarations) for item in type.items)
    return forestable(type, declarations) or not declarations.has_data(type)


def _settled(value: Any) -> bool:
    """Whether the entries are there: not inside a `jit` of the user's own."""
    if isinstance(value, tuple | list):
        return all(map(_settled, value))
    return not hasattr(value, "shape") or is_concrete(value)


@dataclass(frozen=True)
class Run:
    """Some examples of one bucket: which ones, and their arrays, with rows to spare that
    repeat the first."""

    call: Call
    indices: Array
    arrays: list[Array]


def runs(
    function: Function,
    found: Form,
    examples: Sequence[Example],
    train: bool,
    alone: bool = False,
    shares: int = 1,
) -> Iterator[Run]:
    """The examples, from the largest bucket to the smallest: where one leaves rows to spare,
    examples of the next stand in them. One `alone` has an executable of one row; of several
    `shares` each has as many rows, and the call is that of one. Raises OneByOne."""
    program = function.program
    rooms = numpy.array([found.capacity(example) for example in examples])
    order = numpy.argsort(-rooms, kind="stable")
    start = 0
    while start < len(order):
        capacity = int(rooms[order[start]])
        rows = 1 if alone else -(-rows_of(capacity) // shares) * shares
        part = order[start : start + rows]
        filled = numpy.concatenate([part, numpy.full(rows - len(part), part[0])])
        own = [examples[k] for k in filled]
        shapes, arrays = bucketed(
            found, own, capacity, program.declarations, program.precision, function.calls.ordered
        )
        try:
            each = rows // shares
            call = function.calls.with_room(found.types, capacity, each, train, shapes)
        except NoForest as problem:
            if not function.calls.asks_for_order(problem):
                raise OneByOne from None
            continue  # packed again, and the rest from now on
        except NnfpError:  # a mistake shows in the example that makes it
            raise OneByOne from None
        yield Run(call, part, arrays)
        start += rows


def _keys(function: Function, call: Call, key: Array, indices: Array, rows: int) -> Array:
    """The key of each example: what it would be given alone."""
    import jax

    if not call.traced.draws:
        return random_key(function.calls, key, False)
    key = random_key(function.calls, key)
    filled = numpy.concatenate([indices, numpy.full(rows - len(indices), indices[0])])
    return jax.vmap(lambda k: jax.random.fold_in(key, k))(filled)


class _Problems:
    """What only showed at run time; the first example is told."""

    def __init__(self) -> None:
        self.first: tuple[int, Diagnostic] | None = None

    def see(self, run: Run, numbers: Array) -> None:
        wrong = numpy.flatnonzero(numpy.asarray(numbers)[: len(run.indices)])
        if len(wrong):
            k = wrong[numpy.argmin(run.indices[wrong])]
            index = int(run.indices[k])
            if self.first is None or index < self.first[0]:
                self.first = index, run.call.traced.problems[int(numbers[k]) - 1]

    def tell(self) -> None:
        if self.first is not None:
            index, problem = self.first
            raise in_example(NnfpError(problem), index)


@contextlib.contextmanager
def _by_itself() -> Iterator[None]:
    """Where a batch is one example, no mistake is told to be in its first."""
    try:
        yield
    except NnfpError as error:
        raise by_itself(error) from None


# --- what is asked ------------------------------------------------------------------------


def answers(
    function: Function,
    weights: NestedWeights,
    inputs: Sequence[Any],
    key: Array,
    train: bool,
) -> list[Any]:
    """One answer for each example of a batch of lists, as NumPy arrays where they were run
    together. Raises NnfpError, which names the example."""
    examples = examples_of(function, inputs)
    try:
        return _answers(function, weights, examples, key, train)
    except OneByOne:
        return each(function, examples, key, lambda example, own: function.apply(
            weights, *example, key=own, train=train
        ))  # fmt: skip


def together(
    function: Function, weights: NestedWeights, inputs: Sequence[Any], key: Array, train: bool
) -> list[Any]:
    """The answers to a list of examples with trees in them, as one batch. Raises NoForest
    where they cannot be taken together."""
    examples = examples_of(function, inputs)
    domains = enumerate(function.calls.domains(len(inputs)))
    columns = [column(domain, [example[k] for example in examples]) for k, domain in domains]
    answer = function.apply_batch(weights, *columns, key=key, train=train)
    return [example_of(answer, k) for k in range(len(examples))]


def answer(
    function: Function, weights: NestedWeights, example: Example, key: Array, train: bool
) -> Any:
    """The answer for one example whose rows differ in length. Raises OneByOne."""
    with _by_itself():
        return _answers(function, weights, [example], key, train, alone=True)[0]


def _answers(
    function: Function,
    weights: NestedWeights,
    examples: Sequence[Example],
    key: Array,
    train: bool,
    alone: bool = False,
) -> list[Any]:
    found: list[Any] = [None] * len(examples)
    problems = _Problems()
    form = form_of(function, examples) if examples else Form(())
    for run in runs(function, form, examples, train, alone):
        traced = run.call.traced
        keys = _keys(function, run.call, key, run.indices, len(run.arrays[0]))
        made = traced.run(*run.arrays, *function.held_arrays(run.call, weights, keys))
        results = [numpy.asarray(array) for array in made]
        if traced.problems:
            problems.see(run, results.pop())
        for row, index in enumerate(run.indices):
            found[index] = traced.answer.rebuild(array[row] for array in results)
    problems.tell()
    return found


def mean_value_and_grad(
    function: Function,
    weights: NestedWeights,
    inputs: Sequence[Any],
    key: Array,
    train: bool,
    layout: Layout | None = None,
) -> tuple[Any, dict[str, Any]]:
    """The mean of an objective over a batch of lists, and its gradient in the weights. With a
    `layout`, on which the weights and the key lie, each device has its share of the rows."""
    import jax

    examples = examples_of(function, inputs)
    if not examples:
        raise NnfpError(
            Diagnostic(
                "batch-misfit", "a batch of no examples has no mean",
                Label(function.definition.span, f"has type {function.type}"),
            )
        )  # fmt: skip
    try:
        return _mean_value_and_grad(function, weights, examples, key, train, layout=layout)
    except OneByOne:
        parted = each(function, examples, key, lambda example, own: function.value_and_grad(
            weights, *example, key=own, train=train
        ))  # fmt: skip
        value, gradient = _sum(
            [jax.tree.map(lambda array: array / len(examples), part) for part in parted]
        )
        return value, gradient


def value_and_grad(
    function: Function, weights: NestedWeights, example: Example, key: Array, train: bool
) -> tuple[Any, dict[str, Any]]:
    """The value of an objective at one example whose rows differ in length, and its gradient
    in the weights. Raises OneByOne."""
    with _by_itself():
        return _mean_value_and_grad(function, weights, [example], key, train, alone=True)


def _mean_value_and_grad(
    function: Function,
    weights: NestedWeights,
    examples: Sequence[Example],
    key: Array,
    train: bool,
    alone: bool = False,
    layout: Layout | None = None,
) -> tuple[Any, dict[str, Any]]:
    from .calls import shared

    parts: list[tuple[Any, dict[str, Any]]] = []
    problems = _Problems()
    form, devices = form_of(function, examples), 1 if layout is None else layout.shares
    for run in runs(function, form, examples, train, alone, devices):
        rows = len(run.arrays[0])
        require_scalar(function.calls, run.call, rows // devices)
        shares = numpy.zeros(rows)
        shares[: len(run.indices)] = 1 / len(examples)
        keys = _keys(function, run.call, key, run.indices, rows)
        own: Any = run.arrays, [keys] if run.call.traced.draws else [], shares
        held = function.held_arrays(run.call, weights)
        if layout is not None:
            own, held = shared.dealt(layout.spread(own), layout), layout.there(held)
        (value, gradients), numbers = shared.gradient(run.call, layout)(own, held)
        numbers = numbers if layout is None else layout.together(numbers)
        if run.call.traced.problems:
            problems.see(run, numbers)
        supply = iter(gradients)
        parts.append((value, weight_gradients(function.calls, run.call, weights, supply)))
    problems.tell()
    value, gradient = _sum(parts)
    return value, gradient


def vjp(
    function: Function,
    weights: NestedWeights,
    inputs: Sequence[Any],
    key: Array,
    train: bool,
) -> tuple[list[Any], Callable[[Sequence[Any]], tuple[Any, ...]]]:
    """The answers for a batch of lists, and the pullback of a list of cotangents: the sum of
    the weights' gradients, and in place of each list that of its examples' gradients. What
    belongs to every example has the sum of its gradients."""
    examples = examples_of(function, inputs)
    try:
        values, pull = _vjp(function, weights, examples, key, train)
    except OneByOne:
        pairs = each(function, examples, key, lambda example, own: function.vjp(
            weights, *example, key=own, train=train
        ))  # fmt: skip
        values = [value for value, _ in pairs]

        def pull(cotangents: Sequence[Any]) -> tuple[Any, list[Any]]:
            both = zip(pairs, cotangents, strict=True)
            made = [back(cotangent) for (_, back), cotangent in both]
            total = _sum([own for own, *_ in made], function.weights)
            return total, [rest for _, *rest in made]

    def pullback(cotangents: Sequence[Any]) -> tuple[Any, ...]:
        _one_for_each(function, cotangents, examples)
        total, found = pull(cotangents)
        return total, *_by_input(inputs, found)

    return values, pullback


def vjp_of_one(
    function: Function, weights: NestedWeights, example: Example, key: Array, train: bool
) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """The answer for one example whose rows differ in length, and its pullback. Raises
    OneByOne."""
    with _by_itself():
        (value,), pull = _vjp(function, weights, [example], key, train, alone=True)

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        total, (found,) = pull([cotangent])
        return total, *found

    return value, pullback


def _vjp(
    function: Function,
    weights: NestedWeights,
    examples: Sequence[Example],
    key: Array,
    train: bool,
    alone: bool = False,
) -> tuple[list[Any], Callable[[Sequence[Any]], tuple[Any, list[Any]]]]:
    """The answers, and what gives the sum of the weights' gradients, and those of each
    example's inputs."""
    values: list[Any] = [None] * len(examples)
    pieces: list[tuple[Run, Callable[..., Any], Sequence[Array]]] = []
    problems = _Problems()
    form = form_of(function, examples) if examples else Form(())
    for run in runs(function, form, examples, train, alone):
        forward, backward, count = run.call.split
        keys = _keys(function, run.call, key, run.indices, len(run.arrays[0]))
        results = forward(*run.arrays, *function.held_arrays(run.call, weights, keys))
        outputs = [numpy.asarray(array) for array in results[:count]]
        if run.call.traced.problems:
            problems.see(run, outputs.pop())
        for row, index in enumerate(run.indices):
            answer = run.call.traced.answer
            values[index] = answer.rebuild(array[row] for array in outputs)
        pieces.append((run, backward, results[count:]))
    problems.tell()

    def pull(cotangents: Sequence[Any]) -> tuple[Any, list[Any]]:
        totals: list[Any] = []
        found: list[Any] = [None] * len(examples)
        for run, backward, kept in pieces:
            own = [(values[index], cotangents[index]) for index in run.indices]
            supply = iter(backward(*kept, *cotangent_rows(function.calls, run.call, own)))
            active = iter(run.call.active)
            arrays = [
                [numpy.asarray(next(supply)) if next(active) else () for _ in range(count)]
                for count in run.call.traced.counts
            ]
            totals.append(weight_gradients(function.calls, run.call, weights, supply))
            for row, index in enumerate(run.indices):
                pairs = zip(run.call.types, examples[index], arrays, strict=True)
                found[index] = [
                    unpacked(
                        type, value, iter([a if isinstance(a, tuple) else a[row] for a in each])
                    )
                    for type, value, each in pairs
                ]
        return _sum(totals, function.weights), found

    return values, pull


def _one_for_each(function: Function, cotangents: Any, examples: Sequence[Example]) -> None:
    if not isinstance(cotangents, Sequence) or len(cotangents) != len(examples):
        raise misfits.cotangent_misfit(function, cotangents, f"a list of {len(examples)}")


def _by_input(inputs: Sequence[Any], gradients: Sequence[Sequence[Any]]) -> list[Any]:
    """The gradients of examples, as their inputs were given: lists, and what all share."""
    columns = [[own[k] for own in gradients] for k in range(len(inputs))]
    pairs = zip(inputs, columns, strict=True)
    return [own if isinstance(value, list) else _sum(own, value) for value, own in pairs]


def _sum(parts: Sequence[Any], like: Any = 0.0) -> Any:
    """The sum of values of one form; of none, zero of the form of `like`."""
    import jax

    return jax.tree.map(lambda *arrays: sum(arrays), *(parts or [jax.tree.map(_nought, like)]))


def _nought(array: Array) -> Array:
    return 0.0 * array


def require_examples(
    function: Function, weights: NestedWeights, found: Form, examples: Sequence[Example]
) -> None:
    """Raise NnfpError for what only shows at run time, which no training can look at, and
    for what cannot be run with padding."""
    import jax

    problems = _Problems()
    for run in runs(function, found, examples, True):
        if run.call.traced.problems:
            keys = _keys(function, run.call, jax.random.key(0), run.indices, len(run.arrays[0]))
            held = function.held_arrays(run.call, weights, keys)
            problems.see(run, numpy.asarray(run.call.traced.run(*run.arrays, *held)[-1]))
    problems.tell()


# --- one by one ---------------------------------------------------------------------------


def each(
    function: Function,
    examples: Sequence[Example],
    key: Array,
    answer: Callable[[Example, Array], T],
) -> list[T]:
    """The answers for examples one by one, each with a key of its own. Raises NnfpError,
    which names the example."""
    import jax

    found = []
    for k, example in enumerate(examples):
        try:
            own = None if key is None else jax.random.fold_in(random_key(function.calls, key), k)
            found.append(answer(example, own))
        except NnfpError as error:
            raise in_example(error, k) from None
    return found
