"""What a person waits for: the extension, the kernel, the first program, a cell again.

    python benchmarks/latency.py [--rounds 5] [--definitions 200]

    import of the extension    `%load_ext nnfp_kernel` in a shell that is there
    kernel start               from the start of the process to its first answer, beside
                               ipykernel's own, alternating
    first program              in a new process, after the imports: a layer is defined and
                               called; beside the same in plain JAX with jax.jit. Once with
                               nothing kept on disk; once with what a process before kept, JAX
                               too keeping all that it compiles
    first training             in a new process, from the session to the first step of a network:
                               with what another process left on disk, beside one without
    an unchanged cell          a definition and its value, run again
    an edit among many         one definition changed in a session of so many, of which
                               every tenth starts a chain and the others use the one before

Wall times, medians with quartiles; every process is a new one. Exit status 1 where a goal
is missed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from nnfp_kernel import Session
from nnfp_kernel.kernel.install import install

EXTENSION = """
import time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
start = time.perf_counter()
shell.run_line_magic("load_ext", "nnfp_kernel")
print(time.perf_counter() - start)
"""
OURS = """
import time, jax, numpy, nnfp_kernel, nnfp_kernel.session
numpy.asarray(jax.numpy.zeros(1))
start = time.perf_counter()
session = nnfp_kernel.Session()
session.run("layer : R[3] -> R[3]\\nlayer x = tanh (2 * x + 1)")
numpy.asarray(session["layer"](numpy.ones(3)))
print(time.perf_counter() - start)
"""
JAX = """
import time, jax, numpy
from jax import numpy as jnp
numpy.asarray(jax.numpy.zeros(1))
start = time.perf_counter()
layer = jax.jit(lambda x: jnp.tanh(2 * x + 1))
numpy.asarray(layer(numpy.ones(3)))
print(time.perf_counter() - start)
"""
TRAINING = """
import time, jax, numpy, nnfp_kernel, nnfp_kernel.session, nnfp_kernel.runtime.training.objective
numpy.asarray(jax.numpy.zeros(1))
X, y = numpy.random.rand(1000, 8, 8), numpy.random.randint(0, 10, 1000)
start = time.perf_counter()
session = nnfp_kernel.Session()
session.run("net : R[8,8] ~> R[10]\\nnet = flatten >> dense[32] >> relu >> dense[10]")
for event in session.train("net", (X, y), loss="crossEntropy", valid=0.1, steps=1):
    pass
print(time.perf_counter() - start)
"""
CELL = """\
net{k} : R[3] ~> R[3]
net{k} x = tanh (?W @ {before} + ?b)"""


def in_a_process(program: str, cache: str = "off") -> float:
    """What a program prints, run in a process of its own; with a folder that keeps what is
    compiled, if one is given."""
    environment = {**os.environ, "NNFP_CACHE": cache}
    if cache != "off":  # for JAX alone: what we ask of it
        environment["JAX_COMPILATION_CACHE_DIR"] = f"{cache}/plain"
        environment["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, check=True
    )
    return float(ran.stdout.split()[-1])


def start_of(kernel: str, specs: KernelSpecManager) -> float:
    """The time a kernel takes from its start to its first answer."""
    manager = KernelManager(kernel_name=kernel, kernel_spec_manager=specs)
    begin = time.perf_counter()
    manager.start_kernel(stderr=subprocess.DEVNULL)
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=120)
        return time.perf_counter() - begin
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def timed(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def unchanged(rounds: int) -> Iterator[float]:
    """A cell with a definition and a value, again and again."""
    session = Session()
    cell = "layer : R[3] ~> R[2]\nlayer x = tanh (?W @ x + ?b)\nlayer [1, 2, 3]"
    session.run(cell)
    for _ in range(rounds):
        yield timed(lambda: session.run(cell))


def edited(rounds: int, definitions: int) -> Iterator[float]:
    """One definition in the midst of many, changed every time."""
    session = Session()
    for k in range(definitions):
        session.run(CELL.format(k=k, before=f"net{k - 1} x" if k % 10 else "x"))
    middle = definitions // 2 + 5
    for round in range(rounds):
        cell = CELL.format(k=middle, before=f"net{middle - 1} ({round + 2} * x)")
        yield timed(lambda cell=cell: session.run(cell))  # type: ignore[misc]


def shown(name: str, times: list[float], goal: str, beside: list[float] | None = None) -> None:
    first, middle, last = (1000 * each for each in statistics.quantiles(times, n=4))
    line = f"{name:<28} {middle:8.1f} ms  [{first:.1f}, {last:.1f}]"
    if beside is not None:
        other = statistics.median(beside)
        line += f"   {statistics.median(times) / other:.2f} x the {1000 * other:.0f} ms of"
    print(f"{line}   {goal}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--definitions", type=int, default=200)
    given = parser.parse_args()
    missed: list[str] = []

    def judge(name: str, found: float, goal: float) -> None:
        if found > goal:
            missed.append(name)

    times = [in_a_process(EXTENSION) for _ in range(given.rounds)]
    shown("import of the extension", times, "(goal 300 ms)")
    judge("import of the extension", statistics.median(times), 0.3)

    with tempfile.TemporaryDirectory() as folder:
        install(prefix=folder)
        here = str(Path(folder) / "share/jupyter/kernels")
        specs = KernelSpecManager(kernel_dirs=[here], ensure_native_kernel=True)
        pairs = [(start_of("nnfp", specs), start_of("python3", specs)) for _ in range(given.rounds)]
    ours, theirs = [a for a, _ in pairs], [b for _, b in pairs]
    shown("kernel start", ours, "ipykernel (goal 1.5 x)", theirs)
    judge("kernel start", statistics.median(a / b for a, b in pairs), 1.5)

    with tempfile.TemporaryDirectory() as folder:
        for name, place in (("first program", "off"), ("first program, kept", folder)):
            pairs = [
                (in_a_process(OURS, place), in_a_process(JAX, place))
                for _ in range(given.rounds + 1)
            ][1:]  # the first of them fill the folder
            shown(name, [a for a, _ in pairs], "plain JAX", [b for _, b in pairs])

    with tempfile.TemporaryDirectory() as folder:
        in_a_process(TRAINING, folder)
        pairs = [
            (in_a_process(TRAINING, folder), in_a_process(TRAINING)) for _ in range(given.rounds)
        ]
    shown("first training", [a for a, _ in pairs], "one without", [b for _, b in pairs])

    times = list(unchanged(10 * given.rounds))
    shown("an unchanged cell", times, "(goal 100 ms)")
    judge("an unchanged cell", statistics.median(times), 0.1)

    times = list(edited(2 * given.rounds, given.definitions))
    shown(f"an edit among {given.definitions}", times, "(goal 100 ms)")
    judge(f"an edit among {given.definitions}", statistics.median(times), 0.1)

    for name in missed:
        print(f"missed: {name}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
