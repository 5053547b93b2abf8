"""A relay, agents that say what a test wants, and a real browser that looks."""

import contextlib
import copy
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kit import report, sha256
from programs import Program, free_port, running
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BEAT = 0.4
"""Seconds between two reports of a host here."""


if "CI" in os.environ:
    # On a contributor's machine they may be missing, and their tests are skipped; not at the gate.
    import axe_playwright_python.sync_playwright  # noqa: F401
    import playwright.sync_api  # noqa: F401


# Not for the whole session: Playwright's event loop would be in the way of other tests' own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Run one Chromium, the system's, for the tests of a module."""
    pytest.importorskip("playwright")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - may be missing

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        if "CI" in os.environ:
            pytest.fail("no Chromium; on Debian: apt-get install chromium")
        pytest.skip("no Chromium; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
        yield browser
        browser.close()


class Site:
    """A relay with hosts; each that is connected reports what ``reports`` holds, over and over."""

    def __init__(self, folder: Path, hosts: dict[str, dict[str, Any]], settings: str = "") -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.reports: dict[str, dict[str, Any]] = {}
        self._file = folder / "server.toml"
        self._agents: dict[str, ClientConnection] = {}
        self._links: dict[str, contextlib.ExitStack] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        lines = [f"[server]\nport = {self.port}\n{settings}"]
        for id_, more in hosts.items():
            host = {"id": id_, "name": id_, "token_sha256": sha256(self.token(id_))} | more
            lines.append("[[server.hosts]]")
            # A JSON string or list of strings is a TOML one.
            lines += [f"{key} = {json.dumps(value)}" for key, value in host.items()]
        self._file.write_text("\n".join(lines))

    @staticmethod
    def token(id_: str) -> str:
        return f"token-of-{id_}-".ljust(40, "x")

    @contextlib.contextmanager
    def serving(self) -> Iterator["Site"]:
        """Run the relay and the agents' beat."""
        beat = threading.Thread(target=self._beat)
        beat.start()
        try:
            with self.relaying():
                yield self
        finally:
            self._ended.set()
            beat.join()
            for link in self._links.values():
                link.close()

    @contextlib.contextmanager
    def relaying(self) -> Iterator[Program]:
        with running("-m", "vstats_server", "--config", self._file) as relay:
            relay.until("listening on")
            self.relay = relay
            yield relay

    def agent(
        self, id_: str, sections: dict[str, Any] | None = None, **changes: Any
    ) -> dict[str, Any]:
        """Connect a host's agent; return what it reports from now on, to be changed at will."""
        content = report(hostname=id_, agent={"version": "1.0", "interval": 1}) | changes
        link = contextlib.ExitStack()
        connection = link.enter_context(
            connect(
                f"ws://127.0.0.1:{self.port}/ws/agent",
                additional_headers={"Authorization": f"Bearer {self.token(id_)}"},
                proxy=None,
            )
        )
        if sections is not None:
            message = {"type": "describe", "data": {"sections": sections}}
            connection.send(json.dumps(message))
        with self._lock:
            self.reports[id_] = content
            self._agents[id_] = connection
            self._links[id_] = link
        self._say(id_)
        return content

    def silence(self, id_: str) -> None:
        """Let the host report no more; its heartbeats go on."""
        with self._lock:
            self.reports.pop(id_)

    def leave(self, id_: str) -> None:
        """End the host's connection."""
        with self._lock:
            self.reports.pop(id_, None)
            self._agents.pop(id_)
        self._links.pop(id_).close()

    def _say(self, id_: str) -> None:
        content = self.reports.get(id_)
        message: dict[str, Any] = {"type": "heartbeat"}
        if content is not None:
            message = {"type": "metrics", "data": copy.deepcopy(content)}
        with contextlib.suppress(ConnectionClosed):
            self._agents[id_].send(json.dumps(message))

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            with self._lock:
                for id_ in list(self._agents):
                    self._say(id_)


@pytest.fixture
def site(tmp_path):
    """Return what makes a site of the given hosts, which serves until the test ends."""
    with contextlib.ExitStack() as stack:

        def make(hosts: dict[str, dict[str, Any]], settings: str = "") -> Site:
            return stack.enter_context(Site(tmp_path, hosts, settings).serving())

        yield make


@pytest.fixture
def look(browser):
    """Return what opens an address in a fresh window; no script may fail in it."""
    contexts = []
    errors = []

    def open_page(url: str, *, width: int = 1440, height: int = 900, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(8000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if _is_complaint(m) else None)
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


def _is_complaint(message: Any) -> bool:
    # A server that is away is reported by the browser, too.
    away = ("WebSocket connection", "ERR_CONNECTION_REFUSED")
    return message.type == "error" and not any(text in message.text for text in away)
