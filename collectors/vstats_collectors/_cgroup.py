"""Decide what a container may use of its machine.

Every limit is read at the root of the cgroup mount, never at this process's own path below it:
there, a service manager's ``MemoryMax=`` or ``CPUQuota=`` for the agent would pass for the size
of the machine. Only in a container with a cgroup namespace of its own does the root carry limits.
"""

from dataclasses import dataclass
from pathlib import Path

from vstats_collectors._files import read

__all__ = ["MemoryLimit", "cpu_limit", "cpus", "memory_limit", "parse_cpus"]

MOUNT = Path("sys/fs/cgroup")


@dataclass(frozen=True)
class MemoryLimit:
    """What a cgroup grants and what of it is taken, in bytes."""

    total: int
    used: int
    """Without the page cache that the kernel gives back first."""
    swap_total: int | None
    """None: nothing is said, or no limit."""
    swap_used: int | None


def parse_cpus(text: str) -> frozenset[int]:
    """Return the CPUs of a list such as ``0-3,8``."""
    cpus: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first:
            cpus.update(range(int(first), int(last or first) + 1))
    return frozenset(cpus)


def cpus(root: Path) -> frozenset[int]:
    """Return the CPUs that the cgroup may run on; empty where it does not say."""
    mount = root / MOUNT
    return parse_cpus(
        read(mount / "cpuset.cpus.effective") or read(mount / "cpuset/cpuset.effective_cpus")
    )


def cpu_limit(root: Path) -> float | None:
    """Return how many CPUs' time the cgroup may use a second, or None: no limit."""
    mount = root / MOUNT
    words = read(mount / "cpu.max").split() or [
        *read(mount / "cpu/cpu.cfs_quota_us").split(),
        *read(mount / "cpu/cpu.cfs_period_us").split(),
    ]
    match words:
        case [quota, period] if quota not in ("max", "-1"):
            return int(quota) / int(period)
    return None


def memory_limit(root: Path, machine_total: int) -> MemoryLimit | None:
    """Return the cgroup's memory limit and use, or None: no limit below the machine's memory."""
    mount = root / MOUNT
    total = _number(mount / "memory.max")
    if total is not None:
        return _limit_v2(mount, total) if total < machine_total else None
    # Without a limit, version 1 says some number near 2 ** 63.
    total = _number(mount / "memory/memory.limit_in_bytes")
    if total is not None and total < machine_total:
        return _limit_v1(mount / "memory", total)
    return None


def _limit_v2(mount: Path, total: int) -> MemoryLimit:
    return MemoryLimit(
        total=total,
        used=_used(mount / "memory.current", mount / "memory.stat", "inactive_file"),
        swap_total=_number(mount / "memory.swap.max"),
        swap_used=_number(mount / "memory.swap.current"),
    )


def _limit_v1(mount: Path, total: int) -> MemoryLimit:
    current = mount / "memory.usage_in_bytes"
    return MemoryLimit(
        total=total,
        used=_used(current, mount / "memory.stat", "total_inactive_file"),
        # Version 1 counts memory and swap together.
        swap_total=_difference(_number(mount / "memory.memsw.limit_in_bytes"), total),
        swap_used=_difference(_number(mount / "memory.memsw.usage_in_bytes"), _number(current)),
    )


def _used(current: Path, stat: Path, reclaimable: str) -> int:
    counts = dict(line.split() for line in read(stat).splitlines())
    return (_number(current) or 0) - int(counts.get(reclaimable, 0))


def _number(path: Path) -> int | None:
    text = read(path).strip()
    return int(text) if text.isdigit() else None


def _difference(both: int | None, memory: int | None) -> int | None:
    return None if both is None or memory is None else max(0, both - memory)
