import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vstats_top import format as fmt

MIB = 1024.0**2

CASES = {
    fmt.byte_size: [
        *((0, "0 B"), (1, "1 B"), (999, "999 B"), (1000, "0.977 KiB"), (1023, "0.999 KiB")),
        *((1024, "1.00 KiB"), (1536, "1.50 KiB"), (10 * 1024, "10.0 KiB"), (123 * 1024, "123 KiB")),
        *((999.4 * 1024, "999 KiB"), (999.6 * 1024, "0.976 MiB"), (1.5 * MIB, "1.50 MiB")),
        *((9.999 * MIB, "10.0 MiB"), (99.96 * MIB, "100 MiB"), (8589934592, "8.00 GiB")),
        *((16e12, "14.6 TiB"), (2**63, "8.00 EiB")),
    ],
    fmt.byte_rate: [(0, "0 B/s"), (2048, "2.00 KiB/s"), (0.4, "0 B/s")],
    fmt.percent: [
        *((0, "0.0 %"), (5.25, "5.3 %"), (45.2, "45.2 %"), (99.94, "99.9 %")),
        *((99.95, "100 %"), (100, "100 %")),
    ],
    fmt.load: [(0, "0.00"), (12.345, "12.35"), (0.5, "0.50")],
    fmt.duration: [
        *((0, "0 s"), (0.0000123, "12.3 µs"), (0.0123, "12.3 ms"), (0.9996, "1.00 s")),
        *((4.25, "4.25 s"), (42, "42 s"), (60, "1 min"), (61, "1 min 1 s"), (3599.6, "1 h")),
        *((3600, "1 h"), (12240, "3 h 24 min"), (86400, "1 d"), (90000, "1 d 1 h")),
        *((400 * 86400 + 59, "400 d"), (-5, "-5 s")),
    ],
    fmt.ago: [
        *((0, "just now"), (1.9, "just now"), (2, "2 s ago"), (59.9, "59 s ago")),
        *((180, "3 min ago"), (7199, "1 h ago"), (200000, "2 d ago")),
    ],
    fmt.count: [
        (0, "0"),
        (999, "999"),
        (1000, "1 000"),
        (12345678, "12 345 678"),
        (-1000, "-1 000"),
    ],
}


@pytest.mark.parametrize(
    ("write", "given", "text"),
    [(write, given, text) for write, table in CASES.items() for given, text in table],
)
def test_a_value_is_written_as_the_live_page_writes_it(write, given, text):
    assert write(given) == text


@pytest.mark.parametrize("write", [*CASES, fmt.significant, fmt.value])
def test_what_is_missing_is_a_dash(write):
    assert write(None) == "-"


@given(st.floats(1e-6, 1e15))
def test_no_number_has_an_exponent_or_more_than_three_digits_after_the_first(number):
    text = fmt.significant(number)

    assert re.fullmatch(r"\d+(\.\d+)?", text)
    assert number >= 999.5 or len(text.lstrip("0.").replace(".", "")) <= 3
    assert float(text) == pytest.approx(number, rel=0.006, abs=1e-6)


@pytest.mark.parametrize(
    ("given", "unit", "kind", "text"),
    [
        (1536, "bytes", "gauge", "1.50 KiB"),
        (1536, "bytes_per_second", "gauge", "1.50 KiB/s"),
        (12.34, "percent", "gauge", "12.3 %"),
        (81.26, "celsius", "gauge", "81.3 °C"),
        (3.6e9, "hertz", "gauge", "3.60 GHz"),
        (0.85, "volts", "gauge", "850 mV"),
        (1.05, "volts", "gauge", "1.05 V"),
        (0, "watts", "gauge", "0 W"),
        (1250, "watts", "gauge", "1.25 kW"),
        (1800, "rpm", "gauge", "1 800 rpm"),
        (0.004, "seconds", "gauge", "4.00 ms"),
        (12.5, "per_second", "gauge", "12.5/s"),
        (12500, "count", "gauge", "12 500"),
        (4711, "none", "state", "4711"),
        (1844674407, "none", "counter", "1 844 674 407"),
        (True, "none", "state", "yes"),
        ("RAID degraded", "none", "state", "RAID degraded"),
        ("", "none", "state", "-"),
    ],
)
def test_a_value_is_written_by_the_unit_that_its_plugin_declares(given, unit, kind, text):
    assert fmt.value(given, {"unit": unit, "kind": kind}) == text


def test_a_value_that_nobody_has_declared_is_written_as_it_is():
    assert [fmt.value(given) for given in (4711, 0.123456, "x", False)] == [
        "4711",
        "0.123",
        "x",
        "no",
    ]


def test_a_counters_rate_has_the_counters_unit():
    assert fmt.counter_rate(2048, {"unit": "bytes"}) == "2.00 KiB/s"
    assert fmt.counter_rate(12.5, {"unit": "count"}) == "12.5/s"
    assert fmt.counter_rate(None, {"unit": "count"}) == "-"


def test_a_key_is_read_as_words():
    assert fmt.words("read_bytes") == "Read bytes"
    assert fmt.words("") == ""


@given(st.text())
def test_no_text_steers_the_terminal_or_turns_it_round(text):
    shown = fmt.inert(text)

    bad = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert not [c for c in shown if unicodedata.category(c) in bad]


def test_a_hostile_text_is_seen_for_what_it_is():
    assert fmt.inert("\x1b[2J\u202eevil\r\n\t\u200bx\u2028") == "�[2J�evil����x�"
    assert fmt.inert("[red]not markup[/]") == "[red]not markup[/]"
    assert fmt.inert("x" * 10_000) == "x" * 300 + "…"
