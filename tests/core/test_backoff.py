import pytest

from vstats_core.backoff import Backoff


def highest(low: float, high: float) -> float:
    assert (low, high) == (0.5, 1.0)
    return high


def test_delays_double_from_1_s_to_30_s():
    backoff = Backoff(highest)

    assert [backoff.next() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]


def test_every_delay_is_multiplied_by_a_random_half_to_one():
    delays = [Backoff().next() for _ in range(200)]

    assert 0.5 <= min(delays) < 0.6
    assert 0.9 < max(delays) <= 1.0


@pytest.mark.parametrize(("seconds", "delay"), [(9.9, 4), (10, 1)])
def test_a_connection_must_live_10_s_for_the_delays_to_start_over(seconds, delay):
    backoff = Backoff(highest)
    backoff.next()
    backoff.next()

    backoff.lived(seconds)

    assert backoff.next() == delay


def test_after_a_refusal_the_delay_stays_the_longest():
    backoff = Backoff(highest)

    assert backoff.longest() == 30
    assert backoff.next() == 30
