"""A server with its hosts in a folder, its agents, and the oracle that watches it."""

import contextlib
import hashlib
import json
import math
import signal
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from lab.benchmarks.processes import free_port
from lab.faults.ledger import Ledger
from lab.faults.programs import ROOT, FaultError, Program, eventually

__all__ = ["Held", "Site", "held"]

DIST_INFO = {
    "METADATA": "Metadata-Version: 2.1\nName: vstats-faults-sequence\nVersion: 1.0\n",
    "entry_points.txt": "[vstats]\nsequence = lab.faults.sequence:plugin\n",
}
UNDERWAY = 1.5
"""Seconds that a report or a status may be on its way."""
SETTLE = 6.0
"""Seconds after which nothing of what has ended may be left."""


class Held(NamedTuple):
    """What a process holds."""

    resident: int
    """Bytes."""
    descriptors: int
    threads: int
    tasks: int
    """Of asyncio's."""


class Site:
    """Everything that one scenario runs; all of it ends with the context.

    ``prefix`` runs a program in its own place (a namespace, say), ``address`` is where the server
    is found from the agents' place.
    """

    def __init__(  # noqa: PLR0913 - a place and its settings
        self,
        folder: Path,
        hosts: Sequence[str],
        *,
        settings: str = "",
        listen: str = "127.0.0.1",
        address: str = "127.0.0.1",
        prefix: Sequence[str] = (),
        agent_prefix: Sequence[str] = (),
        knobs: dict[str, float] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.hosts = list(hosts)
        self.port = free_port()
        self.file = folder / "server.toml"
        self.settings = f'[server]\nhost = "{listen}"\nport = {self.port}\n{settings}\n'
        self._address = address
        self._prefix = prefix
        self._agent_prefix = agent_prefix
        self._programs: list[Program] = []
        self._knobs = ",".join(f"{name}={value}" for name, value in (knobs or {}).items())
        self.write(self.hosts)
        info = folder / "site" / "vstats_faults_sequence-1.0.dist-info"
        info.mkdir(parents=True)
        for name, text in DIST_INFO.items():
            (info / name).write_text(text)
        self.ledger = Ledger(folder / "oracle.log")
        self.relay: Program | None = None
        self.ready_at = 0.0
        """When the hosts had reported for the first time."""
        self.ended_at = math.inf
        """When everything but the server was ended."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for program in self._programs:
            program.discard()

    def token(self, host: str) -> str:
        """Return the host's token, the same each time."""
        return hashlib.sha256(f"token of {host}".encode()).hexdigest()

    def write(self, hosts: Sequence[str]) -> None:
        """Write the server's file with these hosts, whole, as an editor does."""
        tables = [
            f'[[server.hosts]]\nid = "{host}"\nname = "{host}"\n'
            f'token_sha256 = "{hashlib.sha256(self.token(host).encode()).hexdigest()}"\n'
            for host in hosts
        ]
        new = self.file.with_suffix(".new")
        new.write_text("\n".join([self.settings, *tables]))
        new.replace(self.file)

    def start(
        self,
        *command: str | Path,
        prefix: Sequence[str] = (),
        environment: dict[str, str] | None = None,
    ) -> Program:
        """Run a program for as long as the context lasts."""
        program = Program(*command, prefix=prefix, environment=environment)
        self._programs.append(program)
        return program

    def start_relay(
        self, *, prefix: Sequence[str] = (), environment: dict[str, str] | None = None
    ) -> Program:
        """Run the server; it listens when this returns."""
        self.relay = self.start(
            *("-m", "lab.faults.probe", "vstats_server", "--config", self.file),
            prefix=[*self._prefix, *prefix],
            environment=self._environment("relay") | (environment or {}),
        )
        self.relay.until("listening on")
        return self.relay

    def start_oracle(self) -> Program:
        """Watch."""
        command = (
            "-m",
            "lab.faults.oracle",
            "127.0.0.1",
            str(self.port),
            self.folder / "oracle.log",
        )
        oracle = self.start(*command, prefix=self._prefix)

        def watches() -> bool:
            self.ledger.read()
            return bool(self.ledger.connected)

        if not eventually(watches):
            raise FaultError(f"the oracle does not get in: {oracle.output}")
        return oracle

    def start_agent(
        self,
        host: str,
        *,
        address: str = "",
        name: str = "",
        environment: dict[str, str] | None = None,
    ) -> Program:
        """Run a host's agent, with the collector that numbers its reports."""
        name = name or host
        file = self.folder / f"{name}.toml"
        url = f"ws://{address or self._address}:{self.port}/ws/agent"
        file.write_text(f'[agent]\nurl = "{url}"\ntoken = "{self.token(host)}"\n')
        file.chmod(0o600)
        log = self.folder / f"{name}.collected"
        self.ledger.follow(log)
        return self.start(
            *("-m", "lab.faults.probe", "vstats_core", "--config", file),
            prefix=self._agent_prefix,
            environment=self._environment(name)
            | {
                "VSTATS_FAULTS_LOG": str(log),
                "VSTATS_FAULTS_HOST": host,
                "PYTHONPATH": f"{self.folder / 'site'}:{ROOT}",
            }
            | (environment or {}),
        )

    def start_uplinks(
        self,
        hosts: Sequence[str],
        *,
        processes: int = 1,
        rate: float = 1.0,
        most: int = 0,
        ballast: int = 0,
    ) -> list[Program]:
        """Run the hosts' uplinks, shared out among a few processes."""
        started = []
        for number in range(processes):
            mine = hosts[number::processes]
            name = f"uplinks-{mine[0]}"
            names, log = self.folder / f"{name}.hosts", self.folder / f"{name}.collected"
            names.write_text("".join(f"{host} {self.token(host)}\n" for host in mine))
            self.ledger.follow(log)
            url = f"ws://{self._address}:{self.port}/ws/agent"
            command = ("-m", "lab.faults.uplinks", "--url", url, "--hosts", names, "--log", log)
            options = ("--rate", str(rate), "--most", str(most), "--ballast", str(ballast))
            started.append(self.start(*command, *options, prefix=self._agent_prefix))
        return started

    def until_all_report(self, hosts: Sequence[str] = (), seconds: float = 40.0) -> None:
        """Wait until two new reports of each host have come.

        Raises:
            FaultError: when they do not.
        """
        now = time.monotonic()
        hosts = hosts or self.hosts

        def all_have() -> bool:
            self.ledger.read()
            return all(self.ledger.arrivals(host, now) > 1 for host in hosts)

        if not eventually(all_have, seconds):
            missing = [host for host in hosts if self.ledger.arrivals(host, now) < 2]  # noqa: PLR2004
            raise FaultError(f"no reports of {missing[:5]} within {seconds:g} s")
        self.ready_at = self.ready_at or time.monotonic()

    def recover(self, hosts: Sequence[str], began: float, over: float, bound: float = 60.0) -> None:
        """Take note of an outage and wait until all are back, or the bound is over."""
        self.ledger.outage(hosts, began, over)
        eventually(lambda: self.ledger.all_back(hosts, over), bound)

    def command(self, *arguments: str) -> str:
        """Run ``vstats-server`` with a subcommand; return what it prints."""
        program = self.start("-m", "vstats_server", "--config", self.file, *arguments)
        program.process.wait(20)
        program.discard()
        if program.process.returncode:
            raise FaultError(program.output)
        return program.output

    def get(self, path: str) -> Any:
        """Return what the server's HTTP answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return json.load(answer)

    def leftovers(self, before: Held) -> list[str]:
        """Return what the server holds more of than before, once everything has had time to end."""
        relay = self.relay
        if relay is None or not relay.alive:
            return ["the server is not there any more"]

        def grown() -> list[str]:
            now = held(relay, self.folder)
            return [
                f"{name}: {getattr(now, name)} instead of {getattr(before, name)}"
                for name, spare in (("descriptors", 0), ("tasks", 0), ("threads", 6))
                if getattr(now, name) > getattr(before, name) + spare
            ]

        eventually(lambda: not grown(), SETTLE)
        return grown()

    def end_all_but_relay(self) -> None:
        """End everything that is connected to the server; what was collected has been written."""
        # What was collected last must have had the time to arrive.
        time.sleep(UNDERWAY)
        self.ended_at = time.monotonic() - UNDERWAY
        for program in self._programs:
            if program is not self.relay and program.alive:
                program.send(signal.SIGCONT)
                program.send(signal.SIGTERM)
        for program in self._programs:
            if program is not self.relay:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    program.process.wait(5)
                program.discard()

    def offline_in_the_end(self) -> list[str]:
        """Return the hosts that are not shown as online, once there was time to learn of it."""

        def offline() -> list[str]:
            self.ledger.read()
            return [host for host in self.hosts if not self.ledger.state.get(host)]

        eventually(lambda: not offline(), UNDERWAY)
        return offline()

    def _environment(self, name: str) -> dict[str, str]:
        return {
            "VSTATS_FAULTS_TASKS": str(self.folder / f"{name}.tasks"),
            "VSTATS_FAULTS_KNOBS": self._knobs,
        }


def held(program: Program, folder: Path, name: str = "relay") -> Held:
    """Return what a program holds just now."""
    file = folder / f"{name}.tasks"
    file.unlink(missing_ok=True)
    program.send(signal.SIGUSR2)
    if not eventually(file.exists, 5):
        raise FaultError("the program does not count its tasks")
    process = Path(f"/proc/{program.pid}")
    pages = int((process / "statm").read_text().split()[1])
    return Held(
        pages * 4096,
        len(list((process / "fd").iterdir())),
        len(list((process / "task").iterdir())),
        int(file.read_text()),
    )
