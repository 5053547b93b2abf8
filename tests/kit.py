"""What tests of several packages use: a clock to set by hand, a relay to talk to, plain peers."""

import asyncio
import contextlib
import copy
import hashlib
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection, connect

from vstats_core.clock import Clock
from vstats_server.config import Host, ServerConfig
from vstats_server.hub.intake import IncomingDescription, IncomingReport, read
from vstats_server.relay import Relay

# 256 bits, like the real ones, and easy to tell apart.
TOKEN = "token-of-web-1-" + "x" * 28
OTHER_TOKEN = "token-of-web-2-" + "x" * 28

REPORT: dict[str, Any] = {
    "timestamp": "2024-01-01T12:00:00Z",
    "hostname": "my-server",
    "os": {"name": "Ubuntu", "version": "22.04", "kernel": "5.15.0", "arch": "x86_64"},
    "cpu": {
        "brand": "Intel Core i7",
        "cores": 8,
        "usage": 45.2,
        "frequency": 3600,
        "per_core": [40, 50, 45, 42, 48, 46, 44, 47],
    },
    "memory": {
        "total": 17179869184,
        "used": 8589934592,
        "available": 8589934592,
        "swap_total": 4294967296,
        "swap_used": 1073741824,
        "usage_percent": 50.0,
    },
    "disks": [
        {
            "name": "sda1",
            "mount_point": "/",
            "fs_type": "ext4",
            "total": 107374182400,
            "used": 53687091200,
            "available": 53687091200,
            "usage_percent": 50.0,
        }
    ],
    "network": {
        "interfaces": [{"name": "eth0", "rx": 1073741824, "tx": 536870912}],
        "total_rx": 1073741824,
        "total_tx": 536870912,
    },
    "uptime": 86400,
    "load_average": {"one": 0.5, "five": 0.7, "fifteen": 0.6},
}
"""The report of the protocol's page, to the letter."""


class FakeClock(Clock):
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.started = time.time()

    def monotonic(self) -> float:
        return self.now

    def unix(self) -> float:
        return self.started + self.now


def report(**changes: Any) -> dict[str, Any]:
    """Return a copy of the page's report with other, or more, top-level keys."""
    return copy.deepcopy(REPORT) | changes


def metrics(**changes: Any) -> str:
    """Return an agent's metrics message as the page shows it, with the report's keys changed."""
    return json.dumps({"type": "metrics", "data": report(**changes)}, separators=(",", ":"))


def config(**changes: Any) -> ServerConfig:
    """Return a configuration for two hosts, ``web-1`` (TOKEN) and ``web-2`` (OTHER_TOKEN)."""
    hosts = [
        Host(id="web-1", name="Web 1", location="US-West", tags=["eu"], token=SecretStr(TOKEN)),
        Host(id="web-2", name="Web 2", token=SecretStr(OTHER_TOKEN)),
    ]
    return ServerConfig(**{"port": 0, "hosts": hosts} | changes)


class Peers:
    """A relay that serves, and how to talk to it: real sockets, on loopback."""

    def __init__(self, relay: Relay, port: int) -> None:
        self.relay = relay
        self.port = port
        self.url = f"ws://127.0.0.1:{port}"

    def dashboard(self, **options: Any) -> connect:
        """Return a connection to ``/ws``, to be used with ``async with`` or ``await``."""
        return connect(f"{self.url}/ws", compression=None, proxy=None, **options)

    def agent(self, token: str = TOKEN, **options: Any) -> connect:
        """Return a connection to ``/ws/agent`` with the token in the header."""
        headers = {"Authorization": f"Bearer {token}"}
        return connect(
            f"{self.url}/ws/agent",
            additional_headers=headers | options.pop("additional_headers", {}),
            compression=None,
            proxy=None,
            **options,
        )

    async def http(
        self, path: str, *, method: str = "GET", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers (lower case) and body of a plain HTTP request."""
        fields = {"Host": f"127.0.0.1:{self.port}"} | (headers or {})
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return parse_response(await self.raw(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode()))

    async def raw(self, request: bytes) -> bytes:
        """Send the bytes and return all that comes until the server closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            return await reader.read()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


class RawPeer:
    """A peer on a bare socket: it does what it is told, and nothing by itself."""

    def __init__(self, link: socket.socket, response: bytes) -> None:
        self.socket = link
        self._received = bytearray(response)
        self._loop = asyncio.get_running_loop()

    async def send(self, opcode: int, payload: bytes = b"", *, fin: bool = True) -> None:
        """Send one frame, masked as a client's must be."""
        await self._loop.sock_sendall(self.socket, client_frame(opcode, payload, fin=fin))

    async def frame(self) -> tuple[int, bytes]:
        """Return the next frame as opcode and payload.

        Raises:
            EOFError: when there is none before the end.
        """
        head = await self._take(2)
        size = head[1]
        if size in (126, 127):
            size = int.from_bytes(await self._take(2 if size == 126 else 8), "big")
        return head[0] & 0x0F, await self._take(size)

    async def rest(self) -> list[tuple[int, bytes]]:
        """Return every frame up to the end of the connection, however it ends."""
        frames = []
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                frames.append(await self.frame())
        return frames

    async def _take(self, count: int) -> bytes:
        async with asyncio.timeout(10):
            while len(self._received) < count:
                data = await self._loop.sock_recv(self.socket, 65536)
                if not data:
                    raise EOFError
                self._received += data
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken


def client_frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """Return a frame as a client sends it."""
    first = bytes(((0x80 if fin else 0) | opcode,))
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | size,))
    elif size < 0x10000:
        head = bytes((0x80 | 126,)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | 127,)) + size.to_bytes(8, "big")
    return first + head + bytes(4) + payload  # a mask of zeros leaves the payload as it is


