"""What has changed of a scene since it was told: little, while a network trains.

    changed(before, after)      the parts of `after` that `before` has not
    static/changes.js           puts them together again

Labels, colours, cameras and what a stage is stay; turns, stretches and places move.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def changed(before: Json, after: Json) -> Json:
    """What differs, of two objects of JSON: entries, in objects their entries, and in lists of
    as many objects those of each. What is no more there is not told.

    >>> changed({"a": 1, "b": {"c": 2, "d": 3}}, {"a": 1, "b": {"c": 2, "d": 4}})
    {'b': {'d': 4}}
    >>> changed({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}, {"b": 3}]})
    {'a': [{}, {'b': 3}]}
    """
    return {
        name: _changed(before.get(name), value)
        for name, value in after.items()
        if name not in before or value != before[name]
    }


def _changed(before: Any, after: Any) -> Any:
    if isinstance(before, dict) and isinstance(after, dict):
        return changed(before, after)
    if _objects(before) and _objects(after) and len(before) == len(after):
        return [changed(own, other) for own, other in zip(before, after, strict=True)]
    return after


def _objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(own, dict) for own in value)
