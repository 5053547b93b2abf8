"""The agent's side of TLS: whom it trusts, and what it says when it cannot."""

import asyncio
import contextlib
import datetime as dt
import json
import ssl
import subprocess
import sys

import pytest
from certificates import Authority
from kit import TOKEN, config, receive, report, serving

from vstats_core.agent.link.uplink import Uplink
from vstats_core.agent.settings import AgentSettings, warnings
from vstats_core.backoff import Backoff
from vstats_core.errors import ConfigError
from vstats_core.tls import client_context, explain
from vstats_server.config import TLS

DAY = dt.timedelta(days=1)
NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@contextlib.asynccontextmanager
async def connecting(url, trust):
    """Run an uplink; the value is a list of what it waits for before it tries again."""
    delays = []

    async def pause(delay):
        delays.append(delay)
        await asyncio.Event().wait()

    uplink = Uplink(url, TOKEN, trust=trust, backoff=Backoff(lambda _low, high: high), sleep=pause)
    uplink.offer(json.dumps(report()).encode())
    task = asyncio.create_task(uplink.run())
    try:
        async with asyncio.timeout(10):
            yield delays
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def said(url, trust, caplog):
    """Return the one line that an agent says of an attempt that failed."""
    async with connecting(url, trust) as delays:
        while not delays:  # noqa: ASYNC110 - the state is another's
            await asyncio.sleep(0.005)
    (line,) = [r.getMessage() for r in caplog.records if r.name == "vstats_core.agent.link.uplink"]
    return line


@contextlib.asynccontextmanager
async def server(pair):
    async with serving(config(tls=TLS(certificate=pair[0], key=pair[1]))) as peers:
        peers.url = peers.url.replace("ws://", "wss://")
        yield peers


async def test_reports_reach_dashboards_with_an_authority_of_ones_own(authority):
    trust = await asyncio.to_thread(client_context, authority.file)
    async with (
        server(authority.sign()) as peers,
        peers.dashboard(ssl=trust) as dashboard,
        connecting(f"{peers.url}/ws/agent", trust),
    ):
        message = await receive(dashboard, "metrics")

    assert message["data"]["server_id"] == "web-1"


async def test_an_authority_that_is_not_known_is_said_with_what_to_do(authority, caplog):
    async with server(authority.sign()) as peers:
        line = await said(f"{peers.url}/ws/agent", client_context(None), caplog)

    assert line.startswith(f"cannot connect to {peers.url}/ws/agent: its certificate is not acc")
    assert "name that as agent.ca_file" in line
    assert line.endswith("trying again in 1 s (attempt 1)")


async def test_the_file_replaces_the_systems_authorities(authority, tmp_path):
    other = Authority(await asyncio.to_thread(_made, tmp_path / "other"))
    trust = await asyncio.to_thread(client_context, other.file)

    assert len(trust.get_ca_certs()) == 1


def _made(folder):
    folder.mkdir()
    return folder


async def test_a_certificate_of_another_name_is_said_with_what_to_do(authority, caplog):
    trust = await asyncio.to_thread(client_context, authority.file)
    async with server(authority.sign("vstats.example.org")) as peers:
        line = await said(f"{peers.url}/ws/agent", trust, caplog)

    assert "certificate is not valid for '127.0.0.1'" in line
    assert "agent.url must have a name that the certificate is for" in line


@pytest.mark.parametrize(
    ("since", "until", "text"),
    [
        (NOW - 9 * DAY, NOW - DAY, "certificate has expired; renew it on the server"),
        (NOW + DAY, NOW + 9 * DAY, "certificate is not yet valid; set this machine's clock"),
    ],
    ids=["expired", "not yet valid"],
)
async def test_a_certificate_of_another_time_is_said_with_what_to_do(
    authority, caplog, since, until, text
):
    trust = await asyncio.to_thread(client_context, authority.file)
    async with server(authority.sign(not_before=since, not_after=until)) as peers:
        assert text in await said(f"{peers.url}/ws/agent", trust, caplog)


async def test_a_server_without_tls_is_said_with_what_to_do(authority, caplog):
    trust = await asyncio.to_thread(client_context, authority.file)
    async with serving() as peers:
        url = peers.url.replace("ws://", "wss://")
        line = await said(f"{url}/ws/agent", trust, caplog)

    assert "before TLS was agreed on; does it speak TLS there?" in line


async def test_a_web_server_without_tls_is_said_with_what_to_do(authority, caplog):
    async def answer(reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    trust = await asyncio.to_thread(client_context, authority.file)
    listener = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    line = await said(f"wss://127.0.0.1:{port}/ws/agent", trust, caplog)
    listener.close()

    assert "it does not speak TLS there; is it the right port" in line


async def test_a_server_with_tls_that_is_spoken_to_without_is_said_with_what_to_do(
    authority, caplog
):
    async with server(authority.sign()) as peers:
        url = peers.url.replace("wss://", "ws://")
        line = await said(f"{url}/ws/agent", None, caplog)

    assert "(a server that speaks TLS wants wss://)" in line


async def test_nothing_of_the_token_is_sent_before_the_server_is_verified(authority, caplog):
    received = []
    certificate, key = authority.sign()

    async def take(reader, writer):
        received.append(await reader.read())
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    await asyncio.to_thread(context.load_cert_chain, certificate, key)
    listener = await asyncio.start_server(take, "127.0.0.1", 0, ssl=context)
    port = listener.sockets[0].getsockname()[1]

    await said(f"wss://127.0.0.1:{port}/ws/agent", client_context(None), caplog)
    listener.close()

    assert b"".join(received) == b""


def test_a_context_always_verifies(authority):
    for context in (client_context(None), client_context(authority.file)):
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname is True
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_there_is_no_key_that_turns_verification_off():
    assert AgentSettings.model_fields.keys() == {
        *("url", "token", "token_file", "ca_file", "interval", "collectors"),
    }


def test_a_file_of_authorities_may_hold_remarks_in_any_language(authority):
    authority.file.write_text(f"# Büro\n{authority.file.read_text()}", encoding="utf-8")

    assert len(client_context(authority.file).get_ca_certs()) == 1


@pytest.mark.parametrize("content", [None, "", "rubbish"], ids=["absent", "empty", "rubbish"])
def test_a_file_of_authorities_that_is_none_is_named(tmp_path, content):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)

    with pytest.raises(ConfigError) as caught:
        client_context(file)

    complaint = "No such file" if content is None else "holds no certificate in PEM form"
    assert str(caught.value).startswith(f"{file}: {complaint}")


@pytest.mark.parametrize("arguments", [[], ["check"]], ids=["start", "check"])
def test_the_program_says_what_is_wrong_with_the_file_and_ends_with_78(tmp_path, arguments):
    file = tmp_path / "agent.toml"
    file.write_text(f"[agent]\nurl = 'wss://127.0.0.1:1/'\ntoken = 'x'\nca_file = '{tmp_path}/ca'")
    file.chmod(0o600)

    done = subprocess.run(
        [sys.executable, "-m", "vstats_core", "--config", file, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.splitlines()[-1] == f"{tmp_path}/ca: No such file or directory"


def test_a_file_of_authorities_without_wss_is_a_warning():
    settings = AgentSettings(url="ws://127.0.0.1:3001/ws/agent", ca_file="/etc/ca.pem")

    assert warnings(settings, "x" * 43) == [
        "agent.ca_file is for wss://, and agent.url begins with ws://"
    ]


def test_what_has_nothing_to_do_with_tls_is_not_explained():
    assert explain(ConnectionRefusedError(111, "Connection refused")) is None
