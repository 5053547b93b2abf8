"""What we add to websockets' connection; a change in the library's insides fails here."""

import asyncio
import contextlib
import socket
from functools import partial

import pytest
from kit import client_frame, closed, raw_peer, serving, snapshot, until
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.frames import Frame, Opcode

from vstats_server.delivery.frames import frame
from vstats_server.net import connection as module
from vstats_server.net.connection import FULL, RelayConnection

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Station:
    """A server that only takes connections, and keeps them at hand."""

    def __init__(self):
        self.port = 0
        self.made = []
        self.received = []
        self.events = []

    async def handle(self, connection):
        connection.on_heard = partial(self.events.append, "heard")
        connection.on_writable = partial(self.events.append, "writable")
        connection.on_lost = partial(self.events.append, "lost")
        with contextlib.suppress(Exception):
            async for message in connection:
                self.received.append(message)

    def connect(self, **options):
        return connect(f"ws://127.0.0.1:{self.port}/ws", compression=None, proxy=None, **options)

    async def connection(self):
        await until(lambda: self.made and self.made[0].open)
        return self.made[0]


@pytest.fixture
async def station():
    station = Station()
    server = await serve(
        station.handle,
        "127.0.0.1",
        0,
        create_connection=partial(
            RelayConnection, on_made=station.made.append, buffer=memoryview(bytearray(65536))
        ),
        compression=None,
        ping_interval=None,
        close_timeout=module.CLOSE_GRACE,
    )
    station.port = server.sockets[0].getsockname()[1]
    yield station
    server.close(close_connections=False)
    for made in station.made:
        made.transport.abort()
    await server.wait_closed()


@pytest.fixture
def short_grace(monkeypatch):
    monkeypatch.setattr(module, "CLOSE_GRACE", 0.1)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 300_000])
def test_a_frame_is_the_one_that_the_library_would_make(size):
    message = b"x" * size

    assert frame(message) == Frame(Opcode.TEXT, message).serialize(mask=False)


async def test_a_written_frame_arrives_as_a_text_message(station):
    async with station.connect() as client:
        connection = await station.connection()

        connection.write(frame("é".encode()) + frame(b"two"))

        assert [await client.recv(), await client.recv()] == ["é", "two"]


async def test_a_connection_knows_its_peers_address(station):
    async with station.connect():
        assert (await station.connection()).address == "127.0.0.1"


async def test_a_cut_connection_is_closed_with_code_and_reason(station):
    async with station.connect() as client:
        connection = await station.connection()

        connection.cut(4409, "replaced")

        assert await closed(client) == (4409, "replaced")
    await until(lambda: connection.lost)


async def test_after_a_cut_nothing_is_written(station):
    async with raw_peer(station.port) as peer:
        connection = await station.connection()

        connection.cut(4409, "replaced")
        connection.write(frame(b"too late"))
        connection.cut(4403, "again")
        await peer.send(CLOSE, (4409).to_bytes(2, "big"))

        assert await peer.rest() == [(CLOSE, (4409).to_bytes(2, "big") + b"replaced")]


async def test_a_peer_that_never_answers_a_close_is_aborted_after_the_grace(station, short_grace):
    async with raw_peer(station.port) as peer:
        connection = await station.connection()

        connection.cut(4409, "replaced")

        await until(lambda: connection.lost)
        assert (await peer.rest())[0][0] == CLOSE


async def test_a_peer_that_reads_nothing_is_aborted_all_the_same(station, short_grace):
    async with raw_peer(station.port, receive_buffer=4096):
        connection = await station.connection()
        while not connection.full:
            connection.write(frame(b"x" * 60_000))

        connection.cut(4408, "too slow")

        await until(lambda: connection.lost)


@pytest.mark.parametrize(
    "last",
    [
        client_frame(CLOSE, (1000).to_bytes(2, "big")),
        client_frame(TEXT, b"x" * 2_000_000)[:100],
        client_frame(3),
        client_frame(PING, b"x" * 126),
        client_frame(TEXT, b"\xff"),
    ],
    ids=["Close", "oversized", "unknown opcode", "long ping", "broken UTF-8"],
)
@pytest.mark.parametrize("stalled", [False, True], ids=["reading", "not reading"])
async def test_a_peer_that_ends_the_protocol_but_not_the_connection_is_aborted(
    station, short_grace, last, stalled
):
    async with raw_peer(station.port, receive_buffer=4096) as peer:
        connection = await station.connection()
        while stalled and not connection.full:
            connection.write(frame(b"x" * 60_000))

        await asyncio.get_running_loop().sock_sendall(peer.socket, last)

        await until(lambda: connection.lost)


async def test_a_peer_that_half_closes_and_reads_nothing_is_aborted(station, short_grace):
    async with raw_peer(station.port, receive_buffer=4096) as peer:
        connection = await station.connection()
        while not connection.full:
            connection.write(frame(b"x" * 60_000))

        peer.socket.shutdown(socket.SHUT_WR)

        await until(lambda: connection.lost)


