"""What a fault did, as a row of the table, with everything that should not have been."""

import math
import statistics
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from lab.faults.ledger import Outage
from lab.faults.site import Held, Site

__all__ = ["BACK_WITHIN", "Play", "Row", "Stage", "judge", "together"]

BACK_WITHIN = 32.0
"""Seconds within which an agent reports again: the longest delay, a handshake, an interval."""
EXPLAINED = 3


@dataclass
class Row:
    """One fault, injected a number of times."""

    fault: str
    how: str
    times: int
    collected: int = 0
    arrived: int = 0
    while_down: int = 0
    """Lost of the reports that were collected between the fault and the recovery."""
    while_up: int = 0
    """Lost of all others."""
    recoveries: list[float] = field(default_factory=list)
    """Seconds from the fault's end to the next new report, each host, each time."""
    bound: float = BACK_WITHIN
    remark: str = ""
    failures: list[str] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The middle of the times to recover; nan if there was nothing to recover from."""
        return statistics.median(self.recoveries) if self.recoveries else math.nan

    @property
    def worst(self) -> float:
        """The longest of them."""
        return max(self.recoveries, default=math.nan)

    @classmethod
    def load(cls, kept: dict[str, Any]) -> "Row":
        """Return what :func:`dataclasses.asdict` has made a dict."""
        return cls(**kept)


@dataclass
class Stage:
    """Where a fault is played, and how much of it."""

    folder: Path
    quick: bool
    rounds: int | None
    """How often each is injected, if not as often as it is made for."""
    plots: dict[str, str] = field(default_factory=dict)

    def times(self, whole: int, quick: int) -> int:
        """Return how often to inject a fault."""
        return self.rounds or (quick if self.quick else whole)


class Play(Protocol):
    """A fault: plays it and returns what came of it."""

    def __call__(self, stage: Stage) -> list[Row]:
        """Return the rows."""


def together(*plays: Any) -> list[Row]:
    """Play them side by side: what mostly waits need not wait for one another."""
    with ThreadPoolExecutor(len(plays)) as pool:
        return [row for rows in [pool.submit(play) for play in plays] for row in rows.result()]


def judge(  # noqa: PLR0913 - the facts of a row
    site: Site,
    fault: str,
    how: str,
    times: int,
    *,
    bound: float = BACK_WITHIN,
    dead: Sequence[Outage] = (),
    held: Held | None = None,
    remark: str = "",
    failures: Iterable[str] = (),
) -> Row:
    """End the scenario and return its row: the losses, the recoveries, and what was wrong.

    ``held`` is what the server held before anybody connected; ``dead`` are the outages in which
    the agent did not exist.
    """
    ledger = site.ledger
    found = list(failures)
    # The news of the last recovery may still be on its way.
    missing = site.offline_in_the_end()
    if missing:
        found.append(f"{len(missing)} hosts are not online in the end: {missing[:EXPLAINED]}")
    site.end_all_but_relay()
    if held is not None:
        found += site.leftovers(held)
    ledger.read()
    losses = ledger.losses(until=site.ended_at)
    recoveries = ledger.recoveries()
    late = [seconds for seconds in recoveries if seconds > bound]
    if late:
        found.append(f"{len(late)} times not back within {bound:g} s (worst {max(late):.1f} s)")
    false = ledger.false_statuses(dead=dead)
    # Before and after, they come and go as they are started and ended.
    false = [told for told in false if site.ready_at < told.at < site.ended_at]
    if false:
        examples = [f"{told.host} {'on' if told.online else 'off'}line" for told in false]
        found.append(f"{len(false)} false statuses: {examples[:EXPLAINED]}")
    if ledger.wrong:
        found.append(f"{len(ledger.wrong)} times against the protocol: {ledger.wrong[:EXPLAINED]}")
    if losses.while_up:
        found.append(f"{losses.while_up} reports lost while the host was connected")
    if site.relay is not None and "Traceback" in site.relay.output:
        found.append("a traceback in the server's log")
    return Row(
        fault,
        how,
        times,
        *losses,
        recoveries=recoveries,
        bound=bound,
        remark=remark,
        failures=found,
    )
