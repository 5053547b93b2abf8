"""Our connection takes shortcuts; whatever comes, it does what the library's own would do."""

import asyncio
import os
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wires import MOST, ours, plain

CORPUS = sorted((Path(__file__).parent / "corpus" / "frames").iterdir())
EXAMPLES = int(os.environ.get("VSTATS_FUZZ_EXAMPLES", "2000"))
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    key: bytes = b"\x01\x80\xff\x00",
    masked: bool = True,
    width: int | None = None,
    claimed: int | None = None,
) -> bytes:
    """Return a frame, right in all or wrong in some of what makes one."""
    size = len(payload) if claimed is None else claimed
    if width is None:
        width = 0 if size < 126 else 2 if size < 65536 else 8
    short = {0: size & 0x7F, 2: 126, 8: 127}[width]
    head = bytes(((0x80 if fin else 0) | rsv << 4 | opcode, (0x80 if masked else 0) | short))
    if width:
        head += (size & (2 ** (8 * width) - 1)).to_bytes(width, "big")
    if not masked:
        return head + payload
    return head + key + bytes(byte ^ key[n % 4] for n, byte in enumerate(payload))


keys = st.one_of(st.just(bytes(4)), st.binary(min_size=4, max_size=4))
sizes = st.sampled_from(
    [0, 1, 2, 7, 124, 125, 126, 127, 128, 1000, MOST - 1, MOST, MOST + 1, 65536]
)
payloads = st.one_of(
    st.sampled_from(
        [
            b"", b"{}", b'{"type":"heartbeat"}', "é𝄞\u2028".encode(), b"\x00", b"\xff", b"\xc3",
            b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf{}",
        ]
    ),
    sizes.map(lambda size: b"x" * size),
    st.binary(max_size=20),
)  # fmt: skip
short = st.binary(max_size=4)
controls = st.one_of(
    st.builds(frame, st.sampled_from([PING, PONG]), short, key=keys),
    st.just(frame(PING, b"x" * 125)),
)
whole = st.builds(frame, st.sampled_from([TEXT, TEXT, TEXT, BINARY]), payloads, key=keys)


