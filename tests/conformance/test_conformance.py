"""The relay's own connections, its own options, and the Autobahn test cases.

What is expected to differ stands in ``expected.toml``, each with its reason; anything else fails,
and so does an expectation that no longer holds.
"""

import fnmatch
import os
import tomllib
from pathlib import Path

import pytest
from kit import config
from websockets.exceptions import ConnectionClosed

from vstats_server.delivery.frames import frame
from vstats_server.net.connection import RelayConnection
from vstats_server.relay import Relay

EXPECTED = tomllib.loads((Path(__file__).parent / "expected.toml").read_text())["case"]
# Compression is not offered: all 216 cases of it would say so, at a second each.
NOT_OFFERED = ["12.*", "13.*"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Echo(Relay):
    """A relay that sends back what it is sent: all is the relay's but what it does with a message."""

    async def _handle(self, connection: RelayConnection) -> None:
        connection.forget_handshake()
        connection.limit_messages(self._config.limits.max_message_size)

        def echo(text: bytes) -> None:
            try:
                text.decode()
            except UnicodeDecodeError:
                connection.cut(1007, "not UTF-8")
            else:
                connection.write(frame(text))

        connection.on_text = echo
        try:
            async for message in connection:
                await connection.send(message)
        except ConnectionClosed:
            pass


async def test_the_conformance_suite_finds_what_is_expected_and_nothing_else():
    try:
        import kosoku  # noqa: PLC0415 - a wheel for each platform, but not for all
    except ImportError:
        assert "CI" not in os.environ, "kosoku is missing"
        pytest.skip("needs kosoku: pip install kosoku")

    relay = Echo(config())
    async with relay.serving() as port:
        url = f"ws://127.0.0.1:{port}/ws"
        try:
            results = await kosoku.run_fuzzingclient(url, exclude_cases=NOT_OFFERED, concurrency=2)
        except kosoku.FailureError as error:
            results = error.results

    assert len(results) == 301
    unexpected = {
        result.case_id: str(result.behavior.value)
        for result in results
        if result.behavior.value not in expected_of(result.case_id)
    }
    assert not unexpected


def expected_of(case: str) -> list[str]:
    for entry in EXPECTED:
        if any(fnmatch.fnmatchcase(case, pattern) for pattern in entry["cases"]):
            return entry["behavior"]
    return ["OK"]


def test_every_expectation_has_its_reason():
    for entry in EXPECTED:
        assert set(entry) == {"cases", "behavior", "reason"}
        assert isinstance(entry["behavior"], list)
        assert len(entry["reason"]) > 20
