"""Read what the machine tells about its processes, at a price that a thousand of them may have."""

import os
import pwd
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

import psutil

__all__ = [
    "Identity",
    "Linux",
    "Other",
    "Process",
    "Reader",
    "parse_stat",
    "printable",
    "user_name",
]

LONGEST_NAME = 48
LONGEST_COMMAND = 200
"""Bytes that are reported: with fifty processes a list, the section stays below its limit."""
MOST_READ = 4096
"""Bytes of a command line that are read: some are megabytes."""
RUNNING, ZOMBIE = "R", "Z"


class Identity(NamedTuple):
    """What tells a process from a later one of the same number."""

    pid: int
    started: float
    """A moment, in a unit of the platform's own."""


class Process(NamedTuple):
    """What a process is and has used by now."""

    identity: Identity
    name: str
    state: str
    """A letter, as Linux has it: R is running, Z is a zombie."""
    threads: int
    cpu: float | None
    """Seconds of CPU time since its start; None where the agent may not know."""
    memory: int | None
    """Bytes; None where the agent may not know."""


class Reader(Protocol):
    """Reads the processes of a platform. Nothing raises for a process that vanishes meanwhile."""

    def processes(self) -> list[Process]:
        """Return every process that can be seen."""

    def user(self, pid: int) -> str | None:
        """Return who runs the process."""

    def command(self, pid: int) -> str | None:
        """Return its command line; None where it has none."""


def printable(text: str | bytes, longest: int = LONGEST_NAME) -> str:
    """Return the text in one line of valid UTF-8, without control characters, so many bytes long.

    What cannot be shown, such as an escape sequence or a mark that turns the direction of writing,
    is replaced.
    """
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    text = " ".join(text.split())
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
    return text.encode()[:longest].decode(errors="ignore")


def parse_stat(stat: bytes, *, ticks: int, page: int) -> Process:
    """Return what a line of ``/proc/PID/stat`` says; see proc_pid_stat(5).

    ``ticks`` are the clock's a second, ``page`` is the size of a page of memory in bytes.
    """
    # The name may hold anything, parentheses and spaces included: the last one ends it.
    head, _, tail = stat.rpartition(b")")
    pid, _, name = head.partition(b" (")
    fields = tail.split()
    return Process(
        identity=Identity(int(pid), int(fields[19])),
        name=printable(name),
        state=fields[0].decode(),
        threads=int(fields[17]),
        cpu=(int(fields[11]) + int(fields[12])) / ticks,
        memory=int(fields[21]) * page,
    )


class Linux:
    """Reads one file a process, and more only of those that are asked for.

    ``stat`` can be read of any process, and never blocks; a command line waits for a lock that
    a stuck process may hold for ever. Besides, psutil takes six times as long, and
    ``psutil.process_iter`` gives a reused number the name and the age of its former owner.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._folder = str(root / "proc")
        self._ticks = os.sysconf("SC_CLK_TCK")
        self._page = os.sysconf("SC_PAGE_SIZE")
        # Remembered: an answer may come from a directory on the network.
        self._user_name = lru_cache(maxsize=1000)(user_name)

    def processes(self) -> list[Process]:
        """Return every process that can be seen."""
        found = []
        for name in os.listdir(self._folder):  # noqa: PTH208 - a quarter of the price
            if name.isdigit():
                # It has ended meanwhile, or hidepid= keeps it from us.
                with suppress(OSError):
                    stat = _read(f"{self._folder}/{name}/stat")
                    found.append(parse_stat(stat, ticks=self._ticks, page=self._page))
        return found

    def user(self, pid: int) -> str | None:
        """Return who runs the process."""
        try:
            return self._user_name(os.stat(f"{self._folder}/{pid}").st_uid)  # noqa: PTH116 - as above
        except OSError:
            return None

    def command(self, pid: int) -> str | None:
        """Return its command line; None where it has none."""
        try:
            line = _read(f"{self._folder}/{pid}/cmdline")
        except OSError:
            return None
        return printable(line.replace(b"\0", b" "), LONGEST_COMMAND) or None


class Other:
    """Asks psutil, where there is no ``/proc`` as Linux has it."""

    def processes(self) -> list[Process]:
        """Return every process that can be seen."""
        found = []
        for pid in psutil.pids():
            with suppress(psutil.Error):
                found.append(_ask(psutil.Process(pid)))
        return found

    def user(self, pid: int) -> str | None:
        """Return who runs the process."""
        return self._told(lambda: printable(psutil.Process(pid).username()))

    def command(self, pid: int) -> str | None:
        """Return its command line; None where it has none."""
        return self._told(
            lambda: printable(" ".join(psutil.Process(pid).cmdline()), LONGEST_COMMAND)
        )

    @staticmethod
    def _told(ask: Callable[[], str]) -> str | None:
        try:
            return ask() or None
        except (psutil.Error, KeyError):
            return None


def _ask(process: psutil.Process) -> Process:
    """Return what psutil tells of the process.

    Raises:
        psutil.NoSuchProcess: if it has ended.
    """
    states = {psutil.STATUS_RUNNING: RUNNING, psutil.STATUS_ZOMBIE: ZOMBIE}
    attributes = ["name", "status", "num_threads", "cpu_times", "memory_info"]
    told = process.as_dict(attributes)  # None for what we may not know
    times, memory = told["cpu_times"], told["memory_info"]
    return Process(
        identity=Identity(process.pid, process.create_time()),
        name=printable(told["name"] or ""),
        state=states.get(told["status"], ""),
        threads=told["num_threads"] or 0,
        cpu=times.user + times.system if times else None,
        memory=memory.rss if memory else None,
    )


def user_name(uid: int) -> str:
    """Return what the machine calls the user; the number of one that it does not know."""
    try:
        return printable(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return str(uid)


def _read(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, MOST_READ)
    finally:
        os.close(file)
