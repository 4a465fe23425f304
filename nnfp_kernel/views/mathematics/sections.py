"""A definition and its derivative as mathematics, at the level of the program's own names.

    y  = tanh(W x + b)                      value
    dy = (1 - y²) ⊙ W dx                    derivative at x
    x̄  = Wᵀ ((1 - y²) ⊙ ȳ)                  adjoint
    b̄  = (1 - y²) ⊙ ȳ,  W̄ = b̄ ⊗ x          for the weights

A definition used by name stays a name, and has its own lines below. One tree of formulas
(formula.py) is printed as LaTeX and as MathML.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...runtime.program import Program
from . import formula as m
from .changes import Linear
from .formula import Formula
from .reading import Reader
from .tape import Line, Pass, Quantity, reachable, uses, varying


@dataclass(frozen=True)
class Section:
    """Lines that belong together: the value, the derivative, the adjoint."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Mathematics:
    """The mathematics of a definition; `folded` are the definitions it uses by name."""

    name: str
    at: Formula  # its argument
    sections: tuple[Section, ...]
    folded: tuple[str, ...] = ()
    inputs: tuple[Formula, ...] = ()  # the names of its inputs, and of what it gives
    results: tuple[Formula, ...] = ()
    real: bool = False  # whether a field that is open, R or C, was taken to be R

    def section(self, title: str) -> tuple[Line, ...]:
        """The lines of one section; none where there is nothing to say."""
        return next((each.lines for each in self.sections if each.title == title), ())


def mathematics(program: Program, name: str) -> Mathematics:
    """The formulas of a definition of a program and of its derivative.

    >>> from nnfp_kernel import Session
    >>> from .latex import to_latex
    >>> session = Session()
    >>> _ = session.run("f : R -> R\\nf x = log (sin x)")
    >>> for section in mathematics(session.program, "f").sections:
    ...     print(section.title, *(to_latex(line.formula) for line in section.lines))
    value y = \\log(\\sin x)
    derivative dy = \\frac{\\cos x}{\\sin x}\\,dx
    adjoint \\bar x = \\frac{\\cos x}{\\sin x} \\bar y
    """
    reader = Reader(program, name)
    results = [q for q in reader.results if q.role != "constant"]
    for _ in range(20):  # names are asked for until every formula is short
        reader.named += 1
        wanted = reachable(reader.results)
        counted = uses(reader.top, reader.results)
        asked = [q for q in counted if counted[q] > 1 and _worth_a_name(q)]
        passes = _passes(reader, wanted, results)
        asked += [q for walk in passes for q in walk.asked]
        asked = [q for q in dict.fromkeys(asked) if q.name is None and q.maker is not None]
        if not asked:
            break
        for quantity in asked[:1]:
            reader.ensure_named(quantity, "h", "u", "v", "p", "q", "r")
    value, forward, backward, by_weights = (walk.lines for walk in passes)
    weights = tuple(line for line in by_weights if line.of == "weight")
    own = [line for line in by_weights if line.of != "input" and line not in backward]
    own = [line for line in own if line not in weights] if weights else []
    adjoint, by_name = _shared(backward), _by_name(_shared([*own, *weights], backward))
    sections = [
        Section("value", tuple(value)),
        Section("derivative", tuple(forward)),
        Section("adjoint", tuple(adjoint)),
        Section("weights", tuple(line for line in by_name if line not in adjoint)),
    ]
    at = (
        m.tupled([reader.shown(argument) for argument in reader.arguments])
        if (reader.arguments)
        else m.Words("")
    )
    kept = tuple(section for section in sections if section.lines)
    return Mathematics(
        name, at, kept, tuple(reader.folded),
        tuple(quantity.shown() for quantity in reader.inputs),
        tuple(quantity.shown() for quantity in reader.results),
        reader.real,
    )  # fmt: skip


def _worth_a_name(quantity: Quantity) -> bool:
    if quantity.name is not None or quantity.maker is None or quantity.role == "constant":
        return False
    return m.size_of(quantity.shown()) > 3


