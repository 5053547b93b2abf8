"""Frames that no client of good will sends, on both doors."""

import asyncio
import contextlib
import itertools
import time

import pytest
from kit import TOKEN, client_frame, metrics, raw_peer, receive, until

from vstats_server.net import connection as module

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
DOORS = {"dashboard": "/ws", "agent": f"/ws/agent?token={TOKEN}"}
AGENT = DOORS["agent"]

both = pytest.mark.parametrize("path", DOORS.values(), ids=DOORS)


def raw(first: int, second: int, rest: bytes = b"") -> bytes:
    return bytes((first, second)) + rest


def closing(code: int, reason: bytes = b"") -> bytes:
    return client_frame(CLOSE, code.to_bytes(2, "big") + reason)


async def ends(peers, path: str, data: bytes) -> tuple[int, bytes]:
    """Send the bytes; return code and reason of the Close that is the answer."""
    async with raw_peer(peers.port, path) as peer:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(peer.socket, data)
        frames = await peer.rest()
    opcode, payload = frames[-1]
    assert opcode == CLOSE
    assert all(opcode != CLOSE for opcode, _ in frames[:-1])
    return int.from_bytes(payload[:2], "big"), payload[2:]


MALFORMED = {
    "reserved bit 1, as compression uses it": raw(0xC1, 0x81, bytes(5)),
    "reserved bit 2": raw(0xA1, 0x81, bytes(5)),
    "reserved bit 3": raw(0x91, 0x81, bytes(5)),
    "all reserved bits": raw(0xF1, 0x81, bytes(5)),
    **{f"opcode {code}": raw(0x80 | code, 0x80, bytes(4)) for code in (3, 4, 5, 6, 7)},
    **{f"opcode {code}": raw(0x80 | code, 0x80, bytes(4)) for code in (11, 12, 13, 14, 15)},
    "no mask": raw(0x81, 0x02, b"{}"),
    "no mask, a ping": raw(0x89, 0x00),
    "a ping of 126 bytes": client_frame(PING, bytes(126)),
    "a close of 126 bytes": client_frame(CLOSE, b"\x03\xe8" + b"x" * 124),
    "a ping of 64 KiB": client_frame(PING, bytes(4000)),
    "a ping in fragments": client_frame(PING, fin=False),
    "a close in fragments": client_frame(CLOSE, fin=False),
    "a fragment of nothing": client_frame(CONT, b"x"),
    "a last fragment of nothing, empty": client_frame(CONT),
    "a text inside a text": client_frame(TEXT, b"a", fin=False) + client_frame(TEXT, b"b"),
    "a binary inside a text": client_frame(TEXT, b"a", fin=False) + client_frame(BINARY, b"b"),
    "a close of one byte": client_frame(CLOSE, b"x"),
    **{
        f"a close with {code}": closing(code)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)
    },
    "a close inside a text": client_frame(TEXT, b"a", fin=False) + closing(1000),
    "plain HTTP again": b"GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
}


@both
@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
async def test_a_frame_against_the_rules_is_closed_with_1002(peers, path, data):
    code, reason = await ends(peers, path, data)

    assert code == 1002
    assert len(reason) <= 123


@both
async def test_a_close_whose_reason_is_not_utf_8_is_closed_with_1007(peers, path):
    assert (await ends(peers, path, closing(1000, b"\xff\xfe")))[0] == 1007


@both
@pytest.mark.parametrize("opcode", [TEXT, BINARY, TEXT | 0x80, CONT | 0x80, PING | 0x80])
@pytest.mark.parametrize("size", [2**62, 2**63 - 1, 2**63, 2**64 - 1, 2**32, 262_145])
async def test_the_head_alone_of_a_message_too_large_is_refused_at_once(peers, path, opcode, size):
    """Nothing of the message is waited for, let alone kept."""
    head = raw(opcode, 0xFF, size.to_bytes(8, "big"))

    assert (await ends(peers, path, head))[0] == 1009


@both
async def test_a_frame_of_no_minimal_length_does_no_harm(peers, path):
    data = raw(0x8A, 0xFF, (2).to_bytes(8, "big") + bytes(4) + b"ab")

    assert (await ends(peers, path, data + closing(1000)))[0] in (1000, 1002)


@both
@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 3000, 4999])
async def test_a_close_by_the_rules_is_answered_with_its_own_code(peers, path, code):
    assert await ends(peers, path, closing(code, b"bye")) == (code, b"bye")


@both
async def test_a_close_without_a_code_is_answered_without_one(peers, path):
    assert await ends(peers, path, client_frame(CLOSE)) == (0, b"")


@both
async def test_nothing_after_a_close_counts(peers, path):
    after = client_frame(TEXT, metrics().encode()) + client_frame(PING, b"x") + b"\xff" * 5000
    async with peers.dashboard() as watcher:
        assert await ends(peers, path, closing(1000) + after) == (1000, b"")

        await receive(watcher, "server_added")
    assert all(state.report is None for state in peers.relay._hub._states.values())


@both
async def test_fragments_without_an_end_are_closed_with_1009_when_they_are_too_many_bytes(
    peers, path
):
    size = 1024 if path != AGENT else 65536
    fragments = client_frame(CONT, bytes(size), fin=False) * 8

    assert (await ends(peers, path, client_frame(TEXT, fin=False) + fragments))[0] == 1009


