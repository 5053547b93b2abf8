"""Turn what every agent reports, and what is known of its host, into samples."""

from collections.abc import Iterator, Mapping
from typing import Any

from vstats_server.hub.hub import Known
from vstats_server.prometheus.text import Families, FamilyType, label

__all__ = ["FAMILIES", "declare", "write_host", "write_report"]

FAMILIES: dict[str, tuple[FamilyType, str]] = {
    "vstats_up": ("gauge", "Whether the host is online; absent until that is known."),
    "vstats_host_info": ("gauge", "A host as the server's configuration describes it."),
    "vstats_host_tag": ("gauge", "A tag of a host."),
    "vstats_report_age_seconds": ("gauge", "How long ago the newest report came in."),
    "vstats_report_truncated": ("gauge", "Whether plugins had more to tell than is shown."),
    "vstats_agent_info": ("gauge", "The agent's version."),
    "vstats_agent_interval_seconds": ("gauge", "The time between two reports."),
    "vstats_os_info": ("gauge", "What the host runs."),
    "vstats_cpu_info": ("gauge", "The processor's name."),
    "vstats_cpu_cores": ("gauge", "Logical CPUs."),
    "vstats_cpu_usage_ratio": ("gauge", "Busy share of all CPUs since the previous report."),
    "vstats_cpu_core_usage_ratio": ("gauge", "Busy share of a CPU since the previous report."),
    "vstats_cpu_frequency_hertz": ("gauge", "Current frequency; absent where it is not told."),
    "vstats_memory_total_bytes": ("gauge", "All memory."),
    "vstats_memory_used_bytes": ("gauge", "Memory in use: the total less what is available."),
    "vstats_memory_available_bytes": ("gauge", "What programs can get without swapping."),
    "vstats_memory_usage_ratio": ("gauge", "Used share of all memory."),
    "vstats_memory_swap_total_bytes": ("gauge", "All swap."),
    "vstats_memory_swap_used_bytes": ("gauge", "Swap in use."),
    "vstats_disk_total_bytes": ("gauge", "Size of a file system."),
    "vstats_disk_used_bytes": ("gauge", "What is taken of a file system."),
    "vstats_disk_available_bytes": ("gauge", "What an unprivileged user can still take."),
    "vstats_disk_usage_ratio": ("gauge", "Used share of used and available, as df has it."),
    "vstats_network_receive_bytes_total": ("counter", "Received by an interface since boot."),
    "vstats_network_transmit_bytes_total": ("counter", "Sent by an interface since boot."),
    "vstats_network_receive_bytes_per_second": ("gauge", "Received since the previous report."),
    "vstats_network_transmit_bytes_per_second": ("gauge", "Sent since the previous report."),
    "vstats_load1": ("gauge", "Load average over 1 minute."),
    "vstats_load5": ("gauge", "Load average over 5 minutes."),
    "vstats_load15": ("gauge", "Load average over 15 minutes."),
    "vstats_uptime_seconds": ("gauge", "Since the host was booted."),
    "vstats_collector_up": ("gauge", "Whether a collector's last call was a success."),
    "vstats_collector_age_seconds": ("gauge", "Age of a collector's section, or of its absence."),
    "vstats_collector_duration_seconds": ("gauge", "How long a collector's last call took."),
}
"""Type and help of each; no plugin's family is called like one of these."""


def declare(families: Families) -> None:
    """Say what these families are."""
    for name, (kind, about) in FAMILIES.items():
        families.declare(name, kind, about)


def write_host(families: Families, known: Known) -> None:
    """Add what the server knows of a host without any report."""
    host = known.host
    own = label("host", host.id)
    about = f"{own},{label('name', host.name)},{label('location', host.location)}"
    families.add("vstats_host_info", about, 1)
    for tag in dict.fromkeys(host.tags):
        families.add("vstats_host_tag", f"{own},{label('tag', tag)}", 1)
    if known.online is not None:
        families.add("vstats_up", own, int(known.online))
    if known.age is not None:
        families.add("vstats_report_age_seconds", own, round(known.age, 3))


