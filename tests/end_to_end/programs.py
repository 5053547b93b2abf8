"""The programs, run as a stranger would run them."""

import contextlib
import json
import os
import re
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import blocking
from websockets.sync.client import ClientConnection, connect

PROMPT = 10.0
"""Seconds that anything may take here before a test gives up; what is promised is asserted."""


def free_port() -> int:
    """Return a port of loopback that nobody listens on.

    It is none of those that the kernel gives to clients: until a program listens there, one of the
    connections of the other tests may be given it.
    """
    while True:
        port = 15_000 + secrets.randbelow(15_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Program:
    """A running program whose output can be waited for."""

    def __init__(self, *command: str | Path, environment: dict[str, str] | None = None) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, *map(str, command)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | (environment or {}),
            start_new_session=True,
        )
        self.output = ""

    def until(self, pattern: str, seconds: float = PROMPT) -> re.Match[str]:
        """Return the match of the pattern in the output, once it is there."""
        deadline = time.monotonic() + seconds
        stream = self.process.stdout
        assert stream is not None
        while (found := re.search(pattern, self.output)) is None:
            ready, _, _ = select.select([stream], [], [], max(0, deadline - time.monotonic()))
            text = os.read(stream.fileno(), 65536).decode() if ready else ""
            assert text, f"no {pattern!r} in: {self.output}"
            self.output += text
        return found

    def end(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Send the signal; return the exit code and how long the program took to end."""
        started = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(PROMPT)
        return code, time.monotonic() - started


@contextlib.contextmanager
def running(*command: str | Path, environment: dict[str, str] | None = None) -> Iterator[Program]:
    """Run a program for as long as the context lasts, and no longer whatever happens."""
    program = Program(*command, environment=environment)
    try:
        yield program
    finally:
        if program.process.poll() is None:
            program.process.kill()
        program.process.wait()
        assert program.process.stdout is not None
        program.process.stdout.close()


class Fleet:
    """A relay's configuration in a folder, and agents' beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.file = folder / "server.toml"
        self.file.write_text(f"# Kept by hand.\n[server]\nport = {self.port}\n")

    def command(self, *arguments: str) -> str:
        """Run ``vstats-server`` with a subcommand; return what it prints."""
        return subprocess.run(
            [sys.executable, "-m", "vstats_server", "--config", str(self.file), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=PROMPT,
        ).stdout

    def add(self, name: str, more: str = "") -> Path:
        """Add a host; paste the configuration that is printed into an agent's file."""
        file = self.folder / f"{name}.toml"
        file.write_text(self.command("hosts", "add", name) + more)
        file.chmod(0o600)
        return file

    @contextlib.contextmanager
    def relay(self, *options: str, environment: dict[str, str] | None = None) -> Iterator[Program]:
        """Run the relay; it listens when the context begins."""
        command = ("-m", "vstats_server", "--config", self.file, *options)
        with running(*command, environment=environment) as relay:
            relay.until(r"listening on")
            yield relay

    @contextlib.contextmanager
    def dashboard(self) -> Iterator["Dashboard"]:
        """Connect a client written to the protocol's page alone."""
        with connect(f"ws://127.0.0.1:{self.port}/ws", proxy=None) as connection:
            yield Dashboard(connection)

    def hosts(self) -> list[dict[str, Any]]:
        """Return what the HTTP API tells of all hosts."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/hosts") as answer:
            hosts: list[dict[str, Any]] = json.load(answer)["hosts"]
            return hosts


def agent(file: Path, environment: dict[str, str] | None = None) -> Any:
    """Run an agent."""
    return running("-m", "vstats_core", "--config", file, environment=environment)


class Dashboard:
    """A client that knows only ``type`` and ``data``."""

    def __init__(self, connection: ClientConnection | blocking.Connection) -> None:
        self.connection = connection

    def next(self, kind: str, seconds: float = PROMPT) -> dict[str, Any]:
        """Return the data of the next message of a kind."""
        deadline = time.monotonic() + seconds
        while True:
            message = json.loads(self.connection.recv(timeout=deadline - time.monotonic()))
            if message["type"] == kind:
                data: dict[str, Any] = message["data"]
                return data
