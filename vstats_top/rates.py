"""How fast counters grow."""

__all__ = ["Rates"]


class Rates:
    """Remembers a host's counters from report to report."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, float, float | None]] = {}

    def of(self, key: str, value: float, at: float) -> float | None:
        """Return a counter's rate a second, or None as long as it was seen once only.

        ``at`` is when the report came; a counter that has gone backwards has no rate.
        """
        known = self._known.get(key)
        if known is None or at > known[1]:
            rate = None
            if known is not None and value >= known[0]:
                rate = (value - known[0]) / (at - known[1])
            self._known[key] = (value, at, rate)
        return self._known[key][2]
