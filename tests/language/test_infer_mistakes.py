"""Every mistake that inference finds: its code, and its place.

The place that gets the caret is written between « and » in the program. Cells are
divided by a line `---`; the mistake is in the last one.
"""

from __future__ import annotations

import pytest

from nnfp_kernel.language.diagnostics import Diagnostic
from nnfp_kernel.language.infer import Checked, infer
from nnfp_kernel.language.parser import parse
from nnfp_kernel.language.source import Source
from nnfp_kernel.library import library
from nnfp_kernel.primitives import BUILTINS


def check(program: str) -> Checked:
    cells = []
    for number, text in enumerate(program.split("\n---\n")):
        parsed = parse(Source(text.strip("\n"), f"cell {number + 1}"))
        assert not parsed.diagnostics, parsed.diagnostics
        cells.append(parsed.program)
    return infer(cells, BUILTINS, library=library())


def found_in(program: str) -> tuple[Diagnostic, ...]:
    return check(program.replace("«", "").replace("»", "")).diagnostics


def position_of_mark(program: str) -> tuple[int, int, str]:
    cell = program.split("\n---\n")[-1].strip("\n")
    before, _, rest = cell.partition("«")
    marked = rest.partition("»")[0]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1, marked


MISTAKES = [
    # names
    ("unknown-name", "f x = «tahn» x"),
    ("unknown-name", "f x = «undefined»"),
    ("unknown-constructor", "data T = Leaf R\nf x = «Leef» x"),
    ("unknown-constructor", "f «(Leaf x)» = x"),
    ("unknown-constructor", "f x = «W» @ x"),
    ("size-as-argument", "f = dense«(3)»"),
    ("size-as-argument", "f xs = take «2» xs"),
    ("size-as-argument", "f = conv «3 8»"),
    ("unknown-type", "f : «Imag» -> R\nf x = 1"),
    ("unknown-type", "data T a = Leaf «b»"),
    ("unknown-size", "f = take[«k»]"),
    ("unknown-size", "rep Word = R[«n»]"),
    ("unknown-weight", "f x = dot ?w x\ng x = dot «f.v» x"),
    ("duplicate-name", "f (x, «x») = x"),
    ("duplicate-name", "f x «x» = x"),
    ("duplicate-name", "f = \\(x, y) «x» -> y"),
    ("duplicate-name", "f y = let g x (y, «x») = y in g y (y, y)"),
    ("duplicate-definition", "f x = x\n«f y = y»"),
    ("duplicate-definition", "rep A = R\n«rep A = R[2]»"),
    ("duplicate-definition", "f x = let a = x; «a» = x in a"),
    ("signature-without-definition", "«f» : R -> R"),
    ("signature-without-definition", "f x = let «g : R» in x"),
    ("signature-brackets", "«f : R[n] ~> R[m]»\nf[m] x = ?W @ x"),
    ("built-in-type", "rep «Int» = R"),
    # sizes
    ("size-mismatch", "f : R[3] -> R\nf = sum\ng : R[4] -> R\ng x = f «x»"),
    ("size-mismatch", "f : R[3] ~> R[4]\nf = dense[5] >> «dense[6]»"),
    ("sizes-do-not-compose", "f : R[3] ~> R[4]\nf = dense[4]\ng = f >> «f»"),
    ("contraction-sizes", "f : R[3,4] -> R[3] -> R[3]\nf a x = «a @ x»"),
    ("hole-at-two-shapes", "f : (R[3], R[4]) ~> (R[2], R[2])\nf (x, y) = (?W @ x, «?W @ y»)"),
    ("size-mismatch", "f : (R[3], R[4]) ~> R\nf (x, y) = dot ?w x + dot ?w «y»"),
    ("hole-at-two-shapes", "f : (R[3], R[4]) ~> R\nf (x, y) = dot x ?w + dot y «?w»"),
    ("operand-shapes", "f : R[3] -> R[4] -> R[3]\nf x y = «x + y»"),
    ("operand-shapes", "f : R[n,m] -> R[n] -> R[n,m]\nf x y = «x / y»"),
    ("operand-shapes", "f : R[3] -> R\nf = sum\ng y = f «(y + [1,2,3,4])»"),
    ("size-too-small", "f : R[n] -> R[n-2]\nf = drop[2]\ng = «f» [1,2]"),
    ("size-too-small", "f = «window[3]» sum [1,2]"),
    ("negative-size", "f : R[«3 - 4»] -> R\nf = sum"),
    ("negative-size", "size n = «2 - 3»"),
    ("size-division", "f : R[«3 / 0»] -> R\nf = sum"),
    ("index-out-of-range", "f : R[3] -> R\nf x = x ! «3»"),
    ("bracket-count", "f = «dense[3,4]»"),
    ("bracket-count", "f = «take[1,2]»"),
    ("bracket-count", "f = «window[1,2,3,4]» id"),
    ("index-with-brackets", "f x = «x[0]»"),
    ("not-a-family", "f x = x\ng = «f[3]»"),
    ("not-a-family", "f = «tanh[3]»"),
    ("unknown-option", "f = window[3, «strde=2»] sum"),
    ("bad-option", "f = window[3, «stride=0»] sum"),
    # representations
    ("representation-mismatch", "rep A = R[3]\nrep B = R[3]\nf : A -> B\nf x = «x»"),
    (
        "representations-do-not-compose",
        "rep A = R[3]\nrep B = R[3]\nf (A x) = B x\ng = f >> «f»",
    ),
    ("representation-mismatch", "rep A = R[3]\nf : A -> R[3]\nf x = «x»"),
    ("not-elementwise", "rep A = R[3]\nf : A -> A\nf x = «tanh» x"),
    ("not-a-matrix", "rep A = R[3]\nf : A ~> R[3]\nf x = ?W @ «x»"),
    ("only-scales", "rep A = R[3]\nf : A -> A -> A\nf x y = «x * y»"),
    # what is a vector space, a number
    ("not-a-vector-space", "data D = U\nf : D\nf = «zero»"),
    ("not-a-vector-space", "data D = U\nf : D -> D\nf x = «x + x»"),
    ("not-a-number", "f : Bool -> Bool\nf x = «x» + x"),
    ("not-a-scalar", "f : ((R[5], R[3]) -> R[5]) -> R[3] -> R[5]\nf cell x = cell («0», x)"),
    ("bad-literal", "f : Int\nf = «1.5»"),
    ("not-a-number", "f : Fin[3] -> Fin[3]\nf i = «i» * i"),
    ("no-arithmetic", "rep A = R[3]\nf : A -> A -> Bool\nf x y = «x < y»"),
    # functions and values
    ("not-a-function", "f : R[3] -> R\nf x = «x» 1"),
    ("too-many-arguments", "f : R -> R\nf x = x\ng = f 1 «2»"),
    ("too-many-parameters", "f : R -> R\nf x «y» = x"),
    ("function-in-arithmetic", "f x = x * x\ng = «f -1»"),
    ("function-for-value", "f : R\nf = «tanh»"),
    ("value-for-function", "f : R[3] -> R[3]\nf x = map «x» x"),
    ("value-for-function", "x = [1,2,3]\nf = «x» >> tanh"),
    ("function-in-array", "f = «[tanh, relu]»"),
    ("function-in-array", "f : «(R -> R)[3]» -> R\nf x = 1"),
    ("function-in-data", "data T = Leaf «(R -> R)»"),
    ("infinite-type", "f x = x «x»"),
    ("type-mismatch", "f : (R, R) -> R\nf x = «x»"),
    ("type-mismatch", "f : Bool -> R[3]\nf x = «x»"),
    ("tuple-size", "f : (R, R) -> R\nf «(a, b, c)» = a"),
    # holes and families
    ("arrow-on-learner", "f : «R[3] -> R[2]»\nf x = ?W @ x"),
    ("hole-depends-on-size", "f : R[n] ~> R[2]\nf x = «?W @ x»"),
    ("hole-depends-on-size", "f : R[n] ~> R[2]\nf = «dense[2]»"),
    ("hole-depends-on-size", "f : R[n] ~> R[n]\nf x = x + ?b\n  where ?b : «R[n]»"),
    ("size-escapes", "enc x = ?W @ x\nf : R[n] ~> R[2]\nf = «enc»"),
    ("hole-of-sequence", "f : [R] ~> R\nf xs = dot ?w «xs»"),
    ("hole-of-function", "f x = «?g» x"),
    ("unused-hole", "f x = ?W @ x\n  where «?V : R[3]»"),
    ("bad-initialiser", "f x = ?W @ x\n  where ?W ~ «glort»"),
    ("bad-initialiser", "f x = ?W @ x\n  where ?W ~ «normal»"),
    ("family-without-holes", "«f[] x = x»"),
    ("expression-owns-weights", "«?w»"),
    ("expression-owns-weights", "«dense[3]» [1,2]"),
    ("weights-of-what", "f x = weights «tanh»"),
    ("weights-of-family", "f = weights «dense»"),
    ("stack-of-what", "f = «stack[3]»"),
    ("copy-of-a-local", "f g x = fresh «g» (g x)"),
    ("copy-of-a-local", "f x = let g y = ?a * y in stack[3] «g» (x : R)"),
    ("constant-draws", "f : R[3]\nf = «draw» (normal 1)"),
    # linear maps
    ("not-linear", "f = adjoint «(\\x -> 2 * x)»"),
    ("not-linear", "f x = adjoint «tanh» x"),
    # data
    ("missing-case", "data T = L R | N T T\nf t = «case t of { L x -> x }»"),
    ("missing-case", "data T = L R | N T T\nf = «cata { L x -> x }»"),
    ("missing-case", "f : R -> R\nf x = «case x of { 0 -> 1 }»"),
    ("redundant-case", "data T = L R | N\nf t = case t of { L x -> x ; N -> 0 ; «L y» -> 1 }"),
    ("redundant-case", "f x = case x of { y -> y ; «0» -> 1 }"),
    ("constructor-arity", "data T = L R | N T T\nf t = case t of { L x -> x ; «N a» -> 0 }"),
    ("refutable-pattern", "data T = L R | N\nf «(L x)» = x"),
    ("cata-pattern", "data T = L R | N\nf = cata { L x -> x ; «y» -> 0 }"),
    ("type-arity", "data Tree a = Leaf a\nf : «Tree» -> R\nf t = 0"),
    # what is defined by way of itself
    ("recursion", "f x = «f» (x - 1)"),
    ("recursion", "f x = g x\ng x = «f» x"),
    ("recursion", "f x = let «a» = a in a"),
    ("recursion", "rep A = («A», R)"),
    ("recursion", "type A = («A», R)"),
    ("redefinition-uses-itself", "f x = x\n---\nf = «f» >> relu"),
    # over several cells
    ("import-not-found", '«import "nowhere.nnfp"»'),
    ("blank", "f : R[3] -> R[3]\nf x = tanh «_»"),
]


