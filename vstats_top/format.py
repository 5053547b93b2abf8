"""How a value is written, as the live page writes it; what is missing is a dash."""

import math
import unicodedata
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

__all__ = [
    "DASH",
    "ago",
    "byte_rate",
    "byte_size",
    "count",
    "counter_rate",
    "duration",
    "inert",
    "load",
    "percent",
    "significant",
    "value",
    "words",
]

DASH = "-"
LONGEST = 300
"""Characters of a text that are shown."""

BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
DECIMAL = ("", "k", "M", "G", "T")
SPANS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
HUNDRED = 100
NEXT_UNIT = 999.5
"""What would be written as 1000 belongs to the next unit."""
WHOLE_PERCENT = 99.95
JUST_NOW = 2
"""Seconds ago that are as good as now."""

Number = float | None


def _whole(number: float) -> int:
    """Return the nearest integer; a half goes up, as people and browsers have it."""
    return math.floor(number + 0.5)


def _fixed(number: float, digits: int) -> str:
    return str(Decimal(number).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def significant(number: Number) -> str:
    """Return three significant digits, never an exponent: 0.0123, 1.23, 12.3, 123, 1234."""
    if number is None:
        return DASH
    if number == 0:
        return "0"
    size = abs(number)
    if size >= HUNDRED:
        return str(_whole(number))
    digits = min(6, 2 - math.floor(math.log10(size)))
    text = _fixed(number, digits)
    # 9.996 becomes 10.00: one digit too many.
    return _fixed(number, digits - 1) if abs(float(text)) >= 10 ** (3 - digits) else text


def _scaled(number: float, base: int, last: int) -> tuple[float, int]:
    index = 0
    while abs(number) >= NEXT_UNIT and index < last:
        number /= base
        index += 1
    return number, index


def byte_size(number: Number) -> str:
    """Return bytes in KiB, MiB ...: "1.50 KiB"; whole below one KiB."""
    if number is None:
        return DASH
    number, index = _scaled(number, 1024, len(BINARY) - 1)
    return f"{significant(number) if index else _whole(number)} {BINARY[index]}"


def byte_rate(number: Number) -> str:
    """Return bytes a second: "1.50 KiB/s"."""
    return DASH if number is None else f"{byte_size(number)}/s"


def percent(number: Number) -> str:
    """Return a share of 100 to one decimal, so that columns line up: "5.3 %", "100 %"."""
    if number is None:
        return DASH
    return f"{_whole(number)} %" if number >= WHOLE_PERCENT else f"{_fixed(number, 1)} %"


def load(number: Number) -> str:
    """Return a load average, with two decimals."""
    return DASH if number is None else _fixed(number, 2)


def duration(seconds: Number) -> str:
    """Return a span in its two largest units: "12 d 3 h", "42 s"; below a second in ms and µs."""
    if seconds is None:
        return DASH
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 1 and (short := _below_a_second(seconds)):
        return short
    if seconds < 10 and seconds != int(seconds):  # noqa: PLR2004 - a digit before the point
        return f"{significant(seconds)} s"
    whole = _whole(seconds)
    first = next(index for index, (_, size) in enumerate(SPANS) if whole >= size)
    unit, size = SPANS[first]
    text = f"{whole // size} {unit}"
    if first + 1 < len(SPANS):
        next_unit, next_size = SPANS[first + 1]
        if rest := whole % size // next_size:
            return f"{text} {rest} {next_unit}"
    return text


def _below_a_second(seconds: float) -> str:
    if seconds == 0:
        return "0 s"
    if seconds * 1e6 < NEXT_UNIT:
        return f"{significant(seconds * 1e6)} µs"
    if seconds * 1e3 < NEXT_UNIT:
        return f"{significant(seconds * 1e3)} ms"
    return ""


def ago(seconds: Number) -> str:
    """Return how long ago, in its largest unit alone: "3 min ago", "just now"."""
    if seconds is None:
        return DASH
    if seconds < JUST_NOW:
        return "just now"
    whole = int(seconds)
    unit, size = next((unit, size) for unit, size in SPANS if whole >= size)
    return f"{whole // size} {unit} ago"


def count(number: Number) -> str:
    """Return a number parted by thousands: "12 345 678"."""
    if number is None:
        return DASH
    if number != int(number):
        return significant(number)
    return f"{int(number):,}".replace(",", " ")


def _decimal(number: float, unit: str) -> str:
    if number != 0 and abs(number) * 1000 < NEXT_UNIT:
        return f"{significant(number * 1000)} m{unit}"
    number, index = _scaled(number, 1000, len(DECIMAL) - 1)
    return f"{significant(number)} {DECIMAL[index]}{unit}"


def _per_second(number: float) -> str:
    text = count(_whole(number)) if abs(number) >= 1000 else significant(number)  # noqa: PLR2004
    return f"{text}/s"


_UNITS: dict[str, Callable[[float], str]] = {
    "bytes": byte_size,
    "bytes_per_second": byte_rate,
    "percent": percent,
    "seconds": duration,
    "celsius": lambda number: f"{_fixed(number, 1)} °C",
    "hertz": lambda number: _decimal(number, "Hz"),
    "volts": lambda number: _decimal(number, "V"),
    "watts": lambda number: _decimal(number, "W"),
    "rpm": lambda number: f"{count(_whole(number))} rpm",
    "per_second": _per_second,
    "count": count,
}


def value(given: Any, field: Mapping[str, Any] | None = None) -> str:
    """Return a value of a section by the unit that its plugin declares, safe to print."""
    if given is None or given == "":
        return DASH
    if isinstance(given, bool):
        return "yes" if given else "no"
    if not isinstance(given, (int, float)):
        return inert(str(given))
    write = _UNITS.get((field or {}).get("unit", ""))
    return write(given) if write else _plain(given, (field or {}).get("kind"))


def _plain(number: float, kind: str | None) -> str:
    if kind == "counter":
        return count(number)
    if number == int(number):
        return str(int(number))
    return str(number) if kind == "state" else significant(number)


def counter_rate(number: Number, field: Mapping[str, Any] | None) -> str:
    """Return the rate of a counter, by the counter's own unit."""
    if number is None:
        return DASH
    return byte_rate(number) if (field or {}).get("unit") == "bytes" else _per_second(number)


def words(key: str) -> str:
    """Return a key as words: "read_bytes" gives "Read bytes"."""
    text = inert(key.replace("_", " ").strip())
    return text[:1].upper() + text[1:]


def inert(text: str, longest: int = LONGEST) -> str:
    """Return a stranger's text in one line that can neither steer a terminal nor turn it round.

    Control characters, marks of direction and whatever else has no glyph become "�".
    """
    if len(text) > longest:
        text = f"{text[:longest]}…"
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_glyph, text))


def _glyph(character: str) -> str:
    if unicodedata.category(character) in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"):
        return "�"
    # Terminals do not agree on how wide these make the character before them.
    if "\ufe00" <= character <= "\ufe0f":
        return ""
    return " " if unicodedata.category(character) == "Zs" else character
