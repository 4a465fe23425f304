"""The derivative of a diagram, below it: each box above its own derivative.

D of a composition is the composition of the derivatives, of a pair a pair: the picture is
that of the program, box by box. What is linear is its own derivative, adding a constant
has none, an elementwise function's is a diagonal, whose entries come from the value above
on a dotted wire. The adjoint is the same picture read from right to left: copying becomes
adding, adding copying.

Source: Elliott 2018, "The simple essence of automatic differentiation".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...graph.graph import ArrayType, Builder, Call, Constant
from ...language import types as t
from ...runtime.program import Program
from .diagram import Diagram, Group, Node, Wire
from .layout import Layout, laid_out, sequences
from .picture import Box, Dot, Drawing, Path, Picture, Point, Text, moved
from .ties import free

# Linear in their one argument, and how mathematics calls the adjoint.
LINEAR = {
    "sum": "replicate", "replicate": "sum", "transpose": "transpose", "reverse": "reverse",
    "concat": "split", "split": "concat", "negate": "negate", "conj": "conj",
}  # fmt: skip
OTHERS = frozenset("flatten reshape take drop head last mean shift gather ! ++".split())  # noqa: SIM905
GAP = 46  # between rows


@dataclass(frozen=True)
class Linear:
    """The derivative of a box: how it and its adjoint are written, None where the wire goes
    straight through. `symbol` stands for a value, `formula` says which one."""

    forward: str | None
    backward: str | None
    symbol: str = ""
    formula: str = ""


def with_derivative(
    program: Program,
    diagram: Diagram,
    representations: Sequence[str],
    width: float,
    adjoint: bool,
) -> Picture:
    """The program, its derivative below it, and the adjoint below that if it is wanted."""
    live = differentiable(diagram)
    rules = dict(_rules(program, diagram, live))

    def room(node: Node) -> int:
        rule = rules.get(node)
        written = (rule.forward, rule.backward) if rule is not None else ()
        return max(map(len, (node.label, *filter(None, written))))

    layout = Layout(representations, sequences(diagram), room)
    value, (wide, high) = laid_out(layout, diagram, width)
    drawing = Drawing()
    top = 18.0
    drawing.put(Text(8, 12, "value", "note"))
    drawing.add(value, 0, top)
    below = top + high + GAP
    drawing.put(Text(8, below - 10, "derivative", "note"))
    drawing.add(_row(value, diagram, live, rules, forward=True), 0, below)
    said = _values(value, diagram, rules, top, below, drawing)
    bottom = below + high
    if adjoint:
        bottom += GAP - 8
        drawing.put(Text(8, bottom - 10, "adjoint", "note"))
        drawing.add(_row(value, diagram, live, rules, forward=False), 0, bottom)
        bottom += high
    for line in said:
        drawing.put(Text(8, bottom + 16, line, "note"))
        bottom += 18
    right = max([wide, *(text.left + text.width + 4 for text in drawing.texts)])
    return drawing.picture(right, bottom + 8)


# --- what depends on the inputs ----------------------------------------------------------------


def differentiable(diagram: Diagram, inputs: Sequence[bool] | None = None) -> set[Wire]:
    """The wires on which a tangent flows: numbers that depend on the inputs."""
    given = [True] * len(diagram.inputs) if inputs is None else inputs
    live = {
        wire for wire, on in zip(diagram.inputs, given, strict=True) if on and _numbers(wire.type)
    }
    for node in diagram.nodes:
        if isinstance(node, Group):
            live |= _in_group(node, live)
        elif live.intersection(node.inputs):
            live.update(wire for wire in node.outputs if _numbers(wire.type))
    return live


def _in_group(group: Group, live: set[Wire]) -> set[Wire]:
    ports = group.entering
    on = [port.outer is not None and group.inputs[port.outer] in live for port in ports]
    states = [k for k, port in enumerate(ports) if port.role == "state"]
    while True:  # a state is live once it is live after a step
        found = differentiable(group.body, on)
        after = [group.body.outputs[n] in found for n in range(len(states))]
        grown = [k for n, k in enumerate(states) if after[n] and not on[k]]
        if not grown:
            break
        for k in grown:
            on[k] = True
    for port, wire in zip(group.leaving, group.body.outputs, strict=True):
        if port.outer is not None and wire in found:
            found.add(group.outputs[port.outer])
    return found


def _numbers(type: t.Type) -> bool:
    while isinstance(type, t.Array):
        type = type.element
    return type in (t.R, t.C) or isinstance(type, t.Named | t.TypeVariable | t.Linear | t.Weights)


# --- box by box ---------------------------------------------------------------------------


def _rules(
    program: Program, diagram: Diagram, live: set[Wire]
) -> Iterator[tuple[Node, Linear | None]]:
    """The derivative of every box on which a tangent flows."""
    letters = iter("stuvwpqr")
    count = 0
    for node in diagram.everywhere():
        if isinstance(node, Group) or not live.intersection(node.outputs):
            continue
        rule = rule_of(program, node, [wire in live for wire in node.inputs])
        if rule.formula:
            count += 1
            symbol = next(letters, f"s{count}")
            rule = Linear(
                (rule.forward or "").format(symbol), (rule.backward or "").format(symbol),
                symbol, rule.formula,
            )  # fmt: skip
        yield node, rule


def rule_of(program: Program, node: Node, live: Sequence[bool]) -> Linear:
    """The derivative of one box, read off what it computes."""
    name, held = node.operation, node.held
    constants = [text for text in held if text is not None]
    flowing = sum(live)
    if name in ("enter", "leave", "apply", "choice", "case", "sequence"):
        return Linear(node.label, node.label)
    if name in ("+", "-"):
        if constants and held[0] is not None and name == "-":
            return Linear("-", "-")  # c - x
        return Linear(None, None) if constants or flowing < 2 else Linear(name, name)
    if name in ("*", "@", "dot", "outer") and constants:
        return _section(node)
    if name == "/" and constants and held[0] is None:
        return Linear(node.label, node.label)
    if name in ("*", "@", "dot", "outer") and len(node.inputs) == 2:
        if flowing == 2:
            return Linear(f"da {name} b + a {name} db", f"(da {name} b + a {name} db)†")
        at = "a" if live[1] else "b"
        return Linear(f"{name} {at}", f"({name} {at})†")
    if name in LINEAR and len(node.inputs) == 1:
        return Linear(node.label, LINEAR[name])
    if name in OTHERS:
        return Linear(node.label, f"{node.label}†")
    primitive = program.primitives.get(name)
    if primitive is not None and primitive.kind == "elementwise" and len(node.inputs) == 1:
        found = factor(program, name)
        if found is not None:
            return Linear("diag {}", "diag {}", formula=found)
    return Linear(f"D {node.label}", f"(D {node.label})†")


def _section(node: Node) -> Linear:
    """A product with a constant is linear in the other factor."""
    left, right = node.held
    if node.operation == "@":
        if left is not None:
            return Linear(node.label, f"{left}ᵀ @ ·")
        return Linear(node.label, f"@ {right}ᵀ")
    if node.inputs[0].type == node.outputs[0].type:
        return Linear(node.label, node.label)
    return Linear(node.label, f"({node.label})†")


def factor(program: Program, name: str) -> str | None:
    """The derivative of an elementwise function of one argument x as a formula in it and its
    value y, as the table of primitives has it.

    >>> from nnfp_kernel import Session
    >>> factor(Session().program, "tanh")
    '1 - y²'
    """
    primitive = program.primitives[name]
    if primitive.partials is None or len(primitive.samples[0].types) > 1:
        return None
    builder = Builder(program.primitives)
    x, y = builder.input(ArrayType("R", (3,)), "x"), builder.input(ArrayType("R", (3,)), "y")
    (wire,) = primitive.partials(builder, [x], y)
    if wire is None:
        return None
    texts: dict[Any, tuple[str, int]] = {x: ("x", 9), y: ("y", 9)}
    for node in builder.finish([wire]).nodes:
        written = _written(node, [texts[each] for each in node.inputs])
        if written is None:
            return None
        texts[node.outputs[0]] = written
    return texts[wire][0]


def _written(node: Any, given: list[tuple[str, int]]) -> tuple[str, int] | None:
    """A node of a formula as text, and how tightly it binds."""
    if isinstance(node.operation, Constant):
        return f"{node.operation.value.item():.6g}", 9
    if not isinstance(node.operation, Call):
        return None

    def fitted(k: int, least: int) -> str:
        text, binds = given[k]
        return text if binds >= least else f"({text})"

    match node.operation.primitive.name:
        case "broadcast" | "convert":
            return given[0]
        case "add":
            return f"{fitted(0, 1)} + {fitted(1, 1)}", 1
        case "subtract":
            return f"{fitted(0, 1)} - {fitted(1, 2)}", 1
        case "mul" if given[0] == given[1] and given[0][1] == 9:
            return f"{given[0][0]}²", 8
        case "mul":
            return f"{fitted(0, 2)} * {fitted(1, 2)}", 2
        case "negate":
            return f"-{fitted(0, 8)}", 2
        case "reciprocal":
            return f"1 / {fitted(0, 3)}", 2
        case "compare":
            sign = {"gt": ">", "lt": "<", "ge": ">=", "le": "<=", "eq": "=="}
            how = sign.get(str(node.operation.parameters["how"]), "?")
            return f"[{given[0][0]} {how} {given[1][0]}]", 9
        case name:
            return f"{name} {' '.join(fitted(k, 9) for k in range(len(given)))}", 7


# --- the rows -----------------------------------------------------------------------------


def _row(
    value: Drawing,
    diagram: Diagram,
    live: set[Wire],
    rules: Mapping[Node, Linear | None],
    forward: bool,
) -> Drawing:
    """The picture of the program with a derivative in the place of every box."""
    row = Drawing()
    ends = {wire: wire.name or "x" for wire in diagram.inputs}
    begins = {wire: "y" for wire in diagram.outputs if wire not in ends}
    left = min((path.points[0][0] for path in value.paths), default=0)
    for box in value.boxes:
        row.put(*_box(box, live, rules, forward, value.paths))
    for path in value.paths:
        if path.wire is None or path.wire not in live:
            continue
        if forward:
            row.put(path)
            continue
        arrows = tuple(
            (len(path.points) - 2 - stroke, 1 - place) for stroke, place in path.arrows if place < 1
        )
        points = tuple(reversed(path.points))
        if path.wire in diagram.inputs and points[-1][0] == left:
            arrows = (*arrows, (len(points) - 2, 1.0))
        row.put(replace(path, points=points, arrows=arrows))
    gone = [box for box in value.boxes if box.node and not _drawn(box.node, rules)]
    for path in row.paths[:]:  # a tangent that ends at a box without a derivative
        x, y = path.points[-1 if forward else 0]
        if any(box.x - 1 <= x <= box.right and box.y <= y <= box.bottom for box in gone):
            row.put(Dot(x, y, path.colour, "end"))
    for dot in value.dots:
        if dot.style == "ring" or dot.wire is None or dot.wire not in live:
            continue
        summed = dot.style == "copy" and not forward
        row.put(replace(dot, style="plus") if summed else dot)
    for text in value.texts:
        if text.style == "name":
            row.put(text)
        if not isinstance(text.of, Wire) or text.of not in live:
            continue
        name = ends.get(text.of) or begins.get(text.of)
        if name is not None:
            shown = f"d{name}" if forward else f"{name[0]}\u0304{name[1:]}"
            row.put(replace(text, text=shown))
    return row


def _drawn(node: Node, rules: Mapping[Node, Linear | None]) -> bool:
    return isinstance(node, Group) or node.operation == "start" or rules.get(node) is not None


def _box(
    box: Box,
    live: set[Wire],
    rules: Mapping[Node, Linear | None],
    forward: bool,
    paths: Sequence[Path],
) -> Iterator[Box | Path | Dot | Text]:
    node = box.node
    if node is None or isinstance(node, Group):
        yield box
        return
    if node.operation == "start":  # a state begins with what is constant: its tangent with zero
        x, y = box.x + box.width / 2, box.y + box.height / 2
        yield Box("zero", x - 8, y - 8, 16, 16, node, colour=box.colour)
        yield Text(x, y + 4, "0", "box", "middle", node)
        return
    rule = rules.get(node)
    if rule is None:
        return
    label = rule.forward if forward else rule.backward
    middle = box.y + box.height / 2
    colour = box.colour
    if label is None and len(node.inputs) > 1:
        yield from _fan(box, node, live, paths)
        return
    if label is None:
        wire = node.outputs[0]
        yield Path(((box.x, middle), (box.right, middle)), "wire", colour, False, (), wire)
        return
    if node.shape == "circle" and label == "+" and not forward:  # its adjoint copies
        yield from _fan(box, node, live, paths)
        yield Dot(box.x + box.width / 2, middle, wire=node.outputs[0])
        return
    half = box.style in ("enter", "leave")
    style = box.style if half or (len(label) <= 2 and box.style == "circle") else "box"
    yield replace(box, style=style, node=replace(node, label=label, owner=None))
    if not half:
        yield Text(box.x + box.width / 2, middle + 4, label, "box", "middle", node)


def _fan(box: Box, node: Node, live: set[Wire], paths: Sequence[Path]) -> Iterator[Path]:
    """The inside of an adder that is one no more: from its middle to where its wires were."""
    x, middle = box.x + box.width / 2, box.y + box.height / 2
    for path in paths:
        end = path.points[-1]
        if path.wire not in live or path.wire not in node.inputs:
            continue
        if box.x <= end[0] <= x and box.y <= end[1] <= box.bottom:
            bent = ((x, middle), (x, end[1]), end)
            yield Path(bent, "wire", path.colour, path.double, (), path.wire)
    wire = node.outputs[0]
    yield Path(((x, middle), (box.right - 8, middle)), "wire", box.colour, False, (), wire)


def _values(
    value: Drawing,
    diagram: Diagram,
    rules: Mapping[Node, Linear | None],
    top: float,
    below: float,
    drawing: Drawing,
) -> list[str]:
    """Dotted wires that bring values to the derivative, and what they bring."""
    said, lane = [], 0
    boxes = {box.node: box for box in value.boxes if box.node is not None}
    for node, rule in rules.items():
        if rule is None or not rule.formula or node not in boxes:
            continue
        box = boxes[node]
        given = re.search(r"\by\b", rule.formula.replace("²", "")) is not None
        what = f"y is what {node.label} gives" if given else f"x is what {node.label} takes"
        said.append(f"{rule.symbol} = {rule.formula}, where {what}")
        x = box.right + 7 if given else box.x - 7
        middle, line = box.y + box.height / 2, below - 24 + 6 * (lane % 3)
        way: tuple[Point, ...] = (
            (x, top + middle), (x, line), (box.x + box.width / 2, line),
            (box.x + box.width / 2, below + box.y),
        )  # fmt: skip
        if free(way, drawing, (box, moved(box, 0, top), moved(box, 0, below))):
            lane += 1
            drawing.put(Path(way, "value"), Dot(x, top + middle, style="copy"))
    return said


__all__ = ["differentiable", "factor", "rule_of", "with_derivative"]
