"""Interactive views: `nnfp.widgets.Bend(function, X, colour=y)`, others over the same data, and
views of the program itself: `nnfp.widgets.Unroll(function, x)`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .bend import Bend
    from .film import Film
    from .hands import Hands
    from .regions import Regions
    from .strip import Strip
    from .training import Training
    from .unroll import Unroll
    from .wiring import Wiring

MODULES = {
    "Bend": "bend", "Film": "film", "Hands": "hands", "Regions": "regions", "Strip": "strip",
    "Training": "training", "Unroll": "unroll", "Wiring": "wiring",
}  # fmt: skip
__all__ = ["Bend", "Film", "Hands", "Regions", "Strip", "Training", "Unroll", "Wiring"]


def __getattr__(name: str) -> Any:
    if name in MODULES:  # ipywidgets are imported when one is wanted
        return getattr(import_module(f".{MODULES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
