"""Mount a file system that never answers, collect the disks five times, print what came of it.

Run with a mount namespace of its own and an empty folder: nobody else gets to see the mount.
"""

import ctypes
import json
import os
import sys
import threading
import time
from pathlib import Path

from vstats_collectors.disks import DisksCollector, DisksSettings

MAY_NOT_MOUNT = 77


def mount_dead(point):
    """Mount a FUSE file system whose program, we, reads no request; return what to close."""
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"me@gone:/", os.fsencode(point), b"fuse.sshfs", 0, options) != 0:
        raise OSError(ctypes.get_errno(), "mount")
    return device


def waiting():
    return [thread for thread in threading.enumerate() if thread.name == "mount"]


def collect(collector, settings, point):
    started = time.monotonic()
    disks = collector.vstats_collect(settings)["disks"]
    return time.monotonic() - started, point in [disk["mount_point"] for disk in disks]


def main(point):
    try:
        device = mount_dead(point)
    except OSError:
        sys.exit(MAY_NOT_MOUNT)
    mounted = f" {point} " in Path("/proc/self/mountinfo").read_text()
    collector, settings = DisksCollector(), DisksSettings()
    rounds = [collect(collector, settings, point) for _ in range(5)]
    threads = waiting()
    os.close(device)
    for thread in threads:
        thread.join(10)
    seen = {
        "mounted": mounted,
        "durations": [duration for duration, _ in rounds],
        "listed": [listed for _, listed in rounds],
        "waiting": len(threads),
        "waiting_after_its_end": len(waiting()),
    }
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1])
