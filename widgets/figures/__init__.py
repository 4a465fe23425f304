"""Figures for paper: the matplotlib twins of the widgets, one call each.

    bend(scene)                  every stage of a scene beside the other
    hands(scene, layer)          one layer: what its columns and singular vectors do
    tissot(lens)                 what each stage does to lengths and areas
    regions(found, scene)        where a network is linear, in the input and in every layer
    strip(found)                 every stage with what is measured of it below
    alignment(one, other)        which stages look alike, of one function or of two
    unroll(shown, part)          a loop, a map or a tree laid out with its values
    film(film)                   moments of a training, and every stage at each
    training(events)             the loss of a training, and how it ended

They are drawn in the house style on light paper, and saved by matplotlib's own `savefig`
as PDF, SVG or PNG. All panels have one scale, or say below which one is theirs.
"""

from .alignment import alignment
from .bend import bend
from .film import film
from .hands import hands
from .regions import regions
from .strip import strip
from .svg import themed, to_svg
from .tissot import tissot
from .training import training
from .unroll import unroll

__all__ = [
    "alignment", "bend", "film", "hands", "regions", "strip", "themed", "tissot", "to_svg",
    "training",
    "unroll",
]  # fmt: skip
