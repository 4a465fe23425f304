"""The derivative of a definition as a definition of the language, and its adjoint.

    layerDerivative : R[8] -> (R[8] -o R[12])
    layerDerivative x = let y = tanh (layer.W @ x + layer.b) in \\dx -> (1 - y * y) * (layer.W @ dx)

Weights are held constant and named by their paths. What is shared is bound by `let`, so
the text is as long as the program is; names are the program's. It is a syntax tree:
`language/printer.py` shows it, and run in a cell it gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain
from typing import Any

from ..graph.forest import NoForest
from ..graph.graph import ArrayType, Builder, Graph, Wire
from ..graph.rewrite import tidy
from ..graph.values import NotFirstOrder
from ..language import syntax as s
from ..language import typed as p
from ..language import types as t
from ..language.diagnostics import Diagnostic, Label, NnfpError
from ..language.parser import parse
from ..language.printer import show
from ..language.sizes import as_size, variable
from ..language.source import Source
from ..linear.differentiate import linearize
from ..linear.maps import Network, filled
from ..primitives.decompile import (
    PLAIN,
    Block,
    Term,
    Unspeakable,
    decompile,
    names_of,
    term,
    whole,
)
from ..primitives.spelling import apply, lambda_
from ..runtime.function import Call, Function
from .combinators import (
    IDENTITY,
    UNZIP,
    ZIP,
    combinators,
    composed,
    held,
    linear_function,
    pair_pattern,
    pairs,
    recorded,
)
from .trees import Planted, Steps, counted, together

Take = Callable[[s.Expression], s.Expression]


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

    `inputs` tell the sizes that the type leaves open. Raises NnfpError for what the
    language has no words for.
    """
    called = name or function.name + ("Adjoint" if adjoint else "Derivative")
    try:
        if _of_trees(function):
            return _for_any_tree(function, inputs, adjoint, called, combined)
        if not inputs:
            general = _in_general(function, adjoint, called, combined)
            if general is not None:
                return general
        call = function.call_for(*inputs)
        return Writer(function, call, adjoint, called).made(combined)
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


def _in_general(function: Function, adjoint: bool, name: str, combined: bool) -> Derivative | None:
    """The derivative for sizes in general: the text at two sets of sizes is the same, or
    differs in what is a size at both. None where it is not so, or where no size is open."""
    domains, codomain = t.uncurried(function.definition.scheme.type)
    given = t.Product(tuple(domains))
    types, sizes = t.free_variables(given)
    if not sizes or not set(t.free_variables(codomain)[1]) <= set(sizes):
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
    values = [dict(zip(words, (p + more for p in primes), strict=False)) for more in (0, 1)]
    for numbers in values:
        try:
            call = function.at_sizes(dict(zip(sizes, numbers.values(), strict=True)))
        except (NnfpError, NotFirstOrder):
            return None
        written = Writer(function, call, adjoint, name, words)
        made.append(written.made(combined))
    try:
        definition = _merged(made[0].definition, made[1].definition, *values)
    except _Differs:
        return None
    space = Writer(function, call, adjoint, name, words)
    signature = space.signature(domains, codomain)
    assert isinstance(definition, s.Definition)
    return Derivative(signature, definition)


class _Differs(Exception):
    """Two texts differ in more than sizes."""


def _merged(one: Any, other: Any, first: Mapping[str, int], second: Mapping[str, int]) -> Any:
    """A tree of two that differ in sizes only: with the names of these."""
    if isinstance(one, tuple):
        if not isinstance(other, tuple) or len(one) != len(other):
            raise _Differs
        return tuple(_merged(*pair, first, second) for pair in zip(one, other, strict=True))
    if not isinstance(one, s.Tree):
        if one != other:
            raise _Differs
        return one
    if type(one) is not type(other):
        raise _Differs
    if isinstance(one, s.SizeNumber | s.Number) and one != other:
        pair = one.value, getattr(other, "value", None)
        for word, value in first.items():
            if pair == (value, second[word]):
                return s.SizeName(word) if isinstance(one, s.SizeNumber) else s.Name(word)
            if pair == (1 / value, 1 / second[word]):
                return s.Binary("/", s.Number(1), s.Name(word))
        raise _Differs
    if one == other:
        return one
    parts = {
        each.name: _merged(getattr(one, each.name), getattr(other, each.name), first, second)
        for each in fields(one)
        if each.compare
    }
    return replace(one, **parts)


