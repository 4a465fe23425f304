"""The long trainings of the course, and the weights that come of them.

    python demo_notebooks/soak.py                            every chapter that has one
    python demo_notebooks/soak.py demo_notebooks/08_*.ipynb  these

A chapter trains for seconds and then takes the weights of a long training from
`demo_notebooks/weights/`. How they were made stands in the same cell, behind a `#`:

    # %nnfp train loss --data X,y --epochs 60
    %nnfp load loss weights/08_translate.safetensors

Here such a chapter is executed with every `#` of the cell taken away (a line before it may make
more data) and `load` turned to `save`. What
the chapter asserts of the weights it asserts of the new ones.
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import nbformat
from run import execute, results

FOLDER = Path(__file__).parent
LOAD = re.compile(r"^%nnfp load\b(.*)$", re.MULTILINE)
TRAIN = re.compile(r"^# %nnfp train\b", re.MULTILINE)
HIDDEN = re.compile(r"^# (?=\S)", re.MULTILINE)
HOURS = 3600


def long_form(cell: str) -> str:
    """A cell with its long training in place of the weights it loads.

    >>> print(long_form("# %nnfp train f --epochs 60\\n%nnfp load f weights/f.safetensors"))
    %nnfp train f --epochs 60
    %nnfp save f weights/f.safetensors

    Any other cell stays as it is.
    """
    if not (LOAD.search(cell) and TRAIN.search(cell)):
        return cell
    return LOAD.sub(r"%nnfp save\1", HIDDEN.sub("", cell))


def has_long_training(path: Path) -> bool:
    """Whether some cell of a notebook has one."""
    cells = nbformat.read(path, as_version=4).cells
    return any(long_form(cell.source) != cell.source for cell in cells)


def main(paths: list[Path]) -> None:
    (FOLDER / "weights").mkdir(exist_ok=True)
    for path in filter(has_long_training, paths or sorted(FOLDER.glob("[0-9]*.ipynb"))):
        started = time.perf_counter()
        print(f"{path.name} with its long trainings …", flush=True)
        notebook = execute(path, long_form, 3 * HOURS)
        print(f"done in {time.perf_counter() - started:.0f} s\n\n{results(notebook)}\n")


if __name__ == "__main__":
    main(list(map(Path, sys.argv[1:])))
