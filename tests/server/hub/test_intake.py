import json
import math

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kit import REPORT, metrics, read_text, report

from vstats_core.wire.strict_json import DEEPEST
from vstats_server.hub.intake import MessageError

# Taken from the protocol's page as they stand there.
PAGE_METRICS = """\
{
  "type": "metrics",
  "data": {
    "timestamp": "2024-01-01T12:00:00Z",
    "hostname": "my-server",
    "os": {
      "name": "Ubuntu",
      "version": "22.04",
      "kernel": "5.15.0",
      "arch": "x86_64"
    },
    "cpu": {
      "brand": "Intel Core i7",
      "cores": 8,
      "usage": 45.2,
      "frequency": 3600,
      "per_core": [40, 50, 45, 42, 48, 46, 44, 47]
    },
    "memory": {
      "total": 17179869184,
      "used": 8589934592,
      "available": 8589934592,
      "swap_total": 4294967296,
      "swap_used": 1073741824,
      "usage_percent": 50.0
    },
    "disks": [
      {
        "name": "sda1",
        "mount_point": "/",
        "fs_type": "ext4",
        "total": 107374182400,
        "used": 53687091200,
        "available": 53687091200,
        "usage_percent": 50.0
      }
    ],
    "network": {
      "interfaces": [
        { "name": "eth0", "rx": 1073741824, "tx": 536870912 }
      ],
      "total_rx": 1073741824,
      "total_tx": 536870912
    },
    "uptime": 86400,
    "load_average": {
      "one": 0.5,
      "five": 0.7,
      "fifteen": 0.6
    }
  }
}
"""
PAGE_HEARTBEAT = """\
{
  "type": "heartbeat",
  "timestamp": "2024-01-01T12:00:00Z"
}
"""

LEAST = '{"timestamp":"2024-01-01T12:00:00Z","hostname":"a"}'
USUAL = '{"type":"metrics","data":%s}'
STAMPED = '{"type":"metrics","data":%s,"timestamp":"2024-01-01T12:00:00Z"}'
UNUSUAL = '{ "data":%s, "type":"metrics"}'
ENVELOPES = [USUAL, STAMPED, UNUSUAL]
in_every_envelope = pytest.mark.parametrize(
    "envelope", ENVELOPES, ids=["usual", "stamped", "unusual"]
)


def refused(message):
    with pytest.raises(MessageError) as error:
        read_text(message)
    return error.value


def with_key(key, text):
    """Return the smallest report with one more key, whose value is that text."""
    return f'{LEAST[:-1]},"{key}":{text}}}'


def test_the_pages_report_is_taken():
    incoming = read_text(PAGE_METRICS)

    assert incoming.content == REPORT
    assert json.loads(incoming.text) == REPORT


def test_the_pages_heartbeat_is_taken():
    assert read_text(PAGE_HEARTBEAT) is None


def test_a_heartbeat_needs_no_timestamp_and_may_carry_more():
    assert read_text('{"type":"heartbeat"}') is None
    assert read_text('{"type":"heartbeat","data":{},"more":1}') is None


@in_every_envelope
def test_a_report_may_be_without_any_section(envelope):
    assert json.loads(read_text(envelope % LEAST).text) == json.loads(LEAST)


@pytest.mark.parametrize("section", sorted(set(REPORT) - {"timestamp", "hostname"}))
def test_a_section_may_be_absent(section):
    content = report()
    del content[section]

    assert read_text(USUAL % json.dumps(content)).content == content


@pytest.mark.parametrize("key", ["timestamp", "hostname"])
@in_every_envelope
def test_a_report_needs_its_time_and_its_host(envelope, key):
    content = report()
    del content[key]

    error = refused(envelope % json.dumps(content))

    assert error.code == "invalid_report"
    assert [fault.path for fault in error.faults] == [key]


@in_every_envelope
def test_the_text_that_is_passed_on_is_the_text_that_was_checked(envelope):
    text = with_key("gpu", '{"z":1.50,"a":[true,null,"\\u00e9 \\u2028"],"big":1e300}')

    incoming = read_text(envelope % text)

    assert json.loads(incoming.text) == incoming.content == json.loads(text)


