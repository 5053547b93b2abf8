"""The command line, as real processes: what it prints, where, and how it ends."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tomllib

import pytest
from kit import OTHER_TOKEN, TOKEN, sha256
from websockets.asyncio.client import connect

from vstats_core.version import __version__
from vstats_core.wire.messages import json_schema
from vstats_server.commands.main import agent_url
from vstats_server.config import ServerConfig, load

COMMENTED = f"""\
# The relay of the third floor.
[server]
port = 0  # any

# The web servers.
[[server.hosts]]
id = "web-1"
name = "Web 1"  # the old one
location = "US-West"
tags = ["eu", "web"]
token_sha256 = "{sha256(TOKEN)}"
"""


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "server.toml"
    file.write_text(COMMENTED)
    file.chmod(0o600)
    return file


def command(path, *arguments):
    return [sys.executable, "-m", "vstats_server", "--config", str(path), *arguments]


def run(path, *arguments):
    """Return exit code, stdout and stderr."""
    done = subprocess.run(
        command(path, *arguments), capture_output=True, text=True, timeout=30, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_adding_a_host_prints_a_ready_agent_configuration_and_nothing_else(path):
    code, out, err = run(
        path, "hosts", "add", "Web 2", "--location", "EU", "--tag", "a", "--tag", "b"
    )

    printed = tomllib.loads(out)
    host = load(path).hosts[1]
    assert (code, err) == (0, "")
    assert printed.keys() == {"agent"}
    assert printed["agent"].keys() == {"url", "token"}
    assert host.token_sha256 == sha256(printed["agent"]["token"])
    assert (host.id, host.name, host.location, host.tags) == ("web-2", "Web 2", "EU", ["a", "b"])


def test_a_host_is_added_in_place_and_every_comment_is_kept(path):
    run(path, "hosts", "add", "Web 2", "--id", "w2")

    text = path.read_text()
    assert text.startswith(COMMENTED)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load(path).hosts[1].id == "w2"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_and_the_mode_of_the_file_are_kept(path):
    path.chmod(0o640)
    os.chown(path, 12345, 54321)

    run(path, "hosts", "add", "Web 2")
    run(path, "hosts", "remove", "web-2")

    found = path.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (12345, 54321, 0o640)


def test_the_printed_address_is_made_from_public_url(path):
    path.write_text(COMMENTED.replace("port = 0", 'public_url = "https://vstats.example.org"'))

    _, out, _ = run(path, "hosts", "add", "Web 2")

    assert tomllib.loads(out)["agent"]["url"] == "wss://vstats.example.org/ws/agent"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "ws://127.0.0.1:3001/ws/agent"),
        ({"host": "::1", "port": 80}, "ws://[::1]:80/ws/agent"),
        ({"host": "0.0.0.0"}, "ws://THIS-SERVER:3001/ws/agent"),
        ({"host": ""}, "ws://THIS-SERVER:3001/ws/agent"),
        ({"public_url": "http://a.example:8080/"}, "ws://a.example:8080/ws/agent"),
    ],
)
def test_an_agents_address_is_what_the_server_can_know_of_it(settings, expected):
    assert agent_url(ServerConfig(**settings)) == expected


def test_a_first_host_makes_the_file(tmp_path):
    path = tmp_path / "new.toml"

    code, out, err = run(path, "hosts", "add", "Web 1")

    assert (code, tomllib.loads(out).keys()) == (0, {"agent"})
    assert f"{path} is new" in err
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_listing_prints_a_table_without_tokens(path):
    run(path, "hosts", "add", "Database")
    table = """\
