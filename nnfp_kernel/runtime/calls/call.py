"""A function at inputs of certain types: its graph, and the derivatives made of it.

    split           value with what the derivative needs, and the pullback on that
    gradient        of a scalar answer or its mean over a batch, in the weights
    pushforward     tangents along with the value

Loops are kept or made again as a plan decides (linear/planning.py), by the memory there is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...graph.counts import bytes_of, peak
from ...graph.graph import Builder, Graph, Wire
from ...graph.rewrite import optimise
from ...language import types as t
from ...linear.differentiate import linearize
from ...linear.maps import Network
from ...linear.planning import Plan
from ...linear.residuals import keep, prologue
from ..lower import lower
from .equations import told
from .forms import Fast
from .planned import planned
from .traced import Traced

Array = Any


@dataclass(frozen=True, eq=False)
class Call:
    """A function traced for inputs of certain types, with what is made of its graph."""

    traced: Traced
    types: tuple[t.Type, ...]
    structures: tuple[Any, ...]  # of the data values among the arguments

    @cached_property
    def split(self) -> tuple[Callable[..., Any], Callable[..., Any], int]:
        """The value with what its derivative needs, and the pullback on that.

        (forward, backward, outputs): forward gives outputs ++ kept values; backward
        takes kept values ++ cotangents and gives cotangents of the active inputs. What is
        cheap to make again is not kept (linear/residuals.py).
        """
        forward, backward, outputs = self.split_graphs
        return self._compiled(forward), self._compiled(backward), outputs

    @cached_property
    def split_graphs(self) -> tuple[Graph, Graph, int]:
        """The graphs of `split`."""
        (forward, backward), _ = self.planned_split
        return forward, backward, len(self.traced.vectorised.outputs)

    @cached_property
    def planned_split(self) -> tuple[tuple[Graph, ...], Plan]:
        """The graphs of `split`, and what was decided of their loops."""
        return self._planned(self._split_by)

    def _planned(self, make: Callable[[Plan], tuple[Graph, ...]]) -> tuple[tuple[Graph, ...], Plan]:
        return planned(self.traced.program, make, lambda graphs: graphs)

    def _split_by(self, plan: Plan) -> tuple[Graph, ...]:
        builder, inputs, outputs, derivative = self._linearized(self.active, plan)
        needed = tuple(dict.fromkeys(derivative.fixed))
        kept = keep(builder, needed, {*inputs, *outputs})
        forward = builder.finish([*outputs, *kept])
        back = Builder(builder.primitives)
        again = back.inline(
            prologue(builder, kept, needed), [back.input(wire.type) for wire in kept]
        )
        held = dict(zip(needed, again, strict=True))
        cotangents = [back.input(array) for array in derivative.codomain]
        gradients = derivative.substitute(held).adjoint().apply(back, cotangents)
        return forward, back.finish(_real(back, gradients, derivative.domain))

    @property
    def active(self) -> tuple[bool, ...]:
        """Which inputs are differentiated in: arguments and weights made of real numbers."""
        traced = self.traced
        last = traced.weight_wires.stop
        return tuple(
            k < last and wire.type.differentiable for k, wire in enumerate(traced.vectorised.inputs)
        )

    @property
    def learned(self) -> tuple[bool, ...]:
        """Which inputs are weights made of real numbers."""
        weights = self.traced.weight_wires
        inputs = enumerate(self.traced.vectorised.inputs)
        return tuple(k in weights and wire.type.differentiable for k, wire in inputs)

    def _linearized(
        self, active: Sequence[bool], plan: Plan | None = None
    ) -> tuple[Builder, list[Wire], tuple[Wire, ...], Network]:
        """The graph in a builder of its own: that, its inputs and outputs, and the derivative
        in the active ones."""
        graph = self.traced.vectorised
        builder = Builder(self.traced.program.primitives)
        inputs = [builder.input(wire.type, wire.name) for wire in graph.inputs]
        return builder, inputs, *linearize(builder, graph, inputs, active, plan)

    @cached_property
    def pushforward(self) -> Callable[..., Any]:
        """inputs ++ tangents of the active ones -> outputs ++ their tangents."""
        return self._compiled(self.pushforward_graph)

    @cached_property
    def pushforward_graph(self) -> Graph:
        builder, inputs, outputs, derivative = self._linearized(self.active)
        names = [f"d {wire.name}" for wire, on in zip(inputs, self.active, strict=True) if on]
        tangents = [
            builder.input(array, name) for array, name in zip(derivative.domain, names, strict=True)
        ]
        images = derivative.apply(builder, tangents)
        return builder.finish([*outputs, *_real(builder, images, derivative.codomain)])

    @cached_property
    def pullback_graph(self) -> Graph:
        """inputs ++ cotangents of the outputs -> cotangents of the active inputs."""
        reverse = self.reverse_graph
        cotangents = reverse.outputs[len(self.traced.graph.outputs) :]
        return Graph(reverse.inputs, reverse.nodes, cotangents)

    @cached_property
    def reverse_graph(self) -> Graph:
        """inputs ++ cotangents of the outputs -> outputs ++ cotangents of the active inputs."""
        return self._planned(self._reverse_by)[0][0]

    def _reverse_by(self, plan: Plan) -> tuple[Graph]:
        builder, _, outputs, derivative = self._linearized(self.active, plan)
        cotangents = [builder.input(array, "cotangent") for array in derivative.codomain]
        gradients = derivative.adjoint().apply(builder, cotangents)
        return (builder.finish([*outputs, *_real(builder, gradients, derivative.domain)]),)

    @cached_property
    def gradient(self) -> Callable[..., Any]:
        """inputs -> the scalar answer (its mean over a batch) ++ the numbers of problems,
        where there can be any ++ gradients of the weights made of real numbers."""
        return self._lowered(self.gradient_as_run)

    @cached_property
    def gradient_as_run(self) -> Graph:
        return optimise(self.traced.program.primitives, self.gradient_graph)

    @cached_property
    def live(self) -> int:
        """The bytes alive at most while the gradient is made, beside the weights, counted."""
        return self._live(self.gradient_as_run)

    @cached_property
    def weighted_live(self) -> int:
        """The same while the weighted gradient is made."""
        return self._live(self.weighted_as_run)

    def _live(self, graph: Graph) -> int:
        precision = self.traced.program.precision
        weights = sum(bytes_of(graph.inputs[k].type, precision) for k in self.traced.weight_wires)
        return peak(graph, precision) - weights

    @cached_property
    def gradient_graph(self) -> Graph:
        return self._planned(self._gradient_by)[0][0]

    def _gradient_by(self, plan: Plan) -> tuple[Graph]:
        builder, _, (output, *doubts), derivative = self._linearized(self.learned, plan)
        cotangent = builder.constant(1.0 / max(output.type.size, 1))
        if output.type.shape:
            scale = cotangent
            cotangent = builder.emit("broadcast", scale, shape=output.type.shape, axes=())
            total = builder.emit("sum", output, axes=tuple(range(output.type.rank)))
            output = builder.emit("mul", total, scale)
        gradients = derivative.adjoint().apply(builder, [cotangent])
        return (builder.finish([output, *doubts, *_real(builder, gradients, derivative.domain)]),)

    @cached_property
    def weighted_gradient(self) -> Callable[..., Any]:
        """inputs ++ the share of each example -> the sum of the answers, each times its
        share ++ the numbers of problems, where there can be any ++ gradients of the
        weights made of real numbers."""
        return self._lowered(self.weighted_as_run)

    @cached_property
    def weighted_as_run(self) -> Graph:
        graph = self._planned(self._weighted_by)[0][0]
        return optimise(self.traced.program.primitives, graph)

    def _weighted_by(self, plan: Plan) -> tuple[Graph]:
        builder, _, (output, *doubts), derivative = self._linearized(self.learned, plan)
        shares = builder.input(output.type, "shares")
        total = builder.emit("sum", builder.emit("mul", output, shares), axes=(0,))
        gradients = derivative.adjoint().apply(builder, [shares])
        return (builder.finish([total, *doubts, *_real(builder, gradients, derivative.domain)]),)

    @cached_property
    def fast(self) -> Fast | None:
        """How inputs and weights become arrays at once; None where they are looked at."""
        return Fast.of(self)

    def _compiled(self, graph: Graph) -> Callable[..., Any]:
        return self._lowered(optimise(self.traced.program.primitives, graph))

    def _lowered(self, graph: Graph) -> Callable[..., Any]:
        program, precision = self.traced.program, self.traced.program.precision
        compiled = program.executables.of(
            graph, precision, lambda: self.traced.compiled.function(lower(graph, precision))
        )
        return told(graph, compiled, precision)

    @cached_property
    def derivative(self) -> Network:
        """The derivative in arguments and weights, as a network of linear maps."""
        return self._linearized(self.active)[-1]


def _real(builder: Builder, wires: Sequence[Wire | None], types: Sequence[Any]) -> list[Wire]:
    return [
        builder.zeros(array) if wire is None else wire
        for wire, array in zip(wires, types, strict=True)
    ]
