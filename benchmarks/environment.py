"""An environment for what only a benchmark needs: peers by the hundred megabytes.

    environment.enter()     first thing in a benchmark that stands beside those of peers.txt

Made once, under build/peers, and again when peers.txt has changed; then the benchmark starts
anew inside it. Where the package index cannot be reached, pip says so and the benchmark ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLACE = HERE.parent / "build" / "peers"
WANTED = HERE / "peers.txt"


def enter() -> None:
    """Go on inside the environment of the peers, with the same arguments."""
    if Path(sys.prefix).resolve() == PLACE.resolve():
        return
    python = PLACE / ("Scripts" if os.name == "nt" else "bin") / "python"
    made = PLACE / "made.txt"  # what it was made from: written last
    if not made.exists() or made.read_text() != WANTED.read_text():
        print(f"making {PLACE} with what {WANTED.name} names (once; PyTorch is large)", flush=True)
        venv.create(PLACE, clear=True, with_pip=True)
        wanted = ["-r", str(WANTED), "-e", str(HERE.parent)]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True)
        made.write_text(WANTED.read_text())
    sys.stdout.flush()
    raise SystemExit(subprocess.run([python, *sys.argv]).returncode)
