"""``vstats-agent``: run the agent, print a report, look at the collectors, check the file."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NoReturn

import click

from vstats_core import agent_config, logs, plugins
from vstats_core.agent import Agent
from vstats_core.agent_config import AgentSettings
from vstats_core.errors import ConfigError
from vstats_core.plugins import Collector
from vstats_core.version import __version__

__all__ = ["BAD_CONFIGURATION", "fail", "leave", "main"]

logger = logging.getLogger(__name__)

DEFAULT_FILE = Path("/etc/vstats/agent.toml")
BAD_CONFIGURATION = 78  # EX_CONFIG of sysexits.h
FAILED = 1


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


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"The configuration file.  [default: {DEFAULT_FILE}]",
)
@click.option("--verbose", is_flag=True, help="Log in more detail.")
@click.version_option(__version__, prog_name="vstats-agent")
@click.pass_context
def cli(context: click.Context, file: Path | None, *, verbose: bool) -> None:
    """Report this machine's state to a vStats server.

    Without a command: run until SIGTERM or Ctrl-C.
    """
    logs.configure(verbose=verbose)
    context.obj = Configuration(file, _keep_stdout())
    if context.invoked_subcommand is None:
        configuration: Configuration = context.obj
        settings = configuration.settings()
        collectors = configuration.collectors(settings)
        token = agent_config.token(settings, str(configuration.path), os.environ)
        for warning in agent_config.warnings(settings, token):
            logger.warning("%s", warning)
        _log_absent(collectors)
        try:
            asyncio.Runner().run(_run(settings, token, collectors))
        except Exception:
            logger.exception("the agent has failed")
            leave(FAILED)
        leave(0)


@cli.command()
@click.pass_obj
def report(configuration: Configuration) -> None:
    """Print one report as JSON, without a server."""
    settings = configuration.settings(optional=True)
    collectors = configuration.collectors(settings)
    _log_absent(collectors)
    configuration.answer(asyncio.Runner().run(_report_once(settings, collectors)))
    leave(0)


@cli.command()
@click.pass_obj
def check(configuration: Configuration) -> None:
    """Load the configuration and say what is wrong with it."""
    settings = configuration.settings()
    collectors = configuration.collectors(settings)
    _log_absent(collectors)
    token_file = settings.token_file
    if token_file is not None and not token_file.exists() and not os.environ.get("VSTATS_TOKEN"):
        logger.warning(
            "%s: agent.token_file: %s does not exist yet; the agent will not start without it",
            configuration.path,
            token_file,
        )
    else:
        token = agent_config.token(settings, str(configuration.path), os.environ)
        for warning in agent_config.warnings(settings, token):
            logger.warning("%s: %s", configuration.path, warning)
    configuration.answer(f"{configuration.path}: ok")


@cli.group()
def collectors() -> None:
    """Look at the installed collectors."""


@collectors.command("list")
@click.pass_obj
def list_collectors(configuration: Configuration) -> None:
    """Name each collector, its distribution and version, and its state."""
    settings = configuration.settings(optional=True)
    rows = [("NAME", "DISTRIBUTION", "VERSION", "STATE")] + [
        (found.name, found.distribution, found.version, collector.state)
        for collector in configuration.collectors(settings)
        for found in [collector.found]
    ]
    configuration.answer(table(rows))


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows with their columns under one another."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


async def _run(settings: AgentSettings, token: str, collectors: list[Collector]) -> None:
    # websockets is imported only where it is used: `report` does without.
    from vstats_core.uplink import Uplink  # noqa: PLC0415

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    uplink = Uplink(settings.url, token)
    agent = Agent(collectors, [uplink.offer], interval=settings.interval)
    tasks = [asyncio.create_task(work) for work in (uplink.run(), agent.run(), stop.wait())]
    done, running = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in running:
        task.cancel()
    await asyncio.wait(running, timeout=1)
    for task in done:
        task.result()  # a fault of ours must be seen, not slept over
    logger.info("stopped")


async def _report_once(settings: AgentSettings, collectors: list[Collector]) -> bytes:
    agent = Agent(collectors, [], interval=settings.interval)
    await agent.start()
    return agent.report()


def _keep_stdout() -> IO[str]:
    """Return standard output, and let everybody else's go to standard error.

    A collector, or a library that it uses, may print: the answer must stay readable all the same.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    sys.stdout.flush()
    os.dup2(2, 1)
    return answers


def _log_absent(collectors: list[Collector]) -> None:
    for collector in collectors:
        if not collector.enabled and collector.state != "disabled":
            logger.warning("collector %s is skipped: %s", collector.found.name, collector.state)


def fail(error: ConfigError) -> NoReturn:
    """Say what is wrong with the configuration and end with 78, which systemd does not restart."""
    click.echo(str(error), err=True)
    sys.exit(BAD_CONFIGURATION)


def leave(code: int) -> NoReturn:
    """End the process now.

    Python would first wait for the threads of its resolver and for whatever a collector has
    registered to run at exit; either may hang, and SIGTERM is answered within 2 s all the same.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main() -> None:
    """Run ``vstats-agent``."""
    try:
        cli()
    except ConfigError as error:
        fail(error)
