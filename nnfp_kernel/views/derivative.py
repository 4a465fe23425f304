"""A derivative in three readings: as a program, as linear maps, as mathematics.

    As a program      As linear maps               As mathematics
    layerDerivative   x ─ W· ─ + b ─ tanh ─ y      y = tanh(W x + b)
    = \\x -> …        dx ─ W· ────── diag s ─ dy    dy = (1 - y²) ⊙ W dx

The readings are data; this module lays them out as text, as HTML in the house's style (the
mathematics as MathML, which needs no network), and as LaTeX. Linear maps are drawn, each
box above its own derivative, and written with combinators; how these come about, law by
law, is in derivation.py.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeVar

import numpy

from ..language import types as t
from ..language.diagnostics import NnfpError
from ..language.palette import picture, underlined
from ..language.printer import show
from ..language.syntax import Program
from ..linear.maps import NoAdjoint
from ..runtime.data import DataValue
from ..runtime.function import Function
from .mathematics import Line, Mathematics, mathematics
from .mathematics import formula as m
from .mathematics.formula import Formula
from .mathematics.latex import to_latex
from .mathematics.mathml import to_mathml, to_mathml_parts
from .mathematics.plain import to_plain, wrapped
from .mathematics.steps import Derivation, Derivations, derivations
from .structure import Structure, depends_on_trees, structure
from .style import escape, page
from .terms import Derivative, derivative_definition
from .wiring import NotDrawn, drawing

T = TypeVar("T")
TITLES = {
    "value": "value",
    "derivative": "derivative at",
    "adjoint": "adjoint",
    "weights": "for the weights",
}
SPOKEN = {**TITLES, "derivative": "derivative"}
WIDTH = 88  # columns of a text in a terminal
NARROW = 39  # columns of a text that stands beside others
PICTURE = 420  # pixels of a picture that does
PICTURES = 6  # patterns that are drawn, at most
BESIDE = 72  # letters of a formula that still stands beside others
LEGEND: dict[Formula, str] = {
    m.Letter("D"): "D f(x) is the derivative of f at x, a linear map, and † makes the adjoint.",
    m.Letter("∇"): "∇ f(x) is the gradient, ∇² f(x) the Hessian, as a linear map.",
    m.Letter("e"): "With an index e is 1 at that place and 0 elsewhere.",
    m.ZEROS: "𝟎 is an array of zeros, of the size below it.",
    m.ONES: "𝟏 is an array of ones.",
    m.Letter("sym"): "sym(A) is half of A and its adjoint.",
    m.Letter("lead"): "lead(V) is 1 at the leading entry of every column of V and 0 elsewhere.",
    m.Fenced("[", m.Sign("·"), "]"): "[…] is 1 where the condition holds and 0 elsewhere.",
}
REAL = "Numbers are real here; with `C` in its type the formulas are those of complex ones."
STILL = "Nothing in the result moves with what is given: there is no differential."
OF_TREES = "The structure is that of the tree: `--at X` settles it."
CELL = 5  # pixels of an entry in a pattern
SMALL = 36  # entries of a matrix that is shown
FOLDED = 6  # definitions that stay names are shown below, so many at most


@dataclass(frozen=True)
class Readings:
    """What there is to show of a derivative; an empty reading is left out.

    `program` are pieces of text, each under a heading in small print; `maps` is the
    derivative in combinators, worked out; `folded` is the mathematics of the definitions
    that stay names in that of this one.
    """

    name: str
    type: str
    derivative: str  # its type
    program: tuple[tuple[str, Program], ...]
    combined: tuple[tuple[str, Program], ...]  # the same with the map made of combinators
    maps: Derivations | None
    mathematics: Mathematics
    folded: tuple[Mathematics, ...] = ()
    structure: Structure | None = None
    no_program: str = ""  # why there is no program at all, where something in it has none
    no_adjoint: str = ""  # why there is no program of the adjoint, where there can be none
    of_trees: bool = False  # it depends on a tree, which is not given; so do the maps
    picture: str = ""  # the program, its derivative and the adjoint as wiring diagrams, in SVG
    reps: tuple[str, ...] = ()
    at: str = ""  # the value at a point that was asked for

    @property
    def results(self) -> tuple[tuple[str, Derivation], ...]:
        """The derivative and its adjoint, in combinators."""
        if self.maps is None or not self.maps.whole:
            return ()
        return ("derivative", self.maps.derivative[0]), ("adjoint", self.maps.adjoint[0])

    @property
    def wide(self) -> bool:
        """Whether a reading is too wide to stand beside the others, or alone."""
        if not self.program:
            return True
        texts = [show(tree, width=NARROW) for _, tree in self.program]
        texts += [to_plain(each.result) for _, each in self.results]
        sizes = [m.size_of(line.right) for s in self.mathematics.sections for line in s.lines]
        lines = [line for text in texts for line in text.split("\n")]
        tall = any(text.count("\n") > 9 for text in texts)
        if self.picture and _width(self.picture) > PICTURE:
            return True
        return tall or max(map(len, lines), default=0) > NARROW or max(sizes, default=0) > 9


def _width(picture: str) -> float:
    """The width of a picture in pixels."""
    return float(picture.partition('width="')[2].partition('"')[0])


def read(
    function: Function,
    reps: Collection[str] = (),
    inputs: Sequence[Any] = (),
    in_pieces: bool = False,
) -> Readings:
    """The readings of a function's derivative, `inputs` being a point for it; the linear
    maps `in_pieces` where one expression would be too large.

    What cannot be said in one of them, because a size is open or the language has no words
    for it, is missing there.
    """
    program = function.program
    found = mathematics(program, function.name)
    written: dict[bool, list[tuple[str, Derivative]]] = {False: [], True: []}
    no_program = no_adjoint = ""
    for combined, (said, adjoint) in product(
        written, (("weights held constant", False), ("adjoint", True))
    ):
        try:
            made = derivative_definition(function, adjoint, inputs, combined=combined)
            written[combined].append((said, made))
        except NoAdjoint as problem:
            (why,) = problem.diagnostics
            no_adjoint = f"{why.title[:1].upper()}{why.title[1:]}. {why.notes[-1]}"
        except NnfpError as problem:
            (why, *_) = problem.diagnostics
            if why.code == "derivative-not-printed" and why.primary.text:
                no_program = f"There is no program of it: {why.primary.text}. {' '.join(why.notes)}"
    types = [show(made.signature.type) for _, made in written[False][:1]]
    return Readings(
        function.name,
        function.type,
        types[0] if types else _type(function),
        tuple((said, made.program) for said, made in written[False]),
        tuple((said, made.program) for said, made in written[True]),
        _tried(lambda: derivations(function, found, inputs, in_pieces)),
        found,
        tuple(mathematics(program, name) for name in found.folded[:FOLDED]),
        _tried(lambda: structure(function, inputs)),
        "" if written[False] else no_program.strip(),
        no_adjoint,
        depends_on_trees(function, inputs),
        _picture(function),
        tuple(reps),
        _at(function, found, inputs) if inputs else "",
    )


def _picture(function: Function) -> str:
    """The wiring diagrams; nothing where there are too many boxes to look at."""
    try:
        return drawing(function.program, function.name, "adjoint")
    except NotDrawn:
        return ""


def _at(function: Function, found: Mathematics, inputs: Sequence[Any]) -> str:
    """The value at a point, and the linear map there: the gradient of a single number, the
    matrix between small arrays, those of a product laid end to end."""
    value = function(*inputs)
    said = f"at {to_plain(found.at)} = {_numbers(inputs)}: {_numbers([value])}"
    if isinstance(value, tuple | DataValue):
        return said
    _, pullback = function.vjp(function.session_weights(), *inputs)
    value = numpy.asarray(value)
    if value.shape == ():
        _, *gradient = pullback(numpy.ones_like(value))
        return f"{said}, gradient {_numbers(gradient)}"
    if 0 < value.size <= SMALL:
        units = numpy.eye(value.size).reshape(value.size, *value.shape)
        rows = [_entries(pullback(unit.astype(value.dtype))[1:]) for unit in units]
        if all(row is not None and 0 < row.size * value.size <= SMALL for row in rows):
            alone = len(inputs) == 1 and isinstance(inputs[0], numpy.ndarray)
            shape = numpy.shape(inputs[0]) if alone else (-1,)
            matrix = numpy.stack(rows).reshape(*value.shape, *shape)
            written = numpy.array2string(matrix, precision=5, separator=", ", threshold=SMALL)
            said += f"; the linear map there is {' '.join(written.split())}"
    return said


def _entries(value: Any) -> Any:
    """The numbers of a product of arrays, laid end to end; None of a tree."""
    if isinstance(value, DataValue):
        return None
    if isinstance(value, Sequence):
        parts = [_entries(each) for each in value]
        return None if any(part is None for part in parts) else numpy.concatenate([[], *parts])
    return numpy.asarray(value).reshape(-1)


def _numbers(values: Any) -> str:
    """Numbers as people read them."""
    if isinstance(values, DataValue):
        return str(values).removeprefix("(").removesuffix(")") if values.fields else str(values)
    if isinstance(values, Sequence):
        shown = [_numbers(each) for each in values]
        return shown[0] if len(shown) == 1 else f"({', '.join(shown)})"
    return numpy.array2string(numpy.asarray(values), precision=5, separator=", ", threshold=12)


def _tried(make: Callable[[], T]) -> T | None:
    try:
        return make()
    except NnfpError:
        return None


def _type(function: Function) -> str:
    """a -> (a -o b), as far as the type is known."""
    domains, result = t.uncurried(function.definition.scheme.type)
    shown = [t.show(domain) for domain in domains]
    given = shown[0] if len(shown) == 1 else f"({', '.join(shown)})"
    return " -> ".join([*shown, f"({given} -o {t.show(result)})"])


# --- text ---------------------------------------------------------------------------------------


def to_text(readings: Readings, adjoint: bool = False) -> str:
    """Program, linear maps and formulas, as a terminal shows them; with `adjoint` only the
    adjoint."""
    texts = _programs(readings.program, adjoint, WIDTH)
    texts += [
        (f"{said}, as linear maps", text)
        for said, text in _programs(readings.combined, adjoint, WIDTH)
    ]
    texts += _formulas(readings.mathematics, adjoint)
    parts = [f"-- {said}\n{text}" for said, text in texts]
    if told := _told(readings.mathematics):
        parts.append(textwrap.fill(f"-- {told}", WIDTH, subsequent_indent="-- "))
    for why in filter(None, (readings.no_program, readings.no_adjoint)):
        parts.append(textwrap.fill(f"-- {why}", WIDTH, subsequent_indent="-- "))
    if readings.structure is not None:
        parts.append(f"-- structure: {readings.structure.words}; holds {readings.structure.holds}")
    if readings.of_trees:
        parts.append(f"-- {OF_TREES}")
    if readings.at:
        parts.append(f"-- {readings.at}")
    return "\n\n".join(parts)


def _formulas(found: Mathematics, adjoint: bool) -> list[tuple[str, str]]:
    """The sections of the mathematics, each under its title."""
    made = []
    for section in found.sections:
        if adjoint and section.title not in ("adjoint", "weights"):
            continue
        lines = []
        for line in section.lines:
            where = f"   ({to_plain(line.range)})" if line.range is not None else ""
            lines += wrapped(to_plain(line.formula) + where, WIDTH, "", "    ")
        made.append((f"{SPOKEN[section.title]}, as mathematics", "\n".join(lines)))
    return made


def _programs(
    programs: Sequence[tuple[str, Program]], adjoint: bool, width: int
) -> list[tuple[str, str]]:
    kept = [each for each in programs if each[0] == "adjoint" or not adjoint]
    return [(said, show(tree, width=width).strip()) for said, tree in kept]


def _sections(found: Mathematics, adjoint: bool) -> list[tuple[Line, ...]]:
    wanted = ("adjoint", "weights") if adjoint else tuple(TITLES)
    return [section.lines for section in found.sections if section.title in wanted]


# --- HTML ---------------------------------------------------------------------------------------


def to_html(readings: Readings, adjoint: bool = False) -> str:
    """Three columns under the types; rows, where a reading is wide."""
    columns = []
    texts = _programs(readings.program, adjoint, 88 if readings.wide else NARROW)
    why = remark(readings.no_program) + remark(readings.no_adjoint)
    if texts or why:
        columns.append(column("As a program", _texts(texts, readings.reps) + why))
    results = [(s, each) for s, each in readings.results if s == "adjoint" or not adjoint]
    if results or readings.picture:
        shown = picture(readings.picture) if readings.picture else ""
        columns.append(column("As linear maps", shown + _maps(results)))
    formulas = _mathematics(readings.mathematics, adjoint)
    for folded in readings.folded:
        title = f'<div class="folded"><span class="code">{escape(folded.name)}</span></div>'
        formulas += title + _mathematics(folded, adjoint)
    columns.append(column("As mathematics", formulas))
    kind = "readings rows-only" if readings.wide else "readings"
    body = f'{head(readings)}<div class="{kind}"><div>{"".join(columns)}</div></div>'
    point = f'<div class="small code">{escape(readings.at)}</div>' if readings.at else ""
    tree = remark(OF_TREES) if readings.of_trees else ""
    return page(body + point + tree + _structure(readings.structure))


def remark(sentence: str) -> str:
    """A remark in small print, what stands between backquotes as code."""
    told = re.sub("`(.*?)`", r'<span class="code">\1</span>', escape(sentence))
    return f'<div class="small">{told}</div>' if sentence else ""


def head(readings: Readings) -> str:
    return (
        f'<div class="code head">{escape(readings.name)} '
        f"{underlined(readings.type, readings.reps)}"
        f'<span class="small"> derivative </span>'
        f"{underlined(readings.derivative, readings.reps)}</div>"
    )


def _maps(results: Sequence[tuple[str, Derivation]]) -> str:
    parts = []
    for said, found in results:
        shown = [found.result] if said == "derivative" else [found.result, *_where(found)]
        lines = "".join(f'<div class="long">{to_mathml_parts(each)}</div>' for each in shown)
        parts.append(f'<div class="small">{said}</div><div class="formulas">{lines}</div>')
    return "".join(parts)


def _where(found: Derivation) -> list[Formula]:
    return [m.equation(letter, stands) for letter, stands in found.where]


def _structure(found: Structure | None) -> str:
    """What the map was found to be, with the pattern of its parts."""
    if found is None:
        return ""
    between = f'<span class="code">{escape(found.joined)}</span>'
    pictures = between.join(_pattern(part.cells) for part in found.parts[:PICTURES])
    size = f"{found.rows}×{found.columns}"
    use = (
        '<span class="code">diagonal</span>, <span class="code">trace</span> and '
        '<span class="code">solve</span> use it; '
        if found.rows == found.columns
        else ""
    )
    none = "no" if use else "No"
    said = (
        f"<div>Structure: {escape(found.words)}.</div>"
        f'<div class="small">Holds {escape(found.holds)}. {use}'
        f'{none} {size} matrix is formed until <span class="code">matrix</span>.</div>'
    )
    return f'<div class="structure"><div class="patterns">{pictures}</div><div>{said}</div></div>'


def _pattern(cells: Sequence[Sequence[bool]]) -> str:
    """Where a matrix has entries, as a drawing."""
    if not cells or not cells[0]:
        return ""
    side = f'width="{CELL - 1}" height="{CELL - 1}"'
    squares = "".join(
        f'<rect x="{CELL * k + 0.5}" y="{CELL * row + 0.5}" {side}/>'
        for row, flags in enumerate(cells)
        for k, flag in enumerate(flags)
        if flag
    )
    width, height = CELL * len(cells[0]), CELL * len(cells)
    frame = f'<rect class="frame" width="{width}" height="{height}"/>'
    return (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label="pattern">{frame}{squares}</svg>'
    )


def column(title: str, body: str) -> str:
    return f'<section><div class="title">{title}</div>{body}</section>'


def _texts(pieces: Sequence[tuple[str, str]], reps: Sequence[str]) -> str:
    return "".join(
        f'<div class="small">{escape(said)}</div><pre>{underlined(text, tuple(reps))}</pre>'
        for said, text in pieces
        if text
    )


def _mathematics(found: Mathematics, adjoint: bool = False) -> str:
    parts = []
    for section in found.sections:
        if adjoint and section.title not in ("adjoint", "weights"):
            continue
        said = escape(TITLES[section.title])
        if section.title == "derivative" and found.at != m.Words(""):
            said = f"{said} {to_mathml(found.at, False)}"
        lines = "".join(map(_line, section.lines))
        formulas = f'<div class="formulas">{lines}</div>'
        longest = max(len(to_plain(line.formula)) for line in section.lines)
        kind = ' class="whole"' if longest > BESIDE else ""
        parts.append(f'<div{kind}><div class="small">{said}</div>{formulas}</div>')
    return f'<div class="maths">{"".join(parts)}</div>{remark(_told(found))}'


def _told(found: Mathematics) -> str:
    """What a reader may want to be told: that nothing moves, or what signs mean that no
    program has a name for, of those that occur."""
    if _still(found):
        return STILL
    lines = [line for section in found.sections for line in section.lines]
    inside = {each for line in lines for each in m.inside(line.formula)}
    indexed = {each.base for each in inside if isinstance(each, m.Script) and each.sub}
    bases = {each.base for each in inside if isinstance(each, m.Script)}
    signs = (inside | bases) - {m.Letter("e"), m.ZEROS} | indexed & {m.Letter("e"), m.ZEROS}
    if any(map(_is_condition, inside)):
        signs.add(m.Fenced("[", m.Sign("·"), "]"))
    named = {each for line in lines for each in (line.left, *m.inside(line.left))}
    signs -= {*found.inputs, *(named - {m.Letter("D"), m.Letter("∇")})}  # the program's own e
    told = [sentence for sign, sentence in LEGEND.items() if sign in signs]
    return " ".join([*told, *([REAL] if found.real else [])])


def _is_condition(f: Formula) -> bool:
    """Whether it is [x > 0]."""
    if not isinstance(f, m.Fenced) or f.left != "[" or not isinstance(f.inside, m.Row):
        return False
    return any(sign in f.inside.items for sign in map(m.Sign, "=≠<>≤≥¬∧∨"))


def _still(found: Mathematics) -> bool:
    """Whether no formula says how something moves."""
    return all(section.title == "value" for section in found.sections)


def _line(line: Line) -> str:
    where = ""
    if line.range is not None:  # a line of its own, and broken between the loops, where it is long
        parts = [f"<span>{to_mathml(each, False)}</span>" for each in m.ranges(line.range)]
        where = f'<span class="small range">{" ".join(parts)}</span>'
    return f'<div class="long">{to_mathml_parts(line.formula)}{where}</div>'


# --- LaTeX --------------------------------------------------------------------------------------


def to_latex_display(readings: Readings, adjoint: bool = False) -> str:
    """The mathematics as one display, for text/latex."""
    lines = []
    for each in (readings.mathematics, *readings.folded):
        if each is not readings.mathematics:
            lines.append("&" + to_latex(m.Words(f"{each.name}:")))
        lines += [_aligned(line) for group in _sections(each, adjoint) for line in group]
    return "$$\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}$$"


def value_to_latex(found: Mathematics) -> str:
    """What a definition gives, without its derivative, as one display."""
    lines = found.section("value")
    if not lines:
        return ""
    body = " \\\\\n".join(_aligned(line) for line in lines)
    return f"$$\\begin{{aligned}}\n{body}\n\\end{{aligned}}$$"


def _aligned(line: Line) -> str:
    sign = to_latex(m.Sign(line.sign))
    text = f"{to_latex(line.left)} &{sign} {to_latex(line.right)}"
    return text if line.range is None else rf"{text} \qquad {to_latex(line.range)}"
