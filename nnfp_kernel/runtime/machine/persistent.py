"""What JAX has compiled, kept on disk from one process to the next.

The cache is JAX's own, in the user's cache folder, or in the one that NNFP_CACHE or
`%config Nnfp.cache` names; "off" is for none. A cache of the user's is left alone.

    begin()             whatever compiles calls it first
    settle(text, size)  another folder or size, at once

JAX can bound the folder by itself, but then looks at every file of it before it adds one,
and a file that a full disk cut off stops it for good. Here it is looked through once an hour,
as a process begins: what was not used for longest goes, and what is not whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import time
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

FOLDER, SIZE = "NNFP_CACHE", "NNFP_CACHE_SIZE"  # variables of the environment
MEGABYTES = 128
OFF = "off"

_HOUR = 3600.0
_WRITING = 10.0  # seconds, within which another process may still be writing a file
_MARK = ".looked-through"
_OWN = "Error (reading|writing) persistent compilation cache entry"


def asked() -> tuple[str, int]:
    """The folder, "" for the user's, and the megabytes that the environment asks for."""
    given = os.environ.get(SIZE, "").strip()
    if given and not given.isdecimal():
        warnings.warn(f"{SIZE} is {given!r}: it is a number of megabytes", stacklevel=2)
    return os.environ.get(FOLDER, "").strip(), int(given) if given.isdecimal() else MEGABYTES


@dataclass
class _State:
    """What this process has settled with JAX, whose configuration is the process's."""

    asked: tuple[str, int] | None = None  # instead of what the environment says
    begun: bool = False
    folder: Path | None = None  # that JAX was given
    shortest: float = 1.0  # seconds of compiling that JAX took for worth keeping before


_now = _State()


@dataclass(frozen=True)
class Kept:
    """What is on disk."""

    folder: Path
    bytes: int
    most: int


def kept() -> Kept | None:
    """What is kept where; None where nothing is, or in a cache of the user's own."""
    begin()
    if _now.folder is None:
        return None
    sizes = 0
    for file in _now.folder.rglob("*"):
        with contextlib.suppress(OSError):
            sizes += file.stat().st_size if file.is_file() else 0
    return Kept(_now.folder, sizes, (_now.asked or asked())[1] << 20)


def settle(text: str, megabytes: int) -> None:
    """Another folder, "" for the user's and "off" for none, and another size. Holds for the
    whole process, at once."""
    if (text, megabytes) == (_now.asked or asked()):
        return
    _now.asked = (text, megabytes)
    if _now.begun:
        _now.begun = False
        _leave()
        begin()


def begin() -> None:
    """Give JAX the folder, before it first compiles; nothing where the user gave it one."""
    import jax

    if _now.begun:
        if _now.folder is not None and jax.config.jax_compilation_cache_dir != str(_now.folder):
            _leave()  # by now the user has given it one
        return
    _now.begun = True
    if jax.config.jax_compilation_cache_dir or not jax.config.jax_enable_compilation_cache:
        return
    text, megabytes = _now.asked or asked()
    found = None if text == OFF or not megabytes else _made(text)
    if found is None:
        return
    trim(found, megabytes << 20)
    # JAX takes for worth keeping what compiles for a second; a person's first program is
    # made of a hundred pieces that take a tenth of that.
    _now.shortest = jax.config.jax_persistent_cache_min_compile_time_secs
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_compilation_cache_dir", str(found))
    # A disk that is full or may not be written to loses nothing but time: no word of it.
    warnings.filterwarnings("ignore", _OWN, UserWarning)
    _now.folder = found


def _leave() -> None:
    """Take back what JAX was given."""
    import jax
    from jax.experimental.compilation_cache.compilation_cache import reset_cache

    if _now.folder is None:
        return
    if jax.config.jax_compilation_cache_dir == str(_now.folder):  # else the user has settled it
        jax.config.update("jax_compilation_cache_dir", None)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", _now.shortest)
    reset_cache()  # JAX looks at its configuration once
    _now.folder = None


def private(name: str) -> Path | None:
    """A folder of ours beside what JAX keeps; None where nothing is to be kept, or can be."""
    text, megabytes = _now.asked or asked()
    return None if text == OFF or not megabytes else _private(text, name)


def _made(text: str) -> Path | None:
    """The folder for what is compiled on this machine's kind."""
    return _private(text, "compiled", _kind())


def _private(text: str, *names: str) -> Path | None:
    """A folder in the one asked for; None where there can be none, or where it is somebody
    else's: what is read from it is run."""
    from platformdirs import user_cache_path

    base = Path(text).expanduser() if text else user_cache_path("nnfp", appauthor=False)
    place = base.joinpath(*names)
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = place.stat()
    except OSError:
        return None
    others = hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o022)
    return None if others else place


def _kind() -> str:
    """A name for processors like this one: what was compiled for one with other instructions
    may not run here, and folders of users are shared between machines."""
    said = platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        said += next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return hashlib.sha256(said.encode()).hexdigest()[:12]


def trim(place: Path, size: int) -> None:
    """Bring a folder down to so many bytes, those first that were not used for longest, and
    take out what is not whole; once an hour."""
    mark, now = place / _MARK, time.time()
    with contextlib.suppress(OSError):  # it may be gone, or not be written to
        before = mark.stat().st_mtime if mark.exists() else 0.0
        if now - before < _HOUR:
            return
        mark.touch()
        kept: list[tuple[float, int, Path]] = []
        for file in place.rglob("*"):
            with contextlib.suppress(OSError):  # another process may trim too
                found = file.stat()
                if file == mark or not file.is_file():
                    continue
                new = before - _WRITING < found.st_mtime < now - _WRITING
                if new and file.name.endswith("-cache") and not _whole(file):
                    file.unlink()
                else:
                    kept.append((max(found.st_atime, found.st_mtime), found.st_size, file))
        total = sum(bytes for _, bytes, _ in kept)
        for _, bytes, file in sorted(kept, key=lambda each: each[0]):
            if total <= size:
                break
            with contextlib.suppress(OSError):
                file.unlink()
            total -= bytes


def _whole(file: Path) -> bool:
    """Whether a file that JAX wrote was written to its end. It packs them with zlib; with
    zstd where that is installed, of which the beginning is all that is looked at."""
    content = file.read_bytes()
    if not content.startswith(b"\x78"):
        return bool(content)
    reader = zlib.decompressobj()
    try:
        reader.decompress(content)
    except zlib.error:
        return False
    return reader.eof
