"""Logging for both programs: one line an event, on standard error, with nothing secret in it."""

import logging
import os
import re
import sys
from collections.abc import Hashable

from vstats_core.logs.event import EVENTS, Events
from vstats_core.logs.journal import JournalHandler, is_journal

__all__ = ["configure", "printable", "worth_logging"]

SECRETS = re.compile(r"(token=|Bearer\s+|Basic\s+)[^\s&\"',;]+", re.IGNORECASE)
MOST_KEYS = 1000
LINE = "%(asctime)s %(levelname)s %(message)s"


class OneLine(logging.Formatter):
    """Formats a record without secrets, and without control characters to forge a line with."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text."""
        text = SECRETS.sub(r"\1***", super().format(record))
        return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line, before any traceback."""
        line = super().formatMessage(record) + getattr(record, "left_out", "")
        return line.replace("\n", "?")


class Flood(logging.Filter):
    """Lets only so much through of what comes again and again: nobody may fill the disk.

    Each logger that is not ours, and each event of ours for each host, address or collector, may
    log a few lines at once and one every few seconds after; how many were left out is said in the
    next line that passes.
    """

    BURST = 10
    EVERY = 6.0
    OURS = ("vstats_core", "vstats_server", "vstats_collectors")

    def __init__(self, events: Events = EVENTS) -> None:
        super().__init__()
        self._events = events
        self._credit: dict[Hashable, tuple[float, float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record passes."""
        key = self._key(record)
        if key is None:
            return True
        if len(self._credit) > MOST_KEYS:
            self._credit.clear()
        credit, then, left_out = self._credit.get(key, (self.BURST, record.created, 0))
        credit = min(self.BURST, credit + max(0.0, record.created - then) / self.EVERY)
        if credit < 1:
            self._credit[key] = credit, record.created, left_out + 1
            return False
        self._credit[key] = credit - 1, record.created, 0
        if left_out:
            # Behind the message that names the event, which must stay as it is.
            record.left_out = f" ({left_out} more left out)"
        return True

    def _key(self, record: logging.LogRecord) -> Hashable | None:
        """Return whose credit the record takes, or None where nothing need be limited."""
        if record.name.partition(".")[0] not in self.OURS:
            return record.name
        event = self._events.get((record.name, record.msg))
        if event is None or event.subject is None or not isinstance(record.args, tuple):
            return None
        return event.name, str(record.args[event.fields.index(event.subject)])


def configure(*, verbose: bool = False, events: Events = EVENTS) -> None:
    """Send the log of the whole program to the journal, or else to standard error."""
    handler: logging.Handler
    if is_journal(2, os.environ):
        # It stamps every line itself, and shows the level its own way.
        handler = JournalHandler(events)
        handler.setFormatter(OneLine("%(message)s"))
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(OneLine(LINE))
    handler.addFilter(Flood(events))
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler])
    # websockets logs every request, its token included, at DEBUG, and every refusal at INFO.
    logging.getLogger("websockets").setLevel(logging.WARNING)


def worth_logging(count: int) -> bool:
    """Return whether the count-th repetition is logged: the first, the second, the fourth ..."""
    return count & (count - 1) == 0


def printable(text: str, longest: int = 200) -> str:
    """Return the start of a stranger's text, safe to print on one line."""
    return "".join(c if c.isprintable() else "?" for c in text[:longest])
