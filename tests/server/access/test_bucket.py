from vstats_server.access.bucket import TokenBucket


def test_a_burst_passes_at_once_and_the_next_message_does_not():
    bucket = TokenBucket(20, 40, now=100.0)

    passed = [bucket.take(100.0) for _ in range(41)]

    assert passed == [True] * 40 + [False]


def test_after_the_burst_the_rate_passes():
    bucket = TokenBucket(20, 40, now=0.0)
    for _ in range(40):
        bucket.take(0.0)

    passed = sum(bucket.take(0.125 * tick) for tick in range(1, 81) for _ in range(10))

    assert passed == 20 * 10


def test_a_refused_message_costs_nothing():
    bucket = TokenBucket(1, 1, now=0.0)
    bucket.take(0.0)
    for _ in range(1000):
        bucket.take(0.0)

    assert bucket.take(1.0)


def test_what_is_not_used_is_not_saved_beyond_the_burst():
    bucket = TokenBucket(20, 40, now=0.0)

    passed = [bucket.take(1e6) for _ in range(41)]

    assert passed == [True] * 40 + [False]


def test_a_burst_of_one_and_a_slow_rate_let_one_message_pass_every_few_seconds():
    bucket = TokenBucket(0.25, 1, now=0.0)

    passed = [bucket.take(float(second)) for second in range(9)]

    assert passed == [True, False, False, False, True, False, False, False, True]
