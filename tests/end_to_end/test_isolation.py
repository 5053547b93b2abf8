import itertools
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
from programs import Fleet, agent

STRANGER = Path(__file__).parent / "stranger"
OURS = {"cpu", "disks", "load", "memory", "network", "os"}
BAD = {
    "hangs": r"no answer, its timeout is 2 s",
    "hangs_in_c": r"no answer, its timeout is 2 s",
    "slow": r"no answer, its timeout is 2 s|took 3\.\d s, its timeout is 2 s",
    "crashes": r"RuntimeError: call \d+ \(bad\.py:\d+\)",
    "nan": r"not strict JSON: Out of range float",
    "object": r"not strict JSON: Object of type object is not JSON serializable",
    "huge": r"too large: at most 65536 bytes of JSON are allowed",
    "wordy": r"os\.name: String should have at most 1024 characters",
    "half_cpu": r"cpu\.brand: Field required",
    "reserved": r"the key 'hostname' belongs to the agent itself",
    "deep": r"not strict JSON: .*(deep|recursion)",
    "exits": r"SystemExit: \d+ \(bad\.py:\d+\)",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the stranger's wheel and install it into a folder of its own."""
    folder = tmp_path_factory.mktemp("stranger")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    build = ("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, STRANGER)
    subprocess.run([*pip, *build], check=True, timeout=60)
    (wheel,) = folder.glob("*.whl")
    site = folder / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", site, wheel], check=True, timeout=60)
    return site


def anonymous_memory(process_id):
    """Return the process's own memory in bytes: what it has allocated."""
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+) kB", status)[1]) * 1024


def test_a_strangers_wheel_of_ill_behaved_collectors_costs_the_others_nothing(site, tmp_path):
    fleet = Fleet(tmp_path)
    file = fleet.add("web-1")
    arrivals, reports, memory = [], [], []
    with (
        fleet.relay() as relay,
        fleet.dashboard() as dashboard,
        agent(file, {"PYTHONPATH": str(site)}) as reporter,
    ):
        told = dashboard.next("describe")
        for _ in range(12):
            reports.append(dashboard.next("metrics")["metrics"])
            arrivals.append(time.monotonic())
            memory.append(anonymous_memory(reporter.process.pid))
        code, took = reporter.end()
        log = reporter.until(r"(?s).*stopped")[0]
        described = {host["id"]: host["describe"] for host in fleet.hosts()}["web-1"]

    last = reports[-1]["collectors"]
    # The other sections keep their pace.
    gaps = [later - earlier for earlier, later in itertools.pairwise(arrivals)]
    assert statistics.mean(gaps) == pytest.approx(1, rel=0.05)
    assert statistics.median(gaps) == pytest.approx(1, rel=0.05)
    ages = [report["collectors"][name]["age"] for report in reports[1:] for name in OURS]
    assert statistics.median(ages) < 0.05
    assert max(ages) < 2.5
    for report in reports:
        assert all(report["collectors"][name]["ok"] for name in OURS)
        assert report["hostname"] != "forged"
        assert report["os"]["name"] != "w" * 2000
    # The good one among them is there, with its unit.
    assert reports[-1]["fans"] == [{"name": "rear", "speed": 1200}]
    assert told == {"server_id": "web-1"} | described
    assert described["sections"]["fans"]["fields"]["[].speed"] == {
        "title": "Speed",
        "unit": "rpm",
        "kind": "gauge",
        "warn": 4000,
        "critical": 6000,
    }
    # Each of the others is named, with its age and what is wrong.
    for name, error in BAD.items():
        assert not last[name]["ok"], name
        assert last[name]["age"] > 5
        assert re.search(error, last[name]["error"]), (name, last[name]["error"])
    assert last["prints"]["ok"]
    assert last["logs"]["ok"]
    # The server took every report; memory stays flat; the log is bounded; SIGTERM is heeded.
    assert "agent web-1: " not in relay.output
    assert memory[-1] - memory[3] < 5_000_000
    assert log.count("\n") < 120
    assert "collector broken_import is skipped: cannot be loaded" in log
    assert log.count("collector crashes failed") <= 4
    assert code == 0
    assert took < 2


HOLDS_THE_LOCK = """
import asyncio, ctypes
from vstats_core.agent.workers import Lane
from vstats_core.agent.watchdog import watched

async def main():
    with watched(0.5):
        # PyDLL does not let go of the interpreter's lock.
        call = lambda: ctypes.PyDLL(None).sleep(60)
        lane = Lane("greedy", settled=lambda: None, call=call, interval=1, timeout=1)
        lane.ask_if_due()
        await asyncio.sleep(60)

asyncio.run(main())
"""


def test_a_collector_that_holds_the_interpreters_lock_ends_the_process_and_is_named():
    started = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-c", HOLDS_THE_LOCK],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert result.returncode == 1
    assert "in collector greedy" in result.stderr
    assert time.monotonic() - started < 10
