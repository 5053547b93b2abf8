"""The way from zero to ten machines, walked command by command."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from programs import free_port
from tools import pip_installs_into

PAGE = (Path(__file__).parents[2] / "docs" / "getting-started.md").read_text()
CONSOLES = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
STEPS = re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", "".join(CONSOLES), re.MULTILINE)
SOON = 20.0
"""Seconds that what has just been started may need until the next command finds it there."""

pytestmark = pytest.mark.slow


@pytest.fixture
def shell(tmp_path):
    """Return what runs a command in a folder of its own, and end in the end what that started."""
    environment = pip_installs_into(tmp_path / "site")
    groups = []

    def run(command):
        in_background = re.search(r"&( done)?$", command)
        process = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.DEVNULL if in_background else subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        groups.append(process.pid)
        output = "" if in_background else process.communicate(timeout=60)[0]
        return process.wait(10), output

    yield run
    for group in groups:
        try:
            os.killpg(group, signal.SIGTERM)
        except ProcessLookupError:
            continue


def found(expected, output):
    patterns = (
        ".*".join(map(re.escape, re.split(r" ?\.\.\. ?", line))) for line in expected.splitlines()
    )
    return all(re.search(pattern, output) for pattern in patterns)


def test_every_command_of_the_page_does_what_it_shows(shell):
    port = str(free_port())
    assert shell(
        f"printf '[server]\\nport = {port}\\n' > server.toml && chmod 600 server.toml"
    ) == (0, "")

    for step in STEPS:
        command, expected = (text.replace("3001", port) for text in step)
        deadline = time.monotonic() + SOON
        code, output = shell(command)
        # Only what shows something can be too early for what was started before it.
        while code or not found(expected, output):
            assert expected, f"{command}: ended with {code}"
            assert time.monotonic() < deadline, f"{command}: no {expected!r} in {output!r}"
            time.sleep(0.2)
            code, output = shell(command)

    assert len(STEPS) > 15
