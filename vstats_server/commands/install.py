"""``vstats-server install``: make the relay a service of this machine, and undo that."""

import ipaddress
from pathlib import Path

import click

from vstats_core.agent.settings import is_loopback
from vstats_core.errors import InstallError
from vstats_core.service.actions import (
    Step,
    add_user,
    carry_out,
    keep,
    make_folder,
    remove,
    remove_user,
    write,
)
from vstats_core.service.systemd import (
    PROGRAMS,
    disable,
    enable,
    program,
    refuse_unless_possible,
    stop,
    unit,
    unit_path,
)
from vstats_server import config
from vstats_server.config import ServerConfig

__all__ = ["install", "uninstall"]

USER = "vstats"
SERVICE = "vstats-server.service"
SOCKET = "vstats-server.socket"
DROP_IN = "vstats-server.service.d/socket.conf"
DEFAULT_FILE = Path("/etc/vstats/server.toml")
SHIPPED_STREAM = "ListenStream=127.0.0.1:3001\n"
CONFIGURATION = """\
# What vstats-server is told. `vstats-server check` finds what is wrong here; a running server sees
# a change within a second, but for host and port, which take effect at the next start.
[server]
host = "127.0.0.1"
port = 3001
"""


@click.command()
@click.option(
    "--socket/--no-socket",
    "socket",
    default=None,
    help="Whether systemd listens, so that a restart refuses nobody.  [default: as it is, or no]",
)
@click.option("--print", "only_show", is_flag=True, help="Show what would be done, and do nothing.")
@click.pass_obj
def install(file: Path, *, socket: bool | None, only_show: bool) -> None:
    """Make the server a service that starts at boot; nothing that is configured is overwritten.

    With --socket, systemd listens at server.host and server.port as they are when this is run.
    """
    if not only_show:
        refuse_unless_possible()
    command = str(program("vstats-server"))
    if file != DEFAULT_FILE:
        command += f" --config {file.resolve()}"
    with_socket = unit_path(SOCKET).exists() if socket is None else socket
    settings = config.load(file) if file.exists() else ServerConfig()
    steps = _steps(file, command, _stream(settings) if with_socket else None)
    carry_out(steps, click.echo, only_show=only_show)
    if not only_show:
        click.echo(f"{SERVICE} runs; its log: journalctl -fu {SERVICE}")


@click.command()
@click.option("--purge", is_flag=True, help="Remove the configuration and the user, too.")
@click.option("--print", "only_show", is_flag=True, help="Show what would be done, and do nothing.")
@click.pass_obj
def uninstall(file: Path, *, purge: bool, only_show: bool) -> None:
    """Stop the server's service and remove it."""
    if not only_show:
        refuse_unless_possible()
    drop_in = unit_path(DROP_IN)
    steps = disable([SOCKET, SERVICE], drop_in, drop_in.parent)
    if purge:
        steps += [remove(file), remove(file.parent), remove_user(USER)]
    carry_out(steps, click.echo, only_show=only_show)


def _steps(file: Path, command: str, stream: str | None) -> list[Step]:
    changes = {f"{PROGRAMS}/vstats-server": command}
    service = unit(SERVICE, changes)
    drop_in = unit_path(DROP_IN)
    files = [service]
    if stream is None:
        there_was = disable([SOCKET], drop_in, drop_in.parent)
        changed = bool(there_was) or not service.is_done()
        running = [*there_was, *enable([SERVICE], changed=changed)]
    else:
        socket = unit(SOCKET, {SHIPPED_STREAM: f"ListenStream={stream}\n"})
        files += [socket, make_folder(drop_in.parent), unit(DROP_IN, changes)]
        changed = not all(step.is_done() for step in files)
        # A relay that listens by itself holds the port that the socket is to have.
        freed = stop(SOCKET, SERVICE) if changed else []
        running = [*freed, *enable([SOCKET, SERVICE], changed=changed)]
    return [
        add_user(USER, "vStats relay"),
        make_folder(file.parent),
        keep(file, mode=0o640, group=USER)
        if file.exists()
        else write(file, CONFIGURATION, mode=0o640, group=USER),
        *files,
        *running,
    ]


def _stream(settings: ServerConfig) -> str:
    """Return where systemd is to listen."""
    host = settings.host
    if settings.port == 0:
        raise InstallError("server.port = 0 is no port that a socket unit could have")
    if host == "":
        return str(settings.port)
    if is_loopback(host) and not _is_address(host):
        host = "127.0.0.1"
    if not _is_address(host):
        raise InstallError(f"server.host: a socket unit needs an address, not a name: {host}")
    return f"[{host}]:{settings.port}" if ":" in host else f"{host}:{settings.port}"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
