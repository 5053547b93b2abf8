"""A text frame that arrives alone and whole is taken without the library's parser.

Nobody can tell: whatever a peer sends, in whatever segments, has the same outcome as on a
connection of the library's own, to the byte that it answers.
"""

import asyncio
import contextlib
import socket
from functools import partial
from itertools import pairwise
from unittest.mock import Mock

import pytest
from kit import raw_peer, until
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from vstats_server.net.connection import RelayConnection

MASK = bytes.fromhex("37fa213d")
LIMIT = 70_000


class Ours(RelayConnection):
    """Takes texts as an agent's session does, and counts what the library's parser gets."""

    def __init__(self, *args, taken, **kwargs):
        super().__init__(*args, on_made=lambda _: None, **kwargs)
        self.on_text = taken.append
        self.segments = 0
        self.by_library = Mock(wraps=self.protocol.receive_data)
        self.protocol.receive_data = self.by_library

    def data_received(self, data):
        self.segments += 1
        super().data_received(data)


class Theirs(ServerConnection):
    """The library's own."""

    segments = 0

    def data_received(self, data):
        self.segments += 1
        super().data_received(data)


async def handle(connection, taken):
    with contextlib.suppress(ConnectionClosed):
        while True:
            taken.append(await connection.recv(decode=False))


def masked(opcode, payload, *, fin=True, rsv1=False):
    return Frame(opcode, payload, fin, rsv1).serialize(mask=True)


def text(payload, *, fin=True):
    return masked(Opcode.TEXT, payload, fin=fin)


def with_length(length, payload, *, size_byte=127, count=8):
    """A text frame whose length is said in so many bytes."""
    masking = bytes(byte ^ MASK[place % 4] for place, byte in enumerate(payload))
    return bytes((0x81, 0x80 | size_byte)) + length.to_bytes(count, "big") + MASK + masking


def cut(frame, *places):
    return [frame[a:b] for a, b in pairwise((0, *places, len(frame)))]


CLOSE = masked(Opcode.CLOSE, (1000).to_bytes(2, "big"))
INNER = text(b"not a message")
CASES = {
    "one": [text(b"report")],
    "empty": [text(b"")],
    "of 125 bytes": [text(b"x" * 125)],
    "of 126 bytes": [text(b"x" * 126)],
    "of 127 bytes": [text(b"x" * 127)],
    "of 65,535 bytes": [text(b"x" * 65535)],
    "of 65,536 bytes": [text(b"x" * 65536)],
    "as large as may be": [text(b"x" * LIMIT)],
    "a byte larger": [text(b"x" * (LIMIT + 1))],
    "two in one segment": [text(b"one") + text(b"two"), text(b"three")],
    "with a ping in the same segment": [text(b"one") + masked(Opcode.PING, b"p"), text(b"two")],
    "cut within the head": [*cut(text(b"x" * 300), 3), text(b"two")],
    "cut after the head": [*cut(text(b"report"), 6), text(b"two")],
    "cut within the payload": [*cut(text(b"report"), 9), text(b"two")],
    "a byte at a time": [bytes((byte,)) for byte in text(b"one") + text(b"two")],
    "in two fragments": [
        text(b"o", fin=False),
        masked(Opcode.CONT, b"ne"),
        text(b"two"),
    ],
    "with a ping between fragments": [
        text(b"o", fin=False),
        masked(Opcode.PING, b"p"),
        masked(Opcode.CONT, b"ne"),
        text(b"two"),
    ],
    "a text amid fragments": [text(b"o", fin=False), text(b"two"), masked(Opcode.CONT, b"ne")],
    "what looks like a frame within another": [
        with_length(len(INNER), b"", size_byte=126, count=2)[:-4] + bytes(4),
        INNER,
        text(b"two"),
    ],
    "a length in more bytes than needed": [with_length(119, b"y" * 119), text(b"two")],
    "a small length in two bytes": [with_length(5, b"small", size_byte=126, count=2)],
    "a reserved bit": [b"\xc1" + text(b"report")[1:], text(b"two")],
    "without a mask": [b"\x81\x06report", text(b"two")],
    "an unknown opcode": [b"\x83" + text(b"report")[1:]],
    "after a Close": [CLOSE, text(b"too late")],
    "with a Close in the same segment": [text(b"one") + CLOSE, text(b"too late")],
}


async def outcome(frames, connection_class):
    """Return what was taken, what was answered, and the connection."""
    taken, made = [], []
    options = {}
    if connection_class is Ours:
        options = {"taken": taken, "buffer": memoryview(bytearray(128 * 1024))}

    def create(*args, **kwargs):
        made.append(connection_class(*args, **kwargs, **options))
        return made[-1]

    server = await serve(
        partial(handle, taken=taken),
        "127.0.0.1",
        0,
        create_connection=create,
        compression=None,
        ping_interval=None,
        close_timeout=0.2,
        max_size=LIMIT,
    )
    async with server, raw_peer(server.sockets[0].getsockname()[1]) as peer:
        peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        (connection,) = made
        for segment in (*frames, CLOSE):
            before = connection.segments
            with contextlib.suppress(ConnectionError):  # what came before may have ended it
                await asyncio.get_running_loop().sock_sendall(peer.socket, segment)
            # The next shall be a segment of its own.
            await until(lambda: connection.segments > before or connection.transport.is_closing())  # noqa: B023
        answered = await peer.rest()
    return taken, answered, connection


@pytest.mark.parametrize("frames", CASES.values(), ids=CASES)
async def test_a_text_has_the_outcome_that_it_has_with_the_library(frames):
    taken, answered, _ = await outcome(frames, Ours)

    assert (taken, answered) == (await outcome(frames, Theirs))[:2]


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_texts_that_arrive_alone_and_whole_never_meet_the_librarys_parser(loop):
    frames = [text(b"x" * size) for size in (0, 1, 125, 126, 1000, 60_000)]
    loop_factory = pytest.importorskip("uvloop").new_event_loop if loop == "uvloop" else None

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        taken, _, connection = runner.run(outcome(frames, Ours))

    assert taken == [b"x" * size for size in (0, 1, 125, 126, 1000, 60_000)]
    assert connection.by_library.call_count == 2  # the request, and the Close


async def test_a_text_is_taken_alone_and_whole_again_after_one_that_was_not():
    frames = [text(b"one") + text(b"two"), *cut(text(b"three"), 4), text(b"four")]

    taken, _, connection = await outcome(frames, Ours)

    assert taken == [b"one", b"two", b"three", b"four"]
    assert connection.by_library.call_count == 5  # the request, three segments, the Close
