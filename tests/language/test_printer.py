"""The printer: `parse(show(tree)) == tree`, for trees drawn from the whole language."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnfp_kernel.language import syntax as s
from nnfp_kernel.language.diagnostics import NnfpError
from nnfp_kernel.language.fixity import FIXITIES
from nnfp_kernel.language.layout import KEYWORDS, MAXIMUM_DEPTH
from nnfp_kernel.language.parser import parse, parse_expression, parse_type
from nnfp_kernel.language.printer import show

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

ACCEPTANCE = sorted((Path(__file__).parents[1] / "acceptance").glob("*.nnfp"))

# --- trees of every form --------------------------------------------------------------------

names = st.sampled_from(["a", "f", "x'", "h2", "o", "encode", "length_of_it", "wörter"])
capitals = st.sampled_from(["Leaf", "Node", "Thought", "R"])
holes = st.sampled_from(["W", "b", "in"])
operators = st.sampled_from(sorted(FIXITIES))
numbers = st.one_of(
    st.integers(0, 10**20), st.floats(0, 1e300, allow_nan=False, allow_infinity=False)
)

sizes = st.recursive(
    st.builds(s.SizeNumber, st.integers(0, 99))
    | st.builds(s.SizeName, names)
    | st.builds(s.SizeWildcard),
    lambda size: st.builds(s.SizeBinary, st.sampled_from("+-*/"), size, size),
    max_leaves=4,
)
some_sizes = st.lists(sizes, min_size=1, max_size=3).map(tuple)


def named(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """The same; its description would fill pages, and is not asked for."""
    return st.deferred(lambda: strategy)


def not_one(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    """Tuples: of none, or of two and more."""
    return st.lists(strategy, max_size=3).filter(lambda items: len(items) != 1).map(tuple)


def some(strategy: st.SearchStrategy[object], least: int = 1) -> st.SearchStrategy[object]:
    return st.lists(strategy, min_size=least, max_size=3).map(tuple)


types = st.recursive(
    st.builds(s.TypeName, names | capitals),
    lambda type_tree: st.one_of(
        st.builds(s.TypeArray, type_tree, some_sizes),
        st.builds(s.TypeSequence, type_tree),
        st.builds(s.TypeProduct, not_one(type_tree)),
        st.builds(s.TypeApply, capitals, some(type_tree)),
        st.builds(s.TypeArrow, st.sampled_from(["->", "~>", "-o"]), type_tree, type_tree),
    ),
    max_leaves=6,
)
types = named(types)

patterns = st.recursive(
    st.one_of(
        st.builds(s.PatternName, names),
        st.builds(s.PatternWildcard),
        st.builds(s.PatternNumber, numbers | numbers.map(lambda n: -n)),
        st.builds(s.PatternConstructor, capitals, st.just(())),
    ),
    lambda pattern: st.one_of(
        st.builds(s.PatternTuple, not_one(pattern)),
        st.builds(s.PatternConstructor, capitals, some(pattern)),
    ),
    max_leaves=4,
)
patterns = named(patterns)

options = st.builds(
    s.BracketOption, names, names | sizes.filter(lambda size: not isinstance(size, s.SizeName))
)
leaves = st.one_of(
    st.builds(s.Name, names | capitals),
    st.builds(s.Number, numbers),
    st.builds(s.Hole, holes),
    st.builds(s.Blank),
    st.builds(s.Path, st.lists(names | holes, min_size=2, max_size=3).map(tuple)),
    st.builds(
        s.Bracket, names, st.lists(sizes, max_size=2).map(tuple),
        st.lists(options, max_size=2).map(tuple),
    ),
    st.builds(s.OperatorFunction, operators),
)  # fmt: skip


def entries(expression: st.SearchStrategy[s.Expression]) -> st.SearchStrategy[object]:
    return st.one_of(
        st.builds(s.Binding, st.builds(s.PatternName, names), some(patterns, 0), expression),
        st.builds(s.Binding, patterns, st.just(()), expression),
        st.builds(s.LocalSignature, names, types),
    )


def larger(expression: st.SearchStrategy[s.Expression]) -> st.SearchStrategy[s.Expression]:
    alternatives = some(st.builds(s.Alternative, patterns, expression))
    return st.one_of(
        st.builds(s.Binary, operators, expression, expression),
        st.builds(s.Binary, operators, expression, expression),
        st.builds(s.Negate, expression),
        st.builds(s.Apply, expression, expression),
        st.builds(s.Lambda, some(patterns), expression),
        st.builds(s.Let, some(entries(expression)), expression),
        st.builds(s.If, expression, expression, expression),
        st.builds(s.Case, expression, alternatives),
        st.builds(s.Cata, alternatives),
        st.builds(s.Tuple, not_one(expression)),
        st.builds(s.Sequence, some(expression, 0)),
        st.builds(s.LeftSection, expression, operators),
        st.builds(s.RightSection, operators.filter(lambda o: o != "-"), expression),
        st.builds(s.Ascription, expression, types),
        st.builds(s.Fresh, expression),
        st.builds(s.Open, expression),
    )


expressions = named(st.recursive(named(leaves), larger, max_leaves=12))

initialisers = leaves | st.builds(s.Apply, leaves, leaves)
families = st.none() | some(names, 0)
comments = st.sampled_from(["", "An encoder.", "Two lines,\n\n  the last indented"])
items = st.one_of(
    st.builds(s.Signature, names, families, types),
    st.builds(
        s.Definition, names, families, some(patterns, 0), expressions,
        some(
            entries(expressions)
            | st.builds(s.HoleDeclaration, holes, types, st.none() | initialisers)
            | st.builds(s.HoleDeclaration, holes, st.none(), initialisers),
            0,
        ),
        comments,
    ),
    st.builds(s.SizeItem, names, sizes),
    st.builds(s.AliasItem, capitals, some(names, 0), types),
    st.builds(s.RepItem, capitals, types),
    st.builds(s.DataItem, capitals, some(names, 0),
              some(st.builds(s.Constructor, capitals, some(types, 0)))),
    st.builds(s.ImportItem, st.sampled_from(["file.nnfp", "a b/c.nnfp"]), st.just(True)),
    st.builds(s.ImportItem, st.sampled_from(["std", "std.recurrent"]), st.just(False)),
    st.builds(s.ExpressionItem, expressions),
    st.builds(s.MagicItem, st.sampled_from(["%nnfp list", "%nnfp type f (= :"])),
)  # fmt: skip
programs = st.builds(s.Program, st.lists(items, max_size=4).map(tuple))
widths = st.sampled_from([20, 40, 88])


# --- the law ------------------------------------------------------------------------------


@settings(max_examples=400)
@given(expressions, widths, st.booleans())
def test_an_expression_is_read_as_it_was_printed(
    tree: s.Expression, width: int, unicode: bool
) -> None:
    text = show(tree, width=width, unicode=unicode)
    assert parse_expression(text) == tree


@given(types, widths, st.booleans())
def test_a_type_is_read_as_it_was_printed(tree: s.TypeTree, width: int, unicode: bool) -> None:
    assert parse_type(show(tree, width=width, unicode=unicode)) == tree


@given(programs, widths, st.booleans())
def test_a_program_is_read_as_it_was_printed(program: s.Program, width: int, unicode: bool) -> None:
    text = show(program, width=width, unicode=unicode)
    parsed = parse(text)
    assert parsed.diagnostics == ()
    assert parsed.program == program
    assert show(parsed.program, width=width, unicode=unicode).count("\n") == text.count("\n")


@given(items)
def test_documentation_is_printed_with_its_definition(item: s.Item) -> None:
    [again] = parse(show(item)).program.items
    if isinstance(item, s.Definition):
        assert isinstance(again, s.Definition)
        assert again.comment == item.comment


@pytest.mark.parametrize("path", ACCEPTANCE, ids=lambda path: path.stem)
@pytest.mark.parametrize("width", [20, 40, 88])
def test_the_acceptance_programs_are_read_as_they_were_printed(path: Path, width: int) -> None:
    program = parse(path.read_text()).program
    assert parse(show(program, width=width)).program == program


# --- brackets only where needed -------------------------------------------------------------


def pairs(text: str) -> list[tuple[int, int]]:
    """The places of the round brackets that match in a text without comments."""
    waiting: list[int] = []
    found = []
    for index, character in enumerate(text):
        if character == "(":
            waiting.append(index)
        elif character == ")":
            found.append((waiting.pop(), index))
    return found


@given(expressions)
def test_no_pair_of_brackets_can_be_left_out(tree: s.Expression) -> None:
    """But for a linear map that comes out, which is always `a -> (a -o b)`."""
    text = show(tree, width=10_000)
    for start, stop in pairs(text):
        if text[:start].endswith(("-> ", "~> ", "-o ")) and "-o" in text[start:stop]:
            continue
        without = text[:start] + " " + text[start + 1 : stop] + " " + text[stop + 1 :]
        try:
            again = parse_expression(without)
        except NnfpError:
            continue
        assert again != tree, without


rows = st.recursive(
    st.builds(s.Name, st.just("a")),
    lambda row: st.one_of(
        st.builds(s.Binary, st.sampled_from(["+", "*", "@", "^", "!", ">>", "<<", "++", "=="]),
                  row, row),
        st.builds(s.Negate, row),
        st.builds(s.Lambda, st.just((s.PatternWildcard(),)), row),
        st.builds(s.LeftSection, row, operators),
        st.builds(s.RightSection, operators.filter(lambda o: o != "-"), row),
    ),
    max_leaves=5,
)  # fmt: skip


@settings(max_examples=300)
@given(rows)
def test_rows_of_operators_have_the_brackets_they_need_and_no_others(tree: s.Expression) -> None:
    text = show(tree)
    assert parse_expression(text) == tree
    for start, stop in pairs(text):
        without = text[:start] + " " + text[start + 1 : stop] + " " + text[stop + 1 :]
        try:
            again = parse_expression(without)
        except NnfpError:
            continue
        assert again != tree, without


# --- lines ----------------------------------------------------------------------------------


@settings(max_examples=50)
@given(programs)
def test_lines_are_broken_before_they_are_too_long(program: s.Program) -> None:
    for line in show(program).split("\n"):
        # What stands far to the right already has nowhere to go, and a word is not broken.
        indent = len(line) - len(line.lstrip())
        assert len(line) <= 88 or indent > 20 or " " not in line.strip(), line


def test_every_glyph_of_the_language_is_ascii_unless_asked() -> None:
    text = "f : R[3] -o R\nf = \\x -> g << h"
    program = parse(text).program
    assert show(program) == "f : R[3] -o R\nf = \\x -> g << h"
    assert show(program, unicode=True) == "f : R[3] ⊸ R\nf = λx → g ∘ h"


def test_items_are_set_in_paragraphs() -> None:
    text = (
        "rep Word = R[4]\n"
        "rep Thought = R[32]\n"
        "\n"
        "-- A cell.\n"
        "cell : (R[32], Word) ~> R[32]\n"
        "cell (h, Word x) = tanh (?W @ h + ?U @ x + ?b)\n"
        "  where\n"
        "    ?W : R[32,32] ~ orthogonal\n"
        "    ?b ~ constant (1 / 2)\n"
        "\n"
        "encode = fold cell zero >> Thought\n"
        "%nnfp type encode"
    )
    assert show(parse(text).program) == text


def test_a_long_chain_is_printed_without_recursion() -> None:
    for operator in ["+", ">>", "|>", "!", "-"]:
        program = parse(f"x = {f' {operator} '.join(['a'] * 3000)}").program
        assert parse(show(program)).program == program
        assert hash(parse(show(program)).program) == hash(program)


@pytest.mark.parametrize(
    "text",
    ["({}, b)", "[{}]", "f ({})", "\\x -> {}", "let x = {} in x", "if a then b else {}",
     "cata {{ Leaf -> {} }}", "-({} + 1)", "(({}) : R)", "a ++ {}", "(+ {})"],
)  # fmt: skip
def test_what_nests_as_deep_as_it_may_is_printed(text: str) -> None:
    tree = parse_expression("x")
    deepest = None
    inner = "x"
    for _ in range(2 * MAXIMUM_DEPTH):
        inner = text.format(inner)
        try:
            tree = parse_expression(inner)
        except NnfpError as error:
            deepest = error
            break
    assert deepest is not None
    assert parse_expression(show(tree)) == tree


def test_what_no_text_means_is_refused() -> None:
    for tree in (s.Number(float("inf")), s.RightSection("-", s.Number(1)), s.SizeNumber(-1)):
        with pytest.raises(ValueError, match=r"negat|number"):
            show(tree)


# --- the trees themselves -----------------------------------------------------------------


def nodes() -> list[type[s.Tree]]:
    found = [s.Tree]
    for node in found:
        found += node.__subclasses__()
    return found[1:]


@pytest.mark.parametrize("node", nodes(), ids=lambda node: node.__name__)
def test_every_node_compares_without_recursion(node: type[s.Tree]) -> None:
    assert node.__eq__ is s.Tree.__eq__
    assert node.__hash__ is s.Tree.__hash__
    assert "span" in {field.name for field in fields(node)}


def test_names_of_the_tests_are_no_keywords() -> None:
    assert not {"a", "f", "x'", "h2", "o", "encode", "length_of_it"} & KEYWORDS
