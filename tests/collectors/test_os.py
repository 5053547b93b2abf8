"""Requirements for the os collector."""

import platform

import pytest

from vstats_collectors.os import OsCollector, parse_release


def test_the_name_goes_without_gnu_linux(machine, valid):
    fragment = valid(OsCollector(root=machine("kvm-guest")).vstats_collect())

    assert fragment["os"] == {
        "name": "Debian",
        "version": "12",
        "kernel": platform.release(),
        "arch": platform.machine(),
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('NAME="Alpine Linux"\nVERSION_ID=3.22.1\n', {"name": "Alpine Linux", "version": "3.22.1"}),
        ("NAME='Fedora Linux'\nVERSION_ID='42'", {"name": "Fedora Linux", "version": "42"}),
        ('NAME="Arch Linux"\nBUILD_ID=rolling', {"name": "Arch Linux", "version": ""}),
        ('# NAME=none\n\nNAME="Void"\n', {"name": "Void", "version": ""}),
        ("ID=scratch", {"name": "Linux", "version": ""}),
    ],
    ids=["bare value", "single quotes", "no version", "comment", "no name"],
)
def test_os_release_is_read_as_it_is_written(text, expected):
    assert parse_release(text) == expected


def test_the_vendors_file_stands_in_for_a_missing_one_in_etc(tmp_path):
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/os-release").write_text("NAME=NixOS\nVERSION_ID=25.05\n")

    fragment = OsCollector(root=tmp_path, boot_time=lambda: 0.0).vstats_collect()

    assert fragment["os"]["name"] == "NixOS"


def test_without_os_release_the_platform_names_itself(tmp_path, valid):
    fragment = valid(OsCollector(root=tmp_path, boot_time=lambda: 0.0).vstats_collect())

    assert fragment["os"]["name"] == platform.system()


def test_uptime_is_in_whole_seconds(machine, valid):
    fragment = valid(OsCollector(root=machine("docker-container")).vstats_collect())

    assert fragment["uptime"] == 351735


def test_without_proc_uptime_is_counted_from_the_boot(tmp_path):
    collector = OsCollector(root=tmp_path, now=lambda: 5000.9, boot_time=lambda: 2000.0)

    assert collector.vstats_collect()["uptime"] == 3000


def test_a_clock_set_to_before_the_boot_gives_no_negative_uptime(tmp_path, valid):
    collector = OsCollector(root=tmp_path, now=lambda: 0.0, boot_time=lambda: 2000.0)

    assert valid(collector.vstats_collect())["uptime"] == 0


def test_what_never_changes_is_read_once(tmp_path):
    release = tmp_path / "etc/os-release"
    release.parent.mkdir()
    release.write_text("NAME=Before\n")
    collector = OsCollector(root=tmp_path, boot_time=lambda: 0.0)
    collector.vstats_collect()

    release.write_text("NAME=After\n")

    assert collector.vstats_collect()["os"]["name"] == "Before"
