"""What is proved of a map from how it is made: self-adjoint, positive, singular.

    self-adjoint   a real diagonal; L >> M >> L† with M self-adjoint; sums of such
    positive       nothing below zero: L >> L†, a diagonal of exponentials, sums of such

Two maps are told to be equal when they are made of equal parts; what is equal as numbers
only is not. Positive means that no ⟨L u, u⟩ is below zero, which conjugate gradients need.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from ...graph.graph import Builder, Call, Constant, Node, Wire
from .. import maps as linear
from ..maps import LinearMap, Section
from .forms import Blocks, Dense, Form, Inverted, Kronecker, Product, Scaling, Sparse, Sum, Zero

# Never below zero; and those that keep that of all their operands.
_ABOVE = frozenset({"exp", "abs", "sigmoid", "softplus", "relu", "sqrt", "square", "magnitude"})
_KEEPING = frozenset({
    "add", "mul", "divide", "broadcast", "reshape", "transpose", "slice", "sum", "reverse",
    "concat", "reciprocal", "contract", "maximum", "gather", "windows",
})  # fmt: skip


def self_adjoint(builder: Builder, form: Form) -> bool:
    """Whether the map of a form is proved to be its own adjoint."""
    proof = _Proof(builder)
    if not form.square:
        return False
    return proof.of(form, False) == proof.of(form, True) or proof.positive(form)


def positive(builder: Builder, form: Form) -> bool:
    """Whether a form is proved to be self-adjoint and nowhere below zero."""
    proof = _Proof(builder)
    return form.square and proof.positive(form)


def mirrored(builder: Builder, form: Product) -> bool:
    """Whether a product is L >> L†, or L >> D >> L† with a diagonal D, for a proved L†."""
    half = len(form.factors) // 2
    if half == 0 or (len(form.factors) % 2 and not _diagonal(form.factors[half])):
        return False
    proof = _Proof(builder)
    pairs = zip(form.factors[:half], form.factors[::-1][:half], strict=True)
    return all(proof.of(one, False) == proof.of(other, True) for one, other in pairs)


def _diagonal(form: Form) -> bool:
    return isinstance(form, Scaling) or (isinstance(form, Sparse) and form.shape == "diagonal")


def singular(form: Form) -> str:
    """Why a square form has no inverse, whatever its numbers; nothing where it may have."""
    match form:
        case Zero() if form.rows:
            return "it is zero"
        case Sparse(pattern=pattern):
            filled = len(set(pattern.rows.tolist())), len(set(pattern.columns.tolist()))
            if min(filled) < form.rows:
                return f"{form.rows - min(filled)} of its rows or columns are zero"
        case Product() if form.narrow:
            return f"its rank is at most {form.rank}, of {form.rows}"
        case Product(factors=parts) | Blocks(parts=parts):
            return next((why for part in parts if part.square and (why := singular(part))), "")
        case Kronecker(left=left, right=right) if left.square and right.square:
            return singular(left) or singular(right)
        case Inverted(inner=inner):
            return singular(inner)
    return ""


class _Proof:
    """Equal things have equal numbers."""

    def __init__(self, builder: Builder):
        self.builder = builder
        self.numbers: dict[Hashable, int] = {}
        self.wires: dict[Wire, int] = {}

    def number(self, *key: Hashable) -> int:
        return self.numbers.setdefault(key, len(self.numbers))

    # --- wires ------------------------------------------------------------------------

    def producer(self, wire: Wire) -> Node | None:
        builder: Builder | None = self.builder
        while builder is not None:
            if builder.owns(wire):
                return builder.producer(wire)
            builder = builder.parent
        return None

    def wire(self, wire: Wire) -> int:
        """One number for what is computed in the same way from the same wires."""
        if wire not in self.wires:
            node = self.producer(wire)
            match node.operation if node else None:
                case Call(primitive, parameters) if node is not None:
                    inputs = [self.wire(each) for each in node.inputs]
                    if primitive.name in ("mul", "add") and not parameters:
                        inputs.sort()
                    key = (primitive.name, _frozen(parameters), *inputs)
                case Constant(value, type):
                    key = ("constant", type, value.tobytes())
                case _:
                    key = ("wire", id(wire))
            self.wires[wire] = self.number(*key)
        return self.wires[wire]

    def above(self, wire: Wire) -> bool:
        """Whether no entry is below zero."""
        node = self.producer(wire)
        if node is None or wire.type.kind != "R":
            return False
        match node.operation:
            case Constant(value):
                return bool((value >= 0).all())
            case Call(primitive) if primitive.name in _ABOVE:
                return True
            case Call(primitive) if primitive.name == "mul" and len(set(node.inputs)) == 1:
                return True
            case Call(primitive) if primitive.name in _KEEPING:
                return all(self.above(each) for each in node.inputs if each.type.kind == "R")
            case _:
                return False

    # --- maps -------------------------------------------------------------------------

    def map(self, map: LinearMap) -> int:
        match map:
            case linear.Identity() | linear.Zero():
                return self.number(type(map).__name__, map.domain, map.codomain)
            case linear.Scale(factor, domain, conjugated):
                return self.number("scale", self.wire(factor), domain, conjugated)
            case Section():
                operands = [
                    self.wire(each) if isinstance(each, Wire) else each for each in map.operands
                ]
                kept = _frozen(map.parameters)
                return self.number(map.primitive.name, kept, map.open, *operands)
            case (
                linear.Compose(maps) | linear.Pair(maps) | linear.Copair(maps)
                | linear.DirectSum(maps)
            ):  # fmt: skip
                return self.number(type(map).__name__, *(self.map(each) for each in maps))
            case linear.Dup(count=count) | linear.Add(count=count):
                return self.number(type(map).__name__, map.domain, count)
            case linear.Sum(maps):
                return self.number("plus", *sorted(self.map(each) for each in maps))
            case linear.Network(inputs, parts, outputs):
                place: dict[linear.Variable, int] = {}
                for variable in inputs:
                    place.setdefault(variable, len(place))
                keys = []
                for part in parts:
                    of = [place.setdefault(v, len(place)) for v in (*part.inputs, *part.outputs)]
                    keys.append(self.number("part", self.map(part.map), *of))
                ends = [place.setdefault(v, len(place)) for v in outputs]
                return self.number("network", len(inputs), tuple(keys), *ends)
            case linear.Project() | linear.Inject():
                return self.number(type(map).__name__, map.start, map.stop, map.domain)
            case linear.MapL() | linear.Recurrence():
                cell = map.cell
                made = tuple(id(wire) for wire in cell.made)
                held = [self.wire(wire) for wire in (*map.shared, *map.stacked)]
                back = isinstance(map, linear.Recurrence) and map.reverse
                network = self.map(cell.network)
                return self.number("loop", back, id(cell.prologue), made, network, *held)
            case _:
                return self.number("map", id(map))

    def of(self, form: Form, adjoint: bool) -> int:
        """One number for equal forms: of the form, or of its adjoint."""
        conjugated = adjoint and form.kind == "C"
        match form:
            case Zero():
                sizes = (form.rows, form.columns)
                return self.number("zero", *(sizes[::-1] if adjoint else sizes))
            case Scaling(factor=None):
                return self.number("identity", form.rows)
            case Scaling(factor=factor) if factor is not None:
                turned = (form.conjugated != adjoint) and factor.type.kind == "C"
                return self.number("scaling", form.rows, self.wire(factor), turned)
            case Sparse(shape="diagonal") if not conjugated and form.map is not None:
                return self.number("diagonal", self.entrywise(form.map))
            case Dense(matrix=wire, permutation=order, conjugated=turned, height=height):
                while (node := self.producer(wire)) is not None and _is_transpose(node):
                    assert isinstance(node.operation, Call)
                    moved = node.operation.parameters["permutation"]
                    wire, order = node.inputs[0], tuple(moved[k] for k in order)
                rows, columns = order[:height], order[height:]
                if adjoint:
                    rows, columns = columns, rows
                return self.number("dense", self.wire(wire), rows, columns, turned != conjugated)
            case Kronecker(left=left, right=right):
                return self.number("kronecker", self.of(left, adjoint), self.of(right, adjoint))
            case Product(factors=factors):
                # A multiple of the identity may stand anywhere among the factors.
                scalings = [each for each in factors if isinstance(each, Scaling)]
                others = [each for each in factors if not isinstance(each, Scaling)]
                first = sorted(self.of(each, adjoint) for each in scalings)
                keys = [self.of(each, adjoint) for each in others]
                return self.number("product", *first, *(keys[::-1] if adjoint else keys))
            case Sum(terms=terms):
                return self.number("sum", *sorted(self.of(each, adjoint) for each in terms))
            case Inverted(inner=inner):
                return self.number("inverted", self.of(inner, adjoint))
            case Blocks(parts=parts):
                return self.number("blocks", *(self.of(each, adjoint) for each in parts))
            case _:
                assert form.map is not None
                return self.number("form", self.map(form.map.adjoint() if adjoint else form.map))

    def entrywise(self, map: LinearMap) -> Hashable:
        """A diagonal map, by its factors in any order."""
        factors: list[int] = []
        for each in map.maps if isinstance(map, linear.Compose) else (map,):
            match each:
                case Section(primitive=primitive, operands=operands, open=(place,)) if (
                    primitive.name == "mul" and isinstance(operands[1 - place], Wire)
                ):
                    factors.append(self.number("factor", self.wire(operands[1 - place])))  # type: ignore[arg-type]
                case Section(primitive=primitive) if primitive.name == "reshape":
                    pass
                case _:
                    factors.append(self.map(each))
        return tuple(sorted(factors))

    def positive(self, form: Form) -> bool:
        if form.map is not None and self.mirrored_map(form.map):
            return True
        match form:
            case Zero() | Scaling(factor=None):
                return True
            case Scaling(factor=factor) if factor is not None:
                return self.above(factor)
            case Sparse(shape="diagonal") if form.map is not None:
                return self.above_zero(form.map)
            case Kronecker(left=left, right=right):
                return self.positive(left) and self.positive(right)
            case Product(factors=factors):
                return self.mirrored(factors)
            case Sum(terms=terms):
                return all(self.positive(each) for each in terms)
            case Inverted(inner=inner):
                return self.positive(inner)
            case Blocks(parts=parts):
                return all(self.positive(each) for each in parts)
            case _:
                return False

    def mirrored(self, factors: Sequence[Form]) -> bool:
        """L >> M >> L†, with M positive, or nothing between."""
        half = len(factors) // 2
        first, last = factors[:half], factors[::-1][:half]
        if any(self.of(a, False) != self.of(b, True) for a, b in zip(first, last, strict=True)):
            return False
        return len(factors) % 2 == 0 or self.positive(factors[half])

    def mirrored_map(self, map: LinearMap) -> bool:
        """The same of a composition of maps, whatever their forms."""
        maps = map.maps if isinstance(map, linear.Compose) else ()
        half = len(maps) // 2
        if not half or any(
            self.map(a.adjoint()) != self.map(b)
            for a, b in zip(maps[:half], maps[::-1][:half], strict=True)
        ):
            return False
        return len(maps) % 2 == 0 or self.above_zero(maps[half])

    def above_zero(self, map: LinearMap) -> bool:
        """Whether a diagonal map multiplies by nothing below zero."""
        match map:
            case linear.Identity():
                return True
            case linear.Scale(factor):
                return self.above(factor)
            case Section(primitive=primitive, operands=operands, open=(place,)):
                if primitive.name == "reshape":
                    return True
                fixed = operands[1 - place] if len(operands) == 2 else None
                return primitive.name == "mul" and isinstance(fixed, Wire) and self.above(fixed)
            case linear.Compose(maps) | linear.Sum(maps):
                return all(self.above_zero(each) for each in maps)
            case linear.Network(parts=parts):
                return all(self.above_zero(part.map) for part in parts)
            case _:
                return False


def _is_transpose(node: Node) -> bool:
    return isinstance(node.operation, Call) and node.operation.primitive.name == "transpose"


def _frozen(parameters: object) -> Hashable:
    assert hasattr(parameters, "items")
    return tuple(sorted(parameters.items(), key=str))
