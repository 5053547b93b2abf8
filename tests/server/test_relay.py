import asyncio
import contextlib
import json
import re
import socket
import time

import pytest
from kit import (
    OTHER_TOKEN,
    TOKEN,
    FakeClock,
    closed,
    config,
    metrics,
    raw_peer,
    receive,
    serving,
    sha256,
    snapshot,
    until,
)
from pydantic import SecretStr
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from vstats_server import relay as module
from vstats_server.access.admission import Admission
from vstats_server.config import Host, Limits, load
from vstats_server.net import connection as connection_module

UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


async def handshake(peers, path, headers=(), *, host=None):
    """Return the status of a handshake with exactly these header lines, in this order."""
    lines = [("Host", host or f"127.0.0.1:{peers.port}"), *UPGRADE.items(), *headers]
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    reader, writer = await asyncio.open_connection("127.0.0.1", peers.port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        status = int((await reader.readline()).split()[1])
        if status != 101:
            return status, await reader.read()
        return status, b""
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def status_of(peers, path, headers=(), **options):
    return (await handshake(peers, path, headers, **options))[0]


def bearer(token=TOKEN):
    return [("Authorization", f"Bearer {token}")]


def logged(caplog):
    return [r.getMessage() for r in caplog.records if r.name.startswith("vstats_server")]


# Tokens.


async def test_an_agents_token_comes_in_the_query_or_as_a_bearer():
    async with serving() as peers:
        assert await status_of(peers, f"/ws/agent?token={TOKEN}") == 101
        assert await status_of(peers, "/ws/agent", bearer()) == 101
        assert await status_of(peers, "/ws/agent", [("Authorization", f"bearer  {TOKEN}")]) == 101
        assert await status_of(peers, f"/ws/agent?token={TOKEN}", bearer()) == 101


async def test_the_pages_agent_address_works():
    async with (
        serving() as peers,
        peers.dashboard() as dashboard,
        connect(f"{peers.url}/ws/agent?token={TOKEN}", proxy=None),
    ):
        message = await receive(dashboard, "status")

    assert message["data"] == {"server_id": "web-1", "online": True}


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/ws/agent", []),
        ("/ws/agent?token=", []),
        ("/ws/agent?token=unknown", []),
        ("/ws/agent?Token=" + TOKEN, []),
        ("/ws/agent", [("Authorization", "Bearer unknown")]),
        ("/ws/agent", [("Authorization", "Bearer")]),
        ("/ws/agent", [("Authorization", f"Basic {TOKEN}")]),
        ("/ws/agent", [("Authorization", TOKEN)]),
        ("/ws/agent", bearer(sha256(TOKEN))),
        (f"/ws/agent?token={TOKEN}", bearer(OTHER_TOKEN)),
        (f"/ws/agent?token={TOKEN}", bearer("unknown")),
        ("/ws/agent?token=", bearer()),
    ],
)
async def test_a_token_that_is_missing_unknown_or_contradicted_is_401_before_the_upgrade(
    path, headers
):
    async with serving() as peers:
        assert await status_of(peers, path, headers) == 401


async def test_the_answers_to_a_missing_and_an_unknown_token_are_the_same():
    async with serving() as peers:
        answers = [
            await peers.http("/ws/agent", headers=UPGRADE | headers)
            for headers in ({}, {"Authorization": "Bearer unknown"}, {"Authorization": "Basic x"})
        ]

    without_date = [(s, {k: v for k, v in h.items() if k != "date"}, b) for s, h, b in answers]
    assert without_date[0] == without_date[1] == without_date[2]


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (f"/ws/agent?token={TOKEN}&token={OTHER_TOKEN}", []),
        (f"/ws/agent?token={TOKEN}&token=", []),
        ("/ws/agent", bearer() + bearer(OTHER_TOKEN)),
        ("/ws", [("Host", "evil.example")]),
        ("/ws", [("Origin", "http://127.0.0.1"), ("Origin", "http://evil.example")]),
        ("/api/hosts", [("Host", "evil.example")]),
        ("/ws", bearer() + bearer(OTHER_TOKEN)),
    ],
)
async def test_a_header_or_parameter_given_twice_with_two_values_is_400(path, headers):
    async with serving() as peers:
        assert await status_of(peers, path, headers) == 400


