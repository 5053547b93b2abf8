"""A token revoked and a host removed while its agent is connected; later both are put right."""

import math
import time

from lab.faults.programs import eventually
from lab.faults.row import Row, Stage, judge
from lab.faults.site import Site, held

__all__ = ["play"]

CUT_WITHIN = 1.0
AWAY = 3.0


def play(stage: Stage) -> list[Row]:
    """Rotate the token, or remove the host, with the server's own commands."""
    times = stage.times(8, 2)
    bystanders = [f"uplink-{number}" for number in range(20)]
    knobs = {"vstats_core.backoff:Backoff.LONGEST": 4.0} if stage.quick else {}
    with Site(stage.folder, ["agent", *bystanders], knobs=knobs) as site:
        before = held(site.start_relay(), site.folder)
        site.start_oracle()
        site.start_uplinks(bystanders)
        agent = site.start_agent("agent")
        site.until_all_report()
        original = site.file.read_text()
        cut: list[float] = []
        failures = []
        for number in range(times):
            command = ("rotate", "remove")[number % 2]
            began = time.monotonic()
            site.command("hosts", command, "agent")
            done = time.monotonic()
            # It may have been noticed before the command's own end.
            eventually(lambda: _gone(site, began) < math.inf, AWAY)  # noqa: B023
            cut.append(max(0.0, _gone(site, began) - done))
            time.sleep(AWAY)
            new = site.file.with_suffix(".new")
            new.write_text(original)
            new.replace(site.file)
            over = time.monotonic()
            site.recover(["agent"], began, over)
        agent.until("connection lost .4403 token revoked")
        if max(cut) > CUT_WITHIN:
            failures.append(f"cut after {max(cut):.1f} s")
        how = (
            "`hosts rotate` and `hosts remove` in turn, its agent connected beside 20 others; the "
            "old file put back after 3 s"
        )
        remark = (
            f"cut with 4403 within {max(cut):.1f} s of the command's end, the others untouched; "
            "an agent that is refused asks again every 15 to 30 s"
        )
        return [
            judge(
                site,
                "token revoked, host removed",
                how,
                times,
                held=before,
                remark=remark,
                failures=failures,
            )
        ]


def _gone(site: Site, since: float) -> float:
    """Return when dashboards learned that the host is offline, or removed; inf if they did not."""
    site.ledger.read()
    told = [told.at for told in site.ledger.told if told.host == "agent" and not told.online]
    told += [at for at, host in site.ledger.removals if host == "agent"]
    return min((at for at in told if at > since), default=math.inf)
