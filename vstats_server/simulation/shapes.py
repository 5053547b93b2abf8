"""Say what the simulated hosts are like: ten of different shapes, and more of their kinds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from vstats_server.simulation.sections import (
    BOARD,
    DATABASE,
    GPUS,
    Moment,
    board,
    database,
    gpus,
)

__all__ = ["Disk", "Shape", "shapes"]

KIB = 2**10
MIB = 2**20
GIB = 2**30
TIB = 2**40

UBUNTU = ("Ubuntu", "24.04", "6.8.0-48-generic", "x86_64")
DEBIAN = ("Debian", "12", "6.1.0-26-amd64", "x86_64")
ALPINE = ("Alpine Linux", "3.20.3", "6.6.56-0-virt", "x86_64")
RASPBERRY = ("Debian", "12", "6.6.51+rpt-rpi-2712", "aarch64")


@dataclass(frozen=True)
class Disk:
    """A mount: where, how large in bytes, and how full, 0 to 1."""

    mount_point: str
    total: int
    full: float
    name: str = "vda1"
    fs_type: str = "ext4"


@dataclass(frozen=True)
class Shape:
    """What a host is like."""

    name: str
    location: str = ""
    tags: tuple[str, ...] = ()
    system: tuple[str, str, str, str] = DEBIAN
    """Name, version, kernel, architecture."""
    brand: str = "AMD EPYC 7713 64-Core Processor"
    cores: int = 4
    megahertz: int = 2450
    memory: int = 8 * GIB
    swap: int = 0
    disks: tuple[Disk, ...] = (Disk("/", 80 * GIB, 0.41),)
    busy: float = 0.2
    """The usual share of CPU time, 0 to 1; every core has its own luck."""
    used: float = 0.5
    """The usual share of memory."""
    traffic: tuple[float, float] = (2 * MIB, 1 * MIB)
    """Bytes per second, received and sent."""
    days: float = 40
    """Since it was booted."""
    interval: float = 1
    """Seconds between two reports."""
    sections: Callable[[Moment], dict[str, Any]] = field(default=lambda _: {})
    """What its plugins return."""
    types: Mapping[str, Any] = field(default_factory=dict)
    """What these sections are, as :func:`vstats_core.wire.describe.describe` takes them."""
    errors: Mapping[str, str] = field(default_factory=dict)
    """Why a collector fails, by its name."""
    fate: Literal["stays", "leaves", "falls silent", "never comes"] = "stays"


WEB = Shape(
    "web-1",
    "Frankfurt",
    ("eu", "web"),
    disks=(Disk("/", 80 * GIB, 0.43), Disk("/boot/efi", 511 * MIB, 0.02, "vda15", "vfat")),
    busy=0.24,
    used=0.46,
    traffic=(6 * MIB, 22 * MIB),
    days=61.4,
)

TEN = (
    WEB,
    replace(
        WEB,
        name="web-2",
        location="Virginia",
        tags=("us", "web"),
        busy=0.955,
        used=0.885,
        traffic=(19 * MIB, 74 * MIB),
        days=12.2,
    ),
    Shape(
        "db-1",
        "Frankfurt",
        ("eu", "db"),
        UBUNTU,
        brand="AMD EPYC 9554 64-Core Processor",
        cores=64,
        megahertz=3100,
        memory=512 * GIB,
        swap=16 * GIB,
        disks=(
            Disk("/", 200 * GIB, 0.22, "md0"),
            Disk("/boot", 2 * GIB, 0.18, "md1"),
            Disk("/srv/archive", 14 * TIB, 0.58, "sda1", "xfs"),
            Disk("/srv/pg/17/base", 3 * TIB, 0.79, "nvme0n1", "xfs"),
            Disk("/srv/pg/17/index", 3 * TIB, 0.62, "nvme1n1", "xfs"),
            Disk("/srv/pg/17/temp", 1 * TIB, 0.07, "nvme2n1", "xfs"),
            Disk("/srv/pg/17/wal", 512 * GIB, 0.34, "nvme3n1", "xfs"),
            Disk("/var/lib/docker", 400 * GIB, 0.37, "md2"),
        ),
        busy=0.38,
        used=0.72,
        traffic=(48 * MIB, 96 * MIB),
        days=203.6,
        sections=database,
        types=DATABASE,
    ),
    Shape(
        "gpu-1",
        "Falkenstein",
        ("eu", "ml"),
        UBUNTU,
        brand="Intel Xeon Platinum 8480C",
        cores=112,
        megahertz=2000,
        memory=1 * TIB,
        disks=(Disk("/", 900 * GIB, 0.52), Disk("/data", 28 * TIB, 0.66, "md127", "xfs")),
        busy=0.62,
        used=0.34,
        traffic=(310 * MIB, 4 * MIB),
        days=18.8,
        sections=gpus,
        types=GPUS,
    ),
    Shape(
        "backup-1",
        "Helsinki",
        ("eu", "storage"),
        brand="Intel Xeon E-2236",
        cores=12,
        megahertz=3400,
        memory=32 * GIB,
        disks=(
            Disk("/", 60 * GIB, 0.31, "sda2"),
            *(
                Disk(f"/backup/{number}", 16 * TIB, full, f"sd{letter}1", "btrfs")
                for number, letter, full in ((1, "b", 0.964), (2, "c", 0.87), (3, "d", 0.41))
            ),
        ),
        busy=0.09,
        used=0.28,
        traffic=(84 * MIB, 300 * KIB),
        days=388,
    ),
    Shape(
        "pi-garden",
        "Home",
        ("home", "arm"),
        RASPBERRY,
        brand="Cortex-A76",
        megahertz=2400,
        disks=(Disk("/", 117 * GIB, 0.29, "nvme0n1p2"),),
        busy=0.06,
        used=0.19,
        traffic=(9 * KIB, 4 * KIB),
        days=94.3,
        interval=2,
        sections=board,
        types=BOARD,
    ),
    Shape(
        "mail-1",
        "Helsinki",
        ("eu", "mail"),
        ALPINE,
        cores=2,
        memory=4 * GIB,
        swap=1 * GIB,
        disks=(Disk("/", 40 * GIB, 0.63), Disk("/var/mail", 200 * GIB, 0.71, "vdb")),
        busy=0.04,
        used=0.57,
        traffic=(120 * KIB, 90 * KIB),
        days=140.1,
        errors={"disks": "no answer within 5 s: /var/mail"},
    ),
    Shape(
        "queue-1",
        "Virginia",
        ("us",),
        brand="Intel Xeon (Skylake, IBRS)",
        busy=0.31,
        used=0.64,
        traffic=(3 * MIB, 3 * MIB),
        days=7.5,
        fate="falls silent",
    ),
    Shape(
        "nas",
        "Home",
        ("home", "storage"),
        brand="Intel N100",
        megahertz=800,
        memory=16 * GIB,
        disks=(Disk("/", 110 * GIB, 0.2), Disk("/volume1", 22 * TIB, 0.83, "md2", "btrfs")),
        busy=0.12,
        used=0.42,
        traffic=(800 * KIB, 5 * MIB),
        days=0.4,
        fate="leaves",
    ),
    Shape("staging-2", "Virginia", ("us", "web"), fate="never comes"),
)
"""Among them a hot one, a full one, a failing collector, plugins, and three that are not well."""


def shapes(count: int) -> list[Shape]:
    """Return so many shapes: the ten, and after them copies, all of which stay."""
    found = list(TEN[:count])
    ordinary = [shape for shape in TEN if shape.fate == "stays" and not shape.errors]
    for number in range(len(found), count):
        shape = ordinary[number % len(ordinary)]
        kind = shape.name.partition("-")[0]
        busy = min(shape.busy, 0.5) * (0.4 + number * 7 % 11 / 9)
        found.append(replace(shape, name=f"{kind}-{number}", busy=busy, used=min(shape.used, 0.7)))
    return found
