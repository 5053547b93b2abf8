"""Requirements for the disks collector."""

import json
import logging
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from vstats_collectors.disks import (
    DisksCollector,
    DisksSettings,
    Mount,
    Usage,
    parse_mounts,
    read_partitions,
)

GB = 10**9
DEFAULT = DisksSettings()
LOGGER = "vstats_collectors._inquiry"
ROOT = "27 1 254:0 / / rw - ext4 /dev/vda rw"


def usage(point):
    """Answer for any mount: 25 GB used, 50 GB available, 25 GB reserved."""
    return Usage(100 * GB, 25 * GB, 50 * GB)


def no_file(point):
    return True


def collect(root, settings=DEFAULT, *, read_usage=usage, is_directory=no_file):
    collector = DisksCollector(root=root, read_usage=read_usage, is_directory=is_directory)
    return collector.vstats_collect(settings)


def points(fragment):
    return [disk["mount_point"] for disk in fragment["disks"]]


@pytest.fixture
def mounted(tmp_path):
    """Return a function that makes a machine with these lines of mountinfo."""

    def write(*lines):
        file = tmp_path / "proc/self/mountinfo"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes("".join(f"{line}\n" for line in lines).encode(errors="surrogateescape"))
        return tmp_path

    return write


def test_a_disk_is_reported_as_df_prints_it(machine, valid):
    assert valid(collect(machine("kvm-guest"))) == {
        "disks": [
            {
                "name": "vda",
                "mount_point": "/",
                "fs_type": "ext4",
                "total": 100 * GB,
                "used": 25 * GB,
                "available": 50 * GB,
                "usage_percent": 33.3,
            }
        ]
    }


def test_seven_bind_mounts_of_one_disk_are_one_disk(machine):
    assert points(collect(machine("service-sandbox"))) == ["/"]


def test_a_container_reports_its_root_and_its_volume_but_no_single_files(machine):
    bound_files = {"/etc/resolv.conf", "/etc/hostname", "/etc/hosts"}
    fragment = collect(
        machine("docker-container"), is_directory=lambda point: point not in bound_files
    )

    assert [(disk["name"], disk["mount_point"]) for disk in fragment["disks"]] == [
        ("overlay", "/"),
        ("vda1", "/var/lib/app data"),
    ]


def test_an_lxc_container_reports_its_root_alone(machine):
    fragment = collect(machine("lxc-container"))

    assert [(disk["name"], disk["mount_point"]) for disk in fragment["disks"]] == [
        ("vg0-ct100", "/")
    ]


def test_a_board_reports_its_card_and_its_stick_but_no_images(machine, valid):
    fragment = valid(collect(machine("raspberry-pi")))

    assert points(fragment) == ["/", "/boot/firmware", "/media/pi/USB STICK\\A"]


def test_btrfs_subvolumes_are_one_disk(machine):
    assert points(collect(machine("btrfs-machine"))) == ["/", "/mnt/photos"]


def test_a_server_with_40_disks_fits_in_a_report(mounted, valid):
    disks = [f"{n} 27 8:{n} / /srv/disk{n:02} rw - xfs /dev/sd{n} rw" for n in range(40, 79)]
    binds = [
        f"{n + 100} 27 8:{n} /a /var/lib/bound{n} rw - xfs /dev/sd{n} rw" for n in range(40, 79)
    ]

    fragment = valid(collect(mounted(ROOT, *binds, *disks)))

    assert points(fragment) == ["/", *(f"/srv/disk{n}" for n in range(40, 79))]


def test_of_two_equally_short_mount_points_the_first_is_taken(mounted):
    root = mounted("1 0 8:1 / /b rw - ext4 /dev/sda1 rw", "2 0 8:1 / /a rw - ext4 /dev/sda1 rw")

    assert points(collect(root)) == ["/a"]


