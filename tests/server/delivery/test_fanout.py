"""A stalled dashboard here is a real one: it has upgraded, and then never reads."""

import asyncio
import contextlib
import json
import socket
import struct
import time

import pytest
from kit import (
    OTHER_TOKEN,
    FakeClock,
    config,
    metrics,
    raw_peer,
    receive,
    serving,
    snapshot,
    until,
)

from vstats_server.config import Limits
from vstats_server.delivery import fanout as module
from vstats_server.delivery.frames import frame
from vstats_server.hub.hub import News
from vstats_server.net import connection as connection_module
from vstats_server.net.connection import FULL

CLOSE, TEXT = 8, 1
UNLIMITED = Limits(messages_per_second=1e6, message_burst=1_000_000)
LARGE = "x" * 50_000


@contextlib.asynccontextmanager
async def one_stalled(**options):
    """Serve a relay with one dashboard that does not read; yield the peers, it, and our end."""
    async with (
        serving(config(limits=UNLIMITED), **options) as peers,
        raw_peer(peers.port, receive_buffer=4096) as stalled,
    ):
        await until(lambda: len(peers.relay._fanout) == 1)
        (dashboard,) = peers.relay._fanout._dashboards
        yield peers, stalled, dashboard


async def stall(agent, dashboard):
    """Send large reports until the dashboard's connection is full and a mailbox has begun."""
    while not dashboard._mailbox:
        await agent.send(metrics(uptime=0, gpu=LARGE))
        await asyncio.sleep(0)


def parsed(frames):
    return [json.loads(payload) for opcode, payload in frames if opcode == TEXT]


async def read_until(peer, wanted):
    """Return the messages up to the first for which ``wanted`` is true."""
    messages = []
    while not messages or not wanted(messages[-1]):
        messages += parsed([await peer.frame()])
    return messages


async def test_a_dashboard_that_stalls_keeps_no_other_waiting():
    async with (
        one_stalled() as (peers, _, dashboard),
        peers.dashboard(max_queue=None) as healthy,
        peers.agent() as agent,
    ):
        await stall(agent, dashboard)
        for number in range(1, 101):
            await agent.send(metrics(uptime=number, gpu=LARGE))
            before = time.monotonic()
            while (await receive(healthy, "metrics"))["data"]["metrics"]["uptime"] != number:
                pass
            assert time.monotonic() - before < 1


async def test_for_a_dashboard_that_stalls_only_the_newest_report_of_a_host_is_kept():
    async with (
        one_stalled() as (peers, _, dashboard),
        peers.dashboard() as healthy,
        peers.agent() as agent,
        peers.agent(OTHER_TOKEN) as other,
    ):
        await stall(agent, dashboard)
        waiting = len(dashboard._mailbox)
        for number in range(1, 51):
            await agent.send(metrics(uptime=number, gpu=LARGE))
            await other.send(metrics(uptime=number, gpu=LARGE))
        for _ in range(2):
            while (await receive(healthy, "metrics"))["data"]["metrics"]["uptime"] != 50:
                pass

        assert len(dashboard._mailbox) <= waiting + 1
        assert dashboard.connection.unsent < FULL + 2 * len(LARGE)


async def test_a_dashboard_that_reads_again_gets_the_newest_reports_and_every_status_in_order():
    async with (
        one_stalled() as (peers, stalled, dashboard),
        peers.dashboard() as healthy,
        peers.agent() as agent,
    ):
        await stall(agent, dashboard)
        for number in range(1, 21):
            async with peers.agent(OTHER_TOKEN) as other:
                await other.send(metrics(uptime=number, gpu=LARGE))
            await agent.send(metrics(uptime=number, gpu=LARGE))
        seen = 0
        while seen < 20:
            message = await receive(healthy, "status")
            seen += message["data"] == {"server_id": "web-2", "online": False}
        await agent.send(metrics(uptime=21))
        while (await receive(healthy, "metrics"))["data"]["metrics"]["uptime"] != 21:
            pass
        assert len(dashboard._mailbox) <= 2 + 2 * 20

        # A status waits behind everything that came before it.
        async with peers.agent(OTHER_TOKEN):
            pass
        await until(lambda: "web-2" not in peers.relay._agents)
        online = []
        reports = {"web-1": [], "web-2": []}
        while len(online) < 2 * 21:
            (message,) = parsed([await stalled.frame()])
            if message["type"] == "metrics":
                reports[message["data"]["server_id"]].append(message["data"]["metrics"]["uptime"])
            elif message["data"].get("server_id") == "web-2":
                online.append(message["data"]["online"])

    assert online == [True, False] * 21
    assert (reports["web-1"][-1], reports["web-2"][-1]) == (21, 20)
    assert all(newer >= older for each in reports.values() for older, newer in zip(each, each[1:]))  # noqa: B905, RUF007
    assert len(reports["web-2"]) == 1
    assert [uptime for uptime in reports["web-1"] if uptime] == [21]


