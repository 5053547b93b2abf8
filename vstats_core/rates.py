"""From a counter to a rate."""

__all__ = ["Rate"]


class Rate:
    """What a counter gains a second: 0 at the first reading and after it went backwards.

    A counter goes backwards when its machine was restarted or its device was replaced; the gain
    since then is unknown, and 0 is the only answer that is not made up.
    """

    __slots__ = ("_moment", "_value")

    def __init__(self) -> None:
        self._value = 0
        self._moment: float | None = None

    def update(self, value: int, moment: float) -> float:
        """Return the gain per second since the last reading; ``moment`` is monotonic seconds."""
        last_value, last_moment = self._value, self._moment
        self._value, self._moment = value, moment
        if last_moment is None or moment <= last_moment or value < last_value:
            return 0.0
        return (value - last_value) / (moment - last_moment)
