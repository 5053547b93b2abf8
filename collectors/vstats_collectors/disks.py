"""Decide which mounts are disks, and how full they are, without waiting for a dead one."""

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

import psutil
from pydantic import Field

from vstats_core import CollectorSettings, Fragment, Globs, hookimpl
from vstats_core.schema import LARGEST, MAX_TEXT

__all__ = ["DisksCollector", "DisksSettings", "Mount", "Usage", "parse_mounts", "plugin", "select"]

logger = logging.getLogger(__name__)

PATIENCE = 0.25
"""Seconds that one call waits, in all, for those that may never answer."""
REMOTE = frozenset(
    (
        *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "glusterfs", "gpfs", "lustre", "ncpfs"),
        *("nfs", "nfs4", "orangefs", "prl_fs", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs"),
        *("fuse.beegfs", "fuse.blobfuse", "fuse.blobfuse2", "fuse.ceph", "fuse.ceph-fuse"),
        *("fuse.cephfs", "fuse.curlftpfs", "fuse.davfs", "fuse.davfs2", "fuse.gcsfuse"),
        *("fuse.glusterfs", "fuse.goofys", "fuse.juicefs", "fuse.mfs", "fuse.mount-s3"),
        *("fuse.rclone", "fuse.s3fs", "fuse.seaweedfs", "fuse.sshfs", "fuse.vmhgfs-fuse"),
    )
)
"""File systems that live on another machine."""
LOCAL_WITHOUT_DEVICE = frozenset(("bcachefs", "hostfs", "jffs2", "ubifs", "yaffs2", "zfs"))
"""File systems on disks of this machine that do not name them."""
LAYERED = frozenset(("aufs", "fuse.fuse-overlayfs", "overlay"))
"""What a container's root is made of."""


class Usage(NamedTuple):
    """A file system's size, in bytes."""

    total: int
    used: int
    available: int
    """To an unprivileged user."""


Ask: TypeAlias = Callable[[str], Usage]
"""Takes a mount point; may block for ever, or raise OSError."""


@dataclass(frozen=True)
class Mount:
    """A file system at a place where it can be reached."""

    point: str
    """With undecodable bytes as surrogates, as the ``os`` module takes it."""
    device: str
    """``major:minor``; the same for all mounts of one file system."""
    fs_type: str
    source: str
    apart: bool
    """Whether asking for its size may take for ever."""


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


class Entry(NamedTuple):
    """A line of ``mountinfo``; see proc_pid_mountinfo(5)."""

    number: str
    parent: str
    device: str
    point: str
    fs_type: str
    source: str


def parse_mounts(mountinfo: bytes) -> list[Mount]:
    """Return the mounts that can be reached: those that no later one hides."""
    entries = [_parse_entry(line) for line in mountinfo.split(b"\n") if line]
    numbers = {entry.number for entry in entries}
    at: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        # The first mount's parent is itself, or out of our sight.
        known = entry.parent in numbers and entry.parent != entry.number
        at[entry.parent if known else "", entry.point] = entry
    mounts = []
    for entry in entries:
        way = _way_to(entry.point, at)
        if way[-1] is entry:
            # What is mounted on a dead file system cannot be asked either; on a dead root, nothing.
            apart = any(
                _may_hang(step.fs_type) for step in way if step is entry or step.point != "/"
            )
            mount = Mount(entry.point, entry.device, entry.fs_type, entry.source, apart)
            mounts.append(mount)
    return mounts


def _parse_entry(line: bytes) -> Entry:
    mount, _, file_system = line.partition(b" - ")
    number, parent, device, _, point, *_ = map(_decode, mount.split(b" "))
    fs_type, source, *_ = map(_decode, file_system.split(b" "))
    return Entry(number, parent, device, point, fs_type, source)


def _decode(field: bytes) -> str:
    if b"\\" in field:
        field = re.sub(rb"\\([0-3][0-7]{2})", lambda octal: bytes([int(octal[1], 8)]), field)
    return os.fsdecode(field)


