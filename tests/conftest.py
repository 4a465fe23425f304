"""What every test stands on: one CPU device, 64 bits, no caches of earlier runs, programs
compiled quickly.

`jax_enable_x64` is a switch of the process, so the suite runs in 64 bits; a test of
32 bits as users have them starts a process of its own. Nothing here imports jax: it
reads these variables when a test first does.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from nnfp_kernel import Session

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "0"
os.environ["NNFP_CACHE"] = "off"

# A test compiles much and runs it once, so XLA is asked to compile plainly: in 0.4 of the time,
# for programs that run more slowly and round as well. These flags mean the same program to us;
# `NNFP_FULL_XLA=1` leaves them out, as `make soak` does, and the fixture `full_xla` for processes
# that a test starts. A flag that a jaxlib does not know ends the process, so only versions that
# were tried are given them.
QUICK_XLA = (
    "--xla_backend_optimization_level=0",
    "--xla_llvm_disable_expensive_passes=true",
    "--xla_cpu_use_fusion_emitters=false",  # LLVM at once, without MLIR before it
    "--xla_cpu_parallel_codegen_split_count=1",
)
# The workers of xdist are started with what is set here.
GIVEN_XLA = " ".join(f for f in os.environ.get("XLA_FLAGS", "").split() if f not in QUICK_XLA)
if not os.environ.get("NNFP_FULL_XLA") and version("jaxlib").startswith("0.10."):
    os.environ["XLA_FLAGS"] = " ".join((*QUICK_XLA, GIVEN_XLA))

# A suite started in the background by a shell without job control ignores interrupts, and the
# kernels and trainings that its tests interrupt would never hear of it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "nnfp",
    deadline=None,  # the first example of a shape compiles
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("nnfp")


def chromium() -> str | None:
    """The system's Chromium, if there is one."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


# Laws over all primitives, random graphs and programs, forests, trainings, pictures of data and the
# whole library compile for minutes together: `make test` has them, `make check` not. What is left
# takes a minute on two cores (`pytest --durations=30` tells which file belongs here by now).
LAWS = (
    "graph/test_laws.py", "graph/test_random_graphs.py", "graph/test_tree_loops.py",
    "linear/test_iteration.py", "linear/test_jets.py", "linear/test_laws.py",
    "linear/test_maps.py", "linear/test_planning.py", "linear/test_structure",
    "linear/test_taken.py", "magics/test_magics.py", "primitives/test_builtins.py",
    "primitives/test_laws.py", "primitives/test_spelling.py", "programs/",
    "project/test_gradbench.py", "project/test_notebooks.py", "runtime/test_checkpoints.py",
    "runtime/test_devices.py", "runtime/test_faults.py", "runtime/test_fold_forest.py",
    "runtime/test_forest.py", "runtime/test_memory.py", "runtime/test_methods.py",
    "runtime/test_para_forest.py", "runtime/test_ragged", "runtime/test_rose_forest.py",
    "runtime/test_stream.py", "runtime/test_train.py", "runtime/test_watch.py",
    "session/test_data.py", "session/test_draws.py", "session/test_functions.py",
    "session/test_imported.py", "session/test_objectives.py", "session/test_tree_vectors.py",
    "session/test_trees.py", "session/test_weights.py", "std/", "test_examples.py",
    "views/test_figures.py", "views/test_functor.py", "views/test_geometry.py",
    "views/test_mathematics", "views/test_measures.py", "views/test_regions.py",
    "views/test_roundtrip.py", "views/test_scene.py", "views/test_strip.py", "views/test_terms.py",
)  # fmt: skip


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here) and str(item.path.relative_to(here)).startswith(LAWS):
            item.add_marker(pytest.mark.slow)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("browser") and chromium() is None:
        if os.environ.get("NNFP_REQUIRE_BROWSER"):
            pytest.fail("no Chromium found, and NNFP_REQUIRE_BROWSER is set", pytrace=False)
        pytest.skip("no Chromium found (Debian: apt install chromium)")


@pytest.fixture
def full_xla(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that a test starts compile as a user's do."""
    monkeypatch.setenv("XLA_FLAGS", GIVEN_XLA)


SNAPSHOTS = Path(__file__).parent / "snapshots"
REWRITE = "NNFP_REWRITE_SNAPSHOTS"


@pytest.fixture
def snapshot() -> Callable[[str, str], None]:
    """Compares a text with the one kept under tests/snapshots, by name.

    `NNFP_REWRITE_SNAPSHOTS=1 pytest …` keeps the new texts instead; a person reads the
    difference before it is committed.
    """

    def compare(name: str, text: str) -> None:
        path = SNAPSHOTS / name
        text = text.rstrip("\n") + "\n"
        if os.environ.get(REWRITE):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        if not path.exists():
            pytest.fail(f"no snapshot {name}; {REWRITE}=1 makes it", pytrace=False)
        assert text == path.read_text(encoding="utf-8"), f"{name}: {REWRITE}=1 rewrites it"

    return compare


@pytest.fixture(scope="module")
def session(request: pytest.FixtureRequest) -> Session:
    """A session in which the PROGRAM of a test's file was run."""
    from nnfp_kernel import Session

    made = Session(precision=64, seed=3)
    made.run(request.module.PROGRAM)
    return made


# --- what tests share, so that they are quick ---------------------------------------------------


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: the garbage collector, which took a tenth
    of the time, need not look through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 5)


class Contexts(threading.local):
    """MLIR's context of each thread: JAX makes one for every lowering, which takes as long as
    what a small program needs besides."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make
        self.made: Any = None

    def __call__(self) -> Any:
        if self.made is None:
            self.made = self.make()
        return self.made


ROOM = 1500 * 2**20  # bytes of a process, above which what was compiled is dropped


def in_memory() -> float:
    """The bytes this process has in memory; more than there are where nothing tells."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return float("inf")
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(autouse=True, scope="module")
def _executables_are_shared() -> Iterator[None]:
    """What a file's tests compiled, single operations above all, is there for the next file's;
    not for all, because thousands of executables would fill the memory of a small machine."""
    if "jax" in sys.modules and version("jax").startswith("0.10."):
        from jax._src.interpreters import mlir

        if not isinstance(mlir.make_ir_context, Contexts):
            mlir.make_ir_context = Contexts(mlir.make_ir_context)
    yield
    if "jax" in sys.modules and in_memory() > ROOM:
        from jax._src.interpreters import mlir

        sys.modules["jax"].clear_caches()
        if isinstance(mlir.make_ir_context, Contexts):
            mlir.make_ir_context.made = None
        gc.collect()
