"""Dashboards that connect and then never read."""

import contextlib
import socket
from collections.abc import Iterator

__all__ = ["stalled"]


@contextlib.contextmanager
def stalled(port: int, count: int, host: str = "127.0.0.1") -> Iterator[None]:
    """Hold so many connections to ``/ws`` open; the little that fits into their buffers waits."""
    head = {
        "Host": f"{host}:{port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    fields = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            peer = stack.enter_context(socket.socket())
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.connect((host, port))
            peer.sendall(f"GET /ws HTTP/1.1\r\n{fields}\r\n".encode())
        yield
