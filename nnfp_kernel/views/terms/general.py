"""Texts for sizes in general: made for two sets of sizes, they differ in what is a size.

    f x = \\dx -> 1 / 5 * sum dx        f x = \\dx -> 1 / n * sum dx
    f x = \\dx -> 1 / 6 * sum dx

Where only a tree knows how many elements there are, the number is `toReal (length xs)`, and
a size is left to be inferred.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from ...language import syntax as s
from ...primitives.decompile import Block, Unspeakable
from ...primitives.spelling import Names, apply, lambda_, mentions, sized
from .sums import Sums


class Differs(Exception):
    """Two texts differ in more than sizes."""


def merged(
    one: Any,
    other: Any,
    first: Mapping[str, int],
    second: Mapping[str, int],
    sums: Sums | None = None,
) -> Any:
    """A tree of two that differ in sizes only: with the names of these. Where sizes are known
    only when it runs, another one may be made of them (`sums`), or is left to be inferred.
    Raises Differs."""
    if isinstance(one, tuple):
        if not isinstance(other, tuple) or len(one) != len(other):
            raise Differs
        return tuple(merged(*pair, first, second, sums) for pair in zip(one, other, strict=True))
    if not isinstance(one, s.Tree):
        if one != other:
            raise Differs
        return one
    if type(one) is not type(other):
        raise Differs
    if isinstance(one, s.SizeNumber | s.Number) and one != other:
        pair = one.value, getattr(other, "value", None)
        for word, value in first.items():
            if pair == (value, second[word]):
                return s.SizeName(word) if isinstance(one, s.SizeNumber) else s.Name(word)
            if pair == (1 / value, 1 / second[word]):
                return s.Binary("/", s.Number(1), s.Name(word))
        if sums is None:
            raise Differs
        if isinstance(one, s.SizeNumber) and isinstance(other, s.SizeNumber):
            return _less(one.value, other.value, first, second, sums)
        return _counted_together(one.value, getattr(other, "value", 0), sums)
    if one == other:
        return one
    parts = {
        each.name: merged(getattr(one, each.name), getattr(other, each.name), first, second, sums)
        for each in fields(one)
        if each.compare
    }
    return replace(one, **parts)


def _less(
    one: int, other: int, first: Mapping[str, int], second: Mapping[str, int], sums: Sums
) -> s.SizeTree:
    """All elements but a few, those of several sequences; or what is to be inferred."""
    for word, value in first.items():
        for few in range(1, 5):
            if (one, other) == (value - few, second[word] - few):
                return s.SizeBinary("-", s.SizeName(word), s.SizeNumber(few))
    together = sums.word(one, other)
    return s.SizeWildcard() if together is None else s.SizeName(together)


def _counted_together(one: Any, other: Any, sums: Sums) -> s.Expression:
    """How many elements several sequences have, as a number, or a part of so many."""
    if isinstance(one, complex) or isinstance(other, complex):
        raise Differs
    if (word := sums.word(one, other)) is not None:
        return s.Name(word)
    if 0 < one < 1 and 0 < other < 1:
        whole = round(1 / one), round(1 / other)
        if (one, other) == (1 / whole[0], 1 / whole[1]) and (word := sums.word(*whole)) is not None:
            return s.Binary("/", s.Number(1), s.Name(word))
    raise Differs


def counted(tree: Any, word: str, sequences: set[str]) -> Any:
    """The tree in which `word` stands for how many elements a sequence has that only a tree
    knows: said of the sequence, where that is bound. Raises Unspeakable where it may be one
    of several."""
    if isinstance(tree, tuple):
        return tuple(counted(each, word, sequences) for each in tree)
    if not isinstance(tree, s.Tree) or not _holds(tree, word):
        return tree
    if isinstance(tree, s.Alternative | s.Definition):
        patterns = tree.parameters if isinstance(tree, s.Definition) else (tree.pattern,)
        own = {name for pattern in patterns for name in _names(pattern)} & sequences
        if own:
            name = _the_one(own)
            block = Block()
            block.bind(s.PatternName(word), _length(name))
            return replace(tree, body=block.around(_along(tree.body, word, name)))
    if isinstance(tree, s.Let):
        for k, binding in enumerate(tree.bindings):
            assert isinstance(binding, s.Binding)
            own = _names(binding.pattern) & sequences
            if own and not _holds(binding.body, word):
                name = _the_one(own)
                number = s.Binding(s.PatternName(word), (), _length(name))
                after = _along(tree.bindings[k + 1 :], word, name)
                body = _along(tree.body, word, name)
                numbers = (number,) if mentions(s.Let(after, body), word) else ()
                return replace(
                    tree, bindings=(*tree.bindings[: k + 1], *numbers, *after), body=body
                )
    inner = {
        each.name: counted(getattr(tree, each.name), word, sequences)
        for each in fields(tree)
        if each.compare
    }
    return replace(tree, **inner)


def unsaid(tree: Any, word: str) -> bool:
    """Whether `word` stands anywhere but where it was said of a sequence."""
    if isinstance(tree, tuple):
        return any(unsaid(each, word) for each in tree)
    if not isinstance(tree, s.Tree) or not _holds(tree, word):
        return False
    if isinstance(tree, s.Name | s.SizeName):
        return tree.name == word
    if isinstance(tree, s.Let):
        for k, binding in enumerate(tree.bindings):
            if isinstance(binding, s.Binding) and word in _names(binding.pattern):
                return unsaid(tree.bindings[:k], word)
    return any(unsaid(getattr(tree, each.name), word) for each in fields(tree) if each.compare)


def _along(tree: Any, word: str, name: str) -> Any:
    """The tree with what is made for so many elements made along the sequence."""
    if isinstance(tree, tuple):
        return tuple(_along(each, word, name) for each in tree)
    if not isinstance(tree, s.Tree) or not _holds(tree, word):
        return tree
    size = (s.SizeName(word),)
    sequence = s.Name(name)
    match tree:
        case s.Apply(function=s.Bracket(name="replicate", sizes=sizes), argument=each) if (
            sizes == size
        ):
            repeated = s.Lambda((s.PatternWildcard(),), _along(each, word, name))
            return apply("map", repeated, sequence)
        case s.Apply(
            function=s.Apply(function=s.Bracket(name="unfold", sizes=sizes), argument=step),
            argument=state,
        ) if sizes == size:
            # As often as there are elements, whatever these are.
            start = _along(state, word, name)
            return apply(
                "snd", apply("mapAccum", _beside(_along(step, word, name)), start, sequence)
            )
        case s.Bracket(name="replicate", sizes=sizes) if sizes == size:
            one = f"{name}0"
            repeated = s.Lambda((s.PatternWildcard(),), s.Name(one))
            function = s.Lambda((s.PatternName(one),), apply("map", repeated, sequence))
            return apply("section", function)
        case s.Apply(
            function=s.Apply(function=s.Name("map"), argument=s.Lambda() as function),
            argument=s.Bracket(name="iota", sizes=sizes),
        ) if sizes == size and function.parameters == (s.PatternWildcard(),):
            return apply("map", _along(function, word, name), sequence)
        case s.Apply(
            function=s.Bracket(
                name="take" | "drop" as end,
                sizes=(s.SizeBinary(operator="-", left=s.SizeName(name=known), right=few),),
            ),
            argument=xs,
        ) if known == word:
            # All but the last few, or those: from the other end.
            other = s.Bracket("drop" if end == "take" else "take", (few,))
            turned = apply("reverse", _along(xs, word, name))
            return apply("reverse", apply(other, turned))
        case s.Apply(
            function=s.Bracket(name="overlapAdd", sizes=sizes, options=()), argument=rows
        ) if sizes == size:
            # What windows take out of a sequence that long, put back.
            return apply("vjp", *_windows(name), _along(rows, word, name))
        case s.Bracket(name="overlapAdd", sizes=sizes, options=()) if sizes == size:
            return apply("section", apply("vjp", *_windows(name)))
        case s.Apply(
            function=s.Apply(function=s.Bracket(name="scatterAdd", sizes=sizes), argument=places),
            argument=xs,
        ) if sizes == size:
            taken = s.Lambda(
                (s.PatternName(f"{name}0"),), apply("gather", s.Name(f"{name}0"), places)
            )
            return apply("vjp", taken, _zeros(name), _along(xs, word, name))
        case s.Bracket(name="iota", sizes=sizes) if sizes == size:
            return _steps(_whole(s.SizeNumber(0)), s.Name("k"), sequence)
        case s.Apply(function=s.Bracket(name="slice", sizes=(start, count, rest)), argument=xs) if (
            count == size[0] and not _both_known(start, rest)
        ):
            # What stands from there on, as many as there are elements.
            block, whole = Block(), _along(xs, word, name)
            if not isinstance(whole, s.Name):
                block.bind(s.PatternName(f"{name}0"), whole)
                whole = s.Name(f"{name}0")
            found = s.Binary("!", whole, s.Name("k"))
            return block.around(_steps(_whole(_said(start, word, name)), found, sequence))
        case s.Bracket(name="slice", sizes=(start, count, rest)) if count == size[
            0
        ] and not _both_known(start, rest):
            given = f"{name}0"
            part = _along(s.Apply(tree, s.Name(given)), word, name)
            return apply("section", s.Lambda((s.PatternName(given),), part))
        case s.Apply(
            function=s.Bracket(
                name="replicate",
                sizes=(s.SizeBinary(operator="-", left=s.SizeName(name=known), right=few),),
            ),
            argument=each,
        ) if known == word:
            repeated = s.Lambda((s.PatternWildcard(),), _along(each, word, name))
            return apply("map", repeated, apply(s.Bracket("drop", (few,)), sequence))
        case s.Apply(function=s.Name(name="length"), argument=s.Name(name=known)) if known == word:
            return apply("length", sequence)
        case s.Bracket(name="slice", sizes=sizes):
            return replace(tree, sizes=tuple(_said(each, word, name) for each in sizes))
        case s.SizeName() | s.SizeBinary():
            return s.SizeWildcard()
    inner = {
        each.name: _along(getattr(tree, each.name), word, name)
        for each in fields(tree)
        if each.compare
    }
    return replace(tree, **inner)


def _zeros(name: str) -> s.Expression:
    """As many as a sequence has elements, of whatever kind is wanted."""
    return apply("map", s.Lambda((s.PatternWildcard(),), s.Name("zero")), s.Name(name))


def _windows(name: str) -> tuple[s.Expression, s.Expression]:
    """Windows, and a sequence to take them of."""
    window = s.Bracket("window", (s.SizeWildcard(),))
    return apply(window, s.Name("id")), _zeros(name)


def _both_known(start: s.SizeTree, rest: s.SizeTree) -> bool:
    return isinstance(start, s.SizeNumber) and isinstance(rest, s.SizeNumber)


def _said(size: s.SizeTree, word: str, name: str) -> s.SizeTree:
    """A size of a slice, where `word` is the length of the sequence of that name."""
    if size == s.SizeName(word):
        return s.SizeName(f"length {name}")
    return size if isinstance(size, s.SizeNumber | s.SizeName) else s.SizeWildcard()


def left_open(tree: s.Tree) -> bool:
    """Whether a size in brackets is to be inferred. That of a window is: its rows tell it."""
    return any(
        isinstance(each, s.Bracket) and s.SizeWildcard() in each.sizes and each.name != "window"
        for each in s.walk(tree)
    )


def _whole(size: s.SizeTree) -> s.Expression:
    """A size as a whole number: that of a word is `length xs` when it is said of xs."""
    if isinstance(size, s.SizeName):
        return apply("length", s.Name(size.name.removeprefix("length ")))
    if isinstance(size, s.SizeNumber):
        return s.Ascription(s.Number(size.value), s.TypeName("Int"))
    raise Unspeakable("a part of a sequence that begins where several end")


def sliced(tree: Any, names: Names) -> Any:
    """The tree in which a part of a sequence, so many elements after so many and before so many
    (`slice`), is said by those of the three numbers that are known, and a linear map of a space
    whose sizes are not all known (`placed`) is that of the derivative at a point of it."""
    if isinstance(tree, tuple):
        return tuple(sliced(each, names) for each in tree)
    match tree:
        case s.Apply(
            function=s.Apply(function=s.Bracket(name="placed", sizes=sizes), argument=linear),
            argument=point,
        ):
            if s.SizeWildcard() not in sizes:
                return sliced(linear, names)
            return apply("derivative", sliced(linear, names), sliced(point, names))
        case s.Apply(function=s.Bracket(name="slice", sizes=sizes), argument=xs):
            return _part(sizes, sliced(xs, names))
        case s.Bracket(name="slice", sizes=sizes):
            name = names.fresh("p")
            return apply("section", lambda_((name,), _part(sizes, s.Name(name))))
        case s.Tree():
            return replace(tree, **{
                each.name: sliced(getattr(tree, each.name), names)
                for each in fields(tree)
                if each.compare
            })  # fmt: skip
        case _:
            return tree


def _part(sizes: tuple[s.SizeTree, ...], xs: s.Expression) -> s.Expression:
    def without(size: s.SizeNumber, xs: s.Expression) -> s.Expression:
        return apply(sized("drop", size.value), xs) if size.value else xs

    start, count, rest = sizes
    match start, count, rest:
        case s.SizeNumber(), s.SizeNumber(value=wanted), _:
            made = without(start, xs)
            return made if rest == s.SizeNumber(0) else apply(sized("take", wanted), made)
        case s.SizeNumber(), _, s.SizeNumber(value=behind):
            made = without(start, xs)
            return apply("reverse", without(rest, apply("reverse", made))) if behind else made
        case _, s.SizeNumber(value=wanted), s.SizeNumber():
            made = apply(sized("take", wanted), without(rest, apply("reverse", xs)))
            return apply("reverse", made)
        case _:
            raise Unspeakable("a part of a sequence that is as long as several are")


def _steps(first: s.Expression, made: s.Expression, sequence: s.Expression) -> s.Expression:
    """What is made of as many numbers as there are elements, from the first on."""
    step = s.Lambda(
        (s.PatternTuple((s.PatternName("k"), s.PatternWildcard())),),
        s.Tuple((s.Binary("+", s.Name("k"), s.Number(1)), made)),
    )
    return apply("snd", apply("mapAccum", step, first, sequence))


def _beside(step: s.Expression) -> s.Expression:
    """A step that looks at its state alone, as one that is given an element too."""
    nobody = s.PatternWildcard()
    if isinstance(step, s.Lambda) and len(step.parameters) == 1:
        return s.Lambda((s.PatternTuple((step.parameters[0], nobody)),), step.body)
    return s.Lambda((s.PatternTuple((s.PatternName("s"), nobody)),), s.Apply(step, s.Name("s")))


def opened(
    signature: Any, other: Any, first: Mapping[str, int] = {}, second: Mapping[str, int] = {}
) -> Any:
    """A signature of two that differ in how long sequences are: of any length, or as long as the
    word says that stands for a number in each."""
    if isinstance(signature, tuple):
        pairs = zip(signature, other, strict=True)
        return tuple(opened(*pair, first, second) for pair in pairs)
    if not isinstance(signature, s.Tree) or signature == other:
        return signature
    if isinstance(signature, s.TypeArray):
        inner: s.TypeTree = opened(signature.element, other.element, first, second)
        words = {(value, second[word]): word for word, value in first.items()}
        for mine, theirs in reversed(list(zip(signature.sizes, other.sizes, strict=True))):
            numbers = getattr(mine, "value", None), getattr(theirs, "value", None)
            size = s.SizeName(words[numbers]) if numbers in words else mine
            if size != theirs and numbers not in words:
                inner = s.TypeSequence(inner)
            elif isinstance(inner, s.TypeArray):
                inner = replace(inner, sizes=(size, *inner.sizes))
            else:
                inner = s.TypeArray(inner, (size,))
        return inner
    return replace(signature, **{
        each.name: opened(
            getattr(signature, each.name), getattr(other, each.name), first, second
        )
        for each in fields(signature)
        if each.compare
    })  # fmt: skip


def _holds(tree: s.Tree, word: str) -> bool:
    return mentions(tree, word) or any(
        isinstance(each, s.SizeName) and each.name == word for each in s.walk(tree)
    )


def _names(pattern: s.PatternTree) -> set[str]:
    return {each.name for each in s.walk(pattern) if isinstance(each, s.PatternName)}


def pruned(tree: Any, sequences: set[str]) -> Any:
    """The tree without bindings of sequences that nothing refers to."""
    if isinstance(tree, tuple):
        return tuple(pruned(each, sequences) for each in tree)
    if not isinstance(tree, s.Tree):
        return tree
    made = replace(tree, **{
        each.name: pruned(getattr(tree, each.name), sequences)
        for each in fields(tree)
        if each.compare
    })  # fmt: skip
    if not isinstance(made, s.Let):
        return made

    def used(binding: s.Binding | s.LocalSignature) -> bool:
        if isinstance(binding, s.LocalSignature):
            return True
        name = binding.pattern.name if isinstance(binding.pattern, s.PatternName) else ""
        return name not in sequences or mentions(made, name)

    kept = tuple(binding for binding in made.bindings if used(binding))
    return replace(made, bindings=kept) if kept else made.body


def _the_one(names: set[str]) -> str:
    if len(names) > 1:
        raise Unspeakable("a number of children of several sequences")
    (name,) = names
    return name


def _length(name: str) -> s.Expression:
    return apply("toReal", apply("length", s.Name(name)))


__all__ = ["Differs", "counted", "left_open", "merged", "opened", "pruned", "sliced", "unsaid"]
