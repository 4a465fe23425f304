"""What `%config Nnfp` settles."""

from __future__ import annotations

from typing import Any

from traitlets import CInt, Enum, Float, Unicode, default
from traitlets.config import Configurable

from nnfp_kernel.runtime.machine.persistent import asked


class Nnfp(Configurable):
    """Settings of `%nnfp` and `%%nnfp`. Those of the session hold from the next
    `%nnfp reset` on, and at once while nothing is defined."""

    precision = Enum((32, 64), 32, help="bits of a number, in a new session").tag(config=True)
    seed = CInt(0, help="of first values of weights and of draws, in a new session").tag(
        config=True
    )
    updates = Float(
        10.0, min=0.1, max=20.0, help="how often a second a training's picture is drawn anew"
    ).tag(config=True)
    cache = Unicode(
        help="folder in which what is compiled is kept from one process to the next; '' for the "
        "user's cache folder, 'off' for none. NNFP_CACHE says it outside of notebooks"
    ).tag(config=True)
    cache_size = CInt(min=0, help="megabytes that it may take; or NNFP_CACHE_SIZE").tag(config=True)

    @default("cache")
    def _cache(self) -> Any:
        return asked()[0]

    @default("cache_size")
    def _cache_size(self) -> Any:
        return asked()[1]
