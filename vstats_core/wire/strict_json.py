"""JSON as RFC 8259 has it, so that nothing we pass on can fail in a browser's ``JSON.parse``."""

import gc
import json
from itertools import accumulate
from typing import Any

import orjson

from vstats_core.errors import JSONError

__all__ = ["DEEPEST", "dumps", "dumps_again", "loads", "recode"]

DEEPEST = 256
"""Levels of nesting that are taken: orjson reads 1,024, Python's own parser about 950."""

_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))

LARGE = 32 * 1024
"""Bytes of text from which on the garbage collector is kept from joining in."""

# What was read holds no circle to look for.
_again = json.JSONEncoder(
    check_circular=False, allow_nan=False, ensure_ascii=False, separators=(",", ":")
)

# Brackets as signed bytes: one level more, one level less.
LEVELS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))


def loads(text: str | bytes, *, deepest: int = DEEPEST) -> Any:
    """Return what the text says.

    Raises:
        JSONError: for NaN, Infinity, numbers beyond a double, lone surrogates, a byte order mark,
            anything after the value, nesting deeper than that.
    """
    try:
        value = _parse(text)
    except orjson.JSONDecodeError as error:
        raise JSONError(f"{error.msg} at character {error.pos}") from None
    if _is_deeper(text.encode() if isinstance(text, str) else text, deepest):
        raise JSONError(f"nested more than {deepest} levels deep")
    return value


def dumps(value: Any, *, deepest: int = DEEPEST) -> bytes:
    """Return the value's text, which :func:`loads` is sure to read.

    Raises:
        JSONError: for what JSON cannot say. (orjson would write NaN as null, dates as strings and
            dataclasses as objects; a collector that returns one has a fault that must be seen.)
    """
    text, _ = recode(value, deepest=deepest)
    return text


def recode(value: Any, *, deepest: int = DEEPEST) -> tuple[bytes, Any]:
    """Return the value's text, and the value that its readers find in it.

    Raises:
        JSONError: as :func:`dumps` does.
    """
    try:
        encoded = _ENCODER.encode(value).encode()
    except UnicodeEncodeError:
        raise JSONError("a string holds a lone surrogate") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise JSONError(str(error) or type(error).__name__) from None
    # json writes some numbers and depths that orjson, on the other end, does not read.
    return encoded, loads(encoded, deepest=deepest)


def dumps_again(value: Any) -> bytes:
    """Return the text of what :func:`loads` returned, or of parts of it put together anew.

    Such a value needs no check, which for a large one takes longer than the writing.
    """
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        # It reads deeper than it writes, and has no other reason here.
        return _again.encode(value).encode()


def _parse(text: str | bytes) -> Any:
    if len(text) < LARGE or not gc.isenabled():
        return orjson.loads(text)
    # Looking for garbage again and again while a hundred thousand lists are made takes four times
    # as long as making them, and there can be none: what is parsed holds no circles.
    gc.disable()
    try:
        return orjson.loads(text)
    finally:
        gc.enable()


def _is_deeper(text: bytes, levels: int) -> bool:
    """Return whether a text that is JSON nests deeper; it takes no longer for a hostile one."""
    if text.count(b"[") + text.count(b"{") <= levels:
        return False
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Every second piece between quotes is a string.
    steps = b"".join(text.split(b'"')[::2]).translate(LEVELS, NO_BRACKETS)
    return max(accumulate(memoryview(steps).cast("b")), default=0) > levels
