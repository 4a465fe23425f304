"""What is compiled is kept on disk: found by the next process, bounded, never in the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import jax
import pytest

from nnfp_kernel.magics.settings import Nnfp
from nnfp_kernel.magics.terminal import TerminalHost
from nnfp_kernel.magics.workspace import Workspace
from nnfp_kernel.runtime.machine import persistent

PROGRAM = """
import json, os, resource, signal, sys
import jax, numpy
from nnfp_kernel import Session
from nnfp_kernel.runtime.machine import persistent

found = {"hits": 0, "misses": 0}
def heard(event, **_):
    name = event.rpartition("cache_")[2]
    if name in found:
        found[name] += 1
jax.monitoring.register_event_listener(heard)

session = Session()
session.run("layer x = tanh (?W @ x)\\nlayer : R[3] ~> R[2]")
found["answer"] = session["layer"](numpy.ones(3)).tolist()
found["folder"] = str(persistent.kept().folder)

if sys.argv[1] == "again":
    found["found"], counts = found["hits"], []
    for name in ("goal", "aim"):  # a training whose weights are called otherwise
        session.run(f"{name} : R ~> R\\n{name} x = square (?a * x - 1)")
        for event in session.train(name, (numpy.ones(4),), steps=1, batch=2):
            pass
        counts.append(found["misses"])
    found["renamed"] = counts[0] > 0 and counts[0] == counts[1]
    # Then the disk is full: nothing is said, nothing is lost.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    session.run("other : R[3] -> R[3]\\nother x = 3 * x + 1")
    found["full"] = session["other"](numpy.ones(3)).tolist()
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    jax.config.update("jax_compilation_cache_dir", sys.argv[2])  # the user's own, by now
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    session.run("third : R[3] -> R[3]\\nthird x = sin x + 2")
    session["third"](numpy.ones(3))
    found["theirs"] = len(os.listdir(sys.argv[2])), persistent.kept() is None
print(json.dumps(found))
"""


@pytest.mark.slow
def test_the_next_process_finds_what_was_compiled(tmp_path: Path) -> None:
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("JAX_ENABLE", "NNFP_CACHE"))
    }
    environment |= {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}

    def ran(*arguments: str) -> dict[str, object]:
        done = subprocess.run(
            [sys.executable, "-W", "error::UserWarning", "-c", PROGRAM, *arguments],
            env=environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        found: dict[str, object] = json.loads(done.stdout)
        return found

    first = ran("first")
    assert first["hits"] == 0
    assert first["misses"]
    folder = Path(str(first["folder"]))
    assert folder.is_relative_to(tmp_path)
    assert folder.stat().st_mode & 0o077 == 0
    again = ran("again", str(tmp_path / "theirs"))
    assert again["found"] == first["misses"]
    assert again["answer"] == first["answer"]
    assert again["folder"] == first["folder"]
    assert again["renamed"]
    assert again["full"] == [4.0, 4.0, 4.0]
    number, left = again["theirs"]  # type: ignore[misc]
    assert number
    assert left


def file(place: Path, name: str, content: bytes, age: float) -> Path:
    """A file of so many seconds ago."""
    made = place / name
    made.write_bytes(content)
    then = made.stat().st_mtime - age
    os.utime(made, (then, then))
    return made


def test_what_was_not_used_for_longest_goes(tmp_path: Path) -> None:
    files = [
        file(tmp_path, f"{k}-cache", zlib.compress(os.urandom(1000)), k * 100) for k in (1, 2, 3, 4)
    ]
    os.utime(files[3])  # used just now
    persistent.trim(tmp_path, 2100)
    assert [each.exists() for each in files] == [True, False, False, True]
    persistent.trim(tmp_path, 0)  # it was looked through a moment ago
    assert files[0].exists()


def test_what_is_not_whole_is_taken_out(tmp_path: Path) -> None:
    whole = zlib.compress(b"an executable" * 100)
    good = file(tmp_path, "good-cache", whole, 100)
    cut = [file(tmp_path, f"{k}-cache", whole[:k], 100) for k in (0, 1, 9, len(whole) - 1)]
    wrong = file(tmp_path, "wrong-cache", whole[:9] + b"?" + whole[10:], 100)
    written = file(tmp_path, "now-cache", whole[:9], 0)  # another process is at it
    persistent.trim(tmp_path, 1 << 20)
    assert good.exists()
    assert written.exists()
    assert not any(each.exists() for each in [*cut, wrong])
    persistent.trim(tmp_path / "nowhere", 1)  # what cannot be looked through is left


def test_a_folder_that_others_write_to_is_not_read(tmp_path: Path) -> None:
    made = persistent._made(str(tmp_path))
    assert made is not None
    assert made.is_relative_to(tmp_path)
    made.chmod(0o777)
    assert persistent._made(str(tmp_path)) is None
    (tmp_path / "file").touch()
    assert persistent._made(str(tmp_path / "file")) is None


@pytest.mark.parametrize("case", ["the user's own", "off", "no room", "JAX's is off", "ours"])
def test_nothing_is_kept_where_it_is_not_wanted(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = jax.config.jax_compilation_cache_dir, jax.config.jax_enable_compilation_cache
    monkeypatch.setattr(persistent, "_now", persistent._State())
    monkeypatch.setenv(persistent.FOLDER, "off" if case == "off" else str(tmp_path))
    monkeypatch.setenv(persistent.SIZE, "0" if case == "no room" else "7")
    own = str(tmp_path / "own")
    try:
        jax.config.update("jax_enable_compilation_cache", case != "JAX's is off")
        jax.config.update("jax_compilation_cache_dir", own if case == "the user's own" else None)
        told = persistent.kept()
        if case == "ours":
            assert told is not None
            assert told.most == 7 << 20
            assert jax.config.jax_compilation_cache_dir == str(told.folder)
            persistent.settle("off", 7)  # `%config Nnfp.cache = 'off'`
            assert jax.config.jax_compilation_cache_dir is None
            assert persistent.kept() is None
            persistent.settle(str(tmp_path / "other"), 9)
            assert "other" in str(jax.config.jax_compilation_cache_dir)
            persistent.settle("off", 0)
        else:
            assert told is None
            assert jax.config.jax_compilation_cache_dir == (own if "own" in case else None)
    finally:
        jax.config.update("jax_compilation_cache_dir", before[0])
        jax.config.update("jax_enable_compilation_cache", before[1])


def test_a_workspace_asks_for_what_its_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persistent, "_now", persistent._State())
    monkeypatch.setenv(persistent.FOLDER, "/somewhere")
    settings = Nnfp()
    Workspace(TerminalHost(), settings=settings)
    assert (settings.cache, settings.cache_size) == ("/somewhere", persistent.MEGABYTES)
    assert persistent._now.asked is None
    settings.cache = "off"
    assert persistent._now.asked == ("off", persistent.MEGABYTES)


def test_a_size_that_is_no_number_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(persistent.SIZE, "lots")
    with pytest.warns(UserWarning, match="a number of megabytes"):
        assert persistent.asked()[1] == persistent.MEGABYTES
