"""What is known of every host: the messages of the wire, applied in order."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from vstats_top import format as fmt
from vstats_top.levels import (
    LEVELS,
    WARN,
    Reason,
    Watched,
    level,
    levelled,
    section_reasons,
)

__all__ = ["Host", "Point", "State", "Store", "View", "look"]

State = Literal["online", "stale", "offline", "never", "waiting"]
"""A host is in one of these states, and in no two."""

STALE_AFTER = 10.0
POINTS = 60
"""Reports that are remembered for the lines."""
SELDOM = 30.0
"""Seconds between two reports beyond which a status tells more of when a host was last there."""


@dataclass
class View:
    """What a row shows of a report; None for what is not in it."""

    cpu: float | None = None
    cores: int | None = None
    memory: float | None = None
    disk: float | None = None
    mount: str = ""
    """The mount point of the fullest disk."""
    load: float | None = None
    per_core: float | None = None
    down: float | None = None
    up: float | None = None
    uptime: float | None = None
    trouble: list[str] = field(default_factory=list)
    """Collectors that fail, by name."""
    levels: dict[str, int] = field(default_factory=dict)
    reasons: list[Reason] = field(default_factory=list)
    """What needs attention, worst first."""

    @property
    def level(self) -> int:
        """The worst of the reasons."""
        return self.reasons[0].level if self.reasons else 0


@dataclass
class Point:
    """What is remembered of an older report; ``at`` is our clock."""

    at: float
    cpu: float | None
    down: float | None
    up: float | None


class Host:
    """A host: as configured, as it is, and as it last reported."""

    def __init__(self) -> None:
        self.id = self.name = self.location = ""
        self.tags: list[str] = []
        self.online: bool | None = None
        self.was_online = False
        self.status_at: float | None = None
        self.report: Mapping[str, Any] = {}
        self.reported_at: float | None = None
        """When its newest report came in, by the server's clock; None as long as there is none."""
        self.heard_at = 0.0
        """The same by our clock."""
        self.sections: Mapping[str, Any] = {}
        self.history: deque[Point] = deque(maxlen=POINTS)
        self.generation = 0
        self.fresh = False
        self._watched: list[Watched] = []
        self._view: View | None = None
        self._search = ""

    @property
    def view(self) -> View:
        """What a row shows of the newest report; only made when somebody looks."""
        if self._view is None:
            self._view = look(self.report, self._watched)
        return self._view

    @property
    def os(self) -> str:
        """The operating system, in a line."""
        system = self.report.get("os", {})
        return " ".join(filter(None, (system.get("name"), system.get("version"))))

    @property
    def search(self) -> str:
        """All that a word of the filter may be in."""
        if not self._search:
            about = (self.name, self.id, self.location, self.report.get("hostname", ""), self.os)
            self._search = "\n".join((*about, *self.tags)).lower()
        return self._search

    @property
    def interval(self) -> float:
        """The seconds between two reports: as declared, else as seen, else none."""
        declared: float = self.report.get("agent", {}).get("interval", 0)
        if declared > 0 or len(self.history) < 2:  # noqa: PLR2004 - a span has two ends
            return declared
        return (self.history[-1].at - self.history[0].at) / (len(self.history) - 1)

    def changed(self) -> None:
        """Forget what was derived from an older report."""
        self._view, self._search = None, ""

    def describe(self, sections: Mapping[str, Any]) -> None:
        """Take over what its plugins' sections mean."""
        self.sections = sections
        self._watched = levelled(sections)
        self.changed()


