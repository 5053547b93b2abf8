"""Connections without a network: every byte, and every cut between two reads, is the test's."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from vstats_server.net.connection import RelayConnection

REQUEST = (
    b"GET /ws/agent HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
CLOSE, PING, PONG = 8, 9, 10
MOST = 4096
"""Bytes of one message."""


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__({"peername": ("192.0.2.1", 4711)})
        self.protocol = protocol
        self.written = bytearray()
        self.reading = True
        self.ended = False

    def write(self, data: Any) -> None:
        if not self.ended:
            self.written += data

    def write_eof(self) -> None:
        pass

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return self.ended

    def is_reading(self) -> bool:
        return self.reading

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        if not self.ended:
            self.ended = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)


class Peer:
    """A server's end of a connection that has been opened, and what its user is given."""

    def __init__(self, make: Callable[..., ServerConnection], **options: Any) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.closed = False
        self.connection = make(
            ServerProtocol(max_size=MOST), _NoServer(), ping_interval=None, max_queue=4, **options
        )
        self.wire = Wire(self.connection)
        self.connection.connection_made(self.wire)
        self.arrive(REQUEST)
        protocol = self.connection.protocol
        assert self.connection.request is not None
        protocol.send_response(protocol.accept(self.connection.request))
        self.connection.send_data()
        self.wire.written.clear()
        self.task = asyncio.create_task(self._take())

    async def _take(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in self.connection:
                if isinstance(message, str):
                    self.take_text(message.encode())
                elif not self._was_cut():
                    self.taken.append(("binary", message))

    def close(self) -> None:
        """Say goodbye; as in a session, nothing that still comes counts."""
        self.closed = True
        if self.connection.protocol.state is OPEN:
            self.connection.protocol.send_close(4409, "replaced")
            self.connection.send_data()

    def _was_cut(self) -> bool:
        cut = isinstance(self.connection, RelayConnection) and self.connection.was_cut
        return self.closed or cut

    def take_text(self, text: bytes) -> None:
        """Take a message as a session does; the library's own way never comes here with rubbish."""
        if self._was_cut():
            return
        try:
            text.decode()
        except UnicodeDecodeError:
            assert isinstance(self.connection, RelayConnection)
            self.connection.cut(1007, "not UTF-8")
        else:
            self.taken.append(("text", text))

    async def feed(self, data: bytes) -> None:
        """Let the bytes arrive in one read, and let everybody do what is to do."""
        self.arrive(data)
        for _ in range(6):
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            while self.connection.protocol.state is OPEN and not self.wire.reading:  # noqa: ASYNC110 - a turn each
                await asyncio.sleep(0)

    def arrive(self, data: bytes) -> None:
        """Hand over the bytes as an event loop does."""
        if not isinstance(self.connection, asyncio.BufferedProtocol):
            self.connection.data_received(data)
            return
        while data:
            buffer = self.connection.get_buffer(-1)
            size = min(len(data), len(buffer))
            buffer[:size], data = data[:size], data[size:]
            self.connection.buffer_updated(size)
            # The next read of any connection writes over it.
            buffer[:size] = b"\xaa" * size

    async def end(self) -> None:
        """Let the peer end the TCP connection."""
        if not self.wire.ended:
            self.connection.eof_received()
        self.wire.abort()
        await self.task

    def outcome(self) -> dict[str, Any]:
        """Return what the user was given, what the peer was sent, and how it ended."""
        frames = list(server_frames(bytes(self.wire.written)))
        codes = [int.from_bytes(p[:2], "big") for opcode, p in frames if opcode == CLOSE]
        assert len(codes) <= 1
        closes = [n for n, (opcode, _) in enumerate(frames) if opcode == CLOSE]
        before = frames[: closes[0]] if closes else frames
        # After its Close an end may still answer pings, and need not.
        assert all(opcode == PONG for opcode, _ in frames[len(before) + 1 :])
        return {"taken": self.taken, "sent": before, "closed": codes}


class _NoServer:
    """Takes the place of the server that would see to the handshake."""

    def __init__(self) -> None:
        self.handler_tasks: set[asyncio.Task[None]] = set()

    async def handler(self, connection: ServerConnection) -> None:
        pass


def plain() -> Peer:
    """Return the library's own connection."""
    return Peer(ServerConnection)


def ours() -> Peer:
    """Return the relay's, which gives whole text messages to ``on_text`` once that is set."""
    return Peer(RelayConnection, on_made=lambda _: None, buffer=memoryview(bytearray(70_000)))


def server_frames(data: bytes) -> Any:
    """Yield opcode and payload of each frame that a server has sent."""
    at = 0
    while at < len(data):
        first, size = data[at], data[at + 1]
        assert first & 0xF0 == 0x80
        at += 2
        if size in (126, 127):
            width = 2 if size == 126 else 8
            size = int.from_bytes(data[at : at + width], "big")
            at += width
        yield first & 0x0F, data[at : at + size]
        at += size
    assert at == len(data)
