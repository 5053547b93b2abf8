"""Run one relay under one load, and take turns."""

import contextlib
import hashlib
import json
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.benchmarks import reports
from lab.benchmarks.processes import (
    GENERATOR_CORE,
    RELAY_CORE,
    Program,
    free_port,
    pin,
    started,
)

__all__ = ["LABELS", "Bench", "Load", "Relay", "Result", "Rounds", "token"]

BUSIEST = 0.7
"""Share of a core above which the generator may have been the bottleneck."""
ATTEMPTS = 3
PATIENCE = 70.0
"""Seconds after which the generator, which bounds itself, is given up."""

Result = dict[str, float]
"""What one run found, by name."""
Rounds = dict[str, list[Result | None]]
"""What each variant's runs found, round by round; None where a run did not count."""

LABELS = {
    "vstats": "vStats",
    "broadcast": "websockets.broadcast()",
    "deflate": "broadcast(), compressing",
    "plain": "reference: json, pydantic, json",
    "c": "C, a send() per message",
}
LIMITS = """
[server.limits]
messages_per_second = 100000
message_burst = 100000
max_agents = 100000
max_dashboards = 100000
connections_per_address = 100000
handshake_timeout = 60
"""


@dataclass(frozen=True)
class Relay:
    """A relay that runs."""

    kind: str
    port: int
    program: Program

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.program.pid


class Load:
    """The generator at work."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def until(self, event: str, seconds: float = PATIENCE) -> Result:
        """Return what the generator says about an event, once it has come to it.

        Raises:
            RuntimeError: when it does not.
        """
        deadline = time.monotonic() + seconds
        stream = self._process.stdout
        assert stream is not None  # noqa: S101 - it was asked for
        while select.select([stream], [], [], max(0, deadline - time.monotonic()))[0]:
            line = stream.readline()
            if not line:
                break
            said: dict[str, Any] = json.loads(line)
            if said.pop("event") == event:
                return said
        raise RuntimeError(f"the load generator never came to {event!r}")

    def end(self) -> Result:
        """Let it end now; return what it found."""
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        self._process.stdin.close()
        return self.until("result")


@dataclass
class Bench:
    """A folder with all that is needed, and what was noticed on the way."""

    folder: Path
    rounds: int
    quick: bool
    notes: list[str] = field(default_factory=list)
    discarded: int = 0
    plots: dict[str, str] = field(default_factory=dict)
    """Drawings as SVG, by the name of the file."""

    def build(self) -> None:
        """Build the programs in C, and write the reports.

        Raises:
            RuntimeError: when there is no C compiler.
        """
        compiler = shutil.which("cc")
        if compiler is None:
            raise RuntimeError("no C compiler (cc) is installed; on Debian: apt-get install gcc")
        for name in ("load", "relay"):
            source = Path(__file__).parent / "c" / f"{name}.c"
            subprocess.run([compiler, "-O2", "-o", self.folder / name, source], check=True)
        for size in reports.SIZES:
            (self.folder / size).write_bytes(reports.message(size))

    @contextlib.contextmanager
    def relay(self, kind: str, hosts: int, core: int = RELAY_CORE) -> Iterator[Relay]:
        """Run a relay that knows so many hosts; it listens when the context begins."""
        port = free_port()
        log = self.folder / f"{kind}.log"
        with started(self._command(kind, hosts, port), log, core) as program:
            program.until("listening on")
            relay = Relay(kind, port, program)
            try:
                yield relay
            finally:
                for line in program.complaints:
                    self.note(f"{LABELS[kind]} logged: {line}")
                if program.process.poll() is not None:
                    self.note(f"{LABELS[kind]} ended by itself ({program.process.returncode})")

    def _command(self, kind: str, hosts: int, port: int) -> list[str | Path]:
        peer: list[str | Path] = [sys.executable, "-m", "lab.benchmarks.peers.broadcast", str(port)]
        match kind:
            case "vstats":
                config = self.folder / f"server-{hosts}.toml"
                config.touch(mode=0o600)
                config.write_text(_config(hosts, port))
                return [sys.executable, "-m", "vstats_server", "--config", config]
            case "c":
                return [self.folder / "relay", str(port)]
            case "broadcast":
                return peer
            case "plain" | "deflate":
                return [*peer, f"--{kind}"]
        raise ValueError(kind)

    @contextlib.contextmanager
    def load(self, relay: Relay, size: str | None = None, **options: float) -> Iterator[Load]:
        """Run the generator; the options are its own, a report of a size is what agents send."""
        words = [str(self.folder / "load"), "--port", str(relay.port)]
        for name, value in ({"pid": relay.pid} | options).items():
            words += [f"--{name.replace('_', '-')}", str(value)]
        if size is not None:
            words += ["--body", str(self.folder / size)]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            pin(process.pid, GENERATOR_CORE)
            yield Load(process)
        finally:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()

    def run(
        self,
        kind: str,
        hosts: int,
        size: str | None = None,
        busiest: float = BUSIEST,
        **options: float,
    ) -> Result | None:
        """Run a relay under a load; None when the generator was too busy to be trusted."""
        for _ in range(ATTEMPTS):
            with self.relay(kind, hosts) as relay, self.load(relay, size, **options) as load:
                result = load.until("result")
            result["busy"] = result["own_cpu"] / result["wall"]
            if result["closed"] or result["unreachable"] or result["refused"]:
                self.note(
                    f"{LABELS[kind]}: {result['closed']:.0f} connections were closed (last code "
                    f"{result['close_code']:.0f}), {result['unreachable']:.0f} failed, "
                    f"{result['refused']:.0f} were refused"
                )
            if result["answers"]:
                self.note(f"{LABELS[kind]} did not take {result['answers']:.0f} reports")
            if result["lost"]:
                self.note(
                    f"{LABELS[kind]}: {result['lost']:.0f} of {result['sent']:.0f} reports had not "
                    "reached all dashboards when nothing had moved for half a second"
                )
            if self.quick or result["busy"] <= busiest:
                return result
            self.discarded += 1
        return None

    def note(self, text: str) -> None:
        """Let it be said in the results, once."""
        if text not in self.notes:
            self.notes.append(text)

    def interleave(
        self, variants: Sequence[str], run: Callable[[str], Result | None], rounds: int = 0
    ) -> Rounds:
        """Run A B C, A B C, ...: whatever disturbs the machine disturbs all of them."""
        results: Rounds = {variant: [] for variant in variants}
        for _ in range(rounds or self.rounds):
            for variant in variants:
                results[variant].append(run(variant))
        return results


def token(number: int) -> str:
    """Return an agent's token; the generator makes the same."""
    return f"benchmark-agent-token-{number:06}"


def _config(hosts: int, port: int) -> str:
    tables = [f"[server]\nport = {port}\n{LIMITS}"]
    for number in range(hosts):
        digest = hashlib.sha256(token(number).encode()).hexdigest()
        name = f"host-{number:06}"
        tables.append(f'[[server.hosts]]\nname = "{name}"\ntoken_sha256 = "{digest}"\n')
    return "\n".join(tables)
