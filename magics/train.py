"""`%nnfp train NAME --data X,y …`: train the weights of a definition."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from nnfp_kernel.runtime.machine.interrupts import heard

from .over_data import paged
from .verb import Arguments, Verb, View, memory_size
from .workspace import Host, Workspace

if TYPE_CHECKING:
    from nnfp_kernel.runtime.training.events import Epoch, Event, Finished, Measured
    from nnfp_kernel.views.training import Course

    Training = Generator[Event, None, None]

USAGE = """%nnfp train NAME --data X,y,…
    [--loss L] [--metric F] [--valid SHARE or X,y] [--epochs N | --steps N] [--batch N]
    [--optimizer NAME] [--rate RATE] [--schedule NAME] [--warmup N] [--clip NORM]
    [--decay RATE] [--ema SHARE] [--seed N] [--until GOAL] [--patience N]
    [--checkpoint DIR [--every TIME] [--resume]]
    [--devices N or batch=N,AXIS=N] [--shard PATTERN=AXIS]…
    [--memory SIZE] [--film] [--page FILE]"""

ARGUMENTS = Arguments("train", USAGE)
ARGUMENTS.add_argument("name")
ARGUMENTS.add_argument("--data", required=True)
ARGUMENTS.add_argument("--loss")
ARGUMENTS.add_argument("--metric")
ARGUMENTS.add_argument("--valid", default="0")
LENGTH = ARGUMENTS.add_mutually_exclusive_group()
LENGTH.add_argument("--epochs", type=float)
LENGTH.add_argument("--steps", type=int)
ARGUMENTS.add_argument("--batch", type=int, default=32)
ARGUMENTS.add_argument("--optimizer", default="adam")
ARGUMENTS.add_argument("--rate")
ARGUMENTS.add_argument("--schedule")
ARGUMENTS.add_argument("--warmup", type=int, default=0)
ARGUMENTS.add_argument("--clip", type=float)
ARGUMENTS.add_argument("--decay", type=float)
ARGUMENTS.add_argument("--ema", type=float)
ARGUMENTS.add_argument("--seed", type=int)
ARGUMENTS.add_argument("--until")
ARGUMENTS.add_argument("--patience", type=int)
ARGUMENTS.add_argument("--checkpoint")
ARGUMENTS.add_argument("--every", default="60s")
ARGUMENTS.add_argument("--resume", action="store_true")
ARGUMENTS.add_argument("--devices")
ARGUMENTS.add_argument("--shard", action="append", default=[])
ARGUMENTS.add_argument("--memory")
ARGUMENTS.add_argument("--film", action="store_true")
ARGUMENTS.add_argument("--page")

UNBEGUN = View("interrupted before it began. The weights are as they were.")


def run(workspace: Workspace, text: str) -> View | None:
    course: Course | None = None
    with heard() as signals:
        try:
            _, training, course, page = begin(workspace, text)
            if signals:  # and Python dropped it
                raise KeyboardInterrupt
            last = watch(workspace.host, training, course)
        except KeyboardInterrupt:
            if course is not None and course.started is not None:
                raise
            signals.clear()
            return UNBEGUN
    if last.reason == "memory" and last.error is not None:
        raise last.error
    return saved(course, page)


def saved(course: Course, path: str | None) -> View | None:
    """The page of a training, written where one is asked for."""
    if not path:
        return None
    from nnfp_kernel.widgets.training import Training

    return paged(Training(course), None, path, "--page")


def begin(workspace: Workspace, text: str) -> tuple[str, Training, Course, str | None]:
    """What is trained, its training before the first event, its course, and where the page of
    it goes."""
    given = ARGUMENTS.read(text)
    if given.page and not Path(given.page).absolute().parent.is_dir():
        raise UsageError(f"--page {given.page}: there is no folder {Path(given.page).parent}")
    session = workspace.session
    valid = _valid(workspace, given.valid)
    until = _goal(given.until, given.metric, valid != 0 or bool(given.metric))
    data = _data(workspace, given.data, "--data")
    from nnfp_kernel.runtime.training.methods import OPTIMIZERS, SCHEDULES

    try:
        training = session.train(
            given.name,
            data,
            loss=given.loss,
            metric=given.metric,
            valid=valid,
            epochs=given.epochs,
            steps=given.steps,
            batch=given.batch,
            optimizer=_of_python(workspace, given.optimizer, OPTIMIZERS),
            rate=given.rate,
            schedule=_of_python(workspace, given.schedule, SCHEDULES),
            warmup=given.warmup,
            clip=given.clip,
            decay=given.decay,
            ema=given.ema,
            seed=given.seed,
            until=until,
            patience=given.patience,
            checkpoint=given.checkpoint,
            every=_seconds(given.every),
            resume=given.resume,
            devices=given.devices,
            shard=given.shard,
            memory=given.memory and memory_size("--memory", given.memory),
            film=given.film,
        )
    except ValueError as problem:
        raise UsageError(f"{str(problem)[:1].upper()}{str(problem)[1:]}") from None

    from nnfp_kernel.views.training import Course

    return given.name, training, Course(given.metric or "metric"), given.page


def watch(host: Host, training: Training, course: Course) -> Finished:
    """Follow a training to its end, and show how it goes."""
    from nnfp_kernel.runtime.training.events import follow

    with closing(host.live()) as live:

        def view() -> View:
            if course.started is None:
                return UNBEGUN
            line = course.line() if course.finished is None else course.summary()
            return View(line, course.to_html())

        def show(event: Event) -> None:
            course.add(event)
            live.update(view, last=course.finished is not None)

        return follow(training, show)


def _data(workspace: Workspace, names: str, asked: str) -> Any:
    """The columns of these names; or the one stream that is named."""
    from nnfp_kernel.runtime.training.stream import is_stream

    columns = tuple(
        workspace.data(name, f"{asked} {name}") for name in names.replace(",", " ").split()
    )
    if not any(map(is_stream, columns)):
        return columns
    if len(columns) > 1 or asked != "--data":
        raise UsageError(f"{asked} {names}: batches are data alone, each of all that is needed")
    return columns[0]


def _valid(workspace: Workspace, text: str) -> Any:
    """A share of the examples, or the names of others."""
    try:
        return float(text)
    except ValueError:
        return _data(workspace, text, "--valid")


def _of_python(workspace: Workspace, name: str | None, known: Container[str]) -> Any:
    """A name that is known, or else what Python has under it: an optimiser, a schedule."""
    return name if name is None or name in known else workspace.namespace.get(name, name)


TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|)")


def _seconds(text: str) -> float:
    """A time as a person writes it: `60s`, `5m`, `1.5h`."""
    found = TIME.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"--every {text!r}: write a time, for example 60s, 5m or 1h")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


GOAL = re.compile(r"\s*(\w+)\s*(<=|>=|<|>)\s*(\S+)\s*")


def _goal(
    text: str | None, metric: str | None, measures: bool
) -> Callable[[Epoch | Measured], bool] | None:
    """What `--until` asks for, as a question to the events at the end of an epoch.

    Where the weights are measured it asks what was measured, else the epoch's mean loss.
    """
    if text is None:
        return None
    found = GOAL.fullmatch(text)
    wanted = ("loss",) if metric is None else ("loss", metric)
    if found is None or found[1] not in wanted:
        raise UsageError(
            f"--until {text!r}: write a goal, for example --until 'loss < 0.01'. "
            f"It may speak of {' and '.join(wanted)}."
        )
    name, relation, number = found.groups()
    try:
        bound = float(number)
    except ValueError:
        raise UsageError(f"--until {text!r}: {number} is no number") from None
    compare = {
        "<": float.__lt__, "<=": float.__le__, ">": float.__gt__, ">=": float.__ge__,
    }[relation]  # fmt: skip

    def reached(event: Epoch | Measured) -> bool:
        if measures != hasattr(event, "metric"):
            return False
        found = event.loss if name == "loss" else getattr(event, "metric", None)
        return found is not None and compare(found, bound)

    return reached


VERB = Verb(
    "train",
    USAGE,
    "trains the weights of an objective, or of a model with a loss",
    (
        "import numpy\n"
        "X = numpy.random.default_rng(0).normal(size=(200, 3))\n"
        "y = X @ [1.0, -2.0, 0.5] + 0.7",
        "%%nnfp\nmodel : R[3] ~> R\nmodel x = ?w @ x + ?b",
        "%nnfp train model --data X,y --loss squaredError --valid 0.1 --epochs 20 --rate 0.05",
        "%nnfp weights model",
    ),
    run,
    """\
