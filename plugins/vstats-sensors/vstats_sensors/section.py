"""What the section ``sensors`` holds, in which unit, and from where on it is bad."""

from typing import Annotated

from pydantic import MISSING, Field

from vstats_core import Celsius, Levels, Percent, Rpm, Section, Text, WholeSeconds

__all__ = ["Battery", "Fan", "Sensors", "Temperature"]


class Temperature(Section):
    """One item of ``sensors.temperatures``."""

    name: Annotated[Text, Field(title="Chip")]
    """The driver or the chip, such as ``coretemp``; several chips of one kind share it."""
    label: Annotated[Text, Field(title="Sensor")]
    """What the chip calls this sensor, numbered if it comes again; may be empty."""
    current: Annotated[Celsius, Levels(warn=80, critical=95), Field(title="Temperature")]
    """The reading."""
    high: Celsius | MISSING = MISSING
    """Where the chip itself begins to call it hot."""
    critical: Celsius | MISSING = MISSING
    """Where the chip itself fears for its life."""


class Fan(Section):
    """One item of ``sensors.fans``."""

    name: Annotated[Text, Field(title="Chip")]
    """The driver or the chip, such as ``thinkpad``."""
    label: Annotated[Text, Field(title="Fan")]
    """What the chip calls this fan, numbered if it comes again; may be empty."""
    speed: Rpm
    """0 for a fan that stands still, and for a socket without one."""


class Battery(Section):
    """``sensors.battery``."""

    percent: Annotated[Percent, Field(title="Charge")]
    """What is left in it."""
    plugged: Annotated[bool | MISSING, Field(title="On mains")] = MISSING
    """Whether the machine is fed from outside; absent where it cannot tell."""
    left: Annotated[WholeSeconds | MISSING, Field(title="Time left")] = MISSING
    """Until it is empty, going on as now; absent on mains, and where it cannot be told."""


class Sensors(Section):
    """``sensors``: an empty list says that there is none, an absent one that nobody can tell."""

    temperatures: list[Temperature] | MISSING = MISSING
    """Ordered by name and label."""
    fans: list[Fan] | MISSING = MISSING
    """Ordered by name and label."""
    battery: Battery | MISSING = MISSING
    """Absent on a machine without one."""
