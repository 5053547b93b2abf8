import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import tomli
from pydantic import BaseModel

from vstats_core import CollectorSettings
from vstats_core.agent import settings as agent_config
from vstats_core.agent.settings import AgentSettings
from vstats_core.collectors import bind, find
from vstats_server import config as server_config
from vstats_server.config import TLS, Host, Limits, Login, ServerConfig

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
TEXT = EXAMPLE.read_text()
TABLES = tomli.loads(TEXT)

COLLECTORS = {
    collector.found.name: type(collector.settings)
    for collector in bind([found for found in find() if found.builtin], {}, file="")
}


def keys(header: str) -> dict[str, str]:
    """Return the keys under a table's header, commented out or not, and the line before each."""
    body = TEXT.split(f"\n{header}\n", 1)[1]
    body = re.split(r"\n\[", body, maxsplit=1)[0]
    lines = body.splitlines()
    found = {}
    for before, line in zip(["", *lines], lines, strict=False):
        if match := re.match(r"(?:# )?(\w+) = ", line):
            assert match[1] not in found, f"{match[1]} stands there twice"
            found[match[1]] = before
    return found


def own(model: type[CollectorSettings]) -> set[str]:
    return model.model_fields.keys() - CollectorSettings.model_fields.keys()


def expected(model: type[BaseModel], *without: str) -> set[str]:
    return model.model_fields.keys() - set(without)


SECTIONS = {
    "[server]": expected(ServerConfig, "tls", "dashboard", "limits", "hosts"),
    "[server.tls]": expected(TLS),
    "[server.dashboard]": expected(Login),
    "[server.limits]": expected(Limits),
    "[[server.hosts]]": expected(Host),
    "[agent]": expected(AgentSettings, "collectors"),
    "[agent.collectors.cpu]": expected(CollectorSettings) | own(COLLECTORS["cpu"]),
} | {
    f"[agent.collectors.{name}]": own(model)
    for name, model in COLLECTORS.items()
    if own(model) and name != "cpu"
}


def test_there_is_a_table_for_everything_that_can_be_told_and_no_other():
    assert set(re.findall(r"^\[.*\]$", TEXT, re.MULTILINE)) == SECTIONS.keys()


@pytest.mark.parametrize("header", SECTIONS)
def test_every_key_stands_there_once_after_a_sentence(header):
    found = keys(header)

    assert found.keys() == SECTIONS[header]
    for sentence in found.values():
        assert re.fullmatch(r"# [A-Z].*\.", sentence)


def test_every_value_is_the_default():
    server = TABLES["server"]
    agent = TABLES["agent"]

    assert ServerConfig(**server | {"hosts": []}) == ServerConfig()
    assert Limits(**server["limits"]) == Limits()
    assert AgentSettings(**agent | {"token_file": None, "collectors": {}}) == AgentSettings()
    for name, table in agent["collectors"].items():
        assert COLLECTORS[name](**table) == COLLECTORS[name]()


def test_it_loads_as_cloned(tmp_path):
    # As git checks it out: readable for everybody.
    copy = tmp_path / "config.example.toml"
    copy.write_text(TEXT)
    copy.chmod(0o644)

    assert [host.id for host in server_config.load(copy).hosts] == ["web-1"]
    assert agent_config.load(copy).interval == 1
    assert len(entry_points(group="vstats")) >= 6
    assert all(c.enabled for c in bind(find(), agent_config.load(copy).collectors, file=""))
