"""Fan-out: the relay's CPU for each message that a dashboard gets, with all it can take."""

from lab.benchmarks.bench import Bench, Result, Rounds
from lab.benchmarks.results import Section, Target, comparison, ratio

__all__ = ["NAP", "measure", "per_message"]

RELAYS = ("vstats", "broadcast", "c")
IN_FLIGHT = 64
NAP = 0.0005
"""Seconds that the generator lets messages gather, so that it never is the bottleneck."""
TARGETS = {"1 KB": {"broadcast": 0.15, "c": 0.4}, "8 KB": {"broadcast": 0.3, "c": 0.7}}
NAMES = {"broadcast": "websockets.broadcast()", "c": "the C relay"}


def per_message(result: Result) -> float:
    """Return the relay's microseconds of CPU a delivered message."""
    return result["cpu"] / result["delivered"] * 1e6


def measure(bench: Bench) -> Section:
    """Let 100 agents report to 100 dashboards as fast as the relay takes it."""
    agents, dashboards, seconds = (20, 20, 0.5) if bench.quick else (100, 100, 2.0)
    in_flight = min(IN_FLIGHT, agents)
    section = Section(
        "Fan-out, saturated",
        f"{agents} agents, {dashboards} dashboards; a closed loop: the next report is sent when an "
        f"earlier one has reached all dashboards, {in_flight} being on their way at a time. "
        "Reports are checked by vStats and by the broadcast() relay, with the same code, and not "
        "by the one in C.",
    )
    for size, targets in TARGETS.items():
        if bench.quick and size != "1 KB":
            continue

        def run(kind: str, size: str = size) -> Result | None:
            return bench.run(
                kind,
                agents,
                size,
                agents=agents,
                dashboards=dashboards,
                in_flight=in_flight,
                nap=NAP,
                seconds=seconds,
            )

        rounds: Rounds = bench.interleave(RELAYS, run)
        section.raw[size] = rounds
        section.tables.append(
            comparison(f"Reports of {size}", "CPU-us a message", rounds, per_message)
        )
        for other, at_most in targets.items():
            section.targets.append(
                Target(
                    f"CPU a delivered message, {agents} x {dashboards}, {size}, "
                    f"to {NAMES[other]}'s",
                    at_most,
                    ratio(rounds, per_message, other),
                )
            )
    return section
