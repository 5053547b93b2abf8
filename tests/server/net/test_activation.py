import asyncio
import json
import os
import socket

import pytest
from kit import Peers, config

from vstats_core.errors import ConfigError
from vstats_server.config import load
from vstats_server.net.activation import address_of, take_sockets
from vstats_server.relay import Relay


def announced(count, names="", pid=None):
    return {
        "LISTEN_PID": str(pid or os.getpid()),
        "LISTEN_FDS": str(count),
        "LISTEN_FDNAMES": names,
    }


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as bound:
        yield bound


def handed_over(made):
    """Return a descriptor such as a service manager leaves behind: nobody else closes it."""
    return os.dup(made.fileno())


def test_a_process_that_was_handed_nothing_takes_nothing():
    assert take_sockets({}) == []
    assert take_sockets(announced(1, pid=os.getppid())) == []
    assert take_sockets(announced("x")) == []


def test_what_was_handed_over_is_taken_once_and_kept_from_children(listening):
    environment = announced(1, "vstats-server.socket") | {"PATH": "/bin"}
    descriptor = handed_over(listening)
    os.set_inheritable(descriptor, True)  # noqa: FBT003

    (taken,) = take_sockets(environment, first=descriptor)

    with taken:
        assert taken.getsockname() == listening.getsockname()
        assert not os.get_inheritable(descriptor)
        assert environment == {"PATH": "/bin"}


@pytest.mark.parametrize("kind", ["not listening", "unix", "file"])
def test_what_is_no_listening_tcp_socket_is_refused_by_its_name(tmp_path, kind):
    if kind == "file":
        descriptor = os.open(tmp_path, os.O_RDONLY)
    else:
        family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
        with socket.socket(family) as made:
            made.bind(str(tmp_path / "s") if kind == "unix" else ("127.0.0.1", 0))
            if kind == "unix":
                made.listen()
            descriptor = handed_over(made)

    with pytest.raises(ConfigError, match=r"^web\.socket: .*socket|^web\.socket: .*TCP"):
        take_sockets(announced(1, "web.socket"), first=descriptor)
    if kind == "file":
        os.close(descriptor)


def test_of_several_addresses_the_one_that_others_reach_counts(listening):
    with socket.create_server(("0.0.0.0", 0)) as open_to_all:
        assert address_of([listening, open_to_all]) == open_to_all.getsockname()


async def test_the_relay_serves_on_every_socket_and_goes_by_their_address():
    first, second = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
    relay = Relay(config(host="192.0.2.1", port=1), sockets=[first, second])

    async with relay.serving() as port:
        assert port == first.getsockname()[1]
        for each in (first, second):
            status, _, body = await Peers(relay, each.getsockname()[1]).http("/healthz")
            # Without the warning that 192.0.2.1 would deserve.
            assert (status, json.loads(body)["warnings"]) == (200, [])


@pytest.fixture
def told(tmp_path):
    file = tmp_path / "server.toml"
    file.write_text("[server]\nport = 1\n")
    return file, load(file)


async def test_a_reload_does_not_move_a_relay_that_was_handed_its_socket(told, caplog):
    file, settings = told
    relay = Relay(settings, path=file, sockets=[socket.create_server(("127.0.0.1", 0))])

    async with relay.serving() as port:
        await asyncio.to_thread(file.write_text, "[server]\nport = 2\noffline_after = 60.0\n")
        await relay.reload()
        status, _, _ = await Peers(relay, port).http("/healthz")

    assert status == 200
    assert "configuration reloaded" in caplog.text
    assert "take effect at the next start" not in caplog.text
