import asyncio
import logging
import sys
import threading

import pytest

from vstats_core.agent.workers import LONGEST_PAUSE, Lane
from vstats_core.errors import FragmentError


class Collector:
    """A call whose answers a test decides, one at a time."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.threads = set()
        self.running = 0
        self.most_running = 0

    def __call__(self):
        self.threads.add(threading.current_thread())
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            return answer() if callable(answer) else answer
        finally:
            self.running -= 1


def fails():
    raise OSError("no such sensor")


class Runner:
    """A lane, and a way to wait for its next answer or deadline."""

    def __init__(self, call, *, interval=1.0, timeout=5.0):
        self.settled = asyncio.Event()
        self.lane = Lane(
            "fans", settled=self.settled.set, call=call, interval=interval, timeout=timeout
        )

    async def ask(self):
        self.settled.clear()
        # As if the next call were due: what is tested here is not the calendar.
        assert self.lane.ask_if_due(slack=1e9)
        await self.wait()

    async def wait(self):
        async with asyncio.timeout(5):
            await self.settled.wait()
        self.settled.clear()


async def test_the_newest_good_value_is_kept_with_its_age_and_the_calls_duration():
    runner = Runner(Collector(1, 2))

    await runner.ask()
    await runner.ask()

    assert runner.lane.value == 2
    assert runner.lane.error == ""
    assert 0 <= runner.lane.age < 1
    assert 0 <= runner.lane.busy_for < 1


async def test_the_age_is_that_of_the_value_and_not_of_the_lane(monkeypatch):
    loop = asyncio.get_running_loop()
    runner = Runner(Collector(1))
    born = runner.lane._collected_at
    later = loop.time() + 100
    with monkeypatch.context() as patched:
        patched.setattr(loop, "time", lambda: later)
        await_answer = asyncio.ensure_future(runner.settled.wait())
        runner.lane.ask_if_due()
    await await_answer

    assert runner.lane._collected_at == later
    assert runner.lane._collected_at > born


async def test_a_collector_that_has_not_answered_yet_is_not_well():
    release = threading.Event()
    runner = Runner(Collector(release.wait, None))
    runner.lane.ask_if_due(slack=1e9)
    assert runner.lane.complaint == "no answer yet"
    assert not runner.lane.answered

    release.set()
    await runner.wait()

    assert runner.lane.complaint == ""


async def test_a_collector_that_leaves_threads_running_is_not_called_until_they_end(monkeypatch):
    monkeypatch.setattr("vstats_core.agent.workers.MOST_OFFSPRING", 3)
    end = threading.Event()
    calls = []

    def leak():
        calls.append(1)
        threading.Thread(target=end.wait, daemon=True).start()
        return 1

    runner = Runner(leak)
    for _ in range(4):
        await runner.ask()
    assert runner.lane.error == "left 4 threads running; at most 3 are allowed"
    assert not runner.lane.ask_if_due(slack=1e9)

    end.set()
    while runner.lane._offspring.count():
        await asyncio.to_thread(threading.Event().wait, 0.01)
    await runner.ask()

    assert runner.lane.error == ""
    assert len(calls) == 5


async def test_threads_of_threads_are_counted_and_those_of_others_are_not():
    end = threading.Event()

    def grandchild():
        threading.Thread(target=end.wait, daemon=True).start()
        end.wait()

    def leak():
        child = threading.Thread(target=grandchild, daemon=True)
        child.start()
        return 1

    runner = Runner(leak)
    other = threading.Thread(target=end.wait, daemon=True)
    other.start()
    await runner.ask()
    while runner.lane._offspring.count() < 2:
        await asyncio.to_thread(threading.Event().wait, 0.01)

    assert runner.lane._offspring.count() == 2
    end.set()
    other.join()


async def test_a_traceback_is_logged_for_those_who_ask_for_detail(caplog):
    caplog.set_level(logging.DEBUG)
    await Runner(Collector(fails)).ask()

    (record,) = [r for r in caplog.records if r.levelno == logging.DEBUG and r.exc_info]
    assert record.getMessage() == "collector fans raised"


async def test_a_collector_is_called_on_one_thread_of_its_own_which_is_a_daemon():
    collector = Collector(1)
    runner = Runner(collector)

    await runner.ask()
    await runner.ask()

    (thread,) = collector.threads
    assert thread.name == "collector fans"
    assert thread.daemon


async def test_a_collector_that_fails_keeps_its_last_good_value():
    runner = Runner(Collector(1, fails, 3))

    await runner.ask()
    await runner.ask()

    assert runner.lane.value == 1
    assert runner.lane.error.startswith("OSError: no such sensor (test_workers.py:")

    await runner.ask()

    assert runner.lane.value == 3
    assert runner.lane.error == ""


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()], ids=repr)
async def test_nothing_that_a_collector_raises_ends_its_thread(error):
    def raises():
        raise error

    runner = Runner(Collector(raises, 2))

    await runner.ask()
    assert type(error).__name__ in runner.lane.error

    await runner.ask()
    assert runner.lane.value == 2


async def test_an_error_that_cannot_even_be_printed_is_named():
    class UnprintableError(Exception):
        def __str__(self):
            raise RuntimeError

    def raises():
        raise UnprintableError

    runner = Runner(Collector(raises))
    await runner.ask()

    assert runner.lane.error.startswith("UnprintableError (test_workers.py:")


async def test_an_errors_text_is_short_and_on_one_line():
    def raises():
        raise ValueError("a\n" * 5000 + "\ud800")

    runner = Runner(Collector(raises))
    await runner.ask()

    assert len(runner.lane.error) < 400
    assert "\n" not in runner.lane.error
    runner.lane.error.encode()


async def test_an_error_of_our_own_does_not_name_a_line_of_ours():
    def raises():
        raise FragmentError("the key 'agent' belongs to the agent itself")

    runner = Runner(Collector(raises))
    await runner.ask()

    assert runner.lane.error == "the key 'agent' belongs to the agent itself"


async def test_a_call_that_hangs_is_late_and_never_called_a_second_time():
    release = threading.Event()
    collector = Collector(1, release.wait, 3)
    runner = Runner(collector, timeout=0.02)
    await runner.ask()

    await runner.ask()

    assert runner.lane.late
    assert runner.lane.value == 1
    assert runner.lane.error == "no answer, its timeout is 0.02 s"
    assert not runner.lane.ask_if_due(slack=1e9)

    release.set()
    await runner.wait()
    await runner.ask()

    assert runner.lane.value == 3
    assert collector.most_running == 1


async def test_a_value_that_comes_late_does_not_count_and_the_error_says_how_late():
    release = threading.Event()
    runner = Runner(Collector(release.wait), timeout=0.02)
    await runner.ask()

    release.set()
    await runner.wait()

    assert runner.lane.value is None
    assert runner.lane.error.startswith("took 0.")
    assert runner.lane.error.endswith("s, its timeout is 0.02 s")


async def test_the_age_of_a_section_that_never_came_counts_from_the_start():
    runner = Runner(Collector(fails))
    await runner.ask()

    assert runner.lane.value is None
    assert runner.lane.age > 0


async def test_a_failing_collector_is_asked_ever_less_often_and_one_success_resets():
    runner = Runner(Collector(*[fails] * 10, 1), interval=1.0)
    lane = runner.lane
    pauses = []
    for _ in range(11):
        await runner.ask()
        pauses.append(lane._next_call - lane._asked_at)

    expected = [2, 4, 8, 16, 32, 64, 128, 256, LONGEST_PAUSE, LONGEST_PAUSE, 1]
    assert pauses == pytest.approx(expected)


async def test_a_pause_is_never_shorter_than_the_interval():
    runner = Runner(Collector(fails), interval=3600)
    await runner.ask()

    assert runner.lane._next_call - runner.lane._asked_at == pytest.approx(3600)


async def test_a_call_is_not_due_before_its_interval():
    runner = Runner(Collector(1), interval=60)
    await runner.ask()

    assert not runner.lane.ask_if_due()


async def test_the_log_has_the_first_failure_every_power_of_two_and_the_recovery(caplog):
    runner = Runner(Collector(*[fails] * 9, 1))
    for _ in range(10):
        await runner.ask()

    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]

    assert [line.split("(")[1].split(" ")[0] for line in lines[:-1]] == ["1", "2", "4", "8"]
    assert lines[-1] == "collector fans works again after 9 failures"


async def test_a_collector_that_took_its_starting_point_is_asked_again_soon(monkeypatch):
    monkeypatch.setattr("vstats_core.agent.workers.SOON", 0.01)
    runner = Runner(Collector(None, 7), interval=3600)

    await runner.ask()
    assert not runner.lane.answered
    await runner.wait()

    assert runner.lane.value == 7


async def test_a_lane_whose_loop_is_gone_ends_quietly(recwarn):
    release = threading.Event()

    async def use():
        lane = Lane("fans", settled=lambda: None, call=release.wait, interval=1, timeout=5)
        lane.ask_if_due()
        return [t for t in threading.enumerate() if t.name == "collector fans"][-1]

    thread = await asyncio.to_thread(asyncio.run, use())
    release.set()
    await asyncio.to_thread(thread.join, 5)

    assert not thread.is_alive()
    assert not recwarn.list
    assert sys.exc_info() == (None, None, None)
