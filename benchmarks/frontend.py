"""What text costs before anything runs: parsing and inference of long programs.

    python benchmarks/frontend.py              a table; exit status 1 if cost is not linear
    python benchmarks/frontend.py --lines 100 1000 --repeats 3

A generated program is a row of small models as people write them: a representation, a
recurrent cell, a fold, a head of families, a window map, an objective. No definition has
a signature, so inference does all the work. Every tenth model starts a new chain; the
others build on the one before. Times are CPU times of this process, medians with
quartiles over repeats, the program sizes alternating.

Python's cyclic garbage collector walks all that is alive again and again, so its share
would grow with the length: parsing and inference pause it. The growth of our own work is
measured without it; the times with it, which are what a user waits, have the collections
before and after as well.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable, Sequence

from nnfp_kernel.language.infer import infer
from nnfp_kernel.language.parser import parse
from nnfp_kernel.language.source import Source
from nnfp_kernel.language.syntax import Program
from nnfp_kernel.library import library
from nnfp_kernel.primitives import BUILTINS

MODEL = """\
-- model {i}: a sequence is read, thought about and judged
rep Thought{i} = R[8]

cell{i} (h, x) = tanh (?W @ h + ?U @ x + ?b)

encode{i} = map (dense[4] >> relu) >> fold cell{i} (zero : R[8]) >> Thought{i}

head{i} (Thought{i} t) = {before} (residual (dense >> tanh) t)

smooth{i} xs = window[3] (\\w -> relu (?K @ flatten w)) (xs : R[16,3]) |> map dense[4]

loss{i} (xs, y) = crossEntropy (dense[5] (head{i} (encode{i} (smooth{i} xs)))) y
"""
LINES_OF_A_MODEL = MODEL.count("\n") + 1
ALLOWED_GROWTH = 2.0  # the cost of a line, at 100 times the length, in multiples


def program(lines: int) -> str:
    """About `lines` lines of models."""
    models = []
    for i in range(max(1, round(lines / LINES_OF_A_MODEL))):
        before = f"(\\h -> head{i - 1} (Thought{i - 1} h))" if i % 10 else "tanh"
        models.append(MODEL.format(i=i, before=before))
    return "\n".join(models)


def measure(action: Callable[[], object], collector: bool) -> float:
    """CPU seconds, with or without the garbage collector."""
    gc.collect()
    if not collector:
        gc.disable()
    try:
        start = time.process_time()
        action()
        return time.process_time() - start
    finally:
        gc.enable()


def quartiles(times: Sequence[float]) -> tuple[float, float, float]:
    if len(times) == 1:
        return times[0], times[0], times[0]
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive")
    return low, middle, high


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    options.add_argument("--lines", type=int, nargs="+", default=[100, 1000, 10_000])
    options.add_argument("--repeats", type=int, default=5)
    chosen = options.parse_args()

    start = time.process_time()
    standard = library()
    print(f"the library, once a process: {time.process_time() - start:.3f} s")

    texts = {count: Source(program(count), "generated") for count in chosen.lines}
    times: dict[tuple[int, str], list[float]] = {}
    for _ in range(chosen.repeats):
        for count, source in texts.items():
            parsed = parse(source)
            assert not parsed.diagnostics, parsed.diagnostics[0]

            def inferred(tree: Program = parsed.program) -> None:
                checked = infer([tree], BUILTINS, library=standard)
                assert not checked.diagnostics, checked.diagnostics[0]

            for phase, action, collector in (
                ("parse", lambda s=source: parse(s), False),
                ("infer", inferred, False),
                ("parse, collected", lambda s=source: parse(s), True),
                ("infer, collected", inferred, True),
            ):
                times.setdefault((count, phase), []).append(measure(action, collector))

    print(f"{'lines':>8} {'phase':>16} {'median':>10} {'a line':>10}   quartiles of a line")
    per_line: dict[tuple[int, str], float] = {}
    for (count, phase), found in times.items():
        written = texts[count].text.count("\n") + 1
        low, middle, high = (time / written * 1e6 for time in quartiles(found))
        per_line[count, phase] = middle
        total = middle * written / 1e6
        print(
            f"{written:>8} {phase:>16} {total:>8.3f} s {middle:>7.0f} us   {low:.0f}-{high:.0f} us"
        )

    shortest, longest = min(chosen.lines), max(chosen.lines)
    linear = True
    for phase in ("parse", "infer"):
        growth = per_line[longest, phase] / per_line[shortest, phase]
        linear &= growth <= ALLOWED_GROWTH
        print(
            f"{phase}: a line of {longest} costs {growth:.2f} times a line of {shortest} "
            f"(linear: 1; allowed: {ALLOWED_GROWTH:g})"
        )
    return 0 if linear else 1


if __name__ == "__main__":
    sys.exit(main())
