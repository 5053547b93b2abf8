import asyncio
import contextlib
import json
import logging

import pytest
from kit import TOKEN, receive, serving, snapshot
from websockets.asyncio.server import serve
from websockets.protocol import State

from vstats_core.agent.link import uplink as uplink_module
from vstats_core.agent.link.uplink import Uplink
from vstats_core.backoff import Backoff

REPORT = b'{"timestamp":"2024-01-01T12:00:00Z","hostname":"web-1"}'


class Server:
    """A server that a test scripts: it keeps the requests and messages that it got."""

    def __init__(self):
        self.requests = []
        self.messages = asyncio.Queue()
        self.connections = asyncio.Queue()
        self.status = None

    def process_request(self, connection, request):
        self.requests.append(request)
        return None if self.status is None else connection.respond(self.status, "no\n")

    async def handle(self, connection):
        self.connections.put_nowait(connection)
        async for message in connection:
            self.messages.put_nowait(message)

    @contextlib.asynccontextmanager
    async def serving(self):
        async with serve(
            self.handle, "127.0.0.1", 0, process_request=self.process_request, close_timeout=0.1
        ) as server:
            self.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws/agent"
            yield self


class Pauses:
    """Takes the place of sleep: keeps the delays, and lets a few attempts through."""

    def __init__(self, most=1000):
        self.delays = []
        self.most = most
        self.reached = asyncio.Event()

    async def __call__(self, delay):
        self.delays.append(delay)
        if len(self.delays) >= self.most:
            self.reached.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def connecting(url, pauses=None, token=TOKEN):
    backoff = Backoff(lambda _low, high: high)
    uplink = Uplink(url, token, backoff=backoff, sleep=pauses or Pauses())
    task = asyncio.create_task(uplink.run())
    try:
        async with asyncio.timeout(10):
            yield uplink
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_report_goes_out_in_the_envelope_of_the_page():
    async with Server().serving() as server, connecting(server.url) as uplink:
        uplink.offer(REPORT)

        message = await server.messages.get()

    assert json.loads(message) == {"type": "metrics", "data": json.loads(REPORT)}


async def test_the_token_travels_in_a_header_and_never_in_the_url():
    async with Server().serving() as server, connecting(server.url):
        await server.connections.get()

    (request,) = server.requests
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in request.path


async def test_only_the_newest_report_waits_for_a_connection():
    pauses = Pauses(most=1)
    async with connecting("ws://127.0.0.1:1/ws/agent", pauses) as uplink:
        await pauses.reached.wait()
        for number in range(1000):
            uplink.offer(b"%d" % number)
        assert uplink._newest == {"metrics": b'{"type":"metrics","data":999}'}


async def test_a_new_connection_begins_with_the_newest_report():
    async with Server().serving() as server, connecting(server.url) as uplink:
        uplink.offer(REPORT)
        await server.messages.get()
        first = await server.connections.get()
        first.transport.abort()

        again = await server.messages.get()

    assert json.loads(again)["data"] == json.loads(REPORT)


async def test_what_sections_mean_is_told_before_the_first_report_on_every_connection():
    async with Server().serving() as server, connecting(server.url) as uplink:
        uplink.offer(REPORT)
        uplink.describe(b'{"fans":{"title":"Fans","fields":{}}}')
        for _ in range(2):
            while json.loads(await server.messages.get())["type"] != "describe":
                pass
            (await server.connections.get()).transport.abort()
        again = json.loads(await server.messages.get())
        while again["type"] != "describe":
            again = json.loads(await server.messages.get())
        after = json.loads(await server.messages.get())

    assert again["data"] == {"sections": {"fans": {"title": "Fans", "fields": {}}}}
    assert after["type"] == "metrics"


async def test_nothing_to_describe_is_not_worth_a_message():
    async with Server().serving() as server, connecting(server.url) as uplink:
        uplink.describe(b"{}")
        uplink.offer(REPORT)

        assert json.loads(await server.messages.get())["type"] == "metrics"


