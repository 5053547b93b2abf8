"""The agent: what it costs to report once a second, beside those who collect the same."""

import contextlib
import http.client
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from pathlib import Path

from lab.benchmarks.bench import Bench, Result, Rounds, token
from lab.benchmarks.processes import (
    GENERATOR_CORE,
    RELAY_CORE,
    Program,
    cpu,
    free_port,
    memory,
    started,
)
from lab.benchmarks.results import Section, Target, comparison, median, ratio

__all__ = ["install_glances", "measure"]

WARM_UP = 5.0
SECONDS = 20.0
MIB = 1024 * 1024

COLLECTORS = ("cpu", "filesystem", "loadavg", "meminfo", "netdev", "os", "uname")
"""Those of node_exporter that tell what our six sections tell."""
PLUGINS = "cpu,percpu,mem,memswap,fs,network,load,system,uptime"
"""Those of Glances."""


def glances_cache() -> Path:
    """Return the folder of the virtual environment that Glances is installed into."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "vstats-benchmarks" / "glances"


def install_glances() -> None:
    """Install Glances into an environment of its own, unless it is there."""
    folder = glances_cache()
    if not (folder / "bin" / "glances").exists():
        venv.create(folder, with_pip=True)
        subprocess.run([folder / "bin" / "pip", "install", "--quiet", "glances"], check=True)


class NodeExporter:
    """It collects when it is asked."""

    label = "node_exporter, scraped"
    missing = "node_exporter is not installed; on Debian: apt-get install prometheus-node-exporter"

    @staticmethod
    def find() -> str | None:
        """Return the program, if it is installed."""
        return shutil.which("prometheus-node-exporter") or shutil.which("node_exporter")

    def __init__(self, program: str) -> None:
        self.port = free_port()
        self.command = [
            program,
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--collector.disable-defaults",
            *(f"--collector.{name}" for name in COLLECTORS),
        ]
        self._scrapes = 0
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)

    def tick(self) -> None:
        """Ask it, once a second."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            self._connection.request("GET", "/metrics")
            self._connection.getresponse().read()
            self._scrapes += 1

    def reports(self, _: Program) -> int:
        """Return how often it has collected."""
        return self._scrapes


class Glances:
    """It collects once a second, and prints."""

    label = "Glances, --stdout"
    missing = "Glances is not installed; run: python -m lab.benchmarks --install-glances"

    @staticmethod
    def find() -> str | None:
        """Return the program, if it is installed."""
        cached = glances_cache() / "bin" / "glances"
        return str(cached) if cached.exists() else shutil.which("glances")

    def __init__(self, program: str) -> None:
        self.command = [
            program,
            *("--time", "1", "--disable-check-update", "--disable-history"),
            *("--disable-plugin", "all", "--enable-plugin", PLUGINS, "--stdout", PLUGINS),
        ]

    def tick(self) -> None:
        """Leave it alone: it has a clock."""

    def reports(self, program: Program) -> int:
        """Return how often it has printed."""
        return program.log.read_text(errors="replace").count("uptime:")


PEERS = (NodeExporter, Glances)


@contextlib.contextmanager
def peers(bench: Bench) -> Iterator[dict[str, tuple[NodeExporter | Glances, Program]]]:
    """Run those that are installed; say which are not."""
    with contextlib.ExitStack() as stack:
        running = {}
        for kind in PEERS:
            found = kind.find()
            if found is None:
                bench.note(kind.missing)
            elif not bench.quick:
                bench.note(_version(found))
                peer = kind(found)
                log = bench.folder / f"{kind.__name__}.log"
                program = stack.enter_context(started(peer.command, log, RELAY_CORE))
                running[kind.label] = peer, program
        yield running


