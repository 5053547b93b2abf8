"""The dashboard's password: who gets in, what it costs, and what a guesser gets."""

import asyncio
import base64
import json
import threading
import time

import pytest
from kit import TOKEN, FakeClock, closed, config, raw_peer, receive, serving, snapshot, until
from pydantic import SecretStr
from websockets.asyncio.client import connect
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Request

from vstats_core.errors import ConfigError
from vstats_server.access import password as module
from vstats_server.access.cookies import LIFETIME
from vstats_server.access.password import Access
from vstats_server.access.tokens import Throttle
from vstats_server.config import Login, load
from vstats_server.net import connection as connection_module
from vstats_server.scrypt import ScryptHash

PASSWORD = "correct horse"
# Of cheap parameters: what is dear is counted, not waited for.
HASH = "$scrypt$ln=4,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$rkTI9fAgA7thDzzR8FHXhMiojYBreJBmYTkEzWypBCQ"
OTHER_HASH = HASH.replace("c2Fs", "c2Ft")
GUARDED = ("/api/hosts", "/schema.json", "/", "/nothing")


def login(**changes):
    return Login(**{"username": "ann", "password_scrypt": SecretStr(HASH)} | changes)


def guarded(**changes):
    return config(**{"dashboard": login()} | changes)


def basic(username="ann", password=PASSWORD):
    encoded = base64.b64encode(f"{username}:{password}".encode()).decode()
    return {"Authorization": f"Basic {encoded}"}


def cookie_of(headers):
    return {"Cookie": headers["set-cookie"].partition(";")[0]}


async def status(peers, path="/api/hosts", headers=None):
    return (await peers.http(path, headers=headers))[0]


@pytest.fixture
def hashed(monkeypatch):
    """Keep every password that was hashed, and let a test hold the hashing up."""
    tried, gate = [], threading.Event()
    gate.set()
    fits = ScryptHash.fits

    def counted(self, password):
        tried.append(password.decode())
        assert threading.current_thread() is not threading.main_thread()
        assert gate.wait(10)
        return fits(self, password)

    monkeypatch.setattr(ScryptHash, "fits", counted)
    tried_and_gate = type("Hashed", (), {"tried": tried, "gate": gate})
    yield tried_and_gate
    gate.set()


def test_the_hash_of_these_tests_is_the_passwords():
    assert ScryptHash.parse(HASH).fits(PASSWORD.encode())
    assert not ScryptHash.parse(OTHER_HASH).fits(PASSWORD.encode())


@pytest.mark.parametrize("path", GUARDED)
async def test_without_the_password_nothing_is_shown(path):
    async with serving(guarded()) as peers:
        code, headers, body = await peers.http(path)

    assert (code, body) == (401, b"Unauthorized\n")
    assert headers["www-authenticate"] == 'Basic realm="vStats", charset="UTF-8"'
    assert "set-cookie" not in headers


async def test_a_dashboard_is_refused_before_the_upgrade():
    async with serving(guarded()) as peers:
        with pytest.raises(InvalidStatus, match="401"):
            await peers.dashboard()


@pytest.mark.parametrize("path", GUARDED)
async def test_with_the_password_the_answer_is_the_usual_one(path):
    async with serving(guarded()) as peers, serving() as open_peers:
        assert await status(peers, path, basic()) == await status(open_peers, path)


async def test_health_is_open_and_sets_no_cookie_and_tells_nobody_whether_a_password_is_right():
    async with serving(guarded()) as peers:
        await status(peers, headers=basic())
        answers = [
            await peers.http("/healthz", headers=headers)
            for headers in ({}, basic(), basic(password="wrong"))
        ]

    assert [code for code, _, _ in answers] == [200] * 3
    assert not any("set-cookie" in headers for _, headers, _ in answers)
    assert len({body for _, _, body in answers}) == 1


async def test_agents_need_a_token_and_no_password():
    async with serving(guarded()) as peers, peers.agent():
        await until(lambda: peers.relay._admission.agents)