@pytest.mark.parametrize("envelope", [USUAL, STAMPED], ids=["usual", "stamped"])
def test_in_the_usual_envelope_the_reports_own_text_is_kept_to_the_byte(envelope):
    text = with_key("gpu", ' {"z" : 1.50, "same":"\\u00e9", "big":123456789012345678901234567890}')

    assert read_text(envelope % text).text == text.encode()


def test_unknown_keys_are_kept_at_every_level():
    content = report(gpu={"usage": [1, {"x": None}]})
    content["cpu"]["temperature"] = 55.5
    content["disks"][0]["label"] = "root"
    content["network"]["interfaces"][0]["speed"] = 1000

    assert read_text(USUAL % json.dumps(content)).content == content


def changed(path, value):
    content = report()
    *parents, last = path
    inner = content
    for part in parents:
        inner = inner[part]
    inner[last] = value
    return content


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["cpu", "usage"], 100.1),
        (["cpu", "usage"], -0.1),
        (["cpu", "usage"], "45"),
        (["cpu", "usage"], True),
        (["cpu", "usage"], None),
        (["cpu", "per_core", 3], 101),
        (["cpu", "cores"], 8.0),
        (["cpu", "cores"], -1),
        (["cpu", "frequency"], -1),
        (["cpu", "brand"], 7),
        (["cpu", "brand"], "x" * 1025),
        (["memory", "total"], -1),
        (["memory", "total"], 2**63),
        (["memory", "total"], 1.5),
        (["memory", "total"], True),
        (["memory", "usage_percent"], 100.5),
        (["disks", 0, "used"], -1),
        (["disks", 0, "name"], None),
        (["network", "total_rx"], 2**64),
        (["network", "interfaces", 0, "rx"], "1"),
        (["uptime"], 1.5),
        (["uptime"], -1),
        (["load_average", "one"], -1),
        (["os", "name"], []),
        (["hostname"], "x" * 1025),
        (["hostname"], None),
        (["cpu"], None),
        (["cpu"], []),
        (["disks"], {}),
        (["timestamp"], "yesterday"),
        (["timestamp"], "2024-02-30T12:00:00Z"),
        (["timestamp"], "2024-01-01T25:00:00Z"),
        (["timestamp"], "2024-01-01 12:00:00"),
        (["timestamp"], "2024-01-01T12:00:00Z\n"),
        (["timestamp"], 1704110400),
        (["network", "rx"], -1),
        (["network", "rx"], None),
    ],
)
@in_every_envelope
def test_a_field_outside_its_bounds_makes_the_whole_report_invalid(envelope, path, value):
    error = refused(envelope % json.dumps(changed(path, value)))

    place = ".".join(str(part) for part in path)
    assert error.code == "invalid_report"
    assert [fault.path.replace("[", ".").replace("]", "") for fault in error.faults] == [place]


@pytest.mark.parametrize("section", ["os", "cpu", "memory", "network", "load_average"])
def test_a_section_that_is_there_has_all_of_the_pages_fields(section):
    for field in REPORT[section]:
        content = report()
        del content[section][field]

        error = refused(USUAL % json.dumps(content))

        assert [fault.path for fault in error.faults] == [f"{section}.{field}"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["cpu", "usage"], 100),
        (["cpu", "usage"], 0),
        (["memory", "total"], 2**63 - 1),
        (["hostname"], "x" * 1024),
        (["hostname"], ""),
        (["timestamp"], "2024-01-01t12:00:00.123456+05:30"),
        (["network", "rx"], 12.5),
        (["cpu", "per_core"], [1] * 4096),
        (["disks"], [REPORT["disks"][0]] * 1024),
        (["disks"], []),
        (["network", "interfaces"], REPORT["network"]["interfaces"] * 1024),
    ],
)
def test_a_field_at_its_bound_is_taken(path, value):
    content = changed(path, value)

    assert read_text(USUAL % json.dumps(content)).content == content


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["cpu", "per_core"], [1] * 4097),
        (["cpu", "per_core"], [1] * 100_000),
        (["disks"], [REPORT["disks"][0]] * 1025),
        (["network", "interfaces"], REPORT["network"]["interfaces"] * 1025),
    ],
)
def test_a_list_beyond_its_bound_is_refused(path, value):
    error = refused(USUAL % json.dumps(changed(path, value)))

    assert error.code == "invalid_report"
    assert len(error.faults) == 1


