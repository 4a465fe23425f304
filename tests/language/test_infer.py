"""Inference: types of programs with and without signatures, over one cell and several."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from nnfp_kernel.language import syntax, typed
from nnfp_kernel.language.constraints import Class
from nnfp_kernel.language.diagnostics import NnfpError
from nnfp_kernel.language.infer import Checked, infer, show_type, type_of_expression
from nnfp_kernel.language.parser import parse
from nnfp_kernel.language.solve import Solver
from nnfp_kernel.language.source import Source
from nnfp_kernel.language.types import INT, Array, R, show
from nnfp_kernel.library import library
from nnfp_kernel.primitives import BUILTINS

ACCEPTANCE = Path(__file__).parent.parent / "acceptance"


def check(*cells: str) -> Checked:
    programs = []
    for number, text in enumerate(cells):
        parsed = parse(Source(text, f"cell {number + 1}"))
        assert not parsed.diagnostics, parsed.diagnostics
        programs.append(parsed.program)
    return infer(programs, BUILTINS, library=library())


def types(*cells: str) -> dict[str, str]:
    checked = check(*cells)
    assert not checked.diagnostics, NnfpError(checked.diagnostics).render()
    known = library().definitions
    return {
        name: show_type(definition)
        for name, definition in checked.definitions.items()
        if definition is not known.get(name)
    }


def body(program: str, name: str) -> typed.Expression:
    return check(program).definitions[name].body


# --- the acceptance programs ---------------------------------------------------------------

PROGRAMS = sorted(ACCEPTANCE.glob("*.nnfp"))


def signatures(text: str) -> dict[str, str]:
    found = re.findall(r"^(\w+) +: +(.+)$", text, re.MULTILINE)
    return {name: re.sub(r"\s+", " ", type_.split("--")[0]).strip() for name, type_ in found}


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_acceptance_programs_have_the_types_of_their_signatures(path: Path) -> None:
    text = path.read_text()
    found = types(text)
    assert {name: found[name] for name in signatures(text)} == signatures(text)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_acceptance_programs_need_no_signature(path: Path) -> None:
    text = path.read_text()
    bare = "\n".join(line for line in text.split("\n") if not re.match(r"\w+ +:", line))
    assert set(types(bare)) == set(types(text))


def test_a_size_of_the_input_is_enough_where_signatures_are_left_away() -> None:
    program = """
