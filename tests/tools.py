"""Programs that are not ours, and that some tests need."""

import os
import shutil

import pytest


def program(name: str) -> str:
    """Return where a program is; without it the test is skipped, but in the gate it fails."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        text = f"the program {name} is not installed"
        pytest.fail(text) if "CI" in os.environ else pytest.skip(text)
    return found
