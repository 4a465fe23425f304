"""The mistakes: programs with one mistake each, by the kind of mistake.

A text is one cell; a tuple is several, of which only the last has a mistake. `BROKEN` are
cells that are right in themselves, and break a definition of an older cell.
"""

from __future__ import annotations

NAMES = {
    "unknown_name": "encode : R[3] -> R[3]\nencode x = tnah x",
    "unknown_name_of_python": "size_of : R[n] -> Int\nsize_of xs = len xs",
    "unknown_name_alone": "f x = bias + x",
    "unknown_name_in_an_expression": ("encode x = tanh x", "encoder 3"),
    "unknown_local": "f x =\n  let total = sum x\n  in x / totl",
    "unknown_constructor": "data Tree = Leaf R | Node Tree Tree\none = Leav 1",
    "unknown_constructor_in_a_pattern": (
        "data Tree = Leaf R | Node Tree Tree\n"
        "depth = cata { Leaf x -> 0 ; Branch l r -> 1 + max l r }"
    ),
    "unknown_type": "rep Thought = R[8]\nthink : Thougth -> R\nthink (Thought t) = sum t",
    "unknown_type_of_python": "f : float -> R\nf x = x",
    "unknown_size": "f : R[8] -> R[5]\nf = window[width] sum",
    "unknown_size_in_a_rep": "rep Thought = R[hidden]",
    "unknown_option": "f : R[9] -> R[4]\nf = window[3, strid=2] sum",
    "unknown_import": 'import "layers.nnfp"\nf x = x',
    "unknown_module": "import std.layer\nf x = x",
    "unknown_weight": ("cell : R[2] ~> R[3]\ncell x = tanh (?W @ x + ?b)", "sum cell.V"),
    "unknown_weight_of_nothing": ("cell : R[2] ~> R[3]\ncell x = tanh (?W @ x + ?b)", "sum cel.W"),
    "type_variable_in_a_rep": "rep Thought = a[3]",
}

SIZES = {
    "contraction": "weights1 : R[3,4]\nweights1 = zero\nf : R[5] -> R[3]\nf x = weights1 @ x",
    "contraction_of_a_named_function": (
        "encode : R[8] ~> R[32]\nencode x = tanh (?W @ x)\n"
        "decode : R[16] ~> R[8]\ndecode h = ?V @ h\n"
        "auto : R[8] ~> R[8]\nauto x = decode (encode x)"
    ),
    "composition": (
        "encode : R[8] ~> R[32]\nencode x = tanh (?W @ x)\n"
        "decode : R[16] ~> R[8]\ndecode h = ?V @ h\n"
        "auto = encode >> decode"
    ),
    "composition_over_cells": (
        "encode : R[8] ~> R[32]\nencode x = tanh (?W @ x)",
        "decode : R[16] ~> R[8]\ndecode h = ?V @ h",
        "auto = encode >> decode",
    ),
    "missing_last_layer": ("net : R[784] ~> R[10]\nnet = dense[128] >> relu >> dense[64] >> relu"),
    "sum_of_two_sizes": "f : (R[3], R[4]) -> R[3]\nf (x, y) = x + y",
    "sum_along_the_leading_axis": "shift_all : (R[5,3], R[5]) -> R[5,3]\nshift_all (m, v) = m - v",
    "division_along_the_leading_axis": "f : R[n,m] -> R[n,m]\nf m = m / map sum m",
    "argument": "norm2 : R[2] -> R\nnorm2 x = dot x x\n\nf : R[3] -> R\nf y = norm2 y",
    "state_of_a_fold": (
        "cell : (R[4], R[3]) -> R[5]\ncell (h, x) = zero\n\n"
        "encode : [R[3]] -> R[5]\nencode = fold cell zero"
    ),
    "element_of_a_fold": (
        "rep Word = R[4]\n"
        "cell : (R[8], Word) ~> R[8]\ncell (h, Word x) = tanh (?W @ h + ?U @ x)\n\n"
        "encode : [R[4]] ~> R[8]\nencode = fold cell zero"
    ),
    "sequence_of_one_length": "f : R[3] -> R\nf x = sum x\ng : R\ng = f [1, 2, 3, 4]",
    "window_larger_than_input": "f : R[3] -> R[1]\nf = window[5] sum",
    "window_gives_another_length": "f : R[9] -> R[9]\nf = window[3] sum",
    "too_much_taken": "f : R[3] -> R[4]\nf = take[4]",
    "negative_size": "f : R[2-3] -> R\nf x = sum x",
    "negative_size_of_a_use": (
        "shorter : R[n] -> R[n-2]\nshorter x = drop[2] x\n\nf : R[1] -> R\nf x = sum (shorter x)"
    ),
    "size_divided_by_zero": "f : R[3/0] -> R\nf x = sum x",
    "reshape": "f : R[10] -> R[3,4]\nf = reshape[3,4]",
    "signature_size_fixed_by_the_body": "f : R[n] -> R\nf x = dot x [1, 2, 3]",
    "two_signature_sizes_made_one": "f : (R[n], R[m]) -> R[n]\nf (x, y) = x + y",
}

