"""Write the table of ``docs/reliability.md``."""

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path

from lab.faults.row import Row

__all__ = ["keep", "kept", "put", "table"]

BEGIN, END = "<!-- made by make faults: begin -->", "<!-- made by make faults: end -->"
HEADER = (
    "fault",
    "how it was injected",
    "times",
    "collected",
    "arrived",
    "lost while down",
    "lost while up",
    "back after: median",
    "worst",
    "bound",
    "held",
)
RIGHT = range(2, 10)


def table(facts: Mapping[str, str], rows: Mapping[str, list[Row]]) -> str:
    """Return the machine and the rows as Markdown."""
    lines = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts.items()), ""]
    lines.append(f"| {' | '.join(HEADER)} |")
    lines.append(f"|{'|'.join('--:' if at in RIGHT else '---' for at in range(len(HEADER)))}|")
    remarks = []
    for row in (row for found in rows.values() for row in found):
        mark = ""
        if row.remark:
            remarks.append(row.remark)
            mark = f" [{len(remarks)}]"
        cells = [
            row.fault + mark,
            row.how,
            f"{row.times:,}",
            *(f"{count:,}" for count in (row.collected, row.arrived)),
            *(f"{count:,}" for count in (row.while_down, row.while_up)),
            _seconds(row.median),
            _seconds(row.worst),
            f"{row.bound:g} s" if row.recoveries else "-",
            "**no**: " + "; ".join(row.failures) if row.failures else "yes",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *(f"[{number}] {text}  " for number, text in enumerate(remarks, 1))]
    return "\n".join(lines)


def put(page: Path, text: str) -> None:
    """Put the table between its two marks."""
    old = page.read_text()
    pattern = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    page.write_text(pattern.sub(lambda _: f"{BEGIN}\n{text}\n{END}", old))


def keep(file: Path, facts: Mapping[str, str], rows: Mapping[str, list[Row]]) -> None:
    """Write everything down, so that one fault can be played again and the others stay."""
    kept = {name: [dataclasses.asdict(row) for row in found] for name, found in rows.items()}
    content = json.dumps({"machine": facts, "faults": kept}, indent=1)
    # A number a line would be thousands of lines.
    content = re.sub(r"\[[\d.,\s]+\]", lambda found: re.sub(r"\s+", "", found[0]), content)
    file.write_text(content + "\n")


def kept(file: Path) -> dict[str, list[Row]]:
    """Return what was written down before."""
    if not file.exists():
        return {}
    faults = json.loads(file.read_text())["faults"]
    return {name: [Row.load(row) for row in rows] for name, rows in faults.items()}


def _seconds(value: float) -> str:
    if math.isnan(value):
        return "-"
    return "never" if math.isinf(value) else f"{value:.1f} s"