NOT_STRICT = {
    "NaN": "NaN",
    "Infinity": "Infinity",
    "-Infinity": "-Infinity",
    "1e999": "1e999",
    "-1e999": "-1e999",
    "5000 digits": "1" * 5000,
    "lone surrogate": '"\\ud800"',
    "surrogates turned round": '"\\udc00\\ud800"',
    "raw line break": '"a\nb"',
    "raw NUL": '"a\x00b"',
    "raw escape": '"\x1b[31m"',
    "bad escape": '"\\x41"',
    "single quotes": "'a'",
    "comment": "1 // one",
    "hexadecimal": "0x10",
    "leading zero": "01",
    "leading plus": "+1",
    "bare point": ".5",
    "point at the end": "5.",
    "trailing comma": "[1,]",
    "no value": "",
    "depth 30000": "[" * 30_000 + "]" * 30_000,
    "depth 30000 of objects": '{"a":' * 30_000 + "1" + "}" * 30_000,
    "never closed": "[" * 30_000,
    "True": "True",
    "undefined": "undefined",
}


@pytest.mark.parametrize("text", NOT_STRICT.values(), ids=NOT_STRICT.keys())
@pytest.mark.parametrize(
    "place",
    [lambda text: with_key("gpu", text), lambda text: with_key("gpu", f'{{"a":[1,{text}]}}')],
    ids=["in an unknown section", "deeper"],
)
@in_every_envelope
def test_what_is_not_strict_json_is_refused_in_unknown_keys_too(envelope, place, text):
    assert refused(envelope % place(text)).code == "invalid_json"


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e999", "1" * 5000])
@in_every_envelope
def test_what_is_not_strict_json_is_refused_in_known_keys(envelope, text):
    message = envelope % json.dumps(changed(["cpu", "usage"], "HERE")).replace('"HERE"', text)

    assert refused(message).code == "invalid_json"


@pytest.mark.parametrize(
    "message",
    [
        "",
        " ",
        "\ufeff" + metrics(),
        metrics() + "x",
        metrics() + metrics(),
        metrics()[:-1],
        metrics() + "\x00",
        metrics() + ",",
        "\x00",
        "nonsense",
        '{"type":"heartbeat"}}',
    ],
    ids=range(11),
)
def test_what_is_no_single_json_value_is_refused(message):
    assert refused(message).code == "invalid_json"


@in_every_envelope
def test_what_every_reader_can_nest_is_taken_and_one_level_more_is_not(envelope):
    def nest(levels):
        return envelope % with_key("gpu", "[" * levels + "]" * levels)

    assert read_text(nest(DEEPEST - 1)) is not None
    assert refused(nest(DEEPEST)).code == "invalid_json"


def test_many_brackets_in_a_shallow_report_are_no_depth():
    content = report(gpu=[[[]]] * 1000, text="[{" * 1000)

    assert read_text(USUAL % json.dumps(content)).content == content


@pytest.mark.parametrize(
    "message",
    [
        "[]",
        "1",
        "null",
        '"metrics"',
        "{}",
        '{"type":1}',
        '{"type":null}',
        '{"data":{}}',
        '{"type":["metrics"]}',
        '{"type":"metrics"}',
        '{"type":"metrics","timestamp":1}',
    ],
)
def test_what_is_no_message_is_refused_as_such(message):
    assert refused(message).code == "invalid_message"


