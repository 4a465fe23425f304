"""Forms that give numbers, truth values, indices and pairs."""

from __future__ import annotations

from collections.abc import Callable

from programs.generate.choices import Choices
from programs.trees import (
    Scope,
    Tree,
    Type,
    apply,
    array,
    infix,
    length,
    number,
)

from nnfp_kernel.language import types as t
from nnfp_kernel.language.sizes import constant


class ScalarForms(Choices):
    """Forms whose value is no array."""

    def number_forms(self, scope: Scope, depth: int) -> list[Callable[[], Tree]]:
        def part(type: Type) -> Tree:
            return self.expression(type, scope, depth)

        def vectors(word: str) -> Tree:
            type = self.vector_type()
            return apply(word, part(type), part(type))

        def contracted() -> Tree:
            type = array(t.R, self.size())
            return infix("@", part(type), part(type))

        def entropy() -> Tree:
            count = self.size(1)
            return apply("crossEntropy", part(array(t.R, count)), part(t.Fin(constant(count))))

        options: list[Callable[[], Tree]] = [
            lambda: apply("sum", part(array(t.R, self.size()))),
            lambda: apply("mean", part(array(t.R, self.size(1)))),
            lambda: vectors("dot"),
            lambda: vectors("squaredError"),
            contracted,
            lambda: apply("product", part(array(t.R, self.size()))),
            lambda: apply("logsumexp", part(array(t.R, self.size(1)))),
            lambda: apply(
                "toReal", part(self.pick((t.Fin(constant(self.size(1))), t.INT, t.BOOL)))
            ),
            entropy,
            lambda: apply(self.pick(("head", "last")), part(array(t.R, self.size(1)))),
        ]
        if not self.smooth:
            options += [
                lambda: apply(self.pick(("maximum", "minimum")), part(array(t.R, self.size(1)))),
            ]
        options.append(
            lambda: apply("norm", infix("+", part(array(t.R, self.size(1))), number(20)))
        )

        def of_linear_map(word: str) -> Tree:
            type = self.pick((array(t.R, self.size(1)), t.R))
            return apply(word, self.linear_map(type, type, scope, depth, wanted=True))

        options.append(lambda: of_linear_map("trace"))
        return options

    def truth_forms(self, scope: Scope, depth: int) -> list[Callable[[], Tree]]:
        def part(type: Type) -> Tree:
            return self.expression(type, scope, depth)

        def compared() -> Tree:
            type = self.pick((t.Fin(constant(self.size(1))), t.INT))
            if not self.smooth and self.chance(60):
                type = t.R
            operator = self.pick(("<", ">", "==", "/=", "<=", ">="))
            return infix(operator, part(type), part(type))

        return [
            compared,
            compared,
            lambda: apply("not", part(t.BOOL)),
            lambda: infix(self.pick(("&&", "||")), part(t.BOOL), part(t.BOOL)),
        ]

    def index_forms(self, goal: t.Fin, scope: Scope, depth: int) -> list[Callable[[], Tree]]:
        count = goal.size.value
        assert count is not None
        options: list[Callable[[], Tree]] = [
            lambda: apply(self.brackets("toFin", count), self.expression(t.INT, scope, depth)),
        ]
        if not self.smooth:
            options.append(
                lambda: apply("argmax", self.expression(array(t.R, count), scope, depth))
            )
        return options

    # --- pairs

    def pair_forms(self, goal: t.Product, scope: Scope, depth: int) -> list[Callable[[], Tree]]:
        first, second = goal.items

        def both() -> Tree:
            type = self.vector_type(0)
            f, g = (self.function(type, item, scope, depth) for item in goal.items)
            return apply(infix("&&&", f, g), self.expression(type, scope, depth))

        def beside() -> Tree:
            types = [self.vector_type(0), self.vector_type(0)]
            f, g = (
                self.function(type, item, scope, depth)
                for type, item in zip(types, goal.items, strict=True)
            )
            argument = self.expression(t.Product(tuple(types)), scope, depth)
            return apply(infix("***", f, g), argument)

        def swapped() -> Tree:
            return apply("swap", self.expression(t.Product((second, first)), scope, depth))

        options: list[Callable[[], Tree]] = [both, beside, swapped]
        if isinstance(second, t.Array):

            def accumulated() -> Tree:
                element = self.element_type()
                assert isinstance(second, t.Array)
                step = self.function(
                    t.Product((first, element)), t.Product((first, second.element)), scope, depth
                )
                start = self.expression(first, scope, depth)
                sequence = self.expression(array(element, length(second)), scope, depth)
                return apply(self.pick(("mapAccum", "mapAccumRight")), step, start, sequence)

            options += [accumulated] * 2
            if isinstance(first, t.Array) and first.length == second.length:
                pairs = array(t.Product((first.element, second.element)), length(first))
                options.append(lambda: apply("unzip", self.expression(pairs, scope, depth)))
        return options
