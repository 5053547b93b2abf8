"""Run programs, stop them, kill them, and know when they said what."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["ROOT", "FaultError", "Program", "eventually"]

ROOT = Path(__file__).parents[2]
PATIENCE = 20.0
"""Seconds that anything without a bound of its own may take."""
LOOK = 0.02


class FaultError(Exception):
    """A scenario could not be played: what it needs did not happen."""


def eventually(condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Wait for the condition; return whether it came true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK)
    return True


class Program:
    """A program of Python's, with each line that it says and when it said it.

    ``prefix`` is a command that runs the program in its own place, like ``nsenter``.
    """

    def __init__(
        self,
        *command: str | Path,
        prefix: Sequence[str] = (),
        environment: dict[str, str] | None = None,
    ) -> None:
        self.lines: list[tuple[float, str]] = []
        setpriv = shutil.which("setpriv")
        # Should we be killed, it does not live on.
        leash = (setpriv, "--pdeathsig", "KILL") if setpriv else ()
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            [*leash, *prefix, sys.executable, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | (environment or {}),
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                self.lines.append((time.monotonic(), line.rstrip("\n")))

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs, or is stopped."""
        return self.process.poll() is None

    @property
    def output(self) -> str:
        """All that it has said."""
        return "\n".join(line for _, line in list(self.lines))

    def said(self, pattern: str, since: float = 0.0) -> float | None:
        """Return when it first said something like that, None if it did not."""
        for at, line in list(self.lines):
            if at >= since and re.search(pattern, line):
                return at
        return None

    def until(self, pattern: str, seconds: float = PATIENCE, since: float = 0.0) -> float:
        """Wait until it says something like that; return when it did.

        Raises:
            FaultError: when it does not.
        """
        if not eventually(lambda: self.said(pattern, since) is not None or not self.alive, seconds):
            raise FaultError(f"no {pattern!r} within {seconds:g} s from: {self.output[-2000:]}")
        self._reader.join(None if not self.alive else 0)
        found = self.said(pattern, since)
        if found is None:
            raise FaultError(f"ended without {pattern!r}: {self.output[-2000:]}")
        return found

    def send(self, number: int) -> float:
        """Send a signal; return when, or a moment before: what follows from it is later."""
        at = time.monotonic()
        self.process.send_signal(number)
        return at

    def kill(self) -> float:
        """Kill it as ``kill -9`` does; return when."""
        at = self.send(signal.SIGKILL)
        self.process.wait()
        return at

    def end(self, number: int = signal.SIGTERM, seconds: float = PATIENCE) -> tuple[int, float]:
        """Ask it to end; return its exit code and the seconds that it took.

        Raises:
            FaultError: when it does not end.
        """
        at = self.send(number)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise FaultError(f"it did not end within {seconds:g} s") from None
        return code, time.monotonic() - at

    def discard(self) -> None:
        """End it in any case."""
        if self.alive:
            self.kill()
        self._reader.join()
