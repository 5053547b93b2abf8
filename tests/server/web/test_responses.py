import asyncio
import contextlib
import json
import socket
import time

import pytest
from kit import FakeClock, config, metrics, parse_response, raw_peer, report, serving, until
from pydantic import SecretStr

from vstats_core.version import __version__
from vstats_core.wire.messages import json_schema
from vstats_server.config import Host


async def test_healthz_says_that_all_is_well_and_nothing_of_hosts():
    async with serving() as peers, peers.agent():
        status, headers, body = await peers.http("/healthz")

    assert (status, json.loads(body)) == (
        200,
        {"status": "ok", "version": __version__, "warnings": []},
    )
    assert headers["content-type"] == "application/json"


async def test_healthz_shows_the_warnings_of_the_start_without_a_host_in_them():
    hosts = [Host(id="secret-host", name="x", token=SecretStr("short"))]
    async with serving(config(hosts=hosts)) as peers:
        _, _, body = await peers.http("/healthz")

    (warning,) = json.loads(body)["warnings"]
    assert "shorter than 22" in warning
    assert b"secret-host" not in body


async def test_api_hosts_holds_what_a_snapshot_holds_and_no_token():
    clock = FakeClock()
    async with serving(clock=clock) as peers, peers.agent() as agent:
        await agent.send(metrics(gpu={"a": 1}))
        await until(lambda: peers.relay._hub._states["web-1"].report)
        status, headers, body = await peers.http("/api/hosts")

    expected = report(gpu={"a": 1})
    expected["network"] |= {"rx": 0, "tx": 0}
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body) == {
        "hosts": [
            {
                "id": "web-1",
                "name": "Web 1",
                "location": "US-West",
                "tags": ["eu"],
                "online": True,
                "last_seen": clock.utc(),
                "metrics": expected,
                "describe": None,
            },
            {
                "id": "web-2",
                "name": "Web 2",
                "location": "",
                "tags": [],
                "online": None,
                "last_seen": None,
                "metrics": None,
                "describe": None,
            },
        ]
    }
    assert b"token" not in body


async def test_api_hosts_of_no_host_is_an_empty_list():
    async with serving(config(hosts=[])) as peers:
        assert json.loads((await peers.http("/api/hosts"))[2]) == {"hosts": []}


async def test_a_large_answer_is_built_in_slices_that_let_others_have_their_turn():
    hosts = [Host(name=f"host {n}", token=SecretStr(f"{n:030}")) for n in range(1000)]
    async with serving(config(hosts=hosts)) as peers:
        turns = 0

        async def other():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        from vstats_server.web.responses import _hosts  # noqa: PLC0415 - white box

        task = asyncio.create_task(other())
        await asyncio.sleep(0)
        before = turns
        body = await _hosts(peers.relay._hub)
        during = turns - before
        task.cancel()

    assert len(json.loads(body)["hosts"]) == 1000
    assert during >= 1000 // 64


async def test_schema_json_is_the_schema_of_all_messages():
    async with serving() as peers:
        status, headers, body = await peers.http("/schema.json")

    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body) == json_schema()


async def test_what_the_server_sends_is_what_the_schema_says():
    jsonschema = pytest.importorskip("jsonschema")
    async with serving() as peers, raw_peer(peers.port) as dashboard, peers.agent() as agent:
        _, _, body = await peers.http("/schema.json")
        schema = json.loads(body) | {"anyOf": [{"$ref": "#/$defs/server_to_dashboard"}]}
        await agent.send(metrics())
        messages = [json.loads((await dashboard.frame())[1]) for _ in range(4)]
        peers.relay._hub.replace_hosts([])
        messages.append(json.loads((await dashboard.frame())[1]))

    for message in messages:
        jsonschema.validate(message, schema)
    assert {message["type"] for message in messages} == {
        "server_added",
        "status",
        "metrics",
        "server_removed",
    }


@pytest.mark.parametrize(
    "path",
    [
        "/index.html",
        "/ws/",
        "/ws/agent/",
        "/WS",
        "/ws%2fagent",
        "//ws",
        "/ws/../../etc/passwd",
        "/../../etc/passwd",
        "/healthz/",
        "/api",
        "/api/hosts/web-1",
        "/favicon.ico",
    ],
)
async def test_any_other_path_is_404(path):
    async with serving() as peers:
        status, _, body = await peers.http(path)

    assert (status, body) == (404, b"Not Found\n")


