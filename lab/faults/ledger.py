"""Compare what was collected with what has arrived: lost, late, out of order, falsely told."""

import bisect
import math
from array import array
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

__all__ = ["Ledger", "Losses", "Outage"]

IN_FLIGHT = 1.5
"""Seconds before a fault in which a report may be collected and still be caught by it."""
FRESH = 2.5
"""Seconds that a report may be old and still show that its host is back: what waited in the
kernel's buffers while nobody read it does not."""
UNDERWAY = 1.0
"""Seconds that news of a state may be underway."""


class Outage(NamedTuple):
    """A host that was cut off, by us: from when, and when the fault was over."""

    host: str
    began: float
    over: float


class Losses(NamedTuple):
    """Reports, counted."""

    collected: int
    arrived: int
    while_down: int
    """Lost of those that were collected between the fault and the recovery."""
    while_up: int
    """Lost of all others."""


@dataclass
class Told:
    """A status that a dashboard was told."""

    at: float
    host: str
    online: bool


class _Tail:
    """The lines that a file has gained since the last look."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._at = 0
        self._rest = b""

    def lines(self) -> list[str]:
        if not self._file.exists():
            return []
        with self._file.open("rb") as stream:
            stream.seek(self._at)
            found = self._rest + stream.read()
            self._at = stream.tell()
        whole, _, self._rest = found.rpartition(b"\n")
        return whole.decode().splitlines()


class Ledger:
    """Reads the oracle's file and the agents'; times are the machine's monotonic clock."""

    def __init__(self, oracle: Path) -> None:
        self._oracle = _Tail(oracle)
        self._logs: dict[Path, _Tail] = {}
        self._collected: dict[tuple[str, str], array[float]] = defaultdict(lambda: array("d"))
        self._arrived: dict[tuple[str, str], array[float]] = defaultdict(lambda: array("d"))
        self._arrivals: dict[str, array[float]] = defaultdict(lambda: array("d"))
        self._numbers: dict[str, array[int]] = defaultdict(lambda: array("l"))
        self._epochs: dict[str, list[tuple[int, str]]] = defaultdict(list)
        """Of each host, from which arrival on which epoch."""
        self._newest: dict[tuple[str, str], int] = {}
        self.connected: list[float] = []
        self.hosts: set[str] = set()
        self.removals: list[tuple[float, str]] = []
        self.told: list[Told] = []
        self.state: dict[str, bool] = {}
        self.wrong: list[str] = []
        """What the protocol does not allow."""
        self.outages: list[Outage] = []

    def follow(self, log: Path) -> None:
        """Read this file, too, of what was collected."""
        self._logs[log] = _Tail(log)

    def beside(self, oracle: Path) -> "Ledger":
        """Return the ledger of another oracle that watches the same agents."""
        found = Ledger(oracle)
        for log in self._logs:
            found.follow(log)
        return found

    def read(self) -> None:
        """Take note of what is new."""
        for line in self._oracle.lines():
            kind, at, *rest = line.split(" ", 2)
            self._note(kind, float(at), rest[0] if rest else "")
        for log in self._logs.values():
            for line in log.lines():
                host, epoch, number, at = line.split()
                _put(self._collected[host, epoch], int(number), float(at))

    def _note(self, kind: str, at: float, rest: str) -> None:
        match kind:
            case "M":
                host, epoch, number = rest.split()
                if epoch != "None":
                    self._note_report(at, host, epoch, int(number))
            case "S":
                host, online = rest.split()
                self.state[host] = online == "1"
                self.told.append(Told(at, host, online == "1"))
            case "A":
                self.hosts.add(rest)
            case "R":
                self.hosts.discard(rest)
                self.removals.append((at, rest))
            case "C":
                self.connected.append(at)
                self.state.clear()
                self.hosts.clear()
            case "X":
                self.wrong.append(rest)

    def _note_report(self, at: float, host: str, epoch: str, number: int) -> None:
        key = host, epoch
        if number < self._newest.get(key, 0):
            self.wrong.append(f"report {number} of {host} came after {self._newest[key]}")
        self._newest[key] = number
        if _put(self._arrived[key], number, at):
            epochs = self._epochs[host]
            if not epochs or epochs[-1][1] != epoch:
                epochs.append((len(self._arrivals[host]), epoch))
            self._arrivals[host].append(at)
            self._numbers[host].append(number)

    def arrivals(self, host: str, since: float = 0.0) -> int:
        """Return how many reports of the host have arrived since then, each counted once."""
        times = self._arrivals[host]
        return len(times) - bisect.bisect_right(times, since)

    def back_at(self, host: str, since: float) -> float | None:
        """Return when the first fresh report of the host came after that moment."""
        times = self._arrivals[host]
        for number in range(bisect.bisect_right(times, since), len(times)):
            if times[number] - self._collected_at(host, number) < FRESH:
                return times[number]
        return None

    def _collected_at(self, host: str, arrival: int) -> float:
        """Return when the report of that arrival was collected; -inf if that is not known yet."""
        epochs = self._epochs[host]
        _, epoch = epochs[bisect.bisect_right(epochs, (arrival, "~")) - 1]
        times, number = self._collected.get((host, epoch)), self._numbers[host][arrival]
        if times is None or number > len(times) or math.isnan(times[number - 1]):
            return -math.inf
        return times[number - 1]

    def last_arrival(self, host: str, before: float) -> float:
        """Return when the last new report of the host came before that moment, 0 if none has."""
        times = self._arrivals[host]
        at = bisect.bisect_left(times, before)
        return times[at - 1] if at else 0.0

    def all_back(self, hosts: Iterable[str], since: float) -> bool:
        """Return whether a fresh report of each host has come since then."""
        self.read()
        return all(self.back_at(host, since) is not None for host in hosts)

    def outage(self, hosts: Iterable[str], began: float, over: float) -> None:
        """Take note of a fault of ours."""
        self.outages += [Outage(host, began, over) for host in hosts]

    def recoveries(self) -> list[float]:
        """Return the seconds from each fault's end to the first fresh report, inf without one."""
        times = []
        for outage in self.outages:
            back = self.back_at(outage.host, outage.over)
            times.append(math.inf if back is None else back - outage.over)
        return times

    def losses(self, until: float = math.inf) -> Losses:
        """Count the reports that were collected until then."""
        windows = self._windows()
        collected = arrived = while_down = while_up = 0
        for (host, epoch), times in self._collected.items():
            came = self._arrived.get((host, epoch), array("d"))
            for number, at in enumerate(times):
                if math.isnan(at) or at > until:
                    continue
                collected += 1
                if number < len(came) and not math.isnan(came[number]):
                    arrived += 1
                elif _within(windows.get(host, []), at):
                    while_down += 1
                else:
                    while_up += 1
        return Losses(collected, arrived, while_down, while_up)

    def false_statuses(self, *, dead: Iterable[Outage] = ()) -> list[Told]:
        """Return each offline of a host that was there, and each online of one that was dead."""
        windows = self._windows()
        dead = list(dead)
        return [
            told
            for told in self.told
            if (not told.online and not _within(windows.get(told.host, []), told.at))
            or (
                told.online
                and any(
                    each.host == told.host and each.began + UNDERWAY < told.at < each.over
                    for each in dead
                )
            )
        ]

    def _windows(self) -> dict[str, list[tuple[float, float]]]:
        found: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for outage in self.outages:
            back = self.back_at(outage.host, outage.over)
            found[outage.host].append(
                (outage.began - IN_FLIGHT, math.inf if back is None else back)
            )
        return found


def _put(times: "array[float]", number: int, at: float) -> bool:
    """Note when the report of that number came; return whether it is the first time."""
    while len(times) < number:
        times.append(math.nan)
    first = math.isnan(times[number - 1])
    if first:
        times[number - 1] = at
    return first


def _within(windows: Iterable[tuple[float, float]], at: float) -> bool:
    return any(began <= at <= ended for began, ended in windows)
