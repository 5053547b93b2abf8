"""The filter: ``web tag:eu os:debian cpu>80 -status:offline "two words"``. All must hold."""

import operator
import re
from collections.abc import Callable
from typing import NamedTuple

from vstats_top.store import Host, State, View

__all__ = ["Query", "QueryError", "parse", "wants_attention"]

Test = Callable[[Host, State], bool]

# [-][key(: > < >= <= =)]("quoted" or plain)
TERM = re.compile(r'(-)?(?:([a-z]+)(:|>=|<=|>|<|=))?(?:"([^"]*)"?|(\S+))', re.IGNORECASE)
NUMBER = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(.*)")

PLAIN = {"": 1.0}
SHARE = {"": 1.0, "%": 1.0}
SIZE = {"": 1.0, "k": 1024.0, "m": 1024.0**2, "g": 1024.0**3, "t": 1024.0**4}
SPAN = {"": 1.0, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}

NUMBERS: dict[str, tuple[dict[str, float], Callable[[View], float | None]]] = {
    "cpu": (SHARE, lambda view: view.cpu),
    "mem": (SHARE, lambda view: view.memory),
    "memory": (SHARE, lambda view: view.memory),
    "disk": (SHARE, lambda view: view.disk),
    "load": (PLAIN, lambda view: view.load),
    "cores": (PLAIN, lambda view: view.cores),
    "down": (SIZE, lambda view: view.down),
    "up": (SIZE, lambda view: view.up),
    "uptime": (SPAN, lambda view: view.uptime),
}
TEXTS: dict[str, Callable[[Host], list[str]]] = {
    "tag": lambda host: host.tags,
    "name": lambda host: [host.name],
    "host": lambda host: [host.id, host.report.get("hostname", "")],
    "location": lambda host: [host.location],
    "os": lambda host: [host.os],
}
COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "=": operator.eq,
}
STATUSES = (
    *("online", "offline", "never", "stale", "waiting"),
    *("attention", "warning", "critical", "failing"),
)


class QueryError(Exception):
    """A term that cannot be read."""


class Query(NamedTuple):
    """Whether a host passes; and what of the text could not be read, and is left out."""

    test: Test
    problem: str


def wants_attention(host: Host, state: State) -> bool:
    """Return whether a host wants attention in that state."""
    return state == "stale" or (state == "online" and host.view.level > 0)


def parse(text: str) -> Query:
    """Return what the text asks for."""
    tests: list[Test] = []
    problem = ""
    for minus, key, sign, quoted, plain in TERM.findall(text):
        try:
            test = _term(key.lower(), sign, (quoted or plain).lower())
        except QueryError as error:
            problem = problem or str(error)
        else:
            tests.append(_not(test) if minus else test)
    return Query(lambda host, state: all(test(host, state) for test in tests), problem)


def _not(test: Test) -> Test:
    return lambda host, state: not test(host, state)


def _term(key: str, sign: str, value: str) -> Test:
    if not key:
        return lambda host, _: value in host.search
    if sign == ":" or (sign == "=" and key not in NUMBERS):
        if key in ("status", "is"):
            return _status(value)
        if key in TEXTS:
            texts = TEXTS[key]
            return lambda host, _: any(value in text.lower() for text in texts(host))
        if key not in NUMBERS:
            return lambda host, _: f"{key}{sign}{value}" in host.search
        sign = "="
    if key not in NUMBERS:
        raise QueryError(f'no number is called "{key}"; there are {", ".join(NUMBERS)}')
    return _compared(key, sign, value)


def _compared(key: str, sign: str, value: str) -> Test:
    units, read = NUMBERS[key]
    found = NUMBER.fullmatch(value)
    unit = found[2] if found else "?"
    if units is SIZE:
        unit = re.sub(r"i?b?(/s)?$", "", unit)
    if found is None or unit not in units:
        raise QueryError(f'"{key}{sign}" wants a number, like {key}{sign}80')
    wanted, holds = float(found[1]) * units[unit], COMPARE[sign]

    def test(host: Host, _: State) -> bool:
        number = read(host.view)
        return number is not None and holds(number, wanted)

    return test


def _status(value: str) -> Test:
    wanted = next((name for name in STATUSES if value and name.startswith(value)), None)
    match wanted:
        case None:
            raise QueryError(f"a status is one of {', '.join(STATUSES)}")
        case "attention":
            return wants_attention
        case "failing":
            return lambda host, _: bool(host.view.trouble)
        case "warning" | "critical":
            worst = 1 if wanted == "warning" else 2
            return lambda host, state: state == "online" and host.view.level == worst
        case _:
            return lambda _, state: state == wanted
