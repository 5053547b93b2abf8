"""What an item of the section ``diskio`` holds, in which unit, and from where on it is bad."""

from typing import Annotated

from pydantic import MISSING

from vstats_core import BytesPerSecond, Levels, Percent, PerSecond, Seconds, Section, Text

__all__ = ["DiskActivity"]


class DiskActivity(Section, title="Disk I/O"):
    """One item of ``diskio``: a disk, since the previous report."""

    name: Text
    """As the kernel calls it."""
    read: BytesPerSecond
    """Bytes read a second."""
    written: BytesPerSecond
    """Bytes written a second."""
    reads: PerSecond
    """Requests to read that were completed, a second."""
    writes: PerSecond
    """Requests to write that were completed, a second."""
    utilisation: Annotated[Percent | MISSING, Levels(warn=90)] = MISSING
    """The share of the time in which at least one request was under way."""
    latency: Seconds | MISSING = MISSING
    """What a request took on average, its time in the queue included; absent without requests."""
