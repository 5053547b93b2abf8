"""Let what arrives gather for a moment, as network cards do: interrupt moderation.

While reports keep coming, dashboards are written to once a write interval. To read each report
the moment it is there brings it to nobody any sooner, and to wake up for it costs more than all
else that is done with it.
"""

import asyncio
import selectors
import time
from collections.abc import Callable

__all__ = ["ModeratedEventLoop", "ModeratedSelector"]

Ready = list[tuple[selectors.SelectorKey, int]]


class ModeratedSelector(selectors.DefaultSelector):
    """A selector that, where it would wait, first waits for more than one thing.

    Attributes:
        pause: Seconds for which what arrives may gather; 0 for not at all.
    """

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        super().__init__()
        self.pause = 0.0
        self._sleep = sleep

    def select(self, timeout: float | None = None) -> Ready:
        """See :meth:`selectors.BaseSelector.select`."""
        if not self.pause or (timeout is not None and timeout <= 0):
            return super().select(timeout)
        # Who is behind has nothing to wait for.
        if ready := super().select(0):
            return ready
        # What is due at a time is not late for it.
        pause = self.pause if timeout is None else min(self.pause, timeout)
        self._sleep(pause)
        return super().select(None if timeout is None else max(0.0, timeout - pause))


class ModeratedEventLoop(asyncio.SelectorEventLoop):
    """asyncio's event loop, whose reading can be moderated."""

    def __init__(self) -> None:
        self._moderated = ModeratedSelector()
        super().__init__(self._moderated)

    def moderate(self, pause: float) -> None:
        """Let what arrives gather for so many seconds from now on; 0 for not at all."""
        self._moderated.pause = pause
