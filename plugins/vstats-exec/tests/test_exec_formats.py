"""Requirements for reading JSON and Prometheus' text."""

import pytest

from vstats_exec.formats import Unusable, parse_json, parse_prometheus, printable


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'{"a": [1, 2.5, null, true, "\\u00e9"]}\n', {"a": [1, 2.5, None, True, "é"]}),
        (b" 7 ", 7),
        (b"[]", []),
        (b'"\\ud83d\\ude00"', "😀"),
        (b"18446744073709551615", 2**64 - 1),
        (b"-9223372036854775808", -(2**63)),
        (b"[" * 32 + b"]" * 32, eval("[" * 32 + "]" * 32)),
    ],
    ids=["object", "number", "list", "pair of surrogates", "64 bits", "-63 bits", "32 levels"],
)
def test_json_is_read(raw, value):
    assert parse_json(raw) == value


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (b" \n", "empty"),
        (b'{"a": 1', "not JSON: Expecting ',' delimiter at line 1, column 8"),
        (b'{"a": 1}{"b": 2}', "not JSON: Extra data at line 1, column 9"),
        (b"a: 1", "not JSON: Expecting value at line 1, column 1"),
        (b'\xef\xbb\xbf{"a": 1}', "not JSON: Unexpected UTF-8 BOM"),
        (b'{"a": "\xe9"}', "not UTF-8 at byte 7"),
        (b'{"a": NaN}', "not JSON: NaN is no number"),
        (b'{"a": -Infinity}', "not JSON: -Infinity is no number"),
        (b'{"a": 1e999}', "the number 1e999 is too large"),
        (b"18446744073709551616", "the number 18446744073709551616 is too large"),
        (b"-9223372036854775809", "the number -9223372036854775809 is too large"),
        (b"9" * 60_000, "the number " + "9" * 30 + " is too large"),
        (b'{"a": 1, "a": 2}', "the key 'a' stands twice in one object"),
        (b'"\\ud800"', "half a character"),
        (b'{"\\ud800": 1}', "half a character"),
        (b"[" * 33 + b"]" * 33, "nested more than 32 levels deep"),
        (b'{"a":' * 30_000 + b"1" + b"}" * 30_000, "nested more than 32 levels deep"),
    ],
    ids=[
        *("empty", "half written", "two values", "not JSON", "byte order mark", "not UTF-8"),
        *("NaN", "infinity", "overflow", "65 bits", "-64 bits", "60,000 digits", "key twice"),
        *("lone surrogate", "lone surrogate in a key", "33 levels", "30,000 levels"),
    ],
)
def test_what_a_reader_of_the_report_could_not_read_is_refused(raw, complaint):
    with pytest.raises(Unusable) as refused:
        parse_json(raw)

    assert complaint in str(refused.value)


def sample(name, value, **labels):
    return {"name": name, "labels": labels, "value": value}


def test_prometheus_text_is_read():
    text = r"""
# HELP http_requests_total The total number of HTTP requests. {not="a label"}
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{ method = "post" , code = "400" , } 3 -1

# A comment of no meaning.
msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find:\n\"FILE.TXT\""} 1.458255915e9
metric_without_timestamp_and_labels 12.47
	indented{}	.5
no_space_before_the_value{a="}"}-1.5e-3
a:b:c{} +7.
""".lstrip("\n")

    assert parse_prometheus(text.encode()) == [
        sample("http_requests_total", 1027, method="post", code="200"),
        sample("http_requests_total", 3, method="post", code="400"),
        sample(
            "msdos_file_access_time_seconds",
            1458255915,
            path="C:\\DIR\\FILE.TXT",
            error='Cannot find:\n"FILE.TXT"',
        ),
        sample("metric_without_timestamp_and_labels", 12.47),
        sample("indented", 0.5),
        sample("no_space_before_the_value", -0.0015, a="}"),
        sample("a:b:c", 7),
    ]


def test_samples_that_json_cannot_hold_are_left_out():
    text = b"a NaN\nb +Inf\nc -Inf\nd 1e999\ne nan\nf 1\n"

    assert parse_prometheus(text) == [sample("f", 1)]


def test_a_whole_number_stays_one_as_long_as_it_is_exact():
    values = [item["value"] for item in parse_prometheus(b"a 5\nb 9007199254740993\nc -0.5\n")]

    assert [(value, type(value)) for value in values] == [
        (5, int),
        (9007199254740992.0, float),
        (-0.5, float),
    ]


def test_no_samples_are_no_samples():
    assert parse_prometheus(b"") == parse_prometheus(b"# nothing\n") == []


@pytest.mark.parametrize(
    "line",
    [
        *("name", "name{} ", "5", "name 1_000", "name 0x10", "name 1 2 3", "name 1 soon"),
        *('name{a="1"', 'name{a="1" b="2"} 1', "name{a=1} 1", 'name{a="\\x"} 1', 'name{1a="1"} 1'),
        *('name{a="1"}', 'name{"quoted name"} 1', "näme 1", "name \u0661"),
        *("name+1", "name 1 # {} 1"),
        *("name{,} 1", "{} 1", 'name{a="1\n"} 1', "name 1\r"),
    ],
)  # fmt: skip
def test_a_line_that_is_no_sample_costs_the_file_and_is_named(line):
    with pytest.raises(Unusable, match="line 2 is no sample"):
        parse_prometheus(f"good 1\n{line}\n".encode())


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (b"good 1\nbytes_total 12", "half written"),
        (b'name{a="1",a="2"} 1\n', "line 1 has the label a twice"),
        (b"name \xff\n", "not UTF-8 at byte 5"),
    ],
    ids=["no last line's end", "label twice", "not UTF-8"],
)
def test_text_that_cannot_be_trusted_is_refused(raw, complaint):
    with pytest.raises(Unusable, match=complaint):
        parse_prometheus(raw)


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "line",
    [
        "a" * 65_000,
        "a{" + 'b="' * 20_000,
        "a{" + " " * 65_000,
        'a{b="' + "\\\\" * 30_000,
        "a " + "1" * 65_000 + "x",
        "a 1" + " " * 65_000 + "x",
        "a 1e" + "1" * 65_000 + "x",
    ],
    ids=["name", "labels", "spaces", "escapes", "digits", "more spaces", "exponent"],
)
def test_64_kib_that_are_nearly_a_sample_are_refused_at_once(line):
    with pytest.raises(Unusable):
        parse_prometheus(f"{line}\n".encode())


@pytest.mark.timeout(5)
def test_the_last_of_many_keys_standing_twice_is_found_at_once():
    keys = [*range(6_000), 5_999]

    with pytest.raises(Unusable, match="'5999' stands twice"):
        parse_json(("{" + ",".join(f'"{key}":1' for key in keys) + "}").encode())


def test_a_line_that_is_shown_is_one_line_that_can_be_shown():
    assert printable(b"a\x1b[31m \xff\n  b") == "a\ufffd[31m \ufffd b"
    assert len(printable("é" * 1000).encode()) == 200
    assert printable("\udcff") == "\ufffd"
