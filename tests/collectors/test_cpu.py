"""Requirements for the cpu collector."""

import os
import subprocess
import sys
import threading
from types import SimpleNamespace

import psutil
import pytest

from vstats_collectors import cpu
from vstats_collectors.cpu import CpuCollector, busy_percent, parse_brand, parse_stat

FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest")


def times(**seconds):
    return dict.fromkeys(FIELDS, 0.0) | seconds


class Machine:
    """CPUs and a clock, to be set by a test."""

    def __init__(self, root, cpus, **readers):
        self.cpus = cpus
        self.moment = 0.0
        self.frequencies = [2000.0]
        known = {
            "read_frequency": lambda: self.frequencies[-1],
            "ask_brand": lambda: "asked",
        }
        self.collector = CpuCollector(
            root=root, read_times=lambda: self.cpus, clock=lambda: self.moment, **known | readers
        )

    def collect(self):
        fragment = self.collector.vstats_collect()
        return fragment and fragment["cpu"]

    def later(self, cpus):
        self.cpus = cpus
        return self.collect()


def idle(count):
    return [times(idle=10.0)] * count


def busy(*percents):
    return [times(idle=110.0 - percent, user=float(percent)) for percent in percents]


def test_the_first_call_has_nothing_to_say(tmp_path):
    assert Machine(tmp_path, idle(2)).collect() is None


def test_use_is_the_busy_share_of_the_time_since_the_previous_call(machine, valid):
    guest = Machine(machine("kvm-guest"), idle(2))
    guest.collect()

    assert valid({"cpu": guest.later(busy(25, 50))}) == {
        "cpu": {
            "brand": "AMD EPYC",
            "cores": 2,
            "usage": 37.5,
            "per_core": [25.0, 50.0],
            "frequency": 2000.0,
            "view": "host",
        }
    }
    assert guest.later([times(idle=185.0, user=125.0), times(idle=160.0, user=50.0)])[
        "per_core"
    ] == [50.0, 0.0]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (times(idle=1.0, iowait=2.0, user=1.0), 25.0),
        (times(idle=1.0, nice=1.0, system=1.0, irq=1.0, softirq=0.5, steal=0.5), 80.0),
        (times(idle=2.0, user=2.0, guest=2.0), 50.0),
        (times(user=3.0), 100.0),
        (times(idle=2.0, user=1.0), 33.3),
        (times(), 0.0),
        ({"user": 1.0, "system": 1.0, "idle": 2.0, "interrupt": 0.0, "dpc": 0.0}, 50.0),
    ],
    ids=[
        "waiting for a disk is idle",
        "all kinds of work",
        "a guest is not counted twice",
        "all of it",
        "one decimal",
        "no time passed",
        "Windows",
    ],
)
def test_busy_is_what_is_neither_idle_nor_waiting(after, expected):
    assert busy_percent(dict.fromkeys(after, 0.0), after) == expected


def test_an_iowait_that_goes_backwards_does_not_distort_the_rest():
    before = times(idle=10.0, iowait=5.0, user=10.0)
    after = times(idle=10.5, iowait=1.0, user=10.5)

    assert busy_percent(before, after) == 50.0


def test_no_field_that_goes_backwards_leads_out_of_0_to_100():
    before = times(idle=10.0, user=10.0)

    assert busy_percent(before, times(idle=9.0, user=11.0)) == 100.0
    assert busy_percent(before, times(idle=11.0, user=9.0)) == 0.0
    assert busy_percent(before, times(idle=9.0, user=9.0)) == 0.0


def test_a_cpu_that_comes_or_goes_starts_a_new_comparison(tmp_path):
    machine = Machine(tmp_path, idle(2))
    machine.collect()

    assert machine.later(idle(4)) is None
    assert machine.later(busy(10, 20, 30, 40))["per_core"] == [10.0, 20.0, 30.0, 40.0]
    assert machine.later(busy(10, 20)) is None


def test_a_server_with_128_cpus_fits_in_a_report(tmp_path, valid):
    machine = Machine(tmp_path, idle(128))
    machine.collect()

    section = valid({"cpu": machine.later(busy(*[n % 101 for n in range(128)]))})["cpu"]

    assert section["cores"] == 128
    assert section["per_core"][127] == 26.0
    assert section["usage"] == round(sum(section["per_core"]) / 128, 1)


