"""Know which threads a collector has started and left running."""

import sys
import threading
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

__all__ = ["Offspring"]

_families: "WeakKeyDictionary[threading.Thread, Offspring]" = WeakKeyDictionary()
_STARTS = frozenset({"_thread.start_new_thread", "_thread.start_joinable_thread"})


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


def _on_audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _STARTS:
        # Python tells of a new thread on the one that starts it (sys.audit).
        family = _families.get(threading.current_thread())
        thread = getattr(arguments[0], "__self__", None)
        if family is not None and isinstance(thread, threading.Thread):
            family._add(thread)  # noqa: SLF001


_watching = threading.Lock()


def _watch() -> None:
    # An audit hook cannot be taken out again: one is enough for all, for ever.
    if _watching.acquire(blocking=False):
        sys.addaudithook(_on_audit)