async def test_nothing_of_a_host_follows_its_removal_for_a_dashboard_that_stalls(tmp_path):
    async with one_stalled() as (peers, stalled, dashboard), peers.agent() as agent:
        hub = peers.relay._hub
        async with peers.agent(OTHER_TOKEN) as other:
            await stall(agent, dashboard)
            await other.send(metrics(gpu=LARGE))
            await until(lambda: "web-2" in dashboard._mailbox._waiting)
            hub.replace_hosts(config().hosts[:1])
            await other.send(metrics(gpu=LARGE))
            await until(lambda: "web-2" not in dashboard._mailbox._waiting)
        hub.replace_hosts(config(offline_after=1).hosts[:1])
        await agent.send(metrics(uptime=1, gpu="the last"))

        messages = await read_until(
            stalled, lambda m: m["type"] == "metrics" and m["data"]["metrics"]["uptime"] == 1
        )
        hub.replace_hosts([])
        messages += await read_until(stalled, lambda m: m["data"].get("id") == "web-1")

    of_web_2 = [m["type"] for m in messages if "web-2" in json.dumps(m)]
    assert of_web_2[-1] == "server_removed"
    assert of_web_2.count("server_removed") == 1


async def test_a_dashboard_that_takes_nothing_for_ten_seconds_counts_as_stalled():
    assert module.STALLED_AFTER == 10
    async with one_stalled() as (peers, _, dashboard), peers.agent() as agent:
        await stall(agent, dashboard)
        now = asyncio.get_running_loop().time()

        assert not dashboard.is_stalled(now)
        assert not dashboard.is_stalled(now + 9)
        assert dashboard.is_stalled(now + 11)


async def test_a_dashboard_is_not_blamed_for_the_time_in_which_the_server_stood_still():
    async with one_stalled() as (peers, _, dashboard), peers.agent() as agent:
        await stall(agent, dashboard)
        now = asyncio.get_running_loop().time()
        assert not dashboard.is_stalled(now)
        dashboard.excuse(now - 60)
        assert dashboard.is_stalled(now)

        peers.relay._fanout.stood_still()

        assert not dashboard.is_stalled(now + 9)
        assert dashboard.is_stalled(now + 11)


async def test_a_dashboard_that_takes_a_little_now_and_then_is_not_stalled():
    async with one_stalled() as (peers, stalled, dashboard), peers.agent() as agent:
        await stall(agent, dashboard)
        now = asyncio.get_running_loop().time()
        assert not dashboard.is_stalled(now)

        for seconds in (9, 18, 27, 36):
            before = dashboard.connection.unsent, len(dashboard._mailbox)
            while (dashboard.connection.unsent, len(dashboard._mailbox)) == before:
                await asyncio.get_running_loop().sock_recv(stalled.socket, 4096)
            assert not dashboard.is_stalled(now + seconds)
            await stall(agent, dashboard)


async def test_a_dashboard_for_which_nothing_waits_is_never_stalled():
    async with one_stalled() as (_, __, dashboard):
        now = asyncio.get_running_loop().time()

        assert not any(dashboard.is_stalled(now + seconds) for seconds in (0, 9, 100, 1000))


async def test_an_idle_dashboard_gets_its_full_time_once_it_stalls():
    async with one_stalled() as (peers, _, dashboard), peers.agent() as agent:
        now = asyncio.get_running_loop().time()
        for seconds in range(100):
            assert not dashboard.is_stalled(now + seconds)
        await stall(agent, dashboard)

        assert not dashboard.is_stalled(now + 100)
        assert not dashboard.is_stalled(now + 108)
        assert dashboard.is_stalled(now + 111)


