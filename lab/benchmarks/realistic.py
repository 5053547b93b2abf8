"""The everyday load: every agent reports once a second, whatever the relay does."""

from lab.benchmarks.bench import Bench, Result
from lab.benchmarks.results import Section, Target, comparison, median, ratio

__all__ = ["cores", "measure"]

RELAYS = ("vstats", "broadcast", "c")
LATEST = 30.0
"""Milliseconds: the interval at which dashboards are written to, and 10 more."""


def cores(result: Result) -> float:
    """Return how many cores the relay has used."""
    return result["cpu"] / result["wall"]


def measure(bench: Bench) -> Section:
    """Let 1,000 agents report once a second to 30 dashboards."""
    agents, dashboards, seconds = (50, 5, 1.0) if bench.quick else (1000, 30, 6.0)

    def run(kind: str) -> Result | None:
        return bench.run(
            kind,
            agents,
            "1 KB",
            agents=agents,
            dashboards=dashboards,
            rate=1,
            warmup=2.0,
            seconds=seconds,
        )

    rounds = bench.interleave(RELAYS, run)
    what = f"{agents} agents at 1 Hz, {dashboards} dashboards"
    return Section(
        "The everyday load",
        f"{what}, reports of 1 KB; an open loop: {agents * dashboards:,} messages a second. "
        "Latency is from an agent's send() to a dashboard's recv(), both in the generator.",
        tables=[
            comparison("CPU", "cores used", rounds, cores, 3),
            comparison("Latency, median", "ms", rounds, lambda result: result["p50"]),
            comparison("Latency, 99 of 100", "ms", rounds, lambda result: result["p99"]),
        ],
        targets=[
            Target(
                f"CPU, {what}, to websockets.broadcast()'s", 0.35, ratio(rounds, cores, "broadcast")
            ),
            Target(f"CPU, {what}, to the C relay's", 0.75, ratio(rounds, cores, "c")),
            Target(
                f"latency, 99 of 100, {what}",
                LATEST,
                median(rounds["vstats"], lambda result: result["p99"]),
                " ms",
            ),
        ],
        raw={"rounds": rounds},
    )
