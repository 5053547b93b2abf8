"""Every event that the server logs; see :mod:`vstats_core.logs.event`."""

from logging import DEBUG, ERROR, INFO, WARNING

from vstats_core.logs.event import Event, Events

__all__ = ["EVENTS"]

DESCRIPTORS_USED_UP = (
    "all %d descriptors are in use, new connections are lost; raise the limit "
    "(LimitNOFILE, ulimit -n)"
)

EVENTS: Events = {
    ("vstats_server.access.password", "dashboard at %s refused: wrong username or password"): Event(
        "dashboard_refused", WARNING, ("address",)
    ),
    ("vstats_server.access.admission", "agent %s has a token short enough to be guessed"): Event(
        "token_short", WARNING, ("host",)
    ),
    ("vstats_server.access.admission", "agent at %s refused: unknown token"): Event(
        "agent_refused", WARNING, ("address",)
    ),
    ("vstats_server.access.admission", "connection from %s refused: %s"): Event(
        "connection_refused", WARNING, ("address", "reason")
    ),
    ("vstats_server.net.certificate", "certificate renewed from %s"): Event(
        "certificate_renewed", INFO, ("file",)
    ),
    ("vstats_server.net.certificate", "%s; the certificate in use stays"): Event(
        "certificate_invalid", ERROR, ("complaint",)
    ),
    ("vstats_server.commands.main", "using uvloop %s"): Event("uvloop_used", DEBUG, ("version",)),
    ("vstats_server.commands.main", "a password of fewer than %d characters can be guessed"): Event(
        "password_short", WARNING, ("characters",)
    ),
    ("vstats_server.commands.main", "%s: %s"): Event(
        "configuration_unwise", WARNING, ("file", "warning")
    ),
    ("vstats_server.commands.main", "%s is new"): Event("file_made", INFO, ("file",)),
    ("vstats_server.commands.main", "removed %s"): Event("host_removed", INFO, ("host",)),
    ("vstats_server.commands.main", "%s"): Event("listening_failed", ERROR, ("reason",)),
    ("vstats_server.net.connection", "a message from %s could not be taken"): Event(
        "message_failed", ERROR, ("address",)
    ),
    ("vstats_server.commands.demo", "the demonstration ends: %s"): Event(
        "demo_failed", ERROR, ("error",)
    ),
    ("vstats_server.commands.demo", "%s; choose another"): Event(
        "listening_failed", ERROR, ("reason",)
    ),
    ("vstats_server.health.descriptors", DESCRIPTORS_USED_UP): Event(
        "descriptors_used_up", WARNING, ("limit",)
    ),
    ("vstats_server.delivery.fanout", "dashboard at %s does not keep up; it is cut"): Event(
        "dashboard_cut", WARNING, ("address",)
    ),
    ("vstats_server.filewatch", "the configuration could not be reloaded"): Event(
        "reload_failed", ERROR
    ),
    ("vstats_server.relay", "listening on %s port %d%s"): Event(
        "listening", INFO, ("listen_host", "port", "tls")
    ),
    ("vstats_server.relay", "the server has stood still for %.0f s"): Event(
        "stood_still", WARNING, ("seconds",)
    ),
    ("vstats_server.relay", "agent %s online from %s"): Event(
        "agent_online", INFO, ("host", "address")
    ),
    ("vstats_server.relay", "agent %s offline (%s)"): Event(
        "agent_offline", INFO, ("host", "code")
    ),
    (
        "vstats_server.relay",
        "agent %s connected again from %s; the older connection, from %s, is closed",
    ): Event("agent_replaced", WARNING, ("host", "address", "older_address")),
    ("vstats_server.relay", "agent %s: its token is good no more"): Event(
        "token_revoked", INFO, ("host",)
    ),
    ("vstats_server.relay", "%s"): Event("configuration_unwise", WARNING, ("warning",)),
    ("vstats_server.relay", "%s; the last valid configuration stays"): Event(
        "configuration_invalid", ERROR, ("complaint",)
    ),
    ("vstats_server.relay", "configuration reloaded, %d hosts"): Event(
        "configuration_reloaded", INFO, ("hosts",)
    ),
    (
        "vstats_server.relay",
        "server.host and server.port take effect at the next start only",
    ): Event("address_kept", WARNING),
    (
        "vstats_server.relay",
        "to begin or to end with TLS takes effect at the next start only",
    ): Event("tls_kept", WARNING),
    ("vstats_server.relay", "dashboard at %s: the password has changed"): Event(
        "password_changed", INFO, ("address",)
    ),
    ("vstats_server.relay", "a chore of the server has failed"): Event("chore_failed", ERROR),
    ("vstats_server.relay", "stopped"): Event("stopped", INFO),
    ("vstats_server.sessions", "agent %s: %s"): Event(
        "message_refused", WARNING, ("host", "error")
    ),
    ("vstats_server.sessions", "agent %s sends too many messages"): Event(
        "agent_floods", WARNING, ("host",)
    ),
}
