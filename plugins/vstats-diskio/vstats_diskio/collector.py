"""Decide which disks count, and what each of them did since the previous call."""

import os
import re
import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from pydantic import Field

from vstats_core import CollectorSettings, Fragment, Globs, Rate, hookimpl
from vstats_diskio.section import DiskActivity

__all__ = [
    "Counters",
    "DiskIoCollector",
    "DiskIoSettings",
    "fold_paths",
    "latency",
    "parse_counters",
    "plugin",
    "read_counters",
    "read_whole_disks",
]

NOT_DISKS = [
    # Made by the kernel, used or not; memory, files, or another machine
    *("loop*", "ram*", "zram*", "nbd*"),
    # Drives that are mostly empty
    *("sr*", "fd*", "cd*"),
    # On other disks, where all their bytes are counted once more
    *("dm-*", "md*", "bcache*", "drbd*", "zd*"),
    # Corners of a flash card
    *("mmcblk*boot*", "mmcblk*rpmb"),
]
NVME_PATH = re.compile(r"(nvme\d+)c\d+(n\d+)")
"""One of the ways to a disk that can be reached on several."""


class Counters(NamedTuple):
    """What a disk did since boot; None is what the platform does not tell."""

    read: int
    """Bytes."""
    written: int
    """Bytes."""
    reads: int
    writes: int
    waited: int | None
    """Milliseconds, summed over all requests."""
    busy: int | None
    """Milliseconds in which at least one request was under way."""


class DiskIoSettings(CollectorSettings):
    """The table ``[agent.collectors.diskio]``."""

    include: list[str] = Field(default=[])
    """Globs of devices that are reported even if excluded; partitions, too."""
    exclude: list[str] = Field(default=NOT_DISKS)
    """Globs of devices that are left out; a list of your own replaces the default."""


def read_counters() -> Mapping[str, Any]:
    """Return psutil's counters of every block device.

    As the kernel has them: psutil's own guess at a counter that wrapped around would turn a
    replaced disk's past into traffic.
    """
    return psutil.disk_io_counters(perdisk=True, nowrap=False)


def read_whole_disks(folder: Path = Path("/sys/block")) -> AbstractSet[str] | None:
    """Return what is not a partition; None where psutil knows none anyway: not on Linux."""
    try:
        # The kernel calls a disk cciss/c0d0, but cannot call a folder so.
        return {name.replace("!", "/") for name in os.listdir(folder)}  # noqa: PTH208 - half the price
    except OSError:
        return None


def parse_counters(answer: Mapping[str, Any]) -> dict[str, Counters]:
    """Return what psutil's answer says, whichever fields the platform has."""
    return {
        name: Counters(
            read=disk.read_bytes,
            written=disk.write_bytes,
            reads=disk.read_count,
            writes=disk.write_count,
            waited=disk.read_time + disk.write_time if hasattr(disk, "read_time") else None,
            busy=getattr(disk, "busy_time", None),
        )
        for name, disk in answer.items()
    }


def fold_paths(counters: Mapping[str, Counters]) -> dict[str, Counters]:
    """Return the disks alone, without the paths of those NVMe disks that have some.

    A newer kernel counts on the disk as well, an older one on its paths only: then they are summed.
    As paths may be busy at the same time, the disk is taken to be as busy as the busiest.
    """
    disks = {name: counts for name, counts in counters.items() if not NVME_PATH.fullmatch(name)}
    for name, counts in counters.items():
        if path := NVME_PATH.fullmatch(name):
            disk = path[1] + path[2]
            if not any(counters.get(disk, ())):
                disks[disk] = _together(disks[disk], counts) if disk in disks else counts
    return disks


def _together(one: Counters, other: Counters) -> Counters:
    return Counters(
        read=one.read + other.read,
        written=one.written + other.written,
        reads=one.reads + other.reads,
        writes=one.writes + other.writes,
        waited=(one.waited or 0) + (other.waited or 0),
        busy=max(one.busy or 0, other.busy or 0),
    )


def latency(before: Counters, now: Counters) -> float | None:
    """Return the seconds that a request took on average.

    None when none was completed, and when the kernel's sum of the times started over: it has 32
    bits, and a busy disk fills them in weeks.
    """
    if before.waited is None or now.waited is None:
        return None
    requests = now.reads + now.writes - before.reads - before.writes
    waited = now.waited - before.waited
    return waited / requests / 1000 if requests > 0 and waited >= 0 else None


class Disk:
    """What one disk did until now."""

    def __init__(self) -> None:
        self._before: Counters | None = None
        self._read, self._written, self._reads, self._writes, self._busy = (
            Rate() for _ in range(5)
        )

    def update(self, now: Counters, moment: float) -> Fragment:
        """Return the item of ``diskio``, without its name."""
        item: Fragment = {
            "read": round(self._read.update(now.read, moment)),
            "written": round(self._written.update(now.written, moment)),
            "reads": round(self._reads.update(now.reads, moment), 1),
            "writes": round(self._writes.update(now.writes, moment), 1),
        }
        if now.busy is not None:
            share = self._busy.update(now.busy, moment) / 1000
            # The kernel counts in ticks, and may be ahead of the clock by one.
            item["utilisation"] = min(100.0, round(100 * share, 1))
        if self._before and (seconds := latency(self._before, now)) is not None:
            item["latency"] = round(seconds, 6)
        self._before = now
        return item


class DiskIoCollector:
    """Collects ``diskio``."""

    def __init__(
        self,
        *,
        read: Callable[[], Mapping[str, Any]] = read_counters,
        read_whole_disks: Callable[[], AbstractSet[str] | None] = read_whole_disks,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._read_whole_disks = read_whole_disks
        self._clock = clock
        self._disks: dict[str, Disk] | None = None
        self._settings: DiskIoSettings | None = None
        self._included = self._excluded = Globs([])

    @hookimpl
    def vstats_settings(self) -> type[DiskIoSettings]:
        """Name the settings."""
        return DiskIoSettings

    @hookimpl
    def vstats_sections(self) -> dict[str, Any]:
        """Name the section."""
        return {"diskio": list[DiskActivity]}

    @hookimpl
    def vstats_collect(self, settings: DiskIoSettings) -> Fragment | None:
        """Return what each disk did since the previous call, ordered by name.

        None in the first call: there is nothing to compare with. A disk that appears later, or
        starts over, did 0 by then. Partitions, and devices that lie on others, are left out by
        default, because all their bytes are counted on the disk below them.
        """
        if settings is not self._settings:
            self._settings = settings
            self._included, self._excluded = map(Globs, (settings.include, settings.exclude))
        counters = fold_paths(parse_counters(self._read()))
        moment = self._clock()
        selected = self._select(counters)
        known = self._disks
        # Those that are gone are forgotten: their names may come back with other disks.
        self._disks = {name: (known or {}).get(name) or Disk() for name in selected}
        items = [
            {"name": name, **disk.update(counters[name], moment)}
            for name, disk in self._disks.items()
        ]
        return None if known is None else {"diskio": items}

    def _select(self, counters: Mapping[str, Counters]) -> list[str]:
        whole = self._read_whole_disks()
        return sorted(
            name
            for name in counters
            if name in self._included
            or ((whole is None or name in whole) and name not in self._excluded)
        )


plugin = DiskIoCollector()
