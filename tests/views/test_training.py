"""A training as people follow it, from events made by hand."""

from __future__ import annotations

import io
import re

import numpy
import pytest

from nnfp_kernel.runtime.training.events import (
    Compiled,
    Epoch,
    Event,
    Failure,
    Finished,
    Measured,
    Progress,
    Started,
)
from nnfp_kernel.views.training import POINTS, Course, clock
from nnfp_kernel.widgets import figures

STARTED = Started(90, 10, 10, 27, 3.0, 609, "adam")


def progress(step: int, losses: int = 9) -> Progress:
    return Progress(step, 27, step / 9, numpy.full(losses, 0.5**step), 0.006, 48_200.0, 1.0, 31.0)


def finished(**change: object) -> Finished:
    measured = Measured(2.0, 18, "validation", 0.004, 0.98, True)
    usual: dict[str, object] = {
        "reason": "finished", "step": 27, "epoch": 3.0, "seconds": 49.0,
        "examples_per_second": 48_050.0, "weights": {}, "kept_step": 18, "kept_epoch": 2.0,
        "kept_by": "validation", "measured": measured,
    }  # fmt: skip
    return Finished(**{**usual, **change})  # type: ignore[arg-type]


def course(*events: Event) -> Course:
    made = Course("accuracy")
    for event in events:
        made.add(event)
    return made


WHOLE: tuple[Event, ...] = (
    STARTED,
    Compiled(1.0),
    progress(9),
    Epoch(1, 9, 0.5),
    Measured(1.0, 9, "validation", 0.4, 0.9, True),
    progress(18),
    Epoch(2, 18, 0.0098),
    Measured(2.0, 18, "validation", 0.004, 0.98, True),
    progress(27),
    Epoch(3, 27, 0.005),
    Measured(3.0, 27, "validation", 0.0058, 0.97, False),
)


def test_the_line_says_how_far_it_is() -> None:
    assert course(STARTED).line() == "compiling for 609 weights …"
    assert course(*WHOLE[:8]).line() == (
        "epoch 2 of 3 · training loss 0.0098 · validation loss 0.004 · validation accuracy 0.98 · "
        "48,200 examples/s · 31 s left"
    )


def test_the_end_says_what_is_kept() -> None:
    assert course(*WHOLE, finished()).summary() == (
        "finished: 3 epochs in 49 s. The weights of epoch 2 are kept, the best on validation.\n"
        "training loss 0.005 · validation loss 0.004 · validation accuracy 0.98 · rate 0.006 · "
        "48,200 examples/s"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reason": "until"}, "the goal is reached after 3 epochs"),
        (
            {"reason": "patience", "waited": 4},
            "stopped early: 4 validations without a better one, after 3 epochs",
        ),
        ({"reason": "interrupted", "epoch": 1.44}, "interrupted after 1.4 epochs in 49 s."),
        (
            {"reason": "diverged", "step": 5, "kept_step": 3, "kept_by": "last", "measured": None,
             "failure": Failure(5, numpy.nan, {}, (), None)},
            "stopped: a value turned NaN or infinite in step 5. The weights of step 3 are kept, "
            "the last that were good.",
        ),
        ({"kept_by": "last", "measured": None, "kept_step": 27}, "Its last weights are kept."),
        ({"kept_step": 0}, "The weights are as they were."),
    ],
)  # fmt: skip
def test_every_end_is_told(change: dict[str, object], said: str) -> None:
    assert said in course(*WHOLE, finished(**change)).summary()


@pytest.mark.parametrize("count", range(len(WHOLE) + 1))
def test_the_picture_can_be_drawn_at_any_time(count: int) -> None:
    shown = course(*WHOLE[:count]).to_html()
    assert shown.startswith('<div class="nnfp ')
    assert "nan" not in shown.lower()


def test_the_curve_names_its_lines_and_marks_the_best() -> None:
    shown = course(*WHOLE, finished()).to_html()
    assert re.findall(r">(training|validation)<", shown) == ["training", "validation"]
    assert shown.count("<circle") == 1


