import pytest
from kit import OTHER_TOKEN, TOKEN, config, sha256
from pydantic import SecretStr

from vstats_server.access.tokens import Gate, Throttle, Tokens
from vstats_server.config import Host


def hosts():
    return [
        Host(id="web-1", name="Web 1", token_sha256=sha256(TOKEN)),
        Host(id="web-2", name="Web 2", token=SecretStr(OTHER_TOKEN)),
    ]


def test_a_token_belongs_to_the_host_whose_digest_or_token_is_configured():
    tokens = Tokens(hosts())

    assert tokens.identify(TOKEN) == "web-1"
    assert tokens.identify(OTHER_TOKEN) == "web-2"


@pytest.mark.parametrize(
    "token",
    [TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "", sha256(TOKEN), " " + TOKEN, "\udcff", "é"],
    ids=["shorter", "longer", "upper", "empty", "the digest", "blank", "no UTF-8", "not ASCII"],
)
def test_any_other_token_belongs_to_nobody(token):
    assert Tokens(hosts()).identify(token) is None


def test_a_digest_is_valid_for_its_own_host_alone():
    tokens = Tokens(hosts())

    assert tokens.valid(sha256(TOKEN), "web-1")
    assert not tokens.valid(sha256(TOKEN), "web-2")
    assert not tokens.valid(sha256("another"), "web-1")


def test_failures_are_counted_by_address():
    throttle = Throttle()

    counts = [throttle.fail(address, now=0.0) for address in ("a", "a", "b", "a")]

    assert counts == [1, 2, 1, 3]


def test_a_failure_is_forgotten_after_a_minute():
    throttle = Throttle()
    throttle.fail("a", now=0.0)
    throttle.fail("a", now=30.0)

    assert throttle.fail("a", now=59.9) == 3
    assert throttle.fail("a", now=60.0) == 3
    assert throttle.fail("a", now=200.0) == 1


def test_the_eleventh_failure_of_a_minute_is_beyond_ten():
    throttle = Throttle()

    counts = [throttle.fail("a", now=float(second)) for second in range(20)]

    assert [count > Throttle.MOST for count in counts] == [False] * 10 + [True] * 10


def test_what_goes_on_is_due_once_a_minute():
    throttle = Throttle()

    due = [throttle.due("a", now=30.0 * tick) for tick in range(6)]

    assert due == [True, False, True, False, True, False]


def test_an_attacker_with_many_addresses_gets_bounded_memory():
    throttle = Throttle()

    for number in range(3 * Throttle.ADDRESSES):
        for _ in range(3):
            throttle.fail(f"address {number}", now=0.0)

    assert len(throttle._failures) == Throttle.ADDRESSES


def test_with_many_addresses_the_one_that_failed_last_is_remembered():
    throttle = Throttle()
    throttle.fail("a", now=0.0)
    for number in range(Throttle.ADDRESSES - 1):
        throttle.fail(f"address {number}", now=0.0)

    throttle.fail("a", now=1.0)
    throttle.fail("one more", now=1.0)

    assert throttle.fail("a", now=2.0) == 3


PUBLIC = "https://vstats.example.org"


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:3001", "127.0.0.1:3001", "127.1.2.3", "[::1]:3001", "LOCALHOST:3001"],
)
@pytest.mark.parametrize(
    "settings",
    [{}, {"host": "0.0.0.0", "public_url": PUBLIC}],
    ids=["on loopback", "with a public_url"],
)
def test_a_loopback_name_is_an_own_host(settings, host):
    assert Gate(config(**settings)).host_allowed(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:3001",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "192.0.2.1",
        "0.0.0.0",
        "",
        "localhost:99999",
        "localhost:port",
        "[::1",
        "evil.example#localhost",
        "evil.example/localhost",
        "localhost@evil.example",
    ],
)
@pytest.mark.parametrize(
    "settings",
    [{}, {"host": "0.0.0.0", "public_url": PUBLIC}],
    ids=["on loopback", "with a public_url"],
)
def test_a_name_that_was_made_to_resolve_to_this_machine_is_no_own_host(settings, host):
    assert not Gate(config(**settings)).host_allowed(host)


