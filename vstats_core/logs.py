"""Logging for both programs: one line an event, on standard error, with nothing secret in it."""

import logging
import os
import re
import sys

__all__ = ["configure", "printable", "worth_logging"]

SECRETS = re.compile(r"(token=|Bearer\s+|Basic\s+)[^\s&\"',;]+", re.IGNORECASE)
MOST_LOGGERS = 1000
LINE = "%(asctime)s %(levelname)s %(message)s"


class OneLine(logging.Formatter):
    """Formats a record without secrets, and without control characters to forge a line with."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text."""
        text = SECRETS.sub(r"\1***", super().format(record))
        return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line, before any traceback."""
        return super().formatMessage(record).replace("\n", "?")


class Flood(logging.Filter):
    """Lets only so much through of what others log: a collector must not fill the disk.

    Each logger that is not ours may log a few lines at once and one every few seconds after; how
    many were left out is said in the next line that passes.
    """

    BURST = 10
    EVERY = 6.0
    OURS = ("vstats_core", "vstats_server", "vstats_collectors")

    def __init__(self) -> None:
        super().__init__()
        self._credit: dict[str, tuple[float, float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record passes."""
        if record.name.partition(".")[0] in self.OURS:
            return True
        if len(self._credit) > MOST_LOGGERS:
            self._credit.clear()
        credit, then, left_out = self._credit.get(record.name, (self.BURST, record.created, 0))
        credit = min(self.BURST, credit + max(0.0, record.created - then) / self.EVERY)
        if credit < 1:
            self._credit[record.name] = credit, record.created, left_out + 1
            return False
        self._credit[record.name] = credit - 1, record.created, 0
        if left_out:
            record.msg, record.args = f"{record.getMessage()} ({left_out} more left out)", None
        return True


def configure(*, verbose: bool = False) -> None:
    """Send the log of the whole program to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    # The journal stamps every line itself.
    journal = "JOURNAL_STREAM" in os.environ
    handler.setFormatter(OneLine("%(levelname)s %(message)s" if journal else LINE))
    handler.addFilter(Flood())
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler])
    # websockets logs every request, its token included, at DEBUG, and every refusal at INFO.
    logging.getLogger("websockets").setLevel(logging.WARNING)


def worth_logging(count: int) -> bool:
    """Return whether the count-th repetition is logged: the first, the second, the fourth ..."""
    return count & (count - 1) == 0


def printable(text: str, longest: int = 200) -> str:
    """Return the start of a stranger's text, safe to print on one line."""
    return "".join(c if c.isprintable() else "?" for c in text[:longest])
