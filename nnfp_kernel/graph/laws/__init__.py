"""The laws: how a graph may compute otherwise what it computes, one function each.

A law has a name and `law(builder, parameters, inputs)`: it looks at one primitive about
to be used and answers with the wire to use instead, or with None. Every node is looked
at once, when it is made, and its operands have been simplified before: the cost is
linear in the size of the graph.

A law that would do the work of an operand a second time asks whether the operand has
no other use.
"""

from .law import Fired, Law, Primitives
from .simplifier import Simplifier
from .table import LAWS

__all__ = ["LAWS", "Fired", "Law", "Primitives", "Simplifier"]
