import json

import pytest
from kit import OTHER_TOKEN, TOKEN, FakeClock, config, metrics, read_text, report
from pydantic import SecretStr

from vstats_server.config import Host
from vstats_server.hub.hub import Hub


class Watched:
    """A hub, its clock, and all that it has told."""

    def __init__(self, hosts=None):
        self.clock = FakeClock()
        self.news = []
        self.hub = Hub(
            hosts or config().hosts, self.news.append, offline_after=45, clock=self.clock
        )

    def told(self):
        """Return what was told since the last time."""
        messages = [json.loads(news.message) for news in self.news]
        self.news.clear()
        return messages

    def snapshot(self):
        return [json.loads(news.message) for news in self.hub.snapshot()]

    def wait(self, seconds):
        self.clock.now += seconds

    def publish(self, server_id="web-1", **changes):
        self.hub.publish(server_id, read_text(metrics(**changes)))

    def online(self, **settings):
        """Connect web-1 and forget what that told."""
        self.hub.connected("web-1")
        self.told()
        return self


@pytest.fixture
def watched():
    return Watched()


def host(id_="web-1", name="Web 1", token=TOKEN, **changes):
    return Host(id=id_, name=name, token=SecretStr(token), **changes)


def status(server_id, timestamp, *, online):
    data = {"server_id": server_id, "online": online}
    return {"type": "status", "data": data, "timestamp": timestamp}


def kinds(messages):
    return [
        (message["type"], message["data"].get("server_id") or message["data"]["id"])
        for message in messages
    ]


# Reports.


def test_a_report_is_told_whole_with_its_host_and_the_time_of_arrival(watched):
    watched.online()
    watched.publish(gpu={"usage": 7})

    expected = report(gpu={"usage": 7})
    expected["network"] |= {"rx": 0, "tx": 0}
    assert watched.told() == [
        {
            "type": "metrics",
            "data": {"server_id": "web-1", "metrics": expected},
            "timestamp": watched.clock.utc(),
        }
    ]


def test_the_rates_of_a_first_report_are_zero(watched):
    watched.publish()

    (message,) = watched.told()
    network = message["data"]["metrics"]["network"]
    assert (network["rx"], network["tx"]) == (0, 0)


def test_rates_are_derived_from_the_counters_over_the_servers_own_clock(watched):
    watched.publish(timestamp="2024-01-01T12:00:00Z", network=counters(1000, 500))
    watched.told()
    watched.wait(4)
    watched.publish(timestamp="1999-01-01T12:00:00Z", network=counters(5000, 500))

    (message,) = watched.told()
    network = message["data"]["metrics"]["network"]
    assert (network["rx"], network["tx"]) == (1000, 0)


def test_a_counter_that_went_backwards_gives_zero_and_never_a_negative_rate(watched):
    for total in (1000, 10, 210):
        watched.publish(network=counters(total, total))
        watched.wait(2)

    rates = [message["data"]["metrics"]["network"] for message in watched.told()]
    assert [(each["rx"], each["tx"]) for each in rates] == [(0, 0), (0, 0), (100, 100)]


def test_two_reports_at_the_same_moment_give_a_rate_of_zero(watched):
    watched.publish(network=counters(0, 0))
    watched.publish(network=counters(1000, 1000))

    assert watched.told()[-1]["data"]["metrics"]["network"]["rx"] == 0


def test_rates_that_the_agent_knows_are_passed_on_untouched(watched):
    watched.publish(network=counters(1, 1) | {"rx": 12.5, "tx": 7})
    watched.wait(1)
    watched.publish(network=counters(100, 100) | {"rx": 3.25})

    first, second = (each["data"]["metrics"]["network"] for each in watched.told())
    assert (first["rx"], first["tx"]) == (12.5, 7)
    assert (second["rx"], second["tx"]) == (3.25, 99)


def test_a_report_without_a_network_gets_no_rates(watched):
    content = report()
    del content["network"]
    watched.hub.publish("web-1", read_text(json.dumps({"type": "metrics", "data": content})))

    assert watched.told()[0]["data"]["metrics"] == content


