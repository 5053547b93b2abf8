"""How it grows: with hosts from 10 to 5,000, and with dashboards from 1 to 1,000."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lab.benchmarks import fanout, herd, memory, realistic
from lab.benchmarks.bench import LABELS, Bench, Result, Rounds
from lab.benchmarks.plot import lines
from lab.benchmarks.results import Figure, Section, Table, median

__all__ = ["measure"]

DASHBOARDS = (1, 10, 100, 1000)
HOSTS = (10, 100, 1000, 5000)
WATCHERS = 30
"""Dashboards, while hosts grow."""
ROUNDS = 3
BEARABLE = 1000
"""Hosts at 1 Hz that every relay can serve with one core."""
MIB = 1024 * 1024


@dataclass
class Curve:
    """One plot: a figure of several relays over a number that grows."""

    name: str
    title: str
    x_label: str
    y_label: str
    counts: Sequence[int]
    relays: Sequence[str]
    run: Callable[[Bench, str, int], Result | None]
    figure: Figure
    log_y: bool = True


def _by_dashboards(bench: Bench, kind: str, dashboards: int) -> Result | None:
    options = {"agents": 100, "dashboards": dashboards, "in_flight": 64, "nap": fanout.NAP}
    return bench.run(kind, 100, "1 KB", warmup=1.0, seconds=2.0, **options)


def _by_hosts(bench: Bench, kind: str, hosts: int) -> Result | None:
    # No host has two reports on their way: the older one would rightly be left out.
    in_flight = min(64, hosts)
    options = {"agents": hosts, "dashboards": WATCHERS, "in_flight": in_flight, "nap": fanout.NAP}
    return bench.run(kind, hosts, "1 KB", warmup=2.0, seconds=2.0, **options)


def _every_second(bench: Bench, kind: str, hosts: int) -> Result | None:
    if kind != "vstats" and hosts > BEARABLE:
        return None
    options = {"agents": hosts, "dashboards": WATCHERS, "rate": 1}
    return bench.run(kind, hosts, "1 KB", warmup=3.0, seconds=4.0, **options)


CURVES = (
    Curve(
        "fanout-dashboards",
        "CPU a delivered message, 100 hosts, saturated",
        "dashboards",
        "CPU-us a message",
        DASHBOARDS,
        ("vstats", "broadcast", "c"),
        _by_dashboards,
        fanout.per_message,
    ),
    Curve(
        "fanout-hosts",
        f"CPU a delivered message, {WATCHERS} dashboards, saturated",
        "hosts",
        "CPU-us a message",
        HOSTS,
        ("vstats", "broadcast", "c"),
        _by_hosts,
        fanout.per_message,
    ),
    Curve(
        "everyday-hosts",
        f"CPU, hosts at 1 Hz, {WATCHERS} dashboards",
        "hosts",
        "cores used",
        HOSTS,
        ("vstats", "broadcast", "c"),
        _every_second,
        realistic.cores,
    ),
    Curve(
        "latency-hosts",
        f"Latency, 99 of 100, hosts at 1 Hz, {WATCHERS} dashboards",
        "hosts",
        "ms",
        HOSTS,
        ("vstats", "broadcast", "c"),
        _every_second,
        lambda result: result["p99"],
    ),
    Curve(
        "memory-dashboards",
        "Private memory of the relay with idle dashboards",
        "dashboards",
        "MiB",
        DASHBOARDS,
        ("vstats", "broadcast", "deflate", "c"),
        memory.idle,
        lambda result: result["held"] / MIB,
        log_y=False,
    ),
    Curve(
        "herd-hosts",
        "Until all agents are in that come at once",
        "hosts",
        "s",
        HOSTS,
        ("vstats", "broadcast", "c"),
        herd.stampede,
        herd.all_in,
    ),
)


def measure(bench: Bench) -> Section:
    """Draw each curve."""
    section = Section(
        "Growth",
        f"Medians of {min(ROUNDS, bench.rounds)} rounds. At 5,000 hosts a second only vStats is "
        "asked for the everyday load: the others would need more than the one core they have.",
    )
    seen: dict[object, dict[int, Rounds]] = {}
    for curve in CURVES:
        # Two figures of the same runs are two curves.
        found = seen.setdefault(curve.run, {}) or _grow(bench, curve)
        seen[curve.run] = found
        section.raw[curve.name] = {str(count): rounds for count, rounds in found.items()}
        table = Table(
            f"{curve.title} ({curve.y_label})",
            [curve.x_label, *(LABELS[kind] for kind in curve.relays)],
        )
        series: dict[str, list[tuple[float, float]]] = {LABELS[kind]: [] for kind in curve.relays}
        for count, rounds in found.items():
            row = [f"{count:,}"]
            for kind in curve.relays:
                value = median(rounds[kind], curve.figure)
                row.append("-" if value is None else f"{value:.3g}")
                if value is not None:
                    series[LABELS[kind]].append((count, value))
            table.rows.append(row)
        section.tables.append(table)
        drawn = {name: points for name, points in series.items() if points}
        bench.plots[f"{curve.name}.svg"] = lines(
            curve.title,
            (curve.x_label, curve.y_label),
            drawn,
            palette=list(LABELS.values()),
            log_y=curve.log_y,
        )
        section.plots[f"{curve.name}.svg"] = curve.title
    return section


def _grow(bench: Bench, curve: Curve) -> dict[int, Rounds]:
    counts = curve.counts[:2] if bench.quick else curve.counts
    return {
        count: bench.interleave(
            curve.relays,
            lambda kind, count=count: curve.run(bench, kind, count),  # type: ignore[misc]
            min(ROUNDS, bench.rounds),
        )
        for count in counts
    }
