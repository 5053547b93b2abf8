"""What the tests of the collectors share: recorded machines, and the report's own rules."""

from pathlib import Path

import orjson
import pytest

from vstats_core.wire.schema import Report

MACHINES = Path(__file__).parent / "machines"


@pytest.fixture
def machine():
    """Return the root folder of a recorded machine."""

    def root(name):
        folder = MACHINES / name
        assert folder.is_dir()
        return folder

    return root


@pytest.fixture
def valid():
    """Return the fragment as it is, having checked that a report can hold it."""

    def check(fragment):
        Report.model_validate({"timestamp": "2026-01-02T03:04:05Z", "hostname": "h", **fragment})
        assert len(orjson.dumps(fragment)) < 64 * 1024
        return fragment

    return check
