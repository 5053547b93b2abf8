"""Requirements for the collector of disk I/O."""

from types import SimpleNamespace

import pytest

from vstats_core import Levels
from vstats_core.testing import run
from vstats_diskio import DiskActivity, DiskIoCollector, DiskIoSettings
from vstats_diskio.collector import (
    Counters,
    fold_paths,
    latency,
    parse_counters,
    read_whole_disks,
)

KEYS = ("read_count", "write_count", "read_bytes", "write_bytes")
KEYS += ("read_time", "write_time", "busy_time")


def disk(*values):
    """Return one device's counters as psutil names them: requests, bytes, milliseconds."""
    return SimpleNamespace(**dict.fromkeys(KEYS, 0) | dict(zip(KEYS, values, strict=False)))


def elsewhere(*keys, **values):
    """Return counters of a platform that has fewer."""
    return SimpleNamespace(**dict.fromkeys(keys, 0) | values)


class Machine:
    """Devices and a clock, to be set by a test."""

    def __init__(self, *, whole=None, settings=None, **devices):
        self.devices = devices
        self.whole = whole
        self.moment = 100.0
        self.settings = settings or {}
        self.collector = DiskIoCollector(
            read=lambda: self.devices,
            read_whole_disks=lambda: self.whole,
            clock=lambda: self.moment,
        )
        assert self.collect() is None

    def collect(self):
        """Return the section, held to what is declared, as the agent does."""
        fragment = run(self.collector, **self.settings)
        return fragment and fragment["diskio"]

    def later(self, seconds, **devices):
        self.moment += seconds
        self.devices = devices
        return self.collect()


def listed(*names, whole=None, **settings):
    machine = Machine(whole=whole, settings=settings, **dict.fromkeys(names, disk()))
    return [item["name"] for item in machine.collect()]


def test_the_first_call_has_nothing_to_compare_with():
    machine = Machine(sda=disk(100, 100, 9**9, 9**9))  # asserts that the first is None

    assert machine.later(1, sda=disk(100, 100, 9**9, 9**9)) is not None


def test_a_disk_is_reported_by_what_it_did_a_second():
    machine = Machine(sda=disk(100, 200, 50_000, 60_000, 1000, 2000, 500))

    section = machine.later(2, sda=disk(140, 260, 250_000, 1_060_000, 1300, 2700, 1300))

    assert section == [
        {
            "name": "sda",
            "read": 100_000,
            "written": 500_000,
            "reads": 20.0,
            "writes": 30.0,
            "utilisation": 40.0,
            "latency": 0.01,
        }
    ]


def test_bytes_a_second_are_whole_and_requests_have_a_decimal():
    section = Machine(sda=disk()).later(3, sda=disk(1, 2, 100, 200))

    assert [type(section[0][key]) for key in ("read", "written")] == [int, int]
    assert (section[0]["reads"], section[0]["writes"]) == (0.3, 0.7)


def test_disks_are_ordered_by_name():
    assert listed("sdb", "nvme0n1", "sda") == ["nvme0n1", "sda", "sdb"]


def test_an_idle_disk_has_zeros_and_no_latency():
    machine = Machine(sda=disk(5, 5, 5, 5, 5, 5, 5))

    (idle,) = machine.later(1, sda=disk(5, 5, 5, 5, 5, 5, 5))

    assert idle == {"name": "sda"} | dict.fromkeys(
        ("read", "written", "reads", "writes", "utilisation"), 0
    )


def test_utilisation_never_exceeds_100():
    (item,) = Machine(sda=disk()).later(1, sda=disk(1, 1, 1, 1, 1, 1, 1004))

    assert item["utilisation"] == 100.0


