"""From what the collectors returned to one report that the server is sure to take."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from vstats_core.errors import FragmentError
from vstats_core.wire import strict_json
from vstats_core.wire.messages import faults
from vstats_core.wire.schema import SECTION_NAMES, Report

__all__ = [
    "CORE_KEYS",
    "Health",
    "Part",
    "Sections",
    "check_fragment",
    "compose",
]

Sections = Mapping[str, bytes]
"""Top-level keys of a report and, for each, the member's JSON: key, colon, value; checked."""

CORE_KEYS = frozenset({"timestamp", "hostname", "collectors", "agent"})
"""What no collector may return: the core's own."""

MAX_FRAGMENT = 64 * 1024
MAX_REPORT = 240 * 1024
"""Less than the server's limit on a message, 256 KiB: the envelope needs room, too."""

_NOTHING: Mapping[str, TypeAdapter[Any]] = {}
# A fragment is checked as the report that holds nothing else.
_NOTHING_ELSE: Mapping[str, Any] = {"timestamp": "2024-01-01T12:00:00Z", "hostname": ""}


class Health(NamedTuple):
    """How a collector fares, in seconds; ``error`` is empty when nothing is wrong."""

    age: float
    duration: float
    error: str


class Part(NamedTuple):
    """What one collector contributes to a report."""

    name: str
    sections: Sections
    health: Health


def check_fragment(fragment: Any, declared: Mapping[str, TypeAdapter[Any]] = _NOTHING) -> Sections:
    """Return the fragment's sections as JSON, held to the very rules that the server has.

    Sections that the plugin has declared are held to their types, too.

    Raises:
        FragmentError: for anything that would make the server refuse the whole report.
        JSONError: for what JSON cannot say.
    """
    if not isinstance(fragment, dict):
        raise FragmentError(f"a fragment should be a dict, not {type(fragment).__name__}")
    for key in fragment:
        if not isinstance(key, str):
            raise FragmentError(f"the key {key!r:.100} should be a string")
        if key in CORE_KEYS:
            raise FragmentError(f"the key {key!r} belongs to the agent itself")
    # What the protocol names has bounds of its own; the report's stands for all.
    most = MAX_REPORT if fragment.keys() & SECTION_NAMES else MAX_FRAGMENT
    # Turning a value into text lets no other thread run: what is large is refused before.
    if _is_larger_than(most, fragment):
        raise FragmentError(f"too large: at most {most} bytes of JSON are allowed")
    deepest = strict_json.DEEPEST - 1  # the report around it is one level more
    texts: dict[str, bytes] = {}
    named: dict[str, Any] = {}
    for key, value in fragment.items():
        texts[key], read_back = strict_json.recode(value, deepest=deepest)
        if key in SECTION_NAMES:
            named[key] = read_back
    sections = {key: strict_json.dumps(key) + b":" + text for key, text in texts.items()}
    if sum(map(len, sections.values())) > most:
        raise FragmentError(f"too large: at most {most} bytes of JSON are allowed")
    _check_named(named)
    _check_declared(texts, declared)
    return sections


def _check_named(sections: Mapping[str, Any]) -> None:
    """Hold what the protocol names to its model."""
    try:
        if sections:
            Report.model_validate({**_NOTHING_ELSE, **sections})
    except ValidationError as error:
        raise FragmentError(_in_words(error)) from None


def _check_declared(texts: Mapping[str, bytes], declared: Mapping[str, TypeAdapter[Any]]) -> None:
    """Hold the other sections to the types that their plugin declares."""
    for key in texts.keys() & declared.keys():
        try:
            declared[key].validate_json(texts[key])
        except ValidationError as error:
            raise FragmentError(f"{key}: {_in_words(error)}") from None


def _in_words(error: ValidationError) -> str:
    return "; ".join(f"{f.path}: {f.message}" if f.path else f.message for f in faults(error))


def _is_larger_than(most: int, value: Any) -> bool:
    """Return whether the value's text must have more characters than these; looks no further."""
    size = 0
    waiting = [value]
    while waiting and size <= most:
        item = waiting.pop()
        size += 1
        if isinstance(item, str):
            size += len(item)
        elif isinstance(item, dict):
            size += len(item)
            waiting.extend(islice(item.values(), most))
            waiting.extend(islice(item.keys(), most))
        elif isinstance(item, (list, tuple)):
            waiting.extend(islice(item, most))
    return size > most


def compose(
    parts: Iterable[Part], *, timestamp: str, hostname: str, version: str, interval: float
) -> bytes:
    """Return the report as JSON.

    Of two parts with one section the later one's stands. A part that would make the report too
    large is left out, and its health says so.
    """
    parts = list(parts)
    health = {part.name: _told(part.health) for part in parts}
    core = {
        "timestamp": timestamp,
        "hostname": hostname,
        "agent": {"version": version, "interval": interval},
    }
    report: dict[str, bytes] = {}
    head, rest = strict_json.dumps(core), strict_json.dumps({"collectors": health})
    size = len(head) + len(rest)
    for name, sections, _ in parts:
        added = sum(len(member) + 1 for member in sections.values())
        if size + added > MAX_REPORT:
            health[name] |= {"ok": False, "error": "left out: the report would be too large"}
            rest = strict_json.dumps({"collectors": health})
        else:
            size += added
            report |= sections
    return b",".join((head[:-1], *report.values(), rest[1:]))


def _told(health: Health) -> dict[str, Any]:
    told: dict[str, Any] = {
        "ok": not health.error,
        "age": round(health.age, 3),
        "duration": round(health.duration, 6),
    }
    return told | ({"error": health.error} if health.error else {})
