"""Every error that vStats raises on purpose.

* :exc:`VStatsError`
    * :exc:`ConfigError`: a configuration that cannot be used; the programs exit with 78
    * :exc:`PluginError`: an installed entry point that cannot become a collector
    * :exc:`FragmentError`: what a collector returned cannot go into a report
    * :exc:`JSONError`: text that is not strict JSON
    * :exc:`InstallError`: a machine that a program cannot be installed on as a service
"""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "Complaint",
    "ConfigError",
    "FragmentError",
    "InstallError",
    "JSONError",
    "PluginError",
    "VStatsError",
]


class VStatsError(Exception):
    """The base of all errors of vStats."""


@dataclass(frozen=True)
class Complaint:
    """One thing wrong in one file: ``place`` is ``key`` or, for syntax, ``line:column``."""

    file: str
    place: str
    text: str
    syntax: bool = False

    def __str__(self) -> str:
        if not self.place:
            return f"{self.file}: {self.text}"
        return f"{self.file}:{'' if self.syntax else ' '}{self.place}: {self.text}"


class ConfigError(VStatsError):
    """A configuration that cannot be used; ``complaints`` says everything that is wrong with it."""

    def __init__(self, complaints: Sequence[Complaint]) -> None:
        super().__init__(complaints)
        self.complaints = tuple(complaints)

    def __str__(self) -> str:
        return "\n".join(map(str, self.complaints))


class PluginError(VStatsError):
    """An entry point that cannot become a collector; ``reason`` says why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"collector {self.name}: {self.reason}"


class FragmentError(VStatsError):
    """A fragment that breaks the report's rules; ``reason`` says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class JSONError(VStatsError):
    """Text that is not strict JSON (RFC 8259); ``reason`` says where."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"not strict JSON: {self.reason}"


class InstallError(VStatsError):
    """A machine that a program cannot be installed on as a service; ``reason`` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason
