"""Reading declarations: sizes, aliases, representations, data. Their order is free.

What a newer cell declares takes the place of an older declaration of that name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from . import syntax, type_mistakes, typed
from .declarations import BUILT_IN, SCALARS, Declarations, Reader
from .diagnostics import Diagnostic, Label
from .sizes import Size, SizeVariable, as_size
from .solve import AlreadyTold, Mistake
from .source import Span
from .standing import StandingDeclaration
from .telling import did_you_mean, nearest, plain, start_of
from .types import (
    Array,
    Function,
    Linear,
    Named,
    Product,
    R,
    Type,
    TypeVariable,
    replace_type,
)

_RESERVED = (*SCALARS, *BUILT_IN, "Fin", "Weights", "Tangent")


@dataclass
class Declared:
    """The declarations of a session, the mistakes of the newest cell, and older
    declarations that no longer can be read."""

    declarations: Declarations
    diagnostics: list[Diagnostic] = field(default_factory=list)
    broken: dict[str, Diagnostic] = field(default_factory=dict)


def declare(
    standing: Mapping[str, StandingDeclaration],
    library: Declarations,
    identity: Callable[[], int],
) -> Declared:
    """Read all declarations that stand. `identity` numbers run-time lengths."""
    work = _Declaring(standing, library.copy(), identity)
    work.all()
    return work.declared


class _Declaring:
    def __init__(
        self,
        standing: Mapping[str, StandingDeclaration],
        declarations: Declarations,
        identity: Callable[[], int],
    ) -> None:
        self.standing = standing
        self.declarations = declarations
        self.identity = identity
        self.declared = Declared(declarations)

    def all(self) -> None:
        for name in self.standing:
            self._forget(name)
        self._sizes()
        for name, standing in self.standing.items():
            self._enter(name, standing)
        self._cycles(
            {
                n: {name for name, _ in _written_names(a.type)}
                for n, a in self.declarations.aliases.items()
            },
            "alias",
        )
        for name, standing in self.standing.items():
            try:
                self._read(name, standing.item)
            except AlreadyTold as mistake:
                self.declarations.wrong[name] = mistake.diagnostic
            except Mistake as mistake:
                self._blame(name, mistake.diagnostic)
        for name, standing in self.standing.items():
            if isinstance(standing.item, syntax.DataItem):
                self._derive(name)
        self._cycles(
            {n: set(named_types(r.carrier)) for n, r in self.declarations.reps.items()},
            "representation",
        )

    def _blame(self, name: str, diagnostic: Diagnostic) -> None:
        self.declarations.wrong.setdefault(name, diagnostic)
        if self.standing[name].newest:
            self.declared.diagnostics.append(diagnostic)
        else:
            self.declared.broken[name] = diagnostic

    def _forget(self, name: str) -> None:
        """What had this name before is gone, with its constructors."""
        declarations = self.declarations
        declarations.wrong.pop(name, None)
        declarations.aliases.pop(name, None)
        declarations.reps.pop(name, None)
        declarations.sizes.pop(name, None)
        old = declarations.data.pop(name, None)
        for constructor, _ in old.constructors if old is not None else ():
            declarations.constructors.pop(constructor, None)

    # --- sizes -----------------------------------------------------------------------------

    def _sizes(self) -> None:
        trees = {
            name: standing.item
            for name, standing in self.standing.items()
            if isinstance(standing.item, syntax.SizeItem)
        }
        visiting: dict[str, Span] = {}  # with the use that led there

        def value(tree: syntax.SizeTree) -> int:
            match tree:
                case syntax.SizeNumber(number):
                    return number
                case syntax.SizeName(name):
                    if name in trees:
                        visit(name, tree.span)
                    if name in self.declarations.sizes:
                        return self.declarations.sizes[name]
                    near = nearest(name, [*trees, *self.declarations.sizes])
                    raise Mistake(
                        plain(
                            "unknown-size", f"there is no size `{name}`", tree.span,
                            "not declared", notes=did_you_mean(near),
                            better=(tree.span, near) if near else None,
                        )
                    )  # fmt: skip
                case syntax.SizeBinary(operator, left, right):
                    a, b = value(left), value(right)
                    if operator == "/":
                        if b == 0:
                            raise Mistake(
                                plain(
                                    "size-division",
                                    "a size is divided by 0",
                                    tree.span,
                                    "the divisor is 0",
                                )
                            )
                        return a // b
                    return {"+": a + b, "-": a - b, "*": a * b}[operator]
                case syntax.SizeWildcard():
                    raise Mistake(
                        plain(
                            "bad-size-argument",
                            "a `size` item needs a number",
                            tree.span,
                            "nothing is known of this",
                        )
                    )

        def visit(name: str, use: Span) -> None:
            if name in self.declarations.sizes:
                return
            item = trees[name]
            if name in visiting:
                circle = list(visiting)[list(visiting).index(name) + 1 :]
                raise Mistake(
                    plain(
                        "recursion",
                        f"the size `{name}` is defined by way of itself",
                        use,
                        "used for its own value",
                        secondary=[Label(visiting[other], "by way of this") for other in circle],
                    )
                )
            visiting[name] = use
            found = value(item.value)
            if found < 0:
                raise Mistake(
                    plain(
                        "negative-size", "a size cannot be negative", item.value.span,
                        f"this is {found}",
                    )
                )  # fmt: skip
            self.declarations.sizes[name] = found

        for name in trees:
            try:
                visit(name, trees[name].span)
            except Mistake as mistake:
                self._blame(name, mistake.diagnostic)
                del self.declarations.wrong[name]
                for one in (name, *visiting):  # so that it is told once
                    self.declarations.sizes.setdefault(one, 1)

    # --- types -----------------------------------------------------------------------------

    def _enter(self, name: str, standing: StandingDeclaration) -> None:
        """Make the name known, so that declarations may stand in any order."""
        item, declarations = standing.item, self.declarations
        if name in _RESERVED:
            self._blame(
                name,
                plain(
                    "built-in-type", f"`{name}` is built in", _name_of(item), "take another name"
                ),
            )
            return
        match item:
            case syntax.AliasItem():
                declarations.aliases[name] = item
            case syntax.RepItem():
                declarations.reps[name] = typed.RepDeclaration(name, R, span=item.span)
            case syntax.DataItem():
                parameters = tuple(
                    TypeVariable(parameter, -1 - place)
                    for place, parameter in enumerate(item.parameters)
                )
                declarations.data[name] = typed.DataDeclaration(
                    name, parameters, (), False, span=item.span
                )
                for place, constructor in enumerate(item.constructors):
                    self._enter_constructor(name, place, constructor)
            case syntax.SizeItem():
                pass

    def _enter_constructor(self, name: str, place: int, constructor: syntax.Constructor) -> None:
        taken = self.declarations.constructors.get(constructor.name)
        if taken is not None and taken[0] in self.standing:
            other = self.standing[taken[0]]
            if other.layer == self.standing[name].layer:  # else the newer one has it
                self._blame(
                    name,
                    plain(
                        "duplicate-definition",
                        f"`{constructor.name}` is a constructor of {taken[0]} too",
                        constructor.span,
                        "the second time",
                        secondary=[Label(other.item.span, "the first")],
                        notes=["A constructor belongs to one type: give one another name."],
                    ),
                )
        self.declarations.constructors[constructor.name] = (name, place)

    def _read(self, name: str, item: syntax.Tree) -> None:
        match item:
            case syntax.RepItem() if name in self.declarations.reps:
                carrier = self._reader({}, f"the declaration of `{name}`").read(item.carrier)
                if mentions_function(carrier):
                    raise Mistake(
                        plain(
                            "function-in-representation",
                            "a representation is carried by values, not by functions",
                            item.carrier.span,
                            "a function",
                        )
                    )
                self.declarations.reps[name] = typed.RepDeclaration(name, carrier, span=item.span)
            case syntax.DataItem() if name in self.declarations.data:
                self._read_data(name, item)
            case syntax.AliasItem():
                types: dict[str, Type] = {
                    parameter: TypeVariable(parameter, -1 - place)
                    for place, parameter in enumerate(item.parameters)
                }
                self._reader(types).read(item.type)
            case _:
                pass

    def _read_data(self, name: str, item: syntax.DataItem) -> None:
        declaration = self.declarations.data[name]
        reader = self._reader(
            {v.name: v for v in declaration.parameters}, f"the declaration of `{name}`"
        )
        constructors: list[tuple[str, tuple[Type, ...]]] = []
        for constructor in item.constructors:
            fields: list[Type] = []
            for tree in constructor.fields:
                found = reader.read(tree)
                if mentions_function(found):
                    raise Mistake(
                        type_mistakes.in_data(tree.span, f"a field of `{constructor.name}`")
                    )
                fields.append(found)
            constructors.append((constructor.name, tuple(fields)))
        self.declarations.data[name] = replace(
            declaration,
            constructors=tuple(constructors),
            recursive=any(
                name in named_types(part) for _, fields in constructors for part in fields
            ),
        )

    def _derive(self, name: str) -> None:
        """The base functor of a recursive type: `TreeF a r`, with constructors `LeafF` and
        `NodeF`, where `Tree a` would be stands `r`. A name that is taken stays what it is."""
        declarations = self.declarations
        data = declarations.data.get(name)
        base = f"{name}F"
        if data is None or not data.recursive or name in declarations.wrong:
            return
        taken = [*declarations.type_names(), *_RESERVED]
        constructors = [f"{constructor}F" for constructor, _ in data.constructors]
        if base in taken or any(one in declarations.constructors for one in constructors):
            return
        whole = Named(name, data.parameters)
        result = TypeVariable("r", -1 - len(data.parameters))
        fields = [
            tuple(replace_type(item, whole, result) for item in items)
            for _, items in data.constructors
        ]
        if any(name in named_types(item) for items in fields for item in items):
            return  # a nested type: its children are of other types
        declarations.data[base] = replace(
            data,
            name=base,
            parameters=(*data.parameters, result),
            constructors=tuple(zip(constructors, fields, strict=True)),
            recursive=False,
            base_of=name,
        )
        for place, constructor in enumerate(constructors):
            declarations.constructors[constructor] = (base, place)

    def _reader(self, types: Mapping[str, Type], role: str = "") -> Reader:
        def new_type(name: str, span: Span) -> Type:
            raise Mistake(
                plain(
                    "unknown-type",
                    f"there is no type variable `{name}` here",
                    span,
                    "not a parameter of this declaration",
                    notes=[
                        "A representation has one type of numbers, `R` or `C`; a `data` type "
                        "names its parameters: `data Tree a = …`."
                    ],
                )
            )

        def new_size(name: str, span: Span, runtime: bool) -> Size:
            if runtime:
                return as_size(SizeVariable(name, self.identity(), False, True))
            raise Mistake(
                plain(
                    "unknown-size",
                    f"there is no size `{name}`",
                    span,
                    "a declaration needs known sizes",
                    notes=["Declare it, or write a number:"],
                    suggestion=f"size {name} = 4",
                )
            )

        return Reader(self.declarations, new_type, new_size, role, dict(types))

    def _cycles(self, uses: Mapping[str, set[str]], what: str) -> None:
        """No alias and no representation may contain itself."""
        for name, standing in self.standing.items():
            if name not in uses or name not in _reached(uses, name):
                continue
            verb = "be defined by way of" if what == "alias" else "carry"
            self._blame(
                name,
                plain(
                    "recursion",
                    f"the {what} `{name}` would {verb} itself",
                    _leading_back(standing.item, name, uses),
                    "used here again" if name in uses[name] else f"leads back to `{name}`",
                    notes=["A type that contains itself is declared with `data`."],
                ),
            )
            if what == "alias":  # reading it would not end
                del self.declarations.aliases[name]
            uses = {**uses, name: set()}


def _reached(uses: Mapping[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    todo = list(uses[start])
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo.extend(uses.get(name, ()))
    return found


def _name_of(item: syntax.Tree) -> Span:
    """Where the name of a declaration stands, after its first word."""
    word, name = item.span.text.split(maxsplit=2)[:2]
    name = re.split(r"[^\w]", name)[0]
    start = item.span.column + item.span.text.index(name, len(word))
    return replace(start_of(item.span, name), column=start, end_column=start + len(name))


def _leading_back(item: syntax.Tree, name: str, uses: Mapping[str, set[str]]) -> Span:
    """Where a declaration names what it may not contain."""
    assert isinstance(item, syntax.AliasItem | syntax.RepItem)
    tree = item.type if isinstance(item, syntax.AliasItem) else item.carrier
    return next(
        (
            span
            for other, span in _written_names(tree)
            if other == name or (other in uses and name in _reached(uses, other))
        ),
        item.span,
    )


def _written_names(tree: syntax.TypeTree) -> Iterator[tuple[str, Span]]:
    """The names in the syntax of a type, and where they stand."""
    match tree:
        case syntax.TypeName(name):
            yield name, tree.span
        case syntax.TypeArray(element) | syntax.TypeSequence(element):
            yield from _written_names(element)
        case syntax.TypeProduct(items):
            for item in items:
                yield from _written_names(item)
        case syntax.TypeApply(name, arguments):
            yield name, start_of(tree.span, name)
            for item in arguments:
                yield from _written_names(item)
        case syntax.TypeArrow(_, domain, codomain):
            yield from _written_names(domain)
            yield from _written_names(codomain)


def named_types(type_: Type) -> Iterator[str]:
    """The declared types in a type."""
    match type_:
        case Named(name, arguments):
            yield name
            for item in arguments:
                yield from named_types(item)
        case Array(element):
            yield from named_types(element)
        case Product(items):
            for item in items:
                yield from named_types(item)
        case Function(domain, codomain) | Linear(domain, codomain):
            yield from named_types(domain)
            yield from named_types(codomain)
        case _:
            return


def mentions_function(type_: Type) -> bool:
    """Whether a value of this type would hold a function."""
    match type_:
        case Function():
            return True
        case Array(element):
            return mentions_function(element)
        case Product(items):
            return any(map(mentions_function, items))
        case _:
            return False
