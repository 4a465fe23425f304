"""Linear maps: what they do to a tangent, and their adjoints, built by structure.

A linear map V ⊸ W takes the tangents of V's arrays to those of W's; a product is the
list of its arrays. Nothing here is a matrix. `apply` emits ordinary nodes of a graph,
so that derivatives nest without perturbation confusion. None is a symbolic zero.

    map                     does                            adjoint
    Zero                    u ↦ 0                           Zero
    Identity                u ↦ u                           Identity
    Section b(x, ·)         one primitive, one slot open    by the primitive's record
    L >> M                  u ↦ M (L u)                     M† >> L†
    L + M                   u ↦ L u + M u                   L† + M†
    Scale c                 u ↦ c u                         Scale (conj c)
    Pair      L &&& M       u ↦ (L u, M u)                  L† ||| M†
    Copair    L ||| M       (u, v) ↦ L u + M v              L† &&& M†
    DirectSum L *** M       (u, v) ↦ (L u, M v)             L† *** M†
    Project i, Inject i     the i-th part; zero elsewhere   each other
    Dup n, Add n            u ↦ (u, …, u); u, … ↦ Σ u       each other
    Network                 a graph of linear maps          the graph backwards
    MapL                    a map for every element         shared and summed swap
    Recurrence              a state through linear steps    the other way through time
    WhileL                  the same, with a while's rounds the other way; none unbounded
    SolveL L                L⁻¹                             SolveL L†
    TreeRecurrence          steps over a forest, bottom up  top down
    ChooseL                 the branch taken                its adjoint

The law of each adjoint is ⟨L u, w⟩ = ⟨u, L† w⟩, with Re ⟨·,·⟩ over C.
Sources: Elliott 2018; Elsman, Henglein, Kaarsgaard, Mathiesen, Schenck 2022.

    combinators.py   what a linear map is, and the maps built of maps down to `Add`
    network.py       graphs of them
    loops.py         those of structured nodes, from `MapL` on
"""

from .combinators import (
    Add,
    Compose,
    Copair,
    DirectSum,
    Dup,
    Identity,
    Inject,
    LinearMap,
    Operand,
    Pair,
    Primitives,
    Project,
    Renaming,
    Scale,
    Section,
    Sum,
    Tangent,
    Types,
    Zero,
    associated,
    chain,
    compose,
    filled,
    plus,
    section,
    without_identities,
)
from .loops import (
    Cell,
    ChooseL,
    MapL,
    NoAdjoint,
    Recurrence,
    SolveL,
    TreeRecurrence,
    WhileL,
)
from .network import (
    Network,
    Part,
    Variable,
)

__all__ = [
    "Add", "Cell", "ChooseL", "Compose", "Copair", "DirectSum", "Dup", "Identity", "Inject",
    "LinearMap", "MapL", "Network", "NoAdjoint", "Operand", "Pair", "Part", "Primitives",
    "Project", "Recurrence", "Renaming", "Scale", "Section", "SolveL", "Sum", "Tangent",
    "TreeRecurrence", "Types", "Variable", "WhileL", "Zero", "associated", "chain", "compose",
    "filled", "plus", "section", "without_identities",
]  # fmt: skip
