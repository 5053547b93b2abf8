"""Decide which processes use the most CPU and memory, and how much of their tale may be told."""

import heapq
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, NamedTuple

import psutil
from pydantic import Field

from vstats_core import CollectorSettings, Fragment, Interval, hookimpl
from vstats_processes.readers import RUNNING, ZOMBIE, Identity, Linux, Other, Process, Reader
from vstats_processes.section import Processes

__all__ = ["ProcessesCollector", "ProcessesSettings", "Use", "plugin", "shares"]


class ProcessesSettings(CollectorSettings):
    """The table ``[agent.collectors.processes]``."""

    interval: Interval | None = 10.0
    """Seconds between two calls, over which the CPU time is measured."""
    top: Annotated[int, Field(ge=1, le=50)] = 5
    """How many processes each list has, 1 to 50."""
    users: bool = True
    """Whether to say who runs a process."""
    command_lines: bool = False
    """Whether to report command lines; they may hold passwords, and every dashboard shows them."""


class Use(NamedTuple):
    """A process, and what it used since the previous call."""

    process: Process
    cpu: float
    """Percent of the whole machine."""
    memory: int
    """Bytes."""


def shares(
    before: Mapping[Identity, float],
    processes: Iterable[Process],
    *,
    elapsed: float,
    cpus: int,
) -> list[Use]:
    """Return what each process used of the machine's CPU time, of those that tell.

    ``before`` holds the seconds of CPU time that the processes had used ``elapsed`` seconds ago;
    one that is not in it has started since, and all that it used counts.
    """
    whole = elapsed * cpus
    uses = []
    for process in processes:
        if process.cpu is not None and process.memory is not None:
            gain = process.cpu - before.get(process.identity, 0.0)
            # The kernel counts in ticks, and may be ahead of the clock by one.
            share = min(max(0.0, gain / whole), 1.0) if whole > 0 else 0.0
            uses.append(Use(process, round(100 * share, 1), process.memory))
    return uses


class ProcessesCollector:
    """Collects ``processes``."""

    def __init__(
        self,
        *,
        reader: Reader | None = None,
        cpus: Callable[[], int | None] = psutil.cpu_count,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader or (Linux() if sys.platform == "linux" else Other())
        self._cpus = cpus
        self._clock = clock
        self._before: dict[Identity, float] | None = None
        self._moment = 0.0

    @hookimpl
    def vstats_settings(self) -> type[ProcessesSettings]:
        """Name the settings."""
        return ProcessesSettings

    @hookimpl
    def vstats_sections(self) -> dict[str, Any]:
        """Name the section."""
        return {"processes": Processes}

    @hookimpl
    def vstats_collect(self, settings: ProcessesSettings) -> Fragment | None:
        """Return how many processes there are, and which use the most.

        CPU is the share of the time of all CPUs together since the previous call; None in the
        first: there is nothing to compare with. What starts and ends between two calls is not
        seen.
        """
        processes = self._reader.processes()
        moment = self._clock()
        before, elapsed = self._before, moment - self._moment
        self._before = {p.identity: p.cpu for p in processes if p.cpu is not None}
        self._moment = moment
        if before is None:
            return None
        uses = shares(before, processes, elapsed=elapsed, cpus=self._cpus() or 1)
        by_cpu = heapq.nsmallest(
            settings.top, uses, key=lambda use: (-use.cpu, -use.memory, use.process.identity)
        )
        by_memory = heapq.nsmallest(
            settings.top, uses, key=lambda use: (-use.memory, use.process.identity)
        )
        return {
            "processes": {
                "total": len(processes),
                "running": sum(process.state == RUNNING for process in processes),
                "zombies": sum(process.state == ZOMBIE for process in processes),
                "threads": sum(process.threads for process in processes),
                "by_cpu": [self._item(use, settings) for use in by_cpu],
                "by_memory": [self._item(use, settings) for use in by_memory],
            }
        }

    def _item(self, use: Use, settings: ProcessesSettings) -> Fragment:
        pid = use.process.identity.pid
        item: Fragment = {
            "pid": pid,
            "name": use.process.name,
            "cpu": use.cpu,
            "memory": use.memory,
        }
        if settings.users and (user := self._reader.user(pid)) is not None:
            item["user"] = user
        # What is not asked for is not even read.
        if settings.command_lines and (command := self._reader.command(pid)) is not None:
            item["command"] = command
        return item


plugin = ProcessesCollector()
