import asyncio
import json

import pytest
from kit import (
    FakeClock,
    client_frame,
    closed,
    config,
    metrics,
    raw_peer,
    receive,
    report,
    serving,
    snapshot,
    until,
)

from vstats_core.wire.messages import json_schema
from vstats_server.config import Limits

AUTHORIZED = {"Authorization": "Bearer token-of-web-1-" + "x" * 28}
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


async def answer(agent):
    return (await receive(agent))["data"]


# Agents.


async def test_a_bad_message_is_answered_and_not_forwarded_and_the_connection_stays():
    clock = FakeClock()
    async with (
        serving(clock=clock) as peers,
        peers.dashboard() as dashboard,
        peers.agent() as agent,
    ):
        await agent.send(metrics(uptime=-1))
        error = await receive(agent)
        await agent.send(metrics(uptime=7))

        assert error == {
            "type": "error",
            "data": {
                "code": "invalid_report",
                "message": "the report breaks the rules",
                "errors": [
                    {"path": "uptime", "message": "Input should be greater than or equal to 0"}
                ],
            },
            "timestamp": clock.utc(),
        }
        assert (await receive(dashboard, "metrics"))["data"]["metrics"]["uptime"] == 7


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", "invalid_json"),
        (metrics(gpu="HERE").replace('"HERE"', "NaN"), "invalid_json"),
        (metrics(gpu="HERE").replace('"HERE"', "1e999"), "invalid_json"),
        (metrics(gpu="HERE").replace('"HERE"', '"\\ud800"'), "invalid_json"),
        (metrics(gpu="HERE").replace('"HERE"', "[" * 30_000 + "]" * 30_000), "invalid_json"),
        (metrics(gpu="HERE").replace('"HERE"', "[" * 990 + "]" * 990), "invalid_json"),
        (metrics(gpu="HERE").replace('"HERE"', "1" * 5000), "invalid_json"),
        ("\ufeff" + metrics(), "invalid_json"),
        ("[]", "invalid_message"),
        ('{"type":"metrics"}', "invalid_message"),
        (metrics(hostname=None), "invalid_report"),
        ('{"type":"status","data":{}}', "unknown_type"),
    ],
    ids=range(12),
)
async def test_each_kind_of_bad_message_has_its_code(message, code, caplog):
    async with serving() as peers, peers.agent() as agent:
        await agent.send(message)

        assert (await answer(agent))["code"] == code
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_the_answer_is_what_the_schema_says():
    jsonschema = pytest.importorskip("jsonschema")
    schema = json_schema() | {"anyOf": [{"$ref": "#/$defs/server_to_agent"}]}
    async with serving() as peers, peers.agent() as agent:
        await agent.send(metrics(uptime=-1, cpu=7))

        jsonschema.validate(await receive(agent), schema)


async def test_ten_bad_messages_in_a_row_close_the_connection_with_4400():
    async with serving() as peers, peers.agent() as agent:
        for _ in range(12):
            await agent.send("bad")
        answers = [(await answer(agent))["code"] for _ in range(10)]

        assert answers == ["invalid_json"] * 10
        assert await closed(agent) == (4400, "too many bad messages in a row")


async def test_nine_bad_messages_and_a_good_one_begin_anew():
    async with serving() as peers, peers.agent() as agent:
        for good in ('{"type":"heartbeat"}', metrics(), '{"type":"heartbeat"}'):
            for _ in range(9):
                await agent.send("bad")
            await agent.send(good)
        for _ in range(27):
            await answer(agent)

        await agent.send("bad")
        assert (await answer(agent))["code"] == "invalid_json"


async def test_a_bad_message_is_logged_once_a_row_and_without_its_text(caplog):
    async with serving() as peers, peers.agent() as agent:
        for _ in range(5):
            await agent.send('{"type":"secret-type"}')
            await answer(agent)

    lines = [r.getMessage() for r in caplog.records if r.name == "vstats_server.sessions"]
    (line,) = lines
    assert line.startswith("agent web-1: unknown_type: ")
    assert "secret-type" not in line


async def test_messages_beyond_the_burst_are_dropped_and_answered():
    clock = FakeClock()
    async with (
        serving(clock=clock) as peers,
        peers.dashboard(max_queue=None) as dashboard,
        peers.agent() as agent,
    ):
        await snapshot(dashboard)
        for number in range(42):
            await agent.send(metrics(uptime=number))

        assert [(await answer(agent))["code"] for _ in range(2)] == ["rate_limited"] * 2
        uptimes = [
            (await receive(dashboard, "metrics"))["data"]["metrics"]["uptime"] for _ in range(40)
        ]
        assert uptimes == list(range(40))


