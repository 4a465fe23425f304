"""Combinators on trees: a line for every constructor, y_{Node l r} = … of y_l and y_r.

cata, para   from the leaves to the root (`Recursion`)
ana          from the root to the leaves: seeds (`Growth`); hylo is one after the other
mapData, foldData    along the payload: t_v for every place v of t
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING

from ...language import typed as p
from ...language import types as t
from ...language.sizes import variable
from . import formula as m
from .blocks import Branch, Growth, Recursion, TreeCase
from .changes import Change, Linear
from .constructors import joined
from .formula import Formula
from .loops import loop
from .named import opaque_builtin
from .quantities import Alternatives, Built, Value, flat, rebuilt, respread, size_formula, spread
from .table import domains_of, function_of, result_of, rule
from .tape import Block, Pass, Quantity, Rule

if TYPE_CHECKING:
    from .reading import Environment, Reader


# --- from the leaves to the root ----------------------------------------------------------------


def cata(
    reader: Reader,
    tree: Value,
    alternatives: Sequence[tuple[p.MatchConstructor, p.Expression]],
    type: t.Type,
    env: Environment,
) -> Value:
    """A case of the program for every constructor; its patterns name the fields."""
    assert isinstance(type, t.Function)
    result, tree_type = type.codomain, type.domain
    assert isinstance(tree_type, t.Named)
    declared = reader.program.declarations.constructors(tree_type)
    bases = _bases(reader, result, _bound_names(alternatives))
    cases = []
    for pattern, body in alternatives:
        case = _Layer(reader, tree_type, result, bases)
        bound: dict[str, Value] = {}
        said: list[Formula] = []
        fields = zip(pattern.arguments, declared[pattern.name], strict=True)
        with reader.scope():
            for place, (argument, field_type) in enumerate(fields, 1):
                own = str(place) if len(pattern.arguments) > 1 else ""
                shown, found = case.matched(argument, field_type, f"c{own}")
                said.append(shown)
                bound |= found
            node = _node(pattern.name, said)
            with reader.within(Block(node)) as block:
                value = reader.evaluate(body, env.bind(bound))
                results = _results(reader, value, result, bases, node)
        cases.append(case.done(node, block, results))
    return _recursion(reader, tree, tree_type, result, bases, cases)


@rule("para")
def para(reader: Reader, use: p.Builtin, algebra: Value, tree: Value) -> Value:
    """An algebra of layers, whose children are pairs: the subtree, and what came of it."""
    tree_type = domains_of(use)[1]
    assert isinstance(tree_type, t.Named)
    result = result_of(use, 2)
    declared = reader.program.declarations.constructors(tree_type)
    if any(_hidden(field, tree_type) for fields in declared.values() for field in fields):
        return opaque_builtin(reader, use, [algebra, tree])
    bases = _bases(reader, result)
    cases = []
    for name, fields in declared.items():
        case = _Layer(reader, tree_type, result, bases, pairs=True)
        with reader.scope():
            letters = _letters(reader, fields, tree_type.name)
            layer = [case.value(*each) for each in zip(fields, letters, strict=True)]
            node = _node(name, letters)
            with reader.within(Block(node)) as block:
                value = reader.apply(algebra, Built(f"{name}F", tuple(layer)))
                results = _results(reader, value, result, bases, node)
        cases.append(case.done(node, block, results))
    return _recursion(reader, tree, tree_type, result, bases, cases)


@dataclass
class _Layer:
    """What a node holds, its children replaced by what came of them: y_l for l. As `pairs`,
    by the child and what came of it. Children in a sequence c have a sequence y_c."""

    reader: Reader
    tree: t.Named
    result: t.Type
    bases: Sequence[Formula]
    pairs: bool = False
    children: list[Quantity] = dataclass_field(default_factory=list)
    payload: list[Quantity] = dataclass_field(default_factory=list)
    subtrees: list[Quantity] = dataclass_field(default_factory=list)

    def value(self, type: t.Type, letter: Formula) -> Value:
        """A field of the type, of whose name its parts have theirs."""
        if isinstance(type, t.Array) and any(v.runtime for v in type.length.variables()):
            type = t.Array(type.element, variable("n", open=True))  # as many as there are: |c|
        if not _holds_tree(type, self.tree.name):
            made = spread(type, letter, self.reader.program)
            self.payload += flat(made)
            return made
        if isinstance(type, t.Array) and isinstance(type.element, t.Product):
            items = tuple(t.Array(item, type.length) for item in type.element.items)
            return self.value(t.Product(items), letter)
        if isinstance(type, t.Product):
            return tuple(
                self.value(item, m.indexed(letter, m.Digits(str(k))))
                for k, item in enumerate(type.items, 1)
            )
        made = _at_child(self.reader, self._made(type), self.bases, letter)
        self.children += flat(made)
        if not self.pairs:
            return made
        self.subtrees.append(Quantity(type, letter))
        return self.subtrees[-1], made

    def _made(self, type: t.Type) -> t.Type:
        """The type of what comes of children in sequences: that of a sequence of results."""
        if isinstance(type, t.Array):
            return t.Array(self._made(type.element), type.length)
        return self.result

    def matched(
        self, pattern: p.Pattern, type: t.Type, other: str
    ) -> tuple[Formula, dict[str, Value]]:
        """A pattern at a field of the type, as it is shown, and what its names stand for."""
        reader = self.reader
        if not _holds_tree(type, self.tree.name):
            with reader.everywhere():
                found = reader.fields(pattern)
            self.payload += [q for value in found.values() for q in flat(value)]
            return reader.pattern(pattern, found), found
        if isinstance(pattern, p.MatchTuple) and isinstance(type, t.Product):
            pairs = zip(pattern.items, type.items, strict=True)
            made = [self.matched(*each, f"{other}{k}") for k, each in enumerate(pairs, 1)]
            names = {key: value for _, bound in made for key, value in bound.items()}
            return m.tupled([shown for shown, _ in made]), names
        letter = reader.name(pattern.name if isinstance(pattern, p.BindName) else other, type)
        if isinstance(pattern, p.BindNothing):
            return letter, {}
        return letter, reader.bindings(pattern, self.value(type, letter))

    def done(self, node: Formula, block: Block, results: tuple[Quantity, ...]) -> TreeCase:
        used = block.outside()
        looked = tuple(q for q in self.subtrees if q in used)
        return TreeCase(node, block, results, tuple(self.children), tuple(self.payload), looked)


def _bound_names(alternatives: Sequence[tuple[p.MatchConstructor, p.Expression]]) -> set[Formula]:
    """The names that cases bind, in their patterns and inside."""
    nodes = [each for pair in alternatives for part in pair for each in p.nodes(part)]
    return {m.symbol(each.name) for each in nodes if isinstance(each, p.BindName)}


def _bases(reader: Reader, result: t.Type, other: Collection[Formula] = ()) -> list[Formula]:
    """The letters of what is made at every node, which no recursion beside or around has;
    `other` names are not to be confused with them."""
    bases: list[Formula] = []
    for _ in flat(spread(result, m.ONE, reader.program)):
        names = [m.symbol(name) for name in ("y", "r", "v", "q", "p")]
        names += [m.symbol(f"y{k}") for k in range(1, 1000)]
        around = {*reader.taken, *reader.bases, *other}
        bases.append(next(name for name in names if name not in around))
        reader.bases.add(bases[-1])  # y_t and y are different names
    return bases


def _at_child(reader: Reader, result: t.Type, bases: Sequence[Formula], letter: Formula) -> Value:
    return respread(result, iter([m.indexed(base, letter) for base in bases]), reader.program)


def _node(name: str, fields: Sequence[Formula]) -> Formula:
    """Node l r"""
    node: Formula = m.Letter(name)
    if not fields:
        return node
    return m.Row((node, *(x for field in fields for x in (m.Space(), field))), m.FUNCTION)


def _letters(reader: Reader, fields: Sequence[t.Type], tree: str) -> list[Formula]:
    """A letter for every field: l and r for two with children, c for one."""
    trees = [_holds_tree(each, tree) for each in fields]
    names = {1: ["c"], 2: ["l", "r"]}.get(sum(trees), [f"c{k}" for k in range(1, sum(trees) + 1)])
    supply = iter(names)
    return [reader.name(next(supply)) if own else reader.fresh("x", "a", "w", "z") for own in trees]


def _results(
    reader: Reader, value: Value, result: t.Type, bases: Sequence[Formula], node: Formula
) -> tuple[Quantity, ...]:
    pairs = zip(flat(joined(reader, value, result)), bases, strict=True)
    return tuple(reader.renamed(q, m.indexed(base, node)) for q, base in pairs)


def _recursion(
    reader: Reader, tree: Value, tree_type: t.Type, result: t.Type, bases: Sequence[Formula],
    cases: Sequence[TreeCase],
) -> Value:  # fmt: skip
    tree = joined(reader, tree, tree_type)
    if isinstance(tree, Quantity):
        reader.ensure_named(tree, "t", "u")
    whole = reader.shown(tree)
    given = [q for case in cases for q in case.given]
    outside = [q for case in cases for q in case.block.outside() if q not in given]
    source = tree if isinstance(tree, Quantity) else reader.constant(whole, tree_type)
    operation = Recursion((source, *dict.fromkeys(outside)), tuple(cases))
    made = _at_child(reader, result, bases, whole)
    operation.outputs = tuple(flat(made))
    reader.add(operation)
    return made


# --- from the root to the leaves ----------------------------------------------------------------


@rule("ana")
def ana(reader: Reader, use: p.Builtin, function: Value, seed: Value) -> Value:
    tree_type = result_of(use, 2)
    grown = _grown(reader, use, tree_type, function, seed)
    return grown[0] if grown else opaque_builtin(reader, use, [function, seed])


@rule("hylo")
def hylo(reader: Reader, use: p.Builtin, algebra: Value, function: Value, seed: Value) -> Value:
    """A tree is grown and reduced, case by case."""
    layer = function_of(domains_of(use)[1]).codomain
    assert isinstance(layer, t.Named)
    name = reader.program.data[layer.name].base_of
    tree_type = t.Named(name, layer.arguments[:-1])
    grown = _grown(reader, use, tree_type, function, seed)
    if grown is None:
        return opaque_builtin(reader, use, [algebra, function, seed])
    tree, branches = grown
    result, bases = result_of(use, 3), _bases(reader, result_of(use, 3))
    cases = []
    for node, constructor, fields in branches:
        layer_fields: list[Value] = []
        children: list[Quantity] = []
        payload: list[Quantity] = []
        for letter, value in fields:
            if letter is None:
                layer_fields.append(value)
                payload += flat(value)
            else:
                own = t.Array(result, value.length) if isinstance(value, t.Array) else result
                layer_fields.append(_at_child(reader, own, bases, letter))
                children += flat(layer_fields[-1])
        with reader.within(Block(node)) as block:
            value = reader.apply(algebra, Built(constructor, tuple(layer_fields)))
            results = _results(reader, value, result, bases, node)
        cases.append(TreeCase(node, block, results, tuple(children), tuple(payload)))
    return _recursion(reader, tree, tree_type, result, bases, cases)


# How a node was grown: its form, the base functor's constructor, and for each field the
# letter and the type of a child, or of children, or else the payload.
Field = tuple[Formula, t.Type] | tuple[None, Value]
Grown = tuple[Formula, str, list[Field]]


def _grown(
    reader: Reader, use: p.Builtin, tree_type: t.Type, function: Value, seed: Value
) -> tuple[Quantity, list[Grown]] | None:
    """A tree grown from a seed, and its forms; None where children are inside of other data."""
    assert isinstance(tree_type, t.Named)
    declared = reader.program.declarations.constructors(tree_type)
    held = [f for fs in declared.values() for f in fs if _holds_tree(f, tree_type.name)]
    if not all(_is_child(f, tree_type) for f in held):
        return None
    tree = Quantity(tree_type, reader.within_loops(reader.fresh("t", "u", "v")))
    assert tree.name is not None
    starts = list(flat(seed))
    letters = [reader.within_loops(reader.fresh("s", "h", "c", "q")) for _ in starts]
    v = reader.index("v", "w", "u")

    def seeds(at: Formula) -> list[Quantity]:
        return [
            Quantity(q.type, m.indexed(name, at))
            for q, name in zip(starts, letters, strict=True)
        ]  # fmt: skip

    own = seeds(v)
    range = m.Row((v, m.Sign("∈"), tree.name), m.RELATION)
    with reader.within(Block(v, range)) as block:
        supply = iter(own)
        value = reader.apply(function, rebuilt(seed, lambda _: next(supply)))
    if isinstance(value, Alternatives):
        found = [(said, condition, inner, made) for said, condition, inner, made in value.branches]
    elif isinstance(value, Built):
        found = [(m.Words(""), m.Words(""), Block(), value)]
    else:
        return None
    branches: list[Branch] = []
    forms: list[Grown] = []
    for said, condition, inner, layer in found:
        if not isinstance(layer, Built):
            return None
        name = layer.name.removesuffix("F")
        named = _letters(reader, declared[name], tree_type.name)
        node = _node(name, named)
        equal = m.equation(v, node)
        inner.range = m.Row((*equal.items, m.Space(True), said), m.RELATION) if said != m.Words(
            "") else equal  # fmt: skip
        inner.index = v
        made: list[Quantity] = []
        fields: list[Field] = []
        with reader.within(inner):
            for field, letter, part in zip(declared[name], named, layer.fields, strict=True):
                if _is_child(field, tree_type):
                    pairs = zip(flat(part), seeds(letter), strict=True)
                    made += [reader.renamed(q, seed.name) for q, seed in pairs]
                    fields.append((letter, field))
                else:
                    value = _payload(reader, part, letter)
                    made += flat(value)
                    fields.append((None, value))
        branches.append(Branch(node, condition, inner, tuple(made)))
        forms.append((node, layer.name, fields))
    depth = m.Words(" at most "), size_formula(use.brackets[0]), m.Space(), m.Words("deep")
    operation = Growth(
        (), block, tuple(m.indexed(name, tree.name) for name in letters), tuple(own),
        tuple(branches), (tree,), m.Row((tree.name, *depth), m.RELATION),
    )  # fmt: skip
    inside = {q for each in operation.blocks for op in each.everywhere() for q in op.outputs}
    outside = [q for each in operation.blocks for q in each.outside()]
    kept = [q for q in dict.fromkeys(outside) if q not in inside and q not in own]
    operation.inputs = (*starts, *kept)
    reader.add(operation)
    return tree, forms


def _payload(reader: Reader, value: Value, letter: Formula) -> Value:
    """A field that is no child, its parts numbered where there are several."""
    parts = list(flat(value))
    if len(parts) == 1:
        names = [letter]
    else:
        names = [m.indexed(letter, m.Digits(str(k))) for k, _ in enumerate(parts, 1)]
    supply = iter([reader.renamed(q, name) for q, name in zip(parts, names, strict=True)])
    return rebuilt(value, lambda _: next(supply))


# --- along the payload ----------------------------------------------------------------------------


@rule("mapData")
def map_data(reader: Reader, use: p.Builtin, function: Value, tree: Value) -> Value:
    """y_v = f(t_v) for every place v of the payload of t; of trees that are zipped, f(t_v, u_v)."""
    arrow, tree_type, *_ = domains_of(use)
    given, made = function_of(arrow), result_of(use, 2)
    tree = joined(reader, tree, tree_type)
    if not isinstance(tree, Quantity) or given.codomain == t.UNIT:
        return opaque_builtin(reader, use, [function, tree])
    trees, items = _payload_of(reader, tree, given.domain)
    v = reader.index("v", "w", "u")
    range = m.Row((v, m.Sign("∈"), next(flat(trees)).shown()), m.RELATION)
    _, out = loop(
        reader, (), trees, m.ONE, lambda _, item: ((), reader.apply(function, item)),
        along=(v, range), items=items, whole=made,
    )  # fmt: skip
    return out


def _payload_of(reader: Reader, tree: Quantity, item: t.Type) -> tuple[Value, list[t.Type]]:
    """The trees whose payload is meant, with names, and the types of what they hold; of trees
    that are zipped, each for itself."""
    if isinstance(tree.maker, Zipped) and isinstance(item, t.Product):
        pairs = zip(tree.maker.inputs, item.items, strict=True)
        found = [_payload_of(reader, *pair) for pair in pairs]
        return tuple(trees for trees, _ in found), [kind for _, kinds in found for kind in kinds]
    reader.ensure_named(tree, "t", "u")
    return tree, [item]


class Zipped(Rule):
    """Two trees of one shape as one, whose payload is pairs."""


@rule("zipTree")
def zip_tree(reader: Reader, use: p.Builtin, trees: Value) -> Value:
    """Linear: a tangent is zipped of tangents, and a cotangent's pairs are taken apart."""
    trees = joined(reader, trees, domains_of(use)[0])
    if not isinstance(trees, tuple) or not all(isinstance(each, Quantity) for each in trees):
        return opaque_builtin(reader, use, [trees])
    name = m.Letter("zipTree")

    def forward(_: Pass, d: list[Change]) -> list[Change]:
        parts = [m.ZERO if change is None else change.formula() for change in d]
        return [Linear.of(m.applied(name, parts)) if any(d) else None]

    def backward(_: Pass, bars: list[Change]) -> list[Change]:
        taken = [m.applied(m.Letter("mapData"), [m.Letter(side)]) for side in ("fst", "snd")]
        return [
            bars[0] and bars[0].through(lambda f, part=part: m.applied(part, [f]))  # type: ignore[misc]
            for part in taken
        ]

    value = lambda _: m.applied(name, [q.shown() for q in trees])  # noqa: E731
    return reader.add(Zipped(trees, value, forward, backward), result_of(use, 1))


