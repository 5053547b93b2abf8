"""``vstats-top`` as people run it: in a terminal, and where Textual is not installed."""

import importlib.metadata
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from programs import PROMPT, Fleet, agent, free_port
from rich.cells import cell_len
from tools import program


class Tmux:
    """A terminal of its own, of a given size, that runs one command."""

    def __init__(self, folder: Path, command: str, size: tuple[int, int]) -> None:
        # A path of a socket may have some 100 characters; the test's folder has as many.
        self.socket = f"vstats-{os.getpid()}-{free_port()}"
        width, height = map(str, size)
        self.run(
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            width,
            "-y",
            height,
            "-c",
            str(folder),
            command,
        )

    def run(self, *arguments: str) -> str:
        # What stands in the environment decides which colours there are.
        environment = {k: v for k, v in os.environ.items() if k not in ("TMUX", "NO_COLOR")}
        return subprocess.run(
            [program("tmux"), "-u", "-L", self.socket, *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=PROMPT,
            env=environment | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"},
        ).stdout

    def screen(self, *options: str) -> str:
        return self.run("capture-pane", "-p", *options)

    def until(self, pattern: str, seconds: float = 2 * PROMPT) -> str:
        deadline = time.monotonic() + seconds
        while not re.search(pattern, shown := self.screen(), re.MULTILINE):
            assert time.monotonic() < deadline, f"no {pattern!r} in:\n{shown}"
            time.sleep(0.1)
        return shown

    def keys(self, *keys: str) -> None:
        self.run("send-keys", *keys)

    def end(self) -> None:
        subprocess.run(
            [program("tmux"), "-L", self.socket, "kill-server"], check=False, capture_output=True
        )


@pytest.fixture
def terminal(tmp_path):
    opened = []

    def open_terminal(command: str, size: tuple[int, int] = (80, 24)) -> Tmux:
        opened.append(Tmux(tmp_path, command, size))
        return opened[-1]

    yield open_terminal
    for each in opened:
        each.end()


@pytest.mark.timeout(120)
def test_this_machine_is_watched_in_a_real_terminal(tmp_path, terminal):
    fleet = Fleet(tmp_path)
    file = fleet.add("web-1")
    fleet.add("never-1")
    with fleet.relay(), agent(file):
        top = terminal(f"{sys.executable} -m vstats_top http://127.0.0.1:{fleet.port}; sleep 60")
        shown = top.until(r"^● web-1 .*\d\.\d %")
        lines = shown.splitlines()
        assert all(cell_len(line) <= 80 for line in lines)
        assert re.search(r"^[◌·] never-1 +- +- ", shown, re.MULTILINE)
        assert lines[0].rstrip().endswith("● live")
        assert "Enter open" in lines[23]
        # Colours, too: the sign of a host that is online is green, and not the only sign.
        assert re.search(r"\x1b\[[0-9;]*38;5;\d+[0-9;]*m●", top.screen("-e"))
        top.keys("/")
        top.keys("web")
        top.keys("Enter")
        top.until(r"^\s*web\s*$")
        assert "never-1" not in top.screen()
        top.keys("Enter")
        shown = top.until(r"● web-1  online")
        facts = next(host for host in fleet.hosts() if host["id"] == "web-1")["metrics"]
        assert facts["os"]["kernel"] in shown
        top.keys("Escape")
        top.until(r"^● web-1 ")
        top.keys("q")
        # The terminal is as it was before.
        top.until(r"\A\s*\Z")


@pytest.mark.timeout(120)
def test_a_relay_that_is_killed_is_counted_down_to_and_found_again(tmp_path, terminal):
    fleet = Fleet(tmp_path)
    file = fleet.add("web-1")
    with agent(file):
        with fleet.relay() as relay:
            top = terminal(f"{sys.executable} -m vstats_top 127.0.0.1:{fleet.port}", (140, 40))
            top.until(r"^● web-1 ")
            relay.process.kill()
            top.until(r"reconnecting in \d+ s · data")
        with fleet.relay():
            shown = top.until(r"● live", 4 * PROMPT)
    assert "web-1" in shown


WITHOUT_TEXTUAL = """
import importlib.abc, sys
class Nothing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("textual", "rich"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Nothing())
from vstats_top.cli import main
sys.argv = ["vstats-top"] + sys.argv[1:]
main()
"""


@pytest.mark.parametrize("arguments", [(), ("http://127.0.0.1:1",)])
def test_without_the_extra_one_line_says_what_to_install(arguments):
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_TEXTUAL, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 1
    assert result.stderr == (
        "vstats-top needs Textual, which is not installed: pip install 'vstats-monitor[top]'\n"
    )
    assert result.stdout == ""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vstats_top", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


def test_an_address_that_is_none_is_refused_in_a_line():
    result = run("ftp://127.0.0.1")

    assert result.returncode == 2
    assert "an address is like http://127.0.0.1:3001" in result.stderr


def test_help_and_version_are_there():
    assert "--ca-file" in run("--help").stdout
    assert run("--version").stdout.startswith("vstats-top")


def test_the_command_is_installed():
    (entry,) = [
        entry
        for entry in importlib.metadata.entry_points(group="console_scripts")
        if entry.name == "vstats-top"
    ]
    assert entry.value == "vstats_top.cli:main"
