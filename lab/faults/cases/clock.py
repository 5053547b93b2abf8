"""The wall clock jumps by an hour and by a day, forward and back (libfaketime)."""

import calendar
import time
from functools import partial
from pathlib import Path

from lab.faults.programs import FaultError, Program, eventually
from lab.faults.row import Row, Stage, judge, together
from lab.faults.site import Site, held

__all__ = ["library", "play"]

JUMPS = ("+1h", "+0", "-1h", "+0", "+1d", "+0", "-1d", "+0", "+1d", "-1d")
HOLD = 4.0
LONGEST_GAP = 3.0
PLACES = ("lib*/*/faketime/libfaketimeMT.so.1", "lib*/faketime/libfaketimeMT.so.1")


def play(stage: Stage) -> list[Row]:
    """Let the agents' clock jump, and the server's."""
    rounds = stage.times(2, 1)
    jumps = JUMPS[:4] if stage.quick else JUMPS * rounds
    return together(
        *(
            partial(_play, stage.folder / who, who, jumps, 2.0 if stage.quick else HOLD)
            for who in ("agents", "server")
        )
    )


def _play(folder: Path, who: str, jumps: tuple[str, ...], hold: float) -> list[Row]:
    hosts = ["agent-0", "agent-1"]
    failures = []
    with Site(folder, hosts) as site:
        stamp = folder / "stamp"
        _jump(stamp, "+0")
        faked = {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(stamp),
            "FAKETIME_NO_CACHE": "1",
            # As in the kernel: the monotonic clock does not jump.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        relay = site.start_relay(environment=faked if who == "server" else {})
        before = held(relay, site.folder)
        site.start_oracle()
        agents = [
            site.start_agent(host, environment=faked if who == "agents" else {}) for host in hosts
        ]
        site.until_all_report()
        began = time.monotonic()
        for jump in jumps:
            _jump(stamp, jump)
            jumped = time.monotonic()
            if not eventually(lambda: site.ledger.all_back(hosts, jumped), LONGEST_GAP):  # noqa: B023
                failures.append(f"no report within {LONGEST_GAP:g} s of {jump}")
            time.sleep(hold)
            moved = _shown(site, who) - time.time()
            if abs(moved - _seconds(jump)) > 5:  # noqa: PLR2004 - whole seconds, an interval
                failures.append(f"the clock that is shown moved by {moved:.0f} s, not {jump}")
        site.ledger.read()
        for agent in agents:
            connected = sum("connected to" in line for _, line in agent.lines)
            if connected != 1:
                failures.append(f"an agent connected {connected} times")
        told = [told for told in site.ledger.told if told.at > began]
        if told:
            failures.append(f"{len(told)} statuses were told")
        how = f"the {who}' clock".replace("server'", "server's")
        rows = [
            judge(
                site,
                "clock jumps",
                f"{how}: an hour and a day, forward and back, by libfaketime",
                len(jumps),
                held=before,
                remark="no connection ends, no status is told, no report is late",
                failures=failures,
            )
        ]
        for program in (relay, *agents):
            _forget(program)
        return rows


def library() -> Path:
    """Return where libfaketime's variant for programs with threads is.

    Raises:
        FaultError: when it is nowhere.
    """
    for place in PLACES:
        for found in Path("/usr").glob(place):
            return found
    raise FaultError("libfaketimeMT is not there; on Debian: apt-get install faketime")


def _forget(program: Program) -> None:
    """End a program and remove what libfaketime leaves of one that is killed."""
    program.discard()
    for name in (f"faketime_shm_{program.pid}", f"sem.faketime_sem_{program.pid}"):
        Path("/dev/shm", name).unlink(missing_ok=True)  # noqa: S108 - where it puts it


def _jump(stamp: Path, jump: str) -> None:
    new = stamp.with_suffix(".new")
    new.write_text(f"{jump}\n")
    new.replace(stamp)


def _seconds(jump: str) -> float:
    return float(jump.rstrip("hd")) * {"h": 3600, "d": 86400}.get(jump[-1], 1)


def _shown(site: Site, who: str) -> float:
    """Return what time it is by the agent's newest report, or by the server's last_seen."""
    host = site.get("/api/hosts")["hosts"][0]
    text = host["metrics"]["timestamp"] if who == "agents" else host["last_seen"]
    return float(calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")))
