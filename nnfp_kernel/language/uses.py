"""What a piece of syntax uses: free names in order of writing, holes and how they are used.

Inference sorts definitions by what they use, numbers the occurrences of families in order
of writing (`dense`, `dense_2`), and gives a hole that is only added its first value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields

from . import syntax
from .source import Span


def pattern_names(tree: syntax.PatternTree) -> Iterator[str]:
    match tree:
        case syntax.PatternName(name):
            yield name
        case syntax.PatternTuple(items):
            for item in items:
                yield from pattern_names(item)
        case syntax.PatternConstructor(_, arguments):
            for item in arguments:
                yield from pattern_names(item)
        case _:
            return


@dataclass
class Uses:
    """What a definition or an expression uses."""

    names: dict[str, Span] = field(default_factory=dict)  # free names, where first
    occurrences: list[tuple[syntax.Tree, str]] = field(default_factory=list)
    added: set[str] = field(default_factory=set)  # holes met as an operand of + or -
    otherwise: set[str] = field(default_factory=set)  # holes met anywhere else
    holes: dict[str, Span] = field(default_factory=dict)


def uses_of(
    tree: syntax.Definition | syntax.Binding | syntax.Expression,
    bound: frozenset[str] = frozenset(),
) -> Uses:
    """Everything a definition, a binding or an expression uses."""
    found = Uses()
    match tree:
        case syntax.Definition():
            inner = bound.union(*(pattern_names(p) for p in tree.parameters))
            bindings = [item for item in tree.where if isinstance(item, syntax.Binding)]
            inner = inner.union(*(pattern_names(item.pattern) for item in bindings))
            _walk(tree.body, inner, found)
            for item in bindings:
                _binding(item, inner, found)
            _types(tree.where, bound, found)
        case syntax.Binding():
            _binding(tree, bound, found)
        case _:
            _walk(tree, bound, found)
    return found


def free_names(tree: syntax.Definition | syntax.Binding | syntax.Expression) -> dict[str, Span]:
    """The names a piece of syntax uses and does not bind, each where it stands first."""
    return uses_of(tree).names


def _binding(tree: syntax.Binding, bound: frozenset[str], found: Uses) -> None:
    _walk(tree.body, bound.union(*(pattern_names(p) for p in tree.parameters)), found)


def _name(name: str, tree: syntax.Tree, bound: frozenset[str], found: Uses) -> None:
    if name not in bound:
        found.names.setdefault(name, tree.span)
        found.occurrences.append((tree, name))


def _types(items: Iterable[object], bound: frozenset[str], found: Uses) -> None:
    """What the types of ascriptions, local signatures and holes use: `Weights f` uses f."""
    for item in items:
        if isinstance(item, syntax.Ascription | syntax.LocalSignature | syntax.HoleDeclaration):
            for name in weights_named(item.type) if item.type is not None else ():
                if name not in bound:
                    found.names.setdefault(name, item.span)


def _walk(tree: syntax.Expression, bound: frozenset[str], found: Uses) -> None:
    # An explicit stack: a sum of thousands of terms nests that deeply to the left.
    stack: list[tuple[syntax.Tree, frozenset[str], bool]] = [(tree, bound, False)]
    while stack:
        node, scope, added = stack.pop()
        match node:
            case syntax.Name(name):
                _name(name, node, scope, found)
            case syntax.Bracket(name):
                _name(name, node, scope, found)
            case syntax.Path(parts):
                if parts[0] not in scope:
                    found.names.setdefault(parts[0], node.span)
            case syntax.Hole(name):
                found.holes.setdefault(name, node.span)
                (found.added if added else found.otherwise).add(name)
            case syntax.Fresh(expression):
                if not _copied(node, expression, scope, found):
                    stack.append((expression, scope, False))
            case syntax.Apply(syntax.Bracket("stack") as head, argument):
                if not _copied(head, argument, scope, found):
                    stack.append((argument, scope, False))
            case syntax.Binary(operator, left, right):
                sum_ = operator in ("+", "-")
                stack.append((right, scope, sum_))
                stack.append((left, scope, sum_))
            case syntax.Lambda(parameters, body):
                inner = scope.union(*(pattern_names(p) for p in parameters))
                stack.append((body, inner, False))
            case syntax.Ascription(expression):
                _types((node,), scope, found)
                stack.append((expression, scope, False))
            case syntax.Let(bindings, body):
                _types(bindings, scope, found)
                plain = [item for item in bindings if isinstance(item, syntax.Binding)]
                inner = scope.union(*(pattern_names(item.pattern) for item in plain))
                stack.append((body, inner, False))
                for item in reversed(plain):
                    own = inner.union(*(pattern_names(p) for p in item.parameters))
                    stack.append((item.body, own, False))
            case syntax.Case(scrutinee, alternatives):
                for alternative in reversed(alternatives):
                    inner = scope.union(pattern_names(alternative.pattern))
                    stack.append((alternative.body, inner, False))
                stack.append((scrutinee, scope, False))
            case syntax.Cata(alternatives):
                for alternative in reversed(alternatives):
                    inner = scope.union(pattern_names(alternative.pattern))
                    stack.append((alternative.body, inner, False))
            case _:
                for child in reversed(list(children(node))):
                    stack.append((child, scope, False))


def weights_named(tree: syntax.TypeTree) -> Iterator[str]:
    """The definitions whose weights a type mentions: `Weights f`."""
    match tree:
        case syntax.TypeApply("Weights", (syntax.TypeName(name),)):
            yield name
        case syntax.TypeArray(element) | syntax.TypeSequence(element):
            yield from weights_named(element)
        case syntax.TypeProduct(items) | syntax.TypeApply(_, items):
            for item in items:
                yield from weights_named(item)
        case syntax.TypeArrow(_, domain, codomain):
            yield from weights_named(domain)
            yield from weights_named(codomain)
        case _:
            return


def children(node: syntax.Tree) -> Iterator[syntax.Expression]:
    """The expressions directly inside a node, in order of writing."""
    for item in fields(node):
        value = getattr(node, item.name)
        if isinstance(value, syntax.Expression):
            yield value
        elif isinstance(value, tuple):
            for inner in value:
                if isinstance(inner, syntax.Expression):
                    yield inner


def _copied(
    copier: syntax.Tree, tree: syntax.Expression, bound: frozenset[str], found: Uses
) -> bool:
    """Whether `fresh f` or `stack[n] f` copies a name: one occurrence, the copier's."""
    match tree:
        case syntax.Name(name) | syntax.Bracket(name):
            found.occurrences.append((copier, name))
            if name not in bound:
                found.names.setdefault(name, tree.span)
            return True
        case _:
            return False


def label_occurrences(uses: Uses, copies: Callable[[str], bool]) -> dict[int, str]:
    """A path component for every occurrence that makes weights, by the identity of its node.

    `copies` says of a name whether its occurrences make copies (it is a family); a `fresh`
    and a `stack` make copies of any name.
    """
    labels: dict[int, str] = {}
    counts: dict[str, int] = {}
    for node, name in uses.occurrences:
        copier = isinstance(node, syntax.Fresh) or (
            isinstance(node, syntax.Bracket) and node.name == "stack"
        )
        if not copier and not copies(name):
            continue
        counts[name] = counts.get(name, 0) + 1
        labels[id(node)] = name if counts[name] == 1 else f"{name}_{counts[name]}"
    return labels