def write_report(families: Families, host: str, report: Mapping[str, Any]) -> Iterator[None]:
    """Add the samples of a report; it pauses now and then, so that others get their turn."""
    own = label("host", host)
    add = families.add
    _write_facts(families, own, report)
    if cpu := report.get("cpu"):
        add("vstats_cpu_cores", own, cpu["cores"])
        add("vstats_cpu_usage_ratio", own, _share(cpu["usage"]))
        if cpu["frequency"]:
            add("vstats_cpu_frequency_hertz", own, round(cpu["frequency"] * 1e6))
        for core, usage in enumerate(cpu["per_core"]):
            add("vstats_cpu_core_usage_ratio", f'{own},core="{core}"', _share(usage))
            yield
    if memory := report.get("memory"):
        for key in ("total", "used", "available", "swap_total", "swap_used"):
            add(f"vstats_memory_{key}_bytes", own, memory[key])
        add("vstats_memory_usage_ratio", own, _share(memory["usage_percent"]))
    yield from _write_disks(families, own, report.get("disks", ()))
    if network := report.get("network"):
        add("vstats_network_receive_bytes_per_second", own, network["rx"])
        add("vstats_network_transmit_bytes_per_second", own, network["tx"])
        yield from _write_interfaces(families, own, network["interfaces"])
    if load := report.get("load_average"):
        for minutes, key in (("1", "one"), ("5", "five"), ("15", "fifteen")):
            add(f"vstats_load{minutes}", own, load[key])
    if (uptime := report.get("uptime")) is not None:
        add("vstats_uptime_seconds", own, uptime)
    yield from _write_collectors(families, own, report.get("collectors", {}))


def _write_facts(families: Families, own: str, report: Mapping[str, Any]) -> None:
    if system := report.get("os"):
        about = {"hostname": report["hostname"]} | {
            key: system[key] for key in ("name", "version", "kernel", "arch")
        }
        text = ",".join(label(key, value) for key, value in about.items())
        families.add("vstats_os_info", f"{own},{text}", 1)
    if (cpu := report.get("cpu")) and cpu["brand"]:
        families.add("vstats_cpu_info", f"{own},{label('brand', cpu['brand'])}", 1)
    if agent := report.get("agent"):
        families.add("vstats_agent_info", f"{own},{label('version', agent['version'])}", 1)
        families.add("vstats_agent_interval_seconds", own, agent["interval"])


def _write_disks(families: Families, own: str, disks: list[Mapping[str, Any]]) -> Iterator[None]:
    seen = set()
    for disk in disks:
        labels = ",".join(
            (
                own,
                label("mount_point", disk["mount_point"]),
                label("device", disk["name"]),
                label("fs_type", disk["fs_type"]),
            )
        )
        if labels not in seen:
            seen.add(labels)
            for key in ("total", "used", "available"):
                families.add(f"vstats_disk_{key}_bytes", labels, disk[key])
            families.add("vstats_disk_usage_ratio", labels, _share(disk["usage_percent"]))
            yield


def _write_interfaces(
    families: Families, own: str, interfaces: list[Mapping[str, Any]]
) -> Iterator[None]:
    seen = set()
    for interface in interfaces:
        labels = f"{own},{label('interface', interface['name'])}"
        if labels not in seen:
            seen.add(labels)
            families.add("vstats_network_receive_bytes_total", labels, interface["rx"])
            families.add("vstats_network_transmit_bytes_total", labels, interface["tx"])
            yield


def _write_collectors(
    families: Families, own: str, collectors: Mapping[str, Mapping[str, Any]]
) -> Iterator[None]:
    seen = set()
    for name, health in collectors.items():
        labels = f"{own},{label('collector', name)}"
        if labels not in seen:
            seen.add(labels)
            families.add("vstats_collector_up", labels, int(health["ok"]))
            families.add("vstats_collector_age_seconds", labels, health["age"])
            families.add("vstats_collector_duration_seconds", labels, health["duration"])
            yield


def _share(percent: float) -> float:
    """Return a percentage as a share of 1, without the last digits that dividing makes up."""
    return round(percent / 100, 8)
