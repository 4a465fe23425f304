"""Training on: one more training like the last, of the data that a hand has changed.

    training_on(session, scene, points, kinds)     the events of `Session.train`, and in words
                                                   what is minimised

The last training of a name that reaches the function's weights says by which loss, and how;
its data make way for those of the scene where they mean the same. Without one the loss is
settled by what the function gives and by what its points are coloured by.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy

from ..language.diagnostics import NnfpError
from ..language.telling import plain

if TYPE_CHECKING:
    from ..runtime.training.events import Event
    from ..views.scene import Scene
    from .session import Session

Array = Any
EPOCHS, RATE = 400, 0.01  # where nobody has said how: some seconds for a small network
# A training that goes on from here has no checkpoint to go on from.
OF_ONE = ("checkpoint", "every", "resume")


@dataclass(frozen=True)
class Asked:
    """What a training was asked for, as `Session.train` was."""

    name: str
    data: Any = field(repr=False)
    loss: str | None = None
    metric: str | None = None
    valid: Any = field(default=0.0, repr=False)
    seed: int | None = None
    memory: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def training_on(
    session: Session, scene: Scene, points: Array, kinds: Array, **options: Any
) -> tuple[Generator[Event, None, None], str]:
    """The training, and what it minimises: "crossEntropy, on the points that are seen".

    `points` : [N, n] and `kinds` : [N], the place of each point's class, or its quantity;
    `options` are those of `Session.train`, and come before the last ones. Raises NnfpError
    where nobody has said what to minimise, and ValueError as a training does.
    """
    name = scene.name
    asked = _last(session, scene)
    if asked is not None and "loss" not in options:
        pairs = asked.name == name and asked.loss is not None
        given = {key: value for key, value in asked.options.items() if key not in OF_ONE}
        data = _replaced(scene, asked.data, points, kinds)
        words = _name(scene, asked.loss) if pairs and asked.loss else asked.name
        seen = "on the points that are seen" if data is not None else "on the data it had"
        valid = asked.valid if data is None or isinstance(asked.valid, float | int) else 0.0
        events = session.train(
            asked.name, asked.data if data is None else data, loss=asked.loss,
            metric=asked.metric, valid=valid, seed=asked.seed, memory=asked.memory,
            **{**given, **options},
        )  # fmt: skip
        return events, f"{words}, {seen}"
    loss = options.pop("loss", None)
    found = _loss(scene)
    if found is None and loss is None:
        raise NnfpError(
            plain(
                "no-objective", f"nobody has said what {name} is trained for",
                scene.run.function.definition.span, f"has type {scene.type}",
                notes=(
                    f"Train it once, `%nnfp train {name} --data X,y --loss L`: then it goes on so.",
                ),
            )
        )  # fmt: skip
    own, targets, _ = found or ("", None, "")
    y = kinds if targets is None else numpy.asarray(targets)[kinds.astype(int)]
    default: dict[str, Any] = {"rate": RATE}
    if not {"epochs", "steps"} & options.keys():
        default["epochs"] = EPOCHS
    x = points.reshape(len(points), *_shape(scene))
    events = session.train(name, [x, y], loss=loss or own, **{**default, **options})
    return events, f"{_name(scene, loss or own)}, on the points that are seen"


def _last(session: Session, scene: Scene) -> Asked | None:
    """The last training that moved weights of a function, of those asked for by a name that
    still stands."""
    own = {weight.path for weight in scene.run.function.reached}
    for asked in reversed(session.asked.values()):
        standing = asked.name in session.program.definitions and asked.name not in session.broken
        if standing and own & {weight.path for weight in session.program.reached(asked.name)}:
            return asked
    return None


def _shape(scene: Scene) -> tuple[int, ...]:
    return scene.run.sources[0].type.shape


def _replaced(scene: Scene, data: Any, points: Array, kinds: Array) -> list[Array] | None:
    """A training's data, (X, y), with the points in their place; None where it cannot be told
    what y would be."""
    if not isinstance(data, list | tuple) or len(data) != 2 or len(scene.run.sources) != 1:
        return None
    try:
        x, y = (numpy.asarray(each) for each in data)
    except ValueError:  # lists of examples that differ in shape
        return None
    if x.shape[1:] != _shape(scene) or scene.colour is None:
        return None
    new = _targets(y, len(scene.classes), kinds)
    return None if new is None else [points.reshape(len(points), *x.shape[1:]), new]


def _targets(y: Array, classes: int, kinds: Array) -> Array | None:
    """What y is of points of these kinds: each class has a value of its own, in their order.

    >>> _targets(numpy.array([1.0, -1.0, -1.0]), 2, numpy.array([0.0, 1.0])).tolist()
    [-1.0, 1.0]
    """
    rows = y.reshape(len(y), -1)
    if not classes:
        return kinds.reshape(-1, *y.shape[1:]).astype(y.dtype) if rows.shape[1] == 1 else None
    places = kinds.astype(int)
    if rows.shape[1] == 1:
        values = numpy.unique(rows)
        return values[places].reshape(-1, *y.shape[1:]) if len(values) == classes else None
    if rows.shape[1] != classes or not ((rows == 0) | (rows == 1)).all():
        return None
    onehot = (rows.astype(float).sum(1) == 1).all()
    return numpy.eye(classes)[places].reshape(-1, *y.shape[1:]) if onehot else None


def _name(scene: Scene, loss: str) -> str:
    """A loss in words: what is chosen here by its name in the library."""
    found = _loss(scene)
    return found[2] if found is not None and found[0] == loss else loss


def _loss(scene: Scene) -> tuple[str, list[Any] | None, str] | None:
    """The loss that goes with a function's answer and with its points' colours, what each
    class is for it, and its name; None where that cannot be told."""
    sinks, last = scene.run.parts.parts[-1].sinks, scene.labels[-1]
    if len(sinks) != 1 or sinks[0].type.kind != "R" or len(scene.run.sources) > 1:
        return None
    shape, classes = sinks[0].type.shape, len(scene.classes)
    z = {(): "z", (1,): "(z ! 0)"}.get(shape)
    if scene.colour is None or (z is None and shape != (classes,)):
        return None
    if not classes:
        return rf"\z t -> squaredError {z} t", None, "squaredError"
    if z is not None and classes == 2:
        if last in ("sigmoid", "tanh"):
            ends = [-1.0 if last == "tanh" else 0.0, 1.0]
            return rf"\z t -> squaredError {z} t", ends, "squaredError"
        return rf"\z t -> binaryCrossEntropy {z} t", [0.0, 1.0], "binaryCrossEntropy"
    if shape != (classes,):
        return None
    made = {
        "softmax": r"\p c -> negate (log (p ! c + 1e-12))",
        "logSoftmax": r"\l c -> negate (l ! c)",
    }
    return made.get(last, "crossEntropy"), list(range(classes)), "crossEntropy"