TYPES = {
    "element_type": "f : Fin[10] -> R\nf i = i + 1",
    "int_for_real": "f : R[n] -> R\nf xs = sum xs / length xs",
    "boolean_added": "f : R -> R\nf x = x + (x > 0)",
    "sequence_of_different_types": "xs = [1, 2 > 1, 3]",
    "sequence_of_different_sizes": "f : (R[2], R[3]) -> R[2,2]\nf (x, y) = [x, y]",
    "order_of_complex_numbers": "f : (R[3], C[3]) -> Bool[3]\nf (x, z) = x < z",
    "greater_of_complex_numbers": "f : (C[3], C[3]) -> C[3]\nf (x, z) = max x z",
    "complex_where_real": "f : C[3] -> R\nf z = maximum z",
    "complex_for_a_real_result": "f : C -> R\nf z = z * conj z",
    "complex_to_real": "toReal (1 + 2i)",
    "imaginary_pattern": "f 2i = 3",
    "imaginary_with_j": "z = 1 + 2j",
    "exponential_of_a_wide_matrix": "f : R[2,3] -> R[2,3]\nf a = expm a",
    "transform_of_no_array": "fft 3",
    "ascription": "h : R[3] -> R[3]\nh x = (x : R[2])",
    "ascription_of_an_operand": "h x = (x : R[2]) + [1, 2, 3]",
    "condition_not_boolean": "f : R -> R\nf x = if x then 1 else 0",
    "branches_differ": "f : R[3] -> R[3]\nf x = if sum x > 0 then x else sum x",
    "branches_differ_in_an_expression": "if 1 > 0 then [1, 2] else 3",
    "alternatives_differ": (
        "data Shape = Dot R | Box R[2]\nf : Shape -> R\nf s = case s of { Dot r -> r ; Box b -> b }"
    ),
    "tuple_size": "f : (R, R, R) -> R\nf (x, y) = x + y",
    "tuple_for_two_arguments": "f : R -> R -> R\nf x y = x + y\n\ng : R -> R\ng x = f (x, x)",
    "two_arguments_for_a_tuple": "f : (R, R) -> R\nf (x, y) = x + y\n\ng : R -> R\ng x = f x x",
    "too_many_arguments": "f : R -> R\nf x = 2 * x\n\ng : R -> R\ng x = f x 3",
    "too_many_parameters": "f : R -> R\nf x y = x + y",
    "missing_argument": "f : R[3] -> R\nf x = dot x + 1",
    "function_given_for_a_value": "f : R -> R\nf x = x + tanh",
    "applied_a_number": "f : R -> R\nf x = x (x + 1)",
    "size_as_argument": "net : R[64] ~> R[10]\nnet = dense(32) >> relu >> dense[10]",
    "sizes_as_arguments": "net : R[64] ~> R[10]\nnet = mlp 32 10",
    "one_size_of_two_as_argument": "net : R[64] ~> R[10]\nnet = mlp 32",
    "size_before_an_argument": "f xs = take 2 xs",
    "weight_without_its_mark": "layer x = tanh (W @ x + ?b)",
    "capital_for_a_small_letter": "net = dense[3] >> ReLU",
    "applied_a_vector": "f : R[3] -> R\nf x = x [0]",
    "applied_a_constant": "rate = 0.5\n\nf : R -> R\nf x = rate x",
    "minus_one_as_argument": "f : R -> R\nf x = 2 * x\n\ny = f -1",
    "value_in_a_composition": "f : R[3] -> R\nf x = x >> sum",
    "composition_for_a_value": "f : R[3] -> R\nf x = tanh >> sum",
    "curried_function_in_a_fold": (
        "add2 : R -> R -> R\nadd2 s x = s + x\n\ntotal : R[n] -> R\ntotal = fold add2 0"
    ),
    "zero_for_a_vector_state": (
        "cell : (R[8], R[4]) ~> R[8]\ncell (h, x) = tanh (?W @ h + ?U @ x)\n\n"
        "encode : [R[4]] ~> R[8]\nencode = fold cell 0"
    ),
    "number_for_a_vector": "f : R[3] -> R\nf x = sum x\n\ny = f 2",
    "literal_not_an_index": "xs = [1, 2, 3]\ny = xs ! 1.5",
    "index_out_of_range": "xs = [1, 2, 3]\ny = xs ! 3",
    "index_with_brackets": "first : R[3] -> R\nfirst xs = xs[0]",
    "index_with_brackets_on_a_local_value": "at (xs, i) = 2 * xs[i]",
    "index_is_a_real": "f : R[3] -> R -> R\nf xs i = xs ! i",
    "size_out_of_range": "size classes = 7\nlabel : Fin[5]\nlabel = classes",
    "size_variable_out_of_range": (
        "last_of : R[n] -> Fin[3]\nlast_of x = n\n\nlabel : Fin[3]\nlabel = last_of [1, 2, 3]"
    ),
    "fin_out_of_range": "label : Fin[10]\nlabel = 10",
    "fin_of_another_size": "f : (R[5], Fin[3]) -> R\nf (xs, i) = xs ! i",
    "functions_compared": "f : R -> R\nf x = x\n\nsame = f == f",
    "not_ordered": "f : (C, C) -> Bool\nf (x, y) = x < y",
    "tanh_of_an_index": "f : Fin[10] -> R\nf i = tanh i",
    "tanh_of_a_pair": "f : (R, R) -> R\nf p = sum (tanh p)",
    "not_a_vector_space": "f : Fin[10] -> Fin[10]\nf i = zero",
    "derivative_in_an_int": "f : Int -> R\nf n = jvp toReal n 1",
    "derivative_of_a_pair_with_an_int": (
        "g : (R, Int) -> R\ng (x, n) = x * toReal n\n\nf : R\nf = jvp g (2, 3) (1, 0)"
    ),
    "product_of_a_scalar_by_at": "f : R[3] -> R[3]\nf x = 2 @ x",
    "product_of_three_axes": "f : (R[2,3,4], R[4]) -> R[2,3]\nf (a, x) = a @ x",
    "type_contains_itself": "f x = x x",
    "function_in_an_array": "layers = [tanh, relu]",
    "moore_that_reads": "late : R[n] -> R[n]\nlate = moore (\\(s, x) -> (s + x, 2 * s + x)) 0",
    "function_in_data": "data Layer = Layer (R -> R)",
    "array_of_functions": "f : (R -> R)[3] -> R\nf x = 1",
    "type_arity": "data Tree a = Leaf a | Node (Tree a) (Tree a)\nf : Tree -> R\nf t = 1",
    "data_for_another": (
        "data Tree = Leaf R | Node Tree Tree\ndata List = Nil | Cons R List\n"
        "f : Tree -> R\nf t = case t of { Nil -> 0 ; Cons x rest -> x }"
    ),
}

