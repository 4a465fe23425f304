"""Values that the runtime has packed as arrays, and that are taken as they are: trees."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

from ...language import types as t

Array = Any


class Packed(ABC):
    """Values that the runtime has packed as arrays: a tree, or a batch of them."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The axis of examples, of a batch."""

    @property
    @abstractmethod
    def structure(self) -> Any:
        """What a graph must know of it beside its type: hashable."""

    @abstractmethod
    def matched(self, expected: t.Type, integers: bool) -> t.Type:
        """As `match`."""

    @abstractmethod
    def arrays(self, number: Callable[[Array, str], Array]) -> Iterator[Array]:
        """As `flatten`."""

    @abstractmethod
    def unpacked(self, arrays: Iterator[Array]) -> Any:
        """The values that these arrays, a gradient, make up, in the form of those packed;
        () in the places of what does not move."""
