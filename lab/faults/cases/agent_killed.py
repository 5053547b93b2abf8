"""``kill -9`` of agents at any moment; a service manager starts them again."""

import random
import time

from lab.faults.ledger import Outage
from lab.faults.programs import eventually
from lab.faults.row import Row, Stage, judge
from lab.faults.site import Site, held

__all__ = ["play"]

TOLD_WITHIN = 1.0
"""Seconds after which dashboards know that an agent has died."""


def play(stage: Stage) -> list[Row]:
    """Kill agents in turn."""
    times = stage.times(100, 4)
    hosts = [f"agent-{number}" for number in range(2 if stage.quick else 5)]
    chance = random.Random(1)  # noqa: S311 - the same moments each time
    dead, failures = [], []
    with Site(stage.folder, hosts) as site:
        before = held(site.start_relay(), site.folder)
        site.start_oracle()
        agents = {host: site.start_agent(host) for host in hosts}
        site.until_all_report()
        for number in range(times):
            host = hosts[number % len(hosts)]
            time.sleep(chance.uniform(0, 1))
            began = agents[host].kill()
            if not eventually(lambda: _told(site, host, began), TOLD_WITHIN):  # noqa: B023
                failures.append(f"{host} is not shown as offline within {TOLD_WITHIN:g} s")
            agents[host] = site.start_agent(host)
            over = agents[host].started_at
            dead.append(Outage(host, began, over))
            site.recover([host], began, over)
        return [
            judge(
                site,
                "agent killed",
                "`kill -9` at random moments, started again at once",
                times,
                dead=dead,
                held=before,
                remark=f"shown as offline within {TOLD_WITHIN:g} s each time",
                failures=failures,
            )
        ]


def _told(site: Site, host: str, since: float) -> bool:
    site.ledger.read()
    return any(
        told.host == host and not told.online and told.at > since for told in site.ledger.told
    )
