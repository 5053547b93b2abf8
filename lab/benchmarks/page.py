"""Measure what the live page costs a browser: ``python -m lab.benchmarks.page [HOSTS] [SECONDS]``.

Simulated hosts report once a second, through a real relay, to the page in a real Chromium.
Printed are the times between two frames, and the share of the time that the page's main thread
was busy: with all of it, and with scripts, styles and layout alone.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from playwright.sync_api import CDPSession, Page, sync_playwright

from lab.benchmarks.processes import free_port

HOSTS = 500
SECONDS = 20.0
SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
COUNTERS = ("TaskDuration", "ScriptDuration", "RecalcStyleDuration", "LayoutDuration")
LONG_TASK = 50
"""Milliseconds from which on a task is felt; the browser's own word for it."""

WATCH = """() => {
  const times = [];
  let before = performance.now();
  let going = true;
  const frame = (now) => {
    times.push(now - before);
    before = now;
    if (going) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  const long = [];
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) long.push(entry.duration);
  });
  observer.observe({ entryTypes: ["longtask"] });
  globalThis.watched = () => {
    going = false;
    observer.disconnect();
    return { times: times.slice(2), long };
  };
}"""


class Figures(NamedTuple):
    """What one view has cost."""

    view: str
    frames: list[float]
    """Milliseconds between two frames, shortest first."""
    long_tasks: list[float]
    shares: dict[str, float]
    heap: float
    """Bytes of the page's scripts."""

    def line(self) -> str:
        """Return the figures as a row of a Markdown table."""

        def part(share: float) -> float:
            return self.frames[min(len(self.frames) - 1, int(len(self.frames) * share))]

        cells = (
            self.view,
            " / ".join(f"{part(share):.1f}" for share in (0.5, 0.95, 0.99, 1)),
            f"{max(self.long_tasks, default=0):.0f}" if self.long_tasks else "none",
            *(f"{100 * self.shares[name]:.1f} %" for name in COUNTERS),
            f"{self.heap / 2**20:.0f} MiB",
        )
        return f"| {' | '.join(cells)} |"


HEAD = """\
| view | frame, ms: median / 95 % / 99 % / worst | longest task over 50 ms | main thread | \
scripts | styles | layout | heap |
|---|---|---|---|---|---|---|---|"""


def stay(page: Page, seconds: float) -> None:
    """Look and do nothing."""
    page.wait_for_timeout(seconds * 1000)


def scroll(page: Page, seconds: float) -> None:
    """Scroll through the list, to its end and back, with the wheel."""
    page.mouse.move(640, 500)
    end = time.monotonic() + seconds
    step = 240
    while time.monotonic() < end:
        page.mouse.wheel(0, step)
        page.wait_for_timeout(50)
        at_end = page.evaluate("scrollY + innerHeight >= document.body.scrollHeight - 1")
        if at_end or page.evaluate("scrollY === 0"):
            step = -240 if at_end else 240


VIEWS: tuple[tuple[str, str, Callable[[Page, float], None]], ...] = (
    ("table", "", stay),
    ("table, scrolled all the time", "", scroll),
    ("table by CPU", "#sort=cpu", stay),
    ("cards", "#view=cards", stay),
    ("one host of 64 cores", "#host=db-1", stay),
)


def measure(page: Page, session: CDPSession, view: str, seconds: float, act: Any) -> Figures:
    """Return what the page costs while it is looked at like that."""
    began = time.monotonic()
    before = _counters(session)
    page.evaluate(WATCH)
    act(page, seconds)
    seen = page.evaluate("watched()")
    after = _counters(session)
    passed = time.monotonic() - began
    shares = {name: (after[name] - before[name]) / passed for name in COUNTERS}
    return Figures(view, sorted(seen["times"]), seen["long"], shares, after["JSHeapUsedSize"])


def _counters(session: CDPSession) -> dict[str, float]:
    metrics = session.send("Performance.getMetrics")["metrics"]
    return {metric["name"]: metric["value"] for metric in metrics}


@contextlib.contextmanager
def demonstration(hosts: int) -> Iterator[str]:
    """Run the demonstration; the value is the page's address."""
    port = free_port()
    with tempfile.TemporaryFile() as log:
        program = subprocess.Popen(
            (sys.executable, "-m", "vstats_server", "demo", f"--port={port}", f"--hosts={hosts}"),
            stdout=log,
            stderr=log,
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/healthz")
            yield f"http://127.0.0.1:{port}/"
        finally:
            program.terminate()
            program.wait()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url):  # noqa: S310 - our own server
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def main(hosts: int = HOSTS, seconds: float = SECONDS) -> None:
    """Measure each view and print a table."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("needs Chromium; on Debian: apt-get install chromium")
    with demonstration(hosts) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(SWITCHES))
        load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
        print(f"{hosts + 1} hosts at 1 Hz, Chromium {browser.version} without GPU, 1440x900,")
        print(f"{os.cpu_count()} cores for browser, relay and hosts together; load was {load}\n")
        print(HEAD)
        for view, fragment, act in VIEWS:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            session = page.context.new_cdp_session(page)
            # The thread's own time: what others do on the machine is not the page's.
            session.send("Performance.enable", {"timeDomain": "threadTicks"})
            page.goto(url + fragment)
            page.locator(".row[data-state=online], .detail .panel").first.wait_for()
            # What was there at the start has settled, and the lines have some length.
            page.wait_for_timeout(5000)
            print(measure(page, session, view, seconds, act).line(), flush=True)
            page.close()
        browser.close()


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]), *map(float, sys.argv[2:3]))
