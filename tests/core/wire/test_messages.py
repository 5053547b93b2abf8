import json

import jsonschema
import pytest
from kit import REPORT
from pydantic import TypeAdapter, ValidationError

from vstats_core.wire.messages import (
    AgentMessage,
    DashboardMessage,
    Fault,
    error_message,
    faults,
    json_schema,
)
from vstats_core.wire.schema import Report

NOW = "2024-01-01T12:00:00Z"

DASHBOARD_MESSAGES = {
    "metrics": {
        "type": "metrics",
        "data": {"server_id": "abc123", "metrics": REPORT},
        "timestamp": NOW,
    },
    "status": {
        "type": "status",
        "data": {"server_id": "abc123", "online": True},
        "timestamp": NOW,
    },
    "server_added": {
        "type": "server_added",
        "data": {"id": "abc123", "name": "new-server", "location": "US-West", "tags": []},
        "timestamp": NOW,
    },
    "server_removed": {"type": "server_removed", "data": {"id": "abc123"}, "timestamp": NOW},
}


@pytest.mark.parametrize("kind", DASHBOARD_MESSAGES)
def test_messages_for_dashboards_have_a_model(kind):
    message = TypeAdapter(DashboardMessage).validate_python(DASHBOARD_MESSAGES[kind])

    assert message.type == kind


@pytest.mark.parametrize("kind", DASHBOARD_MESSAGES)
def test_every_message_for_dashboards_carries_a_timestamp(kind):
    message = dict(DASHBOARD_MESSAGES[kind])
    del message["timestamp"]

    with pytest.raises(ValidationError, match="timestamp"):
        TypeAdapter(DashboardMessage).validate_python(message)


@pytest.mark.parametrize(
    "message",
    [
        {"type": "metrics", "data": REPORT},
        {"type": "metrics", "data": REPORT, "timestamp": NOW},
        {"type": "heartbeat"},
        {"type": "heartbeat", "timestamp": NOW},
    ],
)
def test_an_agents_envelope_may_leave_out_the_timestamp(message):
    TypeAdapter(AgentMessage).validate_python(message)


@pytest.mark.parametrize("server_id", ["", "a b", "a/b", "ä", "x" * 65])
def test_a_host_is_called_by_letters_digits_and_three_signs(server_id):
    with pytest.raises(ValidationError):
        TypeAdapter(DashboardMessage).validate_python(
            {"type": "server_removed", "data": {"id": server_id}, "timestamp": NOW}
        )


def test_faults_say_where_and_what_but_not_the_value_that_was_given():
    with pytest.raises(ValidationError) as caught:
        Report.model_validate(REPORT | {"cpu": REPORT["cpu"] | {"per_core": [1, "hunter2"]}})

    found = faults(caught.value)

    assert found == [Fault(path="cpu.per_core[1]", message="Input should be a valid number")]


def test_only_the_first_faults_of_many_are_told():
    with pytest.raises(ValidationError) as caught:
        Report.model_validate(REPORT | {"disks": [{}] * 100})

    assert len(faults(caught.value)) == 10


def test_an_error_message_says_what_the_protocol_says():
    message = error_message("invalid_report", "no good", [Fault(path="cpu", message="bad")], NOW)

    assert json.loads(message) == {
        "type": "error",
        "data": {
            "code": "invalid_report",
            "message": "no good",
            "errors": [{"path": "cpu", "message": "bad"}],
        },
        "timestamp": NOW,
    }


@pytest.mark.parametrize("kind", DASHBOARD_MESSAGES)
def test_the_json_schema_holds_for_every_message(kind):
    jsonschema.Draft202012Validator(json_schema()).validate(DASHBOARD_MESSAGES[kind])


def test_the_json_schema_tells_the_directions_apart():
    schema = json_schema() | {"$ref": "#/$defs/agent_to_server"}
    del schema["anyOf"]
    validator = jsonschema.Draft202012Validator(schema)

    assert validator.is_valid({"type": "heartbeat"})
    assert not validator.is_valid(DASHBOARD_MESSAGES["status"])
