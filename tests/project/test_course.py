"""What lies beside the notebooks of the course: their data, and the weights they load."""

from __future__ import annotations

import doctest
import importlib
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest
from safetensors.numpy import load_file

from nnfp_kernel.views import style

COURSE = Path(__file__).parents[2] / "demo_notebooks"
CHAPTERS = sorted(COURSE.glob("[0-9]*.ipynb"))
MODULES = sorted(path.stem for path in COURSE.glob("*.py"))
STORED = sorted(COURSE.glob("weights/*.safetensors"))


@pytest.fixture
def course(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """The modules beside the notebooks, as a notebook imports them."""
    monkeypatch.syspath_prepend(str(COURSE))
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    return {name: importlib.import_module(name) for name in MODULES}


def test_the_examples_of_the_modules_are_true(course: dict[str, ModuleType]) -> None:
    for module in course.values():
        results = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
        assert results.failed == 0, module


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_draws_with_colours_that_there_are(path: Path) -> None:
    source = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
    for name in set(re.findall(r"\bstyle\.([A-Z]\w*)", source)):
        assert hasattr(style, name), name


# --- number words ------------------------------------------------------------------------------

# Written down by hand from a grammar: every kind of exception there is.
FRENCH = {
    0: "zéro", 1: "un", 16: "seize", 17: "dix-sept", 20: "vingt", 21: "vingt et un",
    22: "vingt-deux", 31: "trente et un", 60: "soixante", 61: "soixante et un",
    70: "soixante-dix", 71: "soixante et onze", 72: "soixante-douze", 79: "soixante-dix-neuf",
    80: "quatre-vingts", 81: "quatre-vingt-un", 89: "quatre-vingt-neuf", 90: "quatre-vingt-dix",
    91: "quatre-vingt-onze", 99: "quatre-vingt-dix-neuf", 100: "cent", 101: "cent un",
    180: "cent quatre-vingts", 200: "deux cents", 201: "deux cent un", 280: "deux cent quatre-vingts",
    999: "neuf cent quatre-vingt-dix-neuf", 1000: "mille", 1001: "mille un", 1100: "mille cent",
    1200: "mille deux cents", 1971: "mille neuf cent soixante et onze", 2000: "deux mille",
    3080: "trois mille quatre-vingts", 4200: "quatre mille deux cents",
    9999: "neuf mille neuf cent quatre-vingt-dix-neuf",
}  # fmt: skip
ENGLISH = {
    0: "zero", 12: "twelve", 20: "twenty", 40: "forty", 99: "ninety-nine", 100: "one hundred",
    110: "one hundred ten", 1000: "one thousand", 1001: "one thousand one",
    1234: "one thousand two hundred thirty-four",
    9000: "nine thousand",
}  # fmt: skip


def test_number_words_are_those_of_the_grammar(course: dict[str, ModuleType]) -> None:
    words = course["number_words"]
    assert {number: words.french(number) for number in FRENCH} == FRENCH
    assert {number: words.english(number) for number in ENGLISH} == ENGLISH
    for number in (-1, 10000):
        with pytest.raises(ValueError, match="not between 0 and 9999"):
            words.french(number)


def test_all_number_words_differ_and_are_their_parts_joined(course: dict[str, ModuleType]) -> None:
    words = course["number_words"]
    for say in (words.english, words.french):
        said = [say(number) for number in range(10000)]
        assert len(set(said)) == 10000
        assert [words.joined(words.parts(each)) for each in said] == said


# --- ListOps -------------------------------------------------------------------------------------


def test_answers_of_listops_are_those_of_its_operations(course: dict[str, ModuleType]) -> None:
    listops = course["listops"]
    by_hand = {
        ("MAX", (2, 9, ("MIN", (4, 7)), 0)): 9,  # the example of Nangia and Bowman
        ("MIN", (3, ("MAX", (5, 1)), 4)): 3,
        ("MED", (7, 0, 2)): 2,
        ("MED", (2, 9)): 5,  # rounded down
        ("MED", (9, 9, 0, 1)): 5,
        ("SM", (9, 9, 9, 9, 9)): 5,
        ("SM", (("MED", (3, 8)), ("SM", (7, 6)))): 8,
    }
    assert {question: listops.answer(question) for question in by_hand} == by_hand


def test_questions_of_listops_are_as_described(course: dict[str, ModuleType]) -> None:
    listops = course["listops"]
    questions = listops.examples(2000)
    assert len(set(map(listops.spoken, questions))) == 2000
    assert questions[:100] == listops.examples(100)
    assert questions[:100] != listops.examples(100, seed=1)

    def operations(question: Any) -> list[Any]:
        if isinstance(question, int):
            return []
        return [question, *(each for part in question[1] for each in operations(part))]

    every = [operation for question in questions for operation in operations(question)]
    assert {name for name, _ in every} == set(listops.OPERATIONS)
    assert {len(parts) for _, parts in every} == {2, 3, 4, 5}
    assert {listops.depth(question) for question in questions} <= set(range(1, listops.DEEPEST + 1))
    assert max(len(listops.words(question)) for question in questions) <= listops.LONGEST
    # Deep questions are long, and those of more than LONGEST words are left out.
    nested = [not isinstance(part, int) for _, parts in every for part in parts]
    assert 0.15 < sum(nested) / len(nested) < 0.27


# --- stored weights ----------------------------------------------------------------------------


def test_a_chapter_that_loads_weights_says_how_they_were_trained(
    course: dict[str, ModuleType],
) -> None:
    long_form = course["soak"].long_form
    loaded = set()
    for path in CHAPTERS:
        for cell in nbformat.read(path, as_version=4).cells:
            for line in cell.source.splitlines():
                if line.startswith("%nnfp load"):
                    loaded.add(COURSE / line.split()[-1])
                    trained = long_form(cell.source)
                    assert "\n%nnfp train " in "\n" + trained, path
                    assert "%nnfp load" not in trained
                    assert line.replace("load", "save") in trained
    assert loaded == set(STORED)


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_stored_weights_are_small_and_finite(path: Path) -> None:
    assert path.stat().st_size < 1_000_000
    for name, weight in load_file(path).items():
        assert (abs(weight) < 1e3).all(), name
