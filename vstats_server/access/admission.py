"""Decide who may come in, before the upgrade, and know who is there."""

import http
import logging
from collections import Counter
from functools import partial
from typing import NamedTuple
from urllib.parse import parse_qs

from websockets.http11 import Request, Response

from vstats_core.clock import Clock
from vstats_server.access.tokens import Gate, Throttle, Tokens, source_of
from vstats_server.config import SHORTEST_TOKEN, ServerConfig, digest
from vstats_server.health.counters import Counters
from vstats_server.net.connection import RelayConnection
from vstats_server.net.proxies import Proxies
from vstats_server.web.responses import respond

__all__ = ["Admission", "Agent"]

logger = logging.getLogger(__name__)

DASHBOARD_MESSAGE_SIZE = 4096


class Agent(NamedTuple):
    """Whose agent was admitted, and by which token."""

    server_id: str
    digest: str


class Admission:
    """The doorkeeper: knows the tokens, the limits, and every connection there is."""

    def __init__(self, config: ServerConfig, clock: Clock, counters: Counters) -> None:
        self.connections: set[RelayConnection] = set()
        self.agents: dict[RelayConnection, Agent] = {}
        self.dashboards: dict[RelayConnection, bytes] = {}
        """Dashboards, with what they were granted."""
        self.addresses: Counter[str] = Counter()
        """Connections that are no agents, by address."""
        self._clock = clock
        self._counters = counters
        self._failures = Throttle()
        self._refusals = Throttle()
        self._warned: set[str] = set()
        self.use(config)

    def use(self, config: ServerConfig) -> None:
        """Go by this configuration from now on."""
        self._config = config
        self._tokens = Tokens(config.hosts)
        self._gate = Gate(config)
        self._proxies = Proxies(config.trusted_proxies)

    def made(self, connection: RelayConnection) -> None:
        """Take note of a connection that has just been made."""
        self._counters.connections += 1
        self.connections.add(connection)
        self.addresses[connection.address] += 1
        connection.on_lost = partial(self._lost, connection)

    def locate(self, connection: RelayConnection, request: Request) -> None:
        """Learn the client's own address from the proxy that speaks for it, if that is trusted."""
        forwarded_for = request.headers.get_all("X-Forwarded-For")
        address = self._proxies.client(connection.address, forwarded_for)
        if address != connection.address:
            self._release_address(connection)
            connection.address = address
            self.addresses[address] += 1

    def is_valid(self, agent: Agent) -> bool:
        """Return whether an agent that was admitted would be still."""
        return self._tokens.valid(agent.digest, agent.server_id)

    def refuse_headers(
        self, connection: RelayConnection, request: Request, path: str
    ) -> Response | None:
        """Return the response to a request that is not meant for us, or from a foreign page."""
        for name in ("Host", "Origin", "Authorization"):
            if len(set(request.headers.get_all(name))) > 1:
                return respond(http.HTTPStatus.BAD_REQUEST, f"several {name} headers")
        # Whoever asks for our health may well ask by address.
        if path == "/healthz":
            return None
        host = _only(request, "Host")
        if host is None:
            return respond(http.HTTPStatus.BAD_REQUEST, "no Host header")
        if not self._gate.host_allowed(host):
            self._log_refusal(
                connection, f"Host {host!r} is not ours; if it should be, set server.public_url"
            )
            return respond(http.HTTPStatus.FORBIDDEN, "this server goes by another name")
        origin = _only(request, "Origin")
        is_socket = path in ("/ws", "/ws/agent")
        if is_socket and origin is not None and not self._gate.origin_allowed(origin, host):
            self._log_refusal(connection, f"Origin {origin!r} is not in server.allowed_origins")
            return respond(http.HTTPStatus.FORBIDDEN, "this origin is not allowed")
        return None

    def admit_agent(
        self, connection: RelayConnection, request: Request, query: str
    ) -> Response | None:
        """Admit the agent whose token the request carries, or return what refuses it."""
        tokens = set(parse_qs(query, keep_blank_values=True).get("token", []))
        if len(tokens) > 1:
            return respond(http.HTTPStatus.BAD_REQUEST, "several tokens")
        scheme, _, credentials = (_only(request, "Authorization") or "").partition(" ")
        if scheme.lower() == "bearer" and credentials.strip():
            tokens.add(credentials.strip())
        token = tokens.pop() if len(tokens) == 1 else ""
        server_id = self._tokens.identify(token) if token else None
        if server_id is None:
            return self._refuse_token(connection)
        if len(self.agents) >= self._config.limits.max_agents and not self._is_connected(server_id):
            self._log_refusal(connection, "server.limits.max_agents is reached")
            return respond(http.HTTPStatus.SERVICE_UNAVAILABLE)
        if len(token) < SHORTEST_TOKEN and server_id not in self._warned:
            self._warned.add(server_id)
            logger.warning("agent %s has a token short enough to be guessed", server_id)
        self._counters.agents += 1
        self.agents[connection] = Agent(server_id, digest(token))
        self._release_address(connection)
        connection.limit_messages(self._config.limits.max_message_size)
        return None

    def _refuse_token(self, connection: RelayConnection) -> Response:
        now = self._clock.monotonic()
        failures = self._failures.fail(source_of(connection.address), now)
        if self._refusals.due(f"{source_of(connection.address)} token", now):
            logger.warning("agent at %s refused: unknown token", connection.address)
        if failures > Throttle.MOST:
            return respond(http.HTTPStatus.TOO_MANY_REQUESTS)
        return respond(http.HTTPStatus.UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})

    def admit_dashboard(self, connection: RelayConnection, grant: bytes) -> Response | None:
        """Admit a dashboard with this grant, or return what refuses it."""
        if len(self.dashboards) >= self._config.limits.max_dashboards:
            self._log_refusal(connection, "server.limits.max_dashboards is reached")
        elif self.is_crowded(connection):
            self._log_refusal(connection, "server.limits.connections_per_address is reached")
        else:
            self._counters.dashboards += 1
            self.dashboards[connection] = grant
            connection.limit_messages(DASHBOARD_MESSAGE_SIZE)
            return None
        return respond(http.HTTPStatus.SERVICE_UNAVAILABLE)

    def is_crowded(self, connection: RelayConnection) -> bool:
        """Return whether too many connections have come from its address."""
        limit = self._config.limits.connections_per_address
        return self.addresses[connection.address] > limit

    def count(self) -> dict[str, int]:
        """Return how many connections there are, by kind."""
        agents, dashboards = len(self.agents), len(self.dashboards)
        other = len(self.connections) - agents - dashboards
        return {"agent": agents, "dashboard": dashboards, "other": other}

    def _log_refusal(self, connection: RelayConnection, reason: str) -> None:
        """Log a refusal, once a minute an address and kind, which is the reason's first word."""
        kind, _, _ = reason.partition(" ")
        if self._refusals.due(f"{connection.address} {kind}", self._clock.monotonic()):
            logger.warning("connection from %s refused: %s", connection.address, reason[:300])

    def _is_connected(self, server_id: str) -> bool:
        return any(agent.server_id == server_id for agent in self.agents.values())

    def _lost(self, connection: RelayConnection) -> None:
        self.connections.discard(connection)
        self.dashboards.pop(connection, None)
        if self.agents.pop(connection, None) is None:
            self._release_address(connection)

    def _release_address(self, connection: RelayConnection) -> None:
        self.addresses[connection.address] -= 1
        if not self.addresses[connection.address]:
            del self.addresses[connection.address]


def _only(request: Request, name: str) -> str | None:
    """Return the header's value, however often it is repeated; it was checked to be but one."""
    return next(iter(request.headers.get_all(name)), None)
