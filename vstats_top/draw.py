"""Small things that are drawn with characters: cells, bars, lines. Styles are Rich's."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from vstats_top.levels import LEVELS, SIGNS, level
from vstats_top.store import Point

__all__ = [
    "DIM",
    "LEVEL_STYLES",
    "Spans",
    "bar",
    "cores",
    "figure",
    "left",
    "line",
    "right",
    "text_of",
]

Spans = list[tuple[str, str]]
"""Pieces of text, each with its style."""

TEXT, DIM, FAINT = "#d8dee9", "#8a94a6", "#4a5261"
LEVEL_STYLES = ("", "bold #f2c55c", "bold #ff7b72")
LINE = "#5fa8d3"
# Without the full block, so that a line does not run into the one above it.
BLOCKS = "▁▂▃▄▅▆▇"
LONGEST_GAP = 2.5
"""Intervals without a report after which a line is broken."""


def text_of(spans: Iterable[tuple[str, str]]) -> Text:
    """Return the pieces as one; nothing in them is taken for markup."""
    text = Text(no_wrap=True, end="")
    for piece, style in spans:
        text.append(piece, style)
    return text


def left(text: str, width: int, style: str = "") -> Spans:
    """Return the text in that many cells, cut with an ellipsis where it is longer."""
    if cell_len(text) > width:
        text = f"{set_cell_size(text, width - 1)}…" if width else ""
    return [(set_cell_size(text, width), style)]


def right(text: str, width: int, style: str = "") -> Spans:
    """Return the text at the right of that many cells."""
    missing = width - cell_len(text)
    return [(" " * missing + text, style)] if missing >= 0 else left(text, width, style)


def figure(text: str, worst: int, width: int, style: str = "") -> Spans:
    """Return a number at the right, with the sign and the colour of its level."""
    return right(f"{SIGNS[worst]}{text}", width, LEVEL_STYLES[worst] or style)


def bar(share: float | None, width: int, worst: int = 0, style: str = LINE) -> Spans:
    """Return a bar of a share, 0 to 1, fine to half a cell."""
    if share is None:
        return [(" " * width, "")]
    halves = round(min(1.0, max(0.0, share)) * width * 2)
    full, half = divmod(halves, 2)
    fill = "━" * full + "╸" * half
    return [(fill, LEVEL_STYLES[worst] or style), ("─" * (width - len(fill)), FAINT)]


def line(  # noqa: PLR0913, PLR0917 - what, where, how large, in which colour
    points: Sequence[Point], key: str, width: int, interval: float, top: float, style: str = LINE
) -> Spans:
    """Return the newest values as blocks, one a cell; a gap stays a gap."""
    cells: list[str] = []
    longest = max(LONGEST_GAP * interval, LONGEST_GAP)
    newest = list(points)[-width:]
    for before, point in pairwise([None, *newest]):
        assert point is not None  # noqa: S101 - only the first is none
        missing = 0 if before is None else point.at - before.at
        if missing > longest:
            cells += " " * min(width, max(1, round(missing / max(interval, 1.0)) - 1))
        number = getattr(point, key)
        cells.append(" " if number is None else _block(number / top if top else 0.0))
    return [("".join(cells)[-width:].rjust(width), style)]


def cores(shares: Sequence[float], width: int) -> list[Spans]:
    """Return a block for each core, coloured by its level, in rows of so many cells at most."""
    rows = []
    # Where there is room they stand apart.
    apart = " " if 2 * len(shares) <= width else ""
    for start in range(0, len(shares), width):
        row: Spans = []
        for share in shares[start : start + width]:
            style = LEVEL_STYLES[level(share, LEVELS["cpu"])] or LINE
            row.append((_block(share / 100) + apart, style))
        rows.append(row)
    return rows


def _block(share: float) -> str:
    return BLOCKS[min(len(BLOCKS) - 1, max(0, int(share * len(BLOCKS))))]
