"""What must hold whatever a peer does: nobody waits for long, and the log stays sober."""

import asyncio.events
import contextlib
import gc
import logging
import time
from collections.abc import Iterator
from unittest import mock

from vstats_core.logs import OneLine

LONGEST_TURN = 0.05
"""Seconds that one peer's input may keep the event loop from everybody else."""
LONGEST_LINE = 500


def _pace() -> float:
    """Return the seconds of CPU that a piece of work takes just now."""
    before = time.thread_time()
    sum(int(str(number)) for number in range(2000))
    return time.thread_time() - before


BEST_PACE = min(_pace() for _ in range(50))


def allowed() -> float:
    """Return what of its own CPU time a turn may take just now.

    On a machine whose cores are busy with other things, the same work takes two or three times
    the CPU time that it does on one that is not.
    """
    return LONGEST_TURN * max(1.0, sorted(_pace() for _ in range(9))[4] / BEST_PACE)


class Turns:
    """How long the event loop's longest turn took, in seconds of the thread's own CPU time.

    What the machine does besides does not count; what blocks without computing is blockbuster's
    to find.
    """

    def __init__(self) -> None:
        self.longest = 0.0
        self.excess = 0.0
        """How much longer than allowed a turn took."""
        self.what = ""

    @contextlib.contextmanager
    def watched(self) -> Iterator["Turns"]:
        run = asyncio.events.Handle._run

        def timed(handle: asyncio.events.Handle) -> None:
            what = repr(handle)
            before = time.thread_time()
            run(handle)
            took = time.thread_time() - before
            self.longest = max(self.longest, took)
            if took > LONGEST_TURN and took - allowed() > self.excess:
                self.excess, self.what = took - allowed(), what

        # What the test runner holds is a hundred times what a relay does, and none of its garbage.
        gc.collect()
        gc.freeze()
        try:
            with mock.patch.object(asyncio.events.Handle, "_run", timed):
                yield self
        finally:
            gc.unfreeze()


def shown(records: list[logging.LogRecord]) -> list[logging.LogRecord]:
    """Return the records that the programs would print; see ``vstats_core.logs.configure``."""
    return [
        record
        for record in records
        if record.levelno >= logging.WARNING
        or (record.levelno >= logging.INFO and record.name.startswith("vstats_"))
    ]


def assert_sober(records: list[logging.LogRecord], *secrets: str) -> None:
    """Fail on a traceback, a secret, a control character or a line without an end."""
    formatter = OneLine("%(message)s")
    for record in shown(records):
        line = formatter.format(record)
        assert record.exc_info is None, line
        assert len(line) <= LONGEST_LINE, line[:1000]
        assert line.isprintable(), repr(line)
        for secret in secrets:
            assert secret not in record.getMessage(), line