ID        NAME      LOCATION  TAGS
web-1     Web 1     US-West   eu, web
database  Database
"""

    assert run(path, "hosts", "list") == (0, table, "")


def test_removing_a_host_prints_nothing_on_stdout(path):
    code, out, err = run(path, "hosts", "remove", "web-1")

    assert (code, out) == (0, "")
    assert "removed web-1" in err
    assert load(path).hosts == []
    assert "# The relay of the third floor." in path.read_text()


def test_rotating_prints_the_new_token_and_ends_the_old_one(path):
    code, out, err = run(path, "hosts", "rotate", "web-1")

    token = tomllib.loads(out)["agent"]["token"]
    assert (code, err) == (0, "")
    assert path.read_text() == COMMENTED.replace(sha256(TOKEN), sha256(token))


@pytest.mark.parametrize("action", ["remove", "rotate"])
def test_an_unknown_host_is_78_and_names_the_known_ones(path, action):
    code, out, err = run(path, "hosts", action, "web-9")

    assert (code, out) == (78, "")
    assert err == f"{path}: server.hosts: no host 'web-9'; known: web-1\n"
    assert path.read_text() == COMMENTED


def test_a_name_that_is_taken_is_78_and_the_file_is_as_it_was(path):
    code, out, err = run(path, "hosts", "add", "WEB 1")

    assert (code, out) == (78, "")
    assert err == f"{path}: server: hosts 'Web 1' and 'WEB 1' have the same id\n"
    assert path.read_text() == COMMENTED
    assert os.listdir(path.parent) == [path.name]  # noqa: PTH208 - names


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["check"],
        ["hosts", "list"],
        ["hosts", "add", "x"],
        ["hosts", "remove", "web-1"],
        ["hosts", "rotate", "web-1"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[server\n", ":1:8: "),
        ("[server]\nprot = 1\n", ": server.prot: unknown key; did you mean 'port'?"),
    ],
    ids=["not TOML", "unknown key"],
)
def test_a_broken_file_is_78_with_the_place_and_never_replaced(path, arguments, text, complaint):
    path.write_text(text)

    code, out, err = run(path, *arguments)

    assert (code, out) == (78, "")
    assert err.startswith(f"{path}{complaint}")
    assert "Traceback" not in err
    assert path.read_text() == text


def test_a_file_that_is_not_there_is_78(tmp_path):
    path = tmp_path / "server.toml"

    assert run(path) == (78, "", f"{path}: No such file or directory\n")


def test_check_says_ok_and_its_warnings_go_to_stderr(path):
    path.write_text(COMMENTED.replace("port = 0", 'host = "0.0.0.0"'))

    code, out, err = run(path, "check")

    assert (code, out) == (0, f"{path}: ok\n")
    assert "without TLS" in err


def test_schema_prints_the_schema_of_every_message_and_needs_no_file(tmp_path):
    code, out, err = run(tmp_path / "none.toml", "schema")

    assert (code, err) == (0, "")
    assert json.loads(out) == json_schema()


def test_version_is_the_distributions(path):
    assert run(path, "--version")[1] == f"vstats-server, version {__version__}\n"


# The server itself.


class Running:
    """A server process, the port it listens on, and what it logs."""

    def __init__(self, process):
        self.process = process
        self.port = 0
        self.log = ""

    async def logs(self, text):
        """Read the log until it holds the text."""
        async with asyncio.timeout(10):
            while text not in self.log:
                line = await self.process.stderr.readline()
                assert line, self.log
                self.log += line.decode()

    async def end(self, number):
        """Send the signal and return the exit code and what was printed."""
        self.process.send_signal(number)
        async with asyncio.timeout(10):
            out, err = await self.process.communicate()
        self.log += err.decode()
        return self.process.returncode, out


@contextlib.asynccontextmanager
async def running(path, *arguments):
    process = await asyncio.create_subprocess_exec(
        *command(path, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    server = Running(process)
    try:
        await server.logs("listening on")
        server.port = int(re.search(r"listening on \S+ port (\d+)", server.log)[1])
        yield server
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def agent_of(server, token):
    return connect(f"ws://127.0.0.1:{server.port}/ws/agent?token={token}", proxy=None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_server_ends_with_0_on_sigterm_and_ctrl_c_and_tells_everybody(path, number):
    async with running(path) as server, agent_of(server, TOKEN) as agent:
        await server.logs("agent web-1 online")

        assert await server.end(number) == (0, b"")
        await agent.wait_closed()

    assert agent.close_code == 1001
    assert "Traceback" not in server.log
    assert "stopped" in server.log


async def test_sighup_reloads_the_file(path):
    async with running(path) as server, agent_of(server, TOKEN) as agent:
        await server.logs("agent web-1 online")
        changed = COMMENTED.replace("web-1", "x").replace(sha256(TOKEN), sha256(OTHER_TOKEN))
        path.write_text(changed)
        server.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(1):
            await agent.wait_closed()
        async with agent_of(server, OTHER_TOKEN):
            await server.logs("agent x online")

        assert agent.close_code == 4403
        assert (await server.end(signal.SIGTERM))[0] == 0


async def test_a_broken_file_at_sighup_keeps_the_server_as_it_is(path):
    async with running(path) as server, agent_of(server, TOKEN) as agent:
        path.write_text("[server")
        server.process.send_signal(signal.SIGHUP)
        await server.logs("the last valid configuration stays")
        server.log = ""  # the server finds it once by itself; every further look needs a signal
        server.process.send_signal(signal.SIGHUP)
        await server.logs("the last valid configuration stays")
        await agent.ping()

        assert (await server.end(signal.SIGTERM))[0] == 0
    assert f"{path}:1:8: " in server.log


async def test_a_running_server_sees_hosts_add_and_remove(path):
    async with running(path) as server:
        _, out, _ = await asyncio.to_thread(run, path, "hosts", "add", "Web 2")
        await server.logs("configuration reloaded, 2 hosts")
        async with agent_of(server, tomllib.loads(out)["agent"]["token"]) as agent:
            await asyncio.to_thread(run, path, "hosts", "remove", "web-2")
            async with asyncio.timeout(2):
                await agent.wait_closed()

    assert agent.close_code == 4403


async def test_no_token_is_in_the_log_even_in_detail(path):
    async with running(path) as server:
        for token in (TOKEN, "a-wrong-secret"):
            with contextlib.suppress(Exception):
                async with agent_of(server, token):
                    pass
        await server.end(signal.SIGTERM)

    assert TOKEN not in server.log
    assert "a-wrong-secret" not in server.log
    assert "refused: unknown token" in server.log


def test_a_port_that_is_taken_is_1_and_said_in_a_line(path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        path.write_text(f"[server]\nport = {port}\n")

        code, out, err = run(path)

    assert (code, out) == (1, "")
    assert f"cannot listen on 127.0.0.1 port {port}: " in err
    assert "Traceback" not in err