async def test_a_query_does_not_change_what_is_asked_for():
    async with serving() as peers:
        assert (await peers.http("/healthz?verbose=1"))[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get"])
@pytest.mark.parametrize("path", ["/healthz", "/api/hosts", "/nothing"])
async def test_any_other_method_is_405_and_says_what_is_allowed(method, path):
    async with serving() as peers:
        status, headers, _ = await peers.http(path, method=method)

    assert (status, headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("path", ["/ws", "/ws/agent"])
async def test_a_websocket_is_asked_for_with_get_alone(method, path):
    async with serving() as peers:
        status, headers, _ = await peers.http(path, method=method)

    assert (status, headers["allow"]) == (405, "GET")


@pytest.mark.parametrize("path", ["/healthz", "/api/hosts", "/schema.json", "/nothing"])
async def test_head_is_answered_like_get_without_the_body(path):
    async with serving() as peers:
        got = await peers.http(path)
        headed = await peers.http(path, method="HEAD")

    assert headed[0] == got[0]
    assert headed[2] == b""
    different = {"date"}
    assert {k: v for k, v in headed[1].items() if k not in different} == {
        k: v for k, v in got[1].items() if k not in different
    }
    assert int(headed[1]["content-length"]) == len(got[2])


@pytest.mark.parametrize(
    ("host", "status"), [("evil.example", 403), ("one\r\nHost: two", 400)], ids=["403", "400"]
)
async def test_a_refusal_of_head_has_no_body_either(host, status):
    async with serving() as peers:
        code, _, body = await peers.http("/", method="HEAD", headers={"Host": host})

    assert (code, body) == (status, b"")


@pytest.mark.parametrize("path", ["/healthz", "/api/hosts", "/nothing"])
async def test_every_answer_closes_the_connection_and_is_not_kept_or_guessed_at(path):
    async with serving() as peers:
        _, headers, body = await peers.http(path)

    assert headers["connection"] == "close"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert int(headers["content-length"]) == len(body)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"NONSENSE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100) + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        b"POST /healthz HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\n\r\n",
        b"GET /ws?token=%ff%00%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /ws/agent?token=%ff%00%zz&&&=& HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /ws/agent HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \xff\xfe\r\n\r\n",
        b"GET /ws HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nOrigin: \xff://[\r\n\r\n",
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ],
    ids=range(14),
)
async def test_a_hostile_request_is_refused_without_a_traceback(request_bytes, caplog):
    async with serving() as peers:
        answer = await peers.raw(request_bytes)
        assert (await peers.http("/healthz"))[0] == 200
        await until(lambda: not peers.relay._admission.connections)
        assert not peers.relay._admission.addresses

    # What is no HTTP gets no HTTP in return.
    assert not answer or 400 <= parse_response(answer)[0] < 500
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_port_scan_leaves_no_traceback(caplog):
    loop = asyncio.get_running_loop()
    async with serving() as peers:
        for data in (b"", b"GET", b"GET /ws HTTP/1.1\r\nHost: loc"):
            with socket.socket() as link:
                link.settimeout(0)
                await loop.sock_connect(link, ("127.0.0.1", peers.port))
                await loop.sock_sendall(link, data)
        await until(lambda: not peers.relay._admission.connections)

    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("stage", ["nothing sent", "half a request", "a large answer not read"])
async def test_a_shutdown_with_a_client_that_does_nothing_takes_three_seconds_at_most(stage):
    loop = asyncio.get_running_loop()
    hosts = [Host(name=f"host {n}", token=SecretStr(f"{n:030}")) for n in range(40)]
    async with contextlib.AsyncExitStack() as stack:
        async with serving(config(hosts=hosts)) as peers:
            for state in peers.relay._hub._states.values():
                state.report = b'"%b"' % (b"x" * 250_000)
            link = stack.enter_context(socket.socket())
            link.settimeout(0)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await loop.sock_connect(link, ("127.0.0.1", peers.port))
            if stage == "half a request":
                await loop.sock_sendall(link, b"GET /api/hosts HTTP/1.1\r\n")
            elif stage == "a large answer not read":
                head = b"GET /api/hosts HTTP/1.1\r\nHost: localhost\r\n\r\n"
                await loop.sock_sendall(link, head)
                await until(
                    lambda: any(c.unsent > 100_000 for c in peers.relay._admission.connections)
                )
            else:
                await until(lambda: peers.relay._admission.connections)
            before = time.monotonic()

        assert time.monotonic() - before < 3
