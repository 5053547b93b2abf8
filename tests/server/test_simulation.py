import asyncio
import contextlib
from dataclasses import replace

import pytest
from kit import FakeClock, config, receive, serving, until
from pydantic import SecretStr, TypeAdapter

from vstats_core.wire import strict_json
from vstats_core.wire.describe import describe
from vstats_core.wire.messages import AgentMessage
from vstats_core.wire.schema import Report
from vstats_server.config import Host, slug
from vstats_server.simulation import agent, shapes, simulate

TOKEN = "token-of-the-simulated-" + "x" * 20


@pytest.mark.parametrize("shape", shapes(10), ids=lambda shape: shape.name)
def test_every_report_and_description_holds_to_the_rules(shape):
    clock = FakeClock()
    host = agent._Host(shape, clock)
    for _ in range(50):
        content = host.report()
        clock.now += shape.interval

        text = strict_json.dumps(content)
        Report.model_validate_json(text)
        assert len(text) < 64 * 1024
        for name, type_ in shape.types.items():
            TypeAdapter(type_).validate_python(content[name])
    described = {"type": "describe", "data": {"sections": describe(shape.types)}}
    TypeAdapter(AgentMessage).validate_python(described)


def test_counters_grow_by_their_rates_and_the_mean_is_that_of_the_cores():
    clock = FakeClock()
    host = agent._Host(shapes(1)[0], clock)
    before = host.report()
    clock.now += 1
    after = host.report()

    grown = after["network"]["total_rx"] - before["network"]["total_rx"]
    assert grown == pytest.approx(after["network"]["rx"], abs=1)
    assert after["uptime"] == before["uptime"] + 1
    cpu = after["cpu"]
    assert cpu["usage"] == pytest.approx(sum(cpu["per_core"]) / cpu["cores"], abs=0.1)


def test_the_ten_show_what_there_is_to_show():
    ten = shapes(10)

    assert max(shape.cores for shape in ten) > 100
    assert max(len(shape.disks) for shape in ten) >= 8
    assert sum(bool(shape.types) for shape in ten) >= 3
    assert any(shape.errors for shape in ten)
    assert any(shape.busy > 0.9 for shape in ten)
    assert {shape.fate for shape in ten} == {"stays", "leaves", "falls silent", "never comes"}
    assert len({shape.location for shape in ten}) >= 4


@pytest.mark.parametrize("count", [0, 1, 10, 500])
def test_there_are_as_many_as_were_asked_for_each_with_an_id_of_its_own(count):
    found = shapes(count)

    assert len({slug(shape.name) for shape in found}) == count
    assert all(shape.fate == "stays" for shape in found[10:])


@pytest.mark.parametrize(
    ("fate", "online"),
    [("stays", True), ("leaves", False), ("falls silent", True), ("never comes", None)],
)
async def test_a_hosts_fate_comes_to_it_through_the_real_wire(fate, online, monkeypatch):
    monkeypatch.setattr(agent, "LEAVES_AFTER", 0.3)
    shape = replace(shapes(3)[2], fate=fate, interval=0.05)
    hosts = [Host(id="db-1", name="db-1", token=SecretStr(TOKEN))]
    async with serving(config(hosts=hosts)) as peers:
        task = asyncio.create_task(simulate(shape, f"{peers.url}/ws/agent", TOKEN))
        if fate in ("leaves", "never comes"):
            await until(task.done)
            await task
        if fate != "never comes":
            async with peers.dashboard() as dashboard:
                sections = (await receive(dashboard, "describe"))["data"]["sections"]
                metrics = (await receive(dashboard, "metrics"))["data"]["metrics"]
            assert sections.keys() == {"postgres", "diskio"}
            assert metrics["hostname"] == "db-1"
        state = peers.relay._hub._states["db-1"]
        await until(lambda: state.online is online)
        if fate == "falls silent":
            await asyncio.sleep(0.4)  # its last report is on its way until then
            last = state.report
            await asyncio.sleep(0.2)
            assert state.report is last
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