@pytest.mark.parametrize(
    "headers",
    [
        basic(password="wrong"),
        basic(username="bob"),
        basic(username=""),
        basic(password=""),
        basic(password=PASSWORD + " "),
        basic(username="Ann"),
        {"Authorization": f"Bearer {TOKEN}"},
        {"Authorization": "Basic"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic YW5u"},
        {"Authorization": basic()["Authorization"] + "x"},
        {"Authorization": f"ann:{PASSWORD}"},
        {"Cookie": "vstats=1"},
    ],
    ids=range(13),
)
async def test_any_other_credentials_are_401(headers):
    async with serving(guarded()) as peers:
        assert await status(peers, headers=headers) == 401


async def test_head_is_refused_without_a_body():
    async with serving(guarded()) as peers:
        code, headers, body = await peers.http("/api/hosts", method="HEAD")

    assert (code, body) == (401, b"")
    assert headers["content-length"] == "13"


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
async def test_a_password_may_have_letters_beyond_ascii(encoding):
    stored = HASH.rpartition("$")[0] + "$Pa8+LFB3nD7iLMxwMDngvNhiFFNko5z3BzaoVUTnxi4"
    credentials = base64.b64encode("ann:café".encode(encoding)).decode()
    settings = guarded(dashboard=login(password_scrypt=SecretStr(stored)))
    async with serving(settings) as peers:
        code = await status(peers, headers={"Authorization": f"Basic {credentials}"})

    assert code == 200


async def test_a_python_client_gives_the_credentials_in_its_address():
    async with serving(guarded()) as peers:
        url = f"ws://ann:correct%20horse@127.0.0.1:{peers.port}/ws"
        async with connect(url, proxy=None) as dashboard:
            assert len(await snapshot(dashboard)) == 2


# The cookie.


async def test_the_page_gets_a_cookie_that_a_websocket_can_show():
    async with serving(guarded()) as peers:
        _, headers, _ = await peers.http("/api/hosts", headers=basic())
        cookie = cookie_of(headers)

        assert await status(peers, headers=cookie) == 200
        async with peers.dashboard(additional_headers=cookie) as dashboard:
            await snapshot(dashboard)
        # One that is new is not replaced.
        assert "set-cookie" not in (await peers.http("/", headers=cookie))[1]


async def test_the_cookie_outlives_a_restart_and_costs_no_hashing(hashed):
    async with serving(guarded()) as peers:
        cookie = cookie_of((await peers.http("/", headers=basic()))[1])
    async with serving(guarded()) as peers:
        assert await status(peers, headers=cookie) == 200

    assert hashed.tried == [PASSWORD]


@pytest.mark.parametrize(
    "changed",
    [login(password_scrypt=SecretStr(OTHER_HASH)), login(username="bob")],
    ids=["another password", "another username"],
)
async def test_the_cookie_ends_with_the_password(changed):
    async with serving(guarded()) as peers:
        cookie = cookie_of((await peers.http("/", headers=basic()))[1])
        peers.relay._use(guarded(dashboard=changed))

        assert await status(peers, headers=cookie) == 401


async def test_the_cookie_ends_after_thirty_days():
    clock = FakeClock()
    async with serving(guarded(), clock=clock) as peers:
        cookie = cookie_of((await peers.http("/", headers=basic()))[1])
        clock.now += LIFETIME - 2
        assert await status(peers, headers=cookie) == 200
        clock.now += 10
        assert await status(peers, headers=cookie) == 401


@pytest.mark.parametrize(
    ("settings", "secure"),
    [({}, False), ({"public_url": "https://vstats.example.org"}, True)],
    ids=["plain", "behind TLS"],
)
async def test_the_cookie_is_secure_where_browsers_come_by_tls(settings, secure):
    async with serving(guarded(**settings)) as peers:
        _, headers, _ = await peers.http("/", headers=basic())

    assert headers["set-cookie"].endswith("; Secure") is secure


async def test_a_foreign_page_gets_nowhere_with_a_visitors_cookie():
    async with serving(guarded()) as peers:
        cookie = cookie_of((await peers.http("/", headers=basic()))[1])
        foreign = cookie | {"Origin": "https://evil.example"}

        with pytest.raises(InvalidStatus, match="403"):
            await peers.dashboard(additional_headers=foreign)


# What hashing costs.


async def test_a_password_is_hashed_once_however_often_and_however_many_ask(hashed):
    hashed.gate.clear()
    async with serving(guarded()) as peers:
        polls = [asyncio.create_task(status(peers, headers=basic())) for _ in range(20)]
        await until(lambda: hashed.tried)
        hashed.gate.set()
        assert await asyncio.gather(*polls) == [200] * 20
        for _ in range(20):
            async with peers.dashboard(additional_headers=basic()):
                pass

    assert hashed.tried == [PASSWORD]


async def test_a_wrong_password_that_is_repeated_is_hashed_once_and_is_one_guess(hashed):
    async with serving(guarded(), clock=FakeClock()) as peers:
        stale = [await status(peers, headers=basic(password="old")) for _ in range(30)]
        assert stale == [401] * 30

        assert await status(peers, headers=basic()) == 200
    assert hashed.tried == ["old", PASSWORD]


async def test_once_the_right_one_is_known_a_wrong_one_is_not_hashed(hashed):
    async with serving(guarded()) as peers:
        await status(peers, headers=basic())
        assert await status(peers, headers=basic(password="wrong")) == 401

    assert hashed.tried == [PASSWORD]


@pytest.mark.parametrize("known", [False, True], ids=["at first", "once the right one is known"])
async def test_the_eleventh_guess_in_a_minute_is_429_even_if_it_is_right(known, hashed):
    clock = FakeClock()
    async with serving(guarded(), clock=clock) as peers:
        if known:
            await status(peers, headers=basic())
        guesses = [await status(peers, headers=basic(password=f"{n}")) for n in range(12)]
        code, headers, _ = await peers.http("/", headers=basic())

        assert guesses == [401] * 10 + [429] * 2
        assert (code, headers["retry-after"]) == (429, "60")
        clock.now += 61
        assert await status(peers, headers=basic()) == 200
    assert "10" not in hashed.tried


async def test_whoever_has_a_cookie_is_not_throttled():
    async with serving(guarded(), clock=FakeClock()) as peers:
        cookie = cookie_of((await peers.http("/", headers=basic()))[1])
        for n in range(12):
            await status(peers, headers=basic(password=f"{n}"))

        assert await status(peers, headers=cookie) == 200


async def test_many_guesses_at_once_do_not_pass_before_the_first_has_failed(hashed):
    hashed.gate.clear()
    async with serving(guarded(trusted_proxies=["127.0.0.1"]), clock=FakeClock()) as peers:
        waiting = [
            asyncio.create_task(status(peers, headers=basic(password=f"{n}"))) for n in range(30)
        ]
        await until(lambda: sum(task.done() for task in waiting) == 22)
        # Of other addresses, too, only so many wait; all others are told to come again.
        elsewhere = basic() | {"X-Forwarded-For": "203.0.113.7"}
        code, headers, _ = await peers.http("/", headers=elsewhere)
        assert (code, headers["retry-after"]) == (503, "1")
        hashed.gate.set()
        codes = sorted(await asyncio.gather(*waiting))

    assert codes == [401] * 8 + [503] * 22
    assert len(hashed.tried) == 8


async def test_a_guess_that_is_not_waited_for_counts_and_frees_its_place(hashed):
    hashed.gate.clear()
    async with serving(guarded(), clock=FakeClock()) as peers:
        lock = peers.relay._access._lock
        head = basic(password="guess")["Authorization"]
        _, writer = await asyncio.open_connection("127.0.0.1", peers.port)
        writer.write(f"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: {head}\r\n\r\n".encode())
        await until(lambda: hashed.tried)
        writer.transport.abort()
        assert peers.relay._access._throttle._failures["127.0.0.1"]

        hashed.gate.set()
        await until(lambda: not lock._tried)
        assert await status(peers, headers=basic()) == 200


async def test_one_that_goes_away_takes_the_outcome_from_nobody(hashed):
    hashed.gate.clear()
    access = Access(guarded(), FakeClock())
    request = Request("/", Headers(basic()))
    first, second = (asyncio.create_task(access.admit("192.0.2.1", request)) for _ in range(2))
    await until(lambda: hashed.tried)

    first.cancel()
    await asyncio.wait([first])
    hashed.gate.set()

    assert await second is None
    access.close()


async def test_nobody_waits_while_a_password_is_hashed(hashed):
    hashed.gate.clear()
    async with serving(guarded()) as peers, peers.agent() as agent:
        slow = asyncio.create_task(status(peers, headers=basic()))
        await until(lambda: hashed.tried)

        before = time.perf_counter()
        assert await status(peers, "/healthz") == 200
        await (await agent.ping())
        assert time.perf_counter() - before < 1
        hashed.gate.set()
        assert await slow == 200


async def test_what_was_wrong_is_remembered_in_bounded_memory(monkeypatch):
    monkeypatch.setattr(module, "MOST_REFUSED", 5)
    monkeypatch.setattr(Throttle, "MOST", 1000)
    async with serving(guarded()) as peers:
        for n in range(20):
            await status(peers, headers=basic(password=f"{n}"))

        assert len(peers.relay._access._lock._wrong) == 5


async def test_whoever_has_a_network_of_ipv6_addresses_has_ten_guesses_all_the_same():
    clock = FakeClock()
    async with serving(guarded(trusted_proxies=["127.0.0.1"]), clock=clock) as peers:
        codes = [
            await status(
                peers,
                headers=basic(password=f"{n}") | {"X-Forwarded-For": f"2001:db8::{n:x}:1"},
            )
            for n in range(11)
        ]
        other = basic(password="x") | {"X-Forwarded-For": "2001:db8:0:1::1"}

        assert codes == [401] * 10 + [429]
        assert await status(peers, headers=other) == 401


async def test_a_refusal_is_logged_once_a_minute_without_the_credentials(caplog):
    async with serving(guarded(), clock=FakeClock()) as peers:
        for n in range(3):
            await status(peers, headers=basic(username="secret-name", password=f"secret-{n}"))

    lines = [line for line in caplog.messages if "refused" in line]
    assert lines == ["dashboard at 127.0.0.1 refused: wrong username or password"]
    assert "secret" not in caplog.text


# Reloading.


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (login(), login(password_scrypt=SecretStr(OTHER_HASH))),
        (login(), login(username="bob")),
        (Login(), login()),
    ],
    ids=["another password", "another username", "a password where there was none"],
)
async def test_dashboards_that_would_not_be_admitted_any_more_are_closed_with_4403(before, after):
    async with (
        serving(guarded(dashboard=before)) as peers,
        peers.dashboard(additional_headers=basic()) as dashboard,
        peers.agent() as agent,
    ):
        await snapshot(dashboard)
        peers.relay._use(guarded(dashboard=after))
        peers.relay._revoke()

        while True:
            try:
                await receive(dashboard)
            except Exception:  # noqa: BLE001 - of whatever kind its end is
                break
        assert await closed(dashboard) == (4403, "password changed")
        await (await agent.ping())


