"""What tests of several packages use: a clock to set by hand, a relay to talk to, plain peers."""

import asyncio
import contextlib
import copy
import hashlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection, connect

from vstats_core.clock import Clock, rfc3339
from vstats_server.config import Host, ServerConfig
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

    def utc(self, ago: float = 0.0) -> str:
        return rfc3339(self.started + self.now - ago)


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
        return parse_response(
            await self.raw(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode())
        )

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


def sha256(text: str) -> str:
    """Return the digest that a configuration file holds of a token."""
    return hashlib.sha256(text.encode()).hexdigest()
