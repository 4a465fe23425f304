"""Numbers and arrays as text, as a table tinted by sign, and as a LaTeX matrix."""

from __future__ import annotations

from typing import Any

import numpy

from ..style import escape

ROWS, COLUMNS = 12, 8  # of a table of numbers, at most


def array_text(value: Any, digits: int = 6) -> str:
    """An array's numbers: of what is long the beginning and the end."""
    array = array_of(value)
    if array is None:
        return str(value)
    if array.ndim == 0:
        return number(array.item())
    with numpy.printoptions(
        precision=digits, threshold=200, edgeitems=4, linewidth=92, suppress=True
    ):
        return numpy.array2string(array, separator=", ")


def number(value: Any) -> str:
    """A single number, six digits, as short as it goes.

    >>> number(0.5), number(2.0), number(1234567.0), number(True), number(-1e-9)
    ('0.5', '2', '1.23457e+06', 'True', '-1e-09')
    """
    return str(value) if isinstance(value, bool | int) else f"{value:.6g}"


def array_of(value: Any) -> numpy.ndarray | None:
    """The value as an array of numbers, if it is one."""
    try:
        array = numpy.asarray(value)
    except ValueError:  # a list of different lengths
        return None
    return array if array.dtype.kind in "fiubc" else None


def extent(value: Any) -> str:
    """Between what numbers the entries of an array lie.

    >>> extent(numpy.array([-0.5, 1.0, numpy.inf]))
    'from −0.5 to 1, 1 not finite'
    """
    array = None if isinstance(value, str | tuple) else array_of(value)
    if array is None or array.size < 2 or array.dtype.kind not in "fiu":
        return ""
    finite = array[numpy.isfinite(array)]
    if not finite.size:
        return "not a finite number among them"
    said = f"from {finite.min().item():.3g} to {finite.max().item():.3g}"
    missing = array.size - finite.size
    return said.replace("-", "−") + (f", {missing:,} not finite" if missing else "")


def shape_of(type: str, value: Any) -> str:
    """The shape of an array whose type does not tell it: `[Word]` of three words is 3×4.

    >>> shape_of("[Word]", numpy.zeros((3, 4))), shape_of("R[3,4]", numpy.zeros((3, 4)))
    ('3×4', '')
    """
    shape = getattr(value, "shape", ())
    written = type.partition("[")[2].rstrip("]").split(",") if type[:1] in "RC" else None
    if not shape or written == [str(size) for size in shape]:
        return ""
    return "×".join(map(str, shape)) + (" numbers" if len(shape) == 1 else "")


# --- a table --------------------------------------------------------------------------------


def numbers_table(value: Any) -> str:
    """Numbers tinted by sign, where they fit; else nothing."""
    array = None if isinstance(value, str | tuple | list) else array_of(value)
    if array is None or array.dtype.kind not in "fiu" or not array.size or array.ndim == 0:
        return ""
    if array.ndim == 1 and array.size <= COLUMNS:
        array = array[None]
    if array.ndim != 2 or array.shape[0] > ROWS or array.shape[1] > COLUMNS:
        return ""
    tinted, scale = array.dtype.kind == "f", largest(array)
    rows = "".join(
        "<tr>" + "".join(_cell(x, scale if tinted else 0.0) for x in row.tolist()) + "</tr>"
        for row in array
    )
    return f'<table class="numbers"><tbody>{rows}</tbody></table>'


def _cell(x: float, scale: float) -> str:
    """A number on a mark whose colour is the sign and whose strength the magnitude."""
    level = strength(x, scale)
    sign = "neg" if x < 0 else "pos"
    mark = f'<i class="{sign}" style="opacity:{level:.2f}"></i>' if scale else ""
    return f"<td>{mark}<b>{escape(short(x))}</b></td>"


def strength(x: float, scale: float) -> float:
    return 0.85 * abs(float(x)) / scale if scale and numpy.isfinite(x) else 0.0


def largest(array: numpy.ndarray) -> float:
    """The largest magnitude of what is finite."""
    finite = numpy.abs(array[numpy.isfinite(array)])
    return float(finite.max()) if finite.size else 0.0


def short(x: float) -> str:
    """Two decimals where they tell something, else three digits."""
    if isinstance(x, int):
        return f"{x:,}".replace("-", "−")
    said = f"{x:.2f}" if abs(x) >= 0.05 or x == 0 else f"{x:.2g}"
    return (said if abs(x) < 1e4 else f"{x:.3g}").replace("-", "−")


# --- mathematics ----------------------------------------------------------------------------


def matrix_latex(value: Any) -> str:
    """A number, a vector or a small matrix in LaTeX; empty for what is none.

    >>> print(matrix_latex(numpy.array([[1.0, 0.5], [0.0, -2.0]])))
    $$\\begin{bmatrix} 1 & 0.5 \\\\ 0 & -2 \\end{bmatrix}$$
    """
    array = None if isinstance(value, str | tuple | list) else array_of(value)
    if array is None or array.dtype.kind not in "fiuc" or array.ndim > 2 or not array.size:
        return ""
    if array.ndim == 0:
        return f"$${_digits(array.item())}$$"
    if array.ndim == 1:
        array = array[:, None]
    if array.shape[0] > ROWS or array.shape[1] > COLUMNS:
        return ""
    rows = " \\\\ ".join(" & ".join(map(_digits, row)) for row in array.tolist())
    return f"$$\\begin{{bmatrix}} {rows} \\end{{bmatrix}}$$"


def _digits(x: complex) -> str:
    if isinstance(x, complex):
        return f"{_digits(x.real)} {'-' if x.imag < 0 else '+'} {_digits(abs(x.imag))}\\,i"
    if isinstance(x, int):
        return str(x)
    if not numpy.isfinite(x):
        return "\\mathrm{nan}" if x != x else ("-" if x < 0 else "") + "\\infty"
    mantissa, _, exponent = f"{x:.4g}".partition("e")
    return f"{mantissa} \\cdot 10^{{{int(exponent)}}}" if exponent else mantissa
