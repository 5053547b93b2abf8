import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RELAYS = {"vstats", "broadcast", "c"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks read Linux's /proc"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler"),
]


def test_every_relay_delivers_and_figures_come_out(tmp_path):
    command = [sys.executable, "-m", "lab.benchmarks", "--quick", "--output", tmp_path]

    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=55, check=False
    )

    assert done.returncode == 0, done.stderr
    sections = json.loads((tmp_path / "results.json").read_text())["sections"]
    rounds = sections["fanout"]["raw"]["1 KB"]
    assert set(rounds) == RELAYS
    for relay, (run,) in rounds.items():
        assert run is not None, relay
        assert run["delivered"] > 0, relay
        assert run["cpu"] > 0, relay
        assert (run["refused"], run["unreachable"], run["closed"]) == (0, 0, 0), relay
    page = (tmp_path / "results.md").read_text()
    assert page == done.stdout.removesuffix("\n")
    assert "| vStats |" in page
    assert "CPU a delivered message" in page


def test_what_was_measured_before_stays(tmp_path):
    kept = {"machine": {}, "sections": {"herd": SECTION}}
    (tmp_path / "results.json").write_text(json.dumps(kept))
    command = [sys.executable, "-m", "lab.benchmarks", "--quick", "--output", tmp_path]

    subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=55)

    page = (tmp_path / "results.md").read_text()
    assert page.index("## Fan-out") < page.index("## A herd of old")


SECTION = {
    "title": "A herd of old",
    "about": "All in.",
    "tables": [{"title": "Time", "header": ["", "s"], "rows": [["vStats", "1"]]}],
    "targets": [{"what": "all in", "at_most": 6, "value": 1, "unit": " s"}],
    "plots": {},
    "notes": [],
    "raw": {},
    "took": 1.0,
}
