import asyncio
import os
import socket
import time

import pytest

from vstats_core.service.notify import ServiceManager


@pytest.fixture(params=["path", "abstract"])
def ear(request, tmp_path):
    """A service manager's socket, and the name that it goes by in the environment."""
    name = f"{tmp_path}/notify" if request.param == "path" else f"@vstats-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(name.replace("@", "\0"))
        bound.settimeout(0)
        yield bound, name


async def heard(bound):
    """Return what comes next."""
    async with asyncio.timeout(5):
        return (await asyncio.get_running_loop().sock_recv(bound, 4096)).decode()


async def test_ready_and_stopping_are_said_at_both_ends(ear):
    bound, name = ear

    with ServiceManager({"NOTIFY_SOCKET": name}).running():
        assert await heard(bound) == "READY=1"
    assert await heard(bound) == "STOPPING=1"

    with pytest.raises(BlockingIOError):
        bound.recv(4096)


async def test_signs_of_life_come_twice_as_often_as_they_are_due(ear):
    bound, name = ear
    manager = ServiceManager(
        {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "400000", "WATCHDOG_PID": str(os.getpid())}
    )

    with manager.running():
        assert await heard(bound) == "READY=1"
        assert await heard(bound) == "WATCHDOG=1"
        started = time.monotonic()
        assert await heard(bound) == "WATCHDOG=1"
        assert 0.15 < time.monotonic() - started < 0.4
    assert await heard(bound) == "STOPPING=1"


async def test_a_loop_that_stands_still_gives_no_sign_of_life(ear):
    bound, name = ear

    with ServiceManager({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "100000"}).running():
        assert await heard(bound) == "READY=1"
        assert await heard(bound) == "WATCHDOG=1"
        deadline = time.monotonic() + 0.3
        while time.monotonic() < deadline:  # a loop that turns would have given four
            pass
        with pytest.raises(BlockingIOError):
            bound.recv(4096)


async def test_another_process_watchdog_is_none_of_ours(ear):
    bound, name = ear
    manager = ServiceManager(
        {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "100000", "WATCHDOG_PID": str(os.getppid())}
    )

    with manager.running():
        assert await heard(bound) == "READY=1"
        await asyncio.sleep(0.1)
    assert await heard(bound) == "STOPPING=1"


async def test_a_reload_says_when_it_began_and_that_it_is_over_even_if_it_fails(ear):
    bound, name = ear
    before = time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6

    async def reload():
        with ServiceManager({"NOTIFY_SOCKET": name}).reloading():
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await reload()

    state, since = (await heard(bound)).split("\n")
    assert state == "RELOADING=1"
    assert 0 <= int(since.removeprefix("MONOTONIC_USEC=")) - before + 1 < 1e6
    assert await heard(bound) == "READY=1"


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NOTIFY_SOCKET": "/nowhere/notify", "WATCHDOG_USEC": "1000000"},
        {"NOTIFY_SOCKET": "@nobody-listens-here"},
        {"NOTIFY_SOCKET": "vsock:2:1"},
        {"NOTIFY_SOCKET": "/" + "x" * 200},
        {"WATCHDOG_USEC": "often"},
    ],
    ids=["none", "gone", "nobody", "not a socket of ours", "too long", "no number"],
)
async def test_without_a_manager_that_listens_the_program_runs_all_the_same(environment):
    manager = ServiceManager(environment)

    with manager.running(), manager.reloading():
        await asyncio.sleep(0)
