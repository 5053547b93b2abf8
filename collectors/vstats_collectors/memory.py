"""Decide how much memory is there, and how much of it programs can still get."""

import time
from collections.abc import Callable
from pathlib import Path

import psutil

from vstats_collectors._cgroup import MemoryLimit, memory_limit
from vstats_collectors._files import read
from vstats_core import Fragment, hookimpl

__all__ = ["MemoryCollector", "parse_meminfo", "plugin"]

LIMITS_LAST = 30.0
"""Seconds until a limit is looked for again where there was none."""
MEMINFO_KEYS = frozenset(
    ("MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "SwapTotal", "SwapFree")
)


def parse_meminfo(text: str) -> Fragment:
    """Return the section that the text of ``/proc/meminfo`` tells, in bytes."""
    lines = (line.partition(":") for line in text.splitlines())
    sizes = {key: int(size.split()[0]) * 1024 for key, _, size in lines if key in MEMINFO_KEYS}
    available = sizes.get("MemAvailable")
    if available is None:  # a kernel older than 3.14
        available = sizes["MemFree"] + sizes["Buffers"] + sizes["Cached"]
    swap_total = sizes.get("SwapTotal", 0)
    return _section(
        total=sizes["MemTotal"],
        available=available,
        swap_total=swap_total,
        swap_used=swap_total - sizes.get("SwapFree", 0),
    )


def read_psutil() -> Fragment:
    """Return the section where there is no ``/proc/meminfo``, in bytes."""
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    return _section(
        total=memory.total,
        available=memory.available,
        swap_total=swap.total,
        swap_used=swap.used,
    )


def within(limit: MemoryLimit, machine: Fragment) -> Fragment:
    """Return the section of a container on the machine."""
    swap_total = machine["swap_total"]
    if limit.swap_total is not None:
        swap_total = min(limit.swap_total, swap_total)
    swap_used = machine["swap_used"] if limit.swap_used is None else limit.swap_used
    return _section(
        total=limit.total,
        available=limit.total - limit.used,
        swap_total=swap_total,
        swap_used=swap_used,
    )


def _section(*, total: int, available: int, swap_total: int, swap_used: int) -> Fragment:
    available = max(0, min(available, total))
    used = total - available
    return {
        "total": total,
        "used": used,
        "available": available,
        "swap_total": swap_total,
        "swap_used": max(0, min(swap_used, swap_total)),
        "usage_percent": round(100 * used / total, 1) if total else 0.0,
    }


class MemoryCollector:
    """Collects ``memory``."""

    def __init__(
        self,
        *,
        root: Path = Path("/"),
        read_elsewhere: Callable[[], Fragment] = read_psutil,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root = root
        self._meminfo = root / "proc/meminfo"
        self._read_elsewhere = read_elsewhere
        self._clock = clock
        self._unlimited_until = 0.0

    @hookimpl
    def vstats_collect(self) -> Fragment:
        """Return main memory and swap, in bytes, and the share in use, in percent.

        From ``/proc/meminfo``, elsewhere from psutil. In a container with a memory limit these are
        the container's, and ``view`` is "cgroup" instead of "host".
        """
        meminfo = read(self._meminfo)
        machine = parse_meminfo(meminfo) if meminfo else self._read_elsewhere()
        limit = self._limit(machine["total"])
        if limit is None:
            return {"memory": machine | {"view": "host"}}
        return {"memory": within(limit, machine) | {"view": "cgroup"}}

    def _limit(self, machine_total: int) -> MemoryLimit | None:
        if self._clock() < self._unlimited_until:
            return None
        limit = memory_limit(self._root, machine_total)
        if limit is None:
            # Most machines have none, and looking for it costs as much as all the rest.
            self._unlimited_until = self._clock() + LIMITS_LAST
        return limit


plugin = MemoryCollector()
