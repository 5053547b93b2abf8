"""Say in a line, once a minute, that descriptors run out: new connections are lost then.

asyncio would print a traceback a second; uvloop closes each new connection without a word.
"""

import asyncio
import errno
import logging
import resource
from typing import Any

from vstats_core.clock import Clock

__all__ = ["Descriptors"]

logger = logging.getLogger(__name__)

OURS = 16
"""Descriptors that are no connections: the listening sockets, the loop's own, a file or two."""
PAUSE = 60.0
EXHAUSTED = {errno.EMFILE, errno.ENFILE}


class Descriptors:
    """Watches how many are left."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._quiet_until = 0.0

    def look(self, connections: int) -> None:
        """Complain if so many connections leave no descriptor for another one."""
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if connections + OURS > limit:
            self._complain()

    def handle_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Be an event loop's exception handler: complain of what is ours, leave it all else."""
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in EXHAUSTED:
            self._complain()
        else:
            loop.default_exception_handler(context)

    def _complain(self) -> None:
        now = self._clock.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + PAUSE
            limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            logger.warning(
                "all %d descriptors are in use, new connections are lost; raise the limit "
                "(LimitNOFILE, ulimit -n)",
                limit,
            )
