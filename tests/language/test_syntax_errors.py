"""Syntax errors: each mistake has its message, kept as a snapshot that a person has read.

`MENDED` are the mistakes whose suggestion is the line to write instead: the program
with that line in its place has no syntax error left. `EXPLAINED` are the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from nnfp_kernel.language.diagnostics import NnfpError
from nnfp_kernel.language.parser import parse, parse_expression, parse_type
from nnfp_kernel.language.source import Source

SNAPSHOTS = Path(__file__).parents[1] / "snapshots" / "syntax"

MENDED = {
    # characters and words
    "power_of_python": "f x = x ** 2 + 1",
    "unequal_of_c": "f x = if x != 2 then 1 else 0",
    "integer_division": "f x = x // 2",
    "single_and": "f x y = x & y",
    "double_colon": "f :: R -> R",
    "walrus": "width := 3",
    "fat_arrow": "f = \\x => x",
    "number_with_underscores": "rate = 1_000",
    "number_before_name": "double x = 2x",
    "hexadecimal": "mask = 0x1F",
    "number_without_first_digit": "rate = .5",
    "number_without_last_digit": "rate = 1.",
    "comment_of_python": "f x = x # doubles",
    "typeset_minus": "f x = x − 1",
    "typeset_comparison": "f x = if x ≤ 1 then x else 1",
    "composition_of_haskell": "f = g . h",
    "quote_not_closed": 'import "model.nnfp',
    # names
    "reserved_word_as_parameter": "scale data = 2",
    "reserved_word_as_definition": "size = 3",
    "reserved_word_in_let": "f x = let open = x in 1",
    "capital_definition": "Encode x = tanh x",
    "small_representation": "rep thought = R[32]",
    "small_constructor": "data Tree = leaf | Node Tree Tree",
    # brackets and layout
    "first_item_indented": "  f x = x",
    "space_before_size": "f : R [3] -> R",
    # definitions
    "equals_in_a_condition": "f x = if x = 1 then 2 else 3",
    "equals_in_an_expression": "x + 1 = 3",
    "definition_of_python": "def f(x, y): return x + y",
    "definition_with_an_arrow": "double x -> 2 * x",
    "signature_and_definition": "width : R = 3",
    # lambdas, conditionals, cases
    "lambda_with_equals": "f = map (\\x = x + 1)",
    "lambda_with_comma": "f = \\x, y -> x + y",
    "lambda_of_python": "f = lambda x, y: x + y",
    "lambda_of_ocaml": "f = fun x -> x + 1",
    "lambda_as_argument": "f = map \\x -> x + 1",
    "fresh_as_argument": "f = bidirectional cell fresh cell zero zero",
    "case_with_equals": "f t = case t of { Leaf x = x ; Node l r -> l }",
    "case_with_comma": "f t = case t of { Leaf x -> x, Node l r -> l }",
    "case_with_bar": "f t = case t of { Leaf x -> x | Node l r -> l }",
    "of_missing": "f t = case t { Leaf x -> x }",
    # types and tuples
    "power_of_a_type": "f : R^3 -> R",
    "invisible_character": "f x = x +\u200b 1",
    "trailing_comma": "f = [1, 2, 3,]",
}

EXPLAINED = {
    # characters and words
    "unknown_character": "price = 3 €",
    "number_too_large": "x = 1e999",
    "not_a_number": "x = 1.2.3",
    "text_in_single_quotes": "greet = 'hello'",
    "text_in_double_quotes": 'greet = "hello"',
    "assignment": "f x = x += 1",
    "range_of_numbers": "xs = [1..10]",
    "dollar": "f x = g $ h x",
    "percent": "f x = x % 2",
    "cell_magic": "%%nnfp\nf = 1",
    "question_mark": "f c = c ? 1 : 2",
    "component_by_number": "f x = x.0",
    "tab": "f x =\n\tx + 1",
    "comment_never_closed": "f = 1 {- one {- two -}",
    "comment_never_opened": "f = 1 -} + 2",
    # brackets
    "bracket_never_closed": "f x = tanh (?W @ x + ?b\n\ng x = x",
    "bracket_never_closed_in_a_block": "f x =\n  let y = (x + 1\n      z = 2\n  in y + z",
    "bracket_never_opened": "f x = tanh x)",
    "wrong_bracket": "f (h, x] = h",
    "index": "first xs = (tail xs)[0]",
    "index_of_a_hole": "f x = ?w[i + 1]",
    "index_from_the_end": "f xs = (g xs)[-1]",
    "index_of_two_axes": "f x = (g x)[i, j]",
    "slice": "f xs = (g xs)[1:3]",
    "slice_of_a_name": "f xs = xs[1:3]",
    "nested_too_deep": "f = " + "(1 + " * 101 + "1" + ")" * 101,
    "too_many_arguments": "x = f" + " 1" * 101,
    # layout
    "indented_item": "f x = x\n  g y = y",
    "indented_under_a_signature": "net : R[3] ~> R[2]\n    net = dense[2]",
    "operator_in_column_zero": "encode = fold cell zero\n>> Thought",
    "where_in_column_zero": "f x = y\nwhere\n  y = x",
    "then_in_column_zero": "f x = if x > 0\nthen 1\nelse 2",
    "let_without_in": "f x =\n  let y = 2 * x\n  y + 1",
    "let_as_item": "let x = 1",
    "let_without_in_before_a_binding": "f x = y\n  where\n    y = let a = x\n    z = 2",
    "let_of_nothing": "f x = let in x",
    "in_without_let": "f x = y in x",
    "binding_too_far_left": "f x = let y = 1\n         z = 2 in y + z",
    "binding_too_far_right": "f x = y + z\n  where\n    y = 1\n   z = 2",
    "binding_in_the_column_of_let": "f x =\n  let y = 1\n  z = 2\n  in y + z",
    "line_of_a_binding_not_indented": "f x =\n  let y = x\n      + 1\n  in y",
    "block_not_indented": "f x = let y = let\n      z = 1 in z in y",
    "where_of_a_signature": "f : R -> R\n  where y = 1",
    "where_of_an_expression": "f 3\n  where y = 1",
    "where_in_brackets": "f x = (y where y = x)",
    "where_twice": "f x = y\n  where y = x\n  where z = x",
    "semicolon_between_items": "f = 1; g = 2",
    # definitions
    "pair_as_item": "(a, b) = f x",
    "second_colon": "f : R -> R : R",
    "signature_with_parameters": "f x y : R",
    "typed_parameter": "f (x : R[3]) = sum x",
    "type_without_brackets": "f x = x : R",
    "guard": "f x | x > 0 = 1",
    "sequence_pattern": "f [a, b] = a + b",
    "expression_as_pattern": "f (x + 1) = x",
    "keyword_argument": "f = g(x=1)",
    "nothing_after_equals": "f x =",
    "nothing_after_an_operator": "f x = x +\n\ng = 2",
    "nothing_between_operators": "f x = x + * 2",
    "nothing_before_an_operator": "f x = * 2",
    "not_of_c": "f c = if !c then 1 else 2",
    "class_of_python": "class Layer: pass",
    "import_of_python": "import numpy as np",
    "loop_of_python": "while x > 0:\n  x",
    "comprehension": "f xs = [g x for x in xs]",
    "conditional_of_python": "f x = 1 if x > 0 else 2",
    "braces": "f = {1, 2}",
    "tuple_of_one": "f = (a,)",
    # operators
    "mixed_composition": "f = g >> h << k",
    "chained_comparison": "f x = 0 < x < 1",
    "left_section_too_wide": "f = map (a + b *)",
    "right_section_too_wide": "f = map (* a + b)",
    # lambdas, conditionals, cases
    "lambda_without_arrow": "f = \\x",
    "lambda_with_an_operator": "f = \\x + 1",
    "arrow_in_an_expression": "f x = x + 1 -> 2",
    "then_missing": "f x = if x > 0 1 else 2",
    "else_missing": "f x = (if x > 0 then 1) + 2",
    "condition_with_colon": "f x = if x > 0: 1",
    "then_without_if": "f x = x then 2",
    "of_missing_at_the_end": "f t = case t",
    "braces_missing": "f t = case t of\n  Leaf x -> x",
    "braces_missing_after_cata": "f = cata Leaf x -> x",
    "no_alternatives": "f t = case t of { }",
    "semicolon_missing": "f t = case t of { Leaf x -> x\n                  Node l r -> l }",
    "alternative_of_nothing": "f t = case t of { Leaf x -> }",
    # holes, families, types, sizes
    "hole_as_item": "?W : R[3]",
    "hole_defined": "f x = ?w * x\n  where ?w = 3",
    "family_in_let": "f x = let g[n] y = y in g x",
    "family_of_a_number": "dense[32] x = ?W @ x",
    "shape_of_a_parameter": "f x[3] = sum x",
    "empty_brackets": "f : R[] -> R",
    "negative_size": "f : R[-1]",
    "fractional_size": "f : R[2.5]",
    "expression_as_size": "f = window[g x] h",
    "hole_as_size": "f = dense[?n]",
    "product_of_types": "f : R * R -> R",
    "number_as_type": "f : 3 -> R",
    "type_missing": "f : R ->\n\ng = 1",
    "arrow_without_domain": "f : -> R",
    # what no recogniser knows
    "unexpected_word": "size n = a b",
    "unexpected_end": "data Tree",
}


@pytest.mark.parametrize("name", [*MENDED, *EXPLAINED])
def test_a_mistake_has_its_message(name: str, snapshot: Callable[[str, str], None]) -> None:
    source = Source({**MENDED, **EXPLAINED}[name], "cell 1")
    diagnostics = parse(source).diagnostics
    assert len(diagnostics) == 1, "one mistake, one message"
    error = NnfpError(diagnostics)
    snapshot(f"syntax/{name}.txt", f"{source.text}\n\n{error.render()}")
    body = error.render_html().split("</style>\n")[1]
    snapshot(f"syntax/{name}.html", body)


@pytest.mark.parametrize("name", MENDED)
def test_what_a_message_suggests_is_right(name: str) -> None:
    source = Source(MENDED[name])
    [diagnostic] = parse(source).diagnostics
    assert diagnostic.suggestion is not None
    lines = source.text.split("\n")
    lines[diagnostic.primary.span.line - 1] = diagnostic.suggestion
    mended = parse("\n".join(lines))
    assert mended.diagnostics == ()
    assert mended.program.items


@pytest.mark.parametrize("name", EXPLAINED)
def test_what_a_message_shows_as_an_example_parses(name: str) -> None:
    [diagnostic] = parse(EXPLAINED[name]).diagnostics
    suggestion = diagnostic.suggestion
    if suggestion is None or "…" in suggestion or suggestion.startswith("  "):
        return  # none, a part, or a line as it should be indented
    for read in (parse_whole, parse_expression, parse_type, parse_where, parse_alternatives):
        try:
            read(suggestion)
        except NnfpError:
            continue
        return
    pytest.fail(f"the language does not read: {suggestion}")


def parse_whole(text: str) -> None:
    if (parsed := parse(text)).diagnostics:
        raise NnfpError(parsed.diagnostics)


def parse_where(text: str) -> None:
    """A suggestion that is a `where`, or a line of one."""
    keyword = "" if text.startswith("where") else "where\n   "
    parse_whole(f"f x = y\n  {keyword} {text}")


def parse_alternatives(text: str) -> None:
    parse_whole(f"f x = case x of {text}")


def test_every_snapshot_belongs_to_a_mistake() -> None:
    kept = {path.stem for path in SNAPSHOTS.iterdir()}
    assert kept == {*MENDED, *EXPLAINED}


def test_messages_are_of_many_kinds_and_speak_alike() -> None:
    codes = set()
    for text in [*MENDED.values(), *EXPLAINED.values()]:
        [diagnostic] = parse(text).diagnostics
        codes.add(diagnostic.code)
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", diagnostic.code)
        assert len(diagnostic.title) <= 80
        assert not diagnostic.title.endswith(".")
        assert all(note.endswith((".", ":", "?")) for note in diagnostic.notes), diagnostic.notes
        if diagnostic.suggestion is None:
            assert not any(note.endswith(":") for note in diagnostic.notes), diagnostic.notes
        else:
            assert diagnostic.notes, "a suggestion is introduced"
            assert diagnostic.notes[-1].endswith(":"), diagnostic.notes
    assert len(codes) >= 60


def test_one_mistake_does_not_hide_another() -> None:
    text = "f x = (x\ng x = x\nh = 'a'\n  + 2\nk = \\x = x\nrep T = R[3]"
    parsed = parse(text)
    assert [diagnostic.primary.span.line for diagnostic in parsed.diagnostics] == [1, 3, 5]
    assert [type(item).__name__ for item in parsed.program.items] == ["Definition", "RepItem"]
