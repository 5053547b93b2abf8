"""What plugins' sections mean, on its way from an agent to the dashboards."""

import json

import pytest
from kit import FakeClock, config, metrics, read_text, receive, serving, snapshot

from vstats_server.hub.hub import Hub
from vstats_server.hub.intake import LONGEST_DESCRIPTION, IncomingDescription, MessageError

FANS = {
    "fans": {
        "title": "Fans",
        "fields": {
            "[].speed": {
                "title": "Speed",
                "unit": "rpm",
                "kind": "gauge",
                "warn": 4000,
                "critical": 6000,
            }
        },
    }
}


def describe(sections=FANS, **more):
    return json.dumps({"type": "describe", "data": {"sections": sections}} | more)


def changed(**changes):
    field = FANS["fans"]["fields"]["[].speed"] | changes
    return {"fans": {"title": "Fans", "fields": {"[].speed": field}}}


async def test_a_description_is_handed_to_dashboards_with_the_hosts_id():
    async with serving() as peers, peers.dashboard() as dashboard, peers.agent() as agent:
        await snapshot(dashboard)
        await agent.send(describe())

        message = await receive(dashboard, "describe")

    assert message["data"] == {"server_id": "web-1", "sections": FANS}
    assert message["timestamp"].endswith("Z")


async def test_a_snapshot_has_server_added_describe_status_metrics_in_this_order():
    async with serving() as peers, peers.agent() as agent:
        await agent.send(describe())
        await agent.send(metrics())
        await (await agent.ping())
        async with peers.dashboard() as dashboard:
            kinds = [(await receive(dashboard))["type"] for _ in range(5)]

    assert kinds == ["server_added", "describe", "status", "metrics", "server_added"]


async def test_a_description_outlives_its_connection_and_is_in_the_api():
    async with serving() as peers:
        async with peers.agent() as agent:
            await agent.send(describe())
            await (await agent.ping())
        _, _, body = await peers.http("/api/hosts")

    assert json.loads(body)["hosts"][0]["describe"] == {"sections": FANS}
    assert json.loads(body)["hosts"][1]["describe"] is None


def test_the_same_description_again_is_no_news_and_another_is():
    news = []
    hub = Hub(config().hosts, news.append, offline_after=45, clock=FakeClock())
    hub.describe("web-1", read_text(describe()))
    hub.describe("web-1", read_text(describe()))
    hub.describe("web-1", read_text(describe({})))

    assert [json.loads(n.message)["data"]["sections"] for n in news] == [FANS, {}]
    assert [n.topic for n in news] == [None, None]


def test_a_description_of_a_host_that_is_gone_is_dropped():
    news = []
    Hub([], news.append, offline_after=45).describe("web-1", read_text(describe()))

    assert news == []


@pytest.mark.parametrize(
    "message",
    [
        '{"type":"describe"}',
        '{"type":"describe","data":{}}',
        describe([]),
        describe({"fans": {"title": "Fans"}}),
        describe(changed(unit="furlongs")),
        describe(changed(kind="mood")),
        describe(changed(warn="high")),
        describe(changed(title=None)),
        describe(timestamp="yesterday"),
    ],
)
def test_a_description_that_breaks_the_rules_is_refused(message):
    with pytest.raises(MessageError) as caught:
        read_text(message)

    assert caught.value.code == "invalid_message"


def test_levels_are_optional_and_unknown_keys_are_kept():
    sections = {
        "x": {
            "title": "X",
            "fields": {"": {"title": "X", "unit": "none", "kind": "state", "icon": "y"}},
        }
    }

    assert json.loads(read_text(describe(sections)).sections) == sections


def test_a_description_has_64_kib_at_most():
    def of(count):
        field = {"title": "T", "unit": "none", "kind": "gauge"}
        return {"x": {"title": "X", "fields": {f"field{n}": field for n in range(count)}}}

    assert isinstance(read_text(describe(of(1000))), IncomingDescription)
    assert LONGEST_DESCRIPTION == 65536
    with pytest.raises(MessageError, match="64 KiB at most"):
        read_text(describe(of(2000)))
