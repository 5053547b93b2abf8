"""Decide how busy each processor was since the previous call, and which processors are ours."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TypeAlias

import psutil

from vstats_collectors._cgroup import cpu_limit, cpus, parse_cpus
from vstats_collectors._files import read
from vstats_core import Fragment, hookimpl

__all__ = ["CpuCollector", "busy_percent", "parse_brand", "parse_stat", "plugin", "share"]

logger = logging.getLogger(__name__)

Times: TypeAlias = Mapping[str, float]
"""Time that a CPU spent since boot, by what it did, in a unit that is always the same."""

STAT = Path("/proc/stat")
FACTS_LAST = 30.0
"""Seconds until the frequency and the container's share are read again."""
BRAND_KEYS = (
    "model name",
    "Model Name",
    "Model",
    "Hardware",
    "cpu model",
    "uarch",
    "Processor",
    "cpu",
)
"""Keys of ``/proc/cpuinfo``, best first; each architecture has its own."""
STAT_FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
"""What the numbers of a line of ``/proc/stat`` are, as far as we need them; see proc_stat(5)."""
IDLE = frozenset(("idle", "iowait"))
COUNTED_ELSEWHERE = frozenset(("guest", "guest_nice"))
"""Linux counts a guest's time as ``user`` and ``nice``, too."""


def read_times() -> list[Times]:
    """Return what each CPU that is online did since boot, from psutil where Linux does not say."""
    stat = read(STAT)
    return parse_stat(stat) if stat else [t._asdict() for t in psutil.cpu_times(percpu=True)]


def parse_stat(text: str) -> list[Times]:
    """Return what the text of ``/proc/stat`` says of each CPU that is online."""
    # The first line has the sum of all; the CPUs' own follow, before anything else.
    lines = takewhile(lambda line: line.startswith("cpu"), text.splitlines()[1:])
    return [dict(zip(STAT_FIELDS, map(int, line.split()[1:]), strict=False)) for line in lines]


def read_frequency() -> float:
    """Return the mean of the CPUs' current frequencies in MHz; 0 where it cannot be had."""
    try:
        frequency = psutil.cpu_freq()
    except Exception:  # noqa: BLE001 - AttributeError, NotImplementedError, OSError, ValueError ...
        return 0.0
    # psutil says None on a machine that does not tell, whatever its stub says.
    return round(getattr(frequency, "current", 0.0), 1)


def ask_cpuinfo() -> str:
    """Return the brand that py-cpuinfo finds; takes a second or two, and starts programs."""
    from cpuinfo import get_cpu_info  # noqa: PLC0415 - few machines need it

    return str(get_cpu_info().get("brand_raw", ""))


def parse_brand(cpuinfo: str) -> str:
    """Return the processor's name from the text of ``/proc/cpuinfo``; empty if it has none."""
    values: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        values.setdefault(key.strip(), " ".join(value.split()))
    return next(filter(None, map(values.get, BRAND_KEYS)), "")


def busy_percent(before: Times, after: Times) -> float:
    """Return the share of the time between that was neither idle nor waiting for a disk.

    A field that goes backwards, as ``iowait`` does on Linux, counts as unchanged. 0 if no time
    has passed.
    """
    gains = {
        field: max(0.0, after[field] - before[field])
        for field in after
        if field not in COUNTED_ELSEWHERE
    }
    total = sum(gains.values())
    busy = sum(gain for field, gain in gains.items() if field not in IDLE)
    return round(100 * busy / total, 1) if total else 0.0


def share(
    count: int, *, online: AbstractSet[int], allowed: AbstractSet[int]
) -> tuple[Sequence[int], str]:
    """Return which of the ``count`` CPUs that have times are ours, by position, and the view."""
    if not allowed or not allowed < online:
        return range(count), "host"
    if count != len(online):  # LXC shows a container the times of its own CPUs only
        return range(count), "cgroup"
    return [place for place, cpu in enumerate(sorted(online)) if cpu in allowed], "cgroup"


@dataclass(frozen=True)
class Facts:
    """What seldom changes."""

    places: Sequence[int]
    """Which of the CPUs that have times are ours."""
    others: Fragment
    """Fields of the section that are as seldom read."""


class CpuCollector:
    """Collects ``cpu``."""

    def __init__(
        self,
        *,
        root: Path = Path("/"),
        read_times: Callable[[], Sequence[Times]] = read_times,
        read_frequency: Callable[[], float] = read_frequency,
        ask_brand: Callable[[], str] = ask_cpuinfo,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root = root
        self._read_times = read_times
        self._read_frequency = read_frequency
        self._ask_brand = ask_brand
        self._clock = clock
        self._brand: str | None = None
        self._times: Sequence[Times] = ()
        self._facts = Facts((), {})
        self._facts_end = 0.0

    @hookimpl
    def vstats_collect(self) -> Fragment | None:
        """Return each CPU's use in percent of the time since the previous call.

        None in the first call, and when a CPU came or went: there is nothing to compare with.
        ``frequency`` is in MHz. In a container that may run on some of the machine's CPUs only
        these are reported, and ``view`` is "cgroup" instead of "host"; ``limit`` is how many CPUs'
        time a quota grants, and absent without one.
        """
        before, after = self._times, self._read_times()
        self._times = after
        if self._brand is None:
            self._learn_brand()
        if len(before) != len(after):
            self._learn_facts()
            return None
        if self._clock() >= self._facts_end:
            self._learn_facts()
        per_core = [busy_percent(before[place], after[place]) for place in self._facts.places]
        return {
            "cpu": {
                "brand": self._brand,
                "cores": len(per_core),
                "usage": round(sum(per_core) / len(per_core), 1),
                "per_core": per_core,
                **self._facts.others,
            }
        }

    def _learn_facts(self) -> None:
        online = parse_cpus(read(self._root / "sys/devices/system/cpu/online"))
        places, view = share(len(self._times), online=online, allowed=cpus(self._root))
        others: Fragment = {"frequency": self._read_frequency(), "view": view}
        limit = cpu_limit(self._root)
        if limit is not None:
            others["limit"] = limit
        self._facts = Facts(places, others)
        self._facts_end = self._clock() + FACTS_LAST

    def _learn_brand(self) -> None:
        self._brand = parse_brand(read(self._root / "proc/cpuinfo"))
        if not self._brand:
            # Never waited for: py-cpuinfo starts programs, and any of them may hang.
            threading.Thread(target=self._ask_for_brand, name="cpu brand", daemon=True).start()

    def _ask_for_brand(self) -> None:
        try:
            self._brand = self._ask_brand()
        except Exception as error:  # noqa: BLE001 - a name is not worth more than a line
            logger.info("the processor's name is unknown: %s", error)


plugin = CpuCollector()
