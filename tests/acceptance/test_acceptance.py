"""The acceptance programs: what each must give, to a relative 1e-9 in 64 bits.

A program `name.nnfp` stands beside `name.json`, which holds the function it is judged
by, its weights by path, the inputs, the output, a cotangent of the output and the
gradients that this cotangent pulls back. Outputs come from `Function.apply`, gradients
from `Function.vjp` (our adjoint) and, as a judge, from `jax.vjp` of `apply`.

Every program is judged twice: as it is written, and without any of its signatures. What
the signatures settled (the sizes of weights) is then said by a definition of its own at
the end, `PINS`, which the program itself does not mention.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy
import pytest

import nnfp_kernel as nnfp

HERE = Path(__file__).parent
PROGRAMS = sorted(path.stem for path in HERE.glob("*.nnfp"))
RELATIVE = 1e-9

PINS = {
    "accumulating_map": "pin : R[n,3] ~> (R[4], R[n,2])\npin = tag",
    "bidirectional": "pin : R[n,2] ~> R[n,6]\npin = both",
    "captioning": "pin : R[6,6] ~> R[3,7]\npin = caption",
    "derivatives": "pin : R[3] -> (R[3], R[3], R, R[3,3])\npin = answers",
    "fold_encoder": "pin : [R[3]] ~> R[5]\npin = encode",
    "sequence_to_sequence": "pin : [Word] ~> Word[4]\npin = translate",
    "shared_representation": (
        "pin : (R[2,2,3], R[2,2]) ~> (R, R[2])\npin = both\npinned : R[3] ~> R[4]\npinned = trunk"
    ),
    "unfold_generator": "pin : R[4] ~> R[6,2]\npin = generate",
    "window_map": "pin : R[n,4] ~> R[n-2,5]\npin = conv1",
    "window_map_2d": "pin : R[6,5,2] ~> R[4,4,3]\npin = see",
    "catamorphism": "pin : Tree ~> R[4]\npin = tree",
}
"""What is left open without signatures, settled from outside."""

INFERRED = {
    "accumulating_map": "R[n,3] ~> (R[4], R[n,2])",
    "bidirectional": "R[n,2] ~> R[n,6]",
    "captioning": "R[n+2,m+2] ~> R[3,7]",
    "catamorphism": "Tree ~> R[4]",
    "derivatives": "R[n] -> (R[n], R[n], R, R[n,n])",
    "fold_encoder": "R[n,3] ~> R[5]",
    "sequence_to_sequence": "Word[n] ~> Word[4]",
    "shared_representation": "(R[2,2,3], R[2,2]) ~> (R, R[2])",
    "unfold_generator": "R[4] ~> R[6,2]",
    "window_map": "R[n,4] ~> R[n-2,5]",
    "window_map_2d": "R[n,m,2] ~> R[n-2,m-1,3]",
}
"""The type of each program's function where no signature says less."""


def written(name: str) -> str:
    """The program as it is written."""
    return (HERE / f"{name}.nnfp").read_text(encoding="utf-8")


SIGNATURE = re.compile(r"^([a-z]\w*) *: *(.*)$", re.MULTILINE)


def signatures(name: str) -> dict[str, str]:
    """The signatures of a program, by name."""
    return dict(SIGNATURE.findall(written(name)))


def without_signatures(name: str) -> str:
    return SIGNATURE.sub("", written(name)) + "\n" + PINS[name] + "\n"


class Case:
    """One program in a session of its own, with what it is judged by."""

    def __init__(self, name: str, source: str) -> None:
        self.session = nnfp.Session(precision=64)
        self.session.run(source)
        self.record = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
        self.function = self.session[self.record["function"]]
        self.weights = arrays(self.record["weights"])
        self.inputs = [self._argument(value) for value in self.record["inputs"]]

    def _argument(self, value: Any) -> Any:
        if isinstance(value, dict):
            fields = [self._argument(field) for field in value["arguments"]]
            return self.session.constructor(value["constructor"])(*fields)
        return arrays(value)


@cache
def case(name: str, signed: bool = True) -> Case:
    return Case(name, written(name) if signed else without_signatures(name))


def arrays(value: Any) -> Any:
    """JSON as arrays: a nested dict stays one, a list of differently shaped parts is a
    tuple, any other list an array."""
    if isinstance(value, dict):
        return {key: arrays(part) for key, part in value.items()}
    try:
        return numpy.array(value, dtype=float)
    except ValueError:
        return tuple(arrays(part) for part in value)


