"""The functor of a cell, an algebra or a data type: what kind of machine it is.

A cell with weights P is an algebra or a coalgebra in Para (Gavranović et al. 2024,
"Categorical Deep Learning is an Algebraic Theory of All Architectures"): a map
P × F(S) → S or P × S → F(S). Its type tells which functor F that is:

    (s, a) -> s             F(X) = 1 + A × X       folding: an encoding RNN
    s -> (s, b)             F(X) = X × B           unfolding: a generating RNN
    (s, a) -> (s, b)        F(X) = A → X × B       a Mealy machine: an RNN
      … b not looking at a  F(X) = (A → X) × B     a Moore machine
    TreeF a r -> r          F(X) = A + X × X       a TreeNet
    s -> TreeF a s          F(X) = A + X × X       growing a tree

A machine's square says what running it means; it is checked by running it on random
values. `machine` says all this of a name as data, `to_text` as lines, `to_html` as a table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy

from ..graph.values import Declarations
from ..language import types as t
from ..language.diagnostics import NnfpError
from ..language.sizes import constant
from ..runtime.data import DataValue
from .style import coded, escape, page

Run = Callable[[str], Callable[..., Any]]  # an expression of the session as a function
SIZE = 3  # of what a type leaves open, in random values
TRIALS = 5


@dataclass(frozen=True)
class Law:
    """An equation, and how far apart its sides were on random values; None: not run."""

    statement: str
    apart: float | None = None

    @property
    def holds(self) -> bool:
        return self.apart is not None and self.apart < 1e-5


@dataclass(frozen=True)
class Machine:
    """What a name is as an algebra or a coalgebra; of a data type the functor alone."""

    name: str
    type: str
    kind: str
    functor: str
    strength: str
    where: tuple[tuple[str, str], ...] = ()  # what the letters stand for
    structure: str = ""
    square: tuple[str, ...] = ()
    laws: tuple[Law, ...] = ()

    def not_run(self) -> Machine:
        """The same, its laws only stated: random draws make two runs differ."""
        return replace(self, laws=tuple(Law(law.statement) for law in self.laws))


def to_text(machine: Machine) -> str:
    """As lines: the type, what it is, and the parts under each other."""
    lines = [_title(machine), machine.kind]
    for name, said in _rows(machine):
        for k, line in enumerate(said):
            lines.append(f"  {'' if k else name:<9}  {line}")
    return "\n".join(lines)


def to_html(machine: Machine) -> str:
    """The same for a notebook: the parts are a table, formulas in the letters of code."""
    rows = "".join(
        f'<tr><td class="small">{name}</td><td>{"<br>".join(map(coded, said))}</td></tr>'
        for name, said in _rows(machine)
    )
    head = f'<div class="code">{escape(_title(machine))}</div><div>{coded(machine.kind)}</div>'
    return page(f'{head}<table class="rows"><tbody>{rows}</tbody></table>')


def _title(machine: Machine) -> str:
    return f"{machine.name} : {machine.type}" if machine.type else machine.name


def _rows(machine: Machine) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The parts by their names, each a line or a few."""
    where = ", ".join(f"{letter} = {meaning}" for letter, meaning in machine.where)
    parts = (
        ("functor", (machine.functor,)),
        ("where", (where,)),
        ("strength", (machine.strength,)),
        ("structure", (machine.structure,)),
        ("square", machine.square),
        *(("law", (law.statement, _found(law))) for law in machine.laws),
    )
    return ((name, said) for name, said in parts if any(said))


def _found(law: Law) -> str:
    if law.apart is None:
        return "not run: the cell draws, or its sizes are open"
    found = "holds" if law.holds else "fails"
    return f"{found} on random values: the sides are at most {law.apart:.1g} apart"


# --- what a name is ---------------------------------------------------------------------------


def of_data(name: str, declarations: Declarations) -> Machine | None:
    """The functor of a recursive type; None where a type is not recursive."""
    data = declarations.data[name]
    if not data.recursive:
        return None
    whole = t.Named(name, data.parameters)
    functor, value, mapped = _polynomial(whole, declarations)
    base = next((other for other, one in declarations.data.items() if one.base_of == name), None)
    layer = f"; a layer is a {base}" if base else ""
    return Machine(
        name,
        "",
        f"the least fixed point of its functor: trees built from layers{layer}",
        f"F(X) = {functor}",
        f"σ : P × F(X) → F(P × X), (p, {value}) ↦ {mapped}",
        structure=f"in : F({name}) → {name}, the constructors: the initial algebra",
        square=(
            f"cata alg ∘ in = alg ∘ F(cata alg), and only `cata alg` is so: every algebra "
            f"F(S) → S has one map {name} → S",
        ),
    )


