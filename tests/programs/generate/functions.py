"""Forms that give functions, linear maps and derivatives."""

from __future__ import annotations

from collections.abc import Callable

from programs.generate.choices import KINKED, SMOOTH, Choices
from programs.trees import (
    Scope,
    Tree,
    Type,
    apply,
    array,
    axes,
    function_of,
    infix,
    length,
    name,
    real,
)

from nnfp_kernel.language import syntax as s
from nnfp_kernel.language import types as t


class FunctionForms(Choices):
    """Functions, linear maps, and the values derivatives give."""

    def derivative_forms(self, goal: Type, scope: Scope, depth: int) -> list[Callable[[], Tree]]:
        def part(type: Type) -> Tree:
            return self.expression(type, scope, depth)

        def pushed() -> Tree:
            type = self.vector_type()
            function = self.function(type, goal, scope, depth)
            return apply("jvp", function, part(type), part(type))

        def pulled() -> Tree:
            type = self.vector_type()
            function = self.function(goal, type, scope, depth)
            return apply("vjp", function, part(goal), part(type))

        def gradient() -> Tree:
            return apply("grad", self.function(goal, t.R, scope, depth), part(goal))

        def applied() -> Tree:
            type = self.vector_type()
            return apply(self.linear_map(type, goal, scope, depth), part(type))

        return [pushed, pulled, gradient, applied]

    def linear_map(
        self, domain: Type, codomain: Type, scope: Scope, depth: int, *, wanted: bool = False
    ) -> Tree:
        self.fuel -= 1

        def derivative() -> Tree:
            function = self.function(domain, codomain, scope, depth)
            return apply("derivative", function, self.expression(domain, scope, depth))

        def map_(domain: Type, codomain: Type) -> Tree:
            return self.linear_map(domain, codomain, scope, depth - 1)

        def composed() -> Tree:
            middle = self.vector_type(0)
            if self.chance(30):
                return infix("<<", map_(middle, codomain), map_(domain, middle))
            return infix(">>", map_(domain, middle), map_(middle, codomain))

        options: list[Callable[[], Tree]] = [derivative]
        for each in self.written:
            fits = (each.domain, each.codomain) == (domain, codomain)
            if each.linear and fits and self.allowed(each):
                options += [lambda each=each: self.used(each)] * 3
        _, shape = axes(domain)
        vectors = real(domain) and real(codomain) and len(shape) == len(axes(codomain)[1]) == 1
        if wanted and vectors:
            sizes = (length(codomain), length(domain))
            options.append(lambda: self.expression(array(t.R, *sizes), scope, 0))
        if depth > 0 and self.fuel > 0:
            options += [
                derivative,
                lambda: apply(
                    "adjoint", self.linear_map(codomain, domain, scope, depth - 1, wanted=True)
                ),
                composed,
                lambda: infix("+", map_(domain, codomain), map_(domain, codomain)),
                lambda: infix("*", self.expression(t.R, scope, 0), map_(domain, codomain)),
            ]
            if isinstance(codomain, t.Product) and len(codomain.items) == 2:
                options.append(
                    lambda: infix("&&&", *(map_(domain, item) for item in codomain.items))
                )
                if isinstance(domain, t.Product) and len(domain.items) == 2:
                    options += [
                        lambda: infix("***", *map(map_, domain.items, codomain.items)),
                    ] * 2
            if domain == codomain:
                options.append(
                    lambda: apply(
                        "hessian",
                        self.function(domain, t.R, scope, depth - 1),
                        self.expression(domain, scope, depth - 1),
                    )
                )
        return self.pick(options)()

    # --- functions -----------------------------------------------------------------------------

    def function(self, domain: Type, codomain: Type, scope: Scope, depth: int) -> Tree:
        self.fuel -= 1

        def anonymous() -> Tree:
            pattern, inner = self.pattern(domain, scope)
            return function_of(pattern, self.expression(codomain, inner, depth))

        def composed() -> Tree:
            middle = self.vector_type(0)
            first = self.function(domain, middle, scope, depth - 1)
            second = self.function(middle, codomain, scope, depth - 1)
            if self.chance(30):
                return infix("<<", second, first)
            return infix(">>", first, second)

        options: list[Callable[[], Tree]] = [anonymous] * 4
        for each in self.written:
            fits = (each.domain, each.codomain) == (domain, codomain)
            if each.kind == "function" and fits and self.allowed(each):
                options += [lambda each=each: self.used(each)] * 4
        if domain == codomain:
            if real(domain):
                words = SMOOTH if self.smooth else (*SMOOTH, *KINKED)
                options += [
                    lambda: name(self.pick(words)),
                    lambda: s.RightSection(
                        self.pick(("+", "*")), self.expression(t.R, scope, max(depth - 1, 0))
                    ),
                    lambda: s.LeftSection(
                        self.expression(domain, scope, max(depth - 1, 0)), self.pick(("+", "*"))
                    ),
                ]
            options.append(lambda: name("id"))
        if isinstance(domain, t.Product) and len(domain.items) == 2:
            if domain.items == (codomain, codomain) and real(codomain):
                options += [lambda: s.OperatorFunction(self.pick(("+", "*", "-")))] * 2
            if domain.items[0] == codomain:
                options.append(lambda: name("fst"))
            if domain.items[1] == codomain:
                options.append(lambda: name("snd"))
        if codomain == t.R and real(domain) and len(axes(domain)[1]) == 1:
            words = ["sum", "product"] + (["mean", "logsumexp"] if length(domain) else [])
            options += [lambda: name(self.pick(words))] * 2
            options.append(lambda: apply("dot", self.expression(domain, scope, max(depth - 1, 0))))
        if isinstance(codomain, t.Named) and self.reps.get(codomain.name) == domain:
            options += [lambda: name(codomain.name)] * 2
        if depth > 0 and self.fuel > 0:
            options += [composed] * 2
            base, shape = axes(codomain)
            vectors = len(shape) == 1 and len(axes(domain)[1]) == 1
            if base == t.R and vectors and self.may_learn and real(domain):
                options += [lambda: self.occurrence(shape[0])] * 3
        return self.pick(options)()

    def occurrence(self, count: int) -> Tree:
        self.learns = True
        return self.brackets(self.pick(["dense", *self.families]), count)
