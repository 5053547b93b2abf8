import logging

import pytest

from vstats_core.logs.setup import LINE, Flood, OneLine, printable, worth_logging


def line(message: str, *arguments: object) -> str:
    record = logging.LogRecord("vstats", logging.INFO, "x.py", 1, message, arguments, None)
    return OneLine(LINE).format(record)


@pytest.mark.parametrize(
    "text",
    [
        "GET /ws/agent?token=hunter2&x=1",
        "Authorization: Bearer hunter2",
        "Authorization: bearer  hunter2",
        "Authorization: Basic hunter2",
    ],
)
def test_no_secret_reaches_the_log(text):
    assert "hunter2" not in line("%s", text)


def test_a_stranger_cannot_forge_a_line_or_a_colour():
    text = line("name %s", "a\n2026 ERROR forged\x1b[31m\r")

    assert "\n" not in text
    assert "\x1b" not in text
    assert "\r" not in text


def record(name, created):
    made = logging.LogRecord(name, logging.INFO, "x.py", 1, "noise %d", (7,), None)
    made.created = created
    return made


def test_what_others_log_is_limited_and_what_was_left_out_is_counted():
    flood = Flood()
    passed = [flood.filter(record("acme.fans", 100.0)) for _ in range(50)]
    later = record("acme.fans", 107.0)

    assert passed == [True] * 10 + [False] * 40
    assert flood.filter(later)
    assert OneLine("%(message)s").format(later) == "noise 7 (40 more left out)"


def test_our_own_log_is_not_limited_where_nobody_else_can_make_it_grow():
    flood = Flood()

    assert all(flood.filter(record("vstats_core.commands.main", 100.0)) for _ in range(50))


def flapping(host, created):
    made = logging.LogRecord(
        "vstats_core.agent.workers", logging.WARNING, "x.py", 1, FAILED, (host, 1, "no"), None
    )
    made.created = created
    return made


FAILED = "collector %s failed (%d in a row): %s"


def test_an_event_is_limited_for_each_host_address_or_collector():
    flood = Flood()
    passed = [flood.filter(flapping("fans", 100.0)) for _ in range(50)]
    later = flapping("fans", 107.0)

    assert passed == [True] * 10 + [False] * 40
    assert flood.filter(flapping("other", 100.0))
    assert flood.filter(later)
    assert OneLine("%(message)s").format(later).endswith("no (40 more left out)")
    # What the journal tells the event by stays as it is.
    assert later.msg == FAILED


def test_one_that_floods_does_not_silence_another():
    flood = Flood()
    for _ in range(50):
        flood.filter(record("acme", 100.0))

    assert flood.filter(record("other", 100.0))


def test_a_repetition_is_logged_at_powers_of_two():
    assert [n for n in range(1, 40) if worth_logging(n)] == [1, 2, 4, 8, 16, 32]


def test_a_strangers_text_is_cut_short_and_printable():
    assert printable("a\x00\u202eb" + "x" * 1000) == "a??b" + "x" * 196
