"""How late the event loop is: what everything that the relay does has to wait for."""

import asyncio
import time
from bisect import bisect_left
from collections.abc import Callable

__all__ = ["LoopLag"]

EVERY = 0.1
"""Seconds between two looks: ten wake-ups a second cost nothing that could be measured."""


class LoopLag:
    """A histogram of how much later than asked for the loop has called back.

    Attributes:
        counts: Looks by bucket, not cumulative; the last is for what is beyond all ``BOUNDS``.
        total: Seconds of lag of all looks together.
    """

    BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
    """Upper bounds of the buckets, in seconds."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        # The loop's own clock may be the time at which its round began.
        self._now = now
        self.counts = [0] * (len(self.BOUNDS) + 1)
        self.total = 0.0

    def observe(self, lag: float) -> None:
        """Count one look."""
        lag = max(0.0, lag)
        self.counts[bisect_left(self.BOUNDS, lag)] += 1
        self.total += lag

    async def watch(self) -> None:
        """Look, for ever."""
        while True:
            due = self._now() + EVERY
            await asyncio.sleep(EVERY)
            self.observe(self._now() - due)
