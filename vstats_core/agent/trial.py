"""Run a collector a few times, by itself, and judge what it does."""

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from vstats_core.agent.compose import MAX_FRAGMENT, Sections, check_fragment
from vstats_core.agent.threads import Offspring
from vstats_core.agent.workers import SOON
from vstats_core.collectors import Collector, adapters
from vstats_core.errors import VStatsError

__all__ = ["Outcome", "Trial", "Verdict", "judge", "try_out"]

TIMES = 10
SLOW = 0.5
"""The share of its timeout that a collector may use without a word."""
THREADS_END = 0.5
"""Seconds that a thread which a call has started may outlive it."""


@dataclass(frozen=True)
class Outcome:
    """What came of one call: a fragment and its JSON, nothing to say, or an error."""

    duration: float
    fragment: Any = None
    sections: Sections = field(default_factory=dict)
    error: BaseException | None = None
    hung: bool = False


@dataclass(frozen=True)
class Trial:
    """A few calls, one after another."""

    collector: Collector
    outcomes: list[Outcome]
    threads_left: int


@dataclass(frozen=True)
class Verdict:
    """Whether one thing is as it should be, and what was seen."""

    ok: bool
    what: str
    seen: str


def try_out(
    collector: Collector,
    *,
    times: int = TIMES,
    pause: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Trial:
    """Call the collector so many times, on one thread of its own, as the agent does.

    Between two calls passes ``pause``: by default the half second that the agent gives a collector
    after a first None, once, and after that as good as nothing. A call that outlasts twice its
    timeout is given up on, and the trial with it.
    """
    outcomes: list[Outcome] = []
    declared = adapters(collector.sections)

    def work() -> None:
        for number in range(times):
            outcomes.append(_call(collector, declared))
            first_was_none = number == 0 and outcomes[0].fragment is None
            sleep(pause if pause is not None else SOON if first_was_none else 0.01)

    thread = threading.Thread(target=work, name=f"trial of {collector.found.name}", daemon=True)
    offspring = Offspring(thread)
    thread.start()
    limit = collector.settings.timeout * 2
    while thread.is_alive():
        done = len(outcomes)
        thread.join(limit + (pause or 0) + SOON)
        if thread.is_alive() and len(outcomes) == done:
            outcomes.append(Outcome(limit, hung=True))
            return Trial(collector, outcomes, offspring.count())
    deadline = time.monotonic() + THREADS_END
    while offspring.count() and time.monotonic() < deadline:
        time.sleep(0.01)
    return Trial(collector, outcomes, offspring.count())


def judge(trial: Trial) -> list[Verdict]:
    """Return a verdict on everything that a good collector does."""
    return list(_verdicts(trial))


def _call(collector: Collector, declared: dict[str, TypeAdapter[Any]]) -> Outcome:
    started = time.monotonic()
    fragment: Any = None
    sections: Sections = {}
    error: BaseException | None = None
    try:
        fragment = collector.collect()
        duration = time.monotonic() - started
        if fragment is not None:
            sections = check_fragment(fragment, declared)
    except BaseException as failure:  # noqa: BLE001 - sys.exit() in a collector ends nothing
        error = failure
        duration = time.monotonic() - started
    return Outcome(duration, fragment, sections, error)


def _verdicts(trial: Trial) -> Iterator[Verdict]:
    outcomes, settings = trial.outcomes, trial.collector.settings
    broken = [o for o in outcomes if isinstance(o.error, VStatsError)]
    raised = [o for o in outcomes if o.error is not None and o not in broken]
    good = [o for o in outcomes if o.sections]
    hung = any(o.hung for o in outcomes)
    yield Verdict(
        not hung,
        "returns",
        f"no answer in {outcomes[-1].duration:g} s" if hung else f"{len(outcomes)} calls, all over",
    )
    yield Verdict(
        not raised,
        "raises nothing",
        f"{len(raised)} of {len(outcomes)} calls raised {raised[0].error!r}" if raised else "",
    )
    yield Verdict(
        not broken, "returns what a report can hold", str(broken[0].error) if broken else ""
    )
    yield Verdict(
        bool(good),
        "has something to say",
        f"sections: {', '.join(sorted({k for o in good for k in o.sections}))}"
        if good
        else "never",
    )
    keys = {frozenset(o.sections) for o in good}
    yield Verdict(
        len(keys) <= 1,
        "returns the same sections each time",
        "" if len(keys) <= 1 else " / ".join(sorted(", ".join(sorted(k)) for k in keys)),
    )
    declared = set(trial.collector.sections)
    missing = declared - {k for o in good for k in o.sections} if good else set()
    yield Verdict(
        not missing,
        "returns every section that it declares",
        f"never: {', '.join(sorted(missing))}" if missing else "",
    )
    size = max((sum(map(len, o.sections.values())) for o in good), default=0)
    yield Verdict(size <= MAX_FRAGMENT, "is small", f"{size} bytes of {MAX_FRAGMENT} at most")
    longest = max((o.duration for o in outcomes), default=0.0)
    median = statistics.median(o.duration for o in outcomes) if outcomes else 0.0
    yield Verdict(
        longest <= settings.timeout * SLOW,
        "is quick",
        f"median {median * 1000:.1f} ms, longest {longest * 1000:.1f} ms, "
        f"timeout {settings.timeout:g} s",
    )
    yield Verdict(
        not trial.threads_left,
        "leaves no thread running",
        f"{trial.threads_left} left" if trial.threads_left else "",
    )
