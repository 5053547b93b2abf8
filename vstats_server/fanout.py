"""Write each message to every dashboard: framed once, and never more than a dashboard takes."""

import asyncio
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from vstats_server.connection import RelayConnection, frame
from vstats_server.hub import News
from vstats_server.mailbox import Mailbox

__all__ = ["Dashboard", "Fanout"]

logger = logging.getLogger(__name__)

CHUNK = 64 * 1024
"""Bytes written at a time when a mailbox is emptied."""
STALLED_AFTER = 10.0
"""Seconds without taking a byte after which a dashboard for which something waits is cut."""
MOST_WAITING = 100_000
"""Messages that may wait for one dashboard: more is a reader too slow to ever catch up."""
TOO_SLOW = 4408


class Dashboard:
    """One dashboard's end of the fan-out.

    A message goes straight to the connection while that keeps up. Once its send buffer is full,
    messages wait in a mailbox, the newest report a host, until it has emptied.
    """

    def __init__(self, connection: RelayConnection, now: float) -> None:
        self.connection = connection
        self._mailbox: Mailbox[bytes] = Mailbox()
        self._written = 0
        self._taken = 0
        self._progress_at = now
        connection.on_writable = self.flush

    def deliver(self, topic: str | None, framed: bytes) -> None:
        """Send the message now or when its turn comes; with a topic, the newest one is enough."""
        if not self._mailbox and not self.connection.full:
            self._write(framed)
        else:
            self.enqueue(topic, framed)

    def enqueue(self, topic: str | None, framed: bytes) -> None:
        """Let the message wait for its turn."""
        if topic is None:
            self._mailbox.append(framed)
        else:
            self._mailbox.put(topic, framed)

    def discard(self, topic: str) -> None:
        """Forget what waits under the topic."""
        self._mailbox.discard(topic)

    def flush(self) -> None:
        """Write what waits, in large pieces, until the connection is full."""
        while self._mailbox and not self.connection.full:
            chunk = bytearray()
            while self._mailbox and len(chunk) < CHUNK:
                chunk += self._mailbox.take()
            self._write(bytes(chunk))

    def is_stalled(self, now: float) -> bool:
        """Return whether something has waited too long; to be asked about once a second."""
        unsent = self.connection.unsent
        taken = self._written - unsent
        if not unsent or taken > self._taken:
            self._taken = taken
            self._progress_at = now
        return now - self._progress_at >= STALLED_AFTER or len(self._mailbox) > MOST_WAITING

    def _write(self, frames: bytes) -> None:
        self._written += len(frames)
        self.connection.write(frames)


class Fanout:
    """All dashboards; the hub's watcher."""

    def __init__(self) -> None:
        self._dashboards: set[Dashboard] = set()

    def __len__(self) -> int:
        return len(self._dashboards)

    def news(self, news: News) -> None:
        """Deliver a message to every dashboard."""
        framed = frame(news.message)
        for dashboard in self._dashboards:
            if news.forget is not None:
                dashboard.discard(news.forget)
            dashboard.deliver(news.topic, framed)

    @contextmanager
    def joined(self, connection: RelayConnection, snapshot: Iterable[News]) -> Iterator[Dashboard]:
        """Deliver the snapshot, then all that is live, until the context ends.

        Nothing is awaited between the two, so there is neither a gap nor a repeat.
        """
        connection.limit_kernel_buffer()
        dashboard = Dashboard(connection, asyncio.get_running_loop().time())
        for news in snapshot:
            dashboard.enqueue(news.topic, frame(news.message))
        dashboard.flush()
        self._dashboards.add(dashboard)
        try:
            yield dashboard
        finally:
            self._dashboards.discard(dashboard)

    def sweep(self) -> None:
        """Cut the dashboards that take nothing; to be called once a second."""
        now = asyncio.get_running_loop().time()
        for dashboard in [d for d in self._dashboards if d.is_stalled(now)]:
            logger.warning(
                "dashboard at %s took nothing for %g s; cut",
                dashboard.connection.address,
                STALLED_AFTER,
            )
            self._dashboards.discard(dashboard)
            dashboard.connection.cut(TOO_SLOW, "too slow")
