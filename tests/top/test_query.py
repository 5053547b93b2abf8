import pytest
from hypothesis import given
from hypothesis import strategies as st

from vstats_top.query import parse
from vstats_top.store import Host

REPORT = {
    "hostname": "web1.example.org",
    "os": {"name": "Debian", "version": "12"},
    "cpu": {"usage": 85, "cores": 4},
    "memory": {"usage_percent": 40},
    "disks": [{"usage_percent": 70, "mount_point": "/"}],
    "network": {"rx": 2 * 1024**2, "tx": 100},
    "uptime": 7200,
    "load_average": {"one": 2},
}


def host(name="Web 1", **changes) -> Host:
    made = Host()
    made.id, made.name, made.location, made.tags = "web-1", name, "US-West", ["eu", "front end"]
    made.report = REPORT | changes
    return made


def bare() -> Host:
    made = Host()
    made.id = made.name = "new"
    return made


HOT = {"cpu": {"usage": 97, "cores": 4}}
FAILING = {"collectors": {"disks": {"ok": False}}}

PASSING = (
    *("", "   ", "web", "WEB 1", "web-1", "example.org", "west", "debian", "DEBIAN 12", "eu"),
    *("web eu", 'tag:"front end"', '"web 1"', "tag:eu", "os:debian", "location:us", "host:example"),
    *("cpu>80", "cpu>=85", "cpu=85", "cpu<=85", "mem<50", "memory<50%", "disk>69.9", "load>1"),
    *("cores=4", "down>1M", "down>1.5MiB", "down>1mb/s", "up<1k", "uptime>1h", "uptime<1d"),
    *("uptime=7200", "CPU>80", "-tag:us web", "-status:offline", "status:on", "status:warning"),
    *("status:attention", "is:attention", "tag:eu -os:ubuntu cpu>80"),
)
FAILING_TEXTS = (
    *("ubuntu", "web us-east", '"1 web"', "tag:web", "os:eu", "name:example", "cpu>85", "cpu<85"),
    *("mem>50", "down>3M", "uptime<30min", "-tag:eu", "-cpu>80", "status:offline", "status:never"),
    *("status:critical", "foo:bar"),
)


@pytest.mark.parametrize("text", PASSING)
def test_a_host_passes(text):
    query = parse(text)

    assert query.test(host(), "online")
    assert not query.problem


@pytest.mark.parametrize("text", FAILING_TEXTS)
def test_a_host_does_not_pass(text):
    assert not parse(text).test(host(), "online")


def test_a_status_is_the_hosts_own():
    assert parse("status:offline").test(host(), "offline")
    assert not parse("status:offline").test(host(), "never")
    assert parse("status:never").test(bare(), "never")
    assert parse("status:stale").test(host(), "stale")
    assert not parse("status:online").test(host(), "stale")
    assert parse("status:critical").test(host(**HOT), "online")
    assert not parse("status:attention").test(host(cpu={"usage": 7, "cores": 4}), "online")
    assert parse("status:failing").test(host(**FAILING), "online")


def test_a_number_that_is_missing_is_neither_above_nor_below():
    assert not parse("cpu>0").test(bare(), "never")
    assert not parse("cpu<100").test(bare(), "never")


@pytest.mark.parametrize(
    ("text", "word"), [("cpu>high", "number"), ("ram>5", "ram"), ("status:green", "status")]
)
def test_what_cannot_be_read_is_named_and_does_not_hide_every_host(text, word):
    query = parse(text)

    assert word in query.problem
    assert query.test(host(), "online")


def test_a_colon_that_is_no_key_of_ours_is_text():
    assert parse("foo:bar").test(host("foo:bar"), "online")


@given(st.text(alphabet='abcpu"-:><=.%()\\ 0123tag') | st.text())
def test_nothing_that_can_be_typed_raises(text):
    parse(text).test(host(), "online")