@pytest.mark.parametrize(
    "host", ["vstats.example.org", "vstats.example.org:443", "VSTATS.example.org"]
)
def test_the_host_of_public_url_is_an_own_host(host):
    assert Gate(config(public_url=PUBLIC)).host_allowed(host)


def test_without_public_url_a_server_for_all_takes_any_host():
    assert Gate(config(host="0.0.0.0")).host_allowed("monitor.lan:3001")


EVERYWHERE = {"host": "0.0.0.0"}


@pytest.mark.parametrize(
    ("settings", "origin", "host"),
    [
        (EVERYWHERE, "http://monitor.lan:3001", "monitor.lan:3001"),
        (EVERYWHERE, "http://monitor.lan", "monitor.lan"),
        (EVERYWHERE, "http://monitor.lan", "monitor.lan:80"),
        (EVERYWHERE, "https://monitor.lan", "monitor.lan"),
        (EVERYWHERE, "http://MONITOR.lan:3001", "monitor.LAN:3001"),
        (EVERYWHERE, "http://[2001:db8::1]:3001", "[2001:db8::1]:3001"),
        ({"public_url": PUBLIC}, PUBLIC, "127.0.0.1:3001"),
        ({"public_url": PUBLIC + "/"}, PUBLIC, "127.0.0.1:3001"),
        (EVERYWHERE | {"public_url": PUBLIC}, PUBLIC, "127.0.0.1:3001"),
        (
            EVERYWHERE | {"allowed_origins": ["https://wall.lan"]},
            "https://wall.lan",
            "monitor:3001",
        ),
        (EVERYWHERE | {"allowed_origins": ["https://wall.lan/"]}, "https://wall.lan:443", "m:3001"),
        (EVERYWHERE | {"allowed_origins": ["*"]}, "https://anywhere.example", "monitor.lan:3001"),
        (EVERYWHERE | {"allowed_origins": ["*"]}, "null", "monitor.lan:3001"),
        ({}, "http://localhost:5173", "127.0.0.1:3001"),
        ({}, "http://127.0.0.1:8080", "localhost:3001"),
        ({}, "http://[::1]:8080", "localhost:3001"),
    ],
)
def test_an_own_or_listed_origin_passes(settings, origin, host):
    assert Gate(config(**settings)).origin_allowed(origin, host)


@pytest.mark.parametrize(
    ("settings", "origin", "host"),
    [
        ({}, "https://evil.example", "127.0.0.1:3001"),
        ({}, "http://localhost.evil.example:3001", "localhost:3001"),
        ({}, "http://localhost@evil.example", "localhost:3001"),
        ({}, "null", "127.0.0.1:3001"),
        ({}, "", "127.0.0.1:3001"),
        ({}, "file://", "127.0.0.1:3001"),
        ({}, "http://[::1", "127.0.0.1:3001"),
        ({}, "http://localhost:99999", "127.0.0.1:3001"),
        (EVERYWHERE, "http://monitor.lan:8080", "monitor.lan:3001"),
        (EVERYWHERE, "http://localhost:3001", "monitor.lan:3001"),
        (EVERYWHERE, "https://monitor.lan", "monitor.lan:80"),
        (EVERYWHERE, "null", "null"),
        (EVERYWHERE, "http://", ""),
        (EVERYWHERE, "http://monitor.lan", "[monitor.lan"),
        (EVERYWHERE, "chrome-extension://monitor.lan", "monitor.lan"),
        ({"public_url": PUBLIC}, "http://vstats.example.org", "127.0.0.1:3001"),
        ({"public_url": PUBLIC}, "https://vstats.example.org:8443", "127.0.0.1:3001"),
        ({"allowed_origins": ["https://wall.lan"]}, "http://wall.lan", "127.0.0.1:3001"),
        ({"allowed_origins": ["https://wall.lan"]}, "https://wall.lan.evil", "127.0.0.1:3001"),
    ],
)
def test_any_other_origin_is_refused(settings, origin, host):
    assert not Gate(config(**settings)).origin_allowed(origin, host)
