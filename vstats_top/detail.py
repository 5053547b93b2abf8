"""All that is known of one host, as lines."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.cells import cell_len

from vstats_top import format as fmt
from vstats_top.columns import QUIET, STATE_SIGNS, STATE_WORDS, Sight, health
from vstats_top.draw import DIM, LEVEL_STYLES, Spans, bar, cores, figure, left, line
from vstats_top.levels import LEVELS, SIGNS, level
from vstats_top.panels import Column, panel, rows
from vstats_top.rates import Rates

__all__ = ["lines"]

KNOWN = frozenset(
    (
        *("timestamp", "hostname", "os", "cpu", "memory", "disks", "network", "uptime"),
        *("load_average", "collectors", "agent"),
    )
)
MOST_ROWS = 256
MOST_REASONS = 20
CORES_A_ROW = 64
HEADING = "bold #9cc4e4"
DOWN, UP = "#7ecf8a", "#c792ea"
LABEL = 12
"""Cells of what stands before a line's value."""
TWO_COLUMNS = 76
"""Cells from which on facts stand in two columns."""


def lines(sight: Sight, rates: Rates, width: int) -> list[Spans]:
    """Return what is known of the host, in lines of that many cells."""
    found = list(_head(sight, width))
    host, report = sight.host, sight.host.report
    if sight.state == "online":
        for worst, text, _ in host.view.reasons[:MOST_REASONS]:
            found.append(left(f"{SIGNS[worst]} {text}", width, LEVEL_STYLES[worst]))
    found += _facts(sight, width)
    if host.reported_at is None:
        found += [[], [(_why_nothing(sight), DIM)]]
        return found
    found += _machine(sight, rates, width)
    for name, content in report.items():
        if name not in KNOWN:
            declared = host.sections.get(name)
            title = fmt.inert(declared["title"]) if declared else fmt.words(name)
            found += _heading(title, fmt.inert(name), width)
            found += panel(name, content, declared, rates, host.heard_at, width)
    if "collectors" in report:
        found += _collectors(report["collectors"], width)
    return found


def _machine(sight: Sight, rates: Rates, width: int) -> Iterator[Spans]:
    report = sight.host.report
    if "cpu" in report or "load_average" in report:
        yield from _cpu(sight, width)
    if "memory" in report:
        yield from _memory(sight, width)
    if "network" in report:
        yield from _network(sight, rates, width)
    if report.get("disks"):
        yield from _mounts(report["disks"], width)


def _heading(title: str, note: str, width: int) -> list[Spans]:
    head: Spans = [(f"{title} ", HEADING)]
    if note and note.lower() != title.lower():
        head.append((f"{note} ", DIM))
    used = sum(cell_len(text) for text, _ in head)
    return [[], [*head, ("─" * max(0, width - used), "#3a4252")]]


def _head(sight: Sight, width: int) -> Iterator[Spans]:
    host = sight.host
    sign, style = STATE_SIGNS[sight.state]
    said = health(sight)[0]
    word = STATE_WORDS[sight.state]
    about = [word] if sight.state == "online" or said == word else [word, said]
    about += filter(None, [fmt.inert(host.location), *map(fmt.inert, host.tags)])
    name = fmt.inert(host.name)
    spans: Spans = [(f"{sign} ", style), *left(name, min(cell_len(name), width - 2), "bold")]
    room = width - 4 - cell_len(name)
    if room > 0:
        spans += [("  ", ""), *left(" · ".join(about), room, DIM)]
    yield spans


def _why_nothing(sight: Sight) -> str:
    if sight.state == "never":
        return (
            "Not seen since the server started. "
            "Is its agent running, and does it have this host's token?"
        )
    return "Waiting for its first report."


def _facts(sight: Sight, width: int) -> Iterator[Spans]:
    host, report = sight.host, sight.host.report
    system, cpu, agent = (report.get(key, {}) for key in ("os", "cpu", "agent"))
    memory = report.get("memory", {})
    frequency = fmt.value(cpu["frequency"] * 1e6, {"unit": "hertz"}) if cpu.get("frequency") else ""
    interval = f"every {fmt.duration(agent['interval'])}" if agent else ""
    facts = [
        ("Hostname", report.get("hostname", "")),
        ("System", host.os),
        ("Kernel", _joined(system.get("kernel"), system.get("arch"))),
        ("Processor", cpu.get("brand", "")),
        ("CPUs", _joined(fmt.count(cpu["cores"]), frequency) if cpu else ""),
        ("Memory", fmt.byte_size(memory.get("total")) if memory else ""),
        ("Uptime", fmt.duration(host.view.uptime)),
        ("Agent", _joined(agent.get("version"), interval)),
        ("Last report", fmt.ago(sight.seen_ago) if report else ""),
        ("Id", host.id),
    ]
    yield []
    shown = [(name, fmt.inert(text) or fmt.DASH) for name, text in facts]
    if width < TWO_COLUMNS:
        for name, text in shown:
            yield left(name, LABEL, DIM) + left(text, width - LABEL)
        return
    half = width // 2
    for (one, first), (other, second) in zip(shown[::2], shown[1::2], strict=True):
        yield [
            *left(one, LABEL, DIM),
            *left(first, half - LABEL - 1),
            (" ", ""),
            *left(other, LABEL, DIM),
            *left(second, width - half - LABEL),
        ]


def _joined(*texts: str | None) -> str:
    return " · ".join(filter(None, texts))


