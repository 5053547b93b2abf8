"""Programs that are not ours, and that some tests need."""

import os
import shutil
import sys
from pathlib import Path

import pytest


def program(name: str) -> str:
    """Return where a program is; without it the test is skipped, but in the gate it fails."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        text = f"the program {name} is not installed"
        pytest.fail(text) if "CI" in os.environ else pytest.skip(text)
    return found


def pip_installs_into(site: Path) -> dict[str, str]:
    """Return an environment in which pip installs into a folder, and Python finds it there."""
    return os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(site),
        "PIP_TARGET": str(site),
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads this one the wrong way round
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
