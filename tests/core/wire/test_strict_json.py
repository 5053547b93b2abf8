import datetime as dt
import gc
import json
import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vstats_core.errors import JSONError
from vstats_core.wire import strict_json


@pytest.mark.parametrize(
    "text",
    [
        *("NaN", "Infinity", "-Infinity", "1e999", '{"a": NaN}', '"\\ud800"', "\ufeff1"),
        *("1 2", "{} x", "", "[1,]", "{'a': 1}", "01", "1" * 5000, "[" * 30000 + "]" * 30000),
    ],
)
def test_what_a_browser_might_choke_on_is_refused(text):
    with pytest.raises(JSONError):
        strict_json.loads(text)


def test_the_refusal_says_where_and_echoes_nothing():
    with pytest.raises(JSONError) as caught:
        strict_json.loads('{"secret": NaN}')

    assert "character 11" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        *(math.nan, math.inf, [math.nan], {"a": -math.inf}, object(), {1, 2}, b"bytes"),
        *(dt.datetime.now(dt.UTC), "\ud800", {"\udfff": 1}, 10**400, {(1, 2): 3}),
    ],
    ids=range(12),
)
def test_what_json_cannot_say_is_an_error_and_never_null(value):
    with pytest.raises(JSONError):
        strict_json.dumps(value)


def test_a_deep_nest_is_an_error():
    nest: list = []
    for _ in range(100_000):
        nest = [nest]

    with pytest.raises(JSONError):
        strict_json.dumps(nest)
    while nest:  # a list this deep must be taken apart by hand
        nest = nest[0]


def test_a_circle_is_an_error():
    circle: list = []
    circle.append(circle)

    with pytest.raises(JSONError):
        strict_json.dumps(circle)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(anything)
def test_what_is_written_can_be_read_by_any_parser(value):
    try:
        text = strict_json.dumps(value)
    except JSONError:
        return

    assert json.loads(text, parse_constant=pytest.fail) == value
    orjson.loads(text)


nested = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(alphabet='[]{}"\\\\ae', max_size=6)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(alphabet='[]{}"\\\\ae', max_size=4), inner, max_size=3),
    ),
    max_leaves=20,
)


def depth(value):
    holders = value.values() if isinstance(value, dict) else value
    return 1 + max(map(depth, holders), default=0) if isinstance(value, (dict, list)) else 0


@given(nested, st.booleans())
def test_depth_is_counted_outside_of_strings_alone(value, ascii_):
    text = json.dumps(value, ensure_ascii=ascii_)

    assert strict_json.loads(text, deepest=depth(value)) == value
    if depth(value):
        with pytest.raises(JSONError, match="nested more than"):
            strict_json.loads(text, deepest=depth(value) - 1)


@given(nested)
def test_what_was_read_is_written_again_as_any_other_value(value):
    assert strict_json.dumps_again(value) == strict_json.dumps(value)


def test_the_garbage_collector_is_let_in_again_after_a_large_text():
    strict_json.loads("[" + "1," * 50_000 + "1]")
    assert gc.isenabled()
    with pytest.raises(JSONError):
        strict_json.loads("[" + "1," * 50_000)
    assert gc.isenabled()
