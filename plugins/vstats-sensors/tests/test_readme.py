"""The README says what the code does."""

import json
import re
import tomllib
from pathlib import Path

from pydantic import TypeAdapter

from vstats_core import CollectorSettings
from vstats_core.testing import Recording, run
from vstats_sensors import SensorsCollector, SensorsSettings, plugin

HERE = Path(__file__).parent
README = (HERE.parent / "README.md").read_text(encoding="utf-8")
EXAMPLE = json.loads(re.search(r"```json\n(.*?)```", README, re.DOTALL)[1])
WORDS = {"number": "number", "integer": "whole number", "string": "text", "boolean": "true, false"}


def table(heading):
    """Return the rows of the table under a heading, a dict each."""
    part = README.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("|")]
    header, _, *rows = [[cell.strip() for cell in line] for line in lines]
    return [dict(zip(header, row, strict=True)) for row in rows]


def code(cell):
    return cell.strip("`")


def leaves(schema, defs, path):
    """Yield path and schema of each value below."""
    schema = defs[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if "properties" in schema:
        for key, below in schema["properties"].items():
            yield from leaves(below, defs, f"{path}.{key}")
    elif "items" in schema:
        yield from leaves(schema["items"], defs, f"{path}[]")
    else:
        yield path, schema


def first(value, path):
    """Return the first value that the example has at a path."""
    for key in path.split("."):
        value = value[key.removesuffix("[]")]
        value = value[0] if key.endswith("[]") else value
    return value


def test_its_chapters_stand_in_the_usual_order():
    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)

    assert re.findall(r"^#+ (.*)", prose, re.MULTILINE) == [
        *("vstats-sensors", "Install", "Settings", "Fields", "Example output")
    ]


def test_its_settings_are_those_of_the_model():
    own = SensorsSettings.model_fields.keys() - CollectorSettings.model_fields.keys()
    fields = {key: SensorsSettings.model_fields[key] for key in own}

    rows = {code(row["key"]): row for row in table("Settings")}

    assert rows == {
        key: {
            "key": f"`{key}`",
            "type": {list[str]: "list of texts"}[field.annotation],
            "default": f"`{json.dumps(field.default)}`",
            "meaning": " ".join(field.description.split()),
        }
        for key, field in fields.items()
    }
    assert set(CollectorSettings.model_fields) <= set(re.findall(r"`(\w+)`", README))


def test_its_example_is_what_comes_of_the_laptop_among_the_machines():
    laptop = Recording.load(HERE / "machines" / "laptop.json")

    assert run(SensorsCollector(source=laptop)) == EXAMPLE


def test_its_fields_are_those_of_the_section_with_values_of_the_example():
    schema = TypeAdapter(plugin.vstats_sections()["sensors"]).json_schema()
    fields = dict(leaves(schema, schema["$defs"], "sensors"))

    rows = {code(row["field"]): row for row in table("Fields")}

    assert list(rows) == list(fields)
    for path, row in rows.items():
        assert row["type"] == WORDS[fields[path]["type"]]
        assert row["unit"] == fields[path].get("unit", "").replace("_", " ")
        assert json.loads(code(row["example"])) == first(EXAMPLE, path)


def test_its_configuration_is_one_that_the_agent_takes():
    toml = re.search(r"```toml\n(.*?)```", README, re.DOTALL)[1]
    settings = SensorsSettings(**tomllib.loads(toml)["agent"]["collectors"]["sensors"])

    assert settings.interval == 5
    assert settings.exclude == ["nct6798/AUXTIN*", "iwlwifi*"]
