"""The session: what cells share. Text goes in; types, values and functions come out.

session.py      Session: runs cells, all or nothing; functions, weights, training
outputs.py      what a cell shows, as data
standing.py     what stands after it, and expressions typed over that
promises.py     what a definition promises and its graph must keep: `-o`, `moore`
construct.py    data values made by Python
"""

from .outputs import CellResult, Declared, Defined, Magic, Output, Shown
from .session import Function, Session

__all__ = [
    "CellResult", "Declared", "Defined", "Function", "Magic", "Output", "Session", "Shown",
]  # fmt: skip
