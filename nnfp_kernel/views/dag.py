"""The traced graph as text: one node a line, sub-graphs indented below their node.

x : R[3]
cell.W : R[3,3]
1 : R[3] = contract cell.W x  {left=(0, 1), right=(1,), out=(0,)}
2 : R[3] = tanh 1
gives 2
"""

from __future__ import annotations

from collections.abc import Iterator

from ..graph.graph import (
    Call,
    Choose,
    Constant,
    Fixpoint,
    Graph,
    Loop,
    Map,
    Node,
    TreeLoop,
    While,
    Wire,
)


def graph_text(graph: Graph) -> str:
    """The whole graph, its inputs first. Wires are called by their names, else numbered."""
    return "\n".join(_lines(graph, {}, ""))


def _lines(graph: Graph, names: dict[Wire, str], indent: str) -> Iterator[str]:
    for wire in graph.inputs:
        yield f"{indent}{_named(wire, names)} : {wire.type}"
    for node in graph.nodes:
        if isinstance(node.operation, Constant) and not node.operation.type.shape:
            names[node.outputs[0]] = f"{node.operation.value.item():g}"
            continue
        outputs = ", ".join(f"{_named(wire, names)} : {wire.type}" for wire in node.outputs)
        inputs = " ".join(_named(wire, names) for wire in node.inputs)
        yield f"{indent}{outputs} = {_operation(node)} {inputs}".rstrip() + _parameters(node)
        match node.operation:
            case Map(body=body) | Loop(body=body) | Fixpoint(body=body) | TreeLoop(body=body):
                yield from _lines(body, names, indent + "    ")
            case While(condition=condition, body=body):
                yield f"{indent}  while:"
                yield from _lines(condition, names, indent + "    ")
                yield f"{indent}  do:"
                yield from _lines(body, names, indent + "    ")
            case Choose(branches=branches):
                for number, branch in enumerate(branches):
                    yield f"{indent}  {number}:"
                    yield from _lines(branch, names, indent + "    ")
            case Constant() | Call():
                pass
            case other:
                raise AssertionError(f"no text for {type(other).__name__}")
    yield f"{indent}gives {', '.join(_named(wire, names) for wire in graph.outputs)}"


def _named(wire: Wire, names: dict[Wire, str]) -> str:
    if wire not in names:
        taken = set(names.values())
        name = wire.name or str(sum(each.isdigit() for each in taken) + 1)
        while name in taken:
            name += "'"
        names[wire] = name
    return names[wire]


def _operation(node: Node) -> str:
    match node.operation:
        case Constant():
            return "constant"
        case Call(primitive=primitive):
            return primitive.name
        case Map(length=length):
            return f"map[{length}]"
        case Loop(length=length, carried=carried, reverse=reverse):
            way = ", from the last" if reverse else ""
            return f"loop[{length}, {carried} carried{way}]"
        case While(most=most, carried=carried):
            bound = "" if most is None else f"{most}, "
            return f"while[{bound}{carried} carried]"
        case Fixpoint(linear=linear, carried=carried):
            return f"{'linear ' if linear else ''}fixpoint[{carried} carried]"
        case TreeLoop(length=length, width=width, reverse=reverse):
            way = ", from the roots" if reverse else ""
            return f"tree loop[{length} x {width}{way}]"
        case Choose():
            return "choose"
        case other:
            raise AssertionError(f"no name for {type(other).__name__}")


def _parameters(node: Node) -> str:
    if not isinstance(node.operation, Call) or not node.operation.parameters:
        return ""
    shown = ", ".join(f"{name}={value}" for name, value in node.operation.parameters.items())
    return f"  {{{shown}}}"
