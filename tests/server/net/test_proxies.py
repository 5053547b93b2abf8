import time

import pytest
from kit import TOKEN, FakeClock, config, metrics, serving, until
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from vstats_core.errors import ConfigError
from vstats_server.config import Limits, load
from vstats_server.net.proxies import Proxies

CLIENT = "203.0.113.7"
LOCAL = Proxies(["127.0.0.1", "::1"])
NESTED = Proxies(["127.0.0.1", "10.0.0.0/8", "2001:db8::/32"])


@pytest.mark.parametrize(
    ("proxies", "peer", "lines", "expected"),
    [
        (LOCAL, "127.0.0.1", [CLIENT], CLIENT),
        (LOCAL, "::1", [CLIENT], CLIENT),
        (LOCAL, "::ffff:127.0.0.1", [CLIENT], CLIENT),
        (LOCAL, "127.0.0.1", ["2001:DB8:0::1"], "2001:db8::1"),
        (LOCAL, "127.0.0.1", ["::ffff:203.0.113.7"], CLIENT),
        (LOCAL, "127.0.0.1", ["203.0.113.7:4711"], CLIENT),
        (LOCAL, "127.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        (LOCAL, "127.0.0.1", ["[2001:db8::1]"], "2001:db8::1"),
        (LOCAL, "127.0.0.1", ["  203.0.113.7\t"], CLIENT),
        # What the client wrote itself stands ahead of what the proxy appended.
        (LOCAL, "127.0.0.1", [f"192.0.2.99, {CLIENT}"], CLIENT),
        (LOCAL, "127.0.0.1", ["192.0.2.99", CLIENT], CLIENT),
        (LOCAL, "127.0.0.1", [f"127.0.0.1, {CLIENT}"], CLIENT),
        (LOCAL, "127.0.0.1", [f"<script>, {CLIENT}"], CLIENT),
        # A chain of proxies.
        (NESTED, "127.0.0.1", [f"192.0.2.99, {CLIENT}, 10.1.2.3"], CLIENT),
        (NESTED, "127.0.0.1", [f"{CLIENT}, 2001:db8::5", "10.1.2.3"], CLIENT),
        (NESTED, "10.9.9.9", ["10.1.2.3, 10.1.2.4"], "10.1.2.3"),
        # Nobody is spoken for.
        (LOCAL, "127.0.0.1", [], "127.0.0.1"),
        (LOCAL, "127.0.0.1", [""], "127.0.0.1"),
        (LOCAL, "", [CLIENT], ""),
    ],
)
def test_the_client_is_the_last_address_that_is_no_trusted_proxys(proxies, peer, lines, expected):
    assert proxies.client(peer, lines) == expected


@pytest.mark.parametrize("peer", ["192.0.2.1", "127.0.0.2", "::2", "10.0.0.1"])
def test_a_peer_that_is_not_trusted_speaks_for_nobody(peer):
    assert LOCAL.client(peer, [CLIENT]) == peer


def test_without_a_list_nobody_is_believed():
    assert Proxies([]).client("127.0.0.1", [CLIENT]) == "127.0.0.1"


@pytest.mark.parametrize(
    "garbage",
    [
        *("unknown", "_hidden", "localhost", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4"),
        *("203.0.113.7\x1b[31m", "\u0661.1.1.1", ":", "[", "[]", "::1::", "x" * 8000, "0x7f.1"),
        *("203.0.113.0/24", "203.0.113.7 192.0.2.1", '"203.0.113.7"', "for=203.0.113.7"),
    ],
)
def test_what_is_no_address_is_never_believed(garbage):
    assert LOCAL.client("127.0.0.1", [garbage]) == "127.0.0.1"
    assert NESTED.client("127.0.0.1", [f"{CLIENT}, {garbage}, 10.1.2.3"]) == "10.1.2.3"


def test_a_header_of_a_megabyte_costs_no_time():
    header = "10.1.2.3," * 100_000 + "10.1.2.3"
    before = time.perf_counter()

    assert NESTED.client("127.0.0.1", [header]) == "10.1.2.3"
    assert time.perf_counter() - before < 0.05


@pytest.mark.parametrize(
    "network", ["", "localhost", "10.0.0.1/8", "10.0.0.0/33", "2001:db8::/129", "*", "10.*"]
)
def test_what_is_no_network_is_refused_by_name(tmp_path, network):
    path = tmp_path / "server.toml"
    path.write_text(f'[server]\ntrusted_proxies = ["127.0.0.1", "{network}"]')

    with pytest.raises(ConfigError) as caught:
        load(path)

    assert f"server.trusted_proxies: {network!r} should be an address or a net" in str(caught.value)


# In the relay.


def forwarded(address, token=None):
    headers = {"X-Forwarded-For": address}
    return headers | ({"Authorization": f"Bearer {token}"} if token else {})


def behind_a_proxy(**changes):
    return config(trusted_proxies=["127.0.0.1"], **changes)


async def test_the_clients_address_is_in_the_log_and_what_it_wrote_itself_is_not(caplog):
    async with (
        serving(behind_a_proxy()) as peers,
        peers.agent(additional_headers=forwarded(f"evil, 198.51.100.1, {CLIENT}")) as agent,
    ):
        await agent.send(metrics())
        await until(lambda: f"agent web-1 online from {CLIENT}" in caplog.messages)

    assert "evil" not in caplog.text
    assert "198.51.100.1" not in caplog.text


async def test_failures_are_counted_by_the_clients_address_and_not_by_the_proxys():
    async with serving(behind_a_proxy(), clock=FakeClock()) as peers:
        guesses = [
            (await peers.http("/ws/agent?token=x", headers=forwarded(CLIENT)))[0] for _ in range(11)
        ]
        other = await peers.http("/ws/agent?token=x", headers=forwarded("203.0.113.8"))

    assert guesses == [401] * 10 + [429]
    assert other[0] == 401


async def test_connections_are_counted_by_the_clients_address_and_not_by_the_proxys():
    limits = Limits(connections_per_address=1)
    async with serving(behind_a_proxy(limits=limits)) as peers:
        async with (
            peers.dashboard(additional_headers=forwarded(CLIENT)),
            peers.dashboard(additional_headers=forwarded("203.0.113.8")),
        ):
            assert peers.relay._admission.addresses == {CLIENT: 1, "203.0.113.8": 1}
            with pytest.raises(InvalidStatus, match="503"):
                await peers.dashboard(additional_headers=forwarded(CLIENT))
        await until(lambda: not peers.relay._admission.connections)

        assert not peers.relay._admission.addresses


async def test_an_agent_behind_a_proxy_leaves_no_count_behind():
    async with serving(behind_a_proxy()) as peers:
        async with peers.agent(additional_headers=forwarded(CLIENT)):
            await until(lambda: peers.relay._admission.agents)
            assert not peers.relay._admission.addresses
        await until(lambda: not peers.relay._admission.connections)

        assert not peers.relay._admission.addresses


async def test_a_client_that_is_no_trusted_proxy_cannot_choose_its_address():
    async with (
        serving(config(trusted_proxies=["192.0.2.1"])) as peers,
        peers.dashboard(additional_headers=forwarded(CLIENT)),
    ):
        assert peers.relay._admission.addresses == {"127.0.0.1": 1}


async def test_the_list_is_reloaded():
    async with serving(config()) as peers:
        peers.relay._use(behind_a_proxy())
        async with peers.dashboard(additional_headers=forwarded(CLIENT)):
            assert peers.relay._admission.addresses == {CLIENT: 1}


async def test_a_proxy_on_ipv6_is_believed_as_well(caplog):
    settings = config(host="::1", trusted_proxies=["::1/128"])
    async with (
        serving(settings) as peers,
        connect(
            f"ws://[::1]:{peers.port}/ws/agent",
            additional_headers=forwarded("2001:db8::7", TOKEN),
            proxy=None,
        ),
    ):
        await until(lambda: "agent web-1 online from 2001:db8::7" in caplog.messages)


async def test_a_network_of_ipv6_addresses_is_one_guesser_of_tokens():
    async with serving(behind_a_proxy(), clock=FakeClock()) as peers:

        async def guess(address):
            code, _, _ = await peers.http(
                "/ws/agent?token=guess", headers={"X-Forwarded-For": address}
            )
            return code

        guesses = [await guess(f"2001:db8::{n:x}:1") for n in range(11)]

        assert guesses == [401] * 10 + [429]
        assert await guess("2001:db8:0:1::1") == 401
