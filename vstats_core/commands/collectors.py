"""``vstats-agent collectors``: see what is installed, try it out, begin one."""

import json
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from vstats_core import collectors as plugins
from vstats_core.agent.loader import Configuration, table
from vstats_core.agent.trial import Outcome, judge, try_out
from vstats_core.collectors import Collector
from vstats_core.commands import scaffold
from vstats_core.errors import PluginError
from vstats_core.toml import did_you_mean
from vstats_core.wire.describe import describe

__all__ = ["collectors"]


@click.group()
def collectors() -> None:
    """Look at the installed collectors, try them out, begin one."""


@collectors.command("list")
@click.pass_obj
def list_collectors(configuration: Configuration) -> None:
    """Name each collector, its distribution and version, and its state."""
    settings = configuration.settings()
    rows = [("NAME", "DISTRIBUTION", "VERSION", "STATE")] + [
        (found.name, found.distribution, found.version, collector.state)
        for collector in configuration.collectors(settings)
        for found in [collector.found]
    ]
    configuration.answer(table(rows))


@collectors.command("show")
@click.argument("name")
@click.pass_obj
def show(configuration: Configuration, name: str) -> None:
    """Print a collector's settings, where it comes from, what it returns, how long it takes."""
    collector = _named(configuration, name)
    found = collector.found
    lines = [
        f"{found.name}: {found.distribution} {found.version}, {found.entry_point.value}",
        f"state: {collector.state}",
    ]
    if collector.enabled:
        lines += ["", f"settings, [agent.collectors.{found.name}]", table([*_settings(collector)])]
        if collector.sections:
            lines += ["", "fields", table([*_fields(collector)])]
        trial = try_out(collector, times=2)
        newest = next((o for o in reversed(trial.outcomes) if o.sections), trial.outcomes[-1])
        lines += ["", f"returned, in {newest.duration * 1000:.1f} ms", _shown(newest)]
    configuration.answer("\n".join(lines))


@collectors.command("check")
@click.argument("name")
@click.pass_obj
def check_collector(configuration: Configuration, name: str) -> None:
    """Run a collector ten times and judge it; ends with 1 if it is not good enough."""
    collector = _named(configuration, name)
    if not collector.enabled:
        raise PluginError(name, collector.state)
    verdicts = judge(try_out(collector))
    rows = [("ok" if v.ok else "BAD", v.what, v.seen) for v in verdicts]
    configuration.answer(table(rows))
    sys.exit(not all(verdict.ok for verdict in verdicts))


@collectors.command("run")
@click.argument("name")
@click.option("--count", default=1, show_default=True, type=click.IntRange(min=1))
@click.pass_obj
def run_collector(configuration: Configuration, name: str, count: int) -> None:
    """Print what a collector returns, a line of JSON a call, once an interval.

    A first None, which a collector of differences returns, is not counted.
    """
    collector = _named(configuration, name)
    if not collector.enabled:
        raise PluginError(name, collector.state)
    interval = collector.settings.interval or configuration.settings().interval
    outcome = try_out(collector, times=1, pause=0).outcomes[0]
    if outcome.fragment is None and outcome.error is None and not outcome.hung:
        time.sleep(min(interval, 0.5))
        outcome = try_out(collector, times=1, pause=0).outcomes[0]
    for number in range(count):
        if number:
            time.sleep(interval)
            outcome = try_out(collector, times=1, pause=0).outcomes[0]
        if outcome.error is not None:
            traceback.print_exception(outcome.error)
        if outcome.error is not None or outcome.hung:
            raise PluginError(name, _shown(outcome))
        configuration.answer(_shown(outcome))


@collectors.command("new")
@click.argument("name")
@click.option("--in", "parent", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.pass_obj
def new(configuration: Configuration, name: str, parent: Path) -> None:
    """Write a new collector, as a distribution that installs and passes its own tests."""
    if any(found.name == name for found in plugins.find()):
        raise PluginError(name, "one of that name is installed already")
    folder = scaffold.write(name, parent)
    configuration.answer(
        f"{folder} is a complete distribution. Next:\n"
        f"  pip install -e '{folder}[dev]'\n"
        f"  pytest {folder}\n"
        f"  vstats-agent collectors check {name}"
    )


def _named(configuration: Configuration, name: str) -> Collector:
    installed = plugins.find()
    chosen = [found for found in installed if found.name == name]
    if not chosen:
        names = {found.name for found in installed}
        raise PluginError(name, f"not installed{did_you_mean(name, names)}")
    settings = configuration.settings()
    tables = {name: settings.collectors.get(name, {})}
    return plugins.bind(chosen, tables, file=str(configuration.path))[0]


def _settings(collector: Collector) -> Iterator[tuple[str, str, str, str]]:
    yield "KEY", "VALUE", "DEFAULT", "MEANING"
    model: type[BaseModel] = type(collector.settings)
    for name, field in model.model_fields.items():
        value = _toml(getattr(collector.settings, name))
        default = (
            "required"
            if field.is_required()
            else _toml(field.get_default(call_default_factory=True))
        )
        yield name, _cut(value), _cut(default), field.description or ""


def _fields(collector: Collector) -> Iterator[tuple[str, str, str, str, str]]:
    yield "FIELD", "TITLE", "UNIT", "KIND", "LEVELS"
    for section, about in describe(collector.sections).items():
        for path, field in about["fields"].items():
            levels = [
                f"{level} {field[level]:g}" for level in ("warn", "critical") if level in field
            ]
            place = f"{section}{'.' if path and path[0] != '[' else ''}{path}"
            yield place, field["title"], field["unit"], field["kind"], ", ".join(levels)


def _shown(outcome: Outcome) -> str:
    if outcome.hung:
        return f"no answer in {outcome.duration:g} s"
    if outcome.error is not None:
        return str(outcome.error) or type(outcome.error).__name__
    if outcome.fragment is None:
        return "null"
    return f"{{{b','.join(outcome.sections.values()).decode()}}}"


def _toml(value: Any) -> str:
    """Return a setting as the configuration would have it; nothing for None."""
    return "" if value is None else json.dumps(to_jsonable_python(value), ensure_ascii=False)


def _cut(text: str, most: int = 40) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
