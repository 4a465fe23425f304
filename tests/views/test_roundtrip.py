"""Round trip over the programs that other tests are made of: the printed derivative and
adjoint of each definition, as functions and as combinators, run and agree to 1e-10 with
the computed ones. What cannot be written is refused, and listed here with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
from primitives import test_builtins
from programs import (
    test_combinators,
    test_complex,
    test_fixpoint,
    test_found,
    test_linear_algebra,
    test_matrix_functions,
    test_run_time_lengths,
    test_while,
)
from runtime import test_fold_forest, test_forest, test_para_forest, test_rose_forest
from session import test_data
from soak import FACTOR
from std.cases import CASES
from views.roundtrip import check

from nnfp_kernel import NnfpError, Session
from nnfp_kernel.runtime.function import Function

ACCEPTANCE = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parent.parent / "acceptance").glob("*.nnfp"))
}
COMBINATORS = {
    name: program
    for table in (test_combinators.SEQUENCES,)
    for name, (program, *_) in table.items()
}
FOUND = {name: program for name, (program, *_) in test_found.FOUND.items()}
LIBRARY = {f"{case.name} {k}": case.program for k, case in enumerate(CASES)}
LENGTHS = {
    name: f"{test_run_time_lengths.GROW}f x = let xs = grow x in {body}"
    for table in (
        test_run_time_lengths.ANY,
        test_run_time_lengths.FILLED,
        test_run_time_lengths.LONG,
    )
    for name, body in table.items()
}
MATRICES = {
    name: f"f : {given} -> {made}\nf a = {function} a"
    for name, (function, given, made) in test_matrix_functions.CASES.items()
}


def named(name: str, brackets: tuple[int, ...]) -> str:
    """A built-in name as a function."""
    if not name[0].isalpha():
        return f"\\a b -> a {name} b"
    return f"{name}[{', '.join(map(str, brackets))}]" if brackets else name


BUILT_INS = {
    f"{name} {k}": f"f : {type}\nf = {named(name, brackets)}"
    for k, (name, type, _, brackets, _) in enumerate(test_builtins.CASES)
}
TREES = {
    "data": test_data.TREES,
    "roses": test_data.ROSES,
    "data with sequences": test_data.RUNS,
    "folds": test_fold_forest.PROGRAM,
    "forests": test_forest.PROGRAM,
    "with subtrees": test_para_forest.PROGRAM,
    "sequences of children": test_rose_forest.PROGRAM,
}
LEAVES = """
data Tree a = Leaf a | Node (Tree a) (Tree a)
total : Tree R -> R
total = cata { Leaf x -> tanh x; Node l r -> l * r }
encode : Tree R[3] ~> R[2]
encode = cata { Leaf x -> tanh (?E @ x); Node l r -> tanh (?W @ l + ?V @ r) }
"""
AROUND = """
around : (R[2], Tree R) -> R[2]
around (y, t) = cata { Leaf v -> tanh (v * y); Node l r -> l * r + y } t
"""
DERIVED = {  # derivatives of definitions of trees, inside others
    "a step": "f : Tree R -> R\nf t = total (t - 0.1 * grad total t)",
    "forwards": "f : (Tree R, Tree R) -> R\nf (t, u) = derivative total t u",
    "around": "f : R -> Tree R -> R\n"
    "f x t = grad (\\y -> cata { Leaf v -> y * v * v; Node l r -> y * l * r } t) x",
    "twice": "f : (Tree R, Tree R) -> Tree R\nf (t, u) = hessian total t u",
    "weights": "f t = dot g g where\n"
    "  g = grad (\\w -> squaredError (open encode (w, t)) [1, 2]) (weights encode)",
    "payload": "f : Tree R -> Tree R\nf t = grad (\\u -> dotTree (u, t) * total u) t",
    "no parameter": "data Sum = Number R | Add Sum Sum\nf : R -> Sum -> (R, Sum)\n"
    "f x s = grad (\\(v, u) -> cata { Number y -> v * y * y; Add a b -> a * b * v } u) (x, s)",
    "sequences": "data Rose a = Rose a [Rose a]\nf : Rose R -> Rose R\n"
    "f = grad (cata { Rose x rs -> tanh x * sum (map square rs) + sum rs * sum rs })",
    "one array twice": "f : (R, Tree R) -> R\n"
    "f (w, t) = derivative (\\(y, z) -> y * y * z * total t) (w, w) (1, 2)",
    "in a map": "f : (R[2], Tree R) -> R\n"
    "f (xs, t) = sum (map (\\x -> dot (grad total (x * t)) t) xs)",
    "at a state": "f : (R[2], Tree R) -> R\nf (xs, t) = fold (\\(s, x) -> s * x +\n"
    "  grad (\\y -> cata { Leaf v -> y * v; Node l r -> l * r + y } t) s) 1 xs",
    "a determinant": f"{AROUND}f : (R[2], Tree R) -> R\n"
    "f (w, t) = logdet (derivative (\\y -> around (y, t) + y) w)",
    "not derived": "f : (R[2], Tree R) -> R[2]\n"
    "f (xs, t) = map (\\x -> cata { Leaf v -> tanh (x * v); Node l r -> x * l * r } t) xs",
    "a matrix of columns": "f : (R, Tree R) -> R[2]\n"
    "f (x, t) = matrix (derivative (\\y -> [total (y * t), y * y]) x)",
    "a Hessian around": f"{AROUND}f : (R[2], Tree R) -> R[2]\n"
    "f (w, t) = hessian (\\y -> sum (around (y, t))) w [1, 2]",
    "eigenvalues": f"{AROUND}f : (R[2], Tree R) -> R[2]\n"
    "f (w, t) = eigenvalues (hessian (\\y -> sum (around (y, t))) w)",
}
SOURCES = {
    "while": test_while.SOURCE,
    "fixpoint": test_fixpoint.SOURCE,
    "linear algebra": test_linear_algebra.PROGRAM,
    "factors": test_matrix_functions.FACTORS,
    "fourier": test_matrix_functions.FOURIER,
    "real and complex": test_complex.MIXED,
    "a complex model": test_complex.MODEL,
}
WALK = "while[4] (\\t -> t < 3) (\\t -> t * x + 1 + square (draw (uniform 0 1)))"
STEP = "\\(s, x) -> s * x * draw (normal 1) + x"
DRAWS = {  # what draws in what is made again, or is drawn beside others
    "in a fold": f"f : R[3] -> R\nf xs = fold (\\(s, x) -> {WALK} s) 0 xs",
    "a fold in it": "f : R[3] -> R\nf xs = while[4] (\\t -> t < 3)\n"
    "  (\\t -> fold (\\(s, x) -> s * x + 0.3 + square (draw (uniform 0 1))) t xs) 0",
    "in itself": f"f : R -> R\nf x = while[3] (\\u -> u < 9) (\\u -> {WALK} (u / 2) + x) x",
    "in a map": f"f : R[3] -> R[3]\nf xs = map (\\x -> {WALK} x) xs",
    "in branches": "f : R -> R\nf x = draw (normal 1) * if x < 9 then x * draw (normal 1)\n"
    "  else sin x * draw (normal 1)",
    "in a branch": f"f : R -> R\nf x = if x < 3 then {WALK} x else x",
    "a condition": "f : R -> R\nf x = sin (while[4] (\\s -> s + draw (uniform 0 1) < 3)\n"
    "  (\\s -> s * 1.5 + square (draw (uniform 0 1))) x) * draw (normal 1)",
    "no round": "f : R -> R\nf x = while[0] (\\s -> s < 9) (\\s -> s * draw (normal 1)) x",
    "an equation": "f : R -> R\nf x = draw (normal 1) *\n"
    "  fixpoint (\\u -> cos (u * x + draw (uniform 0 1)) / 2) 0",
    "derived": f"g : R -> R\ng x = {WALK} x\nf = grad g",
    "derived in a fold": f"g : R[3] -> R\ng xs = fold (\\(s, x) -> {WALK} s) 0 xs\nf = grad g",
    "derived in a map": "g : R[3] -> R\ng xs = draw (normal 1) * sum (map (\\x ->\n"
    f"  if x < 0.9 then {WALK} (draw (normal 1)) else x * x) xs)\nf = grad g",
    "derived folds": f"g : R[3,2] -> R\ng xs = sum (map (fold ({STEP}) (draw (normal 1))) xs)\n"
    "f = grad g",
    "derived windows": "g : R[6] -> R\n"
    "g xs = sum (window[3] (\\w -> sum w * sum w * draw (normal 1)) xs)\nf = grad g",
    "both ways": f"f : R[3] -> R[3]\nf xs = map (\\(a, b) -> a * b) (bidirectional (\\p ->\n"
    f"  let s = ({STEP}) p in (s, s)) (\\p -> let s = ({STEP}) p in (s, s * s)) 1 1 xs)",
}
SUM = "cata { Leaf v -> tanh (v * s * d); Node l r -> l * r }"
DRAWS_BESIDE_TREES = {  # what a tree is looked at with, or a loop that makes something of one
    "before": f"f : (R, Tree R) -> R\nf (s, t) = let d = draw (normal 1) in d * {SUM} t",
    "in a loop": "f : (R, R[5], Tree R) -> R\nf (z, xs, t) = draw (normal 1) * fold (\\(s, x) ->\n"
    f"  let d = draw (normal 1) in x * s * draw (uniform 0 1) + {SUM} t) (z * draw (normal 1)) xs",
    "in loops": "f : (R, R[3], Tree R) -> R\nf (z, xs, t) = let e = draw (normal 1) in fold\n"
    "  (\\(q, x) -> e * draw (normal 1) + fold (\\(s, y) -> let d = e * draw (normal 1) in\n"
    f"    y * s * draw (normal 1) + {SUM} t) (q * x) xs) z xs",
    "in a while": "f : (R, Tree R) -> R\nf (z, t) = draw (normal 1) * while[6] (\\s -> s < 3)\n"
    f"  (\\s -> let d = draw (normal 1) in s + exp ({SUM} t) + abs (draw (normal 1))) z",
}
NO_VALUE = {
    *("away", "swing"),  # fixpoints there are none of
    *("double", "unfit"),  # a double root, which has no derivative
    "counted",  # which takes two children, as trees that are drawn have not
}
REFUSED = {
    "any number of rounds",  # a loop without a bound, in reverse
    "a loop without a bound that draws",
    "of its own",  # a name of the language that the program gives another meaning
    "no parameters",  # of a constant nothing moves
    "a tree that is not only reduced",  # a derivative in a loop; sequences out of a node
    "a tree that is grown with sequences",  # of which only running tells how many there are
    "a grown tree that was changed",  # otherwise than by mapData
}


def few(programs: dict[str, str], every: int) -> list[str]:
    """All programs in `make soak`, where all their definitions are tried; else one in so many."""
    return list(programs)[:: every if FACTOR == 1 else 1]


def check_all(program: str) -> None:
    session = Session(precision=64)
    session.run(program)
    names = session.names
    for name in names if FACTOR > 1 else names[-1:]:
        definition = session.program.definitions[name]
        if definition.brackets is not None or name in NO_VALUE or not has_sample(session, name):
            continue
        function = session[name]
        reason = refusal(session, function)
        assert reason is None or any(known in reason for known in REFUSED)


def has_sample(session: Session, name: str) -> bool:
    """Whether it is a function that can be traced for small inputs: of values, of any type."""
    try:
        function = session[name]
        if isinstance(function, Function):
            function.sample()
    except NnfpError:
        return False
    return isinstance(function, Function)


def refusal(session: Session, function: Function) -> str | None:
    """Why a derivative is not written; None where it is, and is the computed one."""
    try:
        check(session, function)
    except NnfpError as error:
        (told, *_) = error.diagnostics
        if told.code not in ("derivative-not-printed", "no-adjoint"):
            raise
        return told.primary.text
    return None


@pytest.mark.parametrize("name", ACCEPTANCE)
def test_the_acceptance_programs(name: str) -> None:
    check_all(ACCEPTANCE[name])


@pytest.mark.parametrize("name", few(COMBINATORS, 6))
def test_every_combinator(name: str) -> None:
    check_all(COMBINATORS[name])


@pytest.mark.parametrize("name", few(FOUND, 3))
def test_what_once_went_wrong(name: str) -> None:
    check_all(FOUND[name])


@pytest.mark.parametrize("name", few(SOURCES, 8))
def test_loops_equations_and_complex_numbers(name: str) -> None:
    check_all(SOURCES[name])


@pytest.mark.parametrize("name", few(LIBRARY, 12))
def test_the_library(name: str) -> None:
    check_all(LIBRARY[name])


def test_a_state_that_begins_with_a_number_and_goes_on_with_an_index() -> None:
    check_all("""