@pytest.mark.parametrize(("code", "program"), MISTAKES, ids=lambda value: value.split("\n")[0])
def test_a_mistake_is_told_where_it_is(code: str, program: str) -> None:
    diagnostics = found_in(program)
    assert [diagnostic.code for diagnostic in diagnostics] == [code]
    span = diagnostics[0].primary.span
    assert (span.line, span.column, span.text) == position_of_mark(program)


def test_no_name_is_suggested_that_would_be_refused_as_well() -> None:
    (diagnostic,) = found_in("f = open tanh")
    assert diagnostic.code == "weights-of-what"
    assert diagnostic.suggestion is None


# --- blanks ---------------------------------------------------------------------------------

RANKED = """rep Word = R[4]
double : R[n] -> R[n]
double x = 2 * x
older : R[4] -> R[4]
older x = x
newer : R[4] ~> R[4]
newer x = ?w * x
away : Word -> R
away (Word x) = sum x
f : R[4] -> R[4] -> R[4]
"""


def listed(program: str) -> list[list[str]]:
    return [[name for name, _ in found.listed] for found in found_in(program)]


def test_what_fits_a_blank_is_ranked_by_nearness() -> None:
    ((*names,),) = listed(RANKED + "f far near = _")
    assert names[:2] == ["near", "far"]  # as they are, the innermost first
    assert names[2:5] == ["newer _", "older _", "double _"]  # the newest first
    assert "away" not in names