class Store:
    """All hosts, in the order of the server's configuration. Times are seconds.

    ``now`` is always our clock, which only grows; the server's is known as far as the whole seconds
    of its messages tell.
    """

    def __init__(self) -> None:
        self.hosts: dict[str, Host] = {}
        self.heard_at: float | None = None
        """When anything last came."""
        self._offset: float | None = None
        self._generation = 0

    def connected(self) -> None:
        """Begin anew: what follows is a snapshot, and says which hosts there are."""
        self._generation += 1
        self._offset = None

    def prune(self) -> None:
        """Forget the hosts that the snapshot of this connection has not named."""
        self.hosts = {
            key: host for key, host in self.hosts.items() if host.generation == self._generation
        }

    def apply(self, message: Mapping[str, Any], now: float) -> None:
        """Take over a message; one of a kind or of a host that is not known says nothing."""
        self.heard_at = now
        at = _unix(message.get("timestamp", ""))
        if at is not None:
            # No message is from the future, and each was cut to its second: the highest is nearest.
            self._offset = max(at - now, self._offset if self._offset is not None else at - now)
        data = message["data"]
        if message["type"] == "server_added":
            self._added(data)
            return
        host = self.hosts.get(data.get("server_id") or data.get("id"))
        if host is None:
            return
        match message["type"]:
            case "server_removed":
                del self.hosts[host.id]
            case "status":
                host.online, host.status_at = data["online"], at
                host.was_online = host.was_online or data["online"]
            case "describe":
                host.describe(data["sections"])
            case "metrics":
                self._metrics(host, data["metrics"], at, now)

    def _added(self, data: Mapping[str, Any]) -> None:
        host = self.hosts.pop(data["id"], None) or Host()
        host.id = data["id"]
        host.name = data.get("name") or data["id"]
        host.location = data.get("location", "")
        host.tags = data.get("tags", [])
        # What it was before this connection is not known to hold: its status follows, if any.
        host.online = host.status_at = None
        host.generation = self._generation
        host.fresh = False
        host.changed()
        self.hosts[host.id] = host

    def _metrics(self, host: Host, report: Mapping[str, Any], at: float | None, now: float) -> None:
        # A connection's first may be a report that was there long before.
        age = 0.0 if host.fresh or at is None else max(0.0, self.server_time(now) - at)
        repeated = not host.fresh and at == host.reported_at
        host.fresh = True
        host.report, host.reported_at, host.heard_at = report, at, now - age
        host.changed()
        if not repeated:
            cpu, network = report.get("cpu", {}), report.get("network", {})
            point = Point(now - age, cpu.get("usage"), network.get("rx"), network.get("tx"))
            host.history.append(point)

    def server_time(self, now: float) -> float:
        """Return the server's clock at that moment of ours."""
        return now + (self._offset or 0.0)

    def state(self, host: Host, now: float) -> State:
        """Return the host's state; while nothing can come, ``now`` should be when it last did."""
        if host.online is None:
            return "waiting"
        if not host.online:
            return "offline" if host.reported_at is not None or host.was_online else "never"
        if host.reported_at is None:
            return "waiting"
        return "stale" if now - host.heard_at > _stale_after(host) else "online"

    def seen_ago(self, host: Host, now: float) -> float | None:
        """Return the seconds since the host was last heard of, by the server's clock."""
        at = host.reported_at
        # An agent that reports seldom was alive for long after its last report.
        seldom = host.report.get("agent", {}).get("interval", 0) > SELDOM
        if at is None or (seldom and (host.status_at or 0) > at):
            at = host.status_at
        return None if at is None else max(0.0, self.server_time(now) - at)


def _stale_after(host: Host) -> float:
    declared: float = host.report.get("agent", {}).get("interval", 0)
    if declared > 0:
        return max(STALE_AFTER, 3 * declared)
    return max(60.0, 3 * host.interval) if host.interval else float("inf")


def _unix(timestamp: str) -> float | None:
    try:
        return datetime.fromisoformat(timestamp).timestamp()
    except ValueError:
        return None


def look(report: Mapping[str, Any], watched: list[Watched] | None = None) -> View:
    """Return what a row shows of a report."""
    view = View()
    cpu, load = report.get("cpu", {}), report.get("load_average", {})
    view.cpu, view.cores = cpu.get("usage"), cpu.get("cores")
    view.memory = report.get("memory", {}).get("usage_percent")
    for disk in report.get("disks", ()):
        if view.disk is None or disk["usage_percent"] > view.disk:
            view.disk, view.mount = disk["usage_percent"], disk["mount_point"]
    view.load = load.get("one")
    if view.cores and view.load is not None:
        view.per_core = view.load / view.cores
    network = report.get("network", {})
    view.down, view.up = network.get("rx"), network.get("tx")
    view.uptime = report.get("uptime")
    numbers = {"cpu": view.cpu, "memory": view.memory, "disk": view.disk, "load": view.per_core}
    view.levels = {key: level(number, LEVELS[key]) for key, number in numbers.items()}
    mount = fmt.inert(view.mount)
    reasons = [
        Reason(view.levels["cpu"], f"CPU {fmt.percent(view.cpu)}", "CPU"),
        Reason(view.levels["memory"], f"memory {fmt.percent(view.memory)}", "memory"),
        Reason(view.levels["disk"], f"{mount} {fmt.percent(view.disk)} full", mount),
        Reason(view.levels["load"], f"load {fmt.load(view.load)} on {view.cores} CPUs", "load"),
    ]
    for name, health in report.get("collectors", {}).items():
        if health.get("ok") is False:
            view.trouble.append(name)
            what = f": {fmt.inert(health['error'])}" if health.get("error") else " fails"
            reasons.append(Reason(WARN, f"{fmt.inert(name)}{what}", fmt.inert(name)))
    reasons += section_reasons(report, watched or [])
    view.reasons = sorted(filter(lambda one: one.level, reasons), key=lambda one: -one.level)
    return view
