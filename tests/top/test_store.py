from typing import Any

import pytest

from vstats_core.clock import rfc3339
from vstats_top.levels import CRITICAL, WARN, levelled
from vstats_top.order import Sort, pressed, shown
from vstats_top.query import parse
from vstats_top.rates import Rates
from vstats_top.store import Store, look

NOON = 1_700_000_000.0
"""The server's clock when ours is 0."""


def at(message_type: str, when: float = 0.0, **data: Any) -> dict[str, Any]:
    return {"type": message_type, "data": data, "timestamp": rfc3339(NOON + when)}


def added(key: str = "web-1", **more: Any) -> dict[str, Any]:
    return at("server_added", **{"id": key, "name": key, "location": "", "tags": []} | more)


def metrics(key: str = "web-1", when: float = 0.0, **report: Any) -> dict[str, Any]:
    return at("metrics", when, server_id=key, metrics={"hostname": key, **report})


def store(*messages: dict[str, Any], now: float = 0.0) -> Store:
    made = Store()
    made.connected()
    for message in messages:
        made.apply(message, now)
    return made


AGENT = {"version": "1", "interval": 5}


def test_never_seen_offline_stale_and_waiting_are_different_things():
    never = store(added(), at("status", server_id="web-1", online=False))
    waiting = store(added())
    online = store(added(), at("status", server_id="web-1", online=True), metrics(agent=AGENT))
    offline = store(added(), metrics(), at("status", server_id="web-1", online=False))

    def state(known: Store, now: float = 0.0) -> str:
        return known.state(known.hosts["web-1"], now)

    assert (state(never), state(waiting), state(online), state(offline)) == (
        "never",
        "waiting",
        "online",
        "offline",
    )
    assert state(online, 15.0) == "online"
    assert state(online, 15.1) == "stale"
    assert state(offline, 1000) == "offline"


def test_an_agent_that_does_not_say_its_interval_is_judged_by_what_was_seen():
    known = store(added(), at("status", server_id="web-1", online=True))
    for second in range(0, 90, 30):
        known.apply(metrics(when=second), second)

    assert known.state(known.hosts["web-1"], 60 + 90) == "online"
    assert known.state(known.hosts["web-1"], 60 + 91) == "stale"


def test_how_long_ago_is_told_by_the_servers_clock():
    known = store(added(), at("status", server_id="web-1", online=False), metrics(when=-180))

    assert known.seen_ago(known.hosts["web-1"], 0.0) == 180
    assert known.seen_ago(known.hosts["web-1"], 30.0) == 210


def test_a_new_connection_forgets_who_is_not_named_and_keeps_the_past_of_who_is():
    known = store(added("web-1"), metrics("web-1", cpu={"usage": 5, "cores": 1}), added("web-2"))
    known.connected()
    known.apply(added("web-1"), 10.0)
    known.apply(metrics("web-1", cpu={"usage": 5, "cores": 1}), 10.0)
    known.prune()

    assert list(known.hosts) == ["web-1"]
    # The snapshot's report is the one that was there before.
    assert len(known.hosts["web-1"].history) == 1


def test_hosts_are_removed_and_added_in_the_order_of_the_server():
    known = store(added("a"), added("b"), at("server_removed", id="a"), added("a"))

    assert list(known.hosts) == ["b", "a"]
    known.apply(metrics("gone"), 0.0)
    known.apply({"type": "something new", "data": {"server_id": "a"}}, 0.0)


def test_what_needs_attention_is_found_worst_first():
    fans = {
        "title": "Fans",
        "fields": {"[].speed": {"title": "Speed", "unit": "rpm", "kind": "gauge", "warn": 4000}},
    }
    report = {
        "cpu": {"usage": 86.0, "cores": 2},
        "memory": {"usage_percent": 95},
        "disks": [
            {"usage_percent": 50, "mount_point": "/"},
            {"usage_percent": 96, "mount_point": "/var"},
        ],
        "load_average": {"one": 4.0},
        "collectors": {"os": {"ok": True}, "gpu": {"ok": False, "error": "no\x1b answer"}},
        "fans": [{"name": "rear", "speed": 5000}, {"name": "front", "speed": 1}],
    }

    view = look(report, levelled({"fans": fans}))

    assert [(reason.level, reason.text) for reason in view.reasons] == [
        (CRITICAL, "memory 95.0 %"),
        (CRITICAL, "/var 96.0 % full"),
        (CRITICAL, "load 4.00 on 2 CPUs"),
        (WARN, "CPU 86.0 %"),
        (WARN, "gpu: no� answer"),
        (WARN, "rear: Speed 5 000 rpm"),
    ]
    assert (view.mount, view.trouble, view.per_core) == ("/var", ["gpu"], 2.0)


def test_a_report_without_sections_has_no_made_up_values():
    view = look({"hostname": "bare"})

    assert {view.cpu, view.memory, view.disk, view.load, view.down, view.uptime} == {None}
    assert view.reasons == []


def fleet() -> Store:
    known = store()
    for number, (name, cpu) in enumerate(
        {"web-10": 5, "web-9": 95, "db": 50, "gone": 99, "new": None}.items()
    ):
        known.apply(added(name), 0.0)
        if cpu is not None:
            known.apply(metrics(name, cpu={"usage": cpu, "cores": 1}), 0.0)
        online = number < 3
        known.apply(at("status", server_id=name, online=online), 0.0)
    return known


@pytest.mark.parametrize(
    ("sort", "show", "text", "names"),
    [
        (Sort(), "all", "", ["web-10", "web-9", "db", "gone", "new"]),
        (Sort("cpu"), "all", "", ["web-9", "db", "web-10", "gone", "new"]),
        (Sort("cpu", upwards=True), "all", "", ["web-10", "db", "web-9", "gone", "new"]),
        (Sort("name", upwards=True), "all", "", ["db", "web-9", "web-10", "gone", "new"]),
        (Sort("tags", upwards=True), "all", "", ["web-10", "web-9", "db", "gone", "new"]),
        (Sort("health"), "online", "", ["web-9", "web-10", "db"]),
        (Sort(), "offline", "", ["gone", "new"]),
        (Sort(), "attention", "", ["web-9"]),
        (Sort(), "all", "web cpu>50", ["web-9"]),
    ],
)
def test_hosts_stand_in_order_with_those_that_are_gone_last(sort, show, text, names):
    known = fleet()

    found = shown(
        known.hosts.values(), lambda host: known.state(host, 0.0), show, parse(text), sort
    )

    assert [host.name for host in found] == names


def test_a_columns_key_leads_to_high_first_then_low_first_then_back():
    first = pressed(Sort(), "cpu")
    second = pressed(first, "cpu")

    assert (first, second, pressed(second, "cpu")) == (
        Sort("cpu"),
        Sort("cpu", upwards=True),
        Sort(),
    )
    assert pressed(Sort("cpu"), "name") == Sort("name", upwards=True)


def test_a_counter_has_a_rate_once_it_was_seen_twice_and_none_when_it_went_back():
    rates = Rates()

    assert rates.of("rx", 100, 1.0) is None
    assert rates.of("rx", 300, 2.0) == 200
    assert rates.of("rx", 300, 2.0) == 200
    assert rates.of("rx", 5, 3.0) is None
    assert rates.of("rx", 15, 5.0) == 5
