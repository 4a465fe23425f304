"""What `%config Nnfp` settles."""

from __future__ import annotations

from traitlets import CInt, Enum, Float
from traitlets.config import Configurable


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
