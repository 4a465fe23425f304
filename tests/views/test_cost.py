"""Tables of costs: numbers people read, and the dearest places first."""

from __future__ import annotations

import pytest

from nnfp_kernel.graph.counts import Count
from nnfp_kernel.language.source import Source, Span
from nnfp_kernel.runtime.cost import Cost, Pass, Timing, Timings
from nnfp_kernel.views.cost import ROWS, places, scaled, times, totals
from nnfp_kernel.views.table import grid_to_html, grid_to_text

TEXT = Source("f x = tanh (W @ x)\ng x = f x\n", "cell 1")
PRODUCT = Span(TEXT, 1, 13, 1, 18)
TANH = Span(TEXT, 1, 7, 1, 19)
DEFINITIONS = {"f": Span(TEXT, 1, 1, 1, 19), "g": Span(TEXT, 2, 1, 2, 10)}


def once(places: dict[Span | None, Count]) -> Pass:
    return Pass(sum(places.values(), Count()), places, 5000)


COST = Cost(
    ("R[3]",),
    once({PRODUCT: Count(1800, 400, 40), TANH: Count(200, 40, 40)}),
    once({PRODUCT: Count(3600, 800, 80), TANH: Count(400, 80, 40)}),
    480,
)


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [
        (0, "", "0"), (7, "B", "7 B"), (999, "", "999"), (1000, "", "1.00 k"),
        (999_600, "", "1.00 M"), (12_345, "B", "12.3 kB"), (0.5, "s", "500 ms"),
        (1.5e-6, "s", "1.50 µs"), (2e-9, "s", "2.00 ns"),
    ],
)  # fmt: skip
def test_numbers_have_three_digits_and_a_prefix(number: float, unit: str, text: str) -> None:
    assert scaled(number, unit) == text


def test_totals_say_how_much_dearer_the_adjoint_is() -> None:
    text = grid_to_text(totals("f", COST))
    assert text.split("\n")[1].split() == ["forward", "2.00", "k", "440", "B", "80", "B", "5.00",
                                           "kB"]  # fmt: skip
    assert "keeps 480 B for the adjoint, which takes 2.00 times its operations." in text
    assert "for an input R[3]" in text
    assert "<td" in grid_to_html(totals("f", COST))


def test_the_dearest_place_comes_first_with_its_definition() -> None:
    found = places(COST, DEFINITIONS)
    assert found.rows == (
        ("f", "W @ x", "1.80 k", "3.60 k", "90.0 %"),
        ("f", "tanh (W @ x)", "200", "400", "10.0 %"),
    )


def test_many_places_end_in_one_row() -> None:
    text = Source("\n".join(f"f{k} x = {k} * x" for k in range(30)))
    spans = {Span(text, k + 1, 8, k + 1, 13): Count(30 - k) for k in range(30)}
    found = places(Cost((), once(spans), None), {})
    assert len(found.rows) == ROWS + 1
    assert found.rows[-1][1] == f"{30 - ROWS} others"
    assert found.rows[-1][2] == str(sum(range(30 - ROWS + 1)))
    assert all(row[3] == "" for row in found.rows)


def test_times_are_medians_with_quartiles_beside_the_counts() -> None:
    timing = Timing(0.25, (1e-3, 2e-3, 3e-3, 4e-3, 5e-3))
    slower = Timing(0.5, (6e-3,) * 5)
    found = times("f", Timings(timing, slower), COST)
    assert found.rows[0] == (
        "forward", "250 ms", "3.00 ms", "2.00 ms to 4.00 ms", "2.00 k", "520 B", "667 k",
    )  # fmt: skip
    assert found.rows[1][4] == "6.00 k"
    assert "takes 2.00 times the value alone" in found.notes[0]
