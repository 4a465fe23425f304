"""A training as people follow it: a line of text, and a small picture with the loss.

`Course` gathers the events of `runtime.training`; `line`, `summary` and `to_html` are
what has happened so far. Nothing here waits, prints or trains.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..language.palette import picture
from ..runtime.machine.memory import said
from ..runtime.training import events
from ..runtime.training.stream import STRETCH, raised
from .style import escape, page
from .thinned import Thinned

POINTS = 240  # at most, of a drawn curve: longer ones are thinned
LEVELS = 8  # at most, of the lines between the lowest and the highest loss
DECADES = 20  # at most, that a curve goes down: what lies deeper lies on its floor
READ = 60  # at most, of the places of a curve that can be read off
Points = list[tuple[float, float]]


@dataclass
class Course:
    """The course of a training, event by event."""

    metric_name: str = "metric"
    started: events.Started | None = None
    progress: events.Progress | None = None
    finished: events.Finished | None = None
    epochs: Thinned[events.Epoch] = field(default_factory=lambda: Thinned(2 * POINTS))
    held: Thinned[events.Measured] = field(default_factory=lambda: Thinned(2 * POINTS))
    best: events.Measured | None = None  # the least validation loss so far
    measured: events.Measured | None = None  # what was measured last
    steps: list[tuple[float, float]] = field(default_factory=list)  # epoch and loss, thinned
    notes: dict[str, str] = field(default_factory=dict)  # what to look at, by its kind
    compiled: bool = False
    _stride: int = 1
    _seen: int = 0

    def add(self, event: events.Event) -> None:
        match event:
            case events.Started():
                self.started = event
            case events.Compiled():
                self.compiled = True
            case events.Progress():
                self.progress = event
                self._add_steps(event)
            case events.Epoch():
                self.epochs.add(event)
            case events.Measured():
                self._add_measured(event)
            case events.Warned():
                self.notes[event.what] = _warning(event)
            case events.Saved(file=file, problem=problem):
                self.notes["saved"] = problem and f"No checkpoint is written to {file}: {problem}."
            case events.Finished():
                self.finished = event

    def _add_steps(self, event: events.Progress) -> None:
        first, per_epoch = -self._seen % self._stride, event.epoch / event.step
        losses = event.losses[first :: self._stride].tolist()
        step = event.step - len(event.losses) + 1 + first
        self.steps += [
            ((step + k * self._stride) * per_epoch, loss) for k, loss in enumerate(losses)
        ]
        self._seen += len(event.losses)
        while len(self.steps) > 2 * POINTS:
            self.steps, self._stride = self.steps[::2], 2 * self._stride

    def _add_measured(self, event: events.Measured) -> None:
        self.measured = event
        if event.on == "validation":
            self.held.add(event)
            if _drawable(event.loss) and (self.best is None or event.loss < self.best.loss):
                self.best = event

    # --- what can be said ----------------------------------------------------------------

    @property
    def share(self) -> float:
        """How much of the planned steps are taken."""
        if self.finished and self.finished.reason == "finished":
            return 1.0
        return self.progress.step / self.progress.steps if self.progress else 0.0

    @property
    def by_epochs(self) -> bool:
        """Whether it is told in epochs: not of less than one, nor of a stream."""
        return self.started is not None and self.started.examples > 0 and self.started.epochs > 1

    def place(self) -> tuple[str, str]:
        """`epoch 3`, `of 20`; for a training shorter than an epoch, its steps."""
        assert self.started
        if self.by_epochs:
            now = math.ceil(self.progress.epoch - 1e-9) if self.progress else 1
            whole = math.ceil(self.started.epochs - 1e-9)
            return f"epoch {min(max(now, 1), whole):,}", f"of {whole:,}"
        step = self.progress.step if self.progress else 0
        return f"step {step:,}", f"of {self.started.steps:,}"

    def numbers(self) -> list[tuple[str, str]]:
        """What to read off now: a number and what it is, the most telling first."""
        said: list[tuple[str, str]] = []
        about = self.finished.measured if self.finished else self.measured
        loss = self.epochs.last.loss if self.epochs.last else None
        if loss is None and self.progress:
            loss = self.progress.loss
        if loss is not None:
            both = about is not None and about.on == "validation"
            said.append((short(loss), "training loss" if both else "loss"))
        if about is not None:
            held = about.on == "validation"
            if held:
                said.append((short(about.loss), "validation loss"))
            if about.metric is not None:
                where = "validation " if held else "training "
                said.append((short(about.metric), where + self.metric_name))
        if self.progress and self.progress.rate is not None:
            said.append((short(self.progress.rate), "rate"))
        if self.progress:
            said.append((f"{self.progress.examples_per_second:,.0f}", "examples/s"))
        return said

    def curves(self) -> tuple[Points, Points, Points]:
        """What is drawn: epoch and loss of steps, of epochs and of validation."""
        return (
            [(x, y) for x, y in self.steps if _drawable(y)],
            [(float(e.epoch), e.loss) for e in self.epochs if _drawable(e.loss)],
            [(m.epoch, m.loss) for m in self.held if _drawable(m.loss)],
        )

    @property
    def unit(self) -> str:
        """What an epoch is called: of a stream it is a stretch of steps."""
        return "epoch" if self.started and self.started.examples else f"{STRETCH} steps"

    def _beside(self) -> list[tuple[str, str]]:
        """What a picture has room for, while it goes on."""
        best, said = self.best, list[tuple[str, str]]()
        if self.finished or not (self.started and self.compiled):
            return said
        if best is not None:
            when = f"epoch {round(best.epoch)}" if self.by_epochs else f"step {best.step:,}"
            said.append((short(best.loss), f"best, {when}"))
        return [*said, (f"{self.started.weights:,}", "weights")]

    def line(self) -> str:
        """One line that says how far it is."""
        if self.finished:
            return self.headline()
        if self.started is None:
            return "…"
        if not self.compiled:
            return f"compiling for {self.started.weights:,} weights …"
        parts = [" ".join(self.place())]
        parts += [
            f"{what} {number}" if what != "examples/s" else f"{number} {what}"
            for number, what in self.numbers()
            if what != "rate"
        ]
        if self.progress:
            parts.append(f"{clock(self.progress.seconds_left)} left")
        return " · ".join(parts)

    def headline(self) -> str:
        """How it ended and which weights are kept."""
        assert self.finished
        assert self.started
        end = self.finished
        unit, whole, before = "epoch", end.epoch, self._resumed_at()
        if not self.by_epochs:
            unit, whole, before = "step", end.step, self.started.resumed
        new = f", the last {_number(whole - before)}" if before else ""
        ran = f"{_count(whole, unit)}{new} in {clock(end.seconds)}"
        cause = end.failure.cause if end.failure else ""
        where = f" It came from {cause}." if cause else ""
        how = {
            "finished": f"finished: {ran}.",
            "until": f"finished: the goal is reached after {ran}.",
            "patience": f"stopped early: {_count(end.waited, 'validation')} without a better one, "
            f"after {ran}.",
            "interrupted": f"interrupted after {ran}.",
            "exhausted": f"finished: the data ended after {ran}.",
            "data": f"stopped: the data raised {raised(end.error) if end.error else ''} after "
            f"{ran}.",
            "memory": f"stopped: there was not enough memory, after {ran}.",
            "diverged": f"stopped: a value turned NaN or infinite in step {end.step:,}.{where}",
        }[end.reason]
        return f"{how} {self.kept()}"

    def _resumed_at(self) -> float:
        """The epochs that were behind it when it went on from a checkpoint."""
        assert self.started
        return self.started.resumed / self.started.steps * self.started.epochs

    def kept(self) -> str:
        """Which weights are kept, and why these."""
        assert self.finished
        assert self.started
        end = self.finished
        if end.kept_step == 0:
            return "The weights are as they were."
        which = f"of step {end.kept_step:,}"
        if self.by_epochs and end.measured is not None and end.kept_epoch >= 1:
            which = f"of epoch {round(end.kept_epoch)}"
        if end.kept_by == "validation":
            return f"The weights {which} are kept, the best on validation."
        if end.reason == "diverged":
            return f"The weights {which} are kept, the last that were good."
        return "Its last weights are kept."

    def summary(self) -> str:
        """The end of it as text: how it ended, and the numbers."""
        numbers = [
            f"{number} {what}" if what == "examples/s" else f"{what} {number}"
            for number, what in self.numbers()
        ]
        return "\n".join([self.headline(), " · ".join(numbers), *filter(None, self.notes.values())])

    # --- as a picture --------------------------------------------------------------------

    def to_html(self) -> str:
        """Progress, loss curve and numbers; the same when it has finished."""
        if self.started is None:
            return page("")
        if self.finished:
            how, _, rest = self.headline().partition(":")
            if self.finished.reason == "interrupted":
                how, _, rest = self.headline().partition(" ")
            top = f"<b>{escape(how)}</b><span class='small'>{escape(rest.strip())}</span>"
        elif not self.compiled:
            top = f"<span class='small'>{escape(self.line())}</span>"
        else:
            now, whole = self.place()
            left = clock(self.progress.seconds_left) + " left" if self.progress else ""
            top = (
                f"<b>{escape(now)}</b><span class='small'>{escape(whole)}</span>"
                f"<div class='bar'><i style='width:{100 * self.share:.1f}%'></i></div>"
                f"<span class='small'>{escape(left)}</span>"
            )
        stats = "".join(
            f"<div><b>{escape(number)}</b>{escape(what)}</div>"
            for number, what in [*self.numbers(), *self._beside()]
        )
        notes = "".join(
            f"<div class='small'>{escape(note)}</div>" for note in self.notes.values() if note
        )
        line = f"<div class='line'>{top}</div>"
        return page(f"{line}{picture(self._curve())}<div class='stats'>{stats}</div>{notes}")

    def _curve(self) -> str:
        """The loss of steps, of epochs and of validation, on one logarithmic scale."""
        steps, training, validation = self.curves()
        drawn = [*steps, *training, *validation]
        if len(drawn) < 2:
            return ""
        width, height, left, top = 520.0, 150.0, 44.0, 20.0
        low, high = _decades([y for _, y in drawn])
        last = max(self.started.epochs if self.started else 1.0, max(x for x, _ in drawn))
        if self.finished:
            last = max(x for x, _ in drawn)

        def place(x: float, y: float) -> tuple[float, float]:
            share = max((math.log10(y) - low) / (high - low), 0.0)
            return left + x / last * width, top + (1 - share) * height

        unit = self.unit
        parts = []
        every = math.ceil((high - low) / LEVELS)
        for exponent in range(high, low - 1, -every):
            _, y = place(0, 10.0**exponent)
            parts.append(
                f'<path d="M{left} {y:.1f}H{left + width}" stroke="var(--nn-hair)"/>'
                f'<text x="{left - 8}" y="{y + 3.5:.1f}" text-anchor="end">'
                f"{_power(exponent)}</text>"
            )
        bottom = top + height
        end = left + width
        for epoch in _ticks(last):
            x, _ = place(epoch, 10.0**low)
            label = f"{epoch:,.10g}"
            end = max(end, x + 3 * len(label))  # half of it: a digit is 6 wide
            parts.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{label}</text>')
        parts.append(f'<text x="{end + 5:.1f}" y="{bottom + 16}">{unit}</text>')
        parts.append(_path([place(*p) for p in steps], 'stroke-opacity=".18"'))
        if len(training) > 1:
            parts.append(_path([place(*p) for p in training], 'stroke-width="1.2"', "--nn-ink2"))
        if len(validation) > 1:
            parts.append(_path([place(*p) for p in validation], 'stroke-width="2"'))
        named = (("training", training), ("validation", validation))
        labels = [(name, points) for name, points in named if len(points) > 1]
        heights = _apart([place(*points[-1])[1] for _, points in labels], 14.0)
        for (name, points), y in zip(labels, heights, strict=True):
            x, _ = place(*points[-1])
            bold = ' font-weight="600" fill="var(--nn-ink)"' if name == "validation" else ""
            parts.append(f'<text x="{x + 10:.1f}" y="{y + 4:.1f}"{bold}>{name}</text>')
        best = self.best
        if best is not None:
            x, y = place(best.epoch, best.loss)
            said = "best, kept" if self.finished else "best"
            late = labels and x > place(labels[0][1][-1][0], 1.0)[0] - 30
            anchor, beside = ("end", x - 4) if late else ("middle", x)
            under = y + 17 if y + 17 < bottom - 3 else y - 9
            parts.append(
                f'<text x="{beside:.1f}" y="{under:.1f}" text-anchor="{anchor}" '
                'paint-order="stroke" stroke="var(--nn-paper)" stroke-width="3">'
                f"{said}</text>"
            )
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="var(--nn-paper)" '
                'stroke="var(--nn-ink)" stroke-width="1.6"/>'
            )
        read = [(place(x, 1.0)[0], said) for x, said in self._read_off()]
        wide = (read[-1][0] - read[0][0]) / (len(read) - 1) if len(read) > 1 else 8.0
        parts += [_band(x, wide, said, (left, top, width, height)) for x, said in read]
        size = round(left + width + 90), round(bottom + 24)
        return (  # where there is less room it is smaller as a whole
            f'<svg role="img" aria-label="{escape(self.line())}" width="{size[0]}" '
            f'height="{size[1]}" viewBox="0 0 {size[0]} {size[1]}" '
            'style="max-width:100%;height:auto;font:10.5px var(--nn-ui);fill:var(--nn-ink3)">'
            f"{''.join(parts)}</svg>"
        )

    def _read_off(self) -> list[tuple[float, str]]:
        """What the curve says at some of its places, in epochs: at the ends of epochs, or, of
        a training that has no two, at steps."""
        held = {round(m.epoch): m for m in self.held}
        epochs = list(self.epochs)
        if len(epochs) > 1:
            found = []
            for each in epochs[:: -(-len(epochs) // READ)]:
                said = f"epoch {each.epoch:,} · training {short(each.loss)}"
                at = held.get(each.epoch)
                if at is not None:
                    said += f" · validation {short(at.loss)}"
                    if at.metric is not None:
                        said += f" · {self.metric_name} {short(at.metric)}"
                found.append((float(each.epoch), said))
            return found
        if self.progress is None:
            return []
        per_epoch = self.progress.epoch / self.progress.step
        thinned = self.steps[:: -(-len(self.steps) // READ) or 1]
        return [(x, f"step {round(x / per_epoch):,} · loss {short(loss)}") for x, loss in thinned]


def _warning(event: events.Warned) -> str:
    """What a person should look at, and what helps."""
    if event.what == "grows":
        return (
            f"The loss is {short(event.factor)} times what it was at the start: "
            "a lower --rate may help."
        )
    if event.what == "memory":
        return (
            f"It may take more memory than the {said(event.free)} that are free: "
            f"{event.estimate}. A smaller --batch takes less; under a bound, --memory 2GB, "
            "long loops keep less for their derivative."
        )
    paths = [*event.paths[:3], *([f"{len(event.paths) - 3} more"] if event.paths[3:] else [])]
    named = " and ".join([", ".join(paths[:-1]), paths[-1]] if paths[1:] else paths)
    does = "do" if paths[1:] else "does"
    return (
        f"After {event.step:,} steps {named} {does} not move: the gradient is zero. A relu that "
        "is never active, or a loss that does not depend on it, would do that."
    )


def _band(x: float, wide: float, said: str, frame: tuple[float, float, float, float]) -> str:
    """A place of the curve under a pointer: a line through it, and above what it says. Hidden
    by attributes, for not every reader of a notebook keeps its style."""
    left, top, width, height = frame
    return (
        f'<g class="at"><rect x="{x - wide / 2:.1f}" y="{top}" width="{wide:.1f}" '
        f'height="{height}" fill="none" pointer-events="all"/>'
        f'<path d="M{x:.1f} {top}v{height}" stroke="var(--nn-ink3)" visibility="hidden"/>'
        f'<text x="{left + width}" y="{top - 8}" text-anchor="end" visibility="hidden">'
        f"{escape(said)}</text></g>"
    )


def _drawable(loss: float) -> bool:
    return math.isfinite(loss) and loss > 0


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """The powers of ten that enclose the values, one decade at least and `DECADES` at most."""
    low = math.floor(math.log10(min(values)))
    high = math.ceil(math.log10(max(values)))
    return max(low, high - DECADES), max(high, low + 1)


def _power(exponent: int) -> str:
    """A power of ten that has room beside the curve."""
    if -3 <= exponent <= 4:
        return short(10.0**exponent)
    return f"1e{exponent}".replace("-", "−")


def _ticks(last: float) -> list[float]:
    """A few round numbers from 0 to `last`."""
    if last <= 0:
        return []
    raw = last / 4
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * k for k in (1, 2, 5, 10) if unit * k >= raw)
    return [k * step for k in range(int(last / step + 1e-9) + 1)]


def _apart(heights: list[float], least: float) -> list[float]:
    """Labels moved so that they do not lie over each other."""
    if len(heights) == 2 and abs(heights[0] - heights[1]) < least:
        middle = sum(heights) / 2
        sign = 1 if heights[0] >= heights[1] else -1
        return [middle + sign * least / 2, middle - sign * least / 2]
    return heights


def _path(points: Sequence[tuple[float, float]], style: str, ink: str = "--nn-ink") -> str:
    stride = max(1, len(points) // POINTS)
    thinned = [*points[:-1:stride], *points[-1:]]
    d = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in thinned)
    return f'<path d="{d}" fill="none" stroke="var({ink})" stroke-linejoin="round" {style}/>'


def short(x: float) -> str:
    """A number to read at a glance: about three digits.

    >>> short(0.01234), short(1.5), short(1234.5), short(0.0)
    ('0.0123', '1.5', '1,234', '0')
    """
    if not math.isfinite(x):
        return str(x)
    if abs(x) >= 1000:
        return f"{x:,.0f}"
    return f"{x:.3g}"


def clock(seconds: float) -> str:
    """Seconds as people say them.

    >>> clock(0.5), clock(49.2), clock(191), clock(7300)
    ('0.5 s', '49 s', '3:11', '2:01:40')
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _number(number: float) -> str:
    return f"{number:,.0f}" if abs(number - round(number)) < 0.05 else f"{number:,.1f}"


def _count(number: float, noun: str) -> str:
    text = _number(number)
    return f"{text} {noun}" + ("" if text == "1" else "s")
