"""Debian's own Prometheus scrapes a relay with an agent of this very machine."""

import contextlib
import json
import re
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from programs import PROMPT, Fleet, agent, free_port
from tools import program

PAGE = (Path(__file__).parents[2] / "docs" / "prometheus.md").read_text()
(QUERIES,) = re.findall(r"```promql\n(.*?)```", PAGE, re.DOTALL)


class Prometheus:
    """A Prometheus that scrapes one target every second; it keeps its data in ``folder``."""

    def __init__(self, folder: Path, target: int) -> None:
        self.port = free_port()
        (config,) = re.findall(r"```yaml\n(# prometheus.yml\n.*?)```", PAGE, re.DOTALL)
        text = config.replace("127.0.0.1:3001", f"127.0.0.1:{target}").replace("15s", "1s")
        file = folder / "prometheus.yml"
        file.write_text(text.replace("/etc/prometheus/", f"{folder}/"))
        (folder / "vstats-password").write_text("secret")
        (rules,) = re.findall(r"```yaml\n(# vstats-rules.yml\n.*?)```", PAGE, re.DOTALL)
        (folder / "vstats-rules.yml").write_text(rules)
        self.log = folder / "prometheus.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    program("prometheus"),
                    f"--config.file={file}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def get(self, path: str, **query: str) -> dict:
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=PROMPT) as answer:
            return json.load(answer)["data"]

    def query(self, text: str) -> list[tuple[dict[str, str], float]]:
        """Return labels and value of each sample that answers the query."""
        found = self.get("query", query=text)["result"]
        return [(each["metric"], float(each["value"][1])) for each in found]

    def until(self, text: str, value: float) -> None:
        """Wait until the query has one answer, of that value."""
        deadline = time.monotonic() + 3 * PROMPT
        found: list = []
        while [each for _, each in found] != [value]:
            assert time.monotonic() < deadline, f"{text} is {found}\n{self.log.read_text()}"
            time.sleep(0.1)
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                found = self.query(text)


@contextlib.contextmanager
def prometheus(folder: Path, target: int) -> Iterator[Prometheus]:
    server = Prometheus(folder, target)
    try:
        yield server
    finally:
        server.process.send_signal(signal.SIGTERM)
        try:
            server.process.wait(PROMPT)
        except subprocess.TimeoutExpired:
            server.process.kill()
            server.process.wait()


@pytest.mark.timeout(120)
def test_prometheus_scrapes_the_server_and_knows_this_machine(tmp_path):
    fleet = Fleet(tmp_path)
    file = fleet.add("web-1")
    fleet.add("web-2")
    with fleet.relay(), prometheus(tmp_path, fleet.port) as watcher:
        with agent(file):
            watcher.until('vstats_up{host="web-1"}', 1)
            watcher.until('count(vstats_memory_total_bytes{host="web-1"})', 1)
            ((labels, total),) = watcher.query("vstats_memory_total_bytes")
            reported = next(host for host in fleet.hosts() if host["id"] == "web-1")["metrics"]
            assert total == reported["memory"]["total"]
            assert labels["host"] == "web-1"
            assert labels["job"] == "vstats"
            cores = watcher.query("count(vstats_cpu_core_usage_ratio)")
            assert [value for _, value in cores] == [reported["cpu"]["cores"]]
            mounts = {
                labels["mount_point"] for labels, _ in watcher.query("vstats_disk_used_bytes")
            }
            assert mounts == {disk["mount_point"] for disk in reported["disks"]}
            watcher.until("count(vstats_collector_up == 1) > bool 5", 1)
            watcher.until("rate(vstats_server_reports_total[5s]) > bool 0.5", 1)
            for line in QUERIES.splitlines():
                if not line.startswith("#"):
                    watcher.query(line)
        watcher.until('vstats_up{host="web-1"}', 0)
        (target,) = watcher.get("targets")["activeTargets"]
        types = {name: told[0]["type"] for name, told in watcher.get("metadata").items()}
        log = watcher.log.read_text()

    assert (target["health"], target["lastError"]) == ("up", "")
    assert types["vstats_network_receive_bytes_total"] == "counter"
    assert types["vstats_server_event_loop_lag_seconds"] == "histogram"
    assert not re.findall(r".*level=(?:warn|error).*", log)