rep Word = R[4]
rep Thought = R[6]
cell (h, Word x) = tanh (?W @ h + ?U @ x + ?b)
encode = fold cell zero >> Thought
step h = (tanh (?V @ h), Word (dense[4] h))
translate = encode >> (\\(Thought t) -> unfold[4] step t)
"""
    assert types(program)["translate"] == "Word[n] ~> Word[4]"


# --- types of definitions --------------------------------------------------------------------

TYPES = [
    # generalised, with the constraints that travel
    ("pair x = (x, x)", "a -> (a, a)"),
    ("swap (a, b) = (b, a)", "(a, b) -> (b, a)"),
    ("scale a x = a * x", "a -> b -> c where c = a * b"),
    ("apply f x = f x", "(a -> b) -> a -> b"),
    ("twice f = f >> f", "(a -> a) -> a -> a"),
    ("double x = 2 * x", "a -> a where vector a"),
    ("half x = x / 2", "a -> a where vector a"),
    ("next x = x + 1", "a -> a where number a"),
    ("square2 x = x ^ 2", "a -> a where number a"),
    ("less x y = x < y", "a -> b -> c where c = a < b"),
    ("positive x = x > 0", "a -> b where b = bools a, number a"),
    ("larger x y = max x y", "a -> b -> c where c = lift a b"),
    ("energy x = log (sum (exp (x * x)))", "a[n] -> a where elementwise a"),
    ("linearly v = derivative tanh v", "a -> (a -o a) where elementwise a"),
    # numbers
    ("number = 3", "R"),
    ("numbers = [1, 2, 3]", "R[3]"),
    ("choose b = if b then 1 else 2", "Bool -> R"),
    ("both (x, y) = if x == 1 && y == 0 || y > x then 1 else 2", "(a, a) -> R where number a"),
    ("count xs = length xs + 1", "a[n] -> Int"),
    ("pick : Fin[3] -> R\npick i = [1, 2, 3] ! i", "Fin[3] -> R"),
    ("f : C -> C\nf z = 2 * z + 1", "C -> C"),
    # sizes
    ("f : R[n] -> R[n-2]\nf = drop[2]", "R[n] -> R[n-2]"),
    ("f = window[3] sum", "a[n] -> a[n-2] where vector a"),
    ("f = window[3, stride=2] sum", "a[n] -> a[(n-1)/2] where vector a"),
    ("f = window[3, pad=same] sum", "a[n] -> a[n] where vector a"),
    ("f = window[3, pad=1] sum", "a[n] -> a[n] where vector a"),
    ("f = window[3, dilation=2] sum", "a[n] -> a[n-4] where vector a"),
    ("f = window[2, 3] (flatten >> sum)", None),
    ("f = pool[2] maximum", "a[n] -> a[n/2] where real a"),
    ("f (x, y) = x ++ y", "(a[n], a[m]) -> a[n+m]"),
    ("f : R[n,m] -> R[n*m]\nf = flatten", "R[n,m] -> R[n*m]"),
    ("size k = 3\nf : R[k] -> R\nf = sum", "R[3] -> R"),
    ("type Image = R[28,28]\nf : Image -> R[28]\nf = sum", "R[28,28] -> R[28]"),
    ("type Pair a = (a, a)\nf : Pair R -> R\nf (a, b) = a + b", "(R, R) -> R"),
    # run-time lengths
    ("f : [R] -> [R]\nf xs = map tanh xs", "[R] -> [R]"),
    ("f : [R] -> [R] -> R\nf = dot", "[R] -> [R] -> R"),
    # holes, families
    ("w = ?w + 1", "() ~> R"),
    ("w : () ~> R[3]\nw = ?w", "() ~> R[3]"),
    ("f x = ?W @ x", "R[_n] ~> R[_m]"),
    ("f[m] : R[n] ~> R[m]\nf[m] x = ?W @ x", "R[n] ~> R[m]"),
    ("f[m] x = ?W @ x\n  where ?W : R[m,3]", "a ~> b where b = R[m,3] @ a"),
    ("f : R[3] ~> R[4]\nf = dense >> tanh >> dense", "R[3] ~> R[4]"),
    ("f : R[3] -> R[3]\nf x = x", "R[3] -> R[3]"),
    ("f : R[3] ~> R[3]\nf x = x", "R[3] -> R[3]"),
    ("f : R[3] -o R[3]\nf x = ?W @ x", "R[3] -o R[3]"),
    ("f : R[8] ~> R[8]\nf = stack[3] (dense >> tanh)", "R[8] ~> R[8]"),
    ("f : R[8] ~> R[8]\nf = iterate[3] dense[_]", "R[8] ~> R[8]"),
    # weights as values
    ("g : R[3] ~> R\ng x = dot ?w x\nf w = open g (w, [1, 2, 3])", "Weights g -> R"),
    ("g : R[3] ~> R\ng x = dot ?w x\nf = weights g", "Weights g"),
    ("g : R[3] ~> R\ng x = dot ?w x\nf = parts (weights g)", "R[3]"),
    ("g : R[3] ~> R[2]\ng x = ?W @ x + ?b\nf = parts (weights g)", "(R[2,3], R[2])"),
    ("g : R[3] ~> R\ng x = dot ?w x\nf = g.w", "R[3]"),
    ("g : R[3] ~> R[2]\ng = dense[4] >> dense[2]\nf = g.dense_2.W", "R[2,4]"),
    # linear maps
    ("f x = derivative tanh x + derivative sin x", "a -> (a -o a) where elementwise a"),
    ("f l v = l v + adjoint l v", "(a -o a) -> a -> a where vector a"),
    ("f : R[2,3] -> R[2] -> R[3]\nf a = adjoint a", "R[2,3] -> R[2] -> R[3]"),
    ("f : R[3] -> (R[3] -o R[2])\nf x = derivative tanh x >> [[1, 2, 3], [4, 5, 6]]",
     "R[3] -> (R[3] -o R[2])"),
    # data
    ("data Tree a = Leaf a | Node (Tree a) (Tree a)\n"
     "f = cata { Leaf x -> x ; Node l r -> l + r }", "Tree a -> a where vector a"),
    ("data Rose = Rose R [Rose]\nf = cata { Rose x xs -> x + sum xs }", "Rose -> R"),
    ("data Tree a = Leaf a | Node (Tree a) (Tree a)\nf = Node (Leaf [1, 2]) (Leaf [3, 4])",
     "Tree R[2]"),
    # local names
    ("f x = let b = c + c; c = 2 * x in b", "a -> a where vector a"),
    ("f x = g (g x) where g y = y + x", "a -> a where vector a"),
    # draws
    ("f : R[3] -> R[3]\nf x = x + draw (normal 1)", "R[3] -> R[3]"),
    ("f () = [1, 2] + draw (normal 1)", "() -> R[2]"),
    # the condition of a selection is lifted too
    ("f : R[3] -> R[3]\nf x = select (x > 0) 1 0", "R[3] -> R[3]"),
]  # fmt: skip


@pytest.mark.parametrize(("program", "type_"), [p for p in TYPES if p[1]])
def test_definitions_have_their_most_general_type(program: str, type_: str) -> None:
    name = program.strip().split("\n")[-1].split()[0].split("[")[0]
    if name.startswith("where") or name == "":
        name = program.split()[0].split("[")[0]
    found = types(program)
    assert found.get(name, found.get("f")) == type_


def test_library_types_are_those_of_their_signatures() -> None:
    for name, definition in library().definitions.items():
        assert "_" not in show_type(definition), f"{name} has an open size"


# --- the typed tree -------------------------------------------------------------


def test_occurrences_of_families_are_numbered_in_order_of_writing() -> None:
    program = "f : R[3] ~> R[3]\nf x = let h = dense[4] x in dense[3] h"
    labels = [
        node.label
        for node in _nodes(body(program, "f"))
        if isinstance(node, typed.Global) and node.label is not None
    ]
    assert sorted(labels) == ["dense", "dense_2"]
    inner = body(program, "f")
    assert isinstance(inner, typed.Lambda)
    assert isinstance(inner.body, typed.Let)
    first = inner.body.bindings[0][1]
    assert isinstance(first, typed.Apply)
    assert isinstance(first.function, typed.Global)
    assert first.function.label == "dense"


def test_fresh_and_stack_take_the_name_they_copy() -> None:
    program = """