REPRESENTATIONS = {
    "representations_do_not_compose": (
        "rep Thought = R[128]\nrep Picture = R[128]\n"
        "encode : R[8] ~> Thought\nencode x = Thought (dense[128] x)\n"
        "decode : Picture ~> R[8]\ndecode (Picture p) = dense[8] p\n"
        "translate = encode >> decode"
    ),
    "representations_do_not_compose_over_cells": (
        "rep Word = R[4]\nrep Thought = R[32]\nrep Picture = R[32]\n"
        "cell : (R[32], Word) ~> R[32]\ncell (h, Word x) = tanh (?W @ h + ?U @ x)",
        "encode = fold cell zero >> Thought",
        "decode = \\(Picture p) -> dense[4] p\ntranslate = encode >> decode",
    ),
    "representations_of_different_sizes": (
        "rep Thought = R[128]\nrep Word = R[4]\n"
        "encode : Word ~> Thought\nencode (Word x) = Thought (dense[128] x)\n"
        "echo = encode >> encode"
    ),
    "representation_as_argument": (
        "rep Thought = R[32]\nrep Picture = R[32]\n"
        "show_it : Picture -> R\nshow_it (Picture p) = sum p\n"
        "f : Thought -> R\nf t = show_it t"
    ),
    "representations_added": (
        "rep Thought = R[32]\nrep Picture = R[32]\n"
        "mix : (Thought, Picture) -> Thought\nmix (t, p) = t + p"
    ),
    "representations_multiplied": (
        "rep Thought = R[32]\nf : (Thought, Thought) -> Thought\nf (s, t) = s * t"
    ),
    "representation_not_left": "rep Thought = R[32]\nf : Thought -> R[32]\nf t = tanh t",
    "representation_returned_bare": "rep Thought = R[32]\nf : Thought -> R[32]\nf t = t",
    "representation_not_entered": "rep Thought = R[32]\nf : R[32] -> Thought\nf x = tanh x",
    "representation_in_a_product": ("rep Thought = R[32]\nf : Thought ~> R[4]\nf t = ?W @ t"),
    "representation_carries_itself": "rep Thought = Thought[2]",
}