NAME is an objective, example -> R, whose mean over the examples is minimised; an
example is a value of --data X, or a pair for --data X,y, and so on. With --loss L it is
a model: the loss of an example (x, y) is L (NAME x) y. Names of data are looked up in
the program, then in Python; the leading axis of each array counts the examples. Or X is
an iterable of Python's that gives one batch after the other, a tuple of such arrays: it is
read ahead by a thread, and may be larger than memory. Then say how many --steps.

--metric F     shown beside the loss: F (NAME x) y with --loss, else F of an example
--valid SHARE  examples held out; the weights with the least loss on them are kept. Or the
               names of such examples, as in --data
--epochs N     passes over the examples (5), or --steps N
--batch N      examples in a step (32)
--optimizer    adam adamw nadam radam adabelief adagrad lamb lion rmsprop sgd momentum
               nesterov; or what Python has under that name, made by optax
--rate RATE    a number, the peak of the schedule
--schedule     constant linear cosine exponential warmup one-cycle, or one of Python; with
               its peak in one: --rate 'cosine 0.01'
--warmup N     the rate rises from 0 in so many steps, before the schedule
--clip NORM    a gradient, of all weights together, longer than that is shortened to it
--decay RATE   weights are pulled to zero by this share of the rate, apart from the gradient
               (as in adamw); 1e-4, say
--ema SHARE    the weights' moving average, of which so much stays in each step, is what is
               validated and kept: 0.999
--seed N       of the order of examples and of draws; the session's if not given
--until GOAL   stop when it is reached at the end of an epoch: 'loss < 0.01',
               'accuracy >= 0.98'; on the examples held out, if there are any
--patience N   stop when N validations in a row were no better than the best
--checkpoint   a folder in which the training itself is kept, --every 60s and at its end;
               after an interrupt or a crash, --resume goes on from there, to the same
               weights as without
--devices N    so many devices, each with its share of every batch; %nnfp devices lists them.
               Or a mesh: --devices batch=2,model=4 has shares for 2, each on 4 devices
--shard        the weights of these paths are split along an axis of the mesh, and are not
               whole on every device: 'attention.*=model' by their first axis,
               'net.dense.W=_,model' by their second, 'net.dense.b=_' not at all. The first
               that fits holds; %nnfp devices NAME shows what comes of it
--memory SIZE  the bytes it may take, 2GB or 500MB, where that is less than there are: loops
               then keep less for their derivative and make it again. What it will take is
               counted before it starts, and told where that is more than what is free
--film         keeps enough moments of it for %nnfp film, however fast it goes
--page FILE    a page of HTML that shows how it went, without a kernel

Interrupt the cell to stop, or press Stop: the best weights so far are kept.""",
    arguments=ARGUMENTS,
)