cell : R[3] ~> R[3]
cell = dense[3]
f = cell >> fresh cell >> fresh cell >> stack[2] cell >> stack[2] (cell >> tanh)
"""
    nodes = list(_nodes(body(program, "f")))
    fresh = sorted(node.label or "" for node in nodes if isinstance(node, typed.Fresh))
    stacks = [node.label for node in nodes if isinstance(node, typed.Stack)]
    assert fresh == ["cell", "cell_2"]
    assert stacks == ["cell_3", None] or stacks == [None, "cell_3"]


def test_an_instance_maps_every_variable_of_the_scheme() -> None:
    checked = check("two x = (x, x)\nf : R[3] ~> R[4]\nf = dense[4]\ng = two [1, 2]")
    for definition in checked.definitions.values():
        for node in _nodes(definition.body):
            if isinstance(node, typed.Global):
                scheme = checked.definitions[node.name].scheme
                assert set(node.instance.types) == set(scheme.types)
                assert set(node.instance.sizes) == set(scheme.sizes)


def test_a_builtin_has_all_its_sizes_filled_in() -> None:
    tree = body("f : R[5] -> R[2]\nf = take", "f")
    assert isinstance(tree, typed.Builtin)
    assert [size.value for size in tree.brackets] == [2]


def test_a_literal_says_what_it_is() -> None:
    program = "f : Int -> Int\nf i = i + 1\ng : C -> C\ng z = z + 1\nh x = sin x + 1.5"
    checked = check(program)

    def literal(name: str) -> str:
        nodes = _nodes(checked.definitions[name].body)
        return next(show(node.type) for node in nodes if isinstance(node, typed.Literal))

    assert (literal("f"), literal("g")) == ("Int", "C")


def test_a_matrix_is_marked_where_it_stands_for_a_linear_map() -> None:
    tree = body("f : R[2,3] -> R[2] -> R[3]\nf a = adjoint a", "f")
    marked = [node for node in _nodes(tree) if isinstance(node, typed.AsLinear)]
    assert [show(node.type) for node in marked] == ["R[3] -o R[2]"]


def test_a_linear_map_is_not_marked() -> None:
    tree = body("f : R[2] -> R[2] -> R[2]\nf x = adjoint (derivative tanh x)", "f")
    assert not [node for node in _nodes(tree) if isinstance(node, typed.AsLinear)]


def test_initialisers_default_to_zeros_for_what_is_only_added() -> None:
    program = """
