"""Formulas of programs that ask something of a linear map: what they say, and that it is true.

To the judge a linear map is a matrix. What makes the map, `D f(x)`, is not read: the map and
its differential are given, and its cotangent is that of the matrix.
"""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy
import pytest

from nnfp_kernel import Session
from nnfp_kernel.views.mathematics import Line, Mathematics, mathematics
from nnfp_kernel.views.mathematics import formula as m
from nnfp_kernel.views.mathematics.plain import to_plain

from .arithmetic import FUNCTIONS, Page

PROGRAM = r"""
asked : R[3,3] -> (R, R, R, R, R[3,3], R[3], R[3])
asked a = let l = derivative (\x -> a @ x) zero in
  (logdet l, trace l, norm l, operatorNorm l, matrix (inverse l), diagonal l, solve l [1, 2, 3])
around : R[3,3] -> C[3]
around a = let l = derivative (\x -> a @ x) zero in spectrum l
within : R[3,3] -> R[3]
within a = let l = derivative (\x -> a @ x) zero in eigenvalues (l >> adjoint l)
joined : R[3,3] -> R[3,3]
joined a = let l = derivative (\x -> a @ x) zero in matrix (2 * (l >> l >> adjoint l) - l)
banded : R[4] -> R[4,3]
banded w = let l = derivative (\x -> w * x + shift[1] (w * x)) zero in bands[1,1] (2 * l)
real : R[3,3] -> R[3,3]
real a = let l = derivative (\x -> a @ x) zero in realMatrix (l >> adjoint l)
halves : C[2,3] -> R[4,6]
halves a = let l = derivative (\x -> a @ x) zero in realMatrix l
nearly : R[3,3] -> R[3]
nearly a = let l = derivative (\x -> a @ x) zero in solveWithin 1e-14 l [1, 2, 3]
summed : (R[3,3], R[2,2]) -> R[5,5]
summed (a, b) = let l = derivative (\x -> a @ x) zero; k = derivative (\x -> b @ x) zero
  in matrix ((l >> l) *** k)
both : (R[3,3], R[2,3]) -> R[5,3]
both (a, b) = let l = derivative (\x -> a @ x) zero; k = derivative (\x -> b @ x) zero
  in matrix (l &&& k)
plain : R[3,3] -> (R, R[3], R)
plain a = (trace a, diagonal a, operatorNorm a)

energy : R[3] -> R
energy x = sum (x * x * x) + dot x (exp x)
newton : R[3] -> R[3]
newton x = x - solve (hessian energy x) (grad energy x)
still : R[3] -> R[3]
still x = held (sin x) * x
turned : (R[3], R[3]) -> R[3]
turned (x, w) = adjoint (derivative reverse x) w
paired : (R[3], R[2]) -> (R[3], R[2])
paired (x, u) = (derivative id (x, u)) (2 * x, u)
"""


@pytest.fixture(scope="module")
def session() -> Session:
    session = Session(precision=64)
    session.run(PROGRAM)
    return session


def read(page: Page, found: Mathematics, title: str) -> None:
    """The lines of a section, without those of what is given; those of eigenvectors hold."""
    for line in found.section(title):
        if is_given(line):
            continue
        if isinstance(line.left, m.Row) and not m.is_differential(line.left):
            numpy.testing.assert_allclose(page.of(line.left), page.of(line.right), atol=1e-9)
        else:
            page.read([Line(line.left, line.right, line.sign)])


def is_given(line: Line) -> bool:
    """A function that has a name, g(x) = a x, or a derivative of it."""
    if isinstance(line.left, m.Row) and isinstance(line.left.items[-1], m.Fenced):
        return True
    return any(each in (m.Letter("D"), m.Letter("∇")) for each in m.inside(line.right))


def vectors_of(name: str, a: Any) -> dict[m.Formula, Any]:
    """The vectors that a formula refers to."""
    u, _, vh = numpy.linalg.svd(a)
    found = {m.Letter("u"): u[:, 0], m.Letter("v"): vh[0]}
    if name == "within":
        found[m.Letter("V")] = numpy.linalg.eigh(a.T @ a)[1]
    if name == "around":
        values, vectors = numpy.linalg.eig(a)
        found[m.Letter("V")] = vectors[:, numpy.lexsort((values.imag, values.real))]
    return found


