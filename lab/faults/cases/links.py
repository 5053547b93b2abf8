"""Links that swallow everything, or one direction; links that are pulled; ends that vanish."""

import math
import time
from collections.abc import Callable
from functools import partial
from statistics import median

from lab.faults.namespaces import SERVER, Link, Place
from lab.faults.programs import Program
from lab.faults.row import Row, Stage, judge, together
from lab.faults.site import Site

__all__ = ["play"]

HOSTS = ["agent-0", "agent-1"]
OFFLINE_AFTER = 45.0
NOTICED_WITHIN = 60.5
"""Seconds: a ping after 30 at the latest, 30 for its pong, and half a one to say goodbye."""
NOTICED = "has not answered a ping|connection lost"
PACE = 15.0
"""A quick run's pings and its patience go so many times faster."""
HOW = {"agents": ", then another address", "server": ""}
KNOBS = {
    "vstats_core.agent.link.uplink:PING_INTERVAL": 30 / PACE,
    "vstats_core.agent.link.uplink:PONG_TIMEOUT": 30 / PACE,
    "vstats_server.relay:PING_INTERVAL": 30 / PACE,
}


def play(stage: Stage) -> list[Row]:
    """Cut the link in each way, for less and for more than anybody waits."""
    both = ("in", "out")
    if stage.quick:
        return together(
            partial(_black_hole, stage, "both ways", both, 7, 1),
            partial(_vanished, stage, "agents", 1),
        )
    return together(
        partial(_black_hole, stage, "both ways", both, 20, 4),
        partial(_black_hole, stage, "both ways", both, 50, 2),
        partial(_black_hole, stage, "both ways", both, 90, 2),
        partial(_black_hole, stage, "from the agent to the server", ("out",), 90, 2),
        partial(_black_hole, stage, "from the server to the agent", ("in",), 90, 2),
        partial(_black_hole, stage, "the wire pulled", ("down",), 90, 2),
        partial(_vanished, stage, "agents", 3),
        partial(_vanished, stage, "server", 3),
    )


def _stage(
    stage: Stage,
    name: str,
    scene: Callable[[Site, Link, dict[str, Program]], Row],
    offline_after: float,
) -> list[Row]:
    """Build two places with a wire between them, start everything, play."""
    with (
        Place() as server,
        Place() as agents,
        Site(
            stage.folder / name,
            HOSTS,
            settings=f"offline_after = {offline_after}",
            listen="0.0.0.0",  # noqa: S104 - in a network of its own
            address=SERVER,
            prefix=server.prefix,
            agent_prefix=agents.prefix,
            knobs=KNOBS if stage.quick else {},
        ) as site,
    ):
        link = Link(server, agents)
        site.start_relay()
        site.start_oracle()
        started = {host: site.start_agent(host) for host in HOSTS}
        site.until_all_report()
        return [scene(site, link, started)]


def _black_hole(
    stage: Stage, way: str, ways: tuple[str, ...], seconds: float, times: int
) -> list[Row]:
    pace = PACE if stage.quick else 1.0

    def scene(site: Site, link: Link, agents: dict[str, Program]) -> Row:
        assert site.relay is not None
        noticed: list[float] = []
        shown: list[float] = []
        failures: list[str] = []
        for _ in range(times):
            began = link.cut(ways)
            time.sleep(seconds)
            over = link.mend()
            site.recover(HOSTS, began, over)
            for agent in agents.values():
                at = agent.said(NOTICED, began) or math.inf
                # Before it is due, the link may be mended and nothing to be noticed any more.
                if at < over or seconds > NOTICED_WITHIN / pace:
                    noticed.append(at - began)
            # Where one direction passes, a few more reports arrive.
            shown += [
                told.at - max(began, site.ledger.last_arrival(told.host, told.at))
                for told in site.ledger.told
                if began < told.at < over and not told.online
            ]
            # As long as a connection must live to count as healthy.
            time.sleep(11 if times > 1 else 0)
        if max(noticed, default=0) > NOTICED_WITHIN / pace:
            failures.append(f"an agent has noticed after {max(noticed):.1f} s")
        if seconds > (OFFLINE_AFTER / pace) + 2 and len(shown) < times * len(HOSTS):
            failures.append("not each was shown as offline")
        if max(shown, default=0) > OFFLINE_AFTER / pace + 2:
            failures.append(f"shown as offline after {max(shown):.1f} s")
        remark = _remark(noticed, shown)
        how = f"iptables DROP, {way}, for {seconds:g} s"
        if ways == ("down",):
            how = f"`ip link set down` for {seconds:g} s"
        return judge(site, "black hole", how, times, remark=remark, failures=failures)

    return _stage(stage, f"{'-'.join(ways)}-{seconds}", scene, OFFLINE_AFTER / pace)


def _remark(noticed: list[float], shown: list[float]) -> str:
    parts = []
    if noticed:
        parts.append(f"agents noticed after {median(noticed):.1f} s, {max(noticed):.1f} s at most")
    if shown:
        parts.append(
            f"shown as offline after {median(shown):.1f} s of silence, {max(shown):.1f} s at most"
        )
    return "; ".join(parts)


def _vanished(stage: Stage, who: str, times: int) -> list[Row]:
    """Kill one end while the link is cut, so that the other is left with half a connection."""

    def scene(site: Site, link: Link, agents: dict[str, Program]) -> Row:
        for _ in range(times):
            began = link.cut(("in", "out"))
            if who == "agents":
                for host in HOSTS:
                    agents[host].kill()
                # Else the kernel would tell of their end as soon as anything passes.
                link.move()
                over = link.mend()
                agents |= {host: site.start_agent(host) for host in HOSTS}
            else:
                assert site.relay is not None
                site.relay.kill()
                over = max(site.start_relay().until("listening on"), link.mend())
            site.recover(HOSTS, began, over)
            time.sleep(2)
        # The new connection takes the place of the half one, whose end is nobody's end.
        offline = sum(not told.online and told.at > site.ready_at for told in site.ledger.told)
        failures = [f"{offline} times shown as offline"] if offline else []
        return judge(
            site,
            "half-open connection",
            f"`kill -9` of the {who} while nothing passes{HOW[who]}, so that the other end does "
            "not learn of it; started again, the link mended",
            times,
            failures=failures,
        )

    return _stage(stage, f"vanished-{who}", scene, OFFLINE_AFTER)
