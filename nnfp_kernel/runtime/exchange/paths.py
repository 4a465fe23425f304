"""Weights by path, and the nested dicts that Python has them in.

{"encode": {"w": 1, "b": 2}}        ("encode", "w") -> 1, ("encode", "b") -> 2
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def lookup(nested: Any, path: Sequence[str]) -> Any:
    """The value at a path of a nested dict; None where there is none."""
    for part in path:
        if not isinstance(nested, Mapping) or part not in nested:
            return None
        nested = nested[part]
    return nested


def unflatten_paths(values: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    """A nested dict from values by path."""
    nested: dict[str, Any] = {}
    for path, value in values.items():
        inner = nested
        for part in path[:-1]:
            inner = inner.setdefault(part, {})
        inner[path[-1]] = value
    return nested


def paths_of(
    nested: Mapping[str, Any], prefix: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The values of a nested dict with their paths."""
    for name, value in nested.items():
        if isinstance(value, Mapping):
            yield from paths_of(value, (*prefix, name))
        else:
            yield (*prefix, name), value
