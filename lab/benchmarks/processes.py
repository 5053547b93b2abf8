"""Start programs, pin them, and read what they have used."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = [
    "GENERATOR_CORE",
    "RELAY_CORE",
    "ROOT",
    "Memory",
    "Program",
    "cpu",
    "free_port",
    "memory",
    "started",
]

ROOT = Path(__file__).parents[2]
RELAY_CORE = 0
GENERATOR_CORE = 1
MOST_COMPLAINTS = 3
FAREWELL = 5.0
"""Seconds that a program may take to end before it is killed."""


class Memory(NamedTuple):
    """What a process holds, in bytes."""

    resident: int
    anonymous: int
    private: int
    """What would be free if it ended (USS)."""


class Program(NamedTuple):
    """A running program and the file that its output goes to."""

    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def complaints(self) -> list[str]:
        """What it has logged that it should not have to say, each once, without the time."""
        text = self.log.read_text(errors="replace")
        found = re.findall(r"((?:WARNING|ERROR|CRITICAL) .*|\w*Error: .*)", text)
        return list(dict.fromkeys(found))[:MOST_COMPLAINTS]

    def until(self, text: str, seconds: float = 20.0) -> None:
        """Wait for the text in its output.

        Raises:
            RuntimeError: with the output, when it does not come.
        """
        deadline = time.monotonic() + seconds
        while text not in self.log.read_text(errors="replace"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                output = self.log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.process.args!r} did not say {text!r}: {output}")
            time.sleep(0.01)


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def pin(pid: int, core: int) -> None:
    """Keep the process on one core, if there are two to choose from."""
    if core in os.sched_getaffinity(0) and len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(pid, {core})


@contextlib.contextmanager
def started(
    command: Sequence[str | Path],
    log: Path,
    core: int,
    *,
    environment: dict[str, str] | None = None,
) -> Iterator[Program]:
    """Run a program for as long as the context lasts, and no longer whatever happens."""
    setpriv = shutil.which("setpriv")
    if setpriv is not None:
        # Should we be killed, it does not live on.
        command = [setpriv, "--pdeathsig", "TERM", *command]
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=os.environ | (environment or {}),
        )
    try:
        pin(process.pid, core)
        yield Program(process, log)
    finally:
        process.terminate()
        try:
            process.wait(FAREWELL)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def cpu(pid: int) -> float:
    """Return the seconds of CPU that all threads of a process have used, ended ones too.

    It is the sum of the first number in ``/proc/PID/task/*/schedstat``, to the nanosecond.
    """
    # MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED), which Python offers for threads only.
    return time.clock_gettime((~pid << 3) | 2)


def memory(pid: int) -> Memory:
    """Return what a process holds just now."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    sizes = {
        name: int(size) * 1024
        for name, size in re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE)
    }
    private = sizes["Private_Clean"] + sizes["Private_Dirty"]
    return Memory(sizes["Rss"], sizes["Anonymous"], private)
