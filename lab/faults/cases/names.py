"""The server's name cannot be looked up: the resolver refuses, fails, denies or says nothing."""

import time
from functools import partial
from pathlib import Path

from lab.faults.namespaces import Place
from lab.faults.row import Row, Stage, judge, together
from lab.faults.site import Site, held

__all__ = ["play"]

NAME = "relay.vstats.example"
WAYS = {
    "away": "nobody listens on the resolver's port",
    "silent": "the resolver says nothing",
    "fail": "SERVFAIL",
    "deny": "NXDOMAIN",
}


def play(stage: Stage) -> list[Row]:
    """Break the resolver, restart the server so that all must look it up again, mend it."""
    ways = ("fail",) if stage.quick else tuple(WAYS)
    seconds, times = (8.0, 1) if stage.quick else (45.0, 2)
    return together(*(partial(_play, stage.folder / way, way, seconds, times) for way in ways))


def _play(folder: Path, way: str, seconds: float, times: int) -> list[Row]:
    hosts = ["agent-0", "agent-1"]
    with (
        Place() as place,
        Site(
            folder,
            hosts,
            settings=f'public_url = "http://{NAME}"',
            address=NAME,
            prefix=place.prefix,
            agent_prefix=place.prefix,
        ) as site,
    ):
        does, resolvers = folder / "does", folder / "resolv.conf"
        does.write_text("answer")
        resolvers.write_text("nameserver 127.0.0.1\n")
        place.run("mount", "--bind", str(resolvers), "/etc/resolv.conf")
        site.start("-m", "lab.faults.resolver", does, prefix=place.prefix).until("ready")
        before = held(site.start_relay(), site.folder)
        site.start_oracle()
        agents = [site.start_agent(host) for host in hosts]
        site.until_all_report()
        failures = []
        for _ in range(times):
            assert site.relay is not None
            _put(does, way)
            began = site.relay.kill()
            site.start_relay()
            time.sleep(seconds)
            failures += [
                f"{way}: an agent has not said so"
                for agent in agents
                if agent.said("cannot connect to", began) is None
            ]
            _put(does, "answer")
            site.recover(hosts, began, time.monotonic())
        return [
            judge(
                site,
                "name not found",
                f"{WAYS[way]} for {seconds:g} s, the server killed and started again meanwhile",
                times,
                held=before,
                failures=failures,
            )
        ]


def _put(file: Path, text: str) -> None:
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)
