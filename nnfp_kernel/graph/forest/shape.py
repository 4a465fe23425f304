"""What a forest is like, as far as a graph knows of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ...language import types as t
from ..graph import ArrayType
from ..values import Declarations, NotFirstOrder, OpenSize, known


class NoForest(Exception):
    """A tree is used otherwise than by a catamorphism that a forest can run."""


class Unordered(NoForest):
    """The payload of trees is wanted in order, which the forest was not given."""


@dataclass(frozen=True)
class Kind:
    """Nodes that run together. `room` is for the elements of each sequence among the
    fields, which in a leaf none of the children's has."""

    constructor: str
    room: int = 0
    leaf: bool = False


@dataclass(frozen=True)
class ForestShape:
    """How much room a forest has, which is all that a graph knows of its trees.

    `leaves` counts the nodes of each kind without children. `shared`: one forest holds the
    trees of all examples of a batch.
    """

    trees: int
    leaves: tuple[tuple[Kind, int], ...]
    inner: tuple[Kind, ...]
    length: int
    reads: int
    width: int
    shared: bool = False
    alike: int = 0  # forests of one number have trees of the same shapes
    items: int | None = None  # for the payload of a tree in order, where that is asked for

    @property
    def rows(self) -> int:
        """The rows of the leaves."""
        return sum(count for _, count in self.leaves)


@dataclass(frozen=True)
class Part:
    """A piece of a constructor's fields: a child, or payload of one type; by itself, or in
    each element of a sequence of the node."""

    type: t.Type
    sequence: int | None = None