def test_the_frequency_is_read_again_after_30_seconds(tmp_path):
    machine = Machine(tmp_path, idle(1))
    machine.collect()
    machine.frequencies = [3000.0]

    machine.moment = 29.9
    assert machine.later(busy(1))["frequency"] == 2000.0
    machine.moment = 30.0
    assert machine.later(busy(2))["frequency"] == 3000.0


def refuses(error):
    def cpu_freq():
        raise error

    return cpu_freq


@pytest.mark.parametrize(
    ("cpu_freq", "expected"),
    [
        (lambda: SimpleNamespace(current=1800.04), 1800.0),
        (lambda: None, 0.0),
        (refuses(NotImplementedError()), 0.0),
        (refuses(OSError()), 0.0),
        (refuses(ValueError()), 0.0),
    ],
    ids=["MHz", "not told", "not implemented", "not readable", "not a number"],
)
def test_a_machine_that_tells_no_frequency_reports_0(cpu_freq, expected, monkeypatch):
    monkeypatch.setattr(psutil, "cpu_freq", cpu_freq)

    assert cpu.read_frequency() == expected


def test_a_platform_without_frequencies_reports_0(monkeypatch):
    monkeypatch.delattr(psutil, "cpu_freq")

    assert cpu.read_frequency() == 0.0


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        (
            "processor\t: 0\nmodel\t\t: 85\nmodel name\t: Intel(R)  Xeon(R)   Gold\n",
            "Intel(R) Xeon(R) Gold",
        ),
        ("Processor\t: ARMv7 Processor rev 5\nHardware\t: sun8i\n", "sun8i"),
        ("cpu\t\t: POWER9, altivec supported\n", "POWER9, altivec supported"),
        ("processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n", ""),
        ("processor\t: 0\nmodel name\t: \n", ""),
        ("model name\t: Cortex-A76\n\nmodel name\t: Cortex-A55\n", "Cortex-A76"),
        ("", ""),
    ],
    ids=["x86", "ARM board", "POWER", "ARM server", "empty name", "two kinds", "no such file"],
)
def test_the_brand_is_what_cpuinfo_says(cpuinfo, expected):
    assert parse_brand(cpuinfo) == expected


def test_a_raspberry_pi_is_named_after_its_board(machine):
    pi = Machine(machine("raspberry-pi"), idle(4), ask_brand=refuses(AssertionError()))
    pi.collect()

    assert pi.later(busy(1, 2, 3, 4))["brand"] == "Raspberry Pi 4 Model B Rev 1.4"


def asking():
    return [thread for thread in threading.enumerate() if thread.name == "cpu brand"]


def test_py_cpuinfo_is_asked_once_and_never_waited_for(tmp_path):
    calls = []
    may_answer = threading.Event()

    def ask_brand():
        calls.append(threading.current_thread())
        may_answer.wait()
        return "Neoverse-N1"

    machine = Machine(tmp_path, idle(1), ask_brand=ask_brand)
    machine.collect()
    threads = asking()
    assert machine.later(busy(1))["brand"] == ""
    may_answer.set()
    for thread in threads:
        thread.join()

    assert machine.later(busy(2))["brand"] == "Neoverse-N1"
    assert len(calls) == 1
    assert calls[0].daemon


def test_a_brand_that_nobody_knows_stays_empty(tmp_path):
    machine = Machine(tmp_path, idle(1), ask_brand=refuses(RuntimeError("no such CPU")))
    machine.collect()
    for thread in asking():
        thread.join()

    assert machine.later(busy(1))["brand"] == ""


@pytest.mark.parametrize(
    ("answer", "expected"), [({"brand_raw": "Cortex-A72"}, "Cortex-A72"), ({}, "")]
)
def test_py_cpuinfos_answer_may_lack_the_brand(answer, expected, monkeypatch):
    fake = SimpleNamespace(get_cpu_info=lambda: answer)
    monkeypatch.setitem(sys.modules, "cpuinfo", fake)

    assert cpu.ask_cpuinfo() == expected


