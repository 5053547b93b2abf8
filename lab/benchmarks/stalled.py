"""Stalled readers: what dashboards that never read cost the relay and the others."""

import time

from lab.benchmarks.bench import Bench, Result, Rounds
from lab.benchmarks.processes import memory
from lab.benchmarks.results import Section, Table, Target, comparison, median, spread, values

__all__ = ["measure", "window"]

RELAYS = ("vstats", "broadcast", "c")
WARM_UP = 2.0
STEP = 0.25
MIB = 1024 * 1024


def window(bench: Bench, kind: str, stalled: int, seconds: float) -> Result | None:
    """Return how much memory has grown while reports flowed, and how late these came."""
    options = {"agents": 100, "dashboards": 10, "stalled": stalled, "rate": 1}
    with (
        bench.relay(kind, 100) as relay,
        bench.load(relay, "8 KB", warmup=WARM_UP, seconds=seconds, **options) as load,
    ):
        load.until("connected")
        # By then each host's newest report is held, stalled dashboards or not.
        load.until("measuring")
        first = most = memory(relay.pid).private
        end = time.monotonic() + seconds - 2 * STEP
        while time.monotonic() < end:
            time.sleep(STEP)
            most = max(most, memory(relay.pid).private)
        result = load.until("result")
    return result | {"growth": most - first, "busy": result["own_cpu"] / result["wall"]}


def growth(result: Result) -> float:
    """Return by how many MB memory has grown at the most."""
    return result["growth"] / MIB


def measure(bench: Bench) -> Section:
    """Let 50 dashboards read nothing for 12 s while 100 agents report 8 KB a second each."""
    count, seconds = (10, 1.5) if bench.quick else (50, 12.0)
    variants = [f"{kind} {number}" for kind in RELAYS for number in (0, count)]

    def run(variant: str) -> Result | None:
        kind, number = variant.split()
        return window(bench, kind, int(number), seconds)

    found = bench.interleave(variants, run)
    without: Rounds = {kind: found[f"{kind} 0"] for kind in RELAYS}
    with_them: Rounds = {kind: found[f"{kind} {count}"] for kind in RELAYS}
    late = Table(
        "Latency of 10 dashboards that read, 99 of 100, in ms",
        ["", "none stalled", "least to most", f"{count} stalled", "least to most"],
    )
    for row in comparison("", "", without, growth).rows:
        kind = RELAYS[len(late.rows)]
        cells = [
            spread(values(rounds[kind], lambda result: result["p99"]), 1)
            for rounds in (without, with_them)
        ]
        late.rows.append([row[0], *cells[0], *cells[1]])
    return Section(
        "Stalled dashboards",
        f"{count} dashboards that never read, 10 that do, 100 agents with 8 KB once a second, for "
        f"{seconds:g} s (and {WARM_UP:g} s before). Growth is of private memory, at its peak.",
        tables=[
            comparison(f"Growth with {count} stalled", "MiB", with_them, growth, 1),
            comparison("Growth with none stalled", "MiB", without, growth, 1),
            late,
        ],
        targets=[
            Target(
                f"growth with {count} stalled dashboards, {seconds:g} s",
                5,
                median(with_them["vstats"], growth),
                " MiB",
            )
        ],
        raw={"with": with_them, "without": without},
    )
