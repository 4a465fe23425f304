"""The scene: points, a grid and the decision boundary, carried through a function's stages.

It is numbers alone, without a picture: what the figures and widgets draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy

from ...graph.graph import Graph
from ...language import types as t
from ...language.diagnostics import NnfpError
from ...language.telling import plain
from ...runtime.function import Function
from ..given import required_function
from .names import Names
from .parts import Parts, parts_of
from .plane import boundary, grid_lines
from .run import Run, flattened, shaped, width
from .stage import Stage

Array = Any
MOST = 20_000  # points
LINES, SAMPLES = 13, 61  # of the grid, and along each of its lines
CLASSES = 8  # colours that are still told apart


@dataclass(frozen=True, eq=False)
class Scene:
    """A function's stages with data in them.

    The points of each stage are one array: first the data, then the grid, line after line,
    then the two ends of each segment of the boundary. `points`, `grid` and `boundary` take
    an array of a stage and give their part: [N, d], [lines, samples, d], [B, 2, d].
    """

    name: str
    type: str
    input: str  # what the input is called
    input_type: str
    stages: tuple[Stage, ...]
    count: int
    lines: int
    samples: int
    run: Run = field(repr=False)  # by which more points go through the same stages
    colour: Array | None = None  # [N], what the points are coloured by
    level: float = 0.0  # where a single output changes its answer
    axes: tuple[Array, ...] | None = field(default=None, repr=False)  # frames that stay

    @property
    def classes(self) -> tuple[Any, ...]:
        """The classes that the points are coloured by; none where the colour is a quantity."""
        return classes_of(self.colour)

    @property
    def compared(self) -> bool:
        """Whether there is a decision boundary: the plane's points have classes, and the
        outputs tell which."""
        return has_boundary(self.run, len(self.classes))

    def points(self, of: Array) -> Array:
        return of[: self.count]

    def grid(self, of: Array) -> Array:
        end = self.count + self.lines * self.samples
        return of[self.count : end].reshape(self.lines, self.samples, of.shape[1])

    def boundary(self, of: Array) -> Array:
        rest = of[self.count + self.lines * self.samples :]
        return rest.reshape(-1, 2, of.shape[1])

    @property
    def states(self) -> tuple[Array, ...]:
        """All points before the first stage, and after each."""
        return (self.stages[0].before, *(stage.after for stage in self.stages))

    @property
    def labels(self) -> tuple[str, ...]:
        return (self.input, *(stage.label for stage in self.stages))

    @property
    def types(self) -> tuple[str, ...]:
        return (self.input_type, *(stage.type for stage in self.stages))

    def carrying(self, more: Array) -> tuple[Stage, ...]:
        """The stages with more points of the input [K, n] behind those that are there."""
        together = numpy.concatenate([self.states[0], more])
        values = self.run.values(shaped(together, self.run.sources))
        return tuple(self.run.stage(part, values) for part in self.run.parts.parts)

    def trace(self, point: int) -> tuple[Array, ...]:
        """One point of the data, in the input and after each stage."""
        return tuple(state[point] for state in self.states)

    @cached_property
    def frames(self) -> tuple[Array, ...]:
        """For each state the axes it is seen along, [d, k], orthonormal, k = 3 at most.

        Up to two dimensions are seen as they are. Of more, the principal axes of the data,
        turned so that the picture moves least from the one before.
        """
        if self.axes is not None:
            return self.axes
        found: list[Array] = []
        for state in self.states:
            points = self.points(state)
            if points.shape[1] <= 2:
                found.append(numpy.eye(points.shape[1]))
                continue
            centred = points - points.mean(0)
            axes = numpy.linalg.svd(centred, full_matrices=len(points) < 3)[2][:3].T
            if found:
                before = self.points(self.states[len(found) - 1])
                seen = (before - before.mean(0)) @ found[-1]
                wide = numpy.zeros((len(seen), axes.shape[1]))
                wide[:, : seen.shape[1]] = seen[:, : axes.shape[1]]
                left, _, right = numpy.linalg.svd((centred @ axes).T @ wide)
                axes = axes @ (left @ right)
            found.append(axes)
        return tuple(found)

    def seen(self, state: int) -> Array:
        """All points of a state along its axes."""
        seen: Array = self.states[state] @ self.frames[state]
        return seen


def scene(
    function: Function,
    *inputs: Any,
    colour: Any = None,
    lines: int = LINES,
    samples: int = SAMPLES,
    level: float | None = None,
) -> Scene:
    """The scene of a function of the session with its present weights, over data.

    >>> import numpy
    >>> from nnfp_kernel import Session
    >>> session = Session(precision=64)
    >>> _ = session.run("net : R[2] ~> R[2]\\nnet = dense[3] >> tanh >> dense[2]")
    >>> made = scene(session["net"], numpy.random.default_rng(0).normal(size=(50, 2)))
    >>> made.labels
    ('x', 'dense[3]', 'tanh', 'dense[2]')
    >>> [stage.kind for stage in made.stages]
    ['affine', 'pointwise', 'affine']
    >>> made.stages[1].at(0.5).shape == made.stages[1].after.shape
    True

    `inputs` are as for `Function.batch`: arrays with the examples along the first axis, of
    points, images or sequences (all of one length). `colour` has a number or a class for
    each. A grid goes with inputs of one or two numbers.

    With classes and an input of two numbers the decision boundary is there: where the largest
    of several outputs changes, as many as there are classes; of one output, where it passes
    `level`, which is 0 unless it is told (0.5 after `sigmoid`).

    Raises NnfpError for what cannot be shown, and says what would work; TypeError for what is no
    function of a session.
    """
    arrays = _examples(required_function(function), inputs)
    count = len(arrays[0])
    if colour is not None and numpy.shape(colour) != (count,):
        raise _refused(
            function, f"the colour is {numpy.shape(colour)}: expected a number or a class for "
            f"each of the {count:,} points", "It is an array with one axis, as long as the data.",
        )  # fmt: skip
    call = function.call_for(*_first(inputs))
    traced = call.traced
    _require_shown(function, traced, arrays)
    graph = traced.vectorised
    graph = Graph(graph.inputs, graph.nodes, graph.outputs[: len(traced.answers)])
    program = function.program
    parts = parts_of(graph, traced.arguments, program.primitives, Names(program))
    if not parts.parts:
        raise _refused(
            function, f"{function.name} has no stages: its answer is its input, or does not "
            "depend on it", "What is shown is what maps and functions do to the input.",
        )  # fmt: skip
    held = function.held_arrays(call, function.session_weights(), None)
    run = Run(parts, held, function, call)
    whole = zip(arrays, run.sources, strict=True)  # real numbers may be given for complex ones
    flat = flattened([own + 0j if wire.type.kind == "C" else own for own, wire in whole])
    if level is None:
        level = 0.5 if parts.parts[-1].label == "sigmoid" else 0.0
    carried, drawn = _carried(run, flat, parts, lines, samples, len(classes_of(colour)), level)
    values = run.values(shaped(carried, run.sources))
    for wire in parts.parts[-1].sinks:
        if not numpy.isfinite(run.flat(values, [wire])[:count]).all():
            raise _refused(
                function, f"{function.name} gives NaN or infinity for some of these points",
                "Look at its weights, or leave those points out.",
            )  # fmt: skip
    return Scene(
        function.name,
        function.type,
        _input_name(function),
        _input_type(call.types),
        tuple(run.stage(part, values) for part in parts.parts),
        count,
        drawn,
        samples,
        run,
        None if colour is None else numpy.asarray(colour),
        level,
    )


# --- the input ---------------------------------------------------------------------------------


def _refused(function: Function, title: str, *notes: str) -> NnfpError:
    place = function.definition.span
    return NnfpError(plain("no-scene", title, place, f"has type {function.type}", notes=notes))


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, tuple):
        return [leaf for part in value for leaf in _leaves(part)]
    return [value]


def _first(inputs: Sequence[Any]) -> list[Any]:
    """The first example."""

    def first(value: Any) -> Any:
        return tuple(map(first, value)) if isinstance(value, tuple) else numpy.asarray(value)[0]

    return [first(value) for value in inputs]


def _examples(function: Function, inputs: Sequence[Any]) -> list[Array]:
    """The arrays of the data, as many examples in each; raises NnfpError for others."""
    domains = function.calls.domains(len(inputs))
    if any(map(function.program.declarations.has_data, domains)):
        raise _refused(
            function, f"an input of {function.name} is a `data` value, which is no point",
            "Show what follows once it is reduced: a function of the catamorphism's result.",
        )  # fmt: skip
    arrays = []
    for value in [leaf for each in inputs for leaf in _leaves(each)]:
        try:
            array = numpy.asarray(value, dtype=complex if numpy.iscomplexobj(value) else float)
        except (TypeError, ValueError):
            raise _refused(
                function, f"the data of {function.name} are no array of numbers",
                "Examples lie along the first axis, and all have one shape; of sequences, take "
                "those of one length together.",
            ) from None  # fmt: skip
        arrays.append(array)
    counts = {array.shape[:1] for array in arrays}
    if len(counts) != 1 or () in counts or (0,) in counts:
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise _refused(
            function, f"there are no examples along the first axis of the data: {shapes}",
            "One point alone is a set of one: `x[None]`.",
        )  # fmt: skip
    count = len(arrays[0])
    if count > MOST:
        raise _refused(
            function, f"these are {count:,} points: at most {MOST:,} can be drawn",
            f"Take every {-(-count // MOST)}th: `X[::{-(-count // MOST)}]`.",
        )  # fmt: skip
    for array in arrays:
        bad = numpy.flatnonzero(~numpy.isfinite(array.reshape(count, -1)).all(1))
        if len(bad):
            raise _refused(
                function, f"example {int(bad[0])} of the data has NaN or infinity in it",
                "Leave it out: `X[numpy.isfinite(X).all(axis=1)]`.",
            )  # fmt: skip
    return arrays


def _require_shown(function: Function, traced: Any, arrays: Sequence[Array]) -> None:
    if traced.draws:
        raise _refused(
            function, f"{function.name} draws at random: each evaluation has other stages",
            "Show the part that does not draw, or hand the draw over as an input.",
        )  # fmt: skip
    wires = traced.graph.inputs[: traced.arguments]
    shapes = [array.shape[1:] for array in arrays]
    if shapes != [wire.type.shape for wire in wires]:
        wanted = ", ".join(str(wire.type) for wire in wires)
        raise _refused(
            function, f"examples of the data have the shapes {shapes}: expected {wanted}",
            "Examples lie along the first axis.",
        )  # fmt: skip
    if not any(wire.type.size for wire in wires):
        raise _refused(
            function, f"there is nothing in the examples of the data: their shapes are {shapes}",
            "A point has one number at least, and a sequence one element.",
        )  # fmt: skip
    if not any(wire.type.differentiable for wire in wires):
        raise _refused(
            function, f"{function.name} takes whole numbers, which lie in no space",
            "Show what follows once they are vectors: the function after `embed` or `onehot`.",
        )  # fmt: skip


def _input_name(function: Function) -> str:
    """What the program calls the input; x, where it does not."""
    parameter = getattr(function.definition.body, "parameter", None)
    name = getattr(getattr(parameter, "argument", parameter), "name", None)
    return name if isinstance(name, str) else "x"


def _input_type(types: Sequence[t.Type]) -> str:
    names = [t.show(type) for type in types]
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def classes_of(colour: Any) -> tuple[Any, ...]:
    """The classes among colours, in order: few whole numbers, Booleans or words."""
    if colour is None:
        return ()
    values = numpy.unique(numpy.asarray(colour))
    numbers = values.dtype.kind == "f"
    if len(values) > CLASSES or (numbers and not (values == values.round()).all()):
        return ()
    return tuple(values.tolist())


def has_boundary(run: Run, classes: int) -> bool:
    """Whether there can be a boundary: of a plane, parted into as many answers as classes."""
    sinks = run.parts.parts[-1].sinks
    outputs = sum(map(width, sinks))
    compared = outputs == classes if outputs > 1 else classes == 2
    wires = (*run.sources, *sinks)
    plane = sum(map(width, run.sources)) == 2
    return plane and compared and all(wire.type.kind == "R" for wire in wires)


def _carried(
    run: Run, flat: Array, parts: Parts, lines: int, samples: int, classes: int,
    level: float,
) -> tuple[Array, int]:  # fmt: skip
    """The data with the grid and the boundary behind them; how many lines the grid has."""
    size = flat.shape[1]
    real = all(wire.type.kind == "R" for wire in run.sources)
    if size > 2 or not real or lines < 2:
        return flat, 0
    drawn = grid_lines(flat, lines, samples)
    together = [flat, *drawn]
    if has_boundary(run, classes):
        sinks = parts.parts[-1].sinks

        def answer(points: Array) -> Array:
            values = run.values(shaped(points, run.sources), sinks)
            return numpy.nan_to_num(run.flat(values, sinks))

        together.append(boundary(flat, answer, level).reshape(-1, 2))
    return numpy.concatenate(together), len(drawn)
