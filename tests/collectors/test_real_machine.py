"""The collectors agree with what the machine's own programs say of it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vstats_collectors import cpu, disks, load, memory, network, os

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux's own programs")

MB = 2**20


def run(*command):
    if shutil.which(command[0]) is None:
        pytest.skip(f"needs {command[0]}")
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def settle(plugin):
    """Collect twice: the first call may have nothing to compare with."""
    return plugin.vstats_collect() or plugin.vstats_collect()


def test_cpus_are_those_that_nproc_counts(valid):
    section = valid(settle(cpu.CpuCollector()))["cpu"]

    assert (
        section["cores"]
        == len(section["per_core"])
        == int(run("env", "-u", "OMP_NUM_THREADS", "-u", "OMP_THREAD_LIMIT", "nproc"))
    )


def test_memory_is_what_meminfo_says(valid):
    section = valid(settle(memory.plugin))["memory"]
    if section["view"] == "cgroup":
        pytest.skip("a container's own limit")
    meminfo = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    size = {key: int(value.split()[0]) * 1024 for key, value in meminfo.items()}

    assert section["total"] == size["MemTotal"]
    assert section["swap_total"] == size["SwapTotal"]
    assert section["available"] == pytest.approx(size["MemAvailable"], abs=512 * MB)


def test_disks_are_what_df_says(valid):
    for disk in valid(disks.plugin.vstats_collect(disks.DisksSettings()))["disks"]:
        command = ("df", "-B1", "--output=size,used,avail,pcent,target", disk["mount_point"])
        size, used, available, percent, point = run(*command).splitlines()[1].split(maxsplit=4)

        assert (disk["mount_point"], disk["total"]) == (point, int(size))
        assert disk["used"] == pytest.approx(int(used), abs=512 * MB)
        assert disk["available"] == pytest.approx(int(available), abs=512 * MB)
        assert disk["usage_percent"] == pytest.approx(int(percent.rstrip("%")), abs=1.1)


def test_the_root_is_among_the_disks():
    fragment = disks.plugin.vstats_collect(disks.DisksSettings())

    assert "/" in [disk["mount_point"] for disk in fragment["disks"]]


def test_network_counters_are_what_the_kernel_counts(valid):
    everything = network.NetworkSettings(exclude=[])
    section = valid(network.NetworkCollector().vstats_collect(everything))["network"]
    lines = Path("/proc/net/dev").read_text().splitlines()[2:]
    fields = {line.split(":")[0].strip(): line.split(":")[1].split() for line in lines}

    assert [interface["name"] for interface in section["interfaces"]] == sorted(fields)
    for interface in section["interfaces"]:
        received, sent = int(fields[interface["name"]][0]), int(fields[interface["name"]][8])
        assert interface["rx"] == pytest.approx(received, abs=64 * MB)
        assert interface["tx"] == pytest.approx(sent, abs=64 * MB)


def test_the_system_is_what_uname_and_uptime_say(valid):
    fragment = valid(settle(os.plugin))

    assert fragment["os"]["kernel"] == run("uname", "-r")
    assert fragment["os"]["arch"] == run("uname", "-m")
    assert fragment["uptime"] == pytest.approx(float(run("cat", "/proc/uptime").split()[0]), abs=2)


def test_load_is_what_the_kernel_says(valid):
    section = valid(settle(load.plugin))["load_average"]
    one, five, fifteen, *_ = Path("/proc/loadavg").read_text().split()

    assert section == pytest.approx(
        {"one": float(one), "five": float(five), "fifteen": float(fifteen)}, abs=1
    )