@pytest.mark.parametrize("after", [login(), Login()], ids=["the same", "none any more"])
async def test_dashboards_that_would_be_admitted_stay(after):
    async with (
        serving(guarded()) as peers,
        peers.dashboard(additional_headers=basic()) as dashboard,
    ):
        await snapshot(dashboard)
        peers.relay._use(guarded(dashboard=after, offline_after=50))
        peers.relay._revoke()

        await (await dashboard.ping())


async def test_what_is_known_outlives_a_reload_that_has_nothing_to_do_with_it(hashed):
    async with serving(guarded()) as peers:
        await status(peers, headers=basic())
        peers.relay._use(guarded(offline_after=50))
        await status(peers, headers=basic())

    assert hashed.tried == [PASSWORD]


async def test_a_password_that_changes_while_it_is_tried_is_good_no_more(hashed):
    hashed.gate.clear()
    async with serving(guarded()) as peers:
        asked = asyncio.create_task(status(peers, headers=basic()))
        await until(lambda: hashed.tried)
        peers.relay._use(guarded(dashboard=login(password_scrypt=SecretStr(OTHER_HASH))))
        hashed.gate.set()

        assert await asked == 401


async def test_a_reload_between_the_request_and_the_connection_is_4403(monkeypatch):
    monkeypatch.setattr(connection_module, "CLOSE_GRACE", 0.1)
    async with serving(guarded()) as peers:
        admit = peers.relay._admission.admit_dashboard

        def admit_then_reload(connection, grant):
            response = admit(connection, grant)
            peers.relay._use(guarded(dashboard=login(username="bob")))
            return response

        monkeypatch.setattr(peers.relay._admission, "admit_dashboard", admit_then_reload)
        async with raw_peer(peers.port, headers=basic()) as peer:
            assert await peer.rest() == [(8, (4403).to_bytes(2, "big") + b"password changed")]


