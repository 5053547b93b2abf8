"""Guard the page, the HTTP API and dashboards with a password, once it is configured.

A request passes with a cookie of ours, or with HTTP Basic. To hash a password is meant to be
dear, so it is done on a thread of its own, for few at a time, and once for each password: what
was right is remembered until the configuration changes, as is what was wrong.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import http
import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from websockets.http11 import Request, Response

from vstats_core.clock import Clock
from vstats_server.access.cookies import Cookies
from vstats_server.access.tokens import Throttle, source_of
from vstats_server.config import Login, ServerConfig
from vstats_server.scrypt import ScryptHash, normalize
from vstats_server.web.responses import respond

__all__ = ["Access"]

logger = logging.getLogger(__name__)

MOST_PENDING = 8
"""Passwords that may wait to be hashed; more than one at a time never are."""
MOST_REFUSED = 1024
"""Wrong passwords remembered, so that who repeats one costs nothing and guesses nothing."""


class Access:
    """Who may look. Without a password everybody may, and nothing here costs anything."""

    def __init__(self, config: ServerConfig, clock: Clock) -> None:
        self._clock = clock
        self._throttle = Throttle()
        self._refusals = Throttle()
        self._lock: _Lock | None = None
        self._login = Login()
        self.use(config)

    def use(self, config: ServerConfig) -> None:
        """Go by this configuration from now on."""
        self._cookies_are_secure = config.is_secure
        if config.dashboard != self._login:
            if self._lock is not None:
                self._lock.close()
            self._login = config.dashboard
            self._lock = _Lock(config.dashboard) if config.dashboard else None

    def close(self) -> None:
        """Let nothing more be hashed: the process is about to end."""
        if self._lock is not None:
            self._lock.close(at_once=True)

    @property
    def grant(self) -> bytes:
        """What whoever is admitted now may later show to stay; empty without a password."""
        return self._lock.grant if self._lock else b""

    def is_good(self, grant: bytes) -> bool:
        """Return whether who was admitted with this grant would be still."""
        return self._lock is None or hmac.compare_digest(grant, self._lock.grant)

    async def admit(self, address: str, request: Request) -> Response | None:
        """Return the response to a request that may not pass, else None."""
        lock = self._lock
        if lock is None or self._cookies(lock).age(request) is not None:
            return None
        response = await self._ask(lock, address, request)
        if lock is not self._lock:
            # A reload has come in between.
            return await self.admit(address, request)
        return response

    def greet(self, request: Request, response: Response) -> Response:
        """Return the response to a request that was admitted, with a cookie if that is due."""
        if self._lock is not None:
            cookie = self._cookies(self._lock).renewed(request)
            if cookie is not None:
                response.headers["Set-Cookie"] = cookie
        return response

    def _cookies(self, lock: "_Lock") -> Cookies:
        return Cookies(lock.cookie_key, secure=self._cookies_are_secure, now=self._clock.unix)

    async def _ask(self, lock: "_Lock", address: str, request: Request) -> Response | None:
        credentials = _basic(request)
        if credentials is None or lock.is_known_to_be_wrong(credentials):
            return _unauthorized()
        source = source_of(address)
        now = self._clock.monotonic()
        if self._throttle.is_exceeded(source, now):
            return respond(http.HTTPStatus.TOO_MANY_REQUESTS, headers={"Retry-After": "60"})
        if lock.is_known_to_be_right(credentials):
            return None
        if lock.is_busy(credentials):
            return respond(http.HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": "1"})
        # A guess counts before its outcome is known, or many at once would not count in time.
        if not lock.is_being_tried(credentials):
            self._throttle.fail(source, now)
        if await lock.fits(credentials):
            self._throttle.forgive(source)
            return None
        if self._refusals.due(source, now):
            logger.warning("dashboard at %s refused: wrong username or password", address)
        return _unauthorized()


class _Lock:
    """One configured password, and what has been tried on it."""

    def __init__(self, login: Login) -> None:
        self._username = normalize(login.username or "")
        stored = login.password_scrypt.get_secret_value() if login.password_scrypt else ""
        self._hash = ScryptHash.parse(stored)
        # Of the stored hash, so that cookies outlive a restart, and end with the password.
        derive = _keyed(hashlib.sha256(self._username + b":" + stored.encode()).digest())
        self.cookie_key = derive(b"vstats cookie")
        self.grant = derive(b"vstats grant")
        # What was tried is remembered under a key that nobody else ever has.
        self._digest = _keyed(secrets.token_bytes(32))
        self._right: bytes | None = None
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        self._tried: dict[bytes, asyncio.Task[bool]] = {}
        self._thread = ThreadPoolExecutor(1, "scrypt")

    def close(self, *, at_once: bool = False) -> None:
        self._thread.shutdown(wait=False, cancel_futures=at_once)

    def is_known_to_be_right(self, credentials: bytes) -> bool:
        right = self._right
        return right is not None and hmac.compare_digest(self._digest(credentials), right)

    def is_known_to_be_wrong(self, credentials: bytes) -> bool:
        return self._digest(credentials) in self._wrong

    def is_being_tried(self, credentials: bytes) -> bool:
        return self._digest(credentials) in self._tried

    def is_busy(self, credentials: bytes) -> bool:
        return len(self._tried) >= MOST_PENDING and not self.is_being_tried(credentials)

    async def fits(self, credentials: bytes) -> bool:
        """Try the credentials; who tries the same at the same time shares the outcome."""
        digest = self._digest(credentials)
        if self._right is not None:
            # There is but one that is right, and it is another.
            self._remember_wrong(digest)
            return False
        task = self._tried.get(digest)
        if task is None:
            task = self._tried[digest] = asyncio.create_task(self._try(credentials, digest))
            task.add_done_callback(lambda _: self._tried.pop(digest, None))
        # Whoever goes away must not take the outcome from the others.
        return await asyncio.shield(task)

    async def _try(self, credentials: bytes, digest: bytes) -> bool:
        username, _, password = credentials.partition(b":")
        loop = asyncio.get_running_loop()
        fits = await loop.run_in_executor(self._thread, self._hash.fits, password)
        # Both are looked at, whatever the one says.
        if hmac.compare_digest(username, self._username) & fits:
            self._right = digest
            return True
        self._remember_wrong(digest)
        return False

    def _remember_wrong(self, digest: bytes) -> None:
        self._wrong[digest] = None
        if len(self._wrong) > MOST_REFUSED:
            self._wrong.popitem(last=False)


def _keyed(key: bytes) -> Callable[[bytes], bytes]:
    return lambda message: hmac.digest(key, message, "sha256")


def _basic(request: Request) -> bytes | None:
    """Return ``username:password`` of the request, normalized, or None if it holds none."""
    header = next(iter(request.headers.get_all("Authorization")), "")
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        credentials = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        return normalize(credentials.decode())
    except UnicodeDecodeError:
        # Clients older than RFC 7617.
        return normalize(credentials.decode("latin-1"))


def _unauthorized() -> Response:
    headers = {"WWW-Authenticate": 'Basic realm="vStats", charset="UTF-8"'}
    return respond(http.HTTPStatus.UNAUTHORIZED, headers=headers)
