"""GradBench's protocol: one JSON message a line on standard input, one answer a line.

    start      {"id", "kind": "start", "eval"}      -> {"id", "tool"}
    define     {"id", "kind": "define", "module"}   -> {"id", "success"}
    evaluate   {"id", "kind": "evaluate", "module", "function", "input"}
               -> {"id", "success", "output", "timings"}

An input with `min_runs` and `min_seconds` is run until both are met, each run timed and
its result waited for. A tool is a name and `function(module, name, size)`, which gives a
compiled function of the arrays that `problems.py` makes of the input.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Any, TextIO

import jax
from problems import PROBLEMS

Json = Any
Supply = Callable[[str, str, int | None], Callable[..., Any]]


def serve(name: str, function: Supply, source: TextIO = sys.stdin) -> None:
    """Answer messages until there are no more."""
    supply = cache(function)
    for line in source:
        message = json.loads(line)
        print(json.dumps({"id": message["id"], **answer(name, supply, message)}), flush=True)


def answer(name: str, function: Supply, message: Json) -> Json:
    """The answer to one message."""
    match message["kind"]:
        case "start":
            return {"tool": name}
        case "define":
            return {"success": message["module"] in PROBLEMS}
        case "evaluate":
            try:
                return evaluate(function, message)
            except Exception as problem:  # told to the one who asks; the tool goes on
                return {"success": False, "error": str(problem)}
        case _:
            return {}


def evaluate(function: Supply, message: Json) -> Json:
    """Run a function of a problem on an input."""
    module, name, given = message["module"], message["function"], message["input"]
    problem = PROBLEMS.get(module)
    if problem is None or name not in problem.functions:
        return {"success": False, "error": f"there is no {name} in {module}"}
    run = function(module, name, problem.size(given))
    arguments = jax.device_put(problem.arguments(given))
    wanted = given if isinstance(given, dict) else {}
    runs, seconds = wanted.get("min_runs", 1), wanted.get("min_seconds", 0)
    times: list[int] = []
    while len(times) < runs or sum(times) < seconds * 1e9:
        start = time.perf_counter_ns()
        value = jax.block_until_ready(run(*arguments))
        times.append(time.perf_counter_ns() - start)
    return {
        "success": True,
        "output": problem.answer(name, given, value),
        "timings": [{"name": "evaluate", "nanoseconds": spent} for spent in times],
    }
