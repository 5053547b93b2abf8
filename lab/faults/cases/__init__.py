"""The faults, a module each."""

import os
import shutil

from lab.faults.cases import (
    agent_killed,
    broken_config,
    clock,
    descriptors,
    disk_full,
    links,
    names,
    relay_killed,
    restarted,
    revoked,
    soak,
    stopped,
    twins,
)
from lab.faults.row import Play

__all__ = ["ALONE", "FAULTS", "unable"]

FAULTS: dict[str, Play] = {
    "relay_killed": relay_killed.play,
    "agent_killed": agent_killed.play,
    "restarted": restarted.play,
    "twins": twins.play,
    "stopped": stopped.play,
    "links": links.play,
    "names": names.play,
    "clock": clock.play,
    "descriptors": descriptors.play,
    "disk_full": disk_full.play,
    "revoked": revoked.play,
    "broken_config": broken_config.play,
    "soak": soak.play,
}
ALONE = {"soak"}
"""These want the machine for themselves."""
NEEDS = {
    "clock": ("faketime",),
    "descriptors": ("prlimit",),
    "disk_full": ("unshare",),
    "links": ("unshare", "nsenter", "ip", "iptables"),
    "names": ("unshare", "nsenter", "ip"),
}
ROOTS = {"disk_full", "links", "names"}


def unable(name: str) -> str:
    """Return why a fault cannot be injected on this machine, or nothing."""
    if name in ROOTS and os.geteuid() != 0:
        return "namespaces of its own need root"
    missing = [tool for tool in NEEDS.get(name, ()) if shutil.which(tool) is None]
    return f"not installed: {', '.join(missing)}" if missing else ""
