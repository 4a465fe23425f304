"""What formulas on trees mean: lines with a constructor are done at every node.

`y_{Node l r} = …` from the leaves to the root, its cotangents from the root to the leaves;
`s_l = …` where v = Node l r makes the tree: the first condition that holds says its form.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from nnfp_kernel.views.mathematics import formula as m
from nnfp_kernel.views.mathematics.tape import Line

from .arithmetic import Page, grouped, split


class Node:
    """A node; what lines say of its fields is its own: da, ā."""

    def __init__(self, constructor: str = "", *fields: Any) -> None:
        self.constructor = constructor
        self.fields = list(fields)
        self.own: dict[m.Formula, Any] = {}
        self.patterns: list[m.Formula] = []  # as it was grown
        self.cut = False  # where a tree may grow no deeper

    @property
    def children(self) -> list[Node]:
        return [field for field in self.fields if isinstance(field, Node)]

    def upwards(self) -> Iterator[Node]:
        for child in self.children:
            yield from child.upwards()
        yield self

    def downwards(self) -> Iterator[Node]:
        yield self
        for child in self.children:
            yield from child.downwards()


class Grove(Page):
    """A page that knows of trees: `constructors` are what a pattern begins with, those
    without children first among those that end a tree."""

    def __init__(self, values: dict[m.Formula, Any], constructors: Sequence[str]) -> None:
        super().__init__(values)
        self.constructors = constructors
        self.at: Node | None = None
        self.here: set[m.Formula] = set()  # what is said of single nodes
        self.depth = 0
        self.letter: m.Formula | None = None  # of a node of a tree that grows

    def read(self, lines: Sequence[Line], backwards: bool = False) -> None:
        for line in lines:
            if isinstance(line.range, m.Row) and m.Words("deep") in line.range.items:
                self.values.setdefault(line.range.items[0], Node())
        todo: list[Line] = []
        kind = None
        for line in lines:
            own = self._kind(line)
            if own != kind:
                self._done(kind, todo, backwards)
                todo, kind = [], own
            todo.append(line)
        self._done(kind, todo, backwards)

    def _kind(self, line: Line) -> str:
        if isinstance(line.range, m.Row) and m.Words("deep") in line.range.items:
            return "root"
        if isinstance(line.range, m.Row) and line.range.items[1] in (m.Sign("="), m.Sign("∈")):
            second = line.range.items[2]
            if self._is_pattern(second) or isinstance(self.values.get(second), Node):
                return "growth"
        inside = [line.left, *m.inside(line.left), *m.inside(line.right)]
        sums = [f for f in inside if isinstance(f, m.Script) and f.base == m.SUMMED]
        if any(f.sub is not None and self._is_pattern(f.sub) for f in sums):
            return ""
        return "nodes" if any(map(self._is_pattern, inside)) else ""

    def _is_pattern(self, formula: m.Formula) -> bool:
        first = formula.items[0] if isinstance(formula, m.Row) else formula
        return isinstance(first, m.Letter) and first.text in self.constructors

    def _done(self, kind: str | None, lines: list[Line], backwards: bool) -> None:
        if not lines:
            return
        if kind == "root":
            for line in lines:
                assert isinstance(line.range, m.Row)
                self.depth = int(self.of(line.range.items[2]))
                self.assign(line)
        elif kind == "growth":
            self._growth(lines, backwards)
        elif kind == "nodes":
            for root in self._roots():
                for node in root.downwards() if backwards else root.upwards():
                    for range, group in grouped(lines):
                        pattern = self._pattern(group[0])
                        if self._name(pattern) != node.constructor:
                            continue
                        self._bind(node, pattern)
                        if range is None:
                            for line in group:
                                self._at_node(node, line)
                        else:
                            self.repeated(range, group, backwards)
            self.at = None
        else:
            super().read(lines, backwards)

    def _at_node(self, node: Node, line: Line) -> None:
        pattern = self._pattern(line)
        if self._name(pattern) == node.constructor:
            self._bind(node, pattern)
            self.assign(line)

    def _roots(self) -> list[Node]:
        trees = {id(v): v for v in self.values.values() if isinstance(v, Node)}
        below = {id(n) for tree in trees.values() for n in tree.downwards() if n is not tree}
        return [tree for key, tree in trees.items() if key not in below]

    def _pattern(self, line: Line) -> m.Formula:
        inside = [*m.inside(line.left), *m.inside(line.right)]
        rows = [f for f in inside if isinstance(f, m.Row) and self._is_pattern(f)]
        return rows[0] if rows else next(filter(self._is_pattern, inside))

    @staticmethod
    def _name(pattern: m.Formula) -> str:
        first = pattern.items[0] if isinstance(pattern, m.Row) else pattern
        assert isinstance(first, m.Letter)
        return first.text

    @staticmethod
    def _letters(pattern: m.Formula) -> list[m.Formula]:
        rest = pattern.items[1:] if isinstance(pattern, m.Row) else ()
        return [item for item in rest if not isinstance(item, m.Space)]

    def _bind(self, node: Node, pattern: m.Formula) -> None:
        """The names of a pattern at a node, and what is said of it alone."""
        for name in self.here:
            self.values.pop(name, None)
        self.at = node
        self.values[pattern] = node
        if self.letter is not None:
            self.values[self.letter] = node
        for letter, field in zip(self._letters(pattern), node.fields, strict=True):
            self.values[letter] = field
            self.here.add(letter)
            if isinstance(field, Node):
                self.values[m.differential(letter)] = field
        self.values |= node.own
        self.here |= set(node.own)

    def give(self, name: m.Formula, value: Any, added: bool = False) -> None:
        base, places = self.place(name)
        if self.at is None or places is not None:
            super().give(name, value, added)
            return
        self.at.own[base] = value + (self.at.own.get(base, 0) if added else 0)
        self.values[base] = self.at.own[base]
        self.here.add(base)

    def _sum(self, sign: m.Formula, items: list[m.Formula]) -> Any:
        """∑ over the nodes of a form, or over all."""
        below = sign.sub if isinstance(sign, m.Script) else None
        if below is None or not (self._is_pattern(below) or below == self.letter):
            return super()._sum(sign, items)
        total: Any = 0.0
        for root in self._roots():
            for node in root.downwards():
                if node.cut or (below != self.letter and node.constructor != self._name(below)):
                    continue
                self._bind(node, node.patterns[0] if below == self.letter else below)
                total = total + self._row(items)
        self.at = None
        return total

    # --- trees that grow

    def _growth(self, lines: list[Line], backwards: bool) -> None:
        groups = list(grouped(lines))
        first = groups[0][0]
        assert isinstance(first, m.Row)
        v = self.letter = first.items[0]
        root = next(root for root in self._roots())
        if not root.constructor:
            self._grow(root, v, groups, 0)
            self.at = None
            return
        for node in root.upwards() if backwards else root.downwards():
            self.values[v] = node
            for range, group in groups:
                assert isinstance(range, m.Row)
                pattern = range.items[2]
                if range.items[1] == m.Sign("∈"):
                    self._everywhere(node, group)
                    continue
                if self._name(pattern) != node.constructor:
                    continue
                if node.cut:
                    for letter in self._letters(pattern):
                        node.own[m.differential(letter)] = 0.0
                    for line in group:
                        if backwards:
                            super().give(line.left, 0.0)
                    continue
                self._bind(node, pattern)
                for line in group:
                    self.assign(line)
        self.at = None

    def _grow(self, node: Node, v: m.Formula, groups: list[Any], depth: int) -> None:
        self.values[v] = node
        forms = [each for each in groups if each[0].items[1] != m.Sign("∈")]
        for each, group in groups:
            if each.items[1] == m.Sign("∈"):
                self._everywhere(node, group)
        range, group = next(each for each in forms if self._holds(each[0]))
        pattern = range.items[2]
        node.constructor = self._name(pattern)
        if depth == self.depth:
            ending = next(r for r, _ in forms if self._name(r.items[2]) == self.constructors[0])
            node.constructor, node.cut = self.constructors[0], True
            node.fields = [0.0 for _ in self._letters(ending.items[2])]
            return
        node.patterns = [pattern]
        made = {line.left for line in group}
        node.fields = [
            None if letter in made else Node() for letter in self._letters(pattern)
        ]  # fmt: skip
        self._bind(node, pattern)
        for line in group:
            self.values.pop(line.left, None)
            self.assign(line)
        node.fields = [
            node.own[letter] if field is None else field
            for letter, field in zip(self._letters(pattern), node.fields, strict=True)
        ]
        for child in node.children:
            self.at = None
            self._grow(child, v, groups, depth + 1)

    def _everywhere(self, node: Node, group: list[Line]) -> None:
        """Lines for a node of whatever form; what its form names is bound."""
        for pattern in node.patterns:
            self._bind(node, pattern)
        self.at = None
        for line in group:
            if node.cut:
                super().give(line.left, 0.0)
            else:
                self.assign(line)

    def _holds(self, range: m.Row) -> bool:
        said = range.items[-1]
        return said == m.Words("otherwise") or bool(self.of(said))


class Forest(Page):
    """A page on which constructors stand in formulas: y = Node(Leaf(x), t), and
    Node(l, r) = t says what l and r are. A field is known by its place: ȳ₂ is the second."""

    def __init__(self, values: dict[m.Formula, Any], constructors: Sequence[str]) -> None:
        super().__init__(values)
        self.constructors = constructors

    def repeated(self, range: m.Formula, group: Sequence[Line], backwards: bool) -> None:
        """Lines said `if t = Leaf(a)`."""
        assert isinstance(range, m.Row)
        assert range.items[0] == m.Words("if ")
        if self.of(range.items[1]):
            for line in group:
                self.assign(line)

    def assign(self, line: Line) -> None:
        if self._parts(line.left) is None:
            super().assign(line)
        else:
            assert self.matched(self.of(line.right), line.left), "a form that it has not"

    def of(self, formula: m.Formula) -> Any:
        made = self._parts(formula)
        if made is not None:
            return Planted(made[0], [self.of(part) for part in made[1]])
        match formula:  # [Rose(x, []), t]; with one thing in it, it may be a condition
            case m.Fenced(left="[", inside=m.Row(items=())):
                return []
            case m.Fenced(left="[", inside=m.Row(items=items)) if m.Sign(",") in items:
                return [self.of(part) for part in split(formula.inside)]
        if isinstance(formula, m.Row) and len(formula.items) == 3:
            value, sign, pattern = formula.items
            if self._parts(pattern) is not None and sign in (m.Sign("="), m.Sign("≠")):
                return self.matched(self.of(value), pattern) == (sign == m.Sign("="))
        return super().of(formula)

    def _row(self, items: list[m.Formula]) -> Any:
        for sign in ("∧", "=", "≠"):
            if m.Sign(sign) in items and (sign == "∧" or self._parts(items[-1]) is not None):
                k = items.index(m.Sign(sign))
                if sign == "∧":
                    return self._row(items[:k]) and self._row(items[k + 1 :])
                return self.of(m.Row(tuple(items), m.RELATION))
        return super()._row(items)

    def matched(self, value: Any, pattern: m.Formula) -> bool:
        """Whether a value has the form of a pattern, whose names then stand for its parts."""
        made = self._parts(pattern)
        if made is None:
            if pattern != m.Sign("·"):
                self.values[pattern] = value
            return True
        same = value.name == made[0]
        pairs = zip(value.fields, made[1], strict=True) if same else ()
        return same and all(self.matched(*each) for each in pairs)

    def _parts(self, formula: m.Formula) -> tuple[str, list[m.Formula]] | None:
        match formula:
            case m.Row(items=(m.Letter(text=name), m.Fenced(left="(", inside=inside))):
                return (name, _between_commas(inside)) if name in self.constructors else None
            case m.Letter(text=name) if name in self.constructors:
                return name, []
        return None

    def entry(self, array: Any, places: tuple[Any, ...], padded: bool) -> Any:
        while places and isinstance(array, Planted | list):
            k, *places = places  # type: ignore[assignment]
            if isinstance(array, Planted) and k > len(array.fields):
                return 0.0  # of another form: beside it stands [c > 0], which is 0
            array = array.fields[k - 1] if isinstance(array, Planted) else array[k]
        return array if isinstance(array, Planted | float) else super().entry(array, places, padded)


class Planted:
    """A value of a constructor in a formula; what is 0 has whatever form it is added to."""

    def __init__(self, name: str, fields: list[Any]) -> None:
        self.name, self.fields = name, fields

    def __add__(self, other: Any) -> Any:
        if not isinstance(other, Planted):
            assert other == 0
            return self
        return Planted(
            self.name, [a + b for a, b in zip(self.fields, other.fields, strict=True)]
        )  # fmt: skip

    __radd__ = __add__

    def __rmul__(self, factor: Any) -> Any:
        return Planted(self.name, [factor * field for field in self.fields])

    @property
    def leaves(self) -> list[float]:
        found: list[float] = []
        todo = [*self.fields]
        while todo:
            field = todo.pop(0)
            if isinstance(field, list | Planted):
                todo[:0] = field if isinstance(field, list) else field.fields
            else:
                found.append(float(field))
        return found


def _between_commas(formula: m.Formula) -> list[m.Formula]:
    """The fields: a row of one is that one."""
    fields = split(formula)
    only = fields[0]
    return [only.items[0]] if isinstance(only, m.Row) and len(only.items) == 1 else fields
