import logging

import pytest

from vstats_core.logs import LINE, OneLine, printable, worth_logging


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


def test_a_repetition_is_logged_at_powers_of_two():
    assert [n for n in range(1, 40) if worth_logging(n)] == [1, 2, 4, 8, 16, 32]


def test_a_strangers_text_is_cut_short_and_printable():
    assert printable("a\x00\u202eb" + "x" * 1000) == "a??b" + "x" * 196
