"""Telling Jupyter of the kernel `nnfp`."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

SPEC = Path(__file__).parent / "spec"


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
