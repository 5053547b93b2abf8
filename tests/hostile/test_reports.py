"""Messages that an agent with a good token may send to harm others: the loop, the pages, the log."""

import asyncio
import contextlib
import json
import time

import pytest
from kit import TOKEN, client_frame, config, metrics, raw_peer, receive, report, serving, until
from watching import assert_short, shown

from vstats_server.config import Limits
from vstats_server.hub.intake import IncomingReport, MessageError, read

AGENT = f"/ws/agent?token={TOKEN}"
TEXT = 1
LARGEST = 262_144

HARMFUL = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "javascript:alert(1)",
    "{{7*7}} ${7*7} #{7*7}",
    "'; DROP TABLE hosts; --",
    "web-1\r\nWARNING agent web-2 offline",
    "\x1b[2J\x1b]0;owned\x07",
    "\u202egnp.exe",
    "\x00\x01\x02\x7f\x80\x9f",
    "\u2028\u2029\ufeff\ufffe\uffff",
    "../../../etc/passwd",
    "$(reboot) `reboot` |reboot",
    "é" * 1024,
    "\U0001f468\u200d\U0001f469" * 200,
    "",
]


def with_text(text: str) -> dict[str, object]:
    """Return a report that holds the text in every place for one."""
    content = report()
    content["hostname"] = text
    content["os"] = dict.fromkeys(content["os"], text)
    content["cpu"]["brand"] = text
    content["disks"][0] |= {"name": text, "mount_point": text, "fs_type": text}
    content["network"]["interfaces"][0]["name"] = text
    content["collectors"] = {text: {"ok": False, "age": 0, "duration": 0, "error": text}}
    content["agent"] = {"version": text, "interval": 1}
    content[text or "plugin"] = {text: [text]}
    return content


@pytest.mark.parametrize("text", HARMFUL, ids=ascii)
async def test_text_is_data_it_arrives_as_it_was_and_is_written_nowhere(peers, text, caplog):
    sent = with_text(text)
    async with peers.agent() as agent, peers.dashboard() as dashboard:
        await agent.send(json.dumps({"type": "metrics", "data": sent}))
        got = (await receive(dashboard, "metrics"))["data"]
        _, headers, body = await peers.http("/api/hosts")

    sent["network"] |= {"rx": 0, "tx": 0}
    assert got == {"server_id": "web-1", "metrics": sent}
    assert json.loads(body)["hosts"][0]["metrics"] == sent
    # No browser takes it for a page of ours.
    assert headers["content-type"] == "application/json"
    assert headers["x-content-type-options"] == "nosniff"
    if text:
        assert not [r for r in caplog.records if text in r.getMessage()]


async def test_what_a_report_claims_to_be_changes_neither_host_nor_status(peers):
    claims = {"server_id": "web-2", "id": "web-2", "online": False, "type": "server_removed"}
    envelope = {"type": "metrics", "server_id": "web-2", "data": report(**claims)}
    async with peers.agent() as agent, peers.dashboard() as dashboard:
        await agent.send(json.dumps(envelope))
        message = await receive(dashboard, "metrics")

    assert message["data"]["server_id"] == "web-1"
    assert set(message) == {"type", "data", "timestamp"}
    states = peers.relay._hub._states
    assert states["web-2"].report is None
    assert states["web-2"].online is None


@pytest.mark.parametrize(
    "message",
    [
        {"type": "server_removed", "data": {"id": "web-2"}},
        {"type": "server_added", "data": {"id": "x", "name": "x", "location": ""}},
        {"type": "status", "data": {"server_id": "web-2", "online": True}},
        {"type": "error", "data": {"code": "x", "message": "x", "errors": []}},
        {"type": "command", "data": {"run": "reboot"}},
        {"type": "__proto__", "data": {}},
    ],
    ids=lambda message: message["type"],
)
async def test_no_message_of_the_servers_own_kinds_is_taken_from_an_agent(peers, message):
    async with peers.agent() as agent, peers.dashboard() as dashboard:
        await agent.send(json.dumps(message))
        answer = await receive(agent, "error")
        await agent.send(metrics(uptime=1))
        kinds = set()
        while "metrics" not in kinds:
            kinds.add((await receive(dashboard))["type"])

    assert answer["data"]["code"] == "unknown_type"
    assert kinds <= {"server_added", "status", "metrics"}
    assert peers.relay._hub._states["web-2"].online is None


def padded(**content: object) -> str:
    return json.dumps({"type": "metrics", "data": report(**content)}, separators=(",", ":"))


def described(sections: object) -> str:
    message = {"type": "describe", "data": {"sections": sections}}
    return json.dumps(message, separators=(",", ":"))


