"""Ask how full file systems are that may never answer, without waiting for a dead one."""

import logging
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import NamedTuple, TypeAlias

from vstats_collectors._mountinfo import Mount

__all__ = ["PATIENCE", "Ask", "Inquiry", "Usage"]

logger = logging.getLogger(__name__)

PATIENCE = 0.25
"""Seconds that one call waits, in all, for those that may never answer."""


class Usage(NamedTuple):
    """A file system's size, in bytes."""

    total: int
    used: int
    available: int
    """To an unprivileged user."""


Ask: TypeAlias = Callable[[str], Usage]
"""Takes a mount point; may block for ever, or raise OSError."""


class Question:
    """A size that is asked for in a daemon thread of its own."""

    def __init__(self, ask: Ask, point: str) -> None:
        self.answer: Usage | None = None
        """None also for a mount that answers with an error."""
        self.over = threading.Event()
        # A daemon: a question that is never answered must not keep the process from ending.
        threading.Thread(target=self._put, args=(ask, point), name="mount", daemon=True).start()

    def _put(self, ask: Ask, point: str) -> None:
        try:
            with suppress(OSError):
                self.answer = ask(point)
        finally:
            self.over.set()


class Inquiry:
    """Asks mounts that may never answer, with one question in flight for each."""

    def __init__(self, ask: Ask, patience: float) -> None:
        self._ask = ask
        self._patience = patience
        self._in_flight: dict[tuple[str, str], Question] = {}
        self._silent: set[tuple[str, str]] = set()

    def usages(self, mounts: Collection[Mount]) -> dict[Mount, Usage]:
        """Return the sizes that came within the patience, or since the previous round.

        A question of an earlier round is not waited for, and no second one is asked beside it.
        """
        in_flight = {key: old for key, old in self._in_flight.items() if not old.over.is_set()}
        since = {key: old for key, old in self._in_flight.items() if key not in in_flight}
        asked = {
            mount: Question(self._ask, mount.point)
            for mount in mounts
            if _key(mount) not in in_flight
        }
        self._in_flight = in_flight | {_key(mount): asked[mount] for mount in asked}
        self._silent.intersection_update(map(_key, mounts))
        deadline = time.monotonic() + self._patience
        usages = {}
        for mount in mounts:
            question = asked.get(mount)
            if question is None:
                self._missed(mount)
                continue
            self._heard(mount)
            over = question.over.wait(max(0.0, deadline - time.monotonic()))
            # What is slow, but answers before the next round, is reported a round later.
            late = since.get(_key(mount))
            answer = question.answer if over else late.answer if late is not None else None
            if answer is not None:
                usages[mount] = answer
        return usages

    def _missed(self, mount: Mount) -> None:
        if _key(mount) not in self._silent:
            self._silent.add(_key(mount))
            logger.warning("mount %r does not answer; left out until it does", mount.point)

    def _heard(self, mount: Mount) -> None:
        if _key(mount) in self._silent:
            self._silent.remove(_key(mount))
            logger.info("mount %r answers again", mount.point)


def _key(mount: Mount) -> tuple[str, str]:
    # With the device, so that a mount that replaces a dead one is asked.
    return mount.point, mount.device
