"""A server that means harm to its agents: it gets their reports, late, and nothing else.

Whatever it does, the agent neither grows, nor hangs, nor ends, nor does as it is told: it reports
again as soon as a server lets it.
"""

import asyncio
import contextlib
import zlib

import pytest
from kit import TOKEN, until
from watching import assert_sober
from websockets.utils import accept_key

from vstats_core.agent.link import uplink as module
from vstats_core.agent.link.uplink import Uplink
from vstats_core.backoff import Backoff

REPORT = b'{"timestamp":"2024-01-01T12:00:00Z","hostname":"web-1"}'
MOST_TAKEN = 16 * 1024 * 1024
"""Bytes that the agent may take of something endless: what the kernel holds on the way is most."""
PATIENCE = 8.0


def packed(wbits):
    """Return 50 MB in 50 KB."""
    packer = zlib.compressobj(wbits=wbits)
    return packer.compress(bytes(50_000_000)) + packer.flush()


GZIP, DEFLATE = packed(31), packed(-15)

pytestmark = pytest.mark.usefixtures("turns")


class Villain:
    """A server that plays one trick on its first connection, and is as it should be from then on."""

    def __init__(self, trick):
        self.trick = trick
        self.connections = 0
        self.sent = 0
        self.messages = asyncio.Queue()
        self.tasks = set()
        self.writers = []

    @contextlib.asynccontextmanager
    async def serving(self):
        server = await asyncio.start_server(self.handle, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws/agent"
        try:
            yield self
        finally:
            # A connection that is just being accepted must be one before its server ends.
            for _ in range(10):
                await asyncio.sleep(0)
            server.close()
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks)
            # An aborted connection is gone a turn later.
            await until(
                lambda: all(
                    writer.transport.get_extra_info("socket").fileno() < 0
                    for writer in self.writers
                )
            )

    async def handle(self, reader, writer):
        self.tasks.add(asyncio.current_task())
        self.connections += 1
        self.reader, self.writer = reader, writer
        self.writers.append(writer)
        writer.transport.set_write_buffer_limits(0)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            assert f"Authorization: Bearer {TOKEN}\r\n".encode() in head
            self.key = head.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0].decode()
            if self.connections == 1:
                await self.trick(self)
            else:
                await self.upgrade()
                await self.take()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    async def upgrade(self, extra=b""):
        await self.say(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept_key(self.key).encode() + b"\r\n" + extra + b"\r\n"
        )

    async def say(self, data):
        self.writer.write(data)
        await self.writer.drain()
        self.sent += len(data)
        # It shares its loop with the agent.
        await asyncio.sleep(0)

    async def endless(self, data):
        """Say it for as long as the agent takes it."""
        async with asyncio.timeout(PATIENCE):
            while True:
                await self.say(data)

    async def take(self):
        """Put each message of the agent into the queue."""
        while True:
            first, second = await self.reader.readexactly(2)
            size = second & 0x7F
            if size == 126:
                size = int.from_bytes(await self.reader.readexactly(2), "big")
            mask = await self.reader.readexactly(4)
            data = await self.reader.readexactly(size)
            if first & 0x0F == 1:
                self.messages.put_nowait(bytes(b ^ mask[i % 4] for i, b in enumerate(data)))


def frame(first, payload=b""):
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    return bytes((first, 126)) + size.to_bytes(2, "big") + payload


# Before the upgrade.


async def endless_header_line(villain):
    await villain.say(b"HTTP/1.1 101 Switching Protocols\r\nX: ")
    await villain.endless(b"y" * 65536)


async def endless_headers(villain):
    await villain.say(b"HTTP/1.1 101 Switching Protocols\r\n")
    await villain.endless(b"X: y\r\n" * 10_000)


async def endless_status_line(villain):
    await villain.endless(b"HTTP/1.1 101 " + b"x" * 65536)


async def endless_body(villain):
    await villain.say(b"HTTP/1.1 503 Busy\r\n\r\n")
    await villain.endless(b"y" * 65536)


async def body_of_an_exabyte(villain):
    await villain.say(b"HTTP/1.1 503 Busy\r\nContent-Length: 1000000000000000000\r\n\r\n")
    await villain.endless(b"y" * 65536)