async def test_after_the_burst_twenty_messages_a_second_pass():
    clock = FakeClock()
    async with serving(clock=clock) as peers, peers.agent() as agent:
        for _ in range(40):
            await agent.send('{"type":"heartbeat"}')
        await agent.send('{"type":"heartbeat"}')
        assert (await answer(agent))["code"] == "rate_limited"
        clock.now += 1
        for _ in range(20):
            await agent.send('{"type":"heartbeat"}')
        await agent.send('{"type":"heartbeat"}')
        assert (await answer(agent))["code"] == "rate_limited"

        clock.now += 1
        await agent.send("the bucket has let everything through but this")
        assert (await answer(agent))["code"] == "invalid_json"


async def test_rate_limited_messages_are_no_bad_messages():
    clock = FakeClock()
    async with serving(clock=clock) as peers, peers.agent() as agent:
        for _ in range(60):
            await agent.send('{"type":"heartbeat"}')
        for _ in range(20):
            assert (await answer(agent))["code"] == "rate_limited"

        clock.now += 1
        await agent.send("bad")
        assert (await answer(agent))["code"] == "invalid_json"


FLOODED = Limits(messages_per_second=20, message_burst=10)


async def flood(agent, clock, seconds):
    """Send 30 messages a second where 20 may pass, and read the answers."""
    for _ in range(int(2 * seconds)):
        for _ in range(15):
            await agent.send('{"type":"heartbeat"}')
        assert [(await answer(agent))["code"] for _ in range(5)] == ["rate_limited"] * 5
        clock.now += 0.5


async def test_an_agent_that_floods_for_ten_seconds_is_closed_with_4429():
    clock = FakeClock()
    async with serving(config(limits=FLOODED), clock=clock) as peers, peers.agent() as agent:
        await flood(agent, clock, 10)
        for _ in range(15):
            await agent.send('{"type":"heartbeat"}')

        assert await closed(agent) == (4429, "too many messages")


async def test_a_flood_that_pauses_is_forgiven():
    clock = FakeClock()
    async with serving(config(limits=FLOODED), clock=clock) as peers, peers.agent() as agent:
        for _ in range(3):
            await flood(agent, clock, 9)
            clock.now += 2

        await agent.send("bad")
        assert (await answer(agent))["code"] == "invalid_json"


async def test_a_binary_message_of_an_agent_is_closed_with_1003():
    async with serving() as peers, peers.agent() as agent:
        await agent.send(metrics().encode())

        assert await closed(agent) == (1003, "text messages only")


async def test_broken_utf_8_of_an_agent_is_closed_with_1007():
    async with serving() as peers, raw_peer(peers.port, "/ws/agent", headers=AUTHORIZED) as agent:
        await agent.send(TEXT, b'{"type":"\xff"}')

        opcode, payload = await agent.frame()
        assert (opcode, payload[:2]) == (CLOSE, (1007).to_bytes(2, "big"))


async def test_a_message_of_an_agent_may_have_262144_bytes_and_not_one_more():
    def message(size):
        return metrics(gpu="x" * (size - len(metrics(gpu=""))))

    async with serving() as peers, peers.dashboard() as dashboard, peers.agent() as agent:
        await agent.send(message(262144))
        assert (await receive(dashboard, "metrics"))["data"]["server_id"] == "web-1"
        await agent.send(message(262145))

        assert (await closed(agent))[0] == 1009


async def test_max_message_size_can_be_set():
    limits = Limits(max_message_size=5000)
    async with serving(config(limits=limits)) as peers, peers.agent() as agent:
        await agent.send(" " * 5001)

        assert (await closed(agent))[0] == 1009


async def test_a_heartbeat_is_answered_with_nothing_and_told_to_nobody():
    async with serving() as peers, peers.dashboard() as dashboard, peers.agent() as agent:
        await receive(dashboard, "status")
        await agent.send('{"type":"heartbeat","timestamp":"2024-01-01T12:00:00Z"}')
        await agent.send(metrics())

        assert (await receive(dashboard))["type"] == "metrics"
        await agent.send("bad")
        assert (await answer(agent))["code"] == "invalid_json"


async def test_a_report_sent_just_before_the_end_counts():
    async with serving() as peers, peers.dashboard() as dashboard:
        await snapshot(dashboard)
        async with raw_peer(peers.port, "/ws/agent", headers=AUTHORIZED) as agent:
            farewell = client_frame(CLOSE, (1000).to_bytes(2, "big"))
            await asyncio.get_running_loop().sock_sendall(
                agent.socket, client_frame(TEXT, metrics(uptime=77).encode()) + farewell
            )
            message = await receive(dashboard, "metrics")

    assert message["data"]["metrics"]["uptime"] == 77


async def test_an_agent_that_reads_no_answers_gets_bounded_memory():
    limits = Limits(messages_per_second=1e6, message_burst=1_000_000)
    async with (
        serving(config(limits=limits)) as peers,
        raw_peer(peers.port, "/ws/agent", headers=AUTHORIZED, receive_buffer=4096) as agent,
    ):
        await until(lambda: peers.relay._agents)
        connection = peers.relay._agents["web-1"].connection
        connection.limit_kernel_buffer()
        pair = client_frame(TEXT, b'{"type":"heartbeat"}') + client_frame(TEXT, b"bad")
        while not connection.full:
            await asyncio.get_running_loop().sock_sendall(agent.socket, pair * 50)
        for _ in range(100):
            await asyncio.get_running_loop().sock_sendall(agent.socket, pair * 50)

        assert connection.unsent < 100_000


