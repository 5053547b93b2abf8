"""What the relay counts of its own doings: plain integers, since one loop does all the counting."""

from collections import Counter

__all__ = ["Counters"]


class Counters:
    """Counts since the start; nothing here is ever reset.

    Attributes:
        connections: TCP connections that were made.
        agents: Agents that were admitted.
        dashboards: Dashboards that were admitted.
        responses: Answers other than an upgrade, by HTTP status.
        reports: Reports that were taken.
        received_bytes: Bytes of agents' messages, whatever became of them.
        rejected: Agents' messages that were answered with an error, by its code.
        deliveries: Messages that were handed over to dashboards' connections.
        delivered_bytes: Bytes of these, frames included.
        coalesced: Reports that waited for a dashboard until a newer one took their place.
        stalled: Dashboards that were cut because they took nothing.
    """

    __slots__ = (
        "agents",
        "coalesced",
        "connections",
        "dashboards",
        "delivered_bytes",
        "deliveries",
        "received_bytes",
        "rejected",
        "reports",
        "responses",
        "stalled",
    )

    def __init__(self) -> None:
        self.connections = 0
        self.agents = 0
        self.dashboards = 0
        self.responses: Counter[int] = Counter()
        self.reports = 0
        self.received_bytes = 0
        self.rejected: Counter[str] = Counter()
        self.deliveries = 0
        self.delivered_bytes = 0
        self.coalesced = 0
        self.stalled = 0