@pytest.mark.parametrize("stamp", ["2024-99-01T12:00:00Z", "TTTTTTTTTTTTTTTTTTTT", "yesterday", ""])
@pytest.mark.parametrize(
    "message",
    [
        f'{{"type":"metrics","data":{LEAST},"timestamp":"STAMP"}}',
        f'{{"timestamp":"STAMP","type":"metrics","data":{LEAST}}}',
        '{"type":"heartbeat","timestamp":"STAMP"}',
    ],
    ids=["usual", "unusual", "heartbeat"],
)
def test_an_envelopes_time_that_is_none_is_refused(message, stamp):
    error = refused(message.replace("STAMP", stamp))

    assert error.code == "invalid_message"
    assert [fault.path for fault in error.faults] == ["timestamp"]


@pytest.mark.parametrize(
    "stamp", ["2024-01-01T12:00:00Z", "2024-01-01T12:00:00.5Z", "2024-01-01t12:00:00+01:00"]
)
def test_an_envelopes_time_is_any_of_rfc_3339(stamp):
    assert read_text(f'{{"type":"metrics","data":{LEAST},"timestamp":"{stamp}"}}') is not None


@pytest.mark.parametrize("kind", ["status", "server_added", "Metrics", "", "metrics ", "error"])
def test_a_type_that_no_agent_sends_is_unknown(kind):
    assert refused(json.dumps({"type": kind, "data": {}})).code == "unknown_type"


@pytest.mark.parametrize("data", ["null", "[]", "1", '"x"', "true"])
@in_every_envelope
def test_a_report_that_is_no_object_is_invalid(envelope, data):
    assert refused(envelope % data).code == "invalid_report"


# Duplicate keys: every reader that we know lets the last one win, and so must our check.

BAD_CPU = '{"cores":"many"}'
GOOD_CPU = json.dumps(REPORT["cpu"])


@in_every_envelope
def test_of_a_key_that_is_there_twice_the_last_is_what_is_checked_and_read(envelope):
    good_last = f'{LEAST[:-1]},"cpu":{BAD_CPU},"cpu":{GOOD_CPU}}}'
    bad_last = f'{LEAST[:-1]},"cpu":{GOOD_CPU},"cpu":{BAD_CPU}}}'

    assert json.loads(read_text(envelope % good_last).text)["cpu"] == REPORT["cpu"]
    assert refused(envelope % bad_last).code == "invalid_report"


@pytest.mark.parametrize(
    "message",
    [
        f'{{"type":"metrics","data":{LEAST},"data":{{"hostname":1}}}}',
        f'{{"type":"metrics","data":{LEAST},"data":null,"timestamp":"2024-01-01T12:00:00Z"}}',
        f'{{"data":{LEAST},"type":"metrics","data":{{"hostname":1}}}}',
    ],
)
def test_a_second_data_hides_nothing_from_the_check(message):
    assert refused(message).code == "invalid_report"


def test_of_two_data_the_one_that_is_checked_is_passed_on():
    message = f'{{"type":"metrics","data":{{"hostname":1}},"data":{LEAST}}}'

    assert json.loads(read_text(message).text) == json.loads(LEAST)


def test_a_second_type_counts():
    assert read_text(f'{{"type":"metrics","data":{LEAST},"type":"heartbeat"}}') is None
    assert refused(f'{{"type":"metrics","data":{LEAST},"type":"x"}}').code == "unknown_type"


def test_an_envelopes_end_inside_a_string_of_the_report_is_not_taken_for_one():
    text = with_key("note", '"x\\",\\"timestamp\\":\\"2024-01-01T12:00:00Z\\"}"')

    assert json.loads(read_text(USUAL % text).text) == json.loads(text)


def test_a_refusal_lists_ten_faults_at_most_and_never_the_values():
    content = report(cpu=REPORT["cpu"] | {"per_core": ["secret-value"] * 100})

    error = refused(USUAL % json.dumps(content))

    assert len(error.faults) == 10
    assert error.faults[0].path == "cpu.per_core[0]"
    assert "secret-value" not in str(error) + repr(error.faults)


