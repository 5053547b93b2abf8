"""Find the installed collectors, refuse those that cannot be one, bind the rest to settings.

The only file that touches pluggy's manager.
"""

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy
from pydantic import TypeAdapter

from vstats_core import hookspecs
from vstats_core.errors import Complaint, ConfigError, PluginError
from vstats_core.hookspecs import Fragment
from vstats_core.logs.setup import printable
from vstats_core.settings import CollectorSettings
from vstats_core.toml import build, did_you_mean
from vstats_core.wire import strict_json
from vstats_core.wire.describe import describe
from vstats_core.wire.schema import SECTION_NAMES

__all__ = ["Collector", "Found", "adapters", "bind", "find"]

logger = logging.getLogger(__name__)

GROUP = "vstats"
OURS = "vstats-monitor"
ENABLED = "enabled"
MAX_DESCRIPTION = 16 * 1024
"""Bytes of what one plugin declares; the server takes 64 KiB for all of them together."""
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Found:
    """An installed entry point of the group ``vstats``, loaded or not."""

    name: str
    distribution: str
    version: str
    entry_point: EntryPoint
    refusal: str = ""
    """Why it is not even tried; empty for the one that bears its name rightly."""

    @property
    def builtin(self) -> bool:
        """Whether it comes with vStats itself."""
        return self.distribution == OURS


@dataclass(frozen=True)
class Collector:
    """A collector that is ready to be called, or the reason why it is not."""

    found: Found
    settings: CollectorSettings
    collect: Callable[[], Fragment | None]
    state: str
    """``enabled``, ``disabled``, or what keeps it from being loaded."""
    sections: Mapping[str, Any] = field(default_factory=dict)
    """The declared type of each section, by its key."""

    @property
    def enabled(self) -> bool:
        """Whether it is to be called."""
        return self.state == ENABLED


def find(entries: Iterable[EntryPoint] | None = None) -> list[Found]:
    """Return every installed entry point of the group, ours first, then by distribution.

    Two of one name: ours, else the first distribution by name, stays; the others carry a refusal.
    """
    installed = [
        Found(entry.name, *_origin(entry), entry)
        for entry in (entry_points(group=GROUP) if entries is None else entries)
    ]
    installed.sort(key=lambda found: (not found.builtin, found.distribution.lower(), found.name))
    taken: dict[str, Found] = {}
    result = []
    for found in installed:
        refusal = ""
        if not NAME.fullmatch(found.name):
            refusal = "its name should be letters, digits, '-' and '_', a letter first"
        elif (other := taken.get(found.name)) is not None:
            if other.entry_point == found.entry_point:
                continue  # one distribution, seen twice on the path
            refusal = f"two installed collectors are named {found.name!r}: "
            refusal += f"the one of {other.distribution} stays"
        else:
            taken[found.name] = found
        result.append(
            Found(found.name, found.distribution, found.version, found.entry_point, refusal)
        )
    return result


def bind(
    installed: Iterable[Found], tables: Mapping[str, dict[str, Any]], *, file: str
) -> list[Collector]:
    """Load each collector and validate its table ``[agent.collectors.NAME]``.

    A collector that cannot be loaded is returned with its reason, and costs only itself.

    Raises:
        ConfigError: with every complaint about every table.
    """
    installed = list(installed)
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    # All are registered before any is bound: a hook caller for one is made by leaving out the rest.
    states = {
        id(found): _register(manager, found, tables.get(found.name, {})) for found in installed
    }
    complaints: list[Complaint] = []
    collectors = []
    for found in installed:
        state = states[id(found)]
        try:
            collectors.append(
                _bind_one(manager, found, tables.get(found.name, {}), file)
                if state == ENABLED
                else Collector(found, CollectorSettings(), _nothing, state)
            )
        except PluginError as error:
            collectors.append(Collector(found, CollectorSettings(), _nothing, error.reason))
        except ConfigError as error:
            complaints.extend(error.complaints)
    if complaints:
        raise ConfigError(complaints)
    names = {found.name for found in installed}
    for name in tables:
        if name not in names:
            hint = did_you_mean(name, names)
            logger.warning(
                "%s: agent.collectors.%s: no such collector installed%s", file, name, hint
            )
    return collectors


def _register(manager: pluggy.PluginManager, found: Found, table: dict[str, Any]) -> str:
    """Import the plugin and return its state; a stranger's import may raise anything."""
    if found.refusal:
        return found.refusal
    if table.get("enabled") is False:
        # A disabled collector is not imported: it can be broken, or merely large.
        return "disabled"
    try:
        plugin = found.entry_point.load()
        if isinstance(plugin, type):
            return "is a class; the entry point should name an instance of it"
        manager.register(plugin, name=found.name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001
        return printable(" ".join(f"cannot be loaded: {type(error).__name__}: {error}".split()))
    return ENABLED


def _bind_one(
    manager: pluggy.PluginManager, found: Found, table: dict[str, Any], file: str
) -> Collector:
    # A hook caller of its own keeps one collector's exception from costing another's section.
    others = {plugin for name, plugin in manager.list_name_plugin() if name != found.name}
    collect = manager.subset_hook_caller("vstats_collect", others)
    if not collect.get_hookimpls():
        raise PluginError(found.name, "has no vstats_collect marked with @hookimpl")
    try:
        model = manager.subset_hook_caller("vstats_settings", others)()
    except Exception as error:
        raise PluginError(found.name, f"vstats_settings failed: {error!r}") from error
    if model is None:
        model = CollectorSettings
    elif not (isinstance(model, type) and issubclass(model, CollectorSettings)):
        raise PluginError(found.name, "vstats_settings did not return a CollectorSettings class")
    settings = build(model, table, file=file, prefix=f"agent.collectors.{found.name}")
    declare = partial(manager.subset_hook_caller("vstats_sections", others), settings=settings)
    sections = _sections(found, declare)
    return Collector(found, settings, lambda: collect(settings=settings), ENABLED, sections)


def _sections(found: Found, declare: Callable[[], Any]) -> dict[str, Any]:
    """Return what the plugin declares, if anything can be made of it."""
    try:
        sections = dict(declare() or {})
        adapters(sections)
        description = strict_json.dumps(describe(sections))
    except Exception as error:
        raise PluginError(found.name, f"vstats_sections failed: {error!r}") from error
    if taken := SECTION_NAMES & sections.keys():
        raise PluginError(found.name, f"may not declare {min(taken)}: the protocol does")
    if len(description) > MAX_DESCRIPTION:
        raise PluginError(found.name, f"declares more than {MAX_DESCRIPTION} bytes of fields")
    return sections


def adapters(sections: Mapping[str, Any]) -> dict[str, TypeAdapter[Any]]:
    """Return what holds each declared section to its type."""
    return {key: TypeAdapter(type_) for key, type_ in sections.items()}


def _nothing() -> None:
    """Stand in for a collector that is not called."""


def _origin(entry: EntryPoint) -> tuple[str, str]:
    if entry.dist is None:
        return "unknown", ""
    return entry.dist.name, entry.dist.version
