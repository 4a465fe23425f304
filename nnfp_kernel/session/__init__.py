"""The session: what cells share. Text goes in; types, values and functions come out.

session.py      Session: runs cells, all or nothing; functions, weights, training
outputs.py      what a cell shows, as data
standing.py     what stands after it, and expressions typed over that
promises.py     what a definition promises and its graph must keep: `-o`, `moore`
construct.py    data values made by Python
"""

from .completion import Completion, Completions
from .inspection import Inspection
from .outputs import CellResult, Declared, Defined, Magic, Output, Shown
from .session import Function, Session

__all__ = [
    "CellResult", "Completion", "Completions", "Declared", "Defined", "Function", "Inspection",
    "Magic", "Output", "Session", "Shown",
]  # fmt: skip
