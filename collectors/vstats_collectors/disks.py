"""Decide which mounts are disks, and how full they are."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil
from pydantic import Field

from vstats_collectors._files import read_bytes
from vstats_collectors._inquiry import PATIENCE, Ask, Inquiry, Usage
from vstats_collectors._mountinfo import REMOTE, Mount, may_hang, parse_mounts
from vstats_core import CollectorSettings, Fragment, Globs, hookimpl
from vstats_core.wire.schema import LARGEST, MAX_TEXT

__all__ = ["DisksCollector", "DisksSettings", "Mount", "Usage", "parse_mounts", "plugin", "select"]

LOCAL_WITHOUT_DEVICE = frozenset(("bcachefs", "hostfs", "jffs2", "ubifs", "yaffs2", "zfs"))
"""File systems on disks of this machine that do not name them."""
LAYERED = frozenset(("aufs", "fuse.fuse-overlayfs", "overlay"))
"""What a container's root is made of."""


class DisksSettings(CollectorSettings):
    """The table ``[agent.collectors.disks]``."""

    include_fs_types: list[str] = Field(default=[])
    """Globs of file system types that are reported, whatever else is said of them."""
    exclude_fs_types: list[str] = Field(default=[])
    """Globs of file system types that are left out."""
    include_mount_points: list[str] = Field(default=[])
    """Globs of mount points that are reported, whatever else is said of them."""
    exclude_mount_points: list[str] = Field(default=[])
    """Globs of mount points that are left out."""


def is_real(mount: Mount) -> bool:
    """Return whether a file system holds data of its own, here or on another machine."""
    if mount.fs_type in REMOTE or mount.fs_type in LOCAL_WITHOUT_DEVICE:
        return True
    if mount.fs_type in LAYERED:
        return mount.point == "/"
    if mount.fs_type in ("squashfs", "tmpfs") or mount.fs_type.partition(".")[0] == "fuse":
        return False
    return mount.source.startswith("/dev/") or not mount.device.startswith("0:")


def select(
    mounts: Iterable[Mount], settings: DisksSettings, is_directory: Callable[[str], bool]
) -> list[Mount]:
    """Return the mounts to report, ordered by mount point.

    A file system mounted several times (bind mounts, btrfs subvolumes) is taken at its shortest
    mount point; what excludes that excludes the file system.
    """
    included_types = Globs(settings.include_fs_types)
    included_points = Globs(settings.include_mount_points)
    excluded_types = Globs(settings.exclude_fs_types)
    excluded_points = Globs(settings.exclude_mount_points)
    selected = []
    seen: set[str] = set()
    for mount in sorted(mounts, key=lambda mount: (len(mount.point), mount.point)):
        type_included = mount.fs_type in included_types
        point_included = mount.point in included_points
        if not point_included and (
            not (type_included or is_real(mount))
            or seen & _identity(mount)
            # Docker binds single files, such as /etc/hosts, into a container.
            or not (mount.apart or is_directory(mount.point))
        ):
            continue
        seen |= _identity(mount)
        excluded = mount.fs_type in excluded_types or mount.point in excluded_points
        if type_included or point_included or not excluded:
            selected.append(mount)
    return sorted(selected, key=lambda mount: mount.point)


def _identity(mount: Mount) -> set[str]:
    return {mount.device} | ({mount.source} if mount.source.startswith("/dev/") else set())


def section_item(mount: Mount, usage: Usage) -> Fragment:
    """Return an item of ``disks``: what ``df -B1`` says of it."""
    source = mount.source
    # A program's file system may claim any size: it must not cost the whole section.
    total, used, available = (min(max(0, size), LARGEST) for size in usage)
    return {
        "name": _printable(source.rpartition("/")[2] if source.startswith("/dev/") else source),
        "mount_point": _printable(mount.point),
        "fs_type": _printable(mount.fs_type),
        "total": total,
        "used": used,
        "available": available,
        "usage_percent": round(100 * used / (used + available), 1) if used + available else 0.0,
    }


def _printable(name: str) -> str:
    return os.fsencode(name).decode(errors="replace")[:MAX_TEXT]


def read_usage(point: str) -> Usage:
    """Return the size of the file system at a mount point.

    Raises:
        OSError: where it cannot be had.
    """
    if not hasattr(os, "statvfs"):
        usage = psutil.disk_usage(point)
        return Usage(usage.total, usage.used, usage.free)
    # A tenth of what psutil's own way to it takes, once a second and file system.
    found = os.statvfs(point)
    return Usage(
        total=found.f_blocks * found.f_frsize,
        used=(found.f_blocks - found.f_bfree) * found.f_frsize,
        available=found.f_bavail * found.f_frsize,
    )


def read_partitions() -> list[Mount]:
    """Return what psutil takes for disks, where there is no ``mountinfo``."""
    return [
        Mount(
            point=partition.mountpoint,
            device=partition.device,
            fs_type=partition.fstype,
            source=partition.device,
            apart=may_hang(partition.fstype),
        )
        for partition in psutil.disk_partitions(all=False)
    ]


class DisksCollector:
    """Collects ``disks``."""

    def __init__(
        self,
        *,
        root: Path = Path("/"),
        read_usage: Ask = read_usage,
        read_elsewhere: Callable[[], list[Mount]] = read_partitions,
        is_directory: Callable[[str], bool] = os.path.isdir,
        patience: float = PATIENCE,
    ) -> None:
        self._mountinfo = root / "proc/self/mountinfo"
        self._read_usage = read_usage
        self._read_elsewhere = read_elsewhere
        self._is_directory = is_directory
        self._inquiry = Inquiry(read_usage, patience)
        self._known: tuple[bytes, DisksSettings] | None = None
        self._mounts: list[Mount] = []

    @hookimpl
    def vstats_settings(self) -> type[DisksSettings]:
        """Name the settings."""
        return DisksSettings

    @hookimpl
    def vstats_collect(self, settings: DisksSettings) -> Fragment:
        """Return the mounted file systems, sizes in bytes, ordered by mount point.

        From ``/proc/self/mountinfo`` and ``statvfs``, elsewhere from psutil. A file system that
        has no size, or does not tell it, is left out.
        """
        self._look_at_mounts(settings)
        apart = self._inquiry.usages([mount for mount in self._mounts if mount.apart])
        answers = (
            (mount, apart.get(mount) if mount.apart else self._local_usage(mount))
            for mount in self._mounts
        )
        return {
            "disks": [
                section_item(mount, usage)
                for mount, usage in answers
                if usage is not None and usage.total > 0
            ]
        }

    def _look_at_mounts(self, settings: DisksSettings) -> None:
        try:
            table = read_bytes(self._mountinfo)
        except OSError:
            self._mounts = select(self._read_elsewhere(), settings, self._is_directory)
            return
        if self._known is None or self._known[0] != table or self._known[1] is not settings:
            self._mounts = select(parse_mounts(table), settings, self._is_directory)
            self._known = table, settings

    def _local_usage(self, mount: Mount) -> Usage | None:
        try:
            return self._read_usage(mount.point)
        except OSError:
            return None


plugin = DisksCollector()
