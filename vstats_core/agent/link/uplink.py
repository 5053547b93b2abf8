"""The way to the server: connect, authenticate, send the newest report, come back after a loss.

One-way: what the server sends is read for its error texts and otherwise ignored.
"""

import asyncio
import contextlib
import http
import logging
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import CLOSING, Event

from vstats_core import tls
from vstats_core.backoff import Backoff
from vstats_core.errors import JSONError
from vstats_core.logs.setup import printable, worth_logging
from vstats_core.version import __version__
from vstats_core.wire import strict_json

__all__ = ["Uplink"]

logger = logging.getLogger(__name__)

HEARTBEAT_AFTER = 10.0
OPEN_TIMEOUT = 10.0
"""Seconds that a server is given to answer the request."""
PING_INTERVAL = 30.0
PONG_TIMEOUT = 30.0
CLOSE_TIMEOUT = 2.0
FAREWELL = 0.5
"""Seconds that a server is given to answer our Close."""
REPLACED = 4409
PAUSE_WHEN_REPLACED = 60.0
LONGEST_TROUBLE = 400
"""Characters: what to do comes last, and must not be cut off."""

NOTHING = b"{}"
MOST_UNSENT = 1024 * 1024
"""Bytes that may wait for a server that does not read."""
MOST_AT_ONCE = 8 * 1024
"""Bytes taken from the server before the agent's own work gets a turn."""
MOST_FRAMES = 1000
"""Frames a second that a server may send; one of good will sends a few a minute."""
HEARTBEAT = b'{"type":"heartbeat"}'


