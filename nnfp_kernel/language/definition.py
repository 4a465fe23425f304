"""One definition: its signature, brackets and holes read, its body elaborated.

What comes out has unknowns still; generalise.py makes variables of those that are its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import isfinite, pi
from operator import add, mul, sub, truediv
from typing import Any

from . import syntax, typed
from .counting import SizeAtLeast
from .declarations import Reader, rigid_reader
from .diagnostics import Diagnostic, Label
from .elaborate import Elaborator
from .elaboration import World
from .sizes import Size, SizeVariable, as_size
from .solve import Mistake, OpenArrow
from .source import Span
from .standing import StandingDefinition
from .telling import did_you_mean, nearest, plain, start_of
from .types import UNIT, Function, Linear, Origin, Type, TypeVariable, gives_linear
from .uses import label_occurrences


@dataclass
class Elaborated:
    """A definition after elaboration. `types` and `sizes` are the variables of its
    signature and its brackets."""

    standing: StandingDefinition
    type: Type
    body: typed.Expression
    elaborator: Elaborator
    types: tuple[TypeVariable, ...]
    sizes: tuple[SizeVariable, ...]
    brackets: tuple[SizeVariable, ...] | None
    initialisers: dict[str, typed.Initialiser]
    linear: bool  # declared with `-o`
    declared_sizes: Sequence[tuple[str, Span]]  # `size` items that the signature names


def elaborate_definition(world: World, standing: StandingDefinition) -> Elaborated:
    """Elaborate a definition. Raises Mistake for what is wrong with it."""
    definition, signature = standing.definition, standing.signature
    name, solver = definition.name, world.solver
    reader, types, sizes = rigid_reader(
        world.declarations, lambda: next(solver.counter), f"the signature of `{name}`"
    )
    brackets = _brackets(standing, reader)
    wanted: Type
    if signature is not None:
        wanted = reader.read(signature.type)
        if not definition.parameters:
            wanted = constant_type(wanted, definition.body)
        _preconditions(world, name, reader)
    else:
        wanted = solver.fresh("a", Origin(definition.span))
    lengths: list[Size] = []
    # From here on an unknown name in a type is an unknown, not a variable of the signature.
    reader.new_type = lambda name, span: solver.fresh(name, Origin(span))

    def new_size(name: str, _span: Span, runtime: bool) -> Size:
        size = solver.inside_size(name, runtime)
        lengths.extend([size] if runtime else ())
        return size

    reader.new_size = new_size
    elaborator = Elaborator(
        world,
        name,
        reader,
        family=brackets is not None,
        labels=label_occurrences(standing.uses, world.is_family),
    )
    initialisers = _declare_holes(elaborator, standing)
    bindings = tuple(d for d in definition.where if not isinstance(d, syntax.HoleDeclaration))
    body = definition.body
    if bindings:
        body = syntax.Let(bindings, body, span=definition.body.span)
    role = f"the signature of `{name}`" if signature is not None else ""
    if signature is not None and gives_linear(wanted):
        elaborator.promise(body)
    node = elaborator.function(
        definition.parameters, body, wanted, {}, definition.span, role, may_be_linear=True
    )
    solver.drain()
    _check_arrow(standing, elaborator)
    _check_draws(standing, elaborator, solver.resolve(wanted))
    if brackets == () and not elaborator.learns:
        raise Mistake(
            plain(
                "family-without-holes",
                f"`{name}[]` has nothing to copy",
                definition.span,
                "it reaches no hole",
                notes=[
                    "Brackets make a family: every occurrence has weights of its own. Without them:"
                ],
                better=(start_of(definition.span, f"{name}[]"), name),
            )
        )
    answered = dict.fromkeys(v for v in solver.variables(wanted) if isinstance(v, SizeVariable))
    return Elaborated(
        standing,
        wanted,
        node,
        elaborator,
        tuple(types),
        (*sizes, *(v for v in answered if as_size(v) in lengths)),
        brackets,
        initialisers,
        signature is not None and gives_linear(wanted),
        reader.declared_sizes,
    )


def constant_type(type_: Type, body: syntax.Expression) -> Type:
    """`() ~> t` is how the type of a constant that learns is written."""
    if isinstance(type_, Function) and type_.domain == UNIT and not isinstance(body, syntax.Lambda):
        return type_.codomain
    return type_


def _brackets(standing: StandingDefinition, reader: Reader) -> tuple[SizeVariable, ...] | None:
    """The size variables of a family, known to the reader by the names of both the
    signature and the definition."""
    definition, signature = standing.definition, standing.signature
    own = definition.brackets
    signed = signature.brackets if signature is not None else own
    if signature is not None and (
        (own is None) != (signed is None) or len(own or ()) != len(signed or ())
    ):
        raise Mistake(
            plain(
                "signature-brackets",
                "signature and definition differ in their brackets",
                signature.span,
                f"`{_headed(definition.name, signed)}`",
                secondary=[Label(definition.span, f"`{_headed(definition.name, own)}`")],
                notes=["A signature repeats the brackets of its definition:"],
                better=(
                    start_of(signature.span, _headed(definition.name, signed)),
                    _headed(definition.name, own),
                ),
            )
        )
    if own is None or signed is None:
        return None
    made: list[SizeVariable] = []
    for name, second in zip(signed, own, strict=True):
        if name in reader.sizes or second in reader.sizes:
            raise Mistake(
                plain(
                    "duplicate-name",
                    f"`{second}` stands twice in the brackets",
                    _second_time(definition.span, second),
                    "every size needs a name of its own",
                )
            )
        variable = reader.new_size(name, definition.span, False).lone_variable
        assert variable is not None
        reader.sizes[name] = reader.sizes[second] = as_size(variable)
        made.append(variable)
    return tuple(made)


def _second_time(span: Span, name: str) -> Span:
    """The second of two places in the brackets after a definition's name."""
    head = span.text.partition("]")[0]
    places = [found.start() for found in re.finditer(rf"\b{name}\b", head.partition("[")[2])]
    if len(places) < 2 or "\n" in head:
        return span
    start = span.column + head.index("[") + 1 + places[1]
    return Span(span.source, span.line, start, span.line, start + len(name))