f : R[3] ~> R[3]
f x = ?W @ x + ?b - ?c * ?d + ?e
  where
    ?W ~ orthogonal
    ?e ~ normal 0.1
    ?d : R
"""
    holes = {hole.name: hole.initialiser for hole in check(program).definitions["f"].holes}
    assert holes == {
        "W": typed.Initialiser("orthogonal"),
        "b": typed.Initialiser("zeros"),
        "c": typed.Initialiser("lecun"),
        "d": typed.Initialiser("lecun"),
        "e": typed.Initialiser("normal", 0.1),
    }


def _nodes(tree: object) -> list[typed.Expression]:
    found: list[typed.Expression] = []
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, typed.Expression):
            found.append(node)
        if isinstance(node, typed.Node):
            stack.extend(getattr(node, name) for name in node.__dataclass_fields__)
        elif isinstance(node, tuple):
            stack.extend(node)
    return found


# --- a session of several cells ------------------------------------------------------------


def test_types_are_a_function_of_what_stands_now() -> None:
    together = types("f x = ?W @ x\na : R[3] ~> R[2]\na = f")
    apart = types("f x = ?W @ x", "a : R[3] ~> R[2]\na = f")
    assert together == apart == {"f": "R[3] ~> R[2]", "a": "R[3] ~> R[2]"}


def test_what_an_older_use_settled_is_open_again_when_it_goes() -> None:
    cells = ["f x = ?W @ x", "a : R[3] ~> R[2]\na = f", "a : R[5] ~> R[2]\na = f"]
    assert types(*cells)["f"] == "R[5] ~> R[2]"


def test_the_newer_of_two_cells_wins_and_the_older_is_told_broken() -> None:
    checked = check("f x = ?W @ x", "a : R[3] ~> R[2]\na = f", "b : R[5] ~> R[2]\nb = f")
    assert not checked.diagnostics
    assert show_type(checked.definitions["f"]) == "R[5] ~> R[2]"
    assert set(checked.broken) == {"a"}
    assert checked.broken["a"].code == "size-mismatch"
    assert "a" not in checked.definitions


def test_what_is_broken_is_refused_until_it_is_mended() -> None:
    cells = ["f x = ?W @ x", "a : R[3] ~> R[2]\na = f", "b : R[5] ~> R[2]\nb = f"]
    (told,) = check(*cells, "c = a").diagnostics
    assert told.code == "broken-definition"
    assert types(*cells, "a : R[5] ~> R[2]\na = f")["a"] == "R[5] ~> R[2]"


def test_two_uses_in_one_cell_that_disagree_are_a_mistake_that_names_both() -> None:
    program = "f x = ?W @ x\na : R[3] ~> R[2]\na = f\nb : R[5] ~> R[2]\nb = f"
    (told,) = check(program).diagnostics
    assert told.primary.span.line == 5
    assert {label.span.line for label in told.secondary} >= {2, 4}


def test_a_redefinition_is_used_by_what_was_there() -> None:
    assert types("f x = x", "g = f", "f : R[3] -> R[3]\nf x = x + x")["g"] == "R[3] -> R[3]"


def test_a_representation_that_is_declared_anew_is_meant_by_its_name() -> None:
    cells = ["rep A = R[3]", "f (A x) = x", "rep A = R[4]"]
    assert types(*cells)["f"] == "A -> R[4]"


def test_what_shadows_the_library_leaves_the_library_as_it_is() -> None:
    checked = check("dense[m] : R[n] ~> R[m]\ndense[m] x = ?Mine @ x")
    assert [hole.name for hole in checked.definitions["dense"].holes] == ["Mine"]
    assert [hole.name for hole in checked.definitions["std.dense"].holes] == ["W", "b"]
    used = {
        node.name
        for node in _nodes(checked.definitions["mlp"].body)
        if isinstance(node, typed.Global)
    }
    assert used == {"std.dense"}
    assert [note.code for note in checked.notes] == ["shadowed"]


def test_defaults_that_were_taken_are_told() -> None:
    (note,) = check("f x = tanh (?W @ x + ?b)").notes
    assert note.code == "default-taken"
    assert "R[_m,_n] @ R[_n]" in note.title


NET = "net : R[3] ~> R[2]\nnet x = tanh (?W @ x + ?b)\n"


def test_defaults_of_weights_are_taken_before_those_of_who_uses_them() -> None:
    """The bias is R[2] by itself, so that `h` is a matrix, whose `@` is no vector's."""
    gram = "gram : R[4,3] -> R\ngram xs = norm (h @ transpose h)\n"
    gram += "  where h = map (\\x -> net.W @ x + net.b) xs"
    for cells in ([NET + gram], [NET, gram]):
        checked = check(*cells)
        assert not checked.diagnostics
        assert not checked.broken
        assert [show(h.type) for h in checked.definitions["net"].holes] == ["R[2,3]", "R[2]"]


