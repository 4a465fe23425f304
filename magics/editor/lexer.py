"""nnfp for Pygments: what `nbconvert`, Sphinx and `pygmentize` colour programs with.

>>> from pygments.token import Keyword, Name
>>> found = dict((text, kind) for kind, text in NnfpLexer().get_tokens("f = let a = ?w in a"))
>>> found["let"] is Keyword, found["?w"] is Name.Variable.Instance
(True, True)
"""

from __future__ import annotations

from typing import ClassVar

from pygments.lexer import RegexLexer, bygroups, using, words
from pygments.lexers.python import PythonLexer
from pygments.token import (
    Comment,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Text,
    Whitespace,
)

from nnfp_kernel.language.layout import ITEM_KEYWORDS, KEYWORDS

# A name at the start of a line that a `:` or `=` follows is defined there.
_DEFINED = rf"^(?!(?:{'|'.join(sorted(KEYWORDS))})\b)[a-z]\w*'*(?=[^\n]*?[:=](?!=))"


class NnfpLexer(RegexLexer):
    """A program, or a cell of the kernel: line magics, and cells of Python."""

    name = "nnfp"
    aliases: ClassVar = ["nnfp"]
    filenames: ClassVar = ["*.nnfp"]
    mimetypes: ClassVar = ["text/x-nnfp"]

    tokens: ClassVar = {
        "root": [
            # A cell of Python is Python to its end.
            (
                r"\A(\s*)(%%(?:python|py)\b[^\n]*\n)([\s\S]*)",
                bygroups(Whitespace, Comment.Preproc, using(PythonLexer)),
            ),
            (r"^(%%?\w+|[!?])([^\n]*)", bygroups(Comment.Preproc, Text)),
            (_DEFINED, Name.Function),
            (r"--[^\n]*", Comment.Single),
            (r"\{-", Comment.Multiline, "comment"),
            (r"\s+", Whitespace),
            (words(sorted(ITEM_KEYWORDS), prefix=r"^", suffix=r"\b"), Keyword.Declaration),
            (words(sorted(KEYWORDS), suffix=r"\b(?!')"), Keyword),
            (r"\?[A-Za-z_]\w*'*", Name.Variable.Instance),
            (r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", Number),
            (r'"[^"\n]*"', String),
            (r"[A-Z]\w*'*", Keyword.Type),
            (r"[a-z_]\w*'*(?:\.\w+)*", Name),
            (
                r"-o\b|~>|->|\|>|>>|<<|&&&|\*\*\*|\|\||&&|==|/=|<=|>=|\+\+|[-+*/@^!<>=:~\\|λ→⊸∘]",
                Operator,
            ),
            (r"[()\[\]{},;]", Punctuation),
            (r".", Text),
        ],
        "comment": [
            (r"[^{}-]+", Comment.Multiline),
            (r"\{-", Comment.Multiline, "#push"),
            (r"-\}", Comment.Multiline, "#pop"),
            (r"[{}-]", Comment.Multiline),
        ],
    }
