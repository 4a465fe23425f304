"""Formulas: brackets where they are needed, one tree printed as LaTeX and as MathML."""

from __future__ import annotations

import xml.etree.ElementTree

import pytest
from matplotlib.mathtext import MathTextParser

from nnfp_kernel.primitives import BUILTINS, PRIMITIVES
from nnfp_kernel.views.mathematics import formula as m
from nnfp_kernel.views.mathematics.latex import template, to_latex
from nnfp_kernel.views.mathematics.mathml import to_mathml, to_mathml_parts

A, B, X = m.symbol("a"), m.symbol("b"), m.symbol("x1")
SUM = m.plus(A, B)


@pytest.mark.parametrize(
    ("formula", "latex"),
    [
        (m.product(A, SUM), "a(a + b)"),
        (m.minus(A, SUM), "a - (a + b)"),
        (m.plus(A, m.negative(B)), "a - b"),
        (m.product(m.negative(A), m.negative(B)), "a b"),
        (m.product(m.Fraction(m.ONE, A), B), r"\frac{b}{a}"),
        (m.fraction(m.product(A, B), m.product(B, X)), r"\frac{a}{x_1}"),
        (m.entrywise(A, A), "a^2"),
        (m.power(SUM, m.Digits("2")), "(a + b)^2"),
        (m.transposed(m.transposed(A)), "a"),
        (m.outer(m.entrywise(A, B), X), r"(a \odot b) \otimes x_1"),
        (m.product(A, m.Digits("4")), "4 a"),
        (m.product(A, m.product(m.Digits("2"), B)), "2 a b"),
        (m.entrywise(A, m.Digits("2")), "2 a"),
        (m.fraction(m.fraction(A, B), B), r"\frac{a}{b^2}"),
        (m.fraction(m.fraction(A, B), m.Digits("2")), r"\frac{a}{2 b}"),
        (m.product(m.Digits("2"), m.Row((m.Fraction(m.ONE, A), B), m.PRODUCT)), r"\frac{2}{a} b"),
        (m.product(template(r"\max {0}", A), B), r"\max(a)\,b"),
        (m.product(template(r"\max {0}", A), m.differential(B)), r"\max a\,db"),
        (m.product(template(r"\cos {0}", m.symbol("angle")), B), r"\cos(\mathrm{angle})\,b"),
        (m.product(m.outer(A, B), X), r"(a \otimes b) x_1"),
        (m.indexed(m.Fenced("[", m.listed([m.ZERO, m.ONE]), "]"), A), "a"),
        (template("{0} = {1}", template("{0} > {1}", A, B), B), "(a > b) = b"),
        (m.barred(m.indexed(A, m.symbol("t"))), r"\bar a_t"),
        (m.indexed(m.differential(A), m.symbol("t")), "da_t"),
        (template(r"\tanh {0}", SUM), r"\tanh(a + b)"),
        (template(r"\tanh {0}", X), r"\tanh x_1"),
        (template("e^{{{0}}}", SUM), "e^{a + b}"),
        (template("{0}^2", template(r"\sin {0}", A)), r"(\sin a)^2"),
        (template("-{0}", SUM), "-(a + b)"),
        (m.Cases(((A, B), (B, A))), r"\begin{cases} a & b \\ b & a \end{cases}"),
        (m.product(m.Digits("0.5"), A), r"\frac{a}{2}"),
        (m.times(m.fraction(A, m.Digits("2")), A), r"\frac{a^2}{2}"),
        (m.times(m.times(A, B), A), "a^2 b"),
        (m.entrywise(A, m.product(m.Digits("2"), A)), "2 a^2"),
        (m.collected(m.product(m.Digits("2"), A), A), "3 a"),
        (m.collected(A, m.negative(A)), "0"),
        (m.outer(A, m.negative(B)), r"-a \otimes b"),
        (
            m.outer(m.ONES, m.product(m.Fraction(m.ONE, X), m.summed(B, A))),
            r"\mathbf{1} \otimes \frac{\sum_a b}{x_1}",
        ),
        (m.plus(m.summed(A, B), X), r"x_1 + \sum_b a"),
        (m.transposed(m.product(m.transposed(A), B)), r"b^\top a"),
        (m.negation(template("{0} > {1}", SUM, B)), r"a + b \leq b"),
        (m.negation(m.negation(A)), "a"),
        (m.indexed(m.product(A, m.indexed(m.Letter("e"), B)), X), "[b = x_1] a"),
        (m.indexed(m.outer(m.ONES, A), X), "a"),
        (
            m.entry(m.entrywise(m.power(A, m.Digits("2")), m.differential(B)), X),
            "a_{x_1}^2\\,db_{x_1}",
        ),
        (m.floor(m.Fraction(m.minus(A, B), X)), r"\lfloor (a - b) / x_1 \rfloor"),
        (m.indexed(m.negative(A), X), "-a_{x_1}"),
        (m.summed(m.negative(A), X), r"-\sum_{x_1} a"),
        (m.fraction(m.Digits("0.5"), A), r"\frac{1}{2 a}"),
        (m.entry(SUM, X), "(a + b)_{x_1}"),
    ],
)
def test_brackets_stand_where_a_formula_needs_them(formula: m.Formula, latex: str) -> None:
    assert to_latex(formula) == latex