async def test_a_peer_that_is_gone_without_a_word_is_noticed(station):
    async with raw_peer(station.port):
        connection = await station.connection()

    await until(lambda: connection.lost)
    assert station.events == ["lost"]


async def test_each_data_frame_and_each_pong_is_a_sign_of_life_and_a_ping_is_none(station):
    async with raw_peer(station.port) as peer:
        await station.connection()
        await peer.send(PING, b"?")
        assert await peer.frame() == (PONG, b"?")
        assert station.events == []

        await peer.send(TEXT, b"1")
        await peer.send(PONG)
        await peer.send(TEXT, b"2", fin=False)
        await peer.send(0, b"3")
        await peer.send(BINARY, b"4")

        await until(lambda: len(station.received) == 3)
        assert station.events == ["heard"] * 5


async def test_a_ping_is_sent_once_an_interval_and_its_pong_keeps_the_connection(station):
    async with raw_peer(station.port) as peer:
        connection = await station.connection()
        connection.keep_alive(0.05)

        for _ in range(4):
            assert await peer.frame() == (PING, b"")
            await peer.send(PONG)

        assert connection.open


async def test_a_peer_without_a_pong_in_an_interval_is_closed_with_1011(station):
    async with raw_peer(station.port) as peer:
        connection = await station.connection()

        connection.keep_alive(0.05)

        assert await peer.frame() == (PING, b"")
        assert await peer.frame() == (CLOSE, (1011).to_bytes(2, "big") + b"no pong")


async def test_a_message_is_no_pong(station):
    async with raw_peer(station.port) as peer:
        connection = await station.connection()

        connection.keep_alive(0.05)
        await peer.frame()
        await peer.send(TEXT, b"here I am")

        assert (await peer.frame())[0] == CLOSE


async def test_nothing_is_pinged_after_the_end(station):
    async with raw_peer(station.port):
        connection = await station.connection()
        connection.keep_alive(0.05)

    await until(lambda: connection.lost)
    assert connection._ping_timer.cancelled()


async def test_a_peer_that_asks_for_pongs_and_takes_none_gets_bounded_memory(station):
    loop = asyncio.get_running_loop()
    pings = client_frame(PING, b"x" * 125) * 1000
    async with raw_peer(station.port, receive_buffer=4096) as peer:
        connection = await station.connection()
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(5):
                while not connection.lost:
                    await loop.sock_sendall(peer.socket, pings)
                    assert connection.unsent < 16 * FULL

        assert connection.lost


async def test_a_slow_reader_may_ping_while_its_buffer_is_full(station):
    async with raw_peer(station.port, receive_buffer=4096) as peer:
        connection = await station.connection()
        while not connection.full:
            connection.write(frame(b"x" * 60_000))

        for _ in range(20):
            await peer.send(PING)
        await peer.send(TEXT, b"still here")

        await until(lambda: station.received)
        assert connection.open


async def test_a_full_connection_says_when_it_can_be_written_to_again(station):
    async with raw_peer(station.port, receive_buffer=4096) as peer:
        connection = await station.connection()
        count = 0
        while not connection.full:
            connection.write(frame(b"x" * 60_000))
            count += 1
        assert connection.unsent > FULL == connection.transport.get_write_buffer_limits()[1]

        for _ in range(count):
            await peer.frame()

        await until(lambda: not connection.full)
        assert "writable" in station.events


async def test_a_message_beyond_the_limit_is_closed_with_1009(station):
    async with station.connect() as client:
        (await station.connection()).limit_messages(4096)

        await client.send("x" * 4096)
        await client.send("x" * 4097)

        assert (await closed(client))[0] == 1009
    assert station.received == ["x" * 4096]


async def test_a_message_in_fragments_is_limited_as_a_whole(station):
    async with raw_peer(station.port) as peer:
        (await station.connection()).limit_messages(4096)

        await peer.send(TEXT, b"x" * 4000, fin=False)
        await peer.send(0, b"x" * 97)

        assert (await peer.frame())[1][:2] == (1009).to_bytes(2, "big")


async def test_the_kernel_holds_little_for_a_slow_reader(station):
    async with raw_peer(station.port, receive_buffer=4096):
        connection = await station.connection()
        connection.limit_kernel_buffer()

        written = 0
        while not connection.full:
            connection.write(frame(b"x" * 10_000))
            written += 10_004
        assert written < 8 * FULL


async def test_a_connection_that_has_sent_no_request_is_aborted_when_cut(station):
    loop = asyncio.get_running_loop()
    with socket.socket() as link:
        link.settimeout(0)
        await loop.sock_connect(link, ("127.0.0.1", station.port))
        await until(lambda: station.made)

        station.made[0].cut(1001, "bye")

        await until(lambda: station.made[0].lost)


async def test_an_open_connection_holds_no_headers_any_more():
    async with serving() as peers, peers.dashboard() as dashboard:
        await snapshot(dashboard)
        (connection,) = peers.relay._admission.dashboards

        assert list(connection.request.headers) == []
        assert connection.response is None
        # Frames are still told from a handshake.
        await (await dashboard.ping())