def test_py_cpuinfo_is_not_even_imported_before_it_is_needed():
    program = "import vstats_collectors.cpu, sys; sys.exit('cpuinfo' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_container_on_some_cpus_reports_these(machine, valid):
    docker = Machine(machine("docker-container"), idle(8))
    docker.collect()

    section = valid({"cpu": docker.later(busy(0, 10, 20, 30, 40, 50, 60, 70))})["cpu"]

    assert section["per_core"] == [20.0, 30.0]
    assert (section["cores"], section["usage"]) == (2, 25.0)
    assert (section["view"], section["limit"]) == ("cgroup", 1.5)


def test_a_container_of_cgroup_version_1_reports_its_cpus(machine, valid):
    lxc = Machine(machine("lxc-container"), idle(4))
    lxc.collect()

    section = valid({"cpu": lxc.later(busy(0, 10, 20, 30))})["cpu"]

    assert section["per_core"] == [10.0, 30.0]
    assert (section["view"], section["limit"]) == ("cgroup", 0.5)


def test_times_that_lxc_has_already_cut_are_not_cut_again(machine):
    lxc = Machine(machine("lxc-container"), idle(2))
    lxc.collect()

    section = lxc.later(busy(10, 30))

    assert (section["per_core"], section["view"]) == ([10.0, 30.0], "cgroup")


def test_cpus_that_are_offline_do_not_shift_the_others(tmp_path):
    write(tmp_path, "sys/devices/system/cpu/online", "0,2,4-5")
    write(tmp_path, "sys/fs/cgroup/cpuset.cpus.effective", "2,5")
    machine = Machine(tmp_path, idle(4))
    machine.collect()

    assert machine.later(busy(0, 20, 40, 50))["per_core"] == [20.0, 50.0]


def test_the_limits_of_the_agents_own_unit_are_not_the_machines(tmp_path):
    unit = "sys/fs/cgroup/system.slice/vstats-agent.service"
    write(tmp_path, "sys/devices/system/cpu/online", "0-1")
    write(tmp_path, "sys/fs/cgroup/cpuset.cpus.effective", "0-1")
    write(tmp_path, f"{unit}/cpuset.cpus.effective", "1")
    write(tmp_path, f"{unit}/cpu.max", "10000 100000")
    machine = Machine(tmp_path, idle(2))
    machine.collect()

    section = machine.later(busy(10, 30))

    assert (section["cores"], section["view"], "limit" in section) == (2, "host", False)


@pytest.mark.parametrize(
    "files",
    [
        {"cpu.max": "max 100000"},
        {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"},
    ],
    ids=["version 2", "version 1"],
)
def test_without_a_quota_there_is_no_limit(files, tmp_path):
    for name, text in files.items():
        write(tmp_path, f"sys/fs/cgroup/{name}", text)
    machine = Machine(tmp_path, idle(1))
    machine.collect()

    assert "limit" not in machine.later(busy(1))


def write(root, path, text):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{text}\n")


STAT = """\
cpu  30 3 9 300 15 3 6 12 99 9
cpu0 10 1 3 100 5 1 2 4 33 3
cpu2 20 2 6 200 10 2 4 8
intr 12345 0 0
cpuidle is no cpu
"""


def test_the_kernels_table_gives_each_cpus_times_without_those_of_guests():
    first, second = parse_stat(STAT)

    # A guest's time is in user and nice already.
    assert first == {
        "user": 10,
        "nice": 1,
        "system": 3,
        "idle": 100,
        "iowait": 5,
        "irq": 1,
        "softirq": 2,
        "steal": 4,
    }
    assert (second["user"], second["steal"]) == (20, 8)


@pytest.mark.parametrize("source", ["the kernel's table", "psutil"])
def test_the_times_of_this_machine_are_what_psutil_says(source, monkeypatch, tmp_path):
    if source == "psutil":
        monkeypatch.setattr(cpu, "STAT", tmp_path / "absent")
        unit = 1.0
    else:
        unit = float(os.sysconf("SC_CLK_TCK"))
    before = psutil.cpu_times(percpu=True)

    found = cpu.read_times()

    after = psutil.cpu_times(percpu=True)
    assert len(found) == len(after)
    for early, times, late in zip(before, found, after, strict=True):
        for field in ("user", "system", "idle"):
            earliest, latest = getattr(early, field), getattr(late, field)
            assert earliest <= times[field] / unit <= latest
