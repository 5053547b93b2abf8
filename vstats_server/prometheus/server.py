"""Turn what the relay counts of itself into samples."""

import contextlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from vstats_core.version import __version__
from vstats_core.wire.messages import ErrorCode
from vstats_server.health.counters import Counters
from vstats_server.health.looplag import LoopLag
from vstats_server.prometheus.text import Families, FamilyType, label

__all__ = ["process_figures", "write_server"]

STARTED = time.time()
PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")


PROCESS: dict[str, tuple[FamilyType, str]] = {
    "process_cpu_seconds_total": ("counter", "Processor time that the server has used."),
    "process_start_time_seconds": ("gauge", "When the server was started, in seconds since 1970."),
    "process_resident_memory_bytes": ("gauge", "Main memory that the server has in use."),
    "process_open_fds": ("gauge", "Files and sockets that the server has open."),
}


def process_figures() -> dict[str, float]:
    """Return what the whole process uses, under Prometheus' standard names; it reads files."""
    figures = {
        "process_cpu_seconds_total": round(time.process_time(), 3),
        "process_start_time_seconds": round(STARTED, 3),
    }
    with contextlib.suppress(OSError):
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        figures["process_resident_memory_bytes"] = int(pages) * PAGE_SIZE
        figures["process_open_fds"] = sum(1 for _ in Path("/proc/self/fd").iterdir())
    return figures


def write_server(
    families: Families,
    counters: Counters,
    lag: LoopLag,
    gauges: Mapping[str, int],
    process: Mapping[str, float],
) -> None:
    """Add the relay's own samples; ``gauges`` are connections by kind, ``process`` its figures."""

    def one(name: str, kind: FamilyType, about: str, value: float, labels: str = "") -> None:
        families.declare(name, kind, about)
        families.add(name, labels, value)

    version = label("version", __version__)
    one("vstats_server_info", "gauge", "The server's version.", 1, version)
    for kind, number in gauges.items():
        about = "Connections that are open now."
        one("vstats_server_connections", "gauge", about, number, label("kind", kind))
    for name, about, count in (
        ("connections_opened", "TCP connections that were made.", counters.connections),
        ("agents_admitted", "Agents that were admitted.", counters.agents),
        ("dashboards_admitted", "Dashboards that were admitted.", counters.dashboards),
        ("dashboards_stalled", "Dashboards cut since they took nothing.", counters.stalled),
        ("reports", "Reports that were taken.", counters.reports),
        ("received_bytes", "Bytes of agents' messages.", counters.received_bytes),
        ("deliveries", "Messages handed over to dashboards.", counters.deliveries),
        ("delivered_bytes", "Bytes handed over to dashboards.", counters.delivered_bytes),
        ("coalesced", "Reports that a newer one replaced on the way.", counters.coalesced),
    ):
        one(f"vstats_server_{name}_total", "counter", about, count)
    about = "Messages of agents that were answered with an error."
    for code in get_args(ErrorCode):
        count = counters.rejected[code]
        one("vstats_server_rejected_total", "counter", about, count, label("code", code))
    about = "Answers to requests, other than an upgrade."
    families.declare("vstats_server_http_responses_total", "counter", about)
    for status, count in sorted(counters.responses.items()):
        families.add("vstats_server_http_responses_total", f'code="{status}"', count)
    name = "vstats_server_event_loop_lag_seconds"
    families.declare(name, "histogram", "How late the event loop called back.")
    families.add_histogram(name, lag.BOUNDS, lag.counts, round(lag.total, 6))
    for name, value in process.items():
        kind, about = PROCESS[name]
        one(name, kind, about, value)