@dataclass(frozen=True)
class Constructors:
    """The constructors of a data type, as a forest sees them.

    >>> tree = t.Named("Tree", ())
    >>> made = Constructors({"Leaf": (t.R,), "Node": (tree, t.R, tree)}, tree)
    >>> made.reads, [part.type == tree for part in made.parts("Node")]
    (2, [True, False, True])

    A field is a child, payload, a product or an array of a known length of such, or a
    sequence of products of such; no sequence of sequences.
    """

    fields: Mapping[str, tuple[t.Type, ...]]
    type: t.Named

    @classmethod
    def of(cls, type: t.Named, declarations: Declarations) -> Constructors:
        return cls(declarations.constructors(type), type)

    @cached_property
    def _walked(self) -> dict[str, tuple[tuple[Part, ...], tuple[bool, ...]]]:
        found = {}
        for name, fields in self.fields.items():
            sequences: list[bool] = []
            parts = [part for field in fields for part in self._of(field, sequences)]
            found[name] = tuple(parts), tuple(sequences)
        return found

    def _of(self, type: t.Type, sequences: list[bool], inside: int | None = None) -> list[Part]:
        if self.whole(type):
            return [Part(type, inside)]
        match type:
            case t.Product(items=items):
                return [part for item in items for part in self._of(item, sequences, inside)]
            case t.Array(element=element) if inside is None and self.open(type):
                number = len(sequences)
                sequences.append(False)
                parts = self._of(element, sequences, number)
                sequences[number] = any(part.type == self.type for part in parts)
                return parts
            case t.Array(element=element, length=length) if inside is None:
                return [p for _ in range(known(length)) for p in self._of(element, sequences)]
            case _:
                raise NotFirstOrder(type)

    def whole(self, type: t.Type) -> bool:
        """Whether a type is one part: a child, or payload made of arrays of known shapes."""
        return type == self.type or (t.is_concrete(type) and not t.mentions(type, self.type))

    @staticmethod
    def open(type: t.Type) -> bool:
        """Whether it is a sequence of run-time length."""
        return isinstance(type, t.Array) and type.length.value is None

    def parts(self, name: str) -> tuple[Part, ...]:
        """The parts of its fields, from left to right."""
        return self._walked[name][0]

    def sequences(self, name: str) -> tuple[bool, ...]:
        """Of each sequence among its fields, whether there are children in it."""
        return self._walked[name][1]

    def children(self, name: str, sequence: int | None = None) -> int:
        """How many children there are in each element of a sequence, or outside of any."""
        return sum(
            part.type == self.type and part.sequence == sequence for part in self.parts(name)
        )

    def slots(self, kind: Kind) -> int:
        """How many children a node has room for: those outside of sequences come first."""
        name = kind.constructor
        each = sum(self.children(name, k) for k in range(len(self.sequences(name))))
        return self.children(name) + kind.room * each

    def lanes(self, kind: Kind, reads: int) -> int:
        """How many lanes a node takes."""
        return max(1, -(-max(self.slots(kind), kind.room) // max(reads, 1)))

    @property
    def bounded(self) -> bool:
        """Whether every node has so many children as its type says, and no sequence."""
        return not any(map(self.sequences, self.fields))

    @property
    def leaves(self) -> tuple[str, ...]:
        """The constructors that may have no children."""
        return tuple(name for name in self.fields if not self.children(name))

    @property
    def inner(self) -> tuple[str, ...]:
        """The constructors that may have children."""
        return tuple(
            name for name in self.fields if any(part.type == self.type for part in self.parts(name))
        )

    @property
    def reads(self) -> int:
        """The most children outside of sequences."""
        return max((self.children(name) for name in self.fields), default=0)

    def missing(self, kind: Kind, part: Part) -> bool:
        """Whether a leaf has nothing there: in a sequence of children."""
        inside = part.sequence is not None and self.sequences(kind.constructor)[part.sequence]
        return kind.leaf and inside


def forestable(type: t.Type, declarations: Declarations) -> bool:
    """Whether values of `type` are trees that a forest can hold: a recursive data type
    whose fields are made of children and numbers."""
    if not isinstance(type, t.Named) or type.name not in declarations.data:
        return False
    if not declarations.data[type.name].recursive:
        return False
    constructors = Constructors.of(type, declarations)
    try:
        for name in constructors.fields:
            for part in constructors.parts(name):
                if part.type != type:
                    declarations.layout(part.type)
    except (NotFirstOrder, OpenSize):
        return False
    return True


# --- its arrays ----------------------------------------------------------------------------


def forest_layout(type: t.Named, shape: ForestShape, declarations: Declarations) -> list[ArrayType]:
    """The arrays of a forest: what kind each step is of, the schedule, the order of the
    payload, the payload."""
    constructors = Constructors.of(type, declarations)
    arrays = [kinds_layout(shape)] if len(shape.inner) > 1 else []
    arrays += schedule_layout(shape) + order_layout(shape)
    for own in payload_layout(constructors, shape, declarations).values():
        arrays += own
    return arrays


def kinds_layout(shape: ForestShape) -> ArrayType:
    return ArrayType("Int", (shape.length,))


def schedule_layout(shape: ForestShape) -> list[ArrayType]:
    blocks = (shape.length, shape.reads, shape.width), (shape.length, 1, shape.width)
    shapes = (blocks[0], (shape.trees,), blocks[1], (shape.rows,))
    return [ArrayType("Int", each) for each in shapes]


def order_layout(shape: ForestShape) -> list[ArrayType]:
    """Of each tree where its payload stands, item by item, and how many items it has."""
    if shape.items is None:
        return []
    return [ArrayType("Int", (shape.trees, shape.items)), ArrayType("Int", (shape.trees,))]


def payload_layout(
    constructors: Constructors, shape: ForestShape, declarations: Declarations
) -> dict[Kind | str, list[ArrayType]]:
    """The arrays of what is no child: of each kind of leaves, then of each constructor with
    children."""
    found: dict[Kind | str, list[ArrayType]] = {}
    for kind, count in shape.leaves:
        found[kind] = own_layout(constructors, kind, (count,), kind.room, declarations)
    steps = (shape.length, shape.width)
    for name in constructors.inner:
        found[name] = own_layout(constructors, Kind(name), steps, shape.reads, declarations)
    return found


def own_layout(
    constructors: Constructors,
    kind: Kind,
    axes: tuple[int, ...],
    room: int,
    declarations: Declarations,
) -> list[ArrayType]:
    """The arrays of nodes' payload: the length of each sequence, then the parts."""
    name = kind.constructor
    arrays = [
        ArrayType("Int", axes)
        for children in constructors.sequences(name)
        if not (kind.leaf and children)
    ]
    for part in constructors.parts(name):
        if part.type != constructors.type and not constructors.missing(kind, part):
            inside = axes if part.sequence is None else (*axes, room)
            arrays += declarations.layout(part.type, inside)
    return arrays
