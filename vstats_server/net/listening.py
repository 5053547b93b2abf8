"""Listen: on an address, or on sockets that a service manager holds open."""

import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve

from vstats_core.version import __version__
from vstats_server.config import ServerConfig
from vstats_server.net.connection import CLOSE_GRACE, RelayConnection

__all__ = ["listen", "reason_not_to_listen"]

BACKLOG = 4096
EVERYWHERE = "::"
READ_SIZE = 12 * 1024
"""Bytes that are read from a connection at a time: nearly all reports in one piece, and of frames
without a payload no more than the library's parser can do in a fiftieth of a second."""


async def listen(
    config: ServerConfig,
    sockets: Sequence[socket.socket],
    handle: Callable[[ServerConnection], Awaitable[None]],
    on_made: Callable[[RelayConnection], None],
    **more: Any,
) -> list[Server]:
    """Return what listens: one for each of the sockets, or without any for the address.

    Args:
        config: The address and the limits.
        sockets: What listens already.
        handle: Lives through a connection once it is open.
        on_made: Is told of each connection before it has said anything.
        more: Options of websockets' ``serve()``.

    Raises:
        OSError: when the address cannot be listened on.
    """
    address = {"host": config.host, "port": config.port}
    if not sockets and config.host == EVERYWHERE and socket.has_dualstack_ipv6():
        # asyncio's own socket for it would leave IPv4 out.
        sockets = [
            socket.create_server(
                (EVERYWHERE, config.port), family=socket.AF_INET6, dualstack_ipv6=True
            )
        ]
    places: list[dict[str, Any]] = [{"sock": each} for each in sockets] or [address]
    buffer = memoryview(bytearray(READ_SIZE))
    return [
        await serve(
            handle,
            **place,
            create_connection=partial(  # type: ignore[arg-type]
                RelayConnection, on_made=on_made, buffer=buffer
            ),
            # Per connection, compression costs many times what the whole delivery does.
            compression=None,
            server_header=f"vstats/{__version__}",
            open_timeout=config.limits.handshake_timeout,
            # RelayConnection pings: the library's own keepalive waits for a full send buffer.
            ping_interval=None,
            close_timeout=CLOSE_GRACE,
            max_size=config.limits.max_message_size,
            max_queue=4,
            backlog=BACKLOG,
            **more,
        )
        for place in places
    ]


def reason_not_to_listen(config: ServerConfig, error: OSError) -> str:
    """Return in a line why the server cannot be reached where it should."""
    # asyncio puts its own, longer, text around the system's.
    number = error.errno or 0
    text = os.strerror(number) if number > 0 else error.strerror
    return f"cannot listen on {config.host} port {config.port}: {text}"