# The configuration.


def written(tmp_path, text, mode=0o600):
    path = tmp_path / "server.toml"
    path.write_text(f"[server.dashboard]\n{text}")
    path.chmod(mode)
    return path


def test_a_file_with_the_hash_must_not_be_readable_by_everybody(tmp_path):
    path = written(tmp_path, f'username = "ann"\npassword_scrypt = "{HASH}"', 0o644)

    with pytest.raises(ConfigError, match=r"the hash of the dashboard's password; run: chmod o-r"):
        load(path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('username = "ann"', "server.dashboard: needs both username and password_scrypt"),
        (f'password_scrypt = "{HASH}"', "server.dashboard: needs both username and password_scr"),
        ('username = "a:b"', "server.dashboard.username: should be printable characters"),
        ('username = ""', "server.dashboard.username: should be printable characters"),
        ('password_scrypt = "hunter22"', "dashboard.password_scrypt: should be what `vstats-ser"),
        ('password = "hunter22"', "server.dashboard.password: unknown key; did you mean 'passwor"),
    ],
)
def test_half_a_configuration_is_refused_and_never_an_open_door(tmp_path, text, complaint):
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, text))

    assert complaint in str(caught.value)
    assert "hunter22" not in str(caught.value)


def test_the_hash_is_shown_nowhere(tmp_path):
    settings = load(written(tmp_path, f'username = "ann"\npassword_scrypt = "{HASH}"'))

    assert "scrypt$" not in repr(settings) + str(settings.dashboard)


async def test_without_a_password_nothing_changes():
    clock = FakeClock()
    access = Access(config(), clock)
    assert (access.grant, access.is_good(b""), access.is_good(b"x")) == (b"", True, True)

    async with serving() as peers:
        _, headers, body = await peers.http("/api/hosts", headers=basic())

    assert "set-cookie" not in headers
    assert len(json.loads(body)["hosts"]) == 2
