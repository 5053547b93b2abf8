"""Decide which interfaces count, and how much goes over them."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import psutil
from pydantic import Field

from vstats_collectors._files import read
from vstats_core import CollectorSettings, Fragment, Globs, Rate, hookimpl

__all__ = ["Counters", "NetworkCollector", "NetworkSettings", "parse_net_dev", "plugin"]

NET_DEV = Path("/proc/net/dev")
RX_BYTES, TX_BYTES = 0, 8
"""Which numbers of a line of ``/proc/net/dev``; see proc_pid_net(5)."""

VIRTUAL = [
    # The machine talking to itself
    *("lo", "lo0", "Loopback*", "dummy*", "ifb*", "nlmon*"),
    # Containers and virtual machines, and the bridges that they hang on
    *("veth*", "docker*", "podman*", "lxc*", "lxdbr*", "incusbr*", "vnet*", "virbr*", "vmnet*"),
    *("cni*", "flannel*", "cali*", "cilium*", "kube-*", "nodelocal*", "weave*", "antrea*"),
    *("vmbr*", "fwbr*", "fwln*", "fwpr*", "br-*", "br[0-9]*", "bridge[0-9]*", "ovs-*", "tap*"),
    # Tunnels
    *("tun*", "tunl*", "utun*", "wg*", "tailscale*", "zt*", "sit*", "gre*", "erspan*", "gif*"),
    *("stf*", "ip6tnl*", "ip6gre*", "ip_vti*", "ip6_vti*", "vxlan*", "geneve*", "genev_sys*"),
    # Several devices as one, one device as several
    *("bond*", "team*", "vlan*", "*.[0-9]*", "macvlan*", "macvtap*", "ipvlan*"),
]


class Counters(NamedTuple):
    """What went over an interface since boot, in bytes."""

    rx: int
    tx: int


class NetworkSettings(CollectorSettings):
    """The table ``[agent.collectors.network]``."""

    include: list[str] = Field(default=[])
    """Globs of interfaces that are reported even if excluded."""
    exclude: list[str] = Field(default=VIRTUAL)
    """Globs of interfaces that are left out; a list of your own replaces the default."""


def read_counters() -> Mapping[str, Counters]:
    """Return every interface's counters, from psutil where there is no ``/proc/net/dev``.

    As the kernel has them: psutil's own guess at a counter that wrapped around would turn a
    restarted device's bytes into traffic.
    """
    net_dev = read(NET_DEV)
    if net_dev:
        return parse_net_dev(net_dev)
    answer = psutil.net_io_counters(pernic=True, nowrap=False)
    return {name: Counters(nic.bytes_recv, nic.bytes_sent) for name, nic in answer.items()}


def parse_net_dev(text: str) -> dict[str, Counters]:
    """Return what the text of ``/proc/net/dev`` says of each interface."""
    counters = {}
    for line in text.splitlines()[2:]:  # after the heads of the columns
        # An alias has a colon in its name; old kernels put no space before a large number.
        name, _, numbers = line.rpartition(":")
        values = numbers.split()
        counters[name.strip()] = Counters(int(values[RX_BYTES]), int(values[TX_BYTES]))
    return counters


class NetworkCollector:
    """Collects ``network``."""

    def __init__(
        self,
        *,
        read_counters: Callable[[], Mapping[str, Counters]] = read_counters,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read_counters = read_counters
        self._clock = clock
        self._rates: dict[str, tuple[Rate, Rate]] = {}
        self._settings: NetworkSettings | None = None
        self._included = self._excluded = Globs([])

    @hookimpl
    def vstats_settings(self) -> type[NetworkSettings]:
        """Name the settings."""
        return NetworkSettings

    @hookimpl
    def vstats_collect(self, settings: NetworkSettings) -> Fragment:
        """Return each interface's bytes since boot, their sums, and bytes per second by now.

        The rates are 0 in the first call, and an interface that appears or starts over adds 0.
        Tunnels, bonds, bridges and VLANs are left out by default, because all their bytes are
        counted once more on the device below them.
        """
        if settings is not self._settings:
            self._settings = settings
            self._included, self._excluded = Globs(settings.include), Globs(settings.exclude)
        counters = {
            name: counts
            for name, counts in sorted(self._read_counters().items())
            if name in self._included or name not in self._excluded
        }
        rx, tx = self._update_rates(counters)
        return {
            "network": {
                "interfaces": [
                    {"name": name, "rx": counts.rx, "tx": counts.tx}
                    for name, counts in counters.items()
                ],
                "total_rx": sum(counts.rx for counts in counters.values()),
                "total_tx": sum(counts.tx for counts in counters.values()),
                "rx": round(rx),
                "tx": round(tx),
            }
        }

    def _update_rates(self, counters: Mapping[str, Counters]) -> tuple[float, float]:
        moment = self._clock()
        # Those that are gone are forgotten: their names may come back with other devices.
        self._rates = {name: self._rates.get(name) or (Rate(), Rate()) for name in counters}
        rx = tx = 0.0
        for name, counts in counters.items():
            received, sent = self._rates[name]
            rx += received.update(counts.rx, moment)
            tx += sent.update(counts.tx, moment)
        return rx, tx


plugin = NetworkCollector()
