"""A configuration that is broken while it is used: the last valid one stays."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

from lab.faults.programs import Program, eventually
from lab.faults.row import Row, Stage, judge
from lab.faults.site import Site, held

__all__ = ["play"]

STAYS = "the last valid configuration stays"


def _vanished(file: Path, _: str) -> None:
    file.unlink()


def _folder(file: Path, _: str) -> None:
    file.unlink()
    file.mkdir()


WAYS: dict[str, Callable[[Path, str], object]] = {
    "an unknown key": lambda file, good: file.write_text(good.replace("port =", "prot =")),
    "no TOML": lambda file, good: file.write_text(good + "[[["),
    "cut off in the middle": lambda file, good: file.write_text(good[: len(good) * 2 // 3 - 20]),
    "two hosts of one id": lambda file, good: file.write_text(good + good[good.index("[[") :]),
    "not UTF-8": lambda file, good: file.write_bytes(good.encode() + b"# \xff\n"),
    "gone": _vanished,
    "a folder": _folder,
}


def play(stage: Stage) -> list[Row]:
    """Break the file in each way, with SIGHUP and without; mend it."""
    rounds = stage.times(4, 1)
    hosts = [f"uplink-{number}" for number in range(20)]
    failures: list[str] = []
    with Site(stage.folder, [*hosts, "agent"]) as site:
        relay = site.start_relay()
        before = held(relay, site.folder)
        site.start_oracle()
        site.start_uplinks(hosts)
        agent = site.start_agent("agent")
        site.until_all_report()
        good = site.file.read_text()
        for number in range(rounds * len(WAYS)):
            way = list(WAYS)[number % len(WAYS)]
            began = time.monotonic()
            WAYS[way](site.file, good)
            if number % 2:
                relay.send(signal.SIGHUP)
            relay.until(STAYS, since=began)
            if not site.get("/healthz")["warnings"]:
                failures.append(f"/healthz says nothing of a file that is {way}")
            if site.file.is_dir():
                site.file.rmdir()
            new = site.file.with_suffix(".new")
            new.write_text(good)
            new.replace(site.file)
            if not eventually(lambda: not site.get("/healthz")["warnings"], 3):
                failures.append(f"/healthz still warns of a file that was {way}")
        site.until_all_report()
        failures += _break_agent(site, agent)
        site.until_all_report(["agent"])
        connected = sum("connected to" in line for _, line in agent.lines)
        if connected != 1:
            failures.append(f"the agent connected {connected} times")
        row = judge(
            site,
            "broken configuration",
            f"the server's file: {', '.join(WAYS)}; with SIGHUP and without. The agent's file: no "
            "TOML, then SIGHUP",
            rounds * len(WAYS) + 1,
            held=before,
            remark="the last valid one stays, the log and /healthz say so; no connection ends",
            failures=failures,
        )
        return [row]


def _break_agent(site: Site, agent: Program) -> list[str]:
    file = site.folder / "agent.toml"
    good = file.read_text()
    began = time.monotonic()
    file.write_text(good + "[[[")
    agent.send(signal.SIGHUP)
    agent.until(STAYS, since=began)
    file.write_text(good)
    agent.send(signal.SIGHUP)
    agent.until("settings reloaded", since=began)
    return [] if agent.alive else ["the agent has ended"]
