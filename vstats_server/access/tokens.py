"""Decide who a token belongs to, and which hosts, pages and origins may talk to the server."""

import ipaddress
from collections import OrderedDict, deque
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from vstats_core.agent.settings import is_loopback
from vstats_server.config import Host, ServerConfig, digest

__all__ = ["Gate", "Throttle", "Tokens", "source_of"]

DEFAULT_PORTS = {"http": 80, "https": 443}


class Tokens:
    """Which host a token belongs to; a digest is looked up, so nothing is compared by the byte."""

    def __init__(self, hosts: Iterable[Host]) -> None:
        self._hosts = {host.digest: host.id for host in hosts}

    def identify(self, token: str) -> str | None:
        """Return the id of the token's host, or None."""
        return self._hosts.get(digest(token))

    def valid(self, token_digest: str, server_id: str) -> bool:
        """Return whether the digest is still that host's."""
        return self._hosts.get(token_digest) == server_id


def source_of(address: str) -> str:
    """Return what guesses are counted by: who has one IPv6 address has 2**64 of them."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:  # noqa: PLR2004 - IPv4
        return address
    return str(ipaddress.ip_network((int(found), 64), strict=False))


class Throttle:
    """Counts failures by source: ten a minute, and the source has to wait."""

    MOST = 10
    WINDOW = 60.0
    ADDRESSES = 4096
    """Addresses remembered; an attacker with more of them does not get our memory, too."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def fail(self, address: str, now: float) -> int:
        """Count a failure and return how many there were in the last minute, this one included."""
        failures = self._failures.setdefault(address, deque(maxlen=self.MOST + 1))
        self._failures.move_to_end(address)
        while failures and failures[0] <= now - self.WINDOW:
            failures.popleft()
        failures.append(now)
        if len(self._failures) > self.ADDRESSES:
            self._failures.popitem(last=False)
        return len(failures)

    def is_exceeded(self, address: str, now: float) -> bool:
        """Return whether there were so many in the last minute that the next has to wait."""
        failures = self._failures.get(address, ())
        return sum(failure > now - self.WINDOW for failure in failures) >= self.MOST

    def forgive(self, address: str) -> None:
        """Forget the failures of an address."""
        self._failures.pop(address, None)

    def due(self, what: str, now: float) -> bool:
        """Return whether none was counted in the last minute, and count one if so."""
        counted = self._failures.get(what)
        if counted and counted[-1] > now - self.WINDOW:
            return False
        self.fail(what, now)
        return True


class Gate:
    """Which ``Host`` and ``Origin`` headers may pass."""

    def __init__(self, config: ServerConfig) -> None:
        self._public = urlsplit(config.public_url) if config.public_url else None
        self._loopback = config.is_loopback
        self._any_origin = "*" in config.allowed_origins
        self._origins = {_canonical(urlsplit(o)) for o in config.allowed_origins if o != "*"}

    def host_allowed(self, host: str) -> bool:
        """Return whether a request for this ``Host`` is meant for us.

        A page whose name was made to resolve to this machine (DNS rebinding) sends its own name.
        """
        if self._public is None and not self._loopback:
            return True
        name = _split(f"//{host}").hostname or ""
        return is_loopback(name) or (self._public is not None and name == self._public.hostname)

    def origin_allowed(self, origin: str, host: str) -> bool:
        """Return whether a page of this ``Origin`` may connect to this ``Host``."""
        if self._any_origin:
            return True
        page = _split(origin)
        asked = _canonical(page)
        if asked is None:
            return False
        if self._loopback and is_loopback(page.hostname or ""):
            return True
        own = {_canonical(_split(f"{page.scheme}://{host}"))}
        if self._public is not None:
            own.add(_canonical(self._public))
        return asked in own or asked in self._origins


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return urlsplit("")
    return parts


def _canonical(url: SplitResult) -> tuple[str, str, int] | None:
    """Return scheme, name and port, or None for what is no web origin (``null``, say)."""
    if url.scheme not in DEFAULT_PORTS or not url.hostname:
        return None
    return url.scheme, url.hostname, url.port or DEFAULT_PORTS[url.scheme]
