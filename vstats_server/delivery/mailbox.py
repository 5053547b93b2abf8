"""What waits for a reader that is slower than its news: the newest value of each topic."""

from typing import Generic, TypeVar

__all__ = ["Mailbox"]

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Values in the order in which they are due, at most one a topic.

    A newer value takes the place of an older one of its topic, and keeps that one's turn, so that
    a busy topic cannot push itself to the end for ever. A value without a topic is never replaced.
    """

    __slots__ = ("_serial", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[str | int, T] = {}
        self._serial = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, topic: str, value: T) -> bool:
        """Let the value wait in place of an older one of the same topic; return if one did."""
        replaced = topic in self._waiting
        self._waiting[topic] = value
        return replaced

    def append(self, value: T) -> None:
        """Let the value wait after all others, never to be replaced."""
        self._serial += 1
        self._waiting[self._serial] = value

    def discard(self, topic: str) -> None:
        """Forget what waits under the topic."""
        self._waiting.pop(topic, None)

    def take(self) -> T:
        """Remove and return the value whose turn it is; the mailbox must not be empty."""
        return self._waiting.pop(next(iter(self._waiting)))
