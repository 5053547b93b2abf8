"""The columns of the table: which there is room for, and what is in them."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len

from vstats_top import format as fmt
from vstats_top.draw import DIM, FAINT, LEVEL_STYLES, Spans, bar, figure, left, line, right
from vstats_top.levels import SIGNS
from vstats_top.store import Host, State, View

__all__ = ["COLUMNS", "STATE_SIGNS", "STATE_WORDS", "Column", "Sight", "fit", "health"]

STATE_SIGNS: dict[State, tuple[str, str]] = {
    "online": ("●", "#7ecf8a"),
    "stale": ("◐", "#f2c55c"),
    "offline": ("○", "#ff7b72"),
    "never": ("◌", DIM),
    "waiting": ("·", DIM),
}
STATE_WORDS: dict[State, str] = {
    "online": "online",
    "stale": "stale",
    "offline": "offline",
    "never": "never seen",
    "waiting": "waiting",
}
GAP = 1
LONGEST_NAME = 28
QUIET = 10 * 1024.0
"""Bytes a second below which traffic is drawn as low, however little the rest is."""


class Sight(NamedTuple):
    """A host as it is now."""

    host: Host
    state: State
    seen_ago: float | None

    @property
    def alive(self) -> bool:
        """Whether its numbers are of now."""
        return self.state in ("online", "stale")

    def level(self, key: str) -> int:
        """Return the level of a number; what is not of now needs no attention."""
        return self.host.view.levels.get(key, 0) if self.alive else 0


class Column(NamedTuple):
    """A column: what it is sorted by, its heading, its width, and what fills it."""

    key: str
    title: str
    width: int
    rank: int
    """Columns of a high rank are the first to be left out where there is no room."""
    fill: Callable[[Sight, int], Spans]
    right: bool = True
    """Whether it lines up on the right."""


def _number(key: str, write: Callable[[float | None], str]) -> Callable[[Sight, int], Spans]:
    def fill(sight: Sight, width: int) -> Spans:
        value: float | None = getattr(sight.host.view, key)
        return figure(write(value), sight.level(key), width, "" if sight.alive else DIM)

    return fill


def _bar(key: str) -> Callable[[Sight, int], Spans]:
    def fill(sight: Sight, width: int) -> Spans:
        value: float | None = getattr(sight.host.view, key)
        style = {} if sight.alive else {"style": DIM}
        return bar(None if value is None else value / 100, width, sight.level(key), **style)

    return fill


def _line(sight: Sight, width: int) -> Spans:
    host = sight.host
    style = {} if sight.alive else {"style": FAINT}
    return line(host.history, "cpu", width, host.interval, 100.0, **style)


def _state(sight: Sight, width: int) -> Spans:
    sign, style = STATE_SIGNS[sight.state]
    return left(sign, width, style)


def _name(sight: Sight, width: int) -> Spans:
    return left(fmt.inert(sight.host.name), width, "bold" if sight.alive else DIM)


def _tags(sight: Sight, width: int) -> Spans:
    return left(" ".join(map(fmt.inert, sight.host.tags)), width, DIM)


def _mount(sight: Sight, width: int) -> Spans:
    return left(fmt.inert(sight.host.view.mount), width, DIM)


def _health(sight: Sight, width: int) -> Spans:
    text, worst, more = health(sight, short=width < WIDE_HEALTH)
    style = LEVEL_STYLES[worst] if worst else DIM
    sign = f"{SIGNS[worst]} " if worst else ""
    rest = f" +{more}" if more else ""
    return left(f"{sign}{text}", width - len(rest), style) + ([(rest, DIM)] if rest else [])


def health(sight: Sight, *, short: bool = False) -> tuple[str, int, int]:
    """Return what is to be said of a host: the text, its level, and how much more there is."""
    view: View = sight.host.view
    if sight.state != "online":
        return _absence(sight, short=short), int(sight.state == "stale"), 0
    if view.reasons:
        worst = view.reasons[0]
        return worst.what if short else worst.text, worst.level, len(view.reasons) - 1
    return "ok", 0, 0


def _absence(sight: Sight, *, short: bool) -> str:
    match sight.state:
        case "never":
            return "never seen"
        case "offline":
            return f"{'' if short else 'last seen '}{fmt.ago(sight.seen_ago)}"
        case "stale":
            since = None if sight.seen_ago is None else int(sight.seen_ago)
            return f"{'stale' if short else 'no report for'} {fmt.duration(since)}"
    if short:
        return "waiting"
    has_report = sight.host.reported_at is not None
    return "waiting for news" if has_report else "waiting for its first report"


NARROW_HEALTH, WIDE_HEALTH = 10, 24
OPTIONAL = 8
"""The first rank for which the others need not stay narrow."""

COLUMNS = (
    Column("", "", 1, 0, _state),
    Column("name", "Host", 12, 0, _name, right=False),
    Column("tags", "Tags", 14, 8, _tags, right=False),
    Column("cpu", "CPU", 7, 1, _number("cpu", fmt.percent)),
    Column("", "", 12, 9, _line),
    Column("memory", "Memory", 7, 2, _number("memory", fmt.percent)),
    Column("", "", 8, 10, _bar("memory")),
    Column("disk", "Disk", 7, 3, _number("disk", fmt.percent)),
    Column("", "", 8, 11, _bar("disk")),
    Column("", "", 12, 12, _mount, right=False),
    Column("load", "Load", 7, 6, _number("load", fmt.load)),
    Column("down", "Down", 10, 5, _number("down", fmt.byte_rate)),
    Column("up", "Up", 10, 5, _number("up", fmt.byte_rate)),
    Column("uptime", "Uptime", 10, 7, _number("uptime", fmt.duration)),
    Column("health", "Health", NARROW_HEALTH, 4, _health, right=False),
)


def fit(width: int, names: Iterable[str]) -> list[tuple[Column, int]]:
    """Return the columns that there is room for, in order, each with its width."""
    chosen: list[Column] = []
    room = width
    for column in sorted(COLUMNS, key=lambda column: column.rank):
        reserved = WIDE_HEALTH - NARROW_HEALTH if column.rank >= OPTIONAL else 0
        needed = column.width + (GAP if chosen else 0)
        if chosen and needed + reserved > room:
            break
        chosen.append(column)
        room -= needed
    longest = max((cell_len(fmt.inert(name)) for name in names), default=0)
    widths = {id(column): column.width for column in chosen}
    for column in chosen:
        more = 0
        if column.key == "name":
            more = max(0, min(room, LONGEST_NAME - column.width, longest - column.width))
        elif column.key == "health":
            more = max(0, room)
        widths[id(column)] += more
        room -= more
    return [(column, widths[id(column)]) for column in COLUMNS if id(column) in widths]


def headings(columns: Sequence[tuple[Column, int]], sorted_by: str, *, upwards: bool) -> Spans:
    """Return the line above the table; the column that it is sorted by has an arrow."""
    spans: Spans = []
    for column, width in columns:
        is_sorted = bool(column.key) and column.key == sorted_by
        title = column.title + (("↑" if upwards else "↓") if is_sorted else "")
        style = "bold #d8dee9" if is_sorted else DIM
        spans += (right if column.right else left)(title, width, style)
        spans.append((" " * GAP, ""))
    return spans[:-1]
