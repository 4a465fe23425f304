"""A program unrolled: what repeats in it, step by step, with the values at each step.

    steps.py     what there is to see: chains of states, elements below, outputs above
    frames.py    a graph and its arrays: the loops, maps and trees in it, run step by step
    told.py      what they are called: the program's own text, types, representations
    unroll.py    a function's loops, and those inside of their steps
    packed.py    the same as JSON and a buffer, for widgets and pages
    text.py      the same in words and numbers

The values come from the traced graph, which is interpreted over arrays once more with the
states among its answers: so a fold, a scan, an unfold, a bidirectional map, a window or a
catamorphism is seen as it ran, however it was written.

Source: the figures are those of Olah 2015, "Neural Networks, Types, and Functional
Programming".
"""

from .packed import key_of, packed
from .steps import Chain, Steps, Strip, Tree, Unrolled
from .unroll import first, unroll

__all__ = ["Chain", "Steps", "Strip", "Tree", "Unrolled", "first", "key_of", "packed", "unroll"]
