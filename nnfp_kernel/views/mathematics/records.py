"""Rules that the table of primitives has, read as formulas: no derivative is said twice.

elementwise   φ' ⊙ dx, with φ' the record's `partials`, read back (calls.py)
general       the record's chains of linear steps: dA ↦ -A⁻¹ dA A⁻¹; backwards for the
              adjoint, each step by its own
linear        itself; where mathematics has no sign for an adjoint it is f†
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...graph.graph import ArrayType, Builder, Call, Wire
from ...graph.primitive import Step, chains_of
from ...language import typed as p
from ...language import types as t
from ...linear.laws import alike
from ...linear.maps import Compose, Identity, LinearMap, Section, chain
from . import formula as m
from .calls import Calls, called, conjugated, turned
from .changes import Change, Linear
from .formula import Formula
from .named import opaque_builtin
from .phases import LENGTHS, PHASES, Phases
from .pieces import (
    down,
    inner,
    is_complex,
    larger,
    rank,
)
from .quantities import Value, array_type, flat, of_open_field, rebuilt, size_formula, spread
from .table import result_of, rule_of, template_of
from .tape import Line, Pass, Quantity, Rule

if TYPE_CHECKING:
    from .reading import Reader


def elementwise(reader: Reader, use: p.Builtin, *arguments: Quantity, name: str = "") -> Value:
    """φ: the differential is φ' ⊙, with φ' as its record has it."""
    if not all(isinstance(argument, Quantity) for argument in arguments):
        return opaque_builtin(reader, use, list(arguments))
    name = name or use.name
    type = arguments[0].type
    for argument in arguments[1:]:
        type = larger(type, argument.type)
    wide = rank(type) > 0

    def factors(walk: Pass) -> list[Formula | None]:
        found, output_used = partials(
            reader.program.primitives, name, [q.shown() for q in arguments], made.shown(), wide,
            [q.role != "constant" for q in arguments],
        )  # fmt: skip
        if output_used:
            walk.ask(made, 2)
        for argument in arguments:
            walk.ask(argument, 8)
        return found

    def forward(walk: Pass, d: list[Change]) -> Change:
        total: Change = None
        for q, change, factor in zip(arguments, d, factors(walk), strict=True):
            if change is not None and factor is not None:
                part = change.times(factor, wide and rank(q.type) > 0)
                total = part if total is None else Linear(total.terms + part.terms)
        return total

    def backward(walk: Pass, bar: Linear) -> list[Change]:
        made: list[Change] = []
        for q, factor in zip(arguments, factors(walk), strict=True):
            if factor is not None and is_complex(type):
                factor = conjugated(
                    factor, [a.shown() for a in arguments if not is_complex(a.type)]
                )
            if factor is None:
                made.append(None)
            elif rank(q.type) == 0 and rank(type) == 1:
                made.append(bar.through(lambda f, factor=factor: inner(factor, f)))  # type: ignore[misc]
            else:
                made.append(down(bar.times(factor, wide), type, q.type))
        return made

    made = rule_of(reader,
        type, arguments, lambda: template_of(reader, use, [q.shown() for q in arguments]),
        forward, backward,
    )  # fmt: skip
    if reader.program.primitives[name].partials is not None and not any(
        partials(reader.program.primitives, name, [m.ONE] * len(arguments), m.ONE, wide)[0]
    ):
        made.role = "constant"
    return made


def partials(
    primitives: Mapping[str, Any],
    name: str,
    inputs: Sequence[Formula],
    output: Formula,
    wide: bool,
    moving: Sequence[bool] = (),
) -> tuple[list[Formula | None], bool]:
    """The derivative by each operand as a formula, and whether the value occurs in those by
    the operands that are `moving`, which are all if nothing is said: not in that of x/2."""
    builder = Builder(primitives)
    wires = [builder.input(ArrayType("R"), f"x{k}") for k in range(len(inputs))]
    made = builder.input(ArrayType("R"), "y")
    rule = primitives[name].partials
    if rule is None:
        return [None] * len(inputs), False
    read = Calls(builder, {**dict(zip(wires, inputs, strict=True)), made: output})
    own = rule(builder, wires, made)
    for wire, moves in zip(own, moving or [True] * len(own), strict=True):
        if wire is not None and moves:
            read.of(wire, wide)
    used = made in read.used
    return [None if wire is None else read.of(wire, wide) for wire in own], used


# --- functions with a rule of their own --------------------------------------------------------

# Names and the primitives that their answers are; one that is `turned` is transposed.
GENERAL: Mapping[str, tuple[str, ...]] = {
    **{
        name: (name,)
        for name in (
            "inverse", "solve", "logdet", "expm", "logm", "sqrtm", "cholesky", "hermitian",
            "maximum", "minimum", "logsumexp", "angle",
        )
    },
    "abs": ("modulus",),
    "qr": ("qrQ", "qrR"), "eigh": ("eighValues", "eighVectors"),
    "eig": ("eigValues", "eigVectors"),
    "svd": ("svdU", "svdValues", "svdV turned"),
}  # fmt: skip
# Parts whose rule has a term more where the matrix is longer along an axis: at an open size,
# it is said, for it is 0 where it is not needed.
_LONGER = {"svdU": 0, "svdV": 1}
_ALONG = frozenset(("maximum", "minimum", "logsumexp"))


def general(reader: Reader, use: p.Builtin, *arguments: Quantity) -> Value | None:
    """A function whose record gives its derivative whole, as chains of linear steps; None
    where the record is not all that happens."""
    types = [array_type(argument.type) for argument in arguments]
    kinds = {type.kind for type in types}
    if not kinds <= {"R", "C"} or (use.name in _ALONG and types[0].rank != 1):
        return None
    reader.real = reader.real or any(of_open_field(argument.type) for argument in arguments)
    record = _Record(reader, use.name, types, arguments)
    like = spread(result_of(use, len(arguments)), m.ONE, reader.program)

    def value() -> Formula:
        return template_of(reader, use, [q.shown() for q in arguments])

    def component(k: int) -> Formula:
        single = len(record.outputs) == 1
        return value() if single else m.indexed(m.Fenced("(", value(), ")"), m.Digits(str(k + 1)))

    made = _FromRecord(
        tuple(arguments), component, record.forward, record.backward, joint=value, record=record
    )
    record.rule = made
    reader.add(made, *(output.type for output in flat(like)))
    supply = iter(made.outputs)
    return rebuilt(like, lambda _: next(supply))


@dataclass(eq=False)
class _FromRecord(Rule):
    """A rule read from a record: the masks that its derivative needs are said with it."""

    record: _Record | None = None

    def values(self, walk: Pass) -> None:
        super().values(walk)
        if self.record is not None and walk.moves:
            walk.lines += self.record.lines(walk)


class _Record:
    """The derivative that a record has, over the wires of a builder of its own."""

    rule: Rule

    def __init__(
        self, reader: Reader, name: str, types: Sequence[ArrayType], arguments: Sequence[Quantity]
    ) -> None:
        parts = [part.split() for part in GENERAL[name]]
        self._parts_of = [part for part, *_ in parts]
        self.turned = [len(part) > 1 for part in parts]
        self.mark = "H" if types[0].kind == "C" else "⊤"
        settled = name in LENGTHS or (name in PHASES and types[0].kind == "C")
        self.phases = Phases.of(reader, name) if settled else None
        self.builder = Builder(reader.program.primitives)
        self.inputs = [self.builder.input(type, f"x{k}") for k, type in enumerate(types)]
        self.given = dict(zip(self.inputs, range(len(types)), strict=True))
        self.outputs: list[Wire] = []
        parameters: Mapping[str, Any] = {"axes": (0,)} if name in _ALONG else {}
        self.maps: list[list[list[LinearMap]]] = []  # of each output, for each input
        for part, *_ in parts:
            inputs = self.inputs
            if part in _LONGER and not _sizes_known(arguments[0].type):
                inputs = [self.builder.input(_longer(types[0], _LONGER[part]), part)]
                self.given[inputs[0]] = 0
            made = self.builder.emit(part, *inputs, **parameters)
            rule = self.builder.primitives[part].differential
            found = rule(self.builder, parameters, inputs, made) if rule else [(Step(part),)]
            if self.phases and self.phases.length:  # the chains behind the first keep a length
                found = [terms and list(chains_of(terms))[:1] for terms in found]
            self.outputs.append(made)
            self.maps.append([
                [
                    chain(self.builder.primitives, steps, wire.type, made.type)
                    for steps in chains_of(terms)
                ]
                for terms, wire in zip(found, inputs, strict=True)
            ])  # fmt: skip
        self.indices = tuple(_two_indices(reader))
        read = Calls(self.builder, dict.fromkeys(self.given, m.ZERO))
        self.masks: dict[Wire, Formula] = {}
        self.real: set[Formula] = set()  # those that are made of numbers over R
        self.needed: dict[Wire, set[int]] = {}  # for which outputs
        names: dict[Formula, Formula] = {}  # equal entries have one name
        for place, terms in enumerate(self.maps):
            for wire in (w for maps in terms for each in maps for w in each.fixed):
                if read.made_of_indices(wire):
                    entry = self._entry(read, wire)
                    if entry not in names:
                        letter = reader.fresh("F", "G", "H")
                        own = bool(self._made_of(wire))
                        names[entry] = reader.within_loops(letter) if own else letter
                    self.masks[wire] = names[entry]
                    if all(made.type.kind == "R" for made in self._made_of(wire)):
                        self.real.add(names[entry])
                    self.needed.setdefault(wire, set()).add(place)

    def _entry(self, calls: Calls, wire: Wire) -> Formula:
        return calls.entry(wire, self.indices)

    def _made_of(self, wire: Wire) -> list[Wire]:
        """The values that a mask is made of, if it is of more than indices."""
        todo, found, known = [wire], [], {*self.outputs, *self.given}
        while todo:
            each = todo.pop()
            node = self.builder.producer(each)
            own = node.operation if node else None
            if each in known or (isinstance(own, Call) and own.primitive.name in self._parts_of):
                found.append(each)
            else:
                todo += node.inputs if node else ()
        return found

    def _size(self, mask: Wire) -> Formula:
        """How many rows and columns a mask has: as many as the values that it is made of."""
        place = 0
        for wire in self._made_of(mask):
            node = self.builder.producer(wire)
            if node is not None and isinstance(node.operation, Call):
                place = self._parts_of.index(node.operation.primitive.name)
        type = self.rule.outputs[place].type
        while isinstance(type, t.Array) and isinstance(type.element, t.Array):
            type = type.element
        assert isinstance(type, t.Array)
        return size_formula(type.length)

    def calls(self) -> Calls:
        """What the wires are called now. What the rule computes again of the parts of the
        answer is called as they are."""
        known = {wire: self.rule.inputs[k].shown() for wire, k in self.given.items()}
        outputs = self._parts()
        calls = Calls(self.builder, known | dict(zip(self.outputs, outputs, strict=True)))
        calls.known |= self.masks
        calls.real |= self.real
        for wire, shown in zip(self.outputs, outputs, strict=True):
            node = self.builder.producer(wire)
            assert node is not None
            assert isinstance(node.operation, Call)
            calls.same[node.operation.primitive.name] = shown
            if wire.type.kind == "R":
                calls.real.add(shown)
        return calls

    def _parts(self) -> list[Formula]:
        """What the record makes, where it is not said turned: V of Vᴴ."""
        return [
            turned(q.shown(), self.mark) if flag else q.shown()
            for q, flag in zip(self.rule.outputs, self.turned, strict=True)
        ]

    def _wanted(self, walk: Pass) -> list[int]:
        """The outputs that are asked for, by their places."""
        return [q.place for q in self.rule.outputs if q in walk.wanted]

    def lines(self, walk: Pass) -> list[Line]:
        """What the derivative needs: F_{i,j} = …, for all i and j; E = lead V."""
        index, wanted = m.listed(self.indices), self._wanted(walk)
        lines: dict[Formula, Line] = {}
        for wire, name in self.masks.items():
            if self.needed[wire].isdisjoint(wanted):
                continue
            calls = self.calls()
            del calls.known[wire]
            entry = self._entry(calls, wire)
            range: Formula = m.counted(index, self._size(wire))
            if walk.ranges and self._made_of(wire):
                range = m.nested([*walk.ranges, range])
            lines[name] = Line(m.indexed(name, index), entry, range=range)
        made = list(lines.values())
        if self.phases and not set(self.phases.places).isdisjoint(wanted):
            made.append(self.phases.line(self._parts(), walk.range))
        return made

    def forward(self, walk: Pass, d: list[Change]) -> list[Change]:
        calls = self._asked(walk)
        made: list[Change] = []
        for terms in self.maps:
            given = [
                (sections_of(each), change.formula())
                for maps, change in zip(terms, d, strict=True) if change is not None
                for each in maps
            ]  # fmt: skip
            made.append(Linear.of(_through(calls, given)) if given else None)
        wanted = self._wanted(walk)
        if self.phases and not set(self.phases.places).isdisjoint(wanted):
            made = self.phases.moved(walk, made, self._parts(), wanted)
        made = self._turned(made)
        return [change if place in wanted else None for place, change in enumerate(made)]

    def _turned(self, changes: Sequence[Change]) -> list[Change]:
        kind = self.inputs[0].type.kind
        real = self.calls().real | (self.phases.real if self.phases else set())
        return [
            change.through(lambda f: turned(f, self.mark, real, kind))
            if change and flag
            else change
            for change, flag in zip(changes, self.turned, strict=True)
        ]

    def backward(self, walk: Pass, bars: list[Change]) -> list[Change]:
        calls = self._asked(walk)
        made: list[Change] = []
        bars = self._turned(bars)
        if self.phases:
            bars = self.phases.pulled(walk, bars, self._parts())
        for k in range(len(self.inputs)):
            given = [
                (sections_of(each.adjoint()), bar.formula())
                for terms, bar in zip(self.maps, bars, strict=True)
                if bar is not None for each in terms[k]
            ]  # fmt: skip
            made.append(Linear.of(_through(calls, given)) if given else None)
        return made

    def _asked(self, walk: Pass) -> Calls:
        """The answers occur in the derivative, and so do the arguments."""
        for quantity in (*self.rule.inputs, *self.rule.outputs):
            walk.ask(quantity, 3)
            if quantity.name is None and len(self.rule.outputs) > 1:
                walk.asked.append(quantity)
        return self.calls()


def _sizes_known(type: t.Type) -> bool:
    assert isinstance(type, t.Array)
    assert isinstance(type.element, t.Array)
    return (type.length - type.element.length).value is not None


def _longer(type: ArrayType, axis: int) -> ArrayType:
    few, many = 3, 5
    return ArrayType(type.kind, (many, few) if axis == 0 else (few, many))


def _two_indices(reader: Reader) -> Iterator[Formula]:
    """i and j, or others where a loop around has these."""
    first = reader.index("i", "j", "k", "l")
    yield first
    yield reader.index(*(name for name in ("j", "k", "l", "m") if m.symbol(name) != first))


def sections_of(map: LinearMap) -> tuple[Section, ...]:
    """The sections that a chain is made of, the first one first."""
    match map:
        case Identity():
            return ()
        case Compose(maps=maps):
            return tuple(each for inner in maps for each in sections_of(inner))
        case Section():
            return (map,)
        case other:
            raise AssertionError(f"no chain: {other}")


def _through(calls: Calls, given: Sequence[tuple[tuple[Section, ...], Formula]]) -> Formula:
    """The sum of formulas, each through its sections; what they end in alike is said once:
    A⁻¹ (db - dA x)."""
    if len(given) > 1 and all(sections for sections, _ in given):
        last, *others = (sections[-1] for sections, _ in given)
        if all(alike(last, other) for other in others):
            inner = _through(calls, [(sections[:-1], f) for sections, f in given])
            return _at(calls, last, inner)
    total: Formula = m.ZERO
    made = []
    for sections, f in given:
        for each in sections:
            f = _at(calls, each, f)
        made.append(f)
    for f in sorted(made, key=lambda f: m.negated(f) is not None):
        total = m.plus(total, f)
    return total


def _at(calls: Calls, section: Section, f: Formula) -> Formula:
    operands = [
        f if k in section.open else m.ZERO if isinstance(each, ArrayType) else calls.of(each)
        for k, each in enumerate(section.operands)
    ]  # fmt: skip
    labels = [section.parameters.get(side) for side in ("left", "right")]
    if labels[0] == labels[1] and not section.parameters.get("conjugate"):
        operands.sort(key=lambda each: each is f)  # what is fixed comes first: F ⊙ dX, ⟨w, dx⟩
    wide, kind = section.codomain[0].rank > 0, section.domain[0].kind
    return called(section.primitive, section.parameters, operands, wide, kind, calls.real)