def test_hosts_do_not_share_their_rates(watched):
    watched.publish("web-1", network=counters(0, 0))
    watched.wait(1)
    watched.publish("web-2", network=counters(1000, 1000))

    assert watched.told()[-1]["data"]["metrics"]["network"]["rx"] == 0


def counters(rx, tx):
    return {"interfaces": [], "total_rx": rx, "total_tx": tx}


def test_reports_count_in_order_of_arrival_whatever_their_own_time_says(watched):
    watched.publish(timestamp="2030-01-01T00:00:00Z", uptime=1)
    watched.publish(timestamp="1970-01-01T00:00:00Z", uptime=2)

    newest = watched.snapshot()[1]
    assert newest["data"]["metrics"]["uptime"] == 2


def test_a_report_names_its_topic_so_that_a_newer_one_can_replace_it(watched):
    watched.publish()

    assert [news.topic for news in watched.news] == ["web-1"]


def test_a_report_of_an_unknown_host_is_dropped(watched):
    watched.publish("web-3")

    assert watched.told() == []


def test_a_report_nested_as_deep_as_is_taken_can_be_completed(watched):
    nest: list = []
    for _ in range(200):
        nest = [nest]

    watched.publish(gpu=nest)

    assert watched.told()[0]["data"]["metrics"]["gpu"] == nest


# Status.


def test_a_host_is_online_from_the_moment_its_agent_is_admitted(watched):
    watched.hub.connected("web-1")

    assert watched.told() == [status("web-1", watched.clock.utc(), online=True)]


def test_a_host_is_offline_when_its_connection_has_ended(watched):
    watched.online()
    watched.wait(5)

    watched.hub.disconnected("web-1")

    assert watched.told() == [status("web-1", watched.clock.utc(), online=False)]


def test_status_is_told_on_change_only(watched):
    watched.hub.connected("web-1")
    watched.hub.connected("web-1")
    watched.hub.heard("web-1")
    watched.hub.sweep()
    watched.hub.disconnected("web-1")
    watched.hub.disconnected("web-1")
    watched.hub.sweep()

    assert [message["data"]["online"] for message in watched.told()] == [True, False]


def test_a_host_that_is_silent_for_offline_after_is_offline(watched):
    watched.online()

    watched.wait(45)
    watched.hub.sweep()
    watched.hub.heard("web-2")
    assert [m for m in watched.told() if m["data"]["server_id"] == "web-1"] == []
    watched.wait(0.1)
    watched.hub.sweep()

    assert status("web-1", watched.clock.utc(), online=False) in watched.told()


def test_a_server_that_stood_still_calls_nobody_silent_before_it_has_listened_for_as_long(watched):
    watched.online()

    watched.wait(100)
    watched.hub.stood_still()
    watched.hub.sweep()
    watched.wait(45)
    watched.hub.sweep()
    assert watched.told() == []
    watched.wait(0.1)
    watched.hub.sweep()

    assert status("web-1", watched.clock.utc(), online=False) in watched.told()


def test_an_agent_that_gave_up_a_server_that_stood_still_may_come_back_unnoticed(watched):
    watched.online()

    watched.wait(100)
    watched.hub.stood_still()
    watched.hub.disconnected("web-1")
    watched.wait(30)
    watched.hub.sweep()
    watched.hub.connected("web-1")
    assert watched.told() == []
    # From then on an end counts as ever.
    watched.wait(16)
    watched.hub.disconnected("web-1")

    assert watched.told() == [status("web-1", watched.clock.utc(), online=False)]


def test_an_agent_that_does_not_come_back_after_the_server_stood_still_is_offline(watched):
    watched.online()

    watched.wait(100)
    watched.hub.stood_still()
    watched.hub.disconnected("web-1")
    watched.wait(45)
    watched.hub.sweep()
    assert watched.told() == []
    watched.wait(0.1)
    watched.hub.sweep()

    assert status("web-1", watched.clock.utc(), online=False) in watched.told()