def test_a_line_may_be_broken_between_factors_and_after_commas() -> None:
    """Before an operator, before what a linear map is applied to, and between arguments."""
    long = [m.symbol(name) for name in ("seeColour", "crossEntropyOfColours", "coloured")]
    call = m.applied(long[0], [long[1], long[2]])
    applied = m.Row((*call.items, m.Space(), m.Fenced("(", m.entrywise(*long[:2]), ")")), m.PRODUCT)
    pieces = to_mathml_parts(m.equation(A, applied)).count("<math")
    assert pieces == 4  # a = seeColour(cross…, | coloured) | (seeColour | ⊙ cross…)


def test_the_bar_over_a_word_is_as_long_as_the_word() -> None:
    assert "border-top" in to_mathml(m.barred(m.symbol("angle")))
    assert "border-top" not in to_mathml(m.barred(A))


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, record in BUILTINS.items()
        if name in PRIMITIVES
        and PRIMITIVES[name].kind in ("elementwise", "linear")
        and "-o" not in record.type  # a name for a linear map: it is shown by its name
    ]
    + ["+", "-", "*", "/", "^", "@", "dot", "outer", "solve", "derivative", "adjoint"],
)
def test_every_function_of_arrays_has_latex(name: str) -> None:
    record = BUILTINS[name]
    assert record.latex, name
    latex = to_latex(template(record.latex, SUM, SUM, SUM))
    MathTextParser("path").parse(f"${latex}$")


@pytest.mark.parametrize("name", [n for n, record in PRIMITIVES.items() if record.latex])
def test_the_latex_of_every_primitive_is_a_formula(name: str) -> None:
    formula = template(PRIMITIVES[name].latex, A, SUM, X)
    xml.etree.ElementTree.fromstring(to_mathml(formula))
    assert to_latex(formula)


def test_a_name_is_shown_as_text_whatever_it_is() -> None:
    hostile = m.Letter("<script>alert(1)</script>")
    assert "<script>" not in to_mathml(hostile)
    assert "&lt;script&gt;" in to_mathml(m.Words("<script>"))
    assert to_latex(m.Letter("a_b$c")) == r"\mathrm{a\_b\$c}"


@pytest.mark.parametrize("text", [r"\frac a b", "{{0}", "a & b"])
def test_a_template_that_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        template(text)


def test_substitution_finds_what_stands_in_brackets() -> None:
    formula = m.product(A, SUM)
    assert m.substitute(formula, m.Fenced("(", SUM, ")"), X) == m.Row((A, X), m.PRODUCT)
