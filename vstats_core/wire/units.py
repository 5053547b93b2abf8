"""What a number means: its unit, its kind, and from where on it is bad.

``Bytes``, ``Percent``, ``Celsius`` and the like are types for the fields of a section. They hold a
value to its bounds, and they say how to show it to a dashboard that has never heard of the plugin.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema

__all__ = [
    "LARGEST",
    "Bytes",
    "BytesPerSecond",
    "Celsius",
    "Count",
    "Hertz",
    "Kind",
    "KindName",
    "Levels",
    "PerSecond",
    "Percent",
    "Rpm",
    "Seconds",
    "Unit",
    "UnitName",
    "Volts",
    "Watts",
    "WholeSeconds",
]

LARGEST = 2**63 - 1

UnitName = Literal[
    "bytes",
    "percent",
    "seconds",
    "bytes_per_second",
    "celsius",
    "hertz",
    "count",
    "per_second",
    "volts",
    "watts",
    "rpm",
    "none",
]
KindName = Literal["gauge", "counter", "state"]


@dataclass(frozen=True)
class Unit:
    """In what a number is measured; put into ``Annotated``."""

    name: UnitName

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Put the unit into the JSON Schema, too."""
        return handler(schema) | {"unit": self.name}


@dataclass(frozen=True)
class Kind:
    """What a number does; put into ``Annotated``.

    A ``gauge`` goes up and down, and is what a number is unless told otherwise; a ``counter`` only
    grows, and its rate is what one looks at; a ``state`` names a condition.
    """

    name: KindName


@dataclass(frozen=True)
class Levels:
    """From where on a number needs attention; higher is worse. Put into ``Annotated``."""

    warn: float | None = None
    critical: float | None = None


Bytes = Annotated[int, Field(ge=0, le=LARGEST), Unit("bytes")]
"""A size or a counter, in bytes."""

BytesPerSecond = Annotated[float, Field(ge=0), Unit("bytes_per_second")]
"""A rate, in bytes per second."""

Percent = Annotated[float, Field(ge=0, le=100), Unit("percent")]
"""A share, 0 to 100."""

Seconds = Annotated[float, Field(ge=0), Unit("seconds")]
"""A span of time, in seconds."""

WholeSeconds = Annotated[int, Field(ge=0, le=LARGEST), Unit("seconds")]
"""A span of time, in whole seconds."""

Celsius = Annotated[float, Unit("celsius")]
"""A temperature, in degrees Celsius."""

Hertz = Annotated[float, Field(ge=0), Unit("hertz")]
"""A frequency, in hertz."""

Count = Annotated[int, Field(ge=0, le=LARGEST), Unit("count")]
"""A number of things."""

PerSecond = Annotated[float, Field(ge=0), Unit("per_second")]
"""How often something happens, per second."""

Volts = Annotated[float, Unit("volts")]
"""A voltage, in volts."""

Watts = Annotated[float, Unit("watts")]
"""A power, in watts; negative for what flows back."""

Rpm = Annotated[float, Field(ge=0), Unit("rpm")]
"""A speed, in revolutions per minute."""
