"""The server on uvloop, which the extra ``fast`` installs, and without it."""

import importlib.util
import os
import socket
import tomllib

import pytest
from kit import metrics
from programs import Fleet
from websockets.sync.client import connect

WITHOUT = "raise ImportError('not installed')"


@pytest.fixture(params=["uvloop", "asyncio"])
def fleet(request, tmp_path):
    """A relay's folder, and the environment to run it in."""
    fleet = Fleet(tmp_path)
    fleet.environment = {}
    if request.param == "asyncio":
        (tmp_path / "hidden").mkdir()
        (tmp_path / "hidden/uvloop.py").write_text(WITHOUT)
        fleet.environment = {"PYTHONPATH": str(tmp_path / "hidden")}
    elif importlib.util.find_spec("uvloop") is None and not os.environ.get("CI"):
        pytest.skip("uvloop is not installed")
    fleet.uvloop = request.param == "uvloop"
    return fleet


def test_reports_arrive_and_the_server_ends_in_time_beside_a_reader_that_takes_nothing(fleet):
    token = tomllib.loads(fleet.add("web-1").read_text())["agent"]["token"]
    with (
        fleet.relay("--verbose", environment=fleet.environment) as relay,
        fleet.dashboard() as dashboard,
        socket.socket() as stalled,
        connect(f"ws://127.0.0.1:{fleet.port}/ws/agent?token={token}", proxy=None) as agent,
    ):
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect(("127.0.0.1", fleet.port))
        stalled.sendall(upgrade(fleet.port))
        for number in range(20):
            agent.send(metrics(number=number, ballast="x" * 200_000))
            assert dashboard.next("metrics")["metrics"]["number"] == number

        code, took = relay.end()
        relay.until("stopped")

        assert code == 0
        assert took < 5
        assert ("using uvloop" in relay.output) is fleet.uvloop
        assert "Traceback" not in relay.output


def upgrade(port):
    head = {
        "Host": f"127.0.0.1:{port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    fields = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"GET /ws HTTP/1.1\r\n{fields}\r\n".encode()
