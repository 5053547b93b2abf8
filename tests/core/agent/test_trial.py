import threading
import time
from importlib.metadata import EntryPoint

import pytest

from vstats_core import Count
from vstats_core.agent.trial import judge, try_out
from vstats_core.collectors import Collector, Found
from vstats_core.settings import CollectorSettings


def collector(collect, sections=None, **settings) -> Collector:
    found = Found("fans", "acme", "1.0", EntryPoint("fans", "x", "vstats"))
    return Collector(found, CollectorSettings(**settings), collect, "enabled", sections or {})


def verdicts(collect, *, times=3, **more):
    trial = try_out(collector(collect, **more), times=times)
    return {verdict.what: verdict for verdict in judge(trial)}


def bad(collect, **more):
    return {what for what, verdict in verdicts(collect, **more).items() if not verdict.ok}


def good():
    return {"fans": 3}


def answers(*values):
    waiting = list(values)
    return lambda: waiting.pop(0)


def leak():
    threading.Thread(target=time.sleep, args=(3,), daemon=True).start()
    return {"fans": 1}


def crash():
    raise OSError("no such sensor")


def leave():
    raise SystemExit(3)


def test_a_good_collector_has_no_verdict_against_it():
    assert bad(good, sections={"fans": Count}) == set()


def test_a_collector_that_takes_its_starting_point_first_is_a_good_one():
    assert bad(answers(None, {"fans": 1}, {"fans": 2}), times=3) == set()


@pytest.mark.parametrize(
    ("collect", "complaint"),
    [
        (crash, "raises nothing"),
        (leave, "raises nothing"),
        (lambda: {"fans": float("nan")}, "returns what a report can hold"),
        (lambda: {"cpu": {}}, "returns what a report can hold"),
        (lambda: [1], "returns what a report can hold"),
        (lambda: None, "has something to say"),
        (leak, "leaves no thread running"),
    ],
    ids=["crashes", "exits", "NaN", "half a cpu", "a list", "says nothing", "leaks"],
)
def test_what_a_collector_does_wrong_is_named(collect, complaint):
    assert complaint in bad(collect)


def test_sections_that_change_from_call_to_call_are_named():
    complaint = verdicts(answers({"a": 1}, {"b": 1}, {"a": 1}))[
        "returns the same sections each time"
    ]

    assert not complaint.ok
    assert complaint.seen == "a / b"


def test_a_section_that_is_declared_and_never_returned_is_named():
    complaint = verdicts(good, sections={"fans": Count, "lamps": Count})

    assert complaint["returns every section that it declares"].seen == "never: lamps"


def test_a_collector_that_needs_most_of_its_timeout_is_not_quick():
    assert bad(lambda: time.sleep(0.06) or good(), timeout=0.1) == {"is quick"}


def test_a_collector_that_hangs_is_given_up_on():
    release = threading.Event()
    try:
        found = verdicts(release.wait, timeout=0.05)
    finally:
        release.set()

    assert not found["returns"].ok
    assert found["returns"].seen == "no answer in 0.1 s"
