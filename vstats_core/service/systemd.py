"""Decide whether a program can run as a service of this machine, and by which unit."""

import os
import re
import stat
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

from vstats_core.errors import InstallError
from vstats_core.service.actions import Step, remove, run, succeeds, write

__all__ = [
    "PROGRAMS",
    "disable",
    "enable",
    "program",
    "refuse_unless_possible",
    "stop",
    "unit",
    "unit_path",
]

UNITS = Path("/etc/systemd/system")
PROGRAMS = "/opt/vstats/bin"
"""Where the units that we ship expect the programs."""
HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 - compared, not used
"""Folders that a service does not see as they are."""
PLAIN = re.compile(r"[\w/.+@:-]+", re.ASCII)
"""A path that means the same in a unit as everywhere else."""
ADVICE = (
    "; install it for all: python3 -m venv /opt/vstats, "
    "then /opt/vstats/bin/pip install vstats-monitor"
)


def refuse_unless_possible() -> None:
    """Refuse where there is no systemd, and whoever may not tell it anything.

    Raises:
        InstallError: with what to do instead.
    """
    if not Path("/run/systemd/system").is_dir():
        raise InstallError(
            "systemd does not run here; --print shows what would be done, "
            "and without a command the program runs in the foreground"
        )
    if os.geteuid() != 0:
        raise InstallError("only root may do this; use sudo, or --print to see what would be done")


def program(name: str) -> Path:
    """Return where a program of ours is.

    Raises:
        InstallError: when a service could not run it there.
    """
    path = Path(sysconfig.get_path("scripts"), name)
    for needed in (path, Path(sys.executable).resolve(), Path(__file__).parents[1]):
        _refuse_if_hidden(needed)
    return path


def _refuse_if_hidden(path: Path) -> None:
    if not path.exists():
        raise InstallError(f"{path} is missing{ADVICE}")
    if not PLAIN.fullmatch(str(path)):
        raise InstallError(f"{str(path)!r} cannot stand in a unit{ADVICE}")
    for hidden in HIDDEN:
        if path.is_relative_to(hidden):
            raise InstallError(f"{path}: a service does not see what is in {hidden}{ADVICE}")
    for part in (path, *path.parents):
        if not part.stat().st_mode & stat.S_IXOTH:
            raise InstallError(f"{path}: a service may not enter {part}; run: chmod -R o+rX {part}")


def unit_path(name: str) -> Path:
    """Return where a unit of this machine's own is."""
    return UNITS / name


def unit(name: str, changes: Mapping[str, str]) -> Step:
    """Write a unit that we ship, or a drop-in, with what is different on this machine."""
    here = Path(__file__).parents[1]
    # In a wheel the units are among the package's files, in the repository beside it.
    folders = (here / "systemd", here.parent / "systemd")
    shipped = next(folder for folder in folders if folder.is_dir())
    text = (shipped / name).read_text(encoding="utf-8")
    for ours, theirs in changes.items():
        text = text.replace(ours, theirs)
    return write(unit_path(name), text)


def enable(names: Sequence[str], *, changed: bool) -> list[Step]:
    """Have the units run, now and after each boot; start them anew if something has changed."""
    if changed:
        return [
            run("systemctl", "daemon-reload"),
            run("systemctl", "enable", *names),
            run("systemctl", "restart", *names),
        ]
    if all(_is("active", name) and _is("enabled", name) for name in names):
        return []
    return [run("systemctl", "enable", "--now", *names)]


def stop(*names: str) -> list[Step]:
    """Stop those of the units that run."""
    active = [name for name in names if _is("active", name)]
    return [run("systemctl", "stop", *active)] if active else []


def disable(names: Sequence[str], *more: Path) -> list[Step]:
    """Stop the units for good, and remove them and what else is named."""
    found = [name for name in names if unit_path(name).exists()]
    if not found:
        return []
    failed = [name for name in found if _is("failed", name)]
    return [
        run("systemctl", "disable", "--now", *found),
        *(remove(path) for path in (*map(unit_path, found), *more)),
        run("systemctl", "daemon-reload"),
        *([run("systemctl", "reset-failed", *failed)] if failed else []),
    ]


def _is(state: str, name: str) -> bool:
    return succeeds("systemctl", f"is-{state}", "--quiet", name)
