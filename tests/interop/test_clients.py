"""Clients that nobody of this project wrote, as dashboard and as agent, against the real relay.

Each is a program that says in JSON lines what happens to it: ``open``, ``message``, ``close``,
``refused``. As an agent it sends the lines of its standard input.
"""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kit import OTHER_TOKEN, TOKEN, metrics, receive, serving

CLIENTS = Path(__file__).parent / "clients"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vstats-interop"
PACKAGES = {"ws": "8", "undici": "6"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def missing(what: str, how: str) -> None:
    """Skip where a tool is missing; on the gate's machine that is a failure."""
    assert "CI" not in os.environ, f"{what} is missing: {how}"
    pytest.skip(f"needs {what}: {how}")


def tool(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        missing(name, f"on Debian, apt-get install {package}")
    return str(found)


@pytest.fixture(scope="session")
def modules() -> Path:
    """A folder with npm's packages, kept from run to run."""
    if all((CACHE / "node_modules" / name).is_dir() for name in PACKAGES):
        return CACHE
    npm = tool("npm", "npm")
    CACHE.mkdir(parents=True, exist_ok=True)
    wanted = [f"{name}@{version}" for name, version in PACKAGES.items()]
    quiet = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(
        [npm, "install", *quiet, "--prefix", CACHE, *wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        missing(" and ".join(wanted), f"npm says {done.stderr[-500:]}")
    return CACHE


@pytest.fixture(
    params=["websocket_client.py", "aiohttp_client.py", "ws.js", "undici.js", "Client.java"]
)
def command(request) -> list[str]:
    """The client's command line, up to its folder of modules."""
    program = CLIENTS / request.param
    match program.suffix:
        case ".py":
            return [sys.executable, str(program), "-"]
        case ".js":
            node = tool("node", "nodejs")
            return [node, str(program), str(request.getfixturevalue("modules"))]
        case _:
            return [tool("java", "openjdk-17-jdk-headless"), str(program), "-"]


class Client:
    """A client at work."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def event(self) -> dict:
        async with asyncio.timeout(60):
            line = await self.process.stdout.readline()
        assert line, await self.process.stderr.read()
        return json.loads(line)

    async def message(self, kind: str) -> dict:
        """Return the next message of that type; the others before it are skipped."""
        while True:
            event = await self.event()
            assert event["event"] == "message", event
            message = json.loads(event["data"])
            if message["type"] == kind:
                return message


@contextlib.asynccontextmanager
async def running(command, *arguments, lines=()):
    process = await asyncio.create_subprocess_exec(
        *command,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    try:
        process.stdin.write("".join(f"{line}\n" for line in lines).encode())
        process.stdin.close()
        yield Client(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


def arguments(peers, role, way, token=TOKEN):
    """Return address, role and, where it goes into the header, the token."""
    path = "/ws/agent" if role == "agent" else "/ws"
    query = f"?token={token}" if way == "query" else ""
    return [f"{peers.url}{path}{query}", role, *([token] if way == "header" else [])]


@pytest.mark.parametrize("way", ["header", "query"])
async def test_it_reports_as_an_agent_and_is_told_of_its_faults_and_its_end(command, way):
    good = metrics(hostname="NAME", uptime=1).replace("NAME", "Überwachung 𝄞")
    large = metrics(padding="x" * 100_000, uptime=2)
    lines = [good, '{"type":"nonsense"}', large, '{"type":"heartbeat"}']
    async with (
        serving() as peers,
        peers.dashboard() as dashboard,
        running(command, *arguments(peers, "agent", way), lines=lines) as client,
    ):
        assert await client.event() == {"event": "open"}
        reports = [(await receive(dashboard, "metrics"))["data"]["metrics"] for _ in range(2)]
        fault = await client.message("error")
        # One with the same token takes its place.
        async with peers.agent():
            end = await client.event()

    assert [report["uptime"] for report in reports] == [1, 2]
    assert reports[0]["hostname"] == "Überwachung 𝄞"
    assert len(reports[1]["padding"]) == 100_000
    assert fault["data"]["code"] == "unknown_type"
    assert end == {"event": "close", "code": 4409, "reason": "replaced"}


@pytest.mark.parametrize("way", ["header", "query", "neither"])
async def test_it_watches_as_a_dashboard_and_is_told_of_the_servers_end(command, way):
    """A dashboard needs no token; one that brings its own all the same is let in like any other."""
    async with contextlib.AsyncExitStack() as stack:
        peers_context = serving()
        peers = await peers_context.__aenter__()
        agent = await peers.agent(OTHER_TOKEN)
        await agent.send(metrics(uptime=1))
        client = await stack.enter_async_context(
            running(command, *arguments(peers, "dashboard", way))
        )
        opened = await client.event()
        added = [(await client.message("server_added"))["data"]["id"] for _ in range(2)]
        first = await client.message("metrics")
        await agent.send(metrics(uptime=2, padding="ü" * 30_000))
        second = await client.message("metrics")
        await agent.close()
        status = await client.message("status")
        await peers_context.__aexit__(None, None, None)
        end = await client.event()

    assert opened == {"event": "open"}
    assert added == ["web-1", "web-2"]
    assert first["data"]["metrics"]["uptime"] == 1
    assert second["data"]["metrics"]["padding"] == "ü" * 30_000
    assert status["data"] == {"server_id": "web-2", "online": False}
    assert end == {"event": "close", "code": 1001, "reason": "server is shutting down"}


@pytest.mark.parametrize("way", ["header", "query"])
async def test_with_a_wrong_token_it_is_refused_before_the_upgrade(command, way):
    async with serving() as peers:
        wrong = arguments(peers, "agent", way, token="wrong-" + "x" * 30)
        async with running(command, *wrong) as client:
            event = await client.event()
        connections = len(peers.relay._agents)

    # The browsers' interface, undici's too, tells a page no more than that it failed.
    if "undici.js" in command[1]:
        assert event == {"event": "error"}
    else:
        assert event == {"event": "refused", "status": 401}
    assert connections == 0
