"""A collector that numbers each report; the agents find it by an entry point, like anybody's.

The epoch is another one at each start. ``lab.faults.probe`` writes down which numbers were
reported: a collector cannot know whether its answer was too late for the report it was asked for.
"""

import secrets

from vstats_core import Fragment, hookimpl

__all__ = ["plugin"]


class Sequence:
    """Counts from 1 on."""

    def __init__(self) -> None:
        self._epoch = secrets.token_hex(4)
        self._number = 0

    @hookimpl
    def vstats_collect(self) -> Fragment:
        """Return the next number."""
        self._number += 1
        return {"sequence": {"epoch": self._epoch, "number": self._number}}


plugin = Sequence()