DEEP = json.loads("[" * 250 + "]" * 250)
CPU, NETWORK = report()["cpu"], report()["network"]
LARGE = {
    "ten thousand faulty names": padded(collectors={str(n): {} for n in range(19_000)}),
    "ten thousand names of nothing": padded(collectors={str(n): 0 for n in range(21_000)}),
    "ten thousand good names": padded(
        collectors={str(n): {"ok": True, "age": 0, "duration": 0} for n in range(5_500)}
    ),
    "ten thousand keys": padded(**{f"k{n}": 0 for n in range(21_000)}),
    "as many cores as may be, all wrong": padded(cpu=CPU | {"per_core": [None] * 4096}),
    "far too many cores": padded(cpu=CPU | {"per_core": [None] * 50_000}),
    "as many disks as may be, all wrong": padded(disks=[{}] * 1024),
    "far too many disks": padded(disks=[{}] * 80_000),
    "far too many interfaces": padded(network=NETWORK | {"interfaces": [{}] * 80_000}),
    "empty lists": padded(x=[[]] * 80_000),
    "empty objects": padded(x=[{}] * 80_000),
    "deep lists": padded(x=[DEEP] * 500),
    "deep lists in an unusual envelope": json.dumps(
        {"data": report(x=[DEEP] * 500), "type": "metrics"}, separators=(",", ":")
    ),
    "empty lists in an unusual envelope": json.dumps(
        {"data": report(x=[[]] * 80_000), "type": "metrics"}, separators=(",", ":")
    ),
    "numbers": padded(x=[1] * 125_000),
    "long numbers": padded(x=[-1.7976931348623157e308] * 10_000),
    "digits without an end": '{"type":"metrics","data":{"x":' + "9" * 250_000 + "}}",
    "a fraction without an end": '{"type":"metrics","data":{"x":0.' + "1" * 250_000 + "}}",
    "an exponent without an end": '{"type":"metrics","data":{"x":1e' + "9" * 250_000 + "}}",
    "brackets without an end": '{"type":"metrics","data":' + "[" * 260_000,
    "braces without an end": '{"type":"metrics","data":' + '{"":' * 60_000,
    "a string without an end": '{"type":"metrics","data":"' + "x" * 260_000,
    "backslashes": padded(x="\\" * 100_000),
    "quotes": padded(x=['"[{'] * 35_000),
    "control characters": padded(x="\x01" * 40_000),
    "blanks": " " * 260_000 + "{}",
    "the same key again": '{"type":"metrics","data":{' + '"a":1,' * 40_000 + '"a":1}}',
    "ten thousand faulty sections": described({str(n): 0 for n in range(25_000)}),
    "ten thousand faulty fields": described(
        {"a": {"title": "", "fields": {str(n): {} for n in range(19_000)}}}
    ),
    "many sections of many faulty fields": described(
        {str(s): {"title": "", "fields": {str(n): {} for n in range(16)}} for s in range(1_500)}
    ),
    "a type without an end": json.dumps({"type": "x" * 250_000}),
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_no_message_takes_long_to_decide_about(text, turns):
    message = text.encode()
    assert len(message) <= LARGEST
    took = []
    # The machine may stumble once; a message that takes long does so each time.
    for _ in range(3):
        before = time.thread_time()
        with contextlib.suppress(MessageError):
            read(message)
        took.append(time.thread_time() - before)

    assert_short(min(took), text[:100])


async def test_large_messages_as_fast_as_they_may_come_never_hold_the_loop(peers, turns):
    large = [client_frame(TEXT, text.encode()) for text in LARGE.values()]
    loop = asyncio.get_running_loop()
    async with peers.dashboard() as dashboard:
        for frame in large:
            async with raw_peer(peers.port, AGENT) as peer:
                await loop.sock_sendall(peer.socket, frame)
                await peer.send(TEXT, metrics(uptime=4712).encode())
                message = await receive(dashboard, "metrics")
                while message["data"]["metrics"].get("uptime") != 4712:
                    message = await receive(dashboard, "metrics")
            await until(lambda: not peers.relay._agents)


async def test_good_and_bad_messages_by_turns_do_not_fill_the_log(caplog):
    limits = Limits(messages_per_second=1e6, message_burst=1_000_000)
    async with serving(config(limits=limits)) as peers, peers.agent() as agent:
        for _ in range(500):
            await agent.send("{}")
            await agent.send('{"type":"heartbeat"}')
        for _ in range(500):
            await receive(agent, "error")

    assert len([r for r in shown(caplog.records) if "invalid_message" in r.getMessage()]) == 9


async def test_a_token_inside_a_report_is_nobodys_business(peers, caplog):
    """An agent may send what it likes; we neither look for secrets nor write them down."""
    async with peers.agent() as agent:
        await agent.send(json.dumps({"type": TOKEN, "data": {TOKEN: TOKEN}}))
        answer = await receive(agent, "error")
        await agent.send(json.dumps({"type": "metrics", "data": {"timestamp": TOKEN}}))
        answer = await receive(agent, "error")

    assert answer["data"]["code"] == "invalid_report"
    assert TOKEN not in json.dumps(answer)
    assert not [r for r in caplog.records if TOKEN in r.getMessage()]


def test_a_report_of_the_largest_size_allowed_is_taken():
    room = LARGEST - len(padded(x=""))

    assert isinstance(read(padded(x="y" * room).encode()), IncomingReport)
