"""The herd: all agents at once, as after a restart of the relay or of the network."""

from lab.benchmarks.bench import Bench, Result
from lab.benchmarks.results import Section, Target, comparison, median

__all__ = ["all_in", "measure", "stampede"]

JITTER = 0.5
"""Seconds over which agents that have lost their relay come back: 1 s times 0.5 to 1.0."""

RELAYS = ("vstats", "broadcast", "c")
PROBE = 50.0
"""Reports a second of the agent that is there already, to see how long the relay looks away."""


def stampede(bench: Bench, kind: str, agents: int, spread: float = 0.0) -> Result | None:
    """Let agents connect, over so many seconds, and report at once, beside one that does always."""
    return bench.run(
        kind,
        agents + 1,
        "1 KB",
        agents=1,
        dashboards=1,
        rate=PROBE,
        herd=agents,
        spread=spread,
        warmup=1.0,
        seconds=45.0,
        busiest=1.0,
    )


def all_in(result: Result) -> float:
    """Return the seconds until the last one was in or refused."""
    return result["all_in"]


def turned_away(result: Result) -> float:
    """Return how many were refused, or found nobody."""
    return result["refused"] + result["unreachable"]


def late(result: Result) -> float:
    """Return the milliseconds by which 99 of 100 reports were late at most."""
    return result["p99"]


def measure(bench: Bench) -> Section:
    """Let 1,000 agents connect at once."""
    agents = 50 if bench.quick else 1000
    rounds = bench.interleave(RELAYS, lambda kind: stampede(bench, kind, agents))
    spread = bench.interleave(RELAYS, lambda kind: stampede(bench, kind, agents, JITTER))
    return Section(
        "The herd",
        f"{agents:,} agents connect within a moment, and each reports as soon as it is in. One "
        f"agent and one dashboard are there before, {PROBE:.0f} reports a second going from one to "
        "the other: what these (and the herd's own) are late by is how long the relay looks away. "
        "The generator may be as busy as it likes here: the relay in C is faster than any herd. "
        f"Agents of ours that have lost their relay come back over {JITTER} s; the last table is "
        "how late the others' reports are meanwhile.",
        tables=[
            comparison("Until all are in", "s", rounds, all_in),
            comparison(
                "CPU", "ms an agent", rounds, lambda result: result["cpu"] / agents * 1e3, 3
            ),
            comparison("Refused", "agents", rounds, turned_away, 0),
            comparison("Latency meanwhile, median", "ms", rounds, lambda result: result["p50"], 1),
            comparison("Latency meanwhile, worst", "ms", rounds, lambda result: result["max"], 1),
            comparison("Spread by jitter: latency, 99 of 100", "ms", spread, late, 1),
        ],
        targets=[
            Target(f"{agents:,} agents at once: all in", 6, median(rounds["vstats"], all_in), " s"),
            Target(f"{agents:,} agents at once: refused", 0, median(rounds["vstats"], turned_away)),
            Target(
                f"{agents:,} agents spread by jitter: latency of the others, 99 of 100",
                100,
                median(spread["vstats"], late),
                " ms",
            ),
        ],
        raw={"rounds": rounds, "spread": spread},
    )
