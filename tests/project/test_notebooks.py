"""The notebooks of the course are executed, and say what they should."""

from __future__ import annotations

import importlib.util
import logging
import re
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from nbconvert import HTMLExporter

NOTEBOOKS = Path(__file__).parents[2] / "demo_notebooks"
CHAPTERS = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    """`demo_notebooks/run.py`, which `make demo` uses."""
    spec = importlib.util.spec_from_file_location("run", NOTEBOOKS / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


Execute = Callable[[str], nbformat.NotebookNode]


@pytest.fixture
def execute(runner: ModuleType, caplog: pytest.LogCaptureFixture) -> Execute:
    """Executes a chapter, and makes the page of it that `nbconvert` makes."""

    def executed(name: str) -> nbformat.NotebookNode:
        notebook = runner.execute(NOTEBOOKS / f"{name}.ipynb")
        require_coloured(notebook, page(notebook, caplog))
        return notebook

    return executed


def page(notebook: nbformat.NotebookNode, caplog: pytest.LogCaptureFixture) -> str:
    """A notebook as HTML, with the options that everybody has. Nothing is to be warned of, but
    that Matplotlib's pictures have no text: nbconvert takes none from a notebook."""
    caplog.clear()
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        body: str = HTMLExporter().from_notebook_node(notebook)[0]
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [output.data for output in outputs if "data" in output]
    pictures = sum("image/png" in data and "text/html" not in data for data in shown)
    told = [record.getMessage() for record in caplog.records]
    assert told == [f"Alternative text is missing on {pictures} image(s)."] * (pictures > 0)
    return body


def require_coloured(notebook: nbformat.NotebookNode, page: str) -> None:
    """Programs are coloured as programs: their colon is no operator of Python's, their `?w` no
    mistake; and what is Python is so as Python."""
    shown = re.findall(r'<div class=" ?highlight hl-ipython3"><pre>(.*?)</pre>', page, re.DOTALL)
    assert len(shown) == len([cell for cell in notebook.cells if cell.cell_type == "code"])
    programs = [cell for cell in shown if cell.startswith('<span></span><span class="cp">%%nnfp')]
    written = [cell for cell in notebook.cells if cell.source.startswith("%%nnfp")]
    assert len(programs) == len(written) > 0
    assert not [cell for cell in shown if 'class="err"' in cell]
    assert any('<span class="vi">?' in cell for cell in programs) or not any(
        re.search(r"\?\w", cell.source) for cell in written
    )
    assert any('<span class="kn">import' in cell for cell in shown)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_says_how_it_runs_and_is_kept_without_outputs(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata.kernelspec.name == "python3"
    said = " ".join(notebook.cells[0].source.split())
    assert "The cells are Python; those that begin with `%%nnfp` are programs." in said
    assert notebook.cells[1].source.startswith("%load_ext nnfp_kernel")
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
    require_coloured(notebook, page(notebook, caplog))


def test_a_chapter_that_is_spoken_of_is_there() -> None:
    known = {int(path.stem[:2]) for path in CHAPTERS}
    for path in NOTEBOOKS.glob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            spoken = re.findall(r"[Cc]hapter (\d+)", cell.source)
            assert set(map(int, spoken)) <= known, path.stem


def test_every_chapter_is_executed() -> None:
    executed = re.findall(r'execute\("(\w+)"\)', Path(__file__).read_text("utf-8"))
    assert sorted(executed) == [path.stem for path in CHAPTERS]


def refusals(notebook: nbformat.NotebookNode) -> list[str]:
    """The errors a chapter shows, as a student reads them."""
    errors = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]
    assert not [error for error in errors if "Traceback" in "\n".join(error.traceback)]
    return [error.evalue for error in errors]


def differences(told: str) -> list[float]:
    """What was computed twice, and by how much the two differ."""
    return [float(found) for found in re.findall(r"largest difference.* (\S+)$", told, re.M)]


@pytest.mark.slow
def test_layers_are_functions(full_xla: None, runner: ModuleType, execute: Execute) -> None:
    started = time.perf_counter()
    notebook = execute("01_layers_are_functions")
    seconds = time.perf_counter() - started

    found = re.findall(r"([\d.]+)% of 360 unseen digits", runner.results(notebook))
    dense, convolutional = map(float, found)
    assert dense >= 95
    assert convolutional >= 98
    assert len(runner.pictures(notebook)) == 3

    (told,) = refusals(notebook)
    assert "backwards = judge >> see" in told
    assert "Scores" in told
    assert "Image" in told

    trained = [cell for cell in notebook.cells if cell.source.startswith("%nnfp train")]
    for cell in trained:  # one output, replaced while it went on
        (output,) = cell.outputs
        assert "finished:" in output.data["text/plain"]
        assert "<svg" in output.data["text/html"]
    assert seconds < 60  # some 15 on an idle machine


@pytest.mark.slow
def test_layers_bend_manifolds(execute: Execute, runner: ModuleType) -> None:
    notebook = execute("02_layers_bend_manifolds")
    told = runner.results(notebook)

    (exact,) = differences(told)  # a square layer can be taken back
    assert exact < 1e-10
    assert "spirals: 100.0% of 300 points" in told
    # The law: a disc in a ring is never parted at width two, whatever the seed; at three it is.
    assert "width 2: 0 of 20 networks are right" in told
    assert int(re.findall(r"^width 3: (\d) of 5", told, re.MULTILINE)[0]) > 0
    flat, lifted = re.findall(r"after each stage: ([yesno ]+)$", told, re.MULTILINE)
    assert "yes" not in flat
    assert lifted.endswith("yes")
    assert "linked tori, width 3: 0 of 5 networks are right" in told
    assert int(re.findall(r"tori, width 4: (\d) of 5", told)[0]) > 0
    assert len(runner.pictures(notebook)) == 3
    drawn = [
        cell
        for cell in notebook.cells
        if re.match(r"(?s).*%nnfp (bend|film|hands|strip|regions)", cell.source)
    ]
    assert sum("<svg" in str(cell.get("outputs")) for cell in drawn) == 6
    (film,) = [cell for cell in notebook.cells if cell.source.startswith("%nnfp film")]
    assert "20 moments. finished: 400 epochs" in str(film.outputs)


@pytest.mark.slow
def test_the_gallery_shows_a_picture_of_each_kind(runner: ModuleType) -> None:
    notebook = runner.execute(NOTEBOOKS / "gallery.ipynb")
    (exact,) = differences(runner.results(notebook))  # the curvature of a torus
    assert exact < 1e-10
    assert len(runner.pictures(notebook)) == 3
    assert str(notebook.cells).count("<svg") >= 6
    (film,) = [cell for cell in notebook.cells if cell.source.startswith("%nnfp film")]
    assert "50 moments. finished: 300 epochs" in str(film.outputs)


@pytest.mark.slow
def test_representations(runner: ModuleType, execute: Execute) -> None:
    notebook = execute("03_representations")
    told = runner.results(notebook)

    exact = differences(told)
    assert len(exact) == 2  # values and gradients, tied and copied
    assert max(exact) < 1e-12
    found = re.findall(r"^(.+): ([\d.]+)% of 360 unseen pictures", told, re.MULTILINE)
    shares = {asked: float(share) for asked, share in found}
    assert min(shares["grey, which digit"], shares["coloured, which digit"]) >= 95
    assert shares["coloured, odd (never trained)"] >= 85
    (home,) = re.findall(r"nearest to the grey heap of the digit: ([\d.]+)%", told)
    assert float(home) >= 85
    translated = re.search(r"nearest: ([\d.]+)% of 300", told)
    assert translated is not None
    assert float(translated[1]) >= 95
    assert len(runner.pictures(notebook)) == 3


@pytest.mark.slow
def test_folds(runner: ModuleType, execute: Execute) -> None:
    notebook = execute("04_folds")
    told = runner.results(notebook)

    exact = differences(told)
    assert len(exact) == 4  # power sum, its gradient, matrices, last of scan
    assert max(exact) < 1e-10
    assert "parity of 100 bits: 100.0% right, 100.0% over all positions" in told
    assert len(runner.pictures(notebook)) == 2
    (told,) = refusals(notebook)
    assert "`last` needs at least 1 element" in told


@pytest.mark.slow
def test_unfolds(runner: ModuleType, execute: Execute) -> None:
    notebook = execute("05_unfolds")
    told = runner.results(notebook)

    exact = differences(told)
    assert len(exact) == 3  # sine and cosine, their derivative, the law of reversal
    assert max(exact) < 1e-10
    (angle, kept) = re.findall(r"the cell turns by (\S+) and keeps (\S+)", told)[0]
    assert abs(float(angle) - 0.3) < 0.005
    assert abs(float(kept) - 0.99) < 0.005
    assert len(runner.pictures(notebook)) == 5


@pytest.mark.slow
def test_fold_then_unfold(runner: ModuleType, execute: Execute) -> None:
    started = time.perf_counter()
    notebook = execute("08_fold_then_unfold")
    seconds = time.perf_counter() - started

    found = re.findall(r"^(\w+): +([\d.]+)% of (\d+)", runner.results(notebook), re.MULTILINE)
    shares = {name: (float(share), int(count)) for name, share, count in found}
    assert shares["translated"][0] >= 99
    assert shares["translated"][1] == 8000
    assert shares["captions"][0] >= 95
    assert shares["captions"][1] == 2000
    assert len(runner.pictures(notebook)) == 2
    trained = [cell for cell in notebook.cells if cell.source.startswith("%nnfp train")]
    assert len(trained) == 2
    for cell in trained:
        assert "finished:" in cell.outputs[0].data["text/plain"]
    assert seconds < 120  # some 20 on an idle machine


@pytest.mark.slow
def test_window_maps(runner: ModuleType, execute: Execute) -> None:
    notebook = execute("06_window_maps")
    told = runner.results(notebook)

    exact = differences(told)
    assert len(exact) == 4  # lax.conv in one and two dimensions, shifts, the band
    assert max(exact) < 1e-12
    found = re.findall(r"^(dense layers|window maps): +([\d.]+)% of 360", told, re.MULTILINE)
    shares = {name: float(share) for name, share in found}
    assert shares["window maps"] >= 98
    pushed = re.search(r"moved by one: window maps ([\d.]+)%, dense layers ([\d.]+)%", told)
    assert pushed is not None
    assert float(pushed[1]) > float(pushed[2]) + 15
    assert len(runner.pictures(notebook)) == 3


@pytest.mark.slow
def test_trees(runner: ModuleType, execute: Execute) -> None:
    notebook = execute("07_trees")
    told = runner.results(notebook)

    exact = differences(told)
    assert len(exact) == 3  # expressions, the law of fusion, slopes both ways
    assert max(exact) < 1e-10
    assert "the program: 100.0% of 1000 questions" in told
    found = re.findall(r"^(tree|left to right): ([\d.]+)% of 1000", told, re.MULTILINE)
    shares = {name: float(share) for name, share in found}
    assert shares["tree"] >= 90
    assert shares["left to right"] < shares["tree"] - 20
    assert len(runner.pictures(notebook)) == 3
    trained = [cell for cell in notebook.cells if cell.source.startswith("%nnfp train")]
    assert len(trained) == 2
    for cell in trained:
        assert "finished:" in cell.outputs[0].data["text/plain"]


@pytest.mark.slow
def test_algebras_and_machines(runner: ModuleType, execute: Execute) -> None:
    notebook = execute("09_algebras_and_machines")
    told = runner.results(notebook)

    exact = differences(told)
    assert len(exact) == 7  # two of streams, trees, lists, two of weights, tying
    assert max(exact) < 1e-10
    assert "commutes in 8 of 8 cases" in told
    assert "all words of nine bits: 100%" in told
    assert "Moore = Mealy one step later: 100%" in told
    assert "the square commutes at 100.0% of 20,032 states" in told  # of the learned cell
    assert "100.0% of the steps end in the box" in told
    assert len(runner.pictures(notebook)) == 2
    (refused,) = refusals(notebook)
    assert "the output of this machine looks at its input" in refused


@pytest.mark.slow
def test_four_ways(runner: ModuleType, execute: Execute) -> None:
    notebook = execute("11_four_ways")
    told = runner.results(notebook)

    exact = differences(told)
    assert len(exact) == 3  # dual numbers, forwards and backwards, three passes
    assert max(exact) < 1e-10
    assert "f(2, 5) = 11.652, gradient (5.5, 1.7163)" in told
    rows = [list(map(int, row.split())) for row in re.findall(r"^\d[\d ]+$", told, re.MULTILINE)]
    _, formula, symbols, automatic = zip(*rows, strict=True)
    assert list(formula) == [1, 7, 19, 43, 91]
    assert symbols[-1] > 6 * formula[-1]
    assert automatic[-1] < symbols[-1] / 10
    assert len(runner.pictures(notebook)) == 2


@pytest.mark.slow
def test_frechet(runner: ModuleType, execute: Execute) -> None:
    notebook = execute("12_frechet")
    told = runner.results(notebook)

    exact = differences(told)
    assert len(exact) == 4  # the lines, `grad`, sliding, convolutions
    assert max(exact) < 1e-12
    assert "to the power 2.00" in told
    assert "20 of 400, 12 of 12, 4 of 4, 1 of 1" in told
    assert len(runner.pictures(notebook)) == 3


@pytest.mark.slow
def test_adjoints(runner: ModuleType, execute: Execute) -> None:
    notebook = execute("13_adjoints")
    told = runner.results(notebook)

    exact = differences(told)
    assert len(exact) == 4  # five programs, what is printed, triangles, transposes
    assert max(exact) < 1e-10
    assert "f2Adjoint (x1, x2) = \\w -> (x2 * w, x1 * w)" in told
    assert "77% of it zero" in told
    assert len(runner.pictures(notebook)) == 2


@pytest.mark.slow
def test_matrix_functions(runner: ModuleType, execute: Execute) -> None:
    notebook = execute("16_matrix_functions")
    told = runner.results(notebook)

    exact = differences(told)
    assert len(exact) == 9
    assert max(exact) < 1e-10
    assert "eigenvectors finite: False" in told
    (miss,) = re.findall(r"off by at most (\S+)", told)
    assert float(miss) < 1e-3
    assert len(runner.pictures(notebook)) == 2
