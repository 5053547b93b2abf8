"""What may be configured, and what must fit together."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from vstats_core import CollectorSettings, Interval, Settings

__all__ = ["Command", "ExecSettings"]

MARGIN = 1
"""Seconds that starting and ending the commands may take beside their own time."""
MOST_COMMANDS = 32

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Word = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
"""What can be given to a program: anything but NUL."""
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Command(Settings):
    """A table ``[[agent.collectors.exec.commands]]``."""

    name: Name
    """What its answer is called in the report: letters, digits, `.`, `_` and `-`, at most 64."""
    command: Annotated[list[Word], Field(min_length=1)]
    """The program and its arguments; a shell runs only if you name one."""
    format: Literal["json", "prometheus"] = "json"
    """What it prints: `"json"` or `"prometheus"`."""
    timeout: Annotated[float, Field(gt=0, le=3600)] = 5.0
    """Seconds until it is killed, with all that it has started."""
    environment: dict[Variable, Word] = Field(default={})
    """Variables that it is given besides `PATH`, `HOME`, the language and the time zone."""


class ExecSettings(CollectorSettings):
    """The table ``[agent.collectors.exec]``."""

    interval: Interval | None = 10.0
    """Seconds between two calls; all commands run in each of them, at the same time."""
    timeout: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """Seconds that a call may take: a second more than the slowest command, at least."""
    commands: list[Command] = Field(default=[], max_length=MOST_COMMANDS)
    """Tables of commands, at most 32; see below."""
    directory: Annotated[Path, Field(strict=False)] | None = None
    """A folder whose files `*.json` and `*.prom` are reported."""
    stale_after: Annotated[float, Field(gt=0)] = 300.0
    """Seconds after which a file that was not written again is left out."""

    @model_validator(mode="after")
    def fits_together(self) -> Self:
        """Refuse what could only fail later."""
        names = Counter(command.name for command in self.commands)
        for name, times in names.items():
            if times > 1:
                raise ValueError(f"{times} commands are named {name!r}; each needs its own name")
        for command in self.commands:
            if self.timeout < command.timeout + MARGIN:
                raise ValueError(
                    f"timeout should be {command.timeout + MARGIN:g} or more, since the command "
                    f"{command.name!r} may take {command.timeout:g} seconds; it is {self.timeout:g}"
                )
        return self
