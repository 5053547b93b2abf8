"""What every command of ``vstats-agent`` begins with: the file, the collectors, a clean output."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import click

from vstats_core import collectors as plugins
from vstats_core import toml as config
from vstats_core.agent import settings as agent_config
from vstats_core.agent.settings import AgentSettings
from vstats_core.collectors import Collector
from vstats_core.errors import Complaint, ConfigError

__all__ = ["DEFAULT_FILE", "Configuration", "table"]

logger = logging.getLogger(__name__)

DEFAULT_FILE = Path("/etc/vstats/agent.toml")


class Configuration:
    """The agent's file, read when it is first needed, and what was found in it."""

    def __init__(self, file: Path | None, answers: IO[str]) -> None:
        self._answers = answers
        self.given = file is not None
        self.path = file or DEFAULT_FILE

    def load(self) -> tuple[AgentSettings, list[Collector]]:
        """Return ``[agent]`` and every installed collector, bound to its table.

        Raises:
            ConfigError: with all that is wrong with either.
        """
        complaints: list[Complaint] = []
        try:
            settings = agent_config.load(self.path)
            tables = settings.collectors
        except ConfigError as error:
            complaints += error.complaints
            settings = AgentSettings()
            tables = _collectors_of(config.read(self.path).get("agent", {}))
        try:
            bound = plugins.bind(plugins.find(), tables, file=str(self.path))
        except ConfigError as error:
            complaints += error.complaints
        if complaints:
            raise ConfigError(complaints)
        return settings, bound

    def settings(self) -> AgentSettings:
        """Return ``[agent]``, or the defaults if no file was named and there is none to read."""
        if self.given:
            return agent_config.load(self.path)
        try:
            self.path.stat()
            return agent_config.load(self.path)
        except FileNotFoundError:
            return AgentSettings()
        except (ConfigError, OSError) as error:
            # The machine's own file is not for everybody to read; these commands do without.
            if os.access(self.path, os.R_OK):
                raise
            logger.warning(
                "%s is not used: %s", self.path, getattr(error, "strerror", None) or error
            )
            return AgentSettings()

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


def _collectors_of(table: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what can be taken for the collectors' tables of an ``[agent]`` that is not valid."""
    tables = table.get("collectors")
    if not isinstance(tables, dict):
        return {}
    return {name: each for name, each in tables.items() if isinstance(each, dict)}


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows with their columns under one another."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
