"""Tell a client's own address when proxies that are trusted stand in between."""

import ipaddress
from collections.abc import Iterable, Sequence

__all__ = ["Proxies"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MOST_HOPS = 32
"""Entries looked at: a header that names more proxies of ours is not honest."""


class Proxies:
    """The proxies that are believed when they say who their client is."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [ipaddress.ip_network(network) for network in networks]

    def client(self, peer: str, forwarded_for: Sequence[str]) -> str:
        """Return the address of whoever began the request.

        Each proxy appends the address that it was asked from to ``X-Forwarded-For``, so the header
        is read from its end, for as long as what has been found is itself a trusted proxy. All
        that stands further ahead anybody may have written. An entry that is no address ends it.
        """
        if not self._networks:
            return peer
        found = _address(peer)
        hops = [hop for line in forwarded_for for hop in line.split(",")][-MOST_HOPS:]
        while hops and found is not None and self._trusts(found):
            named = _address(hops.pop())
            if named is None:
                break
            found = named
        return peer if found is None else str(found)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def _address(text: str) -> Address | None:
    """Return the address that a text holds, with a port or without, or None."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # A socket for both families calls an IPv4 address ::ffff:192.0.2.1.
    return getattr(address, "ipv4_mapped", None) or address
