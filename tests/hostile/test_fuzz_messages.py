"""Whatever an agent says: nobody is harmed, and what is passed on can be read by everybody.

``make fuzz`` tries ten times as many, each time others.
"""

import asyncio
import contextlib
import gc
import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from kit import TOKEN, RawPeer, client_frame, config, metrics, raw_peer, serving
from strategies import SCHEMA, hostile, messages, texts_of
from watching import Turns, assert_short, assert_sober

from vstats_server.config import Limits
from vstats_server.hub.intake import IncomingReport, MessageError, read

EXAMPLES = int(os.environ.get("VSTATS_FUZZ_EXAMPLES", "2000"))
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
CORPUS = sorted((Path(__file__).parent / "corpus" / "messages").iterdir())

many = settings(max_examples=EXAMPLES // 2, suppress_health_check=list(HealthCheck))
FROM_AGENTS = Draft202012Validator({"$ref": "#/$defs/agent_to_server", "$defs": SCHEMA["$defs"]})
TO_DASHBOARDS = Draft202012Validator(
    {"$ref": "#/$defs/server_to_dashboard", "$defs": SCHEMA["$defs"]}
)


def strict(text: bytes) -> object:
    """Return what a browser's JSON.parse makes of the text, which must be UTF-8, or fail."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    # Two parsers that share no code; neither takes what the other refuses.
    value = json.loads(text.decode(), parse_constant=refuse)
    orjson.loads(text)
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    return value


def same(ours, theirs) -> bool:
    """Return whether JavaScript has the same value: its numbers are doubles, and -0 is 0."""
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(same(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, bool) or not isinstance(ours, (int, float)):
        return ours == theirs
    return float(ours) == float(theirs)


class Bench:
    """A relay, an agent on a bare socket and a dashboard on another, for one message after another.

    It lets go of them when something was not as it should be, so that the next begins anew.
    """

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.stack: contextlib.AsyncExitStack | None = None
        self.relayed: list[bytes] = []
        self.count = 0

    def send(self, message: bytes) -> tuple[list[bytes], list[bytes]]:
        """Send the message; return what dashboards were told, and what was answered."""
        # What a relay holds is little; what this test holds need not be looked through.
        gc.disable()
        try:
            return self.runner.run(self._exchange(message))
        except BaseException:
            self.close()
            raise
        finally:
            gc.enable()

    def close(self) -> None:
        if self.stack is not None:
            stack, self.stack = self.stack, None
            self.runner.run(stack.aclose())

    async def _exchange(self, message: bytes) -> tuple[list[bytes], list[bytes]]:
        if self.stack is None:
            await self._open()
            await self._exchange(b"the snapshot comes first")
        self.count += 1
        mark = f"after-{self.count}.".encode()
        after = client_frame(TEXT, metrics(hostname=mark.decode()).encode())
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self.agent.socket, client_frame(TEXT, message) + after)
        try:
            message.decode()
        except UnicodeDecodeError:
            end = await self._next(self.agent)
            assert end == (CLOSE, (1007).to_bytes(2, "big") + b"not UTF-8")
            await self._come()
            await loop.sock_sendall(self.agent.socket, after)
        told, answers = [], []
        while mark not in (text := (await self._next(self.dashboard))[1]):
            told.append(text)
        self.relayed += [*told, text]
        await self.agent.send(PING, mark)
        while (frame := await self._next(self.agent)) != (PONG, mark):
            answers.append(frame[1])
        return told, answers

    async def _open(self) -> None:
        limits = Limits(messages_per_second=1e9, message_burst=10**9)
        self.stack = contextlib.AsyncExitStack()
        self.peers = await self.stack.enter_async_context(
            serving(config(limits=limits, write_interval=0))
        )
        self.dashboard = await self.stack.enter_async_context(raw_peer(self.peers.port))
        self.reporting = await self.stack.enter_async_context(contextlib.AsyncExitStack())
        await self._come()

    async def _come(self) -> None:
        """Connect as the agent, in place of an older connection."""
        await self.reporting.aclose()
        self.agent = await self.reporting.enter_async_context(
            raw_peer(self.peers.port, f"/ws/agent?token={TOKEN}")
        )
        self.agent.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def _next(self, peer: RawPeer) -> tuple[int, bytes]:
        while (frame := await peer.frame())[0] == PING:
            await peer.send(PONG, frame[1])
        return frame


@pytest.fixture(scope="module")
def bench():
    bench = Bench()
    with bench.runner:
        yield bench
        bench.close()


@pytest.fixture
def told_of(bench, caplog):
    """Send a message to a relay; return what it told dashboards of it, once that is checked."""
    turns = Turns()

    def send(message: bytes) -> list[dict]:
        caplog.clear()
        turns.longest = 0
        texts, answers = bench.send(message)
        assert_short(turns.longest, turns.what)
        assert_sober(caplog.records, TOKEN, "abcdefghijklmnopqrstuvwxyz")
        # A status comes of a connection that had to be made anew.
        told = [one for one in map(strict, texts) if one["type"] != "status"]
        assert len(told) + len(answers) <= 1
        for answer in answers:
            assert strict(answer)["type"] == "error"
            assert len(answer) < 16_000
        for one in told:
            assert one["type"] in ("metrics", "describe")
            assert one["data"]["server_id"] == "web-1"
        return told

    with turns.watched():
        yield send


@many
@given(texts_of(messages))
def test_what_the_schema_allows_is_passed_on_as_it_is(told_of, text):
    sent = json.loads(text)
    told = told_of(text)

    if sent["type"] == "heartbeat":
        assert told == []
        return
    if sent["type"] == "describe":
        # One that is known already is no news.
        for one in told:
            assert same(sent["data"]["sections"], one["data"]["sections"])
        return
    (one,) = told
    got = one["data"]["metrics"]
    for way in ("rx", "tx"):
        if "network" in sent["data"] and way not in sent["data"]["network"]:
            assert got["network"].pop(way) >= 0
    assert same(sent["data"], got)


@many
@given(hostile)
def test_what_the_schema_does_not_allow_is_passed_on_to_nobody(told_of, text):
    for one in told_of(text):
        message = json.loads(text)
        assert message["type"] == one["type"]
        assert not list(FROM_AGENTS.iter_errors(message))
        assert not list(TO_DASHBOARDS.iter_errors(one))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_what_once_was_interesting_still_does_no_harm(told_of, path):
    told_of(path.read_bytes())


@given(texts_of(messages))
@settings(max_examples=200)
def test_the_intake_says_the_same_of_a_message_each_time(text):
    def verdict():
        try:
            taken = read(text)
        except MessageError as bad:
            return str(bad), bad.faults
        return (taken.text if isinstance(taken, IncomingReport) else taken), None

    assert verdict() == verdict()


NODE = """
const chunks = [];
process.stdin.on("data", c => chunks.push(c));
process.stdin.on("end", () => {
  const all = Buffer.concat(chunks);
  const decoder = new TextDecoder("utf-8", {fatal: true, ignoreBOM: true});
  const out = [];
  for (let at = 0; at < all.length;) {
    const size = all.readUInt32BE(at);
    const text = decoder.decode(all.subarray(at + 4, at + 4 + size));
    out.push(JSON.stringify(JSON.parse(text)));
    at += 4 + size;
  }
  process.stdout.write(out.join("\\n"));
});
"""


def test_javascript_reads_every_message_that_a_dashboard_was_sent(bench):
    node = shutil.which("node")
    if node is None:
        assert "CI" not in os.environ, "node is missing"
        pytest.skip("needs node")
    if not bench.relayed:
        bench.send(metrics(x=[1e308, -0.0, 2**53, "\u2028", "𝄞"]).encode())
    texts = bench.relayed

    data = b"".join(len(text).to_bytes(4, "big") + text for text in texts)
    result = subprocess.run([node, "-e", NODE], input=data, capture_output=True, check=True)

    read_there = result.stdout.decode("utf-8", "surrogatepass").split("\n")
    assert len(read_there) == len(texts)
    for text, line in zip(texts, read_there, strict=True):
        assert same(json.loads(text), json.loads(line)), text