def _headed(name: str, brackets: tuple[str, ...] | None) -> str:
    return name if brackets is None else f"{name}[{', '.join(brackets)}]"


def _preconditions(world: World, name: str, reader: Reader) -> None:
    """A subtraction in a type asks for a size above 0: `R[n-2]` for `n >= 3`."""
    for size, span in reader.subtractions:
        taken = Size(tuple((monomial, -c) for monomial, c in size.terms if c < 0))
        world.solver.place = Origin(span, f"`{name}`")
        world.solver.add(SizeAtLeast(left=size + taken, right=taken + 1, written=span))


# --- holes -------------------------------------------------------------------------------


def _declare_holes(
    elaborator: Elaborator, standing: StandingDefinition
) -> dict[str, typed.Initialiser]:
    """Read the declarations of holes in `where`: their types go in, their initialisers
    come out."""
    initialisers: dict[str, typed.Initialiser] = {}
    seen: dict[str, Span] = {}
    holes = standing.uses.holes
    for declaration in standing.definition.where:
        if not isinstance(declaration, syntax.HoleDeclaration):
            continue
        name = declaration.name
        if name in seen:
            raise Mistake(
                plain(
                    "duplicate-definition",
                    f"`?{name}` is declared twice",
                    declaration.span,
                    "the second time",
                    secondary=[Label(seen[name], "the first")],
                )
            )
        seen[name] = declaration.span
        if name not in holes:
            raise Mistake(_unused_hole(declaration, nearest(name, holes)))
        fills: tuple[str, Span] | None = None
        if declaration.initialiser is not None:
            initialisers[name] = _initialiser(declaration.initialiser)
            fills = initialisers[name].name, declaration.initialiser.span
        use = elaborator.hole(name, holes[name], fills)
        if declaration.type is not None:
            span = declaration.type.span
            type_ = elaborator.reader.read_as(declaration.type, f"the declaration of `?{name}`")
            if any(
                isinstance(v, SizeVariable) and v.runtime
                for v in elaborator.solver.variables(type_)
            ):
                raise Mistake(
                    plain(
                        "hole-of-sequence",
                        f"the hole `?{name}` would be a sequence",
                        span,
                        "this length is known only at run time, and a weight has one shape",
                        notes=["Give the length, as in `R[3]`."],
                    )
                )
            if not elaborator.family:
                variables = elaborator.solver.variables(type_)
                elaborator.no_rigid(variables, span, f"the hole `?{name}`")
            elaborator.fit(type_, use.type, span, f"the hole `?{name}`")
    return initialisers


def _unused_hole(declaration: syntax.HoleDeclaration, near: str | None) -> Diagnostic:
    return plain(
        "unused-hole",
        f"there is no hole `?{declaration.name}` in this definition",
        declaration.span,
        "declared, and never used",
        notes=did_you_mean(f"?{near}" if near else None),
        better=(start_of(declaration.span, f"?{declaration.name}"), f"?{near}") if near else None,
    )


# --- learning and drawing -------------------------------------------------------------------


def _check_arrow(standing: StandingDefinition, elaborator: Elaborator) -> None:
    """Writing `->` for a definition that owns weights is a mistake."""
    signature = standing.signature
    if signature is None or not elaborator.learns:
        return
    arrows = set()
    tree = signature.type
    while isinstance(tree, syntax.TypeArrow):
        arrows.add(tree.arrow)
        tree = tree.codomain
    if arrows != {"->"}:
        return
    reason = elaborator.learns[0]
    raise Mistake(
        plain(
            "arrow-on-learner",
            f"`{standing.definition.name}` learns: its arrow is `~>`",
            signature.type.span,
            "`->` says that it owns no weights",
            secondary=[Label(reason.span, reason.text)],
            notes=["Write:"],
            better=(signature.type.span, _with_learning_arrow(signature.type.span.text)),
        )
    )


