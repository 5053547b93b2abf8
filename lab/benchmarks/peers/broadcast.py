"""The reference: a relay that hands each report to ``websockets.broadcast()``.

``python -m lab.benchmarks.peers.broadcast PORT``. It takes reports in as our relay does, so that
only the fan-out differs; with ``--plain`` it parses, validates and serialises as is usual.
``--deflate`` compresses, as the library does unless told otherwise. It knows no tokens, no
snapshot, no states, and no bound to what waits for a dashboard.
"""

import argparse
import asyncio
import contextlib
import json
from collections.abc import Callable

from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

from vstats_core.clock import Clock
from vstats_core.wire.schema import Report
from vstats_server.hub.intake import IncomingReport, read

CLOCK = Clock()


def wrap_as_ours(server_id: str, message: bytes) -> bytes:
    """Return the message for dashboards: check the report and pass on its own text."""
    report = read(message)
    assert isinstance(report, IncomingReport)  # noqa: S101 - the load sends nothing else
    parts = (server_id.encode(), report.text, CLOCK.utc().encode())
    return b'{"type":"metrics","data":{"server_id":"%b","metrics":%b},"timestamp":"%b"}' % parts


def wrap_as_usual(server_id: str, message: bytes) -> str:
    """Return the message for dashboards: parse, check, write anew."""
    report = json.loads(message)["data"]
    Report.model_validate(report)
    data = {"server_id": server_id, "metrics": report}
    return json.dumps({"type": "metrics", "data": data, "timestamp": CLOCK.utc()})


class Relay:
    """All there is to it."""

    def __init__(self, wrap: Callable[[str, bytes], str | bytes]) -> None:
        self._wrap = wrap
        self._dashboards: set[ServerConnection] = set()

    async def handle(self, connection: ServerConnection) -> None:
        """Serve an agent or a dashboard."""
        assert connection.request is not None  # noqa: S101 - the handshake is over
        if connection.request.path == "/ws":
            self._dashboards.add(connection)
            try:
                await connection.wait_closed()
            finally:
                self._dashboards.remove(connection)
            return
        token = connection.request.headers["Authorization"]
        server_id = f"host-{token[-6:]}"
        with contextlib.suppress(ConnectionClosed):
            while True:
                message = await connection.recv(decode=False)
                broadcast(self._dashboards, self._wrap(server_id, message), text=True)


async def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--deflate", action="store_true")
    options = parser.parse_args()
    relay = Relay(wrap_as_usual if options.plain else wrap_as_ours)
    compression = "deflate" if options.deflate else None
    async with serve(
        relay.handle, "127.0.0.1", options.port, compression=compression, backlog=4096
    ) as server:
        print(f"listening on port {options.port}", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
