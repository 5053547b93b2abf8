"""Requirements for what is made of the processes that were read."""

import pytest

from vstats_core import Section
from vstats_processes import ProcessesCollector, ProcessesSettings
from vstats_processes.readers import Identity, Process

GB = 2**30
MB = 2**20


class Machine:
    """A machine with these processes; reads nothing."""

    def __init__(self, clock, *processes, cpus=1):
        self.clock = clock
        self.now = list(processes)
        self.asked = []
        self.collector = ProcessesCollector(reader=self, clock=clock, cpus=lambda: cpus)
        self.collector.vstats_collect(ProcessesSettings())

    def processes(self):
        return self.now

    def user(self, pid):
        return {1: "root"}.get(pid, "www")

    def command(self, pid):
        self.asked.append(pid)
        return f"program --number {pid}" if pid != 2 else None

    def later(self, seconds, *processes, **settings):
        self.clock.advance(seconds)
        self.now = list(processes)
        return self.collector.vstats_collect(ProcessesSettings(**settings))["processes"]


@pytest.fixture
def started(fake_clock):
    """Return a function that makes a machine whose first call is over."""

    def start(*processes, cpus=1):
        return Machine(fake_clock, *processes, cpus=cpus)

    return start


def process(pid, cpu=0.0, memory=0, *, started=1.0, name="worker", state="S", threads=1):
    return Process(Identity(pid, started), name, state, threads, cpu, memory)


def cpu(section):
    return {item["pid"]: item["cpu"] for item in section["by_cpu"]}


def test_the_first_call_has_nothing_to_compare_with(fake_clock, run_collector):
    machine = Machine(fake_clock)

    assert run_collector(ProcessesCollector(reader=machine)) is None


def test_the_section_says_how_many_there_are_and_which_use_the_most(started):
    machine = started(process(1, 5.0, MB), process(2, 3.0, GB))

    section = machine.later(
        10.0,
        process(1, 9.0, MB, name="init", state="R", threads=3),
        process(2, 3.5, GB, name="database", threads=20),
        process(3, 0.0, 0, started=2.0, state="Z"),
        top=2,
    )

    init = {"pid": 1, "name": "init", "cpu": 40.0, "memory": MB, "user": "root"}
    database = {"pid": 2, "name": "database", "cpu": 5.0, "memory": GB, "user": "www"}
    assert section == {
        "total": 3,
        "running": 1,
        "zombies": 1,
        "threads": 24,
        "by_cpu": [init, database],
        "by_memory": [database, init],
    }


def test_cpu_is_a_share_of_all_cpus_together(started):
    machine = started(process(1), cpus=4)

    assert cpu(machine.later(10.0, process(1, 20.0))) == {1: 50.0}


def test_a_process_that_has_started_since_counts_with_all_that_it_used(started):
    machine = started()

    assert cpu(machine.later(10.0, process(7, 2.5, started=99.0))) == {7: 25.0}


def test_a_reused_number_is_another_process(started):
    machine = started(process(7, 1000.0, started=1.0))

    assert cpu(machine.later(10.0, process(7, 2.0, started=99.0))) == {7: 20.0}


@pytest.mark.parametrize(
    ("used", "expected"), [(10.01, 100.0), (-5.0, 0.0)], ids=["a tick too many", "backwards"]
)
def test_a_share_stays_within_its_bounds(started, used, expected):
    machine = started(process(1, 100.0))

    assert cpu(machine.later(10.0, process(1, 100.0 + used))) == {1: expected}


def test_no_time_is_no_division_by_zero(started):
    machine = started(process(1, 1.0))

    assert cpu(machine.later(0.0, process(1, 2.0))) == {1: 0.0}


def test_what_may_not_be_known_is_counted_and_not_listed(started):
    machine = started()

    section = machine.later(10.0, process(1, None, None), process(2, 1.0, MB))

    assert section["total"] == 2
    assert [item["pid"] for item in section["by_cpu"] + section["by_memory"]] == [2, 2]


def test_idle_processes_are_listed_by_memory_and_number_so_that_the_list_stands_still(started):
    machine = started()
    processes = [process(pid, memory=memory) for pid, memory in [(4, 1), (3, 1), (2, 9), (1, 0)]]

    assert list(cpu(machine.later(10.0, *processes))) == [2, 3, 4, 1]
    assert list(cpu(machine.later(10.0, *reversed(processes)))) == [2, 3, 4, 1]


def test_command_lines_are_not_even_read_unless_asked_for(started):
    machine = started()

    hidden = machine.later(10.0, process(1))
    asked_by_default = list(machine.asked)
    shown = machine.later(10.0, process(1), command_lines=True)

    assert asked_by_default == []
    assert "command" not in hidden["by_cpu"][0]
    assert shown["by_cpu"][0]["command"] == "program --number 1"


def test_a_process_without_a_command_line_has_no_such_field(started):
    section = started().later(10.0, process(2), command_lines=True)

    assert "command" not in section["by_cpu"][0]


def test_users_can_be_left_out(started):
    assert "user" not in started().later(10.0, process(1), users=False)["by_cpu"][0]


def test_only_the_processes_that_are_listed_are_asked_for_more(started):
    machine = started()

    machine.later(10.0, *(process(pid, memory=pid) for pid in range(1000)), command_lines=True)

    assert sorted(set(machine.asked)) == [995, 996, 997, 998, 999]


def test_the_longest_names_of_a_hundred_processes_fit_into_a_report(fake_clock, run_collector):
    class Wide(Machine):
        def user(self, pid):
            return "u" * 32

        def command(self, pid):
            return '"' * 200

    def wide(pid):
        return process(10**6 + pid, pid % 10, (99 - pid) * 10**12, name='"' * 15)

    machine = Wide(fake_clock)
    machine.now = [wide(pid) for pid in range(100)]

    fragment = run_collector(machine.collector, top=50, command_lines=True)

    assert len(fragment["processes"]["by_cpu"]) == 50


@pytest.mark.parametrize("top", [0, 51, True], ids=["none", "too many", "no number"])
def test_a_list_has_1_to_50_processes(top):
    with pytest.raises(ValueError, match="top"):
        ProcessesSettings(top=top)


def test_the_section_is_declared_with_its_units():
    sections = ProcessesCollector().vstats_sections()

    assert list(sections) == ["processes"]
    assert issubclass(sections["processes"], Section)
