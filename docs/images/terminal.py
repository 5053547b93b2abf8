"""Draw ``terminal.svg`` and ``terminal-host.svg`` anew, from a demonstration that it runs.

``python docs/images/terminal.py`` takes about a minute, so that the lines have a past; the address
of a server that runs already may be named instead.
"""

import asyncio
import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from vstats_top.app import TopApp
from vstats_top.link import Target

FOLDER = Path(__file__).parent
PORT = 3971
SHOWN = "db-1"
"""The host of the second picture: it has a plugin."""
PAST = 45.0
"""Seconds of reports to be seen."""


@contextlib.contextmanager
def demonstration() -> Iterator[str]:
    """Run ``vstats-server demo`` and return its address."""
    command = (sys.executable, "-m", "vstats_server", "demo", "--port", str(PORT))
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(3)
        yield f"http://127.0.0.1:{PORT}"
    finally:
        server.terminate()
        server.wait()


def write(app: TopApp, name: str) -> None:
    """Write what is on the screen, without the fonts that a reader would have to fetch."""
    picture = app.export_screenshot(title="vstats-top")
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    (FOLDER / name).write_text(picture.replace("Fira Code", "ui-monospace"))


async def draw(address: str) -> None:
    """Watch for a while, then write both pictures."""
    app = TopApp(Target(address))
    async with app.run_test(size=(140, 20)) as pilot:
        await asyncio.sleep(PAST)
        await pilot.press("h")
        await pilot.pause()
        write(app, "terminal.svg")
        await pilot.press("full_stop")
        row = next((n for n, key in enumerate(app.store.hosts) if key == SHOWN), 0)
        await pilot.press("home", *["down"] * row)
        await pilot.press("enter")
        await pilot.resize_terminal(100, 48)
        await pilot.pause(2.5)
        write(app, "terminal-host.svg")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(draw(sys.argv[1]))
    else:
        with demonstration() as url:
            asyncio.run(draw(url))