def test_a_disk_that_starts_over_did_nothing_rather_than_less_than_nothing():
    machine = Machine(sda=disk(9000, 9000, 10**9, 10**9, 9000, 9000, 9000), sdb=disk())

    replaced, other = machine.later(1, sda=disk(1, 1, 512, 512, 1, 1, 1), sdb=disk(7, 0, 512))

    assert replaced == {"name": "sda", "read": 0, "written": 0, "reads": 0, "writes": 0} | {
        "utilisation": 0
    }
    assert (other["read"], other["reads"]) == (512, 7)
    assert machine.later(1, sda=disk(3, 1, 1536, 512, 3, 1, 2), sdb=disk(7))[0] == {
        "name": "sda",
        "read": 1024,
        "written": 0,
        "reads": 2,
        "writes": 0,
        "utilisation": 0.1,
        "latency": 0.001,
    }


def test_a_sum_of_times_that_fills_its_32_bits_costs_one_latency():
    full = 2**32 - 100
    machine = Machine(sda=disk(0, 0, 0, 0, full, 0, full))

    (wrapped,) = machine.later(1, sda=disk(10, 0, 4096, 0, 50, 0, 50))
    (after,) = machine.later(1, sda=disk(20, 0, 8192, 0, 100, 0, 100))

    assert (wrapped["reads"], wrapped["utilisation"], "latency" in wrapped) == (10, 0, False)
    assert (after["utilisation"], after["latency"]) == (5.0, 0.005)


def test_a_disk_that_appears_does_not_add_its_past():
    machine = Machine(sda=disk())

    section = machine.later(1, sda=disk(), sdb=disk(10**6, 10**6, 10**12, 10**12, 10**6, 0, 10**6))

    assert section[1] == {"name": "sdb"} | dict.fromkeys(
        ("read", "written", "reads", "writes", "utilisation"), 0
    )


def test_a_disk_that_is_gone_is_forgotten():
    machine = Machine(sda=disk(10, 10, 10, 10))

    assert machine.later(1) == []
    assert machine.later(1, sda=disk(90, 90, 90, 90))[0]["read"] == 0


def test_two_calls_at_the_same_moment_do_not_divide_by_zero():
    machine = Machine(sda=disk())

    assert machine.later(0, sda=disk(9, 9, 9, 9, 9, 9, 9))[0]["utilisation"] == 0


def test_partitions_are_left_out():
    names = ("sda", "sda1", "nvme0n1", "nvme0n1p1", "mmcblk0", "mmcblk0p2", "vda", "vda1")

    whole = {"sda", "nvme0n1", "mmcblk0", "vda"}
    assert listed(*names, whole=whole) == sorted(whole)


def test_a_whole_disk_whose_name_ends_in_a_digit_is_listed():
    assert listed("xvda1", "xvda2", whole={"xvda1"}) == ["xvda1"]


def test_where_the_platform_knows_no_partitions_everything_is_a_disk():
    assert listed("disk0", "disk4", whole=None) == ["disk0", "disk4"]
    assert listed("PhysicalDrive0", "PhysicalDrive1") == ["PhysicalDrive0", "PhysicalDrive1"]


@pytest.mark.parametrize(
    "name",
    [
        *("loop0", "ram15", "zram0", "sr0", "fd0", "cd0", "nbd3", "dm-0", "md127", "md0"),
        *("bcache0", "drbd1", "zd16", "mmcblk0boot0", "mmcblk0rpmb"),
    ],
)
def test_what_is_no_disk_or_lies_on_one_is_left_out(name):
    assert listed(name, whole={name}) == []


@pytest.mark.parametrize(
    "name",
    [
        *("sda", "sdaa", "hda", "vda", "xvda", "nvme0n1", "nvme10n2", "mmcblk0", "rbd0", "pmem0"),
        *("dasda", "cciss/c0d0", "ada0", "nda0", "wd0", "disk0", "PhysicalDrive0"),
    ],
)
def test_what_is_a_disk_is_listed(name):
    assert listed(name, whole={name}) == [name]


def test_include_wins_over_exclude_and_brings_partitions_in():
    names = ("sda", "sda1", "sda2", "dm-0", "dm-1", "loop0")
    whole = {"sda", "dm-0", "dm-1", "loop0"}

    assert listed(*names, whole=whole, include=["dm-*", "sda2"]) == ["dm-0", "dm-1", "sda", "sda2"]
    assert listed(*names, whole=whole, exclude=["sd*", "dm-*"]) == ["loop0"]
    assert listed(*names, whole=whole, exclude=["*"], include=["sda1"]) == ["sda1"]