def _of_trees(function: Function) -> bool:
    domains, _ = t.uncurried(function.definition.scheme.type)
    return any(map(function.program.declarations.has_trees, domains))


def _for_any_tree(
    function: Function, inputs: Sequence[Any], adjoint: bool, name: str, combined: bool
) -> Derivative:
    """The derivative for trees of any shape. Where there are sequences in a node, the text
    is made for two numbers of their elements: what differs is that number."""
    writers = [
        Writer(function, _any_trees(function, inputs, room), adjoint, name) for room in ROOMS
    ]
    made = [writer.made(combined) for writer in writers]
    one, other = (each.definition for each in made)
    if one == other:
        return made[0]
    used = {tree.name for tree in s.walk(one) if isinstance(tree, s.Name | s.PatternName)}
    word = names_of(used).fresh("n")
    try:
        merged = _merged(one, other, {word: ROOMS[0]}, {word: ROOMS[1]})
        return Derivative(made[0].signature, counted(merged, word, writers[0].sequences))
    except _Differs:
        raise Unspeakable("a size that is a number of children") from None


ROOMS = (5, 6)


def _any_trees(function: Function, inputs: Sequence[Any], room: int) -> Call:
    """The function for trees of any shape, at the sizes of the inputs, or at small ones."""
    domains, _ = t.uncurried(function.definition.scheme.type)
    if inputs:
        domains = list(function.call_for(*inputs).types)
    types, sizes = t.free_variables(t.Product(tuple(domains)))
    small = dict.fromkeys(sizes, as_size(3))
    domains = [t.substitute(each, dict.fromkeys(types, t.R), small) for each in domains]
    try:
        return function.of_any_trees(domains, room)
    except NoForest:
        raise Unspeakable("a tree that is not only reduced") from None
    except NotFirstOrder as problem:
        raise Unspeakable(f"values of type {t.show(problem.type)}") from None


