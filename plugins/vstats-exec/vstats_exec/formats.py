"""Read what a source has written, or say why it cannot be used. No input or output in here."""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

__all__ = ["PARSERS", "Unusable", "parse_json", "parse_prometheus", "printable"]

DEEPEST = 32
"""Levels of lists and objects within one another."""
LONGEST = 200
"""Bytes of a line that is shown."""


class Unusable(Exception):  # noqa: N818 - what it says is what it is
    """What a source gave cannot be reported; the message says why."""


def printable(text: str | bytes) -> str:
    """Return the text in one line of valid UTF-8, without control characters, not too long."""
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    text = " ".join(text.split())
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
    return text.encode()[:LONGEST].decode(errors="ignore")


def parse_json(raw: bytes) -> Any:
    """Return what the JSON says, which any reader of the report can read, too.

    Raises:
        Unusable: for what is not JSON as RFC 8259 has it, for a key that stands twice in one
            object, and for numbers that have more than 64 bits.
    """
    text = _decode(raw)
    if not text.strip():
        raise Unusable("empty")
    try:
        value = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_whole,
            object_pairs_hook=_object,
        )
        _refuse_depth(value, DEEPEST)
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        place = f"at line {error.lineno}, column {error.colno}"
        raise Unusable(f"not JSON: {error.msg} {place}") from None
    except RecursionError:
        raise Unusable(f"nested more than {DEEPEST} levels deep") from None
    except UnicodeEncodeError:
        raise Unusable("not JSON: a string holds half a character (a lone surrogate)") from None
    return value


def _decode(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise Unusable(f"not UTF-8 at byte {error.start}") from None


def _refuse_constant(word: str) -> NoReturn:
    raise Unusable(f"not JSON: {word} is no number")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise Unusable(f"the number {digits:.30} is too large")
    return number


def _whole(digits: str) -> int:
    # Longer ones are not even converted: that takes time with the square of their length.
    number = int(digits) if len(digits) <= len(str(-(2**63))) else 2**64
    if not -(2**63) <= number < 2**64:
        raise Unusable(f"the number {digits:.30} is too large")
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise Unusable(f"the key {twice!r:.60} stands twice in one object")
    return value


def _refuse_depth(value: Any, left: int) -> None:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        if not left:
            raise Unusable(f"nested more than {DEEPEST} levels deep")
        for item in value:
            _refuse_depth(item, left - 1)


METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(
    r'[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\["\\n])*)"[ \t]*(,[ \t]*|(?=\}))'
)
# Everything here takes time with the length of the line: while a pattern is matched, no other
# thread of the agent runs.
VALUE = re.compile(
    r"[ \t]*([+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf|infinity|nan))"
    r"(?:[ \t]+-?[0-9]+)?[ \t]*",  # a timestamp is allowed, and of no use here
    re.IGNORECASE | re.ASCII,
)
ESCAPE = re.compile(r'\\(["\\n])')


def parse_prometheus(raw: bytes) -> list[dict[str, Any]]:
    """Return the samples of Prometheus' text format: name, labels and value.

    JSON has no NaN and no infinity: samples that have are left out.

    Raises:
        Unusable: for the first line that is no sample, and for a last line without its end, which
            may be half of what is still being written.
    """
    text = _decode(raw)
    if text and not text.endswith("\n"):
        raise Unusable("the last line has no end: it may be half written")
    samples = []
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.strip(" \t")
        if bare and not bare.startswith("#"):
            name, labels, value = _sample(bare, number)
            if math.isfinite(value):
                # Most are whole: 5 rather than 5.0.
                shown = int(value) if value.is_integer() and abs(value) < 2**53 else value
                samples.append({"name": name, "labels": labels, "value": shown})
    return samples


def _sample(line: str, number: int) -> tuple[str, dict[str, str], float]:
    name = METRIC.match(line)
    if name is None:
        raise Unusable(f"line {number} is no sample of Prometheus' text format")
    labels: dict[str, str] = {}
    place = name.end()
    rest = line[place:].lstrip(" \t")
    if rest.startswith("{"):
        place = len(line) - len(rest) + 1
        while label := LABEL.match(line, place):
            if label[1] in labels:
                raise Unusable(f"line {number} has the label {label[1]:.60} twice")
            labels[label[1]] = ESCAPE.sub(_unescaped, label[2])
            place = label.end()
        end = line[place:].lstrip(" \t")
        place = len(line) - len(end) + 1 if end.startswith("}") else len(line)
    elif rest == line[place:]:  # nothing between the name and what follows
        place = len(line)
    value = VALUE.fullmatch(line, place)
    if value is None:
        raise Unusable(f"line {number} is no sample of Prometheus' text format")
    return name[0], labels, float(value[1])


def _unescaped(escape: re.Match[str]) -> str:
    return "\n" if escape[1] == "n" else escape[1]


PARSERS: Mapping[str, Callable[[bytes], Any]] = {
    "json": parse_json,
    "prometheus": parse_prometheus,
}
