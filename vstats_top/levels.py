"""From where on a number needs attention, and what of a host does; as the live page has it."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from vstats_top import format as fmt

__all__ = [
    "CRITICAL",
    "FINE",
    "LEVELS",
    "SIGNS",
    "WARN",
    "Reason",
    "Watched",
    "level",
    "levelled",
    "section_reasons",
]

FINE, WARN, CRITICAL = 0, 1, 2
SIGNS = ("", "▲", "◆")

LEVELS: dict[str, Mapping[str, float]] = {
    "cpu": {"warn": 85, "critical": 95},
    "memory": {"warn": 85, "critical": 95},
    "disk": {"warn": 85, "critical": 95},
    # Processes that want a CPU, for each CPU there is.
    "load": {"warn": 1, "critical": 2},
}
"""Our own levels for what every agent reports; plugins declare theirs."""


class Reason(NamedTuple):
    """What of a host needs attention, and how much."""

    level: int
    text: str
    what: str
    """The same in a word or two, for where there is no room."""


class Watched(NamedTuple):
    """A declared field that has levels."""

    section: str
    path: tuple[str, ...]
    title: str
    field: Mapping[str, Any]


def level(number: Any, levels: Mapping[str, Any] | None) -> int:
    """Return FINE, WARN or CRITICAL; higher is worse."""
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not levels:
        return FINE
    if number >= levels.get("critical", float("inf")):
        return CRITICAL
    return WARN if number >= levels.get("warn", float("inf")) else FINE


def levelled(sections: Mapping[str, Any]) -> list[Watched]:
    """Return the fields of a description that have levels, to look at with every report."""
    return [
        Watched(name, tuple(steps(path)), section["title"], field)
        for name, section in sections.items()
        for path, field in section["fields"].items()
        if "warn" in field or "critical" in field
    ]


def steps(path: str) -> list[str]:
    """Return the steps of a declared path: ``a[].b`` gives a, [], b."""
    return [step for step in path.replace("[]", ".[]").split(".") if step]


def section_reasons(report: Mapping[str, Any], watched: list[Watched]) -> Iterator[Reason]:
    """Yield what of the plugins' sections needs attention by its declared levels."""
    for section, path, title, field in watched:
        if section not in report:
            continue
        for number, item in _values_at(report[section], path, None):
            if worst := level(number, field):
                which = item and (item.get("label") or item.get("name") or item.get("mount_point"))
                about = fmt.inert(str(which)) if which else fmt.inert(title)
                text = f"{about}: {fmt.inert(field['title'])} {fmt.value(number, field)}"
                yield Reason(worst, text, about)


def _values_at(
    content: Any, path: tuple[str, ...], item: Mapping[str, Any] | None
) -> Iterator[tuple[Any, Mapping[str, Any] | None]]:
    """Yield every value at a path, with the item of a list that it is in."""
    if not path:
        yield content, item
        return
    step, *rest = path
    if step == "[]":
        if isinstance(content, list):
            for each in content:
                inner = each if isinstance(each, dict) else None
                yield from _values_at(each, tuple(rest), inner)
    elif isinstance(content, dict) and step in content:
        yield from _values_at(content[step], tuple(rest), item)
