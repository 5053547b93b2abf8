import asyncio
import contextlib

from vstats_server.health.looplag import EVERY, LoopLag


def test_a_lag_is_counted_in_the_bucket_that_it_fits_in():
    lag = LoopLag()
    for seconds in (0.0, 0.001, 0.0011, 0.7, 60.0, -0.1):
        lag.observe(seconds)

    assert lag.counts == [3, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1]
    assert round(lag.total, 4) == 60.7021


async def test_what_holds_the_loop_up_is_seen():
    now = 0.0
    lag = LoopLag(lambda: now)
    task = asyncio.create_task(lag.watch())
    await asyncio.sleep(0)
    # Half a second later than asked for.
    now = EVERY + 0.5
    async with asyncio.timeout(5):
        while not lag.total:  # noqa: ASYNC110 - the watch has no event
            await asyncio.sleep(EVERY / 10)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

    assert lag.counts[lag.BOUNDS.index(0.5)] == 1
