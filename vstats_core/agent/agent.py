"""Tick, ask the collectors, compose, offer the report to the sinks."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from pydantic import TypeAdapter

from vstats_core.agent.compose import Health, Part, Sections, check_fragment, compose
from vstats_core.agent.watchdog import watched
from vstats_core.agent.workers import Lane, Terms
from vstats_core.clock import Clock
from vstats_core.collectors import Collector, adapters
from vstats_core.version import __version__

__all__ = ["Agent", "Sink", "next_due", "ticks"]

logger = logging.getLogger(__name__)

Sink = Callable[[bytes], None]
"""Takes a report, as JSON, and does not block."""

FIRST_REPORT = 1.5
"""Seconds that the first report waits for a built-in collector."""
GRACE = 0.04
"""The share of the interval that a report waits for the values of its own round."""
LONGEST_GRACE = 0.25
SLACK = 0.25
"""The share of the interval that a call may be early, so that rounding never skips a round."""


async def ticks(interval: Callable[[], float], changed: asyncio.Event) -> AsyncIterator[None]:
    """Yield once an interval, on a fixed grid; rounds that were slept through are not made up.

    When ``changed`` is set, it yields at once, and the grid begins anew.
    """
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        due = next_due(due, loop.time(), interval())
        try:
            async with asyncio.timeout_at(due):
                await changed.wait()
        except TimeoutError:
            pass
        else:
            changed.clear()
            due = loop.time()
        yield


def next_due(last: float, now: float, interval: float) -> float:
    """Return the next moment of the grid that the last one is on, all in seconds."""
    return last + interval * max(1, -((last - now) // interval))


def read_hostname() -> str:
    """Return what the machine calls itself; it may be any bytes, and must not cost the report."""
    return os.fsencode(socket.gethostname()).decode(errors="replace")


class Agent:
    """Composes a report of what its collectors last said, once a tick, and offers it to its sinks.

    Nothing in it waits for a collector longer than a small share of the interval; what is late
    goes into the next report.
    """

    def __init__(
        self,
        collectors: Iterable[Collector],
        sinks: Sequence[Sink],
        *,
        interval: float,
        clock: Clock | None = None,
        hostname: Callable[[], str] = read_hostname,
    ) -> None:
        self._collectors = _in_order(collectors)
        self._sinks = sinks
        self._interval = interval
        self._clock = clock or Clock()
        self._hostname = hostname
        self._lanes: list[Lane[Sections]] = []
        self._hanging: list[Lane[Sections]] = []
        self._settled = asyncio.Event()
        self._changed = asyncio.Event()
        self._contested: set[str] = set()

    async def run(self, rounds: AsyncIterator[None] | None = None) -> None:
        """Report for ever, or as long as there are rounds."""
        with watched():
            await self.start()
            self.report()
            async for _ in rounds or ticks(lambda: self._interval, self._changed):
                await self._ask()
                self.report()

    async def start(self, *, for_all: bool = False) -> None:
        """Ask every collector for the first time; return when ours, or all, have answered.

        None is waited for longer than a second and a half.
        """
        self._lanes = [self._lane(collector) for collector in self._collectors]
        awaited = [
            lane
            for lane, collector in zip(self._lanes, self._collectors, strict=True)
            if for_all or collector.found.builtin
        ]
        for lane in self._lanes:
            lane.ask_if_due()
        await self._until(lambda: all(lane.answered for lane in awaited), FIRST_REPORT)

    def reconfigure(self, collectors: Iterable[Collector], interval: float) -> None:
        """Go on with other collectors, settings or another interval; report at once.

        A collector that stays keeps its thread and its newest value; one that hangs is not called
        a second time because its settings have changed.
        """
        # One that was left out while it hung is still hanging, and must not be called twice.
        running = {lane.name: lane for lane in (*self._hanging, *self._lanes)}
        self._interval = interval
        self._collectors = _in_order(collectors)
        self._lanes = []
        for collector in self._collectors:
            lane = running.pop(collector.found.name, None)
            if lane is None:
                lane = self._lane(collector)
            else:
                lane.change(**self._terms(collector))
            self._lanes.append(lane)
        self._hanging = [lane for lane in running.values() if lane.in_flight]
        for lane in running.values():
            if not lane.in_flight:
                lane.retire()
        self._changed.set()

    def report(self) -> bytes:
        """Compose a report of the newest values, offer it to every sink, and return it."""
        self._name_rivals()
        report = compose(
            (
                Part(lane.name, lane.value or {}, Health(lane.age, lane.busy_for, lane.complaint))
                for lane in self._lanes
            ),
            timestamp=self._clock.utc(),
            hostname=self._hostname(),
            version=__version__,
            interval=self._interval,
        )
        for sink in self._sinks:
            sink(report)
        return report

    async def _ask(self) -> None:
        """Start the calls that are due and wait a moment for those that use to be quick."""
        grace = min(self._interval * GRACE, LONGEST_GRACE)
        asked = [
            lane
            for lane in self._lanes
            if lane.ask_if_due(slack=self._interval * SLACK) and lane.duration < grace
        ]
        await self._until(lambda: not any(lane.in_flight for lane in asked), grace)

    def _name_rivals(self) -> None:
        """Say once of each section that two collectors return whose it is."""
        owners: dict[str, str] = {}
        for lane in self._lanes:
            for section in lane.value or ():
                rival = owners.setdefault(section, lane.name)
                if rival != lane.name and section not in self._contested:
                    self._contested.add(section)
                    logger.warning(
                        "collectors %s and %s both return %s; the one of %s is reported",
                        rival,
                        lane.name,
                        section,
                        lane.name,
                    )
                owners[section] = lane.name

    async def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._settled.clear()
                    await self._settled.wait()
        except TimeoutError:
            pass

    def _lane(self, collector: Collector) -> Lane[Sections]:
        name = collector.found.name
        return Lane(name, settled=self._settled.set, **self._terms(collector))

    def _terms(self, collector: Collector) -> Terms[Sections]:
        settings = collector.settings
        return {
            "call": partial(_collect, collector, adapters(collector.sections)),
            "interval": max(settings.interval or 0, self._interval),
            "timeout": settings.timeout,
        }


def _in_order(collectors: Iterable[Collector]) -> list[Collector]:
    """Return those to be called, ours first: where two return one section, a stranger's wins."""
    return sorted(
        (collector for collector in collectors if collector.enabled),
        key=lambda collector: (not collector.found.builtin, collector.found.name),
    )


def _collect(collector: Collector, declared: Mapping[str, TypeAdapter[Any]]) -> Sections | None:
    """Call the collector and check its fragment; runs on the collector's own thread."""
    fragment = collector.collect()
    return None if fragment is None else check_fragment(fragment, declared)
