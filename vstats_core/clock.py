"""Time, handed in as an argument so that a test can hold it still."""

import time

__all__ = ["Clock", "rfc3339"]


class Clock:
    """The machine's two clocks: one to measure spans with, one to tell the time by."""

    def monotonic(self) -> float:
        """Return seconds that only ever grow, whatever happens to the wall clock."""
        return time.monotonic()

    def unix(self) -> float:
        """Return seconds since 1970; they may jump, either way."""
        return time.time()

    def utc(self, ago: float = 0.0) -> str:
        """Return the moment that many seconds ago, as the wire writes it."""
        return rfc3339(self.unix() - ago)


def rfc3339(seconds: float) -> str:
    """Return a moment, in seconds since 1970, as RFC 3339 in UTC and whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
