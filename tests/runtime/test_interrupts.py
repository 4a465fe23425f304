"""Interrupts: none is lost, and none leaves a module half made."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from nnfp_kernel.runtime.machine.interrupts import heard

SLOW = """
import os, signal, time
for _ in range({times}):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.05)
whole = True
"""


@pytest.fixture(autouse=True)
def raising() -> object:
    """SIGINT as Python has it by itself."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def module(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, times: int) -> None:
    (folder / f"{name}.py").write_text(SLOW.format(times=times))
    monkeypatch.syspath_prepend(folder)


def test_an_interrupt_waits_for_the_end_of_an_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module(tmp_path, monkeypatch, "imported_whole", 1)
    ends: list[str] = []
    try:
        with heard() as signals:
            import imported_whole  # type: ignore[import-not-found]

            ends.append("imported")
            time.sleep(30)
            ends.append("slept")
    except KeyboardInterrupt:
        ends.append("struck")
    assert ends == ["imported", "struck"]
    assert imported_whole.whole
    assert signals


def test_one_that_waits_when_all_is_done_strikes_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module(tmp_path, monkeypatch, "imported_last", 1)
    with pytest.raises(KeyboardInterrupt), heard():
        import imported_last  # type: ignore[import-not-found]
    assert imported_last.whole
    time.sleep(0.05)  # and never again


def test_a_second_interrupt_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module(tmp_path, monkeypatch, "imported_half", 2)
    with pytest.raises(KeyboardInterrupt), heard():
        import imported_half  # type: ignore[import-not-found]  # noqa: F401
    assert "imported_half" not in sys.modules


def test_one_that_is_answered_strikes_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module(tmp_path, monkeypatch, "imported_answered", 1)
    with heard() as signals:
        import imported_answered  # type: ignore[import-not-found]  # noqa: F401

        signals.clear()
        time.sleep(0.05)
    assert not signals


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_one_that_python_drops_was_heard() -> None:
    class Deaf:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(1000):
                pass

    with heard() as signals:
        assert not signals
        del (left := [Deaf()])[:]
        assert signals
    assert left == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
