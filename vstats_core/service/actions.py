"""What can be done to a machine in steps that are shown first, and not done twice."""

import contextlib
import grp
import os
import pwd
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from vstats_core.errors import InstallError

__all__ = [
    "Step",
    "add_user",
    "carry_out",
    "keep",
    "make_folder",
    "remove",
    "remove_user",
    "run",
    "succeeds",
    "write",
]


@dataclass(frozen=True)
class Step:
    """Something to be done, and how to know that it is done already."""

    headline: str
    """What is done, in a line."""
    do: Callable[[], None]
    is_done: Callable[[], bool] = lambda: False
    details: str = ""
    """What is written, if something is."""


def carry_out(steps: Iterable[Step], say: Callable[[str], None], *, only_show: bool) -> None:
    """Do what is not done yet, and say so; or show it, with all that would be written.

    Raises:
        InstallError: when a step fails; those before it are done, and need not be done again.
    """
    nothing = True
    for step in steps:
        if step.is_done():
            continue
        nothing = False
        say(step.headline)
        if only_show:
            for line in step.details.splitlines():
                say(f"    {line}".rstrip())
            continue
        try:
            step.do()
        except OSError as error:
            raise InstallError(f"could not {step.headline}: {error.strerror or error}") from None
    if nothing:
        say("nothing to do")


def run(*command: str) -> Step:
    """Run a command of the system's, in any case."""
    return Step(f"run {' '.join(command)}", lambda: _call(*command))


def succeeds(*command: str) -> bool:
    """Return whether a command of the system's says yes."""
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603
    except OSError:
        return False


def add_user(name: str, description: str) -> Step:
    """Add a system user who cannot log in, with a group of that name."""
    return Step(
        f"add the system user {name}, and a group of that name",
        lambda: _call("systemd-sysusers", "--inline", f'u {name} - "{description}"'),
        lambda: _exists(pwd.getpwnam, name) and _exists(grp.getgrnam, name),
    )


def remove_user(name: str) -> Step:
    """Remove a system user, and the group of that name."""
    return Step(
        f"remove the system user {name}",
        lambda: _call("userdel", name),
        lambda: not _exists(pwd.getpwnam, name),
    )


def make_folder(path: Path) -> Step:
    """Make a folder that everybody may enter; one that is there is left as it is."""

    def do() -> None:
        path.mkdir(parents=True)
        path.chmod(0o755)

    return Step(f"make the folder {path} (0755)", do, path.is_dir)


def write(
    path: Path, content: str, *, mode: int = 0o644, group: str = "root", show: str | None = None
) -> Step:
    """Write a file of root's, as a whole or not at all; ``show`` is shown in a secret's place."""

    def is_done() -> bool:
        try:
            same = path.is_file() and path.read_text(encoding="utf-8") == content
        except (PermissionError, UnicodeDecodeError):
            return False
        return same and _whose(path) == (mode, "root", group)

    return Step(
        f"write {path} {_described(mode, group)}",
        lambda: _replace(path, content, mode, _ids(group)),
        is_done,
        content if show is None else show,
    )


def keep(path: Path, *, mode: int, group: str) -> Step:
    """Leave what is written in a file, and see to its owner, group and mode."""

    def do() -> None:
        os.chown(path, *_ids(group))
        path.chmod(mode)

    return Step(
        f"keep what is written in {path}, and make it {_described(mode, group)}",
        do,
        lambda: _whose(path) == (mode, "root", group),
    )


def remove(path: Path) -> Step:
    """Remove a file, or a folder that is empty."""

    def do() -> None:
        if path.is_dir():
            with contextlib.suppress(OSError):
                path.rmdir()
        else:
            path.unlink()

    headline = f"remove {path}" + (", if it is empty" if path.is_dir() else "")
    return Step(headline, do, lambda: not os.path.lexists(path))


def _described(mode: int, group: str) -> str:
    return f"({mode:04o}, root:{group})"


def _ids(group: str) -> tuple[int, int]:
    return 0, grp.getgrnam(group).gr_gid


def _whose(path: Path) -> tuple[int, str, str]:
    found = path.stat()
    owner, group = str(found.st_uid), str(found.st_gid)
    with contextlib.suppress(KeyError):
        owner = pwd.getpwuid(found.st_uid).pw_name
    with contextlib.suppress(KeyError):
        group = grp.getgrgid(found.st_gid).gr_name
    return stat.S_IMODE(found.st_mode), owner, group


def _replace(path: Path, content: str, mode: int, ids: tuple[int, int]) -> None:
    """Put the content in the file's place, which nobody sees before it is whole."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            os.fchown(handle, *ids)
            os.fchmod(handle, mode)
            stream.write(content)
            stream.flush()
            os.fsync(handle)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _call(*command: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if result.returncode != 0:
        said = result.stderr.strip() or f"exit code {result.returncode}"
        raise InstallError(f"{' '.join(command)}: {said}")


def _exists(look_up: Callable[[str], object], name: str) -> bool:
    try:
        look_up(name)
    except KeyError:
        return False
    return True
