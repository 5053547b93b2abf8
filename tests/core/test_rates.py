from vstats_core import Rate


def test_the_first_reading_has_no_rate():
    assert Rate().update(1_000_000, 5.0) == 0.0


def test_a_rate_is_the_gain_per_second():
    rate = Rate()
    rate.update(1000, 5.0)

    assert rate.update(3000, 7.0) == 1000.0


def test_a_counter_that_went_backwards_gives_zero_and_then_goes_on_from_there():
    rate = Rate()
    rate.update(1000, 5.0)

    assert rate.update(10, 6.0) == 0.0
    assert rate.update(30, 7.0) == 20.0


def test_two_readings_at_one_moment_give_zero():
    rate = Rate()
    rate.update(1000, 5.0)

    assert rate.update(2000, 5.0) == 0.0
