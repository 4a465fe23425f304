"""What a value looks like: text, HTML, SVG and LaTeX of arrays, trees, functions and maps."""

from __future__ import annotations

import base64
import re
import struct
import xml.etree.ElementTree as xml
import zlib
from itertools import pairwise

import numpy
import pytest

from nnfp_kernel import Session
from nnfp_kernel.runtime.data import DataValue
from nnfp_kernel.views.structure import structure
from nnfp_kernel.views.values import (
    Value,
    components,
    draw,
    plain,
    raster,
    to_html,
    to_latex,
    to_svg,
    to_text,
)
from nnfp_kernel.views.values.functions import of_function, of_linear_map
from nnfp_kernel.views.wiring import wiring

HOSTILE = "<script>alert(1)</script>"


def leaf(*numbers: float) -> DataValue:
    return DataValue("Leaf", (numpy.array(numbers, float),))


PHRASE = DataValue("Node", (DataValue("Node", (leaf(-1, 0.5), leaf(0, 2))), leaf(3, 4)))


def pixels(uri: str) -> tuple[numpy.ndarray, list[tuple[int, ...]]]:
    """The bytes of a PNG that raster made, and its palette with opacity."""
    data = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    assert data.startswith(b"\x89PNG")
    chunks, at = {}, 8
    while at < len(data):
        (length,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + length]
        (check,) = struct.unpack(">I", data[at + 8 + length : at + 12 + length])
        assert check == zlib.crc32(kind + body)
        chunks[kind], at = body, at + 12 + length
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    rows = numpy.frombuffer(zlib.decompress(chunks[b"IDAT"]), numpy.uint8).reshape(height, -1)
    colours = numpy.frombuffer(chunks[b"PLTE"], numpy.uint8).reshape(-1, 3)
    opacity = numpy.frombuffer(chunks.get(b"tRNS", b"\xff" * 256), numpy.uint8)
    assert rows.shape[1] == width + 1
    return rows[:, 1:], [(*map(int, c), int(a)) for c, a in zip(colours, opacity, strict=True)]


def test_in_an_image_sign_is_colour_magnitude_is_opacity_and_zero_is_paper() -> None:
    rows, palette = pixels(raster.signs(numpy.array([[-2.0, 0.0, 1.0, numpy.nan]]), 2.0))
    negative, zero, positive, missing = (palette[k] for k in rows[0])
    assert negative[:3] == (0x00, 0x72, 0xB2)
    assert positive[:3] == (0xD5, 0x5E, 0x00)
    assert zero[3] == missing[3] == 0
    assert negative[3] == pytest.approx(2 * positive[3], abs=3)


def test_magnitudes_run_from_one_end_of_cividis_to_the_other() -> None:
    rows, palette = pixels(raster.magnitudes(numpy.array([[3.0, 5.0]]), 3.0, 5.0))
    assert [palette[k][:3] for k in rows[0]] == [(0x00, 0x22, 0x4E), (0xFE, 0xE8, 0x38)]


def test_what_is_too_large_for_an_image_is_averaged_over_blocks() -> None:
    matrix = numpy.arange(1025.0 * 3).reshape(1025, 3)
    small = raster.reduced(matrix)
    assert small.shape == (205, 3)
    numpy.testing.assert_allclose(small[0], matrix[:5].mean(0))


@pytest.mark.parametrize(
    ("array", "elements"),
    [
        (numpy.linspace(-1, 1, 32), {"path", "text"}),  # a strip
        (numpy.linspace(-1, 1, 3000), {"path", "text"}),  # a curve
        (numpy.full(100, 2.0), {"path", "text"}),
        (numpy.where(numpy.arange(99) % 7, 1.0, numpy.nan), {"path", "text"}),
        (numpy.random.default_rng(0).normal(size=(28, 28)), {"image", "rect", "text", "g"}),
        (numpy.random.default_rng(0).uniform(size=(28, 28)), {"image", "rect"}),
        (numpy.random.default_rng(0).uniform(size=(28, 28, 3)), {"image", "rect"}),
        (numpy.random.default_rng(0).uniform(size=(60, 9, 9)), {"image", "rect", "text"}),
        (numpy.eye(20, dtype=bool), {"image", "rect"}),
        (numpy.arange(400).reshape(20, 20), {"image", "rect", "text", "g"}),
        (numpy.random.default_rng(0).normal(size=(2000, 3)), {"image", "rect", "text", "g"}),
        (numpy.arange(30) % 3 == 0, {"path", "text"}),
    ],
)
def test_the_picture_of_an_array_is_well_formed_and_small(
    array: numpy.ndarray, elements: set[str]
) -> None:
    drawn = draw(array)
    assert drawn is not None
    root = xml.fromstring(to_svg(Value("R[…]", array)))
    found = {each.tag.rpartition("}")[2] for each in root.iter()} - {"svg", "g", "style"}
    assert found - {"rect"} == elements - {"g", "rect"}
    assert drawn.width <= 560
    assert len(drawn.body) < 25_000
    assert "nan" not in re.sub('base64,[^"]*', "", drawn.body)


@pytest.mark.parametrize("value", [3.0, numpy.zeros(4), numpy.zeros((3, 3)), (1.0, 2.0), "text",
                                   numpy.zeros((0, 9)), numpy.arange(50), 1 + 2j])  # fmt: skip
def test_what_numbers_say_best_has_no_picture(value: object) -> None:
    assert draw(value) is None
    assert to_svg(Value("R", value)) == ""