PATTERNS = {
    "missing_case": (
        "data Tree = Leaf R | Node Tree Tree\nf : Tree -> R\nf t = case t of { Leaf x -> x }"
    ),
    "missing_case_of_cata": ("data Tree = Leaf R | Node Tree Tree\ntotal = cata { Leaf x -> x }"),
    "missing_number": "f : Fin[3] -> R\nf i = case i of { 0 -> 1 ; 1 -> 2 }",
    "redundant_case": (
        "data Tree = Leaf R | Node Tree Tree\n"
        "f : Tree -> R\nf t = case t of { Leaf x -> x ; _ -> 0 ; Node l r -> 1 }"
    ),
    "handled_twice": (
        "data Tree = Leaf R | Node Tree Tree\n"
        "total = cata { Leaf x -> x ; Node l r -> l + r ; Leaf y -> 2 * y }"
    ),
    "constructor_arity": (
        "data Tree = Leaf R | Node Tree Tree\n"
        "f : Tree -> R\nf t = case t of { Leaf x -> x ; Node l -> 0 }"
    ),
    "constructor_with_too_many_fields": "data Tree = Leaf R | Node Tree Tree\nt = Leaf 1 2",
    "refutable_parameter": "data Tree = Leaf R | Node Tree Tree\nf (Leaf x) = x",
    "name_bound_twice": "f (x, x) = x",
}

RECURSION = {
    "recursion_in_a_cata": (
        "data Tree = Leaf R | Node Tree Tree\n"
        "count = cata { Leaf x -> 1 ; Node l r -> count l + count r }"
    ),
    "recursion": "factorial n = if n < 2 then 1 else n * factorial (n - 1)",
    "mutual_recursion": (
        "even n = if n == 0 then 1 else odd (n - 1)\nodd n = if n == 0 then 0 else even (n - 1)"
    ),
    "local_recursion": "f x =\n  let go n = go (n - 1)\n  in go x",
    "redefinition_uses_itself": ("f : R[2] -> R[2]\nf x = 2 * x", "f = f >> relu"),
    "recursive_alias": "type Tree = (R, Tree)",
    "recursive_alias_of_two": "type Pair = (R, Other)\ntype Other = Pair[2]",
    "recursive_size": "size width = height + 1\nsize height = width + 1",
}

