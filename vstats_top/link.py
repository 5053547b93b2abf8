"""The connection: one WebSocket that comes back by itself, however it was lost."""

import asyncio
import base64
import contextlib
import os
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from vstats_core.backoff import Backoff
from vstats_core.errors import JSONError, VStatsError
from vstats_core.tls import client_context
from vstats_core.version import __version__
from vstats_core.wire import strict_json

__all__ = ["AddressError", "Link", "Target"]

SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
LARGEST = 1024 * 1024
"""Bytes of a message that are taken: a report has 256 KiB at most."""
UNAUTHORIZED = 401


class AddressError(VStatsError):
    """An address that does not lead to a server."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class Target:
    """Where the server is, and what it knows us by.

    Attributes:
        url: The WebSocket's address, without any password.
        name: What to call the server: host and port.
        user: The user's name in the address, or None.

    Raises:
        AddressError: for an address that is none.
        ConfigError: for a file that holds no certificate, or cannot be read.
        OSError: for a file of authorities that cannot be read.
    """

    def __init__(self, address: str, *, ca_file: Path | None = None) -> None:
        parts = _split(address)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        self.name = f"{host}:{parts.port}" if parts.port else f"{host}"
        path = parts.path.rstrip("/").removesuffix("/ws")
        self.url = f"{SCHEMES[parts.scheme]}://{self.name}{path}/ws"
        self.user = None if parts.username is None else unquote(parts.username)
        self._password = None if parts.password is None else unquote(parts.password)
        self.tls = client_context(ca_file) if self.url.startswith("wss:") else None

    @property
    def wants_password(self) -> bool:
        """Whether there is a user without a password."""
        return self.user is not None and self._password is None

    def use_password(self, password: str) -> None:
        """Take a password that was not in the address."""
        self._password = password

    @property
    def headers(self) -> dict[str, str]:
        """What to send along: the password, if there is one."""
        if self._password is None:
            return {}
        credentials = f"{self.user or ''}:{self._password}".encode()
        return {"Authorization": f"Basic {base64.b64encode(credentials).decode()}"}


def _split(address: str) -> SplitResult:
    if "://" not in address:
        address = f"http://{address}"
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError as error:
        raise AddressError(f"not an address: {error}") from None
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise AddressError(
            "an address is like http://127.0.0.1:3001 or https://USER@vstats.example"
        )
    return parts


class Link:
    """Keeps one connection, for ever, and says how it fares.

    Attributes:
        state: While "waiting", ``retry_at`` says when it tries again.
        trouble: Why there is no connection, in a line; empty while there is one.
    """

    def __init__(  # noqa: PLR0913 - whom to tell what, and what a test exchanges
        self,
        target: Target,
        *,
        on_open: Callable[[], None],
        on_message: Callable[[dict[str, Any]], None],
        on_change: Callable[[], None],
        backoff: Backoff | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.target = target
        self.state: Literal["connecting", "live", "waiting"] = "connecting"
        self.trouble = ""
        self.retry_at = 0.0
        self._on_open = on_open
        self._on_message = on_message
        self._on_change = on_change
        self._backoff = backoff or Backoff()
        self._now = now
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Try at once, if it waits."""
        self._wake.set()

    async def run(self) -> None:
        """Connect, and connect again."""
        while True:
            self._change("connecting")
            opened_at = None
            try:
                async with connect(
                    self.target.url,
                    additional_headers=self.target.headers,
                    user_agent_header=f"vstats-top/{__version__}",
                    ssl=self.target.tls,
                    compression=None,
                    proxy=None,
                    max_size=LARGEST,
                ) as connection:
                    opened_at = self._now()
                    self.trouble = ""
                    self._on_open()
                    self._change("live")
                    async for message in connection:
                        self._on_message(strict_json.loads(message))
                    self.trouble = "the server has ended the connection"
            except ConnectionClosed as error:
                self.trouble = _ending(error)
            except (JSONError, KeyError, TypeError, AttributeError):
                self.trouble = "what came is not from a vStats server"
            except (OSError, TimeoutError, WebSocketException) as error:
                self.trouble = _explain(error)
            if opened_at is not None:
                self._backoff.lived(self._now() - opened_at)
            await self._wait(self._backoff.next())

    async def _wait(self, delay: float) -> None:
        self.retry_at = self._now() + delay
        self._wake.clear()
        self._change("waiting")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._wake.wait()

    def _change(self, state: Literal["connecting", "live", "waiting"]) -> None:
        self.state = state
        self._on_change()


def _ending(error: ConnectionClosed) -> str:
    close = error.rcvd
    return f"closed by the server: {close.reason or close.code}" if close else "connection lost"


def _explain(error: Exception) -> str:
    match error:
        case InvalidStatus() if error.response.status_code == UNAUTHORIZED:
            text = "the server wants another password, in the address: http://USER:PASSWORD@HOST"
        case InvalidStatus():
            text = f"the server answered HTTP {error.response.status_code}"
        case ssl.SSLCertVerificationError():
            text = f"the server's certificate is not accepted: {error.verify_message}"
        case TimeoutError():
            text = "the server does not answer"
        case OSError() if error.errno:
            # asyncio's own text is longer; a resolver's number is none of the system's.
            text = os.strerror(error.errno) if error.errno > 0 else str(error.strerror)
        case _:
            text = str(error) or type(error).__name__
    return text
