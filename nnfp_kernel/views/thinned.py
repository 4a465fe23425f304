"""A long row of things, of which some are kept: as many as a picture can show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Thinned(Generic[Item]):
    """What comes one after the other, however long it goes on: every so many-th, evenly apart
    and no more than `most`, and behind them the last.

    >>> row = Thinned(4)
    >>> for k in range(100):
    ...     row.add(k)
    >>> list(row), len(row), row.last
    ([0, 32, 64, 96, 99], 5, 99)
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.last: Item | None = None
        self._kept: list[Item] = []
        self._stride = 1
        self._seen = 0

    def add(self, item: Item) -> None:
        if self._seen % self._stride == 0:
            self._kept.append(item)
            if len(self._kept) > self.most:
                self._kept, self._stride = self._kept[::2], 2 * self._stride
        self._seen += 1
        self.last = item

    def __iter__(self) -> Iterator[Item]:
        yield from self._kept
        if self.last is not None and self._kept[-1] is not self.last:
            yield self.last

    def __len__(self) -> int:
        return sum(1 for _ in self)