f : (R[3], Fin[3][4]) -> R
f (w, places) = sum (map (\\i -> tanh (w ! i)) (snd (mapAccum (\\(x, y) -> (y, x)) 0 places)))
""")


@pytest.mark.parametrize("name", few(LENGTHS, 60))
def test_lengths_that_only_running_tells(name: str) -> None:
    check_all(LENGTHS[name])


@pytest.mark.parametrize("name", few(MATRICES, 12))
def test_functions_of_matrices(name: str) -> None:
    session = Session(precision=64)
    session.run(MATRICES[name])
    given = test_matrix_functions.CASES[name][1]
    matrix = test_matrix_functions.point(numpy.random.default_rng(3), given)
    check(session, session["f"], inputs=[matrix])


@pytest.mark.parametrize("name", few(BUILT_INS, 60))
def test_every_name_of_the_language(name: str) -> None:
    check_all(BUILT_INS[name])


@pytest.mark.parametrize("name", few(DERIVED, 4))
def test_derivatives_of_trees_inside_definitions(name: str) -> None:
    session = Session(precision=64)
    session.run(LEAVES + DERIVED[name])
    check(session, session["f"])


@pytest.mark.parametrize("name", few(DRAWS, 4))
def test_draws_of_whatever_is_made_again(name: str) -> None:
    session = Session(precision=64)
    session.run(DRAWS[name])
    check(session, session["f"])


@pytest.mark.parametrize("name", DRAWS_BESIDE_TREES)
def test_draws_beside_trees(name: str) -> None:
    session = Session(precision=64)
    session.run("data Tree a = Leaf a | Node (Tree a) (Tree a)\n" + DRAWS_BESIDE_TREES[name])
    check(session, session["f"])


@pytest.mark.parametrize("name", few(TREES, 7))
def test_programs_of_trees(name: str) -> None:
    check_all(TREES[name])
