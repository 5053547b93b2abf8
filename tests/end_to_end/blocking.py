"""A client for TLS that blocks, and whose TLS belongs to one thread.

``websockets.sync`` reads on a thread and writes on another, which OpenSSL does not allow for one
connection and Python before 3.13 does not prevent: of some thousand handshakes, one hangs.
"""

import asyncio
import functools
import threading
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

import websockets.asyncio.client

__all__ = ["Connection", "connect"]

T = TypeVar("T")


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="blocking clients", daemon=True).start()
    return loop


def _wait_for(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(work, _loop()).result()


class Connection:
    """What the tests use of ``websockets.sync.client.ClientConnection``."""

    def __init__(self, connection: websockets.asyncio.client.ClientConnection) -> None:
        self._connection = connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _wait_for(self._connection.close())

    @property
    def close_code(self) -> int | None:
        """The code of the Close that has come, if one has."""
        return self._connection.close_code

    @property
    def close_reason(self) -> str | None:
        """The reason of the Close that has come, if one has."""
        return self._connection.close_reason

    def send(self, message: str | bytes) -> None:
        """Send a message."""
        _wait_for(self._connection.send(message))

    def recv(self, timeout: float) -> str | bytes:
        """Return the next message."""
        return _wait_for(asyncio.wait_for(self._connection.recv(), timeout))

    def ping(self, timeout: float) -> None:
        """Send a ping and wait for its pong."""

        async def ping() -> None:
            await asyncio.wait_for(await self._connection.ping(), timeout)

        _wait_for(ping())


def connect(url: str, **options: Any) -> Connection:
    """Return a connection, as ``websockets.asyncio.client.connect()`` makes it."""

    async def open_one() -> websockets.asyncio.client.ClientConnection:
        return await websockets.asyncio.client.connect(url, **options)

    return Connection(_wait_for(open_one()))
