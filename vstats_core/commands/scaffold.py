"""Write a new collector as a complete distribution that installs and passes its own tests."""

from pathlib import Path
from string import Template

from vstats_core.collectors import NAME
from vstats_core.errors import PluginError

__all__ = ["write"]

FILES = {
    "pyproject.toml": """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "vstats-$name"
version = "0.1.0"
description = "A vStats collector: $title."
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["vstats-monitor"]

[project.optional-dependencies]
dev = ["pytest"]

# The name on the left is the collector's one name: in the configuration, the log, the report.
[project.entry-points.vstats]
$name = "$module:plugin"

[tool.hatch.build.targets.wheel]
packages = ["$module"]

[tool.pytest.ini_options]
testpaths = ["tests"]
addopts = ["--import-mode=importlib"]
""",
    "README.md": """\
# vstats-$name

A collector for vStats (`vstats-monitor`): it counts what is in a folder, until you make it collect
something better.

## Install

```
pip install vstats-$name
vstats-agent collectors check $name
```

into the environment that `vstats-agent` runs in.

## Settings

`[agent.collectors.$name]`

| key | type | default | meaning |
|---|---|---|---|
| `folder` | path | `"/"` | The folder to look into. |

Besides, as every collector: `enabled`, `interval`, `timeout`.

## Fields

Section `$section`

| field | type | unit | meaning |
|---|---|---|---|
| `entries` | integer | count | Files and folders in it. |

## Example

```json
{"$section": {"entries": 21}}
```

## Develop

```
pip install -e '.[dev]'
pytest
```
""",
    "$module/__init__.py": '''\
"""Collect how many entries a folder has."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from vstats_core import CollectorSettings, Count, Fragment, Levels, Section, hookimpl

__all__ = ["$class_Settings", "$class_", "count_entries", "plugin"]


class $class_Settings(CollectorSettings):
    """The table ``[agent.collectors.$name]``."""

    folder: Annotated[Path, Field(strict=False)] = Path("/")
    """The folder to look into."""


class $class_(Section):
    """The section ``$section``."""

    entries: Annotated[Count, Levels(warn=10_000)]
    """Files and folders in it."""


def count_entries(names: list[str]) -> Fragment:
    """Return the section for these names: parsing apart from reading makes it easy to test."""
    return {"$section": {"entries": len(names)}}


class $class_Collector:
    """Its hooks; what it must remember from call to call belongs in here, too."""

    @hookimpl
    def vstats_settings(self) -> type[$class_Settings]:
        """Name the settings."""
        return $class_Settings

    @hookimpl
    def vstats_sections(self) -> dict[str, type[$class_]]:
        """Declare what is returned, so that it can be shown with its unit."""
        return {"$section": $class_}

    @hookimpl
    def vstats_collect(self, settings: $class_Settings) -> Fragment:
        """Read, and return what was read; may block, may raise: it costs nobody else."""
        return count_entries([path.name for path in settings.folder.iterdir()])


plugin = $class_Collector()
''',
    "$module/py.typed": "",
    "tests/test_$module.py": """\
from $module import $class_Collector, count_entries
from vstats_core.testing import Conformance


class Test$class_(Conformance):
    collector = "$name"


def test_every_entry_is_counted():
    assert count_entries(["a", "b"]) == {"$section": {"entries": 2}}


def test_a_real_folder_is_read(tmp_path, run_collector):
    (tmp_path / "a").touch()
    (tmp_path / "b").mkdir()

    fragment = run_collector($class_Collector(), folder=tmp_path)

    assert fragment == {"$section": {"entries": 2}}
""",
}


def write(name: str, parent: Path) -> Path:
    """Write the distribution into a new folder below ``parent``, and return that folder.

    Raises:
        PluginError: for a name that cannot be a collector's, or a folder that is there already.
    """
    if not NAME.fullmatch(name):
        raise PluginError(name, "its name should be letters, digits, '-' and '_', a letter first")
    section = name.replace("-", "_").lower()
    words = {
        "name": name,
        "section": section,
        "module": f"vstats_{section}",
        "title": section.replace("_", " "),
        "class_": "".join(word.capitalize() for word in section.split("_")),
    }
    folder = parent / f"vstats-{name}"
    if folder.exists():
        raise PluginError(name, f"{folder} is there already")
    for path, text in FILES.items():
        file = folder / Template(path).substitute(words)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_filled(text, words), encoding="utf-8")
    return folder


def _filled(text: str, words: dict[str, str]) -> str:
    # "$class_Settings" is "$class_" and a word; a template would take it for one name.
    return Template(text.replace("$class_", "${class_}")).substitute(words)
