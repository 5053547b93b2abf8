import datetime as dt
import enum
import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import REPORT, read_text
from pydantic import TypeAdapter

from vstats_core.agent.compose import CORE_KEYS, Health, Part, check_fragment, compose
from vstats_core.errors import FragmentError, JSONError
from vstats_core.wire.schema import Section

WELL = Health(age=0.25, duration=0.001, error="")
SECTIONS = {key: value for key, value in REPORT.items() if key not in CORE_KEYS}


def composed(*parts: Part) -> dict:
    text = compose(
        parts, timestamp="2024-01-01T12:00:00Z", hostname="web-1", version="9.9", interval=5
    )
    return json.loads(text)


def part(name: str, fragment: dict, health: Health = WELL) -> Part:
    return Part(name, check_fragment(fragment), health)


def test_a_report_holds_what_the_collectors_returned_and_what_is_the_cores():
    report = composed(part("load", {"load_average": REPORT["load_average"]}))

    assert report == {
        "timestamp": "2024-01-01T12:00:00Z",
        "hostname": "web-1",
        "load_average": {"one": 0.5, "five": 0.7, "fifteen": 0.6},
        "collectors": {"load": {"ok": True, "age": 0.25, "duration": 0.001}},
        "agent": {"version": "9.9", "interval": 5},
    }


def test_a_section_that_nobody_returned_is_absent():
    failed = Part("cpu", {}, Health(3.0, 2.0, "no answer"))

    report = composed(failed)

    assert "cpu" not in report
    assert report["collectors"]["cpu"] == {
        "ok": False,
        "age": 3.0,
        "duration": 2.0,
        "error": "no answer",
    }


def test_of_two_with_one_section_the_later_ones_stands():
    report = composed(part("ours", {"answer": 1}), part("theirs", {"answer": 2}))

    assert report["answer"] == 2


@pytest.mark.parametrize("key", sorted(CORE_KEYS))
def test_no_collector_may_return_what_is_the_cores(key):
    with pytest.raises(FragmentError, match=f"'{key}' belongs to the agent itself"):
        check_fragment({key: "x"})


@pytest.mark.parametrize(
    ("fragment", "reason"),
    [
        ([1], "should be a dict, not list"),
        ("text", "should be a dict, not str"),
        ({1: 2}, "key 1 should be a string"),
        ({"x": "y" * 65536}, "too large: at most 65536 bytes of JSON are allowed"),
        ({"cpu": {"usage": 5}}, "cpu.brand: Field required"),
        ({"uptime": 1.5}, "uptime: Input should be a valid integer"),
        ({"memory": None}, "memory: "),
    ],
    ids=["a list", "text", "a number as key", "too large", "half a cpu", "a float", "null"],
)
def test_a_fragment_that_the_server_would_refuse_is_refused_here(fragment, reason):
    with pytest.raises(FragmentError) as caught:
        check_fragment(fragment)

    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "value", [math.nan, object(), "\ud800", 10**400], ids=["NaN", "object", "surrogate", "huge"]
)
def test_what_json_cannot_say_is_refused(value):
    with pytest.raises(JSONError):
        check_fragment({"x": [value]})


@pytest.mark.parametrize(
    "value",
    ["x" * 10**8, [[0] * 1000] * 10**6, dict.fromkeys(range(10**6))],
    ids=["text", "lists", "keys"],
)
def test_what_is_large_is_refused_before_it_is_turned_into_text(value):
    started = time.monotonic()

    with pytest.raises(FragmentError, match="too large"):
        check_fragment({"x": value})

    assert time.monotonic() - started < 0.5


def test_a_part_that_would_make_the_report_too_large_is_left_out_by_name():
    large = {"x": "y" * 60_000}
    parts = [Part(f"p{n}", check_fragment({f"x{n}": large}), WELL) for n in range(5)]

    report = composed(*parts)

    assert [f"x{n}" in report for n in range(5)] == [True, True, True, True, False]
    assert report["collectors"]["p4"]["error"] == "left out: the report would be too large"


def test_a_key_that_is_no_text_is_refused():
    with pytest.raises(JSONError):
        check_fragment({"caf\udce9": 1})


def test_health_counts_towards_the_size_of_a_report():
    failing = [Part(f"p{n}", {}, Health(1.0, 1.0, "ü" * 900)) for n in range(60)]
    large = [Part(f"l{n}", check_fragment({f"x{n}": "y" * 60_000}), WELL) for n in range(4)]

    report = compose([*large, *failing], timestamp="", hostname="", version="", interval=1)

    assert len(report) < 262_144


def test_a_section_of_the_protocol_may_be_as_large_as_the_protocol_allows():
    item = REPORT["network"]["interfaces"][0] | {"name": "enp-with-a-long-name"}
    network = {"interfaces": [item] * 1024, "total_rx": 1, "total_tx": 1}

    check_fragment({"network": network})


def test_a_declared_type_sees_what_json_can_say():
    class Colour(enum.StrEnum):
        RED = "red"

    class Lamp(Section):
        colour: Colour
        at: tuple[int, int]
        since: dt.datetime

    declared = {"lamp": TypeAdapter(Lamp)}

    check_fragment(
        {"lamp": {"colour": "red", "at": [1, 2], "since": "2024-01-01T12:00:00Z"}}, declared
    )
    with pytest.raises(FragmentError, match=r"lamp: colour: "):
        check_fragment(
            {"lamp": {"colour": "x", "at": [1, 2], "since": "2024-01-01T12:00:00Z"}}, declared
        )


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from(sorted(SECTIONS)) | st.text(), anything, max_size=3))
def test_the_server_takes_every_report_that_is_composed_of_checked_fragments(fragment):
    try:
        sections = check_fragment(fragment)
    except (FragmentError, JSONError):
        sections = {}
    report = compose(
        [Part("any", sections, WELL)],
        timestamp="2024-01-01T12:00:00Z",
        hostname="web-1",
        version="9.9",
        interval=5,
    )

    message = f'{{"type":"metrics","data":{report.decode()}}}'
    assert read_text(message).text == report