def of_function(
    name: str,
    type: t.Type,
    shown: str,
    weights: int | None,
    declarations: Declarations,
    run: Run,
) -> Machine | None:
    """What a function is as a cell; None where its type is that of none.

    `weights` is how many it has, None where that is open.
    """
    if not isinstance(type, t.Function):
        return None
    made = _cell(name, type, declarations, run)
    if made is None:
        return None
    owned = "its weights" if weights is None else f"its {weights} weights"
    letters = (*made.where, ("P", "()" if weights == 0 else owned))
    return replace(made, name=name, type=shown, where=letters)


def _cell(name: str, type: t.Function, declarations: Declarations, run: Run) -> Machine | None:
    match type.domain, type.codomain:
        case t.Product(items=(state, a)), t.Product(items=(after, b)) if state == after:
            return _mealy(name, state, a, b, declarations, run)
        case t.Product(items=(state, a)), after if state == after:
            return _folding(name, state, a, declarations, run)
        case state, t.Product(items=(after, b)) if state == after:
            return _unfolding(name, state, b, declarations, run)
        case t.Named() as layer, result if _base_of(layer, declarations):
            if layer.arguments[-1] == result:
                return _algebra(name, layer, result, declarations, run)
        case state, t.Named() as layer if _base_of(layer, declarations):
            if layer.arguments[-1] == state:
                return _coalgebra(name, layer, state, declarations, run)
        case t.Named() as tree, result if tree.name in declarations.data:
            if declarations.data[tree.name].recursive:
                return _reduced(tree, result, declarations)
        case state, after if state == after:
            return _dynamics(name, state, declarations, run)
    return None


def _mealy(
    name: str, state: t.Type, a: t.Type, b: t.Type, declarations: Declarations, run: Run
) -> Machine:
    moore = True
    try:
        run(f"moore ({name})").sample()  # type: ignore[attr-defined]
    except NnfpError:
        moore = False

    def apart(values: Values) -> float:
        s, xs = values.of(state), values.of(t.Array(a, constant(SIZE)))
        last, outputs = run(f"\\(s, xs) -> mapAccum ({name}) s xs")((s, xs))
        first = run(name)((s, _item(xs, 0)))
        rest = run(f"\\(s, xs) -> mapAccum ({name}) s (drop[1] xs)")((first[0], xs))
        return max(
            _distance(_item(outputs, 0), first[1]),
            _distance(last, rest[0]),
            *(_distance(_item(outputs, k + 1), _item(rest[1], k)) for k in range(SIZE - 1)),
        )

    runs = "moore" if moore else "mealy"
    law = _law(
        f"{runs} {name} s (x, xs) = (b, {runs} {name} s' xs), where (s', b) = {name} (s, x)",
        apart, declarations,
    )  # fmt: skip
    letters = (("A", t.show(a)), ("B", t.show(b)), ("S", t.show(state)))
    if moore:
        return Machine(
            name, "", "a Moore machine: a coalgebra in Para; the output does not look at the input",
            "F(X) = (A → X) × B",
            "σ : P × F(X) → F(P × X), (p, (f, b)) ↦ (a ↦ (p, f a), b)",
            letters, "P × S → F(S), that is P × S × A → S and P × S → B",
            (
                "h : S → S' is a map of machines when b' (h s) = b s and f' (h s) a = h (f s a):",
                f"then moore {name}' (h z) = moore {name} z",
            ),
            (law,),
        )  # fmt: skip
    return Machine(
        name, "", "a Mealy machine: a coalgebra in Para", "F(X) = A → X × B",
        "σ : P × F(X) → F(P × X), (p, f) ↦ (a ↦ ((p, x), b) where (x, b) = f a)",
        letters, "P × S → F(S), that is P × S × A → S × B",
        (
            f"h : S → S' is a map of machines when {name}' (h s, a) = (h s2, b), "
            f"where (s2, b) = {name} (s, a):",
            f"then mealy {name}' (h z) = mealy {name} z",
        ),
        (law,),
    )  # fmt: skip


