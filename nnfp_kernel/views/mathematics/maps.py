"""Linear maps as formulas of combinators: W · >> diag(1 - y²), recurrence[5](…).

What a map refers to is written in the names of the program: `Naming` reads it off the
graph that makes it; what would be long gets a letter. The answer is `y`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...graph.graph import ArrayType, Builder, Call, Constant, Graph, Loop, Map, Node, Wire
from ...linear import laws
from ...linear.laws import Adjoint, Differential
from ...linear.maps import (
    Add,
    ChooseL,
    Compose,
    Copair,
    DirectSum,
    Dup,
    Identity,
    Inject,
    LinearMap,
    MapL,
    Network,
    Pair,
    Project,
    Recurrence,
    Scale,
    Section,
    SolveL,
    Sum,
    TreeRecurrence,
    WhileL,
    Zero,
)
from . import formula as m
from .calls import called, contracted, element_at
from .formula import Formula
from .latex import template

_JOIN = {Compose: ">>", Sum: "+", Pair: "&&&", Copair: "|||", DirectSum: "***"}
_SIGNS = {"add": "+", "subtract": "−", "contract": "@", "mul": "*", "divide": "/"}


class Naming:
    """What wires are called: a formula of the program's names, or a letter of its own.

    `where` are the letters given to what would be long, with what they stand for.
    """

    LONG = 8

    def __init__(self, names: Mapping[Wire, Formula], producers: Sequence[Builder]) -> None:
        self.known = dict(names)
        self.producers = producers
        self.where: list[tuple[Formula, Formula]] = []
        self.taken = set(names.values())

    def of(self, wire: Wire) -> Formula:
        if wire not in self.known:
            self.known[wire] = self._made(wire)
        return self.known[wire]

    def _node(self, wire: Wire) -> Node | None:
        for builder in self.producers:
            if builder.owns(wire):
                return builder.producer(wire)
        return None

    def _made(self, wire: Wire) -> Formula:
        node = self._node(wire)
        if node is None:
            return self._named(wire.name.split(".")) if wire.name else self.letter()
        found = self.formula(node)
        if found is None:
            return self.letter(wire.name)
        if m.size_of(found) > self.LONG:
            letter = self.letter(wire.name)
            self.where.append((letter, found))
            return letter
        return found

    def _named(self, path: Sequence[str]) -> Formula:
        """A weight by the last part of its path; of two with one name, by the part before."""
        name = m.symbol(path[-1])
        if name in self.taken and len(path) > 1:
            name = m.indexed(name, m.symbol(path[-2]))
        self.taken.add(name)
        return name

    def element(self, wire: Wire, index: Formula) -> Formula:
        """The element of a wire at an index; of what a loop stacks, what one step computes."""
        node = None if wire in self.known else self._node(wire)
        if node is None or not isinstance(node.operation, Loop | Map):
            return m.indexed(self.of(wire), index)
        operation = node.operation
        body, shared = operation.body, operation.shared
        carried = operation.carried if isinstance(operation, Loop) else 0
        names = {w: self.of(o) for w, o in zip(body.inputs[:shared], node.inputs, strict=False)}
        given, made = index, m.plus(index, m.ONE)  # the states, as in loops.py
        if isinstance(operation, Loop) and operation.reverse:
            given, made = made, given
        letters = [m.symbol(name) for name in ("s", "c", "q", "p", "r")]
        for k in range(carried):
            state = letters[k % len(letters)]
            names[body.inputs[shared + k]] = m.indexed(state, given)
            names[body.outputs[k]] = m.indexed(state, made)
        for inner, outer in zip(
            body.inputs[shared + carried :], node.inputs[shared + carried :], strict=False
        ):
            names[inner] = m.indexed(self.of(outer), index)
        inside = _Inside(names, body, self)
        return inside.of(body.outputs[node.outputs.index(wire)])

    def letter(self, own: str = "") -> Formula:
        """A name that is free: its own in the program, if it has one."""
        names = (
            *([own] if own.isidentifier() else []),
            "h",
            "u",
            "v",
            "p",
            "q",
            "r",
            *(f"h{k}" for k in range(1, 1000)),
        )
        letter = next(s for s in map(m.symbol, names) if s not in self.taken)
        self.taken.add(letter)
        return letter

    def formula(self, node: Node) -> Formula | None:
        """What a node computes; None for a loop."""
        if isinstance(node.operation, Constant):
            value = node.operation.value
            return m.number(value.item()) if value.size == 1 and value.dtype.kind in "fiu" else None
        if not isinstance(node.operation, Call):
            return None
        operands = [self.of(wire) for wire in node.inputs]
        wide = node.outputs[0].type.rank > 0
        return called(node.operation.primitive, node.operation.parameters, operands, wide)


# --- linear maps --------------------------------------------------------------------------


def map_formula(map: LinearMap, naming: Naming, inputs: Sequence[Formula] = ()) -> Formula:
    """A linear map in combinators; `inputs` are the names of a product's parts."""

    def of(each: LinearMap) -> Formula:
        return map_formula(each, naming, inputs)

    match map:
        case Zero():
            return m.Digits("0")
        case Identity():
            return m.Letter("id")
        case Differential(function=function, kind=kind):
            sign = _SIGNS.get(function)
            said = m.Fenced("(", m.Sign(sign), ")") if sign else m.symbol(function)
            if kind == "bilinear" and isinstance(map.map, Section):
                own = _section(map.map, naming)
                if function == "mul":  # x · and not yet diag x
                    (other,) = [w for w in map.map.operands if isinstance(w, Wire)]
                    own = m.Row((m.fitted(naming.of(other), m.PRODUCT), m.Sign("·")), m.PRODUCT)
                said = m.Fenced("(", own, ")")
            return m.Row((m.Letter("D"), m.Space(), said), m.FUNCTION)
        case Adjoint(map=inner):
            return m.transposed(of(inner), "†")
        case (
            Compose(maps=maps)
            | Sum(maps=maps)
            | Pair(maps=maps)
            | Copair(maps=maps)
            | DirectSum(maps=maps)
        ):
            items: list[Formula] = []
            for each in maps:
                items += [m.Sign(_JOIN[type(map)])] if items else []
                joined = isinstance(each, Compose | Sum | Pair | Copair | DirectSum)
                tight = joined or (isinstance(each, Section) and m.binding(of(each)) < m.PRODUCT)
                items.append(m.Fenced("(", of(each), ")") if tight else of(each))
            return m.Row(tuple(items), m.SUM)
        case Section():
            return _section(map, naming)
        case Scale(factor=factor):
            return m.applied(m.Letter("scale"), [naming.of(factor)])
        case Project(start=start, stop=stop, domain=whole):
            return _part("proj", start, stop, len(whole), inputs)
        case Inject(start=start, stop=stop, codomain=whole):
            return _part("inj", start, stop, len(whole), inputs)
        case Dup():
            return m.Letter("dup")
        case Add():
            return m.Letter("add")
        case Network():
            return _network(map, naming)
        case MapL(length=length):
            return _cell("mapL", length, map, naming)
        case Recurrence(length=length, reverse=reverse):
            return _cell("recurrence", length, map, naming, reverse)
        case TreeRecurrence():
            return _cell("treeRecurrence", None, map, naming, map.like.reverse)
        case ChooseL(selector=selector, cells=cells, residuals=residuals):
            branches = [_inner(cell, [naming.of(w) for w in residuals], naming) for cell in cells]
            return m.applied(m.Letter("choose"), [naming.of(selector), *branches[::-1]])
        case WhileL():
            return m.Letter("recurrence")
        case SolveL(map=inner):
            return m.Script(m.fitted(of(inner), m.ATOM), None, m.negative(m.ONE))
        case other:
            raise AssertionError(f"no formula for {type(other).__name__}")