def test_any_sign_of_life_keeps_a_host_online(watched):
    watched.online()
    for _ in range(10):
        watched.wait(44)
        watched.hub.heard("web-1")
        watched.hub.sweep()

    assert [m for m in watched.told() if m["data"]["server_id"] == "web-1"] == []


def test_a_late_message_brings_a_silent_host_back(watched):
    watched.online()
    watched.wait(46)
    watched.hub.sweep()
    watched.told()

    watched.wait(10)
    watched.hub.heard("web-1")

    assert watched.told() == [status("web-1", watched.clock.utc(), online=True)]


def test_a_message_of_an_ended_connection_brings_nobody_back(watched):
    watched.online()
    watched.hub.disconnected("web-1")
    watched.told()

    watched.hub.heard("web-1")

    assert watched.told() == []


def test_signs_of_unknown_hosts_are_ignored(watched):
    watched.hub.heard("web-3")
    watched.hub.disconnected("web-3")

    assert watched.told() == []


def test_after_a_start_a_host_not_yet_heard_from_has_no_status(watched):
    watched.wait(45)
    watched.hub.sweep()

    assert watched.told() == []
    assert kinds(watched.snapshot()) == [("server_added", "web-1"), ("server_added", "web-2")]


def test_a_host_still_not_heard_from_when_that_time_is_over_is_offline(watched):
    watched.hub.connected("web-2")
    watched.told()
    watched.wait(45.1)
    watched.hub.heard("web-2")
    watched.hub.sweep()

    assert watched.told() == [status("web-1", watched.clock.utc(), online=False)]


# The snapshot.


def test_a_snapshot_is_per_host_in_configuration_order_added_status_metrics(watched):
    watched.hub.connected("web-2")
    watched.publish("web-2")
    watched.hub.connected("web-1")

    assert kinds(watched.snapshot()) == [
        ("server_added", "web-1"),
        ("status", "web-1"),
        ("server_added", "web-2"),
        ("status", "web-2"),
        ("metrics", "web-2"),
    ]


def test_a_snapshots_server_added_describes_the_host(watched):
    first, second = watched.snapshot()

    assert first == {
        "type": "server_added",
        "data": {"id": "web-1", "name": "Web 1", "location": "US-West", "tags": ["eu"]},
        "timestamp": watched.clock.utc(),
    }
    assert second["data"] == {"id": "web-2", "name": "Web 2", "location": "", "tags": []}


def test_a_snapshot_says_when_a_thing_happened_and_server_added_says_now(watched):
    connected_at = watched.clock.utc()
    watched.hub.connected("web-1")
    watched.wait(10)
    reported_at = watched.clock.utc()
    watched.publish()
    watched.wait(10)

    added, state, newest, _ = watched.snapshot()

    assert added["timestamp"] == watched.clock.utc()
    assert state["timestamp"] == connected_at
    assert newest["timestamp"] == reported_at


def test_the_report_of_a_host_that_has_gone_stays_in_the_snapshot(watched):
    watched.online()
    watched.publish()
    watched.hub.disconnected("web-1")

    assert kinds(watched.snapshot())[:3] == [
        ("server_added", "web-1"),
        ("status", "web-1"),
        ("metrics", "web-1"),
    ]


# Another configuration.


def test_a_host_that_was_added_is_told(watched):
    hosts = config().hosts
    watched.hub.replace_hosts([*hosts, host("web-3", "Web 3", "another")])

    assert watched.told() == [
        {
            "type": "server_added",
            "data": {"id": "web-3", "name": "Web 3", "location": "", "tags": []},
            "timestamp": watched.clock.utc(),
        }
    ]
    assert "web-3" in watched.hub


def test_a_host_that_was_added_long_after_the_start_is_offline_at_once(watched):
    watched.wait(1000)
    watched.hub.sweep()
    watched.told()

    watched.hub.replace_hosts([*config().hosts, host("web-3", "Web 3", "another")])

    assert kinds(watched.told()) == [("server_added", "web-3"), ("status", "web-3")]


