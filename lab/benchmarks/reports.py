"""Write the reports that the load sends: valid ones, of a small machine and of a large one."""

import json
from typing import Any

__all__ = ["SIZES", "message"]

SIZES = {"1 KB": (8, 3, 4), "8 KB": (128, 40, 60)}
"""Cores, disks and network interfaces of the machine that is reported on."""

SENT = 10**18
"""Where the load writes the time of sending, always 19 digits."""


def message(size: str) -> bytes:
    """Return the whole message of an agent."""
    cores, disks, interfaces = SIZES[size]
    text = json.dumps(_report(cores, disks, interfaces), separators=(",", ":"))
    return b'{"type":"metrics","data":%b}' % text.encode()


def _report(cores: int, disks: int, interfaces: int) -> dict[str, Any]:
    listed = [
        {"name": f"eth{number}", "rx": 1073741824 + number, "tx": 536870912 + number}
        for number in range(interfaces)
    ]
    return {
        # First, so that it is found at the beginning of what a dashboard gets.
        "sent": SENT,
        "timestamp": "2024-01-01T12:00:00Z",
        "hostname": "my-server",
        "os": {"name": "Ubuntu", "version": "22.04", "kernel": "5.15.0", "arch": "x86_64"},
        "cpu": {
            "brand": "Intel Core i7",
            "cores": cores,
            "usage": 45.2,
            "frequency": 3600,
            "per_core": [round(40 + number * 7.3 % 50, 1) for number in range(cores)],
        },
        "memory": {
            "total": 17179869184,
            "used": 8589934592,
            "available": 8589934592,
            "swap_total": 4294967296,
            "swap_used": 1073741824,
            "usage_percent": 50.0,
        },
        "disks": [
            {
                "name": f"sda{number}",
                "mount_point": f"/srv/{number}",
                "fs_type": "ext4",
                "total": 107374182400,
                "used": 53687091200,
                "available": 53687091200,
                "usage_percent": 50.0,
            }
            for number in range(disks)
        ],
        "network": {
            "interfaces": listed,
            "total_rx": sum(interface["rx"] for interface in listed),
            "total_tx": sum(interface["tx"] for interface in listed),
            "rx": 125000,
            "tx": 64000,
        },
        "uptime": 86400,
        "load_average": {"one": 0.5, "five": 0.7, "fifteen": 0.6},
    }