def test_new_settings_hold_at_once():
    machine = Machine(sda=disk(), sdb=disk())
    settings = DiskIoSettings(exclude=["sda"])

    assert len(machine.collector.vstats_collect(DiskIoSettings())["diskio"]) == 2
    assert len(machine.collector.vstats_collect(settings)["diskio"]) == 1


def test_an_nvme_disk_that_counts_for_itself_is_taken_at_its_word():
    counters = parse_counters(
        {"nvme0n1": disk(8, 8, 8, 8), "nvme0c0n1": disk(5, 5, 5, 5), "nvme0c1n1": disk(3, 3, 3, 3)}
    )

    assert fold_paths(counters) == {"nvme0n1": counters["nvme0n1"]}


def test_an_nvme_disk_that_counts_on_its_paths_only_is_their_sum():
    counters = parse_counters(
        {
            "nvme3c33n1": disk(10, 20, 30, 40, 50, 60, 70),
            "nvme3c34n1": disk(1, 2, 3, 4, 5, 6, 700),
            "nvme3n1": disk(),
            "nvme3n1p1": disk(1),
        }
    )

    assert fold_paths(counters) == {
        "nvme3n1": Counters(read=33, written=44, reads=11, writes=22, waited=121, busy=700),
        "nvme3n1p1": counters["nvme3n1p1"],
    }


def test_a_disk_is_not_counted_twice_when_only_its_path_is_known():
    (item,) = Machine(nvme0c0n1=disk()).later(1, nvme0c0n1=disk(0, 5, 0, 4096))

    assert (item["name"], item["written"]) == ("nvme0n1", 4096)


def test_a_platform_without_busy_times_has_no_utilisation():
    keys = KEYS[:6]

    (item,) = Machine(disk0=elsewhere(*keys)).later(
        1, disk0=elsewhere(*keys, read_count=4, read_bytes=4096, read_time=8)
    )

    assert item == {"name": "disk0", "read": 4096, "written": 0, "reads": 4, "writes": 0} | {
        "latency": 0.002
    }


def test_a_platform_without_times_has_no_latency_either():
    keys = KEYS[:4]

    (item,) = Machine(wd0=elsewhere(*keys)).later(1, wd0=elsewhere(*keys, write_count=4))

    assert item == {"name": "wd0", "read": 0, "written": 0, "reads": 0, "writes": 4}


@pytest.mark.parametrize(
    ("waited", "expected"), [(3, 0.0005), (0, 0.0)], ids=["half a millisecond", "too short to tell"]
)
def test_latency_is_in_seconds(waited, expected):
    before = Counters(0, 0, 0, 0, 0, 0)

    assert latency(before, before._replace(reads=2, writes=4, waited=waited)) == expected


def test_a_server_with_200_disks_fits_in_a_report():
    names = [f"sd{a}{b}" for a in "abcdefgh" for b in "abcdefghijklmnopqrstuvwxy"]
    machine = Machine(**dict.fromkeys(names, disk()))
    busy = disk(10**5, 10**5, 10**10, 10**10, 10**6, 10**6, 999)

    assert len(machine.later(1.1, **dict.fromkeys(names, busy))) == 200


def test_a_machine_without_disks_says_that_there_are_none():
    assert Machine().later(1) == []


def test_a_slash_in_a_disks_name_is_read_from_its_folder(tmp_path):
    (tmp_path / "cciss!c0d0").mkdir()
    (tmp_path / "sda").mkdir()

    assert read_whole_disks(tmp_path) == {"cciss/c0d0", "sda"}
    assert read_whole_disks(tmp_path / "none") is None


def test_utilisation_tells_dashboards_from_where_on_it_is_bad():
    assert Levels(warn=90) in DiskActivity.model_fields["utilisation"].metadata
