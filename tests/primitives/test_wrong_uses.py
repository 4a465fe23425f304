"""A primitive refuses what it cannot compute when the node is made, in words."""

from __future__ import annotations

import re
from typing import Any

import pytest

from nnfp_kernel.graph.graph import ArrayType
from nnfp_kernel.graph.primitive import Sample
from nnfp_kernel.primitives import PRIMITIVES
from nnfp_kernel.primitives.table import Builtin, Primitive, builtin, primitive

R3, R4, R23 = ArrayType("R", (3,)), ArrayType("R", (4,)), ArrayType("R", (2, 3))
INT, BOOL3, KEY = ArrayType("Int"), ArrayType("Bool", (3,)), ArrayType("Key")
ONES = {"strides": (1,), "padding": ((0, 0),), "left_dilation": (1,), "right_dilation": (1,)}

WRONG: list[tuple[str, dict[str, Any], tuple[ArrayType, ...], str]] = [
    ("tanh", {}, (INT,), "tanh: found Int, expected R or C"),
    ("tanh", {}, (R3, R3), "tanh: found 2 operands, expected 1"),
    ("add", {}, (R3, R4), "add: the operands differ: R[3], R[4]"),
    ("max", {}, (ArrayType("C"), ArrayType("C")), "max: found C, expected R or Int"),
    ("power", {"exponent": 0.5}, (R3,), "power: the exponent is a static integer"),
    ("compare", {"how": "near"}, (R3, R3), "compare: near is not among"),
    ("compare", {"how": "lt"}, (ArrayType("C"), ArrayType("C")), "compare: C has no order"),
    ("and", {}, (R3, R3), "and: found R[3], expected Bool"),
    ("select", {}, (BOOL3, R4, R4), "select: the condition is Bool[3], the branches R[4]"),
    ("convert", {"kind": "Int"}, (R3,), "convert: no Int is made of R[3]"),
    ("clamp", {"low": 0, "high": -1}, (INT,), "clamp: there is no index between 0 and -1"),
    ("contract", {"left": (0,), "right": (0,), "out": ()}, (R3, R4),
     "contract: the axes of one label are 3 and 4 long"),
    ("contract", {"left": (0,), "right": (1,), "out": (0,)}, (R3, R4),
     "contract: the label 1 stands in one place only"),
    ("contract", {"left": (0, 0), "right": (0,), "out": ()}, (R23, R3), "a label twice in (0, 0)"),
    ("contract", {"left": (0,), "right": (0,), "out": ()}, (R3, BOOL3), "found R[3] and Bool[3]"),
    ("convolve", {"left": (0,), "right": (1,), "out": (0, 1), "spatial": (0,), **ONES,
                  "flip": False}, (R3, R3), "the spatial label 0 does not stand in all three"),
    ("sum", {"axes": (1,)}, (R3,), "sum: R[3] has no axes (1,)"),
    ("argmax", {"axis": 0}, (ArrayType("R", (0,)),), "the argmax of nothing"),
    ("top", {"axis": 0, "count": 4}, (R3,), "top: R[3] has no 4 entries at axis 0"),
    ("top", {"axis": 1, "count": 1}, (R3,), "top: R[3] has no axis 1"),
    ("top", {"axis": 0, "count": 1}, (BOOL3,), "top: found Bool[3]"),
    ("broadcast", {"shape": (2, 4), "axes": (1,)}, (R3,), "broadcast: R[3] does not fit [2, 4]"),
    ("broadcast", {"shape": (2, 3), "axes": (1, 0)}, (R23,), "cannot go to (1, 0)"),
    ("transpose", {"permutation": (0, 0)}, (R23,), "transpose: (0, 0) does not permute R[2,3]"),
    ("reshape", {"shape": (4,)}, (R23,), "reshape: R[2,3] has 6 entries, [4] has 4"),
    ("reverse", {"axis": 1}, (R3,), "reverse: R[3] has no axis 1"),
    ("slice", {"axis": 0, "start": 1, "stop": 4, "stride": 1}, (R3,), "has no entries 1 to 4"),
    ("pad", {"axis": 0, "low": -2, "high": -2, "interior": 0}, (R3,), "-2 and -2 leave -1"),
    ("concat", {"axis": 1}, (R23, ArrayType("R", (3, 3))), "R[3,3] differ beside axis 1"),
    ("concat", {"axis": 0}, (), "concat: nothing to join"),
    ("gather", {"axis": 0}, (R3, R3), "gather: the index is R[3], not Int"),
    ("gather", {"axis": 0}, (ArrayType("R", (0,)), INT), "gather: an element of nothing"),
    ("scatterAdd", {"axis": 0, "size": 3}, (R3, ArrayType("Int", (4,))), "no element for each"),
    ("windows", {"axis": 0, "sizes": (4,), "strides": (1,), "dilations": (1,)}, (R3,),
     "windows: a window reaches over 4 entries, but there are 3"),
    ("overlapAdd", {"axis": 0, "sizes": (2,), "strides": (1,), "dilations": (1,), "lengths": (9,)},
     (R23,), "overlapAdd: R[2,3] are not the windows of R[9]"),
    ("solve", {}, (R23, R3), "solve: R[2,3] is no square matrix"),
    ("solve", {}, (ArrayType("R", (3, 3)), R4), "solve: R[4] is no right side for R[3,3]"),
    ("inverse", {}, (R23,), "inverse: R[2,3] is no square matrix"),
    ("logdet", {}, (R3,), "logdet: R[3] is no square matrix"),
    ("cholesky", {}, (R23,), "cholesky: R[2,3] is no square matrix"),
    ("qrQ", {}, (R23,), "qr: R[2,3] is wider than tall"),
    ("svdU", {}, (R3,), "svdU: R[3] is no matrix"),
    ("expm", {}, (R23,), "expm: R[2,3] is no square matrix"),
    ("frechet", {"function": "sinm"}, (R23, R23), "frechet: no function sinm"),
    ("fourier", {"axis": 0, "backward": False}, (R3,), "fourier: found R[3], expected C"),
    ("imag", {}, (R3,), "imag: found R[3], expected C"),
    ("normal", {"shape": (2,)}, (R3,), "normal: found R[3], expected Key"),
    ("foldKey", {}, (KEY, R3), "foldKey: found R[3], expected Int as Key"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "parameters", "types", "message"),
    [pytest.param(*case, id=f"{case[0]}: {case[3]}") for case in WRONG],
)
def test_a_wrong_use_is_refused_in_words(
    name: str, parameters: dict[str, Any], types: tuple[ArrayType, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        PRIMITIVES[name].result(parameters, types)


@pytest.mark.parametrize(
    ("name", "sample"),
    [
        pytest.param(name, record.samples[0], id=name)
        for name, record in PRIMITIVES.items()
        if len(record.samples[0].types) != 1 and name != "concat"
    ],
)
def test_a_missing_operand_is_refused(name: str, sample: Sample) -> None:
    too_few = sample.types[:-1] if sample.types else (R3,)
    with pytest.raises(ValueError):  # noqa: PT011
        PRIMITIVES[name].result(sample.parameters, too_few)


def test_a_name_is_taken_once() -> None:
    taken = PRIMITIVES["tanh"]
    again = Primitive("tanh", taken.kind, taken.result, taken.lower, taken.batch)
    with pytest.raises(ValueError, match="primitive tanh is declared twice"):
        primitive(again)
    with pytest.raises(ValueError, match="built-in tanh is declared twice"):
        builtin(Builtin("tanh", "R -> R", 1, lambda *_: None))
    assert PRIMITIVES["tanh"] is taken
