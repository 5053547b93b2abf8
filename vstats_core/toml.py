"""From a TOML file to a model, or to a complaint that says where and what to do."""

import codecs
import difflib
import errno
import os
import stat
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import tomli
from pydantic import BaseModel, ValidationError

from vstats_core.errors import Complaint, ConfigError

__all__ = [
    "PROGRAMS",
    "build",
    "did_you_mean",
    "read",
    "read_bytes",
    "refuse_if_others_may_read",
]

M = TypeVar("M", bound=BaseModel)

PROGRAMS = ("agent", "server")
"""The top-level tables: each program reads its own."""


def read(path: Path) -> dict[str, dict[str, Any]]:
    """Return the file's tables, by program.

    Raises:
        ConfigError: for a file that cannot be read, is not TOML or has another table.
    """
    try:
        tables = tomli.loads(read_bytes(path).decode())
    except OSError as error:
        raise ConfigError([Complaint(str(path), "", error.strerror or str(error))]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([Complaint(str(path), "", f"not UTF-8 at byte {error.start}")]) from None
    except tomli.TOMLDecodeError as error:
        place = f"{error.lineno}:{error.colno}"
        raise ConfigError([Complaint(str(path), place, _lower(error.msg), syntax=True)]) from None
    except RecursionError:
        raise ConfigError([Complaint(str(path), "", "nested too deeply")]) from None
    except ValueError:
        # What the parser does not catch of Python's own: an integer of more than 4,300 digits.
        raise ConfigError([Complaint(str(path), "", "holds a number that is too long")]) from None
    complaints = [
        Complaint(str(path), key, "should be one table, not several of that name")
        if key in PROGRAMS and isinstance(table, list)
        else Complaint(str(path), key, f"unknown table{did_you_mean(key, PROGRAMS)}")
        if isinstance(table, dict)
        else Complaint(str(path), key, "a key outside every table; which program is it for?")
        for key, table in tables.items()
        if key not in PROGRAMS or not isinstance(table, dict)
    ]
    if complaints:
        raise ConfigError(complaints)
    return tables


def read_bytes(path: Path) -> bytes:
    """Return what a regular file holds, less a byte order mark; never wait for a pipe's writer.

    Raises:
        OSError: when it cannot be read, or is not a regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except ValueError as error:  # a name with a NUL in it
        raise OSError(errno.EINVAL, str(error)) from None
    # Closed here: fdopen() would not when it refuses a folder.
    try:
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise OSError(errno.EINVAL, "should be a regular file")
            return file.read().removeprefix(codecs.BOM_UTF8)
    finally:
        os.close(descriptor)


def build(model: type[M], table: dict[str, Any], *, file: str, prefix: str) -> M:
    """Return the table as a model.

    Raises:
        ConfigError: with a complaint for each key that is unknown or wrong, as ``prefix.key``.
    """
    try:
        return model.model_validate(table)
    except ValidationError as error:
        complaints = [
            Complaint(file, _place(prefix, fault["loc"]), _text(model, fault))
            for fault in error.errors(include_url=False, include_input=False)
        ]
    raise ConfigError(complaints)


def refuse_if_others_may_read(path: Path, secret: str) -> None:
    """Refuse a file with a secret that every user of the machine may read.

    Raises:
        ConfigError: with the command that mends it; for a file that has vanished.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise ConfigError([Complaint(str(path), "", error.strerror or str(error))]) from None
    if os.name == "posix" and mode & stat.S_IROTH:
        text = f"everybody may read this file, and it holds {secret}; "
        raise ConfigError([Complaint(str(path), "", f"{text}run: chmod o-rwx {path}")])


def did_you_mean(word: str, known: Any) -> str:
    """Return ``; did you mean 'port'?`` or, with nothing alike, ``; known: host, port``."""
    known = sorted(known)
    alike = difflib.get_close_matches(word, known, n=1)
    if alike:
        return f"; did you mean {alike[0]!r}?"
    return f"; known: {', '.join(known)}" if known else ""


def _place(prefix: str, location: tuple[int | str, ...]) -> str:
    return prefix + "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in location
    )


def _text(model: type[BaseModel], fault: Any) -> str:
    *parents, last = fault["loc"] or ("",)
    if fault["type"] == "extra_forbidden":
        return f"unknown key{did_you_mean(str(last), _model_at(model, parents).model_fields)}"
    if fault["type"] == "missing":
        return "missing"
    return _lower(fault["msg"].removeprefix("Value error, ").removeprefix("Input "))


def _model_at(model: type[BaseModel], location: list[int | str]) -> type[BaseModel]:
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            model = _inner_model(model.model_fields[part].annotation) or model
    return model


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (list, tuple, dict, Union, UnionType):
        return next(filter(None, map(_inner_model, get_args(annotation))), None)
    return None


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