class Writer:
    """Writes one derivative down: the function traced, and the names in use."""

    def __init__(
        self,
        function: Function,
        call: Call,
        adjoint: bool,
        name: str,
        sizes: Sequence[str] = (),
    ) -> None:
        self.function, self.call, self.adjoint, self.name = function, call, adjoint, name
        self.declarations = function.program.declarations
        program = function.program
        self.names = names_of(
            (*program.definitions, *program.builtins, *program.externals, name, *sizes)
        )
        self.outer = Block()
        self.planted: list[Planted] = []
        self.answered = -1
        self.sequences: set[str] = set()  # names of those whose lengths only a tree knows

    def made(self, combined: bool) -> Derivative:
        traced = self.call.traced
        primitives = traced.program.primitives
        builder = Builder(primitives)
        inputs = [builder.input(w.type, w.name, w.representation) for w in traced.graph.inputs]
        active = [
            k < traced.arguments and wire.type.differentiable for k, wire in enumerate(inputs)
        ]
        plain = Graph(traced.graph.inputs, traced.graph.nodes, traced.answers)
        outputs, network = linearize(builder, plain, inputs, active)
        for wire in outputs:
            if wire not in inputs:
                wire.name = wire.name or "y"
        if self.adjoint:
            network = network.adjoint()
        if not network.domain or not network.codomain:
            raise Unspeakable("no real numbers to move")
        domains = self.call.types
        room = network.domain if self.adjoint else network.codomain
        codomain = self._with_room(self.codomain(), iter(room))[0]
        source, target = self.spaces(domains, codomain)
        patterns, terms = self._parameters(inputs)
        terms |= self._held(inputs)
        self._reduced(inputs, active, terms, combined)
        if combined:
            body = self._combined(builder, network, terms, source, target)
        else:
            body = self._function(builder, network, terms, source, target)
        return Derivative(
            self.signature(domains, codomain),
            s.Definition(self.name, None, tuple(patterns), body),
        )

    def _reduced(
        self,
        inputs: Sequence[Wire],
        active: Sequence[bool],
        terms: Mapping[Wire, Term],
        combined: bool,
    ) -> None:
        """Bindings for what is made of trees, and for its derivative."""
        traced = self.call.traced
        place = dict(zip(traced.graph.inputs, inputs, strict=True))
        known = {wire: terms[own] for wire, own in place.items() if own in terms}
        moving = {wire for wire, flag in zip(traced.graph.inputs, active, strict=True) if flag}
        for planted, tree in zip(self.planted, traced.trees, strict=True):
            steps = Steps(self, tree, planted.reduction, known, moving, combined)
            pattern = s.PatternTuple((planted.pattern, s.PatternName(planted.linear)))
            made = apply("treeRecurrence", steps.step(), s.Name(planted.name))
            self.outer.bind(pattern, made)
            self.outer.bindings += planted.after.bindings

    def signature(self, domains: Sequence[t.Type], codomain: t.Type) -> s.Signature:
        """`name : a -> (a -o b)`, or of the adjoint `a -> (b -o a)`."""
        source, target = self.spaces(domains, codomain)
        texts = iter(t.show_together([*domains, source, target]))
        written = [type_tree(next(texts)) for _ in domains]
        signature: s.TypeTree = s.TypeArrow("-o", *(type_tree(text) for text in texts))
        for domain in reversed(written):
            signature = s.TypeArrow("->", domain, signature)
        return s.Signature(self.name, None, signature)

    def spaces(self, domains: Sequence[t.Type], codomain: t.Type) -> tuple[t.Type, t.Type]:
        """Where the linear map takes what moves from, and to."""
        moving = tuple(map(self.tangent, domains))
        source = moving[0] if len(moving) == 1 else t.Product(moving)
        target = self.tangent(codomain)
        return (target, source) if self.adjoint else (source, target)

    def _function(
        self,
        builder: Builder,
        network: Network,
        terms: Mapping[Wire, Term],
        source: t.Type,
        target: t.Type,
    ) -> s.Expression:
        """As a function of what moves: `\\dx -> …`."""
        inputs = builder.finish(()).inputs
        moving = [builder.input(array) for array in network.domain]
        images = filled(builder, network.apply(builder, moving), network.codomain)
        graph = tidy(builder.primitives, builder.finish(images))
        inner = Block()
        late = graph.inputs[len(inputs) :]
        pattern, moved = self._moving(source, late, inner)
        given = {
            own: terms[wire]
            for wire, own in zip(inputs, graph.inputs, strict=False)
            if wire in terms
        }
        early, after, results = decompile(graph, {**given, **moved}, self.names, late)
        result = self.rebuilt(target, iter([whole(each) for each in results]))
        after.bindings[:0] = inner.bindings
        early.bindings[:0] = self.outer.bindings
        return early.around(s.Lambda((pattern,), after.around(result)))

    def _combined(
        self,
        builder: Builder,
        network: Network,
        terms: Mapping[Wire, Term],
        source: t.Type,
        target: t.Type,
    ) -> s.Expression:
        """As combinators of linear maps."""
        network = recorded(builder, network.useful())
        primal = builder.finish(network.fixed)
        early, made = held(builder.primitives, primal, terms, network, self.names)
        fixed = {wire: made[k] for k, wire in enumerate(network.fixed)}
        tree = combinators(builder.primitives, network, fixed, self.names)
        early.bindings[:0] = self.outer.bindings
        maps = [*self.entered(source, network), tree, *self.left(target, network)]
        return early.around(composed(maps))

    def _is_tree(self, type: t.Type) -> bool:
        return isinstance(type, t.Named) and self.declarations.has_trees(type)

    def _trees_aside(self, type: t.Type) -> tuple[s.Expression, t.Type]:
        """From a space with trees to that of what is made of them: `l *** id`."""
        if self._is_tree(type):
            planted = self._next_tree()
            return s.Name(planted.linear), self.tangent(planted.reduction.result)
        if not self.declarations.has_trees(type):
            return IDENTITY, type
        if not isinstance(type, t.Product) or len(type.items) != 2:
            raise Unspeakable(f"values of type {t.show(type)}")
        (one, left), (two, right) = map(self._trees_aside, type.items)
        return s.Binary("***", one, two), t.Product((left, right))

    def entered(self, source: t.Type, network: Network) -> list[s.Expression]:
        """From a value of the space to its arrays, as pairs; nothing where it is that."""
        if self.declarations.has_trees(source):
            tree, space = self._trees_aside(source)
            return [tree, *self.entered(space, network)]
        if _nests(source, len(network.inputs)):
            return []
        if _is_pair(source):
            return [UNZIP]
        block = Block()
        wires = [Wire(array) for array in network.domain]
        pattern, moved = self._moving(source, wires, block)
        arrays = pairs([whole(moved[wire]) for wire in wires])
        if isinstance(pattern, s.PatternName) and len(wires) == 1:
            return [linear_function(pattern.name, block.bindings[0].body)]
        return [apply("section", s.Lambda((pattern,), block.around(arrays)))]

    def left(self, target: t.Type, network: Network) -> list[s.Expression]:
        if self.declarations.has_trees(target):
            tree, space = self._trees_aside(target)
            return [*self.left(space, network), _transposed(tree)]
        if _nests(target, len(network.outputs)):
            return []
        if _is_pair(target):
            return [ZIP]
        names = [self.names.fresh("u") for _ in network.outputs]
        result = self.rebuilt(target, iter(map(s.Name, names)))
        if len(names) == 1:
            return [linear_function(names[0], result)]
        return [apply("section", s.Lambda((pair_pattern(names),), result))]

    # --- types -----------------------------------------------------------------------------

    def codomain(self) -> t.Type:
        """The type of the answer, its sizes known."""
        expression = self.function.specialise(self.call.types)
        return expression.type

    def _with_room(
        self, type: t.Type, arrays: Iterator[ArrayType], axis: int = 0
    ) -> tuple[t.Type, ArrayType | None]:
        """The type of an answer, with the room that a sequence of run-time length has in
        its array as its length; and the first array of numbers in it."""
        match type:
            case t.Array(element=element, length=length):
                element, array = self._with_room(element, arrays, axis + 1)
                if length.value is None and array is not None:
                    length = as_size(array.shape[axis])
                return t.Array(element, length), array
            case t.Product(items=items):
                found = [self._with_room(item, arrays, axis) for item in items]
                first = next((array for _, array in found if array is not None), None)
                return t.Product(tuple(item for item, _ in found)), first
            case t.Named(name=name) if name in self.declarations.reps:
                return type, self._with_room(self.declarations.reps[name].carrier, arrays, axis)[1]
            case _:
                return type, None if self.tangent(type) == t.UNIT else next(arrays)

    def tangent(self, type: t.Type) -> t.Type:
        """The space that derivatives move in: () where there are no numbers to move."""
        match type:
            case t.Scalar(name=name):
                return type if name in ("R", "C") else t.UNIT
            case t.Fin():
                return t.UNIT
            case t.Array(element=element):
                return type if self.tangent(element) == element else (
                    t.UNIT if self.tangent(element) == t.UNIT
                    else t.Array(self.tangent(element), type.length)
                )  # fmt: skip
            case t.Product(items=items):
                return t.Product(tuple(map(self.tangent, items)))
            case t.Named(name=name) if name in self.declarations.reps:
                carrier = self.declarations.reps[name].carrier
                return type if self.tangent(carrier) == carrier else self.tangent(carrier)
            case t.Named() if self._is_tree(type):
                return type
            case _:
                raise Unspeakable(f"values of type {t.show(type)}")

    # --- names of what is given -----------------------------------------------------------------

    def _parameters(self, inputs: Sequence[Wire]) -> tuple[list[s.PatternTree], dict[Wire, Term]]:
        """The parameters by the names that the definition gives them."""
        supply = iter(inputs)
        body: p.Expression = self.function.definition.body
        patterns: list[s.PatternTree] = []
        terms: dict[Wire, Term] = {}
        for type in self.call.types:
            known: p.Pattern | None = None
            if isinstance(body, p.Lambda):
                known, body = body.parameter, body.body
            pattern, found = self.taken(type, known, supply, "x", self.outer)
            patterns.append(pattern)
            terms |= found
        return patterns, terms

    def taken(
        self, type: t.Type, known: p.Pattern | None, supply: Any, otherwise: str, block: Block
    ) -> tuple[s.PatternTree, dict[Wire, Term]]:
        """A pattern for a value of `type`, and what its wires are then called."""
        if isinstance(known, p.BindName):
            otherwise = known.name
        match type:
            case t.Product(items=items):
                below = known.items if isinstance(known, p.MatchTuple) else [None] * len(items)
                parts: list[s.PatternTree] = []
                terms: dict[Wire, Term] = {}
                for item, each in zip(items, below, strict=True):
                    pattern, found = self.taken(item, each, supply, otherwise, block)
                    parts.append(pattern)
                    terms |= found
                return s.PatternTuple(tuple(parts)), terms
            case t.Named(name=name) if name in self.declarations.reps:
                below_rep = known.argument if isinstance(known, p.LeaveRep) else None
                carrier = self.declarations.reps[name].carrier
                if below_rep is None and isinstance(known, p.BindName):
                    below_rep = known
                pattern, terms = self.taken(carrier, below_rep, supply, otherwise, block)
                return s.PatternConstructor(name, (pattern,)), terms
            case t.Named() if self._is_tree(type):
                return self._plant(otherwise, supply)
            case _:
                first = [wire for wire in (next(supply, None),) if wire is not None]
                if first and PLAIN.match(first[0].name):
                    otherwise = first[0].name
                name = self.names.fresh(otherwise)
                supply = chain(first, supply)
                return s.PatternName(name), self._arrays(type, s.Name(name), supply, block)

    def _plant(self, otherwise: str, supply: Any) -> tuple[s.PatternTree, dict[Wire, Term]]:
        """The name of a tree, and terms for the wires of what is made of it."""
        traced = self.call.traced
        reduction = together(traced.program.primitives, traced.trees[len(self.planted)])
        after = Block()
        pattern, terms = self.taken(reduction.result, None, supply, "y", after)
        name = self.names.fresh(otherwise)
        linear = self.names.fresh("dy")
        self.planted.append(Planted(name, linear, reduction, pattern, after))
        return s.PatternName(name), terms

    def _arrays(
        self, type: t.Type, tree: s.Expression, supply: Any, block: Block
    ) -> dict[Wire, Term]:
        """The arrays that a value of `type` is made of."""
        if _is_plain(type):
            wire = next(supply)
            return {wire: term(tree, wire.type, below=_below(type))}
        leaves = self._leaves(type)
        wires = [next(supply) for _ in leaves]
        names = [self.names.fresh(_stem(tree) + str(k)) for k, _ in enumerate(leaves, 1)]
        if _is_pair(type):
            pattern = s.PatternTuple(tuple(map(s.PatternName, names)))
            block.bind(pattern, apply("unzip", tree))
        else:
            for name, (_, take) in zip(names, leaves, strict=True):
                block.bind(s.PatternName(name), take(tree))
        return {
            wire: term(s.Name(name), wire.type, below=_below(leaf))
            for wire, name, (leaf, _) in zip(wires, names, leaves, strict=True)
        }

    def _leaves(self, type: t.Type) -> list[tuple[t.Type, Take]]:
        """The arrays in a value of `type`, each with what takes it out."""
        if _is_plain(type):
            return [(type, lambda tree: tree)]
        if isinstance(type, t.Array):
            length = type.length
            return [
                (t.Array(leaf, length), lambda tree, p=pattern, n=name, take=take: apply(  # type: ignore[misc]
                    "map", s.Lambda((p,), take(s.Name(n))), tree
                ))
                for pattern, name, leaf, take in self._places(type.element)
            ]  # fmt: skip
        return [
            (leaf, lambda tree, p=pattern, n=name, take=take: s.Apply(  # type: ignore[misc]
                s.Lambda((p,), take(s.Name(n))), tree
            ))
            for pattern, name, leaf, take in self._places(type)
        ]  # fmt: skip

    def _places(self, type: t.Type) -> list[tuple[s.PatternTree, str, t.Type, Take]]:
        """For each array in a value a pattern that names what holds it, and how to go on."""
        match type:
            case t.Product(items=items):
                return [
                    (_at(k, len(items), pattern), name, leaf, take)
                    for k, item in enumerate(items)
                    for pattern, name, leaf, take in self._places(item)
                ]
            case t.Named(name=rep) if rep in self.declarations.reps:
                return [
                    (s.PatternConstructor(rep, (pattern,)), name, leaf, take)
                    for pattern, name, leaf, take in self._places(
                        self.declarations.reps[rep].carrier
                    )
                ]
            case t.Array() | t.Scalar() | t.Fin():
                found = []
                for leaf, take in self._leaves(type):
                    name = self.names.fresh("e")
                    found.append((s.PatternName(name), name, leaf, take))
                return found  # type: ignore[return-value]
            case _:
                raise Unspeakable(f"values of type {t.show(type)}")

    def _held(self, inputs: Sequence[Wire]) -> dict[Wire, Term]:
        """Weights by their paths, and values from Python by their names."""
        traced = self.call.traced
        supply = iter(inputs[traced.arguments :])
        terms: dict[Wire, Term] = {}
        for weight in (*traced.weights, *traced.present):
            terms |= self._arrays(weight.type, s.Path(weight.path), supply, self.outer)
        for external in traced.externals:
            terms |= self._arrays(external.type, s.Name(external.path[0]), supply, self.outer)
        return terms

    def _moving(
        self, type: t.Type, wires: Sequence[Wire], block: Block
    ) -> tuple[s.PatternTree, dict[Wire, Term]]:
        """The tangent or the cotangent, named after what it moves."""
        stems = iter(self._stems()) if not self.adjoint else iter(())
        supply, trees = iter(wires), iter(self.planted)

        def taken(type: t.Type) -> tuple[s.PatternTree, dict[Wire, Term]]:
            match type:
                case t.Product(items=()):
                    return s.PatternTuple(()), {}
                case t.Product(items=items):
                    parts, found = zip(*map(taken, items), strict=True)
                    together: dict[Wire, Term] = {}
                    for each in found:
                        together |= each
                    return s.PatternTuple(tuple(parts)), together
                case t.Named(name=name) if name in self.declarations.reps:
                    pattern, one = taken(self.declarations.reps[name].carrier)
                    return s.PatternConstructor(name, (pattern,)), one
                case t.Named() if self._is_tree(type):
                    planted = next(trees)
                    name = self.names.fresh(next(stems, "dx"))
                    space = self.tangent(planted.reduction.result)
                    unpacking = Block()
                    pattern, one = self.taken(space, None, supply, "dy", unpacking)
                    block.bind(pattern, apply(planted.linear, s.Name(name)))
                    block.bindings += unpacking.bindings
                    return s.PatternName(name), one
                case _:
                    name = self.names.fresh(next(stems, "w" if self.adjoint else "dx"))
                    return s.PatternName(name), self._arrays(type, s.Name(name), supply, block)

        return taken(type)

    def _stems(self) -> list[str]:
        """What the tangents of the parameters are called: `dx` for `x`."""
        found: list[str] = []

        def walk(type: t.Type, known: p.Pattern | None, stem: str) -> None:
            if isinstance(known, p.BindName):
                stem = known.name
            match type:
                case t.Product(items=items):
                    below = known.items if isinstance(known, p.MatchTuple) else [None] * len(items)
                    for item, each in zip(items, below, strict=True):
                        walk(item, each, stem)
                case t.Named(name=name) if name in self.declarations.reps:
                    inner = known.argument if isinstance(known, p.LeaveRep) else known
                    walk(self.declarations.reps[name].carrier, inner, stem)
                case _:
                    if self.tangent(type) != t.UNIT:
                        found.append(f"d{stem}")

        body: p.Expression = self.function.definition.body
        for type in self.call.types:
            known: p.Pattern | None = None
            if isinstance(body, p.Lambda):
                known, body = body.parameter, body.body
            walk(type, known, "x")
        return found

    # --- what comes out ---------------------------------------------------------------------------

    def rebuilt(self, type: t.Type, supply: Any) -> s.Expression:
        """The value of `type` that these arrays make up."""
        if _is_plain(type):
            return next(supply)  # type: ignore[no-any-return]
        match type:
            case t.Product(items=items):
                return s.Tuple(tuple(self.rebuilt(item, supply) for item in items))
            case t.Named(name=name) if name in self.declarations.reps:
                carrier = self.declarations.reps[name].carrier
                return s.Apply(s.Name(name), self.rebuilt(carrier, supply))
            case t.Named() if self._is_tree(type):
                planted = self._next_tree()
                space = self.tangent(planted.reduction.result)
                backwards = apply("adjoint", s.Name(planted.linear))
                return s.Apply(backwards, self.rebuilt(space, supply))
            case t.Array(element=element):
                if not self._count(element):
                    raise Unspeakable("a sequence without real numbers")
                return self._each(element, [next(supply) for _ in range(self._count(element))])
            case _:
                raise Unspeakable(f"values of type {t.show(type)}")

    def _next_tree(self) -> Planted:
        """The trees of an answer, one after the other."""
        self.answered = (self.answered + 1) % len(self.planted)
        return self.planted[self.answered]

    def _count(self, type: t.Type) -> int:
        return len(self.declarations.layout(type))

    def _each(self, element: t.Type, arrays: list[s.Expression]) -> s.Expression:
        """A sequence of values, of the sequences of their arrays."""
        if _is_plain(element):
            return arrays[0]
        if len(arrays) == 1:
            name = self.names.fresh("e")
            made = self.rebuilt(element, iter([s.Name(name)]))
            return apply("map", lambda_((name,), made), arrays[0])
        names = [self.names.fresh("e") for _ in arrays]
        pattern: s.PatternTree = s.PatternName(names[0])
        zipped = arrays[0]
        for name, array in zip(names[1:], arrays[1:], strict=True):
            pattern = s.PatternTuple((pattern, s.PatternName(name)))
            zipped = apply("zip", s.Tuple((zipped, array)))
        made = self.rebuilt(element, iter([s.Name(name) for name in names]))
        if made == s.Tuple(tuple(map(s.Name, names))) and len(names) == 2:
            return zipped
        return apply("map", s.Lambda((pattern,), made), zipped)


