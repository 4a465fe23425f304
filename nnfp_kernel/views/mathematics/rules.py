"""The built-in names on a tape: what formula each has, and its derivative as a formula.

An elementwise function's derivative is what its record says (`partials`), read back as a
formula. What is linear is its own derivative; where mathematics has no sign for an adjoint
it is written f†. What has no rule here is a name, like a definition: D f(x).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...graph.graph import ArrayType, Builder, Call, Constant, Wire
from ...language import typed as p
from ...language import types as t
from . import formula as m
from .formula import Formula
from .latex import template
from .quantities import (
    Meaning,
    Value,
    flat,
    rebuilt,
    size_formula,
    size_of_loop,
    spread,
)
from .tape import Change, Linear, Pass, Quantity, Rule

if TYPE_CHECKING:
    from .reading import Reader

# Linear in their one argument, and without a sign of their own for the adjoint.
_LINEAR = frozenset(
    (
        "reverse", "take", "drop", "reshape", "flatten", "concat", "split", "replicate", "shift",
        "real", "imag",
    )
)  # fmt: skip
_COMPARISONS = {
    "eq": "=", "ne": r"\neq", "lt": "<", "le": r"\leq", "gt": ">", "ge": r"\geq",
}  # fmt: skip

# The names that have a rule of their own: the method.
_RULES = {
    "+": "add", "-": "subtract", "*": "times", "/": "divide", "@": "matmul", "^": "power",
    "negate": "negate", "dot": "dot", "outer": "outer", "transpose": "transpose", "sum": "total",
    "mean": "mean", "conj": "conj", "++": "joined", "!": "gathered", "gather": "gathered",
    "norm": "norm", "select": "select", "toReal": "to_real", "zip": "same", "unzip": "same",
    "asLinear": "same", "derivative": "derivative",
    "adjoint": "adjoint", "zero": "zero", "pi": "pi", ">>": "then", "<<": "after", "|>": "pipe",
    "&&&": "both", "***": "beside", "map": "map_over", "zipWith": "map_over", "fold": "fold",
    "foldRight": "fold", "scan": "scan", "mapAccum": "accumulate", "mapAccumRight": "accumulate",
    "moore": "moore", "unfold": "unfold", "iterate": "iterate", "window": "window",
    "while": "while", "fixpoint": "fixpoint",
    "pool": "window",
}  # fmt: skip


class Rules:
    """The rules, for the tape of one reader."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.builtins = reader.program.builtins
        self.primitives = reader.program.primitives

    # --- which rule -----------------------------------------------------------------------

    def use(self, use: p.Builtin, arguments: list[Value]) -> Value:
        """A built-in name at all its arguments."""
        rule = _RULES.get(use.name)
        if rule is not None:
            return getattr(self, f"_{rule}")(use, *arguments)
        quantities = all(isinstance(argument, Quantity) for argument in arguments)
        primitive = self.primitives.get(use.name)
        elementwise = primitive is not None and primitive.kind == "elementwise"
        if (
            quantities
            and elementwise
            and not (use.name == "abs" and any(_complex(each.type) for each in arguments))
        ):  # |z| has a derivative, but not entry by entry
            return self._elementwise(use, *arguments)
        if use.name in _LINEAR and quantities:
            return self._linear(use, *arguments)
        return self._opaque_builtin(use, arguments)

    def _result(self, use: p.Builtin, arity: int) -> t.Type:
        type = use.type
        for _ in range(arity):
            assert isinstance(type, t.Function | t.Linear)
            type = type.codomain
        return type

    def _template(self, use: p.Builtin, shown: Sequence[Formula]) -> Formula:
        latex = self.builtins[use.name].latex
        if latex:
            return template(latex, *shown)
        return m.applied(_with_brackets(use), list(shown))

    def _rule(
        self,
        type: t.Type,
        inputs: Sequence[Quantity],
        formula: Callable[[], Formula],
        forward: Callable[[Pass, list[Change]], Change],
        backward: Callable[[Pass, Linear], list[Change]],
    ) -> Quantity:
        """A rule with one output."""

        def backwards(walk: Pass, bars: list[Change]) -> list[Change]:
            assert bars[0] is not None
            return backward(walk, bars[0])

        rule = Rule(
            tuple(inputs), lambda _: formula(), lambda walk, d: [forward(walk, d)], backwards
        )
        return self.reader.add(rule, type)

    # --- arithmetic -----------------------------------------------------------------------

    def _add(self, use: p.Builtin, a: Value, b: Value) -> Value:
        return self._sum(use, a, b, 1)

    def _subtract(self, use: p.Builtin, a: Value, b: Value) -> Value:
        return self._sum(use, a, b, -1)

    def _sum(self, use: p.Builtin, a: Value, b: Value, sign: int) -> Value:
        if isinstance(a, tuple) and isinstance(b, tuple):
            return tuple(self._sum(use, *pair, sign) for pair in zip(a, b, strict=True))
        if not (isinstance(a, Quantity) and isinstance(b, Quantity)):
            return self._opaque_builtin(use, [a, b])
        type = _larger(a.type, b.type)

        def forward(_: Pass, d: list[Change]) -> Change:
            second = d[1] if sign > 0 or d[1] is None else d[1].negative()
            if d[0] is None or second is None:
                return d[0] or second
            return Linear(d[0].terms + second.terms)

        def backward(_: Pass, bar: Linear) -> list[Change]:
            second = bar if sign > 0 else bar.negative()
            return [_down(bar, type, a.type), _down(second, type, b.type)]

        join = m.plus if sign > 0 else m.minus
        return self._rule(type, (a, b), lambda: join(a.shown(), b.shown()), forward, backward)

    def _negate(self, use: p.Builtin, a: Value) -> Value:
        if isinstance(a, tuple):
            return tuple(self._negate(use, item) for item in a)
        if not isinstance(a, Quantity):
            return self._opaque_builtin(use, [a])
        return self._rule(
            a.type, (a,), lambda: m.negative(a.shown()),
            lambda _, d: None if d[0] is None else d[0].negative(),
            lambda _, bar: [bar.negative()],
        )  # fmt: skip

    def _times(self, use: p.Builtin, a: Value, b: Value) -> Value:
        if isinstance(a, tuple) or isinstance(b, tuple):
            whole, scalar = (a, b) if isinstance(a, tuple) else (b, a)
            return tuple(self._times(use, scalar, item) for item in whole)
        if not (isinstance(a, Quantity) and isinstance(b, Quantity)):
            return self._opaque_builtin(use, [a, b])
        if a is b:
            return self._power(use, a, self.reader.constant(m.Digits("2"), t.R))
        type = _larger(a.type, b.type)
        both = rank(a.type) > 0 and rank(b.type) > 0

        def formula() -> Formula:
            return (m.entrywise if both else m.product)(a.shown(), b.shown())

        def forward(_: Pass, d: list[Change]) -> Change:
            first = None if d[0] is None else d[0].times(b.shown(), both)
            second = None if d[1] is None else d[1].times(a.shown(), both)
            if first is None or second is None:
                return first or second
            return Linear(first.terms + second.terms)

        def to(own: Quantity, other: Quantity, bar: Linear) -> Change:
            if rank(own.type) == 0 and rank(other.type) > 0:
                return bar.through(lambda f: _inner(_conjugate(other), f))
            return _down(bar.times(_conjugate(other), both), type, own.type)

        return self._rule(
            type, (a, b), formula, forward, lambda _, bar: [to(a, b, bar), to(b, a, bar)]
        )

    def _divide(self, use: p.Builtin, a: Value, b: Value) -> Value:
        if isinstance(a, tuple):
            return tuple(self._divide(use, item, b) for item in a)
        if not (isinstance(a, Quantity) and isinstance(b, Quantity)):
            return self._opaque_builtin(use, [a, b])
        return self._elementwise(use, a, b, name="divide")

    def _power(self, use: p.Builtin, a: Value, b: Value) -> Value:
        exponent = b.name if isinstance(b, Quantity) and b.role == "constant" else None
        if not (isinstance(a, Quantity) and isinstance(exponent, m.Digits)):
            return self._elementwise(use, a, b, name="pow")
        number = exponent.text.replace("−", "-")
        wide = rank(a.type) > 0
        try:
            lower = m.Digits(f"{float(number) - 1:g}".replace("-", "−"))
        except ValueError:
            return self._elementwise(use, a, b, name="pow")

        def factor() -> Formula:
            return m.product(exponent, m.power(a.shown(), lower))

        return self._rule(
            a.type, (a,), lambda: m.power(a.shown(), exponent),
            lambda _, d: None if d[0] is None else d[0].times(factor(), wide),
            lambda _, bar: [bar.times(factor(), wide)],
        )  # fmt: skip

    def _elementwise(self, use: p.Builtin, *arguments: Quantity, name: str = "") -> Value:
        """φ: the differential is φ' ⊙, with φ' as its record has it."""
        if not all(isinstance(argument, Quantity) for argument in arguments):
            return self._opaque_builtin(use, list(arguments))
        name = name or use.name
        type = arguments[0].type
        for argument in arguments[1:]:
            type = _larger(type, argument.type)
        wide = rank(type) > 0

        def factors(walk: Pass) -> list[Formula | None]:
            found, output_used = _partials(
                self.primitives, name, [q.shown() for q in arguments], made.shown(), wide
            )
            if output_used:
                walk.ask(made, 3)
            for argument in arguments:
                walk.ask(argument, 8)
            return found

        def forward(walk: Pass, d: list[Change]) -> Change:
            total: Change = None
            for change, factor in zip(d, factors(walk), strict=True):
                if change is not None and factor is not None:
                    part = change.times(factor, wide)
                    total = part if total is None else Linear(total.terms + part.terms)
            return total

        def backward(walk: Pass, bar: Linear) -> list[Change]:
            made: list[Change] = []
            for q, factor in zip(arguments, factors(walk), strict=True):
                if factor is not None and _complex(type):
                    factor = template("{0}^{{*}}", m.fitted(factor, m.ATOM))
                if factor is None:
                    made.append(None)
                elif rank(q.type) == 0 and rank(type) == 1:
                    made.append(bar.through(lambda f, factor=factor: _inner(factor, f)))  # type: ignore[misc]
                else:
                    made.append(_down(bar.times(factor, wide), type, q.type))
            return made

        made = self._rule(
            type, arguments, lambda: self._template(use, [q.shown() for q in arguments]),
            forward, backward,
        )  # fmt: skip
        if self.primitives[name].partials is not None and not any(
            _partials(self.primitives, name, [m.ONE] * len(arguments), m.ONE, wide)[0]
        ):
            made.role = "constant"
        return made

    # --- linear and bilinear maps ---------------------------------------------------------

    def _linear(self, use: p.Builtin, a: Quantity) -> Value:
        function = _with_brackets(use)
        return self._map(
            self._result(use, 1), a, lambda f: m.applied(function, [f]),
            lambda f: m.applied(m.transposed(function, "†"), [f]),
        )  # fmt: skip

    def _map(
        self,
        type: t.Type,
        a: Quantity,
        there: Callable[[Formula], Formula],
        back: Callable[[Formula], Formula],
    ) -> Quantity:
        """A linear map and its adjoint, as functions of formulas."""
        return self._rule(
            type, (a,), lambda: there(a.shown()),
            lambda _, d: None if d[0] is None else d[0].through(there),
            lambda _, bar: [bar.through(back)],
        )  # fmt: skip

    def _bilinear(
        self,
        type: t.Type,
        a: Quantity,
        b: Quantity,
        there: Callable[[Formula, Formula], Formula],
        to_a: Callable[[Formula], Formula],
        to_b: Callable[[Formula], Formula],
    ) -> Quantity:
        """b(x, y): the differential is b(dx, y) + b(x, dy)."""

        def forward(_: Pass, d: list[Change]) -> Change:
            first = None if d[0] is None else d[0].through(lambda f: there(f, b.shown()))
            second = None if d[1] is None else d[1].through(lambda f: there(a.shown(), f))
            if first is None or second is None:
                return first or second
            return Linear(first.terms + second.terms)

        return self._rule(
            type, (a, b), lambda: there(a.shown(), b.shown()), forward,
            lambda _, bar: [bar.through(to_a), bar.through(to_b)],
        )  # fmt: skip

    def _matmul(self, use: p.Builtin, a: Value, b: Value) -> Value:
        if not (isinstance(a, Quantity) and isinstance(b, Quantity)):
            return self._opaque_builtin(use, [a, b])
        type = self._result(use, 2)
        mark = "H" if _complex(a.type) or _complex(b.type) else "⊤"

        def turned(q: Quantity) -> Formula:
            return m.transposed(q.shown(), mark)

        match rank(a.type), rank(b.type):
            case 1, 1:
                return self._dot(use, a, b)
            case 1, _:  # x W is Wᵀ x
                return self._bilinear(
                    type, a, b, lambda f, g: m.product(m.transposed(g, mark), f),
                    lambda f: m.product(b.shown(), f), lambda f: m.outer(a.shown(), f),
                )  # fmt: skip
            case _, 1:
                return self._bilinear(
                    type, a, b, m.product,
                    lambda f: m.outer(f, _conjugate(b)), lambda f: m.product(turned(a), f),
                )  # fmt: skip
            case _:
                return self._bilinear(
                    type, a, b, m.product,
                    lambda f: m.product(f, turned(b)), lambda f: m.product(turned(a), f),
                )  # fmt: skip

    def _dot(self, use: p.Builtin, a: Value, b: Value) -> Value:
        if not (isinstance(a, Quantity) and isinstance(b, Quantity)):
            return self._opaque_builtin(use, [a, b])
        return self._bilinear(
            t.R, a, b, _inner,
            lambda f: m.product(f, b.shown()), lambda f: m.product(f, a.shown()),
        )  # fmt: skip

    def _outer(self, use: p.Builtin, a: Value, b: Value) -> Value:
        if not (isinstance(a, Quantity) and isinstance(b, Quantity)):
            return self._opaque_builtin(use, [a, b])
        return self._bilinear(
            self._result(use, 2), a, b, m.outer,
            lambda f: m.product(f, b.shown()),
            lambda f: m.product(m.transposed(f), a.shown()),
        )  # fmt: skip

    def _transpose(self, use: p.Builtin, a: Value) -> Value:
        if not isinstance(a, Quantity):
            return self._opaque_builtin(use, [a])
        return self._map(self._result(use, 1), a, m.transposed, m.transposed)

    def _total(self, use: p.Builtin, a: Value) -> Value:
        if isinstance(a, tuple):
            return tuple(self._total(use, item) for item in a)
        if not isinstance(a, Quantity) or not isinstance(a.type, t.Array):
            return self._opaque_builtin(use, [a])
        return self._sum_of(a, a.type.element)

    def _sum_of(self, a: Quantity, type: t.Type) -> Quantity:
        i = self.reader.index("i", "j", "k")

        if a.name is None and a.maker is not None and m.size_of(a.shown()) > 1:
            a.name = self.reader.within_loops(self.reader.fresh("h", "u", "v"))

        def total(f: Formula) -> Formula:
            return m.summed(m.indexed(f, i), i)

        def back(f: Formula) -> Formula:
            ones = m.Letter("𝟏")
            return m.product(f, ones) if rank(type) == 0 else m.outer(ones, f)

        return self._map(type, a, total, back)

    def _mean(self, use: p.Builtin, a: Value) -> Value:
        if not isinstance(a, Quantity) or not isinstance(a.type, t.Array):
            return self._opaque_builtin(use, [a])
        share = m.Fraction(m.ONE, size_formula(a.type.length))
        total = self._sum_of(a, self._result(use, 1))
        return self._rule(
            total.type, (total,), lambda: _scaled(share, total.shown()),
            lambda _, d: None if d[0] is None else d[0].through(lambda f: _scaled(share, f)),
            lambda _, bar: [bar.through(lambda f: _scaled(share, f))],
        )  # fmt: skip

    def _conj(self, use: p.Builtin, a: Value) -> Value:
        if not isinstance(a, Quantity):
            return self._opaque_builtin(use, [a])
        star: Callable[[Formula], Formula] = lambda f: template("{0}^{{*}}", f)  # noqa: E731
        return self._map(a.type, a, star, star)

    def _joined(self, use: p.Builtin, a: Value, b: Value) -> Value:
        if not (isinstance(a, Quantity) and isinstance(b, Quantity)):
            return self._opaque_builtin(use, [a, b])

        def there(f: Formula, g: Formula) -> Formula:
            return template(r"{0} \mathbin{{+\!\!+}} {1}", f, g)

        first, second = m.Letter("first"), m.Letter("rest")

        def forward(_: Pass, d: list[Change]) -> Change:
            parts = [m.ZERO if change is None else change.formula() for change in d]
            return Linear.of(there(*parts)) if any(d) else None

        return self._rule(
            self._result(use, 2), (a, b), lambda: there(a.shown(), b.shown()), forward,
            lambda _, bar: [
                bar.through(lambda f: m.applied(first, [f])),
                bar.through(lambda f: m.applied(second, [f])),
            ],
        )  # fmt: skip

    def _gathered(self, use: p.Builtin, a: Value, index: Value) -> Value:
        if isinstance(a, tuple):
            return tuple(self._gathered(use, item, index) for item in a)
        if not (isinstance(a, Quantity) and isinstance(index, Quantity)):
            return self._opaque_builtin(use, [a, index])
        inner = a.type.element if isinstance(a.type, t.Array) else a.type

        def back(f: Formula) -> Formula:
            unit = m.Script(m.Letter("e"), index.shown())
            return m.product(f, unit) if rank(inner) == 0 else m.outer(unit, f)

        return self._map(inner, a, lambda f: m.indexed(f, index.shown()), back)

    # --- reductions and choices -----------------------------------------------------------

    def _norm(self, use: p.Builtin, a: Value) -> Value:
        if not isinstance(a, Quantity):
            return self._opaque_builtin(use, [a])

        def direction(walk: Pass) -> Formula:
            walk.ask(made, 3)
            return m.Fraction(a.shown(), made.shown())

        made = self._rule(
            t.R, (a,), lambda: m.Fenced("‖", a.shown(), "‖"),
            lambda walk, d: None if d[0] is None else d[0].through(
                lambda f: _inner(direction(walk), f)),
            lambda walk, bar: [bar.through(lambda f: m.product(f, direction(walk)))],
        )  # fmt: skip
        return made

    def _select(self, use: p.Builtin, c: Value, a: Value, b: Value) -> Value:
        if not all(isinstance(each, Quantity) for each in (c, a, b)):
            return self._opaque_builtin(use, [c, a, b])
        type = self._result(use, 3)
        wide = rank(type) > 0

        def hit() -> Formula:
            return m.Fenced("[", c.shown(), "]")

        def miss() -> Formula:
            return m.Fenced("[", template(r"\lnot {0}", c.shown()), "]")

        def cases(x: Formula, y: Formula) -> Formula:
            rest = m.Words("otherwise")
            return m.Cases(((x, m.row(m.Words("where "), c.shown())), (y, rest)))

        def forward(_: Pass, d: list[Change]) -> Change:
            parts = [m.ZERO if change is None else change.formula() for change in d[1:]]
            return Linear.of(cases(*parts)) if any(d[1:]) else None

        return self._rule(
            type, (c, a, b), lambda: cases(a.shown(), b.shown()), forward,
            lambda _, bar: [
                None,
                _down(bar.times(hit(), wide), type, a.type),
                _down(bar.times(miss(), wide), type, b.type),
            ],
        )  # fmt: skip

    def _to_real(self, use: p.Builtin, a: Value) -> Value:
        if not isinstance(a, Quantity):
            return self._opaque_builtin(use, [a])
        truth = "Bool" in t.show(a.type)
        made = self._rule(
            self._result(use, 1), (a,),
            lambda: m.Fenced("[", a.shown(), "]") if truth else a.shown(),
            lambda _, d: None, lambda _, bar: [None],
        )  # fmt: skip
        made.role = "constant"
        return made

    # --- wiring ---------------------------------------------------------------------------

    def _same(self, use: p.Builtin, value: Value) -> Value:
        """An array of pairs is a pair of arrays: `zip` moves nothing."""
        return value

    def _zero(self, use: p.Builtin) -> Value:
        return (
            spread(use.type, m.ZERO, self.reader.program, "constant")
            if not isinstance(use.type, t.Product)
            else tuple(
                self._zero(p.Builtin("zero", item, span=use.span)) for item in use.type.items
            )
        )

    def _pi(self, use: p.Builtin) -> Value:
        return self.reader.constant(m.Letter("π"), t.R)

    def _then(self, use: p.Builtin, f: Value, g: Value) -> Value:
        return self._composed(f, g)

    def _after(self, use: p.Builtin, g: Value, f: Value) -> Value:
        return self._composed(f, g)

    def _composed(self, f: Value, g: Value) -> Value:
        reader = self.reader
        return Meaning(
            lambda x: reader.apply(g, reader.apply(f, x)),
            lambda: template(r"{1} \circ {0}", reader.shown(f), reader.shown(g)),
        )

    def _pipe(self, use: p.Builtin, x: Value, f: Value) -> Value:
        return self.reader.apply(f, x)

    def _both(self, use: p.Builtin, f: Value, g: Value) -> Value:
        reader = self.reader
        return Meaning(
            lambda x: (reader.apply(f, x), reader.apply(g, x)),
            lambda: m.tupled([reader.shown(f), reader.shown(g)]),
        )

    def _beside(self, use: p.Builtin, f: Value, g: Value) -> Value:
        reader = self.reader
        return Meaning(
            lambda pair: (reader.apply(f, pair[0]), reader.apply(g, pair[1])),
            lambda: template(r"{0} \otimes {1}", reader.shown(f), reader.shown(g)),
        )

    def sequence(self, items: Sequence[Value], type: t.Type) -> Value:
        """[a, b, c]"""
        if items and isinstance(items[0], tuple):
            columns = zip(*items, strict=True)
            return tuple(self.sequence(list(column), type) for column in columns)
        if not all(isinstance(item, Quantity) for item in items):
            return self.reader.constant(m.listed([self.reader.shown(i) for i in items]), type)

        def joined(parts: Sequence[Formula]) -> Formula:
            return m.Fenced("[", m.listed(list(parts)), "]")

        def forward(_: Pass, d: list[Change]) -> Change:
            parts = [m.ZERO if change is None else change.formula() for change in d]
            return Linear.of(joined(parts)) if any(d) else None

        def backward(walk: Pass, bar: Linear) -> list[Change]:
            return [
                bar.through(lambda f, k=k: m.indexed(f, m.Digits(str(k))))  # type: ignore[misc]
                for k in range(len(items))
            ]

        return self._rule(
            type, items, lambda: joined([q.shown() for q in items]), forward, backward
        )

    # --- loops ----------------------------------------------------------------------------

    def _map_over(
        self, use: p.Builtin, f: Value, xs: Value, *, axes: int = 1, **options: Any
    ) -> Value:
        result = self._result(use, 2)
        counts = []
        for _ in range(axes):
            assert isinstance(result, t.Array)
            counts.append(size_formula(result.length))
            result = result.element
        if not list(flat(xs)):
            return self._opaque_builtin(use, [f, xs])
        _, out = self.reader.loop(
            (), xs, counts, lambda _, item: ((), self.reader.apply(f, item)),
            index=("i", "j", "k"), **options,
        )  # fmt: skip
        return out

    def _fold(self, use: p.Builtin, f: Value, z: Value, xs: Value) -> Value:
        step = lambda s, x: (self.reader.apply(f, (s, x)), ())  # noqa: E731
        return self._along(use, step, z, xs)[0]

    def _scan(self, use: p.Builtin, f: Value, z: Value, xs: Value) -> Value:
        def step(s: Value, x: Value) -> tuple[Value, Value]:
            after = self.reader.apply(f, (s, x))
            return after, after

        return self._along(use, step, z, xs)[1]

    def _accumulate(self, use: p.Builtin, f: Value, z: Value, xs: Value) -> Value:
        return self._along(use, lambda s, x: self.reader.apply(f, (s, x)), z, xs)

    def _moore(self, use: p.Builtin, f: Value, z: Value, xs: Value) -> Value:
        return self._along(use, lambda s, x: self.reader.apply(f, (s, x)), z, xs)[1]

    def _along(self, use: p.Builtin, step: Any, z: Value, xs: Value) -> tuple[Value, Value]:
        count = size_formula(size_of_loop(xs))
        return self.reader.loop(z, xs, count, step, reverse=use.name.endswith("Right"))

    def _unfold(self, use: p.Builtin, f: Value, seed: Value) -> Value:
        step = lambda s, _: self.reader.apply(f, s)  # noqa: E731
        return self.reader.loop(seed, (), size_formula(use.brackets[0]), step)[1]

    def _iterate(self, use: p.Builtin, f: Value, x: Value) -> Value:
        step = lambda s, _: (self.reader.apply(f, s), ())  # noqa: E731
        count = size_formula(use.brackets[0])
        return self.reader.loop(x, (), count, step, index=("k",), letter="h")[0]

    def _while(self, use: p.Builtin, going: Value, f: Value, x: Value) -> Value:
        step = lambda s, _: (self.reader.apply(f, s), ())  # noqa: E731
        return self.reader.loop(x, (), m.Letter("T"), step, going=going)[0]

    def _fixpoint(self, use: p.Builtin, f: Value, start: Value) -> Value:
        return self.reader.equation(f, start)

    def _window(self, use: p.Builtin, f: Value, xs: Value) -> Value:
        """Every window is said by its first and last place: x_{i…i+k-1}."""
        sizes = use.brackets
        if use.options or not isinstance(self._result(use, 2), t.Array):
            return self._opaque_builtin(use, [f, xs])

        def place(index: Formula) -> Formula:
            indices = index.items[::2] if isinstance(index, m.Row) else (index,)
            places = [self._span(use, *pair) for pair in zip(indices, sizes, strict=True)]
            return places[0] if len(places) == 1 else m.listed(places)

        def over(type: t.Type) -> t.Type:
            for _ in sizes[1:]:
                type = type.element if isinstance(type, t.Array) else type
            for size in reversed(sizes):
                type = t.Array(type, size)
            return type

        return self._map_over(use, f, xs, window=place, over=over, axes=len(sizes))

    def _span(self, use: p.Builtin, i: Formula, size: Any) -> Formula:
        """From the first to the last place of the window at i."""
        if use.name == "pool":
            last = m.product(size_formula(size), i)
            first = m.plus(m.minus(last, size_formula(size)), m.ONE)
            if size.value is not None:
                first = m.minus(last, m.Digits(str(size.value - 1)))
        else:
            first = i
            last = m.minus(m.plus(i, size_formula(size)), m.ONE)
            if size.value is not None:
                last = m.plus(i, m.Digits(str(size.value - 1)))
        return m.Row((first, m.Sign("…"), last), m.RELATION)

    # --- what stays a name ----------------------------------------------------------------

    def _opaque_builtin(
        self,
        use: p.Builtin,
        arguments: list[Value],
        *,
        latex: str = "",
        mark: Formula | None = None,
    ) -> Value:
        primitive = self.primitives.get(use.name)
        discrete = primitive is not None and primitive.kind == "discrete"
        others: dict[Quantity, Formula] = {}
        domain = use.type
        for argument in arguments:
            assert isinstance(domain, t.Function)
            for quantity in self._captured(argument, domain.domain):
                others[quantity] = quantity.shown()
            domain = domain.codomain
        return self.opaque(
            _with_brackets(use), arguments, self._result(use, len(arguments)),
            [(shown, quantity) for quantity, shown in others.items()],
            latex or self.builtins[use.name].latex, discrete or not arguments, mark,
        )  # fmt: skip

    def _derivative(self, use: p.Builtin, f: Value, x: Value) -> Value:
        """D f(x), a linear map; its differential is the second derivative."""
        return self._opaque_builtin(use, [f, x], latex=r"D\,{0}({1})", mark=m.Digits("2"))

    def _adjoint(self, use: p.Builtin, map: Value) -> Value:
        if not isinstance(map, Quantity):
            shown = self.reader.shown(map)
            return self.reader.constant(m.transposed(shown, "†"), self._result(use, 1))
        turned = lambda f: m.transposed(f, "†")  # noqa: E731
        return self._map(self._result(use, 1), map, turned, turned)

    def linear_at(self, function: Value, argument: Value) -> Value:
        """A linear map that is a quantity, at a vector: linear in both."""
        assert isinstance(function, Quantity), "only functions and linear maps are applied"
        type = function.type
        result = type.codomain if isinstance(type, t.Linear) else t.R
        given = list(flat(argument))

        def listed(changes: Sequence[Change]) -> Formula:
            return m.tupled([m.ZERO if c is None else c.formula() for c in changes])

        def vector() -> Formula:
            return m.tupled([q.shown() for q in given])

        def forward(_: Pass, d: list[Change]) -> list[Change]:
            total: Change = None
            if any(d[1:]):
                total = Linear.of(_at_tangent(function.shown(), listed(d[1:])))
            if d[0] is not None:
                part = Linear.of(_at_tangent(d[0].formula(), vector()))
                total = part if total is None else Linear((*part.terms, *total.terms))
            return [total] * len(rule.outputs)

        def backward(_: Pass, bars: list[Change]) -> list[Change]:
            bar = listed(bars)
            back = Linear.of(_at_tangent(m.transposed(function.shown(), "†"), bar))
            return [Linear.of(m.outer(bar, vector())), *[back] * len(given)]

        rule = Rule(
            (function, *given), lambda _: _at_tangent(function.shown(), vector()), forward, backward
        )
        like = spread(result, m.ONE, self.reader.program)
        self.reader.add(rule, *(q.type for q in flat(like)))
        supply = iter(rule.outputs)
        return rebuilt(like, lambda _: next(supply))

    def _captured(self, function: Value, type: t.Type) -> list[Quantity]:
        """What a function refers to besides its argument."""

        if not isinstance(function, Meaning) or not isinstance(type, t.Function):
            return []
        with self.reader.apart() as block:
            value: Value = function
            own: list[Quantity] = []
            while isinstance(value, Meaning) and isinstance(type, t.Function):
                argument = spread(type.domain, m.Sign("·"), self.reader.program)
                own += flat(argument)
                value, type = value.call(argument), type.codomain
            found = [*block.outside(), *(q for q in flat(value) if q.maker is None)]
        return [q for q in dict.fromkeys(found) if q not in own and q.role != "constant"]

    def opaque(
        self,
        function: Formula,
        arguments: Sequence[Value],
        result: t.Type,
        others: Sequence[tuple[Formula, Quantity]] = (),
        latex: str = "",
        constant: bool = False,
        mark: Formula | None = None,
    ) -> Value:
        """f(x, y), with D f(x, y) for its derivative.

        `others` are what f depends on besides, each with its sign: D_θ f. With `mark` 2
        the derivative is the second one.
        """
        reader = self.reader
        given = [argument for argument in arguments if not isinstance(argument, Meaning)]
        functions = [argument for argument in arguments if isinstance(argument, Meaning)]
        called = function
        if functions and mark is not None:
            called = reader.shown(functions[0])
        elif functions:  # a function made of functions: window(f)
            called = m.applied(function, [reader.shown(each) for each in functions])
        quantities = [q for value in given for q in flat(value)]
        moving = [k for k, q in enumerate(quantities) if q.role != "constant"]
        like = spread(result, m.ONE, reader.program)
        parts = list(flat(like))
        if not parts:
            return like

        def at() -> Formula:
            return m.applied(called, [reader.shown(value) for value in given])

        def value() -> Formula:
            return template(latex, *map(reader.shown, arguments)) if latex else at()

        def derivative(by: Formula | None = None) -> Formula:
            name = m.Script(m.Letter("D"), by, mark) if by or mark else m.Letter("D")
            where = at()
            items = where.items if isinstance(where, m.Row) else (where,)
            return m.Row((name, m.Space(), *items), m.PRODUCT)

        def backwards(by: Formula | None, bar: Formula) -> Change:
            return Linear.of(_at_tangent(m.transposed(derivative(by), "†"), bar))

        def whole(d: list[Change]) -> Change:
            changes = [d[k] for k in moving]
            total: Change = None
            if any(changes):
                listed = m.tupled([m.ZERO if c is None else c.formula() for c in changes])
                total = Linear.of(_at_tangent(derivative(), listed))
            for (by, _), change in zip(others, d[len(quantities) :], strict=True):
                if change is not None:
                    part = Linear.of(_at_tangent(derivative(by), change.formula()))
                    total = part if total is None else Linear(total.terms + part.terms)
            return total

        def component(f: Formula, k: int) -> Formula:
            return f if len(parts) == 1 else m.Script(m.fitted(f, m.ATOM), m.Digits(str(k + 1)))

        def forward(walk: Pass, d: list[Change]) -> list[Change]:
            for quantity in quantities:
                walk.ask(quantity, 3)
            total = whole(d)
            if total is None:
                return [None] * len(parts)
            return [
                total.through(lambda f, k=k: component(f, k))  # type: ignore[misc]
                for k in range(len(parts))
            ]

        def backward(walk: Pass, bars: list[Change]) -> list[Change]:
            for quantity in quantities:
                walk.ask(quantity, 3)
            bar = m.tupled([m.ZERO if each is None else each.formula() for each in bars])
            made: list[Change] = []
            for k, quantity in enumerate(quantities):
                place = m.Digits(str(moving.index(k) + 1)) if k in moving else None
                still = place is None or quantity not in walk.varied
                made.append(None if still else backwards(place if len(moving) > 1 else None, bar))
            for by, quantity in others:
                made.append(backwards(by, bar) if quantity in walk.varied else None)
            return made

        rule = Rule(
            (*quantities, *(quantity for _, quantity in others)),
            lambda k: component(value(), k), forward, backward, value, whole,
        )  # fmt: skip
        reader.add(rule, *(part.type for part in parts))
        for quantity, part in zip(rule.outputs, parts, strict=True):
            quantity.role = "constant" if constant else part.role
        supply = iter(rule.outputs)
        return rebuilt(like, lambda _: next(supply))


