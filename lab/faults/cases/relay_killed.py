"""``kill -9`` of the server, again and again, before its agents have calmed down."""

import time

from lab.faults.row import Row, Stage, judge
from lab.faults.site import Site, held

__all__ = ["play"]

AWAY = (0.0, 1.0, 5.0, 0.0)
"""Seconds until it is started again."""
CALM = 11.0
"""Seconds after which an agent counts a connection as healthy, and begins anew with 1 s."""


def play(stage: Stage) -> list[Row]:
    """Kill the server under uplinks in a few processes and whole agents."""
    times = stage.times(20, 2)
    uplinks = [f"uplink-{number}" for number in range(20 if stage.quick else 200)]
    agents = [f"agent-{number}" for number in range(2 if stage.quick else 10)]
    with Site(stage.folder, uplinks + agents) as site:
        before = held(site.start_relay(), site.folder)
        site.start_oracle()
        site.start_uplinks(uplinks, processes=4)
        for agent in agents:
            site.start_agent(agent)
        site.until_all_report()
        for number in range(times):
            assert site.relay is not None
            began = site.relay.kill()
            time.sleep(AWAY[number % len(AWAY)])
            over = site.start_relay().until("listening on")
            site.recover(site.hosts, began, over)
            if number % 4 == 3:  # noqa: PLR2004 - in between, the delays grow to their longest
                time.sleep(CALM)
        return [
            judge(
                site,
                "server killed",
                f"`kill -9`, {len(uplinks)} uplinks in 4 processes, {len(agents)} agents; started "
                "again after 0 to 5 s",
                times,
                held=before,
            )
        ]
