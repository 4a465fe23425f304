"""What stands above a letter: the transpose, the inverse, the conjugate, the adjoint, and several.

>>> from .tree import symbol
>>> from ..plain import to_plain
>>> W = symbol("W")
>>> to_plain(transposed(inverted(W))), to_plain(transposed(transposed(W)))
('W^(-⊤)', 'W')
"""

from __future__ import annotations

from .arithmetic import product
from .tree import (
    ATOM,
    ONE,
    PRODUCT,
    SUM,
    Digits,
    Fenced,
    Formula,
    Row,
    Script,
    Sign,
    fitted,
)


def transposed(a: Formula, mark: str = "⊤") -> Formula:
    """aᵀ, or aᴴ; of the transpose, a itself; of an inverse, a⁻ᵀ; of a linear map, a†."""
    if mark == "⊤" and isinstance(a, Row) and a.binding == PRODUCT and len(a.items) == 2:
        left, right = a.items
        if isinstance(left, Script) and left.sup == Sign("⊤"):  # (Wᵀ Z)ᵀ of two matrices
            return product(transposed(right), transposed(left))
    if mark != "†":
        return marked(a, transpose=True, conjugate=mark == "H")
    if isinstance(a, Script) and a.sup in (Sign(mark), _DAGGERS[True]):
        return _bare(a) if a.sup == Sign(mark) else inverted(_bare(a))
    if isinstance(a, Script) and a.sup in (None, _INVERSE):
        return Script(a.base, a.sub, _DAGGERS[a.sup == _INVERSE])
    return Script(fitted(a, ATOM), None, Sign(mark))


def inverted(a: Formula, mark: str = "") -> Formula:
    """a⁻¹, or with a mark that of the transpose, a⁻ᵀ."""
    if isinstance(a, Script) and a.sup == Sign("†"):
        return Script(a.base, a.sub, _DAGGERS[True])
    return marked(a, inverse=True, transpose=mark in ("⊤", "H"), conjugate=mark == "H")


def starred(a: Formula) -> Formula:
    """The conjugate, a*; of a conjugate, a itself, and of a number."""
    if isinstance(a, Digits):
        return a
    return marked(a, conjugate=True)


_INVERSE = Row((Sign("−"), ONE), SUM)


_DAGGERS: dict[bool, Formula] = {False: Sign("†"), True: Row((Sign("−"), Sign("†")), SUM)}


_MARKS: dict[tuple[bool, bool, bool], Formula | None] = {  # inverse, transpose, conjugate
    (False, False, False): None,
    (False, True, False): Sign("⊤"),
    (False, False, True): Sign("*"),
    (False, True, True): Sign("H"),
    (True, False, False): _INVERSE,
    **{
        (True, transpose, conjugate): Row((Sign("−"), Sign(mark)), SUM)
        for transpose, conjugate, mark in (
            (True, False, "⊤"), (False, True, "*"), (True, True, "H"),
        )
    },
}  # fmt: skip


def marked(
    a: Formula, *, inverse: bool = False, transpose: bool = False, conjugate: bool = False
) -> Formula:
    """The inverse, transpose, conjugate of a letter: what stands above it already is joined."""
    own = (False, False, False)
    bare = a
    if isinstance(a, Script) and a.sup is not None:
        own = next((flags for flags, mark in _MARKS.items() if mark == a.sup), own)
        bare = _bare(a) if any(own) else a
    above = _MARKS[own[0] != inverse, own[1] != transpose, own[2] != conjugate]
    if above is None:
        return bare
    if isinstance(bare, Script) and bare.sup is None:
        return Script(bare.base, bare.sub, above)
    return Script(fitted(bare, ATOM), None, above)


def _bare(a: Script) -> Formula:
    """What stands below a mark."""
    if a.sub:
        return Script(a.base, a.sub)
    return a.base.inside if isinstance(a.base, Fenced) and a.base.left == "(" else a.base
