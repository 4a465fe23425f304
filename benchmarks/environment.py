"""An environment for what only a benchmark needs: peers by the hundred megabytes.

    environment.enter()     first thing in a benchmark that stands beside those of peers.txt

Made once, under build/peers, and again when peers.txt has changed; then the benchmark starts
anew inside it. Where the package index cannot be reached, pip says so and the benchmark ends.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLACE = HERE.parent / "build" / "peers"
WANTED = HERE / "peers.txt"


def enter() -> None:
    """Go on inside the environment of the peers, with the same arguments."""
    if Path(sys.prefix).resolve() == PLACE.resolve():
        return
    python = PLACE / ("Scripts" if os.name == "nt" else "bin") / "python"
    made, wanted = PLACE / "made.txt", wanted_here()  # what it was made from: written last
    if not made.exists() or made.read_text() != wanted:
        print(f"making {PLACE} with what {WANTED.name} names (once; PyTorch is large)", flush=True)
        venv.create(PLACE, clear=True, with_pip=True)
        given = PLACE / "wanted.txt"
        given.write_text(wanted)
        packages = ["-r", str(given), "-e", str(HERE.parent)]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        made.write_text(wanted)
    sys.stdout.flush()
    raise SystemExit(subprocess.run([python, *sys.argv]).returncode)


def wanted_here() -> str:
    """What peers.txt names, and JAX's plugin for a GPU where that is installed outside."""
    lines = WANTED.read_text()
    for name in sorted({one.name for one in metadata.distributions() if one.name}):
        found = re.fullmatch(r"jax[-_](cuda\d+)[-_]plugin", name)
        if found is not None:
            lines += f"jax[{found[1]}]=={metadata.version('jax')}\n"
    return lines
