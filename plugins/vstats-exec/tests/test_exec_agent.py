"""The agent itself ends, by a signal of any kind, while a command runs."""

import json
import signal
import subprocess
import sys
import time

import psutil
import pytest

AGENT = (sys.executable, "-m", "vstats_core")
PATIENT = 15


@pytest.fixture
def configured(tmp_path):
    """Return a function that writes the agent's file, and the path that it has."""

    def write(script):
        file = tmp_path / "agent.toml"
        command = ["sh", "-c", script]
        file.write_text(
            "[agent]\n"
            'url = "ws://127.0.0.1:9/ws/agent"\n'
            'token = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"\n'
            "[agent.collectors]\n"
            "cpu.enabled = false\n"
            "[[agent.collectors.exec.commands]]\n"
            'name = "it"\n'
            f"command = {json.dumps(command)}\n"
        )
        file.chmod(0o600)
        return file

    return write


def wait_until(condition):
    deadline = time.monotonic() + PATIENT
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def is_gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_when_the_agent_ends_its_commands_end_too(configured, tmp_path, number):
    pids = tmp_path / "pids"
    file = configured(
        f"trap '' TERM; sleep 600 & echo $$ $! > {pids}.new; mv {pids}.new {pids}; wait"
    )
    with subprocess.Popen([*AGENT, "--config", file], stderr=subprocess.DEVNULL) as agent:
        wait_until(pids.exists)
        running = [int(pid) for pid in pids.read_text().split()]

        agent.send_signal(number)
        agent.wait(PATIENT)

    assert len(running) == 2
    wait_until(lambda: all(map(is_gone, running)))


def test_the_agent_reports_what_a_command_says(configured):
    file = configured("""echo '{"age": 1}'""")

    command = [*AGENT, "--config", file, "collectors", "run", "exec"]
    printed = subprocess.run(command, capture_output=True, check=True, timeout=PATIENT).stdout

    assert json.loads(printed) == {"exec": {"it": {"age": 1}}, "exec_problems": []}
