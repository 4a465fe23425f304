"""What is made of trees of which nothing is known: observations, one after the other.

A `Plant` is such a tree, or a sequence of them: an argument, what stands in a field of a node
while an algebra looks at it, or what is made of others. What a program makes of it (unknown.py)
is written down on it, and is a further input of the graph that the tree belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from ...language import types as t
from ...language.sizes import constant
from ..graph import ArrayType, Builder, Graph, Wire
from ..values import Chosen, Declarations, NotFirstOrder, Value
from .shape import NoForest

if TYPE_CHECKING:
    from ..context import Context
    from .parted import Tree

# How far apart the numbers are that stand for lengths: `n - 4` to `n + 3` tells of which one.
APART = 8

Path = tuple[Any, ...]  # through the arguments, and the fields of constructors


@dataclass(frozen=True, eq=False)
class Branch:
    """The algebra at one constructor. Its inputs are wires of the outermost graph, which
    come first, then those of the fields, with results in place of the children, and of what
    it observes of trees among these (`inside`)."""

    body: Graph
    outside: tuple[Wire, ...]
    fields: tuple[t.Type, ...]
    inside: Inside | None = None  # where there are trees in it


@dataclass(frozen=True, eq=False)
class Inside:
    """The trees at a node: how the fields are laid out, the result, what is observed, and
    the wires of all inputs as these know them."""

    structures: tuple[Structure, ...]
    answer: Value
    observed: tuple[Observation, ...]
    given: tuple[Wire, ...]
    called: Mapping[Path, str]  # the program's names of trees
    around: tuple[Plant, ...] = ()  # trees of around it, in the answers


@dataclass(frozen=True, eq=False)
class Reduction:
    """A catamorphism over an unknown tree, and the inputs that stand for its result; where it is
    not `deep`, a `case`, whose algebra is given the children themselves."""

    tree: Plant
    result: t.Type
    branches: dict[str, Branch]
    wires: tuple[Wire, ...]
    asked: tuple[object, object] = (None, None)  # which one it is, of which view
    value: Value = None  # the result, with trees of which nothing is known
    structure: Structure = None  # of the result, where trees are in it
    deep: bool = True
    written: t.Type | None = None  # as the program has it, where there are lengths of its own

    @property
    def outside(self) -> tuple[Wire, ...]:
        """What the algebra takes from around it."""
        return tuple(dict.fromkeys(w for one in self.branches.values() for w in one.outside))

    @property
    def around(self) -> tuple[Plant, ...]:
        """The trees that it takes from around it, as they are."""
        inside = [one.inside for one in self.branches.values() if one.inside is not None]
        return tuple(dict.fromkeys(tree for one in inside for tree in one.around))


@dataclass(frozen=True, eq=False)
class Contents:
    """The payload of an unknown tree, from left to right: an array of so many elements,
    and the inputs that stand for it."""

    tree: Plant
    result: t.Array
    wires: tuple[Wire, ...]
    outside: tuple[Wire, ...] = ()


@dataclass(frozen=True, eq=False)
class Made:
    """A tree made of others of its shape: `how` is add, subtract, scale or refill, or, of a
    tree with pairs for payload, first or second. What that takes of arrays, a factor or the
    payload, is the `branch`."""

    how: str
    tree: Plant
    parts: tuple[Plant, ...]
    branch: Branch | None = None
    wires: tuple[Wire, ...] = ()

    @property
    def outside(self) -> tuple[Wire, ...]:
        return () if self.branch is None else self.branch.outside


@dataclass(frozen=True, eq=False)
class Inner:
    """The inner product of two trees of one shape, and the input that stands for it."""

    tree: Plant
    other: Plant
    wires: tuple[Wire, ...]
    outside: tuple[Wire, ...] = ()


@dataclass(frozen=True, eq=False)
class Kept:
    """Arrays by themselves, and the inputs that stand for them: a point at which the program
    takes a derivative, or a tangent there. `tree` is any of the same graph."""

    tree: Plant
    branch: Branch
    wires: tuple[Wire, ...]

    @property
    def outside(self) -> tuple[Wire, ...]:
        return self.branch.outside


@dataclass(frozen=True, eq=False)
class Pulled:
    """What the adjoint of a reduction makes of a cotangent of its result (the `branch`): the
    cotangent of the tree, which is a `tree` too, and those of what is `moving` of all that its
    algebra takes from around it. Where the tree does not move, it is not `whole`."""

    tree: Plant
    reduction: Reduction
    branch: Branch
    moving: tuple[Wire, ...]
    wires: tuple[Wire, ...]
    whole: bool

    @property
    def outside(self) -> tuple[Wire, ...]:
        return tuple(dict.fromkeys((*self.branch.outside, *self.reduction.outside)))


@dataclass(frozen=True, eq=False)
class Derived:
    """What the linear map of a reduction makes of a tangent of the tree (`given`) and of what is
    `moving` around it, or, `back`, its adjoint of a cotangent of the result: arrays, which are
    the `branch`, and trees. It is that of any reduction; those that make trees have no other."""

    tree: Plant
    reduction: Reduction
    back: bool
    branch: Branch
    given: tuple[Plant, ...]
    moving: tuple[Wire, ...]
    wires: tuple[Wire, ...]
    made: tuple[Plant, ...]  # the trees that it makes

    @property
    def outside(self) -> tuple[Wire, ...]:
        return tuple(dict.fromkeys((*self.branch.outside, *self.reduction.outside)))


@dataclass(frozen=True, eq=False)
class Rounds:
    """A loop whose body observes trees from around it, `known`, and the inputs that stand for its
    final states and for its outputs. `given` makes the first states, of which there are so many as
    are `carried`, and the sequences. The inputs of the `body` are the states and the elements."""

    tree: Plant  # any of the same graph
    given: Branch
    body: Branch
    carried: int
    length: int
    reverse: bool
    known: tuple[Plant, ...]
    wires: tuple[Wire, ...]
    # Of sequences of trees, in any places: which input is the place, the trees, and the one there.
    each: tuple[tuple[int, Plant, Plant], ...] = ()

    @property
    def outside(self) -> tuple[Wire, ...]:
        return tuple(dict.fromkeys((*self.given.outside, *self.body.outside)))

    @property
    def inside(self) -> Inside:
        assert self.body.inside is not None
        return self.body.inside


Observation: TypeAlias = Reduction | Contents | Made | Inner | Kept | Pulled | Derived | Rounds


@dataclass(frozen=True)
class AnyTree:
    """In place of a tree's structure: it is not known. A sequence in its fields has so
    many elements, in the text any number; `path` says where the tree stands."""

    room: int
    path: Path = ()
    many: bool = False  # in place of a sequence of trees of any number
    asked: tuple[t.Type, ...] = ()  # of each of these, what results
    apart: bool = False  # one of a sequence: its constructor is not asked for from outside
    alike: bool = False  # the lengths of what is made of trees are all the same


@dataclass(frozen=True)
class Columns:
    """In place of a sequence of tuples with trees in them, of any number: a sequence of what
    stands at each place."""

    parts: tuple[Structure, ...]

    @classmethod
    def of(cls, element: t.Product, declarations: Declarations, room: int, path: Path) -> Columns:
        """With so many elements. Raises NotFirstOrder for sequences in tuples."""

        def column(item: t.Type, path: Path) -> Structure:
            match item:
                case t.Product():
                    return cls.of(item, declarations, room, path)
                case t.Named() if declarations.has_trees(item):
                    return AnyTree(room, path, many=True)
                case _ if declarations.one_by_one(item) or not t.is_concrete(item):
                    raise NotFirstOrder(item)
                case _:
                    return t.Array(item, constant(room))

        return cls(tuple(column(item, (*path, k)) for k, item in enumerate(element.items)))


# What is known of the trees in a value: nothing, or their constructors; a type, with lengths.
Structure: TypeAlias = "AnyTree | Columns | t.Type | tuple[Any, ...] | None"


class Undecided(Exception):
    """A program asks for the constructor of a tree of which nothing is known."""

    def __init__(self, tree: Plant | AnyTree) -> None:
        super().__init__(tree.path)
        self.path = tree.path


class Looked(NoForest):
    """A program asks for the constructor of a tree that no argument is, or of one in a
    sequence: the `case` itself is observed (`looked`); or of one that is chosen at run time."""

    def __init__(self, tree: Tree | Chosen) -> None:
        super().__init__(tree.type)
        self.tree = tree


class Entangled(NoForest):
    """What is made of a tree in a loop, `what` that is, knows the state, or more of an element than
    can be observed for all at once: the loop is observed, if that may be (rounds.py)."""

    def __init__(self, type: t.Type, what: str) -> None:
        super().__init__(type)
        self.what = what


class Choosing(NoForest):
    """A tree that a condition chooses stands where one is to be read: in what a node makes."""


class Unasked(Exception):
    """A catamorphism is asked of each of a sequence of trees of which nothing is known, that
    was not provided for: a result of this type."""

    def __init__(self, plant: Plant, result: t.Type) -> None:
        super().__init__(plant.path)
        self.plant, self.result = plant, result


@dataclass(frozen=True, eq=False)
class Plant:
    """The tree itself: an argument, or two trees of one shape as one. `observed` is what
    the program makes of all its trees, one after the other."""

    type: t.Named
    declarations: Declarations
    make: Callable[[ArrayType], Wire]  # a further input of the outermost graph
    room: int
    path: Path
    observed: list[Observation]
    home: Builder | None = None  # where what is made of it is an input; None: the outermost
    parts: tuple[Plant, Plant] | None = None
    zipped: dict[Plant, Plant] = field(default_factory=dict)  # with others
    names: list[str] = field(default_factory=list)  # in the program
    many: bool = False  # not one tree but a sequence of them
    place: Wire | None = None  # the places in that
    apart: bool = False  # one of a sequence
    alike: bool = False  # the lengths of what is made of trees are all the same
    answers: tuple[tuple[t.Type, tuple[Wire, ...]], ...] = ()  # provided for, of each
    same: Plant | None = None  # the tree that it is, at a point where a derivative is taken
    count: list[int] = field(default_factory=list)  # of elements, once asked: of all of its shape

    def beside(self, other: Plant, type: t.Named) -> Plant:
        """The two as one tree."""
        if other not in self.zipped:
            self.zipped[other] = replace(
                self, type=type, parts=(self, other), zipped={}, names=[], same=None
            )
        return self.zipped[other]

    def made(self, how: str, others: Sequence[Plant], branch: Branch | None = None) -> Plant:
        """A tree of this shape, made of this one and others."""
        if any(other.home is not self.home for other in others):
            raise NoForest(self.type)
        tree = self.another()
        self.observed.append(Made(how, tree, (self, *others), branch))
        return tree

    def another(self) -> Plant:
        """A tree of this shape, that is observed next."""
        path = ("of", self.home, len(self.observed))
        return replace(self, path=path, parts=None, zipped={}, names=[], same=None)

    def point(self, like: Plant | None = None) -> Plant:
        """This tree, where a derivative is taken at it: else it is held constant there. Or as
        one that is known to be of the shape of another."""
        count = self.count if like is None else like.count
        return replace(self, zipped={}, same=self, count=count)

    def part(self, place: int) -> Plant:
        """Of a tree with pairs for payload, one with that part of each."""
        payload = self.type.arguments[-1]
        assert isinstance(payload, t.Product)
        type = replace(self.type, arguments=(*self.type.arguments[:-1], payload.items[place]))
        tree = replace(self.another(), type=type)
        self.observed.append(Made(("first", "second")[place], tree, (self,)))
        return tree

    def kept(self, branch: Branch) -> tuple[Wire, ...]:
        """Inputs that stand for arrays."""
        wires = tuple(self.make(wire.type) for wire in branch.body.outputs)
        self.observed.append(Kept(self, branch, wires))
        return wires

    def pulled(
        self, reduction: Reduction, branch: Branch, moving: Sequence[Wire], whole: bool
    ) -> Pulled:
        """What the adjoint of a reduction of this tree makes of a cotangent."""
        wires = tuple(self.make(wire.type) for wire in moving)
        made = Pulled(self.another(), reduction, branch, tuple(moving), wires, whole)
        self.observed.append(made)
        return made

    def derived(
        self,
        reduction: Reduction,
        branch: Branch,
        given: Sequence[Plant],
        moving: Sequence[Wire],
        results: Sequence[Plant] | None,
    ) -> Derived:
        """What the linear map of a reduction of this tree makes of a tangent, where `results`
        are the trees that it makes; None: its adjoint, of a cotangent."""
        back = results is None
        found = tuple(
            replace(like.another(), path=("of", self.home, len(self.observed), k))
            for k, like in enumerate((self,) if results is None else results)
        )
        types = [wire.type for wire in (moving if back else reduction.wires)]
        wires = tuple(self.make(type) for type in types if type.differentiable)
        made = Derived(self, reduction, back, branch, tuple(given), tuple(moving), wires, found)
        self.observed.append(made)
        return made

    @property
    def given(self) -> bool:
        """Whether it is an argument's: what it is may be traced for each constructor."""
        return self.argument and self.parts is None and not self.many and not self.apart

    @property
    def argument(self) -> bool:
        """Whether it stands in an argument."""
        return all(isinstance(place, int) for place in self.path)

    @property
    def bare(self) -> bool:
        """Whether all that moves in it is payload."""
        declarations = self.declarations
        if not self.type.arguments:
            return False
        payload = t.Named(self.type.name, (*self.type.arguments[:-1], t.INT))

        def moves(type: t.Type) -> bool:
            match type:
                case t.Scalar(name=name):
                    return name in ("R", "C")
                case t.Array(element=element):
                    return moves(element)
                case t.Product(items=items):
                    return any(map(moves, items))
                case t.Named(name=name) if name in declarations.reps:
                    return moves(declarations.reps[name].carrier)
                case t.Named() if type != payload:
                    fields = declarations.constructors(type).values()
                    return any(moves(field) for one in fields for field in one)
                case _:
                    return False

        fields = declarations.constructors(payload).values()
        return not any(moves(f) for one in fields for f in one)

    def of_own_lengths(self, context: Context, type: t.Type) -> t.Type:
        """The type of what is made of the tree, with a length for each that only running tells,
        another one than all others: that of a sequence of trees is its room."""
        match type:
            case t.Array(element=element, length=length):
                made = self.of_own_lengths(context, element)
                if length.value is None and not self.declarations.has_trees(element):
                    length = constant(self.room + APART * next(context.lengths))
                return t.Array(made, length)
            case t.Product(items=items):
                return t.Product(tuple(self.of_own_lengths(context, item) for item in items))
            case _:
                return type

    @property
    def open_lengths(self) -> set[int]:
        """The numbers that stand for lengths that only a tree knows."""
        found: set[int] = set()
        for one in self.observed:
            if isinstance(one, Contents) or (isinstance(one, Reduction) and one.written):
                found |= {size for wire in one.wires for size in wire.type.shape[:1]}
        return found

    def contents(self) -> Contents:
        """The payload, which has a number of elements of its own."""
        for made in self.observed:
            if isinstance(made, Contents) and made.tree is self:
                return made
        if not self.count:
            known = {made.result for made in self.observed if isinstance(made, Contents)}
            others = len({type.length for type in known})
            self.count.append(self.room + APART * (others + 1))
        type = t.Array(self.type.arguments[-1], constant(self.count[0]))
        made = Contents(self, type, tuple(map(self.make, self.declarations.layout(type))))
        self.observed.append(made)
        return made


__all__ = [
    "APART", "AnyTree", "Branch", "Choosing", "Columns", "Contents", "Derived", "Entangled",
    "Inner", "Inside", "Kept", "Looked", "Made", "Observation", "Path", "Plant", "Pulled",
    "Reduction", "Rounds", "Structure", "Unasked", "Undecided",
]  # fmt: skip
