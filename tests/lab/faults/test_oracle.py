import base64
import hashlib
import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(message, first=0x81):
    payload = json.dumps(message).encode()
    return bytes([first, 126]) + len(payload).to_bytes(2, "big") + payload


REPORT = {
    "type": "metrics",
    "data": {"server_id": "web-1", "metrics": {"sequence": {"epoch": "e1", "number": 7}}},
}
STATUS = {"type": "status", "data": {"server_id": "web-1", "online": True}}
ADDED = {"type": "server_added", "data": {"id": "web-1", "name": "Web", "location": ""}}


def told(tmp_path, data, *, accept=True, pieces=1):
    """Return the lines that the oracle writes of a server that says this and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            peer, _ = listening.accept()
            with peer:
                request = peer.recv(65536).decode()
                key = next(
                    line.split(": ")[1]
                    for line in request.split("\r\n")
                    if line.startswith("Sec-WebSocket-Key")
                )
                digest = hashlib.sha1(f"{key}{GUID if accept else ''}".encode()).digest()
                answer = (
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\n"
                    f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}\r\n\r\n"
                )
                whole = answer.encode() + data
                size = -(-len(whole) // pieces)
                for at in range(0, len(whole), size):
                    peer.sendall(whole[at : at + size])
                peer.shutdown(socket.SHUT_WR)
                peer.settimeout(5)
                while peer.recv(65536):
                    pass
            # It has written everything down before it comes again.
            listening.accept()[0].close()

        thread = threading.Thread(target=serve)
        thread.start()
        file = tmp_path / "oracle.log"
        port = str(listening.getsockname()[1])
        command = [sys.executable, "-m", "lab.faults.oracle", "127.0.0.1", port, file]
        program = subprocess.Popen(command, cwd=ROOT)
        thread.join(20)
        program.kill()
        program.wait()
    lines = [line.split() for line in file.read_text().splitlines()]
    return [" ".join([kind, *rest]) for kind, _, *rest in lines]


@pytest.mark.parametrize("pieces", [1, 50], ids=["at once", "in pieces"])
def test_it_writes_down_what_comes(tmp_path, pieces):
    data = frame(ADDED) + frame(STATUS) + frame(REPORT)

    lines = told(tmp_path, data, pieces=pieces)

    assert lines[:5] == ["C", "A web-1", "S web-1 1", "M web-1 e1 7", "D"]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (frame(STATUS, first=0x01), "X a fragment, a reserved bit or a mask"),
        (frame(STATUS, first=0x83), "X opcode 3"),
        (frame({"type": "news", "data": {}}), "X unknown message news"),
    ],
    ids=["a fragment", "an unknown opcode", "an unknown message"],
)
def test_it_complains_of_what_the_protocol_does_not_allow(tmp_path, data, complaint):
    assert complaint in told(tmp_path, data)


def test_a_handshake_that_is_not_answered_right_is_complained_of(tmp_path):
    assert told(tmp_path, b"", accept=False)[0] == "X Sec-WebSocket-Accept is wrong"
