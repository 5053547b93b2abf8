"""No descriptor left in the server: a flood of connections, while an agent wants to come back."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from lab.faults.row import Row, Stage, judge, together
from lab.faults.site import Site, held

__all__ = ["play"]

MOST = 64
"""Descriptors that the server may have."""
CROWD = 300
FLOOD_FROM = "127.0.0.9"
MOST_LINES = 100
WITHOUT_UVLOOP = "raise ImportError('hidden')\n"


def play(stage: Stage) -> list[Row]:
    """Flood it on either event loop."""
    seconds, times = (6.0, 1) if stage.quick else (20.0, 3)
    return together(
        partial(_play, stage, "uvloop", seconds, times),
        partial(_play, stage, "asyncio", seconds, times),
    )


def _play(stage: Stage, loop: str, seconds: float, times: int) -> list[Row]:
    failures = []
    lines = 0
    with Site(stage.folder / loop, ["agent-0", "agent-1", "agent-2"]) as site:
        environment = {}
        if loop == "asyncio":
            hidden = site.folder / "hidden"
            hidden.mkdir()
            (hidden / "uvloop.py").write_text(WITHOUT_UVLOOP)
            environment["PYTHONPATH"] = str(hidden)
        prefix = ("prlimit", f"--nofile={MOST}:{MOST}")
        relay = site.start_relay(prefix=prefix, environment=environment)
        before = held(relay, site.folder)
        site.start_oracle()
        agents = {host: site.start_agent(host) for host in site.hosts}
        site.until_all_report()
        for _ in range(times):
            said = len(relay.lines)
            with _flood(site.port):
                time.sleep(1)
                began = agents["agent-0"].kill()
                if len(list(Path(f"/proc/{relay.pid}/fd").iterdir())) < MOST - 2:
                    failures.append("the descriptors were not used up")
                agents["agent-0"] = site.start_agent("agent-0")
                time.sleep(seconds)
            over = time.monotonic()
            site.recover(["agent-0"], began, over)
            lines = max(lines, len(relay.lines) - said)
        if relay.said("raise the limit") is None:
            failures.append("the log says nothing of it")
        if lines > MOST_LINES:
            failures.append(f"{lines} lines in the log")
        how = (
            f"at most {MOST} descriptors, {CROWD} connections at a time for {seconds:g} s, an "
            f"agent killed and started again meanwhile; on {loop}"
        )
        return [
            judge(
                site,
                "no descriptor left",
                how,
                times,
                held=before,
                remark=f"the agents that are connected lose nothing; {lines} lines in the log",
                failures=failures,
            )
        ]


@contextlib.contextmanager
def _flood(port: int) -> Iterator[None]:
    """Keep so many connections, none of which says a word; one that is closed is made again."""
    over = threading.Event()
    threads = [
        threading.Thread(target=_hold, args=(port, over), daemon=True) for _ in range(CROWD // 10)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _hold(port: int, over: threading.Event) -> None:
    held: list[socket.socket] = []
    while not over.wait(0.05):
        while len(held) < 10:  # noqa: PLR2004 - a thread's share
            peer = socket.socket()
            peer.bind((FLOOD_FROM, 0))
            peer.setblocking(False)  # noqa: FBT003 - the socket's own signature
            peer.connect_ex(("127.0.0.1", port))
            held.append(peer)
        for peer in held[:]:
            try:
                gone = not peer.recv(1)
            except BlockingIOError:
                gone = False
            except OSError:
                gone = True
            if gone:
                peer.close()
                held.remove(peer)
    for peer in held:
        peer.close()
