"""One agent connection's life, and one dashboard connection's."""

import logging

from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from vstats_core.clock import Clock
from vstats_core.logs.setup import worth_logging
from vstats_core.wire.messages import ErrorCode, Fault, error_message
from vstats_server.access.bucket import TokenBucket
from vstats_server.config import Limits
from vstats_server.delivery.fanout import Fanout
from vstats_server.delivery.frames import frame
from vstats_server.health.counters import Counters
from vstats_server.hub.hub import Hub
from vstats_server.hub.intake import IncomingReport, MessageError, read
from vstats_server.net.connection import RelayConnection

__all__ = ["AgentSession", "watch"]

logger = logging.getLogger(__name__)

MOST_BAD_IN_A_ROW = 10
BAD_MESSAGES = 4400
TOO_MANY = 4429
LONGEST_FLOOD = 10.0
"""Seconds for which an agent may send more than it may before it is cut."""
FLOOD_ENDS_AFTER = 1.0
"""Seconds without a dropped message after which a flood counts as over."""
DASHBOARD_MESSAGES_PER_SECOND = 10


class AgentSession:
    """Takes what one agent sends: publishes its reports, answers its faults, holds it to limits."""

    def __init__(  # noqa: PLR0913 - what a session is made of
        self,
        connection: RelayConnection,
        server_id: str,
        hub: Hub,
        limits: Limits,
        clock: Clock,
        *,
        counters: Counters,
    ) -> None:
        self.connection = connection
        self.server_id = server_id
        self._hub = hub
        self._clock = clock
        self._counters = counters
        now = clock.monotonic()
        self._bucket = TokenBucket(limits.messages_per_second, limits.message_burst, now)
        self._bad_in_a_row = 0
        self._bad_rows = 0
        self._floods = 0
        self._flooding_since: float | None = None
        self._last_drop = now

    async def run(self) -> None:
        """Take messages until the connection is gone."""
        self.connection.on_heard = self._heard
        self.connection.on_text = self._take_text
        try:
            async for message in self.connection:
                self._take(message)
        except ConnectionClosed:
            pass

    def _heard(self) -> None:
        if not self.connection.was_cut:
            self._hub.heard(self.server_id)

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self._take_text(message.encode())
        elif not self.connection.was_cut:
            self.connection.cut(CloseCode.UNSUPPORTED_DATA, "text messages only")

    def _take_text(self, message: bytes) -> None:
        self._counters.received_bytes += len(message)
        if self.connection.was_cut or not self._within_limits():
            return
        try:
            incoming = read(message)
        except MessageError as bad:
            self._refuse(bad)
        except UnicodeDecodeError:
            self.connection.cut(CloseCode.INVALID_DATA, "not UTF-8")
        else:
            self._bad_in_a_row = 0
            if isinstance(incoming, IncomingReport):
                self._counters.reports += 1
                self._hub.publish(self.server_id, incoming)
            elif incoming is not None:
                self._hub.describe(self.server_id, incoming)

    def _within_limits(self) -> bool:
        now = self._clock.monotonic()
        if self._bucket.take(now):
            return True
        if self._flooding_since is None or now - self._last_drop > FLOOD_ENDS_AFTER:
            self._flooding_since = now
            self._floods += 1
            if worth_logging(self._floods):
                logger.warning("agent %s sends too many messages", self.server_id)
        self._last_drop = now
        if now - self._flooding_since >= LONGEST_FLOOD:
            self.connection.cut(TOO_MANY, "too many messages")
        else:
            self._answer("rate_limited", "too many messages; this one was dropped", [])
        return False

    def _refuse(self, bad: MessageError) -> None:
        self._bad_in_a_row += 1
        if self._bad_in_a_row == 1:
            self._bad_rows += 1
            # One that sends good and bad by turns must not fill the disk.
            if worth_logging(self._bad_rows):
                logger.warning("agent %s: %s", self.server_id, bad)
        self._answer(bad.code, bad.text, bad.faults)
        if self._bad_in_a_row >= MOST_BAD_IN_A_ROW:
            self.connection.cut(BAD_MESSAGES, "too many bad messages in a row")

    def _answer(self, code: ErrorCode, text: str, faults: list[Fault]) -> None:
        self._counters.rejected[code] += 1
        # An agent that does not read its answers gets no more of them.
        if not self.connection.full:
            message = error_message(code, text, faults, self._clock.utc())
            self.connection.write(frame(message))


async def watch(connection: RelayConnection, hub: Hub, fanout: Fanout, clock: Clock) -> None:
    """Keep a dashboard up to date until its connection is gone; what it sends is ignored."""
    bucket = TokenBucket(
        DASHBOARD_MESSAGES_PER_SECOND, DASHBOARD_MESSAGES_PER_SECOND, clock.monotonic()
    )
    with fanout.joined(connection, hub.snapshot()):
        try:
            while True:
                await connection.recv(decode=False)
                if connection.open and not bucket.take(clock.monotonic()):
                    connection.cut(TOO_MANY, "too many messages")
        except ConnectionClosed:
            pass