def _folding(name: str, state: t.Type, a: t.Type, declarations: Declarations, run: Run) -> Machine:
    def apart(values: Values) -> float:
        s, xs = values.of(state), values.of(t.Array(a, constant(SIZE)))
        whole = run(f"\\(s, xs) -> fold ({name}) s xs")((s, xs))
        most = run(f"\\(s, xs) -> fold ({name}) s (take[{SIZE - 1}] xs)")((s, xs))
        return _distance(whole, run(name)((most, _item(xs, SIZE - 1))))

    law = _law(
        f"fold {name} z (xs, x) = {name} (fold {name} z xs, x), and fold {name} z [] = z",
        apart, declarations,
    )  # fmt: skip
    return Machine(
        name, "", "a folding cell: an algebra in Para, with a first state",
        "F(X) = 1 + A × X",
        "σ : P × F(X) → F(P × X), (p, ()) ↦ (), (p, (a, x)) ↦ (a, (p, x))",
        (("A", t.show(a)), ("S", t.show(state))),
        "P × F(S) → S, that is S and P × A × S → S",
        (
            f"h : S → S' is a map of algebras when h ({name} (s, a)) = {name}' (h s, a):",
            f"then h ∘ fold {name} z = fold {name}' (h z)",
        ),
        (law,),
    )  # fmt: skip


def _unfolding(
    name: str, state: t.Type, b: t.Type, declarations: Declarations, run: Run
) -> Machine:
    def apart(values: Values) -> float:
        s = values.of(state)
        whole = run(f"unfold[{SIZE}] ({name})")(s)
        after, first = run(name)(s)
        rest = run(f"unfold[{SIZE - 1}] ({name})")(after)
        return max(
            _distance(_item(whole, 0), first),
            *(_distance(_item(whole, k + 1), _item(rest, k)) for k in range(SIZE - 1)),
        )

    law = _law(
        f"unfold {name} s = (b, unfold {name} s'), where (s', b) = {name} s", apart, declarations
    )
    return Machine(
        name, "", "an unfolding cell: a coalgebra in Para", "F(X) = X × B",
        "σ : P × F(X) → F(P × X), (p, (x, b)) ↦ ((p, x), b)",
        (("B", t.show(b)), ("S", t.show(state))), "P × S → F(S), that is P × S → S × B",
        (
            f"h : S → S' is a map of coalgebras when {name}' (h s) = (h s2, b), "
            f"where (s2, b) = {name} s:",
            f"then unfold {name}' ∘ h = unfold {name}",
        ),
        (law,),
    )  # fmt: skip


def _dynamics(name: str, state: t.Type, declarations: Declarations, run: Run) -> Machine:
    def apart(values: Values) -> float:
        s = values.of(state)
        whole = run(f"iterate[{SIZE}] ({name})")(s)
        return _distance(whole, run(f"iterate[{SIZE - 1}] ({name})")(run(name)(s)))

    law = _law(f"iterate[n+1] {name} = iterate[n] {name} ∘ {name}", apart, declarations)
    return Machine(
        name, "", "a map of a space to itself: a coalgebra of the identity functor",
        "F(X) = X", "σ : P × F(X) → F(P × X), (p, x) ↦ (p, x)", (("S", t.show(state)),),
        "P × S → S",
        (
            f"h : S → S' is a map of coalgebras when h ∘ {name} = {name}' ∘ h:",
            f"then h ∘ iterate {name} = iterate {name}' ∘ h",
        ),
        (law,),
    )  # fmt: skip


def _algebra(
    name: str, layer: t.Named, result: t.Type, declarations: Declarations, run: Run
) -> Machine:
    whole = t.Named(_base_of(layer, declarations), layer.arguments[:-1])
    functor, value, mapped = _polynomial(whole, declarations)
    cata = f"para (mapData snd >> ({name}))"

    def apart(values: Values) -> float:
        node = values.of(whole)

        def reduced(type: t.Type, part: Any) -> Any:
            """A field with results in place of the children."""
            if type == whole:
                return run(cata)(part)
            match type:
                case t.Product(items=items) if t.mentions(type, whole):
                    return tuple(reduced(*pair) for pair in zip(items, part, strict=True))
                case t.Array(element=element) if t.mentions(type, whole):
                    inside = t.replace_type(element, whole, result)
                    if not part:
                        return values.of(t.Array(inside, constant(0)))
                    return _stacked([reduced(element, one) for one in part])
                case _:
                    return part

        types = declarations.constructors(whole)[node.constructor]
        fields = tuple(reduced(*pair) for pair in zip(types, node.fields, strict=True))
        return _distance(run(cata)(node), run(name)(DataValue(f"{node.constructor}F", fields)))

    law = _law(f"cata {name} ∘ in = {name} ∘ F(cata {name})", apart, declarations)
    return Machine(
        name, "", f"an algebra in Para of the functor of {t.show(whole)}: a TreeNet",
        f"F(X) = {functor}", f"σ : P × F(X) → F(P × X), (p, {value}) ↦ {mapped}",
        (("S", t.show(result)),), f"P × F(S) → S; cata {name} = {cata}",
        (
            f"h : S → S' is a map of algebras when h ∘ {name} = {name}' ∘ F(h):",
            f"then h ∘ cata {name} = cata {name}' (fusion)",
        ),
        (law,),
    )  # fmt: skip


