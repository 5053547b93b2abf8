"""What ill-behaved collectors cost the others: an agent with them and one without, in turn.

Run it with ``make isolation``. The stranger's wheel is the one of the tests; see
``tests/end_to_end/stranger``. Prints the table of the README.
"""

import itertools
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "end_to_end"))

from programs import Fleet, agent  # noqa: E402 - the programs, as the tests run them

ROUNDS = 3
REPORTS = 30
WARM_UP = 5
OURS = ("cpu", "disks", "load", "memory", "network", "os")


class Window(NamedTuple):
    """What was seen of one agent, times in seconds."""

    gaps: list[float]
    ages: list[float]
    memory: float
    growth: float
    end: float


def measure(file: Path, fleet: Fleet, environment: dict[str, str]) -> Window:
    """Return what a dashboard sees of an agent that has just been started."""
    arrivals, ages, memory = [], [], []
    with fleet.dashboard() as dashboard, agent(file, environment) as reporter:
        for number in range(WARM_UP + REPORTS):
            report = dashboard.next("metrics", seconds=30)["metrics"]
            if number >= WARM_UP:
                arrivals.append(time.monotonic())
                ages += [report["collectors"][name]["age"] for name in OURS]
                status = Path(f"/proc/{reporter.process.pid}/status").read_text()
                memory.append(int(re.search(r"RssAnon:\s+(\d+)", status)[1]) / 1024)
        _, end = reporter.end()
    gaps = [later - earlier for earlier, later in itertools.pairwise(arrivals)]
    return Window(gaps, ages, memory[-1], memory[-1] - memory[0], end)


def install_stranger(folder: Path) -> Path:
    """Build the stranger's wheel; return a folder in which it is installed."""
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    source = ROOT / "tests" / "end_to_end" / "stranger"
    build = ("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source)
    subprocess.run([*pip, *build], check=True)
    (wheel,) = folder.glob("*.whl")
    site = folder / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", site, wheel], check=True)
    return site


def main() -> None:
    """Measure in turn and print the medians."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fleet = Fleet(folder)
        file = fleet.add("host")
        strangers = {"PYTHONPATH": str(install_stranger(folder / "wheel"))}
        windows: dict[str, list[Window]] = {"alone": [], "beside 17 that misbehave": []}
        with fleet.relay():
            for _ in range(ROUNDS):
                for label, environment in zip(windows, ({}, strangers), strict=True):
                    windows[label].append(measure(file, fleet, environment))
    print(f"| the built-in collectors, at 1 s | {' | '.join(windows)} |")
    print("|---|---|---|")
    rows = {
        "time between two reports, mean (s)": lambda w: statistics.mean(w.gaps),
        "time between two reports, 95 of 100 deviate less than (s)": lambda w: sorted(
            abs(gap - 1) for gap in w.gaps
        )[int(len(w.gaps) * 0.95)],
        "age of a section when its report arrives, median (s)": lambda w: statistics.median(w.ages),
        "memory of the agent's own (MiB)": lambda w: w.memory,
        f"its growth over {REPORTS} reports (MiB)": lambda w: w.growth,
        "from SIGTERM to the end (s)": lambda w: w.end,
    }
    for row, figure in rows.items():
        cells = [f"{statistics.median(map(figure, windows[label])):.3f}" for label in windows]
        print(f"| {row} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
