"""The relay over TLS of its own: what holds without it holds with it."""

import asyncio
import contextlib
import json
import signal
import socket
import ssl
import subprocess
import sys

import pytest
from certificates import Authority
from kit import TOKEN, FakeClock, client_frame, closed, config, metrics, receive, serving, until
from pydantic import SecretStr
from websockets.asyncio.client import connect

from vstats_core.errors import ConfigError
from vstats_server.config import TLS, Host, Limits
from vstats_server.delivery import fanout as fanout_module
from vstats_server.delivery.frames import frame
from vstats_server.net import connection as connection_module
from vstats_server.net.connection import FULL
from vstats_server.net.tls_transport import RECORD, socket_transport
from vstats_server.relay import Relay


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def secure(authority, **changes):
    certificate, key = authority.sign()
    return config(tls=TLS(certificate=certificate, key=key), **changes)


@contextlib.asynccontextmanager
async def serving_tls(settings, **options):
    async with serving(settings, **options) as peers:
        peers.url = peers.url.replace("ws://", "wss://")
        yield peers


class Link:
    """A client's bare socket with TLS, which reads only when it is told to."""

    def __init__(self, port, trust, receive_buffer=None):
        self.socket = socket.socket()
        self.socket.settimeout(10)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect(("127.0.0.1", port))
        self.socket = trust.wrap_socket(self.socket, server_hostname="127.0.0.1")
        self.port = port

    def request(self, path, *lines):
        head = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", *lines]
        self.socket.sendall(("\r\n".join(head) + "\r\n\r\n").encode())

    def upgrade(self):
        self.request(
            "/ws",
            *("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.socket.recv(1)
        assert b" 101 " in head

    def rest(self):
        """Return all that comes until the end, which must be TLS's own: nothing was cut off."""
        received = b""
        while data := self.socket.recv(65536):
            received += data
        return received


@contextlib.asynccontextmanager
async def stalled_dashboard(peers, authority):
    """Have a dashboard that reads nothing; the value is the relay's end of it."""
    trust = authority.trust()
    link = await asyncio.to_thread(Link, peers.port, trust, 4096)
    with link.socket:
        await asyncio.to_thread(link.upgrade)
        await until(lambda: len(peers.relay._fanout) == 1)
        (connection,) = peers.relay._admission.dashboards
        yield connection, link


def fill(connection):
    while not connection.full:
        connection.write(frame(b"x" * 60_000))


async def test_reports_go_from_agent_to_dashboard(authority):
    trust = authority.trust()
    async with (
        serving_tls(secure(authority)) as peers,
        peers.dashboard(ssl=trust) as dashboard,
        peers.agent(ssl=trust) as agent,
    ):
        await agent.send(metrics(uptime=7))

        message = await receive(dashboard, "metrics")

    assert message["data"]["metrics"]["uptime"] == 7


async def test_the_start_says_that_there_is_tls_and_there_is_no_warning_of_its_absence(
    authority, caplog
):
    async with serving_tls(secure(authority, host="0.0.0.0")) as peers:
        link = await asyncio.to_thread(Link, peers.port, authority.trust())
        with link.socket:
            await asyncio.to_thread(link.request, "/healthz")
            answer = await asyncio.to_thread(link.rest)

    assert f"listening on 0.0.0.0 port {peers.port} with TLS" in caplog.messages
    assert not any("TLS" in w for w in json.loads(answer.partition(b"\r\n\r\n")[2])["warnings"])


async def test_who_speaks_no_tls_gets_nothing_and_leaves_no_trace_in_the_log(authority, caplog):
    async with serving_tls(secure(authority)) as peers:
        for request in (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\x00", b""):
            reader, writer = await asyncio.open_connection("127.0.0.1", peers.port)
            writer.write(request)
            writer.write_eof()
            assert b"HTTP/1.1" not in await reader.read()
            writer.close()

        async with peers.dashboard(ssl=authority.trust()):
            pass

    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


async def test_a_client_that_does_not_trust_the_certificate_leaves_no_traceback(authority, caplog):
    async with serving_tls(secure(authority)) as peers:
        with pytest.raises(ssl.SSLCertVerificationError):
            await peers.dashboard(ssl=ssl.create_default_context())

    assert not [record for record in caplog.records if record.exc_info]


async def test_a_stalled_dashboard_is_cut_after_10_s_of_taking_nothing(authority, monkeypatch):
    assert fanout_module.STALLED_AFTER == 10
    monkeypatch.setattr(fanout_module, "STALLED_AFTER", 0.2)
    monkeypatch.setattr(connection_module, "CLOSE_GRACE", 0.1)
    async with (
        serving_tls(secure(authority)) as peers,
        stalled_dashboard(peers, authority) as (connection, _),
    ):
        fill(connection)

        await until(lambda: connection.lost)


async def test_a_dashboard_is_stalled_even_if_all_that_waits_was_encrypted_already(
    authority, monkeypatch
):
    monkeypatch.setattr(fanout_module, "STALLED_AFTER", 0.2)
    monkeypatch.setattr(connection_module, "CLOSE_GRACE", 0.1)
    async with (
        serving_tls(secure(authority)) as peers,
        stalled_dashboard(peers, authority) as (connection, _),
    ):
        below = socket_transport(connection.transport)
        while not below.get_write_buffer_size():
            connection.write(frame(b"x" * 1000))
        assert connection.transport.get_write_buffer_size() == 0
        assert connection.unsent == below.get_write_buffer_size()

        await until(lambda: connection.lost)


async def test_memory_for_a_dashboard_that_reads_nothing_is_bounded(authority):
    async with (
        serving_tls(secure(authority)) as peers,
        stalled_dashboard(peers, authority) as (connection, _),
    ):
        written = 0
        while not connection.full:
            connection.write(frame(b"x" * 10_000))
            written += 10_004

        tcp = connection.transport.get_extra_info("socket")
        assert tcp.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * FULL
        assert written < 8 * FULL
        assert connection.unsent < 2 * FULL


async def test_a_dashboard_that_reads_again_gets_the_newest_report_and_no_backlog(authority):
    async with (
        serving_tls(secure(authority, limits=Limits(message_burst=1000))) as peers,
        stalled_dashboard(peers, authority) as (connection, link),
        peers.agent(ssl=authority.trust()) as agent,
    ):
        sent = 0
        while not connection.full:
            sent += 1
            await agent.send(metrics(uptime=sent, padding="x" * 50_000))
            await (await agent.ping())
        for _ in range(50):
            sent += 1
            await agent.send(metrics(uptime=sent, padding="x" * 50_000))
        await (await agent.ping())

        def read_all():
            text = b""
            while b'"uptime":%d,' % sent not in text:
                text += link.socket.recv(65536)
            return text.count(b'"type":"metrics"')

        assert await asyncio.to_thread(read_all) < 50


@pytest.mark.parametrize("stalled", [False, True], ids=["reading", "not reading"])
@pytest.mark.parametrize(
    "last",
    [client_frame(8, (1000).to_bytes(2, "big")), client_frame(3)],
    ids=["Close", "unknown opcode"],
)
async def test_a_peer_that_ends_the_protocol_but_not_the_connection_is_aborted(
    authority, monkeypatch, last, stalled
):
    monkeypatch.setattr(connection_module, "CLOSE_GRACE", 0.1)
    async with (
        serving_tls(secure(authority)) as peers,
        stalled_dashboard(peers, authority) as (connection, link),
    ):
        if stalled:
            fill(connection)

        await asyncio.to_thread(link.socket.sendall, last)

        await until(lambda: connection.lost)


async def test_a_peer_that_is_gone_without_a_word_is_noticed(authority):
    async with (
        serving_tls(secure(authority)) as peers,
        stalled_dashboard(peers, authority) as (connection, link),
    ):
        link.socket.close()

        await until(lambda: connection.lost)
        assert not peers.relay._admission.connections


async def test_a_takeover_and_a_revocation_close_as_they_do_without(authority):
    trust = authority.trust()
    async with (
        serving_tls(secure(authority)) as peers,
        peers.agent(ssl=trust) as first,
        peers.agent(ssl=trust) as second,
    ):
        assert await closed(first) == (4409, "replaced")
        peers.relay._admission.use(config(hosts=[]))
        peers.relay._revoke()
        assert await closed(second) == (4403, "token revoked")


async def test_silence_is_noticed(authority):
    clock = FakeClock()
    trust = authority.trust()
    async with (
        serving_tls(secure(authority), clock=clock) as peers,
        peers.dashboard(ssl=trust) as dashboard,
        peers.agent(ssl=trust),
    ):
        assert (await receive(dashboard, "status"))["data"]["online"] is True
        clock.now += 46
        assert (await receive(dashboard, "status"))["data"]["online"] is False


async def test_a_shutdown_tells_everybody_and_waits_for_nobody(authority):
    trust = authority.trust()
    loop = asyncio.get_running_loop()
    async with contextlib.AsyncExitStack() as stack:
        async with serving_tls(secure(authority)) as peers:
            agent = await stack.enter_async_context(peers.agent(ssl=trust))
            connection, _ = await stack.enter_async_context(stalled_dashboard(peers, authority))
            fill(connection)
            # Who has not even begun with TLS.
            silent = stack.enter_context(socket.create_connection(("127.0.0.1", peers.port)))
            silent.sendall(b"\x16")
            before = loop.time()

        assert loop.time() - before < 4
        assert await closed(agent) == (1001, "server is shutting down")


async def test_a_large_answer_arrives_whole(authority):
    hosts = [Host(name=f"host {n}", token=SecretStr(f"{n:030}")) for n in range(40)]
    async with serving_tls(secure(authority, hosts=hosts)) as peers:
        for state in peers.relay._hub._states.values():
            state.report = b'"%b"' % (b"x" * 25_000)
        link = await asyncio.to_thread(Link, peers.port, authority.trust())
        with link.socket:
            await asyncio.to_thread(link.request, "/api/hosts")
            answer = await asyncio.to_thread(link.rest)

    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert len(json.loads(body)["hosts"]) == 40


async def test_a_connection_reads_a_record_at_a_time(authority):
    async with (
        serving_tls(secure(authority)) as peers,
        stalled_dashboard(peers, authority) as (connection, _),
    ):
        # What asyncio would hold for each connection: 256 KiB.
        assert len(connection.transport._ssl_protocol._ssl_buffer) == RECORD


# Reloading.


@pytest.fixture
def file(tmp_path, authority):
    certificate, key = authority.sign()
    path = tmp_path / "server.toml"
    path.write_text(
        f'[server]\nport = 0\n[server.tls]\ncertificate = "{certificate}"\nkey = "{key}"\n'
    )
    return path


async def serial(port, trust):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
    found = writer.get_extra_info("peercert")["serialNumber"]
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    del reader
    return found


@contextlib.asynccontextmanager
async def from_file(path):
    from vstats_server.config import load  # noqa: PLC0415 - read off the loop

    settings = await asyncio.to_thread(load, path)
    async with serving_tls(settings, path=path) as peers:
        yield peers


async def test_a_changed_certificate_is_seen_within_a_second_though_the_file_is_the_same(
    file, authority
):
    trust = authority.trust()
    async with from_file(file) as peers, peers.dashboard(ssl=trust) as dashboard:
        # The first time, the watch may only just have begun.
        for _ in range(2):
            before = await serial(peers.port, trust)
            await asyncio.to_thread(authority.sign)
            async with asyncio.timeout(1.5):
                while await serial(peers.port, trust) == before:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        # Who was there stays.
        await (await dashboard.ping())


async def test_a_certificate_elsewhere_is_taken_with_the_configuration_that_names_it(
    file, authority
):
    trust = authority.trust()
    async with from_file(file) as peers:
        before = await serial(peers.port, trust)
        await asyncio.to_thread(authority.sign, stem="elsewhere")
        file.write_text(
            f'[server]\nport = 0\n[server.tls]\ncertificate = "{authority.folder}/elsewhere.pem"\n'
            f'key = "{authority.folder}/elsewhere-key.pem"\n'
        )

        await peers.relay.reload()

        assert await serial(peers.port, trust) != before


@pytest.mark.parametrize("configuration", ["good", "broken"])
async def test_a_broken_pair_keeps_the_old_one_and_log_and_healthz_say_so(
    file, authority, caplog, configuration
):
    trust = authority.trust()
    async with from_file(file) as peers:
        before = await serial(peers.port, trust)
        key = authority.folder / "server-key.pem"
        good = key.read_bytes()
        if configuration == "broken":
            file.write_text(file.read_text() + "[server")
        key.write_text("rubbish")

        await peers.relay.reload()

        assert await serial(peers.port, trust) == before
        assert f"{key}: holds no private key in PEM form" in caplog.text
        assert "the certificate in use stays" in caplog.text
        assert any("certificate" in warning for warning in peers.relay._warnings())
        key.write_bytes(good)
        await peers.relay.reload()
        assert not any("certificate" in warning for warning in peers.relay._warnings())


async def test_hosts_are_reloaded_though_the_certificate_is_broken(file, authority):
    async with from_file(file) as peers:
        (authority.folder / "server-key.pem").write_text("rubbish")
        file.write_text(
            file.read_text() + f'[[server.hosts]]\nname = "a"\ntoken_sha256 = "{"0" * 64}"\n'
        )

        await peers.relay.reload()

        assert [host.id for host in peers.relay._config.hosts] == ["a"]


@pytest.mark.parametrize("begins", [True, False], ids=["begins", "ends"])
async def test_to_begin_or_to_end_with_tls_needs_a_restart_and_the_log_says_so(
    file, authority, caplog, begins
):
    with_tls, without = file.read_text(), "[server]\nport = 0\n"
    file.write_text(without if begins else with_tls)
    async with from_file(file) as peers:
        file.write_text(with_tls if begins else without)
        await peers.relay.reload()

        assert bool(peers.relay._config.tls) is not begins

    assert "to begin or to end with TLS takes effect at the next start only" in caplog.text


async def test_a_certificate_that_cannot_be_used_is_no_start(authority):
    settings = secure(authority)
    settings.tls.key.unlink()

    with pytest.raises(ConfigError, match=r"server-key\.pem: No such file or directory"):
        async with Relay(settings).serving():
            pass


# The program.


def program(file, *arguments):
    return [sys.executable, "-m", "vstats_server", "--verbose", "--config", str(file), *arguments]


@pytest.mark.parametrize("arguments", [[], ["check"]], ids=["start", "check"])
def test_the_program_says_what_is_wrong_with_the_certificate_and_ends_with_78(
    file, authority, arguments
):
    key = authority.folder / "server-key.pem"
    key.unlink()

    done = subprocess.run(
        program(file, *arguments), capture_output=True, text=True, timeout=30, check=False
    )

    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.splitlines()[-1] == f"{key}: No such file or directory"


async def test_sighup_renews_the_certificate(file, authority):
    server = await asyncio.create_subprocess_exec(*program(file), stderr=subprocess.PIPE)
    try:
        async with asyncio.timeout(10):
            log = await server.stderr.readuntil(b"with TLS")
            # Whose TLS transport does not tell what waits below it.
            assert b"uvloop" not in log
            port = int(log.split()[-3])
            before = await serial(port, authority.trust())
            await asyncio.to_thread(authority.sign)
            server.send_signal(signal.SIGHUP)
            await server.stderr.readuntil(b"certificate renewed")

            assert await serial(port, authority.trust()) != before
            server.terminate()
            assert await server.wait() == 0
    finally:
        if server.returncode is None:
            server.kill()
            await server.wait()


async def test_an_agents_printed_address_is_wss(file):
    from vstats_server.commands.main import agent_url  # noqa: PLC0415
    from vstats_server.config import load  # noqa: PLC0415

    assert agent_url(await asyncio.to_thread(load, file)) == "wss://127.0.0.1:0/ws/agent"


async def test_websockets_own_client_is_served_with_the_token_in_the_query(authority):
    async with (
        serving_tls(secure(authority)) as peers,
        connect(f"{peers.url}/ws/agent?token={TOKEN}", ssl=authority.trust(), proxy=None),
    ):
        await until(lambda: len(peers.relay._admission.agents) == 1)