def _coalgebra(
    name: str, layer: t.Named, state: t.Type, declarations: Declarations, run: Run
) -> Machine:
    whole = t.Named(_base_of(layer, declarations), layer.arguments[:-1])
    functor, value, mapped = _polynomial(whole, declarations)

    def apart(values: Values) -> float:
        s = values.of(state)
        root = run(name)(s)
        below = run(f"ana[{SIZE - 1}] ({name})")
        constructor = root.constructor.removesuffix("F")
        declared = declarations.constructors(whole)[constructor]

        def grown(type: t.Type, part: Any) -> Any:
            """A field with trees in place of the seeds."""
            if type == whole:
                return below(part)
            match type:
                case t.Product(items=items) if t.mentions(type, whole):
                    return tuple(grown(*pair) for pair in zip(items, part, strict=True))
                case t.Array(element=element) if t.mentions(type, whole):
                    return [grown(element, _item(part, k)) for k in range(_count(part))]
                case _:
                    return part

        fields = tuple(grown(*pair) for pair in zip(declared, root.fields, strict=True))
        return _distance(run(f"ana[{SIZE}] ({name})")(s), DataValue(constructor, fields))

    law = _law(f"out ∘ ana[n+1] {name} = F(ana[n] {name}) ∘ {name}", apart, declarations)
    return Machine(
        name, "", f"a coalgebra in Para of the functor of {t.show(whole)}: it grows trees",
        f"F(X) = {functor}", f"σ : P × F(X) → F(P × X), (p, {value}) ↦ {mapped}",
        (("S", t.show(state)),), "P × S → F(S)",
        (
            f"h : S → S' is a map of coalgebras when {name}' ∘ h = F(h) ∘ {name}:",
            f"then ana {name}' ∘ h = ana {name}",
        ),
        (law,),
    )  # fmt: skip


def _reduced(tree: t.Named, result: t.Type, declarations: Declarations) -> Machine:
    functor, value, mapped = _polynomial(tree, declarations)
    return Machine(
        tree.name, "", f"a function of trees; a `cata` is the one map out of {t.show(tree)} that "
        "its algebra gives",
        f"F(X) = {functor}", f"σ : P × F(X) → F(P × X), (p, {value}) ↦ {mapped}",
        (("S", t.show(result)),), f"in : F({tree.name}) → {tree.name}, the initial algebra",
        ("cata alg ∘ in = alg ∘ F(cata alg)",),
    )  # fmt: skip


# --- functors as text ---------------------------------------------------------------------------


def _base_of(layer: t.Named, declarations: Declarations) -> str:
    data = declarations.data.get(layer.name)
    return data.base_of if data is not None else ""


def _polynomial(whole: t.Named, declarations: Declarations) -> tuple[str, str, str]:
    """The functor of a recursive type as a sum of products; a sample value, and what the
    strength makes of it: (p, Node x y) ↦ Node (p, x) (p, y)."""
    summands = []
    values: list[tuple[str, str]] = []
    for name, fields in declarations.constructors(whole).items():
        summands.append(" × ".join(_field(item, whole) for item in fields) or "1")
        letters = [letter for letter, _ in zip("xyzuvw", fields, strict=False)]
        changed = [
            f"(p, {letter})"
            if item == whole
            else f"[(p, {letter}), …]"
            if whole in _inside(item)
            else letter
            for item, letter in zip(fields, letters, strict=False)
        ]
        inside = " ".join([name, *letters]), " ".join([name, *changed])
        values.append(inside)
    most = max(values, key=lambda pair: pair[1].count("(p, "))
    return " + ".join(summands), f"{most[0]}", most[1]


