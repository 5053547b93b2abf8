import re
import time

from vstats_core.clock import Clock, rfc3339


def test_times_are_rfc_3339_in_utc_and_whole_seconds():
    assert rfc3339(1704110400.9) == "2024-01-01T12:00:00Z"


def test_the_clock_tells_the_present():
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", Clock().utc())
    assert Clock().utc(ago=time.time()) == "1970-01-01T00:00:00Z"
