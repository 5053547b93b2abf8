"""What holds for every test."""

import inspect
import logging
import os
from collections.abc import Iterator

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import settings

from vstats_core.logs import event as core
from vstats_server import events as server

# How long an example takes says more of the machine than of the code. A gate gives the same answer
# each time it is asked; a developer's run looks somewhere new.
settings.register_profile("vstats", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("vstats")

EVENTS = core.EVENTS | server.EVENTS


@pytest.fixture(autouse=True)
def nothing_blocks_the_event_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test whose event loop waits for a file, a socket or a clock."""
    if not inspect.iscoroutinefunction(getattr(request, "function", None)):
        yield
        return
    with blockbuster_ctx(["vstats_core", "vstats_server", "vstats_top"]):
        yield


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Let every test see what was logged at INFO; fail one in which we log what is no event."""
    caplog.set_level(logging.INFO)
    yield
    for record in caplog.get_records("call"):
        if record.name.startswith(("vstats_core.", "vstats_server.", "vstats_collectors.")):
            event = EVENTS.get((record.name, record.msg))
            assert event is not None, f"not in the catalogue of events: {record.msg}"
            assert event.level == record.levelno
