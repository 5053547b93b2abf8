"""Write each message to every dashboard: framed once, written together, never more than it takes.

Nearly all that a delivery costs is the system call that makes it. So a message's frame is built
once for all dashboards, and while messages keep coming, each dashboard gets one write for all of
them that came within the write interval. The first after a pause goes out at once.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from vstats_server.delivery.mailbox import Mailbox
from vstats_server.health.counters import Counters
from vstats_server.hub.hub import News
from vstats_server.net.connection import RelayConnection

__all__ = ["Dashboard", "Fanout"]

logger = logging.getLogger(__name__)

CHUNK = 64 * 1024
"""Bytes of messages that are written at a time."""
STALLED_AFTER = 10.0
"""Seconds without taking a byte after which a dashboard for which something waits is cut."""
MOST_WAITING = 100_000
"""Messages that may wait for one dashboard: more is a reader too slow to ever catch up."""
TOO_SLOW = 4408
MANY = 4
"""Messages in a write interval that are worth waiting for to be read together."""
LONGEST_PAUSE = 0.01
"""Seconds of it; others wait as well: a handshake, a page that is opened."""


class Dashboard:
    """A dashboard's own end of the fan-out: what waits for it once its connection is full.

    Messages wait in a mailbox, the newest report a host, until the connection has emptied. How
    many bytes it has been given is counted, since only that tells whether it takes any.
    """

    def __init__(self, connection: RelayConnection, now: float, counters: Counters) -> None:
        self.connection = connection
        self._counters = counters
        self._mailbox: Mailbox[bytes] = Mailbox()
        self._given = 0
        self._taken = 0
        self._progress_at = now

    @property
    def in_step(self) -> bool:
        """Whether it has been given all that there is, and takes more."""
        return not self._mailbox and not self.connection.full

    def enqueue(self, news: News) -> None:
        """Let a message wait for its turn, and drop what it makes worthless."""
        if news.forget is not None:
            self._mailbox.discard(news.forget)
        if news.topic is None:
            self._mailbox.append(news.framed)
        elif self._mailbox.put(news.topic, news.framed):
            self._counters.coalesced += 1

    def flush(self) -> None:
        """Write what waits, in large pieces, until the connection is full."""
        while self._mailbox and not self.connection.full:
            chunk = bytearray()
            while self._mailbox and len(chunk) < CHUNK:
                chunk += self._mailbox.take()
                self._counters.deliveries += 1
            self._counters.delivered_bytes += len(chunk)
            self.given(len(chunk))
            self.connection.write(bytes(chunk))

    def given(self, size: int) -> None:
        """Take note of bytes that were handed to its connection."""
        self._given += size

    def excuse(self, now: float) -> None:
        """Do not count the time until now: it was not the dashboard that stood still."""
        self._progress_at = now

    def is_stalled(self, now: float, given_besides: int = 0) -> bool:
        """Return whether something has waited too long; to be asked about once a second."""
        unsent = self.connection.unsent
        taken = self._given + given_besides - unsent
        if not unsent or taken > self._taken:
            self._taken = taken
            self._progress_at = now
        return now - self._progress_at >= STALLED_AFTER or len(self._mailbox) > MOST_WAITING


class Fanout:
    """All dashboards; the hub's watcher.

    Those in step are given each batch as it is, in one write; the others get its messages into
    their mailboxes, and are in step again when these are empty.

    Attributes:
        write_interval: Seconds between two writes while messages keep coming.
        moderate: Told for how many seconds nothing is lost by not reading what arrives.
    """

    def __init__(self, write_interval: float, counters: Counters | None = None) -> None:
        self.write_interval = write_interval
        self.moderate: Callable[[float], None] = _ignore
        self._counters = counters or Counters()
        self._dashboards: set[Dashboard] = set()
        # Dashboards in step, with what the sum of all batches was when they came into step.
        self._in_step: dict[Dashboard, int] = {}
        self._given = 0
        self._batch: list[News] = []
        self._batch_size = 0
        self._come = 0
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._dashboards)

    def news(self, news: News) -> None:
        """Deliver a message to every dashboard: now, or with others in a moment."""
        self._batch.append(news)
        self._batch_size += len(news.framed)
        self._come += 1
        if self._timer is None:
            self._write_batch()
            self._wait()
        elif self._batch_size >= CHUNK:
            # More at once would only wait in the send buffers, where nothing newer can replace it.
            self._write_batch()

    @contextmanager
    def joined(self, connection: RelayConnection, snapshot: Iterable[News]) -> Iterator[Dashboard]:
        """Deliver the snapshot, then all that is live, until the context ends.

        Nothing is awaited between the two, so there is neither a gap nor a repeat.
        """
        # What waits to be written is in the snapshot already.
        self._write_batch()
        connection.limit_kernel_buffer()
        dashboard = Dashboard(connection, asyncio.get_running_loop().time(), self._counters)
        for news in snapshot:
            dashboard.enqueue(news)

        def flush() -> None:
            dashboard.flush()
            self._sort(dashboard)

        def leave() -> None:
            self._dashboards.discard(dashboard)
            self._step_out(dashboard)

        # One that has said goodbye already is told nothing: no data may follow a Close.
        if connection.open:
            self._dashboards.add(dashboard)
        connection.on_writable = flush
        connection.on_ending = leave
        flush()
        try:
            yield dashboard
        finally:
            leave()

    def sweep(self) -> None:
        """Cut the dashboards that take nothing; to be called once a second."""
        now = asyncio.get_running_loop().time()
        for dashboard in list(self._dashboards):
            besides = self._given - self._in_step.get(dashboard, self._given)
            if dashboard.is_stalled(now, besides):
                address = dashboard.connection.address
                logger.warning("dashboard at %s does not keep up; it is cut", address)
                self._counters.stalled += 1
                dashboard.connection.cut(TOO_SLOW, "too slow")

    def stood_still(self) -> None:
        """Take note that the server itself has stood still: no dashboard is to blame for that."""
        now = asyncio.get_running_loop().time()
        for dashboard in self._dashboards:
            dashboard.excuse(now)

    def _wait(self) -> None:
        if self.write_interval and self._dashboards:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self.write_interval, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._batch:
            self._write_batch()
            self._wait()
        many = self._come >= MANY and self._timer is not None
        self._come = 0
        self.moderate(min(self.write_interval / 2, LONGEST_PAUSE) if many else 0.0)

    def _write_batch(self) -> None:
        batch, self._batch, self._batch_size = self._batch, [], 0
        if not batch:
            return
        # Who is not in step must not be given the batch twice: those who fall out of step while
        # it is written have been given it.
        for dashboard in self._dashboards - self._in_step.keys():
            for news in batch:
                dashboard.enqueue(news)
        frames = b"".join(news.framed for news in batch)
        self._given += len(frames)
        self._counters.deliveries += len(batch) * len(self._in_step)
        self._counters.delivered_bytes += len(frames) * len(self._in_step)
        full = []
        for dashboard in self._in_step:
            connection = dashboard.connection
            # A connection that begins to end has left by then (on_ending), but one that breaks
            # says so a moment later.
            if not connection.transport.is_closing():
                connection.transport.write(frames)
            if connection.paused:
                full.append(dashboard)
        for dashboard in full:
            self._sort(dashboard)

    def _sort(self, dashboard: Dashboard) -> None:
        """Put the dashboard among those in step, or not, as is right now."""
        if dashboard not in self._dashboards:
            return
        if not dashboard.in_step:
            self._step_out(dashboard)
        elif dashboard not in self._in_step:
            self._in_step[dashboard] = self._given

    def _step_out(self, dashboard: Dashboard) -> None:
        since = self._in_step.pop(dashboard, None)
        if since is not None:
            dashboard.given(self._given - since)


def _ignore(_: float) -> None:
    """Read everything at once, always."""
