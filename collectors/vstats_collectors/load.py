"""Decide how long the queue for the processors is."""

import os
from collections.abc import Callable

from vstats_core import Fragment, hookimpl

__all__ = ["LoadCollector", "plugin"]


def read_load() -> tuple[float, float, float]:
    """Return the kernel's averages over 1, 5 and 15 minutes.

    Raises:
        AttributeError: on a platform that has none.
        OSError: where they cannot be had.
    """
    return os.getloadavg()


class LoadCollector:
    """Collects ``load_average``."""

    def __init__(self, *, read: Callable[[], tuple[float, float, float]] = read_load) -> None:
        self._read = read

    @hookimpl
    def vstats_collect(self) -> Fragment:
        """Return the kernel's load averages, to two decimals; zeros where the platform has none."""
        try:
            one, five, fifteen = self._read()
        except (AttributeError, OSError):
            one = five = fifteen = 0.0
        averages = {"one": one, "five": five, "fifteen": fifteen}
        return {"load_average": {name: round(load, 2) for name, load in averages.items()}}


plugin = LoadCollector()