def _field(type: t.Type, whole: t.Named) -> str:
    """A field as a factor: X for a child, List(X) for a sequence, a capital for payload."""
    if type == whole:
        return "X"
    match type:
        case t.Array(element=element) if whole in _inside(element):
            return f"List({_field(element, whole)})"
        case t.Product(items=items):
            return "(" + " × ".join(_field(item, whole) for item in items) + ")"
        case t.TypeVariable(name=name):
            return name.upper()
        case _:
            return t.show(type)


def _inside(type: t.Type) -> list[t.Type]:
    match type:
        case t.Array(element=element):
            return [type, *_inside(element)]
        case t.Product(items=items):
            return [type, *(part for item in items for part in _inside(item))]
        case _:
            return [type]


# --- laws on random values ------------------------------------------------------------------------


@dataclass
class Values:
    """Random values of types: trees of a few nodes, numbers around 0."""

    declarations: Declarations
    random: numpy.random.Generator

    def of(self, type: t.Type, axes: tuple[int, ...] = (), depth: int = 3) -> Any:
        match type:
            case t.Scalar(name="R") | t.TypeVariable():
                return self.random.normal(size=axes)
            case t.Scalar(name="C"):
                return self.random.normal(size=axes) + 1j * self.random.normal(size=axes)
            case t.Scalar(name="Bool"):
                return self.random.integers(2, size=axes).astype(bool)
            case t.Scalar():
                return self.random.integers(-3, 4, size=axes)
            case t.Fin(size=size):
                return self.random.integers(size.value or 1, size=axes)
            case t.Array(element=element, length=length):
                if self.declarations.has_data(element):
                    count = length.value
                    if count is None:
                        count = int(self.random.integers(3)) if depth > 0 else 0
                    return [self.of(element, depth=depth) for _ in range(count)]
                count = length.value if length.value is not None else SIZE
                return self.of(element, (*axes, int(count)), depth)
            case t.Product(items=items):
                return tuple(self.of(item, axes, depth) for item in items)
            case t.Named(name=name) if name in self.declarations.reps:
                return self.of(self.declarations.reps[name].carrier, axes, depth)
            case t.Named(name=name) if name in self.declarations.data:
                return self._data(type, depth)
            case _:
                raise TypeError(f"no random value of {t.show(type)}")

    def _data(self, type: t.Named, depth: int) -> DataValue:
        constructors = self.declarations.constructors(type)
        ends = [n for n, fields in constructors.items() if type not in fields]
        open_ = list(constructors) if depth > 0 else ends or list(constructors)
        name = open_[int(self.random.integers(len(open_)))]
        return DataValue(name, tuple(self.of(item, (), depth - 1) for item in constructors[name]))


def _law(statement: str, apart: Callable[[Values], float], declarations: Declarations) -> Law:
    """The law run a few times; what cannot be run (a random draw, a type that has no random
    values, sizes that must fit) is said to be so."""
    values = Values(declarations, numpy.random.default_rng(0))
    try:
        return Law(statement, max(apart(values) for _ in range(TRIALS)))
    except (NnfpError, TypeError):
        return Law(statement)


def _stacked(values: list[Any]) -> Any:
    """Values as one array; of products, as a product of arrays."""
    if isinstance(values[0], tuple):
        return tuple(_stacked(list(parts)) for parts in zip(*values, strict=True))
    return numpy.stack(values)


def _count(value: Any) -> int:
    return _count(value[0]) if isinstance(value, tuple) else len(value)


def _item(value: Any, k: int) -> Any:
    if isinstance(value, tuple):
        return tuple(_item(part, k) for part in value)
    return value[k]


def _distance(one: Any, other: Any) -> float:
    """How far apart two values are, relative to them where they are large; infinite where
    they differ in shape."""
    if isinstance(one, DataValue):
        if not isinstance(other, DataValue) or one.constructor != other.constructor:
            return float("inf")
        one, other = one.fields, other.fields
    if isinstance(one, tuple | list):
        if len(one) != len(other):
            return float("inf")
        return max((_distance(a, b) for a, b in zip(one, other, strict=True)), default=0.0)
    a, b = numpy.asarray(one), numpy.asarray(other)
    if a.shape != b.shape:
        return float("inf")
    if a.dtype.kind in "bi":
        return 0.0 if numpy.array_equal(a, b) else float("inf")
    return float(numpy.max(numpy.abs(a - b) / (1 + numpy.abs(a)), initial=0.0))
