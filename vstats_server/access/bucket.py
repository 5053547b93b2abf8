"""How many messages a peer may send."""

__all__ = ["TokenBucket"]


class TokenBucket:
    """Lets ``rate`` messages a second pass for long, and ``burst`` at once."""

    __slots__ = ("_burst", "_level", "_moment", "_rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = float(burst)
        self._moment = now

    def take(self, now: float) -> bool:
        """Return whether one more message may pass; ``now`` is monotonic seconds."""
        self._level = min(self._burst, self._level + (now - self._moment) * self._rate)
        self._moment = now
        if self._level < 1:
            return False
        self._level -= 1
        return True
