"""What flows while a program is read as a diagram, and how it is written on boxes.

Wire              something that flows
Term              a closed expression: a number, a hole; it is written into a box
tuple             a product: wires side by side
Closure           a function, by how it is written and what it does to wires
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...language import typed as p
from ...language import types as t
from ...language.excerpt import shortened
from ...language.sizes import Size
from .diagram import Wire

Value = Any  # Wire | Term | tuple[Value, ...] | Closure
SYMBOLS = frozenset("+ - * / @ ^ ++ == /= < <= > >= && || !".split())  # noqa: SIM905
LONGEST = 30  # of a label, in characters


@dataclass(frozen=True)
class Term:
    """A value that nothing flows into, as text; `learns` where there is a hole in it."""

    text: str
    type: t.Type
    learns: bool = False
    atomic: bool = True  # needs no brackets as an operand

    def operand(self) -> str:
        return self.text if self.atomic else f"({self.text})"


@dataclass(frozen=True, eq=False)
class Closure:
    text: str
    type: t.Type
    run: Callable[[Value], Value]


# --- shapes of values --------------------------------------------------------------------------


def made_of(type: t.Type, leaf: Callable[[t.Type], Any]) -> Value:
    """A value of a type, its wires made by `leaf`: products are taken apart, and an array
    of products is a product of arrays."""
    match type:
        case t.Product(items):
            return tuple(made_of(item, leaf) for item in items)
        case t.Array(element, length):
            return made_of(element, lambda inner: leaf(t.Array(inner, length)))
        case _:
            return leaf(type)


def made_from(wires: Sequence[Wire], type: t.Type) -> Any:
    pending = iter(wires)
    return made_of(type, lambda _: next(pending))


def leaf_types(type: t.Type) -> list[t.Type]:
    """The types of the wires that a value of a type takes."""
    found: list[t.Type] = []
    made_of(type, found.append)
    return found


def flat(value: Value) -> list[t.Type]:
    """The types of the wires of a value."""
    if isinstance(value, tuple):
        return [leaf for part in value for leaf in flat(part)]
    return leaf_types(value.type)


def parts(value: Value, type: t.Type) -> Iterator[Value]:
    """The wires and closed expressions that a state begins with, one for each wire of it."""
    if isinstance(value, tuple):
        items = type.items if isinstance(type, t.Product) else [type] * len(value)
        for part, item in zip(value, items, strict=False):
            yield from parts(part, item)
    elif isinstance(value, Term) and value.text == "zero":
        yield from (Term("zero", leaf) for leaf in leaf_types(type))
    else:
        yield value


def holds_function(type: t.Type) -> bool:
    match type:
        case t.Function():
            return True
        case t.Product(items):
            return any(map(holds_function, items))
        case _:
            return False


def plumbing(body: p.Expression) -> bool:
    """Whether an expression only leads wires elsewhere: `fst`, `swap`, `const`."""
    only = (p.Local, p.Apply, p.Lambda, p.MakeProduct, p.Let)
    patterns = (p.BindName, p.BindNothing, p.MatchTuple)
    return all(isinstance(node, (*only, *patterns)) for node in p.nodes(body))


# --- text ----------------------------------------------------------------------------------------


def written(value: Value) -> str:
    """A closed expression or a function as an operand; a place for anything that flows."""
    match value:
        case Term():
            return value.operand()
        case Closure(text=text):
            return bracketed(text)
        case _:
            return "·"


def bracketed(text: str) -> str:
    return f"({text})" if " " in text and not text.startswith("(") else text


def section(label: str, held: Sequence[str | None]) -> str:
    """An operator or a function with some of its operands in place: `?W @ ·`, `+ ?b`."""
    if label in SYMBOLS and len(held) == 2:
        left, right = held
        if left is None:
            return label_of(f"{label} {right}")
        return label_of(f"{left} {label}" + (" ·" if label in ("@", "-", "/", "^") else ""))
    trailing = list(held)
    while trailing and trailing[-1] is None:
        trailing.pop()
    return label_of(" ".join([label, *(each or "·" for each in trailing)]))


def applied(label: str, held: Sequence[str | None]) -> str:
    shown = [each or "·" for each in held]
    if label in SYMBOLS and len(shown) == 2:
        return label_of(f"{shown[0]} {label} {shown[1]}")
    return label_of(" ".join([label, *shown]))


def label_of(text: str) -> str:
    """Text as the label of a box."""
    return shortened(text, LONGEST)


def brackets(sizes: Sequence[Size | None], options: Mapping[str, Size | str] = {}) -> str:
    shown = ["_" if size is None else str(size) for size in sizes]
    shown += [f"{name}={value}" for name, value in options.items()]
    return f"[{', '.join(shown)}]" if shown else ""
