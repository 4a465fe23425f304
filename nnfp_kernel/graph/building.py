"""What a trace has at hand: the graph that is being built, and values on its wires.

    builder, keys     the graph, and the random keys of the present body
    fail              a mistake of the user's, told at the place that is being traced
    require, doubt    what only running tells to be one
    sequence, zero    values as one sequence; of a vector space
    flatten, rebuild  a value as wires, and back

What chooses between graphs is in choices.py, what runs one again in bodies.py; context.py is all
of it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

from ..language import types as t
from ..language.diagnostics import Diagnostic, Label, NnfpError
from ..language.sizes import SizeVariable, constant
from ..language.source import Span
from ..language.syntax import NOWHERE
from .forest import Along, Home, NoForest, Plant, sums_apart
from .graph import ArrayType, Builder, Call, Constant, Wire
from .scope import Keys
from .sequences import (
    fitted,
    joined,
    leading,
    longest,
    map_leading,
    present,
    resized,
    unfilled,
    where,
)
from .values import (
    Declarations,
    Extent,
    Items,
    NotFirstOrder,
    Value,
    emptied,
    holds_sequence,
    leaves,
)
from .values import Sequence as Ragged

NEEDS_LENGTH = "needs-length"  # the code of a mistake that a known length would mend


@dataclass(frozen=True)
class Doubt:
    """What is only known at run time: the `number` that is 0 where all is well, else tells
    by its place what of `problems`, counted from 1, is wrong."""

    wire: Wire | None
    problems: tuple[Diagnostic, ...] = ()


class Building:
    """The graph being built, and values in it."""

    def __init__(
        self,
        builder: Builder,
        declarations: Declarations,
        *,
        key: Callable[[], Wire],
        extents: Mapping[SizeVariable, Extent] | None = None,
        training: bool = False,
        plan: Any = None,
    ) -> None:
        self.builder = builder
        self.declarations = declarations
        self.keys = Keys(key)
        self.extents = extents or {}  # what the lengths known at run time are
        self.training = training
        self.plan = plan  # of loops that the program itself differentiates
        self.forests = False  # whether trees among the arguments are forests
        self.plants: dict[Builder, Plant] = {}  # of each graph a tree of which nothing is known
        self.bodies: dict[Builder, Along] = {}  # those that run along sequences
        self.homes: dict[Builder, Home] = {}  # those in which trees from around are observed
        # For what such trees become: multiples that tell their lengths apart, or all the same.
        self.apart: Iterator[int] = sums_apart(24)
        self.lengths = self.apart
        self.branching = 0  # how many branches the present place is inside of
        self.word: Span | None = None  # of the program, by which the present place is reached
        self._problems: list[Diagnostic] = []
        self._doubts: list[Wire] = []  # in the graph that is being built
        self._conditions: list[Wire] = []  # that trees are chosen by
        self._assumed: list[tuple[Wire, bool]] = []  # of these, in the present branch
        self._looks = 0  # at trees that are chosen

    # --- mistakes, and what only shows at run time ----------------------------------

    def fail(self, code: str, title: str, *notes: str, suggestion: str | None = None) -> NoReturn:
        """Raise an error at the place that is being traced."""
        raise NnfpError(self._told(code, title, notes, suggestion))

    def _told(
        self, code: str, title: str, notes: tuple[str, ...], suggestion: str | None = None
    ) -> Diagnostic:
        """A mistake at the place that is being traced; inside of the library at the program's
        own word, the `variance` whose mean is one of nothing."""
        place = self.builder.origin or NOWHERE
        word = self.word if place.source.library else None
        if word is None:
            return Diagnostic(code, title, Label(place), (), notes, suggestion)
        asked = Label(word, f"`{word.text}` comes to this"), (Label(place, "here"),)
        return Diagnostic(code, title, *asked, notes, suggestion)

    @contextmanager
    def spoken(self, word: Span | None) -> Iterator[None]:
        """Inside, the library's places are reached by this word of the program."""
        outer, self.word = self.word, word
        try:
            yield
        finally:
            self.word = outer

    def needs_length(self, what: str) -> NoReturn:
        """Raise an error: this can only be done for a sequence of known length."""
        self.fail(
            NEEDS_LENGTH,
            f"{what} needs a sequence whose length is known before running",
            "Here the length is known only at run time.",
        )

    @contextmanager
    def _of_numbers(self) -> Iterator[None]:
        """Inside, a value that is not made of numbers is a mistake told at this place."""
        try:
            yield
        except NotFirstOrder as problem:
            if self.forests and self.declarations.has_trees(problem.type):
                raise NoForest(problem.type) from None
            if isinstance(problem.type, t.TypeVariable):
                self._type_open()
            if self.declarations.has_trees(problem.type):
                self.fail(
                    "not-first-order",
                    "a tree cannot be an element or a state here",
                    f"Its type is {t.show(problem.type)}; each has a shape of its own, and what "
                    "passes through sequences, loops and maps is of one shape. What is made of "
                    "a tree can be an element or a state, and a few trees can be listed, "
                    "`[f x, f y]`.",
                )
            self.fail(
                "not-first-order",
                f"{problem.kind} cannot be an element, a state or a branch here",
                f"Its type is {t.show(problem.type)}; only values made of numbers can "
                "pass through sequences, loops, maps and branches.",
            )

    def _type_open(self) -> NoReturn:
        origin = self.builder.origin
        text = origin.text if origin is not None and origin.line == origin.end_line else "e"
        self.fail(
            "type-open",
            "the type of this is not known",
            "Nothing that stands settles it. Give it one, for example:",
            suggestion=f"({text} : {'R[0]' if text == '[]' else 'R'})",
        )

    def require(
        self, condition: Wire, problem: str, *notes: str, code: str = "shapes-disagree"
    ) -> None:
        """The condition must hold where this is reached; else `problem` is the user's
        mistake, told with the place that is being traced."""
        known = self.constant_value(condition)
        if known is True:
            return
        if known is False:
            raise ValueError(problem)
        self.doubt_unless(condition, self._told(code, problem, notes))

    def doubt_unless(self, condition: Wire, told: Diagnostic) -> None:
        """The condition must hold where this is reached; else that is told."""
        self._problems.append(told)
        number = self.builder.constant(len(self._problems), "Int")
        fine = self.builder.constant(0, "Int")
        self._doubts.append(self.builder.emit("select", condition, fine, number))

    def doubted(self, number: Wire) -> None:
        """What has been required elsewhere is required here: its number is 0, or tells."""
        self._doubts.append(number)

    def doubt(self) -> Doubt:
        """All that has been required so far in the graph that is being built."""
        wire = longest(self.builder, self._doubts) if self._doubts else None
        return Doubt(wire, tuple(self._problems))

    def _doubt_each(self, doubts: Wire, extent: Extent | None) -> None:
        """Doubts of all elements or steps, as one."""
        if doubts.type.shape[0] == 0:
            return
        if extent is not None:
            none = self.builder.zeros(doubts.type)
            doubts = where(self.builder, present(self.builder, extent), doubts, none)
        self._doubts.append(self.builder.emit("maximum", doubts, axes=(0,)))

    def same_length(self, one: Wire, other: Wire) -> None:
        same = self.builder.emit("compare", one, other, how="eq")
        self.require(same, "sequences that go together have different lengths")

    def constant_value(self, wire: Wire) -> Any:
        """The number or Boolean a wire is known to be, else None."""
        node = self.builder.producer(self.builder.own(wire))
        if node is None or wire.type.shape:
            return None
        if isinstance(node.operation, Constant):
            return node.operation.value.item()
        if isinstance(node.operation, Call) and node.operation.primitive.name == "compare":
            # `length xs == 0`: a branch that a known length rules out is not traced.
            one, other = node.inputs
            if one.type.kind == "Int":
                values = self.constant_value(one), self.constant_value(other)
                if None not in values:
                    return getattr(operator, node.operation.parameters["how"])(*values)
        return None

    # --- sequences and fields -------------------------------------------------------

    def sequence(self, items: Sequence[Value], element: t.Type) -> Value:
        """Values as one sequence: arrays with a new leading axis, or trees one by one."""
        if self.declarations.has_trees(element):
            return Items(element, tuple(items))
        type = t.Array(element, constant(len(items)))
        if not items:  # of no sequences none is long
            return self.zero(emptied(type))
        if (
            self.declarations.is_open(element)
            or any(map(holds_sequence, items))
            or not _of_one_shape(items)
        ):
            items = self._with_one_room(items)
        columns = zip(
            *(self.declarations.flatten(self.builder, item, element) for item in items),
            strict=True,
        )
        wires = [self.stacked(column) for column in columns]
        return self.declarations.rebuild(type, wires, unfilled(items[0]))

    def _with_one_room(self, items: Sequence[Value]) -> list[Value]:
        """Sequences of several lengths, each with the room of the longest."""
        known = self.plants and not any(map(holds_sequence, items))  # by numbers for any lengths
        if known and len({tuple(wire.type for wire in leaves(item)) for item in items}) > 1:
            self.fail("shapes-disagree", "what trees of any shape become differs in length")
        widest = items[0]
        for item in items:
            widest = fitted(self.builder, widest, joined(widest, item))
        return [fitted(self.builder, item, joined(widest, item)) for item in items]

    def stacked(self, wires: Sequence[Wire]) -> Wire:
        """Wires of one type as one array over a new leading axis."""
        rows = [self.builder.emit("reshape", wire, shape=(1, *wire.type.shape)) for wire in wires]
        return rows[0] if len(rows) == 1 else self.builder.emit("concat", *rows, axis=0)

    def zero(self, type: t.Type) -> Value:
        """Zero of a vector space (and of discrete parts, 0 and False)."""
        layout = self.declarations.layout(type)
        return self.declarations.rebuild(type, [self.builder.zeros(array) for array in layout])

    def together(self, value: Value) -> tuple[Value, Extent]:
        """Sequences that go together, some of them of run-time length: with one room and
        one length, which is required of all."""
        builder = self.builder
        ragged = leading(value)
        capacity = min(wire.type.shape[0] for wire in leaves(value))
        length = ragged[0].length
        for other in dict.fromkeys(sequence.length for sequence in ragged):
            if other is not length:
                self.same_length(length, other)

        def fit(part: Value) -> Value:
            if isinstance(part, Ragged) and part.axis == 0:
                if part.capacity not in (capacity, 0):
                    return Ragged(resized(builder, part.elements, 0, capacity), length)
                return Ragged(part.elements, length, part.filled)
            count = leaves(part)[0].type.shape[0]
            self.same_length(length, builder.constant(count, "Int"))
            return Ragged(resized(builder, part, 0, capacity), length)

        return map_leading(fit, value), Extent(capacity, length)

    # --- sub-graphs, layouts, keys --------------------------------------------------

    @contextmanager
    def inside(self, builder: Builder, keys: Keys | None = None) -> Iterator[Builder]:
        """Work in a sub-graph's builder."""
        before = self.builder, self.keys, self._doubts
        self.builder, self.keys, self._doubts = builder, keys or self.keys, []
        try:
            yield builder
        finally:
            self.builder, self.keys, self._doubts = before

    @contextmanager
    def telling(self, lengths: Iterator[int]) -> Iterator[None]:
        """Inside, the lengths of what trees become are told apart by these, or are alike."""
        before, self.lengths = self.lengths, lengths
        try:
            yield
        finally:
            self.lengths = before

    def key(self) -> Wire:
        """A random key for one draw, new at each call."""
        return self.keys.next(self.builder)

    def layout(self, type: t.Type) -> list[ArrayType]:
        return self.declarations.layout(type)

    def flatten(self, value: Value, type: t.Type | None = None) -> list[Wire]:
        """The wires of a value; without a type, of one made of wires and tuples."""
        if type is None:
            return leaves(value)
        return self.declarations.flatten(self.builder, value, type)

    def rebuild(self, type: t.Type, wires: Sequence[Wire], like: Value = None) -> Value:
        return self.declarations.rebuild(type, wires, like)


def _of_one_shape(items: Sequence[Value]) -> bool:
    """Whether values have arrays of the same shapes. Where lengths that only running tells were to
    agree, rows of one type may not."""
    # What is no array is refused where it is flattened.
    shapes = {
        tuple(wire.type.shape for wire in leaves(item) if isinstance(wire, Wire)) for item in items
    }
    return len(shapes) == 1
