"""The server: route, reload, shut down."""

import asyncio
import contextlib
import http
import logging
import socket
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast

from websockets.asyncio.server import Server, ServerConnection
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from vstats_core.clock import Clock
from vstats_core.errors import ConfigError
from vstats_server import config as configuration
from vstats_server.access.admission import Admission, Agent
from vstats_server.access.password import Access
from vstats_server.config import ServerConfig
from vstats_server.delivery.fanout import Fanout
from vstats_server.filewatch import watch_files
from vstats_server.health.counters import Counters
from vstats_server.health.descriptors import Descriptors
from vstats_server.health.looplag import LoopLag
from vstats_server.health.stall import Standstill
from vstats_server.hub.hub import Hub
from vstats_server.net.activation import address_of
from vstats_server.net.certificate import Certificate
from vstats_server.net.connection import CLOSE_GRACE, RelayConnection
from vstats_server.net.event_loop import ModeratedEventLoop
from vstats_server.net.listening import listen
from vstats_server.net.tls_transport import limit_memory
from vstats_server.prometheus import Metrics
from vstats_server.sessions import AgentSession, watch
from vstats_server.web.responses import answer, respond
from vstats_server.web.static import files

__all__ = ["Relay"]

logger = logging.getLogger(__name__)

PING_INTERVAL = 30.0
OPEN = ("/healthz", "/ws/agent")
"""Paths that no password guards."""
REPLACED = 4409
REVOKED = 4403


