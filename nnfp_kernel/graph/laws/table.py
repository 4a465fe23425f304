"""Which laws are tried where: by the primitive about to be used, in order."""

from __future__ import annotations

from .arithmetic import (
    minus_negative,
    minus_zero,
    one_times,
    plus_negative,
    plus_zero,
    same_choice,
    twice,
)
from .contraction import (
    contract_of_broadcast,
    contract_of_difference,
    contract_of_outer_products,
    contract_of_transpose,
    sum_of_choice,
    sum_of_contract,
    sum_of_terms,
    transpose_of_contract,
)
from .law import Law
from .movement import (
    broadcast_of_broadcast,
    choice_of_scatter,
    concat_of_concat,
    gather_at_constant,
    last_of_loop,
    of_broadcasts,
    reshape_of_reshape,
    reverse_twice,
    scatter_at_constant,
    slice_of_concat,
    slice_of_slice,
    slice_of_transpose,
    sum_of_broadcast,
    sum_of_scatter,
    sum_of_sum,
    sum_of_transpose,
    transpose_of_broadcast,
    transpose_of_transpose,
)
from .windows import contract_of_windows

LAWS: dict[str, tuple[Law, ...]] = {
    "mul": (one_times, of_broadcasts("mul")),
    "add": (plus_zero, plus_negative, of_broadcasts("add")),
    "subtract": (minus_zero, minus_negative, of_broadcasts("subtract")),
    "negate": (twice("negate"),),
    "conj": (twice("conj"),),
    "not": (twice("not"),),
    "select": (same_choice, choice_of_scatter),
    "reverse": (reverse_twice,),
    "slice": (slice_of_slice, slice_of_transpose, slice_of_concat, last_of_loop),
    "gather": (gather_at_constant,),
    "scatterAdd": (scatter_at_constant,),
    "reshape": (reshape_of_reshape,),
    "transpose": (transpose_of_transpose, transpose_of_contract, transpose_of_broadcast),
    "broadcast": (broadcast_of_broadcast,),
    "sum": (
        sum_of_contract,
        sum_of_broadcast,
        sum_of_terms,
        sum_of_choice,
        sum_of_scatter,
        sum_of_transpose,
        sum_of_sum,
    ),
    "contract": (
        contract_of_transpose,
        contract_of_broadcast,
        contract_of_difference,
        contract_of_windows,
        contract_of_outer_products,
    ),
    "concat": (concat_of_concat,),
}
