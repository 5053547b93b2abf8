"""Many agents' uplinks in one process, the real ones: ``python -m lab.faults.uplinks``.

Each line of the file of hosts is a host and its token. When all have connected for the first time,
each host's uplink is offered a numbered report again and again; what is offered is written down
first, as ``lab.faults.probe`` does.
"""

import asyncio
import contextlib
import json
import logging
import secrets
import signal
import time
from pathlib import Path
from typing import IO, NamedTuple

import click

from vstats_core.agent.link.uplink import Uplink
from vstats_core.logs import setup as logs

FLUSH = 0.2
MOST_LINES = 500


class Source:
    """One host's numbered reports."""

    def __init__(self, host: str, uplink: Uplink, ballast: int) -> None:
        self._host = host
        self._uplink = uplink
        self._number = 0
        self._epoch = secrets.token_hex(4)
        self._report = json.dumps(
            {
                "timestamp": "2024-01-01T12:00:00Z",
                "hostname": host,
                "uptime": 1,
                "sequence": {"epoch": self._epoch, "number": -1},
            }
            | ({"ballast": "x" * ballast} if ballast else {})
        )

    def offer(self, log: IO[str]) -> None:
        """Write down the next number, then offer the report."""
        self._number += 1
        log.write(f"{self._host} {self._epoch} {self._number} {time.monotonic():.6f}\n")
        self._uplink.offer(
            self._report.replace('"number": -1', f'"number": {self._number}').encode()
        )


@click.command()
@click.option("--url", required=True)
@click.option("--hosts", "names", type=click.Path(path_type=Path), required=True)
@click.option("--log", "file", type=click.Path(path_type=Path), required=True)
@click.option("--rate", default=1.0, help="Reports a second, each host.")
@click.option("--most", default=0, help="Reports in all, each host; 0 for no end.")
@click.option("--ballast", default=0, help="Bytes to make each report larger by.")
def main(  # noqa: PLR0913 - the options
    *, url: str, names: Path, file: Path, rate: float, most: int, ballast: int
) -> None:
    """Report until SIGTERM."""
    logs.configure()
    hosts = [line.split() for line in names.read_text().splitlines()]
    asyncio.run(_run(url, hosts, file, _Pace(rate, most, ballast)))


class _Pace(NamedTuple):
    rate: float
    most: int
    ballast: int


class _Connected(logging.Filter):
    """Counts the connections, and lets only the first lines of the log through."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self._seen = 0

    def filter(self, record: logging.LogRecord) -> bool:
        self.count += record.getMessage().startswith("connected to")
        self._seen += 1
        return self._seen < MOST_LINES


async def _run(url: str, hosts: list[list[str]], file: Path, pace: _Pace) -> None:
    connected = _Connected()
    logging.getLogger("vstats_core.agent.link.uplink").addFilter(connected)
    uplinks = [Uplink(url, token) for _, token in hosts]
    tasks = [asyncio.create_task(uplink.run()) for uplink in uplinks]
    sources = [
        Source(host, uplink, pace.ballast) for (host, _), uplink in zip(hosts, uplinks, strict=True)
    ]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    with file.open("a", encoding="utf-8", buffering=1 << 20) as log:
        work = asyncio.create_task(_offer(sources, log, pace, connected))
        while not stop.is_set():
            log.flush()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH):
                    await stop.wait()
        work.cancel()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=3)


async def _offer(sources: list[Source], log: IO[str], pace: _Pace, connected: _Connected) -> None:
    """Offer each host's reports at the rate, the hosts one after the other."""
    loop = asyncio.get_running_loop()
    rate, most, _ = pace
    while connected.count < len(sources):  # noqa: ASYNC110 - a log has no event
        await asyncio.sleep(FLUSH)
    started, offered = loop.time(), 0
    in_all = most * len(sources)
    while not most or offered < in_all:
        due = int((loop.time() - started) * rate * len(sources))
        # Who is behind makes it up, yet a host's report has always had its turn to be sent.
        due = min(due, offered + len(sources), in_all or due)
        for number in range(offered, due):
            sources[number % len(sources)].offer(log)
        offered = max(offered, due)
        await asyncio.sleep(0.002)
    print("all offered", flush=True)


if __name__ == "__main__":
    main()
