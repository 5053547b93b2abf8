"""Requirements for the memory collector."""

import psutil
import pytest

from vstats_collectors.memory import MemoryCollector, parse_meminfo, read_psutil

KB = 1024
MB = 1024 * KB


def collect(root):
    return MemoryCollector(root=root).vstats_collect()


def write(root, files):
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")


def test_used_is_what_is_not_available(machine, valid):
    fragment = valid(collect(machine("kvm-guest")))

    assert fragment == {
        "memory": {
            "total": 24684096 * KB,
            "used": (24684096 - 24404540) * KB,
            "available": 24404540 * KB,
            "swap_total": 0,
            "swap_used": 0,
            "usage_percent": round(100 * (24684096 - 24404540) / 24684096, 1),
            "view": "host",
        }
    }


def test_a_kernel_without_memavailable_counts_what_is_free_buffered_and_cached():
    section = parse_meminfo(
        "MemTotal: 1000 kB\nMemFree: 100 kB\nBuffers: 20 kB\nCached: 380 kB\n"
        "SwapTotal: 500 kB\nSwapFree: 125 kB\n"
    )

    assert section == {
        "total": 1000 * KB,
        "used": 500 * KB,
        "available": 500 * KB,
        "swap_total": 500 * KB,
        "swap_used": 375 * KB,
        "usage_percent": 50.0,
    }


def test_available_never_exceeds_total():
    section = parse_meminfo("MemTotal: 1000 kB\nMemAvailable: 1200 kB\n")

    assert (section["available"], section["used"]) == (1000 * KB, 0)


def test_no_memory_is_no_division_by_zero():
    assert parse_meminfo("MemTotal: 0 kB\nMemAvailable: 0 kB\n")["usage_percent"] == 0.0


def test_a_container_reports_its_limit_without_the_cache_that_is_given_back(machine, valid):
    fragment = valid(collect(machine("docker-container")))

    assert fragment == {
        "memory": {
            "total": 512 * MB,
            "used": 200 * MB,
            "available": 312 * MB,
            "swap_total": 256 * MB,
            "swap_used": 1 * MB,
            "usage_percent": 39.1,
            "view": "cgroup",
        }
    }


def test_a_container_of_cgroup_version_1_reports_its_limit(machine, valid):
    fragment = valid(collect(machine("lxc-container")))

    assert fragment == {
        "memory": {
            "total": 1024 * MB,
            "used": 500 * MB,
            "available": 524 * MB,
            "swap_total": 512 * MB,
            "swap_used": 8 * MB,
            "usage_percent": 48.8,
            "view": "cgroup",
        }
    }


MEMINFO = {"proc/meminfo": "MemTotal: 8192 kB\nMemAvailable: 4096 kB\nSwapTotal: 2048 kB"}
ROOT = "sys/fs/cgroup"


@pytest.mark.parametrize(
    "files",
    [
        {f"{ROOT}/memory.max": "max"},
        {f"{ROOT}/memory.max": 8192 * KB},
        {f"{ROOT}/memory/memory.limit_in_bytes": 2**63 - 4096},
        {f"{ROOT}/system.slice/vstats-agent.service/memory.max": 1024 * KB},
    ],
    ids=["no limit", "the machine's own size", "no limit, version 1", "limit of the agent's unit"],
)
def test_without_a_lower_limit_at_the_root_the_machine_is_reported(files, tmp_path):
    write(tmp_path, MEMINFO | files)

    section = collect(tmp_path)["memory"]

    assert (section["total"], section["view"]) == (8192 * KB, "host")


@pytest.mark.parametrize(
    ("current", "used"), [(100, 0), (3 * MB, 2 * MB)], ids=["below nothing", "above the limit"]
)
def test_a_containers_use_stays_within_its_limit(current, used, tmp_path, valid):
    limit = {"memory.max": 2 * MB, "memory.current": current, "memory.stat": "inactive_file 4096"}
    write(tmp_path, MEMINFO | {f"{ROOT}/{name}": text for name, text in limit.items()})

    section = valid(collect(tmp_path))["memory"]

    assert (section["used"], section["available"]) == (used, 2 * MB - used)


@pytest.mark.parametrize("limit", ["max", 64 * MB], ids=["no limit", "a limit beyond it"])
def test_a_container_has_no_more_swap_than_its_machine(limit, tmp_path, valid):
    write(tmp_path, MEMINFO | {f"{ROOT}/memory.max": 2 * MB, f"{ROOT}/memory.swap.max": limit})

    assert valid(collect(tmp_path))["memory"]["swap_total"] == 2048 * KB


def test_where_there_is_no_meminfo_psutil_is_asked(tmp_path, valid):
    collector = MemoryCollector(root=tmp_path, read_elsewhere=read_psutil)

    section = valid(collector.vstats_collect())["memory"]

    assert section["total"] == psutil.virtual_memory().total
    assert section["used"] == section["total"] - section["available"]


def test_a_limit_that_is_set_later_is_found_within_30_seconds(machine, tmp_path):
    moment = 100.0
    write(tmp_path, {"proc/meminfo": "MemTotal: 1000 kB\nMemAvailable: 500 kB"})
    collector = MemoryCollector(root=tmp_path, clock=lambda: moment)
    assert collector.vstats_collect()["memory"]["view"] == "host"

    write(
        tmp_path,
        {
            "sys/fs/cgroup/memory.max": str(400 * KB),
            "sys/fs/cgroup/memory.current": str(100 * KB),
            "sys/fs/cgroup/memory.stat": "inactive_file 0",
        },
    )
    moment += 30

    section = collector.vstats_collect()["memory"]
    assert (section["view"], section["total"], section["used"]) == ("cgroup", 400 * KB, 100 * KB)
