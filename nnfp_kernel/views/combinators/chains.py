"""Ways through a network, and the two laws that leave one: in a row, and side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from ...language import syntax as s
from ...primitives.spelling import apply

Chain: TypeAlias = tuple[s.Expression, ...]  # maps in a row; none is the identity
Slot: TypeAlias = "dict[Place, list[Chain]]"  # the ways that lead to one place
FIRST, SECOND, ADD, IDENTITY = s.Name("fst"), s.Name("snd"), s.Name("add"), s.Name("id")
MOST_REMEMBERED = 8
ZIP, UNZIP = s.Name("zip"), s.Name("unzip")


@dataclass(eq=False)
class Place:
    """A variable, or what a part takes together, on the way to one expression."""

    slots: list[Slot]  # one; of what is taken together, one for each
    users: list[tuple[Place, int]] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        return len(self.slots) == 1


def reduced(start: Place, end: Place, order: list[Place]) -> Chain | None:
    """The one chain from `start` to `end`; None where the laws do not get there."""
    alive = dict.fromkeys(order)

    def take(place: Place) -> bool:
        """A place with one way in, or one that only adds up, is passed over."""
        if place is end or not place.ready:
            return False
        (slot,) = place.slots
        if len(slot) == 1:
            ((before, chains),) = slot.items()
            way = added(chains)
            if len(place.users) > 1 and not all(tree in (FIRST, SECOND) for tree in way):
                return False
            ways = {before: [way]}
        elif len(place.users) == 1 and place.users[0][0].slots[place.users[0][1]][place] == [()]:
            ways = slot
        else:
            return False
        for user, k in place.users:
            after = user.slots[k].pop(place)
            tail = after[0] if len(after) == 1 else added(after)
            for before, chains in ways.items():
                user.slots[k].setdefault(before, []).extend((*c, *tail) for c in chains)
                if (user, k) not in before.users:
                    before.users.append((user, k))
        for before in ways:
            before.users = [use for use in before.users if use[0] is not place]
        del alive[place]
        return True

    def settle(place: Place, whatever: bool) -> bool:
        """What is taken together, once it comes from one place; or a sum over the places
        it comes from."""
        if place.ready:
            return False
        places = dict.fromkeys(before for slot in place.slots for before in slot)
        if len(places) > 1 and not whatever:
            return False
        together: Slot = {}
        for before in places:
            chains = [slot.get(before) for slot in place.slots]
            together[before] = [paired([None if c is None else added(c) for c in chains])]
            before.users = [use for use in before.users if use[0] is not place]
            before.users.append((place, 0))
        place.slots = [together]
        return True

    remembered: list[Place] = []

    def remember() -> bool:
        """Two ways that part and meet across others: `id &&& L` goes on with both the place
        it comes from and where L leads, and all that follows takes its part of them."""
        if len(remembered) == MOST_REMEMBERED:
            return False
        for place in list(alive):
            if place is end or not place.ready or len(place.slots[0]) != 1:
                continue
            remembered.append(place)
            ((before, chains),) = place.slots[0].items()
            both = Place([{before: [paired([(), added(chains)])]}])
            for old, part in ((before, FIRST), (place, SECOND)):
                for user, k in old.users:
                    if user is place:
                        continue
                    after = user.slots[k].pop(old)
                    user.slots[k].setdefault(both, []).extend((part, *c) for c in after)
                    if (user, k) not in both.users:
                        both.users.append((user, k))
            before.users = [(both, 0)]
            del alive[place]
            alive[both] = None
            return True
        return False

    progress = True
    while progress:
        progress = False
        for place in list(alive):
            if settle(place, False):
                progress = True
            if take(place):
                progress = True
        if not progress:
            waiting = (place for place in reversed(list(alive)) if settle(place, True))
            progress = next(waiting, None) is not None or remember()
    if end is start:
        return ()
    if not end.ready or list(end.slots[0]) != [start]:
        return None
    return added(end.slots[0][start])


def added(chains: Sequence[Chain]) -> Chain:
    """L + M + …; of what comes from the two parts of a pair, `(L *** M) >> add`."""
    if len(chains) == 1:
        return chains[0]
    if len(chains) == 2 and chains[0] and chains[1]:
        one, two = sorted(chains, key=lambda chain: chain[0] == SECOND)
        if one[0] == FIRST and two[0] == SECOND:
            return (*beside(one[1:], two[1:]), ADD)
    # What only takes parts is a function by itself, and functions are not added: it comes
    # after a linear map.
    same = sum(not chain for chain in chains)
    if same > 1:
        scaled = apply("scale", s.Number(same))
        chains = [(scaled,), *(chain for chain in chains if chain)]
    trees = sorted(map(composed, chains), key=_is_function)
    if _is_function(trees[0]):
        return (s.Binary("&&&", trees[0], composed(added([(t,) for t in trees[1:]]))), ADD)
    tree = trees[0]
    for other in trees[1:]:
        tree = s.Binary("+", tree, other)
    return (tree,)


def _is_function(tree: s.Expression) -> bool:
    """Whether a map only takes parts and pairs them."""
    if isinstance(tree, s.Binary):
        return _is_function(tree.left) and _is_function(tree.right)
    return tree in (FIRST, SECOND, IDENTITY)


def beside(one: Chain, two: Chain) -> Chain:
    """L *** M."""
    return (s.Binary("***", composed(one), composed(two)),) if one or two else ()


def paired(chains: Sequence[Chain | None]) -> Chain:
    """L &&& M, what both begin with done once; None is zero."""
    one, two = chains
    if one is None or two is None:
        zero = s.Name("zero")
        left, right = (zero if c is None else composed(c) for c in (one, two))
        return (s.Binary("&&&", left, right),)
    common = 0
    while common < min(len(one), len(two)) and one[common] == two[common]:
        common += 1
    front, one, two = one[:common], one[common:], two[common:]
    if one and two and one[0] == FIRST and two[0] == SECOND:
        return (*front, *beside(one[1:], two[1:]))
    if not one and not two:
        return (*front, s.Name("dup"))
    return (*front, s.Binary("&&&", composed(one), composed(two)))


def composed(chain: Sequence[s.Expression]) -> s.Expression:
    maps: list[s.Expression] = []
    for each in chain:
        for stage in _stages(each):
            if maps and maps[-1] == UNZIP and stage == ZIP:
                maps.pop()
            elif stage != IDENTITY:
                maps.append(stage)
    if not maps:
        return IDENTITY
    tree = maps[0]
    for stage in maps[1:]:
        tree = s.Binary(">>", tree, stage)
    return tree


def _stages(tree: s.Expression) -> list[s.Expression]:
    """The maps that an expression composes."""
    found: list[s.Expression] = []
    while isinstance(tree, s.Binary) and tree.operator == ">>":
        found.append(tree.right)
        tree = tree.left
    return [tree, *reversed(found)]
