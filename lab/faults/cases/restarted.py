"""SIGTERM and a new start of the server under load, with dashboards that take nothing."""

import time

from lab.faults.programs import FaultError
from lab.faults.row import Row, Stage, judge
from lab.faults.site import Site, held
from lab.faults.stalled import stalled

__all__ = ["play"]

ENDS_WITHIN = 5.0


def play(stage: Stage) -> list[Row]:
    """Restart the server again and again."""
    times = stage.times(10, 2)
    hosts = [f"uplink-{number}" for number in range(20 if stage.quick else 200)]
    dashboards = 20
    took: list[float] = []
    failures = []
    with Site(stage.folder, hosts) as site:
        before = held(site.start_relay(), site.folder)
        site.start_oracle()
        site.start_uplinks(hosts, processes=2, rate=2, ballast=20_000 if stage.quick else 2000)
        site.until_all_report()
        for _ in range(times):
            relay = site.relay
            assert relay is not None
            with stalled(site.port, dashboards):
                # Until their buffers are full.
                site.until_all_report()
                began = time.monotonic()
                try:
                    code, seconds = relay.end()
                except FaultError as error:
                    failures.append(str(error))
                    relay.kill()
                else:
                    took.append(seconds)
                    if code != 0:
                        failures.append(f"exit code {code}")
            over = site.start_relay().until("listening on")
            site.recover(site.hosts, began, over)
        if max(took, default=0) > ENDS_WITHIN:
            failures.append(f"ended after {max(took):.1f} s")
        how = (
            f"SIGTERM, {len(hosts)} uplinks at 2 reports/s, {dashboards} dashboards that read "
            "nothing; started again at once"
        )
        remark = f"it ended after {max(took, default=0):.1f} s at most; the bound is 5 s"
        return [
            judge(
                site,
                "server restarted",
                how,
                times,
                held=before,
                remark=remark,
                failures=failures,
            )
        ]