def test_a_mount_under_a_later_one_is_not_listed(mounted):
    root = mounted(
        ROOT,
        "30 27 8:1 / /mnt rw - ext4 /dev/sda1 rw",
        "31 30 8:2 / /mnt rw - xfs /dev/sda2 rw",
        "32 27 8:3 / /srv/data rw - ext4 /dev/sda3 rw",
        "33 27 8:4 / /srv rw - ext4 /dev/sda4 rw",
    )

    assert [disk["name"] for disk in collect(root)["disks"]] == ["vda", "sda2", "sda4"]


def test_a_root_that_was_mounted_after_what_is_in_it_hides_nothing(mounted):
    root = mounted(
        "20 27 8:1 / /usr rw - ext4 /dev/sda1 rw", "21 21 0:2 / / rw - rootfs rootfs rw", ROOT
    )

    assert points(collect(root)) == ["/", "/usr"]


def test_a_root_over_the_initial_one_is_the_root(mounted):
    root = mounted("1 1 0:2 / / rw - rootfs rootfs rw", ROOT)

    assert points(collect(root)) == ["/"]


@pytest.mark.parametrize(
    ("line", "listed"),
    [
        ("30 27 0:50 / /m rw - nfs4 nas:/export rw", True),
        ("30 27 0:50 / /m rw - cifs //nas/share rw", True),
        ("30 27 0:50 / /m rw - zfs tank/data rw", True),
        ("30 27 0:50 / /m rw - fuse.sshfs me@nas:/ rw", True),
        ("30 27 0:50 / /m rw - virtiofs shared rw", True),
        ("30 27 0:50 / /m rw - bcachefs /dev/sda:/dev/sdb rw", True),
        ("30 27 8:1 / /m rw - vfat /dev/sda1 rw", True),
        ("30 27 0:50 / /m rw - tmpfs tmpfs rw", False),
        ("30 27 0:50 / /m rw - tmpfs /dev/shm rw", False),
        ("30 27 0:50 / /m rw - overlay overlay rw", False),
        ("30 27 0:50 / /m rw - nfsd nfsd rw", False),
        ("30 27 0:50 / /m rw - autofs systemd-1 rw", False),
        ("30 27 0:50 / /m rw - fuse.portal /dev/fuse rw", False),
        ("30 27 0:50 / /m rw - fuse /dev/fuse rw", False),
        ("30 27 0:50 / /m rw - devtmpfs udev rw", False),
        ("30 27 7:1 / /m rw - squashfs /dev/loop1 rw", False),
    ],
    ids=lambda value: value.split(" - ")[1] if isinstance(value, str) else "",
)
def test_real_file_systems_are_listed_and_others_are_not(line, listed, mounted):
    assert ("/m" in points(collect(mounted(ROOT, line)))) is listed


@pytest.mark.parametrize(
    ("source", "name"),
    [("/dev/mapper/vg0-root", "vg0-root"), ("tank/data", "tank/data"), ("nas:/a", "nas:/a")],
)
def test_the_name_is_the_device_without_its_folder(source, name, mounted):
    fragment = collect(mounted(f"27 1 8:1 / / rw - ext4 {source} rw"))

    assert fragment["disks"][0]["name"] == name


MANY = (
    ROOT,
    "30 27 254:0 /home /home rw - ext4 /dev/vda rw",
    "31 27 0:30 / /dev/shm rw - tmpfs tmpfs rw",
    "32 27 0:31 / /run rw - tmpfs tmpfs rw",
    "33 27 8:1 / /srv rw - xfs /dev/sda1 rw",
    "34 27 0:32 / /proc rw - proc proc rw",
)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ["/", "/srv"]),
        ({"include_fs_types": ["tmp*"]}, ["/", "/dev/shm", "/run", "/srv"]),
        ({"include_mount_points": ["/proc"]}, ["/", "/proc", "/srv"]),
        ({"include_mount_points": ["/home"]}, ["/", "/home", "/srv"]),
        ({"exclude_fs_types": ["ext?"]}, ["/srv"]),
        ({"exclude_mount_points": ["/s*"]}, ["/"]),
        ({"exclude_mount_points": ["*"], "include_mount_points": ["/srv"]}, ["/srv"]),
        ({"exclude_mount_points": ["*"], "include_fs_types": ["ext4"]}, ["/"]),
        ({"exclude_mount_points": ["/"]}, ["/srv"]),
    ],
    ids=[
        "default",
        "types of no disk",
        "no disk",
        "a disk's second mount point",
        "types out",
        "mount points out",
        "a mount point included wins",
        "a type included wins",
        "no second mount point stands in",
    ],
)
def test_what_is_included_is_listed_and_what_is_excluded_is_not(settings, expected, mounted):
    assert points(collect(mounted(*MANY), DisksSettings(**settings))) == expected