# --- pieces of formulas -------------------------------------------------------------------


def _items(formula: Formula) -> tuple[Formula, ...]:
    return formula.items if isinstance(formula, m.Row) else (formula,)


def _at_tangent(map: Formula, tangent: Formula) -> Formula:
    """A linear map at a tangent, side by side: D f(x) dx."""
    items = map.items if isinstance(map, m.Row) else (map,)
    return m.Row((*items, m.Space(), m.fitted(tangent, m.FUNCTION)), m.PRODUCT)


def _inner(a: Formula, b: Formula) -> Formula:
    if (inner := m.negated(a)) is not None:
        return m.negative(_inner(inner, b))
    return template(r"\langle {0}, {1} \rangle", a, b)


def _scaled(share: Formula, f: Formula) -> Formula:
    return m.Row((share, *_items(m.fitted(f, m.PRODUCT))), m.PRODUCT)


def _conjugate(q: Quantity) -> Formula:
    return template("{0}^{{*}}", q.shown()) if _complex(q.type) else q.shown()


def _complex(type: t.Type) -> bool:
    while isinstance(type, t.Array):
        type = type.element
    return type == t.C


def _with_brackets(use: p.Builtin) -> Formula:
    """take[3]"""
    name = m.symbol(use.name) if use.name.isalpha() else m.Words(use.name)
    if not use.brackets:
        return name
    return m.indexed(name, m.listed([size_formula(size) for size in use.brackets]))


