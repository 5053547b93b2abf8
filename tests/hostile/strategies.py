"""What a peer may send: drawn from our own JSON Schema, and from what breaks it."""

import json
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from vstats_core.wire.messages import json_schema

SCHEMA = json_schema()
DEFINITIONS: dict[str, Any] = SCHEMA["$defs"]  # type: ignore[assignment]
LARGEST = 2**63 - 1

# Text that has hurt somebody: terminals, log files, HTML, JavaScript, C strings, decoders.
NASTY_TEXT = [
    "\x00", "\x1b[31m", "\r\nforged", "\x7f\x80\x9f", "\u2028\u2029", "\u202e", "\ufeff", "\uffff",
    "<script>", '"', "\\", "\\u0000", "𝄞", "__proto__", "constructor", "toString", "", "NaN",
    "token=abcdefghijklmnopqrstuvwxyz", "Bearer abcdefghijklmnopqrstuvwxyz", "e\u0301" * 20,
]  # fmt: skip
NASTY = [
    None, True, False, 0, -0.0, -1, 1, 0.5, 1e308, 5e-324, 100.00000000000001, 2**53 + 1, LARGEST,
    LARGEST + 1, 2**64, 2**64 - 1, -(2**63), -(2**63) - 1, [], {}, [[]], [{}], {"": {}},
    *NASTY_TEXT,
]  # fmt: skip
# What no JSON value can be, spliced into the text where a value was.
NASTY_RAW = [
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"01", b"+1", b".5", b"1.", b"0x10",
    b"1_000", b"tRue", b"undefined", b"'x'", b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\x41"', b'"\\u12"',
    b'"\t"', b'"\n"', b'"\x00"', b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"',
    b"\xef\xbb\xbf1", b"[1,]", b'{"a":1,}', b"{1:2}", b"[" * 300 + b"]" * 300, b"[" * 2000, b"9" * 5000,
    b"1" + b"0" * 25, b"1" + b"0" * 400, b"1e1000000000000", b"0." + b"0" * 400 + b"1", b"/**/1", b"1//", b'"a" "b"', b"",
    b'{"a":1,"a":2}', b"\x00", b" " * 3000, b"-", b"1e", b'"', b"]", b"}}}}",
]  # fmt: skip

texts = st.one_of(st.text(max_size=12), st.sampled_from(NASTY_TEXT))
timestamps = st.one_of(
    st.datetimes().map(lambda moment: f"{moment.isoformat(timespec='seconds')}Z"),
    st.sampled_from(
        ["2024-01-01T12:00:00Z", "2024-02-29t23:59:60.999999z", "0001-01-01T00:00:00+23:59"]
    ),
)
floats = st.floats(allow_nan=False, allow_infinity=False)
anything: SearchStrategy[Any] = st.recursive(
    st.one_of(st.sampled_from(NASTY), st.integers(), floats, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)


def valid(schema: dict[str, Any]) -> SearchStrategy[Any]:  # noqa: PLR0911, PLR0912 - a case a keyword
    """Return the values that a part of our schema allows; an unknown keyword is an error."""
    match schema:
        case {"$ref": ref}:
            return st.deferred(lambda: valid(DEFINITIONS[ref.rpartition("/")[2]]))
        case {"oneOf": options} | {"anyOf": options}:
            return st.one_of([valid(option) for option in options])
        case {"const": value}:
            return st.just(value)
        case {"enum": values}:
            return st.sampled_from(values)
        case {"type": "object", "properties": properties}:
            return _object(properties, schema.get("required", []))
        case {"type": "object", "additionalProperties": dict(inner)}:
            return st.dictionaries(texts, valid(inner), max_size=3)
        case {"type": "array", "items": inner}:
            return st.lists(valid(inner), max_size=min(2, schema["maxItems"]))
        case {"type": "string", "format": "date-time"}:
            return timestamps
        case {"type": "string"} if "pattern" not in schema:
            # One draw each: a report has forty leaves.
            return st.sampled_from([*NASTY_TEXT, "eth0", "x" * 1024, "é" * 1024])
        case {"type": "integer"}:
            return st.integers(schema.get("minimum"), schema.get("maximum", LARGEST))
        case {"type": "number"}:
            lowest, highest = schema.get("minimum"), schema.get("maximum")
            return st.floats(lowest, highest, allow_nan=False, allow_infinity=False)
        case {"type": "boolean"}:
            return st.booleans()
        case _:
            raise AssertionError(f"teach me: {schema}")


def _object(properties: dict[str, Any], required: list[str]) -> SearchStrategy[dict[str, Any]]:
    known = {name: valid(inner) for name, inner in properties.items()}
    must = {name: strategy for name, strategy in known.items() if name in required}
    may = {name: strategy for name, strategy in known.items() if name not in required}
    more = texts.filter(lambda name: name not in properties)
    extra = st.dictionaries(more, anything, max_size=1)
    return st.tuples(extra, st.fixed_dictionaries(must, optional=may)).map(
        lambda two: two[0] | two[1]
    )


messages = valid(DEFINITIONS["agent_to_server"])
"""Messages that the schema allows."""


@st.composite
def texts_of(draw: st.DrawFn, values: SearchStrategy[Any]) -> bytes:
    """Return the value as some writer of JSON may write it."""
    value = draw(values)
    ascii_, spaces, sort = draw(st.tuples(st.booleans(), st.booleans(), st.booleans()))
    separators = (", ", ": ") if spaces else (",", ":")
    text = json.dumps(value, ensure_ascii=ascii_, separators=separators, sort_keys=sort)
    return text.encode()


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return every holder and key in the value."""
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    else:
        return []
    return [place for key, inner in pairs for place in [(value, key), *_places(inner)]]


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """Return a message of which one value is another, is missing, or is no JSON at all."""
    value = json.loads(json.dumps(draw(messages)))
    holder, key = draw(st.sampled_from(_places(value)))
    mark = "here-stands-what-is-not-json"
    kind = draw(st.sampled_from(["value", "raw", "missing", "twice"]))
    raw = b""
    if kind == "missing":
        del holder[key]
    elif kind == "value":
        holder[key] = draw(anything)
    else:
        raw = draw(st.sampled_from(NASTY_RAW))
        if kind == "twice":
            raw = b'1,"' + json.dumps(str(key)).encode()[1:-1] + b'":' + raw
        holder[key] = mark
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return text.replace(json.dumps(mark).encode(), raw)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a message of which some bytes are others, are gone, or are there twice."""
    text = bytearray(draw(texts_of(messages)))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 20)))
        text[start:end] = draw(
            st.one_of(
                st.just(b""), st.just(bytes(text[start:end] * 2)), st.binary(max_size=4),
                st.sampled_from(NASTY_RAW),
            )
        )  # fmt: skip
    return bytes(text)


garbage = st.one_of(
    st.binary(max_size=60),
    texts_of(anything),
    st.text(alphabet='{}[]":,\\ue0123456789.-+tfn \x00\x7f\u2028', max_size=60).map(str.encode),
)

hostile: SearchStrategy[bytes] = st.one_of(spoiled(), damaged(), garbage, texts_of(messages))
"""The bytes of a message from a peer that may be anybody."""
