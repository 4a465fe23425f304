"""The inferred library and the parser's tables are kept for the next process, and only then
taken when they are whole and of the same sources."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nnfp_kernel import library, std
from nnfp_kernel.language import infer as inference
from nnfp_kernel.language import parser
from nnfp_kernel.language.kept_form import as_data
from nnfp_kernel.runtime.machine import persistent


def data(checked: inference.Checked) -> Any:
    return as_data(replace(checked, builtins={}))


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for what is kept, and a process that has neither library nor parser yet."""
    monkeypatch.setenv(persistent.FOLDER, str(tmp_path))
    monkeypatch.setattr(persistent, "_now", persistent._State())
    monkeypatch.setattr(parser, "_begun", None)
    library.library.cache_clear()
    yield tmp_path / "library"
    library.library.cache_clear()


def test_the_next_process_begins_with_what_this_one_inferred(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = library.library()
    (file,) = kept.iterdir()
    trees = [parser.parse(source) for source in std.sources()]

    def never(*_: object) -> None:
        raise AssertionError("inferred once more")

    with monkeypatch.context() as next_process:
        next_process.setattr(library, "inferred", never)
        next_process.setattr(parser.automaton, "built", never)
        next_process.setattr(parser, "_begun", None)
        library.library.cache_clear()
        second = library.library()
        assert second is not first
        assert data(second) == data(first)
        assert [parser.parse(source) for source in std.sources()] == trees
        assert parser.parse("f x = (x").diagnostics  # what can follow is known too
    # What is damaged, cut off, or made of other sources is not taken.
    content, key = file.read_text(), library._key()
    assert library.read(file, key) is not None
    for wrong in (content.replace("std/layers", "std/lawyers"), content[:-9], "", "\0"):
        assert wrong != content
        file.write_text(wrong)
        assert library.read(file, key) is None
    file.write_text(content)
    assert library.read(file, "another") is None


def test_a_change_of_the_sources_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = library._key()
    assert library._key() == before
    mine = tmp_path / "prelude.nnfp"
    mine.write_text("one = 1")
    monkeypatch.setattr(library, "_files", lambda: iter([mine]))
    with_mine = library._key()
    assert with_mine != before
    os.utime(mine, ns=(0, 0))
    assert library._key() != with_mine


@pytest.mark.parametrize("case", ["off", "no folder", "no room"])
def test_a_disk_that_keeps_nothing_loses_nothing(
    kept: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    if case == "off":
        monkeypatch.setenv(persistent.FOLDER, "off")
    elif case == "no folder":
        kept.write_text("a file stands there")
    else:
        monkeypatch.setattr(Path, "write_text", full)
    assert "dense" in library.library().definitions
    assert not kept.is_dir() or not list(kept.iterdir())
