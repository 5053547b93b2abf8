"""What is known of every host, and who is told when it changes. Nothing here waits."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from vstats_core.clock import Clock
from vstats_core.rates import Rate
from vstats_core.wire import strict_json
from vstats_server.config import Host
from vstats_server.delivery.frames import frame
from vstats_server.hub.intake import IncomingDescription, IncomingReport

__all__ = ["Hub", "Known", "News"]


class News:
    """A message for all dashboards, framed once.

    One with a topic makes an older one of that topic worthless; one that says ``forget`` makes
    everything under that topic worthless.
    """

    __slots__ = ("forget", "framed", "topic")

    def __init__(self, message: bytes, topic: str | None = None, forget: str | None = None) -> None:
        self.framed = frame(message)
        self.topic = topic
        self.forget = forget

    @property
    def message(self) -> bytes:
        """The message without its frame."""
        return self.framed[{126: 4, 127: 10}.get(self.framed[1], 2) :]


@dataclass(frozen=True)
class Known:
    """What is known of a host now; report and description are JSON, ``age`` is in seconds."""

    host: Host
    online: bool | None
    report: bytes | None
    age: float | None
    """How long ago the report came in."""
    description: bytes | None


@dataclass(eq=False)
class _State:
    """What is known of a host."""

    host: Host
    connected: bool = False
    online: bool | None = None
    """None as long as it may only be that the server has just started."""
    changed_at: str = ""
    """When ``online`` took its value, as the wire writes it."""
    heard_at: float | None = None
    description: bytes | None = None
    """What its plugins' sections mean, as JSON."""
    description_news: News | None = None
    report: bytes | None = None
    reported_at: float | None = None
    report_news: News | None = None
    """What everybody is told is kept as it is, so that snapshots share its bytes."""
    rates: dict[str, Rate] = field(default_factory=lambda: {"rx": Rate(), "tx": Rate()})