def test_a_file_system_without_a_size_is_not_listed(mounted):
    sizes = {"/": Usage(10, 5, 5), "/srv": Usage(0, 0, 0)}

    assert points(collect(mounted(*MANY), read_usage=sizes.__getitem__)) == ["/"]


@pytest.mark.parametrize("error", [PermissionError, FileNotFoundError, OSError])
def test_a_mount_that_cannot_be_asked_costs_no_other(error, mounted):
    def read_usage(point):
        if point == "/":
            raise error
        return usage(point)

    assert points(collect(mounted(*MANY), read_usage=read_usage)) == ["/srv"]


def test_a_full_disk_that_has_nothing_to_give_is_full(mounted):
    fragment = collect(mounted(ROOT), read_usage=lambda point: Usage(100, 95, 0))

    assert fragment["disks"][0]["usage_percent"] == 100.0


def test_a_disk_of_nothing_but_reserve_is_no_division_by_zero(mounted):
    fragment = collect(mounted(ROOT), read_usage=lambda point: Usage(100, 0, 0))

    assert fragment["disks"][0]["usage_percent"] == 0.0


@pytest.mark.parametrize(
    "claimed",
    [Usage(2**70, 2**69, 2**69), Usage(100, -50, 150), Usage(100, 100, -1)],
    ids=["beyond 64 bits", "less than nothing used", "less than nothing available"],
)
def test_an_impossible_size_costs_no_other_disk(claimed, mounted, valid):
    sizes = {"/": usage("/"), "/srv": claimed}

    assert points(valid(collect(mounted(*MANY), read_usage=sizes.__getitem__))) == ["/", "/srv"]


@pytest.mark.parametrize(
    ("point", "shown"),
    [("/\\303\\244", "/ä"), ("/\udcff", "/\N{REPLACEMENT CHARACTER}"), ("/" + 2000 * "x", None)],
    ids=["octal UTF-8", "not UTF-8", "too long"],
)
def test_a_strange_mount_point_is_shown_as_well_as_can_be(point, shown, mounted, valid):
    asked = []

    def read_usage(path):
        asked.append(path)
        return usage(path)

    fragment = collect(mounted(f"1 0 8:1 / {point} rw - ext4 /dev/sda1 rw"), read_usage=read_usage)

    assert points(valid(fragment)) == [shown or point[:1024]]
    assert asked == ["/ä" if shown == "/ä" else point]


def test_the_mounts_are_looked_at_again_when_they_change(mounted):
    looked_at = []

    def is_directory(point):
        looked_at.append(point)
        return True

    root = mounted(ROOT)
    collector = DisksCollector(root=root, read_usage=usage, is_directory=is_directory)
    collector.vstats_collect(DEFAULT)
    collector.vstats_collect(DEFAULT)
    assert looked_at == ["/"]

    mounted(*MANY)

    assert points(collector.vstats_collect(DEFAULT)) == ["/", "/srv"]


def test_other_settings_are_obeyed_at_once(mounted):
    collector = DisksCollector(root=mounted(*MANY), read_usage=usage, is_directory=no_file)
    collector.vstats_collect(DEFAULT)

    fragment = collector.vstats_collect(DisksSettings(exclude_mount_points=["/srv"]))

    assert points(fragment) == ["/"]


