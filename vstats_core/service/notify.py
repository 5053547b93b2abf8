"""Tell the service manager how the program is, as sd_notify(3) describes it."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Iterator, Mapping

__all__ = ["ServiceManager"]


class ServiceManager:
    """The service manager that has started this process; without one, nothing is said.

    Args:
        environment: What the manager tells of itself: ``NOTIFY_SOCKET``, and ``WATCHDOG_USEC`` and
            ``WATCHDOG_PID`` where it wants signs of life.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._interval = _watchdog(environment) / 2

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Say READY on entering and STOPPING on leaving; in between, that the event loop turns.

        The signs of life come from the running loop itself, twice as often as they are due: a loop
        that stands still gives none, and the manager ends the process.
        """
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle | None = None

        def live() -> None:
            nonlocal timer
            self._send("WATCHDOG=1")
            timer = loop.call_later(self._interval, live)

        self._send("READY=1")
        if self._interval:
            live()
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()
            self._send("STOPPING=1")

    @contextlib.contextmanager
    def reloading(self) -> Iterator[None]:
        """Say RELOADING on entering, READY on leaving, however the reload has gone."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={now}")
        try:
            yield
        finally:
            self._send("READY=1")

    def _send(self, state: str) -> None:
        if not self._address:
            return
        # A manager that is gone, or does not read, is no reason for us to fail or to wait.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
            ear.settimeout(0)
            ear.connect(self._address)
            ear.send(state.encode())


def _address(name: str) -> str:
    """Return a Unix socket's address; ``@`` stands for the NUL of an abstract one."""
    if name.startswith("@"):
        return f"\0{name[1:]}"
    return name if name.startswith("/") else ""


def _watchdog(environment: Mapping[str, str]) -> float:
    """Return the seconds within which a sign of life is due, or 0 where none is."""
    try:
        timeout = int(environment.get("WATCHDOG_USEC", "0")) / 1e6
        pid = int(environment.get("WATCHDOG_PID", os.getpid()))
    except ValueError:
        return 0.0
    return max(0.0, timeout) if pid == os.getpid() else 0.0
