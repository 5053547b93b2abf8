"""Requests that no client of good will sends, on bare sockets, before anybody is admitted."""

import asyncio
import base64
import contextlib
import time
from urllib.parse import quote

import pytest
from kit import TOKEN, Peers, client_frame, config, metrics, parse_response, receive, serving, until
from watching import assert_sober, shown

from vstats_server.config import Limits

UPGRADE = {
    "Host": "localhost",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
AGENT = f"/ws/agent?token={TOKEN}"

both = pytest.mark.parametrize("path", ["/ws", AGENT], ids=["dashboard", "agent"])


def upgrade(path: str, **changes: str | None) -> bytes:
    fields = UPGRADE | {name.replace("_", "-"): value for name, value in changes.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
    return f"GET {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1")


async def answer(peers: Peers, request: bytes) -> tuple[int, dict[str, str]]:
    """Send the bytes and no more; return status and headers of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", peers.port)
    writer.write(request)
    async with asyncio.timeout(10):
        head = await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()
    status, headers, _ = parse_response(head)
    return status, headers


@both
@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Sec_WebSocket_Version": "8"}, 400),
        ({"Sec_WebSocket_Version": None}, 400),
        ({"Sec_WebSocket_Version": "13, 13"}, 400),
        ({"Sec_WebSocket_Key": None}, 400),
        ({"Sec_WebSocket_Key": "short"}, 400),
        ({"Sec_WebSocket_Key": "!" * 24}, 400),
        ({"Sec_WebSocket_Key": base64.b64encode(bytes(64)).decode()}, 400),
        ({"Upgrade": None}, 426),
        ({"Upgrade": "h2c"}, 426),
        ({"Connection": "close"}, 426),
        ({"Connection": None}, 426),
    ],
    ids=repr,
)
async def test_a_handshake_against_the_rules_is_refused_and_costs_no_place(
    peers, path, changes, status
):
    assert (await answer(peers, upgrade(path, **changes)))[0] == status
    await until(lambda: not peers.relay._admission.dashboards)
    await until(lambda: not peers.relay._admission.agents)


@both
@pytest.mark.parametrize(
    "offer",
    [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        "permessage-bzip2, x-webkit-deflate-frame",
        "permessage-deflate; " * 50,
        ";;;,,,===",
    ],
)
async def test_compression_is_never_agreed_to_so_there_is_no_bomb_to_unpack(peers, path, offer):
    status, headers = await answer(peers, upgrade(path, Sec_WebSocket_Extensions=offer))

    assert status in (101, 400)
    assert "sec-websocket-extensions" not in headers


@both
async def test_no_subprotocol_is_agreed_to(peers, path):
    status, headers = await answer(peers, upgrade(path, Sec_WebSocket_Protocol="graphql-ws, mqtt"))

    assert status == 101
    assert "sec-websocket-protocol" not in headers


async def test_what_comes_right_behind_the_handshake_is_taken(peers):
    """A client may well not wait for the 101; nothing of what it sent may get lost."""
    frames = client_frame(1, metrics(uptime=5).encode()) + client_frame(1, metrics().encode())
    async with peers.dashboard() as dashboard:
        reader, writer = await asyncio.open_connection("127.0.0.1", peers.port)
        writer.write(upgrade(AGENT) + frames)

        uptimes = [
            (await receive(dashboard, "metrics"))["data"]["metrics"]["uptime"] for _ in range(2)
        ]
        writer.transport.abort()
        del reader
    assert uptimes == [5, 86400]


REQUESTS = {
    "absolute form": b"GET http://localhost/ws HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "connect": b"CONNECT localhost:22 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no path": b"GET  HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "HTTP/0.9": b"GET /ws\r\n\r\n",
    "HTTP/1.0": b"GET /ws HTTP/1.0\r\nHost: localhost\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "line feeds alone": b"GET /ws HTTP/1.1\nHost: localhost\n\n",
    "a NUL in the path": b"GET /w\x00s HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a NUL in a header": b"GET /ws HTTP/1.1\r\nHost: local\x00host\r\n\r\n",
    "a header without a name": b"GET /ws HTTP/1.1\r\n: x\r\nHost: localhost\r\n\r\n",
    "a header without a colon": b"GET /ws HTTP/1.1\r\nHost localhost\r\n\r\n",
    "a space before the colon": b"GET /ws HTTP/1.1\r\nHost : localhost\r\n\r\n",
    "a folded header": b"GET /ws HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n",
    "two hosts": b"GET /ws HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n",
    "two lengths": b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "a length and chunks": b"POST /ws HTTP/1.1\r\nContent-Length: 4\r\n"
    b"Transfer-Encoding: chunked\r\nHost: localhost\r\n\r\n0\r\n\r\n",
    "a negative length": b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    "a token of 7 KB": b"GET /ws/agent?token="
    + b"x" * 7000
    + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a thousand tokens": b"GET /ws/agent?" + b"token=x&" * 900 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "a bearer of spaces": b"GET /ws/agent HTTP/1.1\r\nHost: localhost\r\n"
    b"Authorization: Bearer    \r\n\r\n",
    "a bearer of another scheme": b"GET /ws/agent HTTP/1.1\r\nHost: localhost\r\n"
    b"Authorization: Basic " + base64.b64encode(TOKEN.encode()) + b"\r\n\r\n",
    "a second request behind": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3,
}


@pytest.mark.parametrize("request_bytes", REQUESTS.values(), ids=REQUESTS)
async def test_a_request_that_means_something_else_to_others_is_answered_once_or_not_at_all(
    peers, request_bytes
):
    """One answer and the end: whatever stands between must not find a second one to misplace."""
    received = await peers.raw(request_bytes)

    assert received.count(b"HTTP/1.1 ") <= 1
    assert b" 101 " not in received.partition(b"\r\n")[0]


@pytest.mark.parametrize(
    "name",
    [
        "http://evil\x1b[31mred",
        "http://evil\u202etxt",
        "http://evil\x85next line",
        "http://a" + "x" * 7000,
        "http://%0d%0aWARNING forged",
        f"http://{TOKEN}.example?token={TOKEN}",
    ],
    ids=["colours", "right to left", "a line break of latin-1", "endless", "encoded", "a token"],
)
@pytest.mark.parametrize("header", ["Origin", "Host"])
async def test_no_header_of_a_stranger_forges_or_floods_the_log(peers, header, name, caplog):
    request = upgrade("/ws", **{header: name.encode().decode("latin-1")})
    await peers.raw(request)

    assert_sober(caplog.records)


async def test_a_token_in_any_disguise_stays_out_of_the_log(peers, caplog):
    for path in (
        AGENT,
        f"/ws/agent?token={TOKEN}wrong",
        f"/ws/agent?Token={TOKEN}",
        f"/ws/agent?token={quote(TOKEN, safe='')}&token=other",
        f"/ws/agent/{TOKEN}",
        f"/{TOKEN}",
        f"/ws?token={TOKEN}",
    ):
        request = upgrade(path, Authorization=f"Bearer {TOKEN}", Origin=f"http://{TOKEN}.evil")
        with contextlib.suppress(asyncio.IncompleteReadError):
            await answer(peers, request)

    # An Origin that holds a token was put there by whoever knows it.
    lines = [r.getMessage() for r in shown(caplog.records) if "Origin" not in r.getMessage()]
    assert not [line for line in lines if TOKEN in line]


@pytest.mark.parametrize(
    "drip",
    [b"X: y\r\n", b"x", b"\r", b" "],
    ids=["headers", "a header's end", "carriage returns", "blanks"],
)
async def test_a_request_that_never_ends_is_dropped_in_time(drip, caplog):
    """Slowloris: each byte buys no more time."""
    limits = Limits(handshake_timeout=0.3)
    async with serving(config(limits=limits)) as peers:
        reader, writer = await asyncio.open_connection("127.0.0.1", peers.port)
        writer.write(b"GET /ws HTTP/1.1\r\nHost: localhost\r\nA: ")
        began = time.monotonic()
        while not reader.at_eof() and time.monotonic() - began < 5:
            writer.write(drip)
            with contextlib.suppress(TimeoutError, ConnectionError):
                await asyncio.wait_for(reader.read(1000), 0.02)
        took = time.monotonic() - began
        writer.transport.abort()
        await until(lambda: not peers.relay._admission.connections)

    assert 0.2 < took < 2
    assert_sober(caplog.records)


@pytest.mark.parametrize(
    "endless",
    [b"x" * 65536, b"X: y\r\n" * 10_000, b"X: " + b"y" * 65536 + b"\r\n"],
    ids=["a line", "headers", "long headers"],
)
async def test_a_request_without_an_end_is_dropped_in_time_and_never_kept(endless, turns, caplog):
    """What comes after the refusal is thrown away unseen, for as long as a handshake may take."""
    kept = 0
    async with serving(config(limits=Limits(handshake_timeout=0.5))) as peers:
        reader, writer = await asyncio.open_connection("127.0.0.1", peers.port)
        writer.transport.set_write_buffer_limits(0)
        writer.write(b"GET /ws HTTP/1.1\r\nA: ")
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < 5:
                writer.write(endless)
                await writer.drain()
                await asyncio.sleep(0.001)
                for connection in peers.relay._admission.connections:
                    kept = max(kept, len(connection.protocol.reader.buffer))
        took = time.monotonic() - began
        received = b""
        with contextlib.suppress(ConnectionError):
            received = await reader.read()
        writer.transport.abort()

    assert took < 2
    assert kept < 64 * 1024
    assert not received or 400 <= parse_response(received)[0] < 500
    assert_sober(caplog.records)


async def test_a_crowd_of_silent_connections_keeps_no_agent_out(caplog):
    """They fill their own address's places, and no agent needs one once it is admitted."""
    limits = Limits(connections_per_address=5, handshake_timeout=1)
    async with serving(config(limits=limits)) as peers, peers.agent() as agent:
        silent = [await asyncio.open_connection("127.0.0.1", peers.port) for _ in range(50)]
        status, _ = await answer(peers, upgrade("/ws"))
        await agent.send(metrics())
        await until(lambda: peers.relay._hub._states["web-1"].report)
        answers = [await answer(peers, upgrade(AGENT)), (status, {})]
        await until(lambda: len(peers.relay._admission.connections) <= 2, within=5)
        for _, writer in silent:
            writer.transport.abort()

    assert [status for status, _ in answers] == [101, 503]
    assert_sober(caplog.records, TOKEN)


async def test_a_thousand_refusals_are_a_line_in_the_log(peers, caplog):
    for _ in range(100):
        await asyncio.gather(
            *(
                answer(peers, request)
                for request in (
                    upgrade("/ws/agent?token=wrong"),
                    upgrade("/ws", Origin="http://evil.example"),
                    upgrade("/ws", Host="evil.example"),
                )
            )
        )

    assert len([r for r in shown(caplog.records) if "refused" in r.getMessage()]) == 3
