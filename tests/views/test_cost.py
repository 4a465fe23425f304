"""Tables of costs: numbers people read, and the dearest places first."""

from __future__ import annotations

import pytest

from nnfp_kernel.graph.counts import Count
from nnfp_kernel.graph.loops import Moved
from nnfp_kernel.language.source import Source, Span
from nnfp_kernel.linear.planning import Decision
from nnfp_kernel.runtime.calls.cost import Cost, Pass, Timing, Timings
from nnfp_kernel.views.cost import ROWS, loops, places, scaled, times, totals
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


def test_of_every_loop_it_is_told_what_was_decided_and_why() -> None:
    big, small = 64_000_000, 4_000
    cost = Cost(
        (), COST.forward, COST.adjoint, 0,
        (
            Decision(TANH, 4096, 64, big, small, 7_000, "quicker"),
            Decision(PRODUCT, 100, None, small, 400, 7_000, "little"),
            Decision(PRODUCT, 100, None, big, small, 9_000_000, "dearer"),
        ),
        (
            ("forward", Moved("before", TANH, 64, True, 2_000, 250)),
            ("forward", Moved("before", TANH, 64, True, 1_000, 250)),
            ("adjoint", Moved("accumulate", TANH, 64, False, 10, 1_000)),
            ("adjoint", Moved("packed", TANH, 64, True, 4, 1)),
        ),
    )  # fmt: skip
    found = loops(cost, DEFINITIONS)
    assert found is not None
    assert [row[3:] for row in found.rows] == [
        ("segments of 64", "64.0 MB", "4.00 kB", "7.00 k",
         "quicker to make again than to write and read"),
        ("plain", "4.00 kB", "4.00 kB", "0", "little is kept: it stays in a cache"),
        ("plain", "64.0 MB", "64.0 MB", "0",
         "making it again takes longer: 9.00 M operations, for 4.00 kB held"),
        ("forward: input products before", "12.0 kB", "2.00 kB", "0",
         "the matrix is read once, not at each step"),
        ("adjoint: plain", "40 B", "40 B", "0", "summed after would take 4.00 kB"),
        ("adjoint: packed state", "4 arrays", "1 array", "0", "small arrays travel as one"),
    ]  # fmt: skip
    assert found.rows[0][:3] == ("f", "tanh (W @ x)", "4096")
    assert loops(COST, DEFINITIONS) is None
