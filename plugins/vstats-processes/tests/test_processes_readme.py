"""README.md says what the code does: its settings, its fields, its example."""

import json
import re
import tomllib
from pathlib import Path
from typing import get_args, get_origin

import pytest
from pydantic import BaseModel

from vstats_core import CollectorSettings, Unit
from vstats_processes import Processes, ProcessesCollector, ProcessesSettings
from vstats_processes.readers import Identity, Process

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
TYPES = {int: "integer", float: "number", str: "text", bool: "boolean"}
GB = 10**9


def tables():
    """Yield the cells of each row of each table, without the heads."""
    lines = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in README.splitlines()
        if line.startswith("|")
    ]
    rules = [number for number, cells in enumerate(lines) if set(cells[0]) == {"-"}]
    ends = [*(number - 1 for number in rules[1:]), len(lines)]
    return [lines[rule + 1 : end] for rule, end in zip(rules, ends, strict=True)]


def block(language):
    return re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)[1]


def bare(annotation):
    """Return the type without Annotated and "or nothing"."""
    while get_args(annotation) and get_origin(annotation) is not list:
        annotation = get_args(annotation)[0]
    return annotation


def setting_rows():
    for key, field in ProcessesSettings.model_fields.items():
        common = CollectorSettings.model_fields.get(key)
        if common is None or common.default != field.default:
            default = json.dumps(field.default)
            yield [f"`{key}`", TYPES[bare(field.annotation)], f"`{default}`", field.description]


def field_rows(model, example, path="", seen=None):
    seen = [] if seen is None else seen
    for key, field in model.model_fields.items():
        type_ = bare(field.annotation)
        unit = next((item.name for item in field.metadata if isinstance(item, Unit)), "")
        if get_origin(type_) is list:
            item = get_args(type_)[0]
            yield [f"`{path}{key}`", "list", "", "all", "", field.description]
            if issubclass(item, BaseModel) and item not in seen:
                seen.append(item)
                yield from field_rows(item, example[key][0], f"{path}{key}[].", seen)
        else:
            value = f"`{json.dumps(example[key])}`"
            yield [f"`{path}{key}`", TYPES[type_], unit, "all", value, field.description]


class Story:
    """The machine of the example."""

    database = Process(Identity(812, 1), "postgres", "R", 1, 101.0, 2 * GB)
    site = Process(Identity(4711, 2), "gunicorn", "S", 8, 7.0, GB // 2)

    def processes(self):
        return [self.database, self.site]

    def user(self, pid):
        return {812: "postgres", 4711: "www-data"}[pid]

    def command(self, pid):
        return {812: "postgres: writer process", 4711: "gunicorn --workers 4 shop:app"}[pid]


@pytest.fixture
def example():
    return json.loads(block("json"))


def test_every_setting_stands_in_the_readme_with_its_type_default_and_meaning():
    assert tables()[0] == list(setting_rows())


def test_every_field_stands_in_the_readme_with_its_type_unit_and_meaning(example):
    assert tables()[1] == list(field_rows(Processes, example["processes"]))


def test_the_example_of_the_configuration_can_be_used():
    table = tomllib.loads(block("toml"))["agent"]["collectors"]["processes"]

    assert ProcessesSettings.model_validate(table).top == table["top"]


def test_the_example_is_what_the_collector_returns(example, fake_clock, run_collector):
    story = Story()
    collector = ProcessesCollector(reader=story, clock=fake_clock, cpus=lambda: 4)
    settings = tomllib.loads(block("toml"))["agent"]["collectors"]["processes"]
    run_collector(collector, **settings)
    fake_clock.advance(10)
    story.database = story.database._replace(cpu=106.0)
    story.site = story.site._replace(cpu=7.5)

    assert run_collector(collector, **settings) == example