async def test_a_dashboard_that_stalls_is_cut_with_4408_and_aborted(monkeypatch, caplog):
    monkeypatch.setattr(module, "STALLED_AFTER", 0.1)
    monkeypatch.setattr(connection_module, "CLOSE_GRACE", 0.1)
    async with (
        one_stalled() as (peers, _, dashboard),
        peers.agent() as agent,
        peers.dashboard() as healthy,
    ):
        await snapshot(healthy)
        await stall(agent, dashboard)

        await until(lambda: dashboard.connection.lost)

        assert len(peers.relay._fanout) == len(peers.relay._admission.dashboards) == 1
        await agent.send(metrics(uptime=99))
        while (await receive(healthy, "metrics"))["data"]["metrics"]["uptime"] != 99:
            pass
    assert dashboard.connection.protocol.close_sent.code == 4408
    assert [r.getMessage() for r in caplog.records if r.name == module.__name__] == [
        "dashboard at 127.0.0.1 does not keep up; it is cut"
    ]


async def test_a_dashboard_that_is_cut_and_reads_again_in_time_sees_the_4408(monkeypatch):
    monkeypatch.setattr(module, "STALLED_AFTER", 0.1)
    async with one_stalled() as (peers, stalled, dashboard), peers.agent() as agent:
        await stall(agent, dashboard)
        await until(lambda: not dashboard.connection.open)

        while (frame := await stalled.frame())[0] != CLOSE:
            pass

    assert frame == (CLOSE, (4408).to_bytes(2, "big") + b"too slow")


async def test_a_dashboard_with_far_too_much_waiting_is_cut_at_once(monkeypatch):
    monkeypatch.setattr(module, "MOST_WAITING", 10)
    async with one_stalled() as (peers, _, dashboard), peers.agent() as agent:
        await stall(agent, dashboard)
        for _ in range(10):
            dashboard.enqueue(News(b""))

        assert dashboard.is_stalled(asyncio.get_running_loop().time())


async def test_a_shutdown_with_a_stalled_dashboard_takes_three_seconds_at_most():
    async with contextlib.AsyncExitStack() as stack:
        async with serving(config(limits=UNLIMITED)) as peers:
            await stack.enter_async_context(raw_peer(peers.port, receive_buffer=4096))
            await until(lambda: len(peers.relay._fanout) == 1)
            (dashboard,) = peers.relay._fanout._dashboards
            async with peers.agent() as agent:
                await stall(agent, dashboard)
            before = time.monotonic()

        assert 1.5 < time.monotonic() - before < 3
        assert dashboard.connection.lost


async def test_what_waits_is_handed_over_in_pieces_as_the_reader_takes_it():
    async with one_stalled() as (peers, stalled, dashboard), peers.agent() as agent:
        await stall(agent, dashboard)
        for number in range(100):
            message = b'{"number":%d,"x":"%b"}' % (number, LARGE.encode())
            dashboard.enqueue(News(message))

        numbers = []
        while len(numbers) < 100:
            (message,) = parsed([await stalled.frame()])
            numbers += [message["number"]] if "number" in message else []
            assert dashboard.connection.unsent < FULL + module.CHUNK + 2 * len(LARGE)

    assert numbers == list(range(100))


async def test_a_report_that_comes_while_a_snapshot_waits_replaces_the_snapshots():
    async with (
        serving(config(limits=UNLIMITED)) as peers,
        peers.agent() as agent,
        peers.agent(OTHER_TOKEN) as other,
    ):
        await agent.send(metrics(gpu=LARGE * 4))
        await other.send(metrics(uptime=1))
        await until(lambda: all(s.report for s in peers.relay._hub._states.values()))
        async with raw_peer(peers.port, receive_buffer=4096) as slow:
            await until(lambda: len(peers.relay._fanout))
            await other.send(metrics(uptime=2))
            newest = peers.relay._hub._states["web-2"]
            await until(lambda: b'"uptime":2' in newest.report)
            messages = parsed([await slow.frame() for _ in range(6)])

    assert [m["type"] for m in messages] == ["server_added", "status", "metrics"] * 2
    assert messages[-1]["data"]["metrics"]["uptime"] == 2


