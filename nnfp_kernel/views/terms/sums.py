"""Sizes that are made of several lengths: those of sequences laid end to end.

    h = [3] ++ y            there are `length y + 1` elements: a size of no sequence by itself
    zs = map (\\_ -> 0) y ++ [0]        … and one that has it, along which things are made

Two texts have numbers for lengths, 5 + 8k and 6 + 8k for the k-th. So how far apart two numbers
are says of how many lengths they are the sum, and what is left over how many elements more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import combinations_with_replacement
from typing import Any

from ...language import syntax as s
from ...primitives.decompile import Block
from ...primitives.spelling import Names, apply, sized

MOST = 4  # lengths that one size is made of
FEW = range(-4, 4)  # elements more: not as many as numbers of lengths are apart


@dataclass
class Sums:
    """The sizes of that kind in two texts, each with a word of its own: of which lengths it is
    the sum, by their places among the words, and how many elements more there are."""

    names: Names
    first: int  # of the numbers that lengths have in the first text
    apart: int  # how far these are from each other
    lengths: Sequence[int]  # the places of those that sequences have
    words: dict[tuple[tuple[int, ...], int], str] = field(default_factory=dict)

    def word(self, one: float, other: float) -> str | None:
        """The word for a size that is `one` in the first text and `other` in the second; None
        where it is no such sum, or may be several."""
        count = round(other - one)
        if not (one == round(one) and other == round(other) and 1 <= count <= MOST):
            return None
        over = (round(one) - self.first * count - FEW[0]) % self.apart + FEW[0]
        places = (round(one) - self.first * count - over) // self.apart
        found = [
            those
            for those in combinations_with_replacement(self.lengths, count)
            if sum(those) == places
        ]
        if len(found) != 1 or over not in FEW:
            return None
        return self.words.setdefault((found[0], over), self.names.fresh("m"))


def ruled(tree: Any, word: str, parts: Sequence[frozenset[str]], over: int, ruler: str) -> Any:
    """The tree with a sequence of that name bound, as long as `word` says, as soon as sequences
    of all the lengths it is made of are: `parts` are the names of those."""
    return _Ruling(word, parts, over, ruler).within(tree, {})


@dataclass(frozen=True)
class _Ruling:
    word: str
    parts: Sequence[frozenset[str]]
    over: int
    ruler: str

    def within(self, tree: Any, known: Mapping[int, str]) -> Any:
        if isinstance(tree, tuple):
            return tuple(self.within(each, known) for each in tree)
        if not isinstance(tree, s.Tree) or not self.holds(tree):
            return tree
        if isinstance(tree, s.Let):
            return self._let(tree, known)
        if isinstance(tree, s.Alternative | s.Definition | s.Lambda):
            patterns = (tree.pattern,) if isinstance(tree, s.Alternative) else tree.parameters
            inner = self.bound(known, patterns)
            if not self.complete(inner):
                return replace(tree, body=self.within(tree.body, inner))
            block = Block()
            block.bind(s.PatternName(self.ruler), self.made(inner))
            return replace(tree, body=block.around(tree.body))
        return replace(tree, **{
            each.name: self.within(getattr(tree, each.name), known)
            for each in fields(tree)
            if each.compare
        })  # fmt: skip

    def _let(self, tree: s.Let, known: Mapping[int, str]) -> s.Let:
        done: list[s.Binding | s.LocalSignature] = []
        for k, binding in enumerate(tree.bindings):
            if isinstance(binding, s.LocalSignature):
                done.append(binding)
                continue
            done.append(replace(binding, body=self.within(binding.body, known)))
            known = self.bound(known, (binding.pattern,))
            if self.complete(known):
                made = s.Binding(s.PatternName(self.ruler), (), self.made(known))
                return replace(tree, bindings=(*done, made, *tree.bindings[k + 1 :]))
        return replace(tree, bindings=tuple(done), body=self.within(tree.body, known))

    def holds(self, tree: s.Tree) -> bool:
        return any(
            isinstance(each, s.Name | s.SizeName) and each.name == self.word
            for each in s.walk(tree)
        )

    def bound(self, known: Mapping[int, str], patterns: Iterable[s.PatternTree]) -> dict[int, str]:
        found = dict(known)
        for pattern in patterns:
            for each in s.walk(pattern):
                for k, own in enumerate(self.parts):
                    if isinstance(each, s.PatternName) and each.name in own:
                        found.setdefault(k, each.name)
        return found

    def complete(self, known: Mapping[int, str]) -> bool:
        return len(known) == len(self.parts)

    def made(self, known: Mapping[int, str]) -> s.Expression:
        nought = s.Lambda((s.PatternWildcard(),), s.Number(0))
        rows = [apply("map", nought, s.Name(known[k])) for k in range(len(self.parts))]
        if self.over > 0:
            rows.append(s.Sequence((s.Number(0),) * self.over))
        whole: s.Expression = rows.pop()
        while rows:
            whole = s.Binary("++", rows.pop(), whole)
        return apply(sized("drop", -self.over), whole) if self.over < 0 else whole
