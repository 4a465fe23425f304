"""Every primitive, one record each. Importing this package fills the table and
imports no jax: a lowering imports it when it is called.

>>> from nnfp_kernel.primitives import BUILTINS
>>> BUILTINS["tanh"].type
'a -> a where elementwise a'
"""

from __future__ import annotations

from . import (
    combinators,
    comparison,
    complex_numbers,
    contraction,
    eigenvalues,
    elementwise,
    factorisations,
    fourier,
    indexing,
    jets,
    linear_maps,
    linear_names,
    machines,
    matrix,
    matrix_functions,
    movement,
    payload,
    random,
    reduction,
    tree_maps,
    trees,
    whiles,
    windows,
)
from .table import BUILTINS, PRIMITIVES

__all__ = [
    "BUILTINS", "PRIMITIVES",
    "combinators", "comparison", "complex_numbers", "contraction", "eigenvalues",
    "elementwise", "factorisations", "fourier", "indexing", "jets", "linear_maps", "linear_names",
    "machines", "matrix", "matrix_functions", "movement", "payload", "random", "reduction",
    "tree_maps", "trees", "whiles", "windows",
]  # fmt: skip
