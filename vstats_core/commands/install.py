"""``vstats-agent install``: make the agent a service of this machine, and undo that."""

import contextlib
import sys
from pathlib import Path

import click
import tomli
import tomlkit
from pydantic import SecretStr

from vstats_core.agent import settings as agent_config
from vstats_core.agent.loader import DEFAULT_FILE, Configuration
from vstats_core.agent.settings import AgentSettings
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
    unit,
)
from vstats_core.toml import build

__all__ = ["install", "uninstall"]

USER = "vstats-agent"
SERVICE = "vstats-agent.service"
TOKEN_FILE = Path("/etc/vstats/token")
LONGEST_INPUT = 64 * 1024
CONFIGURATION = """\
# What vstats-agent is told. `vstats-agent check` finds what is wrong here, and `systemctl reload
# vstats-agent` makes it take effect, but for url and the token: these wait for the next start.
[agent]
url = {url}
token_file = "/etc/vstats/token"
"""
ASKED_FOR = "the token, which is asked for"


@click.command()
@click.option("--url", help="Where the server takes reports, like wss://HOST/ws/agent.")
@click.option("--new-token", is_flag=True, help="Replace the token that is there.")
@click.option("--print", "only_show", is_flag=True, help="Show what would be done, and do nothing.")
@click.pass_obj
def install(
    configuration: Configuration, url: str | None, *, new_token: bool, only_show: bool
) -> None:
    """Make the agent a service that starts at boot; nothing that is configured is overwritten.

    Reads what `vstats-server hosts add` prints, or the token alone, from standard input; at a
    terminal it asks for the token.
    """
    if not only_show:
        refuse_unless_possible()
    given = _given()
    new = given.token.get_secret_value() if given.token else ""
    if _is_wanted(configuration.path, new, new_token=new_token):
        token = new or (ASKED_FOR if only_show else _ask())
    else:
        token = ""
    file = _configuration(configuration.path, url or _url(given))
    command = str(program("vstats-agent"))
    if configuration.path != DEFAULT_FILE:
        command += f" --config {configuration.path.resolve()}"
    carry_out(_steps(file, token, command), configuration.answer, only_show=only_show)
    if not only_show:
        configuration.answer(f"{SERVICE} runs; its log: journalctl -fu {SERVICE}")


@click.command()
@click.option("--purge", is_flag=True, help="Remove the configuration, the token and the user too.")
@click.option("--print", "only_show", is_flag=True, help="Show what would be done, and do nothing.")
@click.pass_obj
def uninstall(configuration: Configuration, *, purge: bool, only_show: bool) -> None:
    """Stop the agent's service and remove it."""
    if not only_show:
        refuse_unless_possible()
    steps = disable([SERVICE])
    if purge:
        files = [remove(configuration.path), remove(TOKEN_FILE), remove(TOKEN_FILE.parent)]
        steps += [*files, remove_user(USER)]
    carry_out(steps, configuration.answer, only_show=only_show)


def _steps(configuration: Step, token: str, command: str) -> list[Step]:
    service = unit(SERVICE, {f"{PROGRAMS}/vstats-agent": command})
    files = [service]
    if token:
        files.insert(0, write(TOKEN_FILE, f"{token}\n", mode=0o600, show=ASKED_FOR))
    return [
        add_user(USER, "vStats agent"),
        make_folder(TOKEN_FILE.parent),
        configuration,
        *files,
        *enable([SERVICE], changed=not all(step.is_done() for step in files)),
    ]


def _given() -> AgentSettings:
    """Return the address and the token that come through a pipe, if they do.

    Raises:
        InstallError: for anything else.
    """
    text = "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read(LONGEST_INPUT).strip()
    if len(text.split()) <= 1:
        return AgentSettings(token=SecretStr(_checked(text)) if text else None)
    try:
        table = tomli.loads(text).get("agent", {})
    except tomli.TOMLDecodeError:
        table = {}
    if not isinstance(table, dict) or "token" not in table or table.keys() - {"token", "url"}:
        raise InstallError(
            "standard input: should be what `vstats-server hosts add` prints, or a token alone"
        )
    settings = build(AgentSettings, table, file="standard input", prefix="agent")
    _checked(settings.token.get_secret_value() if settings.token else "")
    return settings


def _url(given: AgentSettings) -> str | None:
    return given.url if "url" in given.model_fields_set else None


def _checked(token: str) -> str:
    if complaint := agent_config.complaint_about(token):
        raise InstallError(f"the token: {complaint}")
    return token


def _ask() -> str:
    if sys.stdin is None or not sys.stdin.isatty():
        raise InstallError(
            "no token: run this at a terminal, which is asked for it, or give it what "
            "`vstats-server hosts add NAME` prints through a pipe"
        )
    token: str = click.prompt("Token (it is not shown)", hide_input=True, err=True)
    return _checked(token.strip())


def _is_wanted(file: Path, token: str, *, new_token: bool) -> bool:
    """Return whether a token is to be written.

    Raises:
        InstallError: for one that differs from what is there, which stays unless told otherwise.
    """
    if new_token:
        return True
    if TOKEN_FILE.exists():
        with contextlib.suppress(PermissionError):
            if token and TOKEN_FILE.read_text(encoding="utf-8").strip() != token:
                raise InstallError(f"{TOKEN_FILE} holds another token; --new-token replaces it")
        return False
    if file.exists():
        settings = agent_config.load(file)
        return settings.token is None and settings.token_file in (None, TOKEN_FILE)
    return True


def _configuration(path: Path, url: str | None) -> Step:
    if path.exists():
        told = agent_config.load(path).url
        if url not in (None, told):
            raise InstallError(f"{path} stays as it is, and says {told}; change agent.url there")
        return keep(path, mode=0o640, group=USER)
    if url is None:
        raise InstallError("where is the server? --url wss://HOST/ws/agent says so")
    build(AgentSettings, {"url": url}, file="--url", prefix="agent")
    content = CONFIGURATION.format(url=tomlkit.item(url).as_string())
    return write(path, content, mode=0o640, group=USER)
