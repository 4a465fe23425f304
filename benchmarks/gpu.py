"""Gradients, training, trees and hoisting on a GPU; what they say becomes a section of RESULTS.md.

    python benchmarks/gpu.py [--quick]         or: make bench-gpu

The section names device, versions and date; one of the same device is replaced. Where JAX sees
no GPU, that is said, and nothing is written. With JAX_PLATFORMS=cpu it is a trial run on the
processor, whose section goes to build/bench-gpu.md.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "RESULTS.md"
TRIAL = HERE.parent / "build" / "bench-gpu.md"
NONE = "## On a GPU"  # the section until there was one
PARTS = (  # what is run, and with what when in a hurry
    ("Value and gradient of networks", "gradients.py", ("--rounds", "4")),
    ("Training", "training.py", ("--rounds", "4", "--only", "tiny,lstm")),
    ("Trees", "trees.py", ("--rounds", "3", "--seeds", "1", "--batches", "2", "--trees", "32")),
    ("Hoisting", "hoisting.py", ("--rounds", "4")),
)


def device() -> tuple[str, str]:
    """The platform that JAX runs on, and the kind of its device. Asked in a process of its own,
    which gives the device back."""
    ask = "import jax; one = jax.devices()[0]; print(one.platform, one.device_kind, sep='|')"
    told = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True)
    if told.returncode:
        raise SystemExit(f"JAX finds no device:\n{told.stderr.strip().splitlines()[-1]}")
    found, kind = told.stdout.strip().splitlines()[-1].split("|")
    return found, kind


def versions() -> str:
    """What it was measured with."""
    found = [f"Python {platform.python_version()}"]
    for name in sorted({one.name for one in metadata.distributions() if one.name}):
        if re.fullmatch(r"nnfp|jax|jaxlib|jax[-_]cuda\d+[-_](plugin|pjrt)|optax|numpy", name):
            found.append(f"{name} {metadata.version(name)}")
    return ", ".join(found)


def with_section(text: str, title: str, section: str) -> str:
    """The text with this section, in the place of one with the same title; the one that says
    that there was no GPU goes when there was.

    >>> with_section("# All\\n\\n## A\\n\\nold\\n\\n## B\\n\\nb\\n", "## A", "## A\\n\\nnew\\n")
    '# All\\n\\n## A\\n\\nnew\\n\\n## B\\n\\nb\\n'
    """
    parts = re.split(r"(?m)^(?=## )", text.rstrip() + "\n")
    gone = {title, NONE} if title.startswith(f"{NONE}:") else {title}
    kept = [part.rstrip() + "\n" for part in parts if part.splitlines()[0] not in gone]
    place = next((k for k, part in enumerate(parts) if part.splitlines()[0] in gone), len(kept))
    return "\n".join([*kept[:place], section.rstrip() + "\n", *kept[place:]])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few rounds, to see that it runs")
    quick = parser.parse_args().quick
    platform_, kind = device()
    trial = platform_ == "cpu" and os.environ.get("JAX_PLATFORMS") == "cpu"
    if platform_ == "cpu" and not trial:
        print(
            "No GPU is at hand: JAX sees only the processor. Nothing was measured or written.\n"
            "With a GPU, JAX needs its plugin in this environment, for NVIDIA's\n"
            f"    {sys.executable} -m pip install 'jax[cuda12]'"
        )
        return 1
    title = f"## On {'the processor, as a trial' if trial else f'a GPU: {kind}'}"
    today = datetime.date.today().isoformat()
    told = [title, "", f"Of {today}, by `make bench-gpu`; {versions()}; {platform_}, {kind}.", ""]
    environment = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # PyTorch is there too
    failed = 0
    for name, script, few in PARTS:
        print(f"== {script}", flush=True)
        command = [sys.executable, str(HERE / script), *(few if quick else ())]
        lines: list[str] = []
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as run:
            assert run.stdout is not None
            for line in run.stdout:
                print(line, end="", flush=True)
                lines.append(line.rstrip())
        if run.returncode:
            failed += 1
            lines.append(f"it ended with an error ({run.returncode})")
        told += [f"### {name} (`benchmarks/{script}`)", "", "```", *lines, "```", ""]
    place = TRIAL if trial else RESULTS
    place.parent.mkdir(exist_ok=True)
    before = place.read_text() if place.exists() else "# Results\n"
    place.write_text(with_section(before, title, "\n".join(told)))
    print(f"written to {place}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
