"""Packing trees: Python's trees as the arrays of one forest, and gradients back as trees.

    a tree  ->  Flat  ->  Plan  ->  kinds, schedule, payload     (graph/forest)
           flat.py   plan.py       packing.py; and back: unpacking.py

What a tree is by itself, its nodes in breadth-first order and their payload, is found once
and kept with the tree, which is a value: nothing in it changes. A batch is then a matter of
whole arrays: nodes are sorted by their height and kind, each such level is cut into chunks.

    flat.py        one tree as arrays
    plan.py        where each node of many trees stands in their forest
    packing.py     the arrays of a forest, by such a plan
    unpacking.py   trees again, from arrays of their payload
    trees.py       trees packed, as an argument of a function
    arguments.py   the trees in arguments and answers, which hold more than trees

Room is counted in buckets, at most eight to an octave, so that a forest of about the same size
runs what is compiled already. What stands in the room left over repeats a node that is
there: no value comes up that would not come up anyway, and nobody reads its result.
"""

from .arguments import Planted, forests_in, numbered, packed, packed_like, planted, shared_out
from .plan import bucket
from .trees import PackedTrees

__all__ = [
    "PackedTrees", "Planted", "bucket", "forests_in", "numbered", "packed", "packed_like",
    "planted", "shared_out",
]  # fmt: skip
