"""nginx and Caddy in front of the real programs, as the documents tell to set them up."""

import base64
import contextlib
import json
import os
import re
import select
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from blocking import connect
from certificates import Authority
from kit import TOKEN, metrics, sha256
from programs import PROMPT, Dashboard, agent, free_port, running
from tools import program
from websockets.exceptions import InvalidStatus

DOCS = Path(__file__).parents[2] / "docs"
(SERVER,) = re.findall(r"```toml\n(.*?)```", (DOCS / "behind-a-proxy.md").read_text(), re.DOTALL)
NAME = "vstats.example.org"
HASH = "$scrypt$ln=4,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$rkTI9fAgA7thDzzR8FHXhMiojYBreJBmYTkEzWypBCQ"
BASIC = {"Authorization": "Basic " + base64.b64encode(b"ann:correct horse").decode()}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Setup:
    """A folder with all that is configured, and the ports."""

    def __init__(self, folder):
        self.folder = folder
        self.inner, self.outer, self.redirecting = free_port(), free_port(), free_port()
        self.file = folder / "server.toml"
        self.file.write_text(
            self.localized(SERVER) + f'[[server.hosts]]\nid = "web-1"\nname = "Web 1"\n'
            f'token_sha256 = "{sha256(TOKEN)}"\n'
            f'[server.dashboard]\nusername = "ann"\npassword_scrypt = "{HASH}"\n'
        )
        self.file.chmod(0o600)
        self.kind = None
        self.authority_file = folder / "ca.pem"

    def localized(self, text):
        """Return a text of the documents for names and ports that there are here."""
        changed = text.replace(f"https://{NAME}", f"https://localhost:{self.outer}")
        return changed.replace(NAME, "localhost").replace("3001", str(self.inner))

    @property
    def trust(self):
        return ssl.create_default_context(cafile=self.authority_file)

    def connect(self, path, host="localhost", source=None, **options):
        # By address, since a name may mean either family.
        link = socket.create_connection((host, self.outer), PROMPT, source and (source, 0))
        url = f"wss://localhost:{self.outer}{path}"
        return connect(url, sock=link, ssl=self.trust, proxy=None, **options)

    def get(self, path, **headers):
        request = urllib.request.Request(f"https://localhost:{self.outer}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, context=self.trust, timeout=PROMPT) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def wait_for(self, process):
        """Wait until the proxy takes connections, and its certificate is there."""
        deadline = time.monotonic() + PROMPT
        while time.monotonic() < deadline:
            assert process.poll() is None, process.returncode
            with contextlib.suppress(OSError):
                self.get("/healthz")
                return
            time.sleep(0.05)
        raise AssertionError("the proxy does not answer")


def nginx(setup):
    authority = Authority(setup.folder)
    certificate, key = authority.sign("localhost")
    site = setup.localized((DOCS / "proxies" / "nginx.conf").read_text())
    live = "/etc/letsencrypt/live/localhost"
    for old, new in {
        "listen 80;": f"listen 127.0.0.1:{setup.redirecting};",
        "listen [::]:80;": f"listen [::1]:{setup.redirecting};",
        "listen 443 ssl;": f"listen 127.0.0.1:{setup.outer} ssl;",
        "listen [::]:443 ssl;": f"listen [::1]:{setup.outer} ssl;",
        f"{live}/fullchain.pem": str(certificate),
        f"{live}/privkey.pem": str(key),
        "/var/log/nginx": str(setup.folder),
    }.items():
        assert site.count(old) == 1, old
        site = site.replace(old, new)
    (setup.folder / "vstats.conf").write_text(site)
    temporary = "".join(
        f"{kind}_temp_path {setup.folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = setup.folder / "nginx.conf"
    main.write_text(
        f"daemon off; master_process off; pid {setup.folder}/nginx.pid;"
        f"error_log {setup.folder}/error.log; events {{}}"
        f"http {{ {temporary} include {setup.folder}/vstats.conf; }}"
    )
    return [program("nginx"), "-e", f"{setup.folder}/error.log", "-c", str(main)], {}


def caddy(setup):
    site = (DOCS / "proxies" / "Caddyfile").read_text()
    assert site.count(f"\n{NAME} {{") == 1
    # Of ports that are free, of loopback alone, and with nothing installed on this machine.
    options = (
        f"{{\n\tadmin off\n\tskip_install_trust\n\tdefault_bind 127.0.0.1 ::1\n"
        f"\thttp_port {setup.redirecting}\n\thttps_port {setup.outer}\n}}\n"
    )
    file = setup.folder / "Caddyfile"
    file.write_text(options + setup.localized(site))
    setup.authority_file = setup.folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"
    command = [program("caddy"), "run", "--config", str(file), "--adapter", "caddyfile"]
    folder = str(setup.folder)
    return command, {"XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder, "HOME": folder}


@contextlib.contextmanager
def proxied(kind, folder):
    """Have the relay behind a proxy; the value is the setup and the relay's program."""
    setup = Setup(folder)
    setup.kind = kind
    command, environment = kind(setup)
    with (
        (folder / "proxy.log").open("wb") as log,
        running("-m", "vstats_server", "--config", setup.file) as relay,
    ):
        relay.until(r"listening on")
        process = subprocess.Popen(
            command, env=os.environ | environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            setup.wait_for(process)
            yield setup, relay
        finally:
            process.terminate()
            try:
                process.wait(PROMPT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(params=[nginx, caddy], ids=["nginx", "caddy"], scope="module")
def behind(request, tmp_path_factory):
    with proxied(request.param, tmp_path_factory.mktemp("proxy")) as both:
        yield both


def forget_output(relay):
    stream = relay.process.stdout
    while select.select([stream], [], [], 0)[0]:
        os.read(stream.fileno(), 65536)
    relay.output = ""


def test_reports_of_an_agent_reach_a_dashboard(behind):
    setup, _ = behind
    file = setup.folder / "agent.toml"
    url = setup.localized(f"wss://{NAME}/ws/agent").replace("localhost", f"localhost:{setup.outer}")
    file.write_text(f'[agent]\nurl = "{url}"\nca_file = "{setup.authority_file}"\n')

    with (
        setup.connect("/ws", additional_headers=BASIC) as dashboard,
        agent(file, {"VSTATS_TOKEN": TOKEN}) as running_agent,
    ):
        running_agent.until("connected to wss://")
        data = Dashboard(dashboard).next("metrics")

    assert data["server_id"] == "web-1"
    assert data["metrics"]["hostname"]


@pytest.mark.parametrize(
    ("host", "source", "expected"),
    [("127.0.0.1", "127.0.0.2", "127.0.0.2"), ("::1", None, "::1")],
    ids=["IPv4", "IPv6"],
)
@pytest.mark.parametrize("forged", [None, "203.0.113.9", "127.0.0.1, 203.0.113.9"])
def test_the_relay_knows_the_clients_address_and_no_other(behind, host, source, expected, forged):
    setup, relay = behind
    headers = BEARER | ({"X-Forwarded-For": forged} if forged else {})
    forget_output(relay)

    with setup.connect("/ws/agent", host, source, additional_headers=headers) as connection:
        connection.send(metrics())
        line = relay.until(r"agent web-1 .* from (\S+)")

    # Of whoever is trusted itself, what it says of others is believed.
    believed = "203.0.113.9" if forged and expected == "::1" and setup.kind is nginx else expected
    assert line[1].rstrip(";,") == believed


def test_whoever_guesses_tokens_is_throttled_and_nobody_else(behind):
    setup, _ = behind

    def guess(source):
        with pytest.raises(InvalidStatus) as caught:
            setup.connect("/ws/agent?token=guess", "127.0.0.1", source)
        return caught.value.response.status_code

    assert [guess("127.0.0.66") for _ in range(11)] == [401] * 10 + [429]
    assert guess("127.0.0.67") == 401


def test_the_page_and_the_api_ask_for_the_password_and_the_cookie_opens_the_websocket(behind):
    setup, _ = behind
    code, headers, _ = setup.get("/api/hosts")
    assert code == 401
    assert headers["WWW-Authenticate"] == 'Basic realm="vStats", charset="UTF-8"'

    code, headers, body = setup.get("/api/hosts", **BASIC)
    assert (code, json.loads(body)["hosts"][0]["id"]) == (200, "web-1")
    cookie, _, attributes = headers["Set-Cookie"].partition(";")
    assert attributes.endswith("; Secure")
    assert cookie.startswith("__Host-")

    with setup.connect("/ws", additional_headers={"Cookie": cookie}) as dashboard:
        assert Dashboard(dashboard).next("server_added")["id"] == "web-1"


def test_a_client_gives_the_password_in_the_address(behind):
    setup, _ = behind
    url = f"wss://ann:correct%20horse@localhost:{setup.outer}/ws"

    with connect(url, ssl=setup.trust, proxy=None) as dashboard:
        assert Dashboard(dashboard).next("server_added")["id"] == "web-1"


def test_health_is_open_and_there_is_nothing_to_warn_of(behind):
    setup, _ = behind
    code, _, body = setup.get("/healthz")

    assert (code, json.loads(body)["warnings"]) == (200, [])


def test_pages_of_its_own_may_watch_and_those_of_others_may_not(behind):
    setup, _ = behind
    own = BASIC | {"Origin": f"https://localhost:{setup.outer}"}
    with setup.connect("/ws", additional_headers=own):
        pass

    foreign = BASIC | {"Origin": "https://evil.example"}
    with pytest.raises(InvalidStatus, match="403"):
        setup.connect("/ws", additional_headers=foreign)


@pytest.mark.parametrize("behind", [nginx], ids=["nginx"], indirect=True, scope="module")
def test_who_comes_without_tls_is_sent_to_the_page_with_it(behind):
    setup, _ = behind

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.build_opener(Stay).open(f"http://localhost:{setup.redirecting}/")

    with caught.value as answer:
        assert answer.code in (301, 308)
        assert answer.headers["Location"].startswith("https://localhost")


def test_a_token_in_the_query_is_in_no_log(behind):
    setup, relay = behind
    with setup.connect(f"/ws/agent?token={TOKEN}"):
        pass
    setup.get("/nothing")

    logs = [file for file in setup.folder.iterdir() if file.suffix == ".log"]
    assert logs
    assert not any(TOKEN in file.read_text() for file in logs)
    assert TOKEN not in relay.output


def test_the_relays_close_codes_arrive(behind):
    setup, _ = behind
    with (
        setup.connect("/ws/agent", additional_headers=BEARER) as first,
        setup.connect("/ws/agent", additional_headers=BEARER) as second,
    ):
        with contextlib.suppress(Exception):
            first.recv(timeout=PROMPT)
        assert (first.close_code, first.close_reason) == (4409, "replaced")
        second.ping(PROMPT)


@pytest.mark.parametrize("kind", [nginx, caddy], ids=["nginx", "caddy"])
def test_whoever_watches_is_told_of_the_relays_end(kind, tmp_path):
    with (
        proxied(kind, tmp_path) as (setup, relay),
        setup.connect("/ws", additional_headers=BASIC) as dashboard,
    ):
        Dashboard(dashboard).next("server_added")
        assert relay.end(signal.SIGTERM)[0] == 0
        with contextlib.suppress(Exception):
            while True:
                dashboard.recv(timeout=PROMPT)

        assert dashboard.close_code == 1001
        assert setup.get("/healthz")[0] == 502