async def test_a_heartbeat_goes_out_when_nothing_else_did_for_a_while(monkeypatch):
    assert uplink_module.HEARTBEAT_AFTER == 10
    monkeypatch.setattr(uplink_module, "HEARTBEAT_AFTER", 0.02)
    async with Server().serving() as server, connecting(server.url):
        message = await server.messages.get()

    assert json.loads(message) == {"type": "heartbeat"}


async def test_an_agent_comes_back_ever_later_and_never_gives_up():
    pauses = Pauses(most=8)
    async with connecting("ws://127.0.0.1:1/ws/agent", pauses):
        await pauses.reached.wait()

    assert pauses.delays == [1, 2, 4, 8, 16, 30, 30, 30]


@pytest.mark.parametrize("status", [403, 404, 426, 429, 500, 503])
async def test_a_refusal_is_a_failure_like_any_other(status):
    pauses = Pauses(most=3)
    server = Server()
    server.status = status
    async with server.serving(), connecting(server.url, pauses):
        await pauses.reached.wait()

    assert pauses.delays == [1, 2, 4]


async def test_an_unknown_token_is_said_once_and_tried_at_the_longest_delay(caplog):
    pauses = Pauses(most=5)
    async with serving() as peers, connecting(f"{peers.url}/ws/agent", pauses, "nobody's"):
        await pauses.reached.wait()

    said = [r.getMessage() for r in caplog.records if r.name == "vstats_core.agent.link.uplink"]
    assert pauses.delays == [30] * 5
    assert said == ["the server does not know this agent's token; trying again in 30 s (attempt 1)"]


async def test_a_connection_that_did_not_live_10_s_does_not_reset_the_delay():
    pauses = Pauses(most=4)
    async with Server().serving() as server, connecting(server.url, pauses):
        for _ in range(4):
            (await server.connections.get()).transport.abort()
        await pauses.reached.wait()

    assert pauses.delays == [1, 2, 4, 8]


async def test_an_agent_that_was_replaced_says_why_and_waits_a_minute(caplog):
    pauses = Pauses(most=1)
    async with Server().serving() as server, connecting(server.url, pauses):
        await (await server.connections.get()).close(4409, "replaced")
        await pauses.reached.wait()

    assert pauses.delays == [60]
    assert "is this machine a clone?" in caplog.text


async def test_a_redirect_is_not_followed():
    elsewhere = Server()
    async with elsewhere.serving(), Server().serving() as server:
        pauses = Pauses(most=2)
        original = server.process_request

        def redirect(connection, request):
            original(connection, request)
            response = connection.respond(302, "there\n")
            response.headers["Location"] = elsewhere.url
            return response

        server.process_request = redirect
        async with (
            serve(server.handle, "127.0.0.1", 0, process_request=redirect) as moved,
            connecting(f"ws://127.0.0.1:{moved.sockets[0].getsockname()[1]}/", pauses),
        ):
            await pauses.reached.wait()

    assert elsewhere.requests == []
    assert pauses.delays == [1, 2]


@pytest.mark.parametrize(
    "message",
    [
        *("", "not json", "[]", "{}", '{"type":"command","data":{"run":"reboot"}}', "null"),
        *('{"type":"error"}', '{"type":"error","data":{"errors":[1]}}', "[" * 2000, b"\x00\xff"),
    ],
    ids=repr,
)
async def test_nothing_that_the_server_says_makes_the_agent_do_anything(message, caplog):
    async with Server().serving() as server, connecting(server.url) as uplink:
        connection = await server.connections.get()
        await connection.send(message)
        uplink.offer(REPORT)

        await server.messages.get()

    assert [r for r in caplog.records if r.levelno > logging.INFO] == []


