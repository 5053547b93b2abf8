"""``vstats-server password``, as a real process, and what it prints, in a real server."""

import base64
import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request

import pytest

from vstats_server.config import load
from vstats_server.scrypt import ScryptHash

COMMAND = [sys.executable, "-m", "vstats_server", "password"]
PASSWORD = "correct horse é"


def run(typed, *arguments):
    done = subprocess.run(
        [*COMMAND, *arguments], input=typed, capture_output=True, timeout=30, check=False
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\nmore\n"])
def test_a_password_on_standard_input_becomes_a_ready_configuration_and_nothing_else(end):
    code, out, err = run((PASSWORD + end).encode())

    table = tomllib.loads(out)
    assert (code, err) == (0, "")
    assert table.keys() == {"server"}
    assert table["server"]["dashboard"]["username"] == "vstats"
    stored = ScryptHash.parse(table["server"]["dashboard"]["password_scrypt"])
    assert stored.fits(PASSWORD.encode())
    assert PASSWORD not in out


def test_the_username_may_be_any_that_can_be_sent():
    _, out, _ = run(b"correct horse", "--username", 'an"n \\ é')

    assert tomllib.loads(out)["server"]["dashboard"]["username"] == 'an"n \\ é'


@pytest.mark.parametrize(
    ("typed", "arguments", "code", "complaint"),
    [
        (b"", [], 1, "the password is empty"),
        (b"\n", [], 1, "the password is empty"),
        (b"\xff\xfe\n", [], 1, "the password is not UTF-8"),
        (b"correct horse", ["--username", "a:b"], 78, "should be printable characters"),
        (b"", ["correct horse"], 2, "unexpected extra argument"),
    ],
    ids=["nothing", "an empty line", "not UTF-8", "a colon", "in the command line"],
)
def test_what_cannot_be_a_password_or_a_username_is_refused(typed, arguments, code, complaint):
    found, out, err = run(typed, *arguments)

    assert (found, out) == (code, "")
    assert complaint in err
    assert "Traceback" not in err


def test_a_short_password_is_taken_with_a_warning():
    code, out, err = run(b"12345678901")

    assert (code, tomllib.loads(out).keys()) == (0, {"server"})
    assert "a password of fewer than 12 characters can be guessed" in err


class Terminal:
    """A terminal with the program on it, and what is to be seen there."""

    def __init__(self):
        self.process, self._side = pty.fork()
        if self.process == 0:
            os.execv(sys.executable, COMMAND)
        self.screen = ""
        self._read = 0

    def until(self, text):
        """Read on until the text comes, which has not been read before."""
        deadline = time.monotonic() + 20
        while text not in self.screen[self._read :]:
            ready, _, _ = select.select([self._side], [], [], max(0, deadline - time.monotonic()))
            assert ready, self.screen
            self.screen += os.read(self._side, 65536).decode()
        self._read = self.screen.index(text, self._read) + len(text)

    def type(self, text):
        os.write(self._side, text.encode())

    def end(self):
        code = os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])
        self.process = None
        return code

    def close(self):
        if self.process is not None:
            os.kill(self.process, signal.SIGKILL)
            self.end()
        os.close(self._side)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the fork of a process with threads
def test_on_a_terminal_it_asks_twice_and_shows_nothing_of_what_is_typed():
    with contextlib.closing(Terminal()) as terminal:
        for again, outcome in (
            ("wrong horse..", "do not match"),
            ("correct horse", "password_scrypt = "),
        ):
            terminal.until("Password: ")
            terminal.type("correct horse\n")
            terminal.until("Repeat for confirmation: ")
            terminal.type(f"{again}\n")
            terminal.until(outcome)

        assert terminal.end() == 0
        assert "horse" not in terminal.screen


def status(url):
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_what_it_prints_guards_a_running_server_within_a_second(tmp_path):
    file = tmp_path / "server.toml"
    file.write_text("[server]\nport = 0\n")
    file.chmod(0o640)
    server = subprocess.Popen(
        [sys.executable, "-m", "vstats_server", "--config", file], stderr=subprocess.PIPE, text=True
    )
    try:
        line = next(line for line in server.stderr if "listening" in line)
        url = f"http://127.0.0.1:{line.split()[-1]}/api/hosts"
        assert status(url) == 200

        _, out, _ = run(PASSWORD.encode(), "--username", "ann")
        file.write_text(file.read_text() + out)
        changed = time.monotonic()
        while status(url) != 401:
            assert time.monotonic() < changed + 1.5

        encoded = base64.b64encode(f"ann:{PASSWORD}".encode()).decode()
        request = urllib.request.Request(url, headers={"Authorization": f"Basic {encoded}"})
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200
            assert "HttpOnly; SameSite=Strict" in answer.headers["Set-Cookie"]
        assert load(file).dashboard.username == "ann"
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 0
    finally:
        server.kill()
        server.communicate()
