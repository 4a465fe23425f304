"""What repeats as JSON and one buffer of numbers: what a widget and a page draw.

    header, numbers = packed([unrolled, …])

Every frame has a name, its trail: "" from the outside, "0/2" inside of the first part at its
third step. Every array is {"offset", "shape"}, a place in the buffer of little-endian numbers
of 32 bits. A strip's is [rows, numbers], a path's [states, 2], a tree's places [nodes, 2].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from .steps import Chain, Steps, Strip, Tree, Unrolled

Array = Any
Json = dict[str, Any]


def packed(frames: Sequence[Unrolled]) -> tuple[Json, bytes]:
    """Frames of one function as JSON and a buffer.

    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.unroll import unroll
    >>> session = Session(precision=64)
    >>> _ = session.run("total : [R] -> R\\ntotal = fold (\\\\(s, x) -> s + x) 0")
    >>> header, numbers = packed([unroll(session["total"], numpy.ones(3))])
    >>> header["frames"][""]["parts"][0]["chains"][0]["states"][0]["array"]
    {'offset': 0, 'shape': [4, 1]}
    """
    buffer = bytearray()

    def add(array: Array) -> Json:
        whole = numpy.ascontiguousarray(array, "<f4")
        place = {"offset": len(buffer), "shape": list(whole.shape)}
        buffer.extend(whole.tobytes())
        return place

    def strip(one: Strip) -> Json:
        return {
            "name": one.name, "type": one.type, "shape": list(one.shape), "kind": one.kind,
            "colour": one.colour, "reach": one.reach, "array": add(one.values),
        }  # fmt: skip

    def chain(one: Chain) -> Json:
        return {
            "label": one.label, "reverse": one.reverse, "start": one.start,
            "weights": one.weights, "tied": one.tied,
            "states": [strip(each) for each in one.states],
            "outputs": [strip(each) for each in one.outputs],
        }  # fmt: skip

    def tree(one: Tree | None) -> Json | None:
        if one is None:
            return None
        return {
            "constructors": list(one.constructors), "parents": list(one.parents),
            "payload": list(one.payload), "place": add(one.place),
            "held": [add(each) for each in one.held],
            "reach": max((float(abs(each).max(initial=0)) for each in one.held), default=0) or 1,
        }  # fmt: skip

    def steps(part: Steps) -> Json:
        chains = [chain(each) for each in part.chains]
        path = part.path
        return {
            "label": part.label, "kind": part.kind, "count": part.count, "chains": chains,
            "elements": [strip(each) for each in part.elements],
            "tree": tree(part.tree),
            "seen": None if part.seen is None else part.seen.tolist(),
            "path": None if path is None else {"array": add(path[0]), "share": path[1]},
            "excerpts": [
                {
                    "place": each.place, "text": each.text,
                    "marks": [[mark.what, mark.begin, mark.end] for mark in each.marks],
                }
                for each in part.excerpts
            ],
            "inner": part.inner, "whole": part.whole,
        }  # fmt: skip

    made = {}
    for frame in frames:
        made[key_of(frame.trail)] = {"parts": [steps(part) for part in frame.parts]}
    first = frames[0]
    header = {
        "name": first.name, "type": first.type, "labels": list(first.labels), "frames": made,
    }  # fmt: skip
    return header, bytes(buffer)


def key_of(trail: Sequence[tuple[int, int]]) -> str:
    """The name of a frame.

    >>> key_of([(0, 2), (1, 0)])
    '0/2,1/0'
    """
    return ",".join(f"{part}/{step}" for part, step in trail)