async def test_what_the_server_refuses_is_logged_at_powers_of_two_without_control_characters(
    caplog,
):
    error = {
        "type": "error",
        "data": {
            "code": "invalid_report",
            "message": "bad\n\x1b[31mforged",
            "errors": [{"path": "cpu.usage", "message": "too much"}],
        },
    }
    async with Server().serving() as server, connecting(server.url) as uplink:
        connection = await server.connections.get()
        for _ in range(9):
            await connection.send(json.dumps(error))
        await (await connection.ping())
        uplink.offer(REPORT)
        await server.messages.get()

    said = [r.getMessage() for r in caplog.records if "refused message" in r.getMessage()]
    assert [line.split("message ")[1].split(":")[0] for line in said] == ["1", "2", "4", "8"]
    assert said[0].endswith("invalid_report: bad??[31mforged cpu.usage: too much")


async def test_a_server_that_does_not_answer_pings_is_left(monkeypatch, caplog):
    monkeypatch.setattr(uplink_module, "PING_INTERVAL", 0.01)
    monkeypatch.setattr(uplink_module, "PONG_TIMEOUT", 0.05)
    pauses = Pauses(most=1)
    deaf = []

    async def upgrade_and_fall_silent(reader, writer):
        deaf.append(writer)
        request = await reader.readuntil(b"\r\n\r\n")
        from websockets.http11 import Request  # noqa: PLC0415
        from websockets.server import ServerProtocol  # noqa: PLC0415

        protocol = ServerProtocol()
        protocol.receive_data(request)
        (event,) = protocol.events_received()
        assert isinstance(event, Request)
        protocol.send_response(protocol.accept(event))
        writer.write(b"".join(protocol.data_to_send()))

    listener = await asyncio.start_server(upgrade_and_fall_silent, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with connecting(f"ws://127.0.0.1:{port}/", pauses):
        await pauses.reached.wait()
    listener.close()
    for writer in deaf:
        writer.transport.abort()

    assert "has not answered a ping" in caplog.text


async def test_a_server_that_closes_at_once_again_and_again_is_not_said_each_time(caplog):
    pauses = Pauses(most=9)
    async with Server().serving() as server, connecting(server.url, pauses):
        for _ in range(9):
            await (await server.connections.get()).close(1013, "later")
        await pauses.reached.wait()

    said = [r.getMessage() for r in caplog.records if r.name == "vstats_core.agent.link.uplink"]
    assert sum(line.startswith("connected to") for line in said) == 4
    assert sum(line.startswith("connection lost (1013 later)") for line in said) == 4


async def test_a_close_of_our_own_is_said_by_its_code(caplog):
    pauses = Pauses(most=1)
    async with Server().serving() as server, connecting(server.url, pauses):
        await (await server.connections.get()).send("x" * 100_000)
        await pauses.reached.wait()

    assert "connection lost (1009" in caplog.text


async def test_a_server_that_pings_and_does_not_read_does_not_get_our_memory(monkeypatch, caplog):
    monkeypatch.setattr(uplink_module, "MOST_UNSENT", 10_000)
    pauses = Pauses(most=1)
    async with Server().serving() as server, connecting(server.url, pauses):
        connection = await server.connections.get()
        connection.transport.pause_reading()
        while connection.state is State.OPEN:
            for _ in range(1000):
                connection.protocol.send_ping(b"x" * 125)
            connection.send_data()
            await asyncio.sleep(0)
        await pauses.reached.wait()

    assert "connection lost" in caplog.text


async def test_nothing_is_compressed():
    async with Server().serving() as server, connecting(server.url):
        await server.connections.get()

    assert "Sec-WebSocket-Extensions" not in server.requests[0].headers


async def test_an_agent_that_ends_says_goodbye():
    async with Server().serving() as server:
        async with connecting(server.url) as uplink:
            uplink.offer(REPORT)
            await server.messages.get()
        connection = await server.connections.get()
        await connection.wait_closed()

    assert connection.close_code == 1001


async def test_reports_reach_dashboards_through_the_real_server():
    async with serving() as peers, peers.dashboard() as dashboard:
        await snapshot(dashboard)
        async with connecting(f"{peers.url}/ws/agent") as uplink:
            uplink.offer(REPORT)

            message = await receive(dashboard, "metrics")

    assert message["data"] == {"server_id": "web-1", "metrics": json.loads(REPORT)}
