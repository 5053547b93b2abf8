"""``vstats-server``: run the relay, edit its hosts, print its schema, show what vStats does."""

import asyncio
import contextlib
import faulthandler
import importlib
import json
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import click
import tomlkit

from vstats_core.agent.loader import table
from vstats_core.commands.main import fail
from vstats_core.errors import ConfigError, InstallError
from vstats_core.logs import setup as logs
from vstats_core.service.notify import ServiceManager
from vstats_core.toml import build
from vstats_core.version import __version__
from vstats_core.wire.messages import json_schema
from vstats_server import config
from vstats_server.commands import demo
from vstats_server.commands import host_file as hosts
from vstats_server.commands.install import install, uninstall
from vstats_server.config import Login, ServerConfig
from vstats_server.events import EVENTS
from vstats_server.net import certificate
from vstats_server.net.activation import take_sockets
from vstats_server.net.event_loop import ModeratedEventLoop
from vstats_server.net.listening import reason_not_to_listen
from vstats_server.relay import Relay
from vstats_server.scrypt import hash_password

__all__ = ["main"]

logger = logging.getLogger(__name__)

DEFAULT_FILE = Path("/etc/vstats/server.toml")
SHORTEST_PASSWORD = 12
"""Characters that a person's own password should have."""


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, readable=False),
    default=DEFAULT_FILE,
    show_default=True,
    help="The configuration file.",
)
@click.option("--verbose", is_flag=True, help="Log in more detail.")
@click.version_option(__version__, prog_name="vstats-server")
@click.pass_context
def cli(context: click.Context, file: Path, *, verbose: bool) -> None:
    """Relay the agents' reports to every dashboard.

    Without a command: run until SIGTERM or Ctrl-C; SIGHUP reloads the configuration.
    """
    logs.configure(verbose=verbose, events=EVENTS)
    context.obj = file
    if context.invoked_subcommand is None:
        settings = config.load(file)
        with asyncio.Runner(loop_factory=_loop_factory(settings)) as runner:
            sys.exit(runner.run(_run(settings, file)))


@cli.command()
@click.pass_obj
def check(file: Path) -> None:
    """Load the configuration and say what is wrong with it."""
    settings = config.load(file)
    if settings.tls:
        certificate.load(settings.tls)
    for warning in config.warnings(settings):
        logger.warning("%s: %s", file, warning)
    click.echo(f"{file}: ok")


@cli.command()
def schema() -> None:
    """Print the JSON Schema of every message."""
    click.echo(json.dumps(json_schema(), indent=2))


@cli.command("demo")
@click.option("--port", default=3001, show_default=True, help="The port to listen on.")
@click.option(
    "--hosts",
    "simulated",
    type=click.IntRange(0, 2000),
    default=10,
    show_default=True,
    help="Simulated hosts to show beside this machine.",
)
def demo_command(port: int, simulated: int) -> None:
    """Show the live page of this very machine and some simulated hosts, on loopback."""
    sys.exit(asyncio.run(demo.run(port, simulated)))


@cli.command("password")
@click.option("--username", default="vstats", show_default=True, help="Whom it is for.")
@click.pass_obj
def password_command(file: Path, username: str) -> None:
    """Ask for a password; print the configuration that has dashboards give it.

    It is asked for twice on a terminal, else read from standard input.
    """
    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = _password_from_stdin()
    if not password:
        raise click.ClickException("the password is empty")
    if len(password) < SHORTEST_PASSWORD:
        logger.warning("a password of fewer than %d characters can be guessed", SHORTEST_PASSWORD)
    login = {"username": username, "password_scrypt": hash_password(password)}
    build(Login, login, file="--username", prefix="server.dashboard")
    click.echo(
        f"# Put this into {file} on the server, then: chmod o-rwx that file.\n"
        "# A running server takes it within a second.\n"
        "[server.dashboard]"
    )
    for key, value in login.items():
        click.echo(f"{key} = {tomlkit.string(value).as_string()}")


def _password_from_stdin() -> str:
    line = sys.stdin.buffer.readline().removesuffix(b"\n").removesuffix(b"\r")
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise click.ClickException("the password is not UTF-8") from None


