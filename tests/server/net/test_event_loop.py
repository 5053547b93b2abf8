"""What arrives gathers for a moment while nobody gains by reading it at once."""

import asyncio
import selectors
import socket
import sys

import pytest
from kit import config

from vstats_server.commands import main as cli
from vstats_server.net.event_loop import ModeratedEventLoop, ModeratedSelector
from vstats_server.relay import Relay


class Setting:
    """A moderated selector of two sockets, and what it slept; arrivals happen while it sleeps."""

    def __init__(self):
        self.slept = []
        self.arriving = []
        self.selector = ModeratedSelector(self._sleep)
        self.ends = [socket.socketpair() for _ in range(2)]
        for ours, _ in self.ends:
            self.selector.register(ours, selectors.EVENT_READ)

    def _sleep(self, seconds):
        self.slept.append(seconds)
        for number in self.arriving:
            self.arrive(number)

    def arrive(self, number):
        self.ends[number][1].send(b"x")

    def close(self):
        self.selector.close()
        for pair in self.ends:
            for end in pair:
                end.close()


@pytest.fixture
def setting():
    setting = Setting()
    yield setting
    setting.close()


def test_what_arrives_within_the_pause_is_read_together(setting):
    setting.selector.pause = 0.01
    setting.arriving = [0, 1]

    assert len(setting.selector.select(1.0)) == 2
    assert setting.slept == [0.01]


def test_what_is_there_already_is_not_waited_for(setting):
    setting.selector.pause = 0.01
    setting.arrive(0)

    assert len(setting.selector.select(1.0)) == 1
    assert setting.slept == []


def test_what_is_due_at_a_time_is_not_late(setting):
    setting.selector.pause = 0.01

    assert setting.selector.select(0.001) == []
    assert setting.slept == [0.001]


@pytest.mark.parametrize("timeout", [0, -1])
def test_who_does_not_want_to_wait_does_not(setting, timeout):
    setting.selector.pause = 0.01

    assert setting.selector.select(timeout) == []
    assert setting.slept == []


def test_without_a_pause_it_wakes_for_each(setting):
    setting.arrive(0)

    assert len(setting.selector.select(None)) == 1
    assert setting.slept == []


def test_a_wait_without_an_end_goes_on_after_the_pause(setting):
    setting.selector.pause = 0.01
    setting.arriving = [1]

    assert len(setting.selector.select(None)) == 1
    assert setting.slept == [0.01]


def test_the_server_runs_on_it_where_uvloop_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)

    assert cli._loop_factory(config()) is ModeratedEventLoop


def test_the_relay_lets_its_event_loop_be_moderated():
    async def moderated():
        relay = Relay(config())
        async with relay.serving():
            relay._fanout.moderate(0.01)
            return asyncio.get_running_loop()._moderated.pause

    with asyncio.Runner(loop_factory=ModeratedEventLoop) as runner:
        assert runner.run(moderated()) == 0.01
