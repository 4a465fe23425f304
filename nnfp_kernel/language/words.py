"""The words of the grammar, for people: what each says, and how it is written.

Names of the library and built-in names have documentation of their own; these are words
that the parser knows, so that nothing else could tell of them.
"""

from __future__ import annotations

from .layout import KEYWORDS

WORDS: dict[str, tuple[str, str]] = {
    "size": ("A name for a number in types.", "size hidden = 32"),
    "type": ("Another name for a type.", "type Image = R[28,28]"),
    "rep": (
        "A representation: a new type with the vector-space structure of its carrier. Two of "
        "one carrier do not mix.",
        "rep Thought = R[128]",
    ),
    "data": (
        "A type of trees, by its constructors.",
        "data Tree a = Leaf a | Node (Tree a) (Tree a)",
    ),
    "import": ("All that a file of the language defines.", 'import "file.nnfp"'),
    "let": ("Local names for what follows `in`.", "let a = 1; b = 2 in a + b"),
    "in": ("What the names of a `let` are for.", "let a = 1 in a + a"),
    "where": (
        "Local names of a definition; types and initialisers of its holes.",
        "layer x = ?W @ x where ?W : R[3,2] ~ glorot",
    ),
    "if": (
        "One of two values. The branch not taken contributes nothing.",
        "if x > 0 then x else 0",
    ),
    "then": ("What an `if` is where its condition holds.", "if x > 0 then x else 0"),
    "else": ("What an `if` is where its condition does not hold.", "if x > 0 then x else 0"),
    "case": (
        "By the constructor of a value.",
        "case t of { Leaf x -> x ; Node l r -> 0 }",
    ),
    "of": ("The branches of a `case`.", "case t of { Leaf x -> x ; Node l r -> 0 }"),
    "cata": (
        "A fold over trees: every constructor is replaced by a function of what came out for "
        "its children.",
        "cata { Leaf x -> x ; Node l r -> l + r }",
    ),
    "fresh": ("An independent copy of a function, with weights of its own.", "fresh cell"),
    "open": (
        "The function with its weights as one more input: from `f : A ~> B`, "
        "`(Weights f, A) -> B`.",
        "grad (\\w -> open f (w, x)) (weights f)",
    ),
    "stack": (
        "So many copies of a function one after the other, each with weights of its own.",
        "stack[4] layer",
    ),
    "weights": ("The present weights of a definition, a vector space.", "weights f"),
}
"""Every keyword, and the two names that stand like functions and are none."""

assert set(WORDS) >= KEYWORDS, KEYWORDS - set(WORDS)
