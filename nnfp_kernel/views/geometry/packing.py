"""Linear regions as JSON and one buffer of numbers: what their widget and its page draw.

The header is that of the scene (views/scene/packed.py), whose circles are the corners of the
regions, carried through all stages: so they move as points do. Under "regions" stands what
else there is; arrays are places in the buffer.
"""

from __future__ import annotations

from typing import Any

import numpy

from ..scene import Scene
from ..scene.packed import Buffer, packed
from .mosaic import mosaic
from .regions import Regions

Array = Any
Json = dict[str, Any]
ROWS = 4  # of an affine map: enough to be read
MOST = 64  # times the area: beyond that, colours say no more


def packed_regions(found: Regions, scene: Scene) -> tuple[Json, bytes]:
    """The regions, and the scene that they are in.

    >>> import numpy
    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.geometry.regions import regions
    >>> from nnfp_kernel.views.scene import scene
    >>> session = Session(precision=64)
    >>> _ = session.run("folded : R[2] -> R[2]\\nfolded x = abs x")
    >>> made = scene(session["folded"], numpy.array([[-1.0, -1.0], [1.0, 1.0]]))
    >>> header, numbers = packed_regions(regions(made), made)
    >>> header["regions"]["count"], header["circles"]
    (4, [9, 1])
    """
    made, buffer, plane = mosaic(found, scene), Buffer(), found.plane
    header, _ = packed(scene, plane.points(made.corners)[:, None], buffer)
    whole = scene.states[0].shape[1] == 2
    states = []
    for k in range(len(found.values)):
        # Of each affine map one polygon tells.
        first = numpy.unique(made.maps[k], return_index=True)[1]
        slopes = found.slopes[k][first, :ROWS]
        away = found.polygons.centres[first, :, None]
        shift = found.values[k][first, :ROWS] - (slopes @ away)[..., 0]
        states.append(
            {
                "count": found.counts[k],
                "maps": len(first),
                "member": buffer.add(found.members[k]),
                "map": buffer.add(made.maps[k]),
                "hue": buffer.add(made.hues[k]),
                "mapHue": buffer.add(made.map_hues[k]),
                "stretch": buffer.add(made.stretch[k][first]),
                "rows": buffer.add(numpy.concatenate([slopes, shift[..., None]], axis=2)),
            }
        )
    changes = [own[own > 0] for own in (stretch.prod(1) for stretch in made.stretch[1:])]
    logs = abs(numpy.log(numpy.concatenate(changes))) if changes else numpy.zeros(0)
    limit = float(numpy.quantile(logs, 0.9)) if len(logs) else 0.0
    values = found.values[-1].shape[1]
    header["regions"] = {
        "count": len(found),
        "corners": buffer.add(made.corners),
        "starts": buffer.add(made.starts),
        "index": buffer.add(made.index),
        "answers": buffer.add(made.answers),
        "sure": buffer.add(made.sure),
        # What answers are coloured as: classes by their colours, one number by its sign.
        "kind": "sign" if values == 1 and len(scene.classes) != 2 else "classes",
        "areas": buffer.add(found.polygons.areas),
        "limit": float(numpy.clip(limit, numpy.log(2), numpy.log(MOST))),
        "whole": whole,
        "plane": plane.name,
        "states": states,
    }
    return header, buffer.whole()