def test_a_loss_that_falls_to_the_last_digit_stays_in_the_picture() -> None:
    """Seventeen decades: the curve ends above the axis of the epochs, and the powers of ten
    beside it are few."""
    falls = [Epoch(k, 9 * k, 10.0 ** (1 - k)) for k in range(1, 18)]
    shown = course(STARTED, Compiled(1.0), *falls).to_html()
    places = re.findall(r"[ML]([\d.]+) ([\d.]+)", "".join(re.findall(r'd="M[^"]*L[^"]*"', shown)))
    assert len(places) >= 17
    assert all(20 <= float(y) <= 170 for _, y in places)
    beside = re.findall(r'text-anchor="end">(1e−\d+|[\d.]+)<', shown)
    assert beside[0] == "1"
    assert {len(power) <= 5 for power in beside} == {True}
    assert 3 <= len(beside) <= 9


def test_the_curve_can_be_read_off_under_a_pointer() -> None:
    """Hidden by attributes: where a reader drops the style, nothing lies over the curve."""
    shown = course(*WHOLE, finished()).to_html()
    read = re.findall(r'visibility="hidden">([^<]*)<', shown)
    assert read[1] == "epoch 2 · training 0.0098 · validation 0.004 · accuracy 0.98"
    assert len(read) == 3
    assert re.search(r"\.at:hover text\{visibility:visible\}", shown)
    assert not re.search(r'<rect(?![^>]*fill="none")', shown)
    few = course(STARTED, Compiled(1.0), progress(9)).to_html()
    assert re.findall(r'visibility="hidden">([^<]*)<', few)[2] == "step 3 · loss 0.00195"


def test_while_it_goes_on_the_best_is_told_beside_the_last() -> None:
    going, ended = course(*WHOLE).to_html(), course(*WHOLE, finished()).to_html()
    assert "<b>0.004</b>best, epoch 2<" in going
    assert "weights</div>" in going
    assert ">best<" in going
    assert ">best, kept<" in ended
    assert "best, epoch" not in ended


def test_a_figure_for_paper_says_the_same() -> None:
    figure = figures.training((*WHOLE, finished()), "accuracy")
    lines = [line.get_xydata().tolist() for line in figure.axes[0].lines]
    assert [[1.0, 0.4], [2.0, 0.004], [3.0, 0.0058]] in lines
    assert [[2.0, 0.004]] in lines
    assert "best, kept" in [text.get_text() for text in figure.axes[0].texts]
    assert "The weights of epoch 2 are kept" in figure.texts[0].get_text()
    figure.savefig(io.BytesIO(), format="pdf")


def test_a_long_training_is_thinned_and_an_odd_loss_left_out() -> None:
    made = course(Started(10, 0, 1, 10**6, 1e5, 3, "sgd"), Compiled(0.0))
    for step in range(1000, 200_000, 1000):
        losses = numpy.linspace(1.0, 0.5, 1000)
        losses[::7] = numpy.inf
        losses[::11] = 0.0
        made.add(Progress(step, 10**6, step / 10, losses, None, 1.0, 1.0, 1.0))
    assert POINTS / 2 < len(made.steps) <= 2 * POINTS
    shown = made.to_html()
    assert len(shown) < 40_000
    assert not [path for path in re.findall(r'd="([^"]*)"', shown) if "n" in path]


def test_of_many_epochs_some_are_drawn_and_the_best_and_the_last_are_told() -> None:
    made = course(Started(10, 2, 1, 10**6, 1e5, 3, "sgd"), Compiled(0.0))
    for epoch in range(1, 5000):
        made.add(Epoch(epoch, 10 * epoch, 1 / epoch))
        loss = 0.001 if epoch == 1237 else 0.5 + 1 / epoch
        made.add(Measured(float(epoch), 10 * epoch, "validation", loss, 0.9, epoch == 1237))
    _, training, validation = made.curves()
    assert max(len(training), len(validation)) <= 2 * POINTS + 1
    assert training[-1] == (4999.0, 1 / 4999)
    assert validation[0] == (1.0, 1.5)
    assert made.best is not None
    assert made.best.epoch == 1237
    assert re.search(r"epoch 4,\d+ · training 0.0002\d+ · validation 0.5", made.to_html())


def test_a_metric_with_a_hostile_name_is_shown_as_text() -> None:
    made = Course("<script>")
    for event in WHOLE:
        made.add(event)
    assert "<script>" not in made.to_html()


def test_hours_are_told() -> None:
    assert [clock(x) for x in (0.04, 9.9, 59.4, 60, 3599.6)] == [
        "0.0 s", "9.9 s", "59 s", "1:00", "1:00:00",
    ]  # fmt: skip
