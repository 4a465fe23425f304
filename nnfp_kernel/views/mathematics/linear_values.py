"""What is asked of a linear map that is a value: its trace, its determinant, a solution.

    trace l         dy = tr dl                        l̄ = ȳ id
    logdet l        dy = tr(l⁻¹ ∘ dl)                 l̄ = ȳ l^{-†}
    x = solve l b   dx = l⁻¹ (db - dl x)              b̄ = l^{-†} x̄,  l̄ = -b̄ ⊗ x
    inverse l       dy = -l⁻¹ ∘ dl ∘ l⁻¹              l̄ = -l^{-†} ∘ ȳ ∘ l^{-†}
    eigenvalues l   dλ = diag(V† ∘ dl ∘ V)            l̄ = V ∘ diag(λ̄) ∘ V†

The cotangent of a linear map is one of the same type, under ⟨L, M⟩ = tr(L† ∘ M): what has
the matrix `ȳ` is written `matrix⁻¹(ȳ)`, between vectors `ȳ` itself. Over C it is Re tr(L† ∘ M),
of which the real matrices have twice as much: there l̄ is 2 realMatrix⁻¹(ȳ). A matrix stands for its
linear map: then A B is written side by side, and Aᵀ. What its record says is read there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...language import typed as p
from ...language import types as t
from . import formula as m
from .calls import diagonal
from .changes import Change, Linear, plus
from .formula import Formula
from .named import all_captured, opaque, opaque_builtin, rule_of_quantities
from .pieces import (
    IDENTITY,
    adjoined,
    adjoint_of,
    at_tangent,
    composed,
    inner,
    is_complex,
    rank,
    with_brackets,
)
from .quantities import Value
from .records import general
from .table import bilinear, linear_map, result_of, rule, rule_of, template_of
from .tape import Line, Pass, Quantity, Rule

if TYPE_CHECKING:
    from .reading import Reader


@dataclass(frozen=True)
class Notation:
    """How maps are written: L ∘ M and L† with id, or matrices, A B and Aᵀ with I."""

    matrix: bool
    mark: str

    @classmethod
    def of(cls, map: Quantity) -> Notation:
        matrix = isinstance(map.type, t.Array)
        return cls(matrix, ("H" if is_complex(map.type) else "⊤") if matrix else "†")

    @property
    def identity(self) -> Formula:
        return m.Letter("I") if self.matrix else IDENTITY

    def product(self, *factors: Formula) -> Formula:
        made, *others = factors
        for each in others:
            made = (m.product if self.matrix else composed)(made, each)
        return made

    def turned(self, f: Formula) -> Formula:
        return m.transposed(f, self.mark) if self.matrix else adjoined(f)

    def back(self, map: Quantity) -> Formula:
        """L^{-†}"""
        if map.own_adjoint:
            return m.inverted(map.shown())
        return m.inverted(map.shown(), self.mark) if self.matrix else m.inverted(adjoint_of(map))

    def at(self, map: Formula, vector: Formula) -> Formula:
        return (m.product if self.matrix else at_tangent)(map, vector)


def is_map(value: Value) -> bool:
    """Whether it is a linear map and no matrix; of a type that is open, too."""
    return isinstance(value, Quantity) and not isinstance(value.type, t.Array)


def as_map(reader: Reader, value: Value, type: t.Type) -> Quantity:
    """A linear map; of a function that is linear, the map by the name of the function."""
    if isinstance(value, Quantity):
        return value
    assert isinstance(type, t.Linear | t.Function)
    shown = reader.shown(value)
    others = all_captured(reader, [value], t.Function(t.Function(type.domain, type.codomain), type))
    map = t.Linear(type.domain, type.codomain)
    made = opaque(reader, shown, [], map, others) if others else reader.constant(shown, map)
    assert isinstance(made, Quantity)
    return made


@rule("held")
def held(reader: Reader, use: p.Builtin, a: Value) -> Value:
    """The value, which does not move."""
    if not all(isinstance(part, Quantity) for part in ([a] if not isinstance(a, tuple) else a)):
        return opaque_builtin(reader, use, [a])
    if isinstance(a, tuple):
        return tuple(held(reader, use, part) for part in a)
    made = rule_of(reader, a.type, (a,), a.shown, lambda _, d: None, lambda _, bar: [None])
    made.role = "constant"
    return made


# --- what is linear in the map --------------------------------------------------------------


@rule_of_quantities("matrix", "realMatrix")
def matrix(reader: Reader, use: p.Builtin, map: Quantity) -> Value:
    if not isinstance(map.type, t.Linear):
        return map
    name = m.Letter(use.name)
    between = (map.type.domain, map.type.codomain)
    plain = all(rank(each) == 1 and isinstance(each, t.Array) for each in between)
    own = plain and not any(is_complex(each) for each in between)
    twice = use.name == "realMatrix" and all(is_complex(each) for each in between)

    def back(f: Formula) -> Formula:
        if own:
            return f
        made = m.applied(m.inverted(name), [f])
        return m.product(m.Digits("2"), made) if twice else made

    return linear_map(reader, result_of(use, 1), map, lambda f: m.applied(name, [f]), back)


@rule_of_quantities("bands")
def bands(reader: Reader, use: p.Builtin, map: Quantity) -> Value:
    name = with_brackets(use)
    return linear_map(reader,
        result_of(use, 1), map, lambda f: m.applied(name, [f]),
        lambda f: m.applied(m.transposed(name, "†"), [f]),
    )  # fmt: skip


@rule_of_quantities("trace")
def trace(reader: Reader, use: p.Builtin, map: Quantity) -> Value:
    unit = Notation.of(map).identity
    return linear_map(reader, result_of(use, 1), map, _trace, lambda f: m.product(f, unit))


def _trace(f: Formula) -> Formula:
    if (positive := m.negated(f)) is not None:
        return m.negative(_trace(positive))
    return m.applied(m.Letter("tr"), [f])


@rule_of_quantities("diagonal")
def diagonal_of(reader: Reader, use: p.Builtin, map: Quantity) -> Value:
    """The diagonal, and the map that has it; of an array not a vector the name stays."""
    if isinstance(map.type, t.Linear) and rank(map.type.domain) != 1:
        return opaque_builtin(reader, use, [map])
    return linear_map(reader, result_of(use, 1), map, diagonal, diagonal)


# --- determinants, inverses, solutions ------------------------------------------------------


@rule("logdet")
def log_determinant(reader: Reader, use: p.Builtin, map: Value) -> Value:
    if not is_map(map):
        return _of_a_matrix(reader, use, map)
    own = Notation.of(map)

    def forward(walk: Pass, d: list[Change]) -> Change:
        walk.ask(map, 3)
        inverse = m.inverted(map.shown())
        return d[0] and d[0].through(lambda f: _trace(own.product(inverse, f)))

    def backward(walk: Pass, bar: Linear) -> list[Change]:
        walk.ask(map, 3)
        return [bar.through(lambda f: m.product(f, own.back(map)))]

    value = lambda: template_of(reader, use, [map.shown()])  # noqa: E731
    return rule_of(reader, t.R, (map,), value, forward, backward)


def _of_a_matrix(reader: Reader, use: p.Builtin, *arguments: Value) -> Value:
    """As the record of the primitive says it."""
    if all(isinstance(argument, Quantity) for argument in arguments):
        found = general(reader, use, *arguments)
        if found is not None:
            return found
    return opaque_builtin(reader, use, list(arguments))


@rule("inverse")
def inverse(reader: Reader, use: p.Builtin, map: Value) -> Value:
    if not is_map(map):
        return _of_a_matrix(reader, use, map)
    own = Notation.of(map)

    def forward(walk: Pass, d: list[Change]) -> Change:
        walk.ask(map, 3)
        over = m.inverted(map.shown())
        return d[0] and d[0].through(lambda f: m.negative(own.product(over, f, over)))

    def backward(walk: Pass, bar: Linear) -> list[Change]:
        walk.ask(map, 3)
        over = own.back(map)
        return [bar.through(lambda f: m.negative(own.product(over, f, over)))]

    type = result_of(use, 1)
    made = rule_of(reader, type, (map,), lambda: m.inverted(map.shown()), forward, backward)
    made.own_adjoint = map.own_adjoint
    return made


@rule("solveWithin")
def solve_within(
    reader: Reader, use: p.Builtin, tolerance: Value, map: Value, image: Value
) -> Value:
    return solve(reader, use, map, image)


@rule("solve")
def solve(reader: Reader, use: p.Builtin, map: Value, image: Value) -> Value:
    """x = l⁻¹ b, of which b and l are asked how they move."""
    if not is_map(map) and use.name == "solve":
        return _of_a_matrix(reader, use, map, image)
    if not (isinstance(map, Quantity) and isinstance(image, Quantity)):
        return opaque_builtin(reader, use, [map, image])
    own = Notation.of(map)

    def forward(walk: Pass, d: list[Change]) -> Change:
        walk.ask(map, 3)
        total = d[1]
        if d[0] is not None:
            walk.ask(made, 3)
            moved = Linear.of(own.at(d[0].formula(), made.shown()))
            total = plus(total, moved.negative())
        return total and total.through(lambda f: own.at(m.inverted(map.shown()), f))

    def backward(walk: Pass, bar: Linear) -> list[Change]:
        walk.ask(map, 3)
        walk.ask(made, 3)
        to_image = bar.through(lambda f: own.at(own.back(map), f))
        to_map = to_image.through(lambda f: m.negative(m.outer(f, made.shown())))
        return [to_map, to_image]

    value = lambda: own.at(m.inverted(map.shown()), image.shown())  # noqa: E731
    made = rule_of(reader, image.type, (map, image), value, forward, backward)
    return made


# --- eigenvalues and norms --------------------------------------------------------------------


@dataclass(eq=False)
class _WithVectors(Rule):
    """Vectors that the derivative needs are said with the value: l V = V diag(λ)."""

    says: Callable[[], list[Line]] | None = None

    def values(self, walk: Pass) -> None:
        super().values(walk)
        if self.says is not None and walk.moves and self.inputs[0].role != "constant":
            (made,) = self.outputs
            if made.name is None:
                walk.asked.append(made)
            else:
                walk.lines += self.says()


@rule_of_quantities("eigenvalues", "spectrum")
def eigenvalues(reader: Reader, use: p.Builtin, map: Quantity) -> Value:
    """λ = diag(V⁻¹ L V), where L V = V diag(λ); V⁻¹ is V† where L is its own adjoint."""
    own = Notation.of(map)
    vectors = reader.within_loops(reader.fresh("V", "U", "Q"))
    orthogonal = use.name == "eigenvalues"
    over = own.turned(vectors) if orthogonal else m.inverted(vectors)
    back = vectors if orthogonal else m.transposed(over, "H" if own.matrix else "†")
    space = map.type.domain if isinstance(map.type, t.Linear) else map.type
    real = isinstance(space, t.Array) and not is_complex(space)

    def there(f: Formula) -> Formula:
        return diagonal(own.product(over, f, vectors))

    def to_map(f: Formula) -> Formula:
        turned = own.turned(vectors) if orthogonal else m.transposed(
            vectors, "H" if own.matrix else "†")  # fmt: skip
        made_of = own.product(back, diagonal(f), turned)
        return m.applied(m.Letter("Re"), [made_of]) if real and not orthogonal else made_of

    def forward(walk: Pass, d: list[Change]) -> list[Change]:
        return [d[0] and d[0].through(there)]

    def backward(walk: Pass, bars: list[Change]) -> list[Change]:
        return [bars[0] and bars[0].through(to_map)]

    def says() -> list[Line]:
        value = m.applied(m.Letter("diag"), [made.shown()])
        return [Line(own.product(map.shown(), vectors), own.product(vectors, value))]

    operation = _WithVectors(
        (map,), lambda _: template_of(reader, use, [map.shown()]), forward, backward, says=says
    )
    made = reader.add(operation, result_of(use, 1))
    return made


@rule_of_quantities("operatorNorm")
def operator_norm(reader: Reader, use: p.Builtin, map: Quantity) -> Value:
    """σ with L v = σ u, for u and v of length 1: it moves by ⟨u, dL v⟩."""
    own = Notation.of(map)
    u, v = (reader.within_loops(reader.fresh(*names)) for names in (("u", "p"), ("v", "q")))

    def forward(walk: Pass, d: list[Change]) -> list[Change]:
        return [d[0] and d[0].through(lambda f: inner(u, own.at(f, v)))]

    def backward(walk: Pass, bars: list[Change]) -> list[Change]:
        return [bars[0] and bars[0].through(lambda f: m.product(f, m.outer(u, v)))]

    def says() -> list[Line]:
        unit = m.equation(m.Fenced("‖", u, "‖"), m.equation(m.Fenced("‖", v, "‖"), m.ONE))
        return [
            Line(own.at(map.shown(), v), m.product(made.shown(), u), range=unit)
        ]  # fmt: skip

    operation = _WithVectors(
        (map,), lambda _: template_of(reader, use, [map.shown()]), forward, backward, says=says
    )
    made = reader.add(operation, t.R)
    return made


# --- maps put together ------------------------------------------------------------------------


def then(reader: Reader, first: Quantity, second: Quantity, type: t.Linear) -> Value:
    """M ∘ L, linear in both."""
    return bilinear(reader,
        type, second, first, composed,
        lambda f: composed(f, adjoint_of(first)), lambda f: composed(adjoint_of(second), f),
    )  # fmt: skip


def beside(
    reader: Reader, maps: Sequence[Quantity], type: t.Linear, sign: str = ""
) -> Value:  # fmt: skip
    """(L, M), and L ⊕ M, linear in both; the cotangent's blocks are theirs."""

    def said(formulas: list[Formula]) -> Formula:
        if not sign:
            return m.tupled(formulas)
        one, two = (m.fitted(f, m.PRODUCT) for f in formulas)
        return m.Row((one, m.Sign(sign), two), m.SUM)

    def forward(_: Pass, d: list[Change]) -> Change:
        return Linear.of(said([m.ZERO if c is None else c.formula() for c in d]))

    def block(f: Formula, k: int) -> Formula:
        place = m.Digits(str(k))
        return m.indexed(f, m.listed([place, place]) if sign else place)

    return rule_of(reader,
        type, maps, lambda: said([q.shown() for q in maps]), forward,
        lambda _, bar: [bar.through(lambda f, k=k: block(f, k)) for k in (1, 2)],  # type: ignore[misc]
    )  # fmt: skip