def _with_learning_arrow(text: str) -> str:
    """A signature's text with its first arrow as `~>`."""
    depth = 0
    for place in range(len(text) - 1):
        if text[place] in "([":
            depth += 1
        elif text[place] in ")]":
            depth -= 1
        elif depth == 0 and text[place : place + 2] == "->":
            return f"{text[:place]}~>{text[place + 2 :]}"
    return text


def _check_draws(standing: StandingDefinition, elaborator: Elaborator, type_: Type) -> None:
    definition, signature = standing.definition, standing.signature
    name = definition.name
    if not elaborator.draws or isinstance(type_, Function | Linear | OpenArrow):
        return
    reason = elaborator.draws[0]
    raise Mistake(
        plain(
            "constant-draws",
            f"`{name}` is a constant, and a constant may not draw",
            reason.span,
            reason.text,
            notes=["A function draws anew each time. Give it a parameter, if only `()`:"],
            suggestion=f"{name} () = …",
            better=(start_of(definition.span, name), f"{name} ()") if signature is None else None,
        )
    )


# --- initialisers ---------------------------------------------------------------------------

INITIALISERS = {
    "zeros": 0, "ones": 0, "normal": 1, "uniform": 1, "glorot": 0, "lecun": 0, "he": 0,
    "orthogonal": 0, "identity": 0, "constant": 1,
}  # fmt: skip
"""The initialisers of holes, and how many numbers each takes."""

# What others call them.
_FOREIGN = {
    "xavier": "glorot", "kaiming": "he", "zero": "zeros", "one": "ones", "eye": "identity",
    "gaussian": "normal 0.1", "randn": "normal 0.1",
}  # fmt: skip


def _initialiser(tree: syntax.Expression) -> typed.Initialiser:
    """`glorot`, `normal 0.1`."""
    arguments: list[syntax.Expression] = []
    head = tree
    while isinstance(head, syntax.Apply):
        arguments.insert(0, head.argument)
        head = head.function
    if not isinstance(head, syntax.Name) or head.name not in INITIALISERS:
        near = None
        if isinstance(head, syntax.Name):
            near = _FOREIGN.get(head.name.lower()) or nearest(head.name, INITIALISERS)
        raise Mistake(
            plain(
                "bad-initialiser",
                f"`{tree.span.text}` is not an initialiser",
                head.span,
                "not known",
                notes=[f"Initialisers: {', '.join(INITIALISERS)}.", *did_you_mean(near)],
                better=(head.span, near) if near else None,
            )
        )
    wanted = INITIALISERS[head.name]
    values = [_number(argument) for argument in arguments]
    if len(arguments) != wanted or None in values:
        said = "takes one number" if wanted else "takes nothing more"
        raise Mistake(
            plain(
                "bad-initialiser",
                f"`{head.name}` {said}",
                tree.span,
                f"{len(arguments)} given" if len(arguments) != wanted else "not made of numbers",
                notes=["For example:" if wanted else "Write:"],
                better=(tree.span, f"{head.name} 0.1" if wanted else head.name),
            )
        )
    return typed.Initialiser(head.name, values[0] if values else None)


_ARITHMETIC: dict[str, Callable[[float, float], Any]] = {
    "+": add,
    "-": sub,
    "*": mul,
    "/": truediv,
    "^": pow,
}


def _number(tree: syntax.Expression) -> float | None:
    """What arithmetic on numbers comes to; None for any other expression."""
    match tree:
        case syntax.Number(value):
            return None if isinstance(value, complex) else float(value)
        case syntax.Name("pi"):
            return pi
        case syntax.Negate(operand):
            negated = _number(operand)
            return None if negated is None else -negated
        case syntax.Binary(operator, left, right) if operator in _ARITHMETIC:
            one, other = _number(left), _number(right)
            if one is None or other is None:
                return None
            try:
                result = _ARITHMETIC[operator](one, other)
            except (ArithmeticError, ValueError):  # 1 / 0, 10 ^ 1000
                return None
            # A root of -1 is complex.
            return result if isinstance(result, float) and isfinite(result) else None
        case _:
            return None


# --- families ---------------------------------------------------------------------------------


def as_family(told: Diagnostic, standing: StandingDefinition) -> Diagnostic:
    """A hole whose shape depends on a size of the signature: the definition as a family."""
    definition, signature = standing.definition, standing.signature
    if told.code != "hole-depends-on-size" or signature is None or told.suggestion is None:
        return told
    first, second = signature.span, definition.span
    if first.end_line + 1 != second.line or second.end_line > second.line + 3:
        return told
    rest = [span.text.removeprefix(definition.name) for span in (first, second)]
    return replace(
        told,
        suggestion="\n".join(told.suggestion + text for text in rest),
        replaces=first.to(second),
    )
