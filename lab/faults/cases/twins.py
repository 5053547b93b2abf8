"""Two agents with one token: a machine and its clone."""

import time

from lab.faults.programs import Program
from lab.faults.row import Row, Stage, judge
from lab.faults.site import Site, held

__all__ = ["play"]

PAUSE = 60.0
"""Seconds that an agent stays away after it was replaced."""
MINUTES = 5.0


def play(stage: Stage) -> list[Row]:
    """Let both run for five minutes, then end the one that is connected."""
    pause = 3.0 if stage.quick else PAUSE
    spell = MINUTES * pause
    knobs = {"vstats_core.agent.link.uplink:PAUSE_WHEN_REPLACED": pause} if stage.quick else {}
    with Site(stage.folder, ["clone"], knobs=knobs) as site:
        relay = site.start_relay()
        before = held(relay, site.folder)
        site.start_oracle()
        first = site.start_agent("clone")
        site.until_all_report()
        second = site.start_agent("clone", name="twin")
        began = second.until("connected to")
        time.sleep(spell)
        site.ledger.read()
        reports = site.ledger.arrivals("clone", began)
        offline = [told for told in site.ledger.told if told.at > began and not told.online]
        max((first, second), key=_connected_at).end()
        over = time.monotonic()
        site.recover(["clone"], began, over, pause + 10)
        evictions = relay.output.count("connected again")
        failures = []
        if evictions > 2 * MINUTES:
            failures.append(f"{evictions} times one has replaced the other")
        if reports < 0.9 * spell:
            failures.append(f"{reports} reports in {spell:g} s")
        if offline:
            failures.append(f"shown as offline {len(offline)} times while both were there")
        row = judge(
            site,
            "two agents, one token",
            f"both for {spell / 60:g} minutes; then the one that is connected is ended",
            1,
            bound=pause + 2,
            held=before,
            remark=f"replaced one another {evictions} times, never shown as offline; {reports} "
            f"reports in {spell:g} s; the one that was replaced stays away for {pause:g} s",
            failures=failures,
        )
        return [row]


def _connected_at(agent: Program) -> float:
    return max(at for at, line in agent.lines if "connected to" in line)
