"""The real thing: processes that the tests start, on this machine."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from vstats_processes import ProcessesCollector

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")

MB = 2**20


@contextmanager
def running(code, *arguments):
    """Run a program that says on its standard output when it is ready, and waits."""
    command = [sys.executable, "-c", code, *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
        try:
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()


@pytest.fixture
def measured(run_collector):
    """Return a function that measures for a while and returns the section."""

    def measure(seconds=0.5, **settings):
        collector = ProcessesCollector()
        run_collector(collector, **settings)
        time.sleep(seconds)  # what is measured is what happens meanwhile
        return run_collector(collector, **settings)["processes"]

    return measure


def found(items, pid):
    return next(item for item in items if item["pid"] == pid)


def test_a_busy_process_uses_one_cpu_of_the_machine(measured):
    with running("print('ready', flush=True)\nwhile True: pass") as process:
        before = psutil.Process(process.pid).cpu_times()
        section = measured(1.0, top=50)
        after = psutil.Process(process.pid).cpu_times()

    used = after.user + after.system - before.user - before.system
    expected = 100 * used / psutil.cpu_count()
    assert found(section["by_cpu"], process.pid)["cpu"] == pytest.approx(expected, rel=0.3)
    assert section["running"] >= 1


def test_a_large_process_stands_among_the_largest(measured):
    with running("x = b'x' * 200_000_000; print('ready', flush=True); input()") as process:
        section = measured(0.1, top=50)

    item = found(section["by_memory"], process.pid)
    assert item["memory"] == pytest.approx(200_000_000, rel=0.3)
    assert item["user"] == psutil.Process().username()


def test_a_password_in_a_command_line_stays_on_the_machine(measured):
    code = "x = b'x' * 200_000_000; print('ready', flush=True); input()"
    with running(code, "--password=hunter2") as process:
        hidden = measured(0.1, top=50)
        shown = measured(0.1, top=50, command_lines=True)

    assert "hunter2" not in str(hidden)
    assert "hunter2" in found(shown["by_memory"], process.pid)["command"]


def test_a_process_may_call_itself_what_it_likes(measured):
    code = (
        "open('/proc/self/comm', 'wb').write(b'\\x1b[2J) R (\\xff');"
        "x = b'x' * 200_000_000; print('ready', flush=True); input()"
    )
    with running(code) as process:
        section = measured(0.1, top=50)

    assert found(section["by_memory"], process.pid)["name"] == "\ufffd[2J) R (\ufffd"


def test_zombies_and_threads_are_counted(measured):
    before = measured(0.1)
    code = (
        "import subprocess, threading, time; zombie = subprocess.Popen(['true']);"
        "[threading.Thread(target=threading.Event().wait, daemon=True).start() for _ in range(500)];"
        "time.sleep(0.1); print('ready', flush=True); threading.Event().wait()"
    )
    with running(code) as process:
        zombie = psutil.Process(process.pid).children()[0]
        while zombie.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        after = measured(0.1)

    # Others come and go on this machine meanwhile.
    assert after["zombies"] >= 1
    assert after["threads"] >= before["threads"] + 10


def test_every_process_of_the_machine_is_counted(measured):
    section = measured(0.1)

    folders = sum(path.name.isdigit() for path in Path("/proc").iterdir())
    assert section["total"] == pytest.approx(folders, abs=20)


def test_processes_that_come_and_go_all_the_time_cost_nothing_else(run_collector):
    collector = ProcessesCollector()
    storm = subprocess.Popen(["sh", "-c", "while :; do true & /bin/true & wait; done"])
    try:
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            fragment = run_collector(collector, top=50, command_lines=True)
    finally:
        storm.kill()
        storm.wait()

    assert os.getpid() in [item["pid"] for item in fragment["processes"]["by_memory"]]
