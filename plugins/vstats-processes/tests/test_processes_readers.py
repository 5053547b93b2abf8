"""Requirements for reading processes, from text and from a folder that stands for a machine."""

import os
import sys

import pytest

from vstats_processes.readers import Identity, Linux, Other, Process, parse_stat, printable

TAIL = (
    "R 1 42 42 34816 42 4194304 100 0 0 0 250 150 7 7 20 0 3 0 8765 99999744 1000 184467 1 1 0 0 "
    "0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0"
)


def stat(name, pid=42):
    return f"{pid} (".encode() + name + f") {TAIL}\n".encode()


def parsed(name):
    return parse_stat(stat(name), ticks=100, page=4096)


def test_a_line_of_stat_is_parsed():
    assert parsed(b"postgres") == Process(
        identity=Identity(pid=42, started=8765),
        name="postgres",
        state="R",
        threads=3,
        cpu=4.0,
        memory=1000 * 4096,
    )


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"(sd-pam)", "(sd-pam)"),
        (b"a) Z (b", "a) Z (b"),
        (b"tmux: server", "tmux: server"),
        (b"\x1b[31mred", "\ufffd[31mred"),
        (b"caf\xe9", "caf\ufffd"),
        ("café".encode(), "café"),
        (b"one\ntwo\t three", "one two three"),
        ("a\u202eb\u200f".encode(), "a\ufffdb\ufffd"),
        (b"", ""),
    ],
    ids=[
        *("parentheses", "what looks like the end", "a space", "an escape sequence"),
        *("not UTF-8", "UTF-8", "a line's end", "turned around", "none"),
    ],
)
def test_a_name_is_taken_whatever_it_holds_and_can_be_shown(raw, name):
    process = parsed(raw)

    assert (process.name, process.state, process.threads) == (name, "R", 3)


def test_a_text_is_cut_between_characters():
    assert printable("é" * 100, 5) == "éé"
    assert printable(b"\xff" * 100, 10) == "\ufffd" * 3
    assert printable("\ud800", 10) == "\ufffd"


def test_a_process_that_ends_while_it_is_read_costs_only_itself(fake_root):
    fake_root.write("proc/42/stat", stat(b"stays"))
    fake_root.write("proc/43/cmdline", "ended before its stat was read")
    fake_root.write("proc/meminfo", "no process")

    assert [process.name for process in Linux(fake_root.path).processes()] == ["stays"]


def test_a_process_that_ends_before_it_is_asked_for_more_has_no_more(fake_root):
    linux = Linux(fake_root.path)

    assert (linux.user(42), linux.command(42)) == (None, None)


@pytest.mark.parametrize(
    ("raw", "command"),
    [
        (b"/bin/sh\0-c\0echo a\n  echo b\0", "/bin/sh -c echo a echo b"),
        (b"postgres: writer process", "postgres: writer process"),
        (b"", None),
        (b"\xff\0\x1b]0;title\x07\0", "\ufffd \ufffd]0;title\ufffd"),
        (b"java\0" + b"-Dx=y\0" * 100_000, ("java " + "-Dx=y " * 100)[:200]),
    ],
    ids=["a script", "a title", "the kernel's own", "unprintable", "600 kB"],
)
def test_a_command_line_is_one_line_of_at_most_200_bytes(fake_root, raw, command):
    fake_root.write("proc/42/cmdline", raw)

    assert Linux(fake_root.path).command(42) == command


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_user_whom_the_machine_does_not_know_is_a_number(fake_root):
    os.chown(fake_root.write("proc/42/stat", b"").parent, 54321, -1)

    assert Linux(fake_root.path).user(42) == "54321"


@pytest.mark.skipif(sys.platform != "linux", reason="compares with Linux's own files")
def test_psutil_says_the_same_as_proc():
    linux = {process.identity.pid: process for process in Linux().processes()}
    other = {process.identity.pid: process for process in Other().processes()}

    mine = os.getpid()
    assert len(linux.keys() ^ other.keys()) < 10
    assert other[mine].name == linux[mine].name
    assert other[mine].threads == linux[mine].threads
    assert other[mine].cpu == pytest.approx(linux[mine].cpu, abs=0.5)
    assert other[mine].memory == pytest.approx(linux[mine].memory, rel=0.2)
    assert Other().user(mine) == Linux().user(mine)
    assert Other().command(mine) == Linux().command(mine)


def test_psutil_has_nothing_to_say_of_a_process_that_has_ended():
    gone = 2**22 + 1  # no Linux has that many

    assert (Other().user(gone), Other().command(gone)) == (None, None)