class Relay:
    """One server: its configuration, its hosts, its connections.

    Args:
        config: What holds until the first reload.
        path: The file to reload from.
        clock: What tells the time.
        sockets: Listening already, by a service manager's hand; ``host`` and ``port`` are theirs.
    """

    def __init__(
        self,
        config: ServerConfig,
        *,
        path: Path | None = None,
        clock: Clock | None = None,
        sockets: Sequence[socket.socket] = (),
    ) -> None:
        self._path = path
        self._sockets = sockets
        config = self._addressed(config)
        self._clock = clock or Clock()
        self._counters = Counters()
        self._lag = LoopLag()
        self._fanout = Fanout(config.write_interval, self._counters)
        self._hub = Hub(
            config.hosts,
            self._fanout.news,
            offline_after=config.offline_after,
            clock=self._clock,
        )
        self._access = Access(config, self._clock)
        self._admission = Admission(config, self._clock, self._counters)
        self._metrics = Metrics(self._hub, self._counters, self._lag, self._admission.count)
        self._agents: dict[str, AgentSession] = {}
        self._certificate: Certificate | None = None
        self._file_warning = ""
        self._reloading = asyncio.Lock()
        self._closing = False
        self._standstill = Standstill(time.monotonic)
        self._descriptors = Descriptors(self._clock)
        self._use(config)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        """Serve; the value is the port. On leaving, everybody is told, and nobody is waited for.

        Raises:
            OSError: when the address cannot be listened on.
            ConfigError: when the certificate cannot be used.
        """
        # Read and compressed now, off the loop; every request finds them done.
        await asyncio.to_thread(files)
        if self._config.tls:
            limit_memory()
            self._certificate = await asyncio.to_thread(Certificate, self._config.tls)
        servers = await listen(
            self._config,
            self._sockets,
            self._handle,
            self._made,
            process_request=self._process_request,
            ssl=self._certificate.context if self._certificate else None,
        )
        port: int = servers[0].sockets[0].getsockname()[1]
        self._standstill.look()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._descriptors.handle_error)
        if isinstance(loop, ModeratedEventLoop):
            self._fanout.moderate = loop.moderate
        chores = [asyncio.create_task(self._sweep()), asyncio.create_task(self._lag.watch())]
        if self._path is not None:
            chores.append(asyncio.create_task(watch_files(self._files, self.reload)))
        for chore in chores:
            chore.add_done_callback(_log_failure)
        how = " with TLS" if self._config.tls else ""
        logger.info("listening on %s port %d%s", self._config.host, port, how)
        try:
            yield port
        finally:
            for chore in chores:
                chore.cancel()
            await self._close(servers)

    async def reload(self) -> None:
        """Read the file again; one that is wrong is not taken, and the old stays."""
        if self._path is None:
            return
        # One at a time: of two that overlap, the one that began first might be the last to end.
        async with self._reloading:
            await self._reload(self._path)
            # The files it names may have changed where it has not, or be better than it is.
            if self._certificate is not None:
                await self._certificate.renew(self._config.tls)

    async def _reload(self, path: Path) -> None:
        try:
            config = await asyncio.to_thread(configuration.load, path)
        except ConfigError as error:
            self._file_warning = "the configuration file is not valid; the last valid one is used"
            for complaint in error.complaints:
                logger.error("%s; the last valid configuration stays", complaint)  # noqa: TRY400
            return
        self._file_warning = ""
        config = self._addressed(config)
        if (config.host, config.port) != (self._config.host, self._config.port):
            logger.warning("server.host and server.port take effect at the next start only")
            keep = {"host": self._config.host, "port": self._config.port}
            config = config.model_copy(update=keep)
        if bool(config.tls) != bool(self._config.tls):
            logger.warning("to begin or to end with TLS takes effect at the next start only")
            config = config.model_copy(update={"tls": self._config.tls})
        if config != self._config:
            self._use(config)
            self._fanout.write_interval = config.write_interval
            self._hub.offline_after = config.offline_after
            self._hub.replace_hosts(config.hosts)
            self._revoke()
            logger.info("configuration reloaded, %d hosts", len(config.hosts))

    def _files(self) -> list[Path]:
        """Return the files that a reload reads."""
        return [*filter(None, [self._path]), *self._config.tls.files]

    def _addressed(self, config: ServerConfig) -> ServerConfig:
        """Return the configuration with the address that the service manager has chosen, if any."""
        if not self._sockets:
            return config
        host, port = address_of(self._sockets)
        return config.model_copy(update={"host": host, "port": port})

    def _use(self, config: ServerConfig) -> None:
        self._config = config
        self._admission.use(config)
        self._access.use(config)
        for warning in configuration.warnings(config):
            logger.warning("%s", warning)

    def _warnings(self) -> list[str]:
        now = [self._file_warning, self._certificate.warning if self._certificate else ""]
        return configuration.warnings(self._config) + list(filter(None, now))

    def _revoke(self) -> None:
        """End the connections that would not be admitted any more as they were."""
        for connection, agent in self._admission.agents.items():
            if not self._admission.is_valid(agent):
                logger.info("agent %s: its token is good no more", agent.server_id)
                connection.cut(REVOKED, "token revoked")
        for connection, grant in self._admission.dashboards.items():
            if not self._access.is_good(grant):
                logger.info("dashboard at %s: the password has changed", connection.address)
                connection.cut(REVOKED, "password changed")

    # A connection's life.

    def _made(self, connection: RelayConnection) -> None:
        self._admission.made(connection)
        if self._closing:
            # It was on its way when the end came.
            connection.cut(CloseCode.GOING_AWAY, "server is shutting down")

    async def _process_request(
        self, connection: ServerConnection, request: Request
    ) -> Response | None:
        """Admit the connection (None), or return the response that refuses or answers it."""
        response = await self._respond(cast("RelayConnection", connection), request)
        if response is not None:
            self._counters.responses[response.status_code] += 1
            if request.method == "HEAD":
                response.body = b""
        return response

    async def _respond(self, connection: RelayConnection, request: Request) -> Response | None:
        path, _, query = request.path.partition("?")
        self._admission.locate(connection, request)
        refusal = self._admission.refuse_headers(connection, request, path)
        if refusal is None and path not in OPEN:
            refusal = await self._access.admit(connection.address, request)
        if refusal is not None:
            return refusal
        response = await self._route(connection, request, path, query)
        if response is None or path in OPEN:
            return response
        return self._access.greet(request, response)

    async def _route(
        self, connection: RelayConnection, request: Request, path: str, query: str
    ) -> Response | None:
        match path:
            case "/ws" | "/ws/agent" if request.method != "GET":
                return respond(http.HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "GET"})
            case "/ws/agent":
                return self._admission.admit_agent(connection, request, query)
            case "/ws":
                return self._admission.admit_dashboard(connection, self._access.grant)
            case _:
                if self._admission.is_crowded(connection):
                    return respond(http.HTTPStatus.SERVICE_UNAVAILABLE)
                return await answer(request, path, self._hub, self._warnings, self._metrics)

    async def _handle(self, connection: ServerConnection) -> None:
        connection = cast("RelayConnection", connection)
        connection.forget_handshake()
        connection.keep_alive(PING_INTERVAL)
        agent = self._admission.agents.get(connection)
        if agent is not None:
            await self._handle_agent(connection, agent)
        elif not self._access.is_good(self._admission.dashboards.get(connection, b"")):
            # A reload has come between the request and now.
            connection.cut(REVOKED, "password changed")
            await connection.wait_closed()
        else:
            await watch(connection, self._hub, self._fanout, self._clock)

    async def _handle_agent(self, connection: RelayConnection, agent: Agent) -> None:
        server_id = agent.server_id
        if not self._admission.is_valid(agent):
            # A reload has come between the request and now.
            connection.cut(REVOKED, "token revoked")
            await connection.wait_closed()
            return
        session = AgentSession(
            connection,
            server_id,
            self._hub,
            self._config.limits,
            self._clock,
            counters=self._counters,
        )
        predecessor = self._agents.get(server_id)
        self._agents[server_id] = session
        if predecessor is not None:
            logger.warning(
                "agent %s connected again from %s; the older connection, from %s, is closed",
                server_id,
                connection.address,
                predecessor.connection.address,
            )
            predecessor.connection.cut(REPLACED, "replaced")
        else:
            logger.info("agent %s online from %s", server_id, connection.address)
        self._hub.connected(server_id)
        try:
            await session.run()
        finally:
            # The end of a connection that was replaced is nobody's end.
            if self._agents.get(server_id) is session:
                del self._agents[server_id]
                if not self._closing:
                    logger.info("agent %s offline (%s)", server_id, connection.close_code)
                    self._notice_standstill()
                    self._hub.disconnected(server_id)

    # Chores, and the end.

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._notice_standstill()
            self._descriptors.look(len(self._admission.connections))
            self._hub.sweep()
            self._fanout.sweep()

    def _notice_standstill(self) -> None:
        """Draw no conclusions from a time in which nobody could have been heard."""
        seconds = self._standstill.look()
        if seconds:
            logger.warning("the server has stood still for %.0f s", seconds)
            self._hub.stood_still()
            self._fanout.stood_still()

    async def _close(self, servers: Sequence[Server]) -> None:
        """Send 1001 to all, no status; what has not closed in two seconds is aborted."""
        self._closing = True
        for server in servers:
            # Server.close() would wait for ever for a dashboard that takes nothing.
            server.close(close_connections=False)
        for connection in list(self._admission.connections):
            connection.cut(CloseCode.GOING_AWAY, "server is shutting down")
        # Connections that are still about to agree on TLS are not ours yet, and cannot be cut.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_GRACE + 1):
                for server in servers:
                    await server.wait_closed()
        self._access.close()
        logger.info("stopped")


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.error("a chore of the server has failed", exc_info=task.exception())