def _passes(reader: Reader, wanted: set[Quantity], results: Sequence[Quantity]) -> list[Pass]:
    inputs = {q for q in reader.inputs if q.role == "input"}
    weights = set(reader.weights.values())
    block = reader.top
    value = Pass(wanted, set())
    value.values(block)
    forward = Pass(reachable(results, moving=True), varying(block, inputs))
    for quantity in inputs:
        assert quantity.name is not None
        forward.change[quantity] = Linear.of(m.differential(quantity.name))
    forward.forwards(block)
    walks = [value, forward]
    for sources in (inputs, weights):
        walk = Pass(wanted, varying(block, sources))
        for quantity in results:
            if quantity in walk.varied:
                walk.change[quantity] = Linear.of(quantity.bar)
        walk.backwards(block)
        for quantity in [*reader.inputs, *reader.weights.values()]:
            if quantity in sources and quantity not in results:
                walk.total(quantity)
        walks.append(walk)
    return walks


# --- what occurs more than once --------------------------------------------------------------


def _compound(formula: Formula) -> list[Formula]:
    found = [each for part in m.parts(formula) for each in _compound(part)]
    if isinstance(formula, m.Row) and m.size_of(formula) > 4 and formula.binding > m.RELATION:
        found.append(formula)
    return found


def _shared(lines: Sequence[Line], others: Sequence[Line] = ()) -> list[Line]:
    """The lines of loops with what they have in common said once, as δ.

    Among `others` are lines that say which values its index has.
    """
    inside = [line for line in lines if line.range or m.has_sum(line.right)]
    count: Counter[Formula] = Counter()
    for line in inside:
        count.update(set(_compound(line.right)))
    common = [f for f, times in count.items() if times > 1 and _bar(f) and not m.has_sum(f)]
    if not common:
        return list(lines)
    whole = max(common, key=lambda f: (count[f], m.size_of(f)))
    bar = _bar(whole)
    delta: Formula = m.Letter("δ")
    if isinstance(bar, m.Script) and bar.sub is not None:
        delta = replace(bar, base=delta, sub=_index_in(bar.sub))
    made = [
        replace(line, right=_replaced(line.right, whole, delta)) if line in inside else line
        for line in lines
    ]
    at = next(k for k, line in enumerate(lines) if whole in _compound(line.right))
    made.insert(at, Line(delta, whole, "=", _range_of(bar, [*lines, *others])))
    return made


def _index_in(sub: Formula) -> Formula:
    """The index itself: what is made of s̄_{t + 1} is δ_t, of s̄_{i,t + 1} δ_{i,t}."""
    if isinstance(sub, m.Row) and m.Sign(",") in sub.items:
        return m.listed([_index_in(each) for each in sub.items[::2]])
    shifted = isinstance(sub, m.Row) and sub.binding == m.SUM and sub.items[1:] == (
        m.Sign("+"), m.ONE
    )  # fmt: skip
    return sub.items[0] if shifted and isinstance(sub, m.Row) else sub


def _range_of(name: Formula | None, lines: Sequence[Line]) -> Formula | None:
    """What is said of the index of a name where it, or one beside it, stands on the left."""
    if not isinstance(name, m.Script) or name.sub is None:
        return None
    index = [name.sub, *m.inside(name.sub)]
    for line in lines:
        if isinstance(line.range, m.Row) and any(each in index for each in _indices(line.range)):
            return line.range
    return None


def _indices(range: m.Row) -> list[Formula]:
    """What a range counts: i; i and j, if a loop is in a loop."""
    first = range.items[0]
    return [first, *m.inside(first)]


def _bar(formula: Formula) -> Formula | None:
    """The cotangent that a formula is made of: its first barred symbol."""
    for each in (formula, *m.inside(formula)):
        if isinstance(each, m.Bar) or (isinstance(each, m.Script) and isinstance(each.base, m.Bar)):
            return each
    return None


def _replaced(formula: Formula, old: Formula, new: Formula) -> Formula:
    return m.substitute(m.substitute(formula, m.Fenced("(", old, ")"), new), old, new)


def _by_name(lines: Sequence[Line]) -> list[Line]:
    """Lines for weights, the shortest first, each written with those before it."""
    ordered = sorted(lines, key=lambda line: (line.of == "weight", m.size_of(line.right)))
    made: list[Line] = []
    for line in ordered:
        right = line.right
        for earlier in made:
            if m.size_of(earlier.right) > 2 and not m.has_sum(earlier.right) and not earlier.range:
                right = _replaced(right, earlier.right, earlier.left)
        made.append(replace(line, right=right))
    return made