def test_where_there_is_no_mountinfo_psutil_is_asked(tmp_path):
    mounts = [Mount("C:\\", "C:\\", "NTFS", "C:\\", apart=False)]
    collector = DisksCollector(
        root=tmp_path, read_usage=usage, is_directory=no_file, read_elsewhere=lambda: mounts
    )

    fragment = collector.vstats_collect(DEFAULT)

    assert [(disk["name"], disk["mount_point"]) for disk in fragment["disks"]] == [("C:\\", "C:\\")]
    assert all(isinstance(mount, Mount) for mount in read_partitions())


# Mounts that may never answer

NFS = "40 27 0:50 / /nfs rw - nfs4 nas:/export rw"
SSHFS = "41 27 0:51 / /ssh rw - fuse.sshfs me@nas:/ rw"


class Server:
    """Answers for mounts, unless it is dead: then the caller blocks until it is back."""

    def __init__(self, *dead):
        self.dead = set(dead)
        self.back = threading.Event()
        self.asked = []

    def __call__(self, point):
        self.asked.append((point, threading.current_thread()))
        if point in self.dead:
            self.back.wait()
        return usage(point)

    def answer(self):
        """Answer, late, what was asked so far."""
        self.back.set()
        for thread in threading.enumerate():
            if thread.name == "mount":
                thread.join()
        self.back.clear()

    def revive(self):
        self.dead = set()
        self.answer()

    def questions(self, point):
        return [asked for asked, _ in self.asked if asked == point]


@pytest.fixture
def collecting(mounted):
    """Return a function that makes a collector with little patience; its threads end here."""
    servers = []

    def make(server, *lines):
        servers.append(server)
        return DisksCollector(
            root=mounted(ROOT, *lines), read_usage=server, is_directory=no_file, patience=0.01
        )

    yield make
    for server in servers:
        server.revive()


def test_a_remote_mount_is_asked_on_a_thread_of_its_own(mounted):
    server = Server()

    assert points(collect(mounted(ROOT, NFS), read_usage=server)) == ["/", "/nfs"]

    threads = dict(server.asked)
    assert threads["/"] is threading.current_thread()
    assert threads["/nfs"] is not threading.current_thread()
    assert threads["/nfs"].daemon


def test_a_dead_mount_is_left_out_and_asked_only_once(collecting):
    server = Server("/nfs")
    collector = collecting(server, NFS, SSHFS)

    assert points(collector.vstats_collect(DEFAULT)) == ["/", "/ssh"]
    for _ in range(20):
        collector.vstats_collect(DEFAULT)

    assert len(server.questions("/nfs")) == 1
    assert len(server.questions("/")) == 21


def test_dead_mounts_are_waited_for_together_and_only_the_first_time(mounted):
    lines = [f"{n} 27 0:{n} / /nfs{n} rw - nfs nas:/{n} rw" for n in range(50, 70)]
    server = Server(*(f"/nfs{n}" for n in range(50, 70)))
    collector = DisksCollector(root=mounted(ROOT, *lines), read_usage=server, is_directory=no_file)

    started = time.monotonic()
    collector.vstats_collect(DEFAULT)
    first = time.monotonic()
    collector.vstats_collect(DEFAULT)
    second = time.monotonic()
    server.revive()

    assert 0.2 < first - started < 2.5
    assert second - first < 0.25


def test_a_mount_that_answers_again_is_listed_again(collecting):
    server = Server("/nfs")
    collector = collecting(server, NFS)
    collector.vstats_collect(DEFAULT)

    server.revive()
    collector._inquiry._patience = 60

    assert points(collector.vstats_collect(DEFAULT)) == ["/", "/nfs"]


def test_silence_and_its_end_are_logged_once_each(collecting, caplog):
    caplog.set_level(logging.INFO, LOGGER)
    server = Server("/nfs")
    collector = collecting(server, NFS)
    for _ in range(3):
        collector.vstats_collect(DEFAULT)
    server.revive()
    collector._inquiry._patience = 60
    for _ in range(3):
        collector.vstats_collect(DEFAULT)

    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "mount '/nfs' does not answer; left out until it does"),
        ("INFO", "mount '/nfs' answers again"),
    ]