def rank(type: t.Type) -> int:
    """The number of axes; of a type not known here, that of a vector."""
    if isinstance(type, t.Array):
        return 1 + (0 if isinstance(type.element, t.Scalar) else rank(type.element))
    return 0 if isinstance(type, t.Scalar | t.Fin) else 1


def _larger(a: t.Type, b: t.Type) -> t.Type:
    """What comes of two operands: the shape of the one with more axes, over C if either is."""
    larger = a if rank(a) >= rank(b) else b
    return _over_complex(larger) if _complex(a) or _complex(b) else larger


def _over_complex(type: t.Type) -> t.Type:
    if isinstance(type, t.Array):
        return replace(type, element=_over_complex(type.element))
    return t.C


def _down(bar: Linear, type: t.Type, own: t.Type) -> Change:
    """The cotangent of an operand that was repeated: summed over the axes it lacks."""
    if _complex(type) and not _complex(own):  # a real operand moves along the real axis
        bar = bar.through(lambda f: template(r"\operatorname{{Re}} {0}", f))
    if rank(own) >= rank(type):
        return bar
    index = [m.symbol(name) for name in "ijk"][: rank(type) - rank(own)]
    below = m.listed(index)
    return bar.through(lambda f: m.summed(m.indexed(f, below), below))


# --- the derivative of an elementwise function, as its record has it ----------------------


