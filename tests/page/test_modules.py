import os
import subprocess
from pathlib import Path

import pytest

MODULES = sorted((Path(__file__).parent / "modules").glob("*.test.mjs"))


@pytest.fixture(scope="module")
def node():
    """Return the Node.js that comes with Playwright."""
    if "CI" not in os.environ:
        pytest.importorskip("playwright")
    from playwright._impl._driver import compute_driver_executable  # noqa: PLC0415 - may be missing

    return compute_driver_executable()[0]


@pytest.mark.parametrize("file", MODULES, ids=lambda file: file.name)
def test_the_modules_that_need_no_browser_pass_their_own_tests(file, node):
    done = subprocess.run(
        [node, "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON", "--test", str(file)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert done.returncode == 0, done.stdout


def test_there_are_such_tests():
    assert len(MODULES) >= 5
