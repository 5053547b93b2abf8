"""A Debian that has just been installed, booted by systemd-nspawn, with a systemd of its own."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

REPOSITORY = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "vstats-systemd"
SUITE = "bookworm"
PYTHON = "3.11"
"""What the suite calls ``python3``."""
PACKAGES = ("systemd", "systemd-sysv", "python3", "python3-venv")
NEEDED = ("debootstrap", "systemd-nspawn", "nsenter")
PROMPT = 20.0
"""Seconds that anything may take here before a test gives up; what is promised is asserted."""


def reason_not_to_run() -> str:
    """Return why no machine can be booted here, or nothing."""
    if os.geteuid() != 0:
        return "only root can boot a container"
    missing = [program for program in NEEDED if shutil.which(program) is None]
    if missing:
        return f"not installed: {', '.join(missing)}; apt-get install debootstrap systemd-container"
    return ""


def build_root() -> Path:
    """Return a fresh Debian's files, made once (a minute, 300 MB) and kept in the cache."""
    root = CACHE / f"{SUITE}-{'-'.join(PACKAGES)}"
    if not root.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        unfinished = CACHE / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        include = f"--include={','.join(PACKAGES)}"
        mirror = [os.environ["DEBIAN_MIRROR"]] if "DEBIAN_MIRROR" in os.environ else []
        command = ["debootstrap", "--variant=minbase", include, SUITE, str(unfinished), *mirror]
        _run(*command)
        unfinished.rename(root)
    return root


@contextlib.contextmanager
def layered(folder: Path, *below: Path) -> Iterator[Path]:
    """Mount one tree over others; what is written goes into memory, and is gone at the end."""
    folder.mkdir()
    _run("mount", "-t", "tmpfs", "-o", "size=1g,mode=755", "tmpfs", str(folder))
    try:
        for name in ("upper", "work", "root"):
            (folder / name).mkdir()
        lower = ":".join(map(str, below))
        options = f"lowerdir={lower},upperdir={folder}/upper,workdir={folder}/work"
        _run("mount", "-t", "overlay", "-o", options, "overlay", str(folder / "root"))
        try:
            yield folder / "root"
        finally:
            _run("umount", str(folder / "root"))
    finally:
        _run("umount", str(folder))
        folder.rmdir()


@contextlib.contextmanager
def disk(folder: Path, size: int) -> Iterator[Path]:
    """Mount a new file system of so many MiB."""
    image = folder.with_suffix(".img")
    folder.mkdir()
    with image.open("wb") as stream:
        stream.truncate(size * 1024 * 1024)
    _run("mkfs.ext4", "-q", str(image))
    _run("mount", "-o", "loop", str(image), str(folder))
    try:
        yield folder
    finally:
        _run("umount", str(folder))
        image.unlink()


def install_wheels(root: Path, folder: Path) -> None:
    """Put our own wheel, and what it needs, into ``/opt/vstats``: ``pip install``, offline."""
    wheels = folder / "wheels"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels)]
    _run(*build, str(REPOSITORY))
    (wheel,) = wheels.glob("vstats_monitor-*.whl")
    to_fit = ["--python-version", PYTHON, "--only-binary=:all:"]
    _run(*pip, "download", *to_fit, "--dest", str(wheels), str(wheel))
    shutil.copytree(wheels, root / "wheels")
    _run("chroot", str(root), "python3", "-m", "venv", "/opt/vstats")
    install = ["/opt/vstats/bin/pip", "install", "--quiet", "--no-index", "--find-links=/wheels"]
    _run("chroot", str(root), *install, "vstats-monitor")
    shutil.rmtree(root / "wheels")


class Machine:
    """A booted machine; commands run in it as root."""

    def __init__(self, leader: int) -> None:
        self.leader = leader

    def command(self, *command: str) -> list[str]:
        """Return the command that runs this one inside."""
        return ["nsenter", "--target", str(self.leader), "--all", *command]

    def run(
        self, *command: str, check: bool = True, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        result = subprocess.run(
            self.command(*command),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
            check=False,
        )
        if check and result.returncode != 0:
            said = f"{result.stdout}{result.stderr}"
            raise AssertionError(f"{' '.join(command)}: {result.returncode}\n{said}")
        return result

    def python(self, script: str, *arguments: str) -> str:
        """Run a script with what is installed there, and return what it prints."""
        return self.run("/opt/vstats/bin/python", "-c", script, *arguments).stdout

    def show(self, unit: str, what: str) -> str:
        """Return a property of a unit."""
        return self.run("systemctl", "show", "--value", "--property", what, unit).stdout.strip()

    def pid(self, unit: str = "vstats-server.service") -> int:
        """Return the number of a service's main process, as the machine counts; 0 for none."""
        return int(self.show(unit, "MainPID"))

    def journal(self, *arguments: str) -> str:
        """Return what the journal holds."""
        self.run("journalctl", "--sync")
        return self.run("journalctl", "--no-pager", *arguments).stdout

    def cursor(self) -> str:
        """Return the journal's end, for ``--after-cursor``."""
        last = self.journal("--show-cursor", "--lines=0")
        return last.rsplit("-- cursor: ", 1)[1].strip()


def until(condition: Callable[[], T], seconds: float = PROMPT) -> T:
    """Return what the condition gives, once that is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)
    return found


@contextlib.contextmanager
def booted(root: Path, *options: str) -> Iterator[Machine]:
    """Boot a machine, and take its power away at the end, whatever happens."""
    container = subprocess.Popen(
        [
            *("systemd-nspawn", "--quiet", "--directory", str(root), f"--machine=vs{os.getpid()}"),
            *("--register=no", "--keep-unit", "--network-veth", "--resolv-conf=off", *options),
            *("--boot", "--console=passive", "systemd.unified_cgroup_hierarchy=1"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    leader = 0
    try:
        children = Path(f"/proc/{container.pid}/task/{container.pid}/children")

        def init() -> int:
            assert container.poll() is None, container.communicate()[1]
            for child in children.read_text().split():
                # The one that has become systemd; before, nspawn only prepares the namespaces.
                if Path(f"/proc/{child}/comm").read_text() == "systemd\n":
                    return int(child)
            return 0

        leader = until(init)
        machine = Machine(leader)
        states = ("running\n", "degraded\n")
        until(lambda: machine.run("systemctl", "is-system-running", check=False).stdout in states)
        yield machine
    finally:
        if leader:
            os.kill(leader, 9)
        else:
            container.kill()
        container.communicate()


def _run(*command: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        said = f"{result.stdout[-2000:]}{result.stderr[-2000:]}"
        raise AssertionError(f"{' '.join(command)}: {result.returncode}\n{said}")
