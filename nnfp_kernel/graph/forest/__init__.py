"""Forests: trees of any shapes as one flat value, and the catamorphism over it.

Which node is whose child is data here, not structure: one graph serves every forest of
like size. Nodes run together by kind: of one constructor, with or without children, with
room for so many elements in the sequences among their fields. The nodes without children
(the leaves) stand in one row each and are reduced at once, by a map for each kind. The
others stand in chunks, a node after its children; a `TreeLoop` runs through them. The
roots' results are what is asked for.

A chunk is `width` lanes of `reads` slots. A node takes as many lanes as its children need
slots, so that a chunk holds many nodes with few children or few with many: a node of 300
children beside leaves costs a chunk of its own and nothing else. To the algebra a sequence
of children is one of run-time length, padded and masked as all are (graph/sequences.py).

A batch of trees is one forest, shared by all examples: the catamorphism is made outside
the map over examples, and an example takes the result of its own tree. That holds as
long as the algebra knows nothing of the example; otherwise each example has a forest of
its own. A paramorphism is a catamorphism too, with all that it asks of a child beside the
result; what it asks at a node of its own is a catamorphism from there down. A function on
the payload is a map over it, and leaves the trees their shape. A fold over the payload is one
over a sequence: where each tree has it, in order, is data too, made for those who ask. What
is neither (a `case` on a tree, a tree of another shape) needs to know the tree while tracing:
NoForest is raised, and the caller traces for its structure.

    shape.py      what a forest is like: constructors, kinds of nodes, the arrays
    wires.py      a forest on wires; a function on the payload
    reduction.py  a catamorphism over a forest, as a TreeLoop
    node.py       one node of a kind, as the algebra is given it
    subtrees.py   a child beside its result: paramorphisms
    order.py      the payload of each tree as a sequence
    unknown.py    a tree of which nothing is known, for reading
    observed.py   what is made of such trees
    along.py      what is made of one for all elements of a loop at once
    rounds.py     a loop whose body makes something of trees
    drawn.py      what is drawn outside of trees, before what is made of them
    parted.py     such a tree as its parts, beside what is not known of it
"""

from .along import Along
from .drawn import drawn_first
from .observed import (
    APART,
    AnyTree,
    Branch,
    Choosing,
    Columns,
    Contents,
    Derived,
    Entangled,
    Inner,
    Inside,
    Kept,
    Looked,
    Made,
    Observation,
    Plant,
    Pulled,
    Reduction,
    Rounds,
    Structure,
    Unasked,
    Undecided,
)
from .order import Piece, fold_payload, pieces
from .parted import Child, Parted
from .reduction import reduce_forest
from .rounds import Home, in_rounds
from .shape import (
    Constructors,
    ForestShape,
    Kind,
    NoForest,
    Part,
    Unordered,
    forest_layout,
    forestable,
    own_layout,
    payload_layout,
)
from .subtrees import Question, Subtree, reduce_with_trees
from .unknown import (
    ALIKE,
    Fellow,
    Unknown,
    answered,
    arrays_of,
    asking,
    field_type,
    growing,
    planted,
    plants,
    sums_apart,
)
from .wires import HOLE, Forest, Own, entrywise, mapped

__all__ = [
    "ALIKE", "APART", "HOLE", "Along", "AnyTree", "Branch", "Child", "Choosing", "Columns",
    "Constructors", "Contents", "Derived", "Entangled", "Fellow", "Forest", "ForestShape", "Home",
    "Inner", "Inside", "Kept", "Kind", "Looked", "Made", "NoForest", "Observation", "Own", "Part",
    "Parted", "Piece", "Plant", "Pulled", "Question", "Reduction", "Rounds", "Structure", "Subtree",
    "Unasked", "Undecided", "Unknown", "Unordered", "answered", "arrays_of", "asking",
    "drawn_first", "entrywise", "field_type", "fold_payload", "forest_layout", "forestable",
    "growing", "in_rounds", "mapped", "own_layout", "payload_layout", "pieces", "planted", "plants",
    "reduce_forest", "reduce_with_trees", "sums_apart",
]  # fmt: skip
