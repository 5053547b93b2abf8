"""Passwords for people, kept as scrypt hashes."""

import hashlib
import hmac
import re
import secrets
import unicodedata
from base64 import b64decode, b64encode
from typing import NamedTuple, Self

__all__ = ["ScryptHash", "hash_password", "normalize"]

LOG2_N, R, P = 14, 8, 5
"""16 MiB and some 0.3 s: one of the sets that OWASP recommends."""
MOST_MEMORY = 256 * 1024 * 1024
SALT_BYTES = 16
KEY_BYTES = 32
FORM = re.compile(
    r"\$scrypt\$ln=([1-9][0-9]?),r=([1-9][0-9]?),p=([1-9][0-9]?)"
    r"\$([A-Za-z0-9+/]{11,88})\$([A-Za-z0-9+/]{22,88})"
)


class ScryptHash(NamedTuple):
    """A hash with what it was made with, as one word: ``$scrypt$ln=14,r=8,p=5$SALT$KEY``.

    It is the form of the Password Hashing Competition, base64 without padding, which other
    programs write, too.
    """

    log2_n: int
    r: int
    p: int
    salt: bytes
    key: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the hash that a text holds.

        Raises:
            ValueError: for any other text, and for a hash that takes over 256 MiB to check.
        """
        found = FORM.fullmatch(text)
        if found is None:
            raise ValueError("should be what `vstats-server password` prints: $scrypt$ln=...")
        try:
            salt, key = (b64decode(part + "=" * (-len(part) % 4)) for part in found.groups()[3:])
        except ValueError:
            raise ValueError("is not base64 after its parameters; was it cut short?") from None
        result = cls(int(found[1]), int(found[2]), int(found[3]), salt, key)
        if result.memory > MOST_MEMORY:
            raise ValueError("takes over 256 MiB to check; make one with `vstats-server password`")
        return result

    def __str__(self) -> str:
        salt, key = (b64encode(part).decode().rstrip("=") for part in (self.salt, self.key))
        return f"$scrypt$ln={self.log2_n},r={self.r},p={self.p}${salt}${key}"

    @property
    def memory(self) -> int:
        """Bytes that it takes to check a password, more or less."""
        return 128 * self.r * ((1 << self.log2_n) + self.p)

    def fits(self, password: bytes) -> bool:
        """Return whether this is the password's hash; blocks for as long as hashing takes."""
        key = hashlib.scrypt(
            password,
            salt=self.salt,
            n=1 << self.log2_n,
            r=self.r,
            p=self.p,
            maxmem=2 * self.memory,
            dklen=len(self.key),
        )
        return hmac.compare_digest(key, self.key)


def hash_password(password: str) -> str:
    """Return a password's hash; blocks for as long as hashing takes."""
    salt = secrets.token_bytes(SALT_BYTES)
    key = hashlib.scrypt(
        normalize(password),
        salt=salt,
        n=1 << LOG2_N,
        r=R,
        p=P,
        maxmem=2 * 128 * R * ((1 << LOG2_N) + P),
        dklen=KEY_BYTES,
    )
    return str(ScryptHash(LOG2_N, R, P, salt, key))


def normalize(text: str) -> bytes:
    """Return the one form of a text that may be typed in several: é is one letter or two."""
    return unicodedata.normalize("NFC", text).encode(errors="surrogateescape")
