"""The parser: what a program looks like as a tree, and that no text breaks it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnfp_kernel.language import syntax as s
from nnfp_kernel.language.diagnostics import NnfpError
from nnfp_kernel.language.fixity import FIXITIES, MAXIMUM_CHAIN
from nnfp_kernel.language.layout import KEYWORDS, MAXIMUM_DEPTH
from nnfp_kernel.language.parser import (
    expected,
    is_complete,
    parse,
    parse_expression,
    parse_type,
)
from nnfp_kernel.language.place import OPERATORS
from nnfp_kernel.language.printer import show
from nnfp_kernel.language.source import Source

ACCEPTANCE = sorted((Path(__file__).parents[1] / "acceptance").glob("*.nnfp"))


def item(text: str) -> s.Item:
    """The one item of a text that must parse."""
    parsed = parse(text)
    assert parsed.diagnostics == (), NnfpError(parsed.diagnostics).render()
    [found] = parsed.program.items
    return found


def bracketed(text: str) -> str:
    """An expression with all of its brackets."""

    def write(tree: s.Expression) -> str:
        match tree:
            case s.Binary(operator=operator, left=left, right=right):
                return f"({write(left)} {operator} {write(right)})"
            case s.Negate(operand=operand):
                return f"(-{write(operand)})"
            case s.Apply(function=function, argument=argument):
                return f"({write(function)} {write(argument)})"
            case s.Lambda(parameters=parameters, body=body):
                return f"(\\{' '.join(map(show, parameters))} -> {write(body)})"
            case _:
                return show(tree)

    return write(parse_expression(text))


# --- programs --------------------------------------------------------------------------


@pytest.mark.parametrize("path", ACCEPTANCE, ids=lambda path: path.stem)
def test_every_acceptance_program_parses(path: Path) -> None:
    parsed = parse(path.read_text())
    assert parsed.diagnostics == ()
    case = json.loads(path.with_suffix(".json").read_text())
    defined = {item.name for item in parsed.program.items if isinstance(item, s.Definition)}
    assert case["function"] in defined


FIRST_PROGRAM = """\
-- Representations. Two layers compose only where their representations agree.
rep Word    = R[4]
rep Thought = R[32]

-- A cell: one small learned function. ?W, ?U and ?b are holes; their shapes are inferred.
cell : (R[32], Word) ~> R[32]
cell (h, Word x) = tanh (?W @ h + ?U @ x + ?b)

-- The same cell at every position: an encoding RNN is a fold.
encode : [Word] ~> Thought
encode = fold cell zero >> Thought

-- A generating RNN is an unfold; together they are sequence-to-sequence.
step : R[32] ~> (R[32], Word)
step h = (tanh (?V @ h), Word (dense[4] h))

