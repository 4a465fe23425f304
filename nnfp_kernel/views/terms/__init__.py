"""The derivative of a definition as a definition of the language, and its adjoint.

    layerDerivative : R[8] -> (R[8] -o R[12])
    layerDerivative x = let y = tanh (layer.W @ x + layer.b) in \\dx -> (1 - y * y) * (layer.W @ dx)

Weights are held constant and named by their paths. What is shared is bound by `let`, so
the text is as long as the program is; names are the program's. It is a syntax tree:
`language/printer.py` shows it, and run in a cell it gives the same numbers.

    writer.py    one derivative, of the function as it was traced
    values.py    values as arrays, and arrays as values
    shapes.py    arguments and answers: arrays, trees, and constructors of these
    trees.py     what is made of trees, forwards and backwards; steps.py, a recurrence's step
    general.py   two texts of different sizes as one
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from ...graph.forest import (
    ALIKE,
    APART,
    AnyTree,
    Choosing,
    Entangled,
    NoForest,
    Unasked,
    Undecided,
    asking,
    sums_apart,
)
from ...graph.values import Declarations, NotFirstOrder
from ...language import syntax as s
from ...language import types as t
from ...language.diagnostics import Diagnostic, Label, NnfpError
from ...language.printer import show
from ...language.sizes import Size, SizeVariable, as_size, variable
from ...primitives.decompile import Unspeakable, names_of
from ...primitives.imported import IMPORTED
from ...primitives.kept import with_names
from ...runtime.calls.call import Call
from ...runtime.calls.structures import Structure, any_structure, decided
from ...runtime.function import Function
from .general import Differs, counted, left_open, merged, opened, pruned, sliced, unsaid
from .sums import Sums, ruled
from .values import Values, type_tree
from .writer import CHOSEN, Writer, Written

ROOMS = (5, 6)  # how many elements sequences in trees have, in two texts that become one
LONG = 400  # parts of a text, from which on definitions stay names in it
# Of sequences, that are told apart by their numbers: of trees and payloads, of what trees make.
LENGTHS = frozenset((*range(64), *islice(sums_apart(24), 40)))
MOST_WORLDS = 32  # which constructors the trees of a function have
SETTLED = (  # a number that another text would not have
    "a number of children, or of elements, that is not any: it has to be that of something else, "
    "or a `case` has told what the tree begins with"
)


@dataclass(frozen=True)
class Derivative:
    """A definition with its signature: a derivative, or the adjoint of one."""

    signature: s.Signature
    definition: s.Definition

    @property
    def program(self) -> s.Program:
        return s.Program((self.signature, self.definition))

    def __str__(self) -> str:
        return show(self.program)


def derivative_definition(
    function: Function,
    adjoint: bool = False,
    inputs: Sequence[Any] = (),
    name: str = "",
    combined: bool = False,
) -> Derivative:
    """The derivative of a function, or its adjoint, as a definition.

    >>> from nnfp_kernel import Session
    >>> session = Session()
    >>> _ = session.run("f : R[3] -> R[3]\\nf x = x * x")
    >>> print(derivative_definition(session["f"]))
    fDerivative : R[3] -> (R[3] -o R[3])
    fDerivative x = \\dx -> x * dx + x * dx

    With `combined`, the linear map is an expression of combinators:

    >>> print(derivative_definition(session["f"], combined=True))
    fDerivative : R[3] -> (R[3] -o R[3])
    fDerivative x = diag x + diag x

    A long expression calls the definitions that the program is made of by their names:
    `derivative (rotate r) x`.

    `inputs` tell the sizes that the type leaves open. Raises NnfpError for what the
    language has no words for.
    """
    called = name or function.name + ("Adjoint" if adjoint else "Derivative")
    asked = _Asked(function, adjoint, called, combined)
    try:
        made = asked.written(inputs)
        _require_its_words(function, made)
        if combined and _length(made) > LONG:
            return asked.by_names(inputs, made)
        return made
    except Unspeakable as problem:
        raise NnfpError(
            Diagnostic(
                "derivative-not-printed",
                f"the derivative of {function.name} cannot be written down yet",
                Label(function.definition.span, f"it holds {problem}"),
                (),
                ("`derivative`, `jvp` and `vjp` compute with it all the same.",),
            )
        ) from None


def _require_its_words(function: Function, made: Derivative) -> None:
    """Raises Unspeakable where a name of the language means something else in the program."""
    program = function.program
    for tree in s.walk(made.definition):
        if isinstance(tree, s.Name | s.Bracket):
            name = tree.name
            if name in program.builtins and name in program.definitions:
                raise Unspeakable(
                    f"`{name}` of the language, and this program has a `{name}` of its own: "
                    "under another name it would not be in the way"
                )


def derivative_text(function: Function, adjoint: bool = False, inputs: Sequence[Any] = ()) -> str:
    """The derivative as a program, and the same in combinators of linear maps.

    >>> from nnfp_kernel import Session
    >>> session = Session()
    >>> _ = session.run("f : R[3] -> R[3]\\nf x = tanh x")
    >>> print(derivative_text(session["f"], adjoint=True))
    fAdjoint : R[3] -> (R[3] -o R[3])
    fAdjoint x = let y = tanh x in \\w -> (1 - y * y) * w
    <BLANKLINE>
    -- as linear maps
    fAdjoint x = let y = tanh x in diag (1 - y * y)

    What cannot be written in the language is listed map by map, and says so.
    """
    try:
        program = derivative_definition(function, adjoint, inputs)
        maps = derivative_definition(function, adjoint, inputs, combined=True)
    except NnfpError as error:
        (told, *_) = error.diagnostics
        if told.code != "derivative-not-printed":
            raise
        network = function.call_for(*inputs).derivative
        listed = (network.adjoint() if adjoint else network).listing()
        return f"-- {told.title}: {told.primary.text}\n{listed}"
    return f"{program}\n\n-- as linear maps\n{show(maps.definition)}"


class NoSuchTree(Unspeakable):
    """The definition cannot do with the lengths that stand for all that there may be."""


@dataclass(frozen=True)
class _Sizes:
    """Sizes that are left open beside trees, by the `words` of the signature: for each of two
    texts there is a number. Without words they are small."""

    sizes: tuple[SizeVariable, ...]
    words: tuple[str, ...] = ()

    @classmethod
    def named(cls, domains: Sequence[t.Type], sizes: Sequence[SizeVariable]) -> _Sizes:
        """Raises Unspeakable where two have one name."""
        # A length known only at run time is any length here; the tangent has the same.
        shown = {
            size: variable(f"n{k}" if k > 1 else "n") if size.runtime else as_size(size)
            for k, size in enumerate(sizes, 1)
        }
        closed = [t.substitute(each, {}, shown) for each in domains]
        texts = t.show_together([*(t.Fin(shown[size]) for size in sizes), *closed])
        words = tuple(text[len("Fin[") : -1] for text in texts[: len(sizes)])
        if len(set(words)) < len(words):
            raise Unspeakable("two sizes of one name")
        return cls(tuple(sizes), words)

    @property
    def said(self) -> tuple[dict[str, int], dict[str, int]]:
        """The numbers of the words: others than those of children, and further apart."""
        places = range(len(self.words))
        one, two = [9 + 6 * k for k in places], [16 + 12 * k for k in places]
        return dict(zip(self.words, one, strict=True)), dict(zip(self.words, two, strict=True))

    @property
    def numbers(self) -> tuple[dict[SizeVariable, Size], ...]:
        if not self.words:
            small = dict.fromkeys(self.sizes, as_size(3))
            return small, small
        return tuple(
            {size: as_size(n) for size, n in zip(self.sizes, known.values(), strict=True)}
            for known in self.said
        )


@dataclass(frozen=True)
class _Asked:
    """Which derivative is to be written, and what it is to be called."""

    function: Function
    adjoint: bool
    name: str
    combined: bool

    def written(self, inputs: Sequence[Any]) -> Derivative:
        """The derivative; raises Unspeakable."""
        if self.of_trees:
            return self.for_any_tree(inputs)
        if not inputs:
            general = self.in_general()
            if general is not None:
                return general
        return self.alone(self.function.call_for(*inputs))

    def by_names(self, inputs: Sequence[Any], otherwise: Derivative) -> Derivative:
        """The derivative in which definitions stay names, where that makes it shorter."""
        program = self.function.program
        definitions, names = with_names(program.definitions, self.function.name)
        builtins = {**program.builtins, **names}
        primitives = {**program.primitives, **IMPORTED}
        known = replace(
            program, definitions=definitions, builtins=builtins, primitives=primitives, _reached={}
        )
        function = replace(self.function, program=known)
        try:
            made = replace(self, function=function).written(inputs)
        except (Unspeakable, NnfpError, NotFirstOrder):
            return otherwise
        return made if _length(made) < _length(otherwise) else otherwise

    @property
    def domains(self) -> list[t.Type]:
        return t.uncurried(self.function.definition.scheme.type)[0]

    @property
    def of_trees(self) -> bool:
        """Whether data are among the arguments that are no arrays."""
        declarations = self.function.program.declarations

        def holds(type: t.Type) -> bool:
            match type:
                case t.Product(items=items):
                    return any(map(holds, items))
                case t.Named(name=name):
                    return name in declarations.data
                case t.Array(element=element):
                    return declarations.one_by_one(element)
                case _:
                    return False

        return any(map(holds, self.domains))

    def writer(self, call: Call, sizes: Sequence[str] = ()) -> Writer:
        return Writer(self.function, call, self.adjoint, self.name, sizes, self.of_trees)

    def alone(self, call: Call) -> Derivative:
        return self.defined([self.writer(call).made(self.combined)])

    def signature(self, domains: Sequence[t.Type], codomain: t.Type) -> s.Signature:
        """`name : a -> (a -o b)`, or of the adjoint `a -> (b -o a)`."""
        values = Values(self.function.program.declarations, names_of(()))
        moving = tuple(map(values.tangent, domains))
        source = moving[0] if len(moving) == 1 else t.Product(moving)
        target = values.tangent(codomain)
        ends = (target, source) if self.adjoint else (source, target)
        texts = iter(t.show_together([*domains, *ends]))
        written = [type_tree(next(texts)) for _ in domains]
        signature: s.TypeTree = s.TypeArrow("-o", *(type_tree(text) for text in texts))
        for domain in reversed(written):
            signature = s.TypeArrow("->", domain, signature)
        return s.Signature(self.name, None, signature)

    def defined(self, worlds: Sequence[Written]) -> Derivative:
        """One definition for all that the arguments may be."""
        (first, *others) = worlds
        signature = self.signature(first.domains, first.codomain)
        for world in others:  # of a length that depends on which of them it is
            signature = opened(signature, self.signature(world.domains, world.codomain))
        if not others:
            definition = s.Definition(self.name, None, first.patterns, first.body)
            return Derivative(signature, definition)
        names = names_of([
            each.name
            for world in worlds
            for each in s.walk(s.Tuple((world.body,)))
            if isinstance(each, s.Name | s.PatternName)
        ] + [
            each.name
            for world in worlds
            for pattern in world.patterns
            for each in s.walk(pattern)
            if isinstance(each, s.PatternName)
        ])  # fmt: skip
        parameters, looked = [], []
        for k, pattern in enumerate(first.patterns):
            if all(world.patterns[k] == pattern for world in others):
                parameters.append(pattern)
            else:
                looked.append(k)
                parameters.append(s.PatternName(names.fresh("x")))
        seen = [parameters[k] for k in looked]
        value = _tuple([s.Name(each.name) for each in seen if isinstance(each, s.PatternName)])
        alternatives = tuple(
            s.Alternative(
                world.patterns[looked[0]]
                if len(looked) == 1
                else s.PatternTuple(tuple(world.patterns[k] for k in looked)),
                world.body,
            )
            for world in worlds
        )
        body = s.Case(value, alternatives)
        return Derivative(signature, s.Definition(self.name, None, tuple(parameters), body))

    # --- sizes in general --------------------------------------------------------------------

    def in_general(self) -> Derivative | None:
        """The derivative for sizes in general: the text at two sets of sizes is the same, or
        differs in what is a size at both. None where it is not so, or where no size is open."""
        domains, codomain = t.uncurried(self.function.definition.scheme.type)
        types, sizes = t.free_variables(t.Product(tuple(domains)))
        # A length of the answer that no type tells is what it is in both texts.
        untold = set(t.free_variables(codomain)[1]) - set(sizes)
        if not sizes or not all(size.runtime for size in untold):
            return None
        # A length known only at run time is any length here; the tangent has the same.
        fixed = {
            size: variable(f"n{k}" if k > 1 else "n") if size.runtime else as_size(size)
            for k, size in enumerate(sizes, 1)
        }
        reals = dict.fromkeys(types, t.R)
        domains = [t.substitute(domain, reals, fixed) for domain in domains]
        codomain = t.substitute(codomain, reals, fixed)
        counted = [t.Fin(fixed[size]) for size in sizes]
        texts = t.show_together([*counted, *domains, codomain])
        words = [text[len("Fin[") : -1] for text in texts[: len(sizes)]]
        primes = (5, 7, 11, 13, 17, 19, 23, 29)
        if len(set(words)) < len(words) or len(sizes) > len(primes):
            return None
        made: list[Derivative] = []
        numbers = [dict(zip(words, (p + more for p in primes), strict=False)) for more in (0, 1)]
        for known in numbers:
            try:
                call = self.function.calls.at_sizes(dict(zip(sizes, known.values(), strict=True)))
            except (NnfpError, NotFirstOrder):
                return None
            written = self.writer(call, words).made(self.combined)
            made.append(self.defined([written]))
        (one, other), (first, second) = made, numbers
        try:
            definition = merged(one.definition, other.definition, first, second)
            if not untold:
                return Derivative(self.signature(domains, codomain), definition)
            return Derivative(merged(one.signature, other.signature, first, second), definition)
        except Differs:
            return None

    # --- trees of any shape ----------------------------------------------------------------------

    def for_any_tree(self, inputs: Sequence[Any]) -> Derivative:
        """The derivative for trees of any shape, and for sizes in general, if it can say them."""
        domains = self.domains
        if inputs:
            domains = list(self.function.call_for(*inputs).types)
        free = self._numbers_of_trees(domains)
        _, all_sizes = t.free_variables(t.Product(tuple(domains)))
        sizes = tuple(size for size in all_sizes if size not in free)
        if sizes:
            with suppress(Unspeakable, NnfpError, NotFirstOrder):
                return self._alike_or_not(domains, _Sizes.named(domains, sizes))
        return self._alike_or_not(domains, _Sizes(sizes))

    def _alike_or_not(self, domains: Sequence[t.Type], sizes: _Sizes) -> Derivative:
        """What is made of trees may have any length, and where that cannot be, of all the same:
        two such sequences are zipped."""
        try:
            return self._for_any_tree(domains, sizes, alike=False)
        except NoSuchTree as problem:
            try:
                return self._for_any_tree(domains, sizes, alike=True)
            except NoSuchTree:
                raise problem from None

    def _for_any_tree(self, domains: Sequence[t.Type], sizes: _Sizes, alike: bool) -> Derivative:
        """Where there are sequences in a node, the text is made for two numbers of their
        elements: what differs is that number, or a size."""
        reals = dict.fromkeys(t.free_variables(t.Product(tuple(domains)))[0], t.R)
        made, sequences, own_lengths = [], dict[str, int](), False
        for room, known in zip(ROOMS, sizes.numbers, strict=True):
            here = [t.substitute(each, reals, known) for each in domains]
            calls = self.worlds(here, room, alike)
            writers = [self.writer(call, sizes.words) for call in calls]
            made.append(self.defined([each.made(self.combined) for each in writers]))
            own_lengths = any(each.own_lengths for each in writers)
            sequences = {k: n for each in writers for k, n in each.sequences.items()}
        one, other = (each.definition for each in made)
        signature = opened(made[0].signature, made[1].signature, *sizes.said)
        said = [tree.name for tree in s.walk(one) if isinstance(tree, s.Name | s.PatternName)]
        names = names_of([*said, *sizes.words])
        if one == other:
            return Derivative(signature, sliced(pruned(one, set(sequences)), names))
        told = (divmod(number - ROOMS[1], APART) for number in sequences.values())
        places = sorted({place for place, rest in told if place >= 0 and not rest})
        starts = [ROOMS[0] + APART * k for k in sorted(LENGTHS.union(places))]
        words = [names.fresh("n") for _ in starts]
        sums = Sums(names, ROOMS[0], APART, places)
        try:
            definition = merged(
                one, other,
                dict(zip(words, starts, strict=True)) | sizes.said[0],
                {word: start + 1 for word, start in zip(words, starts, strict=True)}
                | sizes.said[1],
                sums,
            )  # fmt: skip
        except Differs:
            raise Unspeakable("a size that is a number of children") from None
        shared = [k for k, n in sequences.items() if n == ROOMS[1] + APART * ALIKE]
        if alike and len(shared) > 2:  # which two of them agree is not known
            word = words[starts.index(ROOMS[0] + APART * ALIKE)]
            if unsaid(definition, word) or any(ALIKE in those for those, _ in sums.words):
                raise Unspeakable("a number of elements of several sequences, two of which agree")
        rulers = set()
        for (those, over), word in sums.words.items():
            ruler = names.fresh("zs")
            rulers.add(ruler)
            lengths = [
                frozenset(
                    k for k, number in sequences.items() if number == ROOMS[1] + APART * place
                )
                for place in those
            ]
            definition = counted(ruled(definition, word, lengths, over, ruler), word, {ruler})
            if unsaid(definition, word):
                raise Unspeakable("a number of elements of sequences that nowhere stand together")
        for word, start in zip(words, starts, strict=True):
            own = {name for name, number in sequences.items() if number == start + 1}
            definition = counted(definition, word, own)
            if unsaid(definition, word):
                raise Unspeakable("a number of elements that is known of no one sequence")
        definition = sliced(pruned(definition, rulers.union(sequences)), names)
        if (own_lengths or sizes.words) and left_open(definition):
            raise Unspeakable("a size that is a number of elements, and of no sequence by itself")
        return Derivative(signature, definition)

    def _numbers_of_trees(self, domains: Sequence[t.Type]) -> set[SizeVariable]:
        """The sizes that say nothing but how many trees there are in a sequence."""
        trees: set[SizeVariable] = set()
        others: set[SizeVariable] = set()

        def read(type: t.Type) -> None:
            match type:
                case t.Array(element=element, length=length):
                    alone = length.lone_variable
                    there = self.function.program.declarations.has_trees(element)
                    if alone is not None and there:
                        trees.add(alone)
                    else:
                        others.update(t.free_variables(t.Array(t.R, length))[1])
                    read(element)
                case t.Product(items=items) | t.Named(arguments=items):
                    for item in items:
                        read(item)

        for domain in domains:
            read(domain)
        return trees - others

    def worlds(self, domains: Sequence[t.Type], room: int, alike: bool) -> list[Call]:
        """The function for all that its trees may be, as far as it asks."""
        declarations = self.function.program.declarations
        whole = t.Product(tuple(domains))
        try:
            structures = any_structure(whole, declarations, room, alike=alike)
            return list(self._decided(whole, structures))
        except Entangled as problem:
            raise Unspeakable(
                f"{problem.what} that knows something of a loop whose rounds cannot be gone "
                "through again: of a `while` without a bound, a `fixpoint`, or one of a length "
                "that only running tells"
            ) from None
        except Choosing:
            raise Unspeakable(CHOSEN) from None
        except NoForest as problem:
            text = "a tree that is not only reduced"
            made = problem.args[0] if problem.args else None
            if isinstance(made, t.Type) and declarations.is_open(made):
                text += (
                    f": {t.show(made)} is made of it, whose length only running tells. "
                    "A sequence of a fixed length, or a list declared as data, can be written"
                )
            raise Unspeakable(text) from None
        except NotFirstOrder as problem:
            raise Unspeakable(f"values of type {t.show(problem.type)}") from None

    def _decided(self, whole: t.Product, structures: Structure) -> list[Call]:
        declarations = self.function.program.declarations
        pending, found = [structures], []
        while pending:
            here = pending.pop(0)
            try:
                found.append(self._call(whole, here))
            except NnfpError:
                raise NoSuchTree(SETTLED) from None
            except Undecided as asked:
                pending[:0] = decided(whole, here, declarations, asked.path)
            except Unasked as asked:
                if not asked.plant.argument:
                    made = "a sequence of trees that was made, of each of which something is asked"
                    raise Unspeakable(made) from None
                pending[:0] = [asking(here, asked.plant.path, asked.result)]
            if len(found) + len(pending) > MOST_WORLDS:
                raise Unspeakable("more than a few trees that are looked at")
        return found

    def _call(self, whole: t.Product, structures: Structure) -> Call:
        structures = structures or (None,) * len(whole.items)
        try:
            return self.function.calls.of_any_trees(whole.items, structures)
        except NotFirstOrder:
            # Data without trees may be a state or a branch, of which a tag tells what it is.
            tagged = _tagged(structures, whole, self.function.program.declarations)
            if tagged == structures:
                raise
            return self.function.calls.of_any_trees(whole.items, tagged)


def _tagged(structure: Structure, type: t.Type, declarations: Declarations) -> Structure:
    """The structure in which data without trees are known by their tags. Of data with
    sequences, which no tag tells the lengths of, the constructor is asked for: Undecided."""
    match type:
        case t.Product(items=items) if structure is not None:
            return tuple(
                _tagged(*each, declarations) for each in zip(structure, items, strict=True)
            )
        case t.Named() if isinstance(structure, AnyTree) and not declarations.has_trees(type):
            if declarations.is_open(type):
                raise Undecided(structure)
            return None
        case _:
            return structure


def _length(derivative: Derivative) -> int:
    """How much there is to read."""
    return sum(1 for _ in s.walk(derivative.program))


def _tuple(items: Sequence[s.Expression]) -> s.Expression:
    return items[0] if len(items) == 1 else s.Tuple(tuple(items))


__all__ = ["Derivative", "Mapping", "derivative_definition", "derivative_text"]