async def endless_chunks(villain):
    await villain.say(b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n")
    await villain.endless(b"10000\r\n" + b"y" * 65536 + b"\r\n")


async def bomb_in_a_body(villain):
    length = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(GZIP)
    await villain.say(b"HTTP/1.1 503 Busy\r\n" + length + GZIP)


async def redirect(villain):
    await villain.say(b"HTTP/1.1 302 Found\r\nLocation: ws://169.254.169.254/\r\n\r\n")


async def redirect_to_itself(villain):
    target = villain.url.encode()
    await villain.say(b"HTTP/1.1 308 Permanent Redirect\r\nLocation: " + target + b"\r\n\r\n")


async def no_http(villain):
    await villain.endless(bytes(range(256)) * 256)


async def wrong_key(villain):
    villain.key = "AAAAAAAAAAAAAAAAAAAAAA=="
    await villain.upgrade()


async def compression_that_nobody_asked_for(villain):
    await villain.upgrade(b"Sec-WebSocket-Extensions: permessage-deflate\r\n")


async def subprotocol_that_nobody_asked_for(villain):
    await villain.upgrade(b"Sec-WebSocket-Protocol: shell\r\n")


async def colours_in_the_reason(villain):
    await villain.say(b"HTTP/1.1 503 \x1b[31mred\x07\r\n\r\n")


# After it.


async def bomb(villain):
    await villain.upgrade()
    await villain.say(frame(0xC1, DEFLATE[:65535]))
    await villain.take()


async def message_too_large(villain):
    await villain.upgrade()
    await villain.say(b"\x81\x7f" + (2**62).to_bytes(8, "big"))
    await villain.endless(b"y" * 65536)


async def message_of_many_fragments(villain):
    await villain.upgrade()
    await villain.say(frame(0x01))
    await villain.endless(frame(0x00) * 1000)


async def message_in_fragments_too_large(villain):
    await villain.upgrade()
    await villain.say(frame(0x01))
    await villain.endless(frame(0x00, b"y" * 60_000))


async def flood_of_pings(villain):
    await villain.upgrade()
    reading = asyncio.create_task(villain.take())
    try:
        await villain.endless(frame(0x89, b"x" * 125) * 500)
    finally:
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await reading


async def flood_of_pongs(villain):
    await villain.upgrade()
    await villain.endless(frame(0x8A) * 30_000)


async def flood_of_messages(villain):
    await villain.upgrade()
    await villain.endless(frame(0x81, b"{}") * 10_000)


async def flood_of_errors(villain):
    error = b'{"type":"error","data":{"code":"x\\u001b[31m","message":"\\n\\n","errors":[]}}'
    await villain.upgrade()
    await villain.endless(frame(0x81, error) * 500)


async def masked(villain):
    await villain.upgrade()
    await villain.say(b"\x81\x82\x00\x00\x00\x00{}")
    await villain.take()


async def reserved_bits(villain):
    await villain.upgrade()
    await villain.say(frame(0xF1, b"{}"))
    await villain.take()


async def unknown_opcode(villain):
    await villain.upgrade()
    await villain.say(frame(0x8B))
    await villain.take()


async def broken_utf_8(villain):
    await villain.upgrade()
    await villain.say(frame(0x81, b"\xff\xfe"))
    await villain.take()


async def close_without_a_code(villain):
    await villain.upgrade()
    await villain.say(frame(0x88))


async def close_with_a_code_that_is_none(villain):
    await villain.upgrade()
    await villain.say(frame(0x88, (1006).to_bytes(2, "big")))
    await villain.take()


async def close_that_paints(villain):
    await villain.upgrade()
    await villain.say(frame(0x88, (4400).to_bytes(2, "big") + "\x1b[31m\u202e\r\n".encode()))


async def close_and_talk_on(villain):
    await villain.upgrade()
    await villain.say(frame(0x88, (1000).to_bytes(2, "big")))
    await villain.endless(frame(0x89, b"x") * 1000)


async def reset(villain):
    await villain.upgrade()
    villain.writer.transport.abort()


async def half_close(villain):
    await villain.upgrade()
    villain.writer.write_eof()
    await villain.take()


TRICKS = [
    endless_header_line,
    endless_headers,
    endless_status_line,
    endless_body,
    body_of_an_exabyte,
    endless_chunks,
    bomb_in_a_body,
    redirect,
    redirect_to_itself,
    no_http,
    wrong_key,
    compression_that_nobody_asked_for,
    subprotocol_that_nobody_asked_for,
    colours_in_the_reason,
    bomb,
    message_too_large,
    message_of_many_fragments,
    message_in_fragments_too_large,
    flood_of_pings,
    flood_of_pongs,
    flood_of_messages,
    flood_of_errors,
    masked,
    reserved_bits,
    unknown_opcode,
    broken_utf_8,
    close_without_a_code,
    close_with_a_code_that_is_none,
    close_that_paints,
    close_and_talk_on,
    reset,
    half_close,
]


@contextlib.asynccontextmanager
async def agent(url, pause=0.0):
    """An agent's way to the server, which comes back after this pause at most."""
    delays = []

    async def sleep(delay):
        delays.append(delay)
        await asyncio.sleep(min(delay, pause))

    uplink = Uplink(url, TOKEN, backoff=Backoff(lambda _low, high: high), sleep=sleep)
    uplink.offer(REPORT)
    task = asyncio.create_task(uplink.run())
    try:
        yield uplink, delays
        assert not task.done()
    finally:
        task.cancel()
        async with asyncio.timeout(2):
            with contextlib.suppress(asyncio.CancelledError):
                await task


@pytest.mark.parametrize("trick", TRICKS, ids=lambda trick: trick.__name__.replace("_", " "))
async def test_whatever_a_server_does_the_agent_comes_back_and_reports(trick, caplog, monkeypatch):
    monkeypatch.setattr(module, "OPEN_TIMEOUT", 1.0)
    assert module.CLOSE_TIMEOUT == 2
    monkeypatch.setattr(module, "CLOSE_TIMEOUT", 0.3)
    async with Villain(trick).serving() as villain, agent(villain.url) as (_, delays):
        async with asyncio.timeout(PATIENCE):
            message = b""
            while villain.connections < 2 or not message:
                message = await villain.messages.get()

    assert message == b'{"type":"metrics","data":' + REPORT + b"}"
    # What comes after a proper goodbye is thrown away unseen, for as long as a goodbye may take.
    assert villain.sent < MOST_TAKEN or trick is close_and_talk_on
    # It waited before it came again.
    assert delays[0] >= 1
    assert_sober(caplog.records, TOKEN)


async def say_nothing(villain):
    await asyncio.Event().wait()


async def drip_headers(villain):
    await villain.say(b"HTTP/1.1 101 Switching Protocols\r\n")
    while True:
        await villain.say(b"X: y\r\n")
        await asyncio.sleep(0.05)


async def drip_a_status_line(villain):
    while True:
        await villain.say(b"H")
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "trick",
    [say_nothing, drip_headers, drip_a_status_line],
    ids=lambda trick: trick.__name__.replace("_", " "),
)
async def test_a_server_that_never_finishes_its_answer_is_left(trick, caplog, monkeypatch):
    assert module.OPEN_TIMEOUT == 10
    monkeypatch.setattr(module, "OPEN_TIMEOUT", 0.2)
    async with Villain(trick).serving() as villain, agent(villain.url):
        async with asyncio.timeout(PATIENCE):
            assert await villain.messages.get()

    assert villain.connections >= 2
    assert_sober(caplog.records, TOKEN)


