"""vStats: what collectors build on. Everything named here is public and stays."""

from vstats_core.globs import Globs
from vstats_core.hookspecs import Fragment, hookimpl
from vstats_core.rates import Rate
from vstats_core.settings import CollectorSettings, Interval, Settings, Timeout
from vstats_core.version import __version__
from vstats_core.wire.schema import Section, Text
from vstats_core.wire.units import (
    Bytes,
    BytesPerSecond,
    Celsius,
    Count,
    Hertz,
    Kind,
    Levels,
    Percent,
    PerSecond,
    Rpm,
    Seconds,
    Unit,
    Volts,
    Watts,
    WholeSeconds,
)

__all__ = [
    "Bytes",
    "BytesPerSecond",
    "Celsius",
    "CollectorSettings",
    "Count",
    "Fragment",
    "Globs",
    "Hertz",
    "Interval",
    "Kind",
    "Levels",
    "PerSecond",
    "Percent",
    "Rate",
    "Rpm",
    "Seconds",
    "Section",
    "Settings",
    "Text",
    "Timeout",
    "Unit",
    "Volts",
    "Watts",
    "WholeSeconds",
    "__version__",
    "hookimpl",
]
