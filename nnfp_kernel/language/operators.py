"""Operators: arithmetic, `@`, `!`, and what composes functions and linear maps.

Chains that nest to the left are walked, not recursed: a sum may have thousands of terms.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import composition_mistakes, syntax, typed
from .constraints import Class
from .counting import Index
from .elaboration import Scope
from .lifting import Lift, MatMul
from .references import References, called
from .solve import Mistake, OpenArrow
from .source import Span
from .telling import came, shown
from .types import (
    INT,
    Array,
    Function,
    Linear,
    Product,
    Type,
    TypeVariable,
)

ARITHMETIC = ("+", "-", "*", "/")
COMPARISONS = ("==", "/=", "<", "<=", ">", ">=")
COMPOSITIONS = (">>", "<<")


class Operators(References):
    """The operators and their sections."""

    def _binary(
        self, tree: syntax.Binary, wanted: Type, scope: Scope, role: str
    ) -> typed.Expression:
        operator = tree.operator
        if self._gives_matrix(tree, wanted):
            made = self.solver.fresh("a", self.place(tree.span))
            node = self._binary(tree, made, scope, role)
            return self.coerce(node, made, wanted, tree.span, role)
        if operator in COMPOSITIONS:
            return self._compose(tree, wanted, scope, role)
        if operator in ("&&&", "***"):
            return self._side_by_side(tree, wanted, scope, role)
        if operator == "|>":
            return self._pipe(tree, wanted, scope, role)
        if operator in ARITHMETIC:
            return self._arithmetic(tree, wanted, scope, role)
        solver, span = self.solver, tree.span
        spans = tree.left.span, tree.right.span
        said = (f"the left operand of `{operator}`", f"the right operand of `{operator}`")
        if operator == "^":
            return self._power(tree, wanted, scope, role)
        left_type: Type = solver.fresh("a", self.place(tree.left.span))
        right_type: Type = solver.fresh("b", self.place(tree.right.span))
        result = wanted
        if operator == "++":
            element = solver.fresh("a", self.place(span))
            sizes = solver.fresh_size("n"), solver.fresh_size("m")
            left_type, right_type = Array(element, sizes[0]), Array(element, sizes[1])
            result = Array(element, sizes[0] + sizes[1], origin=self.place(span, "`++`"))
            self.fit(result, wanted, span, role)
        elif operator == "!":
            length = solver.fresh_size("n")
            left_type = Array(wanted, length)
        left = self.expression(tree.left, left_type, scope, said[0])
        right = self.expression(tree.right, right_type, scope, said[1])
        if operator == "!":
            self.add(Index(index=right_type, count=length), tree.right.span, "the index")
        elif operator == "@":
            hole = tree.left.name if isinstance(tree.left, syntax.Hole) else ""
            constraint = MatMul(
                left=left_type, right=right_type, result=wanted, hole=hole, spans=spans
            )
            self.add(constraint, span, role)
        elif operator in COMPARISONS:
            self.add(
                Lift(
                    operator=operator, left=left_type, right=right_type, result=wanted, spans=spans
                ),
                span,
                role,
            )
        elif operator in ("&&", "||"):
            for side, operand in ((left_type, tree.left), (right_type, tree.right)):
                self.add(Class(name="boolean", type=side), operand.span, f"`{operator}`")
            self.add(
                Lift(
                    operator=operator, left=left_type, right=right_type, result=wanted, spans=spans
                ),
                span,
                role,
            )
        return self._operated(operator, left, left_type, right, right_type, result, span)

    def _gives_matrix(self, tree: syntax.Binary, wanted: Type) -> bool:
        """Whether a matrix may be what stands here for a linear map: a product of
        matrices, or arithmetic other than sums, which linear maps have too."""
        if not isinstance(self.solver.resolve(wanted), Linear):
            return False
        chain: syntax.Expression = tree
        while isinstance(chain, syntax.Binary) and chain.operator in "+-":
            chain = chain.left
        return isinstance(chain, syntax.Binary) and chain.operator in ("@", "*", "/")

    def _operated(
        self,
        operator: str,
        left: typed.Expression,
        left_type: Type,
        right: typed.Expression,
        right_type: Type,
        result: Type,
        span: Span,
    ) -> typed.Expression:
        partial = Function(right_type, result)
        function = typed.Builtin(operator, Function(left_type, partial), span=span)
        applied = typed.Apply(function, left, partial, span=left.span)
        return typed.Apply(applied, right, result, span=span)

    def _arithmetic(
        self, tree: syntax.Binary, wanted: Type, scope: Scope, role: str
    ) -> typed.Expression:
        chain: list[syntax.Binary] = []
        first: syntax.Expression = tree
        while isinstance(first, syntax.Binary) and first.operator in ARITHMETIC:
            chain.append(first)
            first = first.left
        solver = self.solver
        target = solver.resolve(wanted)
        maps = isinstance(target, Linear) and all(part.operator in "+-" for part in chain)
        left_type: Type = wanted if maps else solver.fresh("a", self.place(first.span))
        said = f"the left operand of `{chain[-1].operator}`"
        node = self.expression(first, left_type, scope, said)
        for part in reversed(chain):
            right_type: Type = wanted if maps else solver.fresh("b", self.place(part.right.span))
            before = solver.resolve(left_type)
            if isinstance(before, Linear) and part.operator in "+-":
                right_type = before  # a linear map is added to one: `l + id`
            said = f"the right operand of `{part.operator}`"
            right = self.expression(part.right, right_type, scope, said)
            result = wanted if part is tree or maps else solver.fresh("c", self.place(part.span))
            self.add(
                Lift(
                    operator=part.operator,
                    left=left_type,
                    right=right_type,
                    result=result,
                    spans=(part.left.span, part.right.span),
                ),
                part.span,
                role if part is tree else "",
            )
            node = self._operated(
                part.operator, node, left_type, right, right_type, result, part.span
            )
            left_type = result
        return node

    def _power(
        self, tree: syntax.Binary, wanted: Type, scope: Scope, role: str
    ) -> typed.Expression:
        solver = self.solver
        exponent = tree.right
        negative = isinstance(exponent, syntax.Negate)
        number = exponent.operand if isinstance(exponent, syntax.Negate) else exponent
        if isinstance(number, syntax.Number) and isinstance(number.value, int):
            base = self.expression(tree.left, wanted, scope, "the base of `^`")
            self.add(Class(name="number", type=wanted), tree.span, "`^`")
            value = -number.value if negative else number.value
            power = typed.Literal(value, INT, span=exponent.span)
            return self._operated("^", base, wanted, power, INT, wanted, tree.span)
        left_type: Type = solver.fresh("a", self.place(tree.left.span))
        right_type: Type = solver.fresh("b", self.place(tree.right.span))
        left = self.expression(tree.left, left_type, scope, "the base of `^`")
        right = self.expression(tree.right, right_type, scope, "the exponent of `^`")
        spans = tree.left.span, tree.right.span
        lift = Lift(operator="^", left=left_type, right=right_type, result=wanted, spans=spans)
        self.add(lift, tree.span, role)
        return self._operated("^", left, left_type, right, right_type, wanted, tree.span)

    def _ends(self, wanted: Type, span: Span) -> tuple[Type, Type, bool]:
        """Domain and codomain of the wanted arrow, and whether a linear map is wanted."""
        target = self.solver.resolve(wanted)
        if isinstance(target, Function | Linear | OpenArrow):
            return target.domain, target.codomain, isinstance(target, Linear)
        place = self.place(span)
        return self.solver.fresh("a", place), self.solver.fresh("b", place), False

    def _arrow(
        self,
        domain: Type,
        codomain: Type,
        linear: bool,
        span: Span,
        before: tuple[Span, str] | None = None,
    ) -> Type:
        """The type wanted of one of the functions that are joined. `before` is the one
        that it comes after."""
        arrow: Type
        if linear:
            arrow = Linear(domain, codomain, origin=self.place(span))
        else:
            arrow = self.solver.open_arrow(domain, codomain, self.place(span))
        self._stages[id(arrow)] = composition_mistakes.Stage(arrow, before)
        return arrow

    def _compose(
        self, tree: syntax.Binary, wanted: Type, scope: Scope, role: str
    ) -> typed.Expression:
        """A chain of `>>` or `<<`: the type of its ends goes in first."""
        stages: list[syntax.Expression] = []
        first: syntax.Expression = tree
        while isinstance(first, syntax.Binary) and first.operator == tree.operator:
            stages.append(first.right)
            first = first.left
        stages.append(first)
        if tree.operator == ">>":
            stages.reverse()
        domain, codomain, linear = self._ends(wanted, tree.span)
        target = self.solver.resolve(wanted)
        if not isinstance(target, Function | Linear | OpenArrow | TypeVariable):
            raise self._composition_for_value(tree, stages, wanted, scope)
        saved, self._matrices = self._matrices, []
        types: list[Type] = []
        nodes: list[typed.Expression] = []
        before = domain
        previous: tuple[Span, str] | None = None
        for number, stage in enumerate(stages):
            after = (
                codomain
                if number == len(stages) - 1
                else self.solver.fresh("b", self.place(stage.span))
            )
            arrow = self._arrow(before, after, linear, stage.span, previous)
            nodes.append(self.expression(stage, arrow, scope))
            types.append(arrow)
            before, previous = after, (stage.span, called(stage))
        made = self._composed(types, domain, codomain, wanted, tree, role)
        node, type_ = nodes[0], types[0]
        span = stages[0].span
        for stage, right, right_type in zip(stages[1:], nodes[1:], types[1:], strict=True):
            last = right is nodes[-1]
            result = made if last else self._joined(type_, right_type)
            span = span.to(stage.span) if tree.operator == ">>" else tree.span
            node = self._operated(">>", node, type_, right, right_type, result, span)
            type_ = result
        self._matrices = saved
        return node

    def _joined(self, left: Type, right: Type) -> Type:
        left, right = self.solver.resolve(left), self.solver.resolve(right)
        assert isinstance(left, Function | Linear | OpenArrow)
        assert isinstance(right, Function | Linear | OpenArrow)
        both = isinstance(left, Linear) and isinstance(right, Linear)
        return (Linear if both else Function)(left.domain, right.codomain)

    def _composed(
        self,
        arrows: Sequence[Type],
        domain: Type,
        codomain: Type,
        wanted: Type,
        tree: syntax.Binary,
        role: str,
    ) -> Type:
        resolved = [self.solver.resolve(arrow) for arrow in arrows]
        linear = all(isinstance(arrow, Linear) for arrow in resolved)
        if (
            self._matrices
            and len(self._matrices) == len(arrows)
            and not isinstance(self.solver.resolve(wanted), Linear)
        ):
            raise self.fail(
                "value-for-function",
                f"`{tree.operator}` joins functions",
                self._matrices[0],
                "this is a matrix, not a function",
                notes=[
                    "To hand a value to a function, write `x |> f`; to multiply matrices, "
                    "write `A @ B`."
                ],
                suggestion=f"{tree.left.span.text} |> {tree.right.span.text}",
            )
        made = (Linear if linear else Function)(domain, codomain, origin=self.place(tree.span))
        self.fit(made, wanted, tree.span, role)
        return made

    def _composition_for_value(
        self,
        tree: syntax.Binary,
        stages: Sequence[syntax.Expression],
        wanted: Type,
        scope: Scope,
    ) -> Mistake:
        text = shown(self.solver, wanted)
        first = stages[0]
        value = scope.get(first.name) if isinstance(first, syntax.Name) else None
        if value is not None and not isinstance(
            self.solver.resolve(value), Function | Linear | OpenArrow | TypeVariable
        ):
            ahead = tree.operator == ">>"
            then = stages[1].span.to(tree.span).text if ahead else None
            return self.fail(
                "value-for-function",
                f"`{tree.operator}` joins functions, and this is a value",
                first.span,
                f"this is {shown(self.solver, value)}",
                secondary=came(self.solver, value, first.span),
                notes=[
                    "To hand a value to a function, write:"
                    if then
                    else "To hand a value to a function, write `x |> f` or `f x`."
                ],
                better=(tree.span, f"{first.span.text} |> {then}") if then else None,
            )
        return self.fail(
            "function-for-value",
            "a function stands where a value is expected",
            tree.span,
            f"a composition is a function, and {text} is expected",
            notes=["To hand a value to a function, write `x |> f` or `f x`."],
        )

    def _side_by_side(
        self, tree: syntax.Binary, wanted: Type, scope: Scope, role: str
    ) -> typed.Expression:
        solver, span = self.solver, tree.span
        domain, codomain, linear = self._ends(wanted, span)
        fresh = solver.fresh
        first, second = fresh("b", self.place(span)), fresh("c", self.place(span))
        self.fit(Product((first, second), origin=self.place(span)), codomain, span, role)
        if tree.operator == "&&&":
            inputs: tuple[Type, Type] = (domain, domain)
        else:
            inputs = (fresh("a", self.place(span)), fresh("a", self.place(span)))
            self.fit(Product(inputs, origin=self.place(span)), domain, span, role)
        saved, self._matrices = self._matrices, []
        left_arrow = self._arrow(inputs[0], first, linear, tree.left.span)
        right_arrow = self._arrow(inputs[1], second, linear, tree.right.span)
        left = self.expression(tree.left, left_arrow, scope)
        right = self.expression(tree.right, right_arrow, scope)
        made = self._composed((left_arrow, right_arrow), domain, codomain, wanted, tree, role)
        self._matrices = saved
        return self._operated(tree.operator, left, left_arrow, right, right_arrow, made, span)

    def _pipe(self, tree: syntax.Binary, wanted: Type, scope: Scope, role: str) -> typed.Expression:
        chain: list[syntax.Binary] = []
        first: syntax.Expression = tree
        while isinstance(first, syntax.Binary) and first.operator == "|>":
            chain.append(first)
            first = first.left
        value_type: Type = self.solver.fresh("a", self.place(first.span))
        node = self.expression(first, value_type, scope)
        for part in reversed(chain):
            result = wanted if part is tree else self.solver.fresh("b", self.place(part.span))
            arrow = self.solver.open_arrow(value_type, result, self.place(part.right.span))
            function = self.expression(part.right, arrow, scope)
            node = typed.Apply(function, node, result, span=part.span)
            value_type = result
        return node

    def _operator_function(
        self, tree: syntax.OperatorFunction, wanted: Type, scope: Scope, role: str
    ) -> typed.Expression:
        span = tree.span
        left, right = syntax.Name("_1", span=span), syntax.Name("_2", span=span)
        pair = syntax.PatternTuple(
            (syntax.PatternName("_1", span=span), syntax.PatternName("_2", span=span)), span=span
        )
        body = syntax.Binary(tree.operator, left, right, span=span)
        return self.expression(syntax.Lambda((pair,), body, span=span), wanted, scope, role)

    def _left_section(
        self, tree: syntax.LeftSection, wanted: Type, scope: Scope, role: str
    ) -> typed.Expression:
        span = tree.span
        body = syntax.Binary(tree.operator, tree.operand, syntax.Name("_1", span=span), span=span)
        return self._section(body, span, wanted, scope, role)

    def _right_section(
        self, tree: syntax.RightSection, wanted: Type, scope: Scope, role: str
    ) -> typed.Expression:
        span = tree.span
        body = syntax.Binary(tree.operator, syntax.Name("_1", span=span), tree.operand, span=span)
        return self._section(body, span, wanted, scope, role)

    def _section(
        self, body: syntax.Binary, span: Span, wanted: Type, scope: Scope, role: str
    ) -> typed.Expression:
        parameter = syntax.PatternName("_1", span=span)
        return self.expression(syntax.Lambda((parameter,), body, span=span), wanted, scope, role)