@st.composite
def fragmented(draw: st.DrawFn) -> bytes:
    """Return a message in pieces, with control frames between them."""
    payload = draw(payloads)
    cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=4)))
    pieces = [payload[a:b] for a, b in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
    result = b""
    for number, piece in enumerate(pieces):
        opcode = CONT if number else draw(st.sampled_from([TEXT, TEXT, BINARY]))
        result += frame(opcode, piece, fin=number == len(pieces) - 1, key=draw(keys))
        if draw(st.booleans()):
            result += draw(controls)
    return result


closes = st.one_of(
    st.just(frame(CLOSE)),
    st.builds(
        lambda code, reason: frame(CLOSE, struct.pack("!H", code) + reason),
        st.sampled_from(
            [0, 999, 1000, 1001, 1002, 1005, 1006, 1007, 1015, 3000, 4400, 5000, 65535]
        ),
        st.sampled_from([b"", b"bye", b"\xff", "é".encode(), b"x" * 123, b"x" * 124]),
    ),
    st.just(frame(CLOSE, b"x")),
)
malformed = st.one_of(
    st.builds(
        frame,
        st.integers(0, 15),
        payloads,
        fin=st.booleans(),
        rsv=st.sampled_from([0, 0, 1, 2, 4, 7]),
        key=keys,
        masked=st.sampled_from([True, True, False]),
        width=st.sampled_from([None, 2, 8]),
        claimed=st.sampled_from([None, None, 0, 3, 125, MOST + 1, 2**63 - 1, 2**63, 2**64 - 1]),
    ),
    st.binary(max_size=12),
)
streams = st.lists(
    st.one_of(whole, whole, controls, fragmented(), closes, malformed), min_size=1, max_size=7
).map(b"".join)


@st.composite
def reads(draw: st.DrawFn) -> list[bytes]:
    """Return a stream in the pieces in which the network happens to hand it over."""
    if draw(st.integers(0, 4)) == 0:
        # Frame by frame, as most of them come.
        return draw(
            st.lists(st.one_of(whole, controls, fragmented(), closes), min_size=2, max_size=7)
        )
    stream = draw(streams)
    near = st.integers(0, min(len(stream), 40))
    cuts = sorted(draw(st.lists(st.one_of(near, st.integers(0, len(stream))), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    return [piece for piece in pieces if piece]


async def outcome(peer, pieces, armed_after, closed_after):
    """Return what comes of the pieces; ``on_text`` is set, and we say goodbye, before these."""
    for number, piece in enumerate(pieces):
        if hasattr(peer.connection, "on_text") and number == armed_after:
            peer.connection.on_text = peer.take_text
        if number == closed_after:
            peer.close()
        await peer.feed(piece)
    await peer.end()
    return peer.outcome()


@pytest.fixture(scope="module")
def runner():
    with asyncio.Runner() as runner:
        yield runner


async def compare(pieces, armed_after=0, closed_after=None):
    expected = await outcome(plain(), pieces, armed_after, closed_after)
    assert await outcome(ours(), pieces, armed_after, closed_after) == expected
    return expected


@given(reads(), st.sampled_from([0, 0, 0, 1, 3]), st.sampled_from([None, None, None, 1, 2]))
@settings(max_examples=EXAMPLES // 2, suppress_health_check=list(HealthCheck))
def test_whatever_bytes_come_in_whatever_pieces_ours_does_what_the_librarys_does(
    runner, pieces, armed_after, closed_after
):
    runner.run(compare(pieces, armed_after, closed_after))


INNER = frame(TEXT, b'{"type":"heartbeat"}', key=bytes(4))
OUTER = {
    "a binary": lambda inner: frame(BINARY, b"x" + inner + b"y", key=bytes(4)),
    "a ping": lambda inner: frame(PING, b"x" + inner + b"y", key=bytes(4)),
    "a binary of which it is the end": lambda inner: frame(BINARY, b"x" + inner, key=bytes(4)),
    "a second fragment": lambda inner: (
        frame(BINARY, b"x", fin=False) + frame(CONT, inner, key=bytes(4))
    ),
    "a long head": lambda inner: frame(BINARY, inner + b"y" * 200, key=bytes(4)),
}


@pytest.mark.parametrize("outer", OUTER.values(), ids=OUTER)
def test_what_looks_like_a_frame_inside_of_one_is_none(runner, outer):
    """Although a read of its own brings it, with all that makes a frame."""
    stream = outer(INNER)
    at = stream.index(INNER)
    pieces = [stream[:at], INNER, stream[at + len(INNER) :]]

    expected = runner.run(compare([piece for piece in pieces if piece]))

    assert ("text", b'{"type":"heartbeat"}') not in expected["taken"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([frame(TEXT, b"1", fin=False), frame(CONT, b"2")], [frame(TEXT, b"3")]),
        ([frame(TEXT, b"1", fin=False)], [frame(CONT, b"2"), frame(TEXT, b"3")]),
        ([frame(BINARY, b"12")], [frame(TEXT, b"3")]),
    ],
)
def test_a_text_overtakes_nothing_that_waits(runner, before, after):
    """The reads come so fast that nobody has had a turn between them."""

    async def taken(peer):
        await peer.feed(b"")
        if hasattr(peer.connection, "on_text"):
            peer.connection.on_text = peer.take_text
        for piece in [*before, *after]:
            peer.arrive(piece)
        await peer.end()
        return [text for _, text in peer.taken]

    assert runner.run(taken_by(taken, plain)) == [b"12", b"3"]
    assert runner.run(taken_by(taken, ours)) == [b"12", b"3"]


async def taken_by(taken, make):
    return await taken(make())


GOOD = b"".join(
    [
        frame(TEXT, b'{"type":"heartbeat"}'),
        frame(TEXT, b"a" * 125) + frame(TEXT, b"b" * 126) + frame(TEXT, b"c" * 127),
        frame(TEXT, "ü".encode(), fin=False),
        frame(PING, b"between"),
        frame(CONT, "ü".encode()[:1], fin=False),
        frame(CONT, "ü".encode()[1:]),
        frame(TEXT, b""),
        frame(BINARY, b"\x00"),
        frame(PONG),
        frame(TEXT, b"last"),
        frame(CLOSE, b"\x03\xe8"),
        frame(TEXT, b"too late"),
    ]
)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, 64, 127, 1024])
def test_a_good_stream_in_reads_of_any_size_is_taken_whole_and_in_order(runner, size):
    pieces = [GOOD[at : at + size] for at in range(0, len(GOOD), size)]

    expected = runner.run(compare(pieces))

    texts = [text for kind, text in expected["taken"] if kind == "text"]
    assert texts == [
        b'{"type":"heartbeat"}', b"a" * 125, b"b" * 126, b"c" * 127, "üü".encode(), b"", b"last",
    ]  # fmt: skip
    assert expected["taken"][6] == ("binary", b"\x00")
    assert expected["sent"] == [(PONG, b"between")]
    assert expected["closed"] == [1000]


def test_a_good_stream_cut_in_two_anywhere_is_the_same(runner):
    whole = runner.run(compare([GOOD]))

    for at in range(1, len(GOOD)):
        assert runner.run(compare([GOOD[:at], GOOD[at:]])) == whole


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_what_once_was_interesting_is_still_the_same(runner, path):
    stream = path.read_bytes()[1:]
    for at in range(min(len(stream), 40)):
        runner.run(compare([piece for piece in (stream[:at], stream[at:]) if piece]))
