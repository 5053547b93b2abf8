"""Networks of their own, to break as one likes; Linux namespaces, which end with their holder."""

import subprocess
import time
from pathlib import Path
from typing import Self

from lab.faults.programs import FaultError, eventually

__all__ = ["Link", "Place"]

SERVER, AGENT = "10.213.77.1", "10.213.77.2"


class Place:
    """A network and a mount namespace without a name: nothing is left behind when it ends."""

    def __init__(self) -> None:
        command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "sleep", "1h"]
        self._holder = subprocess.Popen(command)
        pid = self._holder.pid
        ours = Path("/proc/self/ns/mnt").readlink()

        def is_there() -> bool:
            name = Path(f"/proc/{pid}/comm").read_text().strip()
            return name == "sleep" and Path(f"/proc/{pid}/ns/mnt").readlink() != ours

        if not eventually(is_there, 5):
            raise FaultError("no namespaces here")
        self.pid = pid
        self.prefix = ["nsenter", "--target", str(pid), "--net", "--mount"]
        self.run("ip", "link", "set", "lo", "up")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._holder.kill()
        self._holder.wait()

    def run(self, *command: str) -> None:
        """Run a command in it.

        Raises:
            FaultError: with what it says, when it fails.
        """
        done = subprocess.run(
            [*self.prefix, *command], capture_output=True, text=True, timeout=20, check=False
        )
        if done.returncode:
            raise FaultError(f"{' '.join(command)}: {done.stderr.strip()}")


class Link:
    """A wire between the server's place and the agents'."""

    def __init__(self, server: Place, agents: Place) -> None:
        self._agents = agents
        self._moves = 0
        peer = ("peer", "name", "vst-agent", "netns", str(agents.pid))
        server.run("ip", "link", "add", "vst-server", "type", "veth", *peer)
        for place, name, address in (
            (server, "vst-server", SERVER),
            (agents, "vst-agent", AGENT),
        ):
            place.run("ip", "address", "add", f"{address}/24", "dev", name)
            place.run("ip", "link", "set", name, "up")

    def cut(self, ways: tuple[str, ...]) -> float:
        """Drop what goes these ways ("in", "out", as the agents see it), or pull the wire ("down").

        Return when.
        """
        for way in ways:
            if way == "down":
                self._agents.run("ip", "link", "set", "vst-agent", "down")
            else:
                chain, side = {"in": ("INPUT", "-i"), "out": ("OUTPUT", "-o")}[way]
                self._agents.run("iptables", "-A", chain, side, "vst-agent", "-j", "DROP")
        return time.monotonic()

    def move(self) -> None:
        """Give the agents another address: what is left of their old connections is stranded."""
        self._moves += 1
        address = f"{AGENT}{self._moves:02}/24"
        self._agents.run("ip", "address", "flush", "dev", "vst-agent")
        self._agents.run("ip", "address", "add", address, "dev", "vst-agent")

    def mend(self) -> float:
        """Let everything pass again; return when."""
        self._agents.run("iptables", "-F")
        self._agents.run("ip", "link", "set", "vst-agent", "up")
        return time.monotonic()