HOLES = {
    "arrow_on_a_learner": "predict : R[3] -> R\npredict x = dot ?w x + ?b",
    "arrow_on_what_uses_a_learner": (
        "cell : R[3] ~> R[3]\ncell x = tanh (?W @ x)\n\n"
        "twice : R[3] -> R[3]\ntwice x = cell (cell x)"
    ),
    "arrow_on_what_uses_a_layer": "net : R[8] -> R[3]\nnet = dense[16] >> relu >> dense[3]",
    "hole_at_two_shapes": "f : (R[3], R[4]) ~> R[2]\nf (x, y) = ?W @ x + ?W @ y",
    "hole_at_two_shapes_added": "f : (R[3], R[4]) ~> (R[3], R[4])\nf (x, y) = (x + ?b, y + ?b)",
    "uses_disagree_in_one_cell": (
        "cell x = tanh (?W @ x)\n"
        "left : R[2] ~> R[3]\nleft = cell\n"
        "right : R[4] ~> R[3]\nright = cell"
    ),
    "weights_while_a_size_is_open": ("layer x = ?W @ x", "layer [1, 2, 3]"),
    "hole_depends_on_a_size": "layer : R[n] ~> R[3]\nlayer x = ?W @ x",
    "stack_of_a_variable": "deep : R[n] ~> R[n]\ndeep = stack[n] tanh",
    "size_escapes": ("cell x = tanh (?W @ x)\n\nuse : R[n] ~> R[3]\nuse = cell"),
    "hole_in_an_expression": "?w + 1",
    "family_in_an_expression": "dense[3] [1, 2]",
    "fresh_in_an_expression": ("cell : R[2] ~> R[2]\ncell x = ?W @ x", "(fresh cell) [1, 2]"),
    "hole_of_a_sequence": "f : [R] ~> R\nf xs = sum (xs + ?b)\n  where ?b : [R]",
    "hole_as_long_as_a_sequence": "f : [R] ~> R\nf xs = dot xs ?w",
    "hole_of_a_function": "f : R ~> R\nf x = ?g x",
    "hole_declared_and_not_used": "f x = ?W @ x\n  where ?w ~ zeros",
    "hole_declared_twice": "f x = ?W @ x\n  where\n    ?W ~ zeros\n    ?W ~ glorot",
    "hole_declared_at_another_shape": ("f : R[3] ~> R[2]\nf x = ?W @ x\n  where ?W : R[3,2]"),
    "unknown_initialiser": "f x = ?W @ x\n  where ?W ~ xavier",
    "initialiser_without_number": "f x = ?W @ x\n  where ?W ~ normal",
    "initialiser_of_a_root": "f x = ?W @ x\n  where ?W ~ normal ((1 - 2) ^ 0.5)",
    "two_weights_of_one_path": (
        "dense_2 : R[3] ~> R[3]\ndense_2 x = ?W @ x\n\n"
        "net : R[3] ~> R[3]\nnet x = dense[3] (dense[3] x) + ?dense_2"
    ),
    "hole_of_an_int": "f : Int ~> Int\nf n = n + ?k",
    "hole_of_truth": "f : Bool ~> Bool\nf b = b && ?w",
    "hole_of_indices": "f : R ~> Fin[4]\nf x = ?i",
    "hole_of_an_int_in_a_family": "bias[] x = x + ?b\nf : Int ~> Int\nf x = bias[] x",
    "orthogonal_vector": "f : R[3] ~> R[3]\nf x = ?w + x\n  where ?w ~ orthogonal",
    "orthogonal_vector_in_a_family": (
        "bias[] x = x + ?b\n  where ?b ~ orthogonal\nf : R[3] ~> R[3]\nf x = bias[] x"
    ),
    "weights_of_a_value": "cell x = ?w * x\nf = weights (cell 3)",
    "blank": "f : R[8] -> R\nf x = norm (_ x)",
    "blank_that_locals_and_definitions_fit": (
        "rep Thought = R[4]\nscale : R[4] ~> R[4]\nscale x = ?s * x\n\n"
        "f : (R[4], R) -> Thought\nf (h, r) = Thought (tanh _)"
    ),
}

FAMILIES = {
    "too_many_brackets": "net : R[3] ~> R[4]\nnet = dense[4, 5]",
    "too_few_brackets": "net : R[3] ~> R[4]\nnet = mlp[4]",
    "brackets_on_a_definition": (
        "double : R[3] -> R[3]\ndouble x = 2 * x\n\nf : R[3] -> R[3]\nf = double[3]"
    ),
    "size_argument_not_a_size": "f : R[8] -> R[4]\nf = take[0.5 * 8]",
    "family_without_holes": "double[] x = 2 * x",
    "signature_brackets": "layer : R[n] ~> R[m]\nlayer[m] x = ?W @ x + ?b",
    "stack_of_nothing": "f = stack[3]",
    "copy_of_a_local": "deep layer = stack[3] layer",
    "stack_changes_the_type": "f : R[3] ~> R[4]\nf = stack[2] dense[4]",
    "weights_of_a_family": "grad (\\w -> open dense (w, [1, 2])) zero",
    "open_of_an_expression": "cell x = ?w * x\nf = open (cell >> cell)",
    "weights_of_something_unknown": ("cell : R[2] ~> R[2]\ncell x = ?w * x", "weights cel"),
    "weights_while_a_type_is_open": ("cell x = ?w * x", "weights cell"),
    "option_that_is_no_number": "f : R[9] -> R[3]\nf = window[3, stride=0] sum",
    "family_of_one_size_twice": "layer[m, m] x = ?W @ x",
}

LINEAR = {
    "not_linear": "double : R[3] -o R[3]\ndouble x = 2 * x + 1",
    "not_linear_product": "energy : R[3] -o R\nenergy x = dot x x",
    "not_linear_inside": "f : R[3] -o R[3]\nf x = 3 * tanh x",
    "function_for_a_linear_map": (
        "f : R[3] -> R[3]\nf x = 2 * x\n\ng : R[3]\ng = adjoint f [1, 2, 3]"
    ),
    "lambda_for_a_linear_map": "adjoint (\\x -> 2 * x) [1, 2, 3]",
    "linear_map_of_another_size": (
        "l : R[3] -o R[2]\nl x = take[2] x\n\nm : R[3] -o R[3]\nm = l >> l"
    ),
}

