"""The collector agrees with the kernel of the machine that the tests run on."""

import os
from pathlib import Path

import psutil
import pytest

from vstats_core.testing import run
from vstats_diskio import DiskIoCollector
from vstats_diskio.collector import parse_counters, read_counters, read_whole_disks

DISKSTATS = Path("/proc/diskstats")
SECTOR = 512

pytestmark = pytest.mark.skipif(not DISKSTATS.exists(), reason="there is no /proc/diskstats")


def kernel(name):
    """Return requests, bytes and busy milliseconds of a device, as the kernel prints them."""
    for line in DISKSTATS.read_text().splitlines():
        fields = line.split()
        if fields[2] == name:
            reads, _, sectors_read, _, writes, _, sectors_written, _, _, busy = map(
                int, fields[3:13]
            )
            return {
                "read": sectors_read * SECTOR,
                "written": sectors_written * SECTOR,
                "reads": reads,
                "writes": writes,
                "busy": busy,
            }
    raise AssertionError(f"{name} is gone")


@pytest.fixture
def device(tmp_path):
    """Return the name of the whole disk that the test's folder lies on."""
    number = tmp_path.stat().st_dev
    link = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    if not link.exists():
        pytest.skip(f"{tmp_path} is on no block device")
    folder = link.resolve()
    return (folder.parent if (folder / "partition").exists() else folder).name


def test_what_is_written_and_synced_is_what_the_kernel_counted(tmp_path, device):
    size = 8 << 20
    moments = iter((1.0, 2.0))
    collector = DiskIoCollector(clock=lambda: next(moments))

    outer_before = kernel(device)
    assert run(collector, include=[device]) is None
    inner_before = kernel(device)
    with (tmp_path / "file").open("wb") as file:
        file.write(os.urandom(size))
        file.flush()
        os.fsync(file.fileno())
    inner_after = kernel(device)
    items = run(collector, include=[device])["diskio"]
    outer_after = kernel(device)

    (item,) = [item for item in items if item["name"] == device]
    assert item["written"] >= size
    assert item["latency"] >= 0
    for key in ("read", "written", "reads", "writes"):
        least = inner_after[key] - inner_before[key]
        most = outer_after[key] - outer_before[key]
        assert least <= item[key] <= most, key
    # A tenth of a percent is a millisecond of this second.
    least, most = (
        after["busy"] - before["busy"]
        for before, after in ((inner_before, inner_after), (outer_before, outer_after))
    )
    assert min(least / 10, 100) <= item["utilisation"] <= min(most / 10, 100)


def test_every_disk_of_the_kernel_and_no_partition_is_a_whole_disk():
    whole = read_whole_disks()
    partitions = {path.parent.name for path in Path("/sys/class/block").glob("*/partition")}

    assert whole >= set(psutil.disk_io_counters(perdisk=True)) - partitions
    assert not whole & partitions


def test_psutil_counts_what_the_kernel_counts():
    before = {name: kernel(name) for name in psutil.disk_io_counters(perdisk=True)}
    counters = parse_counters(read_counters())
    after = {name: kernel(name) for name in before}

    for name, counts in before.items():
        for key, value in counts.items():
            assert value <= getattr(counters[name], key) <= after[name][key]


def test_a_counter_that_goes_backwards_is_not_straightened_by_psutil(fake_root, monkeypatch):
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(fake_root / "proc"))
    line = "   8       0 sda {0} 0 {0} {0} {0} 0 {0} {0} 0 {0} {0}\n"

    fake_root.write("proc/diskstats", line.format(4000))
    before = parse_counters(read_counters())["sda"]
    fake_root.write("proc/diskstats", line.format(10))
    after = parse_counters(read_counters())["sda"]

    assert before == (4000 * SECTOR, 4000 * SECTOR, 4000, 4000, 8000, 4000)
    assert after == (10 * SECTOR, 10 * SECTOR, 10, 10, 20, 10)
