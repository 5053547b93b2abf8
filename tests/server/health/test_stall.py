import pytest
from kit import FakeClock

from vstats_server.health.stall import Standstill


@pytest.mark.parametrize(("seconds", "stood_still"), [(1, 0), (5, 0), (6, 6), (3600, 3600)])
def test_only_a_long_time_between_two_looks_is_a_standstill(seconds, stood_still):
    clock = FakeClock()
    standstill = Standstill(clock.monotonic)

    clock.now += seconds

    assert standstill.look() == stood_still


def test_a_standstill_is_told_once():
    clock = FakeClock()
    standstill = Standstill(clock.monotonic)
    clock.now += 60

    assert standstill.look() == 60
    assert standstill.look() == 0
