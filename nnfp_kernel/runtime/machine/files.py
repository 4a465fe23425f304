"""Files written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

UNFINISHED = ".unfinished-"  # begins the name of a file that is being written


def place_of(file: object) -> Path:
    """Where a file is that Python names. Raises ValueError for what names none, an input that
    stands in its place say.

    >>> place_of({"a": 1})
    Traceback (most recent call last):
    ValueError: a file is named by a text or a path, not by a Python dict
    """
    if not isinstance(file, str | os.PathLike):
        kind = type(file).__name__
        raise ValueError(f"a file is named by a text or a path, not by a Python {kind}")
    return Path(file)


def write_whole(place: Path, content: bytes) -> None:
    """Write a file beside its place, flush it to the disk, and rename it: whatever happens,
    there is the whole file, or what was there before. Raises OSError.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder) / "a", b"all of it")
    ...     (Path(folder) / "a").read_bytes(), len(os.listdir(folder))
    (b'all of it', 1)
    """
    handle, beside = tempfile.mkstemp(prefix=UNFINISHED, dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(beside, 0o666 & ~_mask())
        os.replace(beside, place)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise
    with contextlib.suppress(OSError):  # make the renaming last, where the system can
        folder = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _mask() -> int:
    """The process's mask of permissions, which can only be asked for by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def clear(folder: Path) -> None:
    """Remove what a process that died was writing."""
    for rest in folder.glob(f"{UNFINISHED}*"):
        with contextlib.suppress(OSError):
            rest.unlink()


def reason(error: OSError) -> str:
    """Why a file cannot be had, in words."""
    return (error.strerror or "the system refuses").lower()
