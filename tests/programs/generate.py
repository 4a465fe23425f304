"""Random well-typed programs: a hypothesis strategy that writes syntax trees.

    programs()            a strategy of `GeneratedProgram`
    GeneratedProgram      items, its main function and type; `text`, `unsigned`
    value(type, …)        a random Python value of a type

The writer is directed by types. It chooses a goal type and writes an expression of that
type from all forms that can give one: `expression` knows the forms, `function` those of
functions, `linear_map` those of linear maps. What a form asks of its parts are goals in
turn, with less depth left. At depth 0 only leaves are written, which every type has.

A `smooth` program has a derivative everywhere, so that finite differences can judge it:
it asks for no kinks and makes no choice by a real number. Simple choices come first, so
that hypothesis shrinks to small programs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy
from hypothesis import strategies as st
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
    real,
    visible,
)

from nnfp_kernel.language import syntax as s
from nnfp_kernel.language import types as t
from nnfp_kernel.language.printer import show
from nnfp_kernel.language.sizes import constant

# --- what a program declares -------------------------------------------------------------------


@dataclass(frozen=True)
class Written:
    """A definition that stands: what it takes and gives, as its uses see it.

    `kind` is "function", "value", or for functions of sequences of any length what
    they do to the length: "each" keeps it, "whole" gives one `codomain` of the whole;
    `domain` and `codomain` are then those of one element.
    """

    name: str
    kind: str
    domain: Type
    codomain: Type
    learns: bool
    draws: bool
    linear: bool = False


@dataclass(frozen=True)
class Data:
    """A `data` type: constructors and their fields."""

    name: str
    constructors: tuple[tuple[str, tuple[Type, ...]], ...]


def is_needed(signature: s.Signature, definition: s.Definition) -> bool:
    """Whether a signature says what its definition alone does not."""
    used = {node.name for node in s.walk(definition.body) if isinstance(node, s.SizeName)}
    return getattr(signature.type, "arrow", "") == "-o" or not used.issuperset(
        signature.brackets or ()
    )


@dataclass(frozen=True)
class GeneratedProgram:
    """A program, and what it says it is: `main` takes `domains`, gives `codomain`."""

    items: tuple[s.Item, ...]
    main: str
    domains: tuple[Type, ...]
    codomain: Type
    reps: dict[str, Type] = field(default_factory=dict)
    data: dict[str, Data] = field(default_factory=dict)
    smooth: bool = True
    draws: bool = False
    learns: bool = False

    @property
    def text(self) -> str:
        """The program as the printer writes it."""
        return show(s.Program(self.items))

    @property
    def unsigned(self) -> str:
        """The program without its signatures, and what settles its sizes at its end. That a
        definition is linear only a signature can say, and what the size of a family is that
        its body does not mention."""
        kept: list[s.Item] = []
        pins: list[s.Item] = []
        bodies = {item.name: item for item in self.items if isinstance(item, s.Definition)}
        for item in self.items:
            if not isinstance(item, s.Signature) or is_needed(item, bodies[item.name]):
                kept.append(item)
            elif item.brackets is None:
                pin = f"pin{len(pins) // 2 + 1}"
                pins.append(s.Signature(pin, None, item.type))
                pins.append(s.Definition(pin, None, (), s.Name(item.name)))
        return show(s.Program((*kept, *pins)))

    def __repr__(self) -> str:  # what hypothesis shows of a failure: the text itself
        return f"program, {self.main} : {self.type}\n{self.text}"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        printer.text(repr(self))

    @property
    def pin(self) -> str:
        """What stands for `main` in `unsigned`: the last that is settled there."""
        return f"pin{self.unsigned.count(chr(10) + 'pin') // 2}"

    @property
    def type(self) -> str:
        """The type of `main`, as the language shows it."""
        arrows = ["~>" if self.learns else "->"] + ["->"] * len(self.domains)
        parts = [
            f"{t.show(domain)} {arrow} "
            for domain, arrow in zip(self.domains, arrows, strict=False)
        ]
        return "".join(parts) + t.show(self.codomain)


SMOOTH = ("tanh", "sin", "cos", "sigmoid", "softplus", "gelu", "silu", "erf", "square")
KINKED = ("relu", "abs")
NUMBERS = (1, 2, 0.5, 3, -1, 0.25, -0.75, 1.5, 0)
LOCALS = ("x", "y", "z", "u", "v", "h", "a", "b", "c", "d", "e", "k", "p", "q")
LEARNING = (
    "dense", "linear", "mlp", "layerNorm", "rmsNorm", "scaleShift", "embed", "rnn", "gru", "lstm",
    "conv", "convSame", "multiHead", "transformerBlock",
)  # fmt: skip
HOLES = ("W", "U", "V", "K", "g", "r", "s", "w", "A", "B")
DEFINITIONS = ("cell", "layer", "model", "see", "say", "mix", "start")


class Writer:
    """Writes one program. `draw` makes hypothesis's choices."""

    def __init__(self, draw: Callable[[Any], Any], *, smooth: bool, depth: int) -> None:
        self.draw = draw
        self.smooth = smooth
        self.depth = depth
        self.items: list[s.Item] = []
        self.written: list[Written] = []
        self.families: list[str] = []
        self.reps: dict[str, Type] = {}
        self.data: dict[str, Data] = {}
        self.sizes: dict[str, int] = {}
        self.pool: list[Type] = []
        self.higher_order = False
        self.draws = False
        # of the definition that is being written
        self.holes: dict[str, Type] = {}
        self.declared: dict[str, Type] = {}
        self.learns = False
        self.may_learn = True
        self.used_labels: set[str] = set()
        self.fuel = 0

    # --- choices -------------------------------------------------------------------------------

    def chance(self, percent: int) -> bool:
        """True in so many of a hundred programs; False is the simpler answer."""
        return self.draw(st.integers(0, 99)) >= 100 - percent

    def pick(self, options: Sequence[Any]) -> Any:
        if len(options) == 1:
            return options[0]
        return options[self.draw(st.integers(0, len(options) - 1))]

    def size(self, least: int = 0) -> int:
        return self.pick([size for size in (2, 1, 3, 0) if size >= least])

    # --- types ---------------------------------------------------------------------------------

    def vector_type(self, depth: int = 1) -> Type:
        """A vector space, never large; often one that the program has already, so that
        what is written for one place fits others."""
        known = [type for type in self.pool if depth > 0 or not isinstance(type, t.Product)]
        if known and self.chance(65):
            return self.pick(known)
        made = self.new_vector_type(depth)
        if made not in self.pool:
            self.pool.append(made)
        return made

    def new_vector_type(self, depth: int) -> Type:
        options: list[Callable[[], Type]] = [
            lambda: t.R,
            lambda: array(t.R, self.size()),
            lambda: array(t.R, self.size(1)),
            lambda: array(t.R, self.size(), self.size(1)),
        ]
        options += [lambda rep=rep: t.Named(rep) for rep in self.reps]
        if depth > 0:
            options += [
                lambda: t.Product((self.vector_type(0), self.vector_type(0))),
                lambda: array(t.Product((self.vector_type(0), t.R)), self.size(1)),
                lambda: t.Product((t.R, self.vector_type(0), self.vector_type(0))),
            ]
        return self.pick(options)()

    def real_type(self) -> Type:
        return self.pick([
            lambda: t.R, lambda: array(t.R, self.size(1)), lambda: array(t.R, self.size(), self.size()),
        ])()  # fmt: skip

    def element_type(self) -> Type:
        """What an array may hold; data values are no elements."""
        type = self.any_type()
        return t.R if isinstance(type, t.Named) and type.name in self.data else type

    def any_type(self) -> Type:
        """A first-order type: mostly vector spaces, sometimes what does not move."""
        options: list[Callable[[], Type]] = [self.vector_type] * 5
        options += [
            lambda: t.Fin(constant(self.size(1))),
            lambda: t.Product((self.vector_type(0), t.Fin(constant(self.size(1))))),
            lambda: t.BOOL,
        ]
        options += [lambda data=data: t.Named(data) for data in self.data]
        return self.pick(options)()

    def vector(self, type: Type) -> bool:
        """Whether a type is a vector space."""
        match type:
            case t.Array(element=element):
                return self.vector(element)
            case t.Product(items=items):
                return all(map(self.vector, items))
            case t.Named(name=word):
                return word in self.reps
            case _:
                return type == t.R

    # --- types and sizes as trees --------------------------------------------------------------

    def size_of(self, size: int) -> s.SizeTree:
        """A number, or the name of a declared size that is this number."""
        for word, value in self.sizes.items():
            if value == size and self.chance(40):
                return s.SizeName(word)
        return s.SizeNumber(size)

    def brackets(self, word: str, *sizes: int) -> Tree:
        return s.Bracket(word, tuple(self.size_of(size) for size in sizes))

    def type_tree(self, type: Type) -> s.TypeTree:
        match type:
            case t.Array():
                base, sizes = axes(type)
                return s.TypeArray(self.type_tree(base), tuple(map(self.size_of, sizes)))
            case t.Fin(size=size):
                return s.TypeArray(s.TypeName("Fin"), (self.size_of(size.value),))
            case t.Product(items=items):
                return s.TypeProduct(tuple(map(self.type_tree, items)))
            case t.Scalar(name=word) | t.Named(name=word):
                return s.TypeName(word)
        raise AssertionError(type)

    def ascribed(self, tree: Tree, type: Type) -> Tree:
        return s.Ascription(tree, self.type_tree(type))

    # --- expressions ---------------------------------------------------------------------------

    def expression(self, goal: Type, scope: Scope, depth: int) -> Tree:
        """An expression of type `goal`."""
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

    def constant(self, goal: Type, scope: Scope) -> Tree:
        """A value of `goal` that depends on nothing, or on an index in scope."""
        match goal:
            case t.Scalar(name="R"):
                return name("pi") if self.chance(3) else number(self.pick(NUMBERS))
            case t.Scalar(name="Int"):
                return self.ascribed(number(self.pick((0, 1, 2))), goal)
            case t.Scalar(name="Bool"):
                if self.chance(50):
                    return name(self.pick(("True", "False", "training")))
                return infix(
                    self.pick(("<", "<=", "==", "/=")), number(1), number(self.pick((1, 2)))
                )
            case t.Fin(size=size):
                return self.ascribed(number(self.pick(range(size.value))), goal)
            case t.Product(items=items):
                return s.Tuple(tuple(self.expression(item, scope, 0) for item in items))
            case t.Named(name=word) if word in self.reps:
                return apply(word, self.expression(self.reps[word], scope, 0))
            case t.Named(name=word):
                constructor, fields = self.pick(self.data[word].constructors)
                return apply(constructor, *(self.expression(one, scope, 0) for one in fields))
            case t.Array(element=element):
                size = length(goal)
                if size == 0 or (self.vector(goal) and self.chance(15)):
                    if self.vector(goal):
                        return self.ascribed(name("zero"), goal)
                    return self.ascribed(s.Sequence(()), goal)
                if self.chance(60):
                    return apply(
                        self.brackets("replicate", size), self.expression(element, scope, 0)
                    )
                return s.Sequence(tuple(self.expression(element, scope, 0) for _ in range(size)))
        raise AssertionError(goal)

    def hole(self, goal: Type) -> Tree:
        """`?w`, a new one or one that stands already: then it is one weight."""
        self.learns = True
        known = [word for word, type in self.holes.items() if type == goal]
        if known and self.chance(50):
            return s.Hole(self.pick(known))
        return s.Hole(self.new_hole(goal))

    def new_hole(self, goal: Type, *, declare: bool = True) -> str:
        self.learns = True
        word = f"{HOLES[len(self.holes) % len(HOLES)]}{len(self.holes) // len(HOLES) or ''}"
        self.holes[word] = goal
        if declare:
            self.declared[word] = goal
        return word

    def allowed(self, each: Written) -> bool:
        return self.may_learn or not each.learns

    def used(self, each: Written) -> Tree:
        self.learns = self.learns or each.learns
        return name(each.name)

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

    # --- numbers, truth values, indices

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

    # --- arrays

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

    # --- derivatives

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
        """An expression of type `domain -o codomain`. Where a linear map is `wanted` by name,
        and not only by what an operator is given, a matrix may stand for one."""
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
        """An expression of type `domain -> codomain`."""
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

    # --- patterns ------------------------------------------------------------------------------

    def pattern(self, type: Type, scope: Scope, *, shadow: bool = True) -> tuple[Tree, Scope]:
        """A pattern that takes every value of `type`, and the scope with its names."""
        taken = set() if shadow else {local for local, _ in scope}
        pattern, names = self._pattern(type, scope, taken)
        return pattern, (*scope, *names)

    def _pattern(self, type: Type, scope: Scope, taken: set[str]) -> tuple[Tree, Scope]:
        if isinstance(type, t.Product) and self.chance(70):
            parts = [self._pattern(item, scope, taken) for item in type.items]
            return (
                s.PatternTuple(tuple(pattern for pattern, _ in parts)),
                tuple(name for _, names in parts for name in names),
            )
        if isinstance(type, t.Named) and type.name in self.reps and self.chance(60):
            inner, names = self._pattern(self.reps[type.name], scope, taken)
            return s.PatternConstructor(type.name, (inner,)), names
        if self.chance(5):
            return s.PatternWildcard(), ()
        used = taken | ({local for local, _ in scope} if self.chance(85) else set())
        word = next(
            (one for one in LOCALS if one not in used),
            next(f"x{k}" for k in range(1, 1000) if f"x{k}" not in used),
        )
        taken.add(word)
        return s.PatternName(word), ((word, type),)

    # --- items ---------------------------------------------------------------------------------

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


