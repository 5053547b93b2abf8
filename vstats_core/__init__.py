"""vStats: what collectors build on. Everything named here is public and stays."""

from vstats_core.hookspecs import Fragment, hookimpl
from vstats_core.rates import Rate
from vstats_core.settings import CollectorSettings
from vstats_core.version import __version__

__all__ = ["CollectorSettings", "Fragment", "Rate", "__version__", "hookimpl"]