def _cpu(sight: Sight, width: int) -> Iterator[Spans]:
    host, view, report = sight.host, sight.host.view, sight.host.report
    yield from _heading("CPU", "", width)
    if cpu := report.get("cpu"):
        points = min(60, width - 12)
        yield [
            *figure(fmt.percent(view.cpu), sight.level("cpu"), 8),
            ("  ", ""),
            *line(host.history, "cpu", points, host.interval, 100.0),
        ]
        if len(shares := cpu["per_core"]) > 1:
            for row in cores(shares, min(CORES_A_ROW, width - 10)):
                yield [(" " * 10, ""), *row]
            busiest = max(range(len(shares)), key=lambda core: shares[core])
            text = (
                f"busiest of {len(shares)} is number {busiest} with {fmt.percent(shares[busiest])}"
            )
            yield [(" " * 10, ""), *left(text, width - 10, DIM)]
    if load := report.get("load_average"):
        spans: Spans = left("Load", 10, DIM)
        for minutes, key in ((1, "one"), (5, "five"), (15, "fifteen")):
            worst = sight.level("load") if key == "one" else 0
            spans += [
                (f"{minutes} min ", DIM),
                (f"{SIGNS[worst]}{fmt.load(load[key])}   ", LEVEL_STYLES[worst]),
            ]
        if view.per_core is not None:
            spans += [("per CPU ", DIM), (fmt.load(view.per_core), "")]
        yield spans


def _memory(sight: Sight, width: int) -> Iterator[Spans]:
    memory, view = sight.host.report["memory"], sight.host.view
    yield from _heading("Memory", "", width)
    parts = [("Used", memory["used"], memory["total"], sight.level("memory"))]
    if memory["swap_total"]:
        parts.append(("Swap", memory["swap_used"], memory["swap_total"], 0))
    for name, used, total, worst in parts:
        text = fmt.percent(view.memory if name == "Used" else 100 * used / total)
        spans = left(name, 6, DIM) + figure(text, worst, 8)
        spans += [("  ", ""), *bar(used / total if total else None, min(30, width // 3), worst)]
        spans.append((f"  {fmt.byte_size(used)} of {fmt.byte_size(total)}", DIM))
        yield spans


def _network(sight: Sight, rates: Rates, width: int) -> Iterator[Spans]:
    host, view = sight.host, sight.host.view
    network: Mapping[str, Any] = host.report["network"]
    yield from _heading("Network", "", width)
    values = [(p.down or 0, p.up or 0) for p in host.history]
    top = max([QUIET, *(max(pair) for pair in values)])
    points = max(10, min(60, width - 38))
    for name, key, total, style in (
        ("Down", "down", network["total_rx"], DOWN),
        ("Up", "up", network["total_tx"], UP),
    ):
        yield [
            *left(name, 6, DIM),
            *figure(fmt.byte_rate(getattr(view, key)), 0, 11),
            ("  ", ""),
            *line(host.history, key, points, host.interval, top, style),
            (f"  {fmt.byte_size(total)} in all", DIM),
        ]
    if interfaces := network["interfaces"]:
        columns = [
            Column("Interface"),
            *(Column(t, right=True) for t in ("Down", "Up", "Received", "Sent")),
        ]
        at = host.heard_at
        cells = [
            [
                (fmt.inert(each["name"]), 0),
                (fmt.byte_rate(rates.of(f"{each['name']} rx", each["rx"], at)), 0),
                (fmt.byte_rate(rates.of(f"{each['name']} tx", each["tx"], at)), 0),
                (fmt.byte_size(each["rx"]), 0),
                (fmt.byte_size(each["tx"]), 0),
            ]
            for each in interfaces[:MOST_ROWS]
        ]
        yield from rows(columns, cells, width, len(interfaces))


def _mounts(disks: list[Mapping[str, Any]], width: int) -> Iterator[Spans]:
    yield from _heading("Mounts", "", width)
    columns = [
        Column("Mount point"),
        *(Column(title, right=True) for title in ("Full", "Used", "Available", "Size")),
        Column("Device"),
    ]
    cells = [
        [
            (fmt.inert(disk["mount_point"]), 0),
            (fmt.percent(disk["usage_percent"]), level(disk["usage_percent"], LEVELS["disk"])),
            (fmt.byte_size(disk["used"]), 0),
            (fmt.byte_size(disk["available"]), 0),
            (fmt.byte_size(disk["total"]), 0),
            (fmt.inert(f"{disk['name']} · {disk['fs_type']}"), 0),
        ]
        for disk in disks[:MOST_ROWS]
    ]
    yield from rows(columns, cells, width, len(disks))


def _collectors(collectors: Mapping[str, Mapping[str, Any]], width: int) -> Iterator[Spans]:
    yield from _heading("Collectors", "", width)
    columns = [
        Column("Name"),
        Column("State"),
        Column("Age", right=True),
        Column("Took", right=True),
        Column("Error"),
    ]
    cells = [
        [
            (fmt.inert(name), 0),
            ("failing", 1) if each.get("ok") is False else ("ok", 0),
            (fmt.duration(each["age"]), 0),
            (fmt.duration(each["duration"]), 0),
            (fmt.inert(each.get("error", "")), 0),
        ]
        for name, each in list(collectors.items())[:MOST_ROWS]
    ]
    yield from rows(columns, cells, width, len(collectors))
