"""A function as StableHLO: called by a program that does not import nnfp."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy
import pytest

import nnfp_kernel as nnfp

SOURCE = """
rep Word = R[3]

cell : (R[4], Word) ~> R[4]
cell (h, Word x) = tanh (?W @ h + ?U @ x + ?b)

encode : (R[5,3], Bool) ~> (R[4], R)
encode (xs, loud) = (h, if loud then sum h else 0)
  where h = fold cell zero (map Word xs)

average : R[n] -> R
average = mean
"""

WITHOUT = """
import sys
import jax
import numpy
from safetensors.numpy import load_file

jax.config.update("jax_enable_x64", True)
content, weights = open(sys.argv[1], "rb").read(), {}
for path, array in load_file(sys.argv[2]).items():
    *nested, name = path.split(".")
    place = weights
    for part in nested:
        place = place.setdefault(part, {})
    place[name] = array
state, total = jax.export.deserialize(bytearray(content)).call(
    weights, (numpy.arange(15.0).reshape(5, 3) / 10, numpy.array(True))
)
assert "nnfp_kernel" not in sys.modules
print(*[float(x).hex() for x in state], float(total).hex())
"""


@pytest.fixture(scope="module")
def session() -> nnfp.Session:
    made = nnfp.Session(precision=64)
    made.run(SOURCE)
    return made


@pytest.mark.slow
def test_an_exported_function_is_called_without_nnfp(session: nnfp.Session, tmp_path: Path) -> None:
    function, file = session["encode"], tmp_path / "encode.stablehlo"
    function.export(file)
    found = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(file), str(tmp_path / "encode.safetensors")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    numbers = [float.fromhex(word) for word in found.stdout.split()]
    state, total = function((numpy.arange(15.0).reshape(5, 3) / 10, True))
    numpy.testing.assert_allclose(numbers, [*state, total], rtol=1e-12)


def test_what_is_left_open_is_settled_by_inputs(session: nnfp.Session, tmp_path: Path) -> None:
    with pytest.raises(nnfp.NnfpError, match="cannot be exported for every R\\[n\\]"):
        session["average"].export(tmp_path / "average.stablehlo")
    session["average"].export(tmp_path / "average.stablehlo", numpy.zeros(7))
    assert [path.name for path in tmp_path.iterdir()] == ["average.stablehlo"]  # it has no weights
    with pytest.raises(nnfp.NnfpError) as caught:
        session["encode"].export(tmp_path / "nowhere" / "encode.stablehlo")
    assert "cannot be written: no such file" in " ".join(str(caught.value).split())