def _version(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    first, *_ = (done.stdout or done.stderr).splitlines() or [""]
    return " ".join(first.split())


def round_of(bench: Bench, seconds: float) -> dict[str, Result]:
    """Run all of them side by side for a while, ours reporting to a relay on the other core."""
    config = bench.folder / "agent.toml"
    config.touch(mode=0o600)
    with (
        bench.relay("vstats", 1, GENERATOR_CORE) as relay,
        bench.load(relay, dashboards=1, seconds=60, warmup=0) as watching,
        peers(bench) as running,
    ):
        watching.until("connected")
        config.write_text(
            f'[agent]\nurl = "ws://127.0.0.1:{relay.port}/ws/agent"\ntoken = "{token(0)}"\n'
        )
        command = [sys.executable, "-m", "vstats_core", "--config", str(config)]
        born = time.monotonic()
        with started(command, bench.folder / "agent.log", RELAY_CORE) as ours:
            watching.until("first")
            first = {"first_cpu": cpu(ours.pid), "first_wall": time.monotonic() - born}
            watching.end()
            everyone = {label: program for label, (_, program) in running.items()}
            _let(running, WARM_UP if not bench.quick else 0.5)
            with bench.load(relay, dashboards=1, pid=ours.pid, seconds=seconds, warmup=0.5) as load:
                load.until("measuring")
                before = {
                    label: (cpu(program.pid), running[label][0].reports(program))
                    for label, program in everyone.items()
                }
                _let(running, seconds - 0.2)
                found = {
                    label: _since(before[label], program, running[label][0].reports(program))
                    for label, program in everyone.items()
                }
                result = load.until("result")
                ours_found = {
                    "reports": result["delivered"],
                    "cpu": result["cpu"] / max(1, result["delivered"]),
                    **_held(ours.pid),
                    **first,
                }
            for line in ours.complaints:
                bench.note(f"the agent logged: {line}")
    return {"vstats": ours_found} | found


def _let(running: dict[str, tuple[NodeExporter | Glances, Program]], seconds: float) -> None:
    """Let time pass, and ask those that want to be asked once a second."""
    end = time.monotonic() + seconds
    tick = time.monotonic()
    while tick < end:
        for peer, _ in running.values():
            peer.tick()
        tick += 1
        time.sleep(max(0, min(tick, end) - time.monotonic()))


def _since(before: tuple[float, int], program: Program, reports: int) -> Result:
    cpu_before, reports_before = before
    count = reports - reports_before
    used = cpu(program.pid) - cpu_before
    return {"reports": count, "cpu": used / max(1, count), **_held(program.pid)}


def _held(pid: int) -> Result:
    held = memory(pid)
    return {"resident": held.resident, "anonymous": held.anonymous}


def measure(bench: Bench) -> Section:
    """Run our agent and its peers, all at once: each needs little, and all see one machine."""
    seconds = 2.0 if bench.quick else SECONDS
    rounds: Rounds = {}
    for _ in range(bench.rounds):
        for label, result in round_of(bench, seconds).items():
            rounds.setdefault(label, []).append(result)
    milliseconds = comparison("CPU", "ms a report", rounds, lambda result: result["cpu"] * 1e3)
    exporter = NodeExporter.label

    def held(name: str) -> float | None:
        return median(rounds["vstats"], lambda result: result[name] / MIB)

    alone: Rounds = {"vstats": rounds["vstats"]}
    return Section(
        "The agent",
        f"All six sections once a second, for {seconds:g} s after {WARM_UP:g} s. node_exporter has "
        f"the matching collectors ({', '.join(COLLECTORS)}) and is scraped once a second; Glances "
        "has the matching plugins and prints once a second. All of them run side by side on one "
        "core, the relay and the generator on the other.",
        tables=[
            milliseconds,
            comparison(
                "Resident memory", "MiB", rounds, lambda result: result["resident"] / MIB, 1
            ),
            comparison(
                "Anonymous memory", "MiB", rounds, lambda result: result["anonymous"] / MIB, 1
            ),
            comparison(
                "CPU from the start until the first report has arrived",
                "ms",
                alone,
                lambda result: result["first_cpu"] * 1e3,
                0,
            ),
        ],
        targets=[
            Target(
                "agent: CPU a report",
                1.6,
                median(rounds["vstats"], lambda result: result["cpu"] * 1e3),
                " ms",
            ),
            Target(
                "agent: CPU a report, to node_exporter's a scrape",
                0.25,
                ratio(rounds, lambda result: result["cpu"], exporter)
                if exporter in rounds
                else None,
            ),
            Target("agent: resident", 42, held("resident"), " MiB"),
            Target("agent: anonymous", 26, held("anonymous"), " MiB"),
            Target(
                "agent: CPU until the first report",
                500,
                median(alone["vstats"], lambda result: result["first_cpu"] * 1e3),
                " ms",
            ),
        ],
        raw={"rounds": rounds},
    )
