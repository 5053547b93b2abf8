"""JSON as RFC 8259 has it, so that nothing we pass on can fail in a browser's ``JSON.parse``."""

import json
from typing import Any

import orjson

from vstats_core.errors import JSONError

__all__ = ["DEEPEST", "dumps", "loads", "recode"]

DEEPEST = 256
"""Levels of nesting that are taken: orjson reads 1,024, Python's own parser about 950."""

_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def loads(text: str | bytes, *, deepest: int = DEEPEST) -> Any:
    """Return what the text says.

    Raises:
        JSONError: for NaN, Infinity, numbers beyond a double, lone surrogates, a byte order mark,
            anything after the value, nesting deeper than that.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise JSONError(f"{error.msg} at character {error.pos}") from None
    if _brackets(text) > deepest and _is_deeper(value, deepest):
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


def _brackets(text: str | bytes) -> int:
    """Return how many values that hold others there are at most."""
    if isinstance(text, str):
        return text.count("[") + text.count("{")
    return text.count(b"[") + text.count(b"{")


def _is_deeper(value: Any, levels: int) -> bool:
    holders = [value] if isinstance(value, (dict, list)) else []
    for _ in range(levels):
        holders = [
            inner
            for holder in holders
            for inner in (holder.values() if isinstance(holder, dict) else holder)
            if isinstance(inner, (dict, list))
        ]
        if not holders:
            return False
    return bool(holders)
