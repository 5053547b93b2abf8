"""Run commands at the same time, each within its time, and leave nothing of them behind.

One thread attends to all of them: it starts none, and never waits for a pipe alone.
"""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple

from vstats_exec.formats import printable
from vstats_exec.guard import Guard
from vstats_exec.settings import Command

__all__ = ["MOST_OUTPUT", "Outcome", "Runner"]

MOST_OUTPUT = 64 * 1024
"""Bytes that a command may print, and that it may complain, before it is killed."""
PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""Variables of the agent's that a command sees; the agent's token may be in another."""
SHORTEST_LOOK, LONGEST_LOOK = 0.001, 0.05
"""Seconds between two looks at whether a command has ended that prints nothing."""
PATIENCE = 0.5
"""Seconds that those which were killed may take, together, to be gone."""


class Outcome(NamedTuple):
    """What a command printed, or what went wrong with it."""

    output: bytes = b""
    error: str = ""


def kill_group(group: int) -> None:
    """Kill every process of the group, without a chance to object."""
    # None is left, or it is another user's: sudo has started it.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


class Run:
    """One command that runs, in a session of its own."""

    def __init__(self, command: Command, started: float) -> None:
        """Start it.

        Raises:
            OSError, ValueError: if it cannot be started.
        """
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self.command = command
        self.process = subprocess.Popen(  # noqa: S603 - what the administrator has configured
            command.command,
            bufsize=0,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=environment | command.environment,
            start_new_session=True,
        )
        assert self.process.stdout is not None  # noqa: S101 - PIPE
        assert self.process.stderr is not None  # noqa: S101 - PIPE
        self._pipes = (self.process.stdout, self.process.stderr)
        self._output, self._complaint = bytearray(), bytearray()
        self._texts = dict(zip(self.files, (self._output, self._complaint), strict=True))
        for file in self.files:
            os.set_blocking(file, False)
        self.deadline = started + command.timeout

    @property
    def files(self) -> list[int]:
        """The ends of its pipes, while they are open."""
        return [pipe.fileno() for pipe in self._pipes]

    def read(self, file: int) -> bool:
        """Take what has been printed, up to a byte too much; return whether more may come."""
        text = self._texts[file]
        try:
            while len(text) <= MOST_OUTPUT:
                piece = os.read(file, MOST_OUTPUT)
                if not piece:
                    return False
                text += piece
        except BlockingIOError:
            pass
        return True

    def outcome(self, now: float) -> Outcome | None:
        """Return what came of it; None while it has time and is still running.

        One that has ended stays a zombie, so that its number is nobody else's yet.
        """
        try:
            end = os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return Outcome(error="how it ended is not known: the agent runs with SIGCHLD ignored")
        if end is not None:
            # What it has printed is in the pipe; what its children still print is not waited for.
            for file in self.files:
                self.read(file)
        if max(map(len, self._texts.values())) > MOST_OUTPUT:
            return self._failed(f"printed more than {MOST_OUTPUT} bytes")
        if end is not None:
            return self._ended(end)
        if now >= self.deadline:
            return self._failed(f"no end within {self.command.timeout:g} s")
        return None

    def close(self) -> None:
        """Let go of its pipes."""
        for pipe in self._pipes:
            pipe.close()

    def _ended(self, end: os.waitid_result) -> Outcome:
        if end.si_code != os.CLD_EXITED:
            return self._failed(f"killed by {_signal_name(end.si_status)}")
        if end.si_status != 0:
            return self._failed(f"exit status {end.si_status}")
        return Outcome(bytes(self._output))

    def _failed(self, error: str) -> Outcome:
        first_line = printable(bytes(self._complaint).strip().partition(b"\n")[0])
        return Outcome(error=f"{error}: {first_line}" if first_line else error)


class Runner:
    """Runs commands, and remembers those that cannot be killed."""

    def __init__(
        self,
        *,
        kill: Callable[[int], None] = kill_group,
        clock: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE,
    ) -> None:
        self._kill = kill
        self._clock = clock
        self._patience = patience
        self._unkillable: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, commands: Iterable[Command]) -> dict[str, Outcome]:
        """Return what came of each command, by its name, when all have ended or were killed."""
        outcomes: dict[str, Outcome] = {}
        runs: list[Run] = []
        with Guard() as guard:
            try:
                for command in commands:
                    if self._still_runs(command.name):
                        error = "not started: it still runs, although it was killed"
                        outcomes[command.name] = Outcome(error=error)
                        continue
                    try:
                        run = Run(command, self._clock())
                    except (OSError, ValueError) as error:
                        why = getattr(error, "strerror", None) or str(error)
                        text = printable(f"cannot be started: {why}: {command.command[0]}")
                        outcomes[command.name] = Outcome(error=text)
                        continue
                    runs.append(run)
                    guard.watch(run.process.pid)
                outcomes |= self._attend(runs)
            finally:
                for run in runs:
                    self._kill(run.process.pid)
                    run.close()
        # Only now are their numbers given back: until here nobody else could be killed instead.
        self._bury(runs)
        return outcomes

    def _attend(self, runs: Iterable[Run]) -> dict[str, Outcome]:
        outcomes: dict[str, Outcome] = {}
        running = set(runs)
        pause = SHORTEST_LOOK
        with selectors.DefaultSelector() as selector:
            for run in running:
                for file in run.files:
                    selector.register(file, selectors.EVENT_READ, run)
            while running:
                left = min(run.deadline for run in running) - self._clock()
                events = selector.select(max(0.0, min(pause, left)))
                pause = SHORTEST_LOOK if events else min(2 * pause, LONGEST_LOOK)
                for key, _ in events:
                    if not key.data.read(key.fd):
                        selector.unregister(key.fd)
                for run in list(running):
                    if (outcome := run.outcome(self._clock())) is not None:
                        outcomes[run.command.name] = outcome
                        running.remove(run)
                        self._kill(run.process.pid)
                        for file in run.files:
                            if file in selector.get_map():
                                selector.unregister(file)
        return outcomes

    def _bury(self, runs: Iterable[Run]) -> None:
        deadline = self._clock() + self._patience
        for run in runs:
            try:
                run.process.wait(max(0.0, deadline - self._clock()))
            except subprocess.TimeoutExpired:
                self._unkillable[run.command.name] = run.process

    def _still_runs(self, name: str) -> bool:
        process = self._unkillable.get(name)
        if process is not None and process.poll() is not None:
            del self._unkillable[name]
        return name in self._unkillable


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
