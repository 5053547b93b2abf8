"""Memory: what one more dashboard that only listens holds in the relay."""

import time

from lab.benchmarks.bench import Bench, Result
from lab.benchmarks.processes import memory
from lab.benchmarks.results import Section, Target, comparison, median

__all__ = ["idle", "measure"]

RELAYS = ("vstats", "broadcast", "deflate", "c")
SETTLE = 1.0
KIB = 1024


def idle(bench: Bench, kind: str, dashboards: int) -> Result | None:
    """Return bytes a dashboard: what the relay holds with them, less what it held without."""
    with bench.relay(kind, 1) as relay:
        before = memory(relay.pid)
        with bench.load(relay, dashboards=dashboards, deflate=1, seconds=60) as load:
            connected = load.until("connected")
            if connected["refused"] or connected["unreachable"]:
                bench.note(f"{kind}: not all of {dashboards} dashboards could connect")
                return None
            time.sleep(SETTLE)
            after = memory(relay.pid)
            load.end()
    return {
        "private": (after.private - before.private) / dashboards,
        "held": after.private,
        "resident": (after.resident - before.resident) / dashboards,
    }


def private(result: Result) -> float:
    """Return KiB a dashboard that no other process shares (USS)."""
    return result["private"] / KIB


def measure(bench: Bench) -> Section:
    """Connect 2,000 dashboards, and no agent."""
    dashboards = 100 if bench.quick else 2000
    rounds = bench.interleave(RELAYS, lambda kind: idle(bench, kind, dashboards))
    return Section(
        "Memory of idle dashboards",
        f"{dashboards:,} dashboards that offer compression, as browsers do, and get "
        "no reports: what the process holds with them less what it "
        "held without, for each. The kernel's socket buffers come on top, for all alike.",
        tables=[
            comparison("Private memory (USS)", "KiB a dashboard", rounds, private, 1),
            comparison(
                "Resident memory (RSS)",
                "KiB a dashboard",
                rounds,
                lambda result: result["resident"] / KIB,
                1,
            ),
        ],
        targets=[
            Target(
                f"memory of an idle dashboard, of {dashboards:,}",
                16,
                median(rounds["vstats"], private),
                " KiB",
            )
        ],
        raw={"rounds": rounds},
    )
