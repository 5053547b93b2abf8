"""What a relay writes when connections end in every way that they can: lines, and not many."""

import contextlib
import socket
import struct
import time

import pytest
from programs import Fleet
from websockets.sync.client import connect

UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
)


@pytest.fixture
def fleet(tmp_path):
    return Fleet(tmp_path)


def reset(link):
    """End the connection so that the other side gets an error, not an end."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.close()


def drops(port, token):
    """End connections before, in the middle of, and after everything."""
    authorization = f"Authorization: Bearer {token}\r\n"
    agent = UPGRADE.format(path="/ws/agent", port=port, more=authorization).encode()
    dashboard = UPGRADE.format(path="/ws", port=port, more="").encode()
    for sent in (
        *(
            b"",
            b"\x16\x03\x01\x02\x00\x01",
            b"GET",
            b"GET / HTTP/1.1\r\nHost",
            agent[:60],
            b"\x00" * 20000,
        ),
        *(
            agent,
            agent + b"\x81",
            agent + b"\x81\xfe\xff\xff" + b"x" * 100,
            agent + b"\xc1\x80xxxx",
        ),
        *(agent + b"\x81\x85abcd\xff\xff\xff\xff\xff", agent + b"\x81\x7f" + b"\xff" * 8),
        *(dashboard, dashboard + b"\x88", dashboard + b"\x88\x80abcd", dashboard + b"\x99\x00"),
    ):
        for end in (reset, socket.socket.close):
            with contextlib.suppress(OSError):
                link = socket.create_connection(("127.0.0.1", port), timeout=5)
                link.sendall(sent)
                if sent.startswith((agent, dashboard)):
                    link.recv(1)
                end(link)


def test_a_drop_is_never_a_traceback_and_a_thousand_drops_are_not_a_thousand_lines(fleet):
    token = fleet.command("hosts", "add", "web-1").split('token = "')[1].split('"')[0]
    with fleet.relay() as relay:
        for _ in range(10):
            drops(fleet.port, token)
        time.sleep(0.5)
        # It is well, and says so once more.
        with connect(f"ws://127.0.0.1:{fleet.port}/ws", proxy=None):
            pass
        relay.end()
        relay.until("stopped")

    lines = relay.output.splitlines()
    assert "Traceback" not in relay.output
    assert token not in relay.output
    assert all(line[:2] == "20" for line in lines), "more than a line for an event"
    # 320 drops, 120 of them of an agent that had been admitted.
    assert 10 <= sum("agent web-1" in line for line in lines) <= 4 * 12
    assert len(lines) < 60
