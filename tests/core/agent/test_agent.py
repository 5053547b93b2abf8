import asyncio
import json
import math
import threading
from importlib.metadata import EntryPoint

import pytest
from kit import REPORT, FakeClock

from vstats_core.agent.agent import Agent, next_due, ticks
from vstats_core.collectors import Collector, Found
from vstats_core.settings import CollectorSettings

LOAD = {"load_average": REPORT["load_average"]}


def collector(name, collect, *, ours=False, **settings) -> Collector:
    distribution = "vstats-monitor" if ours else "acme"
    found = Found(name, distribution, "1.0", EntryPoint(name, "x", "vstats"))
    return Collector(found, CollectorSettings(**settings), collect, "enabled")


class Reports:
    """A sink that keeps what it is offered."""

    def __init__(self):
        self.all = []
        self.news = asyncio.Event()

    def __call__(self, report):
        self.all.append(json.loads(report))
        self.news.set()

    async def until(self, count):
        """Wait until there are so many."""
        async with asyncio.timeout(5):
            while len(self.all) < count:
                self.news.clear()
                await self.news.wait()

    @property
    def newest(self):
        return self.all[-1]


async def rounds(count):
    for _ in range(count):
        yield


async def run(*collectors, count=0, interval=1.0):
    """Return what an agent reports at its start and in so many rounds."""
    reports = Reports()
    agent = Agent(
        collectors, [reports], interval=interval, clock=FakeClock(), hostname=lambda: "web-1"
    )
    await agent.run(rounds(count))
    return reports


async def test_the_first_report_holds_what_every_built_in_collector_answered():
    reports = await run(
        collector("load", lambda: LOAD, ours=True),
        collector("up", lambda: {"uptime": 5}, ours=True),
    )

    assert reports.newest["load_average"] == LOAD["load_average"]
    assert reports.newest["uptime"] == 5
    assert reports.newest["hostname"] == "web-1"
    assert reports.newest["agent"]["interval"] == 1


async def test_the_first_report_does_not_wait_longer_for_one_that_hangs(monkeypatch):
    monkeypatch.setattr("vstats_core.agent.agent.FIRST_REPORT", 0.05)
    hang = threading.Event()
    try:
        reports = await run(
            collector("load", lambda: LOAD, ours=True), collector("slow", hang.wait, ours=True)
        )
    finally:
        hang.set()

    assert "load_average" in reports.newest


async def test_the_first_report_does_not_wait_for_a_strangers_collector():
    hang = threading.Event()
    try:
        async with asyncio.timeout(1):
            reports = await run(
                collector("slow", hang.wait), collector("load", lambda: LOAD, ours=True)
            )
    finally:
        hang.set()

    assert "load_average" in reports.newest


async def test_a_report_holds_the_values_of_its_own_round():
    values = iter(range(100))
    reports = Reports()
    counter = collector("count", lambda: {"count": next(values)}, ours=True)
    agent = Agent([counter], [reports], interval=10)

    async def due_at_once():
        for _ in range(3):
            for lane in agent._lanes:
                lane._next_call = 0
            yield

    await agent.run(due_at_once())

    assert [report["count"] for report in reports.all] == [0, 1, 2, 3]


async def test_a_collector_with_a_longer_interval_of_its_own_keeps_its_value_between_calls():
    values = iter(range(100))
    rare = collector("count", lambda: {"count": next(values)}, ours=True, interval=3600)

    reports = await run(rare, count=3)

    assert [report["count"] for report in reports.all] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "answer",
    [
        *([1], "text", {"x": math.nan}, {"x": object()}, {"x": "y" * 100_000}, {"cpu": {}}),
        *({"hostname": "forged"}, {"x": "\ud800"}, {5: 5}),
    ],
    ids=range(9),
)
async def test_one_collector_that_returns_rubbish_costs_only_its_own_section(answer):
    reports = await run(
        collector("load", lambda: LOAD, ours=True), collector("bad", lambda: answer, ours=True)
    )

    assert reports.newest["load_average"] == LOAD["load_average"]
    assert reports.newest["hostname"] == "web-1"
    assert reports.newest["collectors"]["load"]["ok"]
    assert not reports.newest["collectors"]["bad"]["ok"]
    assert reports.newest["collectors"]["bad"]["error"]


async def test_a_strangers_section_wins_over_ours_which_is_said_once(caplog):
    reports = await run(
        collector("theirs", lambda: {"uptime": 2}),
        collector("ours", lambda: {"uptime": 1}, ours=True),
        collector("wait", lambda: (threading.Event().wait(0.05) and None) or {"w": 1}, ours=True),
        count=2,
    )

    assert reports.newest["uptime"] == 2
    assert caplog.text.count("collectors ours and theirs both return uptime") == 1


async def test_a_disabled_collector_is_not_called():
    def never():
        raise AssertionError

    disabled = Collector(collector("x", never).found, CollectorSettings(), never, "disabled")

    reports = await run(disabled)

    assert reports.newest["collectors"] == {}


@pytest.mark.parametrize(
    ("now", "due"),
    [(100.0, 101.0), (100.4, 101.0), (101.0, 101.0), (101.02, 102.0), (104.7, 105.0)],
)
def test_rounds_keep_to_a_grid_and_those_slept_through_are_not_made_up(now, due):
    assert next_due(100.0, now, 1.0) == due


async def test_a_change_begins_a_round_at_once_and_a_grid_of_its_own():
    changed = asyncio.Event()
    grid = ticks(lambda: 3600, changed)

    for _ in range(3):
        changed.set()
        async with asyncio.timeout(1):
            await anext(grid)

    assert not changed.is_set()


async def test_other_settings_take_effect_at_once_and_a_thread_is_kept():
    threads = set()

    def collect(value):
        threads.add(threading.current_thread())
        return {"count": value}

    reports = Reports()
    agent = Agent([collector("c", lambda: collect(1), ours=True)], [reports], interval=3600)
    running = asyncio.create_task(agent.run())
    await reports.until(1)

    agent.reconfigure(
        [
            collector("c", lambda: collect(2), ours=True, timeout=9),
            collector("new", lambda: {"new": True}, ours=True),
        ],
        7,
    )
    await reports.until(2)
    agent.reconfigure([collector("new", lambda: {"new": True}, ours=True)], 7)
    await reports.until(3)
    running.cancel()

    assert [report.get("count") for report in reports.all] == [1, 2, None]
    assert [report.get("new") for report in reports.all] == [None, True, True]
    assert reports.all[1]["agent"]["interval"] == 7
    (thread,) = threads
    await asyncio.to_thread(thread.join, 5)
    assert not thread.is_alive()


async def test_a_collector_that_hangs_is_not_called_again_because_its_settings_changed():
    calls = []
    called, hang = threading.Event(), threading.Event()

    def collect():
        calls.append(1)
        called.set()
        hang.wait()

    reports = Reports()
    agent = Agent([collector("c", collect)], [reports], interval=3600)
    running = asyncio.create_task(agent.run())
    await reports.until(1)
    await asyncio.to_thread(called.wait, 5)
    agent.reconfigure([collector("c", collect, timeout=1)], 1)
    await reports.until(2)
    agent.reconfigure([], 1)
    agent.reconfigure([collector("c", collect, timeout=1)], 1)
    await reports.until(3)
    running.cancel()
    hang.set()

    assert calls == [1]
