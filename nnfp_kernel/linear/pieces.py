"""A network cut into pieces, each one expression of combinators that a person still follows.

What is used several times would be written several times: there the network is cut, and
where an expression grows long. A piece is a linear map from the variables that it reads to
the one that it makes; their adjoints, in reverse, make the adjoint of the whole.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from .maps import Network, Part, Variable

LONGEST = 12  # maps in a piece, but for those that take more


@dataclass(frozen=True)
class Piece:
    """`network` gives `variable` of those variables that it reads."""

    variable: Variable
    network: Network


def pieces(network: Network, longest: int = LONGEST) -> list[Piece]:
    """The pieces of a network, each after those that it reads.

    A variable that nothing contributes to, zero, has none.
    """
    makers: dict[Variable, list[Part]] = {}
    for part in network.parts:
        for variable in part.outputs:
            makers.setdefault(variable, []).append(part)
    uses = Counter(v for part in network.parts for v in part.inputs)
    cuts = set(network.inputs)
    size = dict.fromkeys(network.inputs, 1)
    made: list[Piece] = []

    def cut(variable: Variable) -> None:
        cuts.add(variable)
        size[variable] = 1
        made.append(Piece(variable, _between(makers, cuts, variable)))

    for variable in _in_order(network):
        if variable in cuts:
            continue
        read = list(dict.fromkeys(v for part in makers[variable] for v in part.inputs))
        for each in sorted(read, key=lambda v: -size[v]):
            if 1 + sum(size[v] for v in read) > longest and size[each] > 1:
                cut(each)
        size[variable] = 1 + sum(size[v] for part in makers[variable] for v in part.inputs)
        if variable in network.outputs or (uses[variable] > 1 and size[variable] > 2):
            cut(variable)
    return made


def _in_order(network: Network) -> list[Variable]:
    """The variables that parts make, each when all its contributions are there."""
    last: dict[Variable, int] = {}
    for k, part in enumerate(network.parts):
        last |= dict.fromkeys(part.outputs, k)
    return sorted(last, key=last.__getitem__)


def _between(makers: dict[Variable, list[Part]], cuts: set[Variable], end: Variable) -> Network:
    """What makes a variable of those where the network is cut."""
    parts: dict[int, Part] = {}
    read: dict[Variable, None] = {}
    todo, seen = [end], {end}
    while todo:
        for part in makers[todo.pop()]:
            parts[id(part)] = part
            for variable in part.inputs:
                if variable in cuts or variable not in makers:
                    read[variable] = None
                elif variable not in seen:
                    seen.add(variable)
                    todo.append(variable)
    order = {id(part): k for k, part in enumerate(p for ps in makers.values() for p in ps)}
    inside = sorted(parts.values(), key=lambda part: order[id(part)])
    return Network(tuple(read), tuple(inside), (end,))