def _part(name: str, start: int, stop: int, count: int, inputs: Sequence[Formula]) -> Formula:
    if count == 2 and name == "proj":
        return m.Letter("snd" if start else "fst")
    if stop == start + 1 and len(inputs) == count:
        return m.indexed(m.Letter(name), inputs[start])
    places = [m.Digits(str(k + 1)) for k in range(start, stop)]
    return m.indexed(m.Letter(name), m.listed(places))


def _section(map: Section, naming: Naming) -> Formula:
    """b(x, ·): the open place is a dot; u ↦ d u is diag d."""
    dot = m.Sign("·")
    operands = [
        dot if k in map.open
        else m.ZERO if isinstance(operand, ArrayType)
        else naming.of(operand)
        for k, operand in enumerate(map.operands)
    ]  # fmt: skip
    name = map.primitive.name
    if name == "mul" and len(map.open) == 1:
        return m.applied(m.Letter("diag"), [operands[1 - map.open[0]]])
    if name == "slice" and (place := element_at(map.parameters)) is not None:
        return m.Row((dot, m.Sign("!"), place), m.PRODUCT)
    if name == "contract":
        return contracted(map.parameters, operands[0], operands[1])
    if len(map.open) == 1 and name in ("add", "subtract") and m.ZERO in operands:
        between = m.Sign("+" if name == "add" else "−")
        return m.Fenced("(", m.Row((operands[0], between, operands[1]), m.SUM), ")")
    if len(operands) == 1 or all(operand == dot for operand in operands):
        return m.Letter("replicate" if name == "broadcast" else name)
    if name == "convolve":
        if map.parameters["flip"]:
            operands = [
                each if each == dot else m.applied(m.Letter("flip"), [each]) for each in operands
            ]
        return template(r"{0} \star {1}", *operands)
    return m.applied(m.Letter(name), operands)


