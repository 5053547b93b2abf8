"""What holds for every test."""

import inspect
import logging
from collections.abc import Iterator

import pytest
from blockbuster import blockbuster_ctx


@pytest.fixture(autouse=True)
def nothing_blocks_the_event_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test whose event loop waits for a file, a socket or a clock."""
    if not inspect.iscoroutinefunction(getattr(request, "function", None)):
        yield
        return
    with blockbuster_ctx(["vstats_core", "vstats_server"]):
        yield


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Let every test see what was logged at INFO."""
    caplog.set_level(logging.INFO)
