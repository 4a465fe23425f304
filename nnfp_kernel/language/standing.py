"""What stands in a session: the newest definition and declaration of every name.

A cell's imports come before its own items, so that a cell may define anew what a file
brings; two definitions of one name in one cell are a mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from . import syntax
from .diagnostics import Diagnostic, Label, NnfpError
from .telling import did_you_mean, nearest, plain, start_of
from .uses import Uses, uses_of

Loader: TypeAlias = Callable[[syntax.ImportItem], syntax.Program | None]
Declaration: TypeAlias = syntax.SizeItem | syntax.AliasItem | syntax.RepItem | syntax.DataItem


@dataclass(frozen=True)
class StandingDefinition:
    """A definition, its signature and what it uses. Layers count cells and imported files
    from the oldest on; `newest` says that its mistakes are those of the newest cell."""

    layer: int
    newest: bool
    definition: syntax.Definition
    signature: syntax.Signature | None
    uses: Uses

    @property
    def position(self) -> tuple[int, int]:
        return self.definition.span.line, self.definition.span.column


@dataclass(frozen=True)
class StandingDeclaration:
    """A size, an alias, a representation or a data type. `layer` counts the cells and
    imports before its own."""

    layer: int
    newest: bool
    item: Declaration


@dataclass
class Standing:
    """All that stands, and what is wrong with how it is laid out."""

    definitions: dict[str, StandingDefinition] = field(default_factory=dict)
    declarations: dict[str, StandingDeclaration] = field(default_factory=dict)
    expressions: list[tuple[int, syntax.ExpressionItem]] = field(default_factory=list)
    layers: list[dict[str, syntax.Definition]] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def older(self, name: str) -> syntax.Definition | None:
        """The definition of a name that the standing one took the place of."""
        for layer in reversed(self.layers[: self.definitions[name].layer]):
            if name in layer:
                return layer[name]
        return None

    def users(self, name: str) -> set[str]:
        """The definitions that use a definition, through others too."""
        found = {name}
        while more := {
            user
            for user, item in self.definitions.items()
            if user not in found and not found.isdisjoint(item.uses.names)
        }:
            found |= more
        return found - {name}


def collect(cells: Sequence[syntax.Program], loader: Loader | None) -> Standing:
    """What stands after these cells, from the oldest to the newest."""
    collector = _Collector(loader)
    for number, program in enumerate(cells):
        collector.cell(program, number == len(cells) - 1)
    if cells:
        collector.standing.expressions = [
            (index, item)
            for index, item in enumerate(cells[-1].items)
            if isinstance(item, syntax.ExpressionItem)
        ]
    return collector.standing


class _Collector:
    def __init__(self, loader: Loader | None) -> None:
        self.loader = loader
        self.standing = Standing()
        self.imported: set[tuple[bool, str]] = set()

    def cell(self, program: syntax.Program, newest: bool) -> None:
        for item in program.items:
            if isinstance(item, syntax.ImportItem):
                self._import(item, newest)
        self._layer(program.items, newest)

    def _tell(self, newest: bool, diagnostic: Diagnostic) -> None:
        if newest:  # an older cell was told when it was run
            self.standing.diagnostics.append(diagnostic)

    def _import(self, item: syntax.ImportItem, newest: bool) -> None:
        key = (item.is_file, item.target)
        if key in self.imported:
            return
        self.imported.add(key)
        try:
            loaded = self.loader(item) if self.loader is not None else None
        except NnfpError as error:
            for diagnostic in error.diagnostics:
                self._tell(newest, diagnostic)
            return
        if loaded is not None:
            self.cell(loaded, newest)
            return
        self._tell(
            newest,
            plain(
                "import-not-found",
                f"there is no `{item.target}` to import",
                item.span,
                "not found",
                notes=[
                    "A file is looked up beside the notebook; `import std.…` names a module of "
                    "the library."
                ],
            ),
        )

    def _layer(self, items: Sequence[syntax.Item], newest: bool) -> None:
        signatures: dict[str, syntax.Signature] = {}
        definitions: dict[str, syntax.Definition] = {}
        declared: dict[str, Declaration] = {}
        layer = len(self.standing.layers)
        for item in items:
            match item:
                case syntax.Signature(name):
                    if self._once(signatures.get(name), item, name, "signature", newest):
                        signatures[name] = item
                case syntax.Definition(name):
                    if self._once(definitions.get(name), item, name, "definition", newest):
                        definitions[name] = item
                case syntax.SizeItem() | syntax.AliasItem() | syntax.RepItem() | syntax.DataItem():
                    name = item.name
                    if self._once(declared.get(name), item, name, "declaration", newest):
                        declared[name] = item
                        self.standing.declarations.pop(name, None)  # the newest comes last
                        self.standing.declarations[name] = StandingDeclaration(layer, newest, item)
                case _:
                    pass
        for name in definitions.keys() & declared.keys():  # a size is a value too
            both: list[syntax.Tree] = [definitions[name], declared[name]]
            first, second = sorted(both, key=lambda item: item.span.line)
            self._once(first, second, name, "definition", newest)
        for name, signature in signatures.items():
            if name not in definitions:
                self._tell(newest, _lonely_signature(signature, nearest(name, definitions)))
        self.standing.layers.append(definitions)
        for name, definition in definitions.items():
            self.standing.definitions[name] = StandingDefinition(
                layer, newest, definition, signatures.get(name), uses_of(definition)
            )

    def _once(
        self,
        first: syntax.Tree | None,
        second: syntax.Tree,
        name: str,
        what: str,
        newest: bool,
    ) -> bool:
        if first is None:
            return True
        self._tell(
            newest,
            plain(
                "duplicate-definition",
                f"`{name}` has two {what}s in one cell",
                second.span,
                "the second",
                secondary=[Label(first.span, "the first")],
                notes=["Keep one; in another cell a new one takes the old one's place."],
            ),
        )
        return False


def _lonely_signature(signature: syntax.Signature, near: str | None) -> Diagnostic:
    return plain(
        "signature-without-definition",
        f"`{signature.name}` has a signature and no definition in this cell",
        start_of(signature.span, signature.name),
        "nothing here defines it",
        notes=did_you_mean(near, ["A signature stands in the cell of its definition."]),
        better=(start_of(signature.span, signature.name), near) if near else None,
    )
