"""``/metrics`` as Prometheus gets it, from a relay with real agents and dashboards."""

import asyncio
import contextlib
import gc
import gzip
import json
import subprocess
import time

import pytest
from kit import OTHER_TOKEN, REPORT, FakeClock, Peers, config, metrics, raw_peer, serving, until
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from tools import program

from vstats_core import Rpm, Section, Text
from vstats_core.wire.describe import describe
from vstats_server.config import Host, Limits
from vstats_server.hub.intake import read
from vstats_server.prometheus import MOST_SAMPLES, SHOWN_FOR, Metrics

HOSTILE = '<img src=x onerror="alert(1)">\\\n\u202e' + "x" * 10_000
UNLIMITED = Limits(messages_per_second=1e6, message_burst=1_000_000)


class Fan(Section):
    name: Text
    speed: Rpm


def description(**types) -> str:
    return json.dumps({"type": "describe", "data": {"sections": describe(types)}})


async def scraped(peers: Peers) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Return the value of each sample, by name and labels."""
    status, _, body = await peers.http("/metrics")
    assert status == 200
    samples: dict = {}
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            values = samples.setdefault(sample.name, {})
            key = tuple(sample.labels.items())
            assert key not in values, f"{sample.name} {key} comes twice"
            values[key] = sample.value
    return samples


async def taken(peers: Peers, reports: int = 1) -> None:
    await until(lambda: peers.relay._counters.reports == reports)


def of(host: str, **labels: str) -> tuple[tuple[str, str], ...]:
    return tuple({"host": host, **labels}.items())


async def test_every_part_of_a_report_is_told_in_base_units():
    health = {
        "cpu": {"ok": True, "age": 0.5, "duration": 0.001},
        "disks": {"ok": False, "age": 9.5, "duration": 5.0, "error": "late"},
    }
    more = {"collectors": health, "agent": {"version": "1.2", "interval": 2}}
    clock = FakeClock()
    async with serving(clock=clock) as peers, peers.agent() as agent:
        await agent.send(metrics(**more))
        await taken(peers)
        clock.now += 1.5
        found = await scraped(peers)

    web, disk = of("web-1"), of("web-1", mount_point="/", device="sda1", fs_type="ext4")
    assert {
        name: found[name] for name in found if "server" not in name and "process" not in name
    } == {
        "vstats_up": {web: 1},
        "vstats_host_info": {
            of("web-1", name="Web 1", location="US-West"): 1,
            of("web-2", name="Web 2", location=""): 1,
        },
        "vstats_host_tag": {of("web-1", tag="eu"): 1},
        "vstats_report_age_seconds": {web: 1.5},
        "vstats_agent_info": {of("web-1", version="1.2"): 1},
        "vstats_agent_interval_seconds": {web: 2},
        "vstats_os_info": {
            of(
                "web-1",
                hostname="my-server",
                name="Ubuntu",
                version="22.04",
                kernel="5.15.0",
                arch="x86_64",
            ): 1
        },
        "vstats_cpu_info": {of("web-1", brand="Intel Core i7"): 1},
        "vstats_cpu_cores": {web: 8},
        "vstats_cpu_usage_ratio": {web: 0.452},
        "vstats_cpu_core_usage_ratio": {
            of("web-1", core=str(core)): usage / 100
            for core, usage in enumerate(REPORT["cpu"]["per_core"])
        },
        "vstats_cpu_frequency_hertz": {web: 3.6e9},
        "vstats_memory_total_bytes": {web: 17179869184},
        "vstats_memory_used_bytes": {web: 8589934592},
        "vstats_memory_available_bytes": {web: 8589934592},
        "vstats_memory_usage_ratio": {web: 0.5},
        "vstats_memory_swap_total_bytes": {web: 4294967296},
        "vstats_memory_swap_used_bytes": {web: 1073741824},
        "vstats_disk_total_bytes": {disk: 107374182400},
        "vstats_disk_used_bytes": {disk: 53687091200},
        "vstats_disk_available_bytes": {disk: 53687091200},
        "vstats_disk_usage_ratio": {disk: 0.5},
        "vstats_network_receive_bytes_total": {of("web-1", interface="eth0"): 1073741824},
        "vstats_network_transmit_bytes_total": {of("web-1", interface="eth0"): 536870912},
        "vstats_network_receive_bytes_per_second": {web: 0},
        "vstats_network_transmit_bytes_per_second": {web: 0},
        "vstats_load1": {web: 0.5},
        "vstats_load5": {web: 0.7},
        "vstats_load15": {web: 0.6},
        "vstats_uptime_seconds": {web: 86400},
        "vstats_collector_up": {of("web-1", collector="cpu"): 1, of("web-1", collector="disks"): 0},
        "vstats_collector_age_seconds": {
            of("web-1", collector="cpu"): 0.5,
            of("web-1", collector="disks"): 9.5,
        },
        "vstats_collector_duration_seconds": {
            of("web-1", collector="cpu"): 0.001,
            of("web-1", collector="disks"): 5,
        },
    }


async def test_a_report_without_sections_and_one_with_zeros_have_no_made_up_values():
    bare = {"type": "metrics", "data": {"timestamp": REPORT["timestamp"], "hostname": "bare"}}
    async with serving() as peers, peers.agent() as one, peers.agent(OTHER_TOKEN) as other:
        await one.send(json.dumps(bare))
        await other.send(metrics(cpu=REPORT["cpu"] | {"frequency": 0, "brand": ""}))
        await taken(peers, 2)
        found = await scraped(peers)

    of_bare = {name for name in found if any(("host", "web-1") in key for key in found[name])}
    assert of_bare == {
        "vstats_up",
        "vstats_host_info",
        "vstats_host_tag",
        "vstats_report_age_seconds",
    }
    assert "vstats_cpu_frequency_hertz" not in found
    assert "vstats_cpu_info" not in found


async def test_a_plugins_section_is_told_by_what_is_declared_of_it():
    fans = [{"name": "rear", "speed": 1200}]
    async with serving() as peers, peers.agent() as agent:
        await agent.send(metrics(fans=fans, gpu={"busy": 7}))
        await taken(peers)
        before = await scraped(peers)
        await agent.send(description(fans=list[Fan]))
        await agent.send(metrics(fans=fans, gpu={"busy": 7}))
        await taken(peers, 2)
        after = await scraped(peers)

    assert {name for name in after.keys() - before.keys() if "server" not in name} == {
        "vstats_fans_speed_rpm"
    }
    assert after["vstats_fans_speed_rpm"] == {of("web-1", name="rear"): 1200}


async def test_a_host_that_is_gone_is_down_at_once_and_its_report_ends_after_five_minutes():
    clock = FakeClock()
    async with serving(clock=clock) as peers:
        async with peers.agent() as agent:
            await agent.send(metrics())
            await taken(peers)
        await until(lambda: not peers.relay._agents)
        clock.now += SHOWN_FOR
        gone = await scraped(peers)
        clock.now += 1
        ended = await scraped(peers)

    assert gone["vstats_up"][of("web-1")] == 0
    assert gone["vstats_load1"] == {of("web-1"): 0.5}
    assert "vstats_load1" not in ended
    assert ended["vstats_up"][of("web-1")] == 0
    assert ended["vstats_report_age_seconds"] == {of("web-1"): SHOWN_FOR + 1}


async def test_the_report_of_an_agent_that_reports_once_an_hour_does_not_end():
    clock = FakeClock()
    async with serving(clock=clock) as peers, peers.agent() as agent:
        await agent.send(metrics(agent={"version": "1", "interval": 3600}))
        await taken(peers)
        clock.now += 3 * 3600

        assert "vstats_load1" in await scraped(peers)


async def test_whether_a_host_is_up_is_not_told_until_it_is_known():
    clock = FakeClock()
    async with serving(clock=clock) as peers:
        starting = await scraped(peers)
        clock.now += 46
        peers.relay._hub.sweep()
        found = await scraped(peers)

    assert "vstats_up" not in starting
    assert found["vstats_up"] == {of("web-1"): 0, of("web-2"): 0}


async def test_the_relay_tells_what_it_has_done():
    async with (
        serving(config(limits=Limits(message_burst=3, messages_per_second=0.001))) as peers,
        peers.dashboard() as dashboard,
        peers.agent() as agent,
    ):
        await peers.http("/nothing")
        with contextlib.suppress(Exception):
            await peers.agent("x" * 43).__aenter__()
        for message in (metrics(), "{", '{"type":"x"}', metrics()):
            await agent.send(message)
            if message == metrics():
                continue
            await agent.recv()
        await agent.recv()
        await until(lambda: peers.relay._counters.deliveries >= 4)
        received = 2 * len(metrics()) + len("{") + len('{"type":"x"}')
        found = await scraped(peers)
        heard = 0
        async with asyncio.timeout(5):
            while heard < 4:
                await dashboard.recv()
                heard += 1

    rejected = found["vstats_server_rejected_total"]
    assert {dict(key)["code"]: value for key, value in rejected.items()} == {
        "invalid_json": 1,
        "invalid_message": 0,
        "invalid_report": 0,
        "unknown_type": 1,
        "rate_limited": 1,
    }
    single = {name: values[()] for name, values in found.items() if () in values}
    assert single["vstats_server_reports_total"] == 1
    assert single["vstats_server_received_bytes_total"] == received
    assert single["vstats_server_agents_admitted_total"] == 1
    assert single["vstats_server_dashboards_admitted_total"] == 1
    assert single["vstats_server_connections_opened_total"] == 5
    # Two hosts are added, one comes online and reports.
    assert single["vstats_server_deliveries_total"] == 4
    assert single["vstats_server_delivered_bytes_total"] > len(metrics())
    assert single["process_cpu_seconds_total"] > 0
    assert single["process_resident_memory_bytes"] > 10_000_000
    assert single["process_open_fds"] > 3
    assert abs(single["process_start_time_seconds"] - time.time()) < 3600
    assert found["vstats_server_connections"] == {
        (("kind", "agent"),): 1,
        (("kind", "dashboard"),): 1,
        (("kind", "other"),): 1,
    }
    responses = found["vstats_server_http_responses_total"]
    assert {dict(key)["code"]: value for key, value in responses.items()} == {"401": 1, "404": 1}
    # Whoever asks for the metrics is counted when they are sent.
    assert (("code", "200"),) not in responses


async def test_reports_that_a_newer_one_replaced_are_counted():
    async with (
        serving(config(limits=UNLIMITED)) as peers,
        raw_peer(peers.port, receive_buffer=4096),
        peers.agent() as agent,
    ):
        await until(lambda: len(peers.relay._fanout) == 1)
        while not peers.relay._counters.coalesced:
            await agent.send(metrics(gpu="x" * 50_000))
            await asyncio.sleep(0)

        found = await scraped(peers)

    assert found["vstats_server_coalesced_total"][()] >= 1
    assert (
        found["vstats_server_deliveries_total"][()] < found["vstats_server_reports_total"][()] + 3
    )


async def test_the_lag_of_the_event_loop_is_watched():
    async with serving() as peers:
        await until(lambda: sum(peers.relay._lag.counts) >= 2)
        found = await scraped(peers)

    name = "vstats_server_event_loop_lag_seconds"
    assert found[f"{name}_count"][()] >= 2
    assert found[f"{name}_bucket"][(("le", "+Inf"),)] == found[f"{name}_count"][()]


async def test_the_answer_is_compressed_for_whoever_takes_that():
    async with serving() as peers:
        asked = {"Accept-Encoding": "deflate, gzip;q=0.8"}
        _, headers, body = await peers.http("/metrics", headers=asked)
        _, plain_headers, plain = await peers.http("/metrics")
        refusing = {"Accept-Encoding": "gzip;q=0"}
        _, refused, _ = await peers.http("/metrics", headers=refusing)

    assert headers["content-encoding"] == "gzip"
    assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"vstats_host_info" in gzip.decompress(body)
    assert b"vstats_host_info" in plain
    assert "content-encoding" not in plain_headers
    assert "content-encoding" not in refused
    assert plain_headers["vary"] == "Accept-Encoding"


async def test_who_asks_while_an_answer_is_built_gets_the_same():
    async with serving() as peers:
        built = []
        build = peers.relay._metrics._build

        async def counted():
            built.append(1)
            return await build()

        peers.relay._metrics._build = counted
        answers = await asyncio.gather(*(peers.http("/metrics") for _ in range(20)))

    assert {status for status, _, _ in answers} == {200}
    assert len(built) < 20


def many_hosts(count: int) -> list[Host]:
    return [
        Host(id=f"h-{n}", name=f"host {n}", tags=["eu"], token=SecretStr(f"{n:030}"))
        for n in range(count)
    ]


def large_report() -> str:
    """Return a report as large as one may be, and as dear to turn into samples."""
    cpu = REPORT["cpu"] | {"cores": 4096, "per_core": [12.5] * 4096}
    disks = [REPORT["disks"][0] | {"mount_point": f"/{n}"} for n in range(700)]
    return metrics(cpu=cpu, disks=disks, fans=[{"name": str(n), "speed": n} for n in range(3000)])


async def test_no_step_on_the_way_to_a_large_answer_stalls_the_loop():
    hosts = many_hosts(500)
    async with serving(config(hosts=hosts)) as peers:
        hub = peers.relay._hub
        large, usual = read(large_report().encode()), read(metrics(fans=[]).encode())
        told = read(description(fans=list[Fan]).encode())
        for number, host in enumerate(hosts):
            hub.connected(host.id)
            hub.describe(host.id, told)
            hub.publish(host.id, large if number % 100 == 0 else usual)
        gaps = []

        async def others() -> None:
            last = time.thread_time()
            while True:
                await asyncio.sleep(0)
                now = time.thread_time()
                gaps.append(now - last)
                last = now

        # The garbage of all tests before this one is not the relay's to look through.
        gc.collect()
        gc.freeze()
        task = asyncio.create_task(others())
        body = await peers.relay._metrics.text(compressed=True)
        task.cancel()
        gc.unfreeze()

    assert gzip.decompress(body).count(b"\nvstats_load1{") == 500
    # Processor time, so that what else this machine does is not counted. Measured: 5 ms.
    assert max(gaps) < 0.02
    assert len(gaps) > 20


async def test_one_hosts_plugins_cannot_make_more_samples_than_are_bearable():
    fans = [{"name": str(n), "speed": n} for n in range(MOST_SAMPLES + 10)]
    async with serving() as peers, peers.agent() as agent:
        await agent.send(description(fans=list[Fan]))
        await agent.send(metrics(fans=fans[:-10]))
        await taken(peers)
        whole = await scraped(peers)
        await agent.send(metrics(fans=fans))
        await taken(peers, 2)
        cut = await scraped(peers)

    assert len(whole["vstats_fans_speed_rpm"]) == len(cut["vstats_fans_speed_rpm"]) == MOST_SAMPLES
    assert cut["vstats_report_truncated"] == {of("web-1"): 1}


def hostile_report(number: int) -> tuple[bytes, bytes]:
    """Return a description and a report that mean no good."""
    sections = {
        name: {
            "title": HOSTILE[:1000],
            "fields": {
                "": {"title": HOSTILE[:1000], "unit": "none", "kind": "gauge"},
                f"[].{HOSTILE[:20]}": {"title": "", "unit": "bytes", "kind": "counter"},
                "[].le": {"title": "\n", "unit": "none", "kind": "state"},
                "[].host": {"title": "\n", "unit": "none", "kind": "state"},
                "[].count": {"title": "\\", "unit": "percent", "kind": "state"},
            },
        }
        for name in (
            "up",
            "",
            "le",
            "days",
            f"{HOSTILE[:40]}{number}",
            "vstats_up",
            "memory",
            "\u202e",
        )
    }
    item = {HOSTILE[:20]: 7, "le": HOSTILE, "host": "web-2", "count": 50}
    content = {name: [item, item, {}, {"le": "a"}, 5] for name in sections if name != "memory"}
    disks = [REPORT["disks"][0] | {"mount_point": HOSTILE[:1024]}] * 2
    network = REPORT["network"] | {"interfaces": [{"name": HOSTILE[:1024], "rx": 1, "tx": 2}] * 3}
    health = {f"{HOSTILE[:900]}{n}": {"ok": True, "age": 0, "duration": 0} for n in range(2)}
    report = metrics(
        hostname=HOSTILE[:1024], disks=disks, network=network, collectors=health, **content
    )
    described = {"type": "describe", "data": {"sections": sections}}
    return json.dumps(described).encode(), report.encode()


@pytest.mark.parametrize("compressed", [False, True])
async def test_promtool_has_nothing_to_say_against_a_hundred_hosts_however_hostile(compressed):
    hosts = many_hosts(99)
    hosts.append(
        Host(
            id="evil",
            name=HOSTILE[:900],
            location='"',
            tags=["a\nb", '"}'],
            token=SecretStr("t" * 30),
        )
    )
    async with serving(config(hosts=hosts)) as peers:
        hub = peers.relay._hub
        for number, host in enumerate(hosts):
            told, report = map(read, hostile_report(number))
            hub.connected(host.id)
            hub.describe(host.id, told)
            hub.publish(host.id, report)
        await scraped(peers)
        body = await peers.relay._metrics.text(compressed=compressed)

    text = gzip.decompress(body) if compressed else body
    result = await asyncio.to_thread(
        subprocess.run,
        [program("promtool"), "check", "metrics"],
        input=text,
        check=False,
        capture_output=True,
    )
    assert (result.returncode, result.stderr, result.stdout) == (0, b"", b"")
    assert "onerror" in text.decode()


def test_promtool_would_have_something_to_say():
    bad = "vstats_memory_kilobytes_total 5\n"

    result = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=bad,
        check=False,
        capture_output=True,
        text=True,
    )

    assert result.returncode != 0
    assert "use base unit" in result.stderr + result.stdout


async def test_a_fault_while_an_answer_is_built_is_not_kept_for_the_next():
    async with serving() as peers:
        relay_metrics: Metrics = peers.relay._metrics
        relay_metrics._connections, connections = None, relay_metrics._connections
        broken, _, _ = await peers.http("/metrics")
        relay_metrics._connections = connections

        status, _, _ = await peers.http("/metrics")

    assert (broken, status) == (500, 200)
