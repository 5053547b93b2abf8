"""A name server that can be broken: ``python -m lab.faults.resolver FILE``, on port 53 of loopback.

The file says what it does with a question: ``answer`` 127.0.0.1, stay ``silent``, ``fail``
(SERVFAIL), ``deny`` (NXDOMAIN), or not be there at all (``away``).
"""

import socket
import sys
import time
from pathlib import Path

ADDRESS = bytes([127, 0, 0, 1])
A = 1
LOOK = 0.05
CODES = {"answer": 0, "fail": 2, "deny": 3}


def main(file: str) -> None:
    """Do what the file says, for ever."""
    peer: socket.socket | None = None
    while True:
        does = Path(file).read_text().strip()
        if does == "away":
            if peer is not None:
                peer.close()
                peer = None
            time.sleep(LOOK)
            continue
        if peer is None:
            peer = _listen()
            print("ready", flush=True)
        try:
            question, address = peer.recvfrom(4096)
        except TimeoutError:
            continue
        if does in CODES:
            peer.sendto(_reply(question, CODES[does]), address)


def _listen() -> socket.socket:
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.bind(("127.0.0.1", 53))
    peer.settimeout(LOOK)
    return peer


def _reply(question: bytes, code: int) -> bytes:
    """Return the reply to one question (RFC 1035, 4.1): an address, if it is asked for one."""
    end = question.index(b"\0", 12) + 5
    kind = int.from_bytes(question[end - 4 : end - 2], "big")
    answers = int(code == 0 and kind == A)
    head = (
        question[:2] + bytes([0x81, 0x80 | code]) + question[4:6] + bytes([0, answers]) + bytes(4)
    )
    record = b"\xc0\x0c" + bytes([0, A, 0, 1, 0, 0, 0, 0, 0, 4]) + ADDRESS
    return head + question[12:end] + record * answers


if __name__ == "__main__":
    main(*sys.argv[1:])
