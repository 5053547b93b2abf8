"""Every event that the agent and its collectors log: its name, its level, and what its fields are.

A call says what happened in words, ``logger.info("connected to %s", url)``; this page says what
that is called, so that a machine need not read the words. ``docs/logging.md`` is for people.
"""

from logging import DEBUG, ERROR, INFO, WARNING
from typing import NamedTuple, TypeAlias

__all__ = ["EVENTS", "Event", "Events"]


class Event(NamedTuple):
    """What a log call stands for."""

    name: str
    level: int
    fields: tuple[str, ...] = ()
    """The names of the call's arguments, in order."""

    @property
    def subject(self) -> str | None:
        """The field that says whose event it is: it may come so often for each, and no more."""
        known = ("host", "address", "collector", "mount")
        return next((field for field in self.fields if field in known), None)


Events: TypeAlias = dict[tuple[str, str], Event]
"""By the logger's name and the message before its arguments are put in."""

REPLACED = (
    "another agent connected with this machine's token and took its place (is this machine a "
    "clone?); coming back in %.0f s"
)

EVENTS: Events = {
    (
        "vstats_core.agent.agent",
        "collectors %s and %s both return %s; the one of %s is reported",
    ): Event("section_contested", WARNING, ("rival", "collector", "section", "reported")),
    ("vstats_core.commands.main", "%s"): Event("configuration_unwise", WARNING, ("warning",)),
    ("vstats_core.commands.main", "%s: %s"): Event(
        "configuration_unwise", WARNING, ("file", "warning")
    ),
    ("vstats_core.commands.main", "%s; the agent will not start without it"): Event(
        "token_missing", WARNING, ("complaint",)
    ),
    ("vstats_core.commands.main", "%s; the last valid configuration stays"): Event(
        "configuration_invalid", ERROR, ("complaint",)
    ),
    (
        "vstats_core.commands.main",
        "settings reloaded; url, ca_file and the token take effect at the next start",
    ): Event("configuration_reloaded", INFO),
    (
        "vstats_core.commands.main",
        "collector %s: its fields are not described: too many in all",
    ): Event("description_too_large", WARNING, ("collector",)),
    ("vstats_core.commands.main", "the agent has failed"): Event("program_failed", ERROR),
    ("vstats_core.commands.main", "stopped"): Event("stopped", INFO),
    ("vstats_core.agent.loader", "%s is not used: %s"): Event(
        "configuration_unreadable", WARNING, ("file", "reason")
    ),
    ("vstats_core.agent.loader", "collector %s is skipped: %s"): Event(
        "collector_skipped", WARNING, ("collector", "reason")
    ),
    ("vstats_core.agent.workers", "collector %s failed (%d in a row): %s"): Event(
        "collector_failed", WARNING, ("collector", "failures", "error")
    ),
    ("vstats_core.agent.workers", "collector %s works again after %d failures"): Event(
        "collector_recovered", INFO, ("collector", "failures")
    ),
    ("vstats_core.agent.workers", "%s raised"): Event("collector_raised", DEBUG, ("collector",)),
    ("vstats_core.collectors", "%s: agent.collectors.%s: no such collector installed%s"): Event(
        "collector_unknown", WARNING, ("file", "collector", "hint")
    ),
    ("vstats_core.agent.link.uplink", "connected to %s"): Event("connected", INFO, ("url",)),
    ("vstats_core.agent.link.uplink", "connection lost (%s %s); trying again in %.1f s"): Event(
        "disconnected", WARNING, ("code", "reason", "delay")
    ),
    ("vstats_core.agent.link.uplink", "%s; trying again in %.0f s (attempt %d)"): Event(
        "connection_failed", WARNING, ("trouble", "delay", "attempt")
    ),
    ("vstats_core.agent.link.uplink", "the server refused message %d: %s"): Event(
        "message_refused", WARNING, ("refusals", "error")
    ),
    ("vstats_core.agent.link.uplink", "the server has not answered a ping for %g s"): Event(
        "pong_missed", WARNING, ("seconds",)
    ),
    (
        "vstats_core.agent.link.uplink",
        REPLACED,
    ): Event("replaced", WARNING, ("delay",)),
    ("vstats_collectors._inquiry", "mount %r does not answer; left out until it does"): Event(
        "mount_silent", WARNING, ("mount",)
    ),
    ("vstats_collectors._inquiry", "mount %r answers again"): Event(
        "mount_recovered", INFO, ("mount",)
    ),
    ("vstats_collectors.cpu", "the processor's name is unknown: %s"): Event(
        "processor_unknown", INFO, ("error",)
    ),
}
