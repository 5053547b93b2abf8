"""Notice that files have changed, by looking at them: an edit needs no signal."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

__all__ = ["LOOK_INTERVAL", "watch_files"]

logger = logging.getLogger(__name__)

LOOK_INTERVAL = 0.4
"""Seconds between two looks."""


async def watch_files(
    files: Callable[[], Sequence[Path]], changed: Callable[[], Awaitable[None]]
) -> None:
    """Call ``changed`` whenever one of the files has, which the first look finds it has."""
    # An edit may have come between the load and the start.
    seen: list[tuple[int, ...]] | None = None
    while True:
        await asyncio.sleep(LOOK_INTERVAL)
        # Off the loop: /etc may be anywhere.
        found = await asyncio.to_thread(_signatures, files())
        if found != seen:
            seen = found
            try:
                await changed()
            except Exception:
                # A fault of ours with one state of a file must not end the watch.
                logger.exception("the configuration could not be reloaded")


def _signatures(files: Sequence[Path]) -> list[tuple[int, ...]]:
    return [_signature(file) for file in files]


def _signature(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode, found.st_ctime_ns
