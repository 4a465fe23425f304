"""`nnfp run`, `nnfp check`, `nnfp train`, `nnfp install`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
from safetensors.numpy import load_file

from nnfp_kernel.__main__ import main

PROGRAM = """\
-- A network of two layers.
net : R[3] ~> R[2]
net = dense[4] >> tanh >> dense[2]

sum [1, 2, 3]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.nnfp"
    path.write_text(PROGRAM)
    return path


def test_run_prints_what_a_cell_would_show(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(file)]) == 0
    assert capsys.readouterr().out == (
        "net   R[3] ~> R[2]   dense 4×3 + 4  dense_2 2×4 + 2   26\n6 : R\n"
    )


def test_run_follows_imports_from_the_folder_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tools.nnfp").write_text("double x = 2 * x\n")
    program = tmp_path / "main.nnfp"
    program.write_text('import "tools.nnfp"\ndouble 4\n')
    assert main(["run", str(program)]) == 0
    assert capsys.readouterr().out.endswith("8 : R\n")


def test_run_runs_lines_of_magic(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(PROGRAM + "\n%nnfp type net >> sum\n")
    assert main(["run", str(file)]) == 0
    assert capsys.readouterr().out.endswith("net >> sum : R[3] ~> R\n")
    file.write_text(PROGRAM + "\n%nnfp fly\n")
    assert main(["run", str(file)]) == 1
    assert "has no verb 'fly'" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["run", "check"])
def test_a_mistake_is_told_with_its_place_and_the_status_is_1(
    verb: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(PROGRAM.replace(">> dense[2]", ">> dense[5]"))
    assert main([verb, str(file)]) == 1
    told = "".join(capsys.readouterr())
    assert f"{file}, line 3" in told
    assert "Traceback" not in told


def test_check_evaluates_nothing(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: no mistakes found\n"


@pytest.mark.parametrize("verb", ["run", "check"])
def test_a_file_that_cannot_be_read_is_told_and_the_status_is_2(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb, str(tmp_path / "nowhere.nnfp")]) == 2
    assert "No such file" in capsys.readouterr().err
    (tmp_path / "latin.nnfp").write_bytes(b"f x = x -- \xe9\n")
    assert main([verb, str(tmp_path / "latin.nnfp")]) == 2
    assert "UTF-8" in capsys.readouterr().err


def test_install_tells_jupyter_of_the_kernel(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["install", "--prefix", str(tmp_path)]) == 0
    spec = tmp_path / "share/jupyter/kernels/nnfp/kernel.json"
    assert str(spec.parent) in capsys.readouterr().out
    found = json.loads(spec.read_text())
    assert found["argv"][0] == sys.executable
    assert found["language"] == "nnfp"
    assert (tmp_path / "share/jupyter/labextensions/nnfp-editor/package.json").is_file()
    assert main(["install", "--prefix", str(tmp_path), "--quiet"]) == 0  # again does no harm
    assert capsys.readouterr().out == ""


def test_install_goes_to_the_user_or_to_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "own"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))
    assert main(["install", "--user", "--quiet"]) == 0
    assert (tmp_path / "own/kernels/nnfp/logo-64x64.png").is_file()
    assert not (tmp_path / "environment").exists()
    assert main(["install", "--sys-prefix", "--quiet"]) == 0
    assert (tmp_path / "environment/share/jupyter/kernels/nnfp/kernel.json").is_file()


def test_the_module_is_the_console_script(file: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "nnfp_kernel", "check", str(file)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.endswith("no mistakes found\n")


DATA = """\
import numpy
X = numpy.random.default_rng(0).normal(size=(40, 3))
y = X[:, :2]
"""


def test_train_writes_the_weights_it_finds(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data.py").write_text(DATA)
    asked = ["train", str(file), "net", "--from", str(tmp_path / "data.py"), "--data", "X,y"]
    asked += ["--loss", "squaredError", "--steps", "3"]
    assert main(asked) == 0
    out = capsys.readouterr().out
    assert "finished" in out
    assert out.endswith(f"The weights of net are in {tmp_path / 'net.safetensors'}.\n")
    stored = load_file(tmp_path / "net.safetensors")
    assert stored["net.dense.W"].shape == (4, 3)
    assert main([*asked, "--rate", "1e38", "--save", str(tmp_path / "far.safetensors")]) == 1
    assert "stopped" in capsys.readouterr().out
    assert (tmp_path / "far.safetensors").exists()  # the last good ones


@pytest.mark.parametrize(
    ("flags", "status", "told"),
    [
        (["--from", "nowhere.npz"], 1, "there is no such file"),
        (["--from", "net.nnfp"], 1, "data are brought by .npy, .npz and .py files"),
        (["--from", "bad.npz"], 1, "--from bad.npz: "),
        (["--from", "bad.py"], 1, "ZeroDivisionError"),
        (["--fro", "x"], 1, "there is no --fro"),
        ([], 1, "has a X"),
        (["--from", "X.npy", "--save", "no/where.safetensors"], 1, "is no folder to write to"),
        (["--from", "X.npy"], 1, "is no objective"),
        (["--coordinator", "a:1"], 2, "belong together"),
        (["--coordinator", "a", "--processes", "2", "--process-id", "0"], 1, "HOST:PORT"),
    ],
)
def test_what_cannot_be_trained_is_told(
    flags: list[str], status: int, told: str, file: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(file.parent)
    Path("bad.npz").write_text("no archive")
    Path("bad.py").write_text("1 / 0\n")
    numpy.save("X.npy", numpy.zeros((4, 3)))
    assert main(["train", "net.nnfp", "net", "--data", "X", *flags]) == status
    assert told.lower() in capsys.readouterr().err.lower()
    assert not list(Path().glob("*.safetensors"))


def test_the_help_of_train_tells_all_its_flags(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train", "--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert "--coordinator" in out
    assert "--optimizer" in out
