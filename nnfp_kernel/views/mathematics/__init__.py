"""A definition and its derivative as mathematics: y = tanh(W x + b), dy = (1 - y²) ⊙ W dx.

    typed program                   what a person wrote, names and sizes kept
      reading.py, rules.py          run on quantities (quantities.py): no arrays, no graph
    tape.py, blocks.py              how each quantity is made, varies and pulls back
      sections.py                   passes forwards and backwards write lines
    formula.py                      a line is a tree of letters, fractions, scripts …
      latex.py, mathml.py, plain.py     for papers, browsers and terminals

The other way to a formula starts from the linear maps that compute:

    linear/differentiate.py         the network of maps
      maps.py, steps.py             each map as a formula of combinators, law by law

Both are judged: a test reads the formulas as a person does, in numpy, and finds the numbers
that the program gives.
"""

from .sections import Mathematics, Section, mathematics
from .tape import Line

__all__ = ["Line", "Mathematics", "Section", "mathematics"]
