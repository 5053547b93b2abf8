import asyncio
import errno
import resource

import pytest
from kit import FakeClock

from vstats_server.health.descriptors import OURS, Descriptors


@pytest.fixture
def limit():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


async def test_a_connection_that_cannot_be_accepted_is_a_line_a_minute(caplog):
    clock = FakeClock()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(Descriptors(clock).handle_error)
    error = OSError(errno.EMFILE, "Too many open files")

    for _ in range(60):
        loop.call_exception_handler({"message": "socket.accept()", "exception": error})
        clock.now += 1
    assert len(caplog.records) == 1
    loop.call_exception_handler({"message": "socket.accept()", "exception": error})

    assert len(caplog.records) == 2
    assert "raise the limit" in caplog.text
    assert "Traceback" not in caplog.text


async def test_any_other_error_is_the_loops_own_business(caplog):
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(Descriptors(FakeClock()).handle_error)

    loop.call_exception_handler({"message": "a fault", "exception": OSError(errno.EIO, "broken")})

    assert "broken" in caplog.text
    assert "descriptors" not in caplog.text


@pytest.mark.parametrize(("left", "lines"), [(0, 0), (-1, 1)], ids=["one is left", "none is"])
def test_connections_that_take_all_descriptors_are_complained_of(caplog, limit, left, lines):
    descriptors = Descriptors(FakeClock())

    for _ in range(3):
        descriptors.look(limit - OURS - left)

    assert len(caplog.records) == lines
