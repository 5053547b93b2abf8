"""``vstats-agent``: run the agent, print a report, look at the collectors, check the file."""

import asyncio
import contextlib
import faulthandler
import logging
import os
import signal
import ssl
import sys
from pathlib import Path
from typing import IO, Any, NoReturn

import click

from vstats_core import tls
from vstats_core.agent import settings as agent_config
from vstats_core.agent.agent import Agent
from vstats_core.agent.loader import DEFAULT_FILE, Configuration
from vstats_core.agent.settings import AgentSettings, TokenMissingError
from vstats_core.collectors import Collector
from vstats_core.commands.collectors import collectors
from vstats_core.commands.install import install, uninstall
from vstats_core.errors import ConfigError, InstallError, PluginError
from vstats_core.logs import setup as logs
from vstats_core.logs.setup import printable
from vstats_core.service.notify import ServiceManager
from vstats_core.version import __version__
from vstats_core.wire import strict_json
from vstats_core.wire.describe import describe

__all__ = ["BAD_CONFIGURATION", "fail", "leave", "main"]

logger = logging.getLogger(__name__)

BAD_CONFIGURATION = 78  # EX_CONFIG of sysexits.h
FAILED = 1
LONGEST_COMPLAINT = 1000
MAX_DESCRIPTION = 63 * 1024
"""Less than the 64 KiB that the server takes."""


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, readable=False),
    help=f"The configuration file.  [default: {DEFAULT_FILE}]",
)
@click.option("--verbose", is_flag=True, help="Log in more detail.")
@click.version_option(__version__, prog_name="vstats-agent")
@click.pass_context
def cli(context: click.Context, file: Path | None, *, verbose: bool) -> None:
    """Report this machine's state to a vStats server.

    Without a command: run until SIGTERM or Ctrl-C.
    """
    answers = _keep_stdout()
    logs.configure(verbose=verbose)
    context.obj = Configuration(file, answers)
    if context.invoked_subcommand is None:
        configuration: Configuration = context.obj
        settings, bound = configuration.load()
        token = agent_config.token(settings, str(configuration.path), os.environ)
        for warning in agent_config.warnings(settings, token):
            logger.warning("%s", warning)
        trust = tls.client_context(settings.ca_file) if settings.is_secure else None
        configuration.log_absent(bound)
        faulthandler.enable()  # when the service manager's watchdog ends us, say where we stood
        try:
            asyncio.Runner().run(_run(configuration, settings, token, bound, trust))
        except Exception:
            logger.exception("the agent has failed")
            leave(FAILED)
        leave(0)


@cli.command()
@click.pass_obj
def report(configuration: Configuration) -> None:
    """Print one report as JSON, without a server."""
    settings = configuration.settings()
    bound = configuration.collectors(settings)
    configuration.log_absent(bound)
    configuration.answer(asyncio.Runner().run(_report_once(settings, bound)))
    leave(0)


@cli.command()
@click.option("--no-token", is_flag=True, help="Do not look for the token.")
@click.pass_obj
def check(configuration: Configuration, *, no_token: bool) -> None:
    """Load the configuration and say what is wrong with it."""
    settings, bound = configuration.load()
    configuration.log_absent(bound)
    if settings.is_secure:
        tls.client_context(settings.ca_file)
    if no_token:
        configuration.answer(f"{configuration.path}: ok")
        return
    try:
        token = agent_config.token(settings, str(configuration.path), os.environ)
    except TokenMissingError as error:
        # It may come by another way than this file, and later.
        logger.warning("%s; the agent will not start without it", error)
    else:
        for warning in agent_config.warnings(settings, token):
            logger.warning("%s: %s", configuration.path, warning)
    configuration.answer(f"{configuration.path}: ok")


for command in (collectors, install, uninstall):
    cli.add_command(command)


async def _run(
    configuration: Configuration,
    settings: AgentSettings,
    token: str,
    collectors: list[Collector],
    trust: ssl.SSLContext | None,
) -> None:
    # websockets is imported only where it is used: `report` does without.
    from vstats_core.agent.link.uplink import Uplink  # noqa: PLC0415

    uplink = Uplink(settings.url, token, trust=trust)
    uplink.describe(_description(collectors))
    agent = Agent(collectors, [uplink.offer], interval=settings.interval)
    stop, reload = asyncio.Event(), asyncio.Event()
    manager = ServiceManager(os.environ)

    async def reload_when_told() -> None:
        while await reload.wait():
            reload.clear()
            with manager.reloading():
                changed = await asyncio.to_thread(_reread, configuration)
                if changed is not None:
                    agent.reconfigure(changed[1], changed[0].interval)
                    uplink.describe(_description(changed[1]))

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload.set)
    work = (uplink.run(), agent.run(), reload_when_told(), stop.wait())
    tasks = [asyncio.create_task(each) for each in work]
    with manager.running():
        done, running = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in running:
        task.cancel()
    await asyncio.wait(running, timeout=1)
    for task in done:
        task.result()  # a fault of ours must be seen, not slept over
    logger.info("stopped")


def _reread(configuration: Configuration) -> tuple[AgentSettings, list[Collector]] | None:
    """Return what the file says now, or None, with all complaints logged."""
    try:
        settings, bound = configuration.load()
    except ConfigError as error:
        for complaint in error.complaints:
            logger.error("%s; the last valid configuration stays", complaint)  # noqa: TRY400
        return None
    configuration.log_absent(bound)
    logger.info("settings reloaded; url, ca_file and the token take effect at the next start")
    return settings, bound


def _description(collectors: list[Collector]) -> bytes:
    """Return what all plugins declare, as far as the server takes it."""
    declared: dict[str, Any] = {}
    for collector in collectors:
        more = declared | describe(collector.sections) if collector.enabled else declared
        if len(strict_json.dumps(more)) > MAX_DESCRIPTION:
            name = collector.found.name
            logger.warning("collector %s: its fields are not described: too many in all", name)
        else:
            declared = more
    return strict_json.dumps(declared)


async def _report_once(settings: AgentSettings, collectors: list[Collector]) -> bytes:
    agent = Agent(collectors, [], interval=settings.interval)
    await agent.start(for_all=True)
    return agent.report()


def _keep_stdout() -> IO[str]:
    """Return standard output, and let everybody else's go to standard error.

    A collector, or a library that it uses, may print: the answer must stay readable all the same.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:  # closed by whoever started us: the next file must not take its place
            os.open(os.devnull, os.O_RDWR)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stdout or answers
    sys.stderr = sys.stderr or answers
    return answers


def fail(error: ConfigError) -> NoReturn:
    """Say what is wrong with the configuration and end with 78, which systemd does not restart."""
    for complaint in error.complaints:
        click.echo(printable(str(complaint), LONGEST_COMPLAINT), err=True)
    sys.exit(BAD_CONFIGURATION)


def leave(code: int) -> NoReturn:
    """End the process now.

    Python would first wait for the threads of its resolver and for whatever a collector has
    registered to run at exit; either may hang, and SIGTERM is answered within 2 s all the same.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # whoever read it may be gone
            stream.flush()
    os._exit(code)


def main() -> None:
    """Run ``vstats-agent``."""
    # From the first moment on, whatever a plugin's import does; the loop's handlers come later.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        cli()
    except ConfigError as error:
        fail(error)
    except (InstallError, PluginError) as error:
        click.echo(str(error), err=True)
        sys.exit(FAILED)