@pytest.mark.parametrize("envelope", [USUAL, '{"data":%s,"type":"metrics"}'])
def test_of_very_many_named_things_the_first_with_a_fault_is_told(envelope):
    good = {"ok": True, "age": 0, "duration": 0}
    named = {f"good {n}": good for n in range(20)} | {f"bad {n}": {"ok": 1} for n in range(5000)}

    error = refused(envelope % json.dumps(report(collectors=named)))

    assert {fault.path.split(".")[1] for fault in error.faults} == {"bad 0"}
    named = {name: thing for name, thing in named.items() if thing is good}
    assert read_text(envelope % json.dumps(report(collectors=named))).content["collectors"] == named


def test_a_fault_of_an_endless_key_has_a_short_path():
    content = report(collectors={"x" * 5000: 1, "y" * 1024: 1})

    error = refused(USUAL % json.dumps(content))

    assert all(len(fault.path) <= 200 for fault in error.faults)


def test_completing_the_rates_changes_nothing_else():
    incoming = read_text(USUAL % json.dumps(report(gpu={"a": [1.5, "é"]})))

    completed = incoming.with_rates({"rx": 1.0, "tx": 2.0})

    expected = report(gpu={"a": [1.5, "é"]})
    expected["network"] |= {"rx": 1.0, "tx": 2.0}
    assert json.loads(completed.text) == completed.content == expected


# Whatever comes.

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**17, max_value=10**320)
    | st.floats()
    | st.text()
    | st.sampled_from(["\ud800", "\x00", "\u2028", "\ufeff", "é"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
reports = st.fixed_dictionaries(
    {
        "timestamp": st.sampled_from(["2024-01-01T12:00:00Z", "2024-01-01T12:00:00.25+01:00"]),
        "hostname": st.text(max_size=40),
    },
    optional={
        "gpu": values,
        "uptime": st.integers(-1, 2**64),
        "cpu": st.just(REPORT["cpu"]) | values,
        "network": st.just(REPORT["network"]) | values,
        "load_average": st.fixed_dictionaries(
            {"one": st.floats(), "five": st.floats(0, 9), "fifteen": st.floats(0, 9)}
        ),
    },
)
envelopes = st.sampled_from([*ENVELOPES, '{"type":"metrics","data":%s,"x":{"y":1}}', "%s", " %s"])


def refuse_constant(name):
    raise AssertionError(name)


def check(message):
    try:
        incoming = read_text(message)
    except (MessageError, UnicodeDecodeError):
        return
    if incoming is not None:
        for text in (incoming.text, b'{"data":{"metrics":%b}}' % incoming.text):
            orjson.loads(text)
            json.loads(text, parse_constant=refuse_constant)
        assert finite(json.loads(incoming.text))
        json.loads(incoming.with_rates({}).text if "network" in incoming.content else "0")


def finite(value):
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    return not isinstance(value, list) or all(map(finite, value))


@given(reports, envelopes, st.booleans())
def test_whatever_is_taken_every_parser_reads_and_nothing_in_it_is_nan(content, envelope, ascii_):
    check(envelope % json.dumps(content, ensure_ascii=ascii_))


@given(reports, envelopes, st.data())
def test_a_report_with_a_part_replaced_is_taken_or_refused_and_never_crashes(
    content, envelope, data
):
    message = envelope % json.dumps(content)
    start = data.draw(st.integers(0, len(message)))
    end = data.draw(st.integers(start, min(len(message), start + 8)))
    junk = data.draw(st.text(max_size=4) | st.sampled_from(list(NOT_STRICT.values())[:12]))

    check(message[:start] + junk + message[end:])


@given(st.text() | st.text(alphabet='{}[]":,0123456789.eE+-truefalsn\\ud8'))
@example("[" * 100_000)
@example('{"type":"metrics","data":' + "[" * 900 + "]" * 900 + "}")
@example('{"type":"metrics","data":}')
@example('{"type":"metrics","data":,"timestamp":"2024-01-01T12:00:00Z"}')
@example('{"type":"metrics","data":{}' + "}" * 99)
def test_whatever_garbage_comes_only_a_message_error_is_raised(message):
    check(message)
    check('{"type":"metrics","data":' + message)
