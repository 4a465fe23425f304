"""Laws of the interpreter: one walk, every kind of node a case of the domain."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import pytest

from nnfp_kernel.graph import interpret as module
from nnfp_kernel.graph.graph import ArrayType, Builder, Graph, Map, Node, Operation
from nnfp_kernel.graph.interpret import Domain, interpret
from nnfp_kernel.primitives import PRIMITIVES
from nnfp_kernel.runtime.lower import Arrays


def cases(domain: type) -> set[str]:
    return {name for name in vars(domain) if not name.startswith("_")}


def test_every_kind_of_node_is_a_case_of_the_interpreter() -> None:
    matched = {
        case.pattern.pattern.cls.id
        for node in ast.walk(ast.parse(inspect.getsource(module.interpret_node)))
        if isinstance(node, ast.Match)
        for case in node.cases
        if isinstance(case.pattern, ast.MatchAs) and isinstance(case.pattern.pattern, ast.MatchClass)
        and isinstance(case.pattern.pattern.cls, ast.Name)
    }  # fmt: skip
    assert matched == {operation.__name__ for operation in get_args(Operation)}


def test_a_domain_has_a_case_for_every_kind_of_node() -> None:
    assert len(cases(Domain)) == len(get_args(Operation))
    assert cases(Domain) <= cases(Arrays)


@dataclass
class Texts:
    """A domain of texts: what is computed, written out."""

    asked: list[Node] = field(default_factory=list)

    def _each(self, operation: Any, operands: list[str], node: Node) -> Sequence[str]:
        self.asked.append(node)
        name = operation.primitive.name if hasattr(operation, "primitive") else "other"
        return [f"{name}({', '.join(operands)})"] * len(node.outputs)

    constant = call = loop = while_loop = fixpoint = tree_loop = choose = _each

    def map(self, operation: Map, operands: list[str], node: Node) -> Sequence[str]:
        return [f"[{text}]" for text in interpret(operation.body, operands, self)]


def graph() -> Graph:
    builder = Builder(PRIMITIVES)
    x = builder.input(ArrayType("R", (3,)))
    y = builder.emit("tanh", x)
    return builder.finish([builder.emit("add", y, y), x])


def test_values_go_along_wires() -> None:
    assert interpret(graph(), ["x"], Texts()) == ["add(tanh(x), tanh(x))", "x"]


def test_every_node_is_asked_for_once_in_order() -> None:
    domain, whole = Texts(), graph()
    interpret(whole, ["x"], domain)
    assert domain.asked == list(whole.nodes)


def test_a_domain_interprets_what_a_node_holds() -> None:
    builder, body = Builder(PRIMITIVES), Builder(PRIMITIVES)
    x = body.input(ArrayType("R"))
    inner = body.finish([body.emit("sin", body.emit("exp", x))])
    xs = builder.input(ArrayType("R", (4,)))
    (out,) = builder.add(Map(inner, 0, 4), [xs])
    assert interpret(builder.finish([out]), ["xs"], Texts()) == ["[sin(exp(xs))]"]


def test_there_are_as_many_values_as_inputs() -> None:
    with pytest.raises(ValueError, match="zip"):
        interpret(graph(), [], Texts())
