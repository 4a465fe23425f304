"""A derivative in three readings, and law by law: what is shown, and that it is safe."""

from __future__ import annotations

import re
import unicodedata
import xml.etree.ElementTree

import numpy
import pytest

from nnfp_kernel import Session
from nnfp_kernel.views.derivation import pages, steps_to_html, steps_to_text
from nnfp_kernel.views.derivative import LEGEND, STILL, read, to_html, to_latex_display, to_text
from nnfp_kernel.views.mathematics import formula as m
from nnfp_kernel.views.mathematics.mathml import to_mathml, to_mathml_parts
from nnfp_kernel.views.mathematics.plain import to_plain, wrapped

PROGRAM = r"""
data Tree a = Leaf a | Node (Tree a) (Tree a)

layer : R[8] ~> R[12]
layer x = tanh (?W @ x + ?b)
net : R[8] ~> R[2]
net x = let h = layer x in sigmoid (?V @ h)
griewank : (R, R) -> R
griewank (x1, x2) = log x1 + x1 * x2 - sin x2
lnSin : R -> R
lnSin x = log (sin x)
times : (R, R) -> R
times (x1, x2) = x1 * x2
scaled : (R, R) -> R
scaled (x1, x2) = (log x1 + x1 * x2 - sin x2) * (x1 + x2)
lnCos : (R, R) -> R
lnCos (x1, x2) = log (x1 * cos x2)
encode : R[5,2] ~> R[3]
encode xs = fold (\(h, x) -> tanh (?W @ h + ?U @ x + ?b)) zero xs
convolution : R[6] ~> R[4]
convolution = window[3] (dot ?k)
summary : Tree R[2] ~> R[3]
summary = cata { Leaf x -> ?E @ x ; Node l r -> tanh (?L @ l + ?R @ r + ?b) }
total : Tree R -> R
total = cata { Leaf x -> x * x ; Node l r -> sin l * r }
weighed : (Tree R, R) -> R
weighed (t, v) = total t * v
open xs = sum (map sin xs)
"""
PROGRAM = PROGRAM.replace("open xs", "unsized xs")


@pytest.fixture(scope="module")
def session() -> Session:
    session = Session(precision=64)
    session.run(PROGRAM)
    return session


# --- linear maps --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "derivative", "adjoint"),
    [
        ("layer", "W · >> diag(1 - y^2)", "diag(1 - y^2) >> Wᵀ ·"),
        (
            "griewank",
            "(fst >> diag(1/x1 + x2)) + (snd >> diag(x1 - cos x2))",
            "diag(1/x1 + x2) &&& diag(x1 - cos x2)",
        ),
        ("lnSin", "diag(cos x/sin x)", "diag(cos x/sin x)"),
        ("times", "(fst >> diag(x2)) + (snd >> diag(x1))", "diag(x2) &&& diag(x1)"),
        (
            "lnCos",
            "((fst >> diag(cos x2)) + (snd >> diag(-x1 sin x2))) >> diag(1/(x1 cos x2))",
            "diag(1/(x1 cos x2)) >> (diag(cos x2) &&& diag(-x1 sin x2))",
        ),
        (
            "scaled",
            "(((fst >> diag(1/x1 + x2)) + (snd >> diag(x1 - cos x2))) >> diag(x1 + x2)) "
            "+ ((fst + snd) >> diag(h))",
            "(diag(x1 + x2) >> (diag(1/x1 + x2) &&& diag(x1 - cos x2))) + (diag(h) >> (id &&& id))",
        ),
        ("convolution", "· ⋆ k", "· ⋆ flip(k)"),
        (
            "encode",
            "(0 &&& id) >> recurrence[5](((fst >> W ·) + (snd >> U ·)) >> diag(1 - s_{t + 1}^2))",
            "recurrence[5]←((diag(1 - s_{t + 1}^2) >> Wᵀ ·) &&& (diag(1 - s_{t + 1}^2) >> Uᵀ ·)) >> (0 ||| id)",
        ),
    ],
)
def test_a_derivative_reads_in_combinators(
    session: Session, name: str, derivative: str, adjoint: str
) -> None:
    found = read(session[name])
    assert [to_plain(each.result) for _, each in found.results] == [derivative, adjoint]