@pytest.mark.parametrize(
    "sign",
    [(TEXT, b'{"type":"heartbeat"}'), (TEXT, b"bad"), (PONG, b"")],
    ids=["good", "bad", "pong"],
)
async def test_a_silent_host_is_offline_and_any_sign_of_life_brings_it_back(sign):
    clock = FakeClock()
    async with (
        serving(clock=clock) as peers,
        peers.dashboard() as dashboard,
        raw_peer(peers.port, "/ws/agent", headers=AUTHORIZED) as agent,
    ):
        assert (await receive(dashboard, "status"))["data"]["online"] is True
        clock.now += 45.5
        peers.relay._hub.sweep()
        states = [(await receive(dashboard, "status"))["data"] for _ in range(2)]
        assert {"server_id": "web-1", "online": False} in states

        await agent.send(*sign)

        message = await receive(dashboard, "status")
        assert message["data"] == {"server_id": "web-1", "online": True}


# Dashboards.


async def test_what_a_dashboard_sends_is_ignored():
    clock = FakeClock()
    async with (
        serving(clock=clock) as peers,
        peers.dashboard() as dashboard,
        peers.agent() as agent,
    ):
        for message in ("hello", b"\x00\xff", metrics(), '{"type":"heartbeat"}', "", "x" * 4096):
            await dashboard.send(message)
        await snapshot(dashboard)
        await agent.send(metrics(uptime=3))

        assert (await receive(dashboard, "metrics"))["data"]["metrics"]["uptime"] == 3


async def test_a_dashboards_message_beyond_4_kib_is_closed_with_1009():
    async with serving() as peers, peers.dashboard() as dashboard:
        await dashboard.send("x" * 4097)

        assert (await closed(dashboard))[0] == 1009


async def test_a_dashboards_eleventh_message_in_a_second_is_closed_with_4429():
    clock = FakeClock()
    async with serving(clock=clock) as peers, peers.dashboard() as dashboard:
        for _ in range(11):
            await dashboard.send("x")

        assert await closed(dashboard) == (4429, "too many messages")


async def test_ten_messages_a_second_of_a_dashboard_are_taken_for_long():
    clock = FakeClock()
    async with serving(clock=clock) as peers, raw_peer(peers.port) as dashboard:
        await until(lambda: peers.relay._admission.dashboards)
        for _ in range(5):
            for _ in range(10):
                await dashboard.send(TEXT, b"x")
            # The pong comes after all that was sent before the ping has been read.
            await dashboard.send(PING, b"done")
            while await dashboard.frame() != (PONG, b"done"):
                pass
            for _ in range(3):
                await asyncio.sleep(0)
            clock.now += 1.1
        (connection,) = peers.relay._admission.dashboards

        assert connection.open


async def test_a_dashboard_written_to_the_page_alone_works():
    """Play the page's own JavaScript: only ``type`` and what the page shows in ``data`` is read."""
    lines, servers = [], {}

    def on_message(text):
        message = json.loads(text)
        data = message["data"]
        match message["type"]:
            case "metrics":
                server_id, values = data["server_id"], data["metrics"]
                lines.append(f"Server {server_id}: CPU {values['cpu']['usage']}%")
                assert values["cpu"]["cores"] == 8
                assert values["memory"]["total"] > values["memory"]["used"]
                assert {"rx", "tx"} <= values["network"].keys()
                assert len(values["disks"]) == 1
            case "status":
                servers[data["server_id"]]["online"] = data["online"]
            case "server_added":
                servers[data["id"]] = {"name": data["name"], "location": data["location"]}
            case "server_removed":
                del servers[data["id"]]

    async with serving() as peers, peers.dashboard() as dashboard:
        async with peers.agent() as agent:
            await agent.send(json.dumps({"type": "metrics", "data": report()}, indent=2))
            await until(lambda: peers.relay._hub._states["web-1"].report)
        await until(lambda: not peers.relay._agents)
        peers.relay._hub.replace_hosts(config().hosts[:1])
        while "web-1" not in servers or "web-2" in servers or servers["web-1"].get("online", True):
            on_message(await dashboard.recv())

    assert lines == ["Server web-1: CPU 45.2%"]
    assert servers == {"web-1": {"name": "Web 1", "location": "US-West", "online": False}}


async def test_a_fault_of_ours_is_1011_and_in_the_log_with_where_it_came_from(monkeypatch, caplog):
    def fail(self, server_id, report):
        raise ZeroDivisionError

    monkeypatch.setattr("vstats_server.hub.hub.Hub.publish", fail)
    async with serving() as peers, peers.agent() as agent:
        await agent.send(metrics())

        assert await closed(agent) == (1011, "internal error")

    assert "a message from 127.0.0.1 could not be taken" in caplog.text
