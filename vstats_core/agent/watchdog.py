"""End the process when a collector holds the interpreter's lock: no thread can prevent that."""

import asyncio
import faulthandler
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["watched"]

PATIENCE = 60.0
"""Seconds that the event loop may stand still."""


@contextmanager
def watched(patience: float = PATIENCE) -> Iterator[None]:
    """End the process with 1 when the running event loop stands still for so long.

    What every thread was doing goes to standard error first; each collector's thread shows a
    frame with its name. A service manager then starts the agent again.
    """
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle

    def rearm() -> None:
        nonlocal timer
        # A thread of C's, which needs no lock of Python's to do its work.
        faulthandler.dump_traceback_later(patience, exit=True, file=sys.stderr)
        timer = loop.call_later(patience / 6, rearm)

    rearm()
    try:
        yield
    finally:
        timer.cancel()
        faulthandler.cancel_dump_traceback_later()
