"""`Function`: a definition of the language as Python uses it.

A snapshot: redefining the name in the session afterwards leaves it as it was. Its
`apply` is an ordinary JAX function of weights and inputs, without state behind it.

    calls/specialise.py   the graph for inputs of each form
    calls/arguments.py    inputs, weights and key as the arrays that it takes
    calls/tangents.py     tangents and cotangents in, gradients out
    lists.py              a Python list as a batch, bucket by bucket
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from ..graph.forest import NoForest
from ..graph.graph import Graph
from ..language import typed as p
from ..language import types as t
from ..language.digest import digests
from ..language.reach import ReachedWeight
from ..linear.maps import Network
from . import lists, stored
from .calls import arguments, misfits
from .calls.batches import batch_size, example_of, mean, stacked
from .calls.call import Call
from .calls.cost import Cost, Timings, cost_of, example_arrays, measure
from .calls.specialise import Calls
from .calls.spoiled import Spoiled, spoiled_by
from .calls.tangents import (
    cotangent_arrays,
    gradients,
    require_scalar,
    tangent_arrays,
    weight_gradients,
)
from .exchange import Misfit, NotConcrete, lookup, one_key, paths_of, unflatten_paths
from .forest import forests_in, planted
from .lower import DTYPES
from .machine.files import place_of
from .program import Program
from .weights import first_value, require_sizes

Array = Any
NestedWeights = Mapping[str, Any]
T = TypeVar("T")


@dataclass(eq=False, repr=False)
class Function:
    """A function of the language, callable from Python.

    >>> import numpy
    >>> from nnfp_kernel import Session
    >>> session = Session(precision=64)
    >>> _ = session.run("double : R[n] -> R[n]\\ndouble x = 2 * x")
    >>> double = session["double"]
    >>> double.type
    'R[n] -> R[n]'
    >>> double(numpy.array([1.0, 2.0])).tolist()
    [2.0, 4.0]

    Weights are nested dicts of arrays by path, as `%nnfp weights` shows them; sequences
    are arrays with a leading axis, products tuples. Every method raises NnfpError for
    inputs or weights that do not fit the type.
    """

    name: str
    type: str
    program: Program
    definition: p.Definition
    specialise: Callable[[Sequence[t.Type]], p.Expression]
    session_weights: Callable[[], NestedWeights]
    session_key: Callable[[], Array]
    write: Callable[[Function, bool, Sequence[Any]], str] | None = None  # its derivative, as text
    home: Any = None  # the session that it is of, whose weights and trainings views follow
    calls: Calls = field(init=False)

    def __post_init__(self) -> None:
        self.calls = Calls(self.name, self.type, self.definition, self.program, self.specialise)
        said = (str(self), self.definition.comment)  # what `encode?` shows in a notebook
        self.__doc__ = "\n\n".join(filter(None, said))

    def __repr__(self) -> str:
        return f"{self.name} : {self.type}"

    # --- weights ------------------------------------------------------------------------

    @property
    def reached(self) -> tuple[ReachedWeight, ...]:
        """The weights it reaches, in order."""
        return self.calls.reached

    @property
    def trainings(self) -> Any:
        """The trainings of its session, for views to follow; None without one."""
        return None if self.home is None else self.home.trainings

    def init(self, key: Array) -> dict[str, Any]:
        """First weights from a JAX key: a nested dict of all that the function reaches.

        Raises NnfpError while a weight's size is open.
        """
        try:
            key = one_key(key)
        except Misfit as misfit:
            raise misfits.first_key_misfit(self, misfit) from None
        dtype = DTYPES[self.program.precision]["R"]
        values = {
            weight.path: first_value(weight, key, self.program.declarations, dtype)
            for weight in self.reached
        }
        return unflatten_paths(values)

    @property
    def weights(self) -> dict[str, Any]:
        """The session's present weights of all that it reaches, nested as `init` nests them.

        What `apply`, `vjp` and the like are to be given first: `f.vjp(f.weights, x)`.
        """
        present = self.session_weights()
        return unflatten_paths({w.path: lookup(present, w.path) for w in self.reached})

    @property
    def digests(self) -> dict[str, str]:
        """What it and all that it uses say, as numbers: `language.digest`."""
        return digests({**self.program.definitions, self.name: self.definition}, self.name)

    def save(self, file: str | Path) -> None:
        """Write the session's weights that the function reaches, as safetensors;
        `Session.load` reads them."""
        for weight in self.reached:
            require_sizes(weight)
        held = dict(paths_of(self.weights))
        stored.write(place_of(file), held, self.reached, self.program.declarations, self.digests)

    def export(self, file: str | Path, *inputs: Any) -> None:
        """Write the function as StableHLO, and its weights beside it (`.safetensors`): what
        they are together can be called without nnfp.

        `jax.export.deserialize(bytearray(content)).call(weights, *inputs)` is `apply`.
        `inputs` tell the shapes where the type leaves them open.
        """
        from .export import export

        export(self, file, inputs)

    # --- running -------------------------------------------------------------------------

    def apply(
        self, weights: NestedWeights, *inputs: Any, key: Array = None, train: bool = False
    ) -> Any:
        """The value at one example. Pure: composes with `jit`, `vmap`, `grad`, sharding.

        `key` is needed by random draws; `train` switches dropout and its like on.
        """
        if lists.uneven(inputs):
            with contextlib.suppress(lists.OneByOne):
                return lists.answer(self, weights, inputs, key, train)
        call, inputs = self.calls.of(inputs, train)
        arrays = self._arrays(call, weights, inputs, key)
        return self._rebuilt(call, call.traced.checked(call.traced.run(*arrays)), inputs)

    def __call__(self, *inputs: Any, key: Array = None, train: bool = False) -> Any:
        """The value with the session's current weights.

        A Python list in place of an input is a batch, each example of a shape of its
        own if need be: one answer each, in a list. A list of rows that is as deep as the
        type, `[[1, 2], [3]]` where `[[R]]` is taken, is one example.
        """
        weights = self.session_weights()
        if key is None:
            key = cache(self.session_key)  # one for this call, if it draws
        if lists.is_batch(self.calls, inputs):
            if self.calls.takes_trees:
                with contextlib.suppress(NoForest):
                    return lists.together(self, weights, inputs, key, train)
            return lists.answers(self, weights, inputs, key, train)
        return self.apply(weights, *inputs, key=key, train=train)

    def batch(self, *inputs: Any, key: Array = None, train: bool = False) -> Any:
        """The values at a batch: every array has one more leading axis, so has the answer.
        A Python list in place of an array has an example in each item, and so has the
        answer: their sequences may differ in length, their trees in shape."""
        if key is None:
            key = cache(self.session_key)
        return self.apply_batch(self.session_weights(), *inputs, key=key, train=train)

    def apply_batch(
        self, weights: NestedWeights, *inputs: Any, key: Array = None, train: bool = False
    ) -> Any:
        """`apply` over a leading axis of all inputs, pure as `apply` is; or over lists."""
        if lists.are_lists(self.calls, inputs):
            return lists.answers(self, weights, inputs, key, train)
        try:
            call, inputs, count = self.calls.of_batch(inputs, train)
        except NoForest:
            answers = self._each(inputs, key, lambda example, own: self.apply(
                weights, *example, key=own, train=train
            ))  # fmt: skip
            return stacked(answers)
        arrays = self._arrays(call, weights, inputs, key)
        results = call.traced.checked(call.traced.run(*arrays))
        return self._rebuilt(call, results, inputs, count)

    def _rebuilt(
        self,
        call: Call,
        arrays: Iterable[Array],
        inputs: Sequence[Any],
        batch: int | None = None,
    ) -> Any:
        """The answer that these arrays make up, in the form Python people expect."""
        try:
            answer = call.traced.answer.rebuild(iter(arrays))
            forests = forests_in(inputs)
            if not forests:
                return answer
            if batch is None or not isinstance(answer, list):
                return planted(answer, forests)
            return [planted(one, forests, k) for k, one in enumerate(answer)]
        except NotConcrete:
            raise misfits.constructor_not_known(self) from None

    # --- derivatives -----------------------------------------------------------------------

    def vjp(
        self, weights: NestedWeights, *inputs: Any, key: Array = None, train: bool = False
    ) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
        """The value and its pullback, by our adjoint: `pullback(cotangent)` gives the
        weight gradients and the gradient of each input (() for integers).

        A Python list in place of an input is a batch, as in a call: the values are a list,
        `pullback` takes a list of cotangents, and gives the sum of the weight gradients
        and a list of gradients, each of its example's shape.
        """
        listed = any(isinstance(value, list) and not _is_row(value) for value in inputs)
        if listed and lists.is_batch(self.calls, inputs):
            return lists.vjp(self, weights, inputs, key, train)
        if lists.uneven(inputs):
            with contextlib.suppress(lists.OneByOne):
                return lists.vjp_of_one(self, weights, inputs, key, train)
        call, inputs = self.calls.of(inputs, train)
        arrays = self._arrays(call, weights, inputs, key)
        forward, backward, count = call.split
        results = forward(*arrays)
        outputs, kept = call.traced.checked(results[:count]), results[count:]
        value = self._rebuilt(call, outputs, inputs)

        def pullback(cotangent: Any) -> tuple[Any, ...]:
            given = cotangent_arrays(self.calls, call, cotangent, outputs, inputs)
            return gradients(self.calls, call, weights, inputs, backward(*kept, *given))

        return value, pullback

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], key: Array = None,
        train: bool = False,
    ) -> tuple[Any, Any]:  # fmt: skip
        """The value and its tangent: `jvp((weights, x), (dweights, dx))`."""
        weights, inputs = primals[0], primals[1:]
        dweights, dinputs = tangents[0], tangents[1:]
        call, inputs = self.calls.of(inputs, train)
        given = tangent_arrays(self.calls, call, inputs, dweights, dinputs)
        arrays = self._arrays(call, weights, inputs, key)
        results = call.pushforward(*arrays, *given)
        wires, answer = call.traced.answers, call.traced.answer
        count = len(call.traced.graph.outputs)
        values, moves = call.traced.checked(results[:count]), iter(results[count:])
        # Integers and Booleans do not move: () stands in their places. Lengths stay.
        tangents = [
            next(moves) if wire.type.differentiable else value if k in answer.tags else ()
            for k, (wire, value) in enumerate(zip(wires, values, strict=True))
        ]
        return self._rebuilt(call, values, inputs), self._rebuilt(call, tangents, inputs)

    def value_and_grad(
        self, weights: NestedWeights, *inputs: Any, key: Array = None, train: bool = False
    ) -> tuple[Any, dict[str, Any]]:
        """The value of an objective `… -> R` and its gradient in the weights."""
        if lists.uneven(inputs):
            with contextlib.suppress(lists.OneByOne):
                return lists.value_and_grad(self, weights, inputs, key, train)
        call, inputs = self.calls.of(inputs, train)
        return self._value_and_grad(call, weights, inputs, key, None)

    def mean_value_and_grad(
        self, weights: NestedWeights, *inputs: Any, key: Array = None, train: bool = False
    ) -> tuple[Any, dict[str, Any]]:
        """The mean of an objective over a batch, and its gradient in the weights: all
        examples at once, so that the gradient of a shared weight is one product. Of lists,
        whose examples may differ in length, bucket by bucket."""
        if lists.are_lists(self.calls, inputs):
            return lists.mean_value_and_grad(self, weights, inputs, key, train)
        try:
            call, inputs, count = self.calls.of_batch(inputs, train)
        except NoForest:
            return mean(self._each(inputs, key, lambda example, own: self.value_and_grad(
                weights, *example, key=own, train=train
            )))  # fmt: skip
        return self._value_and_grad(call, weights, inputs, key, count)

    def live(self, *inputs: Any) -> int | None:
        """The bytes alive at most while the mean of an objective over a batch is
        differentiated in its weights, beside these: counted. None for what is run one by
        one, or in buckets."""
        if lists.are_lists(self.calls, inputs):
            return None
        try:
            return self.calls.of_batch(inputs, True)[0].live
        except NoForest:
            return None

    def _value_and_grad(
        self,
        call: Call,
        weights: NestedWeights,
        inputs: Sequence[Any],
        key: Array,
        batch: int | None,
    ) -> tuple[Any, dict[str, Any]]:
        require_scalar(self.calls, call, batch)
        arrays = self._arrays(call, weights, inputs, key)
        results = call.gradient(*arrays)
        count = 1 + bool(call.traced.problems)
        (value,) = call.traced.checked(results[:count])
        return value, weight_gradients(self.calls, call, weights, iter(results[count:]))

    def first_not_finite(
        self, weights: NestedWeights, *inputs: Any, key: Array = None, train: bool = False
    ) -> Spoiled | None:
        """The expression at which NaN or infinity came into the mean of an objective over
        a batch, or into its gradient; None where all is finite."""

        def of_one(example: Sequence[Any], own: Array) -> Spoiled | None:
            return spoiled(*self.calls.of(example, train), own)

        def spoiled(call: Call, inputs: Sequence[Any], key: Array) -> Spoiled | None:
            arrays = self._arrays(call, weights, inputs, key)
            return spoiled_by(call, arrays, self.definition.span)

        if lists.are_lists(self.calls, inputs):
            found = lists.each(self, lists.examples_of(self, inputs), key, of_one)
            return next(filter(None, found), None)
        try:
            call, inputs, _ = self.calls.of_batch(inputs, train)
        except NoForest:
            return next(filter(None, self._each(inputs, key, of_one)), None)
        return spoiled(call, inputs, key)

    def graph(self, *inputs: Any, of: Literal["value", "derivative", "adjoint"] = "value") -> Graph:
        """The traced graph, for inputs like the ones given, else of the type's own sizes.

        That of the derivative takes tangents too and gives value and tangents; that of
        its adjoint takes cotangents too and gives those of the inputs and weights.
        """
        call = self.call_for(*inputs)
        match of:
            case "value":
                return call.traced.graph
            case "derivative":
                return call.pushforward_graph
            case "adjoint":
                return call.pullback_graph

    def derivative(self, *inputs: Any) -> Network:
        """The derivative in inputs and weights: a linear map.

        Printed, it is a program of the language and the same in combinators, in the inputs,
        with the weights held constant. `.adjoint()` is its adjoint. Inputs only tell the
        shapes, where the type does not.
        """
        network = self.call_for(*inputs).derivative
        if self.write is None:
            return network
        write = self.write
        return replace(network, written=lambda adjoint: write(self, adjoint, inputs))

    def within(self, memory: int | None) -> Function:
        """The same function, whose gradient may take so many bytes: where the device has
        more, as if it had not. None: those that the device has."""
        return replace(self, program=replace(self.program, memory=memory))

    def cost(self, *inputs: Any) -> Cost:
        """How many operations and bytes the value and its adjoint take, and the memory
        kept between them: counted, nothing is compiled or run. Inputs only tell the
        shapes, where the type does not.

        >>> from nnfp_kernel import Session
        >>> session = Session()
        >>> _ = session.run("f : R[2,3] -> R[3] -> R[2]\\nf a x = tanh (a @ x)")
        >>> session["f"].cost().forward.total.operations  # 2 x 2 x 3, and tanh of 2
        14
        """
        return cost_of(self.call_for(*inputs))

    def time(self, *inputs: Any, seconds: float = 0.3) -> Timings:
        """Compile and run the value, and the value with its adjoint, each for so many
        seconds; with the session's weights, and made up numbers where no inputs are given."""
        if inputs:
            call, inputs = self.calls.of(inputs)
            arrays = self._arrays(call, self.session_weights(), inputs, self.session_key())
        else:
            call = self.calls.sample()
            held = self.held_arrays(call, self.session_weights(), self.session_key())
            arrays = [*example_arrays(call), *held]
        return measure(call, arrays, seconds)

    def call_for(self, *inputs: Any) -> Call:
        """The function traced for inputs like these; for none, at its type's own sizes."""
        return self.calls.of(inputs)[0] if inputs else self.sample()

    def sample(self, sizes: Sequence[int] = (3, 4, 8, 16, 32)) -> Call:
        """The function traced for small inputs: where its type leaves a size open, the
        first of a few that its definition can do with."""
        return self.calls.sample(sizes)

    @property
    def compilations(self) -> int:
        """How many executables were compiled so far: one for each form of the inputs, one
        for each bucket of a batch of lists, and as many for gradients."""
        return self.calls.compilations

    def as_run(self, *inputs: Any) -> tuple[Call, tuple[Any, ...], list[Array]]:
        """The function traced for these inputs, the inputs with their trees packed, and all
        arrays that its graph takes, with the session's weights: to interpret it once more."""
        call, whole = self.calls.of(inputs)
        key = cache(self.session_key)
        return call, whole, self._arrays(call, self.session_weights(), whole, key)

    # --- between Python and the graph ---------------------------------------------------------

    def _arrays(
        self, call: Call, weights: NestedWeights, inputs: Sequence[Any], key: Array
    ) -> list[Array]:
        """All arrays that a call takes."""
        key = arguments.random_key(self.calls, key, call.traced.draws)
        arrays = arguments.input_arrays(self.calls, call, inputs)
        return [*arrays, *self.held_arrays(call, weights, key)]

    def held_arrays(self, call: Call, weights: NestedWeights, key: Array = None) -> list[Array]:
        """The arrays that are the same for all examples: all but the inputs, and without a key
        all but that."""
        return arguments.held_arrays(self.calls, call, weights, key, self.session_weights)

    def _each(
        self, inputs: Sequence[Any], key: Array, answer: Callable[[Sequence[Any], Array], T]
    ) -> list[T]:
        """The answers for the examples of a batch, one by one, each with a key of its own."""
        examples = [
            tuple(example_of(value, k) for value in inputs) for k in range(batch_size(inputs))
        ]
        return lists.each(self, examples, key, answer)


def _is_row(value: list[Any]) -> bool:
    """Whether a list is an array written down, and no batch: of numbers."""
    return bool(value) and all(isinstance(item, int | float | complex) for item in value)
