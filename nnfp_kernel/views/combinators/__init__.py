"""A derivative as an expression of linear-map combinators.

    section (layer.W @) >> diag (1 - y * y)

A network of linear maps (linear/maps) becomes one expression by two laws, applied
until one map is left from the source to the sink:

    in a row       a >> b >> c       one way into b, and one way out of it
    side by side   a => b            L + M

What a part takes together waits until it comes from one place: `L &&& M` leads there.
To take a part of a pair (`fst`, `snd`) costs nothing and is written anew for each use, so
a sum of what comes from both is `(L *** M) >> add`. Where neither law applies, a place
is remembered: `id &&& L` goes on with both. Where more would have to be than one can
follow, the network is written as a function, `section (\\u -> …)`, and so is a map that
has no name.
Several arrays are pairs that nest to the right.

    networks.py    networks made ready to be written
    writer.py      every map as an expression, and the whole
    chains.py      the two laws
    nests.py, functions.py    pairs, patterns and functions of the text
"""

from .chains import IDENTITY, UNZIP, ZIP, composed
from .functions import linear_function
from .nests import pair_pattern, pairs
from .networks import held, recorded, require_drawn
from .writer import combinators

__all__ = [
    "IDENTITY", "UNZIP", "ZIP", "combinators", "composed", "held", "linear_function",
    "pair_pattern", "pairs", "recorded", "require_drawn",
]  # fmt: skip
