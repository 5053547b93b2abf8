"""Take the listening sockets that a service manager hands over; see sd_listen_fds(3)."""

import os
import socket
from collections.abc import MutableMapping, Sequence

from vstats_core.agent.settings import is_loopback
from vstats_core.errors import Complaint, ConfigError

__all__ = ["address_of", "take_sockets"]

FIRST = 3
"""The descriptor of the first socket; the others follow."""


def take_sockets(
    environment: MutableMapping[str, str], *, first: int = FIRST
) -> list[socket.socket]:
    """Return the sockets to listen on; empty for a process that was handed none.

    What announces them is taken out of the environment: they are not meant for our children.

    Raises:
        ConfigError: for one that is not a listening TCP socket, by the name of its unit.
    """
    pid, count, names = (
        environment.pop(key, "") for key in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
    )
    if pid != str(os.getpid()) or not count.isdigit():
        return []
    named = dict(enumerate(names.split(":")))
    return [
        _take(first + number, named.get(number) or f"file descriptor {first + number}")
        for number in range(int(count))
    ]


def address_of(sockets: Sequence[socket.socket]) -> tuple[str, int]:
    """Return host and port of the sockets: of several, one that others can reach comes first."""
    addresses = [each.getsockname()[:2] for each in sockets]
    host, port = min(addresses, key=lambda address: is_loopback(address[0]))
    return host, port


def _take(descriptor: int, name: str) -> socket.socket:
    try:
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - it takes no keyword
        taken = socket.socket(fileno=descriptor)
        listens = taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        text = f"not a socket: {error.strerror}"
        raise ConfigError([Complaint(name, "", text)]) from None
    if not listens or taken.family not in (socket.AF_INET, socket.AF_INET6):
        taken.close()
        raise ConfigError([Complaint(name, "", "should be one that listens for TCP connections")])
    taken.settimeout(0)
    return taken