@both
async def test_empty_fragments_in_a_flood_are_closed_with_4429(peers, path):
    flood = client_frame(TEXT, fin=False) + client_frame(CONT, fin=False) * 5000

    assert (await ends(peers, path, flood))[0] == 4429


@both
async def test_a_message_of_more_than_4096_fragments_is_closed_with_1009(peers, path, monkeypatch):
    """However slowly they come."""
    monkeypatch.setattr(module, "MOST_SMALL_FRAMES", 1_000_000)
    storm = client_frame(TEXT, fin=False) + client_frame(CONT, fin=False) * 5000

    assert (await ends(peers, path, storm))[0] == 1009


async def test_an_agents_message_in_fragments_is_taken_whole(peers):
    text = metrics(hostname="NAME", uptime=77).replace("NAME", "müller").encode()
    cuts = [0, 1, 2, text.index("ü".encode()) + 1, len(text)]
    parts = [text[a:b] for a, b in itertools.pairwise(cuts)]
    async with raw_peer(peers.port, AGENT) as peer, peers.dashboard() as dashboard:
        for number, part in enumerate(parts):
            opcode = CONT if number else TEXT
            await peer.send(opcode, part, fin=number == len(parts) - 1)
            await peer.send(PING, b"between")

        report = (await receive(dashboard, "metrics"))["data"]["metrics"]
    assert (report["hostname"], report["uptime"]) == ("müller", 77)


@pytest.mark.parametrize(
    "parts", [[b"\xff"], [b"ok", b"\xc3"], [b'"\xed\xa0\x80"'], [b"\xc3", b"("]], ids=repr
)
async def test_broken_utf_8_of_an_agent_is_closed_with_1007_in_fragments_too(peers, parts):
    data = b"".join(
        client_frame(CONT if number else TEXT, part, fin=number == len(parts) - 1)
        for number, part in enumerate(parts)
    )

    assert (await ends(peers, AGENT, data))[0] == 1007


@pytest.mark.parametrize("fin", [True, False])
async def test_a_binary_message_is_closed_with_1003_in_fragments_too(peers, fin):
    data = client_frame(BINARY, b"\x00", fin=fin) + (b"" if fin else client_frame(CONT))

    assert (await ends(peers, AGENT, data))[0] == 1003


FLOODS = {
    "pings": client_frame(PING),
    "pings that want much back": client_frame(PING, bytes(125)),
    "pongs": client_frame(PONG),
    "empty texts": client_frame(TEXT),
    "texts": client_frame(TEXT, b"{}"),
    "heartbeats": client_frame(TEXT, b'{"type":"heartbeat"}'),
    "empty binaries": client_frame(BINARY),
    "messages in two": client_frame(TEXT, fin=False) + client_frame(CONT),
    "messages in two with pings between": client_frame(TEXT, b"{", fin=False)
    + client_frame(PING)
    + client_frame(CONT, b"}"),
}


@both
@pytest.mark.parametrize("frames", FLOODS.values(), ids=FLOODS)
@pytest.mark.parametrize("reads", [True, False], ids=["reads", "reads nothing"])
async def test_a_flood_neither_holds_the_loop_nor_fills_the_memory(  # noqa: PLR0917 - a scenario
    peers, path, frames, reads, turns, monkeypatch
):
    monkeypatch.setattr(module, "CLOSE_GRACE", 0.2)
    loop = asyncio.get_running_loop()
    flood = frames * (400_000 // len(frames))
    unsent = []
    async with peers.dashboard() as healthy, raw_peer(peers.port, path) as peer:
        await receive(healthy, "server_added")
        hostile = next(c for c in peers.relay._admission.connections if c.was_cut is False)
        reading = asyncio.create_task(peer.rest()) if reads else None
        sending = asyncio.create_task(loop.sock_sendall(peer.socket, flood))
        deadline = time.monotonic() + 3
        while not sending.done() and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
            unsent += [c.unsent for c in peers.relay._admission.connections]
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await sending
        if reading is not None:
            reading.cancel()
        assert hostile is not None
        assert max(unsent, default=0) < 4 * module.FULL
        assert (await healthy.ping()) is not None


async def test_a_flood_of_pings_is_closed_with_4429(peers):
    flood = client_frame(PING) * 5000
    async with raw_peer(peers.port) as peer:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(peer.socket, flood)
        frames = await peer.rest()

    closes = [payload for opcode, payload in frames if opcode == CLOSE]
    assert closes == [(4429).to_bytes(2, "big") + b"too many frames"]


async def test_pings_that_are_no_flood_are_answered_each(peers):
    async with raw_peer(peers.port, AGENT) as peer:
        for number in range(200):
            await peer.send(PING, b"%d" % number)
        answers = [await peer.frame() for _ in range(200)]

    assert answers == [(PONG, b"%d" % number) for number in range(200)]


async def test_many_who_drop_dead_in_the_middle_of_a_frame_leave_nothing(peers, caplog):
    half = client_frame(TEXT, metrics().encode())[:500]
    for _ in range(50):
        for path in DOORS.values():
            async with raw_peer(peers.port, path) as peer:
                await asyncio.get_running_loop().sock_sendall(peer.socket, half)

    await until(lambda: not peers.relay._admission.connections)
    # Coming, going and taking the place of the one before: three lines of an agent, none more.
    assert len([r for r in caplog.records if r.name.startswith("vstats_")]) <= 3 * 50 + 1