def _way_to(point: str, at: Mapping[tuple[str, str], Entry]) -> list[Entry]:
    """Return the mounts that a path leads through, as the kernel walks it."""
    way: list[Entry] = []
    for place in _places_on_the_way(point):
        while step := at.get((way[-1].number if way else "", place)):
            way.append(step)
    return way


def _places_on_the_way(point: str) -> Iterator[str]:
    yield "/"
    end = point.find("/", 1)
    while end > 0:
        yield point[:end]
        end = point.find("/", end + 1)
    if point != "/":
        yield point


def _may_hang(fs_type: str) -> bool:
    return fs_type in REMOTE or fs_type.startswith("fuse")


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


class Question:
    """A size that is asked for in a daemon thread of its own."""

    def __init__(self, ask: Ask, point: str) -> None:
        self.answer: Usage | None = None
        """None also for a mount that answers with an error."""
        self.over = threading.Event()
        # A daemon: a question that is never answered must not keep the process from ending.
        threading.Thread(target=self._put, args=(ask, point), name="mount", daemon=True).start()

    def _put(self, ask: Ask, point: str) -> None:
        try:
            with suppress(OSError):
                self.answer = ask(point)
        finally:
            self.over.set()


class Inquiry:
    """Asks mounts that may never answer, with one question in flight for each."""

    def __init__(self, ask: Ask, patience: float) -> None:
        self._ask = ask
        self._patience = patience
        self._in_flight: dict[tuple[str, str], Question] = {}
        self._silent: set[tuple[str, str]] = set()

    def usages(self, mounts: Collection[Mount]) -> dict[Mount, Usage]:
        """Return the sizes that came within the patience, or since the previous round.

        A question of an earlier round is not waited for, and no second one is asked beside it.
        """
        in_flight = {key: old for key, old in self._in_flight.items() if not old.over.is_set()}
        since = {key: old for key, old in self._in_flight.items() if key not in in_flight}
        asked = {
            mount: Question(self._ask, mount.point)
            for mount in mounts
            if _key(mount) not in in_flight
        }
        self._in_flight = in_flight | {_key(mount): asked[mount] for mount in asked}
        self._silent.intersection_update(map(_key, mounts))
        deadline = time.monotonic() + self._patience
        usages = {}
        for mount in mounts:
            question = asked.get(mount)
            if question is None:
                self._missed(mount)
                continue
            self._heard(mount)
            over = question.over.wait(max(0.0, deadline - time.monotonic()))
            # What is slow, but answers before the next round, is reported a round later.
            late = since.get(_key(mount))
            answer = question.answer if over else late.answer if late is not None else None
            if answer is not None:
                usages[mount] = answer
        return usages

    def _missed(self, mount: Mount) -> None:
        if _key(mount) not in self._silent:
            self._silent.add(_key(mount))
            logger.warning("mount %r does not answer; left out until it does", mount.point)

    def _heard(self, mount: Mount) -> None:
        if _key(mount) in self._silent:
            self._silent.remove(_key(mount))
            logger.info("mount %r answers again", mount.point)


def _key(mount: Mount) -> tuple[str, str]:
    # With the device, so that a mount that replaces a dead one is asked.
    return mount.point, mount.device


def read_usage(point: str) -> Usage:
    """Return the size of the file system at a mount point.

    Raises:
        OSError: where it cannot be had.
    """
    usage = psutil.disk_usage(point)
    return Usage(usage.total, usage.used, usage.free)


def read_partitions() -> list[Mount]:
    """Return what psutil takes for disks, where there is no ``mountinfo``."""
    return [
        Mount(
            point=partition.mountpoint,
            device=partition.device,
            fs_type=partition.fstype,
            source=partition.device,
            apart=_may_hang(partition.fstype),
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
            table = self._mountinfo.read_bytes()
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
