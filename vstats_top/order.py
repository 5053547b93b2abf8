"""In which order the hosts stand, and which of them are shown."""

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from vstats_top.query import Query, wants_attention
from vstats_top.store import Host, State

__all__ = ["AS_CONFIGURED", "SHOWS", "Sort", "pressed", "shown"]


class Sort(NamedTuple):
    """By which column, and which way; without a key as configured."""

    key: str = ""
    upwards: bool = False


AS_CONFIGURED = Sort()
UPWARDS = ("name", "tags")
"""Columns that begin with the lowest; the others have the highest first."""
LAST: dict[State, int] = {"online": 0, "stale": 0, "waiting": 1, "offline": 1, "never": 2}

_VALUES: dict[str, Callable[[Host], Any]] = {
    "name": lambda host: _natural(host.name),
    "tags": lambda host: _natural(" ".join(host.tags)) if host.tags else None,
    "cpu": lambda host: host.view.cpu,
    "memory": lambda host: host.view.memory,
    "disk": lambda host: host.view.disk,
    "load": lambda host: host.view.per_core,
    "down": lambda host: host.view.down,
    "up": lambda host: host.view.up,
    "uptime": lambda host: host.view.uptime,
    "health": lambda host: host.view.level * 1000 + len(host.view.reasons),
}

SHOWS: dict[str, Callable[[Host, State], bool]] = {
    "all": lambda _, __: True,
    "online": lambda _, state: state in ("online", "stale"),
    "offline": lambda _, state: state in ("offline", "never"),
    "attention": wants_attention,
}


def pressed(sort: Sort, key: str) -> Sort:
    """Return the order that a column's key leads to: high first (names: A first), then back.

    No key leads back at once.
    """
    if not key:
        return AS_CONFIGURED
    usual = key in UPWARDS
    if sort.key != key:
        return Sort(key, usual)
    return Sort(key, not usual) if sort.upwards == usual else AS_CONFIGURED


def shown(
    hosts: Iterable[Host], state_of: Callable[[Host], State], show: str, query: Query, sort: Sort
) -> list[Host]:
    """Return the hosts that pass, in order: offline is last, and missing is after present."""
    states = [(host, state_of(host)) for host in hosts]
    passing = [
        (host, state)
        for host, state in states
        if SHOWS[show](host, state) and query.test(host, state)
    ]
    if sort.key:
        value = _VALUES[sort.key]
        rows = [(value(host), host, state) for host, state in passing]
        known = [row for row in rows if row[0] is not None]
        known.sort(key=lambda row: row[0], reverse=not sort.upwards)
        rows = known + [row for row in rows if row[0] is None]
        # Sorting is stable: within these groups the order stays.
        passing = sorted(((host, state) for _, host, state in rows), key=lambda row: LAST[row[1]])
    return [host for host, _ in passing]


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Return what sorts ``web-10`` after ``web-9``."""
    parts = re.findall(r"\d+|\D+", text.lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