translate : [Word] ~> Word[10]
translate = encode >> (\\(Thought t) -> unfold[10] step t)
"""


def test_the_first_program_parses() -> None:
    parsed = parse(FIRST_PROGRAM)
    assert parsed.diagnostics == ()
    kinds = [type(item).__name__ for item in parsed.program.items]
    assert kinds == ["RepItem"] * 2 + ["Signature", "Definition"] * 4
    cell = parsed.program.items[3]
    assert isinstance(cell, s.Definition)
    assert cell.comment.startswith("A cell: one small learned function.")
    assert cell.span.line == 7
    assert cell.span.text == "cell (h, Word x) = tanh (?W @ h + ?U @ x + ?b)"


SNIPPETS = [
    "size hidden = 32",
    "type Image = R[28,28]",
    "rep Thought = R[128]",
    "data Tree a = Leaf a | Node (Tree a) (Tree a)",
    'import "file.nnfp"',
    "import std.recurrent",
    "%nnfp train loss --data X,y",
    "dense[m] : R[n] ~> R[m]",
    "dense[m] x = ?W @ x + ?b",
    "scaleShift[] x = ?s * x + ?t",
    "name[m, k] p1 p2 = e",
    "scale a x = a * x",
    "fold cell zero",
    "window[3, stride=2, pad=same] f",
    "[e1, e2, e3]",
    "(+ 1)",
    "(2 *)",
    "(- e)",
    "(+)",
    "(e : R[3] -> R)",
    r"\(h, x) -> e",
    "case e of { Leaf x -> x ; Node l r -> l }",
    "cata { Leaf x -> x ; Node l r -> l + r }",
    "if c then a else b",
    "bidirectional f g zf zg",
    "adjoint (derivative f x) w",
    r"grad (\w -> open f (w, x)) (weights f)",
    "draw (bernoulli p)",
    "fresh cell >> iterate[3] (fresh (relu >> dense))",
    "l &&& m *** n",
    "xs ! i",
    "x ^ 2",
    "f (-1)",
    "cell.W @ step.dense_2.W",
    "dense[_] _",
    r"λ(Thought t) → f ∘ g",
    "f : R[n] ⊸ R[n-2]",
    "f : (R[n], Fin[10]) -> [a[n*m]] -o Tree R[3][2] ~> Weights f",
    "f : Tangent (Tree R) -> ()",
    "let Thought t = encode xs in t",
    "f xs = t + u where Thought t = encode xs; Pair (Thought u) _ = xs",
    "f x = y where y = x; z : R; ?W : R[m,n] ~ glorot; ?g ~ normal 0.1",
]


@pytest.mark.parametrize("text", SNIPPETS)
def test_every_form_of_the_language_parses(text: str) -> None:
    first = item(text)
    assert item(show(first)) == first


# --- operators -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("a * W @ x", "(a * (W @ x))"),
        ("a + b * c - d", "((a + (b * c)) - d)"),
        ("a @ b @ c", "(a @ (b @ c))"),
        ("-x ^ 2", "(-(x ^ 2))"),
        ("x ^ -y", "(x ^ (-y))"),
        ("-x @ y", "((-x) @ y)"),
        ("a - -b", "(a - (-b))"),
        ("a * -b + c", "((a * (-b)) + c)"),
        ("xs ! i ! j ^ 2", "(((xs ! i) ! j) ^ 2)"),
        ("f x ! i", "((f x) ! i)"),
        ("f -1", "(f - 1)"),
        ("x |> f >> g &&& h *** k", "(x |> (f >> (g &&& (h *** k))))"),
        ("a || b && c == d ++ e", "(a || (b && (c == (d ++ e))))"),
        ("a ++ b ++ c", "(a ++ (b ++ c))"),
        (r"a >> \x -> x >> b", r"(a >> (\x -> (x >> b)))"),
        ("f << g << h", "((f << g) << h)"),
    ],
)
def test_operators_group_as_the_language_says(text: str, meant: str) -> None:
    assert bracketed(text) == meant


@pytest.mark.parametrize("operator", ["==", "/=", "<", "<=", ">", ">="])
def test_comparisons_do_not_chain(operator: str) -> None:
    with pytest.raises(NnfpError) as caught:
        parse_expression(f"a {operator} b < c")
    assert caught.value.diagnostics[0].code == "chained-comparison"


def test_the_messages_know_all_operators() -> None:
    assert set(FIXITIES) == OPERATORS


def test_compositions_do_not_mix() -> None:
    for text in ("f >> g << h", "f << g >> h", "f >> g >> h << k", "(f >> g <<)"):
        with pytest.raises(NnfpError) as caught:
            parse_expression(text)
        assert caught.value.diagnostics[0].code == "mixed-composition"
    assert bracketed("(f >> g) << h") == "((f >> g) << h)"


@pytest.mark.parametrize("operator", FIXITIES)
def test_every_operator_is_a_function_and_has_sections(operator: str) -> None:
    a = s.Name("a")
    assert parse_expression(f"({operator})") == s.OperatorFunction(operator)
    assert parse_expression(f"(a {operator})") == s.LeftSection(a, operator)
    right = parse_expression(f"({operator} a)")
    assert right == (s.Negate(a) if operator == "-" else s.RightSection(operator, a))


def test_a_section_is_what_its_operator_takes() -> None:
    assert parse_expression("(+ a * b)") == s.RightSection("+", parse_expression("a * b"))
    assert parse_expression("(++ a ++ b)") == s.RightSection("++", parse_expression("a ++ b"))
    assert parse_expression("(a + b +)") == s.LeftSection(parse_expression("a + b"), "+")
    assert parse_expression(r"(>> \x -> x + 1)") == s.RightSection(
        ">>", parse_expression(r"\x -> x + 1")
    )
    for text in ("(* a + b)", "(+ a + b)", "(a + b *)", "(a ++ b ++)", "(- a ^)"):
        with pytest.raises(NnfpError) as caught:
            parse_expression(text)
        assert caught.value.diagnostics[0].code == "section-too-wide"


# --- trees -----------------------------------------------------------------------------------


def test_brackets_leave_no_trace_but_are_part_of_the_place() -> None:
    tree = parse_expression("((a)) + (b)")
    assert tree == s.Binary("+", s.Name("a"), s.Name("b"))
    assert isinstance(tree, s.Binary)
    assert tree.left.span.text == "((a))"
    assert tree.span.text == "((a)) + (b)"


def test_every_node_has_its_place() -> None:
    for path in ACCEPTANCE:
        for node in s.walk(parse(Source(path.read_text(), path.name)).program):
            assert node.span.source.name == path.name
            if not isinstance(node, s.Definition | s.Program):  # they have comments
                bare = str.maketrans("", "", " \n()")
                assert show(node).translate(bare) == node.span.text.translate(bare)


def test_touching_brackets_hold_sizes_and_others_are_sequences() -> None:
    assert parse_expression("dense[3] x") == s.Apply(
        s.Bracket("dense", (s.SizeNumber(3),)), s.Name("x")
    )
    assert parse_expression("dense [3]") == s.Apply(s.Name("dense"), s.Sequence((s.Number(3),)))
    bracket = parse_expression("window[3, 2*k, stride=s, pad=same, dilation=2]")
    assert isinstance(bracket, s.Bracket)
    assert [option.value for option in bracket.options] == ["s", "same", s.SizeNumber(2)]
    assert len(bracket.sizes) == 2


def test_numbers_are_whole_or_not() -> None:
    for text, value in (("1", 1), ("1.0", 1.0), ("1e3", 1000.0), ("2.5e-1", 0.25)):
        number = parse_expression(text)
        assert number == s.Number(value)
        assert isinstance(number, s.Number)
        assert number.text == text
    assert parse_expression("1") != parse_expression("1.0")


def test_types_nest_as_written() -> None:
    array = s.TypeArray(s.TypeName("R"), (s.SizeNumber(3),))
    assert parse_type("R[3]") == array
    assert parse_type("R[3][n]") == s.TypeArray(array, (s.SizeName("n"),))
    assert parse_type("(a, b)[n]") == s.TypeArray(
        s.TypeProduct((s.TypeName("a"), s.TypeName("b"))), (s.SizeName("n"),)
    )
    assert parse_type("a -> b -o c") == s.TypeArrow(
        "->", s.TypeName("a"), s.TypeArrow("-o", s.TypeName("b"), s.TypeName("c"))
    )
    assert parse_type("Tree R[3]") == s.TypeApply("Tree", (array,))
    assert show(parse_type("R[ (n - k) / 2 + 1 ]")) == "R[(n-k)/2+1]"


def test_a_lollipop_is_one_only_in_types() -> None:
    assert show(item("f o x = x -o")) == "f o x = x - o"
    signature = item("f : R -o R")
    assert isinstance(signature, s.Signature)
    assert signature.type == s.TypeArrow("-o", s.TypeName("R"), s.TypeName("R"))
    assert show(item("f = (g : R -o R) -o")) == "f = (g : R -o R) - o"
    assert show(item("f : R[n-o]")) == "f : R[n-o]"


def test_the_comment_above_is_the_documentation() -> None:
    def comment(text: str) -> str:
        found = parse(text).program.items[-1]
        assert isinstance(found, s.Definition)
        return found.comment

    assert comment("-- one\n--two\nf = 1") == "one\ntwo"
    assert comment("-- of the signature\nf : R\nf = 1") == "of the signature"
    assert comment("-- of another\ng : R\nf = 1") == ""
    assert comment("-- apart\n\nf = 1") == ""
    assert comment("f = 1 -- behind") == ""
    assert comment("g = 1 -- behind another\nf = 1") == ""


def test_magic_lines_stand_in_their_place() -> None:
    parsed = parse("f = 1\n%nnfp type f (\n\ng = 2")
    assert [type(item).__name__ for item in parsed.program.items] == [
        "Definition", "MagicItem", "Definition",
    ]  # fmt: skip
    assert parsed.program.items[1] == s.MagicItem("%nnfp type f (")


def test_one_error_does_not_hide_another_nor_what_is_right() -> None:
    parsed = parse("f = (\ng = 1\nh = ]\n  2\nk = 3 +")
    assert [diagnostic.primary.span.line for diagnostic in parsed.diagnostics] == [1, 3, 5]
    assert parsed.program.items == (item("g = 1"),)


# --- depth and length ------------------------------------------------------------------------


@pytest.mark.parametrize("operator", ["+", "-", "*", ">>", "|>", "!"])
def test_a_chain_may_be_long(operator: str) -> None:
    chain = parse_expression(f" {operator} ".join(["a"] * 3000))
    assert isinstance(chain, s.Binary)
    first, rest = s.left_spine(chain)
    assert first == s.Name("a")
    assert len(rest) == 2999
    assert chain == parse_expression(f" {operator} ".join(["a"] * 3000))
    assert len(list(s.walk(chain))) == 5999


@pytest.mark.parametrize(
    "text",
    ["(" * 500 + "x" + ")" * 500, "[" * 500, "f (" * 500, r"\x -> " * 500 + "x",
     "if a then b else " * 500 + "c", "let a = " * 500, " ++ ".join(["a"] * 500),
     "- " * 500 + "x", "f" + " x" * 500, "(x : " + "R -> " * 500 + "R)",
     "(x : R" + "[1]" * 500 + ")", "d[" + "+".join(["n"] * 500) + "]", "case x of { A -> " * 500],
)  # fmt: skip
def test_what_is_nested_too_deep_is_an_error(text: str) -> None:
    with pytest.raises(NnfpError) as caught:
        parse_expression(text)
    assert caught.value.diagnostics[0].code == "too-deep"


def depth(tree: s.Tree) -> int:
    """How deep a tree is, a chain to the left counted as one."""
    deepest = 0
    todo = [(tree, 1)]
    while todo:
        tree, level = todo.pop()
        deepest = max(deepest, level)
        for part in s.children(tree):
            on_spine = isinstance(tree, s.Binary) and part is tree.left
            todo.append((part, level if on_spine else level + 1))
    return deepest


@pytest.mark.parametrize(
    "text",
    ["f ({})", "(1 + {})", r"(\x -> {})", "[{}]", "({}, 1)", "-({} + 1)", "let x = {} in x",
     "if {} then a else b", "a ++ {}", "cata {{ A -> {} }}", "(f {} : R)"],
)  # fmt: skip
def test_what_parses_is_at_most_a_few_hundred_deep(text: str) -> None:
    inner, deepest = "x", 0
    for _ in range(2 * max(MAXIMUM_CHAIN, MAXIMUM_DEPTH)):
        inner = text.format(inner)
        try:
            deepest = depth(parse_expression(inner))
        except NnfpError:
            break
    assert 45 <= deepest <= 410


@pytest.mark.slow
def test_a_program_of_ten_thousand_lines_parses() -> None:
    # What it costs is measured in benchmarks/frontend.py.
    program = "".join(path.read_text() + "\n" for path in ACCEPTANCE)
    text = "\n".join((program * 200).split("\n")[:10_000])
    parsed = parse(text)
    assert parsed.diagnostics == ()
    assert len(parsed.program.items) > 5_000 / 2


# --- a console, and completion -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("", ("complete", "")),
        ("f x = x", ("complete", "")),
        ("-- only a comment", ("complete", "")),
        ("%nnfp list", ("complete", "")),
        ("f x =", ("incomplete", "  ")),
        ("f x = (x", ("incomplete", "  ")),
        ("f x = x +", ("incomplete", "  ")),
        ("f = cata {", ("incomplete", "  ")),
        ("f = let a = 1", ("incomplete", "        ")),
        ("f = let a =", ("incomplete", "          ")),
        ("f x = y\n  where", ("incomplete", "    ")),
        ("f x = y\n  where\n    y = 1", ("incomplete", "    ")),
        ("f x = y\n  where\n    y = 1\n", ("complete", "")),
        ("f x = y\n  where\n    y = 1\n    ", ("complete", "")),
        ("{- a comment", ("incomplete", "  ")),
        ("f : R -> R", ("incomplete", "")),
        ("f : R -> R\nf x = x", ("complete", "")),
        ("f x = x)", ("invalid", "")),
        ("f = (\ng = 1", ("invalid", "")),
        ("f = 'text'", ("invalid", "")),
    ],
)
def test_a_console_knows_whether_a_text_is_complete(text: str, answer: tuple[str, str]) -> None:
    assert is_complete(text) == answer


@pytest.mark.parametrize(
    ("text", "kinds", "words"),
    [
        ("", {"item", "expression", "hole"}, {"data", "rep", "let", "if"}),
        ("f x = ta", {"expression", "hole"}, set()),
        ("f x = ", {"expression", "hole"}, {"let", "if", "case", "cata", "fresh", "open"}),
        ("f x = g ", {"expression", "hole"}, {"cata", "where"}),
        ("f : R -> ", {"type"}, set()),
        ("f : R[", {"size"}, set()),
        ("f = dense[", {"size"}, set()),
        ("rep ", {"name"}, set()),
        ("rep T = ", {"type"}, set()),
        ("f = case x ", {"expression", "hole"}, {"of"}),
        ("f = cata { ", {"pattern"}, set()),
        ("f = \\", {"pattern"}, set()),
        ("f x = y\n  where\n    ", {"name", "hole"}, set()),
        ("f x = y\n", {"item", "expression", "hole"}, {"data"}),
        ("import st", {"library"}, set()),
        ("%nnfp ty", {"magic"}, set()),
        ("f x = x -- com", set(), set()),
    ],
)
def test_completion_knows_what_could_come_next(text: str, kinds: set[str], words: set[str]) -> None:
    answer = expected(text, len(text))
    assert answer.kinds == kinds
    assert words <= set(answer.words)
    assert text[answer.start :] == answer.prefix


# --- no text breaks it ---------------------------------------------------------------------------


def survives(text: str) -> None:
    """The parser answers to a text, whatever it is, and every answer can be shown."""
    source = Source(text, "cell 1")
    parsed = parse(source)
    for diagnostic in parsed.diagnostics:
        span = diagnostic.primary.span
        assert 1 <= span.line <= span.end_line <= text.count("\n") + 1
        assert diagnostic.title
    if parsed.diagnostics:
        error = NnfpError(parsed.diagnostics)
        assert error.render()
        assert error.render_html()
    program = s.Program(tuple(parsed.program.items))
    assert parse(show(program)).program == program
    assert is_complete(text)[0] in ("complete", "incomplete", "invalid")
    for read in (parse_expression, parse_type):
        try:
            read(source)
        except NnfpError as error:
            if not (rendered := error.render()).startswith("error: "):
                pytest.fail(rendered)
    expected(text, len(text) // 2)
    expected(text, len(text))


@settings(max_examples=300)
@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_random_text_never_breaks_the_parser(text: str) -> None:
    survives(text)


words = st.sampled_from(
    sorted(KEYWORDS)
    + sorted(FIXITIES)
    + ["x", "f", "o", "Leaf", "R", "?w", "3", "0.5", "1e9", "cell.W", "_", '"a"', "%nnfp", "λ"]
    + ["(", ")", "[", "]", "{", "}", ",", ";", ":", "=", "->", "~>", "-o", "~", "|", "\\"]
    + ["--", "{-", "-}", "**", "'", "\t", "#", "."]
)
gaps = st.sampled_from(["", " ", " ", " ", "\n", "\n  ", "\n    "])


@settings(max_examples=1000)
@given(st.lists(st.tuples(words, gaps), max_size=25))
def test_random_words_never_break_the_parser(soup: list[tuple[str, str]]) -> None:
    survives("".join(word + gap for word, gap in soup))


@settings(max_examples=500)
@given(st.sampled_from(ACCEPTANCE), st.data())
def test_mutated_programs_never_break_the_parser(path: Path, data: st.DataObject) -> None:
    text = path.read_text()
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        stop = min(len(text), start + data.draw(st.integers(0, 12)))
        match data.draw(st.sampled_from(["delete", "double", "insert", "indent", "cut"])):
            case "delete":
                text = text[:start] + text[stop:]
            case "double":
                text = text[:stop] + text[start:]
            case "insert":
                text = text[:start] + data.draw(words) + text[start:]
            case "indent":
                at = text.find("\n", start) + 1
                text = text[:at] + data.draw(gaps) + text[at:]
            case "cut":
                text = text[:stop]
    survives(text)
