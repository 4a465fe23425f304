"""The layout pass: items, blocks, touching brackets, and what tells items apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnfp_kernel.language.layout import Token, arrange, items, scan
from nnfp_kernel.language.mistakes import Mistake
from nnfp_kernel.language.source import Source


def words(text: str) -> list[str]:
    return [token.text for token in scan(Source(text))]


def kinds(text: str) -> list[str]:
    """The tokens of the one item of a text, as the grammar gets them."""
    [item] = items(Source(text))
    return [token.kind if token.kind != token.text else token.text for token in arrange(item)]


def shown(text: str) -> str:
    """An item with its blocks: `{` and `}` around them, words as they are."""
    marks = {"OPEN_BLOCK": "⟨", "CLOSE_BLOCK": "⟩", ";": ";"}
    [item] = items(Source(text))
    return " ".join(marks.get(token.kind, token.text) for token in arrange(item)[1:])


def code(text: str) -> str:
    [item] = items(Source(text))
    with pytest.raises(Mistake) as caught:
        arrange(item)
    return caught.value.diagnostic.code


# --- words ---------------------------------------------------------------------------------


def test_words_are_told_apart_by_their_form() -> None:
    found = [token.kind for token in scan(Source("x Leaf _ _y h' ?w cell.W 3 0.5 1e-3 let λ"))]
    assert found == [
        "NAME", "CAPITAL", "_", "NAME", "NAME", "HOLE", "PATH", "NUMBER", "NUMBER", "NUMBER",
        "let", "\\",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a>>=b", ["a", ">>", "=", "b"]),
        ("a***b**", ["a", "***", "b", "**"]),
        ("a&&&b&&c", ["a", "&&&", "b", "&&", "c"]),
        ("a|>b||c|d", ["a", "|>", "b", "||", "c", "|", "d"]),
        ("a/=b/c", ["a", "/=", "b", "/", "c"]),
        ("a->b~>c-o", ["a", "->", "b", "~>", "c", "-", "o"]),
        ("a--b", ["a"]),
        ("a {- b {- c -} d -} e", ["a", "e"]),
        ("x=-1", ["x", "=", "-", "1"]),
        ("λx→x", ["λ", "x", "→", "x"]),
        ("2*-x", ["2", "*", "-", "x"]),
    ],
)
def test_the_longest_operator_is_read(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_tokens_know_their_places() -> None:
    source = Source("a {- over\nlines -} b\n  c")
    assert [(t.text, t.line, t.column) for t in scan(source)] == [
        ("a", 1, 1), ("b", 2, 10), ("c", 3, 3),
    ]  # fmt: skip
    for token in scan(source):
        assert token.span.text == token.text


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_the_words_of_a_text_are_parts_of_it(text: str) -> None:
    tokens = list(scan(Source(text)))
    for token in tokens:
        assert token.span.text.startswith(token.text.split("\n")[0])
    places = [(token.line, token.column) for token in tokens]
    assert places == sorted(set(places))


# --- items -----------------------------------------------------------------------------------


def test_an_item_starts_in_column_zero_and_deeper_lines_continue_it() -> None:
    found = items(Source("a\n  b\n\n -- c\nd (\n  e\n)\nf\n"))
    assert [[token.text for token in item.tokens] for item in found] == [
        ["a", "b"], ["d", "(", "e", ")"], ["f"],
    ]  # fmt: skip


def test_comments_may_stand_anywhere_in_an_item() -> None:
    found = items(Source("a\n-- in column 0\n  b\n{- and\nthis -}\n  c"))
    assert [[token.text for token in item.tokens] for item in found] == [["a", "b", "c"]]


def test_a_magic_line_is_an_item_of_its_own() -> None:
    found = items(Source("a\n%nnfp graph a -- b \n  c\nd"))
    assert [[token.text for token in item.tokens] for item in found] == [
        ["a"], ["%nnfp graph a -- b"], ["c"], ["d"],
    ]  # fmt: skip
    assert code("  c") == "item-not-in-column-zero"


@pytest.mark.parametrize(
    ("text", "marker"),
    [
        ("f : R", "SIGNATURE"),
        ("f x = x", "DEFINITION"),
        ("f x", "EXPRESSION"),
        ("f (x : R)", "EXPRESSION"),
        ("window[3, stride=2] f", "EXPRESSION"),
        ("let x = 1 in x", "EXPRESSION"),
        ("let x : R; x = 1 in x", "EXPRESSION"),
        ("f x = (x : R)", "DEFINITION"),
        ("f = let x : R; x = 1 in x", "DEFINITION"),
        ("f a = a == b", "DEFINITION"),
        ("a == b", "EXPRESSION"),
        ("dense[m] : R[n] ~> R[m]", "SIGNATURE"),
    ],
)
def test_the_first_bare_sign_tells_what_an_item_is(text: str, marker: str) -> None:
    assert kinds(text)[0] == marker


def test_the_first_word_tells_the_others() -> None:
    assert kinds("size n = 3")[0] == "size"
    assert kinds("data T = A")[0] == "data"


# --- blocks -------------------------------------------------------------------------------


def test_a_block_stands_at_the_column_of_its_first_word() -> None:
    assert shown("f = let a = 1\n        b =\n          2\n    in a") == (
        "f = let ⟨ a = 1 ; b = 2 ⟩ in a"
    )
    assert shown("f = x\n  where\n    a = 1\n    b = 2") == "f = x where ⟨ a = 1 ; b = 2 ⟩"
    assert shown("f = x where a = 1; b = 2") == "f = x where ⟨ a = 1 ; b = 2 ⟩"
    assert shown("f = let a = 1;\n        b = 2 in a") == "f = let ⟨ a = 1 ; b = 2 ⟩ in a"


def test_blocks_nest() -> None:
    assert shown("f = let a = let b = 1; c = 2 in b; d = 3 in a") == (
        "f = let ⟨ a = let ⟨ b = 1 ; c = 2 ⟩ in b ; d = 3 ⟩ in a"
    )
    text = (
        "f = x\n"
        "  where\n"
        "    a = let b = 1\n"
        "            c = 2\n"
        "        in b + c\n"
        "    d = (let e = 1 in\n"
        "           e\n"
        "    )\n"
    )
    assert shown(text) == (
        "f = x where ⟨ a = let ⟨ b = 1 ; c = 2 ⟩ in b + c ; d = ( let ⟨ e = 1 ⟩ in e ) ⟩"
    )


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("f = let a = 1\n       b = 2 in a", "bad-indentation"),
        ("f = x\n  where\n    a = 1\n   b = 2", "bad-indentation"),
        ("f = x\n  where\n    a = let\n    b = 1 in b", "bad-indentation"),
        ("f = let a = (1\n        b = 2 in a", "unclosed-bracket"),
        ("f = (let a = 1)", "let-without-in"),
        ("f = let a = (1 in a", "unclosed-bracket"),
        ("f = let a = 1", "let-without-in"),
        ("f = a in b", "in-without-let"),
        ("f = a where", "empty-block"),
        ("f = (a where b = 1)", "misplaced-where"),
        ("f = (a", "unclosed-bracket"),
        ("f = a)", "unopened-bracket"),
        ("f = (a]", "wrong-bracket"),
        (")", "unopened-bracket"),
    ],
)
def test_what_stands_where_nothing_may_is_an_error(text: str, mistake: str) -> None:
    assert code(text) == mistake


# --- brackets that touch -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "touching"),
    [
        ("f[3]", True),
        ("f [3]", False),
        ("R[3]", True),
        ("f ([3])", False),
        ("[[3]]", False),
        ("f : (a, b)[n]", True),
        ("f : R[n][3]", True),
        ("f : [R]", False),
        ("f = g\n  [3]", False),
        ("f = g{- -}[3]", False),
    ],
)
def test_a_bracket_touches_what_stands_directly_before_it(text: str, touching: bool) -> None:
    assert ("TOUCHING" in kinds(text)) == touching


@pytest.mark.parametrize(
    "text", ["(f x)[0]", "[1, 2][0]", "?w[0]", "3[0]", "cell.W[0]", "f[1][0]", "_[0]", "(a : R)[0]"]
)
def test_a_bracket_that_touches_a_value_is_an_index_to_be_written_otherwise(text: str) -> None:
    assert code(text) == "index-with-brackets"


def test_arranging_leaves_the_item_as_it_was() -> None:
    [item] = items(Source("f : R[3] -o R\n"))
    once = [(token.kind, token.text) for token in arrange(item)]
    assert once == [(token.kind, token.text) for token in arrange(item)]
    assert ("-o", "-o") in once


def test_a_token_is_on_one_line() -> None:
    token = Token("NAME", "abc", Source("  abc"), 1, 3)
    assert (token.span.end_line, token.span.end_column) == (1, 6)
    assert token.span.text == "abc"