async def test_a_server_that_drips_a_message_still_gets_reports_until_it_misses_a_pong(
    monkeypatch, caplog
):
    monkeypatch.setattr(module, "PING_INTERVAL", 0.3)
    monkeypatch.setattr(module, "PONG_TIMEOUT", 0.2)
    taken = []

    async def drip(villain):
        await villain.upgrade()
        reading = asyncio.create_task(villain.take())
        await villain.say(b"\x81\x7e\xff\xff")
        try:
            while True:
                await villain.say(b" ")
                await asyncio.sleep(0.01)
                while not villain.messages.empty():
                    taken.append(villain.messages.get_nowait())
                    uplink.offer(REPORT)
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await reading

    async with Villain(drip).serving() as villain, agent(villain.url) as (uplink, _):
        async with asyncio.timeout(PATIENCE):
            await until(lambda: villain.connections >= 2, within=PATIENCE)

    assert len(taken) > 5
    assert_sober(caplog.records, TOKEN)


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 1013, 4400, 4403, 4408, 4429])
async def test_a_server_that_closes_at_once_for_ever_is_asked_ever_less_often(code, caplog):
    async def close(villain):
        await villain.upgrade()
        await villain.say(frame(0x88, code.to_bytes(2, "big") + b"go away"))
        villain.connections = 0

    async with Villain(close).serving() as villain, agent(villain.url) as (_, delays):
        async with asyncio.timeout(PATIENCE):
            await until(lambda: len(delays) >= 12, within=PATIENCE)

    assert delays[:7] == [1, 2, 4, 8, 16, 30, 30]
    # One of these a minute or so: its log may say it each time it doubles.
    assert len(caplog.records) < 3 * 12
    assert_sober(caplog.records, TOKEN)


async def test_an_agent_under_a_flood_still_does_its_own_work():
    rounds = 0

    async def work():
        nonlocal rounds
        while True:
            await asyncio.sleep(0.02)
            rounds += 1

    async def always(villain):
        await flood_of_pings(villain)

    async with Villain(always).serving() as villain, agent(villain.url):
        working = asyncio.create_task(work())
        async with asyncio.timeout(PATIENCE):
            await villain.messages.get()
        await asyncio.sleep(0.1)
        working.cancel()

    assert rounds >= 3


async def test_proxies_of_the_environment_are_not_told_the_token(monkeypatch):
    asked = []

    async def proxy(reader, writer):
        asked.append(await reader.read(1000))
        writer.close()

    async def nothing(villain):
        await villain.upgrade()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "socks_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        monkeypatch.setenv(name.upper(), f"http://127.0.0.1:{port}")
    async with Villain(nothing).serving() as villain, agent(villain.url):
        async with asyncio.timeout(PATIENCE):
            await villain.messages.get()
    server.close()

    assert not asked
