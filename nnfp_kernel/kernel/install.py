"""Telling Jupyter of the kernel `nnfp`, and its editors of how a program is highlighted.

A wheel brings both files where Jupyter looks; this is for what is installed otherwise.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

SPEC = Path(__file__).parent / "spec"
EXTENSION = "nnfp-editor"


def install(*, user: bool = False, prefix: str | None = None) -> str:
    """Write the kernelspec, for this very interpreter; the folder it went to.

    Into the user's own Jupyter folder, or below `prefix` (an environment).
    """
    from jupyter_client.kernelspec import KernelSpecManager

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "nnfp"
        shutil.copytree(SPEC, source)
        spec = json.loads((source / "kernel.json").read_text())
        spec["argv"][0] = sys.executable
        (source / "kernel.json").write_text(json.dumps(spec, indent=2))
        manager = KernelSpecManager()
        return str(manager.install_kernel_spec(str(source), "nnfp", user=user, prefix=prefix))


def install_editor(*, user: bool = False, prefix: str | None = None) -> str:
    """Copy the extension of JupyterLab and Notebook that highlights programs; the folder
    it went to."""
    from importlib.resources import as_file, files

    from jupyter_core.paths import SYSTEM_JUPYTER_PATH, jupyter_data_dir

    if prefix is not None:
        data = Path(prefix) / "share" / "jupyter"
    else:
        data = Path(jupyter_data_dir() if user else SYSTEM_JUPYTER_PATH[0])
    target = data / "labextensions" / EXTENSION
    with as_file(files("nnfp_kernel.magics.editor") / "labextension") as source:
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
    return str(target)
