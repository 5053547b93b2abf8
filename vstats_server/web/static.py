"""Hold the live page's files as they are sent: read, digested and compressed once."""

import gzip
import hashlib
import http
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from websockets.datastructures import Headers

__all__ = ["File", "Sent", "files"]

FOLDER = Path(__file__).parent / "page"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
DIRECTIVES = {
    # This covers the WebSocket of the same host and port, too.
    "default-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "object-src": "'none'",
    # No string becomes HTML or code, whoever sent it.
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}
POLICY = "; ".join(f"{name} {value}" for name, value in DIRECTIVES.items())
COMMON = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
}
ALWAYS_ASK = "no-cache"
NEVER_ASK = "private, max-age=31536000, immutable"


class Sent(NamedTuple):
    """What goes out for one request."""

    status: http.HTTPStatus
    body: bytes
    headers: dict[str, str]


class File(NamedTuple):
    """One file, plain and compressed."""

    content: bytes
    compressed: bytes
    kind: str
    etag: str
    """Weak, since it stands for both forms."""
    caching: str

    def answer(self, headers: Headers) -> Sent:
        """Return what a request with these headers gets: the file, or the news that it has it."""
        fields = COMMON | {"ETag": self.etag, "Cache-Control": self.caching}
        if self._is_known(headers.get_all("If-None-Match")):
            return Sent(http.HTTPStatus.NOT_MODIFIED, b"", fields)
        fields["Content-Type"] = self.kind
        if _takes_gzip(headers.get_all("Accept-Encoding")):
            return Sent(http.HTTPStatus.OK, self.compressed, fields | {"Content-Encoding": "gzip"})
        return Sent(http.HTTPStatus.OK, self.content, fields)

    def _is_known(self, values: list[str]) -> bool:
        tags = {tag.strip() for value in values for tag in value.split(",")}
        return bool(tags & {"*", self.etag, self.etag.removeprefix("W/")})


@cache
def files() -> Mapping[str, File]:
    """Return every file of the page by its path; reads the disk the first time.

    All but the page itself are under a path with the digest of all of them, so that a browser
    asks for them once, and never mixes two versions.
    """
    contents = {
        path.relative_to(FOLDER).as_posix(): path.read_bytes()
        for path in sorted(FOLDER.rglob("*"))
        if path.is_file()
    }
    contents = {name: text for name, text in contents.items() if Path(name).suffix in KINDS}
    whole = hashlib.sha256(b"".join(contents[name] for name in sorted(contents)))
    folder = f"page/{whole.hexdigest()[:16]}/"
    index = contents.pop("index.html").replace(b'="page/', f'="{folder}'.encode())
    found = {"/": _file("index.html", index, ALWAYS_ASK)}
    for name, content in contents.items():
        found[f"/{folder}{name}"] = _file(name, content, NEVER_ASK)
    return found


def _file(name: str, content: bytes, caching: str) -> File:
    return File(
        content=content,
        compressed=gzip.compress(content, mtime=0),
        kind=KINDS[Path(name).suffix],
        etag=f'W/"{hashlib.sha256(content).hexdigest()[:32]}"',
        caching=caching,
    )


def _takes_gzip(values: list[str]) -> bool:
    """Return whether an ``Accept-Encoding`` names gzip, or anything, and not with ``q=0``."""
    weights: dict[str, float] = {}
    for coding in ",".join(values).lower().split(","):
        name, _, parameter = coding.partition(";")
        try:
            weights[name.strip()] = float(parameter.replace(" ", "").removeprefix("q=") or 1)
        except ValueError:
            weights[name.strip()] = 0
    return weights.get("gzip", weights.get("*", 0)) > 0
