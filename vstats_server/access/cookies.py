"""The cookie that stands for a password: not every browser sends Basic on a WebSocket."""

import base64
import hmac
import re
from collections.abc import Callable

from websockets.http11 import Request

__all__ = ["Cookies"]

LIFETIME = 30 * 24 * 3600
"""Seconds that a cookie is good for."""
RENEWED_AFTER = 24 * 3600
"""Age in seconds from which on a cookie is replaced with a new one when it is shown."""
VALUE = re.compile(r"([0-9]{1,12})\.([A-Za-z0-9_-]{43})")


class Cookies:
    """Makes cookies and knows them again, by a key; nothing is kept of them.

    The name is made from the key, too: a browser does not tell two servers on two ports of one
    name apart, and either would go on overwriting the other's cookie.
    """

    def __init__(self, key: bytes, *, secure: bool, now: Callable[[], float]) -> None:
        self._key = key
        self._secure = secure
        self._now = now
        prefix = "__Host-" if secure else ""
        self.name = f"{prefix}vstats-{hmac.digest(key, b'name', 'sha256').hex()[:8]}"

    def age(self, request: Request) -> float | None:
        """Return how many seconds ago the request's cookie was made; None without a good one."""
        for line in request.headers.get_all("Cookie"):
            for pair in line.split(";"):
                name, _, value = pair.strip().partition("=")
                if name == self.name and (age := self._age(value)) is not None:
                    return age
        return None

    def renewed(self, request: Request) -> str | None:
        """Return the ``Set-Cookie`` for a request whose cookie is missing or old, else None."""
        age = self.age(request)
        if age is not None and age < RENEWED_AFTER:
            return None
        made = str(int(self._now()))
        attributes = f"Path=/; Max-Age={LIFETIME}; HttpOnly; SameSite=Strict"
        secure = "; Secure" if self._secure else ""
        return f"{self.name}={made}.{self._sign(made)}; {attributes}{secure}"

    def _age(self, value: str) -> float | None:
        found = VALUE.fullmatch(value)
        if found is None or not hmac.compare_digest(found[2], self._sign(found[1])):
            return None
        age = self._now() - int(found[1])
        # One from the future is from before the clock was set back.
        return age if age <= LIFETIME else None

    def _sign(self, made: str) -> str:
        signature = hmac.digest(self._key, b"made " + made.encode(), "sha256")
        return base64.urlsafe_b64encode(signature).decode().rstrip("=")
