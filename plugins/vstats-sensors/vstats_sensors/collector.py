"""Decide which of the sensors' answers can be true, and call each sensor by a name of its own."""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import psutil
from pydantic import Field

from vstats_core import CollectorSettings, Fragment, Globs, hookimpl
from vstats_sensors.section import Sensors

__all__ = [
    "SensorsCollector",
    "SensorsSettings",
    "parse_battery",
    "parse_fans",
    "parse_temperatures",
    "plugin",
]

logger = logging.getLogger(__name__)

Readings: TypeAlias = Mapping[str, Iterable[Any]]
"""Psutil's answer: the named tuples of each chip."""
Wanted: TypeAlias = Callable[[str, str], bool]
"""Takes a sensor's name and label."""

COLDEST, TOO_HOT = -55.0, 127.0
"""A reading beyond is no temperature, but what a byte says when nothing is connected."""
HIGHEST_LIMIT = 200.0
"""A limit beyond is none: an NVMe disk that has none says 65261.85."""
FASTEST = 50_000.0
"""A fan beyond is no fan: a chip that cannot count one says 65535, or millions."""
OVERFULL = 200.0
"""A charge beyond is none; a battery that is better than it was made for says up to 120."""
LONGEST = 30 * 24 * 3600.0
"""Windows says 4294967295 s for "unknown"."""
LONGEST_NAME = 1024


class SensorsSettings(CollectorSettings):
    """The table ``[agent.collectors.sensors]``."""

    include: list[str] = Field(default=[])
    """Globs of sensors that are reported even if excluded: NAME for a chip, or NAME/LABEL."""
    exclude: list[str] = Field(default=[])
    """Globs of sensors that are left out: NAME for a chip, or NAME/LABEL."""


def everything(_name: str, _label: str) -> bool:
    """Want each sensor."""
    return True


def parse_temperatures(answer: Readings, wanted: Wanted = everything) -> list[Fragment]:
    """Return the temperatures that can be true, in degrees Celsius.

    What the chip does not tell, or what cannot be a limit (0, 65261.85), is left out.
    """
    items = []
    for name, label, reading in _labelled(answer):
        current = _plausible(reading.current, COLDEST, TOO_HOT)
        if current is None or not wanted(name, label):
            continue
        item: Fragment = {"name": name, "label": label, "current": current}
        for key in ("high", "critical"):
            limit = _plausible(getattr(reading, key), 0.0, HIGHEST_LIMIT)
            if limit:
                item[key] = limit
        items.append(item)
    return items


def parse_fans(answer: Readings, wanted: Wanted = everything) -> list[Fragment]:
    """Return the fans whose speed can be true, in revolutions per minute."""
    return [
        {"name": name, "label": label, "speed": speed}
        for name, label, reading in _labelled(answer)
        if (speed := _plausible(reading.current, 0.0, FASTEST)) is not None and wanted(name, label)
    ]


def parse_battery(answer: Any) -> Fragment | None:
    """Return the battery's charge in percent and its time left in seconds; None for no battery."""
    percent = None if answer is None else _plausible(answer.percent, 0.0, OVERFULL)
    if percent is None:
        return None
    battery: Fragment = {"percent": min(percent, 100.0)}
    if answer.power_plugged is not None:
        battery["plugged"] = bool(answer.power_plugged)
    # psutil's "unlimited" and "unknown" are negative numbers.
    left = _plausible(answer.secsleft, 0.0, LONGEST)
    if left is not None:
        battery["left"] = int(left)
    return battery


def _plausible(value: Any, low: float, beyond: float) -> float | None:
    """Return a number to one decimal; None for none, NaN, and what lies outside the bounds."""
    if not isinstance(value, (int, float)) or not low <= value < beyond:
        return None
    return round(float(value), 1)


def _labelled(answer: Readings) -> list[tuple[str, str, Any]]:
    """Return name, label and reading of each sensor, ordered as a person would order them."""
    sensors = [
        (name, label, reading)
        for chip, readings in answer.items()
        for name in [_printable(chip)]
        for label, reading in _numbered(readings)
    ]
    return sorted(sensors, key=lambda sensor: (sensor[0], _in_order(sensor[1])))


def _numbered(readings: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Yield a label that no other of the chip's has, "Core 0 (2)" for a second "Core 0"."""
    taken: set[str] = set()
    for reading in readings:
        own = label = _printable(reading.label or "")
        number = 1
        while label in taken:
            number += 1
            label = f"{own} ({number})".lstrip()
        taken.add(label)
        yield label, reading


def _in_order(label: str) -> list[str | int]:
    """Return what puts "Core 10" after "Core 9"."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", label)]


def _printable(name: str) -> str:
    # Bytes that are no text reach us as lone surrogates, which no report can hold.
    return name.encode(errors="replace").decode()[:LONGEST_NAME]


class SensorsCollector:
    """Collects ``sensors``."""

    def __init__(self, *, source: Any = psutil) -> None:
        self._source = source
        """Has those of psutil's ``sensors_*`` functions that the platform has."""
        self._failing: set[str] = set()
        self._settings: SensorsSettings | None = None
        self._included = self._excluded = Globs([])

    @hookimpl
    def vstats_settings(self) -> type[SensorsSettings]:
        """Name the settings."""
        return SensorsSettings

    @hookimpl
    def vstats_sections(self) -> dict[str, Any]:
        """Name the section."""
        return {"sensors": Sensors}

    @hookimpl
    def vstats_collect(self, settings: SensorsSettings) -> Fragment:
        """Return temperatures, fans and the battery; those that cannot be asked are absent.

        The three are asked one by one, so that a broken fan does not cost the temperatures.
        """
        if settings is not self._settings:
            self._settings = settings
            self._included, self._excluded = map(Globs, (settings.include, settings.exclude))
        section: Fragment = {}
        if (readings := self._ask("sensors_temperatures")) is not None:
            section["temperatures"] = parse_temperatures(readings, self._wanted)
        if (readings := self._ask("sensors_fans")) is not None:
            section["fans"] = parse_fans(readings, self._wanted)
        if (battery := parse_battery(self._ask("sensors_battery"))) is not None:
            section["battery"] = battery
        return {"sensors": section}

    def _wanted(self, name: str, label: str) -> bool:
        both = f"{name}/{label}"
        if name in self._included or both in self._included:
            return True
        return not (name in self._excluded or both in self._excluded)

    def _ask(self, what: str) -> Any:
        """Return psutil's answer; None where there is none, or none now."""
        function = getattr(self._source, what, None)
        if function is None:
            return None
        try:
            answer = function()
        except FileNotFoundError:
            # psutil expects /sys/class/power_supply, which not every Linux has.
            return None
        except Exception as error:  # noqa: BLE001 - whatever psutil makes of what a driver says
            if what not in self._failing:
                self._failing.add(what)
                logger.warning(
                    "collector sensors: %s failed: %r; left out until it answers", what, error
                )
            return None
        if what in self._failing:
            self._failing.remove(what)
            logger.info("collector sensors: %s answers again", what)
        return answer


plugin = SensorsCollector()
