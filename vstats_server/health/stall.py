"""Notice that this very process has stood still: stopped, swapped out, paused with its machine."""

from collections.abc import Callable

__all__ = ["Standstill"]

LONGEST = 5.0
"""Seconds between two looks, one of which is due every second, that are nothing to speak of."""


class Standstill:
    """Looks at the clock, once a second and before anything is concluded from a silence."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._looked_at = monotonic()

    def look(self) -> float:
        """Return the seconds of a standstill that has ended just now, else 0."""
        now = self._monotonic()
        seconds, self._looked_at = now - self._looked_at, now
        return seconds if seconds > LONGEST else 0.0
