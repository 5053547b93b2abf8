"""Answer plain HTTP requests on the port of the WebSockets."""

import asyncio
import email.utils
import http
import json
import re
from collections.abc import Callable
from functools import cache

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from vstats_core.version import __version__
from vstats_core.wire.messages import json_schema
from vstats_core.wire.strict_json import dumps
from vstats_server.hub.hub import Hub
from vstats_server.prometheus import CONTENT_TYPE, Metrics
from vstats_server.web.static import files

__all__ = ["answer", "respond"]

GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))", re.IGNORECASE)
SLICE = 64
"""Hosts put into an answer before everybody else gets a turn."""


async def answer(
    request: Request,
    path: str,
    hub: Hub,
    warnings: Callable[[], list[str]],
    metrics: Metrics,
) -> Response:
    """Return the response to a request that is no WebSocket handshake."""
    if request.method not in ("GET", "HEAD"):
        return respond(http.HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"})
    match path:
        case _ if (file := files().get(path)) is not None:
            status, body, headers = file.answer(request.headers)
            response = respond(status, body=body, headers=headers)
            if status is http.HTTPStatus.NOT_MODIFIED:
                # It would have to be the length of what is not sent.
                del response.headers["Content-Length"]
        case "/healthz":
            content = {"status": "ok", "version": __version__, "warnings": warnings()}
            response = _json(dumps(content))
        case "/api/hosts":
            response = _json(await _hosts(hub))
        case "/metrics":
            response = await _metrics(request, metrics)
        case "/schema.json":
            response = _json(_schema())
        case _:
            response = respond(http.HTTPStatus.NOT_FOUND)
    return response


def respond(
    status: http.HTTPStatus,
    text: str | None = None,
    *,
    body: bytes | None = None,
    content_type: str = "text/plain; charset=utf-8",
    headers: dict[str, str] | None = None,
) -> Response:
    """Return a whole response; without a text or a body it says what its status means."""
    if body is None:
        body = f"{text or status.phrase}\n".encode()
    fields = {
        "Date": email.utils.formatdate(usegmt=True),
        "Connection": "close",
        "Content-Length": str(len(body)),
        "Content-Type": content_type,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return Response(status.value, status.phrase, Headers(fields | (headers or {})), body)


def _json(body: bytes) -> Response:
    return respond(http.HTTPStatus.OK, body=body, content_type="application/json")


async def _hosts(hub: Hub) -> bytes:
    parts = []
    for number, host in enumerate(hub.describe_hosts(), 1):
        parts.append(host)
        if number % SLICE == 0:
            await asyncio.sleep(0)
    return b'{"hosts":[' + b",".join(parts) + b"]}"


async def _metrics(request: Request, metrics: Metrics) -> Response:
    accepted = ",".join(request.headers.get_all("Accept-Encoding"))
    compressed = bool(GZIP.search(accepted))
    headers = {"Vary": "Accept-Encoding"} | ({"Content-Encoding": "gzip"} if compressed else {})
    body = await metrics.text(compressed=compressed)
    return respond(http.HTTPStatus.OK, body=body, content_type=CONTENT_TYPE, headers=headers)


@cache
def _schema() -> bytes:
    return json.dumps(json_schema(), indent=2).encode()
