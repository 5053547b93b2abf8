"""Watch a server as a dashboard does, and write down what comes; a program of its own.

It shares no code with what it watches: RFC 6455 and the protocol's page, on the standard library.
A line it writes begins with a letter and the machine's monotonic clock in seconds:

    C time                     connected
    D time                     not connected any more
    A time HOST, R time HOST   server_added, server_removed
    S time HOST 1              status: 1 online, 0 offline
    M time HOST EPOCH NUMBER   metrics
    X time TEXT                something that the protocol does not allow
"""

import base64
import hashlib
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from typing import IO

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
FINAL = 0x80
AGAIN = 0.05
SILENCE = 75.0
"""Seconds without a byte, a ping included, after which a connection is given up."""


class ProtocolError(Exception):
    """The server did what it must not."""


def main(host: str, port: str, file: str) -> None:
    """Connect, and connect again, for ever."""
    with open(file, "a", encoding="utf-8", buffering=1 << 20) as log:  # noqa: PTH123 - no import
        while True:
            try:
                with socket.create_connection((host, int(port)), timeout=SILENCE) as peer:
                    _watch(peer, f"{host}:{port}", log)
            except ProtocolError as error:
                log.write(f"X {time.monotonic():.6f} {error}\n")
            except OSError:
                pass
            log.flush()
            time.sleep(AGAIN)


def _watch(peer: socket.socket, name: str, log: IO[str]) -> None:
    rest = _shake_hands(peer, name)
    log.write(f"C {time.monotonic():.6f}\n")
    log.flush()
    try:
        for opcode, payload in _frames(peer, rest, log):
            now = f"{time.monotonic():.6f}"
            if opcode == TEXT:
                _note(json.loads(payload), now, log)
            elif opcode == PING:
                _send(peer, PONG, payload)
            elif opcode == CLOSE:
                _send(peer, CLOSE, payload[:2])
                return
            elif opcode != PONG:
                raise ProtocolError(f"opcode {opcode}")
    finally:
        log.write(f"D {time.monotonic():.6f}\n")


def _note(message: dict[str, object], now: str, log: IO[str]) -> None:
    kind, data = message["type"], message["data"]
    if not isinstance(data, dict):
        raise ProtocolError(f"the data of {kind} is no object")
    if kind == "metrics":
        found = data["metrics"].get("sequence", {})
        log.write(f"M {now} {data['server_id']} {found.get('epoch')} {found.get('number', 0)}\n")
    elif kind == "status":
        log.write(f"S {now} {data['server_id']} {int(data['online'])}\n")
    elif kind in ("server_added", "server_removed"):
        log.write(f"{'A' if kind == 'server_added' else 'R'} {now} {data['id']}\n")
    elif kind != "describe":
        raise ProtocolError(f"unknown message {kind}")


def _shake_hands(peer: socket.socket, name: str) -> bytes:
    """Upgrade the connection; return what has come behind the response."""
    key = base64.b64encode(os.urandom(16)).decode()
    fields = {
        "Host": name,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
    }
    head = "".join(f"{field}: {value}\r\n" for field, value in fields.items())
    peer.sendall(f"GET /ws HTTP/1.1\r\n{head}\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        more = peer.recv(65536)
        if not more:
            raise ConnectionError
        answer += more
    head_of_it, _, rest = answer.partition(b"\r\n\r\n")
    accept = base64.b64encode(hashlib.sha1(f"{key}{GUID}".encode()).digest())  # noqa: S324
    if not head_of_it.startswith(b"HTTP/1.1 101 "):
        raise ConnectionError
    if accept not in head_of_it:
        raise ProtocolError("Sec-WebSocket-Accept is wrong")
    return rest


def _frames(peer: socket.socket, rest: bytes, log: IO[str]) -> Iterator[tuple[int, bytes]]:
    """Yield opcode and payload of each frame; the log is flushed before each wait."""
    waiting = bytearray(rest)
    while True:
        start = 0
        while (found := _frame(waiting, start)) is not None:
            opcode, payload, start = found
            yield opcode, payload
        del waiting[:start]
        log.flush()
        more = peer.recv(1 << 18)
        if not more:
            return
        waiting += more


def _frame(data: bytearray, start: int) -> tuple[int, bytes, int] | None:
    """Return opcode, payload and end of the frame that begins at ``start``, None for a part."""
    if len(data) < start + 2:
        return None
    first, size, at = data[start], data[start + 1], start + 2
    if first & 0xF0 != FINAL or size & 0x80:
        raise ProtocolError("a fragment, a reserved bit or a mask")
    if size >= 126:  # noqa: PLR2004 - RFC 6455, 5.2
        wide = 2 if size == 126 else 8  # noqa: PLR2004
        if len(data) < at + wide:
            return None
        size, at = int.from_bytes(data[at : at + wide], "big"), at + wide
    end = at + size
    return (first & 0x0F, bytes(data[at:end]), end) if len(data) >= end else None


def _send(peer: socket.socket, opcode: int, payload: bytes) -> None:
    """Send a control frame, masked with zeros."""
    peer.sendall(bytes([0x80 | opcode, 0x80 | len(payload)]) + bytes(4) + payload)


if __name__ == "__main__":
    main(*sys.argv[1:])
