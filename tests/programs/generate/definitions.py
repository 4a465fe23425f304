"""The definitions of a program, one after another, and the strategy of programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from programs.generate.expressions import Expressions
from programs.generate.program import Data, GeneratedProgram, Written
from programs.trees import (
    Scope,
    Tree,
    Type,
    apply,
    array,
    bracket,
    infix,
    length,
    name,
    number,
    real,
)

from nnfp_kernel.language import syntax as s
from nnfp_kernel.language import types as t

LEARNING = (
    "dense", "linear", "mlp", "layerNorm", "rmsNorm", "scaleShift", "embed", "rnn", "gru", "lstm",
    "conv", "convSame", "multiHead", "transformerBlock",
)  # fmt: skip

DEFINITIONS = ("cell", "layer", "model", "see", "say", "mix", "start")


class Writer(Expressions):
    """Writes one program: what it declares, then its definitions, `main` last."""

    def declarations(self) -> None:
        for word in ("Thought", "Word")[: self.pick((0, 0, 1, 2))]:
            carrier = self.pick((
                lambda: array(t.R, self.size(1)),
                lambda: t.Product((t.R, array(t.R, self.size(1)))),
            ))()  # fmt: skip
            self.items.append(s.RepItem(word, self.type_tree(carrier)))
            self.reps[word] = carrier
        if self.chance(30):
            constructors = []
            for word in ("Dot", "Box", "Nothing")[: self.pick((1, 2, 3))]:
                count = 0 if word == "Nothing" else self.pick((1, 2))
                fields = tuple(self.vector_type(0) for _ in range(count))
                constructors.append((word, fields))
            self.data["Shape"] = Data("Shape", tuple(constructors))
            self.items.append(
                s.DataItem(
                    "Shape", (),
                    tuple(
                        s.Constructor(word, tuple(map(self.type_tree, fields)))
                        for word, fields in constructors
                    ),
                )
            )  # fmt: skip
        if self.chance(30):
            self.sizes["width"] = self.size(1)
            self.items.append(s.SizeItem("width", s.SizeNumber(self.sizes["width"])))
        if self.chance(30):
            self.family()
        if self.chance(20):
            self.higher_order = True
            f, x = s.PatternName("f"), s.PatternName("x")
            body = apply("f", apply("f", name("x")))
            self.items.append(s.Definition("twice", None, (f, x), body))

    def family(self) -> None:
        """A template with one size, of one of a few forms."""
        x, m = s.PatternName("x"), ("m",)
        affine = infix("+", infix("@", s.Hole("W"), name("x")), s.Hole("b"))
        bodies = (
            ((x,), apply("tanh", affine)),
            ((x,), infix("*", affine, apply("sigmoid", infix("@", s.Hole("V"), name("x"))))),
            ((), infix(">>", s.Bracket("dense", (s.SizeName("m"),)),
                       infix(">>", name("tanh"), s.Bracket("dense", (s.SizeName("m"),))))),
        )  # fmt: skip
        parameters, body = self.pick(bodies)
        real_array = s.TypeArray
        signature = s.TypeArrow(
            "~>",
            real_array(s.TypeName("R"), (s.SizeName("n"),)),
            real_array(s.TypeName("R"), (s.SizeName("m"),)),
        )
        self.items.append(s.Signature("block", m, signature))
        self.items.append(s.Definition("block", m, parameters, body))
        self.families.append("block")

    def start_definition(self) -> None:
        self.holes, self.declared = {}, {}
        self.learns = False
        self.fuel = 14 * self.depth

    def finish_definition(
        self, word: str, parameters: tuple[Tree, ...], body: Tree, type: s.TypeTree
    ) -> None:
        where: list[Any] = []
        if isinstance(body, s.Let) and self.chance(50):
            where += body.bindings
            body = body.body
        used = {tree.name for tree in s.walk(body) if isinstance(tree, s.Hole)}
        for binding in where:
            used |= {tree.name for tree in s.walk(binding) if isinstance(tree, s.Hole)}
        for hole, hole_type in self.declared.items():
            if hole not in used:  # written, then dropped with what it stood in
                continue
            initialiser = self.pick((
                None, s.Name("ones"), s.Name("glorot"), apply("normal", number(0.5)),
            ))  # fmt: skip
            where.append(s.HoleDeclaration(hole, self.type_tree(hole_type), initialiser))
        self.items.append(s.Signature(word, None, type))
        self.items.append(s.Definition(word, None, parameters, body, tuple(where)))

    def owns(self, trees: Sequence[Tree]) -> tuple[bool, bool]:
        """Whether a body owns weights, and whether it draws: by what it reaches."""
        learning = {*LEARNING, *self.families}
        learning |= {each.name for each in self.written if each.learns}
        drawing = {"draw", "dropout"} | {each.name for each in self.written if each.draws}
        nodes = [node for tree in trees for node in s.walk(tree)]
        constant = {id(node.expression) for node in nodes if isinstance(node, s.Open)}
        constant |= {
            id(node.argument)
            for node in nodes
            if isinstance(node, s.Apply) and node.function == s.Name("weights")
        }
        nodes = [node for node in nodes if id(node) not in constant]
        names = {node.name for node in nodes if isinstance(node, s.Name | s.Bracket)}
        holes = any(isinstance(node, s.Hole) for node in nodes)
        return holes or bool(names & learning), bool(names & drawing)

    def arrow(self, domain: s.TypeTree, codomain: s.TypeTree) -> s.TypeTree:
        return s.TypeArrow("~>" if self.learns else "->", domain, codomain)

    def value_definition(self, word: str) -> None:
        """A constant without weights."""
        self.start_definition()
        self.may_learn = False
        type = self.vector_type()
        body = self.expression(type, (), max(self.depth - 2, 0))
        self.may_learn = True
        if self.owns([body])[1]:
            body = self.ascribed(name("zero"), type)  # a constant may not draw
        self.finish_definition(word, (), body, self.type_tree(type))
        self.written.append(Written(word, "value", t.UNIT, type, False, False))

    def sequence_definition(self, word: str) -> None:
        """A function of sequences of any length, point-free."""
        self.start_definition()
        first = element = self.vector_type(0)
        depth = max(self.depth - 1, 1)
        stages: list[Tree] = []
        for _ in range(self.pick((1, 2))):
            after = self.vector_type(0)
            form = self.pick(("map", "scan", "reverse", "mealy", "same"))
            if form == "map":
                stages.append(apply("map", self.function(element, after, (), depth)))
            elif form == "scan":
                step = self.function(t.Product((after, element)), after, (), depth)
                stages.append(apply("scan", step, self.expression(after, (), 0)))
            elif form == "mealy":
                state = self.vector_type(0)
                step = self.function(
                    t.Product((state, element)), t.Product((state, after)), (), depth
                )
                stages.append(apply("mealy", step, self.expression(state, (), 0)))
            elif form == "same":
                width = self.size(1)
                cell = self.function(array(element, width), after, (), depth)
                stages.append(apply(bracket("window", width, pad="same"), cell))
            else:
                stages.append(name("reverse"))
                after = element
            element = after
        kind, codomain = "each", element
        if self.chance(50):
            kind, codomain = "whole", self.vector_type(0)
            step = self.function(t.Product((codomain, element)), codomain, (), depth)
            stages.append(apply("fold", step, self.expression(codomain, (), 0)))
        body = stages[0]
        for stage in stages[1:]:
            body = infix(">>", body, stage)
        self.learns, draws = self.owns([body])
        n = s.SizeName("n")
        domain: s.TypeTree = s.TypeArray(self.type_tree(first), (n,))
        result: s.TypeTree = s.TypeArray(self.type_tree(element), (n,))
        if kind == "whole":
            result = self.type_tree(codomain)
            if self.chance(50):
                domain = s.TypeSequence(self.type_tree(first))
        self.finish_definition(word, (), body, self.arrow(domain, result))
        self.written.append(Written(word, kind, first, codomain, self.learns, draws))

    def linear_definition(self, word: str) -> None:
        """A definition declared linear."""
        self.start_definition()
        domain = array(t.R, self.size(1))
        x = name("x")
        if self.chance(50):
            codomain = domain
            body = infix("-", infix("*", self.expression(t.R, (), 0), x), apply("reverse", x))
        else:
            codomain = array(t.R, self.size(1))
            body = infix("@", self.hole(array(t.R, length(codomain), length(domain))), x)
        self.learns, draws = self.owns([body])
        type = s.TypeArrow("-o", self.type_tree(domain), self.type_tree(codomain))
        self.finish_definition(word, (s.PatternName("x"),), body, type)
        self.written.append(
            Written(word, "function", domain, codomain, self.learns, draws, linear=True)
        )

    def layer_definition(self, word: str) -> None:
        """A layer that keeps its type and surely learns: what `stack` and `fresh` copy."""
        self.start_definition()
        domain = self.vector_type()
        pattern, scope = self.pattern(domain, ())
        inner = self.expression(domain, scope, max(self.depth - 2, 0))
        body = infix("+", self.expression(domain, scope, 1), self.hole(domain))
        if self.chance(50):
            body = infix("+", body, inner)
        if real(domain):
            body = apply("tanh", body)
        self.learns, draws = True, self.owns([body])[1]
        type = self.type_tree(domain)
        self.finish_definition(word, (pattern,), body, self.arrow(type, type))
        self.written.append(Written(word, "function", domain, domain, True, draws))

    def function_definition(
        self, word: str, *, main: bool = False
    ) -> tuple[tuple[Type, ...], Type]:
        """A function of one argument, or for `main` of one or two."""
        self.start_definition()
        count = self.pick((1, 2)) if main else 1
        domains = tuple(self.any_type() for _ in range(count))
        codomain = self.any_type() if main else self.vector_type()
        if len(self.written) and not main and self.chance(30):
            codomain = domains[0]  # what iterate and stack take
        if (
            main
            and not self.vector(codomain)
            and (self.smooth or codomain in map(t.Named, self.data))
        ):
            codomain = self.vector_type()
        if count == 1 and self.chance(25):
            parameters: tuple[Tree, ...] = ()
            body = self.function(domains[0], codomain, (), self.depth)
        else:
            scope: Scope = ()
            patterns = []
            taken: set[str] = set()
            for domain in domains:
                pattern, names = self._pattern(domain, scope, taken)
                patterns.append(pattern)
                scope = (*scope, *names)
            parameters = tuple(patterns)
            body = self.expression(codomain, scope, self.depth)
        self.learns, draws = self.owns([body])
        self.draws = draws  # what counts in the end is that of `main`
        type = self.type_tree(codomain)
        for domain in reversed(domains[1:]):
            type = s.TypeArrow("->", self.type_tree(domain), type)
        type = self.arrow(self.type_tree(domains[0]), type)
        self.finish_definition(word, parameters, body, type)
        if count == 1:
            self.written.append(Written(word, "function", domains[0], codomain, self.learns, draws))
        return domains, codomain

    def program(self) -> GeneratedProgram:
        self.declarations()
        for word in DEFINITIONS[: self.pick((0, 1, 2, 2, 3))]:
            self.pick((self.function_definition, self.layer_definition, self.sequence_definition,
                       self.value_definition, self.linear_definition))(word)  # fmt: skip
        domains, codomain = self.function_definition("main", main=True)
        return GeneratedProgram(
            tuple(self.items), "main", domains, codomain, dict(self.reps), dict(self.data),
            self.smooth, self.draws, self.learns,
        )  # fmt: skip


@st.composite
def programs(draw: Any, *, smooth: bool | None = None, depth: int = 3) -> GeneratedProgram:
    """Random well-typed programs. `smooth` ones have a derivative everywhere."""
    chosen = draw(st.booleans()) if smooth is None else smooth
    return Writer(draw, smooth=chosen, depth=depth).program()