@contextlib.asynccontextmanager
async def raw_peer(
    port: int,
    path: str = "/ws",
    *,
    headers: dict[str, str] | None = None,
    receive_buffer: int | None = None,
) -> AsyncIterator[RawPeer]:
    """Upgrade a bare socket; with a small receive buffer it soon stalls whoever sends to it."""
    loop = asyncio.get_running_loop()
    link = socket.socket()
    link.settimeout(0)
    if receive_buffer is not None:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    with link:
        await loop.sock_connect(link, ("127.0.0.1", port))
        fields = {
            "Host": f"127.0.0.1:{port}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version": "13",
        } | (headers or {})
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        await loop.sock_sendall(link, f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        response = b""
        async with asyncio.timeout(10):
            while b"\r\n\r\n" not in response:
                data = await loop.sock_recv(link, 1)
                assert data, response
                response += data
        head_bytes, _, rest = response.partition(b"\r\n\r\n")
        assert b" 101 " in head_bytes, head_bytes
        yield RawPeer(link, rest)


async def until(condition: Callable[[], object], *, within: float = 5) -> None:
    """Wait for a state, which is looked at again whenever the loop has done something else."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - the state is another's, and has no event
            await asyncio.sleep(0.005)


def parse_response(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers (lower case) and body of an HTTP response."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return int(first.split()[1]), headers, body


@contextlib.asynccontextmanager
async def serving(
    settings: ServerConfig | None = None, *, path: Path | None = None, clock: Clock | None = None
) -> AsyncIterator[Peers]:
    """Serve a relay on a free port of loopback for as long as the context lasts."""
    relay = Relay(settings or config(), path=path, clock=clock)
    async with relay.serving() as port:
        yield Peers(relay, port)


async def receive(connection: ClientConnection, kind: str | None = None) -> dict[str, Any]:
    """Return the next message, of that type if one is named; the others before it are skipped."""
    async with asyncio.timeout(5):
        while True:
            message: dict[str, Any] = json.loads(await connection.recv())
            if kind is None or message["type"] == kind:
                return message


async def snapshot(connection: ClientConnection, hosts: int = 2) -> list[dict[str, Any]]:
    """Return the messages that come before anything live, up to the last host's server_added."""
    messages: list[dict[str, Any]] = []
    while sum(message["type"] == "server_added" for message in messages) < hosts:
        messages.append(await receive(connection))
    return messages


async def closed(connection: ClientConnection) -> tuple[int | None, str | None]:
    """Wait until the connection has ended; return the code and reason of its Close."""
    async with asyncio.timeout(10):
        await connection.wait_closed()
    return connection.close_code, connection.close_reason


def read_text(message: str) -> IncomingReport | IncomingDescription | None:
    """Return what the intake makes of a message that is a str, perhaps with lone surrogates."""
    return read(message.encode("utf-8", "surrogatepass"))


def sha256(text: str) -> str:
    """Return the digest that a configuration file holds of a token."""
    return hashlib.sha256(text.encode()).hexdigest()
