"""Read the files of a folder that others write to, without trusting or waiting for any of them."""

import errno
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from vstats_exec.formats import Unusable

__all__ = ["MOST_BYTES", "MOST_FILES", "File", "read_directory"]

MOST_BYTES = 64 * 1024
MOST_FILES = 100
FORMATS = {".json": "json", ".prom": "prometheus"}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class File(NamedTuple):
    """A file and its text, or what is wrong with it."""

    source: str
    """Its name with its ending; the folder itself, where that is what is wrong."""
    name: str
    """Its name without its ending."""
    format: str
    text: bytes = b""
    error: str = ""


def read_directory(folder: Path, *, stale_after: float, now: float) -> Iterator[File]:
    """Yield each ``*.json`` and ``*.prom``, by name; hidden files are somebody's work in progress.

    ``now`` is the time as files have it; ``stale_after`` is in seconds.
    """
    try:
        entries = os.listdir(folder)  # noqa: PTH208 - names, not paths
    except OSError as unreadable:
        yield File(str(folder), "", "", error=f"cannot be read: {unreadable.strerror}")
        return
    names = sorted(name for name in entries if name[:1] != "." and _ending(name) in FORMATS)
    for source in names[:MOST_FILES]:
        name, format_ = source.removesuffix(_ending(source)), FORMATS[_ending(source)]
        if not NAME.fullmatch(name):
            error = "its name should be letters, digits, '.', '_' and '-', at most 64"
            yield File(source, name, format_, error=error)
            continue
        try:
            text = _read(folder / source, stale_after=stale_after, now=now)
        except Unusable as unusable:
            yield File(source, name, format_, error=str(unusable))
        else:
            yield File(source, name, format_, text)
    if len(names) > MOST_FILES:
        error = f"{len(names) - MOST_FILES} files more; the first {MOST_FILES} are read"
        yield File(str(folder), "", "", error=error)


def _ending(name: str) -> str:
    return os.path.splitext(name)[1]  # noqa: PTH122 - a name, not a path


def _read(path: Path, *, stale_after: float, now: float) -> bytes:
    try:
        # Whoever may write to the folder must not make us read a file of somebody else's, nor
        # wait for the other end of a pipe.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Unusable("a symbolic link, which is not followed") from None
        raise Unusable(f"cannot be read: {error.strerror}") from None
    try:
        _refuse_other_than_fresh_file(os.fstat(file), stale_after=stale_after, now=now)
        text = b""
        while len(text) <= MOST_BYTES and (piece := os.read(file, MOST_BYTES + 1 - len(text))):
            text += piece
    except OSError as error:
        raise Unusable(f"cannot be read: {error.strerror}") from None
    finally:
        os.close(file)
    if len(text) > MOST_BYTES:
        raise Unusable(f"larger than {MOST_BYTES} bytes")
    return text


def _refuse_other_than_fresh_file(about: os.stat_result, *, stale_after: float, now: float) -> None:
    if not stat.S_ISREG(about.st_mode):
        raise Unusable("not a regular file")
    age = now - about.st_mtime
    if age > stale_after:
        raise Unusable(f"stale: written {age:.0f} s ago, and {stale_after:g} are allowed")
    if age < -stale_after:
        raise Unusable(f"its time lies {-age:.0f} s in the future")
