"""What asyncio's TLS transport does not tell, and what it takes too much of.

The one file that knows its insides: ``SSLProtocol.max_size``, and the way from a TLS transport
to the transport of its socket. Its tests would notice a change in either.
"""

import asyncio
from asyncio import sslproto

__all__ = ["limit_memory", "socket_transport"]

RECORD = 16 * 1024
"""Bytes of a TLS record at most: to read more than one at once gains nothing here."""


def limit_memory() -> None:
    """Let every TLS connection of this process read a record at a time.

    asyncio gives each a buffer of 256 KiB, before anything is known of the peer: five times what
    the rest of a connection takes, and a way to our memory for whoever opens many.
    """
    sslproto.SSLProtocol.max_size = RECORD


def socket_transport(transport: asyncio.Transport) -> asyncio.Transport | None:
    """Return the transport below a TLS transport, or None for one that is no TLS transport.

    What was encrypted waits there, and the TLS transport counts only what still waits above it.
    """
    below: asyncio.Transport | None = getattr(
        getattr(transport, "_ssl_protocol", None), "_transport", None
    )
    return below
