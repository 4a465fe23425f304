"""Interactive views: `nnfp.widgets.Bend(function, X, colour=y)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .bend import Bend

__all__ = ["Bend"]


def __getattr__(name: str) -> Any:
    if name == "Bend":  # ipywidgets are imported when one is wanted
        from .bend import Bend

        return Bend
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
