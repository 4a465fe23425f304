"""`Function`: a definition of the language as Python uses it.

A snapshot: redefining the name in the session afterwards leaves it as it was. Its
`apply` is an ordinary JAX function of weights and inputs, without state behind it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy

from ..graph.forest import NoForest, Unordered
from ..graph.graph import Graph
from ..graph.values import NotFirstOrder
from ..language import typed as p
from ..language import types as t
from ..language.diagnostics import Diagnostic, Label, NnfpError
from ..language.digest import digests
from ..language.reach import ReachedWeight, WeightPath, reached
from ..language.sizes import SizeVariable, constant, variable
from ..language.source import Span
from ..linear.maps import Network
from . import lists, misfits, stored, watch
from .batches import batch_size, column, example_of, mean, packed_structure, stacked
from .call import Call
from .cost import Cost, Timings, cost_of, example_arrays, measure
from .equations import why
from .exchange import (
    DataValue,
    Misfit,
    NotConcrete,
    flatten,
    form_of,
    in_example,
    lookup,
    match,
    one_key,
    paths_of,
    rebuild,
    unflatten_paths,
)
from .forest import (
    PackedTrees,
    Planted,
    forests_in,
    numbered,
    packed,
    packed_like,
    planted,
)
from .lower import DTYPES
from .program import (
    Program,
    Structure,
    WeightInputs,
    numbers,
    shaped,
    smallest_structure,
    structure_of,
    trace_application,
)
from .weights import first_value, require_sizes

Array = Any
NestedWeights = Mapping[str, Any]
T = TypeVar("T")


def _of_bounded_depth(method: Callable[..., Call]) -> Callable[..., Call]:
    """Tracing goes down a tree by Python's own calls; where that is too deep, it is told."""

    def guarded(self: Function, *arguments: Any, **options: Any) -> Call:
        try:
            return method(self, *arguments, **options)
        except RecursionError:
            raise NnfpError(
                Diagnostic(
                    "tree-too-deep",
                    f"a tree given to {self.name} is too deep to be traced node by node",
                    Label(self.definition.span, f"has type {self.type}"),
                    (),
                    ("A few hundred nodes from the root are as far as that goes.",),
                )
            ) from None

    return guarded


