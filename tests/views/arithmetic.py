"""What formulas mean, in numpy: a judge of the mathematics that is shown.

It knows nothing of how formulas come about: it reads a tree of signs as a person reads a
page, and does the lines from top to bottom. Lines that are said for the values of an index
are done for every value; those of an equation until it holds; those with a constructor,
`y_{Node l r} = …`, at every node of a tree (trees.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product as every
from typing import Any

import numpy
import scipy.linalg

from nnfp_kernel.views.mathematics import formula as m
from nnfp_kernel.views.mathematics.latex import to_latex
from nnfp_kernel.views.mathematics.tape import Line


def _qr(a: Any) -> tuple[Any, ...]:
    q, r = numpy.linalg.qr(a)
    signs = numpy.diagonal(r) / abs(numpy.diagonal(r))
    return q * signs, signs.conj()[:, None] * r


def _lead(columns: Any) -> Any:
    """1 at the first entry of every column that is not small, 0 elsewhere."""
    large = abs(columns) >= abs(columns).max(0) * 0.125**0.5
    return 1.0 * (numpy.arange(len(columns))[:, None] == large.argmax(0))


def _signs(columns: Any) -> Any:
    """What makes the leading entry of every column real and above 0."""
    leading = (_lead(columns) * columns).sum(0)
    return leading.conj() / abs(leading)


def _eigh(a: Any) -> tuple[Any, ...]:
    values, vectors = numpy.linalg.eigh((a + a.conj().T) / 2)
    return values, vectors * _signs(vectors)


def _eig(a: Any) -> tuple[Any, ...]:
    values, vectors = numpy.linalg.eig(a + 0j)
    order = numpy.lexsort((values.imag, values.real))
    vectors = vectors[:, order]
    return values[order], vectors * _signs(vectors)


def _svd(a: Any) -> tuple[Any, ...]:
    u, s, vh = numpy.linalg.svd(a, full_matrices=False)
    signs = _signs(u)
    return u * signs, s, signs.conj()[:, None] * vh


def _bands(a: Any, low: int, high: int) -> Any:
    """Diagonal k of a matrix at k + low: the entry of row i in row i."""
    wide = numpy.pad(a, ((0, 0), (low, high)))
    return numpy.stack([wide[i, i : i + low + high + 1] for i in range(len(a))])


def _banded(b: Any, low: int, high: int) -> Any:
    """What has these diagonals, and zeros elsewhere."""
    wide = numpy.zeros((len(b), len(b) + low + high))
    for i, row in enumerate(b):
        wide[i, i : i + low + high + 1] = row
    return wide[:, low : low + len(b)]


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "tanh": numpy.tanh, "sin": numpy.sin, "cos": numpy.cos, "log": numpy.log,
    "σ": lambda x: 1 / (1 + numpy.exp(-x)), "max": lambda a: numpy.max(a, 0),
    "min": lambda a: numpy.min(a, 0),
    "expm": scipy.linalg.expm, "logm": scipy.linalg.logm, "sqrtm": scipy.linalg.sqrtm,
    "chol": lambda a: numpy.linalg.cholesky((a + a.conj().T) / 2), "lead": _lead, "qr": _qr, "eigh": _eigh, "eig": _eig, "svd": _svd,
    "tr": numpy.trace, "det": numpy.linalg.det,
    "diag": lambda a: numpy.diag(a), "sym": lambda a: (a + a.conj().T) / 2,
    "Re": numpy.real, "Im": numpy.imag, "exp": numpy.exp, "argmax": numpy.argmax,
    "matrix": lambda a: a, "realMatrix": lambda a: a, "λ": numpy.linalg.eigvalsh,
    "spec": lambda a: numpy.sort_complex(numpy.linalg.eigvals(a)), "reverse": lambda a: a[::-1], "flatten": numpy.ravel, "concat": numpy.concatenate,
}  # fmt: skip
SIZED: dict[str, Callable[..., Any]] = {  # take_2(x)
    "take": lambda a, k: a[:k], "drop": lambda a, k: a[k:],
    "split": lambda a, k: a.reshape(-1, k, *a.shape[1:]),
    "reshape": lambda a, *sizes: a.reshape(sizes),
    "replicate": lambda a, n: numpy.stack([a] * n),
    "shift": lambda a, k: numpy.concatenate([0 * a[:k], a[:-k]]),
    "bands": lambda a, low, high: _bands(a, low, high),
    "bands†": lambda b, low, high: _banded(b, low, high),
    "topK": lambda a, k: (-numpy.sort(-a)[:k], numpy.argsort(-a)[:k]),
}  # fmt: skip
RELATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": numpy.equal, "≠": numpy.not_equal, "<": numpy.less, ">": numpy.greater,
    "≤": numpy.less_equal, "≥": numpy.greater_equal,
}  # fmt: skip
ROUNDS = 400  # of an equation: enough for a step that shrinks


class Page:
    """Names and what they stand for. An element of a sequence is known by its place."""

    def __init__(self, values: dict[m.Formula, Any]) -> None:
        self.values: dict[Any, Any] = {m.ONES: 1.0, m.Letter("∞"): numpy.inf} | values
        self.elements: dict[m.Formula, dict[Any, Any]] = defaultdict(dict)
        self.padded: set[m.Formula] = set()
        # Definitions that stay names: the value, D f at a tangent, its adjoint at a cotangent.
        self.named: dict[m.Formula, tuple[Any, Any, Any]] = {}

    # --- lines

    def read(self, lines: Sequence[Line], backwards: bool = False) -> None:
        for range, group in grouped(lines):
            if range is None:
                for line in group:
                    self.assign(line)
            else:
                self.repeated(range, group, backwards)

    def repeated(self, range: m.Formula, group: Sequence[Line], backwards: bool) -> None:
        """The lines for every value of the index, or values of the indices, of a range."""
        assert isinstance(range, m.Row)
        items = list(range.items)
        if m.Words(" outside") in _atoms(range):
            note = items.pop()
            items = items[:-2]
            assert isinstance(note, m.Row)
            equations = [
                f for f in m.inside(note) if isinstance(f, m.Row) and f.items[-1] == m.ZERO
            ]
            self.padded |= {each.items[0] for each in equations}
        if m.Words(" while ") in items:
            self.while_it_holds(items, group, backwards)
            return
        letters, ends = self.ends(items)
        steps = [1 if low <= high else -1 for low, high in ends]
        nothing = (0, -1)  # i = 0, …, n - 1 of an n that is 0
        spans = [
            [*numpy.arange(low, high + step, step)]
            if (low <= high or len(ends) == 1) and (low, high) != nothing
            else []
            for (low, high), step in zip(ends, steps, strict=True)
        ]
        for letter, span in zip(letters, spans, strict=True):
            self.values["count", letter] = sorted(span)
        for places in every(*(span[::-1] if backwards else span for span in spans)):
            self.values |= {i: int(k) for i, k in zip(letters, places, strict=True)}
            Page.read(self, group, backwards)

    def ends(self, items: list[m.Formula]) -> tuple[list[m.Formula], list[tuple[int, int]]]:
        """The indices of a range, and the first and the last value of each."""
        if items[1] == m.Sign("∈"):  # the places of what is in a tree, from left to right
            return [items[0]], [(0, len(self.values[items[2]]) - 1)]
        letters: list[m.Formula] = []
        ends = []
        if isinstance(items[0], m.Row) and m.Sign("=") in items[0].items:
            parts = [list(part.items) for part in items if isinstance(part, m.Row)]
        else:
            parts = [items]
        for own, _, first, *rest in parts:
            together = list(own.items[::2]) if isinstance(own, m.Row) else [own]
            letters += together
            ends += [(int(self.of(first)), int(self.of(rest[-1])))] * len(together)
        return letters, ends

    def while_it_holds(self, items: list[m.Formula], group: Sequence[Line], back: bool) -> None:
        """t = 0, …, T - 1 while …, T ≤ n: the first reading finds T."""
        t = items[0]
        assert isinstance(items[6], m.Row)
        last = items[6].items[0]
        place = items.index(m.Words(" while "))
        holds, *bound = items[place + 1 :]
        most = self.of(bound[-1]) if bound else 10_000
        if last in self.values:
            span = [*range(self.values[last])]
            for k in span[::-1] if back else span:
                self.values[t] = k
                Page.read(self, group, back)
            return
        self.values[t] = 0
        while self.values[t] < most and self.of(holds):
            Page.read(self, group, back)
            self.values[t] += 1
        self.values[last] = self.values[t]
        self.values["count", t] = [*range(self.values[t])]

    def assign(self, line: Line) -> None:
        left = line.left
        if isinstance(left, m.Fenced):
            for name, part in zip(split(left.inside), self.of(line.right), strict=True):
                self.give(name, part)
            return
        if line.sign == "=" and left in m.inside(line.right):  # an equation
            self.values[left] = 0.0
            for _ in range(ROUNDS):
                self.values[left] = self.of(line.right)
            return
        self.give(left, self.of(line.right), line.sign == "+=")

    def give(self, name: m.Formula, value: Any, added: bool = False) -> None:
        base, places = self.place(name)
        if places is None:
            self.values[base] = value + (self.values.get(base, 0) if added else 0)
        elif not any(isinstance(place, list) for place in places):
            before = self.elements[base].get(places, 0) if added else 0
            self.elements[base][places] = before + value
        else:
            spans = [place if isinstance(place, list) else [place] for place in places]
            for key, part in zip(every(*spans), _entries(value, spans), strict=True):
                self.elements[base][key] = self.elements[base].get(key, 0) + part

    def place(self, name: m.Formula) -> tuple[m.Formula, tuple[Any, ...] | None]:
        """The name without its indices, and their values: a list is a window."""
        if name in self.values:
            return name, None
        if isinstance(name, m.Row) and name.items[0] == m.Letter("d"):
            inner, places = self.place(name.items[1])
            return m.differential(inner), places
        if isinstance(name, m.Script) and name.sub is not None and name.sup is None:
            parts = split(name.sub)
            numbered = m.Script(name.base, parts[0])
            if len(parts) > 1 and numbered in self.values:  # the entry of x₁ at i
                return numbered, tuple(map(self.index, parts[1:]))
            return name.base, tuple(map(self.index, parts))
        return name, None

    def index(self, sub: m.Formula) -> Any:
        if sub in self.values:
            value = self.values[sub]
            if isinstance(value, numpy.ndarray) and value.ndim == 1:  # several places
                return [int(each) for each in value]
            return int(value) if isinstance(value, int | float | numpy.integer) else value
        if isinstance(sub, m.Row) and m.Sign("…") in sub.items:
            named = [int(self.of(each)) for each in sub.items if not isinstance(each, m.Sign)]
            step = named[1] - named[0] if len(named) > 2 else 1
            return [*range(named[0], named[-1] + 1, step)]
        return int(self.of(sub))

    def whole(self, name: m.Formula, shape: tuple[int, ...] = ()) -> Any:
        """A value, or an array put together of its elements: those within the shape."""
        known = self.elements.get(name)
        if not known or name in self.values:
            return self.of(name)
        axes = range(len(next(iter(known))))
        low = 0 if shape else min(min(key) for key in known)
        ends = shape[: len(axes)] or [max(key[k] for key in known) + 1 for k in axes]
        keys = every(*(range(low, end) for end in ends))
        entries = [known.get(key, 0) for key in keys]
        made = numpy.stack(numpy.broadcast_arrays(*entries))
        return made.reshape(*(end - low for end in ends), *made.shape[1:])

    # --- formulas

    def of(self, formula: m.Formula) -> Any:
        if formula in self.values:
            return self.values[formula]
        match formula:
            case m.Digits(text=text):
                return float(text)
            case m.Script(base=m.Letter(text="e"), sub=None, sup=sup) if sup is not None:
                return numpy.exp(self.of(sup))
            case m.Script(base=m.Letter(text="𝟎"), sub=sub) if sub is not None:
                return numpy.zeros([self.index(size) for size in split(sub)])
            case m.Fenced(left="[", inside=m.Row(items=items)) if m.Sign(",") in items:
                return numpy.stack([self.of(item) for item in items[::2]])
            case m.Fenced(left="[", inside=inside):
                return numpy.asarray(self.of(inside), float)
            case m.Fenced(left="|", inside=inside):
                return abs(self.of(inside))
            case m.Script(base=m.Fenced(left="‖", inside=inside), sub=m.Digits("2"), sup=None):
                return numpy.linalg.norm(self.of(inside), 2)
            case m.Fenced(left="‖", inside=m.Fenced(inside=inside)):  # of several arrays
                return numpy.linalg.norm([numpy.linalg.norm(self.of(f)) for f in split(inside)])
            case m.Fenced(left="‖", inside=inside):
                return numpy.linalg.norm(self.of(inside))
            case m.Script(base=base, sub=sub, sup=sup) if sup is not None:
                return self.raised(self.of(m.Script(base, sub) if sub else base), sup)
            case m.Fraction(top=top, bottom=bottom):
                return self.of(top) / self.of(bottom)
            case m.Root(inside=inside):
                return numpy.sqrt(self.of(inside))
            case m.Fenced(left="(", inside=inside):
                return self.of(inside)
            case m.Fenced(left="⌊", inside=inside):
                return numpy.floor(self.of(inside))
            case m.Fenced(left="⌈", inside=inside):
                return numpy.ceil(self.of(inside))
            case m.Fenced(left="⟨", inside=m.Row(items=(a, _, b))):
                return numpy.vdot(self.of(a), self.of(b)).real
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
                return self.element(formula)

    def raised(self, value: Any, sup: m.Formula) -> Any:
        """What stands above: a transpose, a conjugate, an inverse; else a power."""
        marks = {m.Sign("⊤"): numpy.transpose, m.Sign("*"): numpy.conj}
        if sup in marks:
            return marks[sup](value)
        if sup in (m.Sign("H"), m.Sign("†")):
            return numpy.conj(numpy.transpose(value))
        if isinstance(sup, m.Row) and sup.items[0] == m.Sign("−") and numpy.ndim(value) == 2:
            inverse = numpy.linalg.inv(value)
            return inverse if sup.items[1] == m.ONE else self.raised(inverse, sup.items[1])
        if sup == m.Sign("+"):
            return numpy.where(value == 0, 0, 1 / numpy.where(value == 0, 1, value))
        return value ** self.of(sup)

    def element(self, formula: m.Formula) -> Any:
        base, places = self.place(formula)
        if places is None and base in self.elements:
            return self.whole(base)
        assert places is not None, f"nobody said what {to_latex(formula)} is"
        known = self.elements.get(base)
        if not known:
            inner = base.items[1] if isinstance(base, m.Row) else base
            return self.entry(self.of(base), places, inner in self.padded)
        for count in range(len(places), 0, -1):  # h_{i,j} at k, l, where h_{i,j} is known
            own = places[:count]
            if any(isinstance(place, list) for place in own):
                spans = [place if isinstance(place, list) else [place] for place in own]
                parts = [known[key] for key in every(*spans)]
                shape = [len(place) for place in own if isinstance(place, list)]
                array = numpy.stack(parts)
                return self.entry(array.reshape(*shape, *array.shape[1:]), places[count:], False)
            if own in known:
                return self.entry(known[own], places[count:], False)
            below = [key for key in known if key[:count] == own]
            if below and count == len(places):  # F_i, where F_{i,j,k} is known
                keys = sorted(below)
                sizes = [len({key[k] for key in keys}) for k in range(count, len(keys[0]))]
                array = numpy.stack([known[key] for key in keys])
                return array.reshape(*sizes, *array.shape[1:])
        raise IndexError(f"{to_latex(formula)} at {places}")

    def entry(self, array: Any, places: tuple[Any, ...], padded: bool) -> Any:
        """Of an array, counted from 0; of what is padded, 0 outside; of c 𝟏, c."""
        if numpy.ndim(array) == 0:
            return array
        for axis, place in reversed([*enumerate(places)]):
            size = numpy.shape(array)[axis]
            if not isinstance(place, list):
                if not 0 <= place < size:
                    if not padded:
                        raise IndexError(place)
                    array = 0 * numpy.take(array, 0, axis)
                    continue
                array = numpy.take(array, place, axis)
                continue
            if not padded and not all(0 <= k < size for k in place):
                raise IndexError(place)
            inside = numpy.take(array, [min(max(k, 0), size - 1) for k in place], axis)
            kept = numpy.array([1.0 if 0 <= k < size else 0.0 for k in place])
            array = inside * kept.reshape(-1, *[1] * (inside.ndim - axis - 1))
        return array

    def _row(self, items: list[m.Formula]) -> Any:
        if isinstance(items[0], m.Script) and items[0].base == m.Sign("∫"):
            return self._integral(items[0], items[1:])
        for signs in ("".join(RELATIONS), "∧", "+−⧺", "⊕", "⊙⊗", "∘"):
            for k in range(len(items) - 1, 0, -1):
                item = items[k]
                if isinstance(item, m.Sign) and item.text in signs and items[k - 1] != item:
                    if signs == "⊙⊗" and any(_big(each) for each in items[:k]):
                        continue
                    return self._binary(item.text, items[:k], items[k + 1 :])
        if items[0] == m.Sign("¬"):
            return not self._row(items[1:])
        if items[0] == m.Sign("−"):
            return -self._row(items[1:])
        if _big(items[0]):
            return self._sum(items[0], items[1:])
        if items[0] == m.Sign("∏"):
            return numpy.prod(self._row(items[1:]), 0)
        if isinstance(items[0], m.Script) and items[0].base == m.Sign("∏"):
            return self._product_of_others(items[0], items[1:])
        if isinstance(items[0], m.Letter) and items[0].text in FUNCTIONS and _big(items[1]):
            return FUNCTIONS[items[0].text](self._row(items[1:]))
        items = [item for item in items if not isinstance(item, m.Space)]
        for k, item in enumerate(items):
            if _big(item):  # s ∑_i x_i
                factor, total = self._product(items[:k]), self._row(items[k:])
                plain = numpy.ndim(factor) == 0 or numpy.ndim(total) == 0
                return factor * total if plain else factor @ total
        return self._product(items)

    def _sum(self, sign: m.Formula, items: list[m.Formula]) -> Any:
        """∑ over all entries, over the values of indices, or as far as there are entries."""
        if sign == m.SUMMED:
            return numpy.sum(self._row(items), 0)
        assert isinstance(sign, m.Script)
        assert sign.sub is not None
        if sign.sup is not None:  # ∑_{j = 0}^{2}
            assert isinstance(sign.sub, m.Row)
            letter, first = sign.sub.items[0], sign.sub.items[-1]
            before, bounded = self.values.get(letter), 0.0
            for k in range(int(self.of(first)), int(self.of(sign.sup)) + 1):
                self.values[letter] = k
                bounded = bounded + self._row(items)
            self.values[letter] = before
            return bounded
        indices = split(sign.sub)
        kept = {index: self.values.get(index) for index in indices}
        total: Any = 0.0
        if all(("count", index) in self.values for index in indices):
            for places in every(*(self.values["count", index] for index in indices)):
                self.values |= {i: int(k) for i, k in zip(indices, places, strict=True)}
                total = total + self._row(items)
        else:
            (index,) = indices
            self.values[index] = 0
            total = self._row(items)  # there is one: else the sum around has come to its end
            try:
                while True:
                    self.values[index] += 1
                    total = total + self._row(items)
            except IndexError:
                pass
        for index, before in kept.items():
            self.values.pop(index)
            if before is not None:
                self.values[index] = before
        return total

    def _product_of_others(self, sign: m.Script, items: list[m.Formula]) -> Any:
        """∏ over all values of an index but one, as far as there are entries."""
        assert isinstance(sign.sub, m.Row)
        index, _, but = sign.sub.items
        total: Any = 1.0
        self.values[index] = 0
        try:
            while True:
                entry = self._row(items)
                total = total * (1.0 if self.values[index] == self.of(but) else entry)
                self.values[index] += 1
        except IndexError:
            del self.values[index]
            return total

    def _integral(self, sign: m.Script, items: list[m.Formula]) -> Any:
        """By Gauss and Legendre; up to ∞ with τ = u / (1 - u)."""
        assert isinstance(items[-1], m.Row)
        letter = items[-1].items[1]
        nodes, weights = numpy.polynomial.legendre.leggauss(80)
        total: Any = 0.0
        assert sign.sup is not None
        for u, weight in zip((1 + nodes) / 2, weights / 2, strict=True):
            far = self.of(sign.sup) == numpy.inf
            self.values[letter] = u / (1 - u) if far else u
            total = total + weight * (1 / (1 - u) ** 2 if far else 1) * self._row(items[:-1])
        del self.values[letter]
        return total

    def _binary(self, sign: str, left: list[m.Formula], right: list[m.Formula]) -> Any:
        a, b = self._row(left), self._row(right)
        if sign in RELATIONS:
            return RELATIONS[sign](a, b)
        match sign:
            case "+":
                return a + b
            case "−":
                return a - b
            case "⧺":
                return numpy.concatenate([a, b])
            case "⊕":
                return scipy.linalg.block_diag(a, b)
            case "⊙":
                return a * b
            case "⊗":
                return numpy.multiply.outer(a, b)
            case "∧":
                return a and b
            case "∘":
                return a @ b
            case _:
                raise AssertionError(f"no arithmetic for {sign}")

    def _product(self, items: list[m.Formula]) -> Any:
        """Factors side by side: the last one first, as a matrix takes a vector."""
        value: Any = None
        condition = isinstance(items[0], m.Fenced) and items[0].left == "[" and len(items) > 1
        if condition and not numpy.any(self.of(items[0])):
            return 0.0  # what stands behind a condition that does not hold needs no meaning
        while items:
            item = items.pop()
            before = items[-1] if items else None
            called = isinstance(before, m.Letter) and before not in self.values
            several = split(item.inside) if isinstance(item, m.Fenced) else [item]
            if before == m.Letter("max") and len(several) > 1:
                items.pop()
                own: Any = numpy.maximum(*map(self.of, several))
            elif before == m.Letter("matrix") and len(several) > 1:  # of (L, M), a pair
                items.pop()
                own = numpy.vstack([*map(self.of, several)])
            elif before in self.named:
                items.pop()
                if items and items[-1] == m.Letter("D"):
                    items.pop()
                    value = self.named[before][1](self.of(item), value)
                    continue
                own = self.named[before][0](self.of(item))
            elif pulled := _pulled(item):
                name, at = pulled
                value = self.named[name][2](self.of(at), value)
                continue
            elif _sized(before):
                items.pop()
                assert isinstance(before, m.Script)
                sizes = [self.index(size) for size in split(before.sub)]
                name = before.base.text + ("†" if before.sup else "")  # type: ignore[union-attr]
                own = SIZED[name](self.of(item), *sizes)
            elif called and before.text in FUNCTIONS:  # type: ignore[union-attr]
                own = self.of(item)
                while items and isinstance(items[-1], m.Letter) and items[-1].text in FUNCTIONS:
                    own = FUNCTIONS[items.pop().text](own)  # type: ignore[union-attr]
            elif item == m.Sign("·"):
                continue
            else:
                own = self.of(item)
            if value is None:
                value = own
            elif numpy.ndim(own) == 2 and numpy.ndim(value) == 0 and numpy.all(value == 0):
                value = numpy.zeros(len(own))  # W 0
            elif numpy.ndim(own) == 0 or numpy.ndim(value) == 0:
                value = own * value
            else:
                value = own @ value
        return value


# --- pieces of formulas ------------------------------------------------------------------------


def grouped(lines: Sequence[Line]) -> Iterator[tuple[m.Formula | None, list[Line]]]:
    """Lines one after the other that are said for the same range, or in one loop: with what
    is left of their ranges."""
    todo = list(lines)
    while todo:
        range = todo[0].range
        group = [todo.pop(0)]
        loop = _loops(range)
        while loop and todo and _loops(todo[0].range)[:1] == loop[:1]:
            group.append(todo.pop(0))
        if loop and any(line.range != range for line in group):
            range = loop[0]
            left = [_loops(line.range)[1:] for line in group]
        else:
            left = [[]] * len(group)
        yield (
            range,
            [
                replace(line, range=m.listed(own) if len(own) > 1 else own[0] if own else None)
                for line, own in zip(group, left, strict=True)
            ],
        )


def _loops(range: m.Formula | None) -> list[m.Formula]:
    """The loops of a range, the outermost first."""
    if not isinstance(range, m.Row):
        return [] if range is None else [range]
    first = range.items[0]
    if not isinstance(first, m.Row) or m.Words(" outside") in _atoms(range):
        return [range]
    if m.Sign("=") in first.items:
        return [loop for each in range.items if isinstance(each, m.Row) for loop in _loops(each)]
    return [m.Row((index, *range.items[1:]), m.RELATION) for index in first.items[::2]]


def split(formula: m.Formula) -> list[m.Formula]:
    """What stands between commas; a window is one."""
    if not isinstance(formula, m.Row) or m.Sign(",") not in formula.items:
        return [formula]
    if m.Sign("…") in formula.items:
        return [formula]
    found: list[list[m.Formula]] = [[]]
    for item in formula.items:
        if item == m.Sign(","):
            found.append([])
        else:
            found[-1].append(item)
    return [own[0] if len(own) == 1 else m.Row(tuple(own), m.SUM) for own in found]


def _entries(value: Any, spans: Sequence[Sequence[int]]) -> Iterator[Any]:
    axes = [len(span) for span in spans if len(span) > 1] or [1]
    array = numpy.asarray(value)
    if array.ndim < len(axes):
        array = numpy.broadcast_to(array, axes)
    yield from array.reshape(-1, *array.shape[len(axes) :])


def _sized(formula: m.Formula | None) -> bool:
    """Whether it is a function with sizes: take_2."""
    match formula:
        case m.Script(base=m.Letter(text=text), sub=sub) if sub is not None:
            return text in SIZED
    return False


def _pulled(item: m.Formula) -> tuple[m.Formula, m.Formula] | None:
    """f and x, of (D f(x))†."""
    match item:
        case m.Script(base=m.Fenced(inside=m.Row(items=(m.Letter(text="D"), _, f, x))), sup=sup):
            return (f, x) if sup == m.Sign("†") else None
    return None


def _atoms(formula: m.Formula) -> list[m.Formula]:
    return [formula, *m.inside(formula)]


def _big(formula: m.Formula) -> bool:
    return formula == m.SUMMED or (isinstance(formula, m.Script) and formula.base == m.SUMMED)
