"""What writing any form needs: choices, types, leaves and patterns.

The forms themselves call each other through what is abstract here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st
from programs.generate.program import Data, Written
from programs.trees import (
    Scope,
    Tree,
    Type,
    apply,
    array,
    axes,
    infix,
    length,
    name,
    number,
)

from nnfp_kernel.language import syntax as s
from nnfp_kernel.language import types as t
from nnfp_kernel.language.sizes import constant

SMOOTH = ("tanh", "sin", "cos", "sigmoid", "softplus", "gelu", "silu", "erf", "square")
KINKED = ("relu", "abs")
NUMBERS = (1, 2, 0.5, 3, -1, 0.25, -0.75, 1.5, 0)
LOCALS = ("x", "y", "z", "u", "v", "h", "a", "b", "c", "d", "e", "k", "p", "q")
HOLES = ("W", "U", "V", "K", "g", "r", "s", "w", "A", "B")


class Choices(ABC):
    """The state of one program being written. `draw` makes hypothesis's choices."""

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

    # --- what the forms give -------------------------------------------------------------------

    @abstractmethod
    def expression(self, goal: Type, scope: Scope, depth: int) -> Tree:
        """An expression of type `goal`."""

    @abstractmethod
    def function(self, domain: Type, codomain: Type, scope: Scope, depth: int) -> Tree:
        """An expression of type `domain -> codomain`."""

    @abstractmethod
    def linear_map(
        self, domain: Type, codomain: Type, scope: Scope, depth: int, *, wanted: bool = False
    ) -> Tree:
        """An expression of type `domain -o codomain`. Where a linear map is `wanted` by name,
        and not only by what an operator is given, a matrix may stand for one."""

    # --- leaves --------------------------------------------------------------------------------

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