@dataclass(frozen=True)
class Spoiled:
    """Where NaN or infinity came from; why, where that can be said (`equations.why`)."""

    span: Span
    why: str = ""

    def __str__(self) -> str:
        """As a sentence goes on: "`log x` (cell 3, line 1)"."""
        text = " ".join(self.span.text.split())
        text = text if len(text) <= 60 else text[:59] + "…"
        return f"`{text}` ({self.span})" + (f": {self.why}" if self.why else "")


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
    _calls: dict[Any, Call] = field(default_factory=dict)
    _fitting: set[Any] = field(default_factory=set)  # types whose sizes were looked at
    ordered: bool = False  # whether it folds the payload of trees, which are packed for that
    _known: dict[Any, tuple[Call, int]] = field(default_factory=dict)  # by the inputs' form

    def __post_init__(self) -> None:
        said = (str(self), self.definition.comment)  # what `encode?` shows in a notebook
        self.__doc__ = "\n\n".join(filter(None, said))

    def __repr__(self) -> str:
        return f"{self.name} : {self.type}"

    # --- weights ------------------------------------------------------------------------

    @cached_property
    def reached(self) -> tuple[ReachedWeight, ...]:
        """The weights it reaches, in order."""
        if self.name in self.program.definitions:
            return self.program.reached(self.name)
        return reached({**self.program.definitions, self.name: self.definition}, self.name)

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
        stored.write(file, held, self.reached, self.program.declarations, self.digests)

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
        call, inputs = self._prepared(inputs, train)
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
        if self._is_batch(inputs):
            domains = self.domains(len(inputs))
            if any(map(self.program.declarations.has_trees, domains)):
                with contextlib.suppress(NoForest):
                    return self._together(weights, inputs, domains, key, train)
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
        if self.are_lists(inputs):
            return lists.answers(self, weights, inputs, key, train)
        try:
            call, inputs, count = self._prepared_batch(inputs, train)
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
        if listed and self._is_batch(inputs):
            return lists.vjp(self, weights, inputs, key, train)
        if lists.uneven(inputs):
            with contextlib.suppress(lists.OneByOne):
                return lists.vjp_of_one(self, weights, inputs, key, train)
        call, inputs = self._prepared(inputs, train)
        arrays = self._arrays(call, weights, inputs, key)
        forward, backward, count = call.split
        results = forward(*arrays)
        outputs, kept = call.traced.checked(results[:count]), results[count:]
        value = self._rebuilt(call, outputs, inputs)

        def pullback(cotangent: Any) -> tuple[Any, ...]:
            given = self._cotangents(call, cotangent, outputs, inputs)
            return self._gradients(call, weights, inputs, backward(*kept, *given))

        return value, pullback

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], key: Array = None,
        train: bool = False,
    ) -> tuple[Any, Any]:  # fmt: skip
        """The value and its tangent: `jvp((weights, x), (dweights, dx))`."""
        weights, inputs = primals[0], primals[1:]
        dweights, dinputs = tangents[0], tangents[1:]
        call, inputs = self._prepared(inputs, train)
        dinputs = self._packed_tangents(inputs, dinputs)
        self._check_tangents(call, inputs, dinputs)
        arrays = self._arrays(call, weights, inputs, key)
        moved = self._arrays(call, dweights, dinputs, key, tangents=True)
        given = [array for array, active in zip(moved, call.active, strict=False) if active]
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

    def _check_tangents(self, call: Call, inputs: Sequence[Any], tangents: Sequence[Any]) -> None:
        """A tangent has the type of what it moves; in the place of what cannot move
        anything may stand, () or the value itself."""
        declarations = self.program.declarations
        if len(tangents) != len(inputs):
            raise misfits.number_of_tangents(self, len(inputs), len(tangents))
        for k, (type, tangent) in enumerate(zip(call.types, tangents, strict=True), 1):
            if declarations.one_by_one(type):
                continue  # of the shape of the tree, which was looked at in packing
            if not any(array.differentiable for array in declarations.layout(type)):
                continue
            try:
                match(type, tangent, declarations, f"the tangent of input {k}")
            except Misfit as misfit:
                raise misfits.input_misfit(self, misfit, k - 1) from None

    def value_and_grad(
        self, weights: NestedWeights, *inputs: Any, key: Array = None, train: bool = False
    ) -> tuple[Any, dict[str, Any]]:
        """The value of an objective `… -> R` and its gradient in the weights."""
        if lists.uneven(inputs):
            with contextlib.suppress(lists.OneByOne):
                return lists.value_and_grad(self, weights, inputs, key, train)
        call, inputs = self._prepared(inputs, train)
        return self._value_and_grad(call, weights, inputs, key, None)

    def mean_value_and_grad(
        self, weights: NestedWeights, *inputs: Any, key: Array = None, train: bool = False
    ) -> tuple[Any, dict[str, Any]]:
        """The mean of an objective over a batch, and its gradient in the weights: all
        examples at once, so that the gradient of a shared weight is one product. Of lists,
        whose examples may differ in length, bucket by bucket."""
        if self.are_lists(inputs):
            return lists.mean_value_and_grad(self, weights, inputs, key, train)
        try:
            call, inputs, count = self._prepared_batch(inputs, train)
        except NoForest:
            return mean(self._each(inputs, key, lambda example, own: self.value_and_grad(
                weights, *example, key=own, train=train
            )))  # fmt: skip
        return self._value_and_grad(call, weights, inputs, key, count)

    def live(self, *inputs: Any) -> int | None:
        """The bytes alive at most while the mean of an objective over a batch is
        differentiated in its weights, beside these: counted. None for what is run one by
        one, or in buckets."""
        if self.are_lists(inputs):
            return None
        try:
            return self._prepared_batch(inputs, True)[0].live
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
        self.require_scalar(call, batch)
        arrays = self._arrays(call, weights, inputs, key)
        results = call.gradient(*arrays)
        count = 1 + bool(call.traced.problems)
        (value,) = call.traced.checked(results[:count])
        return value, self.weight_gradients(call, weights, iter(results[count:]))

    def first_not_finite(
        self, weights: NestedWeights, *inputs: Any, key: Array = None, train: bool = False
    ) -> Spoiled | None:
        """The expression at which NaN or infinity came into the mean of an objective over
        a batch, or into its gradient; None where all is finite."""

        def of_one(example: Sequence[Any], own: Array) -> Spoiled | None:
            return self._where_not_finite(self._prepared(example, train), weights, own)

        if self.are_lists(inputs):
            found = lists.each(self, lists.examples_of(self, inputs), key, of_one)
            return next(filter(None, found), None)
        try:
            call, inputs, _ = self._prepared_batch(inputs, train)
        except NoForest:
            return next(filter(None, self._each(inputs, key, of_one)), None)
        return self._where_not_finite((call, inputs), weights, key)

    def _where_not_finite(
        self, prepared: tuple[Call, Sequence[Any]], weights: NestedWeights, key: Array
    ) -> Spoiled | None:
        call, inputs = prepared
        return self.spoiled_by(call, self._arrays(call, weights, inputs, key))

    def spoiled_by(self, call: Call, arrays: Sequence[Array]) -> Spoiled | None:
        """The expression at which NaN or infinity came into the value or the gradient."""
        precision = self.program.precision
        for graph in (call.traced.graph, call.gradient_graph):
            found = watch.where_not_finite(graph, arrays, precision)
            if found is not None:
                node, given = found
                span = node.origin or self.definition.span
                return Spoiled(span, why(node, given, precision))
        return None

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
        program = replace(self.program, memory=memory)
        return replace(self, program=program, _calls={}, _fitting=set(), _known={})

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
        return cost_of(self._prepared(inputs, False)[0] if inputs else self.sample())

    def time(self, *inputs: Any, seconds: float = 0.3) -> Timings:
        """Compile and run the value, and the value with its adjoint, each for so many
        seconds; with the session's weights, and made up numbers where no inputs are given."""
        if inputs:
            call, inputs = self._prepared(inputs, False)
            arrays = self._arrays(call, self.session_weights(), inputs, self.session_key())
        else:
            call = self.sample()
            held = self.held_arrays(call, self.session_weights(), self.session_key())
            arrays = [*example_arrays(call), *held]
        return measure(call, arrays, seconds)

    def call_for(self, *inputs: Any) -> Call:
        """The function traced for inputs like these; for none, at its type's own sizes."""
        return self._prepared(inputs, False)[0] if inputs else self.sample()

    def as_run(self, *inputs: Any) -> tuple[Call, tuple[Any, ...], list[Array]]:
        """The function traced for these inputs, the inputs with their trees packed, and all
        arrays that its graph takes, with the session's weights: to interpret it once more."""
        call, whole = self._prepared(inputs, False)
        key = cache(self.session_key)
        return call, whole, self._arrays(call, self.session_weights(), whole, key)

    def call_unpacked(self, *inputs: Any) -> Call:
        """The function traced for inputs like these, the trees among them as they are: with
        no more entries than they hold."""
        return self._call(inputs, False)

    @property
    def takes_trees(self) -> bool:
        """Whether an input holds a tree, on whose shape what is traced depends."""
        domains, _ = t.uncurried(self.definition.scheme.type)
        return any(map(self.program.declarations.has_trees, domains))

    def sample(self, sizes: Sequence[int] = (3, 4, 8, 16, 32)) -> Call:
        """The function traced for small inputs: where its type leaves a size open, the
        first of a few that its definition can do with."""
        domains, _ = t.uncurried(self.definition.scheme.type)
        for size in sizes:
            try:
                types = tuple(_sampled(domain, size) for domain in domains)
                structures = tuple(
                    smallest_structure(type, self.program.declarations) for type in types
                )
                return self._traced(types, structures, False, None)
            except NotFirstOrder as problem:
                raise NnfpError(
                    Diagnostic(
                        "no-sample",
                        f"an input of {self.name} is {problem.kind}, which is not made of "
                        "numbers alone",
                        Label(self.definition.span, f"has type {self.type}"),
                        (),
                        ("Apply it to an argument in a definition of its own first.",),
                    )
                ) from None
            except NnfpError as problem:
                error = problem
        raise error

    def of_any_trees(self, types: Sequence[t.Type], structures: Sequence[Structure]) -> Call:
        """The function traced for inputs of these types and structures, with trees that are
        any (`any_structure`), for reading. Raises Undecided where it asks for the
        constructor of one, NoForest where it does with a tree what cannot be said."""
        return self._traced(tuple(types), tuple(structures), False, None)

    def at_sizes(self, sizes: Mapping[SizeVariable, int]) -> Call:
        """The function traced for inputs with these sizes in its type; open types are R.
        Raises NnfpError where its definition cannot do with them."""
        domains, _ = t.uncurried(self.definition.scheme.type)
        numbers = {variable: constant(size) for variable, size in sizes.items()}
        reals = dict.fromkeys(t.free_variables(t.Product(tuple(domains)))[0], t.R)
        types = tuple(t.substitute(domain, reals, numbers) for domain in domains)
        return self._traced(types, (None,) * len(types), False, None)

    # --- between Python and the graph ---------------------------------------------------------

    def _prepared(self, inputs: Sequence[Any], train: bool) -> tuple[Call, tuple[Any, ...]]:
        """The call for one example, and its inputs, their trees packed where they run as
        a forest."""
        form = form_of(tuple(inputs))
        known = self._known.get((form, train, False))
        if known is not None:
            return known[0], tuple(inputs)
        try:
            whole = self.packed(inputs)
            call = self._call(whole, train)
        except NoForest as problem:
            if self.asks_for_order(problem):
                return self._prepared(inputs, train)
            call, whole = self._call(inputs, train), tuple(inputs)
        self._learn((form, train, False), call)
        return call, whole

    def asks_for_order(self, problem: NoForest) -> bool:
        """Whether trees are to be packed again, with their payload in order from now on."""
        asks = isinstance(problem, Unordered) and not self.ordered
        self.ordered = self.ordered or asks
        return asks

    def _prepared_batch(
        self, inputs: Sequence[Any], train: bool
    ) -> tuple[Call, tuple[Any, ...], int]:
        """The same for a batch, with the number of examples. Raises NoForest for trees
        that must be taken one by one."""
        form = form_of(tuple(inputs))
        known = self._known.get((form, train, True))
        if known is not None:
            return known[0], tuple(inputs), known[1]
        inputs = self.columns(inputs)
        for each in (False, True):  # one forest for all; one for each, if the algebra asks
            whole = self.packed(inputs, batch=True, each=each)
            count = self.batch_size(whole)
            try:
                call = self._call(whole, train, count)
                self._learn((form, train, True), call, count)
                return call, whole, count
            except NoForest as problem:
                if self.asks_for_order(problem):
                    return self._prepared_batch(inputs, train)
                if each:
                    raise
        raise AssertionError("unreachable")

    def _learn(self, form: tuple[Any, bool, bool], call: Call, count: int = 1) -> None:
        """Inputs of a form that was checked are not checked again."""
        if form[0] is not None and call.fast is not None:
            self._known[form] = call, count

    def packed(self, inputs: Sequence[Any], **how: bool) -> tuple[Any, ...]:
        """Inputs with the trees in them packed. Raises NnfpError, and NoForest."""
        whole = []
        for k, (domain, value) in enumerate(zip(self.domains(len(inputs)), inputs, strict=True), 1):
            try:
                where = _input(k, inputs)
                declarations = self.program.declarations
                whole.append(
                    packed(domain, value, declarations, where, **how, ordered=self.ordered)
                )
            except Misfit as misfit:
                raise misfits.input_misfit(self, misfit, k - 1) from None
        return numbered(tuple(whole))

    def _packed_tangents(self, inputs: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
        moved = list(tangents)
        for k, (value, tangent) in enumerate(zip(inputs, tangents, strict=False)):
            try:
                moved[k] = packed_like(value, tangent)
            except Misfit as misfit:
                raise misfits.input_misfit(self, misfit, k) from None
        return moved

    def _each(
        self, inputs: Sequence[Any], key: Array, answer: Callable[[Sequence[Any], Array], T]
    ) -> list[T]:
        """The answers for the examples of a batch, one by one, each with a key of its own."""
        examples = [
            tuple(example_of(value, k) for value in inputs) for k in range(batch_size(inputs))
        ]
        return lists.each(self, examples, key, answer)

    def call_in_parts(
        self, whole: Sequence[Any], part: Sequence[Any], count: int, train: bool
    ) -> Call:
        """The function traced for a part of a batch, so many examples packed as `part` is, with
        a key for each. Their types are those of the whole batch. Raises NoForest."""
        return self._call(whole, train, count, part)

    @_of_bounded_depth
    def _call(
        self,
        inputs: Sequence[Any],
        train: bool,
        batch: int | None = None,
        part: Sequence[Any] | None = None,
    ) -> Call:
        def traced(types: tuple[t.Type, ...]) -> Call:
            structures = self._structures(types, inputs if part is None else part, batch)
            return self._traced(types, structures, train, batch, apart=part is not None)

        types = self._types(inputs, batch)
        try:
            return traced(types)
        except NnfpError as error:
            # As a literal is: a whole number is an Int where one is taken, and R elsewhere.
            real = self._types(inputs, batch, integers=False)
            if real == types:
                raise
            try:
                return traced(real)
            except NnfpError:
                raise error from None

    def _types(
        self, inputs: Sequence[Any], batch: int | None, integers: bool = True
    ) -> tuple[t.Type, ...]:
        """The concrete type of each input; of one example of it, in a batch."""
        types: list[t.Type] = []
        for k, (domain, value) in enumerate(zip(self.domains(len(inputs)), inputs, strict=True), 1):
            where = _input(k, inputs)
            # A batch is an array of examples, and checked as one.
            expected = domain if batch is None else t.Array(domain, variable("batch"))
            try:
                found = match(
                    expected, value, self.program.declarations, where,
                    integers=integers, alone=batch is None,
                )  # fmt: skip
            except Misfit as misfit:
                raise misfits.input_misfit(self, misfit, k - 1) from None
            types.append(
                found.element if isinstance(found, t.Array) and batch is not None else found
            )
        return tuple(types)

    def _structures(
        self, types: Sequence[t.Type], inputs: Sequence[Any], batch: int | None
    ) -> tuple[Any, ...]:
        if batch is not None:
            return tuple(map(packed_structure, inputs))
        return tuple(
            structure_of(type, value, self.program.declarations)
            for type, value in zip(types, inputs, strict=True)
        )

    def _traced(
        self,
        types: tuple[t.Type, ...],
        structures: Any,
        train: bool,
        batch: int | None,
        *,
        apart: bool = False,
    ) -> Call:
        cache_key = (tuple(map(t.show, types)), structures, train, batch, apart)
        call = self._calls.get(cache_key)
        if call is None:
            expression = self.specialise(types)
            arguments = {
                argument_name(k): (type, structure)
                for k, (type, structure) in enumerate(zip(types, structures, strict=True))
            }
            traced = trace_application(
                self.program, expression, arguments, training=train, batch=batch, apart=apart
            )
            call = self._calls[cache_key] = Call(traced, types, structures)
        return call

    def call_with_room(
        self,
        types: tuple[t.Type, ...],
        capacity: int,
        rows: int,
        train: bool,
        structures: tuple[Any, ...] = (),
    ) -> Call:
        """The function traced for so many rows of examples whose sequences have that room,
        and whose trees these structures. Raises NnfpError and NoForest where that cannot be."""
        structures = structures or (None,) * len(types)
        cache_key = (types, capacity, rows, train, structures)
        call = self._calls.get(cache_key)
        if call is None:
            pairs = enumerate(zip(types, structures, strict=True))
            arguments = {argument_name(k): pair for k, pair in pairs}
            traced = trace_application(
                self.program, self.specialise(types), arguments,
                training=train, batch=rows, capacity=capacity,
            )  # fmt: skip
            call = self._calls[cache_key] = Call(traced, types, structures)
        return call

    def require_sizes_of(self, examples: Sequence[Sequence[Any]]) -> None:
        """Raise NnfpError, which names the example, where a length is none that the sizes of
        the type allow: `R[2*n]`. What is inferred once for all lengths cannot tell."""
        scheme = self.definition.scheme
        lengths = [length for domain in t.uncurried(scheme.type)[0] for length in t.lengths(domain)]
        if not scheme.residual and all(n.lone_variable or n.value is not None for n in lengths):
            return
        for k, example in enumerate(examples):
            types = self._types(example, None)
            key = tuple(map(t.show, types))
            if key not in self._fitting:
                try:
                    self.specialise(types)
                except NnfpError as error:
                    raise in_example(error, k) from None
                self._fitting.add(key)

    @property
    def compilations(self) -> int:
        """How many executables were compiled so far: one for each form of the inputs, one
        for each bucket of a batch of lists, and as many for gradients."""
        return sum(call.traced.compiled.number for call in self._calls.values())

    def domains(self, count: int) -> list[t.Type]:
        """The types of its inputs. Raises NnfpError where they are not so many: what an
        input too few leaves is a function, which is no value for Python."""
        found, _ = t.uncurried(self.definition.scheme.type)
        if count != len(found):
            forgotten = self.reached and count == len(found) - 1
            raise misfits.number_of_inputs(self, count, bool(forgotten))
        return found

    def _arrays(
        self,
        call: Call,
        weights: NestedWeights,
        inputs: Sequence[Any],
        key: Array,
        *,
        tangents: bool = False,
    ) -> list[Array]:
        declarations = self.program.declarations
        number = numbers(self.program.precision)
        quick = None if tangents or call.fast is None else call.fast.arrays(inputs)
        arrays: list[Array] = [] if quick is None else quick
        if quick is None:
            for type, value in zip(call.types, inputs, strict=True):
                arrays.extend(flatten(value, type, declarations, number))
        if tangents:
            return [*arrays, *self._weight_arrays(call.traced.weights, weights)]
        key = self.random_key(key, call.traced.draws)
        return [*arrays, *self.held_arrays(call, weights, key)]

    def random_key(self, key: Array, draws: bool = True) -> Array:
        """The key for random draws, which the session makes when it is asked for. Raises
        NnfpError for none, and for what is no key; where nothing `draws`, for that alone."""
        if not draws and (key is None or callable(key)):
            return key
        if key is None:
            raise misfits.key_missing(self, self._drawing())
        if callable(key):
            key = key()
        try:
            return one_key(key)
        except Misfit as misfit:
            drawing = self._drawing() if draws else None
            raise misfits.key_misfit(self, misfit, drawing, draws) from None

    def held_arrays(self, call: Call, weights: NestedWeights, key: Array) -> list[Array]:
        """The arrays that are the same for all examples: all but the arguments."""
        quick = None if call.fast is None else call.fast.held(weights)
        arrays = list(self._weight_arrays(call.traced.weights, weights)) if quick is None else quick
        present = self.session_weights() if call.traced.present else {}
        arrays.extend(self._weight_arrays(call.traced.present, present))
        arrays.extend(call.traced.external_arrays())
        if call.traced.draws:
            arrays.append(key)
        return arrays

    def _weight_arrays(
        self, wanted: Sequence[WeightInputs], weights: NestedWeights
    ) -> Iterator[Array]:
        declarations = self.program.declarations
        number = numbers(self.program.precision)
        for weight in wanted:
            value = lookup(weights, weight.path)
            name = ".".join(weight.path)
            if value is None:
                paths = paths_of(weights) if isinstance(weights, Mapping) else ()
                found = [".".join(path) for path, _ in paths]
                raise misfits.weight_missing(self, name, found, self._hole(weight.path))
            try:
                match(weight.type, value, declarations, f"the weight {name}")
            except Misfit as misfit:
                hole = self._hole(weight.path)
                raise misfits.weight_misfit(self, misfit, name, hole) from None
            yield from flatten(value, weight.type, declarations, number)

    def weight_gradients(
        self, call: Call, weights: NestedWeights, supply: Iterator[Array]
    ) -> dict[str, Any]:
        """Gradients by path, of all weights the function reaches: zero for those that this
        call had no use for."""
        declarations = self.program.declarations
        by_path: dict[WeightPath, Any] = {}
        used = {weight.path for weight in call.traced.weights}
        if self.name in self.program.definitions:
            for reached in self.program.reached(self.name):
                value = lookup(weights, reached.path)
                if value is not None:
                    by_path[reached.path] = () if reached.path in used else zeros_like(value)
        for weight in call.traced.weights:
            own = [
                next(supply) if array.differentiable else ()
                for array in declarations.layout(weight.type)
            ]
            by_path[weight.path] = rebuild(weight.type, iter(own), declarations)
        return unflatten_paths(by_path)

    def _gradients(
        self,
        call: Call,
        weights: NestedWeights,
        inputs: Sequence[Any],
        gradients: Sequence[Array],
    ) -> tuple[Any, ...]:
        declarations = self.program.declarations
        active = iter(call.active)
        supply = iter(gradients)
        found = []
        for type, value, count in zip(call.types, inputs, call.traced.counts, strict=True):
            parts = [next(supply) if next(active) else () for _ in range(count)]
            found.append(shaped(type, value, iter(parts), declarations))
        return self.weight_gradients(call, weights, supply), *found

    def _cotangents(
        self, call: Call, cotangent: Any, outputs: Sequence[Array], inputs: Sequence[Any]
    ) -> list[Array]:
        number = numbers(self.program.precision)
        forests = forests_in(inputs)
        if forests:
            cotangent = self._uprooted(
                call.traced.answer.rebuild(iter(outputs)), cotangent, forests
            )
        flat = (
            self._tagged(call, cotangent, outputs)
            or self._of_weights(call, cotangent)
            or list(_leaves(cotangent))
        )
        lengths = call.traced.answer.lengths
        wires = [wire for k, wire in enumerate(call.traced.answers) if k not in lengths]
        wanted = [wire for wire in wires if wire.type.differentiable]
        if len(flat) == len(wires):
            flat = [a for a, wire in zip(flat, wires, strict=True) if wire.type.differentiable]
        if lengths and len(flat) == len(wanted):  # padded, as the answer was cut
            flat = [_padded(a, wire.type.shape) for a, wire in zip(flat, wanted, strict=True)]
        shapes = [tuple(getattr(a, "shape", ())) for a in flat]
        if shapes != [wire.type.shape for wire in wanted]:
            raise misfits.cotangent_misfit(self, cotangent)
        return [number(array, wire.type.kind) for array, wire in zip(flat, wanted, strict=True)]

    def cotangent_rows(self, call: Call, rows: Sequence[tuple[Any, Any]]) -> list[Array]:
        """The cotangents of a run of a batch, each beside its value, padded as the answers
        are; zero for rows to spare."""
        wires = call.traced.answers
        lengths = call.traced.answer.lengths
        own = [wire for k, wire in enumerate(wires) if k not in lengths]
        dtypes = DTYPES[self.program.precision]
        columns = [numpy.zeros(wire.type.shape, dtypes[wire.type.kind]) for wire in own]
        for row, (value, cotangent) in enumerate(rows):
            shapes = [numpy.shape(leaf) for leaf in _leaves(value)]
            flat = list(_leaves(cotangent))
            if [numpy.shape(leaf) for leaf in flat] != shapes or len(flat) != len(own):
                raise misfits.cotangent_misfit(self, cotangent)
            for whole, leaf in zip(columns, flat, strict=True):
                index: tuple[Any, ...] = (row, *map(slice, numpy.shape(leaf)))
                whole[index] = leaf
        pairs = zip(own, columns, strict=True)
        return [column for wire, column in pairs if wire.type.differentiable]

    def _uprooted(self, answer: Any, cotangent: Any, forests: Sequence[PackedTrees]) -> Any:
        """A cotangent in which there is the payload of a tree where a forest gave one."""
        if isinstance(answer, Planted):
            number = numbers(self.program.precision)
            try:
                payload = forests[answer.origin].payload_of(answer.type, 0, cotangent, number)
            except Misfit as misfit:
                raise misfits.cotangent_misfit(self, cotangent, misfit.expected) from None
            return tuple(payload)
        if isinstance(answer, DataValue) and isinstance(cotangent, DataValue):
            if answer.constructor != cotangent.constructor:
                raise misfits.cotangent_misfit(self, cotangent)
            fields = self._uprooted(answer.fields, cotangent.fields, forests)
            return DataValue(answer.constructor, fields)
        if isinstance(answer, tuple | list) and isinstance(cotangent, tuple | list):
            if len(answer) != len(cotangent):
                raise misfits.cotangent_misfit(self, cotangent)
            pairs = zip(answer, cotangent, strict=True)
            return tuple(self._uprooted(part, other, forests) for part, other in pairs)
        return cotangent

    def _of_weights(self, call: Call, cotangent: Any) -> list[Array]:
        """The cotangent of an answer with weights in it, nested dicts by path, in the order of
        the answer's arrays. Empty for any other cotangent."""
        if not any(isinstance(leaf, Mapping) for leaf in _leaves(cotangent)):
            return []
        found: dict[int, Array] = {}

        def beside(place: Any, part: Any) -> None:
            if isinstance(place, Mapping) and isinstance(part, Mapping):
                if place.keys() != part.keys():
                    raise misfits.cotangent_misfit(self, cotangent)
                for key, inner in place.items():
                    beside(inner, part[key])
            elif isinstance(place, tuple) and isinstance(part, tuple | list):
                if len(place) != len(part):
                    raise misfits.cotangent_misfit(self, cotangent)
                for inner, other in zip(place, part, strict=True):
                    beside(inner, other)
            else:
                found[place] = part

        beside(call.traced.answer.rebuild(iter(range(len(call.traced.answers)))), cotangent)
        return [found[k] for k in sorted(found)]

    def _tagged(self, call: Call, cotangent: Any, outputs: Sequence[Array]) -> list[Array]:
        """The cotangent of data whose constructors are only known by their tags, laid out as
        the answer: zero where the answer has nothing. Empty for any other answer.

        The answer is put together once more of the places of its numbers, which says where
        each number of the cotangent belongs.
        """
        answer = call.traced.answer
        if not answer.tags - answer.lengths or not any(
            isinstance(leaf, DataValue) for leaf in _leaves(cotangent, of_data=False)
        ):
            return []
        places, count = [], 1  # 0 is what the answer makes up, beyond the end of a grown tree
        wires = call.traced.answers
        for k, wire in enumerate(wires):
            if k in answer.tags:
                places.append(outputs[k])
            elif wire.type.differentiable:
                size = numpy.prod(wire.type.shape, dtype=int)
                places.append(numpy.arange(count, count + size).reshape(wire.type.shape))
                count += size
            else:
                places.append(())
        import jax.numpy

        kind = "C" if any(wire.type.kind == "C" for wire in wires) else "R"
        flat = jax.numpy.zeros(count, DTYPES[self.program.precision][kind])
        for place, part in self._beside(answer.rebuild(iter(places)), cotangent, cotangent):
            flat = flat.at[place].set(part)
        real = flat.real
        return [
            (flat if wires[k].type.kind == "C" else real)[place]
            if isinstance(place, numpy.ndarray)
            else outputs[k]
            for k, place in enumerate(places)
            if k not in answer.lengths
        ]

    def _beside(self, place: Any, part: Any, whole: Any) -> Iterator[tuple[Any, Any]]:
        """The places of an answer, each with the part of a cotangent that belongs there."""
        if isinstance(place, DataValue):
            if not isinstance(part, DataValue) or part.constructor != place.constructor:
                raise misfits.cotangent_misfit(self, whole, "the constructor of the value")
            place, part = place.fields, part.fields
        if isinstance(place, tuple | list) and place:
            if not isinstance(part, tuple | list) or len(part) != len(place):
                raise misfits.cotangent_misfit(self, whole)
            for inner, other in zip(place, part, strict=True):
                yield from self._beside(inner, other, whole)
        elif not isinstance(place, tuple | list):
            if numpy.shape(part) != numpy.shape(place):
                raise misfits.cotangent_misfit(self, whole)
            yield numpy.asarray(place, int), part

    def require_scalar(self, call: Call, batch: int | None) -> None:
        outputs = call.traced.answers
        shape = () if batch is None else (batch,)
        if len(outputs) != 1 or outputs[0].type.shape != shape or outputs[0].type.kind != "R":
            raise misfits.not_an_objective(self)

    def _hole(self, path: WeightPath) -> Span | None:
        """Where the hole of a weight is written."""
        return next((weight.span for weight in self.reached if weight.path == path), None)

    def _drawing(self) -> Span | None:
        """Where it draws, if that is in its own definition."""
        return next(
            (
                node.span
                for node in p.nodes(self.definition.body)
                if isinstance(node, p.Builtin) and node.name == "draw"
            ),
            None,
        )

    def batch_size(self, inputs: Sequence[Any]) -> int:
        """How many examples there are in a batch that is packed."""
        sizes = {numpy.shape(leaf)[:1] for value in inputs for leaf in _leaves(value)}
        if len(sizes) != 1 or () in sizes:
            raise misfits.batch_misfit(self, inputs)
        return int(sizes.pop()[0])

    def _is_batch(self, inputs: Sequence[Any]) -> bool:
        """Whether a list among the inputs is a batch, and no example written down."""
        if not any(isinstance(value, list) for value in inputs):
            return False
        pairs = zip(self.domains(len(inputs)), inputs, strict=True)
        return not all(
            lists.is_example(domain, value) for domain, value in pairs if isinstance(value, list)
        )

    def are_lists(self, inputs: Sequence[Any]) -> bool:
        """Whether examples come in lists, and no forest holds them: what differs beside
        trees, or without any, is padded."""
        domains = self.domains(len(inputs))
        if not any(isinstance(value, list) for value in inputs):
            return False
        if not any(map(self.program.declarations.has_data, domains)):
            return True
        try:
            self.columns(inputs)
        except NoForest:
            return True
        return False

    def columns(self, inputs: Sequence[Any]) -> tuple[Any, ...]:
        """Inputs of a batch, in which a list of examples that are tuples is a tuple of their
        parts. Raises NoForest for arrays that differ in shape."""
        domains = self.domains(len(inputs))
        return tuple(
            column(domain, value)
            if isinstance(value, list) and isinstance(domain, t.Product)
            else value
            for domain, value in zip(domains, inputs, strict=True)
        )

    def _together(
        self, weights: NestedWeights, inputs: Sequence[Any], domains: Sequence[t.Type],
        key: Array, train: bool,
    ) -> list[Any]:  # fmt: skip
        """The answers to a list of examples with trees in them, as one batch. Raises
        NoForest where they cannot be taken together."""
        examples = lists.examples_of(self, inputs)
        columns = [
            column(domain, [example[k] for example in examples]) for k, domain in enumerate(domains)
        ]
        answer = self.apply_batch(weights, *columns, key=key, train=train)
        return [example_of(answer, k) for k in range(len(examples))]


def _input(k: int, inputs: Sequence[Any]) -> str:
    return "the input" if len(inputs) == 1 else f"input {k}"


def _sampled(type: t.Type, size: int) -> t.Type:
    """`type` with `size` for every open size and numbers for every open type."""
    types, sizes = t.free_variables(type)
    return t.substitute(
        type,
        dict.fromkeys(types, t.R),
        {variable: constant(size) for variable in sizes},
    )


def argument_name(k: int) -> str:
    """The name by which a specialised expression calls its k-th argument; no program can."""
    return f"input {k}"


def _padded(array: Any, shape: tuple[int, ...]) -> Any:
    """The array with zeros behind it on every axis, where it is smaller than `shape`."""
    import jax.numpy

    array = jax.numpy.asarray(array)
    if (
        array.shape == shape
        or array.ndim != len(shape)
        or any(n > m for n, m in zip(array.shape, shape, strict=True))
    ):
        return array
    return jax.numpy.pad(array, [(0, m - n) for n, m in zip(array.shape, shape, strict=True)])


def zeros_like(value: Any) -> Any:
    import jax

    return jax.tree.map(jax.numpy.zeros_like, value)


def _is_row(value: list[Any]) -> bool:
    """Whether a list is an array written down, and no batch: of numbers."""
    return bool(value) and all(isinstance(item, int | float | complex) for item in value)


def _leaves(value: Any, *, of_data: bool = True) -> Iterator[Any]:
    """What tuples and lists hold at any depth, and data values, if those are gone into."""
    if isinstance(value, tuple | list):
        for item in value:
            yield from _leaves(item, of_data=of_data)
    elif of_data and isinstance(value, DataValue):
        yield from _leaves(value.fields)
    else:
        yield value
