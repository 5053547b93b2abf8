"""Know which threads a collector has started and left running."""

import threading
from weakref import WeakKeyDictionary, WeakSet

__all__ = ["Offspring"]

_families: "WeakKeyDictionary[threading.Thread, Offspring]" = WeakKeyDictionary()


class Offspring:
    """The threads that one thread, and those that it started, have started."""

    def __init__(self, parent: threading.Thread) -> None:
        self._threads: WeakSet[threading.Thread] = WeakSet()
        _families[parent] = self
        _watch()

    def count(self) -> int:
        """Return how many of them are running."""
        return sum(thread.is_alive() for thread in list(self._threads))

    def _add(self, thread: threading.Thread) -> None:
        self._threads.add(thread)
        _families[thread] = self


_start = threading.Thread.start


def _noted_start(thread: threading.Thread) -> None:
    family = _families.get(threading.current_thread())
    if family is not None:
        family._add(thread)  # noqa: SLF001
    _start(thread)


def _watch() -> None:
    # Python does not say who has started a thread (an audit event tells of it from 3.12 on), and
    # guessing by time would blame whoever happened to run just then.
    threading.Thread.start = _noted_start  # type: ignore[method-assign, assignment]
