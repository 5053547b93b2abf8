import re
from pathlib import Path

import click
import pytest
import tomli

from vstats_core.agent.compose import check_fragment
from vstats_core.commands.main import cli as agent
from vstats_server.commands.main import cli as server
from vstats_server.config import ServerConfig
from vstats_top.cli import cli as top

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "plugins").glob("*/README.md")),
]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_two_commands_come_first():
    first = re.search(r"```\n(.*?)```", README, re.DOTALL)

    assert first[1] == "make demo\nmake test\n"


def test_the_collector_in_the_readme_works():
    (source,) = blocks("python")
    module: dict = {}
    exec(source, module)

    fragment = module["vstats_collect"]()

    assert list(check_fragment(fragment)) == ["users"]


def test_the_configurations_in_the_readme_are_valid():
    for text in blocks("toml"):
        tables = tomli.loads(text)
        if "server" in tables:
            ServerConfig(**tables["server"])


def commands(command: click.Command, name: str) -> set[str]:
    found = {name}
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            found |= commands(inner, f"{name} {inner.name}")
    return found


KNOWN = {
    *commands(agent, "vstats-agent"),
    *commands(server, "vstats-server"),
    *commands(top, "vstats-top"),
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_names_is_there(page):
    text = page.read_text()
    for line in re.findall(r"(?:^|`)(vstats-(?:agent|server|top)[^`\n]*)", text, re.MULTILINE):
        words = [word for word in line.split() if re.fullmatch(r"[a-z-]+", word)]
        assert any(" ".join(words[:n]) in KNOWN for n in (3, 2, 1)), line
        if len(words) > 1 and not words[1].startswith("-"):
            assert " ".join(words[:2]) in KNOWN, line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_command_is_in_the_documents():
    text = "".join(page.read_text() for page in PAGES)
    for command in KNOWN - {"vstats-agent collectors", "vstats-server hosts"}:
        assert command in text, command
