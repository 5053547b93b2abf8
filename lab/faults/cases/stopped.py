"""SIGSTOP and SIGCONT of agents, the server, a dashboard: nothing is closed, nothing answers.

A virtual machine that is paused, ``docker pause`` and a machine that swaps look like this.
"""

import signal
import time
from collections.abc import Sequence
from functools import partial

from lab.faults.programs import Program, eventually
from lab.faults.row import BACK_WITHIN, Row, Stage, judge, together
from lab.faults.site import Held, Site, held

__all__ = ["play"]

AGENTS = ["agent-0", "agent-1", "agent-2"]
OFFLINE_AFTER = 45.0
QUICK_OFFLINE_AFTER = 3.0
PATIENCE = 60.0
"""Seconds that an agent's event loop may stand still before its watchdog ends it."""


def play(stage: Stage) -> list[Row]:
    """Stop each of the three, for less and for more than anybody waits for it."""
    if stage.quick:
        return together(
            partial(_agent, stage, 5, 1),
            partial(_relay, stage, 6, 1),
            partial(_watcher, stage, 13, 1),
        )
    return together(
        partial(_agent, stage, 20, 4),
        partial(_agent, stage, 50, 2),
        partial(_agent, stage, 75, 2),
        partial(_relay, stage, 20, 4),
        partial(_relay, stage, 50, 2),
        partial(_relay, stage, 75, 2),
        partial(_watcher, stage, 20, 4),
    )


class _Scene(Site):
    """A server, three agents, the oracle."""

    def __init__(self, stage: Stage, name: str, heavy: Sequence[str] = ()) -> None:
        after = QUICK_OFFLINE_AFTER if stage.quick else OFFLINE_AFTER
        settings = f"offline_after = {after}"
        super().__init__(stage.folder / name, [*AGENTS, *heavy], settings=settings)
        self.offline_after = after
        self.heavy = heavy

    def begin(self) -> tuple[Held, dict[str, Program], Program]:
        """Start everything; return what the server held, the agents, the oracle."""
        before = held(self.start_relay(), self.folder)
        oracle = self.start_oracle()
        agents = {host: self.start_agent(host) for host in AGENTS}
        if self.heavy:
            # So much that it does not fit into the buffers between the two.
            self.start_uplinks(self.heavy, rate=5, ballast=100_000)
        self.until_all_report()
        return before, agents, oracle


def _agent(stage: Stage, seconds: float, times: int) -> list[Row]:
    ended = 0
    failures = []
    with _Scene(stage, f"agent-{seconds}") as site:
        before, agents, _ = site.begin()
        host = AGENTS[0]
        for _ in range(times):
            began = agents[host].send(signal.SIGSTOP)
            time.sleep(seconds)
            over = agents[host].send(signal.SIGCONT)
            if not _offline_as_it_should_be(site, host, began, over):
                failures.append("not shown as offline in time")
            if seconds > PATIENCE and eventually(lambda: not agents[host].alive, 2):
                ended += 1
                agents[host] = site.start_agent(host)
            site.recover([host], began, over)
        remark = ""
        if ended:
            remark = (
                f"its watchdog ended it {ended} times as it went on, since it had stood still for "
                f"more than {PATIENCE:g} s; a service manager starts it again, as is done here"
            )
        how = f"SIGSTOP for {seconds:g} s, then SIGCONT"
        return [
            judge(
                site,
                "agent stopped",
                how,
                times,
                held=before,
                remark=remark,
                failures=failures,
            )
        ]


def _offline_as_it_should_be(site: "_Scene", host: str, began: float, over: float) -> bool:
    """Return whether dashboards learned of the silence, if it was long enough, and in time."""
    site.ledger.read()
    told = [told.at for told in site.ledger.told if told.host == host and not told.online]
    told = [at - began for at in told if began < at < over]
    if over - began < site.offline_after:
        return not told
    return bool(told) and told[0] < site.offline_after + 2


def _relay(stage: Stage, seconds: float, times: int) -> list[Row]:
    with _Scene(stage, f"relay-{seconds}") as site:
        before, _, _ = site.begin()
        assert site.relay is not None
        for _ in range(times):
            began = site.relay.send(signal.SIGSTOP)
            time.sleep(seconds)
            over = site.relay.send(signal.SIGCONT)
            site.recover(AGENTS, began, over)
            time.sleep(2)  # whatever it has to say about the time that it has missed
        # The hosts were there all the while: no silence of theirs is a reason to call them offline.
        offline = sum(not told.online and told.at > site.ready_at for told in site.ledger.told)
        failures = [f"{offline} times a host was shown as offline"] if offline else []
        how = f"SIGSTOP for {seconds:g} s, then SIGCONT; {len(AGENTS)} agents"
        return [judge(site, "server stopped", how, times, held=before, failures=failures)]


def _watcher(stage: Stage, seconds: float, times: int) -> list[Row]:
    """Stop a second dashboard; it is cut, the first does not notice, and it comes back."""
    failures: list[str] = []
    waited: list[float] = []
    heavy = [f"heavy-{number}" for number in range(4)]
    with _Scene(stage, f"watcher-{seconds}", heavy) as site:
        before, _, _ = site.begin()
        file = site.folder / "second.log"
        second = site.start("-m", "lab.faults.oracle", "127.0.0.1", str(site.port), file)
        seen = site.ledger.beside(file)
        assert site.relay is not None
        for _ in range(times):
            began = time.monotonic()
            eventually(lambda: seen.all_back(site.hosts, began))  # noqa: B023
            began = second.send(signal.SIGSTOP)
            time.sleep(seconds)
            if site.relay.said("does not keep up", began) is None:
                failures.append(f"the server waits for it after {seconds:g} s")
            over = second.send(signal.SIGCONT)
            if not eventually(lambda: seen.all_back(site.hosts, over), BACK_WITHIN):  # noqa: B023
                failures.append("it is not up to date again")
            waited.append(time.monotonic() - over)
        how = f"SIGSTOP for {seconds:g} s, then SIGCONT; 2 MB/s for it, another beside it"
        row = judge(site, "dashboard stopped", how, times, held=before, failures=failures)
        row.recoveries = waited
        row.remark = "cut after 10 s; back is when it knows a new report of every host"
        return [row]