async def test_a_header_or_parameter_given_twice_with_the_same_value_is_taken():
    async with serving() as peers:
        assert await status_of(peers, f"/ws/agent?token={TOKEN}&token={TOKEN}") == 101
        assert await status_of(peers, "/ws/agent", bearer() * 2) == 101


async def test_the_eleventh_failure_in_a_minute_from_an_address_is_429():
    clock = FakeClock()
    async with serving(clock=clock) as peers:
        seen = [await status_of(peers, "/ws/agent?token=x") for _ in range(12)]
        assert seen == [401] * 10 + [429] * 2

        clock.now += 61
        assert await status_of(peers, "/ws/agent?token=x") == 401


async def test_a_valid_token_is_never_throttled():
    async with serving(clock=FakeClock()) as peers:
        for _ in range(12):
            await status_of(peers, "/ws/agent?token=x")

        assert await status_of(peers, "/ws/agent", bearer()) == 101


async def test_no_token_is_ever_logged(caplog):
    caplog.set_level("DEBUG", logger="vstats_server")
    async with serving() as peers:
        await status_of(peers, "/ws/agent?token=a-wrong-secret")
        await status_of(peers, "/ws/agent", bearer("another-wrong-secret"))
        async with peers.agent() as agent:
            await agent.send("bad")
            await receive(agent)

    text = "\n".join(logged(caplog))
    assert "agent at 127.0.0.1 refused: unknown token" in text
    assert "secret" not in text
    assert TOKEN not in text


async def test_a_short_token_is_taken_with_a_warning(caplog):
    hosts = [Host(id="web-1", name="x", token_sha256=sha256("short"))]
    async with serving(config(hosts=hosts)) as peers:
        assert await status_of(peers, "/ws/agent?token=short") == 101

    assert "agent web-1 has a token short enough to be guessed" in logged(caplog)


async def test_the_host_is_told_by_the_token_and_never_by_what_is_sent():
    async with serving() as peers, peers.dashboard() as dashboard, peers.agent() as agent:
        await agent.send(metrics(hostname="web-2", server_id="web-2", id="web-2"))

        assert (await receive(dashboard, "metrics"))["data"]["server_id"] == "web-1"


# Host and Origin.


async def test_a_host_that_is_not_ours_is_403_and_the_log_names_the_key(caplog):
    async with serving() as peers:
        for path in ("/ws", "/ws/agent", "/api/hosts", "/schema.json", "/nothing"):
            assert await status_of(peers, path, bearer(), host="evil.example") == 403
        assert await status_of(peers, "/ws", host=f"localhost:{peers.port}") == 101

    (line,) = [line for line in logged(caplog) if "evil.example" in line]
    assert line == (
        "connection from 127.0.0.1 refused: "
        "Host 'evil.example' is not ours; if it should be, set server.public_url"
    )


async def test_refusals_that_go_on_are_logged_once_a_minute_and_kind(caplog):
    clock = FakeClock()
    async with serving(clock=clock) as peers:
        for _ in range(4):
            await status_of(peers, "/ws", host="evil.example")
            await status_of(peers, "/ws", [("Origin", "https://evil.example")])
            await status_of(peers, "/ws/agent?token=x")
            clock.now += 30

    lines = [line for line in logged(caplog) if "refused" in line]
    assert [line.partition("refused: ")[2].split()[0] for line in lines] == [
        "Host",
        "Origin",
        "unknown",
    ] * 2


async def test_the_host_of_public_url_is_ours():
    settings = config(public_url="https://vstats.example.org")
    async with serving(settings) as peers:
        assert await status_of(peers, "/ws", host="vstats.example.org") == 101
        assert await status_of(peers, "/ws", host="evil.example") == 403


