"""Whatever dashboards do, and whenever, each sees a history that the protocol allows.

A real Fanout and a real Hub, with connections whose send buffer a test fills and empties. What a
connection was written is parsed back into messages and held against what was told while it was
there.
"""

import asyncio
import json

from hypothesis import given, settings
from hypothesis import strategies as st
from kit import FakeClock
from pydantic import SecretStr

from vstats_server.config import Host
from vstats_server.delivery import fanout as module
from vstats_server.delivery.fanout import Fanout
from vstats_server.hub.hub import Hub
from vstats_server.hub.intake import IncomingDescription, IncomingReport
from vstats_server.net.connection import FULL, NEARLY_EMPTY

NAMES = ("a", "b", "c")
SIZES = (1, 2_000, 40_000, 100_000)


class FakeTransport:
    """A send buffer; ``room`` is what the kernel takes before anything stays in it."""

    def __init__(self, connection):
        self.connection = connection
        self.room = 0
        self.buffer = bytearray()
        self.sent = bytearray()
        self.ended = False

    def is_closing(self):
        return False  # to have said the last word is not to be broken

    def write(self, data):
        if self.ended:
            raise RuntimeError("Cannot call write() after write_eof()")
        self.buffer += data
        if not self.connection.paused:
            self._send()
            if len(self.buffer) > FULL:
                self.connection.paused = True

    def take(self, size):
        self.room += size
        self._send()
        if self.connection.paused and len(self.buffer) <= NEARLY_EMPTY:
            self.connection.paused = False
            self.connection.on_writable()

    def _send(self):
        size = min(self.room, len(self.buffer))
        self.room -= size
        self.sent += self.buffer[:size]
        del self.buffer[:size]

    def get_write_buffer_size(self):
        return len(self.buffer)


class FakeConnection:
    """What the fan-out asks of a RelayConnection."""

    address = "127.0.0.1"

    def __init__(self):
        self.transport = FakeTransport(self)
        self.paused = False
        self.open = True
        self.code = None
        self.on_writable = self.on_ending = lambda: None

    @property
    def full(self):
        return self.paused

    @property
    def unsent(self):
        return self.transport.get_write_buffer_size()

    def limit_kernel_buffer(self):
        pass

    def write(self, frames):
        if self.open:
            self.transport.write(frames)

    def cut(self, code, reason):
        self.code = code
        if self.open:
            self.end()

    def end(self):
        self.open = False
        self.transport.ended = True
        self.on_ending()


def messages(data):
    """Return the messages of whole frames."""
    found = []
    while data:
        head, size = 2, data[1]
        if size in (126, 127):
            head += 2 if size == 126 else 8
            size = int.from_bytes(data[2:head], "big")
        assert len(data) >= head + size, "a frame is not whole"
        found.append(json.loads(data[head : head + size]))
        data = data[head + size :]
    return found


class Viewer:
    """A dashboard: what it was written, what was told while it was there, what it knew at first."""

    def __init__(self, fanout, hub):
        self.connection = FakeConnection()
        self.told = [json.loads(news.message) for news in hub.snapshot()]
        self._fanout = fanout
        self.context = fanout.joined(self.connection, hub.snapshot())
        self.dashboard = self.context.__enter__()
        self.was_ever_behind = not self.dashboard.in_step
        self.given_at_end = None

    def leave(self):
        self.context.__exit__(None, None, None)

    def got(self):
        return messages(bytes(self.connection.transport.sent + self.connection.transport.buffer))


def facts(all_messages):
    return [m for m in all_messages if m["type"] != "metrics"]


def check(viewer, *, complete):
    """Hold what a dashboard got against what there was to get."""
    got = viewer.got()
    told = viewer.told
    # Facts: all, once, in order (a prefix of them for one that has left or is behind).
    assert facts(got) == facts(told)[: len(facts(got))]
    if complete:
        assert facts(got) == facts(told)
    if not viewer.was_ever_behind:
        assert got == told[: len(got)]
        if complete:
            assert got == told
    # Reports: none invented, none repeated, none older than one before; none of a host not there.
    order = {m["data"]["metrics"]["n"]: i for i, m in enumerate(told) if m["type"] == "metrics"}
    there, newest, last_of_life = set(), {}, {}
    for message in got:
        data = message["data"]
        if message["type"] == "server_added":
            assert data["id"] not in there
            there.add(data["id"])
            newest.pop(data["id"], None)
        elif message["type"] == "server_removed":
            there.remove(data["id"])
        else:
            assert data["server_id"] in there, message["type"]
            if message["type"] == "metrics":
                number = data["metrics"]["n"]
                assert number in order
                assert number > newest.get(data["server_id"], -1)
                newest[data["server_id"]] = number
    if complete:
        for message in told:
            if message["type"] == "server_removed":
                last_of_life.pop(message["data"]["id"], None)
            if message["type"] == "metrics":
                last_of_life[message["data"]["server_id"]] = message["data"]["metrics"]["n"]
        assert {k: v for k, v in newest.items() if k in there} == last_of_life


ACTIONS = st.one_of(
    st.tuples(st.just("report"), st.sampled_from(NAMES), st.sampled_from(SIZES)),
    st.tuples(st.just("report"), st.sampled_from(NAMES), st.sampled_from(SIZES)),
    st.tuples(st.just("online"), st.sampled_from(NAMES), st.booleans()),
    st.tuples(st.just("describe"), st.sampled_from(NAMES), st.sampled_from(SIZES[:3])),
    st.tuples(st.just("hosts"), st.lists(st.sampled_from(NAMES), unique=True), st.booleans()),
    st.tuples(st.just("join"), st.sampled_from((0, 500, 50_000, 10**9)), st.just(0)),
    st.tuples(st.just("leave"), st.integers(0, 5), st.booleans()),
    st.tuples(st.just("take"), st.integers(0, 5), st.sampled_from((1, 5_000, 70_000, 10**9))),
    st.tuples(st.just("timer"), st.just(0), st.just(0)),
    st.tuples(st.just("interval"), st.sampled_from((0, 3600)), st.just(0)),
)


