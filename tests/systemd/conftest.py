"""Machines to boot; one at a time, since they share the cgroup of whoever boots them."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import (
    CACHE,
    Machine,
    booted,
    build_root,
    disk,
    install_wheels,
    layered,
    reason_not_to_run,
)


@pytest.fixture(scope="session")
def layers() -> Iterator[tuple[Path, Path, Path]]:
    """A folder to work in, and a Debian that has just been installed, in two layers.

    The upper one holds our wheel and what it needs, in ``/opt/vstats``, and no more.
    """
    reason = reason_not_to_run()
    if reason:
        assert "CI" not in os.environ, reason
        pytest.skip(reason)
    debian = build_root()
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=CACHE))
    try:
        with layered(folder / "installed", debian) as root:
            install_wheels(root, folder)
            yield folder, folder / "installed" / "upper", debian
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def machine(layers: tuple[Path, Path, Path]) -> Iterator[Machine]:
    """A machine for one test, booted, with nothing of ours set up."""
    folder, *below = layers
    with layered(folder / "machine", *below) as root, booted(root) as machine:
        yield machine


@pytest.fixture(scope="module")
def shared_machine(layers: tuple[Path, Path, Path]) -> Iterator[Machine]:
    """A machine for all tests of a module, with a disk at ``/home`` and one at ``/srv``."""
    folder, *below = layers
    with (
        layered(folder / "machine", *below) as root,
        disk(folder / "home", 64) as home,
        disk(folder / "srv", 32) as srv,
        booted(root, f"--bind={home}:/home", f"--bind={srv}:/srv") as machine,
    ):
        yield machine