# --- values ------------------------------------------------------------------------------------


def value(type: Type, program: GeneratedProgram, session: Any, random: Any, batch: int = -1) -> Any:
    """A random Python value of `type`; with `batch`, that many along a new leading axis."""
    return _value(type, (batch,) if batch >= 0 else (), program, session, random)


def _value(type: Type, over: tuple[int, ...], program: Any, session: Any, random: Any) -> Any:
    match type:
        case t.Array(element=element):
            return _value(element, (*over, length(type)), program, session, random)
        case t.Product(items=items):
            return tuple(_value(item, over, program, session, random) for item in items)
        case t.Named(name=word) if word in program.reps:
            return _value(program.reps[word], over, program, session, random)
        case t.Named(name=word):
            constructors = program.data[word].constructors
            constructor, fields = constructors[int(random.integers(len(constructors)))]
            values = [_value(one, over, program, session, random) for one in fields]
            return session.constructor(constructor)(*values)
        case t.Fin(size=size):
            return numpy.asarray(random.integers(0, size.value, over))
        case t.Scalar(name="Bool"):
            return numpy.asarray(random.integers(0, 2, over), dtype=bool)
        case t.Scalar(name="Int"):
            return numpy.asarray(random.integers(0, 3, over))
        case _:
            return numpy.asarray(random.normal(size=over))