def close(found: Any, wanted: Any, place: str = "") -> None:
    """Equal in structure, and in every array to `RELATIVE` of its largest entry."""
    if isinstance(wanted, dict):
        assert set(found) == set(wanted), place
        for key, part in wanted.items():
            close(found[key], part, f"{place}.{key}")
    elif isinstance(wanted, tuple):
        assert isinstance(found, tuple), place
        assert len(found) == len(wanted), place
        for k, (one, other) in enumerate(zip(found, wanted, strict=True)):
            close(one, other, f"{place}[{k}]")
    else:
        found = numpy.asarray(found)
        assert found.shape == wanted.shape, place
        assert found.dtype == numpy.float64, place
        scale = numpy.abs(wanted).max() if wanted.size else 0.0
        numpy.testing.assert_allclose(
            found, wanted, rtol=RELATIVE, atol=RELATIVE * scale, err_msg=place
        )


def shapes(nested: Any) -> Any:
    if isinstance(nested, dict):
        return {key: shapes(part) for key, part in nested.items()}
    return tuple(numpy.shape(nested))


SIGNED = pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])


def test_every_program_is_judged() -> None:
    assert set(PROGRAMS) == set(PINS)
    assert set(PROGRAMS) == {path.stem for path in HERE.glob("*.json")}
    assert len(PROGRAMS) == 11


@SIGNED
@pytest.mark.parametrize("name", PROGRAMS)
def test_apply_gives_the_recorded_output(name: str, signed: bool) -> None:
    this = case(name, signed)
    close(this.function.apply(this.weights, *this.inputs), arrays(this.record["output"]))


@SIGNED
@pytest.mark.parametrize("name", PROGRAMS)
def test_our_adjoint_gives_the_recorded_gradients(name: str, signed: bool) -> None:
    this = case(name, signed)
    value, pullback = this.function.vjp(this.weights, *this.inputs)
    close(value, arrays(this.record["output"]))
    weight_gradient, *input_gradients = pullback(arrays(this.record["cotangent"]))
    close(weight_gradient, arrays(this.record["weight_gradient"]), "weights")
    assert len(input_gradients) == len(this.inputs)
    for k, wanted in enumerate(this.record["input_gradient"] or []):
        close(input_gradients[k], arrays(wanted), f"input {k}")


@pytest.mark.parametrize("name", PROGRAMS)
def test_jax_judges_the_gradients_through_apply(name: str) -> None:
    import jax

    this = case(name)
    if this.record["input_gradient"] is None:  # trees are no arrays: weights only
        value, pullback = jax.vjp(lambda w: this.function.apply(w, *this.inputs), this.weights)
    else:
        value, pullback = jax.vjp(this.function.apply, this.weights, *this.inputs)
    cotangent = arrays(this.record["cotangent"])
    weight_gradient, *input_gradients = pullback(jax.tree.map(jax.numpy.asarray, cotangent))
    close(value, arrays(this.record["output"]))
    close(weight_gradient, arrays(this.record["weight_gradient"]), "weights")
    for k, wanted in enumerate(this.record["input_gradient"] or []):
        close(input_gradients[k], arrays(wanted), f"input {k}")


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_type_reads_as_its_signature(name: str) -> None:
    this = case(name)
    for defined, signature in signatures(name).items():
        assert this.session[defined].type == signature, defined


@pytest.mark.parametrize(
    ("name", "defined", "type"),
    [
        ("shared_representation", "both", "(R[2,2,3], R[2,2]) ~> (R, R[2])"),
        ("accumulating_map", "cell", "(R[4], R[3]) ~> R[4]"),
        ("bidirectional", "cell", "(R[3], R[2]) ~> (R[3], R[3])"),
        ("captioning", "say", "R[5] ~> (R[5], R[7])"),
    ],
)
def test_a_type_that_is_not_signed_is_inferred(name: str, defined: str, type: str) -> None:
    assert case(name).session[defined].type == type


@SIGNED
@pytest.mark.parametrize("name", PROGRAMS)
def test_init_gives_the_recorded_paths_and_shapes(name: str, signed: bool) -> None:
    import jax

    this = case(name, signed)
    initial = this.function.init(jax.random.key(0))
    assert shapes(initial) == shapes(arrays(this.record["weights"]))


@pytest.mark.parametrize("name", PROGRAMS)
def test_without_signatures_the_most_general_type_is_inferred(name: str) -> None:
    this = case(name, signed=False)
    assert this.function.type == INFERRED[name]
