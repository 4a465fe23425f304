"""The garbage collector is paused while a program is read, and never for longer."""

from __future__ import annotations

import gc
import inspect
from collections.abc import Callable, Iterator

import pytest

from nnfp_kernel.language.collector import paused, uncollected
from nnfp_kernel.language.infer import infer
from nnfp_kernel.language.parser import parse


@pytest.fixture(autouse=True)
def _as_it_is_in_a_session() -> Iterator[None]:
    """The suite has the collector run less often (conftest.py)."""
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


def collections(program: str, infer: Callable[..., object]) -> int:
    """How often the collector runs while a program is checked."""
    parsed = parse(program).program
    before = sum(generation["collections"] for generation in gc.get_stats())
    infer([parsed], {})
    return sum(generation["collections"] for generation in gc.get_stats()) - before


def test_checking_a_program_collects_nothing() -> None:
    program = "\n".join(f"f{k} x = (x, x)" for k in range(100))
    assert collections(program, inspect.unwrap(infer)) > 5
    assert collections(program, infer) <= 1  # what is due when the pause is over
    assert gc.isenabled()


def test_it_is_left_as_it_was_found() -> None:
    with pytest.raises(ZeroDivisionError), paused():
        1 / 0  # noqa: B018
    assert gc.isenabled()
    gc.disable()
    try:
        assert not uncollected(gc.isenabled)()
        assert not gc.isenabled()
    finally:
        gc.enable()
