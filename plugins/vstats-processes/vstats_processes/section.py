"""What the section ``processes`` holds, and in which unit."""

from typing import Annotated

from pydantic import MISSING, Field

from vstats_core import Bytes, Count, Kind, Percent, Section, Text

__all__ = ["Processes", "TopProcess"]


class TopProcess(Section):
    """One item of ``by_cpu`` and of ``by_memory``."""

    pid: Annotated[int, Field(ge=0, title="PID"), Kind("state")]
    """Its number; may be another process's, once this one has ended."""
    name: Text
    """As the kernel calls it: Linux keeps 15 characters."""
    cpu: Annotated[Percent, Field(title="CPU")]
    """Its share of the whole machine's CPU time since the previous call."""
    memory: Bytes
    """Main memory that it has in use, what it shares with others included (RSS)."""
    user: Text | MISSING = MISSING
    """Who runs it; absent unless `users` is set."""
    command: Text | MISSING = MISSING
    """Its command line; absent unless `command_lines` is set, and where it has none."""


class Processes(Section):
    """``processes``: how many there are, and which of them use the most."""

    total: Count
    """Processes that the agent may see, the kernel's own included."""
    running: Count
    """Those whose main thread is on a CPU, or waits for one."""
    zombies: Count
    """Those that have ended, and whose parent has not asked how."""
    threads: Count
    """Threads of all of them."""
    by_cpu: list[TopProcess]
    """Those that use the most CPU, most first."""
    by_memory: list[TopProcess]
    """Those that use the most memory, most first."""