def test_the_steps_name_each_law(session: Session) -> None:
    text = steps_to_text(read(session["layer"]))
    assert text.startswith(
        "-- derivative\nD layer\n"
        "  chain rule: D (f >> g) x = D f x >> D g (f x), D (f + g) x = D f x + D g x\n"
        "  = D (W ·) >> D (+) >> D tanh\n"
    )
    laws = re.findall(r"^  ([a-z ]+): ", text, re.M)
    assert laws == [
        "chain rule", "linear function", "bilinear function", "elementwise function",
        "constant summand", "identity", "adjoint of a composition",
        "a diagonal is its own adjoint", "adjoint of a section",
    ]  # fmt: skip


def test_a_long_step_shows_only_what_changed(session: Session) -> None:
    text = steps_to_text(read(session["griewank"]))
    assert "    D log  becomes  diag(1/x1)\n" in text


def test_the_steps_of_a_convolution_tell_the_law_of_windows(session: Session) -> None:
    text = steps_to_text(read(session["convolution"]))
    assert "contract of windows" in text
    assert "vectorise" in text


def test_the_steps_of_the_adjoint_are_shown_alone(session: Session) -> None:
    text = steps_to_text(read(session["layer"]), adjoint=True)
    assert text.startswith("-- adjoint\n(W · >> diag(1 - y^2))†\n")


LARGE = """
block : R[6,4] ~> R[6,4]
block = transformerBlock[2, 8]
"""


@pytest.fixture(scope="module")
def block() -> Session:
    session = Session(precision=64)
    session.run(LARGE)
    return session


def test_a_large_program_is_followed_piece_by_piece(block: Session) -> None:
    assert read(block["block"]).maps is None
    found = read(block["block"], in_pieces=True)
    first, second = pages(found)
    assert len(first) == 10
    text = steps_to_text(found)
    assert text.startswith("-- derivative\ndcentred, of dx\nD centred\n  chain rule: ")
    assert "-- 1 to 10 of 16 pieces; `--page 2` has the next" in text
    last = steps_to_text(found, number=2)
    assert f"-- 11 to 16 of {10 + len(second)} pieces; this is the last page" in last
    assert "-- laws of the graph that runs" in last
    assert "-- laws of the graph that runs" not in text
    html = steps_to_html(found)
    assert html.count("<details>") == 10


def test_the_lines_of_a_text_are_no_longer_than_a_page_is_wide(block: Session) -> None:
    for session, name in ((block, "block"), (session_of(PROGRAM), "scaled")):
        found = read(session[name], in_pieces=True)
        for number, _ in enumerate(pages(found), 1):
            lines = steps_to_text(found, number=number).split("\n")
            assert max(map(len, lines)) <= 92


def session_of(program: str) -> Session:
    session = Session(precision=64)
    session.run(program)
    return session


def test_a_long_line_is_broken_at_an_outer_operator() -> None:
    text = "(diag(a + b) >> diag(c)) + (diag(d + e) >> diag(f))"
    assert wrapped(text, 40, "= ", "  ") == [
        "= (diag(a + b) >> diag(c))", "  + (diag(d + e) >> diag(f))",
    ]  # fmt: skip
    assert wrapped(text, 80, "= ", "  ") == [f"= {text}"]
    assert wrapped("a law that says what it says", 12) == ["a law that", "says what it", "says"]


def test_a_long_formula_is_several_elements_of_mathml() -> None:
    row = m.symbol("a")
    for k in range(12):
        row = m.plus(row, m.product(m.symbol("x"), m.symbol(f"y{k}")))
    shown = to_mathml_parts(m.transposed(row, "†"))
    assert shown.count("<math") == 13
    one = "".join(re.findall(r">([^<]+)<", shown)).replace(" ", "")
    assert one == "".join(re.findall(r">([^<]+)<", to_mathml(m.transposed(row, "†"))))
    assert to_mathml_parts(m.symbol("x")) == to_mathml(m.symbol("x"))


# --- all of it ------------------------------------------------------------------------------------

