"""The calls of a definition: what it is traced as, for inputs of each form, once for each.

    f : R[n] -> R                       one definition
    calls.of((zeros(3),))               `f` traced at R[3]
    calls.of_batch((zeros((8, 3)),))    at R[3], for eight examples at once
    calls.sample()                      at a small size, where no inputs are given

Nothing of a session is in it: weights and keys are arrays that a call takes (arguments.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy

from ...graph.forest import NoForest, Unordered
from ...graph.values import NotFirstOrder
from ...language import typed as p
from ...language import types as t
from ...language.diagnostics import Diagnostic, Label, NnfpError
from ...language.reach import ReachedWeight, reached
from ...language.sizes import SizeVariable, constant, variable
from ..exchange import Misfit, form_of, match
from ..forest import numbered, packed
from ..program import Program
from . import misfits
from .batches import column, leaves, packed_structure
from .call import Call
from .misfits import in_example
from .planned import planned
from .structures import Structure, smallest_structure, structure_of
from .traced import trace_application


def argument_name(k: int) -> str:
    """The name by which a specialised expression calls its k-th argument; no program can."""
    return f"input {k}"


@dataclass(eq=False)
class Calls:
    """A definition with the calls that it was traced as so far.

    >>> from nnfp_kernel import Session
    >>> session = Session()
    >>> _ = session.run("double : R[n] -> R[n]\\ndouble x = 2 * x")
    >>> call, _ = session["double"].calls.of((numpy.zeros(3),))
    >>> [t.show(type) for type in call.types]
    ['R[3]']

    Every method raises NnfpError for inputs that do not fit the type.
    """

    name: str
    type: str
    definition: p.Definition
    program: Program
    specialise: Callable[[Sequence[t.Type]], p.Expression]
    ordered: bool = False  # whether it folds the payload of trees, which are packed for that
    _traced_as: dict[Any, Call] = field(default_factory=dict)
    _known: dict[Any, tuple[Call, int]] = field(default_factory=dict)  # by the inputs' form
    _fitting: set[Any] = field(default_factory=set)  # types whose sizes were looked at

    @cached_property
    def reached(self) -> tuple[ReachedWeight, ...]:
        """The weights that the definition reaches, in order."""
        if self.name in self.program.definitions:
            return self.program.reached(self.name)
        return reached({**self.program.definitions, self.name: self.definition}, self.name)

    def domains(self, count: int) -> list[t.Type]:
        """The types of its inputs. Raises NnfpError where they are not so many: what an
        input too few leaves is a function, which is no value for Python."""
        found, _ = t.uncurried(self.definition.scheme.type)
        if count != len(found):
            forgotten = self.reached and count == len(found) - 1
            raise misfits.number_of_inputs(self, count, bool(forgotten))
        return found

    @property
    def takes_trees(self) -> bool:
        """Whether an input holds a tree, on whose shape what is traced depends."""
        domains, _ = t.uncurried(self.definition.scheme.type)
        return any(map(self.program.declarations.has_trees, domains))

    @property
    def compilations(self) -> int:
        """How many executables were compiled so far."""
        return sum(call.traced.compiled.number for call in self._traced_as.values())

    # --- for inputs -------------------------------------------------------------------------

    def of(self, inputs: Sequence[Any], train: bool = False) -> tuple[Call, tuple[Any, ...]]:
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
                return self.of(inputs, train)
            call, whole = self._call(inputs, train), tuple(inputs)
        self._learn((form, train, False), call)
        return call, whole

    def of_batch(
        self, inputs: Sequence[Any], train: bool = False
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
                    return self.of_batch(inputs, train)
                if each:
                    raise
        raise AssertionError("unreachable")

    def of_part(self, whole: Sequence[Any], part: Sequence[Any], count: int, train: bool) -> Call:
        """The call for a part of a batch, so many examples packed as `part` is, with a key
        for each. Their types are those of the whole batch. Raises NoForest."""
        return self._call(whole, train, count, part)

    def unpacked(self, inputs: Sequence[Any]) -> Call:
        """The call for inputs with the trees among them as they are: with no more entries
        than they hold."""
        return self._call(inputs, False)

    def with_room(
        self,
        types: tuple[t.Type, ...],
        capacity: int,
        rows: int,
        train: bool,
        structures: tuple[Any, ...] = (),
    ) -> Call:
        """The call for so many rows of examples whose sequences have that room, and whose
        trees these structures. Raises NnfpError and NoForest where that cannot be."""
        structures = structures or (None,) * len(types)
        return self._traced(types, structures, train, rows, capacity=capacity)

    # --- for the type alone -----------------------------------------------------------------

    def sample(self, sizes: Sequence[int] = (3, 4, 8, 16, 32)) -> Call:
        """The call for small inputs: where its type leaves a size open, the first of a few
        that its definition can do with."""
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
        """The call for inputs of these types and structures, with trees that are any
        (`any_structure`), for reading. Raises Undecided where it asks for the constructor
        of one, NoForest where it does with a tree what cannot be said."""
        return self._traced(tuple(types), tuple(structures), False, None)

    def at_sizes(self, sizes: Mapping[SizeVariable, int]) -> Call:
        """The call for inputs with these sizes in its type; open types are R. Raises
        NnfpError where its definition cannot do with them."""
        domains, _ = t.uncurried(self.definition.scheme.type)
        numbers = {variable: constant(size) for variable, size in sizes.items()}
        reals = dict.fromkeys(t.free_variables(t.Product(tuple(domains)))[0], t.R)
        types = tuple(t.substitute(domain, reals, numbers) for domain in domains)
        return self._traced(types, (None,) * len(types), False, None)

    # --- inputs looked at -------------------------------------------------------------------

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

    def asks_for_order(self, problem: NoForest) -> bool:
        """Whether trees are to be packed again, with their payload in order from now on."""
        asks = isinstance(problem, Unordered) and not self.ordered
        self.ordered = self.ordered or asks
        return asks

    def batch_size(self, inputs: Sequence[Any]) -> int:
        """How many examples there are in a batch that is packed."""
        sizes = {numpy.shape(leaf)[:1] for value in inputs for leaf in leaves(value)}
        if len(sizes) != 1 or () in sizes:
            raise misfits.batch_misfit(self, inputs)
        return int(sizes.pop()[0])

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

    # --- traced, once for each form -----------------------------------------------------------

    def _learn(self, form: tuple[Any, bool, bool], call: Call, count: int = 1) -> None:
        """Inputs of a form that was checked are not checked again."""
        if form[0] is not None and call.fast is not None:
            self._known[form] = call, count

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

        try:
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
        except RecursionError:  # tracing goes down a tree by Python's own calls
            raise NnfpError(
                Diagnostic(
                    "tree-too-deep",
                    f"a tree given to {self.name} is too deep to be traced node by node",
                    Label(self.definition.span, f"has type {self.type}"),
                    (),
                    ("A few hundred nodes from the root are as far as that goes.",),
                )
            ) from None

    def _traced(
        self,
        types: tuple[t.Type, ...],
        structures: tuple[Any, ...],
        train: bool,
        batch: int | None,
        *,
        apart: bool = False,
        capacity: int | None = None,
    ) -> Call:
        key = (tuple(map(t.show, types)), structures, train, batch, apart, capacity)
        call = self._traced_as.get(key)
        if call is None:
            pairs = enumerate(zip(types, structures, strict=True))
            arguments = {argument_name(k): pair for k, pair in pairs}
            expression = self.specialise(types)
            traced, _ = planned(
                self.program,
                lambda plan: trace_application(
                    self.program, expression, arguments,
                    training=train, batch=batch, apart=apart, capacity=capacity, plan=plan,
                ),
                lambda traced: (traced.vectorised,),
            )  # fmt: skip
            call = self._traced_as[key] = Call(traced, types, structures)
        return call


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
