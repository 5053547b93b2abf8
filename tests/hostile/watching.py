"""What must hold whatever a peer does: nobody waits for long, and the log stays sober."""

import asyncio.events
import contextlib
import gc
import logging
import time
from collections.abc import Iterator
from unittest import mock

import orjson

from vstats_core.logs.setup import OneLine

LONGEST_TURN = 0.05
"""Seconds that one peer's input may keep the event loop from everybody else."""
LONGEST_LINE = 500
YARDSTICK = b"[" + b",".join([b"[" * 250 + b"]" * 250] * 500) + b"]"
YARDSTICK_TAKES = 0.0066
"""Seconds to read it with nothing else going on, on the machine that the limit was made for."""


def assert_short(seconds: float, what: str) -> None:
    """Fail when a turn took too long, on a machine that is at its best.

    One whose processors are shared with others' work counts more CPU time for the same work, so
    work that never changes is measured beside it.
    """
    if seconds < LONGEST_TURN:
        return
    slower = min(_read_yardstick() for _ in range(5)) / YARDSTICK_TAKES
    assert seconds < LONGEST_TURN * max(1.0, slower), what


def _read_yardstick() -> float:
    gc.disable()
    try:
        before = time.thread_time()
        orjson.loads(YARDSTICK)
        return time.thread_time() - before
    finally:
        gc.enable()


class Turns:
    """How long the event loop's longest turn took, in seconds of the thread's own CPU time.

    What the machine does besides does not count; what blocks without computing is blockbuster's
    to find.
    """

    def __init__(self) -> None:
        self.longest = 0.0
        self.what = ""

    @contextlib.contextmanager
    def watched(self) -> Iterator["Turns"]:
        run = asyncio.events.Handle._run

        def timed(handle: asyncio.events.Handle) -> None:
            what = repr(handle)
            before = time.thread_time()
            run(handle)
            took = time.thread_time() - before
            if took > self.longest:
                self.longest, self.what = took, what

        # What the test runner holds is a hundred times what a relay does, and none of its garbage.
        gc.collect()
        gc.freeze()
        try:
            with mock.patch.object(asyncio.events.Handle, "_run", timed):
                yield self
        finally:
            gc.unfreeze()


def shown(records: list[logging.LogRecord]) -> list[logging.LogRecord]:
    """Return the records that the programs would print; see ``vstats_core.logs.setup.configure``."""
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