def _partials(
    primitives: Mapping[str, Any],
    name: str,
    inputs: Sequence[Formula],
    output: Formula,
    wide: bool,
) -> tuple[list[Formula | None], bool]:
    """The derivative by each operand as a formula, and whether the value occurs in it."""
    builder = Builder(primitives)
    wires = [builder.input(ArrayType("R"), f"x{k}") for k in range(len(inputs))]
    made = builder.input(ArrayType("R"), "y")
    shown: dict[Wire, Formula] = {**dict(zip(wires, inputs, strict=True)), made: output}
    rule = primitives[name].partials
    if rule is None:
        return [None] * len(inputs), False
    found = rule(builder, wires, made)
    used: set[Wire] = set()
    formulas = [
        None if wire is None else _read_back(builder, wire, shown, used, wide) for wire in found
    ]
    return formulas, made in used


def _read_back(
    builder: Builder, wire: Wire, shown: Mapping[Wire, Formula], used: set[Wire], wide: bool
) -> Formula:
    if wire in shown:
        used.add(wire)
        return shown[wire]
    node = builder.producer(wire)
    assert node is not None
    if isinstance(node.operation, Constant):
        return _number(float(node.operation.value))
    assert isinstance(node.operation, Call)
    operands = [_read_back(builder, each, shown, used, wide) for each in node.inputs]
    primitive, parameters = node.operation.primitive, node.operation.parameters
    match primitive.name:
        case "add":
            return m.plus(*operands)
        case "subtract":
            return m.minus(*operands)
        case "negate":
            return m.negative(operands[0])
        case "mul":
            return _multiplied(operands[0], operands[1], wide)
        case "compare":
            said = template("{0} " + _COMPARISONS[parameters["how"]] + " {1}", *operands)
            return m.Fenced("[", said, "]")
        case "convert" | "broadcast":
            return operands[0]
        case "power":
            return m.power(operands[0], m.Digits(str(parameters["exponent"])))
        case "polygamma":
            order = m.Fenced("(", m.Digits(str(parameters["order"])), ")")
            return m.applied(m.Script(m.Letter("ψ"), None, order), operands)
        case _:
            return template(primitive.latex, *operands)


def _multiplied(a: Formula, b: Formula, wide: bool) -> Formula:
    """a b, a number first; of two vectors, a ⊙ b."""
    if a == b:
        return m.power(a, m.Digits("2"))
    if isinstance(b, m.Digits | m.Fraction) and not isinstance(a, m.Digits | m.Fraction):
        a, b = b, a
    number = isinstance(a, m.Digits) or (isinstance(a, m.Fraction) and not m.inside(a.top))
    return m.product(a, b) if number or not wide else m.entrywise(a, b)


def _number(value: float) -> Formula:
    """A constant of a rule: 2, ½, 2/√π and its like by their digits."""
    if value == 0.5:
        return m.Fraction(m.ONE, m.Digits("2"))
    return m.number(float(f"{value:.4g}"))


__all__ = ["Rules", "rank"]
