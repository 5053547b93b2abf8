"""What every command of ``vstats-agent`` begins with: the file, the collectors, a clean output."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import click

from vstats_core import agent_config, plugins
from vstats_core.agent_config import AgentSettings
from vstats_core.plugins import Collector

__all__ = ["DEFAULT_FILE", "Configuration", "table"]

logger = logging.getLogger(__name__)

DEFAULT_FILE = Path("/etc/vstats/agent.toml")


class Configuration:
    """The agent's file, read when it is first needed, and what was found in it."""

    def __init__(self, file: Path | None, answers: IO[str]) -> None:
        self._answers = answers
        self.given = file is not None
        self.path = file or DEFAULT_FILE

    def settings(self, *, optional: bool = False) -> AgentSettings:
        """Return ``[agent]``; without a file, where one is optional, the defaults."""
        if optional and not self.given and not self.path.exists():
            return AgentSettings()
        return agent_config.load(self.path)

    def answer(self, text: str | bytes) -> None:
        """Print what was asked for."""
        click.echo(text, file=self._answers)

    def collectors(self, settings: AgentSettings) -> list[Collector]:
        """Return every installed collector, bound to its table."""
        return plugins.bind(plugins.find(), settings.collectors, file=str(self.path))

    def log_absent(self, collectors: Sequence[Collector]) -> None:
        """Name the collectors that are installed and cannot run."""
        for collector in collectors:
            if not collector.enabled and collector.state != "disabled":
                name, reason = collector.found.name, collector.state
                logger.warning("collector %s is skipped: %s", name, reason)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows with their columns under one another."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
