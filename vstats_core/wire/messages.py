"""The envelopes of the wire, in both directions."""

from typing import Annotated, Literal

from pydantic import MISSING, Field, StringConstraints, TypeAdapter, ValidationError

from vstats_core.wire import strict_json
from vstats_core.wire.schema import Named, Report, Section, Text, Timestamp
from vstats_core.wire.units import KindName, UnitName

__all__ = [
    "AgentDescribe",
    "AgentMessage",
    "AgentMetrics",
    "DashboardMessage",
    "Describe",
    "Error",
    "ErrorCode",
    "Fault",
    "Heartbeat",
    "Metrics",
    "ServerAdded",
    "ServerId",
    "ServerRemoved",
    "Status",
    "error_message",
    "faults",
    "json_schema",
]

ServerId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
"""What the wire calls a host by."""

# From an agent.


class AgentMetrics(Section):
    """A report, on its way to the server."""

    type: Literal["metrics"]
    data: Report
    timestamp: Timestamp | MISSING = MISSING


class Heartbeat(Section):
    """A sign of life from an agent that has nothing else to say."""

    type: Literal["heartbeat"]
    timestamp: Timestamp | MISSING = MISSING


class DescribedField(Section):
    """What a value means; from ``warn`` and ``critical`` on it is bad, and higher is worse."""

    title: Text
    unit: UnitName
    kind: KindName
    warn: float | MISSING = MISSING
    critical: float | MISSING = MISSING


class DescribedSection(Section):
    """What a plugin's section is called, and what is in it, by path: ``[].speed``, say."""

    title: Text
    fields: Named[DescribedField]


class Sections(Section):
    """The sections of all plugins, by name."""

    sections: Named[DescribedSection]


class AgentDescribe(Section):
    """What the plugins' sections mean: before the first report, and when it changes."""

    type: Literal["describe"]
    data: Sections
    timestamp: Timestamp | MISSING = MISSING


AgentMessage = Annotated[AgentMetrics | AgentDescribe | Heartbeat, Field(discriminator="type")]

# To an agent.

ErrorCode = Literal[
    "invalid_json", "invalid_message", "invalid_report", "unknown_type", "rate_limited"
]


class Fault(Section):
    """One thing wrong with a message: where, and what."""

    path: str
    message: str


class ErrorData(Section):
    """What was wrong with a message that the server did not take."""

    code: ErrorCode
    message: str
    errors: list[Fault]


class Error(Section):
    """The answer to a message that the server did not take; the connection stays."""

    type: Literal["error"]
    data: ErrorData
    timestamp: Timestamp


# To a dashboard.


class MetricsData(Section):
    """A host's report, with ``network.rx`` and ``network.tx`` in it whoever derived them."""

    server_id: ServerId
    metrics: Report


class Metrics(Section):
    """A host's newest report; ``timestamp`` is when the server got it."""

    type: Literal["metrics"]
    data: MetricsData
    timestamp: Timestamp


class StatusData(Section):
    """Whether a host is there."""

    server_id: ServerId
    online: bool


class Status(Section):
    """A host has come or gone; ``timestamp`` is when."""

    type: Literal["status"]
    data: StatusData
    timestamp: Timestamp


class ServerAddedData(Section):
    """A host as the server's configuration describes it."""

    id: ServerId
    name: Text
    location: Text
    tags: list[Text]


class ServerAdded(Section):
    """A host that the server knows; everything else about it follows."""

    type: Literal["server_added"]
    data: ServerAddedData
    timestamp: Timestamp


class ServerRemovedData(Section):
    """Which host is no more."""

    id: ServerId


class ServerRemoved(Section):
    """A host that the server knows no longer; nothing of it follows."""

    type: Literal["server_removed"]
    data: ServerRemovedData
    timestamp: Timestamp


class DescribeData(Sections):
    """Whose sections they are."""

    server_id: ServerId


class Describe(Section):
    """What the sections of a host's plugins mean."""

    type: Literal["describe"]
    data: DescribeData
    timestamp: Timestamp


DashboardMessage = Annotated[
    Metrics | Describe | Status | ServerAdded | ServerRemoved, Field(discriminator="type")
]

MOST_FAULTS = 10
LONGEST_PATH = 200


def faults(error: ValidationError) -> list[Fault]:
    """Return the first ten things that a model found wrong, without the values it was given."""
    return [
        Fault(path=_path(fault["loc"])[:LONGEST_PATH], message=fault["msg"])
        for fault in error.errors(include_url=False, include_input=False)[:MOST_FAULTS]
    ]


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else part
    return path


def error_message(code: ErrorCode, text: str, found: list[Fault], timestamp: str) -> bytes:
    """Return the answer to a message that the server did not take."""
    data = ErrorData(code=code, message=text, errors=found)
    return strict_json.dumps(
        Error(type="error", data=data, timestamp=timestamp).model_dump(mode="json")
    )


def json_schema() -> dict[str, object]:
    """Return the JSON Schema of every message; ``$defs`` holds one entry a direction, too."""
    directions: dict[str, TypeAdapter[object]] = {
        "agent_to_server": TypeAdapter(AgentMessage),
        "server_to_agent": TypeAdapter(Error),
        "server_to_dashboard": TypeAdapter(DashboardMessage),
    }
    schemas, definitions = TypeAdapter.json_schemas(
        [(name, "validation", adapter) for name, adapter in directions.items()]
    )
    ways = {name: schemas[name, "validation"] for name in directions}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "vStats messages",
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in directions],
        "$defs": ways | definitions["$defs"],
    }