def _transposed(tree: s.Expression) -> s.Expression:
    """The adjoint of maps side by side."""
    if isinstance(tree, s.Binary):
        return s.Binary("***", _transposed(tree.left), _transposed(tree.right))
    return tree if tree == IDENTITY else apply("adjoint", tree)


def _at(place: int, count: int, pattern: s.PatternTree) -> s.PatternTuple:
    return s.PatternTuple(
        tuple(pattern if k == place else s.PatternWildcard() for k in range(count))
    )


def _nests(type: t.Type, count: int) -> bool:
    """Whether a value of the type is so many arrays, as pairs that nest to the right."""
    while count > 1 and isinstance(type, t.Product) and len(type.items) == 2:
        if not _is_plain(type.items[0]):
            return False
        type, count = type.items[1], count - 1
    return count == 1 and _is_plain(type)


def _is_pair(type: t.Type) -> bool:
    """Whether it is a sequence of pairs of plain values."""
    return (
        isinstance(type, t.Array)
        and isinstance(type.element, t.Product)
        and len(type.element.items) == 2
        and all(map(_is_plain, type.element.items))
    )


def _is_plain(type: t.Type) -> bool:
    """Whether a value is one array of numbers."""
    while isinstance(type, t.Array):
        type = type.element
    return isinstance(type, t.Scalar | t.Fin)


def _below(type: t.Type) -> int | None:
    while isinstance(type, t.Array):
        type = type.element
    return type.size.value if isinstance(type, t.Fin) else None


def _stem(tree: s.Expression) -> str:
    name = tree.name if isinstance(tree, s.Name) else "w"
    return name if name[-1:].isalpha() else f"{name}_"


def type_tree(text: str) -> s.TypeTree:
    """A type as a tree."""
    (item,) = parse(Source(f"x : {text}", "type")).program.items
    assert isinstance(item, s.Signature)
    return item.type


__all__ = ["Derivative", "derivative_definition", "derivative_text"]
