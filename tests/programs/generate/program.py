"""A generated program, and what stands in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from programs.trees import (
    Type,
)

from nnfp_kernel.language import syntax as s
from nnfp_kernel.language import types as t
from nnfp_kernel.language.printer import show


@dataclass(frozen=True)
class Written:
    """A definition that stands: what it takes and gives, as its uses see it.

    `kind` is "function", "value", or for functions of sequences of any length what
    they do to the length: "each" keeps it, "whole" gives one `codomain` of the whole;
    `domain` and `codomain` are then those of one element.
    """

    name: str
    kind: str
    domain: Type
    codomain: Type
    learns: bool
    draws: bool
    linear: bool = False


@dataclass(frozen=True)
class Data:
    """A `data` type: constructors and their fields."""

    name: str
    constructors: tuple[tuple[str, tuple[Type, ...]], ...]


def is_needed(signature: s.Signature, definition: s.Definition) -> bool:
    """Whether a signature says what its definition alone does not."""
    used = {node.name for node in s.walk(definition.body) if isinstance(node, s.SizeName)}
    return getattr(signature.type, "arrow", "") == "-o" or not used.issuperset(
        signature.brackets or ()
    )


@dataclass(frozen=True)
class GeneratedProgram:
    """A program, and what it says it is: `main` takes `domains`, gives `codomain`."""

    items: tuple[s.Item, ...]
    main: str
    domains: tuple[Type, ...]
    codomain: Type
    reps: dict[str, Type] = field(default_factory=dict)
    data: dict[str, Data] = field(default_factory=dict)
    smooth: bool = True
    draws: bool = False
    learns: bool = False

    @property
    def text(self) -> str:
        """The program as the printer writes it."""
        return show(s.Program(self.items))

    @property
    def unsigned(self) -> str:
        """The program without its signatures, and what settles its sizes at its end. That a
        definition is linear only a signature can say, and what the size of a family is that
        its body does not mention."""
        kept: list[s.Item] = []
        pins: list[s.Item] = []
        bodies = {item.name: item for item in self.items if isinstance(item, s.Definition)}
        for item in self.items:
            if not isinstance(item, s.Signature) or is_needed(item, bodies[item.name]):
                kept.append(item)
            elif item.brackets is None:
                pin = f"pin{len(pins) // 2 + 1}"
                pins.append(s.Signature(pin, None, item.type))
                pins.append(s.Definition(pin, None, (), s.Name(item.name)))
        return show(s.Program((*kept, *pins)))

    def __repr__(self) -> str:  # what hypothesis shows of a failure: the text itself
        return f"program, {self.main} : {self.type}\n{self.text}"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        printer.text(repr(self))

    @property
    def pin(self) -> str:
        """What stands for `main` in `unsigned`: the last that is settled there."""
        return f"pin{self.unsigned.count(chr(10) + 'pin') // 2}"

    @property
    def type(self) -> str:
        """The type of `main`, as the language shows it."""
        arrows = ["~>" if self.learns else "->"] + ["->"] * len(self.domains)
        parts = [
            f"{t.show(domain)} {arrow} "
            for domain, arrow in zip(self.domains, arrows, strict=False)
        ]
        return "".join(parts) + t.show(self.codomain)
