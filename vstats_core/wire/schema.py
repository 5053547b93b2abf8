"""The report and its sections: what every field means, in which unit, within which bounds.

An agent checks against these models before it sends, the server before it passes on. Keys that
they do not name (a plugin's section, a field of somebody else's agent) are kept as they are.
"""

from datetime import date
from typing import Annotated, Any, TypeVar

from pydantic import (
    MISSING,
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from vstats_core.wire.units import (
    LARGEST,
    Bytes,
    BytesPerSecond,
    Count,
    Percent,
    Seconds,
    Unit,
    WholeSeconds,
)

__all__ = [
    "LARGEST",
    "SECTION_NAMES",
    "AgentInfo",
    "Bytes",
    "BytesPerSecond",
    "CollectorHealth",
    "Cpu",
    "Disk",
    "Interface",
    "Load",
    "LoadAverage",
    "Megahertz",
    "Memory",
    "Named",
    "Network",
    "OperatingSystem",
    "Percent",
    "Report",
    "Seconds",
    "Section",
    "Text",
    "Timestamp",
    "WholeSeconds",
]

MAX_CORES = 4096
MAX_DISKS = 1024
MAX_INTERFACES = 1024
MAX_TEXT = 1024
FEW = 16
"""Entries whose faults are all told; of more the first with a fault is enough."""


def _on_the_calendar(timestamp: str) -> str:
    date.fromisoformat(timestamp[:10])
    return timestamp


Timestamp = Annotated[
    str,
    StringConstraints(
        max_length=64,
        pattern=(
            r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
            r"[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
            r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$"
        ),
    ),
    AfterValidator(_on_the_calendar),
    Field(json_schema_extra={"format": "date-time"}),
]
"""A moment as RFC 3339 writes it; ours are UTC, in whole seconds, with ``Z``."""

Text = Annotated[str, StringConstraints(max_length=MAX_TEXT)]
"""Free text, at most 1,024 characters; to be shown, never to be interpreted."""


def _up_to_the_first_fault(entries: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    # A list can have a bound. Gathering the faults of ten thousand names takes a tenth of a second.
    if not isinstance(entries, dict) or len(entries) <= FEW:
        return handler(entries)
    checked: dict[str, Any] = {}
    for name, entry in entries.items():
        checked |= handler({name: entry})
    return checked


T = TypeVar("T")
Named = Annotated[dict[Text, T], WrapValidator(_up_to_the_first_fault)]
"""Any number of things by name."""

Megahertz = Annotated[float, Field(ge=0, json_schema_extra={"unit": "megahertz"})]
"""A clock frequency, in MHz; 0 where the machine does not tell."""

Load = Annotated[float, Field(ge=0), Unit("none")]
"""Processes running or waiting, averaged by the kernel."""


class Section(BaseModel):
    """The base of every part of a report: strict about what it names, open to what it does not."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="allow",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


class OperatingSystem(Section):
    """``os``: what the machine runs."""

    name: Text
    """As ``/etc/os-release`` says ``NAME``, without "GNU/Linux"."""
    version: Text
    """``VERSION_ID`` of ``/etc/os-release``; empty where there is none."""
    kernel: Text
    """As ``uname -r`` prints it."""
    arch: Text
    """As ``uname -m`` prints it."""


class Cpu(Section):
    """``cpu``: how busy the processors were since the previous report."""

    brand: Text
    """The processor's name; empty until known."""
    cores: Annotated[Count, Field(le=MAX_CORES)]
    """Logical CPUs: the length of ``per_core``."""
    usage: Percent
    """The mean of ``per_core``."""
    frequency: Megahertz
    """The current frequency; 0 where the machine does not tell."""
    per_core: Annotated[list[Percent], Field(max_length=MAX_CORES)]
    """Each logical CPU's busy share of the wall time since the previous report."""


class Memory(Section):
    """``memory``: main memory and swap."""

    total: Bytes
    """All memory."""
    used: Bytes
    """``total`` less ``available``."""
    available: Bytes
    """What programs can still get without swapping."""
    swap_total: Bytes
    """All swap; 0 where there is none."""
    swap_used: Bytes
    """Swap in use."""
    usage_percent: Percent
    """``used`` of ``total``."""


class Disk(Section):
    """One item of ``disks``: a mounted file system."""

    name: Text
    """The device, without its folder."""
    mount_point: Text
    """Where it is mounted."""
    fs_type: Text
    """As the kernel calls it."""
    total: Bytes
    """The file system's size."""
    used: Bytes
    """What is taken."""
    available: Bytes
    """What an unprivileged user can still take."""
    usage_percent: Percent
    """``used`` of ``used`` and ``available`` together, as ``df`` has it."""


class Interface(Section):
    """One item of ``network.interfaces``."""

    name: Text
    """As the kernel calls it."""
    rx: Bytes
    """Received since boot."""
    tx: Bytes
    """Sent since boot."""


class Network(Section):
    """``network``: what went over the interfaces listed."""

    interfaces: Annotated[list[Interface], Field(max_length=MAX_INTERFACES)]
    """Ordered by name."""
    total_rx: Bytes
    """Received since boot, all interfaces listed together."""
    total_tx: Bytes
    """Sent since boot, all interfaces listed together."""
    rx: BytesPerSecond | MISSING = MISSING
    """Received a second since the previous report; the server derives what an agent leaves out."""
    tx: BytesPerSecond | MISSING = MISSING
    """Sent a second since the previous report; the server derives what an agent leaves out."""


class LoadAverage(Section):
    """``load_average``: the kernel's; zeros where the platform has none."""

    one: Load
    """Over the last minute."""
    five: Load
    """Over the last five minutes."""
    fifteen: Load
    """Over the last fifteen minutes."""


class CollectorHealth(Section):
    """One item of ``collectors``: how a collector fares."""

    ok: bool
    """Whether its last call came back in time with something that a report can hold."""
    age: Seconds
    """How old its section is; while there is none, how long it has been missing."""
    duration: Seconds
    """How long its last call took, or has taken so far."""
    error: Text | MISSING = MISSING
    """What is wrong, when something is."""


class AgentInfo(Section):
    """``agent``: what a reader needs to call a report stale."""

    version: Text
    """The agent's version."""
    interval: Seconds
    """The time between two reports."""


class Report(Section):
    """The ``data`` of an agent's ``metrics`` message; a section that nobody collects is absent."""

    timestamp: Timestamp
    """When the report was composed, by the machine's own clock."""
    hostname: Text
    """What the machine calls itself."""
    os: OperatingSystem | MISSING = MISSING
    cpu: Cpu | MISSING = MISSING
    memory: Memory | MISSING = MISSING
    disks: Annotated[list[Disk], Field(max_length=MAX_DISKS)] | MISSING = MISSING
    """Mounted file systems, ordered by mount point."""
    network: Network | MISSING = MISSING
    uptime: WholeSeconds | MISSING = MISSING
    """Since boot."""
    load_average: LoadAverage | MISSING = MISSING
    collectors: Named[CollectorHealth] | MISSING = MISSING
    """The health of every collector, by name."""
    agent: AgentInfo | MISSING = MISSING


SECTION_NAMES = frozenset(Report.model_fields)
"""The top-level keys that have a fixed meaning; every other belongs to whoever sends it."""
