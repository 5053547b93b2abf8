"""Temperatures, fans and the battery, as a collector for vStats."""

from vstats_sensors.collector import SensorsCollector, SensorsSettings, plugin
from vstats_sensors.section import Battery, Fan, Sensors, Temperature

__all__ = [
    "Battery",
    "Fan",
    "Sensors",
    "SensorsCollector",
    "SensorsSettings",
    "Temperature",
    "plugin",
]