async def test_a_large_snapshot_is_delivered_in_order_to_a_slow_reader():
    clock = FakeClock()
    async with (
        serving(config(limits=UNLIMITED), clock=clock) as peers,
        peers.agent() as agent,
        peers.agent(OTHER_TOKEN) as other,
    ):
        await agent.send(metrics(gpu=LARGE * 4))
        await other.send(metrics(gpu=LARGE * 4))
        await until(lambda: all(s.report for s in peers.relay._hub._states.values()))
        async with raw_peer(peers.port, receive_buffer=4096) as slow:
            messages = parsed([await slow.frame() for _ in range(6)])

    assert [message["type"] for message in messages] == ["server_added", "status", "metrics"] * 2


async def test_the_snapshot_and_what_is_live_join_without_a_gap_or_a_repeat():
    async with serving(config(limits=UNLIMITED)) as peers, peers.agent() as agent:

        async def flow():
            for number in range(300):
                await agent.send(metrics(uptime=number))
                await asyncio.sleep(0)

        task = asyncio.create_task(flow())
        seen = []
        for _ in range(5):
            async with peers.dashboard(max_queue=None) as dashboard:
                uptimes = []
                for _ in range(20):
                    if task.done():
                        break
                    message = await receive(dashboard, "metrics")
                    uptimes.append(message["data"]["metrics"]["uptime"])
                seen.append(uptimes)
        await task

    for uptimes in filter(None, seen):
        assert uptimes == list(range(uptimes[0], uptimes[0] + len(uptimes)))


@pytest.mark.parametrize("count", [1, 30])
async def test_every_dashboard_gets_every_message(count):
    async with serving() as peers, contextlib.AsyncExitStack() as stack:
        dashboards = [await stack.enter_async_context(peers.dashboard()) for _ in range(count)]
        for dashboard in dashboards:
            await snapshot(dashboard)

        agent = await stack.enter_async_context(peers.agent())
        await agent.send(metrics(uptime=5))

        for dashboard in dashboards:
            assert (await receive(dashboard))["type"] == "status"
            assert (await receive(dashboard))["data"]["metrics"]["uptime"] == 5


class Writes:
    """The writes that a connection's transport was given, one by one."""

    def __init__(self, monkeypatch, connection):
        self.all = []
        write = connection.transport.write

        def kept(frames):
            self.all.append(bytes(frames))
            write(frames)

        monkeypatch.setattr(connection.transport, "write", kept)


@contextlib.asynccontextmanager
async def writes_of_one(monkeypatch, write_interval):
    """Yield a hub's watcher, and the writes of a dashboard that has seen its snapshot."""
    async with serving() as peers, peers.dashboard() as dashboard:
        await snapshot(dashboard)
        peers.relay._fanout.write_interval = write_interval
        (end,) = peers.relay._fanout._dashboards
        yield peers.relay._fanout.news, Writes(monkeypatch, end.connection), dashboard


async def test_a_message_after_a_pause_goes_out_at_once(monkeypatch):
    async with writes_of_one(monkeypatch, 3600) as (news, writes, _):
        news(News(b"first"))

        assert writes.all == [frame(b"first")]


async def test_messages_that_come_while_others_do_are_written_together(monkeypatch):
    async with writes_of_one(monkeypatch, 0.02) as (news, writes, dashboard):
        for number in range(10):
            news(News(b"%d" % number))
        assert len(writes.all) == 1

        received = [await dashboard.recv() for _ in range(10)]

    assert received == [str(number) for number in range(10)]
    assert writes.all[1] == b"".join(frame(b"%d" % number) for number in range(1, 10))


async def test_with_an_interval_of_0_each_message_is_a_write(monkeypatch):
    async with writes_of_one(monkeypatch, 0) as (news, writes, _):
        for number in range(3):
            news(News(b"%d" % number))

        assert len(writes.all) == 3


async def test_a_batch_that_grows_large_does_not_wait(monkeypatch):
    async with writes_of_one(monkeypatch, 3600) as (news, writes, _):
        news(News(b"first"))
        for _ in range(5):
            news(News(b"x" * 30_000))

        assert [len(write) > 60_000 for write in writes.all] == [False, True]