NAMES = ["layer", "net", "griewank", "lnCos", "encode", "convolution", "summary", "unsized"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("adjoint", [False, True])
def test_every_reading_is_text_html_and_latex(session: Session, name: str, adjoint: bool) -> None:
    found = read(session[name])
    assert to_text(found, adjoint).strip()
    latex = to_latex_display(found, adjoint)
    assert latex.startswith("$$\\begin{aligned}")
    assert latex.count("{") == latex.count("}")
    for page in (to_html(found, adjoint), steps_to_html(found, adjoint)):
        body = re.sub(r"<style>.*?</style>", "", page, flags=re.S).replace(" hidden>", ">")
        xml.etree.ElementTree.fromstring(body.replace("&nbsp;", " "))


def test_a_definition_used_by_name_has_lines_of_its_own(session: Session) -> None:
    found = read(session["net"])
    assert [each.name for each in found.folded] == ["layer"]
    html = to_html(found)
    assert html.count('<div class="folded">') == 1
    latex = to_latex_display(found)
    assert latex.index(r"&\text{layer:}") < latex.index(r"y &= \tanh(W x + b)")


def test_program_maps_and_structure_stand_beside_the_mathematics(session: Session) -> None:
    found = read(session["layer"])
    assert found.derivative == "R[8] -> (R[8] -o R[12])"
    html = to_html(found)
    for title in ("As a program", "As linear maps", "As mathematics"):
        assert html.count(title) == 1
    assert html.count('<svg class="wiring"') == 1  # each box above its derivative, and the adjoint
    assert "diag s" in html
    assert "Structure: dense, then diagonal." in html
    assert "layerAdjoint" in to_html(found, adjoint=True)
    assert "layerDerivative" not in to_html(found, adjoint=True)


def test_what_has_too_many_boxes_is_not_drawn() -> None:
    session = Session()
    sums = " + ".join(f"sin ({k} * x)" for k in range(80))
    session.run(f"f : R -> R\nf x = {sums}")
    html = to_html(read(session["f"]))
    assert '<svg class="wiring"' not in html
    assert "As mathematics" in html


def test_a_mistake_in_drawing_is_not_hidden(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise ValueError("a mistake of our own")

    monkeypatch.setattr("nnfp_kernel.views.derivative.drawing", broken)
    with pytest.raises(ValueError, match="a mistake of our own"):
        read(session["layer"])


def test_a_loop_without_a_bound_says_why_it_has_no_adjoint() -> None:
    session = Session()
    session.run("f x = while (\\s -> norm s < 10) (\\s -> 2 * s) x")
    found = read(session["f"])
    for adjoint in (False, True):
        told = to_text(found, adjoint).replace("\n-- ", " ")
        assert "Give the loop a bound, `while[1000] c f`" in told
        assert "Give the loop a bound" in to_html(found, adjoint)
    session.run("g x = while[9] (\\s -> norm s < 10) (\\s -> 2 * s) x")
    assert "Give the loop a bound" not in to_text(read(session["g"]), adjoint=True)


def test_a_point_settles_sizes_and_shows_the_gradient(session: Session) -> None:
    found = read(session["unsized"], inputs=(numpy.array([0.0, 1.0]),))
    assert found.at.startswith("at x = [0., 1.]: 0.8414")
    assert found.program
    assert found.at in to_text(found)


def test_a_point_is_a_product_or_several_arguments(session: Session) -> None:
    """At (2, 5): value 11.652, gradient (5.5, 1.7163) (DERIVATIVES.md)."""
    found = read(session["griewank"], inputs=((2.0, 5.0),))
    assert found.at == "at (x1, x2) = (2., 5.): 11.65207, gradient (5.5, 1.71634)"
    own = Session(precision=64)
    own.run("f : R[2] -> R[2] -> R[2]\nf x y = x * y")
    found = read(own["f"], inputs=(numpy.array([1.0, 2.0]), numpy.array([3.0, 4.0])))
    assert found.at == (
        "at (x, y) = ([1., 2.], [3., 4.]): [3., 8.]; the linear map there is "
        "[[3., 0., 1., 0.], [0., 4., 0., 2.]]"
    )


def test_a_point_may_be_a_tree(session: Session) -> None:
    own = Session(precision=64)
    own.run(
        "data Tree = Leaf R | Node Tree Tree\n"
        "total : Tree -> R\ntotal = cata { Leaf x -> x * x; Node l r -> l + r }"
    )
    found = read(own["total"], inputs=(own.evaluate("Node (Leaf 1) (Leaf 3)"),))
    assert found.at == "at t = Node (Leaf 1.0) (Leaf 3.0): 10., gradient Node (Leaf 2.0) (Leaf 6.0)"


def test_the_maps_of_a_function_of_trees_are_those_of_the_tree(session: Session) -> None:
    """None is made up: a leaf alone would be diagonal."""
    without = read(session["total"])
    assert (without.structure, without.maps) == (None, None)
    assert to_text(without).endswith("-- The structure is that of the tree: `--at X` settles it.")
    assert "--at X" in to_html(without)
    assert steps_to_text(without) == (
        "The maps of total are those of the tree: `--at X` settles it."
    )
    tree = session.evaluate("Node (Leaf 1) (Node (Leaf 2) (Leaf 3))")
    at = read(session["total"], inputs=(tree,))
    assert at.structure is not None
    assert (at.structure.rows, at.structure.columns) == (1, 3)
    assert "(diag(t) + diag(t)) >> D cata" in steps_to_text(at)
    # beside a tree, the other inputs keep their names
    pair = steps_to_text(read(session["weighed"], inputs=((tree, 2.0),), in_pieces=True))
    assert "D (t ·)" in pair
    assert "D (v ·)" in pair
    assert "input" not in pair


def test_names_are_shown_as_text(session: Session) -> None:
    session = Session()
    session.run("f : R -> R\nf x' = if x' < 2 && x' > 1 then x' else sin x'")
    html = to_html(read(session["f"]))
    assert "&lt;" in html
    assert "<script" not in html


@pytest.mark.parametrize("program", ["f : (R, R) -> Bool\nf (x, y) = x < y", "f : R -> R\nf x = 3"])
def test_of_what_does_not_move_the_reader_is_told_so(program: str) -> None:
    session = Session()
    session.run(program)
    found = read(session["f"])
    assert STILL in to_html(found)
    assert "fDerivative" in to_text(found)


def test_signs_that_no_program_has_are_told_where_they_occur() -> None:
    session = Session()
    session.run("f : R[5] -> R[3]\nf x = drop[2] x + gather x [0, 0, 1]\ng : R -> R\ng = sin")
    html = to_html(read(session["f"]))
    told = [sentence for sentence in LEGEND.values() if sentence in html]
    assert told == [LEGEND[m.Letter("e")], LEGEND[m.ZEROS]]
    assert not any(sentence in to_html(read(session["g"])) for sentence in LEGEND.values())


def test_a_terminal_is_shown_the_formulas_and_told_their_signs() -> None:
    session = Session()
    session.run("f : R[3] ~> R[2]\nf x = relu (?W @ x)")
    text = to_text(read(session["f"]))
    assert "-- derivative, as mathematics\ndy = [y > 0] ⊙ W dx\n" in text
    assert f"-- {LEGEND[m.Fenced('[', m.Sign('·'), ']')]}" in text
    alone = to_text(read(session["f"]), adjoint=True)
    assert "as mathematics\nx̄ = Wᵀ([y > 0] ⊙ ȳ)" in unicodedata.normalize("NFC", alone)
    assert "dy" not in alone


def test_a_name_and_its_argument_are_apart_in_latex() -> None:
    session = Session()
    session.run("f : R[3] -> Fin[3]\nf x = argmax x")
    assert r"y &= \mathrm{argmax}\,x" in to_latex_display(read(session["f"]))


def test_a_function_of_pythons_says_why_there_is_no_program() -> None:
    session = Session()
    session.bind("halved", lambda x: x / 2)
    session.run("f : R[3] -> R[3]\nf x = 2 * halved x")
    found = read(session["f"])
    assert not found.program
    assert "function of Python's" in found.no_program
    for shown in (to_text(found), to_text(found, adjoint=True)):
        assert "-- There is no program of it: it holds a function of Python's." in shown
    assert "There is no program of it" in to_html(found)
