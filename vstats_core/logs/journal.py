"""Log to systemd's journal in its own language: fields beside the message, one event a datagram."""

import logging
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import PurePath

from vstats_core.logs.event import Events

__all__ = ["JournalHandler", "is_journal"]

SOCKET = "/run/systemd/journal/socket"
PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
"""From which level on a record has which of syslog(3)'s priorities."""
LONGEST_FIELD = 32 * 1024
"""Bytes: all fields together stay far below what a datagram may hold."""


def is_journal(descriptor: int, environment: Mapping[str, str]) -> bool:
    """Return whether what is written there goes to the journal: ``$JOURNAL_STREAM`` names it."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return environment.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


class JournalHandler(logging.Handler):
    """Sends each record with its event and its fields; in words, to standard error, if it cannot.

    Its formatter makes the message, so that no secret gets in; so do the fields go through it.
    """

    def __init__(self, events: Events, address: str = SOCKET) -> None:
        super().__init__()
        self._events = events
        self._address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # Whoever logs must not wait for the journal.
        self._socket.settimeout(0)

    def emit(self, record: logging.LogRecord) -> None:
        """See :class:`logging.Handler`."""
        try:
            message = self.format(record)
            priority = _priority(record.levelno)
            fields = {
                "MESSAGE": message,
                "PRIORITY": str(priority),
                "SYSLOG_IDENTIFIER": PurePath(sys.argv[0]).name,
                "CODE_FILE": record.pathname,
                "CODE_LINE": str(record.lineno),
                "CODE_FUNC": record.funcName or "",
                "LOGGER": record.name,
                **self.fields(record),
            }
            datagram = b"".join(_encode(name, value) for name, value in fields.items())
            try:
                self._socket.sendto(datagram, self._address)
            except OSError:
                sys.stderr.write(f"<{priority}>{message}\n")
        except Exception:  # noqa: BLE001 - logging's own way with what fails here
            self.handleError(record)

    def close(self) -> None:
        """See :class:`logging.Handler`."""
        self._socket.close()
        super().close()

    def fields(self, record: logging.LogRecord) -> dict[str, str]:
        """Return what the event is called and what it is about, empty for what is none of ours."""
        event = self._events.get((record.name, record.msg))
        if event is None:
            return {}
        arguments = record.args if isinstance(record.args, tuple) else ()
        values = zip(event.fields, arguments, strict=False)
        return {"VSTATS_EVENT": event.name} | {
            f"VSTATS_{name.upper()}": self._text(value) for name, value in values
        }

    def _text(self, value: object) -> str:
        bare = logging.LogRecord("", 0, "", 0, "%s", (value,), None)
        return self.format(bare)


def _priority(level: int) -> int:
    return next((priority for least, priority in PRIORITIES if level >= least), 7)


def _encode(name: str, value: str) -> bytes:
    """Return a field in the journal's native protocol; a value of several lines is framed."""
    content = value.encode(errors="replace")[:LONGEST_FIELD]
    if b"\n" in content:
        return b"%b\n%b%b\n" % (name.encode(), len(content).to_bytes(8, "little"), content)
    return b"%b=%b\n" % (name.encode(), content)