async def test_a_request_without_a_host_is_400():
    async with serving() as peers:
        answer = await peers.raw(b"GET /api/hosts HTTP/1.1\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(("path", "headers"), [("/ws", []), ("/ws/agent", bearer())])
async def test_a_foreign_origin_is_403_and_the_log_names_it_and_the_key(path, headers, caplog):
    async with serving() as peers:
        foreign = [("Origin", "https://evil.example")]
        assert await status_of(peers, path, headers + foreign) == 403
        assert await status_of(peers, path, [*headers, ("Origin", "null")]) == 403

    assert (
        "connection from 127.0.0.1 refused: "
        "Origin 'https://evil.example' is not in server.allowed_origins"
    ) in logged(caplog)


@pytest.mark.parametrize("path", ["/ws", "/ws/agent"])
async def test_an_own_or_an_absent_origin_passes(path):
    async with serving() as peers:
        own = [("Origin", f"http://127.0.0.1:{peers.port}")]
        assert await status_of(peers, path, bearer() + own) == 101
        assert await status_of(peers, path, [*bearer(), ("Origin", "http://localhost:5173")]) == 101
        assert await status_of(peers, path, bearer()) == 101


async def test_a_listed_origin_passes_and_a_star_lets_all_pass():
    listed = config(allowed_origins=["https://wall.example.org"])
    async with serving(listed) as peers:
        assert await status_of(peers, "/ws", [("Origin", "https://wall.example.org")]) == 101
        assert await status_of(peers, "/ws", [("Origin", "https://evil.example")]) == 403
    async with serving(config(allowed_origins=["*"])) as peers:
        assert await status_of(peers, "/ws", [("Origin", "https://evil.example")]) == 101


async def test_a_refusal_is_logged_in_a_line_of_bounded_length(caplog):
    async with serving() as peers:
        assert await status_of(peers, "/ws", [("Origin", "http://" + "x" * 3000)]) == 403

    (line,) = [line for line in logged(caplog) if "Origin" in line]
    assert len(line) < 400


# What is no handshake.


async def test_a_plain_request_for_a_websocket_is_told_to_upgrade_and_costs_no_place():
    async with serving(config(limits=Limits(max_dashboards=1))) as peers:
        for _ in range(3):
            assert (await peers.http("/ws"))[0] == 426
        await until(lambda: not peers.relay._admission.dashboards)

        assert await status_of(peers, "/ws") == 101


async def test_any_path_but_two_is_plain_http():
    async with serving() as peers:
        assert await status_of(peers, "/ws/other") == 404
        assert await status_of(peers, "/healthz") == 200


# Messages to a dashboard.


async def test_every_message_carries_the_servers_time_in_whole_seconds():
    async with serving() as peers, peers.dashboard() as dashboard, peers.agent() as agent:
        await agent.send(metrics())
        messages = [await receive(dashboard) for _ in range(4)]

    assert {m["type"] for m in messages} == {"server_added", "status", "metrics"}
    assert all(RFC_3339.fullmatch(m["timestamp"]) for m in messages)


async def test_a_late_dashboard_gets_the_snapshot_in_configuration_order_before_anything_live():
    async with serving() as peers, peers.agent(OTHER_TOKEN) as other, peers.agent() as agent:
        await other.send(metrics(uptime=1))
        await agent.send(metrics(uptime=2))
        await until(lambda: all(s.report for s in peers.relay._hub._states.values()))
        async with peers.dashboard() as dashboard:
            await agent.send(metrics(uptime=3))
            messages = [await receive(dashboard) for _ in range(7)]

    assert [m["type"] for m in messages] == ["server_added", "status", "metrics"] * 2 + ["metrics"]
    assert [m["data"]["metrics"]["uptime"] for m in messages if m["type"] == "metrics"] == [2, 1, 3]


async def test_a_host_is_offline_as_soon_as_its_connection_ends():
    async with serving() as peers, peers.dashboard() as dashboard:
        async with peers.agent():
            assert (await receive(dashboard, "status"))["data"]["online"] is True

        assert (await receive(dashboard, "status"))["data"]["online"] is False


async def test_a_silent_host_is_found_within_a_second_without_anybody_asking():
    clock = FakeClock()
    async with serving(clock=clock) as peers, peers.dashboard() as dashboard, peers.agent():
        await receive(dashboard, "status")
        clock.now += 46

        assert (await receive(dashboard, "status"))["data"]["online"] is False


# Takeover.


async def test_a_second_agent_with_the_same_token_replaces_the_first(caplog):
    async with serving() as peers, peers.agent() as first, peers.agent() as second:
        assert await closed(first) == (4409, "replaced")
        await second.send("bad")
        assert (await receive(second))["type"] == "error"

    assert any("agent web-1 connected again" in line for line in logged(caplog))


async def test_a_takeover_is_no_change_of_status_and_the_first_ones_end_touches_nothing():
    async with serving() as peers, peers.dashboard() as dashboard, peers.agent() as first:
        await receive(dashboard, "status")
        async with peers.agent() as second:
            await closed(first)
            await until(lambda: len(peers.relay._admission.agents) == 1)
            await second.send(metrics(uptime=5))

            message = await receive(dashboard)
            assert (message["type"], message["data"]["metrics"]["uptime"]) == ("metrics", 5)
            assert peers.relay._agents.keys() == {"web-1"}
        assert (await receive(dashboard))["data"] == {"server_id": "web-1", "online": False}


async def test_a_replaced_agent_that_does_not_leave_is_heard_no_more(monkeypatch):
    headers = dict(bearer())
    async with (
        serving() as peers,
        peers.dashboard() as dashboard,
        raw_peer(peers.port, "/ws/agent", headers=headers) as first,
    ):
        await receive(dashboard, "status")
        async with peers.agent() as second:
            assert (await first.frame())[1] == (4409).to_bytes(2, "big") + b"replaced"
            await first.send(1, metrics(uptime=1).encode())
            await second.send(metrics(uptime=2))
            assert (await receive(dashboard, "metrics"))["data"]["metrics"]["uptime"] == 2


# Limits.


async def test_one_agent_more_than_max_agents_is_503_but_a_takeover_passes(caplog):
    settings = config(limits=Limits(max_agents=1))
    async with serving(settings) as peers, peers.agent() as first:
        assert await status_of(peers, "/ws/agent", bearer(OTHER_TOKEN)) == 503
        async with peers.agent():
            assert (await closed(first))[0] == 4409
        await until(lambda: not peers.relay._admission.agents)
        assert await status_of(peers, "/ws/agent", bearer(OTHER_TOKEN)) == 101

    assert any("server.limits.max_agents" in line for line in logged(caplog))


async def test_one_dashboard_more_than_max_dashboards_is_503(caplog):
    async with serving(config(limits=Limits(max_dashboards=2))) as peers:
        async with peers.dashboard(), peers.dashboard():
            assert await status_of(peers, "/ws") == 503
        await until(lambda: not peers.relay._admission.dashboards)
        assert await status_of(peers, "/ws") == 101

    assert any("server.limits.max_dashboards" in line for line in logged(caplog))


async def test_one_connection_more_than_connections_per_address_is_503_but_agents_do_not_count():
    settings = config(limits=Limits(connections_per_address=3))
    async with serving(settings) as peers, peers.agent(), peers.agent(OTHER_TOKEN):
        async with peers.dashboard(), peers.dashboard(), peers.dashboard():
            assert await status_of(peers, "/ws") == 503
            assert (await peers.http("/api/hosts"))[0] == 503
            assert await status_of(peers, "/ws/agent", bearer()) == 101
        await until(lambda: not peers.relay._admission.addresses)
        assert await status_of(peers, "/ws") == 101


async def test_connections_that_are_not_admitted_yet_count_by_address():
    loop = asyncio.get_running_loop()
    settings = config(limits=Limits(connections_per_address=2))
    async with serving(settings) as peers, contextlib.AsyncExitStack() as stack:
        for _ in range(2):
            link = stack.enter_context(socket.socket())
            link.settimeout(0)
            await loop.sock_connect(link, ("127.0.0.1", peers.port))
        await until(lambda: len(peers.relay._admission.connections) == 2)

        assert await status_of(peers, "/ws") == 503


async def test_a_connection_that_sends_no_request_in_time_is_dropped():
    settings = config(limits=Limits(handshake_timeout=0.1))
    async with serving(settings) as peers:
        assert await peers.raw(b"GET /ws HTTP/1.1\r\nHost: loc") == b""
        await until(lambda: not peers.relay._admission.connections)


async def test_after_all_have_gone_nothing_of_them_is_kept():
    async with serving(clock=FakeClock()) as peers:
        for _ in range(5):
            async with peers.agent() as agent, peers.dashboard() as dashboard:
                await agent.send(metrics())
                await receive(dashboard, "metrics")
            await status_of(peers, "/ws/agent?token=x")
            await peers.http("/api/hosts")
        relay = peers.relay
        await until(lambda: not relay._admission.connections)

        assert not relay._admission.agents
        assert not relay._agents
        assert not relay._admission.dashboards
        assert not relay._admission.addresses
        assert not len(relay._fanout)


# Pings.


@pytest.mark.parametrize("path", ["/ws", "/ws/agent"])
async def test_the_server_pings_everyone_and_ends_who_does_not_answer_with_1011(monkeypatch, path):
    assert module.PING_INTERVAL == 30
    monkeypatch.setattr(module, "PING_INTERVAL", 0.05)
    async with serving() as peers, raw_peer(peers.port, path, headers=dict(bearer())) as peer:
        frames = []
        while not frames or frames[-1][0] != 8:
            frames.append(await peer.frame())

    assert frames[-2:] == [(9, b""), (8, (1011).to_bytes(2, "big") + b"no pong")]


async def test_who_answers_pings_stays(monkeypatch):
    monkeypatch.setattr(module, "PING_INTERVAL", 0.02)
    async with serving() as peers, peers.dashboard() as dashboard:
        (connection,) = await asyncio.gather(until_dashboard(peers))
        pings = 0
        send_ping = connection.protocol.send_ping

        def count(data):
            nonlocal pings
            pings += 1
            send_ping(data)

        connection.protocol.send_ping = count
        await until(lambda: pings > 5)

        assert dashboard.close_code is None


async def until_dashboard(peers):
    await until(lambda: peers.relay._admission.dashboards)
    return next(iter(peers.relay._admission.dashboards))


# Reload.


def written(path, *tables, **server):
    keys = "".join(f"{key} = {json.dumps(value)}\n" for key, value in server.items())
    path.write_text("[server]\n" + keys + "".join(tables))


def table(id_, token, **keys):
    keys = {"id": id_, "name": id_, "token_sha256": sha256(token)} | keys
    return "[[server.hosts]]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in keys.items())


WEB_1, WEB_2 = table("web-1", TOKEN), table("web-2", OTHER_TOKEN)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "server.toml"
    written(path, WEB_1, WEB_2, port=0)
    return path


@contextlib.asynccontextmanager
async def from_file(path, **options):
    async with serving(await asyncio.to_thread(load, path), path=path, **options) as peers:
        yield peers


async def edit(path, *tables, **server):
    await asyncio.to_thread(written, path, *tables, **({"port": 0} | server))


async def test_an_edit_of_the_file_is_seen_within_a_second(file):
    async with from_file(file) as peers, peers.dashboard() as dashboard:
        await snapshot(dashboard)
        await edit(file, WEB_1, WEB_2, table("web-3", "another"))
        async with asyncio.timeout(1):
            added = await receive(dashboard)
        await edit(file, WEB_1, WEB_2)
        async with asyncio.timeout(1):
            removed = await receive(dashboard)

        assert added["type"] == "server_added"
        assert added["data"] == {"id": "web-3", "name": "web-3", "location": "", "tags": []}
        assert (removed["type"], removed["data"]) == ("server_removed", {"id": "web-3"})


async def test_a_file_that_is_replaced_by_another_is_seen_too(file, tmp_path):
    async with from_file(file) as peers, peers.dashboard() as dashboard:
        await snapshot(dashboard)
        other = tmp_path / "other.toml"
        await edit(other, WEB_1)
        await asyncio.to_thread(other.replace, file)

        assert (await receive(dashboard))["type"] == "server_removed"


async def test_an_edit_between_the_load_and_the_start_is_seen(file):
    settings = await asyncio.to_thread(load, file)
    await edit(file, WEB_1)
    async with serving(settings, path=file) as peers, peers.dashboard() as dashboard:
        assert (await receive(dashboard, "server_removed"))["data"] == {"id": "web-2"}


async def test_an_added_hosts_token_is_good_at_once(file):
    async with from_file(file) as peers:
        assert await status_of(peers, "/ws/agent", bearer("another")) == 401
        await edit(file, WEB_1, WEB_2, table("web-3", "another"))
        await peers.relay.reload()

        assert await status_of(peers, "/ws/agent", bearer("another")) == 101


@pytest.mark.parametrize(
    "after", [[WEB_2], [table("web-1", "another"), WEB_2], [table("web-1", "another", name="x")]]
)
async def test_an_agent_whose_host_or_token_has_gone_is_closed_with_4403_within_a_second(
    file, after
):
    async with from_file(file) as peers, peers.agent() as agent:
        await until(lambda: peers.relay._agents)
        await edit(file, *after)
        before = time.monotonic()

        assert await closed(agent) == (4403, "token revoked")
        assert time.monotonic() - before < 1
        assert await status_of(peers, "/ws/agent", bearer()) == 401


async def test_a_token_revoked_between_the_request_and_the_connection_is_4403(monkeypatch):
    admit = Admission.admit_agent

    def admit_and_revoke(self, *arguments):
        response = admit(self, *arguments)
        self.use(config(hosts=[]))
        return response

    monkeypatch.setattr(Admission, "admit_agent", admit_and_revoke)
    async with serving() as peers, peers.agent() as agent:
        assert await closed(agent) == (4403, "token revoked")
        assert not peers.relay._agents


async def test_the_other_agents_stay_when_one_is_revoked(file):
    async with (
        from_file(file) as peers,
        peers.dashboard() as dashboard,
        peers.agent(OTHER_TOKEN) as other,
        peers.agent() as agent,
    ):
        await edit(file, WEB_2)
        await closed(agent)
        await other.send(metrics(uptime=8))

        assert (await receive(dashboard, "metrics"))["data"]["server_id"] == "web-2"


async def test_no_message_of_a_host_comes_after_its_server_removed(file):
    headers = dict(bearer())
    async with (
        from_file(file) as peers,
        peers.dashboard() as dashboard,
        raw_peer(peers.port, "/ws/agent", headers=headers) as agent,
        peers.agent(OTHER_TOKEN) as other,
    ):
        await agent.send(1, metrics().encode())
        await receive(dashboard, "metrics")
        await edit(file, WEB_2)
        await receive(dashboard, "server_removed")
        for number in range(5):
            await agent.send(1, metrics(uptime=number).encode())
        assert (await agent.frame())[1][:2] == (4403).to_bytes(2, "big")
        agent.socket.close()
        await until(lambda: len(peers.relay._admission.agents) == 1)
        await other.send(metrics(uptime=99))

        message = await receive(dashboard)
        assert (message["type"], message["data"]["server_id"]) == ("metrics", "web-2")


async def test_a_renamed_host_is_removed_and_added_and_its_agent_stays(file):
    async with from_file(file) as peers, peers.dashboard() as dashboard, peers.agent() as agent:
        await agent.send(metrics(uptime=7))
        await receive(dashboard, "metrics")
        await edit(file, table("web-1", TOKEN, name="Web One", location="EU", tags=["x"]), WEB_2)
        messages = [await receive(dashboard) for _ in range(4)]

        assert [m["type"] for m in messages] == [
            "server_removed",
            "server_added",
            "status",
            "metrics",
        ]
        assert messages[1]["data"] == {
            "id": "web-1",
            "name": "Web One",
            "location": "EU",
            "tags": ["x"],
        }
        assert messages[2]["data"]["online"] is True
        assert messages[3]["data"]["metrics"]["uptime"] == 7
        await agent.send(metrics(uptime=8))
        assert (await receive(dashboard))["data"]["metrics"]["uptime"] == 8


async def test_a_changed_id_is_another_host_and_its_agent_comes_back_as_that(file):
    async with from_file(file) as peers, peers.dashboard() as dashboard, peers.agent() as agent:
        await receive(dashboard, "status")
        await edit(file, table("db-1", TOKEN), WEB_2)

        assert (await closed(agent))[0] == 4403
        assert (await receive(dashboard))["data"] == {"id": "web-1"}
        assert (await receive(dashboard, "server_added"))["data"]["id"] == "db-1"
        async with peers.agent():
            assert (await receive(dashboard))["data"] == {"server_id": "db-1", "online": True}


@pytest.mark.parametrize(
    "text",
    ["[server", "[server]\nprot = 1\n", "[server]\nport = " + "1" * 5000, "\x00", None],
    ids=["not TOML", "unknown key", "5000 digits", "NUL", "removed"],
)
async def test_a_broken_configuration_keeps_the_old_one_and_says_so(file, text, caplog):
    async with from_file(file) as peers, peers.agent() as agent:
        if text is None:
            await asyncio.to_thread(file.unlink)
        else:
            await asyncio.to_thread(file.write_text, text)
        await until(lambda: any("the last valid configuration stays" in m for m in logged(caplog)))
        warnings = json.loads((await peers.http("/healthz"))[2])["warnings"]
        assert warnings == ["the configuration file is not valid; the last valid one is used"]
        await agent.send("bad")
        assert (await receive(agent))["type"] == "error"

        await edit(file, WEB_1)
        assert (await asyncio.to_thread(load, file)).hosts[0].id == "web-1"
        await until(lambda: "web-2" not in peers.relay._hub)
        assert json.loads((await peers.http("/healthz"))[2])["warnings"] == []


async def test_a_reload_without_a_change_is_no_news(file, caplog):
    async with from_file(file) as peers, peers.dashboard() as dashboard:
        await snapshot(dashboard)
        await asyncio.to_thread(file.touch)
        await peers.relay.reload()
        async with peers.agent():
            assert (await receive(dashboard))["type"] == "status"

    assert not any("reloaded" in line for line in logged(caplog))


async def test_host_and_port_need_a_restart_and_the_log_says_so(file, caplog):
    async with from_file(file) as peers:
        await edit(file, WEB_1, WEB_2, port=1)
        await peers.relay.reload()

        assert (await peers.http("/healthz"))[0] == 200
    assert "server.host and server.port take effect at the next start only" in logged(caplog)


async def test_offline_after_and_limits_and_origins_are_reloaded(file):
    clock = FakeClock()
    async with from_file(file, clock=clock) as peers, peers.dashboard() as dashboard, peers.agent():
        await receive(dashboard, "status")
        limits = "[server.limits]\nmax_dashboards = 1\n"
        await edit(file, limits, WEB_1, WEB_2, offline_after=5, allowed_origins=["https://a.org"])
        await peers.relay.reload()
        clock.now += 6

        assert (await receive(dashboard, "status"))["data"]["online"] is False
        assert await status_of(peers, "/ws", [("Origin", "https://a.org")]) == 503


async def test_without_a_file_there_is_nothing_to_reload():
    async with serving() as peers:
        await peers.relay.reload()

        assert (await peers.http("/healthz"))[0] == 200


# The end.


async def remaining(connection):
    """Yield what the connection has received and nobody has read."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            yield json.loads(await connection.recv())


async def test_a_shutdown_sends_1001_to_all_and_no_status():
    async with contextlib.AsyncExitStack() as stack:
        async with serving() as peers:
            dashboard = await stack.enter_async_context(peers.dashboard())
            agent = await stack.enter_async_context(peers.agent())
            await receive(dashboard, "status")
            before = time.monotonic()

        assert time.monotonic() - before < 1
        assert await closed(dashboard) == (1001, "server is shutting down")
        assert await closed(agent) == (1001, "server is shutting down")
        assert [m["type"] async for m in remaining(dashboard)] == []


async def test_what_has_not_closed_in_two_seconds_is_aborted(monkeypatch):
    assert connection_module.CLOSE_GRACE == 2
    async with contextlib.AsyncExitStack() as stack:
        async with serving() as peers:
            mute = await stack.enter_async_context(raw_peer(peers.port))
            await until(lambda: peers.relay._admission.dashboards)
            before = time.monotonic()

        assert 1.5 < time.monotonic() - before < 3
        opcode, payload = (await mute.rest())[-1]
        assert (opcode, payload) == (8, (1001).to_bytes(2, "big") + b"server is shutting down")


async def test_a_port_that_is_taken_is_an_error_of_the_system():
    async with serving() as peers:
        with pytest.raises(OSError, match="in use"):
            async with serving(config(port=peers.port)):
                pass


async def test_nothing_is_logged_at_info_for_a_report(caplog):
    async with serving() as peers, peers.dashboard() as dashboard, peers.agent() as agent:
        await receive(dashboard, "status")
        before = len(logged(caplog))
        for number in range(10):
            await agent.send(metrics(uptime=number))
        while (await receive(dashboard, "metrics"))["data"]["metrics"]["uptime"] != 9:
            pass

        assert len(logged(caplog)) == before


async def test_an_agents_coming_and_going_is_logged(caplog):
    async with serving() as peers:
        async with peers.agent():
            await until(lambda: peers.relay._agents)
        await until(lambda: not peers.relay._agents)

    assert "agent web-1 online from 127.0.0.1" in logged(caplog)
    assert "agent web-1 offline (1000)" in logged(caplog)


async def test_a_refused_handshake_is_seen_by_a_client_as_its_status():
    async with serving() as peers:
        with pytest.raises(InvalidStatus) as error:
            await peers.agent("unknown")

    assert error.value.response.status_code == 401


async def test_a_hosts_token_may_be_any_text_that_a_header_or_a_query_can_carry():
    hosts = [Host(id="web-1", name="x", token=SecretStr("a+b/c=~%é"))]
    async with serving(config(hosts=hosts)) as peers:
        assert await status_of(peers, "/ws/agent?token=a%2Bb/c=~%25%C3%A9") == 101


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="needs IPv6")
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_everywhere_is_ipv4_and_ipv6(address):
    async with module.Relay(config(host="::")).serving() as port:
        _, writer = await asyncio.open_connection(address, port)
        writer.close()
