"""An expression of any type: which forms can give it, and the choice among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from programs.generate.arrays import ArrayForms
from programs.generate.functions import FunctionForms
from programs.generate.program import Data, Written
from programs.generate.scalars import ScalarForms
from programs.trees import (
    Scope,
    Tree,
    Type,
    apply,
    array,
    axes,
    bracket,
    function_of,
    infix,
    name,
    number,
    real,
    visible,
)

from nnfp_kernel.language import syntax as s
from nnfp_kernel.language import types as t
from nnfp_kernel.language.sizes import constant


class Expressions(ScalarForms, ArrayForms, FunctionForms):
    """Leaves, the forms of every type, and uses of what the program has defined."""

    def expression(self, goal: Type, scope: Scope, depth: int) -> Tree:
        self.fuel -= 1
        options = self.leaves(goal, scope)
        if depth > 0 and self.fuel > 0:
            uses = self.uses(goal, scope, depth - 1)
            if uses and self.chance(35):
                return self.pick(uses)()
            options = [*options[:1], *self.forms(goal, scope, depth - 1)]
        return self.pick(options)()

    def leaves(self, goal: Type, scope: Scope) -> list[Callable[[], Tree]]:
        """Forms without parts of their own: variables first, then constants, then holes."""
        options: list[Callable[[], Tree]] = []
        for local, type in visible(scope):
            if type == goal:
                options += [lambda local=local: name(local)] * 4
            elif (made := self.adapted(local, type, goal)) is not None:
                options += [lambda made=made: made] * 2
        for each in self.written:
            if each.kind == "value" and each.codomain == goal and self.allowed(each):
                options.append(lambda each=each: self.used(each))
        options.append(lambda: self.constant(goal, scope))
        if self.vector(goal) and self.may_learn:
            options += [lambda: self.hole(goal)]
        return options

    def adapted(self, local: str, type: Type, goal: Type) -> Tree | None:
        """A value of `goal` made of a variable of another type, where that is short: so that
        what a program is given matters to what it gives."""
        base, shape = axes(goal)
        number: Tree | None = None
        if base == t.R:
            if type == t.R:
                number = name(local)
            elif self.vector(type):
                number = apply("sin", apply("dot", name(local), name(local)))
            elif isinstance(type, t.Fin) or type in (t.INT, t.BOOL):
                number = apply("toReal", name(local))
        if number is None:
            return None
        for size in reversed(shape):
            number = apply(bracket("replicate", size), number)
        return number

    # --- the forms -----------------------------------------------------------------------------

    def forms(self, goal: Type, scope: Scope, depth: int) -> list[Callable[[], Tree]]:
        """All forms that give `goal`, each as a function that writes it."""

        def part(type: Type) -> Tree:
            return self.expression(type, scope, depth)

        options = self.general_forms(goal, scope, depth)
        match goal:
            case t.Product(items=items):
                options += [lambda: s.Tuple(tuple(part(item) for item in items))] * 3
                if len(items) == 2:
                    options += self.pair_forms(goal, scope, depth)
            case t.Named(name=word) if word in self.reps:
                options += [lambda: apply(word, part(self.reps[word]))] * 3
            case t.Named(name=word):
                options += [lambda: self.constructed(word, scope, depth)] * 3
            case t.Scalar(name="R"):
                options += self.number_forms(scope, depth)
            case t.Scalar(name="Bool"):
                options += self.truth_forms(scope, depth)
            case t.Scalar(name="Int"):
                options.append(
                    lambda: apply("length", part(array(self.vector_type(), self.size())))
                )
            case t.Fin():
                options += self.index_forms(goal, scope, depth)
            case t.Array():
                options += self.array_forms(goal, scope, depth)
        if real(goal):
            options += self.real_forms(goal, scope, depth)
        elif self.vector(goal):
            options += [
                lambda: infix(self.pick(("+", "-")), part(goal), part(goal)),
                lambda: infix("*", part(t.R), part(goal)),
                lambda: s.Negate(part(goal)),
            ]
        if self.vector(goal):
            options += self.derivative_forms(goal, scope, depth)
        return options

    def constructed(self, word: str, scope: Scope, depth: int) -> Tree:
        constructor, fields = self.pick(self.data[word].constructors)
        return apply(constructor, *(self.expression(one, scope, depth) for one in fields))

    # --- forms of any type

    def general_forms(self, goal: Type, scope: Scope, depth: int) -> list[Callable[[], Tree]]:
        options: list[Callable[[], Tree]] = []
        part = self.expression

        def let() -> Tree:
            type = self.any_type()
            value = part(type, scope, depth)
            pattern, inner = self.pattern(type, scope, shadow=False)  # `let x = x` is recursion
            bindings: list[Any] = [s.Binding(pattern, (), value)]
            if isinstance(pattern, s.PatternName) and self.chance(20):
                bindings.insert(0, s.LocalSignature(pattern.name, self.type_tree(type)))
            return s.Let(tuple(bindings), part(goal, inner, depth))

        def local_function() -> Tree:
            type = self.vector_type()
            word = self.pick(("f", "g"))
            parameter, inner = self.pattern(type, scope)
            binding = s.Binding(s.PatternName(word), (parameter,), part(goal, inner, depth))
            return s.Let((binding,), apply(word, part(type, scope, depth)))

        def applied_function() -> Tree:
            type = self.any_type()
            function = self.function(type, goal, scope, depth)
            argument = part(type, scope, depth)
            if self.chance(40):
                return infix("|>", argument, function)
            return apply(function, argument)

        def conditional() -> Tree:
            return s.If(
                part(t.BOOL, scope, depth), part(goal, scope, depth), part(goal, scope, depth)
            )

        def projected() -> Tree:
            first = self.chance(50)
            other = self.any_type()
            pair = t.Product((goal, other) if first else (other, goal))
            return apply("fst" if first else "snd", part(pair, scope, depth))

        def folded() -> Tree:
            element = self.element_type()
            step = self.function(t.Product((goal, element)), goal, scope, depth)
            start = part(goal, scope, depth)
            sequence = part(array(element, self.size()), scope, depth)
            return apply(self.pick(("fold", "foldRight")), step, start, sequence)

        def iterated() -> Tree:
            step = self.function(goal, goal, scope, depth)
            return apply(self.brackets("iterate", self.size()), step, part(goal, scope, depth))

        def indexed() -> Tree:
            count = self.size(1)
            if isinstance(goal, t.Named) and goal.name in self.data:
                return self.constructed(goal.name, scope, depth)
            sequence = part(array(goal, count), scope, depth)
            return infix("!", sequence, part(t.Fin(constant(count)), scope, depth))

        def numbered() -> Tree:
            type = self.pick((t.Fin(constant(3)), t.INT))  # never all of them
            scrutinee = part(type, scope, depth)
            first = s.Alternative(s.PatternNumber(0), part(goal, scope, depth))
            rest = s.Alternative(s.PatternWildcard(), part(goal, scope, depth))
            return s.Case(scrutinee, (first, rest))

        options += [numbered, let, applied_function, local_function, projected, conditional]
        options += [folded, iterated, indexed]
        options.append(lambda: self.ascribed(part(goal, scope, depth), goal))
        if self.higher_order:
            options += [
                lambda: apply(
                    "twice", self.function(goal, goal, scope, depth), part(goal, scope, depth)
                )
            ] * 2
        for word, data in self.data.items():
            options.append(lambda word=word, data=data: self.cases(word, data, goal, scope, depth))
        return options

    def uses(self, goal: Type, scope: Scope, depth: int) -> list[Callable[[], Tree]]:
        """Uses of the definitions that stand: by name, and copies of them."""
        options: list[Callable[[], Tree]] = []
        part = self.expression

        def called(each: Written) -> Tree:
            return apply(self.used(each), part(each.domain, scope, depth))

        def copied(each: Written) -> Tree:
            self.learns = True
            return apply(s.Fresh(name(each.name)), part(each.domain, scope, depth))

        def stacked(each: Written) -> Tree:
            self.learns = True
            stack = apply(self.brackets("stack", self.size()), name(each.name))
            return apply(stack, part(goal, scope, depth))

        def opened(each: Written) -> Tree:
            """At other weights: the session's own, and half a step down from them."""
            x = part(each.domain, scope, 0)
            weights = apply("weights", name(each.name))
            if self.vector(goal):
                at = apply(s.Open(name(each.name)), s.Tuple((name("it"), x)))
                objective = function_of(s.PatternName("it"), apply("dot", at, at))
                slope = apply("grad", objective, weights)
                weights = infix("-", weights, infix("*", number(0.25), slope))
            return apply(s.Open(name(each.name)), s.Tuple((weights, x)))

        def whole(each: Written) -> Tree:
            xs = part(array(each.domain, self.size(1)), scope, depth)
            return apply(self.used(each), xs)

        for each in self.written:
            if each.codomain != goal or not self.allowed(each):
                continue
            if each.kind == "function":
                options += [lambda each=each: called(each)] * 3
                if each.learns:
                    options.append(lambda each=each: copied(each))
                    if each.domain == goal:
                        options += [lambda each=each: stacked(each)] * 2
            elif each.kind == "whole":
                options += [lambda each=each: whole(each)] * 3
            if each.kind == "function" and each.learns and not each.draws:
                options.append(lambda each=each: opened(each))
        return options

    def cases(self, word: str, data: Data, goal: Type, scope: Scope, depth: int) -> Tree:
        scrutinee = self.expression(t.Named(word), scope, depth)
        alternatives = []
        for constructor, fields in data.constructors:
            inner, patterns, taken = scope, [], set()
            for type in fields:
                pattern, names = self._pattern(type, scope, taken)
                inner = (*inner, *names)
                patterns.append(pattern)
            body = self.expression(goal, inner, depth)
            alternatives.append(
                s.Alternative(s.PatternConstructor(constructor, tuple(patterns)), body)
            )
        return s.Case(scrutinee, tuple(alternatives))