def test_what_fits_a_blank_is_told_with_its_type() -> None:
    (found,) = found_in(RANKED + "f x y = _ (x + y)")
    assert found.listed[:3] == (
        ("newer", "R[4] ~> R[4]"),
        ("older", "R[4] -> R[4]"),
        ("double", "R[n] -> R[n]"),
    )
    assert len(found.listed) == 12
    assert "the first 12 of" in found.notes[0]


@pytest.mark.parametrize(
    ("program", "names"),
    [
        ("twice : R -> R\ntwice x = 2 * x\nh = map _ [1,2,3]", ["twice", "tanh", "id"]),
        ("twice : R[3] -> R[3]\ntwice x = 2 * x\ng y = _ >> tanh", ["twice", "tanh", "id"]),
        ("twice : R[3] -> R[3]\ntwice x = 2 * x\ng y = twice (_ y)", ["twice", "tanh", "id"]),
        # what a signature leaves open is any type: it cannot be chosen here
        ("other : R -> R\nother x = x\ng : a -> a\ng y = _ y", ["id"]),
    ],
)
def test_a_blank_in_what_is_generalised_is_open(program: str, names: list[str]) -> None:
    """Its type was bound with that of the definition: `a` is any type that fits."""
    (found,) = found_in(program)
    assert set(names) <= {name for name, _ in found.listed}
    assert "other" not in [name for name, _ in found.listed]


def test_distributions_stand_behind_what_can_be_applied() -> None:
    ((*names,),) = listed("h xs = map _ xs")
    assert names[:2] == ["logSoftmax", "softmax"]
    assert not {"normal", "bernoulli"} & set(names)
    assert listed("f : R -> R\nf x = draw (_ x)") == [["normal", "bernoulli"]]


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        ("f x y = _ + _ * y", ["R[4]", "R[4]"]),
        ("f x y = x\ng = away _\nh = [_, True]", ["Word", "Bool"]),
        ("f x y = x\n(away _, newer _)\naway _", ["Word", "R[4]", "Word"]),
    ],
)
def test_all_blanks_of_a_cell_are_told(cell: str, wanted: list[str]) -> None:
    found = found_in(RANKED + cell)
    assert {each.code for each in found} == {"blank"}
    assert [each.primary.text for each in found] == wanted


def test_a_blank_settles_nothing_for_others() -> None:
    checked = check("f : R[3] -> R\nf x = sum x\n---\n1 + f _")
    assert not checked.broken
    assert [each.code for each in checked.diagnostics] == ["blank"]