cli.add_command(install)
cli.add_command(uninstall)


@cli.group("hosts")
def hosts_group() -> None:
    """Edit the hosts in the configuration file; a running server sees it at once."""


@hosts_group.command("add")
@click.argument("name")
@click.option("--id", "id_", help="What the wire calls it.  [default: a slug of the name]")
@click.option("--location", default="", help="Where it stands.")
@click.option("--tag", "tags", multiple=True, help="A word to filter by; may be repeated.")
@click.pass_obj
def add(file: Path, name: str, id_: str | None, location: str, tags: tuple[str, ...]) -> None:
    """Add a host; print its token, once, in a ready configuration for its agent."""
    new = not file.exists()
    token = hosts.add(file, name, id_=id_, location=location, tags=tags)
    if new:
        logger.info("%s is new", file)
    _print_agent_configuration(file, token)


@hosts_group.command("rotate")
@click.argument("host")
@click.pass_obj
def rotate(file: Path, host: str) -> None:
    """Give a host (by id) a new token; its agent is cut off until it has it."""
    _print_agent_configuration(file, hosts.rotate(file, host))


@hosts_group.command("remove")
@click.argument("host")
@click.pass_obj
def remove(file: Path, host: str) -> None:
    """Remove a host (by id); its agent is cut off."""
    hosts.remove(file, host)
    logger.info("removed %s", host)


@hosts_group.command("list")
@click.pass_obj
def list_hosts(file: Path) -> None:
    """List the hosts."""
    rows = [("ID", "NAME", "LOCATION", "TAGS")] + [
        (host.id, host.name, host.location, ", ".join(host.tags))
        for host in config.load(file).hosts
    ]
    click.echo(table(rows))


def _print_agent_configuration(file: Path, token: str) -> None:
    url = agent_url(config.load(file))
    click.echo(
        "# The token is shown this once; the server keeps only its digest. On the machine, as\n"
        "# root, run the following; it asks for the token, or takes all of this from a pipe:\n"
        f"#   vstats-agent install --url {url}\n"
        "# Or put this into /etc/vstats/agent.toml, and: chmod 600 that file.\n"
        "[agent]\n"
        f'url = "{url}"\n'
        f'token = "{token}"'
    )


def agent_url(settings: ServerConfig) -> str:
    """Return where an agent of this server connects to, as far as the server can know."""
    if settings.public_url is not None:
        public = urlsplit(settings.public_url)
        return f"{'wss' if public.scheme == 'https' else 'ws'}://{public.netloc}/ws/agent"
    anywhere = settings.host in ("", "0.0.0.0", "::")  # noqa: S104 - compared, not bound
    host = "THIS-SERVER" if anywhere else settings.host
    scheme = "wss" if settings.tls else "ws"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.port}/ws/agent"


def _loop_factory(settings: ServerConfig) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes the event loop: uvloop's where it is installed, by the extra ``fast``."""
    if settings.tls:
        # Of what it has encrypted and not sent, uvloop tells nothing.
        return ModeratedEventLoop
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return ModeratedEventLoop
    logger.debug("using uvloop %s", uvloop.__version__)
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def _run(settings: ServerConfig, file: Path) -> int:
    faulthandler.enable()  # when the service manager's watchdog ends us, say where we stood
    _raise_descriptor_limit()
    manager = ServiceManager(os.environ)
    relay = Relay(settings, path=file, sockets=take_sockets(os.environ))
    stop = asyncio.Event()
    reloads: set[asyncio.Task[None]] = set()

    async def reload() -> None:
        with manager.reloading():
            await relay.reload()

    def begin_reload() -> None:
        task = asyncio.create_task(reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, stop.set)
    loop.add_signal_handler(signal.SIGHUP, begin_reload)
    try:
        async with relay.serving():
            with manager.running():
                await stop.wait()
    except OSError as error:
        logger.error("%s", reason_not_to_listen(settings, error))  # noqa: TRY400 - a line says it all
        return 1
    return 0


def _raise_descriptor_limit() -> None:
    """Allow as many connections as the system does: the usual default is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> None:
    """Run ``vstats-server``."""
    try:
        cli()
    except ConfigError as error:
        fail(error)
    except InstallError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
