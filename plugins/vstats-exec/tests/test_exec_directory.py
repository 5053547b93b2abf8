"""Requirements for the folder that others write to: real files."""

import os
import socket
import time

import pytest

from vstats_exec.directory import MOST_BYTES, MOST_FILES, File, read_directory

NOW = time.time()


def read(folder, stale_after=300, now=None):
    return list(read_directory(folder, stale_after=stale_after, now=now or time.time()))


def errors(folder):
    return {file.source: file.error for file in read(folder)}


def test_json_and_prom_files_are_read_by_name_and_others_are_not(tmp_path):
    for name in ("raid.prom", "backup.json", "README", "x.txt", ".hidden.json", "y.json.tmp"):
        (tmp_path / name).write_text(name)

    assert read(tmp_path) == [
        File("backup.json", "backup", "json", b"backup.json"),
        File("raid.prom", "raid", "prometheus", b"raid.prom"),
    ]


def test_a_file_that_was_not_written_for_too_long_is_stale(tmp_path):
    file = tmp_path / "backup.json"
    file.write_text("{}")

    os.utime(file, (NOW, NOW - 299))
    fresh = read(tmp_path, now=NOW)
    os.utime(file, (NOW, NOW - 301))
    stale = read(tmp_path, now=NOW)
    patient = read(tmp_path, stale_after=1000, now=NOW)

    assert [file.error for file in fresh + patient] == ["", ""]
    assert stale == [
        File("backup.json", "backup", "json", error="stale: written 301 s ago, and 300 are allowed")
    ]


def test_a_file_of_the_future_is_not_fresh_for_ever(tmp_path):
    file = tmp_path / "backup.json"
    file.write_text("{}")
    os.utime(file, (NOW, NOW + 86400))

    assert read(tmp_path, now=NOW)[0].error == "its time lies 86400 s in the future"


@pytest.mark.timeout(5)
def test_a_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")

    assert errors(tmp_path) == {"pipe.json": "not a regular file"}


def test_what_is_not_a_file_is_not_read(tmp_path):
    (tmp_path / "folder.json").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket.json"))

        assert errors(tmp_path) == {
            "folder.json": "not a regular file",
            "socket.json": "cannot be read: No such device or address",
        }


def test_a_link_does_not_make_the_agent_read_somebody_elses_file(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "secret.json").write_text('{"password": "hunter2"}')
    (folder / "link.json").symlink_to(tmp_path / "secret.json")
    (folder / "dangling.json").symlink_to(tmp_path / "missing")

    assert errors(folder) == {
        "dangling.json": "a symbolic link, which is not followed",
        "link.json": "a symbolic link, which is not followed",
    }


def test_the_folder_itself_may_be_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a.json").write_text("1")
    (tmp_path / "link").symlink_to(tmp_path / "real")

    assert errors(tmp_path / "link") == {"a.json": ""}


def test_a_file_may_have_64_kib_and_not_a_byte_more(tmp_path):
    (tmp_path / "fits.prom").write_bytes(b"#" * MOST_BYTES)
    (tmp_path / "large.prom").write_bytes(b"#" * (MOST_BYTES + 1))

    assert errors(tmp_path) == {"fits.prom": "", "large.prom": "larger than 65536 bytes"}


@pytest.mark.parametrize(
    "name", ["a b", "-a", "\udcff", "a" * 65, "a\n", "ä"], ids=ascii
)  # fmt: skip
def test_a_name_that_would_not_do_in_a_report_is_refused(tmp_path, name):
    (tmp_path / f"{name}.json").write_text("{}")

    assert [file.error for file in read(tmp_path)] == [
        "its name should be letters, digits, '.', '_' and '-', at most 64"
    ]


def test_files_beyond_a_hundred_are_not_read_and_counted(tmp_path):
    for number in range(MOST_FILES + 3):
        (tmp_path / f"{number:04}.json").write_text("1")

    files = read(tmp_path)

    assert len(files) == MOST_FILES + 1
    assert files[-1] == File(str(tmp_path), "", "", error="3 files more; the first 100 are read")


def test_a_folder_that_is_missing_is_named(tmp_path):
    missing = tmp_path / "missing"

    assert read(missing) == [
        File(str(missing), "", "", error="cannot be read: No such file or directory")
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path):
    (tmp_path / "a.json").touch(mode=0)

    assert errors(tmp_path) == {"a.json": "cannot be read: Permission denied"}
