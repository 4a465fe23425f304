"""Execute a notebook of the course from beginning to end, and say what came out.

    python demo_notebooks/run.py demo_notebooks/01_layers_are_functions.ipynb

Every cell runs in a kernel of its own process, as in JupyterLab. The executed page and
the pictures go to build/demo/; what the cells tagged `result` printed is printed here.
A cell that fails, other than those tagged `raises-exception`, ends it with an error.
"""

from __future__ import annotations

import base64
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter

OUT = Path("build") / "demo"


def execute(
    path: Path, change: Callable[[str], str] = str, timeout: int = 600
) -> nbformat.NotebookNode:
    """The notebook with its outputs; `change` is done to each cell's text before."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = change(cell.source)
    NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        extra_arguments=["--log-level=40"],  # what goes wrong, without warnings
    ).execute()
    return notebook


def results(notebook: nbformat.NotebookNode) -> str:
    """What the cells tagged `result` printed."""
    printed = [
        output.text
        for cell in notebook.cells
        if "result" in cell.metadata.get("tags", [])
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stdout"
    ]
    return "".join(printed).rstrip()


def pictures(notebook: nbformat.NotebookNode) -> list[bytes]:
    """All pictures among the outputs, as PNG."""
    return [
        base64.b64decode(output.data["image/png"])
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]


def main(path: Path) -> int:
    started = time.perf_counter()
    print(f"executing {path} …", flush=True)
    try:
        notebook = execute(path)
    except CellExecutionError as error:
        print(error, file=sys.stderr)
        return 1
    OUT.mkdir(parents=True, exist_ok=True)
    page = OUT / f"{path.stem}.html"
    body, _ = HTMLExporter(template_name="lab").from_notebook_node(notebook)
    page.write_text(body, encoding="utf-8")
    files = [page]
    for number, picture in enumerate(pictures(notebook), 1):
        files.append(OUT / f"{path.stem}-{number}.png")
        files[-1].write_bytes(picture)
    print(f"done in {time.perf_counter() - started:.0f} s\n\n{results(notebook)}\n")
    print("\n".join(f"{'page' if file == page else 'picture'}  {file.resolve()}" for file in files))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
