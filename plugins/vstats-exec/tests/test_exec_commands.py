"""Requirements for running commands: real programs on this machine."""

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from vstats_exec import Command, guard
from vstats_exec.commands import MOST_OUTPUT, Outcome, Runner

PATIENT = 10
"""Seconds that nothing here takes, unless it fails."""


def shell(script, name="it", timeout=PATIENT, **more):
    return Command(name=name, command=["sh", "-c", script], timeout=timeout, **more)


def run(*commands, runner=None):
    return (runner or Runner()).run(commands)


def error(command):
    outcome = run(command)[command.name]
    assert outcome.output == b""
    return outcome.error


def is_gone(pid):
    """Return whether the process has ended; whoever its parent is now may not know yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until(condition):
    deadline = time.monotonic() + PATIENT
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def pids(path, count):
    """Return the numbers that a script has written, one a line, when so many have."""
    wait_until(lambda: path.exists() and len(path.read_text().splitlines()) >= count)
    return [int(line) for line in path.read_text().split()]


@pytest.fixture(autouse=True)
def leaves_nothing_behind():
    """Hold every test to it: no child, zombie, thread or open file stays."""
    files = len(list(Path("/proc/self/fd").iterdir()))
    threads = threading.active_count()
    yield
    assert psutil.Process().children() == []
    assert threading.active_count() == threads
    assert len(list(Path("/proc/self/fd").iterdir())) == files


def test_a_command_is_run_and_its_output_returned():
    command = Command(name="it", command=["printf", "%s", '{"a": "b c"}'])

    assert run(command) == {"it": Outcome(b'{"a": "b c"}')}


def test_no_shell_reads_the_arguments():
    command = Command(name="it", command=["echo", "$HOME; `id` | *"])

    assert run(command) == {"it": Outcome(b"$HOME; `id` | *\n")}


def test_commands_run_at_the_same_time():
    started = time.monotonic()

    outcomes = run(*(shell("sleep 0.5; echo 1", name=str(n)) for n in range(8)))

    assert set(outcomes.values()) == {Outcome(b"1\n")}
    assert time.monotonic() - started < 2


def test_one_that_fails_costs_no_other(tmp_path):
    outcomes = run(
        shell("echo good", name="good"),
        shell("exit 1", name="bad"),
        shell("sleep 600", name="slow", timeout=0.2),
        Command(name="missing", command=[str(tmp_path / "missing")]),
    )

    assert {name: bool(outcome.error) for name, outcome in outcomes.items()} == {
        "good": False,
        "bad": True,
        "slow": True,
        "missing": True,
    }
    assert outcomes["good"].output == b"good\n"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo ignored; exit 3", "exit status 3"),
        ("echo first >&2; echo second >&2; exit 1", "exit status 1: first"),
        (r"printf '\n\n \033[31mred\377\n' >&2; exit 1", "exit status 1: \ufffd[31mred\ufffd"),
        ("kill -SEGV $$", "killed by SIGSEGV"),
        ("kill -40 $$", "killed by signal 40"),
    ],
    ids=["status", "complaint", "unprintable", "signal", "signal without a name"],
)
def test_a_command_that_fails_says_how(script, expected):
    assert error(shell(script)) == expected


def test_a_complaint_is_no_failure():
    assert run(shell("echo warning >&2; echo 1")) == {"it": Outcome(b"1\n")}


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda folder: folder / "missing", "No such file or directory"),
        (lambda folder: folder, "Permission denied"),
        (lambda folder: _file(folder / "plain", b"echo 1\n", 0o644), "Permission denied"),
        (lambda folder: _file(folder / "broken", b"\x7fELF nonsense", 0o755), "Exec format error"),
        (lambda folder: _file(folder / "no", b"#!/no/shell\n", 0o755), "No such file or directory"),
    ],
    ids=["missing", "a folder", "not executable", "not a program", "no interpreter"],
)
def test_a_command_that_cannot_be_started_says_why(make, why, tmp_path):
    path = str(make(tmp_path))

    assert error(Command(name="it", command=[path])) == f"cannot be started: {why}: {path}"


def _file(path, content, mode):
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_timeout_kills_the_command_and_all_that_it_has_started(tmp_path):
    file = tmp_path / "pids"
    script = f"""
        trap '' TERM HUP INT
        echo $$ >> {file}
        (trap '' TERM; echo $(sh -c 'echo $PPID') >> {file}; sleep 600) &
        sh -c 'sh -c "echo \\$\\$ >> {file}; sleep 600; true"; true' &
        while :; do sleep 600; done
    """
    started = time.monotonic()

    said = error(shell(script, timeout=0.7))

    assert time.monotonic() - started < 0.7 + 1
    assert said == "no end within 0.7 s"
    assert len(pids(file, 3)) == 3
    wait_until(lambda: all(map(is_gone, pids(file, 3))))


def test_a_grandchild_that_holds_the_pipe_open_is_not_waited_for_and_not_left(tmp_path):
    file = tmp_path / "pids"
    started = time.monotonic()

    outcome = run(shell(f"sleep 600 & echo $! > {file}; echo 1"))["it"]

    assert time.monotonic() - started < PATIENT / 2
    assert outcome == Outcome(b"1\n")
    wait_until(lambda: is_gone(*pids(file, 1)))


def test_a_command_that_closes_its_output_and_sleeps_is_killed():
    started = time.monotonic()

    assert error(shell("echo 1; exec >&- 2>&-; sleep 600", timeout=0.4)) == "no end within 0.4 s"
    assert time.monotonic() - started < 1.5


def test_a_command_that_closes_its_output_and_ends_well_has_answered():
    assert run(shell("echo 1; exec >&- 2>&-; sleep 0.1")) == {"it": Outcome(b"1\n")}


@pytest.mark.parametrize("where", ["", " >&2"], ids=["output", "complaint"])
def test_a_flood_is_stopped_at_64_kib(where):
    started = time.monotonic()

    said = error(shell(f"yes{where}"))

    assert said.startswith("printed more than 65536 bytes")
    assert time.monotonic() - started < PATIENT / 2


@pytest.mark.parametrize(
    ("size", "fits"), [(MOST_OUTPUT, True), (MOST_OUTPUT + 1, False)], ids=["64 KiB", "one more"]
)
def test_64_kib_are_taken_and_not_a_byte_more(size, fits):
    outcome = run(shell(f"head -c {size} /dev/zero"))["it"]

    assert (len(outcome.output), not outcome.error) == ((size, True) if fits else (0, False))


def test_output_that_comes_in_pieces_is_put_together():
    assert run(shell("for n in 1 2 3; do printf $n; sleep 0.05; done")) == {"it": Outcome(b"123")}


def test_a_command_has_no_input():
    assert run(shell("cat; echo over")) == {"it": Outcome(b"over\n")}


def test_a_command_sees_little_of_the_agents_environment(monkeypatch):
    monkeypatch.setenv("VSTATS_TOKEN", "secret")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials")
    monkeypatch.setenv("HOME", "/home/agent")

    command = Command(name="it", command=["env"], environment={"SITE": "shop", "HOME": "/tmp"})
    lines = run(command)["it"].output.decode().splitlines()

    names = {line.partition("=")[0] for line in lines}
    assert names <= {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SITE"}
    assert {"SITE=shop", "HOME=/tmp"} <= set(lines)


def test_a_command_runs_in_the_root_folder_and_a_session_of_its_own():
    code = "import os; print(os.getcwd(), os.getsid(0) == os.getpid() == os.getpgrp())"

    command = Command(name="it", command=[sys.executable, "-c", code])

    assert run(command) == {"it": Outcome(b"/ True\n")}


def test_a_command_inherits_no_file_of_the_agents():
    with open("/dev/null") as file:  # noqa: PTH123 - any will do
        os.set_inheritable(file.fileno(), True)  # noqa: FBT003 - its only form
        listed = run(Command(name="it", command=["ls", "/proc/self/fd"]))["it"].output.split()

    assert len(listed) == 4  # 0, 1, 2, and the folder itself


def test_a_hundred_rounds_leave_nothing_behind():
    runner = Runner()
    for _ in range(100):
        run(shell("sleep 600 & echo 1"), runner=runner)


def test_one_that_cannot_be_killed_is_not_waited_for_and_not_started_again(tmp_path):
    # A process that waits for a dead disk, or that sudo has started, is not killed by SIGKILL.
    file = tmp_path / "pids"
    runner = Runner(kill=lambda group: None, patience=0.05)
    stuck = shell(f"echo $$ >> {file}; sleep 600", timeout=0.2)

    first = run(stuck, runner=runner)["it"]
    second = run(stuck, shell("echo 1", name="other"), runner=runner)

    assert first.error == "no end within 0.2 s"
    assert second["it"].error == "not started: it still runs, although it was killed"
    assert second["other"] == Outcome(b"1\n")
    assert len(pids(file, 1)) == 1
    os.killpg(*pids(file, 1), signal.SIGKILL)
    wait_until(lambda: is_gone(*pids(file, 1)))
    assert run(shell("echo 2"), runner=runner)["it"] == Outcome(b"2\n")


def test_where_nobody_may_ask_how_a_child_ended_the_command_is_left_out():
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert "SIGCHLD" in error(shell("echo 1"))
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_without_a_shell_there_is_no_guard_and_all_else_works(monkeypatch):
    monkeypatch.setattr(guard, "SHELL", "/no/such/shell")

    assert run(shell("echo 1")) == {"it": Outcome(b"1\n")}


def test_a_guard_that_somebody_killed_costs_nothing():
    with guard.Guard() as shell_beside:
        os.kill(shell_beside._shell.pid, signal.SIGKILL)
        shell_beside._shell.wait()
        shell_beside.watch(2**22 + 1)


def test_a_guard_that_does_not_end_is_ended(monkeypatch):
    monkeypatch.setattr(guard, "SCRIPT", "while :; do sleep 600; done")
    monkeypatch.setattr(guard, "PATIENCE", 0.05)

    with guard.Guard() as stubborn:
        pid = stubborn._shell.pid

    assert is_gone(pid)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # the sleep that it has started