async def test_a_dashboard_that_arrives_while_a_batch_waits_gets_nothing_twice(monkeypatch):
    async with serving() as peers, peers.dashboard() as early:
        await snapshot(early)
        peers.relay._fanout.write_interval = 3600
        async with peers.agent() as agent:
            await receive(early, "status")
            for number in range(3):
                await agent.send(metrics(uptime=number))
            await (await agent.ping())
            async with peers.dashboard() as late:
                seen = [(await receive(late, "metrics"))["data"]["metrics"]["uptime"]]
                peers.relay._fanout.write_interval = 0
                peers.relay._fanout._on_timer()
                await agent.send(metrics(uptime=99))
                seen.append((await receive(late, "metrics"))["data"]["metrics"]["uptime"])
            uptimes = [
                (await receive(early, "metrics"))["data"]["metrics"]["uptime"] for _ in range(4)
            ]

    assert seen == [2, 99]
    assert uptimes == [0, 1, 2, 99]


async def test_what_one_dashboard_is_given_others_are_given_as_the_same_bytes(monkeypatch):
    async with serving(config(write_interval=0)) as peers, contextlib.AsyncExitStack() as stack:
        for _ in range(3):
            await snapshot(await stack.enter_async_context(peers.dashboard()))
        all_writes = [Writes(monkeypatch, d.connection) for d in peers.relay._fanout._dashboards]
        peers.relay._fanout.news(News(b"news"))

    assert [writes.all[:1] for writes in all_writes] == [[frame(b"news")]] * 3


async def test_a_dashboard_that_has_said_goodbye_before_it_joins_is_told_nothing():
    async with serving() as peers, peers.dashboard() as dashboard:
        await snapshot(dashboard)
        (connection,) = peers.relay._admission.dashboards
        connection.cut(1001, "gone")
        fanout = module.Fanout(0)

        with fanout.joined(connection, []):
            assert len(fanout) == 0
            assert fanout._in_step == {}


@contextlib.asynccontextmanager
async def moderated(write_interval):
    """Serve one dashboard; yield the fan-out and the pauses that it has asked for."""
    async with serving(config(write_interval=write_interval)) as peers, peers.dashboard():
        fanout = peers.relay._fanout
        await until(lambda: len(fanout) == 1 and fanout._timer is None)
        pauses = []
        fanout.moderate = pauses.append
        yield fanout, pauses


@pytest.mark.parametrize(("count", "pause"), [(4, 0.01), (3, 0.0)], ids=["many", "few"])
async def test_while_many_messages_come_they_may_gather_for_half_an_interval(count, pause):
    async with moderated(0.02) as (fanout, pauses):
        for _ in range(count):
            fanout.news(News(b"{}"))

        await until(lambda: len(pauses) == 2)
        assert pauses == [pause, 0.0]


async def test_however_long_the_write_interval_others_do_not_wait_for_long():
    async with moderated(0.02) as (fanout, pauses):
        fanout.write_interval = 0.2
        for _ in range(4):
            fanout.news(News(b"{}"))

        await until(lambda: pauses)
        assert pauses == [0.01]


async def test_when_nobody_watches_any_more_nothing_that_arrives_has_to_wait():
    async with moderated(0.02) as (fanout, pauses):
        for _ in range(4):
            fanout.news(News(b"{}"))
        for dashboard in list(fanout._dashboards):
            dashboard.connection.cut(1001, "")

        await until(lambda: pauses)
        assert pauses == [0.0]


async def test_a_dashboard_whose_connection_breaks_while_it_is_written_to_is_no_line_in_the_log(
    caplog,
):
    async with (
        serving(config(write_interval=0)) as peers,
        raw_peer(peers.port, receive_buffer=4096) as gone,
    ):
        fanout = peers.relay._fanout
        await until(lambda: len(fanout) == 1)
        gone.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        gone.socket.close()
        for _ in range(20):
            fanout.news(News(b"{}"))

        await until(lambda: len(fanout) == 0)
    assert not [line for line in caplog.messages if "socket.send()" in line]
