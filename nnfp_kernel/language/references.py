"""Names, brackets, literals, holes and application.

What a name is: a local, a size, a constructor, a definition or an occurrence of a family,
an external, a built-in name; in this order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import replace
from typing import TypeVar

from . import name_mistakes as names
from . import syntax, typed, weight_mistakes
from .constraints import Class, Learned
from .counting import LiteralIs, SizeIs
from .diagnostics import Diagnostic
from .elaboration import Elaboration, Entry, HoleUse, Reason, Scope
from .imported import ImageOf
from .signatures import read_signature
from .sizes import Size, SizeVariable, constant
from .solve import Mistake, OpenArrow, Weighted, escape
from .source import Span
from .telling import did_you_mean, nearest
from .types import (
    UNIT,
    C,
    Function,
    Linear,
    Named,
    Origin,
    Product,
    Type,
    TypeVariable,
    Weights,
    substitute,
    with_origin,
)

LINEAR = frozenset(
    (
        *("id", "fst", "snd", "swap", "sum", "mean", "reverse", "transpose", "flatten", "concat"),
        *("zip", "unzip", "take", "drop", "replicate", "reshape", "split", "shift", "head", "last"),
    )
)
"""Functions of one argument that are linear: each stands for its linear map, too."""


Made = TypeVar("Made")


class References(Elaboration):
    """The forms that say what is used, and that apply it."""

    def _name(self, tree: syntax.Name, wanted: Type, scope: Scope, role: str) -> typed.Expression:
        node, found = self.reference(tree, scope)
        if isinstance(node, typed.Global) and isinstance(self.solver.resolve(found), Linear):
            entry = self.world.entry(node.name, tree.span)
            if entry is not None and entry.linear:
                self.fit(found, wanted, tree.span, role)
                return typed.AsLinear(node, found, span=tree.span)
        if isinstance(node, typed.Literal):
            return self._literal_fits(node, wanted, tree.span, role)
        if self._known_linear(node, found, wanted):
            return self._as_map(node, found, wanted, tree.span, role)
        try:
            return self.coerce(node, found, wanted, tree.span, role)
        except Mistake as mistake:
            if isinstance(node, typed.Global):
                entry = self.world.entry(node.name, tree.span)
                if entry is not None and entry.learns and entry.brackets is None:
                    told = weight_mistakes.one_set_of_weights(mistake.diagnostic, node.name)
                    raise Mistake(told) from None
            raise

    def _known_linear(self, node: typed.Expression, found: Type, wanted: Type) -> bool:
        """Whether a function of the language that is linear stands for its linear map."""
        solver = self.solver
        if not isinstance(node, typed.Builtin | typed.Global) or node.name not in LINEAR:
            return False
        if isinstance(node, typed.Global):
            entry = self.world.entry(node.name, node.span)
            if entry is None or not entry.from_library:
                return False
        ends = solver.resolve(wanted), solver.resolve(found)
        return isinstance(ends[0], Linear) and isinstance(ends[1], Function)

    def _as_map(
        self, node: typed.Expression, found: Type, wanted: Type, span: Span, role: str
    ) -> typed.Expression:
        function, linear = self.solver.resolve(found), self.solver.resolve(wanted)
        assert isinstance(function, Function)
        assert isinstance(linear, Linear)
        same = Function(linear.domain, linear.codomain, origin=linear.origin)
        self.fit(function, same, span, role)
        return typed.AsLinear(node, linear, span=span)

    def reference(
        self, tree: syntax.Expression, scope: Scope, applied: bool = False
    ) -> tuple[typed.Expression, Type]:
        """What stands at the head of an application, and its type."""
        if isinstance(tree, syntax.Bracket):
            return self._bracketed(tree, scope)
        found: Type
        if not isinstance(tree, syntax.Name):
            found = self.solver.fresh("f", self.place(tree.span))
            return self.expression(tree, found, scope), found
        name, span = tree.name, tree.span
        if name in scope:
            return typed.Local(name, scope[name], span=span), scope[name]
        if name in self.reader.sizes and name not in self.reader.types:
            return self._size_value(self.reader.sizes[name], span)
        if name[:1].isupper():
            return self._constructor(name, span)
        brought = name in self.world.builtins and self.world.builtins[name].image is not None
        entry = None if brought or name in self.world.externals else self.world.entry(name, span)
        if entry is not None:
            return self._global(entry, tree, (), span)
        if name in self.world.externals:
            found = self.world.externals[name]
            return typed.External(name, found, span=span), found
        if name in self.world.builtins:
            return self._builtin(name, (), (), span, given=False)
        if name in self.world.declarations.sizes:
            return self._size_value(constant(self.world.declarations.sizes[name]), span)
        raise Mistake(self.unknown_name(name, span, scope, applied))

    def unknown_name(
        self, name: str, span: Span, scope: Scope, applied: bool = False
    ) -> Diagnostic:
        known = [*scope, *self.reader.sizes, *self.world.names()]
        may_be_hole = not applied and not self.is_expression and span != self.whole
        return names.unknown_name(name, span, known, may_be_hole=may_be_hole)

    def _size_value(self, size: Size, span: Span) -> tuple[typed.Expression, Type]:
        type_ = self.solver.fresh_scalar("s", self.place(span, "a size as a number"))
        self.solver.literals[type_.identity] = (self.place(span), 0)
        self.add(SizeIs(size=size, written=span, type=type_), span)
        return typed.SizeValue(size, type_, span=span), type_

    def _global(
        self,
        entry: Entry,
        tree: syntax.Expression,
        sizes: Sequence[Size | None],
        span: Span,
    ) -> tuple[typed.Expression, Type]:
        solver = self.solver
        given: dict[SizeVariable, Size] = {}
        for variable, size in zip(entry.brackets or (), sizes, strict=False):
            if size is not None:
                given[variable] = size
        solver.place = self.place(span, f"`{entry.name}`")
        found, instance = entry.polytype.instantiate(solver, solver.place, given)
        for type_variable in entry.polytype.types:
            if type_variable.identity in entry.polytype.weights:
                self._weight_type(instance.types[type_variable], span, f"`{entry.name}`")
        for size_variable in entry.polytype.sizes:
            if size_variable.identity in entry.polytype.weights:
                self._weight_size(instance.sizes[size_variable], span, f"`{entry.name}`")
        if entry.from_library:
            found = with_origin(found, solver.place)
        if entry.learns:
            self.learns.append(Reason(span, f"`{entry.name}` learns"))
            if self.is_expression and entry.brackets is not None:
                said = f"`{entry.name}` is a family with holes"
                raise Mistake(names.expression_owns_weights(span, said, self.whole))
        if entry.draws:
            self.draws.append(Reason(span, f"`{entry.name}` draws"))
        solver.drain()
        label = None if entry.brackets is None else self.labels.get(id(tree))
        return typed.Global(entry.name, found, instance, label, span=span), found

    def _weight_type(self, type_: Type, span: Span, what: str) -> None:
        self.weight_types.append(type_)
        if not self.family:
            self.no_rigid(self.solver.variables(type_), span, what)
            self.solver.anchor(type_, Weighted(self.name, what))

    def _weight_size(self, size: Size, span: Span, what: str) -> None:
        self.weight_sizes.append(size)
        if not self.family:
            self.no_rigid(self.solver.size(size).variables(), span, what)
            self.solver.anchor_size(size, Weighted(self.name, what))

    def no_rigid(
        self,
        variables: Iterable[TypeVariable | SizeVariable | OpenArrow],
        span: Span,
        what: str,
    ) -> None:
        """Weights have one shape: no variable of the signature may be in it."""
        for variable in variables:
            if not isinstance(variable, OpenArrow) and not variable.open:
                clash = escape(variable, Weighted(self.name, what))
                raise Mistake(weight_mistakes.escapes(self.solver, clash, self.place(span)))

    def _constructor(self, name: str, span: Span) -> tuple[typed.Expression, Type]:
        declarations = self.world.declarations
        declarations.require(name)
        place = self.place(span, f"`{name}`")
        if name in declarations.reps:
            made: Type = Function(
                declarations.reps[name].carrier, Named(name, origin=place), origin=place
            )
            return typed.Construct(name, made, span=span), made
        if name not in declarations.constructors and name in self.world.builtins:
            return self._builtin(name, (), (), span, given=False)  # True, False
        if name not in declarations.constructors:
            known = [*declarations.constructors, *declarations.reps]
            known += [each for each in self.world.names() if each.lower() == name.lower()]
            hole = not self.is_expression and len(name) < 3  # as weights are called, W and Wh
            raise Mistake(names.unknown_constructor(name, span, known, may_be_hole=hole))
        fields, whole = self.constructor_type(name, place)
        made = whole
        for item in reversed(fields):
            made = Function(item, made, origin=place)
        return typed.Construct(name, made, span=span), made

    def constructor_type(self, name: str, place: Origin) -> tuple[list[Type], Named]:
        """The fields of a constructor and the type it makes, with new unknowns."""
        declarations = self.world.declarations
        type_name, index = declarations.constructors[name]
        declaration = declarations.data[type_name]
        types: dict[TypeVariable, Type] = {
            variable: self.solver.fresh(variable.name, place) for variable in declaration.parameters
        }
        whole = Named(type_name, tuple(types[v] for v in declaration.parameters), origin=place)
        fields = [
            self._fresh_lengths(substitute(item, types, {}))
            for item in declaration.constructors[index][1]
        ]
        return fields, whole

    def _fresh_lengths(self, type_: Type, settled: bool = False) -> Type:
        """A field `[t]` has a length of its own every time: where it is made, what is put there
        settles it; where it is `settled`, it is some length, of which only running tells."""
        make = self.solver.inside_size if settled else self.solver.fresh_size
        lengths = {
            variable: make(variable.name, runtime=True)
            for variable in self.solver.variables(type_)
            if isinstance(variable, SizeVariable) and variable.runtime and not variable.open
        }
        return substitute(type_, {}, lengths) if lengths else type_

    # --- brackets -----------------------------------------------

    def _bracket(
        self, tree: syntax.Bracket, wanted: Type, scope: Scope, role: str
    ) -> typed.Expression:
        node, found = self._bracketed(tree, scope)
        if self._known_linear(node, found, wanted):
            return self._as_map(node, found, wanted, tree.span, role)
        return self.coerce(node, found, wanted, tree.span, role)

    def sizes_of(self, trees: Sequence[syntax.SizeTree]) -> list[Size | None]:
        """Size arguments as sizes; None for `_`."""
        sizes: list[Size | None] = []
        for tree in trees:
            if isinstance(tree, syntax.SizeWildcard):
                sizes.append(None)
                continue
            self._known_sizes(tree)
            sizes.append(self.reader.size(tree))
        return sizes

    def _known_sizes(self, tree: syntax.SizeTree) -> None:
        if isinstance(tree, syntax.SizeName):
            known = [*self.reader.sizes, *self.world.declarations.sizes]
            if tree.name not in known:
                raise Mistake(names.unknown_size(tree.name, tree.span, known))
        elif isinstance(tree, syntax.SizeBinary):
            self._known_sizes(tree.left)
            self._known_sizes(tree.right)

    def _bracketed(self, tree: syntax.Bracket, scope: Scope) -> tuple[typed.Expression, Type]:
        name, span = tree.name, tree.span
        if name in scope:
            raise Mistake(
                names.brackets_on_a_value(self.solver, tree, scope[name], "is a local value")
            )
        entry = self.world.entry(name, span)
        if entry is not None:
            if entry.failed:
                return self._global(entry, tree, (), span)
            if entry.brackets is None:
                why = "has no brackets in its definition"
                raise Mistake(
                    names.brackets_on_a_value(self.solver, tree, entry.polytype.type, why)
                )
            if tree.options:
                raise self.fail(
                    "unknown-option",
                    f"`{name}` has no options",
                    tree.options[0].span,
                    "not known here",
                )
            if len(tree.sizes) != len(entry.brackets):
                form = [variable.name for variable in entry.brackets]
                raise Mistake(names.bracket_count(tree, form))
            return self._global(entry, tree, self.sizes_of(tree.sizes), span)
        if name in self.world.externals:
            found, why = self.world.externals[name], "comes from Python"
            raise Mistake(names.brackets_on_a_value(self.solver, tree, found, why))
        if name in self.world.builtins or name in self.rules():
            return self._builtin(name, tree.sizes, tree.options, span, given=True)
        raise Mistake(self.unknown_name(name, span, scope))

    def _builtin(
        self,
        name: str,
        sizes: Sequence[syntax.SizeTree],
        options: Sequence[syntax.BracketOption],
        span: Span,
        *,
        given: bool,
    ) -> tuple[typed.Expression, Type]:
        if name in self.rules():
            return self.rules()[name](self, name, sizes, options, span)
        record = self.world.builtins[name]
        if options:
            raise self.fail(
                "unknown-option", f"`{name}` has no options", options[0].span, "not known here"
            )
        named = () if record.bare and not given else record.brackets
        polytype, variables = read_signature(record.type, named)
        if given and len(sizes) != len(variables):
            tree = syntax.Bracket(name, tuple(sizes), span=span)
            if not variables:
                raise Mistake(names.brackets_on_a_value(self.solver, tree, None, "takes none"))
            raise Mistake(names.bracket_count(tree, [variable.name for variable in variables]))
        chosen = self.sizes_of(sizes)
        solver = self.solver
        solver.place = self.place(span, f"`{name}`")
        mapping = {
            variable: size
            for variable, size in zip(variables, chosen, strict=False)
            if size is not None
        }
        found, instance = polytype.instantiate(solver, solver.place, mapping)
        found = with_origin(found, solver.place)
        solver.drain()
        if record.image is not None:
            *domains, result = _curried(found)
            image = ImageOf(
                name=name, image=record.image, arguments=Product(tuple(domains)), result=result
            )
            self.add(image, span, f"`{name}`")
        if name == "draw":
            self.draws.append(Reason(span, "`draw`"))
        brackets = tuple(instance.sizes[variable] for variable in variables)
        return typed.Builtin(name, found, brackets, span=span), found

    # --- literals, holes -----------------------------------------------

    def _number(
        self, tree: syntax.Number, wanted: Type, scope: Scope, role: str
    ) -> typed.Expression:
        return self._literal(tree.value, wanted, tree.span, role)

    def _literal(
        self, value: float | complex, wanted: Type, span: Span, role: str
    ) -> typed.Expression:
        if isinstance(value, complex):
            number = replace(C, origin=self.place(span, "an imaginary number"))
            return self._literal_fits(typed.Literal(value, number, span=span), wanted, span, role)
        type_ = self.solver.fresh_scalar("s", self.place(span, "a number"))
        self.solver.literals[type_.identity] = (self.place(span), value)
        self.add(LiteralIs(value=value, type=type_), span, role)
        return self._literal_fits(typed.Literal(value, type_, span=span), wanted, span, role)

    def _literal_fits(
        self, node: typed.Literal, wanted: Type, span: Span, role: str
    ) -> typed.Expression:
        self.fit(node.type, wanted, span, role)
        return node

    def _negate(
        self, tree: syntax.Negate, wanted: Type, scope: Scope, role: str
    ) -> typed.Expression:
        if isinstance(tree.operand, syntax.Number):
            value = tree.operand.value
            value = complex(0, -value.imag) if isinstance(value, complex) else -value
            return self._literal(value, wanted, tree.span, role)
        operand = self.expression(tree.operand, wanted, scope, role)
        self.add(Class(name="scaling", type=wanted), tree.span, "negation")
        function = typed.Builtin("negate", Function(wanted, wanted), span=tree.span)
        return typed.Apply(function, operand, wanted, span=tree.span)

    def hole(self, name: str, span: Span, initialiser: tuple[str, Span] | None = None) -> HoleUse:
        """The hole of this name, where it was first met; `initialiser` is the declared one."""
        if name not in self.holes:
            what = f"the hole `?{name}`"
            type_ = self.solver.fresh(name, self.place(span, what))
            if not self.family:
                self.solver.anchored[type_.identity] = Weighted(self.name, what, span)
            self.holes[name] = HoleUse(type_, span)
            self.weight_types.append(type_)
            fills = (
                initialiser
                if initialiser and initialiser[0] in weight_mistakes.FILLS_MATRICES
                else None
            )
            self.add(Learned(hole=name, type=type_, span=span, matrix=fills), span)
        return self.holes[name]

    def _hole(self, tree: syntax.Hole, wanted: Type, scope: Scope, role: str) -> typed.Expression:
        if self.is_expression:
            said = f"`?{tree.name}` is a hole"
            raise Mistake(names.expression_owns_weights(tree.span, said, self.whole))
        use = self.hole(tree.name, tree.span)
        self.learns.append(Reason(tree.span, f"the hole `?{tree.name}`"))
        node = typed.Hole(tree.name, use.type, span=tree.span)
        try:
            return self.coerce(node, use.type, wanted, tree.span, role)
        except Mistake as mistake:
            raise Mistake(
                weight_mistakes.hole_at_two_shapes(mistake.diagnostic, tree.name, use.span)
            ) from None

    def _blank(self, tree: syntax.Blank, wanted: Type, scope: Scope, role: str) -> typed.Expression:
        self.blanks.append((tree.span, wanted, scope))
        return typed.Literal(0, wanted, span=tree.span)

    def _path(self, tree: syntax.Path, wanted: Type, scope: Scope, role: str) -> typed.Expression:
        found = self.world.weight(tree.parts, tree.span)
        node = typed.WeightValue(tree.parts, found, span=tree.span)
        return self.coerce(node, found, wanted, tree.span, role)

    # --- application -----------------------------------------------

    def _apply(self, tree: syntax.Apply, wanted: Type, scope: Scope, role: str) -> typed.Expression:
        solver = self.solver
        found: Type
        arguments: list[syntax.Expression] = []
        head: syntax.Expression = tree
        while isinstance(head, syntax.Apply):
            arguments.append(head.argument)
            head = head.function
        arguments.reverse()
        if isinstance(head, syntax.Name) and head.name == "weights" and "weights" not in scope:
            return self._weights_of(tree, wanted, role)
        if isinstance(head, syntax.Bracket) and head.name == "stack":
            node, found = self._stack(head, arguments[0], scope)
            [head.span.to(arguments[0].span)]
            arguments = arguments[1:]
        elif isinstance(head, syntax.Cata) and len(arguments) == 1 and self._any_length(wanted):
            # What is said of the result is said of the algebra: at each node another length.
            found = Function(solver.fresh("a", self.place(head.span)), wanted)
            node = self.expression(head, found, scope)
        else:
            node, found = self.reference(head, scope, applied=True)
        return self._applied(node, found, head, arguments, tree, wanted, scope, role)

    def in_turn(
        self,
        trees: Sequence[syntax.Expression],
        wanted: Type,
        scope: Scope,
        elaborate: Callable[[int], Made],
    ) -> list[Made]:
        """What `elaborate` makes of each of some expressions of one type. Where nothing is known
        of it, those come first that are `[t]`: then it is `[t]`, in whatever order they stand."""
        order = list(range(len(trees)))
        if len(trees) > 1 and self.solver.is_open(wanted):
            order.sort(key=lambda k: not self._says_any_length(trees[k], scope))
        made = {k: elaborate(k) for k in order}
        return [made[k] for k in range(len(trees))]

    def _says_any_length(self, tree: syntax.Expression, scope: Scope) -> bool:
        match tree:
            case syntax.Ascription(type=said):
                return any(isinstance(part, syntax.TypeSequence) for part in _parts(said))
            case syntax.Let(body=body):
                return self._says_any_length(body, scope)
            case syntax.If(then=one, otherwise=other):
                return any(self._says_any_length(each, scope) for each in (one, other))
            case syntax.Case(alternatives=alternatives):
                return any(self._says_any_length(each.body, scope) for each in alternatives)
            case syntax.Binary(operator, left, right) if operator in "++-*/":
                return any(self._says_any_length(each, scope) for each in (left, right))
            case syntax.Name() | syntax.Apply():
                return self._gives_any_length(tree, scope)
            case _:
                return False

    def _gives_any_length(self, tree: syntax.Expression, scope: Scope) -> bool:
        count = 0
        while isinstance(tree, syntax.Apply):
            tree, count = tree.function, count + 1
        if not isinstance(tree, syntax.Name):
            return False
        taken: Set[SizeVariable] = frozenset()
        if tree.name in scope:
            type_ = scope[tree.name]
        else:
            try:
                entry = self.world.entry(tree.name, tree.span)
            except Mistake:  # it does not check, and that is told in its place
                return False
            if entry is None or entry.failed:
                return False
            type_, taken = entry.polytype.type, entry.polytype.taken
        for _ in range(count):
            type_ = self.solver.resolve(type_)
            if not isinstance(type_, Function | Linear | OpenArrow):
                return False
            type_ = type_.codomain
        return any(
            isinstance(variable, SizeVariable) and variable.runtime and variable not in taken
            for variable in self.solver.variables(type_)
        )

    def _any_length(self, type_: Type) -> bool:
        """Whether a type has a length that is known only at run time."""
        return any(
            isinstance(variable, SizeVariable) and variable.runtime
            for variable in self.solver.variables(type_)
        )

    def _applied(
        self,
        node: typed.Expression,
        found: Type,
        head: syntax.Expression,
        arguments: Sequence[syntax.Expression],
        tree: syntax.Expression,
        wanted: Type,
        scope: Scope,
        role: str,
    ) -> typed.Expression:
        solver = self.solver
        said_of = called(head)
        if arguments and isinstance(arguments[0], syntax.Number):
            inside = names.size_for_argument(
                solver, said_of, head, found, arguments, self._brackets(head, scope)
            )
            if inside is not None:
                raise Mistake(inside)
        domains: list[Type] = []
        results: list[Type] = []
        type_ = found
        for number, argument in enumerate(arguments):
            type_ = solver.resolve(type_)
            if isinstance(type_, TypeVariable) and type_.open:
                arrow = solver.open_arrow(
                    solver.fresh("a", self.place(argument.span)),
                    solver.fresh("b", self.place(tree.span)),
                    self.place(head.span, said_of),
                )
                self.fit(type_, arrow, head.span)
                type_ = arrow
            if not isinstance(type_, Function | Linear | OpenArrow):
                if number == 0:
                    told = names.not_a_function(solver, said_of, head.span, type_, argument)
                else:
                    told = names.too_many_arguments(
                        solver, said_of, head.span, found, arguments, number
                    )
                raise Mistake(told)
            domains.append(type_.domain)
            results.append(type_.codomain)
            type_ = type_.codomain
        if len(arguments) == 1 and isinstance(arguments[0], syntax.Tuple):
            apart = names.tuple_for_arguments(solver, said_of, found, arguments[0])
            if apart is not None:
                raise Mistake(apart)
        target = solver.resolve(wanted)
        late = isinstance(target, Linear) or id(wanted) in self._stages
        if not late:
            self.fit(type_, wanted, tree.span, role)
        for number, (argument, domain, result) in enumerate(
            zip(arguments, domains, results, strict=True)
        ):
            said = f"the argument of {said_of}"
            if len(arguments) > 1:
                said = f"the {_ordinal(number)} argument of {said_of}"
            inner = self.expression(argument, domain, scope, said)
            node = typed.Apply(node, inner, result, span=head.span.to(argument.span))
        if late:
            return self.coerce(node, type_, wanted, tree.span, role)
        return node

    def _brackets(self, head: syntax.Expression, scope: Scope) -> Sequence[str]:
        """The sizes that a name would take in brackets, where it has none."""
        if not isinstance(head, syntax.Name) or head.name in scope:
            return ()
        entry = self.world.entry(head.name, head.span)
        if entry is not None:
            return [variable.name for variable in entry.brackets or ()]
        record = self.world.builtins.get(head.name)
        return record.brackets if record else ()

    def _weights_of(self, tree: syntax.Apply, wanted: Type, role: str) -> typed.Expression:
        argument = tree.argument
        if not isinstance(argument, syntax.Name) or isinstance(tree.function, syntax.Apply):
            raise self.fail(
                "weights-of-what",
                "`weights` takes the name of a definition",
                argument.span,
                "not a name",
                notes=["Weights belong to a name. Give it one first:"],
                suggestion=f"named = {argument.span.text}",
            )
        self._definition_named(argument.name, argument.span, "weights")
        found = Weights(argument.name, origin=self.place(tree.span))
        self.fit(found, wanted, tree.span, role)
        return typed.WeightsOf(argument.name, found, span=tree.span)

    def _definition_named(self, name: str, span: Span, word: str) -> Entry:
        entry = self.world.entry(name, span)
        if entry is None:
            near = nearest(name, (n for n in self.world.names() if n not in self.world.builtins))
            raise self.fail(
                "weights-of-what",
                f"`{word}` takes the name of a definition",
                span,
                f"`{name}` is not a definition",
                notes=did_you_mean(near),
                better=(span, near) if near else None,
            )
        if entry.brackets is not None:
            raise self.fail(
                "weights-of-family",
                f"`{name}` is a family: it has no weights of its own",
                span,
                "each occurrence of it has",
                notes=["Name one occurrence first:"],
                suggestion=f"layer = {name}",
            )
        return entry

    def _open(self, tree: syntax.Open, wanted: Type, scope: Scope, role: str) -> typed.Expression:
        target = tree.expression
        if not isinstance(target, syntax.Name):
            raise self.fail(
                "weights-of-what",
                "`open` takes the name of a definition",
                target.span,
                "not a name",
                notes=["Weights belong to a name. Give it one first:"],
                suggestion=f"named = {target.span.text}",
            )
        entry = self._definition_named(target.name, target.span, "open")
        count = len(self.learns)
        node, found = self._global(entry, target, (), target.span)
        del self.learns[count:]
        assert isinstance(node, typed.Global)
        arrow = self.solver.resolve(found)
        weights = Weights(target.name, origin=self.place(tree.span))
        made: Type
        if isinstance(arrow, Function | Linear | OpenArrow):
            made = Function(Product((weights, arrow.domain)), arrow.codomain)
        else:
            made = Function(Product((weights, UNIT)), found)
        self.fit(made, wanted, tree.span, role)
        return typed.Open(node, made, span=tree.span)

    def _fresh(self, tree: syntax.Fresh, wanted: Type, scope: Scope, role: str) -> typed.Expression:
        if self.is_expression:
            said = "`fresh` makes weights"
            raise Mistake(names.expression_owns_weights(tree.span, said, self.whole))
        self._no_local_copy("fresh", tree.expression, scope)
        inner = self.expression(tree.expression, wanted, scope, role)
        return typed.Fresh(inner, self.labels.get(id(tree)), wanted, span=tree.span)

    def _stack(
        self, head: syntax.Bracket, argument: syntax.Expression, scope: Scope
    ) -> tuple[typed.Expression, Type]:
        if len(head.sizes) != 1:
            raise Mistake(names.bracket_count(head, ["n"]))
        if self.is_expression:
            said = "`stack` makes weights"
            raise Mistake(names.expression_owns_weights(head.span, said, self.whole))
        (count,) = self.sizes_of(head.sizes)
        if count is None:
            raise self.fail(
                "bad-size-argument",
                "`stack` needs to know how many",
                head.span,
                "a size is wanted here",
            )
        if not self.family:
            self.no_rigid(count.variables(), head.span, "the weights under `stack`")
        self._no_local_copy("stack", argument, scope)
        state = self.solver.fresh("a", self.place(head.span, "`stack`"))
        made = Function(state, state, origin=self.place(head.span, "`stack`"))
        inner = self.expression(argument, made, scope, "the argument of `stack`")
        label = self.labels.get(id(head))
        self.weight_sizes.append(count)
        node = typed.Stack(count, inner, label, made, span=head.span.to(argument.span))
        return node, made

    def _no_local_copy(self, word: str, tree: syntax.Expression, scope: Scope) -> None:
        """A local name only stands for a function: the weights behind it would stay shared."""
        if isinstance(tree, syntax.Name) and tree.name in scope:
            raise self.fail(
                "copy-of-a-local",
                f"`{word}` would copy no weights of `{tree.name}`",
                tree.span,
                "a parameter or a local name",
                notes=[
                    "Weights belong to the definition that they are written in, so what is "
                    "copied is written out or is the name of a definition. For example:"
                ],
                suggestion="fresh cell" if word == "fresh" else "stack[4] cell",
            )


def _curried(type_: Type) -> Iterator[Type]:
    """The domains of a curried function, and what comes out."""
    while isinstance(type_, Function):
        yield type_.domain
        type_ = type_.codomain
    yield type_


def called(tree: syntax.Expression) -> str:
    match tree:
        case syntax.Name(name) | syntax.Bracket(name):
            return f"`{name}`"
        case syntax.Apply():
            head: syntax.Expression = tree
            while isinstance(head, syntax.Apply):
                head = head.function
            return called(head)
        case syntax.Lambda():
            return "the function"
        case _:
            return "this"


def _ordinal(number: int) -> str:
    words = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
    return words[number] if number < len(words) else f"{number + 1}th"


def _parts(tree: syntax.TypeTree) -> Iterator[syntax.TypeTree]:
    """A type as written, and all types it is written with; not what its functions take."""
    yield tree
    match tree:
        case syntax.TypeArray(element=element) | syntax.TypeSequence(element=element):
            yield from _parts(element)
        case syntax.TypeProduct(items=items):
            for item in items:
                yield from _parts(item)
        case syntax.TypeArrow(codomain=codomain):
            yield from _parts(codomain)
