"""The session itself.

    run(source)        one cell: parse, infer, check, evaluate; all or nothing
    session[name]      a Function, a snapshot; a constant without weights is its value
    weights            the present weights of all that stands, a nested dict

A cell works on a copy of what stands, which takes the session's place when all has
gone well, so that a failed cell leaves everything as it was.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..language import infer as inference
from ..language import syntax
from ..language import typed as p
from ..language import types as t
from ..language.diagnostics import Diagnostic, Label, NnfpError
from ..language.parser import parse
from ..language.source import Source
from ..library import library
from ..primitives import BUILTINS, PRIMITIVES
from ..primitives.imported import IMPORTED
from ..primitives.imported import imported as imported_function
from ..primitives.table import Builtin
from ..runtime import stored
from ..runtime.calls.specialise import argument_name
from ..runtime.calls.traced import trace_application
from ..runtime.data import DataValue
from ..runtime.exchange import (
    Misfit,
    as_tuples,
    type_of,
    unflatten_paths,
)
from ..runtime.executables import Executables
from ..runtime.function import Function
from ..runtime.machine.files import place_of
from ..runtime.program import Program
from ..views.terms import derivative_text
from . import checking, completion, construct, inspection, machines, promises, touched
from .again import Asked
from .completion import Completions
from .inspection import Inspection
from .kept import KeptWeights, prepare_jax
from .objectives import Objectives
from .outputs import CellResult, Declared, Defined, Magic, Output, Shown
from .replaced import Replaced
from .standing import Standing, asked_by, count, handed, typed, without

if TYPE_CHECKING:
    from ..runtime.training.events import Event
    from ..views.film.reel import Trainings
    from ..views.functor import Machine

Array = Any


class Session:
    """What the cells of a notebook, or the lines of a script, share.

    >>> session = Session(precision=64)
    >>> result = session.run("line : R ~> R\\nline x = ?a * x + ?b\\nline 0")
    >>> [output.type for output in result.outputs]
    ['R ~> R', 'R']

    `precision` is 32 or 64 bits, for all that the session computes; 64 sets jax's
    process-wide flag. `seed` settles the first value of every weight, and draws. `memory`
    is how many bytes a gradient may take, else those that the device has: where it is
    short, loops keep less for their derivative and make it again.
    Errors are `NnfpError`s; a failed call leaves the session as it was.
    """

    def __init__(
        self,
        precision: int = 32,
        seed: int = 0,
        folder: str | Path = ".",
        memory: int | None = None,
    ) -> None:
        if precision not in (32, 64):
            raise ValueError(f"precision is {precision}; it may be 32 or 64")
        if memory is not None and memory < 1:
            raise ValueError(f"memory is {memory} bytes; there must be some")
        self.precision = precision
        self.memory = memory
        self.seed = seed
        self.folder = Path(folder)
        # Whose turn it is to change what stands, or weights: a cell's, a hand's in a widget, whose
        # messages come in another thread.
        self.turn = threading.RLock()
        self.training: list[str] = []  # what is being trained now
        self.asked: dict[str, Asked] = {}  # the last training of each name
        self._count = 0
        self._evaluations = 0
        self._kept = KeptWeights(seed, self.turn, lambda: self.program, lambda: self.names)
        self._functions: dict[str, tuple[Program, Function]] = {}
        self._executables = Executables()
        self._objectives = Objectives(self._expressed, self._kept.value)
        checked = inference.infer((), BUILTINS, library=library())
        self._standing = Standing((), checked, {}, self._program(checked, {}, {}))

    # --- cells --------------------------------------------------------------------------

    def run(
        self,
        source: str,
        name: str | None = None,
        show: Callable[[Output], None] | None = None,
    ) -> CellResult:
        """Run a program: one cell. Raises NnfpError with all the mistakes found.

        `show` is handed every output as soon as it is there, so that what stands
        further down already sees what a line of magic did.
        """
        with self.turn:
            return self._run(source, name, show)

    def _run(
        self, source: str, name: str | None, show: Callable[[Output], None] | None
    ) -> CellResult:
        parsed, standing = self._read(source, name)
        before = self._standing
        outputs: list[Output] = []
        with self.all_or_nothing():
            self._standing = standing
            for item in parsed.program.items:
                if isinstance(item, syntax.Definition):
                    definition = standing.program.definitions[item.name]
                    promises.require_kept(
                        item, definition, partial(self._function, definition=definition),
                        self.function, self._signature(item.name),
                    )  # fmt: skip
            for output in self._outputs(parsed.program, standing.checked, before):
                outputs.append(output)
                if show is not None:
                    show(output)
        return CellResult(tuple(outputs), standing.checked.notes, dict(standing.checked.broken))

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """What fails inside leaves the session as it was before all of it."""
        before = self._standing
        try:
            with self._kept.all_or_nothing():
                yield
        except BaseException:
            self._standing = before
            raise

    def check(self, source: str, name: str | None = None) -> None:
        """Raise NnfpError with all the mistakes found in a program; run and keep nothing."""
        self._read(source, name)

    def _read(self, source: str, name: str | None) -> tuple[Any, Standing]:
        """A program parsed, and what would stand with it."""
        self._count += 1
        parsed = parse(Source(source, name or f"cell {self._count}"))
        if parsed.diagnostics:
            raise NnfpError(parsed.diagnostics)
        before = self._standing
        names = {name for item in parsed.program.items if (name := getattr(item, "name", None))}
        # Inference sees what is replaced too: a definition may not be made of its older self.
        externals = {k: v for k, v in before.externals.items() if k not in names}
        imported = {k: v for k, v in before.imported.items() if k not in names}
        uses = before.uses.after(parsed.program)
        checked = None
        if len(externals) == len(before.externals) and len(imported) == len(before.imported):
            checked = checking.check_touched(before, parsed.program, uses)
        if checked is None:
            cells = (*before.cells, parsed.program)
            checked = checking.check(cells, externals, imported, self.folder)
        cells = (*(without(old, names) for old in before.cells), parsed.program)
        program = self._program(checked, externals, imported)
        return parsed, Standing(cells, checked, externals, program, imported, uses)

    def _outputs(
        self, program: syntax.Program, checked: inference.Checked, before: Standing
    ) -> Iterator[Output]:
        expressions = iter(checked.expressions)
        replaced = Replaced(program, before, self._standing)
        for item in program.items:
            match item:
                case syntax.Definition(name=name):
                    yield replaced.told(self._defined(name))
                case syntax.ExpressionItem():
                    yield self._shown(next(expressions).tree, item.span.text)
                case syntax.RepItem(name=name, carrier=carrier):
                    yield Declared(name, "representation", carrier.span.text)
                case syntax.AliasItem(name=name, type=type):
                    yield Declared(name, "type", type.span.text)
                case syntax.DataItem(name=name):
                    yield Declared(name, "data", item.span.text.partition("=")[2].strip())
                case syntax.SizeItem(name=name, value=value):
                    yield Declared(name, "size", value.span.text)
                case syntax.MagicItem(text=text):
                    yield Magic(text)
                case syntax.Signature() | syntax.ImportItem():
                    pass

    def _defined(self, name: str) -> Defined:
        program = self._standing.program
        definition = program.definitions[name]
        holes = tuple((hole.name, t.show(hole.type)) for hole in definition.holes)
        own: int | None = None
        total: int | None = None
        shares: tuple[str, ...] = ()
        if definition.brackets is None:
            weights = program.reached(name)
            total = count(weights, program)
            own = count([w for w in weights if w.path[0] == name], program)
            shares = tuple(dict.fromkeys(w.path[0] for w in weights if w.path[0] != name))
        return Defined(name, inference.show_type(definition), holes, total, own, shares)

    def _shown(self, expression: p.Expression, text: str) -> Shown:
        shown_type = t.show(expression.type)
        if isinstance(expression.type, t.Function | t.Linear):
            return Shown(None, shown_type, text)
        return Shown(self._evaluate(expression), shown_type, text)

    def evaluate(self, text: str) -> Any:
        """The value of an expression, with the present weights. Changes nothing."""
        expression = typed(self._standing, text, {})
        if isinstance(expression.type, t.Function | t.Linear):
            return self.function(text)
        return self._evaluate(expression)

    def _evaluate(self, expression: p.Expression) -> Any:
        try:
            return self._value(expression)
        except NnfpError as error:
            raise asked_by(error, expression.span) from None

    def _value(self, expression: p.Expression) -> Any:
        traced = trace_application(self._standing.program, expression, {})
        arrays = [
            *self._kept.arrays(traced.weights), *self._kept.arrays(traced.present),
            *traced.external_arrays(),
        ]  # fmt: skip
        if traced.draws:
            arrays.append(self.next_key())
        return traced.answer.rebuild(iter(traced.checked(traced.run(*arrays))))

    # --- training ---------------------------------------------------------------------------

    def train(
        self,
        name: str,
        data: Sequence[Any] | Iterable[Any],
        *,
        loss: str | None = None,
        metric: str | None = None,
        valid: float | Sequence[Any] = 0.0,
        seed: int | None = None,
        memory: int | None = None,
        film: bool = False,
        **options: Any,
    ) -> Generator[Event, None, None]:
        """Train what `name` is by the events of `runtime.training`; the kept weights become
        the session's with the last one.

        >>> import numpy
        >>> session = Session(precision=64)
        >>> _ = session.run("distance x = squaredError x (?centre : R[2])")
        >>> data = [numpy.array([[1.0, 2.0], [3.0, 4.0]])]
        >>> *_, last = session.train("distance", data, optimizer="sgd", rate=0.1, steps=200)
        >>> session.weights["distance"]["centre"].round(6).tolist()
        [2.0, 3.0]

        `name` is an objective, a function of an example that gives a number; its mean
        over the examples is minimised. With a `loss` it is a model: the loss of an
        example (x, y) is `loss (name x) y`, and so for the metric. `data` are arrays
        with the examples along their leading axis, or Python lists of examples that may
        differ in length; an example of several arrays is a tuple. Or an iterable gives them
        batch after batch, as such arrays: then say how many `steps`. `valid` is the share of
        them held out, or other such data. `memory` are the bytes it may take, the session's if
        not given: where it is short, long loops keep less for their derivative. With `film`, and
        while views watch, enough moments of it are kept for a film, however fast it goes.
        `options` are
        those of `runtime.training.train.train`, such as `devices="batch=2,model=4",
        shard={"attention.*": "model"}`.
        """
        from ..runtime.machine import processes
        from ..runtime.machine.memory import telling
        from ..runtime.training import train as loop
        from ..runtime.training.objective import examples_of, stream_of
        from ..runtime.training.stream import is_stream

        memory = self.memory if memory is None else memory
        objective, function = self._objectives.of(self.program, name, loss, metric, memory)
        paths = [weight.path for weight in function.reached]
        nested = unflatten_paths({path: self._kept.value(path) for path in paths})
        if is_stream(data):
            examples: Any = stream_of(function, data)
        else:
            examples = examples_of(function, nested, cast("Sequence[Any]", data))
        share = isinstance(valid, float | int)
        held_out = valid if share else examples_of(function, nested, cast("Sequence[Any]", valid))

        self.asked[name] = Asked(name, data, loss, metric, valid, seed, memory, options)
        with telling(function.definition.span):  # data and weights are put on the device
            events = loop.train(
                objective,
                nested,
                examples,
                valid=held_out,
                seed=self.seed if seed is None else seed,
                keep=self._kept.keep(paths),
                memory=memory,
                watched=film or self.trainings.watched,
                **options,
            )
        if not processes.several():  # there each has a share of the weights
            events = self.trainings.followed(events, nested, metric)
        return self._noted(name, events)

    def _noted(
        self, name: str, events: Generator[Event, None, None]
    ) -> Generator[Event, None, None]:
        """A training, of which is known while it goes on that it does."""
        self.training.append(name)
        try:
            yield from events
        finally:
            self.training.remove(name)

    @cached_property
    def trainings(self) -> Trainings:
        """The last training, and the views that follow the next ones."""
        from ..views.film.reel import Trainings

        return Trainings()

    # --- looking ----------------------------------------------------------------------------

    def type(self, text: str) -> str:
        """The inferred type of an expression. Settles nothing for others."""
        return inference.type_of_expression(self._standing.checked, text)

    def describe(self, name: str) -> Defined:
        """What is said of a definition where it is made: type, holes, weights.

        Raises NnfpError for a name that is not defined, or that no longer checks.
        """
        if name in self.broken:
            raise NnfpError(self.broken[name])
        if name in self.program.definitions:
            return self._defined(name)
        return Defined(name, self.type(name), (), 0, 0, ())

    def defined(self, name: str) -> Defined:
        """The same of what has a definition, in the session or in the library.

        >>> Session().defined("mlp").type
        'R[n] ~> R[m]'

        Raises NnfpError for any other name, a built-in one among them, and for an expression.
        """
        found = self.describe(name)
        if name not in self.program.definitions:
            expression = typed(self._standing, name, {})
            raise NnfpError(
                Diagnostic(
                    "no-definition",
                    f"`{name}` has no definition",
                    Label(expression.span, f"has type {found.type}"),
                    (),
                    ("Weights and pictures are of a definition. Give it a name:",),
                    f"named = {name}",
                )
            )
        return found

    def complete(self, text: str, position: int) -> Completions:
        """The names that fit at an offset of a program's text, with their types.

        >>> session = Session()
        >>> _ = session.run("rep Word = R[4]\\nread (Word x) = sum x")
        >>> [(each.text, each.type) for each in session.complete("f x = re", 8).items][0]
        ('read', 'Word -> R')
        """
        return completion.complete(self, text, position)

    def inspect(self, text: str, position: int) -> Inspection | None:
        """What is known of the name at an offset of a program's text.

        >>> Session().inspect("scan (+) 0", 2).type
        '((s, a) -> s) -> s -> a[n] -> s[n]'
        """
        return inspection.inspect(self, text, position)

    def functor(self, name: str) -> Machine:
        """What a name is as an algebra or a coalgebra: its functor, the strength, the
        square, and the square run on random values.

        >>> session = Session(precision=64)
        >>> _ = session.run("cell : (R, R) -> (R, R)\\ncell (s, x) = (s + x, s * x)")
        >>> session.functor("cell").functor
        'F(X) = A → X × B'

        Raises NnfpError for what is neither a cell nor a recursive data type.
        """
        return machines.machine(self, name)

    def __getitem__(self, name: str) -> Any:
        """A definition: a `Function`, or the value of a constant without weights."""
        program = self._standing.program
        if name in self._standing.checked.broken:
            raise NnfpError(self._standing.checked.broken[name])
        definition = program.definitions.get(name)
        if definition is None:
            if name in self._standing.externals:
                return self._standing.externals[name][1]
            return self.function(name)
        if not isinstance(definition.scheme.type, t.Function | t.Linear) and not definition.learns:
            return self.evaluate(name)
        known = self._functions.get(name)
        if known is None or known[0] is not program:
            self._functions[name] = program, self._function(name, definition)
        return self._functions[name][1]

    def function(self, text: str) -> Function:
        """The function that an expression is: `session.function("encode >> norm")`."""
        return self._expressed(text, text)

    def _expressed(self, text: str, written: str | syntax.Expression) -> Function:
        """The function that an expression is, as `text` or with the places of its parts."""
        expression = typed(self._standing, written, {})
        definition = p.Definition(
            text, t.Scheme(expression.type), None, (), expression, learns=True, draws=True,
            span=expression.span,
        )  # fmt: skip
        return self._function(text, definition, written)

    def _function(
        self, name: str, definition: p.Definition, written: str | syntax.Expression = ""
    ) -> Function:
        standing = self._standing

        def specialise(types: Sequence[t.Type]) -> p.Expression:
            arguments = {argument_name(k): type for k, type in enumerate(types)}
            try:
                return typed(standing, written or name, arguments)
            except NnfpError as error:
                raise handed(error, name, types) from None

        return Function(
            name,
            inference.show_type(definition),
            standing.program,
            definition,
            specialise,
            self._kept.present,
            self.next_key,
            derivative_text,
            home=self,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The definitions that stand, in the order they were written; then imported ones."""
        names = [
            item.name
            for cell in self._standing.cells
            for item in cell.items
            if isinstance(item, syntax.Definition)
        ]
        definitions = self.program.definitions.items()
        names += [
            name
            for name, definition in definitions
            if name not in names and not definition.span.source.name.startswith("std/")
        ]
        return tuple(name for name in names if name not in self.broken)

    @property
    def started(self) -> bool:
        """Whether anything stands in it: a cell, or a value from Python."""
        standing = self._standing
        return bool(standing.cells or standing.externals or standing.imported)

    @property
    def program(self) -> Program:
        """A snapshot of what is defined now."""
        return self._standing.program

    @property
    def checked(self) -> inference.Checked:
        """All that stands, as inference left it."""
        return self._standing.checked

    @property
    def externals(self) -> Mapping[str, t.Type]:
        """The types of what was brought in from Python."""
        return {name: type for name, (type, _) in self._standing.externals.items()}

    @property
    def imported(self) -> tuple[str, ...]:
        """The functions that Python brought in."""
        return tuple(self._standing.imported)

    @property
    def broken(self) -> Mapping[str, Diagnostic]:
        """Definitions that no longer check, with the reason."""
        return self._standing.checked.broken

    # --- Python values -------------------------------------------------------------------------

    def bind(self, name: str, value: Any) -> None:
        """Bring a Python value in under `name`: a number, an array, a pytree of them, or a
        function that JAX can trace.

        >>> session = Session(precision=64)
        >>> session.bind("halved", lambda x: x / 2)
        >>> session.run("y = halved [2, 4]\\nf x = derivative halved x 1").outputs[0].type
        'R[2]'

        A pytree is the tuple of its children, a dict's by their sorted keys. A function gets
        its type where it is used, by `jax.eval_shape`; several arguments are curried; its
        derivative is its own, by its JVP and VJP. Raises ValueError for anything else.
        """
        before = self._standing
        externals = {k: v for k, v in before.externals.items() if k != name}
        imported = {k: v for k, v in before.imported.items() if k != name}
        if callable(value) and not hasattr(value, "dtype"):
            imported[name] = imported_function(name, value)
        else:
            value = as_tuples(value)
            try:
                externals[name] = type_of(value), value
            except Misfit as misfit:
                raise ValueError(
                    f"{name} is {misfit.found}, which no program can use: bring in arrays, "
                    "numbers, tuples of them and JAX functions"
                ) from None
        cells = tuple(without(cell, {name}) for cell in before.cells)
        checked = checking.check(cells, externals, imported, self.folder)
        program = self._program(checked, externals, imported)
        uses = touched.Uses({k: v for k, v in before.uses.names.items() if k != name})
        self._standing = Standing(cells, checked, externals, program, imported, uses)

    def constructor(self, name: str) -> Any:
        """A constructor of a `data` type as a Python function of its fields.

        >>> session = Session(precision=64)
        >>> _ = session.run("data Pair = Pair R R")
        >>> str(session.constructor("Pair")(1, 2))
        '(Pair 1 2)'
        """
        return construct.constructor(self.program, name)

    def tree(self, name: str, written: Any) -> DataValue:
        """The value of the `data` type `name` that nested lists stand for.

        >>> session = Session(precision=64)
        >>> _ = session.run("data Tree a = Leaf a | Node (Tree a) (Tree a)")
        >>> session.tree("Tree", [[1, 2], 3])
        (Node (Node (Leaf 1) (Leaf 2)) (Leaf 3))

        A list is the constructor that has as many fields, children among them; anything
        else is the payload of the constructor with one field. (`nnfp.tree` reads values
        whose constructors are written.) Raises NnfpError where it cannot be told which
        constructor is meant, and where the payload does not fit.
        """
        return construct.tree(self.program, name, written)

    # --- weights ---------------------------------------------------------------------------------

    @property
    def weights(self) -> dict[str, Any]:
        """The present weights of all definitions that stand, a nested dict by path.

        A definition whose sizes are still open has none yet. What is handed out is a
        copy. Setting takes a whole nested dict or a part of one, or values by path,
        `session.weights = {"cell.W": array}`; what is not named stays.
        """
        return self._kept.nested()

    @weights.setter
    def weights(self, nested: Mapping[str, Any]) -> None:
        self._kept.set(nested)

    def reset_weights(self, name: str | None = None) -> None:
        """First values again for what a definition reaches, or for all."""
        if name is not None:
            self.defined(name)
        self._kept.reset(name)

    def save(self, name: str, file: str | Path) -> None:
        """Write the present weights that a definition reaches, as safetensors."""
        self._function_that_learns(name).save(self._place(file))

    def load(self, name: str, file: str | Path, *, partial: bool = False) -> stored.Account:
        """Set the weights that a definition reaches to those of a file made by `save`.

        >>> from tempfile import TemporaryDirectory
        >>> session = Session(precision=64)
        >>> _ = session.run("line : R ~> R\\nline x = ?a * x + ?b")
        >>> with TemporaryDirectory() as folder:
        ...     session.weights = {"line.a": 3.0, "line.b": 1.0}
        ...     session.save("line", f"{folder}/line.safetensors")
        ...     session.reset_weights()
        ...     session.load("line", f"{folder}/line.safetensors").fits
        ('line.a', 'line.b')
        >>> float(session["line"](2.0))
        7.0

        The file may hold more: an encoder is loaded from a file of the whole model.
        Raises NnfpError for a file that cannot be read, lacks a weight, or holds one of
        another shape; the session's weights then stay as they were. With `partial` what fits
        is loaded and the rest stays; the account that it gives says which is which, and which
        definitions have changed since the file was written.
        """
        function = self._function_that_learns(name)
        values, account = stored.read(
            self._place(file), name, function.reached, self.program.declarations,
            function.digests, partial,
        )  # fmt: skip
        self.weights = unflatten_paths(values)
        return account

    def _function_that_learns(self, name: str) -> Function:
        """A definition as a function, a learned constant too."""
        self.defined(name)  # refuses what is not there, and says why
        return self._function(name, self.program.definitions[name])

    def _place(self, file: str | Path) -> Path:
        """A file's name as a program means it: seen from the session's folder."""
        return self.folder / place_of(file)

    def next_key(self) -> Array:
        """A random key, another one at each call, from the session's seed."""
        import jax

        prepare_jax(self.precision)
        self._evaluations += 1
        return jax.random.fold_in(jax.random.key(self.seed), self._evaluations)

    # --- inside -----------------------------------------------------------------------------

    def _program(
        self,
        checked: inference.Checked,
        externals: Mapping[str, tuple[t.Type, Any]],
        imported: Mapping[str, Builtin],
    ) -> Program:
        if self.precision == 64:
            prepare_jax(64)
        return Program(
            checked.definitions, checked.reps, checked.data, {**BUILTINS, **imported},
            {**PRIMITIVES, **IMPORTED} if imported else PRIMITIVES,
            64 if self.precision == 64 else 32,
            {name: value for name, (_, value) in externals.items()},
            memory=self.memory, executables=self._executables,
        )  # fmt: skip

    def _signature(self, name: str) -> syntax.Signature | None:
        """The signature of a definition that stands."""
        for cell in reversed(self._standing.cells):
            for item in cell.items:
                if isinstance(item, syntax.Signature) and item.name == name:
                    return item
        return None


__all__ = ["Function", "Session"]
