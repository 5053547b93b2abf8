"""JSON as RFC 8259 has it, so that nothing we pass on can fail in a browser's ``JSON.parse``."""

import json
from typing import Any

import orjson

from vstats_core.errors import JSONError

__all__ = ["dumps", "loads"]


def loads(text: str | bytes) -> Any:
    """Return what the text says.

    Raises:
        JSONError: for NaN, Infinity, numbers beyond a double, lone surrogates, a byte order mark,
            anything after the value, nesting deeper than the parser goes.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise JSONError(f"{error.msg} at character {error.pos}") from None


def dumps(value: Any) -> bytes:
    """Return the value's text, which :func:`loads` is sure to read.

    Raises:
        JSONError: for what JSON cannot say. (orjson would write NaN as null, dates as strings and
            dataclasses as objects; a collector that returns one has a fault that must be seen.)
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        encoded = text.encode()
    except UnicodeEncodeError:
        raise JSONError("a string holds a lone surrogate") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise JSONError(str(error) or type(error).__name__) from None
    # json writes some numbers and depths that orjson, on the other end, does not read.
    loads(encoded)
    return encoded
