import json
import re
from pathlib import Path
from typing import get_args

import pytest
from kit import receive, serving, snapshot
from pydantic import TypeAdapter

from vstats_core.wire.messages import AgentMessage, DashboardMessage, Error, ErrorCode
from vstats_core.wire.schema import Report
from vstats_server import relay, sessions
from vstats_server.config import Limits
from vstats_server.delivery import fanout
from vstats_server.net import connection

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
EXAMPLES = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]


def model(example: dict):
    if example["type"] == "error":
        return Error
    if example["type"] == "heartbeat" or (
        example["type"] in ("metrics", "describe") and "server_id" not in example["data"]
    ):
        return AgentMessage
    return DashboardMessage


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["type"])
def test_every_example_is_what_the_models_say(example):
    TypeAdapter(model(example)).validate_python(example)


def test_there_is_an_example_of_every_message():
    kinds = {example["type"] for example in EXAMPLES}

    assert kinds == {
        *("metrics", "describe", "heartbeat"),
        "error",
        *("status", "server_added", "server_removed"),
    }


async def test_the_server_takes_every_example_of_an_agents_message():
    async with serving() as peers, peers.dashboard() as dashboard, peers.agent() as agent:
        await snapshot(dashboard)
        for example in EXAMPLES:
            if model(example) is AgentMessage:
                await agent.send(json.dumps(example))

        message = await receive(dashboard, "metrics")

    sent = next(e for e in EXAMPLES if model(e) is AgentMessage and e["type"] == "metrics")
    rates = {"network": sent["data"]["network"] | {"rx": 0, "tx": 0}}
    assert message["data"]["metrics"] == sent["data"] | rates


async def test_the_server_answers_as_the_example_of_an_error_says():
    (example,) = [example for example in EXAMPLES if example["type"] == "error"]
    sent = next(e for e in EXAMPLES if model(e) is AgentMessage and e["type"] == "metrics")
    sent["data"]["cpu"]["per_core"][3] = 142
    async with serving() as peers, peers.agent() as agent:
        await agent.send(json.dumps(sent))

        answer = await receive(agent)
    sent["data"]["cpu"]["per_core"][3] = 42

    assert answer["data"] == example["data"]


def fields(schema: dict, definitions: dict, prefix: str = "") -> set[str]:
    found = set()
    for name, field in schema["properties"].items():
        reference = field.get("$ref") or field.get("items", {}).get("$ref")
        if reference:
            inner = definitions[reference.rpartition("/")[2]]
            found |= fields(inner, definitions, f"{prefix}{name}.")
        else:
            found.add(f"{prefix}{name}")
    return found


def test_the_page_names_every_field_of_a_report():
    schema = Report.model_json_schema()
    table = PAGE.split("| field | unit and meaning |")[1].split("\n\n")[0]
    for path in fields(schema, schema["$defs"]):
        section, _, rest = path.partition(".")
        assert section in table, path
        last = rest.rpartition(".")[2]
        assert last == "" or re.search(rf"[`.]{last}\b", table), path


def test_the_page_names_every_limit_with_its_default():
    for name, field in Limits.model_fields.items():
        (line,) = [line for line in PAGE.splitlines() if f"`{name}`" in line]
        assert f"{field.default:g}" in line


def test_the_page_names_every_error_code():
    for code in get_args(ErrorCode):
        assert f"| `{code}` |" in PAGE


def test_the_page_names_every_close_code_of_ours():
    codes = {
        fanout.TOO_SLOW,
        relay.REPLACED,
        relay.REVOKED,
        sessions.BAD_MESSAGES,
        sessions.TOO_MANY,
        *(1001, 1003, 1007, 1009, 1011),
    }

    assert {int(code) for code in re.findall(r"^\| (\d{4}) \|", PAGE, re.MULTILINE)} == codes


def test_the_figures_on_the_page_are_those_of_the_code():
    assert f"takes nothing for {fanout.STALLED_AFTER:g} seconds" in PAGE
    assert f"every {relay.PING_INTERVAL:g} seconds" in PAGE
    assert f"for {sessions.LONGEST_FLOOD:g} s running" in PAGE
    assert f"not closed in {connection.CLOSE_GRACE:g} seconds" in PAGE
    assert sessions.MOST_BAD_IN_A_ROW == 10