def test_who_uses_weights_is_wrong_where_their_defaults_do_not_fit() -> None:
    wider = "wider : R[5] -> R[5]\nwider y = y * exp net.b"
    for cells in ([NET + wider], [NET, wider]):
        checked = check(*cells)
        assert not checked.broken
        (told,) = checked.diagnostics
        assert told.primary.text == "R[5] * R[2]"
        assert told.primary.span.text == "y * exp net.b"


@pytest.mark.parametrize(("newer", "older"), ["ab", "ba"])
def test_the_newer_of_two_users_of_weights_wins_by_default_too(newer: str, older: str) -> None:
    def user(name: str, size: int) -> str:
        return f"{name} : R[{size}] -> R[{size}]\n{name} y = y * exp f.c"

    checked = check("f x = ?A @ x + ?c", user(older, 5), user(newer, 4))
    assert not checked.diagnostics
    assert set(checked.broken) == {older}
    assert checked.broken[older].primary.span.text == "y * exp f.c"


def test_a_declared_size_in_a_signature_is_told() -> None:
    (note,) = check("size n = 3\nf : R[n] -> R\nf = sum").notes
    assert note.code == "size-declared"
    (note,) = check("size n = 3\nf : R[n] -> R[n]\nf x = 2 * x").notes  # once, not twice
    assert note.code == "size-declared"


def test_several_mistakes_are_told_by_position() -> None:
    program = "a : R -> R\na x = tahn x\nb : R[2]\nb = [1, 2, 3]\nc = undefined"
    assert [told.primary.span.line for told in check(program).diagnostics] == [2, 4, 5]


def test_a_mistake_is_told_once_and_not_where_it_is_used() -> None:
    program = "f : R[3] -> R\nf x = tahn x\ng x = f x + 1\nh = g [1, 2, 3]"
    assert [told.code for told in check(program).diagnostics] == ["unknown-name"]


# --- expressions -------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "type_"),
    [
        ("f t = (cata { Leaf x -> [x]; Node l r -> l ++ r } : Tree R -> [R]) t", "Tree R -> [R]"),
        (
            "f t = sum (g t) where\n  g : Tree R -> [R]\n"
            "  g = cata { Leaf x -> [x]; Node l r -> [sum l] ++ r }",
            "Tree R -> R",
        ),
        (
            "f t = fst (treeRecurrence (\\layer -> case layer of { LeafF x -> ([x], zero);\n"
            "  NodeF l r -> ([1] ++ l ++ r, zero) }) t : ([R], Tree R -o [R]))",
            "Tree R -> [R]",
        ),
        ("f xs = (xs : [R]) + [1, 2, 3]", "[R] -> [R]"),
        ("f : Tree R -> [R]\nf = cata { Leaf x -> []; Node l r -> [1] ++ l }", "Tree R -> [R]"),
        (
            "f : [R] -> [R]\nf xs = let g : [R] -> [R]; g ys = ys * ys in g xs ++ g [1]",
            "[R] -> [R]",
        ),
    ],
)
def test_a_length_in_a_type_inside_a_program_is_settled_by_no_use(program: str, type_: str) -> None:
    trees = "data Tree a = Leaf a | Node (Tree a) (Tree a)\n"
    assert types(trees + program)["f"] == type_


def test_expressions_are_typed_in_their_places() -> None:
    checked = check("f x = ?W @ x", "1 + 2\nf [1, 2]\ng = 3\nmap tanh [1, 2]")
    assert [(e.index, show(e.tree.type)) for e in checked.expressions] == [
        (0, "R"), (1, "R[_m]"), (3, "R[2]"),
    ]  # fmt: skip