def test_a_host_that_was_removed_is_told_and_nothing_of_it_follows(watched):
    watched.online()
    watched.publish()
    watched.told()

    watched.hub.replace_hosts(config().hosts[1:])
    watched.publish()
    watched.hub.heard("web-1")
    watched.hub.disconnected("web-1")
    watched.wait(100)
    watched.hub.heard("web-2")
    watched.hub.sweep()

    messages = watched.told()
    assert messages[0]["type"] == "server_removed"
    assert messages[0]["data"] == {"id": "web-1"}
    assert "web-1" not in json.dumps(messages[1:])
    assert "web-1" not in watched.hub
    assert kinds(watched.snapshot())[0] == ("server_added", "web-2")


def test_a_removal_makes_what_waits_of_the_host_worthless(watched):
    watched.hub.replace_hosts([])

    assert [news.forget for news in watched.news] == ["web-1", "web-2"]


@pytest.mark.parametrize(
    "change", [{"name": "Web One"}, {"location": "EU"}, {"tags": ["eu", "new"]}]
)
def test_a_host_that_was_changed_is_removed_and_added_with_what_belongs_to_it(watched, change):
    watched.online()
    connected_at = watched.clock.utc()
    watched.publish()
    watched.told()
    watched.wait(7)
    same = {"location": "US-West", "tags": ["eu"]}

    watched.hub.replace_hosts([host(**same | change), config().hosts[1]])

    removed, added, state, newest = watched.told()
    assert (removed["type"], removed["data"]) == ("server_removed", {"id": "web-1"})
    assert added["type"] == "server_added"
    assert added["data"] == {"id": "web-1", "name": "Web 1"} | same | change
    assert state == status("web-1", connected_at, online=True)
    assert kinds([newest]) == [("metrics", "web-1")]


def test_a_host_whose_token_was_changed_is_the_same_host(watched):
    watched.hub.replace_hosts([host(token="another", location="US-West", tags=["eu"])])

    assert kinds(watched.told()) == [("server_removed", "web-2")]


def test_a_new_order_is_no_news_and_holds_for_the_next_snapshot(watched):
    watched.hub.replace_hosts(config().hosts[::-1])

    assert watched.told() == []
    assert kinds(watched.snapshot()) == [("server_added", "web-2"), ("server_added", "web-1")]


def test_a_host_that_comes_back_knows_nothing_of_its_former_life(watched):
    watched.online()
    watched.publish()
    watched.hub.disconnected("web-1")
    watched.hub.replace_hosts([])
    watched.told()

    watched.hub.replace_hosts(config().hosts[:1])

    assert kinds(watched.told()) == [("server_added", "web-1")]


# The HTTP API's view.


def test_the_api_shows_each_host_with_its_newest_report(watched):
    watched.online()
    watched.publish()
    seen_at = watched.clock.utc()
    watched.wait(3)

    first, second = (json.loads(text) for text in watched.hub.describe_hosts())

    expected = report()
    expected["network"] |= {"rx": 0, "tx": 0}
    assert first == {
        "id": "web-1",
        "name": "Web 1",
        "location": "US-West",
        "tags": ["eu"],
        "online": True,
        "last_seen": seen_at,
        "metrics": expected,
        "describe": None,
    }
    assert second == {
        "id": "web-2",
        "name": "Web 2",
        "location": "",
        "tags": [],
        "online": None,
        "last_seen": None,
        "metrics": None,
        "describe": None,
    }


def test_the_api_never_shows_a_token(watched):
    shown = b"".join(watched.hub.describe_hosts())

    for host_ in config().hosts:
        assert host_.digest.encode() not in shown
    assert TOKEN.encode() not in shown
    assert OTHER_TOKEN.encode() not in shown


def test_a_snapshot_shares_its_bytes_with_what_was_told_live(watched):
    watched.publish()
    (told,) = watched.news

    first, second = list(watched.hub.snapshot()), list(watched.hub.snapshot())

    assert any(news.framed is told.framed for news in first)
    assert any(news.framed is told.framed for news in second)