@pytest.mark.parametrize("name", ["asked", "around", "within", "joined", "real", "nearly", "plain"])
def test_what_is_asked_of_a_linear_map_moves_as_its_formulas_say(
    session: Session, name: str
) -> None:
    random = numpy.random.default_rng(5)
    a = random.uniform(-1, 1, (3, 3)) + numpy.diag([3.0, 4.0, 6.0])
    da = random.uniform(-1, 1, (3, 3))
    found, function = mathematics(session.program, name), session[name]
    map = m.Letter("a" if name == "plain" else "l")
    page = Page({map: a, m.differential(map): da, **vectors_of(name, a)})
    page.values |= {m.Letter("id"): numpy.eye(3), m.Letter("I"): numpy.eye(3)}
    read(page, found, "value")
    read(page, found, "derivative")
    value, tangent = function.jvp(({}, a), ({}, da))
    bars = []
    alone = not isinstance(value, tuple)
    parts = zip(*((each,) if alone else each for each in (value, tangent)), strict=True)
    for y, (v, dv) in zip(found.results, parts, strict=True):
        numpy.testing.assert_allclose(page.whole(y), v, atol=1e-9)
        numpy.testing.assert_allclose(page.whole(m.differential(y)), dv, atol=1e-9)
        turned = 1j * random.uniform(-1, 1, numpy.shape(v)) if numpy.iscomplexobj(v) else 0.0
        bars.append(random.uniform(-1, 1, numpy.shape(v)) + turned)
        page.values[m.barred(y)] = bars[-1]
    read(page, found, "adjoint")
    _, pullback = function.vjp({}, a)
    _, gradient = pullback(bars[0] if alone else tuple(bars))
    numpy.testing.assert_allclose(page.whole(m.barred(map)), gradient, atol=1e-9)


def test_the_real_matrix_of_a_complex_map_moves_as_its_formulas_say(session: Session) -> None:
    """⟨L, M⟩ is Re tr(L† ∘ M), half of what the real matrices have."""
    found, function = mathematics(session.program, "halves"), session["halves"]
    random = numpy.random.default_rng(5)
    a, da = random.uniform(-1, 1, (2, 2, 3)) + 1j * random.uniform(-1, 1, (2, 2, 3))

    def real(a: Any) -> Any:
        return numpy.block([[a.real, -a.imag], [a.imag, a.real]])

    def complex_part(r: Any) -> Any:
        """The complex map nearest to what has a real matrix: its own, if it is one."""
        one, two = (r[:2, :3] + r[2:, 3:]) / 2, (r[2:, :3] - r[:2, 3:]) / 2
        return one + 1j * two

    map = m.Letter("l")
    page = Page({map: a, m.differential(map): da})
    before = FUNCTIONS["realMatrix"]
    FUNCTIONS["realMatrix"] = real
    try:
        read(page, found, "value")
        read(page, found, "derivative")
    finally:
        FUNCTIONS["realMatrix"] = before
    (y,) = found.results
    value, tangent = function.jvp(({}, a), ({}, da))
    numpy.testing.assert_allclose(page.of(y), value, atol=1e-12)
    numpy.testing.assert_allclose(page.of(m.differential(y)), tangent, atol=1e-12)
    numpy.testing.assert_allclose(complex_part(numpy.asarray(value)), a, atol=1e-12)
    bar = random.uniform(-1, 1, value.shape)
    page.values[m.applied(m.inverted(m.Letter("realMatrix")), [m.barred(y)])] = complex_part(bar)
    read(page, found, "adjoint")
    _, gradient = function.vjp({}, a)[1](bar)
    numpy.testing.assert_allclose(page.of(m.barred(map)), gradient, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "shapes", "block"),
    [("summed", [(3, 3), (2, 2)], (2, 2)), ("both", [(3, 3), (2, 3)], (2,))],
)
def test_maps_side_by_side_have_the_blocks_of_a_matrix(
    session: Session, name: str, shapes: list[tuple[int, int]], block: tuple[int, ...]
) -> None:
    """The cotangent of a map made of two has two blocks: those at 1 and 1 and at 2 and 2."""
    random = numpy.random.default_rng(5)
    maps, moved = ([random.uniform(-1, 1, shape) for shape in shapes] for _ in range(2))
    found, function = mathematics(session.program, name), session[name]
    names = m.Letter("l"), m.Letter("k")
    page = Page(dict(zip(names, maps, strict=True)))
    page.values |= dict(zip(map(m.differential, names), moved, strict=True))
    read(page, found, "value")
    read(page, found, "derivative")
    value, tangent = function.jvp(({}, tuple(maps)), ({}, tuple(moved)))
    (y,) = found.results
    numpy.testing.assert_allclose(page.of(y), value, atol=1e-12)
    numpy.testing.assert_allclose(page.of(m.differential(y)), tangent, atol=1e-12)
    bar = random.uniform(-1, 1, value.shape)
    whole = m.applied(m.inverted(m.Letter("matrix")), [m.barred(y)])
    second = bar[3:, 3:] if len(block) > 1 else bar[3:]
    first = tuple(1 for _ in block)
    page.elements[m.Fenced("(", whole, ")")] = {first: bar[:3, :3], block: second}
    read(page, found, "adjoint")
    _, pullback = function.vjp({}, tuple(maps))
    _, gradients = pullback(bar)
    for letter, gradient in zip(names, gradients, strict=True):
        numpy.testing.assert_allclose(page.of(m.barred(letter)), gradient, atol=1e-12)


