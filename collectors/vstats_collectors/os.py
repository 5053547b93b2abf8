"""Decide what the machine calls its operating system, and since when it runs."""

import platform
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from vstats_collectors._files import read
from vstats_core import Fragment, hookimpl

__all__ = ["OsCollector", "parse_release", "plugin"]


def parse_release(text: str) -> dict[str, str]:
    """Return the name and the version that an ``os-release`` file gives."""
    values = {
        key.strip(): value.strip().strip("\"'").strip()
        for key, found, value in (line.partition("=") for line in text.splitlines())
        if found
    }
    # Without a NAME the system is called "Linux": os-release(5).
    name = values.get("NAME", "").replace("GNU/Linux", "").strip() or "Linux"
    return {"name": name, "version": values.get("VERSION_ID", "")}


class OsCollector:
    """Collects ``os``, once, and ``uptime``, every time."""

    def __init__(
        self,
        *,
        root: Path = Path("/"),
        now: Callable[[], float] = time.time,
        boot_time: Callable[[], float] = psutil.boot_time,
    ) -> None:
        self._root = root
        self._uptime = root / "proc/uptime"
        self._now = now
        self._boot_time = boot_time
        self._facts: dict[str, str] = {}

    @hookimpl
    def vstats_collect(self) -> Fragment:
        """Return the system's name, version, kernel and architecture, and whole seconds of uptime.

        From ``/etc/os-release``, ``uname`` and ``/proc/uptime``; elsewhere from ``platform`` and
        psutil.
        """
        if not self._facts:
            self._facts = self._read_facts()
        return {"os": self._facts, "uptime": self._read_uptime()}

    def _read_facts(self) -> dict[str, str]:
        release = read(self._root / "etc/os-release") or read(self._root / "usr/lib/os-release")
        named = parse_release(release) if release else _named_by_platform()
        return named | {"kernel": platform.release(), "arch": platform.machine()}

    def _read_uptime(self) -> int:
        uptime = read(self._uptime)
        seconds = float(uptime.split()[0]) if uptime else self._now() - self._boot_time()
        # The wall clock can be set to before the boot.
        return max(0, int(seconds))


def _named_by_platform() -> dict[str, str]:
    return {
        "name": platform.system(),
        "version": platform.mac_ver()[0] or platform.win32_ver()[1],
    }


plugin = OsCollector()
