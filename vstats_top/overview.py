"""The two lines at the top: how the connection fares, and how many hosts are how."""

import math
from collections.abc import Sequence

from rich.cells import cell_len

from vstats_top import format as fmt
from vstats_top.columns import Sight
from vstats_top.draw import DIM, LEVEL_STYLES, Spans, right
from vstats_top.levels import CRITICAL, WARN
from vstats_top.link import Link
from vstats_top.order import SHOWS
from vstats_top.store import Store

__all__ = ["pill", "tiles"]

TITLES = {"all": "All", "online": "Online", "offline": "Offline", "attention": "Attention"}
FRESH = 2.0
"""Seconds for which the age of the data is not worth a word."""


def pill(link: Link, store: Store, now: float, width: int) -> Spans:
    """Return the title, the server's name, and at the right how the connection fares."""
    match link.state:
        case "live":
            sign, style, text = "●", "#7ecf8a", "live"
        case "connecting":
            sign, style = "◌", "#f2c55c"
            text = "connecting" if store.heard_at is None else "reconnecting"
        case _:
            sign, style = "○", "#ff7b72"
            text = f"reconnecting in {max(0, math.ceil(link.retry_at - now))} s"
    age = None if store.heard_at is None else now - store.heard_at
    data = ""
    if age is not None and (link.state != "live" or age >= FRESH):
        data = f" · data {fmt.ago(age)}"
    end = f"{text}{data} "
    room = width - cell_len(end) - 2
    start: Spans = [(" vStats ", "bold #9cc4e4"), (f" {fmt.inert(link.target.name)}", DIM)]
    used = sum(cell_len(piece) for piece, _ in start)
    return [*start, (" " * max(0, room - used), ""), (f"{sign} ", style), (end, "")]


def tiles(sights: Sequence[Sight], show: str, width: int) -> list[tuple[str, Spans]]:
    """Return the counts, each with what it leads to; the last piece, the traffic, leads nowhere."""
    counts = {
        key: sum(passes(sight.host, sight.state) for sight in sights)
        for key, passes in SHOWS.items()
    }
    online = [sight for sight in sights if sight.state == "online"]
    critical = sum(sight.host.view.level == CRITICAL for sight in online)
    notes = {
        "all": "",
        "online": _note((_in(sights, "waiting"), "waiting")),
        "offline": _note((_in(sights, "never"), "never seen")),
        "attention": _note((critical, "critical"), (_in(sights, "stale"), "stale")),
    }
    colours = {"offline": "#ff7b72", "attention": LEVEL_STYLES[CRITICAL if critical else WARN]}
    found: list[tuple[str, Spans]] = []
    for key, title in TITLES.items():
        chosen = "reverse" if key == show else ""
        number = colours.get(key, "bold") if counts[key] else DIM
        spans: Spans = [(f" {title} ", chosen or DIM), (f"{counts[key]} ", f"{number} {chosen}")]
        if notes[key]:
            spans.append((f"· {notes[key]} ", DIM))
        found.append((key, [*spans, (" ", "")]))
    used = sum(cell_len(text) for _, spans in found for text, _ in spans)
    down = sum(sight.host.view.down or 0 for sight in online)
    up = sum(sight.host.view.up or 0 for sight in online)
    traffic = f"↓ {fmt.byte_rate(down)}  ↑ {fmt.byte_rate(up)} " if online else ""
    room = width - used
    if cell_len(traffic) <= room:
        found.append(("", right(traffic, room, DIM)))
    return found


def _in(sights: Sequence[Sight], state: str) -> int:
    return sum(sight.state == state for sight in sights)


def _note(*counts: tuple[int, str]) -> str:
    return ", ".join(f"{count} {word}" for count, word in counts if count)