class World:
    """A hub, its fan-out, and dashboards that come and go."""

    def __init__(self):
        self.fanout = Fanout(3600)
        self.here = []
        self.left = []
        self.number = 0
        self.location = 0
        self.hub = Hub(self.hosts(NAMES[:2]), self.news, offline_after=1e9, clock=FakeClock())

    def hosts(self, names):
        return [
            Host(id=n, name=n, location=str(self.location), token=SecretStr(n * 30)) for n in names
        ]

    def news(self, news):
        for viewer in self.here:
            viewer.told.append(json.loads(news.message))
        self.fanout.news(news)

    def do(self, action, one, two):
        getattr(self, action)(one, two)
        for viewer in self.here:
            viewer.was_ever_behind |= not viewer.dashboard.in_step
            in_step = viewer.dashboard in self.fanout._in_step
            assert in_step == viewer.dashboard.in_step
            self.check_count(viewer)
            self.check_backlog(viewer)
        alive = {viewer.dashboard for viewer in self.here}
        assert self.fanout._dashboards == alive
        assert self.fanout._in_step.keys() <= alive

    def check_count(self, viewer):
        """Every byte that a connection was written is counted, once."""
        fanout, dashboard = self.fanout, viewer.dashboard
        besides = fanout._given - fanout._in_step.get(dashboard, fanout._given)
        transport = viewer.connection.transport
        assert dashboard._given + besides == len(transport.sent) + len(transport.buffer)

    def check_backlog(self, viewer):
        """What waits is bounded: one report a host, and a send buffer that is not added to."""
        waiting = [messages(each)[0] for each in viewer.dashboard._mailbox._waiting.values()]
        of = [m["data"]["server_id"] for m in waiting if m["type"] == "metrics"]
        assert len(set(of)) == len(of)
        longest = max(SIZES) + 500
        assert viewer.connection.unsent < FULL + module.CHUNK + longest

    def report(self, name, size):
        if name in self.hub:
            self.number += 1
            content = {"n": self.number, "x": "x" * size}
            self.hub.publish(name, IncomingReport(content, json.dumps(content).encode()))

    def online(self, name, online):
        if name in self.hub:
            (self.hub.connected if online else self.hub.disconnected)(name)

    def describe(self, name, size):
        self.number += 1
        sections = json.dumps({"s": {"title": f"{self.number}" + "x" * size}}).encode()
        self.hub.describe(name, IncomingDescription(sections))

    def hosts_(self, names, change):
        self.location += change
        self.hub.replace_hosts(self.hosts(names))

    def join(self, room, _):
        # What the snapshot says, the batch that still waits must not say again.
        viewer = Viewer(self.fanout, self.hub)
        self.here.append(viewer)
        viewer.connection.transport.take(room)

    def leave(self, index, by_close):
        if self.here:
            viewer = self.here.pop(index % len(self.here))
            if by_close:
                viewer.connection.end()
            else:
                viewer.leave()
                viewer.connection.end()
            viewer.frozen = viewer.got()
            self.left.append(viewer)

    def take(self, index, size):
        if self.here:
            self.here[index % len(self.here)].connection.transport.take(size)

    def timer(self, *_):
        if self.fanout._timer is not None:
            self.fanout._timer.cancel()
            self.fanout._on_timer()

    def interval(self, seconds, _):
        self.fanout.write_interval = seconds

    def finish(self):
        self.timer()
        self.timer()
        for viewer in self.here:
            for _ in range(1000):
                viewer.connection.transport.take(10**9)
            check(viewer, complete=True)
            assert viewer.dashboard.in_step
        for viewer in self.left:
            assert viewer.got() == viewer.frozen
            check(viewer, complete=False)
        for viewer in list(self.here):
            viewer.leave()
        assert not self.fanout._dashboards
        assert not self.fanout._in_step
        assert not self.fanout._batch
        if self.fanout._timer is not None:
            self.fanout._timer.cancel()


@settings(max_examples=200)
@given(st.lists(ACTIONS, min_size=40, max_size=100))
def test_every_dashboard_sees_all_facts_in_order_and_no_report_twice_or_out_of_order(actions):
    async def play():
        world = World()
        for name, one, two in actions:
            world.do("hosts_" if name == "hosts" else name, one, two)
        world.finish()

    asyncio.run(play())


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(st.sampled_from(("report", "take", "second", "timer")), st.sampled_from(SIZES)),
        min_size=30,
        max_size=80,
    )
)
def test_only_who_takes_nothing_for_ten_seconds_while_something_waits_is_cut(steps):
    async def play():
        world = World()
        world.fanout.write_interval = 3600
        world.join(0, 0)
        (viewer,) = world.here
        transport = viewer.connection.transport
        now = asyncio.get_running_loop().time()
        progress_at, sent = now, 0
        for what, size in steps:
            if what == "report":
                world.report("a", size)
            elif what == "take":
                transport.take(size)
            elif what == "timer":
                world.timer()
            else:
                now += 1
                fanout, dashboard = world.fanout, viewer.dashboard
                besides = fanout._given - fanout._in_step.get(dashboard, fanout._given)
                if len(transport.sent) > sent or not transport.buffer:
                    progress_at, sent = now, len(transport.sent)
                stalled = dashboard.is_stalled(now, besides)
                assert stalled == (now - progress_at >= module.STALLED_AFTER)
        if world.fanout._timer is not None:
            world.fanout._timer.cancel()

    asyncio.run(play())
