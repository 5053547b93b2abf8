"""What was found, as it is kept and as it is shown."""

import dataclasses
import importlib.metadata
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.benchmarks.bench import LABELS, Result, Rounds
from lab.benchmarks.processes import ROOT
from vstats_core.version import __version__

__all__ = ["Section", "Table", "Target", "comparison", "machine", "median", "page", "ratio"]

OURS = "vstats"
ABSENT = "-"
ABOUT = """\
Made by `make bench`. CPU is what the process itself has used (the scheduler's own count of
nanoseconds, all threads), never the wall clock. Variants take turns (A B C, A B C, ...); a figure
is the median of the rounds, and a ratio is the median of the ratios within each round. An absolute
figure may differ by a quarter between rounds when the machine has other things to do; a ratio by a
seventh. The relay runs on the first core, the load generator on the second. A run in which the
generator was busy for more than 0.7 of the time is thrown away and repeated; `-` is what could not
be had so in three attempts, or was not asked for. Everything goes over loopback, without TLS."""

Figure = Callable[[Result], float]


@dataclass
class Table:
    """Rows of cells under a header."""

    title: str
    header: list[str]
    rows: list[list[str]] = field(default_factory=list)


@dataclass
class Target:
    """What was aimed at, and what was reached."""

    what: str
    at_most: float
    value: float | None
    unit: str = ""

    @property
    def met(self) -> str:
        """Yes, no, or not measured."""
        if self.value is None:
            return "not measured"
        return "yes" if self.value <= self.at_most else "no"


@dataclass
class Section:
    """One benchmark's results."""

    title: str
    about: str
    tables: list[Table] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    plots: dict[str, str] = field(default_factory=dict)
    """The titles of plots, by the name of the file."""
    notes: list[str] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)
    """What each run found."""
    took: float = 0.0

    @classmethod
    def load(cls, kept: dict[str, Any]) -> "Section":
        """Return what :func:`dataclasses.asdict` has made a dict."""
        tables = [Table(**table) for table in kept["tables"]]
        targets = [Target(**target) for target in kept["targets"]]
        return cls(**kept | {"tables": tables, "targets": targets})


def values(results: Sequence[Result | None], figure: Figure) -> list[float | None]:
    """Return a figure of each run, None where it did not count."""
    return [None if result is None else figure(result) for result in results]


def median(results: Sequence[Result | None], figure: Figure) -> float | None:
    """Return the median of the runs that count."""
    known = [value for value in values(results, figure) if value is not None]
    return statistics.median(known) if known else None


def ratios(rounds: Rounds, figure: Figure, other: str) -> list[float]:
    """Return ours to the other's in each round in which both count."""
    pairs = zip(values(rounds[OURS], figure), values(rounds[other], figure), strict=True)
    return [our / their for our, their in pairs if our is not None and their]


def ratio(rounds: Rounds, figure: Figure, other: str) -> float | None:
    """Return the median of the rounds' ratios of ours to the other's."""
    found = ratios(rounds, figure, other)
    return statistics.median(found) if found else None


def spread(known: Sequence[float | None], digits: int) -> list[str]:
    """Return the cells for a median, and for the least and the most."""
    counted = [value for value in known if value is not None]
    if not counted:
        return [ABSENT, ABSENT]
    middle, least, most = statistics.median(counted), min(counted), max(counted)
    return [f"{middle:,.{digits}f}", f"{least:,.{digits}f} to {most:,.{digits}f}"]


def comparison(title: str, unit: str, rounds: Rounds, figure: Figure, digits: int = 2) -> Table:
    """Return a table with a row for each variant, and ours as a ratio to it."""
    table = Table(title, ["", unit, "least to most", "vStats to it", "least to most"])
    for variant, results in rounds.items():
        row = [LABELS.get(variant, variant), *spread(values(results, figure), digits)]
        if variant == OURS or OURS not in rounds:
            row += ["", ""]
        else:
            row += spread(ratios(rounds, figure, variant), 3)
        table.rows.append(row)
    return table


def machine() -> dict[str, str]:
    """Return what the figures depend on."""
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    versions = {}
    for name in ("websockets", "pydantic", "orjson", "uvloop", "psutil", "pluggy"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "vStats": " ".join(filter(None, (__version__, _commit()))),
        "CPU": f"{found[1] if found else platform.machine()}, {os.cpu_count()} cores",
        "kernel": platform.release(),
        "Python": sys.version.split()[0],
    } | versions


def _commit() -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    command = [git, "--no-optional-locks", "describe", "--always", "--dirty", "--exclude", "*"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def page(facts: dict[str, str], sections: dict[str, Section]) -> str:
    """Return everything as Markdown."""
    lines = [
        "# Benchmarks",
        "",
        ABOUT,
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in facts.items()),
        "",
        "## Targets",
        "",
        "| | at most | found | met |",
        "|---|--:|--:|---|",
    ]
    for section in sections.values():
        for target in section.targets:
            value = ABSENT if target.value is None else f"{target.value:.3g}{target.unit}"
            lines.append(
                f"| {target.what} | {target.at_most:g}{target.unit} | {value} | {target.met} |"
            )
    for section in sections.values():
        lines += ["", f"## {section.title}", "", section.about]
        for table in section.tables:
            rule = "|".join(["---"] + ["--:"] * (len(table.header) - 1))
            lines += ["", f"**{table.title}**", "", f"| {' | '.join(table.header)} |", f"|{rule}|"]
            lines += [f"| {' | '.join(row)} |" for row in table.rows]
        lines += [
            line
            for name, title in section.plots.items()
            for line in ("", f"![{title}](plots/{name})")
        ]
        if section.notes:
            lines += ["", *(f"* {note}" for note in section.notes)]
    return "\n".join(lines) + "\n"


def keep(file: Path, facts: dict[str, str], sections: dict[str, Section]) -> None:
    """Write everything down, so that one benchmark can be run again and the others stay."""
    content = {
        "machine": facts,
        "sections": {name: dataclasses.asdict(section) for name, section in sections.items()},
    }
    file.write_text(json.dumps(content, indent=1) + "\n")


def kept(file: Path) -> dict[str, Section]:
    """Return what was written down before, by benchmark."""
    if not file.exists():
        return {}
    sections = json.loads(file.read_text())["sections"]
    return {name: Section.load(section) for name, section in sections.items()}
