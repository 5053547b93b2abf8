"""Answer ``/metrics``: every host's newest report, and the relay's own counters."""

import asyncio
import time
import zlib
from collections.abc import Callable, Iterator

from vstats_core.wire import strict_json
from vstats_server.config import Host
from vstats_server.health.counters import Counters
from vstats_server.health.looplag import LoopLag
from vstats_server.hub.hub import Hub, Known
from vstats_server.prometheus import report, sections
from vstats_server.prometheus.server import process_figures, write_server
from vstats_server.prometheus.text import CONTENT_TYPE, Families, label

__all__ = ["CONTENT_TYPE", "Metrics"]

SLICE = 0.004
"""Seconds of work after which everybody else gets a turn."""
SHOWN_FOR = 300.0
"""Seconds for which a report is shown; one of an agent that reports seldom, for longer."""
INTERVALS = 3
MOST_SAMPLES = 5000
"""Samples that the plugins of one host may make."""
COMPRESSION = 1
GZIP = 31
PIECE = 64 * 1024

_RESERVED = frozenset(report.FAMILIES)


class Metrics:
    """Builds the answer in slices; who asks while one is built gets the same."""

    def __init__(
        self, hub: Hub, counters: Counters, lag: LoopLag, connections: Callable[[], dict[str, int]]
    ) -> None:
        self._hub = hub
        self._counters = counters
        self._lag = lag
        self._connections = connections
        self._building: asyncio.Task[list[bytes]] | None = None

    async def text(self, *, compressed: bool) -> bytes:
        """Return the answer's body, compressed by gzip or not."""
        if self._building is None:
            self._building = asyncio.create_task(self._build())
            self._building.add_done_callback(self._built)
        # Who asked first may go away; the others wait on.
        chunks = await asyncio.shield(self._building)
        return await _compressed(chunks) if compressed else b"".join(chunks)

    def _built(self, _: asyncio.Task[list[bytes]]) -> None:
        self._building = None

    async def _build(self) -> list[bytes]:
        process = await asyncio.to_thread(process_figures)
        families = Families()
        write_server(families, self._counters, self._lag, self._connections(), process)
        report.declare(families)
        pace = _Pace()
        for known in self._hub.known():
            for _ in _write(families, known):
                if pace.is_due():
                    await pace.rest()
            await pace.rest_if_due()
        chunks = []
        for chunk in families.chunks():
            chunks.append(chunk)
            await pace.rest_if_due()
        return chunks


class _Pace:
    """Says when it is somebody else's turn."""

    def __init__(self) -> None:
        self._until = time.perf_counter() + SLICE

    def is_due(self) -> bool:
        return time.perf_counter() > self._until

    async def rest(self) -> None:
        await asyncio.sleep(0)
        self._until = time.perf_counter() + SLICE

    async def rest_if_due(self) -> None:
        if self.is_due():
            await self.rest()


def _write(families: Families, known: Known) -> Iterator[None]:
    """Add all of a host; it pauses after each step that may be a longer one."""
    report.write_host(families, known)
    if known.report is None or known.age is None:
        return
    content = strict_json.loads(known.report)
    yield
    interval = content.get("agent", {}).get("interval", 0)
    # A report of long ago is not how its host is; its families end, and so do their graphs.
    if known.age > max(SHOWN_FOR, INTERVALS * interval):
        return
    yield from report.write_report(families, known.host.id, content)
    if known.description is not None:
        plan = sections.plan(known.description, _RESERVED)
        yield
        yield from _bounded(families, known.host, plan.write(families, known.host.id, content))


def _bounded(families: Families, host: Host, samples: Iterator[None]) -> Iterator[None]:
    for number, _ in enumerate(samples, 1):
        yield
        if number == MOST_SAMPLES:
            families.add("vstats_report_truncated", label("host", host.id), 1)
            return


async def _compressed(chunks: list[bytes]) -> bytes:
    compress = zlib.compressobj(COMPRESSION, wbits=GZIP)
    pace = _Pace()
    done = []
    for chunk in chunks:
        for start in range(0, len(chunk), PIECE):
            done.append(compress.compress(chunk[start : start + PIECE]))
            await pace.rest_if_due()
    return b"".join((*done, compress.flush()))
