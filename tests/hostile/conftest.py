"""What every hostile peer is measured by."""

import contextlib
from collections.abc import Iterator

import pytest
from kit import OTHER_TOKEN, TOKEN, Peers, config, metrics, receive, serving, until
from watching import Turns, assert_short, assert_sober


@pytest.fixture
def turns() -> Iterator[Turns]:
    """Fail a test in which one turn of the event loop took longer than all others may wait."""
    turns = Turns()
    with turns.watched():
        yield turns
    assert_short(turns.longest, turns.what)


@pytest.fixture
async def peers(turns, caplog):
    """A relay that must be as it was once the hostile peer has gone, with a sober log."""
    async with serving(config()) as peers:
        yield peers
        await stays_well(peers)
    assert_sober(caplog.records, TOKEN, OTHER_TOKEN)


async def stays_well(peers: Peers) -> None:
    """Fail unless a report still gets to a dashboard, and nothing of anybody else is left."""
    relay = peers.relay
    await until(lambda: not relay._admission.connections)
    async with peers.dashboard() as dashboard, peers.agent(OTHER_TOKEN) as agent:
        await agent.send(metrics(uptime=4711))
        message = await receive(dashboard, "metrics")
        while message["data"]["metrics"]["uptime"] != 4711:
            message = await receive(dashboard, "metrics")
    with contextlib.suppress(TimeoutError):
        await until(lambda: not relay._admission.connections)
    assert not relay._admission.connections
    assert not relay._admission.addresses
    assert not relay._admission.agents
    assert not relay._admission.dashboards
    assert not relay._agents
    assert not relay._fanout._dashboards
