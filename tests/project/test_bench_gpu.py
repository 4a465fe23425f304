"""`make bench-gpu`: a section of the results where a GPU is at hand, a clear word where none is."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu.py"


@pytest.fixture
def gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_gpu", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "speak.py").write_text("import sys; print('spoken', *sys.argv[1:])")
    (tmp_path / "fail.py").write_text("raise SystemExit('no')")
    for name, value in (
        ("HERE", tmp_path), ("RESULTS", tmp_path / "R.md"), ("TRIAL", tmp_path / "T.md"),
        ("PARTS", (("Speaking", "speak.py", ("--few",)),)),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, value)
    (tmp_path / "R.md").write_text("# Results\n\n## A\n\na\n\n## On a GPU: X\n\nold\n\n## B\n\nb\n")
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    return module


def test_without_a_gpu_it_says_so_and_writes_nothing(
    gpu: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = gpu.RESULTS.read_text()
    monkeypatch.setattr(gpu, "device", lambda: ("cpu", "cpu"))
    assert gpu.main() == 1
    assert "No GPU is at hand" in capsys.readouterr().out
    assert gpu.RESULTS.read_text() == before
    assert not gpu.TRIAL.exists()


def test_on_a_gpu_its_section_is_written_anew(
    gpu: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "device", lambda: ("gpu", "X"))
    assert gpu.main() == 0
    text = gpu.RESULTS.read_text()
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## A", "## On a GPU: X", "## B",
    ]  # fmt: skip
    assert "\nold\n" not in text
    assert "\nspoken\n" in text
    assert "jaxlib" in text
    monkeypatch.setattr(gpu, "device", lambda: ("gpu", "Y"))
    gpu.RESULTS.write_text(text + "\n## On a GPU\n\nNone was at hand.\n")
    assert gpu.main() == 0
    assert "None was at hand" not in gpu.RESULTS.read_text()
    assert gpu.RESULTS.read_text().count("\nspoken\n") == 2


def test_a_trial_on_the_processor_and_a_part_that_fails_are_told(
    gpu: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = gpu.RESULTS.read_text()
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--quick"])
    monkeypatch.setattr(gpu, "PARTS", (*gpu.PARTS, ("Failing", "fail.py", ())))
    monkeypatch.setattr(gpu, "device", lambda: ("cpu", "cpu"))
    assert gpu.main() == 1
    assert gpu.RESULTS.read_text() == before
    assert "spoken --few" in gpu.TRIAL.read_text()
    assert "ended with an error (1)" in gpu.TRIAL.read_text()
