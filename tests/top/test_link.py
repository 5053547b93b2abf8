import asyncio
import contextlib

import pytest
from kit import serving, until
from websockets.asyncio.server import serve

from vstats_core.backoff import Backoff
from vstats_core.errors import ConfigError
from vstats_top.link import AddressError, Link, Target


@pytest.mark.parametrize(
    ("address", "url", "name"),
    [
        ("http://127.0.0.1:3001", "ws://127.0.0.1:3001/ws", "127.0.0.1:3001"),
        ("127.0.0.1:3001", "ws://127.0.0.1:3001/ws", "127.0.0.1:3001"),
        ("ws://127.0.0.1:3001/ws", "ws://127.0.0.1:3001/ws", "127.0.0.1:3001"),
        ("https://vstats.example.org/", "wss://vstats.example.org/ws", "vstats.example.org"),
        (
            "wss://me:secret@vstats.example.org/in/ws",
            "wss://vstats.example.org/in/ws",
            "vstats.example.org",
        ),
        ("http://[::1]:3001", "ws://[::1]:3001/ws", "[::1]:3001"),
    ],
)
def test_an_address_may_be_written_in_many_ways(address, url, name):
    target = Target(address)

    assert (target.url, target.name) == (url, name)
    assert (target.tls is not None) == url.startswith("wss:")


@pytest.mark.parametrize("address", ["ftp://x", "http://", "http://x:port", "http://[::1", "://"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(AddressError):
        Target(address)


def test_a_user_without_a_password_is_to_be_asked_for_it():
    target = Target("http://me@127.0.0.1")
    assert target.wants_password
    assert target.headers == {}

    target.use_password("se:cret")

    assert not target.wants_password
    assert target.headers == {"Authorization": "Basic bWU6c2U6Y3JldA=="}
    assert Target("http://me:se%3Acret@127.0.0.1").headers == target.headers


def test_a_file_of_authorities_must_hold_some(tmp_path):
    file = tmp_path / "ca.pem"
    file.write_text("nothing")

    with pytest.raises(ConfigError, match="no certificate"):
        Target("https://127.0.0.1", ca_file=file)


class Watched:
    """A link, and what it said."""

    def __init__(self, address: str) -> None:
        self.messages: list = []
        self.opened = 0
        self.states: list = []
        self.link = Link(
            Target(address),
            on_open=self._open,
            on_message=self.messages.append,
            on_change=lambda: self.states.append(self.link.state),
            backoff=Backoff(lambda low, high: low),
        )

    def _open(self) -> None:
        self.opened += 1

    @contextlib.asynccontextmanager
    async def running(self):
        task = asyncio.create_task(self.link.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def test_it_is_told_all_and_comes_back_when_it_was_lost():
    async with serving() as peers:
        watched = Watched(peers.url)
        async with watched.running():
            await until(lambda: len(watched.messages) == 2)
            assert watched.link.state == "live"
            (connection,) = peers.relay._admission.connections
            connection.cut(1011, "out of order")
            await until(lambda: watched.link.state == "waiting")
            assert watched.link.trouble == "closed by the server: out of order"
            watched.link.wake()
            await until(lambda: len(watched.messages) == 4)

    assert watched.opened == 2
    assert watched.link.trouble == ""
    assert watched.states == ["connecting", "live", "waiting", "connecting", "live"]


async def test_a_password_is_sent_along_and_a_refusal_is_explained():
    seen = []

    async def refuse(connection, request):
        seen.append(request.headers.get("Authorization"))
        return connection.respond(401, "no")

    async with serve(lambda _: None, "127.0.0.1", 0, process_request=refuse) as server:
        port = server.sockets[0].getsockname()[1]
        watched = Watched(f"http://me:secret@127.0.0.1:{port}")
        async with watched.running():
            await until(lambda: watched.link.state == "waiting")

    assert seen == ["Basic bWU6c2VjcmV0"]
    assert "password" in watched.link.trouble
    assert "secret" not in watched.link.trouble


@pytest.mark.parametrize(
    ("message", "trouble"),
    [
        ("not JSON", "not from a vStats server"),
        ("[]", "not from a vStats server"),
        (b"\xff", "not from a vStats server"),
    ],
)
async def test_what_is_no_server_of_ours_is_named(message, trouble):
    async def speak(connection):
        await connection.send(message)
        await connection.wait_closed()

    async with serve(speak, "127.0.0.1", 0) as server:
        watched = Watched(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        watched.link._on_message = lambda content: content["type"]
        async with watched.running():
            await until(lambda: watched.link.state == "waiting")

    assert trouble in watched.link.trouble


async def test_a_server_that_is_not_there_is_said_in_plain_words():
    async with serving() as peers:
        address = peers.url
    watched = Watched(address)
    async with watched.running():
        await until(lambda: watched.link.state == "waiting")

    assert watched.link.trouble == "Connection refused"
    assert watched.link.retry_at > 0
