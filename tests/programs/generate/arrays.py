"""Forms that give arrays: combinators, real arithmetic, the library."""

from __future__ import annotations

from collections.abc import Callable

from programs.generate.choices import KINKED, SMOOTH, Choices
from programs.generate.program import Written
from programs.trees import (
    Scope,
    Tree,
    Type,
    apply,
    array,
    axes,
    bracket,
    entries,
    function_of,
    infix,
    length,
    name,
    number,
)

from nnfp_kernel.language import syntax as s
from nnfp_kernel.language import types as t
from nnfp_kernel.language.sizes import constant


class ArrayForms(Choices):
    """Forms whose value is an array, or real entry by entry."""

    def array_forms(self, goal: t.Array, scope: Scope, depth: int) -> list[Callable[[], Tree]]:
        count, element = length(goal), goal.element

        def part(type: Type) -> Tree:
            return self.expression(type, scope, depth)

        def function(domain: Type, codomain: Type) -> Tree:
            return self.function(domain, codomain, scope, depth)

        def mapped() -> Tree:
            type = self.element_type()
            return apply("map", function(type, element), part(array(type, count)))

        def mapped_indices() -> Tree:
            return apply("map", function(t.Fin(constant(count)), element), bracket("iota", count))

        def zipped_with() -> Tree:
            a, b = self.element_type(), self.element_type()
            pair = t.Product((array(a, count), array(b, count)))
            return apply("zipWith", function(t.Product((a, b)), element), part(pair))

        def scanned() -> Tree:
            type = self.element_type()
            step = function(t.Product((element, type)), element)
            return apply("scan", step, part(element), part(array(type, count)))

        def unfolded() -> Tree:
            state = self.vector_type(0)
            step = function(state, t.Product((state, element)))
            return apply(self.brackets("unfold", count), step, part(state))

        def windowed() -> Tree:
            type = self.vector_type(0)
            width, stride, dilation = self.size(1), self.pick((1, 1, 2)), self.pick((1, 1, 2))
            reach = (width - 1) * dilation + 1
            options = {}
            if stride > 1:
                options["stride"] = stride
            if dilation > 1:
                options["dilation"] = dilation
            # The last stride may be cut short by as much as stride - 1.
            total = (count - 1) * stride + reach + self.pick(range(stride))
            pad = self.pick((None, None, "number", "same"))
            if pad == "number" and total >= 3:
                options["pad"] = 1
                total -= 2
            if pad == "same" and stride == 1 and dilation == 1:
                options["pad"] = "same"
                total = count
            cell = function(array(type, width), element)
            tree = bracket("window", width, **options)
            return apply(tree, cell, part(array(type, total)))

        def windowed_in_two() -> Tree:
            assert isinstance(element, t.Array)
            type = self.pick((t.R, array(t.R, self.size(1))))
            height, width = self.size(1), self.size(1)
            cell = function(array(type, height, width), element.element)
            if self.chance(40):
                picture = array(type, count * height, length(element) * width)
                return apply(self.brackets("pool", height, width), cell, part(picture))
            picture = array(type, count + height - 1, length(element) + width - 1)
            return apply(self.brackets("window", height, width), cell, part(picture))

        def pooled() -> Tree:
            type = self.vector_type(0)
            width = self.size(1)
            total = count * width + self.pick(range(width))
            cell = function(array(type, width), element)
            return apply(self.brackets("pool", width), cell, part(array(type, total)))

        def taken() -> Tree:
            more = self.size()
            xs = part(array(element, count + more))
            if self.chance(50):
                return apply(self.brackets("drop", more), xs)
            return apply(self.brackets("take", count), xs)

        def joined() -> Tree:
            left = self.pick(range(count + 1))
            return infix("++", part(array(element, left)), part(array(element, count - left)))

        def concatenated() -> Tree:
            rows = self.pick([k for k in range(1, count + 1) if count % k == 0] or [1])
            return apply("concat", part(array(element, rows, count // rows)))

        def gathered() -> Tree:
            many = self.size(1)
            indices = part(array(t.Fin(constant(many)), count))
            return apply("gather", part(array(element, many)), indices)

        def each(of: Written) -> Tree:
            return apply(self.used(of), part(array(of.domain, count)))

        def bidirectional() -> Tree:
            assert isinstance(element, t.Product)
            type, states = self.vector_type(0), (self.vector_type(0), self.vector_type(0))
            cells = [
                function(t.Product((state, type)), t.Product((state, item)))
                for state, item in zip(states, element.items, strict=True)
            ]
            starts = [part(state) for state in states]
            return apply("bidirectional", *cells, *starts, part(array(type, count)))

        options: list[Callable[[], Tree]] = [
            mapped, mapped, zipped_with, scanned, unfolded, pooled,
            lambda: s.Sequence(tuple(part(element) for _ in range(count)))
            if count else self.constant(goal, scope),
            lambda: apply(self.brackets("replicate", count), part(element)),
            lambda: apply("reverse", part(goal)),
            taken, joined, concatenated, gathered,
        ]  # fmt: skip
        if count:  # a window has to fit
            options += [mapped_indices, windowed]
        if isinstance(element, t.Array):
            inner = element.element
            flipped = array(inner, length(element), count)
            options.append(lambda: apply("transpose", part(flipped)))
            if count and length(element):
                options += [windowed_in_two] * 2
            if length(element):  # split[k] of n*k elements
                long = array(inner, count * length(element))
                split = self.brackets("split", length(element))
                options.append(lambda: apply(split, part(long)))
        if isinstance(element, t.Product) and len(element.items) == 2:
            pair = t.Product(tuple(array(item, count) for item in element.items))
            options += [lambda: apply("zip", part(pair))] * 2
            options.append(bidirectional)
        if self.vector(goal):
            options.append(lambda: apply(self.brackets("shift", self.pick((1, 0, 2))), part(goal)))
        if isinstance(element, t.Fin) and element.size.value == count and count:
            options.append(lambda: bracket("iota", count))
        for of in self.written:
            if of.kind == "each" and of.codomain == element and self.allowed(of):
                options += [lambda of=of: each(of)] * 3
        return options

    # --- real arrays

    def real_forms(self, goal: Type, scope: Scope, depth: int) -> list[Callable[[], Tree]]:
        _, shape = axes(goal)

        def part(type: Type) -> Tree:
            return self.expression(type, scope, depth)

        def lifted() -> Tree:
            other = array(t.R, *shape[self.pick(range(len(shape) + 1)) :])
            operands = [part(goal), part(other)]
            if self.chance(30):
                operands.reverse()
            return infix(self.pick(("+", "*", "-")), *operands)

        def divided() -> Tree:
            return infix("/", part(goal), infix("+", number(2), apply("sin", part(goal))))

        def powered() -> Tree:
            return infix("^", part(goal), number(self.pick((2, 3))))

        def bounded() -> Tree:
            word, inside = self.pick((
                ("exp", apply("tanh", part(goal))),
                ("log", infix("+", number(1), apply("square", part(goal)))),
                ("sqrt", infix("+", number(1), apply("square", part(goal)))),
                ("log1p", apply("square", part(goal))),
                ("expm1", apply("sin", part(goal))),
                ("lgamma", infix("+", number(2), apply("sin", part(goal)))),
            ))  # fmt: skip
            return apply(word, inside)

        def drawn() -> Tree:
            distribution = self.pick((
                apply("normal", number(1)),
                apply("uniform", number(0), number(1)),
                apply("bernoulli", number(0.5)),
            ))  # fmt: skip
            return self.ascribed(apply("draw", distribution), goal)

        words = SMOOTH if self.smooth else (*SMOOTH, *KINKED)
        options: list[Callable[[], Tree]] = self.library_forms(goal, scope, depth)[:]
        options += [
            lambda: apply(self.pick(words), part(goal)),
            lifted, lifted, divided, powered, bounded,
            lambda: s.Negate(part(goal)),
            lambda: apply(s.RightSection(self.pick(("+", "*")), part(t.R)), part(goal)),
            lambda: apply(s.LeftSection(part(goal), self.pick(("+", "-"))), part(goal)),
        ]  # fmt: skip
        if self.chance(25):
            options += [drawn] * 3
        if not self.smooth:
            options += [
                lambda: apply(self.pick(("max", "min")), part(goal), part(goal)),
                lambda: apply(
                    "select", infix(">", part(goal), number(0.25)), part(goal), part(goal)
                ),
                lambda: apply("clip", number(-1), number(1), part(goal)),
            ]
        if len(shape) == 1:
            options += self.real_vector_forms(shape[0], scope, depth)
        if len(shape) == 2:
            inner = self.size()
            options += [
                lambda: infix(
                    "@", part(array(t.R, shape[0], inner)), part(array(t.R, inner, shape[1]))
                ),
                lambda: apply("outer", part(array(t.R, shape[0])), part(array(t.R, shape[1]))),
            ]
        if shape and all(shape):
            total = entries(goal)
            options.append(lambda: apply(bracket("reshape", *shape), part(array(t.R, total))))
        if 1 <= len(shape) <= 2:
            cut = self.pick(range(len(shape) + 1))
            codomain, domain = array(t.R, *shape[:cut]), array(t.R, *shape[cut:])
            options.append(lambda: apply("matrix", self.linear_map(domain, codomain, scope, depth)))
        return options

    def real_vector_forms(self, count: int, scope: Scope, depth: int) -> list[Callable[[], Tree]]:
        goal = array(t.R, count)

        def part(type: Type) -> Tree:
            return self.expression(type, scope, depth)

        def flattened() -> Tree:
            rows = self.pick([k for k in range(1, count + 1) if count % k == 0] or [1])
            return apply("flatten", part(array(t.R, rows, count // rows)))

        def multiplied() -> Tree:
            inner = self.size()
            if self.chance(30):
                return infix("@", part(array(t.R, inner)), part(array(t.R, inner, count)))
            return infix("@", part(array(t.R, count, inner)), part(array(t.R, inner)))

        def affine() -> Tree:
            """Holes whose shapes are inferred, from the ascription around them."""
            inner = self.size(1)
            matrix = s.Hole(self.new_hole(array(t.R, count, inner), declare=False))
            bias = s.Hole(self.new_hole(goal, declare=False))
            body = infix("+", infix("@", matrix, part(array(t.R, inner))), bias)
            return self.ascribed(body, goal)

        options: list[Callable[[], Tree]] = [
            multiplied,
            flattened,
            lambda: apply("diagonal", self.linear_map(goal, goal, scope, depth, wanted=True)),
        ]
        if count:
            options += [lambda: apply(self.pick(("softmax", "logSoftmax")), part(goal))]
            options.append(
                lambda: apply(self.brackets("onehot", count), part(t.Fin(constant(count))))
            )

        def solved() -> Tree:
            """A system that is surely solvable: near to a multiple of the identity."""
            inner = self.function(goal, goal, scope, 0)
            bounded = infix("*", number(0.25), apply("sin", apply(inner, name("it"))))
            body = infix("+", infix("*", number(3), name("it")), bounded)
            map_ = apply("derivative", function_of(s.PatternName("it"), body), part(goal))
            return apply("solve", map_, part(goal))

        options.append(solved)
        if self.may_learn:
            options += [affine, affine]
            options += [lambda: self.layer(count, scope, depth)] * 2
        return options

    def library_forms(self, goal: Type, scope: Scope, depth: int) -> list[Callable[[], Tree]]:
        """Uses of the library's layers, cells, losses and attention."""

        def part(*sizes: int) -> Tree:
            return self.expression(array(t.R, *sizes), scope, depth)

        def loss() -> Tree:
            count = self.size(1)
            words = ("meanSquaredError", "softCrossEntropy", "cosineSimilarity", "squaredError")
            word = self.pick(words)
            if word == "cosineSimilarity":  # away from its kink
                return apply(word, infix("+", part(count), number(20)), part(count))
            return apply(word, part(count), part(count))

        _, shape = axes(goal)
        if len(shape) == 0:
            return [loss, lambda: apply("variance", part(self.size(1)))]
        if not all(shape):
            return []
        count = shape[0]
        layers: list[Callable[[], Tree]] = []
        if len(shape) == 1:
            layers = [
                lambda: apply(self.brackets("mlp", 2, count), part(self.size(1))),
                lambda: apply(bracket("layerNorm"), part(count)),
                lambda: apply(bracket("rmsNorm"), part(count)),
                lambda: apply(bracket("scaleShift"), part(count)),
                lambda: apply(
                    bracket("embed", count),
                    self.expression(t.Fin(constant(self.size(1))), scope, depth),
                ),
            ]
            others: list[Callable[[], Tree]] = [
                lambda: apply("standardize", part(count)),
                lambda: apply("residual", self.function(goal, goal, scope, depth), part(count)),
                lambda: apply("dropout", number(0.25), part(count)),
            ]
        elif len(shape) == 2:
            width, more = shape[1], self.size(1)
            layers = [
                lambda: apply(bracket(self.pick(("rnn", "gru", "lstm")), width), part(count, more)),
                lambda: apply(bracket("convSame", more, width), part(count, 2)),
                lambda: apply(bracket("conv", more, width), part(count + more - 1, 2)),
                lambda: apply(bracket("multiHead", 1), part(count, width)),
                lambda: apply(bracket("transformerBlock", width, 2), part(count, width)),
            ]
            others = [
                lambda: apply("attention", part(count, more), part(2, more), part(2, width)),
                lambda: apply(bracket("meanPool", more), part(count * more, width)),
            ]
        else:
            return []
        return [*(layers if self.may_learn else []), *others]

    def layer(self, count: int, scope: Scope, depth: int) -> Tree:
        """An occurrence of a family: weights of its own."""
        self.learns = True
        family = self.pick(["dense", "linear", *self.families])
        inner = self.expression(array(t.R, self.size(1)), scope, depth)
        if self.chance(25):  # its size inferred
            tree = name(family) if self.chance(50) else s.Bracket(family, (s.SizeWildcard(),))
            return self.ascribed(apply(tree, inner), array(t.R, count))
        return apply(self.brackets(family, count), inner)