@rule("foldData")
def fold_data(reader: Reader, use: p.Builtin, step: Value, start: Value, tree: Value) -> Value:
    """s_k = f(s_{k-1}, t_k), with t_k the k-th of the payload of t, from left to right."""
    pair = function_of(domains_of(use)[0]).domain
    item = pair.items[1] if isinstance(pair, t.Product) else t.UNIT
    tree = joined(reader, tree, domains_of(use)[2])
    if not isinstance(tree, Quantity):
        return opaque_builtin(reader, use, [step, start, tree])
    trees, items = _payload_of(reader, tree, item)
    count = m.Fenced("|", next(flat(trees)).shown(), "|")
    final, _ = loop(
        reader, start, trees, count, lambda s, x: (reader.apply(step, (s, x)), ()),
        index=("k",), items=items,
    )  # fmt: skip
    return final


def _is_child(field: t.Type, tree: t.Type) -> bool:
    """Whether a field is a child, or a sequence of children."""
    return field == tree or (isinstance(field, t.Array) and field.element == tree)


def _hidden(field: t.Type, tree: t.Named) -> bool:
    """Whether it holds trees elsewhere than in sequences and products, or of other types."""
    match field:
        case t.Array(element=inner):
            nested = isinstance(inner, t.Array) and _holds_tree(inner, tree.name)
            return nested or _hidden(inner, tree)
        case t.Product(items=items):
            return any(_hidden(item, tree) for item in items)
        case t.Named(arguments=arguments):
            return field != tree and (
                field.name == tree.name or any(_holds_tree(a, tree.name) for a in arguments)
            )
        case _:
            return False


def _holds_tree(type: t.Type, name: str) -> bool:
    match type:
        case t.Named(name=own):
            return own == name
        case t.Array(element=inner):
            return _holds_tree(inner, name)
        case t.Product(items=items):
            return any(_holds_tree(item, name) for item in items)
        case _:
            return False