class _Connection(ClientConnection):
    """websockets' connection, less the patience with a server that only takes, or that floods."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._frames = 0
        self._frames_since = 0.0
        self._end_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.max_size = MOST_AT_ONCE  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # websockets would go on reading, and throwing away, for as long as the server talks.
        if self.protocol.handshake_exc is not None:
            self.transport.abort()
        elif self.protocol.state is CLOSING and self._end_timer is None:
            self._end_timer = self.loop.call_later(CLOSE_TIMEOUT, self.transport.abort)
            if self.protocol.parser_exc is not None:
                self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._end_timer is not None:
            self._end_timer.cancel()

    def process_event(self, event: Event) -> None:
        if isinstance(event, Frame):
            # Whoever pings without reading the pongs must not get our memory.
            is_ping = event.opcode is Opcode.PING
            takes_all = is_ping and self.transport.get_write_buffer_size() > MOST_UNSENT
            if takes_all or self._is_flood():
                self.transport.abort()
        super().process_event(event)

    def _is_flood(self) -> bool:
        now = self.loop.time()
        if now - self._frames_since >= 1:
            self._frames_since, self._frames = now, 0
        self._frames += 1
        return self._frames > MOST_FRAMES


class _Connect(connect):
    """websockets' connect, less the redirects: a server does not tell an agent where to go."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Uplink:
    """Keeps one connection to the server; ``offer`` is the agent's sink.

    Only the newest report waits while there is no connection, or one that is full: a newer one
    makes an older one worthless, and memory stays bounded however long the server is away. A new
    connection begins with it, so that a restarted server need not wait for the next.

    ``trust`` says which servers to trust: ``wss://`` needs it, ``ws://`` must not have it.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        trust: ssl.SSLContext | None = None,
        backoff: Backoff | None = None,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
    ) -> None:
        self._url = url
        self._token = token
        self._trust = trust
        self._backoff = backoff or Backoff()
        self._sleep = sleep
        self._newest: dict[str, bytes] = {}
        self._due: dict[str, bytes] = {}
        self._news = asyncio.Event()
        self._trouble = ""
        self._attempts = 0
        self._refusals = 0
        self._short_lives = 0

    def offer(self, report: bytes) -> None:
        """Let the report be sent as soon as can be, unless a newer one comes first."""
        self._put("metrics", b'{"type":"metrics","data":%b}' % report)

    def describe(self, sections: bytes) -> None:
        """Let the server know, on each connection, what the plugins' sections mean."""
        if sections == NOTHING and "describe" not in self._newest:
            return
        self._put("describe", b'{"type":"describe","data":{"sections":%b}}' % sections)

    def _put(self, topic: str, message: bytes) -> None:
        self._newest[topic] = self._due[topic] = message
        self._news.set()

    async def run(self) -> None:
        """Connect, and connect again, for ever: whatever the server does, the agent goes on."""
        loop = asyncio.get_running_loop()
        while True:
            connected_at = None
            try:
                async with _Connect(
                    self._url,
                    create_connection=_Connection,
                    ssl=self._trust,
                    additional_headers={"Authorization": f"Bearer {self._token}"},
                    user_agent_header=f"vstats-agent/{__version__}",
                    compression=None,
                    proxy=None,
                    open_timeout=OPEN_TIMEOUT,
                    ping_interval=None,
                    close_timeout=CLOSE_TIMEOUT,
                    max_size=64 * 1024,
                ) as connection:
                    connected_at = loop.time()
                    self._trouble, self._attempts, self._refusals = "", 0, 0
                    # One that is closed again at once, again and again, is not said each time.
                    if worth_logging(self._short_lives + 1):
                        logger.info("connected to %s", self._url)
                    await self._use(connection)
                delay = self._after_close(connection, loop.time() - connected_at)
            except InvalidStatus as error:
                delay = self._after_refusal(error.response.status_code)
            except Exception as error:  # noqa: BLE001 - an agent never ends because of its link
                delay = self._backoff.next()
                self._say(f"cannot connect to {self._url}: {self._reason(error)}", delay)
            await self._sleep(delay)

    async def _use(self, connection: ClientConnection) -> None:
        """Send and receive until the connection is gone."""
        tasks = [
            asyncio.create_task(work(connection))
            for work in (self._send, self._receive, self._keep_alive)
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await _say_goodbye(connection, CloseCode.GOING_AWAY, "agent stopped")
            raise
        finally:
            for task in tasks:
                task.cancel()
            # A close() would wait for a peer that takes nothing; see _keep_alive.
            connection.transport.abort()
        for task in done:
            if (error := task.exception()) and not isinstance(error, ConnectionClosed):
                raise error

    async def _send(self, connection: ClientConnection) -> None:
        # A new connection begins with all that is known, what it means before what it is.
        self._due = {topic: self._newest[topic] for topic in sorted(self._newest)}
        while True:
            while self._due:
                await connection.send(self._due.pop(next(iter(self._due))), text=True)
            self._news.clear()
            try:
                async with asyncio.timeout(HEARTBEAT_AFTER):
                    await self._news.wait()
            except TimeoutError:
                await connection.send(HEARTBEAT, text=True)

    async def _receive(self, connection: ClientConnection) -> None:
        async for message in connection:
            text = _error_text(message)
            if text is None:
                continue
            self._refusals += 1
            if worth_logging(self._refusals):
                logger.warning("the server refused message %d: %s", self._refusals, text)

    async def _keep_alive(self, connection: ClientConnection) -> None:
        """Ping, so that a half-open link is noticed on this end, too.

        websockets' own keepalive waits for ever where the send buffer is full; this one does not.
        """
        while True:
            await asyncio.sleep(PING_INTERVAL)
            try:
                async with asyncio.timeout(PONG_TIMEOUT):
                    await (await connection.ping())
            except TimeoutError:
                logger.warning("the server has not answered a ping for %g s", PONG_TIMEOUT)
                await _say_goodbye(connection, CloseCode.INTERNAL_ERROR, "no pong")
                return

    def _after_close(self, connection: ClientConnection, lived: float) -> float:
        self._backoff.lived(lived)
        self._short_lives = 0 if lived >= Backoff.HEALTHY else self._short_lives + 1
        code, reason = _ending(connection)
        if code == REPLACED:
            delay = PAUSE_WHEN_REPLACED
            logger.warning(
                "another agent connected with this machine's token and took its place (is this "
                "machine a clone?); coming back in %.0f s",
                delay,
            )
        else:
            delay = self._backoff.next()
            if worth_logging(self._short_lives or 1):
                logger.warning(
                    "connection lost (%s %s); trying again in %.1f s", code, reason, delay
                )
        return delay

    def _after_refusal(self, status: int) -> float:
        if status == http.HTTPStatus.UNAUTHORIZED:
            delay = self._backoff.longest()
            # Once is enough: only a person can mend it, and may do so on the server.
            self._say("the server does not know this agent's token", delay, most=1)
        else:
            delay = self._backoff.next()
            self._say(f"the server at {self._url} answered HTTP {status}", delay)
        return delay

    def _reason(self, error: Exception) -> str:
        reason = str(error) or type(error).__name__
        if self._trust is not None:
            return tls.explain(error) or reason
        if isinstance(error, InvalidMessage):
            return f"{reason} (a server that speaks TLS wants wss://)"
        return reason

    def _say(self, trouble: str, delay: float, *, most: int | None = None) -> None:
        """Log a failed attempt: the first of its kind, every further power of two."""
        self._attempts = self._attempts + 1 if trouble == self._trouble else 1
        self._trouble = trouble
        if worth_logging(self._attempts) and (most is None or self._attempts <= most):
            logger.warning(
                "%s; trying again in %.0f s (attempt %d)",
                printable(trouble, LONGEST_TROUBLE),
                delay,
                self._attempts,
            )


def _ending(connection: ClientConnection) -> tuple[int, str]:
    """Return code and reason of the Close that came, else of the one that we sent."""
    close = connection.protocol.close_rcvd or connection.protocol.close_sent
    if close is None:
        return CloseCode.ABNORMAL_CLOSURE, "without a word"
    return close.code, printable(close.reason)


async def _say_goodbye(connection: ClientConnection, code: CloseCode, reason: str) -> None:
    """Close, unless that takes too long: it waits for a buffer to drain that perhaps never will."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FAREWELL):
            await connection.close(code, reason)


def _error_text(message: str | bytes) -> str | None:
    """Return what an error message says, or None for any other message."""
    try:
        content = strict_json.loads(message)
        if content["type"] != "error":
            return None
        data = content["data"]
        details = [f"{item['path']}: {item['message']}" for item in data["errors"]]
        return printable(f"{data['code']}: {data['message']} {'; '.join(details)}")
    except (JSONError, KeyError, TypeError):
        return None
