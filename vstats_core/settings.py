"""What configuration tables have in common, and what every collector's has."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["CollectorSettings", "Interval", "Settings", "Timeout"]


Interval = Annotated[float, Field(ge=1, le=86400)]
"""Seconds between two calls."""

Timeout = Annotated[float, Field(gt=0, le=3600)]
"""Seconds that something may take."""


class Settings(BaseModel):
    """The base of every configuration table: unknown keys, wrong types, ``inf`` are refused."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


class CollectorSettings(Settings):
    """What every collector can be told; a collector's own settings subclass it."""

    enabled: bool = True
    """Whether to collect at all."""
    interval: Interval | None = None
    """Seconds between two calls; without it, the agent's interval."""
    timeout: Timeout = 2.0
    """Seconds that a call may take; a later answer counts as a failure."""
