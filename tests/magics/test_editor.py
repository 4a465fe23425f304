"""The two highlighters know the language's words, and what is installed is what is written."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from pygments.lexers import get_lexer_by_name, guess_lexer_for_filename
from pygments.token import Comment, Error, Keyword, Name, Operator, Text

from nnfp_kernel.language.layout import ITEM_KEYWORDS, KEYWORDS, UNICODE

ROOT = Path(__file__).parents[2]
EDITOR = ROOT / "magics" / "editor"
PROGRAMS = sorted(
    [
        *(ROOT / "nnfp_kernel" / "std").glob("*.nnfp"),
        *(ROOT / "tests" / "acceptance").rglob("*.nnfp"),
    ]
)


def kinds(program: str) -> list[tuple[str, object]]:
    return [(text, kind) for kind, text in get_lexer_by_name("nnfp").get_tokens(program)]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_every_program_is_read_by_pygments(path: Path) -> None:
    program = path.read_text(encoding="utf-8")
    assert guess_lexer_for_filename(path.name, program).name == "nnfp"
    found = kinds(program)
    assert "".join(text for text, _ in found).strip() == program.strip()
    unknown = [text for text, kind in found if kind is Error or (kind is Text and text.strip())]
    assert not unknown


def test_what_pygments_makes_of_a_program() -> None:
    found = dict(
        kinds("rep Word = R[4]\nf' x = if x == ?w then {- a {- b -} c -} y else 1 -- end\n")
    )
    assert found["rep"] is Keyword.Declaration
    assert found["if"] is Keyword
    assert found["R"] is Keyword.Type
    assert found["f'"] is Name.Function
    assert found["?w"] is Name.Variable.Instance
    assert found["=="] is Operator
    assert found["-- end"] is Comment.Single
    assert found[" c "] is Comment.Multiline
    assert found["y"] is Name


def test_a_cell_of_python_is_python() -> None:
    assert ("import", Keyword.Namespace) in kinds("%%python\nimport numpy")
    assert ("%nnfp", Comment.Preproc) in kinds("f = 1\n%nnfp type f")


def test_the_editor_knows_the_same_words() -> None:
    source = (EDITOR / "source/src/language.js").read_text(encoding="utf-8")

    def words(name: str) -> set[str]:
        found = re.search(rf"const {name} = \[(.*?)\]", source, re.DOTALL)
        assert found is not None
        return set(re.findall(r"'(\w+)'", found[1]))

    assert words("ITEM_KEYWORDS") == ITEM_KEYWORDS
    assert words("ITEM_KEYWORDS") | words("KEYWORDS") == KEYWORDS
    letters = dict(re.findall(r"'(\\\\[^']+)': '(.)'", source))
    assert set(letters.values()) == set(UNICODE)


def test_what_is_installed_was_made_from_the_source() -> None:
    source = hashlib.sha256((EDITOR / "source/package.json").read_bytes())
    for path in sorted((EDITOR / "source/src").glob("*.js")):
        source.update(path.read_bytes())
    made = EDITOR / "labextension"
    assert (made / "source.sha256").read_text().strip() == source.hexdigest(), "make editor"
    entry = json.loads((made / "package.json").read_text())["jupyterlab"]["_build"]["load"]
    assert (made / entry).is_file()