def test_a_mount_that_is_slow_is_reported_a_round_later_and_not_complained_of(collecting, caplog):
    server = Server("/nfs")
    collector = collecting(server, NFS)
    listed = []
    for _ in range(3):
        listed.append("/nfs" in points(collector.vstats_collect(DEFAULT)))
        server.answer()

    assert listed == [False, True, True]
    assert len(server.questions("/nfs")) == 3
    assert caplog.records == []


def test_a_local_disk_mounted_on_a_dead_one_is_not_waited_for(collecting):
    server = Server("/nfs", "/nfs/local")
    collector = collecting(server, NFS, "42 40 8:1 / /nfs/local rw - ext4 /dev/sda1 rw")

    assert points(collector.vstats_collect(DEFAULT)) == ["/"]


def test_no_remote_mount_is_looked_at_to_tell_a_file_from_a_folder(mounted):
    looked_at = []
    collect(mounted(ROOT, NFS), is_directory=lambda point: looked_at.append(point) or True)

    assert looked_at == ["/"]


def test_a_remote_root_does_not_make_its_local_disks_remote():
    mounts = parse_mounts(
        b"27 1 0:9 / / rw - 9p root rw\n30 27 8:1 / /srv rw - ext4 /dev/sda1 rw\n"
    )

    assert [(mount.point, mount.apart) for mount in mounts] == [("/", True), ("/srv", False)]


def test_a_dead_mount_that_comes_and_goes_leaves_one_thread(collecting, mounted):
    server = Server("/nfs")
    collector = collecting(server, NFS)
    for _ in range(5):
        mounted(ROOT)
        collector.vstats_collect(DEFAULT)
        mounted(ROOT, NFS)
        collector.vstats_collect(DEFAULT)

    assert len(server.questions("/nfs")) == 1


def test_a_mount_that_replaces_a_dead_one_is_asked(collecting, mounted):
    server = Server("/nfs")
    collector = collecting(server, NFS)
    collector.vstats_collect(DEFAULT)
    mounted(ROOT, "43 27 0:77 / /nfs rw - nfs4 other:/export rw")
    server.dead = set()
    collector._inquiry._patience = 60

    assert points(collector.vstats_collect(DEFAULT)) == ["/", "/nfs"]


def test_answered_questions_of_vanished_mounts_are_forgotten(collecting, mounted):
    server = Server("/nfs")
    collector = collecting(server, NFS)
    collector.vstats_collect(DEFAULT)
    mounted(ROOT)
    server.revive()
    collector.vstats_collect(DEFAULT)

    assert collector._inquiry._in_flight == {}
    assert collector._inquiry._silent == set()


def test_a_remote_mount_that_refuses_is_left_out_in_silence(mounted, caplog):
    def read_usage(point):
        if point == "/nfs":
            raise PermissionError
        return usage(point)

    assert points(collect(mounted(ROOT, NFS), read_usage=read_usage)) == ["/"]
    assert caplog.records == []


def in_mount_namespace_of_its_own(*command):
    """Run a program whose mounts nobody else sees, as root or as a user who may play root."""
    unshare = next(
        (
            prefix
            for prefix in (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"])
            if shutil.which("unshare")
            and subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode == 0
        ),
        None,
    )
    if unshare is None:
        pytest.skip("may not have a mount namespace")
    return subprocess.run(
        [*unshare, *command], check=False, capture_output=True, timeout=30, text=True
    )


def test_a_real_mount_that_never_answers_is_never_waited_for(tmp_path):
    program = Path(__file__).with_name("dead_mount.py")

    result = in_mount_namespace_of_its_own(sys.executable, program, tmp_path)
    if result.returncode == 77:
        pytest.skip("may not mount with FUSE")
    seen = json.loads(result.stdout)

    assert seen["mounted"]
    assert seen["durations"][0] < 1.0
    assert max(seen["durations"][1:]) < 0.2
    assert seen["listed"] == [False] * 5
    assert seen["waiting"] == 1
    assert seen["waiting_after_its_end"] == 0
