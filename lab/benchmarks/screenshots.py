"""Take the pictures of the live page for the docs: ``python -m lab.benchmarks.screenshots``.

Ten simulated hosts and this machine have reported for a minute by then, so that the lines have
their full length.
"""

import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import sync_playwright

from lab.benchmarks.page import SWITCHES, demonstration
from lab.benchmarks.processes import ROOT

FOLDER = ROOT / "docs" / "images"
MINUTE = 64_000
"""Milliseconds after which there are sixty points."""


class Picture(NamedTuple):
    """One view of the page."""

    name: str
    fragment: str
    width: int
    height: int
    scheme: str
    scale: float = 1.5


PICTURES = (
    Picture("page-light", "", 1440, 680, "light"),
    Picture("page-dark", "#sort=health", 1440, 680, "dark"),
    Picture("page-cards", "#view=cards", 1440, 920, "dark"),
    Picture("page-detail", "#host=db-1", 1440, 1080, "light", 1.25),
    Picture("page-phone", "", 390, 800, "light", 2),
    Picture("page-phone-detail", "#host=gpu-1", 390, 800, "dark", 2),
)


def main(folder: Path = FOLDER) -> None:
    """Take them all, at the same moment."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("needs Chromium; on Debian: apt-get install chromium")
    folder.mkdir(parents=True, exist_ok=True)
    with demonstration(10) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(SWITCHES))
        pages = []
        for name, fragment, width, height, scheme, scale in PICTURES:
            page = browser.new_page(
                viewport={"width": width, "height": height},
                color_scheme=scheme,
                device_scale_factor=scale,
            )
            page.goto(url + fragment)
            pages.append((folder / f"{name}.png", page))
        pages[0][1].wait_for_timeout(MINUTE)
        for file, page in pages:
            page.screenshot(path=file)
            print(f"{file.relative_to(ROOT)}  {file.stat().st_size // 1024} KiB")
        browser.close()


if __name__ == "__main__":
    main()