def test_a_curve_keeps_its_extremes_however_long_it_is() -> None:
    array = numpy.zeros(100_000)
    array[77_777], array[12] = 5.0, -3.0
    drawn = draw(array)
    assert drawn is not None
    (shape,) = re.findall(r'class="curve" d="([^"]*)"', drawn.body)
    heights = {float(y) for _, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", shape)}
    assert (min(heights), max(heights)) == (6.0, 106.0)


def test_a_tree_is_drawn_as_its_shape_and_told_as_text() -> None:
    value = Value("Tree R[2]", PHRASE)
    assert (
        to_text(value)
        == "Node (Node (Leaf [-1. ,  0.5]) (Leaf [0., 2.])) (Leaf [3., 4.]) : Tree R[2]"
    )
    shown = to_html(value)
    assert "5 nodes, depth 3, 6 numbers" in shown
    assert shown.count('<path class="branch"') == 4
    names = re.findall(r">(Node|Leaf)</text>", shown)
    assert sorted(names) == ["Leaf"] * 3 + ["Node"] * 2


def test_nodes_of_one_level_do_not_overlap() -> None:
    rng = numpy.random.default_rng(1)

    def grown(depth: int) -> DataValue:
        if depth == 0 or rng.uniform() < 0.25:
            return leaf(*rng.normal(size=rng.integers(1, 5)))
        return DataValue("Several", ([grown(depth - 1) for _ in range(rng.integers(1, 4))],))

    for _ in range(20):
        drawn = draw(grown(4))
        assert drawn is not None
        places: dict[str, list[tuple[float, float]]] = {}
        for x, y, name in re.findall(r'x="([\d.]+)" y="([\d.]+)"[^>]*>(\w+)</text>', drawn.body):
            half = 7.3 * len(name) / 2
            places.setdefault(y, []).append((float(x) - half, float(x) + half))
        for level in places.values():
            level.sort()
            assert all(a[1] <= b[0] for a, b in pairwise(level)), level
            assert level[0][0] >= -0.1
            assert level[-1][1] <= drawn.width + 0.1


def test_a_large_tree_is_cut_off_and_says_so() -> None:
    deep = leaf(1.0)
    for _ in range(5000):
        deep = DataValue("Node", (deep, leaf(2.0)))
    wide = DataValue("Many", ([leaf(float(k)) for k in range(3000)],))
    for value in (deep, wide):
        told, drawn = plain(value), draw(value)
        assert drawn is not None
        assert len(told) < 6000
        assert "…" in told
        assert "…" in drawn.body
        assert len(to_html(Value("Tree", value))) < 60_000
    assert "2,989 more" in drawn.body


def test_the_parts_of_a_product_have_their_types() -> None:
    value = Value("(R, (Int, R[40]))", (1.5, (2, numpy.linspace(0, 1, 40))))
    shown = re.sub(r"<[^>]*>", " ", to_html(value))
    for each in ("R ", "1.5", "Int", "2", "R[40]"):
        assert each in shown
    assert components("R[3]") == ["R[3]"]
    assert components("(R -> R)[2]") == ["(R -> R)[2]"]


def test_mathematics_of_numbers() -> None:
    assert to_latex(Value("R", 1.5e-7)) == "$$1.5 \\cdot 10^{-7}$$"
    assert "1 & -2" in to_latex(Value("R[1,2]", numpy.array([[1.0, -2.0]])))
    assert to_latex(Value("C", 1 - 2j)) == "$$1 - 2\\,i$$"
    assert to_latex(Value("R", -numpy.inf)) == "$$-\\infty$$"
    assert to_latex(Value("R[40]", numpy.zeros(40))) == ""
    assert to_latex(Value("Tree", PHRASE)) == ""
    assert to_latex(Value("Text", HOSTILE)) == ""


@pytest.fixture(scope="module")
def session() -> Session:
    made = Session(precision=64)
    made.run("layer : R[8] ~> R[12]\nlayer x = tanh (?W @ x + ?b)\nx = map toReal iota[8]")
    return made


def test_a_function_is_its_wiring(session: Session) -> None:
    picture = of_function(wiring(session.program, "layer"))
    value = Value("R[8] ~> R[12]", None, "layer", picture=picture)
    assert "──[ tanh ]──" in to_text(value)
    assert "<svg" in to_html(value)
    xml.fromstring(to_svg(value))


def test_a_linear_map_is_its_structure(session: Session) -> None:
    picture = of_linear_map(structure(session.function("derivative layer x")))
    value = Value("R[8] -o R[12]", None, "derivative layer x", picture=picture)
    told = to_text(value)
    assert "dense, then diagonal" in told
    assert "Holds 96 + 12 numbers" in told
    assert to_html(value).count('class="entries"') == 2
    xml.fromstring(to_svg(value))


def test_hostile_text_in_a_value_is_text_in_every_form() -> None:
    tree = DataValue(HOSTILE, (DataValue(HOSTILE, (1.0, numpy.zeros(3))), 2.0))
    for value in (
        Value(HOSTILE, tree, HOSTILE, HOSTILE),
        Value(HOSTILE, (HOSTILE, numpy.linspace(0, 1, 40)), HOSTILE),
    ):
        for form in (to_html(value), to_svg(value), to_latex(value)):
            assert "<script" not in form
        assert "alert(1)" in to_text(value)


def test_an_image_is_seen_where_svg_and_style_are_taken_away() -> None:
    shown = to_html(Value("R[20,20]", numpy.eye(20)))
    assert re.search(r'<img [^>]*src="data:image/png;base64,', shown)
