"""How long to wait before the next attempt to connect."""

import random
from collections.abc import Callable

__all__ = ["Backoff"]


class Backoff:
    """1 s, doubling to 30 s, each multiplied by a random 0.5 to 1.0, so that a herd spreads out."""

    FIRST = 1.0
    LONGEST = 30.0
    HEALTHY = 10.0
    """Seconds a connection must live for the next failure to start over at the first delay."""

    def __init__(self, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self._uniform = uniform
        self._delay = self.FIRST

    def next(self) -> float:
        """Return the seconds to wait now."""
        delay, self._delay = self._delay, min(self._delay * 2, self.LONGEST)
        return self._spread(delay)

    def longest(self) -> float:
        """Return the seconds to wait after a refusal that only a person can lift."""
        self._delay = self.LONGEST
        return self._spread(self.LONGEST)

    def lived(self, seconds: float) -> None:
        """Take note of how long a connection lived."""
        if seconds >= self.HEALTHY:
            self._delay = self.FIRST

    def _spread(self, delay: float) -> float:
        return delay * self._uniform(0.5, 1.0)
