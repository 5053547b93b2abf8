"""What a collector may implement: the two hooks, and the mark that says "this is one"."""

from typing import Any, TypeAlias

import pluggy

from vstats_core.settings import CollectorSettings

__all__ = ["Fragment", "hookimpl", "vstats_collect", "vstats_sections", "vstats_settings"]

PROJECT = "vstats"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function or method as an implementation of the hook that bears its name."""

Fragment: TypeAlias = dict[str, Any]
"""Part of a report: top-level keys and what stands under them, as JSON knows it."""


@hookspec(firstresult=True)
def vstats_settings() -> type[CollectorSettings] | None:
    """Return the model of the table ``[agent.collectors.NAME]``.

    Called once, on the main thread, before the first report. A collector without settings of its
    own leaves this hook out. Raising keeps the collector, and nothing else, from being loaded.
    """


@hookspec(firstresult=True)
def vstats_sections(settings: CollectorSettings) -> dict[str, Any] | None:
    """Return the type of each section that ``vstats_collect`` returns, by its key.

    A type is a model (a subclass of ``Section``), a list of one, or a type such as ``Bytes``. What
    is collected is held to it, and dashboards are told its titles, units, kinds and levels. Called
    on the main thread, before the first report and when the settings have changed; leave the
    argument out if you do not need it. A collector may leave this hook out: its sections are
    passed on, and shown without units.
    """


@hookspec(firstresult=True)
def vstats_collect(settings: CollectorSettings) -> Fragment | None:
    """Return the newest fragment of the report, or None: nothing to say now.

    Called once an interval, on a thread that is this collector's alone and never twice at a time;
    it may block. ``settings`` is the validated model that ``vstats_settings`` named; leave the
    argument out if you do not need it. Raising, or taking longer than ``settings.timeout``, costs
    only this collector: its last good fragment stays in the report, marked as failing, and it is
    asked less often until it answers again. A collector that reports differences measures its
    starting point in the first call, returns None, and is asked again half a second later.
    """
