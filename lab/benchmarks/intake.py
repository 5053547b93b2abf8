"""Intake: the relay's CPU for each report that it takes in."""

from lab.benchmarks.bench import Bench, Result
from lab.benchmarks.fanout import NAP
from lab.benchmarks.results import Section, Target, comparison, ratio

__all__ = ["measure", "per_report"]

RELAYS = ("vstats", "broadcast", "plain", "c")
IN_FLIGHT = 64
RATE = 50.0
"""Reports a second from each of 100 agents, when no dashboard says that one has arrived."""


def per_report(result: Result) -> float:
    """Return the relay's microseconds of CPU a report."""
    return result["cpu"] / result["sent"] * 1e6


def measure(bench: Bench) -> Section:
    """Let 100 agents report to one dashboard, and to none."""
    agents, seconds = (20, 0.5) if bench.quick else (100, 2.0)

    def with_one(kind: str) -> Result | None:
        in_flight = min(IN_FLIGHT, agents)
        options = {"agents": agents, "dashboards": 1, "in_flight": in_flight, "nap": NAP}
        return bench.run(kind, agents, "1 KB", seconds=seconds, **options)

    def with_none(kind: str) -> Result | None:
        return bench.run(kind, agents, "1 KB", agents=agents, rate=RATE, seconds=seconds)

    one = bench.interleave(RELAYS, with_one)
    none = bench.interleave(RELAYS, with_none)
    return Section(
        "Intake",
        f"{agents} agents, reports of 1 KB. With one dashboard in a closed loop of {IN_FLIGHT} on "
        f"their way; with none at {agents * RATE:,.0f} a second. The reference is the relay that "
        "parses with json.loads(), validates with pydantic and writes with json.dumps().",
        tables=[
            comparison("One dashboard", "CPU-us a report", one, per_report, 1),
            comparison("No dashboard", "CPU-us a report", none, per_report, 1),
        ],
        targets=[
            Target(
                "CPU a report of 1 KB taken in, to the reference's, one dashboard",
                0.75,
                ratio(one, per_report, "plain"),
            ),
            Target(
                "CPU a report of 1 KB taken in, to the reference's, no dashboard",
                0.75,
                ratio(none, per_report, "plain"),
            ),
        ],
        raw={"one": one, "none": none},
    )
