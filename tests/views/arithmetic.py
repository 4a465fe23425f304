"""What formulas mean, in numpy: a judge of the mathematics that is shown.

It knows nothing of how formulas come about: it reads a tree as a person reads a page, and
does the lines from top to bottom (the lines of a recurrence for every value of its index).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy

from nnfp_kernel.views.mathematics import formula as m
from nnfp_kernel.views.mathematics.latex import to_latex
from nnfp_kernel.views.mathematics.tape import Line

FUNCTIONS = {
    "tanh": numpy.tanh, "sin": numpy.sin, "cos": numpy.cos, "log": numpy.log,
    "σ": lambda x: 1 / (1 + numpy.exp(-x)),
}  # fmt: skip


class Page:
    """Names and what they stand for. An element of a sequence is known by its index."""

    def __init__(self, values: dict[m.Formula, Any]) -> None:
        self.values = {m.Letter("𝟏"): 1.0} | values
        self.elements: dict[m.Formula, dict[int, Any]] = defaultdict(dict)

    # --- lines

    def read(self, lines: Sequence[Line], backwards: bool = False) -> None:
        todo = list(lines)
        while todo:
            range = todo[0].range
            if range is None:
                self.assign(todo.pop(0))
                continue
            group = []
            while todo and todo[0].range == range:
                group.append(todo.pop(0))
            assert isinstance(range, m.Row)
            index, _, first, *_, last = range.items
            low, high = int(self.of(first)), int(self.of(last))
            step = 1 if low <= high else -1
            places = numpy.arange(low, high + step, step)
            for place in places[::-1] if backwards else places:
                self.values[index] = int(place)
                for line in group:
                    self.assign(line)
            self.values["count", index] = numpy.sort(places)

    def assign(self, line: Line) -> None:
        value = self.of(line.right)
        base, place = self._place(line.left)
        if place is None:
            before = self.values.get(base, 0) if line.sign == "+=" else 0
            self.values[base] = before + value
        elif isinstance(place, int):
            before = self.elements[base].get(place, 0) if line.sign == "+=" else 0
            self.elements[base][place] = before + value
        else:
            for k, part in zip(place, value, strict=True):
                self.elements[base][k] = self.elements[base].get(k, 0) + part

    def _place(self, name: m.Formula) -> tuple[m.Formula, Any]:
        """The name without its index, and the index."""
        if name in self.values:
            return name, None
        if isinstance(name, m.Row) and name.items[0] == m.Letter("d"):
            inner, place = self._place(name.items[1])
            return m.differential(inner), place
        if isinstance(name, m.Script) and name.sub is not None and name.sup is None:
            if isinstance(name.sub, m.Row) and m.Sign("…") in name.sub.items:
                first, _, last = name.sub.items
                return name.base, range(int(self.of(first)), int(self.of(last)) + 1)
            return name.base, int(self.of(name.sub))
        return name, None

    def whole(self, name: m.Formula) -> Any:
        """A value, or a sequence put together of its elements."""
        if known := self.elements.get(name):
            return numpy.stack([known[place] for place in sorted(known)])
        return self.of(name)

    # --- formulas

    def of(self, formula: m.Formula) -> Any:
        if formula in self.values:
            return self.values[formula]
        match formula:
            case m.Digits(text=text):
                return float(text)
            case m.Script(base=m.Letter(text="e"), sub=None, sup=sup) if sup is not None:
                return numpy.exp(self.of(sup))
            case m.Fenced(left="[", inside=inside):
                return numpy.asarray(self.of(inside), float)
            case m.Script(base=base, sub=sub, sup=m.Sign(text="⊤")):
                return numpy.transpose(self.of(m.Script(base, sub) if sub else base))
            case m.Script(base=base, sub=sub, sup=sup) if sup is not None:
                return self.of(m.Script(base, sub) if sub else base) ** self.of(sup)
            case m.Fraction(top=top, bottom=bottom):
                return self.of(top) / self.of(bottom)
            case m.Root(inside=inside):
                return numpy.sqrt(self.of(inside))
            case m.Fenced(left="(", inside=inside):
                return self.of(inside)
            case m.Fenced(left="⟨", inside=m.Row(items=(a, _, b))):
                return numpy.vdot(self.of(a), self.of(b))
            case m.Cases(rows=rows):
                for value, said in rows:
                    if said == m.Words("otherwise") or self.of(said):
                        return self.of(value)
                raise AssertionError("no case holds")
            case m.Row(items=(m.Words(), condition)):
                return self.of(condition)
            case m.Row(items=items) if items[0] != m.Letter("d"):
                return self._row(list(items))
            case _:
                base, place = self._place(formula)
                assert place is not None, f"nobody said what {to_latex(formula)} is"
                known = self.elements.get(base) or self.values.get(base)
                if isinstance(known, numpy.ndarray):  # a sequence that was given
                    known = dict(enumerate(known, 1))
                if isinstance(place, range):
                    return numpy.stack([known[k] for k in place])
                return known[place]

    def _row(self, items: list[m.Formula]) -> Any:
        for signs in (("=", ">", "<"), ("+", "−"), ("⊙", "⊗")):
            for k in range(len(items) - 1, 0, -1):
                item = items[k]
                if isinstance(item, m.Sign) and item.text in signs:
                    if any(_sums(each) for each in items[:k]) and signs[0] == "⊙":
                        continue
                    return self._binary(item.text, items[:k], items[k + 1 :])
        if items[0] == m.Sign("¬"):
            return not self._row(items[1:])
        if items[0] == m.Sign("−"):
            return -self._row(items[1:])
        if _sums(items[0]):
            total = 0.0
            index = items[0].sub  # type: ignore[union-attr]
            before = self.values.get(index)
            for place in self.values.get(("count", index), self.values.get("all")):
                self.values[index] = int(place)
                total = total + self._row(items[1:])
            self.values[index] = before
            return total
        return self._product([item for item in items if not isinstance(item, m.Space)])

    def _binary(self, sign: str, left: list[m.Formula], right: list[m.Formula]) -> Any:
        a, b = self._row(left), self._row(right)
        match sign:
            case "+":
                return a + b
            case "−":
                return a - b
            case "⊙":
                return a * b
            case "⊗":
                return numpy.multiply.outer(a, b)
            case ">":
                return a > b
            case _:
                raise AssertionError(f"no arithmetic for {sign}")

    def _product(self, items: list[m.Formula]) -> Any:
        """Factors side by side: the last one first, as a matrix takes a vector."""
        value: Any = None
        while items:
            item = items.pop()
            if items and items[-1] == m.Letter("max"):
                items.pop()
                assert isinstance(item, m.Fenced)
                assert isinstance(item.inside, m.Row)
                first, _, *rest = item.inside.items
                own: Any = numpy.maximum(self.of(first), self._row(rest))
            elif items and isinstance(items[-1], m.Letter) and items[-1].text in FUNCTIONS:
                own = FUNCTIONS[items.pop().text](self.of(item))
            elif item == m.Sign("·"):
                continue
            else:
                own = self.of(item)
            if value is None:
                value = own
            elif numpy.ndim(own) == 2 and numpy.ndim(value) == 0 and value == 0:
                value = numpy.zeros(len(own))  # W 0
            elif numpy.ndim(own) == 0 or numpy.ndim(value) == 0:
                value = own * value
            else:
                value = own @ value
        return value


def _sums(formula: m.Formula) -> bool:
    return isinstance(formula, m.Script) and formula.base == m.Sign("∑")
