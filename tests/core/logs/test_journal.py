import logging
import os
import socket
import sys

import pytest

from vstats_core.logs.event import EVENTS
from vstats_core.logs.journal import JournalHandler, is_journal
from vstats_core.logs.setup import OneLine


@pytest.fixture
def journal(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "socket"))
        bound.settimeout(5)
        yield bound


@pytest.fixture
def log(journal):
    """Return a function that logs a record and returns what the journal got."""
    handler = JournalHandler(EVENTS, journal.getsockname())
    handler.setFormatter(OneLine("%(message)s"))

    def log(name, level, message, *arguments, exc_info=None):
        record = logging.LogRecord(name, level, "x.py", 7, message, arguments, exc_info, "f")
        handler.emit(record)
        return parsed(journal.recv(200_000))

    yield log
    handler.close()


def parsed(datagram):
    """Read the journal's native protocol, as systemd describes it."""
    fields = {}
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            size = int.from_bytes(rest[:8], "little")
            value, rest = rest[8 : 8 + size], rest[8 + size :].removeprefix(b"\n")
        fields[name.decode()] = value.decode()
        datagram = rest
    return fields


def test_an_event_arrives_with_its_name_and_its_fields(log):
    fields = log(
        "vstats_core.agent.workers",
        logging.WARNING,
        "collector %s failed (%d in a row): %s",
        "fans",
        2,
        "x=y",
    )

    assert fields.pop("SYSLOG_IDENTIFIER")
    assert fields == {
        "MESSAGE": "collector fans failed (2 in a row): x=y",
        "PRIORITY": "4",
        "CODE_FILE": "x.py",
        "CODE_LINE": "7",
        "CODE_FUNC": "f",
        "LOGGER": "vstats_core.agent.workers",
        "VSTATS_EVENT": "collector_failed",
        "VSTATS_COLLECTOR": "fans",
        "VSTATS_FAILURES": "2",
        "VSTATS_ERROR": "x=y",
    }


@pytest.mark.parametrize(
    ("level", "priority"),
    [
        (logging.DEBUG, "7"),
        (logging.INFO, "6"),
        (logging.WARNING, "4"),
        (logging.ERROR, "3"),
        (50, "3"),
        (1, "7"),
    ],
)
def test_a_level_has_its_priority(log, level, priority):
    assert log("acme", level, "x")["PRIORITY"] == priority


def test_a_traceback_arrives_whole_and_as_one_entry(log):
    try:
        {}["a\nMESSAGE=forged"]
    except KeyError:
        fields = log("acme", logging.ERROR, "failed", exc_info=sys.exc_info())

    assert fields["MESSAGE"].startswith("failed\nTraceback (most recent call last)")
    assert fields["MESSAGE"].endswith("MESSAGE=forged'")


def test_neither_message_nor_fields_hold_a_secret_or_forge_a_field(log):
    error = "token=hunter2\nVSTATS_HOST=forged\x1b[31m"
    fields = log(
        "vstats_core.agent.workers",
        logging.INFO,
        "collector %s failed (%d in a row): %s",
        "a",
        1,
        error,
    )

    assert "hunter2" not in str(fields)
    assert "VSTATS_HOST" not in fields
    assert "\x1b" not in str(fields)
    assert "\n" not in fields["VSTATS_ERROR"]


def test_what_is_very_long_is_cut_and_arrives(log):
    assert len(log("acme", logging.INFO, "x" * 1_000_000)["MESSAGE"]) == 32 * 1024


def test_a_journal_that_is_gone_costs_the_fields_but_not_the_message(tmp_path, capsys):
    handler = JournalHandler(EVENTS, str(tmp_path / "nowhere"))
    handler.setFormatter(OneLine("%(message)s"))
    handler.emit(logging.LogRecord("acme", logging.WARNING, "x.py", 1, "still %s", ("here",), None))
    handler.close()

    assert capsys.readouterr().err == "<4>still here\n"


def test_the_journal_is_known_by_the_stream_that_it_has_named(tmp_path):
    with (tmp_path / "file").open("w") as stream:
        found = os.fstat(stream.fileno())

        assert is_journal(stream.fileno(), {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"})
        assert not is_journal(stream.fileno(), {"JOURNAL_STREAM": "1:2"})
        assert not is_journal(stream.fileno(), {})
    assert not is_journal(9999, {"JOURNAL_STREAM": "1:2"})