class Hub:
    """The hosts' newest reports and states, in the order of the configuration.

    Whoever watches is called with each change as it happens, and begins with a snapshot made in
    the same breath.
    """

    def __init__(
        self,
        hosts: Iterable[Host],
        watcher: Callable[[News], None],
        *,
        offline_after: float,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or Clock()
        self._watcher = watcher
        self._listening_since = self._clock.monotonic()
        """When the server began to listen, or went on after it had stood still."""
        self._stood_still = False
        self._states = {host.id: _State(host) for host in hosts}
        self.offline_after = offline_after

    def __contains__(self, server_id: str) -> bool:
        return server_id in self._states

    def connected(self, server_id: str) -> None:
        """Take note that the host's agent was admitted."""
        state = self._states[server_id]
        state.connected = True
        state.heard_at = self._clock.monotonic()
        self._set_online(state, online=True)

    def disconnected(self, server_id: str) -> None:
        """Take note that the host's connection has ended; the host may be gone already."""
        state = self._states.get(server_id)
        if state is not None:
            state.connected = False
            listening_for = self._clock.monotonic() - self._listening_since
            if not self._stood_still or listening_for > self.offline_after:
                self._set_online(state, online=False)
            # Else its agent may have given us up while we stood still; the sweep will tell.

    def stood_still(self) -> None:
        """Take note that nobody could be heard until now, since the server itself stood still.

        As after a start, that is not an outage of the hosts: for ``offline_after`` seconds neither
        silence nor a lost connection counts.
        """
        self._listening_since = self._clock.monotonic()
        self._stood_still = True

    def heard(self, server_id: str) -> None:
        """Take note of a sign of life."""
        state = self._states.get(server_id)
        if state is not None and state.connected:
            state.heard_at = self._clock.monotonic()
            if not state.online:
                self._set_online(state, online=True)

    def publish(self, server_id: str, report: IncomingReport) -> None:
        """Pass on a report; reports count in order of arrival."""
        state = self._states.get(server_id)
        if state is None:
            return
        report = self._complete(state, report)
        state.report = report.text
        state.reported_at = self._clock.monotonic()
        data = (server_id.encode(), report.text, self._clock.utc().encode())
        message = b'{"type":"metrics","data":{"server_id":"%b","metrics":%b},"timestamp":"%b"}'
        state.report_news = News(message % data, topic=server_id)
        self._watcher(state.report_news)

    def describe(self, server_id: str, description: IncomingDescription) -> None:
        """Pass on what the sections of the host's plugins mean, unless it is known already."""
        state = self._states.get(server_id)
        if state is not None and state.description != description.sections:
            state.description = description.sections
            data = (server_id.encode(), description.sections, self._clock.utc().encode())
            message = (
                b'{"type":"describe","data":{"server_id":"%b","sections":%b},"timestamp":"%b"}'
            )
            state.description_news = News(message % data)
            self._watcher(state.description_news)

    def sweep(self) -> None:
        """Find the hosts that have fallen silent; to be called once a second."""
        now = self._clock.monotonic()
        for state in self._states.values():
            since = max(self._listening_since, state.heard_at or self._listening_since)
            if state.online is not False and now - since > self.offline_after:
                self._set_online(state, online=False)

    def replace_hosts(self, hosts: Sequence[Host]) -> None:
        """Take over a changed configuration and tell of every difference."""
        old, self._states = self._states, {}
        wanted = {host.id: host for host in hosts}
        for server_id, state in old.items():
            if server_id not in wanted or _described(wanted[server_id]) != _described(state.host):
                removed = {"type": "server_removed", "data": {"id": server_id}}
                message = strict_json.dumps(removed | {"timestamp": self._clock.utc()})
                self._watcher(News(message, forget=server_id))
        for server_id, host in wanted.items():
            known = old.get(server_id)
            state = self._states[server_id] = known or _State(host)
            if known is None or _described(known.host) != _described(host):
                state.host = host
                for news in self._introduce(state):
                    self._watcher(news)
            state.host = host
        self.sweep()

    def snapshot(self) -> Iterator[News]:
        """Return what a dashboard must be told to know as much as the others."""
        for state in self._states.values():
            yield from self._introduce(state)

    def describe_hosts(self) -> Iterator[bytes]:
        """Return each host as the HTTP API shows it, never with its token."""
        for state in list(self._states.values()):
            about = {"online": state.online, "last_seen": self._seen(state)}
            head = strict_json.dumps(_described(state.host) | about)
            # Report and description are text already; they are put in as they are.
            description = state.description and b'{"sections":%b}' % state.description
            rest = (head[:-1], state.report or b"null", description or b"null")
            yield b'%b,"metrics":%b,"describe":%b}' % rest

    def known(self) -> Iterator[Known]:
        """Return each host and the newest that is known of it, at the moment it is asked for."""
        for state in list(self._states.values()):
            at = state.reported_at
            age = None if at is None else self._clock.monotonic() - at
            yield Known(state.host, state.online, state.report, age, state.description)

    def _introduce(self, state: _State) -> Iterator[News]:
        about = {"type": "server_added", "data": _described(state.host)}
        yield News(strict_json.dumps(about | {"timestamp": self._clock.utc()}))
        if state.description_news is not None:
            yield state.description_news
        if state.online is not None:
            yield News(_status(state))
        if state.report_news is not None:
            yield state.report_news

    def _complete(self, state: _State, report: IncomingReport) -> IncomingReport:
        """Add the network rates that the agent left out, from its counters and our clock."""
        network: dict[str, Any] | None = report.content.get("network")
        if network is None:
            return report
        now = self._clock.monotonic()
        derived = {
            way: rate.update(network[f"total_{way}"], now) for way, rate in state.rates.items()
        }
        missing = {way: float(round(derived[way])) for way in derived if way not in network}
        return report.with_rates(missing) if missing else report

    def _set_online(self, state: _State, *, online: bool) -> None:
        if state.online is not online:
            state.online = online
            state.changed_at = self._clock.utc()
            self._watcher(News(_status(state)))

    def _seen(self, state: _State) -> str | None:
        if state.heard_at is None:
            return None
        return self._clock.utc(ago=self._clock.monotonic() - state.heard_at)


def _described(host: Host) -> dict[str, Any]:
    return {
        "id": host.id,
        "name": host.name,
        "location": host.location,
        "tags": host.tags,
    }


def _status(state: _State) -> bytes:
    data = {"server_id": state.host.id, "online": state.online}
    return strict_json.dumps({"type": "status", "data": data, "timestamp": state.changed_at})