DEFINITIONS = {
    "signature_without_definition": "encode : R[3] -> R[3]\nencoder x = x",
    "duplicate_definition": "f x = x\ng x = f x\nf x = 2 * x",
    "size_and_definition": "size n = 3\nn = 4",
    "duplicate_signature": "f : R -> R\nf : R[2] -> R[2]\nf x = x",
    "duplicate_constructor": "data Tree = Leaf R\ndata List = Leaf R | Cons R List",
    "duplicate_rep": "rep Thought = R[3]\nrep Thought = R[4]",
    "built_in_type": "rep R = C[2]",
    "function_as_carrier": "rep Thought = R -> R",
    "constant_draws": "noise : R[3]\nnoise = draw (normal 1)",
    "negative_declared_size": "size width = 3 - 5",
    "fin_without_size": "f : Fin -> R\nf i = 1",
    "fin_of_two_sizes": "f : Fin[3,4] -> R\nf i = 1",
    "local_signature_without_definition": "f x = y\n  where\n    z : R\n    y = x",
    "constant_given_arguments": "width : R -> R\nwidth = 3",
    "definition_of_nothing_asked": "f : R[3]\nf x = x",
    "type_of_a_broken_name": ("f x = [x, x, x]", "g x = f x ! (2 : Fin[3])", "f x = [x, x]", "g 1"),
}

RUN = {
    "mean_of_nothing": "nothing : R[0]\nnothing = zero\n\nmean nothing",
    "last_of_nothing": "nothing : R[0]\nnothing = zero\n\nlast nothing",
    "trees_by_two_branches": (
        "data Tree = Leaf R | Node Tree Tree\n"
        "pick : R -> Tree -> Tree -> Tree\npick c t u = if c > 0 then t else u\n"
        "apart : R -> R -> R\n"
        "apart x y = dot (pick x one two) (pick y one two)\n"
        "  where\n    one = Leaf 1\n    two = Node one one",
        "apart 1 2",
    ),
    "tree_through_a_loop": (
        "data Tree = Leaf R | Node Tree Tree\n"
        "grow : Tree -> Tree\ngrow t = iterate[3] (\\s -> Node s s) t",
        "grow (Leaf 1)",
    ),
    "reverse_of_a_loop_without_a_bound": (
        "grow : R -> R\ngrow x = while (\\y -> y < 100) (\\y -> y * y + x) x",
        "grad grow 1.5",
    ),
    "distribution_as_a_value": "normal 2",
    "draw_of_no_type": "draw (normal 1)",
    "empty_list_of_no_type": "sum []",
    "distribution_by_a_branch": (
        "shake x = x + draw (if x > 0 then normal 1 else normal 2)",
        "shake 3",
    ),
    "distributions_in_a_list": ("pair x = [normal x, normal 2]", "pair 1"),
    "last_in_a_definition_of_an_older_cell": ("ending = scan (+) 0 >> last", "ending []"),
    "size_open_in_an_expression": ("layer x = ?W @ x", "sum (flatten layer.W)"),
}

# The last cell breaks a definition of an older one.
BROKEN = {
    "older_use_broken": (
        "cell x = tanh (?W @ x)",
        "left : R[2] ~> R[3]\nleft = cell",
        "right : R[4] ~> R[3]\nright = cell",
    ),
    "older_use_of_a_changed_type": (
        "encode : R[8] ~> R[32]\nencode x = tanh (?W @ x)",
        "decode : R[32] ~> R[8]\ndecode h = ?V @ h\n\nauto = encode >> decode",
        "encode : R[8] ~> R[16]\nencode x = tanh (?W @ x)",
    ),
    "older_use_of_a_changed_data_type": (
        "data Shape = Dot R | Box R R",
        "area : Shape -> R\narea s = case s of { Dot r -> r ; Box w h -> w * h }",
        "data Shape = Dot R | Box R R | Ring R",
    ),
}

PROGRAMS = {
    **NAMES, **SIZES, **TYPES, **REPRESENTATIONS, **PATTERNS, **RECURSION, **HOLES,
    **FAMILIES, **LINEAR, **DEFINITIONS, **RUN,
}  # fmt: skip
