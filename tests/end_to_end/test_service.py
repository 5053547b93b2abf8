"""The programs as a service manager runs them: what they say to it, and when."""

import signal
import socket
import subprocess
import sys
import time

import pytest
from programs import PROMPT, Fleet, running


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(PROMPT)
        yield ear


def asked(ear, watchdog=0.4):
    """Return what a manager tells a service of itself."""
    return {"NOTIFY_SOCKET": ear.getsockname(), "WATCHDOG_USEC": f"{watchdog * 1e6:.0f}"}


def next_but(ear, passed_over="WATCHDOG=1"):
    while (state := ear.recv(4096).decode()) == passed_over:
        pass
    return state


@pytest.mark.parametrize("program", ["vstats_server", "vstats_core"])
def test_a_program_says_ready_reloading_ready_and_stopping(tmp_path, manager, program):
    fleet = Fleet(tmp_path)
    agent = fleet.add("web-1")
    file = fleet.file if program == "vstats_server" else agent

    with running("-m", program, "--config", file, environment=asked(manager)) as running_program:
        assert next_but(manager) == "READY=1"
        running_program.process.send_signal(signal.SIGHUP)
        assert next_but(manager).startswith("RELOADING=1\nMONOTONIC_USEC=")
        assert next_but(manager) == "READY=1"
        code, _ = running_program.end()
        assert next_but(manager) == "STOPPING=1"

    assert code == 0


@pytest.mark.parametrize("program", ["vstats_server", "vstats_core"])
def test_a_program_that_does_not_run_gives_no_sign_of_life(tmp_path, manager, program):
    fleet = Fleet(tmp_path)
    agent = fleet.add("web-1")
    file = fleet.file if program == "vstats_server" else agent

    with running("-m", program, "--config", file, environment=asked(manager)) as stopped:
        assert next_but(manager) == "READY=1"
        assert manager.recv(4096) == b"WATCHDOG=1"
        stopped.process.send_signal(signal.SIGSTOP)
        time.sleep(0.1)
        manager.settimeout(0)
        while True:
            try:
                manager.recv(4096)
            except BlockingIOError:
                break
        time.sleep(0.5)
        with pytest.raises(BlockingIOError):
            manager.recv(4096)

        # What the manager does then; the frames tell where it stood.
        stopped.process.send_signal(signal.SIGABRT)
        stopped.process.send_signal(signal.SIGCONT)
        stopped.until("most recent call first")


HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web.socket"}
os.execv(sys.executable, [sys.executable, "-m", "vstats_server", "--config", sys.argv[2]])
"""


def handed(descriptor, file):
    """Run a relay that finds the descriptor as its third, as systemd does it."""
    return subprocess.Popen(
        [sys.executable, "-c", HAND_OVER, str(descriptor), file],
        pass_fds=[descriptor],
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_relay_that_is_handed_a_socket_serves_there_and_nowhere_else(tmp_path):
    file = tmp_path / "server.toml"
    file.write_text("[server]\nport = 1\n")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        relay = handed(listening.fileno(), file)
        try:
            # It need not be there yet: nobody is refused.
            with socket.create_connection(address, timeout=PROMPT) as client:
                client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert client.recv(4096).startswith(b"HTTP/1.1 200")
        finally:
            relay.terminate()
            _, log = relay.communicate(timeout=PROMPT)

    assert relay.returncode == 0
    assert f"listening on 127.0.0.1 port {address[1]}" in log


def test_a_relay_that_is_handed_something_else_ends_with_a_configuration_error(tmp_path):
    file = tmp_path / "server.toml"
    file.write_text("")
    with file.open() as other:
        relay = handed(other.fileno(), file)
        _, log = relay.communicate(timeout=PROMPT)

    assert relay.returncode == 78
    assert log.startswith("web.socket: not a socket")
