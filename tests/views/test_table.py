"""What a cell shows, as text and as HTML, from the same data."""

from __future__ import annotations

import html
import re

import numpy
import pytest

from nnfp_kernel.language.palette import underlined
from nnfp_kernel.views.table import (
    Entry,
    Grid,
    Note,
    Table,
    Weight,
    grid_to_html,
    grid_to_text,
    to_html,
    to_text,
)
from nnfp_kernel.views.values import Value

CELL = Table(
    (
        Entry("Word", "R[4]", "representation"),
        Entry("Thought", "R[32]", "representation"),
        Entry(
            "cell",
            "(R[32], Word) ~> R[32]",
            weights=(
                Weight(("W",), "32×32", 1024),
                Weight(("U",), "32×4", 128),
                Weight(("b",), "32", 32),
            ),
            count=1184,
        ),
        Entry("encode", "[Word] ~> Thought", uses=("cell",), count=1184, remark="replaces"),
        Entry(
            "step",
            "R[32] ~> (R[32], Word)",
            weights=(
                Weight(("V",), "32×32", 1024),
                Weight(("dense", "W"), "4×32", 128),
                Weight(("dense", "b"), "4", 4),
            ),
            count=1156,
        ),
    ),
    representations=("Word", "Thought"),
    total=2340,
)


def test_a_table_of_definitions_reads_as_it_should() -> None:
    assert to_text(CELL) == (
        "Word      R[4]                     representation\n"
        "Thought   R[32]                    representation\n"
        "cell      (R[32], Word) ~> R[32]   ?W 32×32  ?U 32×4  ?b 32   1,184\n"
        "encode    [Word] ~> Thought        ○ cell, replaces           1,184\n"
        "step      R[32] ~> (R[32], Word)   ?V 32×32  dense 4×32 + 4   1,156\n"
        "\n"
        "○ used by name, so the same weights\n"
        "2,340 weights in all"
    )


def test_html_tells_what_the_text_tells() -> None:
    seen = re.sub(r"<style>.*?</style>|<[^>]*>", "", to_html(CELL), flags=re.DOTALL)
    seen = html.unescape(seen)
    for word in to_text(CELL).replace("○", "").split():
        assert word in seen, word


def test_a_representation_keeps_its_colour_wherever_it_stands() -> None:
    shown = to_html(CELL)
    assert set(re.findall(r'class="(rep r\d[^"]*)">Word<', shown)) == {"rep r1"}
    assert set(re.findall(r'class="(rep r\d[^"]*)">Thought<', shown)) == {"rep r2"}


def test_the_seventh_representation_has_the_first_colour_dashed() -> None:
    names = [f"Rep{k}" for k in range(8)]
    assert 'class="rep r1 dashed"' in underlined("Rep6", names)
    assert 'class="rep r6"' in underlined("Rep5", names)


def test_a_name_within_a_longer_name_is_not_underlined() -> None:
    assert "rep" not in underlined("WordList", ["Word"])


HOSTILE = "<script>alert(1)</script>&\"'"


@pytest.mark.parametrize(
    "table",
    [
        Table((Entry(HOSTILE, HOSTILE, HOSTILE, uses=(HOSTILE,), remark=HOSTILE),)),
        Table((Entry("f", "R", weights=(Weight((HOSTILE,), HOSTILE, None),)),)),
        Table((Value(HOSTILE, HOSTILE, HOSTILE),)),
        Table((Value("Tree", (HOSTILE, 1.0)),)),
        Table((), (Note(HOSTILE, HOSTILE),)),
        Table((Entry("f", HOSTILE),), representations=(HOSTILE, "script")),
    ],
)
def test_hostile_text_is_shown_as_text(table: Table) -> None:
    assert "<script" not in to_html(table)
    assert "alert(1)" in to_text(table)


def test_hostile_text_in_a_grid_is_shown_as_text() -> None:
    grid = Grid((HOSTILE,), ((HOSTILE,),), (), (HOSTILE,))
    assert "<script" not in grid_to_html(grid)
    assert grid_to_text(grid).count(HOSTILE) == 3


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (numpy.float64(0.5), "0.5 : R"),
        (3, "3 : R"),
        (True, "True : R"),
        (1 + 2j, "1+2j : R"),
        (numpy.nan, "nan : R"),
        ((numpy.float32(1.5), numpy.zeros(2)), "(1.5, [0., 0.]) : R"),
        ((), "() : R"),
        (numpy.zeros((0, 3)), "[] : R"),
        ("Leaf 1", "Leaf 1 : R"),
    ],
)
def test_a_short_value_stands_on_one_line_with_its_type(value: object, shown: str) -> None:
    assert to_text(Table((Value("R", value),))) == shown


@pytest.mark.parametrize(
    "shape", [(), (0,), (1,), (5,), (40,), (500,), (3, 3), (30, 30), (2, 3, 4)]
)
@pytest.mark.parametrize("kind", ["float", "int", "bool", "complex", "nan", "huge", "tiny"])
def test_every_array_can_be_shown(shape: tuple[int, ...], kind: str) -> None:
    array = numpy.random.default_rng(0).normal(size=shape) * 3
    scale = {"huge": 1e300, "tiny": 1e-300}
    if kind in ("int", "bool", "complex"):
        array = array.astype(kind)
    elif kind == "nan":
        array = numpy.full(shape, numpy.nan)
    else:
        array = array * scale.get(kind, 1.0)
    table = Table((Value("R[…]", array),))
    assert "R[…]" in to_text(table)
    assert len(to_html(table)) < 60_000


def test_details_of_a_note_are_folded_in_a_notebook() -> None:
    table = Table((), (Note("a default was taken", details=("shapes of `f`", HOSTILE)),))
    assert to_text(table).split("\n")[1] == "  shapes of `f`"
    shown = to_html(table)
    assert "<details" in shown
    assert '<span class="code">f</span>' in shown
    assert "<script" not in shown


def test_zero_is_paper_and_sign_is_colour() -> None:
    shown = to_html(Table((Value("R[3]", numpy.array([-2.0, 0.0, 1.0])),)))
    assert re.findall(r'<i class="(\w+)" style="opacity:([\d.]+)">', shown) == [
        ("neg", "0.85"), ("pos", "0.00"), ("pos", "0.42"),
    ]  # fmt: skip
