import math

import pytest

from lab.faults.ledger import Ledger, Losses, Outage

FIRST = "web-1 e1"


@pytest.fixture
def ledger(tmp_path):
    return Written(tmp_path)


class Written(Ledger):
    """A ledger of what a test writes."""

    def __init__(self, folder):
        super().__init__(folder / "oracle.log")
        self.folder = folder
        self.follow(folder / "agent.collected")

    def write(self, oracle="", collected=""):
        for name, text in (("oracle.log", oracle), ("agent.collected", collected)):
            with (self.folder / name).open("a") as file:
                file.write(text)
        self.read()


def collected(numbers, host=FIRST):
    """Return what an agent writes down that collects one a second."""
    return "".join(f"{host} {number} {number}.0\n" for number in numbers)


def arrived(numbers, host=FIRST):
    """Return what the oracle writes down a tenth of a second later."""
    return "".join(f"M {number}.1 {host} {number}\n" for number in numbers)


def test_what_is_collected_and_arrives_is_not_lost(ledger):
    ledger.write(arrived(range(1, 11)), collected(range(1, 11)))

    assert ledger.losses() == Losses(10, 10, 0, 0)


def test_a_report_that_is_missing_between_others_is_lost(ledger):
    ledger.write(arrived([1, 2, 4]), collected([1, 2, 3, 4]))

    assert ledger.losses() == Losses(4, 3, 0, 1)


def test_what_is_lost_during_a_fault_is_counted_apart(ledger):
    ledger.write(arrived([1, 2, 3, 4, 9, 10]), collected(range(1, 11)))
    ledger.outage(["web-1"], 5.5, 8.5)

    # 5 was underway, 6 to 8 were collected while nothing could arrive.
    assert ledger.losses() == Losses(10, 6, 4, 0)
    assert ledger.recoveries() == [pytest.approx(0.6)]


def test_another_hosts_fault_excuses_nothing(ledger):
    ledger.write(arrived([1, 2, 4]), collected([1, 2, 3, 4]))
    ledger.outage(["web-2"], 0, 4)

    assert ledger.losses().while_up == 1


def test_what_is_collected_at_the_very_end_is_not_missed(ledger):
    ledger.write(arrived([1, 2]), collected([1, 2, 3]))

    assert ledger.losses(until=2.5) == Losses(2, 2, 0, 0)


def test_numbers_begin_anew_when_an_agent_does(ledger):
    ledger.write(
        arrived([1, 2]) + "M 3.1 web-1 e2 1\n",
        collected([1, 2]) + "web-1 e2 1 3.0\nweb-1 e2 2 4.0\n",
    )

    assert ledger.losses() == Losses(4, 3, 0, 1)
    assert ledger.wrong == []


def test_a_report_that_comes_again_counts_once(ledger):
    ledger.write("M 1.1 web-1 e1 1\nM 1.2 web-1 e1 1\n", collected([1]))

    assert ledger.losses() == Losses(1, 1, 0, 0)
    assert ledger.arrivals("web-1") == 1


def test_an_older_report_after_a_newer_is_against_the_protocol(ledger):
    ledger.write("M 1.1 web-1 e1 2\nM 1.2 web-1 e1 1\n")

    assert ledger.wrong == ["report 1 of web-1 came after 2"]


def test_what_waited_in_a_buffer_does_not_show_that_its_host_is_back(ledger):
    ledger.write(arrived([1]) + "M 60.1 web-1 e1 2\nM 60.2 web-1 e1 3\n", collected([1, 2, 3]))
    ledger.outage(["web-1"], 1.5, 60)
    assert ledger.recoveries() == [math.inf]

    ledger.write("M 70.1 web-1 e1 70\n", collected(range(4, 71)))

    assert ledger.recoveries() == [pytest.approx(10.1)]
    assert ledger.losses() == Losses(70, 4, 66, 0)


def test_who_does_not_come_back_is_waited_for_for_ever(ledger):
    ledger.write(arrived([1]), collected([1]))
    ledger.outage(["web-1"], 2, 3)

    assert ledger.recoveries() == [math.inf]
    assert not ledger.all_back(["web-1"], 3)


@pytest.mark.parametrize(
    ("line", "false"),
    [
        ("S 5.2 web-1 0", False),
        ("S 9.2 web-1 0", True),
        ("S 5.2 web-2 0", True),
        ("S 9.2 web-1 1", False),
        ("S 7.2 web-1 1", True),
    ],
    ids=[
        "offline while it is away",
        "offline when it is back",
        "offline, which was never away",
        "online when it is back",
        "online while it is dead",
    ],
)
def test_a_status_is_held_against_the_truth(ledger, line, false):
    ledger.write(arrived([1, 2, 3, 4, 9]) + line + "\n", collected(range(1, 10)))
    ledger.outage(["web-1"], 5, 8)

    told = ledger.false_statuses(dead=[Outage("web-1", 5, 8)])

    assert [each.host for each in told] == ([line.split()[2]] if false else [])


def test_a_line_that_is_half_written_is_read_when_it_is_whole(ledger):
    ledger.write("M 1.1 web-1 e")
    assert ledger.arrivals("web-1") == 0
    ledger.write("1 1\n")

    assert ledger.arrivals("web-1") == 1
