"""A Python list as a batch: examples of any length, answered bucket by bucket.

Every bucket has one executable for values and one for the gradient, whatever the number
of examples (runtime/ragged.py). What cannot be run with padding, a `split` of a length
that is not known to be a multiple say, is answered one by one, as are trees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy

from ..language.diagnostics import Diagnostic, Label, NnfpError
from . import misfits
from .exchange import Misfit, in_example, is_concrete
from .ragged import Differ, Form, form, packed, rows_of

if TYPE_CHECKING:
    from ..language.source import Span
    from .function import Call, Function

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


# --- what runs together -----------------------------------------------------------------


def form_of(function: Function, examples: Sequence[Example]) -> Form:
    """The form of examples. Raises NnfpError that names the wrong one, and OneByOne."""
    domains = function.domains(len(examples[0]))
    declarations = function.program.declarations
    if any(map(declarations.has_data, domains)) or not all(map(_settled, examples)):
        raise OneByOne
    try:
        found = form(domains, examples, declarations)
    except Misfit as misfit:
        error = misfits.input_misfit(function, misfit, misfit.input)
        raise in_example(error, misfit.example) from None
    except Differ:
        raise OneByOne from None
    if any(map(declarations.has_data, found.types)):
        raise OneByOne
    return found


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
    function: Function, found: Form, examples: Sequence[Example], train: bool
) -> Iterator[Run]:
    """The examples, bucket by bucket. Raises OneByOne."""
    rooms = numpy.array([found.capacity(example) for example in examples])
    for capacity in map(int, numpy.unique(rooms)):
        rows = rows_of(capacity)
        try:
            call = function.call_with_room(found.types, capacity, rows, train)
        except NnfpError:  # if it is a mistake, it shows in the example that makes it
            raise OneByOne from None
        mine = numpy.flatnonzero(rooms == capacity)
        for start in range(0, len(mine), rows):
            part = mine[start : start + rows]
            filled = numpy.concatenate([part, numpy.full(rows - len(part), part[0])])
            own = [examples[k] for k in filled]
            program = function.program
            arrays = packed(found, own, capacity, program.declarations, program.precision)
            yield Run(call, part, arrays)


def _keys(function: Function, call: Call, key: Array, indices: Array, rows: int) -> Array:
    """The key of each example: what it would be given alone."""
    import jax

    if not call.traced.draws:
        return key
    key = function.random_key(key)
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
    if not examples:
        return []
    found: list[Any] = [None] * len(examples)
    problems = _Problems()
    try:
        for run in runs(function, form_of(function, examples), examples, train):
            traced = run.call.traced
            keys = _keys(function, run.call, key, run.indices, len(run.arrays[0]))
            made = traced.run(*run.arrays, *function.held_arrays(run.call, weights, keys))
            results = [numpy.asarray(array) for array in made]
            if traced.problems:
                problems.see(run, results.pop())
            for row, index in enumerate(run.indices):
                found[index] = traced.answer.rebuild(array[row] for array in results)
    except OneByOne:
        return each(function, examples, key, lambda example, own: function.apply(
            weights, *example, key=own, train=train
        ))  # fmt: skip
    problems.tell()
    return found


def mean_value_and_grad(
    function: Function,
    weights: NestedWeights,
    inputs: Sequence[Any],
    key: Array,
    train: bool,
) -> tuple[Any, dict[str, Any]]:
    """The mean of an objective over a batch of lists, and its gradient in the weights."""
    import jax

    examples = examples_of(function, inputs)
    if not examples:
        raise NnfpError(
            Diagnostic(
                "batch-misfit", "a batch of no examples has no mean",
                Label(function.definition.span, f"has type {function.type}"),
            )
        )  # fmt: skip
    parts: list[tuple[Any, dict[str, Any]]] = []
    problems = _Problems()
    try:
        for run in runs(function, form_of(function, examples), examples, train):
            rows = len(run.arrays[0])
            function.require_scalar(run.call, rows)
            shares = numpy.zeros(rows)
            shares[: len(run.indices)] = 1 / len(examples)
            keys = _keys(function, run.call, key, run.indices, rows)
            held = function.held_arrays(run.call, weights, keys)
            value, *gradients = run.call.weighted_gradient(*run.arrays, *held, shares)
            if run.call.traced.problems:
                problems.see(run, gradients.pop(0))
            supply = iter(gradients)
            parts.append((value, function.weight_gradients(run.call, weights, supply)))
    except OneByOne:
        parted = each(function, examples, key, lambda example, own: function.value_and_grad(
            weights, *example, key=own, train=train
        ))  # fmt: skip
        parts = [jax.tree.map(lambda array: array / len(examples), part) for part in parted]
    problems.tell()
    total = parts[0]
    for part in parts[1:]:
        total = jax.tree.map(lambda a, b: a + b, total, part)
    return total


# --- in training ------------------------------------------------------------------------


def rows_value_and_grad(
    function: Function, weights: NestedWeights, form: Form, key: Array,
    capacity: int, arrays: Sequence[Array], mask: Array,
) -> tuple[Any, dict[str, Any]]:  # fmt: skip
    """The mean of an objective over packed examples, those that the mask has, and its
    gradient in the weights. Pure."""
    call, given = _of_rows(function, weights, form, key, capacity, arrays, train=True)
    shares = mask / mask.sum()
    value, *gradients = call.weighted_gradient(*given, shares)
    supply = iter(gradients[1:] if call.traced.problems else gradients)
    return value, function.weight_gradients(call, weights, supply)


def rows_values(
    function: Function, weights: NestedWeights, form: Form, key: Array,
    capacity: int, arrays: Sequence[Array],
) -> Array:  # fmt: skip
    """What an objective gives for each of some packed examples. Pure."""
    call, given = _of_rows(function, weights, form, key, capacity, arrays, train=False)
    return call.traced.run(*given)[0]


def first_not_finite(
    function: Function, weights: NestedWeights, form: Form, key: Array,
    capacity: int, arrays: Sequence[Array],
) -> Span | None:  # fmt: skip
    """The expression at which NaN or infinity came into packed examples."""
    call, given = _of_rows(function, weights, form, key, capacity, arrays, train=True)
    return function.spoiled_by(call, given)


def _of_rows(
    function: Function, weights: NestedWeights, form: Form, key: Array,
    capacity: int, arrays: Sequence[Array], *, train: bool,
) -> tuple[Call, list[Array]]:  # fmt: skip
    import jax

    rows = arrays[0].shape[0]
    call = function.call_with_room(form.types, capacity, rows, train)
    keys = jax.random.split(key, rows) if call.traced.draws else key
    return call, [*arrays, *function.held_arrays(call, weights, keys)]


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
            own = None if key is None else jax.random.fold_in(function.random_key(key), k)
            found.append(answer(example, own))
        except NnfpError as error:
            raise in_example(error, k) from None
    return found
