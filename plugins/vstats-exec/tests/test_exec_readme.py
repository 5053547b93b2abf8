"""README.md says what the code does: its settings, its fields, its example."""

import json
import os
import re
import tomllib
from pathlib import Path
from types import NoneType
from typing import Literal, get_args, get_origin

import pytest

from vstats_core import CollectorSettings
from vstats_exec import Command, ExecCollector, ExecSettings, Problem
from vstats_exec.commands import PASSED_ON
from vstats_exec.formats import parse_prometheus

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
TYPES = {int: "integer", float: "number", str: "text", bool: "boolean", Path: "path"}
NOW = 1_700_086_400


def tables():
    """Return the cells of each table's rows, without the heads."""
    tables_ = []
    for lines in re.findall(r"(?:^\|.*\n)+", README, re.MULTILINE):
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines.splitlines()]
        tables_.append(rows[2:])
    return tables_


def block(language):
    return re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)[1]


def type_name(annotation):
    """Return what a person calls the type, without Annotated and "or nothing"."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return "text"
    if origin is list:
        return "list of tables" if inner[0] is Command else f"list of {type_name(inner[0])}"
    if origin is dict:
        return "table of text"
    return type_name(inner[0]) if inner and inner != (NoneType,) else TYPES[annotation]


def setting_rows(model):
    for key, field in model.model_fields.items():
        common = CollectorSettings.model_fields.get(key)
        if model is ExecSettings and common is not None and common.default == field.default:
            continue
        if field.is_required():
            default = "required"
        else:
            default = "" if field.default is None else f"`{json.dumps(field.default)}`"
        yield [f"`{key}`", type_name(field.annotation), default, field.description]


def field_rows(example):
    meanings = {
        "exec.NAME": "What the command printed, or what the JSON file holds.",
        "exec.NAME[].name": "The sample's name, of Prometheus' text.",
        "exec.NAME[].labels": "Its labels.",
        "exec.NAME[].value": "Its value.",
        **{
            f"exec_problems[].{key}": field.description
            for key, field in Problem.model_fields.items()
        },
    }
    types = {"labels": "table of text", "value": "number", "NAME": "any JSON"}
    for path, meaning in meanings.items():
        key = path.rpartition(".")[2]
        holder = example["exec"]["raid"] if "NAME[]" in path else example["exec_problems"]
        shown = example["exec"]["backup"] if key == "NAME" else holder[0][key]
        yield [f"`{path}`", types.get(key, "text"), "", "Linux", f"`{json.dumps(shown)}`", meaning]


@pytest.fixture
def example():
    return json.loads(block("json"))


def test_every_setting_stands_in_the_readme_with_its_type_default_and_meaning():
    assert tables()[0] == list(setting_rows(ExecSettings))
    assert tables()[1] == list(setting_rows(Command))


def test_every_field_stands_in_the_readme_with_its_type_and_meaning(example):
    assert tables()[2] == list(field_rows(example))
    assert [list(item) for item in parse_prometheus(b"a 1\n")] == [["name", "labels", "value"]]


def test_what_a_command_sees_of_the_environment_stands_in_the_readme():
    assert "`, `".join(PASSED_ON[:-1]) + "` and `" + PASSED_ON[-1] in README


def test_the_example_is_what_the_collector_returns(example, tmp_path, run_collector):
    def here(text):
        return re.sub(r"/(usr|var)/", rf"{tmp_path}/\1/", text)

    def write(path, text, *, mtime=NOW, mode=0o644):
        file = Path(here(path))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        os.utime(file, (mtime, mtime))

    write("/var/backups/site.tar", "x" * 2048, mtime=1_700_000_000)
    write("/usr/local/bin/backup-state", here(block("sh")), mode=0o755)
    write("/var/lib/vstats/exec/raid.prom", block("text"))
    write("/var/lib/vstats/exec/certificates.json", "{}", mtime=NOW - 86400)
    settings = tomllib.loads(here(block("toml")))["agent"]["collectors"]["exec"]

    fragment = run_collector(ExecCollector(clock=lambda: NOW), **settings)

    assert fragment == json.loads(here(json.dumps(example)))
