"""Be the agent of a host that is not there: its values wander, its reports are real."""

import asyncio
import contextlib
from random import Random
from typing import Any

from vstats_core.agent.link.uplink import Uplink
from vstats_core.clock import Clock
from vstats_core.version import __version__
from vstats_core.wire import strict_json
from vstats_core.wire.describe import describe
from vstats_server.simulation.sections import Moment
from vstats_server.simulation.shapes import Disk, Shape

__all__ = ["simulate"]

LEAVES_AFTER = 8.0
"""Seconds after which a host leaves, or falls silent, if that is its fate."""
BUILT_IN = ("cpu", "disks", "load", "memory", "network", "os")
DAY = 86400
HOT = 0.9
"""The busy share from which on nothing is idle."""


async def simulate(shape: Shape, url: str, token: str, *, clock: Clock | None = None) -> None:
    """Report to the server as this host until cancelled, or until its fate comes to it."""
    if shape.fate == "never comes":
        return
    uplink = Uplink(url, token)
    uplink.describe(strict_json.dumps(describe(shape.types)))
    async with asyncio.TaskGroup() as tasks:
        link = tasks.create_task(uplink.run())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if shape.fate == "stays" else LEAVES_AFTER):
                await _report(shape, uplink, clock or Clock())
        # One that falls silent is still there: its heartbeats go on.
        if shape.fate == "leaves":
            link.cancel()


async def _report(shape: Shape, uplink: Uplink, clock: Clock) -> None:
    host = _Host(shape, clock)
    # Hosts do not report all at the same moment.
    await asyncio.sleep(host.random.random() * shape.interval)
    while True:
        uplink.offer(strict_json.dumps(host.report()))
        await asyncio.sleep(shape.interval)


class _Walk:
    """A value that wanders about where it is at home."""

    def __init__(self, random: Random, home: float, liveliness: float) -> None:
        self._random = random
        self._home = home
        self._liveliness = liveliness
        self._value = home

    def next(self, lowest: float = 0.0, highest: float = 1.0) -> float:
        pull = (self._home - self._value) * 0.15
        self._value += pull + self._random.gauss(0, self._liveliness)
        self._value = max(lowest, min(highest, self._value))
        return self._value


class _Host:
    """A shape with a past."""

    def __init__(self, shape: Shape, clock: Clock) -> None:
        self.random = Random(shape.name)  # noqa: S311 - nothing here is secret
        self._shape = shape
        self._clock = clock
        self._started = self._last = clock.monotonic()
        liveliness = 0.015 if shape.busy > HOT else 0.02 + 0.08 * shape.busy
        self._busy = _Walk(self.random, shape.busy, liveliness)
        self._used = _Walk(self.random, shape.used, 0.002)
        self._burst = _Walk(self.random, 1.0, 0.12)
        luck = 0.02 if shape.busy > HOT else 0.45
        self._luck = [self.random.uniform(1 - luck, 1 + luck) for _ in range(shape.cores)]
        self._load = shape.busy * shape.cores
        self._totals = [rate * shape.days * DAY for rate in shape.traffic]

    def report(self) -> dict[str, Any]:
        """Return the next report."""
        shape = self._shape
        now = self._clock.monotonic()
        elapsed, passed = now - self._started, now - self._last
        self._last = now
        busy = self._busy.next(0.005, 0.995)
        moment = Moment(self.random, busy, elapsed)
        name, version, kernel, arch = shape.system
        return {
            "timestamp": self._clock.utc(),
            "hostname": shape.name,
            "os": {"name": name, "version": version, "kernel": kernel, "arch": arch},
            "cpu": self._cpu(busy),
            "memory": self._memory(),
            "disks": [_disk(disk, elapsed) for disk in shape.disks],
            "network": self._network(passed),
            "uptime": round(shape.days * DAY + elapsed),
            "load_average": self._load_average(busy),
            **shape.sections(moment),
            "collectors": self._collectors(elapsed),
            "agent": {"version": __version__, "interval": shape.interval},
        }

    def _cpu(self, busy: float) -> dict[str, Any]:
        per_core = [
            round(max(0.0, min(100.0, 100 * busy * luck * self.random.uniform(0.85, 1.15))), 1)
            for luck in self._luck
        ]
        return {
            "brand": self._shape.brand,
            "cores": len(per_core),
            "usage": round(sum(per_core) / len(per_core), 1),
            "frequency": self._shape.megahertz,
            "per_core": per_core,
        }

    def _memory(self) -> dict[str, Any]:
        total = self._shape.memory
        used = int(total * self._used.next())
        swap = self._shape.swap
        return {
            "total": total,
            "used": used,
            "available": total - used,
            "swap_total": swap,
            "swap_used": swap // 9,
            "usage_percent": round(100 * used / total, 1),
        }

    def _network(self, passed: float) -> dict[str, Any]:
        burst = self._burst.next(0.1, 2.5)
        rates = [rate * burst * self.random.uniform(0.9, 1.1) for rate in self._shape.traffic]
        self._totals = [
            total + rate * passed for total, rate in zip(self._totals, rates, strict=True)
        ]
        rx, tx = map(round, self._totals)
        return {
            "interfaces": [{"name": "eth0", "rx": rx, "tx": tx}],
            "total_rx": rx,
            "total_tx": tx,
            "rx": round(rates[0]),
            "tx": round(rates[1]),
        }

    def _load_average(self, busy: float) -> dict[str, float]:
        # Beyond their share, processes of a busy machine wait for each other.
        wanted = busy * self._shape.cores * (1.35 if busy > HOT else 1.0)
        self._load += (wanted - self._load) * 0.05
        usual = self._shape.busy * self._shape.cores
        return {
            "one": round(self._load, 2),
            "five": round((self._load + usual) / 2, 2),
            "fifteen": round(usual, 2),
        }

    def _collectors(self, elapsed: float) -> dict[str, Any]:
        health: dict[str, Any] = {}
        for name in (*BUILT_IN, *self._shape.types):
            took = round(self.random.uniform(0.0003, 0.004), 4)
            health[name] = {"ok": True, "age": 0.05, "duration": took}
        for name, error in self._shape.errors.items():
            health[name] = {
                "ok": False,
                "age": round(elapsed + 5, 1),
                "duration": 5.0,
                "error": error,
            }
        return health


def _disk(disk: Disk, elapsed: float) -> dict[str, Any]:
    used = min(disk.total, int(disk.total * disk.full + 40_000 * elapsed))
    return {
        "name": disk.name,
        "mount_point": disk.mount_point,
        "fs_type": disk.fs_type,
        "total": disk.total,
        "used": used,
        "available": disk.total - used,
        "usage_percent": round(100 * used / disk.total, 1),
    }
