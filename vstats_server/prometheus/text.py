"""Write Prometheus' text format: families in one piece, names in order, strings escaped."""

from collections.abc import Iterator
from typing import Literal

__all__ = ["CONTENT_TYPE", "Families", "FamilyType", "label"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LONGEST_VALUE = 200
"""Characters of a label's value; whoever writes novels gets their beginning."""

FamilyType = Literal["counter", "gauge", "histogram"]

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def label(name: str, value: str) -> str:
    """Return ``name="value"``; control characters become question marks."""
    if len(value) > LONGEST_VALUE:
        value = f"{value[:LONGEST_VALUE]}…"
    if not value.isprintable():
        value = "".join(c if c.isprintable() or c == "\n" else "?" for c in value)
    return f'{name}="{value.translate(_ESCAPES)}"'


class Families:
    """The samples of one answer, by family: the format wants each family's in one piece."""

    def __init__(self) -> None:
        self._heads: dict[str, str] = {}
        self._lines: dict[str, list[str]] = {}

    def declare(self, name: str, kind: FamilyType, about: str) -> None:
        """Say what a family is, before its first sample; the first to say so is right."""
        if name not in self._lines:
            about = about.replace("\\", r"\\").replace("\n", r"\n")
            self._heads[name] = f"# HELP {name} {about}\n# TYPE {name} {kind}\n"
            self._lines[name] = []

    def add(self, name: str, labels: str, value: float) -> None:
        """Add a sample of a family that was declared; ``labels`` are joined by commas, or empty."""
        self._lines[name].append(f"{name}{{{labels}}} {value}\n" if labels else f"{name} {value}\n")

    def add_histogram(
        self, name: str, bounds: tuple[float, ...], counts: list[int], total: float
    ) -> None:
        """Add a histogram without labels; ``counts`` has one more, for what is beyond."""
        lines, below = self._lines[name], 0
        for bound, count in zip((*map(str, bounds), "+Inf"), counts, strict=True):
            below += count
            lines.append(f'{name}_bucket{{le="{bound}"}} {below}\n')
        lines.append(f"{name}_sum {total}\n{name}_count {below}\n")

    def chunks(self) -> Iterator[bytes]:
        """Return the text of each family that has samples, by name."""
        for name in sorted(self._lines):
            if lines := self._lines[name]:
                yield (self._heads[name] + "".join(lines)).encode()