def test_the_diagonals_of_a_map_go_back_to_where_they_were(session: Session) -> None:
    found, function = mathematics(session.program, "banded"), session["banded"]
    random = numpy.random.default_rng(5)
    (w, dw), bar = random.uniform(-1, 1, (2, 4)), random.uniform(-1, 1, (4, 3))

    def map(w: Any) -> Any:
        return numpy.diag(w) + numpy.diag(w[:-1], -1)

    name = m.Letter("l")
    page = Page({name: map(w), m.differential(name): map(dw)})
    read(page, found, "value")
    read(page, found, "derivative")
    value, tangent = function.jvp(({}, w), ({}, dw))
    (y,) = found.results
    numpy.testing.assert_allclose(page.of(y), value, atol=1e-12)
    numpy.testing.assert_allclose(page.of(m.differential(y)), tangent, atol=1e-12)
    page.values[m.barred(y)] = bar
    read(page, found, "adjoint")
    own = page.of(m.barred(name))
    _, gradient = function.vjp({}, w)[1](bar)
    there = numpy.diagonal(own) + numpy.append(numpy.diagonal(own, -1), 0)
    numpy.testing.assert_allclose(there, gradient, atol=1e-12)


def shown(session: Session, name: str) -> dict[str, list[str]]:
    return {
        section.title: [
            unicodedata.normalize("NFC", to_plain(line.formula)) for line in section.lines
        ]
        for section in mathematics(session.program, name).sections
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("newton", {
            "value": ["h = ∇^2 energy(x)", "u = h^(-1) (∇ energy(x))", "y = x - u"],
            "derivative": [
                "dh = ∇^3 energy(x) dx", "du = h^(-1) (∇^2 energy(x) dx - dh u)", "dy = dx - du",
            ],
            "adjoint": [
                "ū = -ȳ", "h̄ = -h^(-1) ū ⊗ u",
                "x̄ = (∇^3 energy(x))† h̄ + ∇^2 energy(x) (h^(-1) ū) + ȳ",
            ],
        }),
        ("still", {"value": ["y = sin x ⊙ x"], "derivative": ["dy = sin x ⊙ dx"],
                   "adjoint": ["x̄ = sin x ⊙ ȳ"]}),
        ("turned", {"value": ["y = reverse† w"], "derivative": ["dy = reverse† dw"],
                    "adjoint": ["w̄ = reverse ȳ"]}),
        ("paired", {"value": ["y1 = 2 x", "y2 = u"], "derivative": ["dy1 = 2 dx", "dy2 = du"],
                    "adjoint": ["x̄ = 2 ȳ1", "ū = ȳ2"]}),
    ],
)  # fmt: skip
def test_a_derivative_that_is_a_value_has_the_sign_of_mathematics(
    session: Session, name: str, expected: dict[str, list[str]]
) -> None:
    """∇ f(x) moves by ∇² f(x), which is its own adjoint; what is linear is its derivative."""
    assert shown(session, name) == expected
