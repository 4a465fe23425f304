"""Primitives at their operands, as formulas: W x, tr(A⁻¹ B), X diag(d), [x > 0].

What a record's derivative emits into a graph is read back here, node by node (`Calls`),
so that a formula of it says what runs. A mask that is made of indices has entries:

    (n,) iota twice, compared, converted      F_{i,j} = [i > j]
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from ...graph.graph import Builder, Call, Constant, Node, Wire
from . import formula as m
from .formula import Formula
from .latex import template

COMPARISONS = {"eq": "=", "ne": "≠", "lt": "<", "le": "≤", "gt": ">", "ge": "≥"}
PASSED = frozenset(("broadcast", "convert", "reshape", "hold"))  # the same, to a reader


def called(
    primitive: Any, parameters: Mapping[str, Any], operands: Sequence[Formula], wide: bool,
    kind: str = "R", real: Collection[Formula] = (),
) -> Formula:  # fmt: skip
    """A primitive at its operands, of a kind, R or C; `wide` where the answer has axes, and
    `real` the names among them of what has no imaginary part."""
    match primitive.name:
        case "add":
            return m.plus(*operands)
        case "subtract":
            return _difference(*operands)
        case "negate":
            return m.negative(operands[0])
        case "mul":
            a, b = operands
            b = conjugated(b, real) if parameters.get("conjugate") else b
            return multiplied(a, b, wide=wide)
        case "contract":
            return contracted(parameters, operands[0], operands[1], real, kind)
        case "convert" if kind == "C" and parameters["kind"] == "R":
            return _linear("Re", operands[0])
        case name if name in PASSED:
            return operands[0]
        case "conj":
            return conjugated(operands[0], real)
        case "imag":
            return _linear("Im", operands[0])
        case "imaginary":
            return m.product(m.Letter("i"), operands[0])
        case "transpose" if _exchanges_matrix(parameters):
            return turned(operands[0], kind=kind)
        case "solve":
            way = ("H" if kind == "C" else "⊤") if parameters.get("adjoint") else ""
            return m.product(m.inverted(operands[0], way), operands[1])
        case "frechet":
            matrix, direction = operands
            return _frechet(parameters, matrix, direction, "H" if kind == "C" else "⊤")
        case "slice" if (place := element_at(parameters)) is not None:
            return m.indexed(operands[0], place)
        case "power":
            return m.power(operands[0], m.Digits(str(parameters["exponent"])))
        case "polygamma":
            order = m.Fenced("(", m.Digits(str(parameters["order"])), ")")
            return m.applied(m.Script(m.Letter("ψ"), None, order), operands)
        case "compare":
            sign = m.Sign(COMPARISONS[parameters["how"]])
            return m.Fenced("[", m.Row((operands[0], sign, operands[1]), m.RELATION), "]")
        case "hermitian":
            return symmetric(operands[0])
        case name if name in ("slice", "gather", "clamp", "pad", "concat", "select", "transpose"):
            return m.applied(m.Letter(name), list(operands))
        case _ if primitive.latex and (primitive.kind != "linear" or primitive.name == "sum"):
            return template(primitive.latex, *operands)
        case name:
            return m.applied(m.Letter(name), list(operands))


def multiplied(a: Formula, b: Formula, *, wide: bool) -> Formula:
    """a b, a sign in front, numbers first and functions last: 2 x, -x sin y; of two arrays
    a ⊙ b."""
    if (inner := m.negated(a)) is not None:
        return m.negative(multiplied(inner, b, wide=wide))
    if a == b:
        return m.power(a, m.Digits("2"))
    if _is_number(b) or m.binding(a) == m.FUNCTION != m.binding(b):
        a, b = b, a
    return m.entrywise(a, b) if wide and not _is_number(a) else m.product(a, b)


def _is_number(formula: Formula) -> bool:
    fraction = isinstance(formula, m.Fraction) and not m.inside(formula.top)
    return isinstance(formula, m.Digits) or fraction


def _difference(a: Formula, b: Formula) -> Formula:
    """a - b; 1 - [i = j] is [i ≠ j], and 1 - ([x > y] + ½ [x = y]) is [x < y] + ½ [x = y]."""
    match a, b:
        case m.Digits("1"), m.Row(items=(m.Fenced("[", m.Row(items=(x, m.Sign(way), y))), *rest)):
            if [*map(type, rest)] == [m.Sign, m.Fraction] and way in "<>":
                other = m.Sign("<" if way == ">" else ">")
                hit = m.Fenced("[", m.Row((x, other, y), m.RELATION), "]")
                return m.Row((hit, *rest), m.SUM)
        case m.Digits("1"), m.Fenced("[", m.Row(items=(i, m.Sign("="), j))):
            return m.Fenced("[", m.Row((i, m.Sign("≠"), j), m.RELATION), "]")
    return m.minus(a, b)


def number(value: complex) -> Formula:
    """A constant of a rule: 2, ½, 2/√π and its like by their digits."""
    value = value if isinstance(value, complex) and value.imag else complex(value).real
    if isinstance(value, complex):
        return m.number(value)
    if value == 0.5:
        return m.Fraction(m.ONE, m.Digits("2"))
    return m.number(float(f"{value:.4g}"))


def element_at(parameters: Mapping[str, Any]) -> Formula | None:
    """The places that a slice along the leading axis takes, from 0: 3, or 3…5."""
    start, stop, axis, stride = (parameters[key] for key in ("start", "stop", "axis", "stride"))
    if axis or stride != 1:
        return None
    first, last = m.Digits(str(start)), m.Digits(str(stop - 1))
    return first if stop == start + 1 else m.Row((first, m.Sign("…"), last), m.RELATION)


# --- matrices -------------------------------------------------------------------------------


def _exchanges_matrix(parameters: Mapping[str, Any]) -> bool:
    *batch, one, two = parameters["permutation"] if len(parameters["permutation"]) > 1 else (0, 0)
    rank = len(batch) + 2
    return [*batch, one, two] == [*range(rank - 2), rank - 1, rank - 2]


def turned(a: Formula, mark: str = "⊤", real: Collection[Formula] = (), kind: str = "R") -> Formula:
    """The transpose, or the adjoint Aᴴ, as far inside as it goes; `real` are names of what is."""
    return _marked(a, True, mark == "H", real, kind)


def conjugated(a: Formula, real: Collection[Formula] = ()) -> Formula:
    """The conjugate, entry by entry, as far inside as it goes."""
    return _marked(a, False, True, real, "C")


def _marked(
    a: Formula, transpose: bool, conjugate: bool, real: Collection[Formula], kind: str
) -> Formula:
    """Of a product the marks of its factors, the other way round where it is transposed; of
    what is symmetric, or Hermitian, that itself."""

    def inner(part: Formula) -> Formula:
        return _marked(part, transpose, conjugate, real, kind)

    if conjugate and a in real:
        conjugate = False
    if a == m.Letter("i") and kind == "C":
        return m.negative(a) if conjugate else a
    if (positive := m.negated(a)) is not None:
        return m.negative(inner(positive))
    first = a.items[0] if isinstance(a, m.Row) else a
    if first == m.Letter("sym") and (transpose == conjugate or (transpose and kind == "R")):
        return a
    if isinstance(a, m.Row) and first == m.Letter("diag"):
        return diagonal(conjugated(_unfenced(a.items[-1]), real)) if conjugate else a
    if isinstance(first, m.Digits) or first in (m.Letter("Im"), m.Letter("Re")):
        return a
    if isinstance(a, m.Fraction) and not transpose:
        return m.fraction(inner(a.top), inner(a.bottom))
    if isinstance(a, m.Row) and a.binding == m.SUM:
        total: Formula = m.ZERO
        for term in m.terms(a):
            total = m.plus(total, inner(term))
        return total
    if isinstance(a, m.Row) and a.binding == m.PRODUCT:
        factors = [item for item in a.items if not isinstance(item, m.Space)]
        if not any(isinstance(item, m.Sign) for item in factors):
            numbers = [f for f in factors if isinstance(f, m.Digits) or f == m.Letter("i")]
            matrices = [f for f in factors if f not in numbers]
            product: Formula = m.ONE
            for factor in [*numbers, *(matrices[::-1] if transpose else matrices)]:
                product = m.product(product, inner(factor))
            return product
    if not (transpose or conjugate):
        return a
    made = m.marked(a, transpose=transpose, conjugate=conjugate)
    bare = m.marked(made, transpose=True, conjugate=True)  # sym(A)ᴴ is sym(A)
    return bare if isinstance(bare, m.Row) and bare.items[0] == m.Letter("sym") else made


def _unfenced(a: Formula) -> Formula:
    a = a.inside if isinstance(a, m.Fenced) and a.left == "(" else a
    return a.items[0] if isinstance(a, m.Row) and len(a.items) == 1 else a


def symmetric(a: Formula) -> Formula:
    """sym(a), half of a matrix and its adjoint."""
    return _linear("sym", a)


def diagonal(a: Formula) -> Formula:
    """diag(a): of a vector the matrix, of a matrix the vector."""
    return _linear("diag", a)


def _linear(name: str, a: Formula) -> Formula:
    """A linear function by its name, a sign in front."""
    if (inner := m.negated(a)) is not None:
        return m.negative(_linear(name, inner))
    return m.applied(m.Letter(name), [a])


def contracted(
    parameters: Mapping[str, Any], a: Formula, b: Formula, real: Collection[Formula] = (),
    kind: str = "R",
) -> Formula:  # fmt: skip
    """A contraction as mathematics has it: W x, Wᵀ x, a ⊗ b, ⟨a, b⟩, tr(A B), X diag(d).

    Axes that all three share are those of a batch, and are not said.
    """

    def transposed(f: Formula) -> Formula:
        return turned(f, kind=kind)

    left, right, out = (tuple(parameters[key]) for key in ("left", "right", "out"))
    if parameters.get("conjugate"):
        b = conjugated(b, real)
    if len(out) > 2 or len(left) > 2 or len(right) > 2:
        every = set(left) & set(right) & set(out)
        left, right, out = (_without(labels, every) for labels in (left, right, out))
    summed = [label for label in left if label in right and label not in out]
    match len(left), len(right):
        case (0, _) | (_, 0):
            number, array, labels = (a, b, right) if not left else (b, a, left)
            return m.product(number, array if out == labels else transposed(array))
        case 1, 1:
            if not out:
                return template(r"\langle {0}, {1} \rangle", a, b)
            if len(out) == 1:
                return m.entrywise(a, b)
            return m.outer(a, b) if out == left + right else m.outer(b, a)
        case (1, 2) | (2, 1):
            if len(left) == 1:
                a, b, left, right = b, a, right, left
            if not summed:  # a matrix and factors of its rows, or of its columns
                made = m.product(a, diagonal(b)) if left[1] in right else m.product(diagonal(b), a)
                return made if out == left else transposed(made)
            return m.product(transposed(a) if left[0] in summed else a, b)
        case 2, 2:
            return _of_matrices(left, right, out, summed, a, b, transposed)
    return m.applied(m.Letter("contract"), [a, b])


def _of_matrices(
    left: tuple[int, ...], right: tuple[int, ...], out: tuple[int, ...],
    summed: list[int], a: Formula, b: Formula, transposed: Callable[[Formula], Formula],
) -> Formula:  # fmt: skip
    if len(summed) == 2:
        if left == right:
            return template(r"\langle {0}, {1} \rangle", a, b)
        return _linear("tr", m.product(a, b))
    if len(summed) == 1 and len(out) == 1:
        first, second = (transposed(b), a) if left[0] in summed else (a, transposed(b))
        return diagonal(m.product(first, second))
    if len(summed) == 1 and len(out) == 2:
        (label,) = summed
        if out == (*_without(right, {label}), *_without(left, {label})):
            a, b, left, right = b, a, right, left
        first = transposed(a) if left[0] == label else a
        return m.product(first, transposed(b) if right[-1] == label else b)
    if not summed and left == right == out:
        return m.entrywise(a, b)
    return m.applied(m.Letter("contract"), [a, b])


def _without(labels: tuple[int, ...], some: set[int]) -> tuple[int, ...]:
    return tuple(label for label in labels if label not in some)


def _frechet(
    parameters: Mapping[str, Any], matrix: Formula, direction: Formula, mark: str
) -> Formula:
    """The derivative of a function of a matrix, as an integral (Higham 2008, chapter 10)."""
    if parameters.get("adjoint"):
        matrix = m.transposed(matrix, mark)
    name, at = parameters["function"], m.Letter("τ")
    rest = m.minus(m.ONE, at)
    end: Formula = m.ONE
    match name:
        case "expm":
            first, second = (
                m.applied(m.Letter(name), [m.product(factor, matrix)]) for factor in (rest, at)
            )
        case "logm":
            mixed = m.plus(m.product(at, matrix), m.product(rest, m.Letter("I")))
            first = second = m.inverted(mixed)
        case _:
            end = m.Letter("∞")
            root = m.applied(m.Letter(name), [matrix])
            first = second = m.applied(m.Letter("expm"), [m.negative(m.product(at, root))])
    integral = m.Script(m.Sign("∫"), m.ZERO, end)
    inside = m.product(m.product(first, direction), second)
    return m.Row((integral, *m.factors(inside), m.Space(), m.differential(at)), m.PRODUCT)


# --- nodes read back --------------------------------------------------------------------------


class Calls:
    """The wires of a builder as formulas, of those that are known.

    `used` are the known ones that occurred; `same` are formulas of primitives whose answer
    is known, wherever they are computed again.
    """

    def __init__(self, builder: Builder, known: Mapping[Wire, Formula]) -> None:
        self.builder = builder
        self.known = dict(known)
        self.used: set[Wire] = set()
        self.same: dict[str, Formula] = {}
        self.real: set[Formula] = set()  # names of what has no imaginary part
        self._indexed: dict[Wire, bool] = {}

    def of(self, wire: Wire, wide: bool | None = None) -> Formula:
        """The formula of a wire; `wide` says that numbers stand for arrays here."""
        if wire in self.known:
            self.used.add(wire)
            return self.known[wire]
        node = self._node(wire)
        if isinstance(node.operation, Constant):
            return number(node.operation.value.reshape(-1)[0].item())
        name = _name(node)
        if name in self.same:
            return self.same[name]
        operands = [self.of(each, wide) for each in node.inputs]
        own = wire.type.rank > 0 if wide is None else wide
        return _made(node, operands, own, self.real)

    def _node(self, wire: Wire) -> Node:
        node = self.builder.producer(wire)
        assert node is not None, "what nothing makes is known"
        return node

    def made_of_indices(self, wire: Wire) -> bool:
        """Whether it is a mask, or made with one."""
        if wire not in self._indexed:
            node = None if wire in self.known else self.builder.producer(wire)
            own = node is not None and _name(node) == "iota"
            inputs = node.inputs if node else ()
            self._indexed[wire] = own or any(map(self.made_of_indices, inputs))
        return self._indexed[wire]

    def entry(self, wire: Wire, index: Sequence[Formula]) -> Formula:
        """The entry of a wire at some indices."""
        node = None if wire in self.known else self._node(wire)
        if node is None or _name(node) in self.same:
            whole = self.of(wire)
            return m.indexed(whole, m.listed(index)) if index else whole
        if isinstance(node.operation, Constant):
            return self.of(wire)
        if _name(node) == "iota":
            return index[0]
        if _name(node) == "broadcast":
            axes = node.operation.parameters["axes"]  # type: ignore[union-attr]
            return self.entry(node.inputs[0], [index[axis] for axis in axes])
        return _made(node, [self.entry(each, index) for each in node.inputs], False, self.real)


def _name(node: Node) -> str:
    return node.operation.primitive.name if isinstance(node.operation, Call) else ""


def _made(
    node: Node, operands: Sequence[Formula], wide: bool, real: Collection[Formula]
) -> Formula:
    assert isinstance(node.operation, Call)
    kind = node.inputs[0].type.kind if node.inputs else "R"
    primitive, parameters = node.operation.primitive, node.operation.parameters
    return called(primitive, parameters, operands, wide, kind, real)
