"""Where text comes from: a source (one cell or file) and spans in it.

Every later floor points back here: a type, a graph node and an error all
carry the span that made them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache


@lru_cache(maxsize=256)
def _lines(text: str) -> tuple[str, ...]:
    """The lines of a text; kept, because every span of a source asks for them."""
    return tuple(text.split("\n"))


@dataclass(frozen=True, slots=True)
class Source:
    """A text with a name a person recognises: `cell 3`, `model.nnfp`, `std/layers.nnfp`.

    >>> Source("a = 1\\nb = 2", "cell 3").line(2)
    'b = 2'
    """

    text: str = field(repr=False)
    name: str = "program"

    @property
    def library(self) -> bool:
        """Whether it is a part of the library: no text of the user's."""
        return self.name.startswith("std/")

    def line(self, number: int) -> str:
        """The text of line `number`, counted from 1; empty when there is none."""
        lines = _lines(self.text)
        return lines[number - 1] if 0 < number <= len(lines) else ""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a source: lines and columns counted from 1, `end_column` exclusive.

    >>> span = Span(Source("fold cell 0", "cell 3"), 1, 6, 1, 10)
    >>> span.text, str(span)
    ('cell', 'cell 3, line 1, columns 6-9')
    """

    source: Source
    line: int
    column: int
    end_line: int
    end_column: int

    @property
    def text(self) -> str:
        """The text the span covers."""
        lines = list(_lines(self.source.text)[self.line - 1 : self.end_line])
        if not lines:
            return ""
        lines[-1] = lines[-1][: self.end_column - 1]
        lines[0] = lines[0][self.column - 1 :]
        return "\n".join(lines)

    def contains(self, other: Span, first: bool = False) -> bool:
        """Whether another span is inside of this one, in the same source; if asked for, `first`.

        >>> source = Source("fold cell 0", "cell 3")
        >>> whole, cell = Span(source, 1, 1, 1, 12), Span(source, 1, 6, 1, 10)
        >>> whole.contains(cell), whole.contains(cell, first=True)
        (True, False)
        """
        begin, other_begin = (self.line, self.column), (other.line, other.column)
        start = begin == other_begin if first else begin <= other_begin
        end = (other.end_line, other.end_column) <= (self.end_line, self.end_column)
        return self.source is other.source and start and end

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the end of `other`, of the same source."""
        return Span(self.source, self.line, self.column, other.end_line, other.end_column)

    def __str__(self) -> str:
        if self.line != self.end_line:
            return f"{self.source.name}, lines {self.line}-{self.end_line}"
        last = max(self.column, self.end_column - 1)
        columns = f"column {last}" if last == self.column else f"columns {self.column}-{last}"
        return f"{self.source.name}, line {self.line}, {columns}"