def _cell(
    name: str, length: int | None, map: Any, naming: Naming, backwards: bool = False
) -> Formula:
    """mapL, recurrence: the map of one step, of what was kept for it."""
    step = m.Letter("t")
    kept = [naming.of(wire) for wire in map.shared]
    kept += [naming.element(wire, step) for wire in map.stacked]
    inner = _inner(map.cell, kept, naming)
    letter: Formula = m.Letter(name if length is None else f"{name}[{length}]")
    if backwards:
        letter = m.Script(letter, None, m.Sign("←"))
    return m.Row((letter, m.Fenced("(", inner, ")")), m.POWER)


def _inner(cell: Any, kept: Sequence[Formula], naming: Naming) -> Formula:
    """A cell's network, its residuals by the names they have outside."""
    names = dict(zip(cell.prologue.inputs, kept, strict=True))
    inside = _Inside(names, cell.prologue, naming)
    known = {w: inside.of(out) for w, out in zip(cell.made, cell.prologue.outputs, strict=True)}
    return _network(cell.network, Naming({**naming.known, **known}, naming.producers))


class _Inside(Naming):
    """Names within a prologue, a graph of its own."""

    def __init__(self, names: Mapping[Wire, Formula], graph: Graph, outer: Naming) -> None:
        super().__init__(names, ())
        self.taken |= outer.taken
        self.nodes = {wire: node for node in graph.nodes for wire in node.outputs}

    def _node(self, wire: Wire) -> Node | None:
        return self.nodes.get(wire)


def _network(network: Network, naming: Naming) -> Formula:
    found = laws.expression(network, kinds=False)
    if found is None:
        return m.Sign("…")
    builder = Builder(_primitives(naming))
    simple = found
    for step in laws.steps(builder, found, tidy=True):
        simple = step.map
    return map_formula(simple, naming)


def _primitives(naming: Naming) -> Mapping[str, Any]:
    return naming.producers[0].primitives if naming.producers else {}