def test_an_expression_settles_nothing_for_others() -> None:
    checked = check("f x = ?W @ x", "f [1, 2, 3]\nf [1, 2]")
    assert show_type(checked.definitions["f"]) == "R[_n] ~> R[_m]"
    assert not checked.diagnostics


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("1 + 2", "R"),
        ("map tanh", "a[n] -> a[n] where elementwise a"),
        ("\\x -> (x, x)", "a -> (a, a)"),
        ("f", "R[_n] ~> R[_m]"),
        ("f >> tanh", "R[_n] ~> R[_m]"),
        ("dense[3]", "R[_n] ~> R[3]"),
        ("fold", "((a, b) -> a) -> a -> b[n] -> a"),
    ],
)
def test_the_type_of_an_expression_is_shown(text: str, type_: str) -> None:
    assert type_of_expression(check("f x = ?W @ x"), text) == type_


def test_the_type_of_a_wrong_expression_is_a_mistake() -> None:
    with pytest.raises(NnfpError) as caught:
        type_of_expression(check("f x = x"), "f + 1")
    assert caught.value.diagnostics[0].code == "function-in-arithmetic"


# --- from outside -------------------------------------------------------------


def test_externals_have_the_types_they_are_given() -> None:
    program = parse(Source("f = map tanh xs\nn + 1", "cell 1")).program
    from nnfp_kernel.language.sizes import constant

    checked = infer(
        [program], BUILTINS, library=library(),
        externals={"xs": Array(R, constant(5)), "n": INT},
    )  # fmt: skip
    assert show_type(checked.definitions["f"]) == "R[5]"
    assert show(checked.expressions[0].tree.type) == "Int"


def test_an_import_stands_before_the_cell_that_names_it() -> None:
    file = parse(Source("twice f = f >> f\nhalf x = x / 2", "file.nnfp")).program
    cell = parse(Source('import "file.nnfp"\nhalf = twice tanh', "cell 1")).program
    loaded: list[str] = []

    def loader(item: syntax.ImportItem) -> syntax.Program | None:
        loaded.append(item.target)
        return file

    checked = infer([cell, replace(cell)], BUILTINS, library=library(), loader=loader)
    assert not checked.diagnostics
    assert show_type(checked.definitions["half"]) == "a -> a where elementwise a"
    assert loaded == ["file.nnfp"]


# --- size of programs -------------------------------------------------------------


@pytest.mark.parametrize("operator", ["+", ">>", "|>"])
def test_long_chains_do_not_overflow(operator: str) -> None:
    terms = {"+": "x", ">>": "tanh", "|>": "tanh"}[operator]
    program = f"f x = {' + '.join([terms] * 3000)}" if operator == "+" else (
        f"f = {f' {operator} '.join(['[1]' if operator == '|>' else terms, *[terms] * 1500])}"
    )  # fmt: skip
    assert "f" in types(program)


def test_cost_grows_linearly() -> None:
    """Counted in solver variables, which a noisy machine does not change."""

    def program(count: int) -> str:
        return "\n".join(
            f"f{k} : R[4] ~> R[4]\nf{k} x = tanh (?W @ {f'f{k - 1} x' if k else 'x'} + ?b)"
            for k in range(count)
        )

    small, large = (check(program(count)).next_identity for count in (20, 200))
    assert large - library().next_identity < 11 * (small - library().next_identity)


def test_what_waits_for_many_types_is_not_tried_more_than_they_are_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A product of unknown types, each found out by itself, that has to be a vector space."""
    tried = 0
    attempt = Class.attempt

    def counted(constraint: Class, solver: Solver) -> bool:
        nonlocal tried
        tried += 1
        return attempt(constraint, solver)

    def cost(count: int) -> int:
        nonlocal tried
        names = [f"x{k}" for k in range(count)]
        point = f"({', '.join(names)})"
        uses = ", ".join(f"dot {name} [1, 2]" for name in names)
        before = tried
        check(f"f {' '.join(names)} = let g = derivative (\\{point} -> sum x0) {point} in ({uses})")
        return tried - before

    monkeypatch.setattr(Class, "attempt", counted)
    assert cost(24) <= 7 * cost(4)


def test_what_scales_a_space_without_products_is_a_number() -> None:
    program = """rep Thought = R[3]
    f y = y * Thought [1, 2, 3]
    g y = (zero : (R, R[2])) / y
    h y = (y * derivative sin 1.5) 2"""
    source = "\n".join(line.strip() for line in program.split("\n"))
    checked = infer([parse(source).program], BUILTINS)
    assert not checked.diagnostics
    shown = {name: show_type(checked.definitions[name]) for name in "fgh"}
    assert shown == {"f": "R -> Thought", "g": "R -> (R, R[2])", "h": "R -> R"}
