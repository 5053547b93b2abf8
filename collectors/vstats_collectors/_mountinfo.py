"""Decide which mounts can be reached, and which may never answer, from the kernel's table."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["REMOTE", "Mount", "may_hang", "parse_mounts"]

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
                may_hang(step.fs_type) for step in way if step is entry or step.point != "/"
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


def may_hang(fs_type: str) -> bool:
    return fs_type in REMOTE or fs_type.startswith("fuse")
