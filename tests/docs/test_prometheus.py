import json
import re
import subprocess
from pathlib import Path

import pytest
from kit import metrics, serving, until
from tools import program

from vstats_core.wire.describe import describe
from vstats_sensors.section import Sensors
from vstats_server.prometheus import INTERVALS, MOST_SAMPLES, SHOWN_FOR
from vstats_server.prometheus.names import RESERVED_LABELS
from vstats_server.prometheus.report import FAMILIES
from vstats_server.prometheus.text import LONGEST_VALUE

PAGE = (Path(__file__).parents[2] / "docs" / "prometheus.md").read_text()
FILES = dict(re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text.replace("/etc/prometheus/", f"{tmp_path}/"))
    (tmp_path / "vstats-password").write_text("secret")
    return tmp_path


def test_promtool_accepts_the_scrape_configuration_and_the_rules(folder):
    result = subprocess.run(
        [program("promtool"), "check", "config", folder / "prometheus.yml"],
        check=False,
        capture_output=True,
        text=True,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert "SUCCESS: 1 rule files found" in result.stdout
    assert f"SUCCESS: {FILES['vstats-rules.yml'].count('- alert:')} rules found" in result.stdout


def test_the_alerts_go_off_when_they_should(folder):
    series = {
        'vstats_up{host="gone"}': "0x20",
        'vstats_up{host="still"}': "1x20",
        'vstats_report_age_seconds{host="still"}': "100x20",
        'vstats_agent_interval_seconds{host="still"}': "1x20",
        'vstats_disk_usage_ratio{host="still",mount_point="/"}': "0.95x20",
        'vstats_memory_usage_ratio{host="still"}': "0.97x20",
        'vstats_load5{host="still"}': "9x20",
        'vstats_cpu_cores{host="still"}': "4x20",
        'vstats_collector_up{host="still",collector="cpu"}': "0x20",
    }
    expected = {
        "HostDown": {"host": "gone", "severity": "critical"},
        "HostStale": {"host": "still", "severity": "warning"},
        "DiskAlmostFull": {"host": "still", "mount_point": "/", "severity": "warning"},
        "MemoryAlmostFull": {"host": "still", "severity": "warning"},
        "LoadHigh": {"host": "still", "severity": "warning"},
        "CollectorFailing": {"host": "still", "collector": "cpu", "severity": "warning"},
    }
    annotations = re.findall(
        r"alert: (\w+)(?:.*\n)*?.*summary: \"(.*)\"", FILES["vstats-rules.yml"]
    )
    assert expected.keys() <= dict(annotations).keys()
    cases = {
        "rule_files": ["vstats-rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": k, "values": v} for k, v in series.items()],
                "promql_expr_test": [
                    {
                        "expr": f'ALERTS{{alertname="{name}",alertstate="firing"}}',
                        "eval_time": "18m",
                        "exp_samples": [
                            {
                                "labels": "ALERTS{"
                                + ",".join(
                                    f'{key}="{value}"'
                                    for key, value in (
                                        labels | {"alertname": name, "alertstate": "firing"}
                                    ).items()
                                )
                                + "}",
                                "value": 1,
                            }
                        ],
                    }
                    for name, labels in expected.items()
                ],
            }
        ],
    }
    (folder / "test.yml").write_text(json.dumps(cases))

    result = subprocess.run(
        [program("promtool"), "test", "rules", "test.yml"],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )

    assert result.returncode == 0, result.stdout + result.stderr


async def test_the_page_names_every_family_and_no_other():
    health = {"cpu": {"ok": True, "age": 0, "duration": 0}}
    sensors = {
        "temperatures": [{"name": "coretemp", "label": "Core 0", "current": 47.5}],
        "fans": [{"name": "thinkpad", "label": "fan1", "speed": 2210}],
        "battery": {"percent": 80.0},
    }
    told = {"type": "describe", "data": {"sections": describe({"sensors": Sensors})}}
    async with serving() as peers, peers.agent() as agent:
        await agent.send(json.dumps(told))
        await agent.send(
            metrics(collectors=health, agent={"version": "1", "interval": 1}, sensors=sensors)
        )
        await until(lambda: peers.relay._counters.reports)
        await peers.http("/healthz")
        _, _, body = await peers.http("/metrics")
    there = set(re.findall(rb"^# TYPE (\w+)", body, re.MULTILINE))
    families = {name.decode() for name in there} | FAMILIES.keys()

    named = set(re.findall(r"\b((?:vstats|process)_[a-z0-9_]+[a-z0-9])\b", PAGE))
    named = {re.sub(r"_bucket$", "", name) for name in named} - {"vstats_plugin"}

    assert named == families
    for line in re.search(r"```\n(vstats_sensors.*?)```", PAGE, re.DOTALL)[1].splitlines():
        # The order of labels means nothing.
        name, labels, value = re.fullmatch(r"(\w+)\{(.*)\} (\S+)", line).groups()
        (found,) = re.findall(rf"^{name}{{(.*)}} {value}$", body.decode(), re.MULTILINE)
        assert set(found.split(",")) == set(labels.split(","))


def test_the_figures_on_the_page_are_those_of_the_code():
    assert SHOWN_FOR == 5 * 60
    assert INTERVALS == 3
    assert f"{MOST_SAMPLES:,} samples" in PAGE
    assert f"after {LONGEST_VALUE} characters" in PAGE
    for name in RESERVED_LABELS:
        assert f"`{name}`" in PAGE
