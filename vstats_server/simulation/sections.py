"""Make up what plugins would report: sections with titles, units and levels of their own."""

from random import Random
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from vstats_core.wire.schema import Section, Text
from vstats_core.wire.units import (
    Bytes,
    BytesPerSecond,
    Celsius,
    Count,
    Kind,
    Levels,
    Percent,
    PerSecond,
    Rpm,
    Seconds,
    Watts,
)

__all__ = ["BOARD", "DATABASE", "GPUS", "Moment", "board", "database", "gpus"]

MIB = 2**20
GIB = 2**30


class Moment(NamedTuple):
    """What a section is made up from."""

    random: Random
    busy: float
    """The share of CPU time, 0 to 1."""
    elapsed: float
    """Seconds since the simulation began."""


class Gpu(Section, title="GPU"):
    """One item of ``gpu``."""

    name: Text
    usage: Percent
    memory: Annotated[Percent, Levels(warn=90, critical=97)]
    temperature: Annotated[Celsius, Levels(warn=80, critical=90)]
    power: Watts
    fan: Rpm


class Postgres(Section, title="PostgreSQL"):
    """``postgres``."""

    connections: Annotated[Count, Levels(warn=160, critical=190)]
    cache_hits: Annotated[Percent, Field(title="Found in cache")]
    transactions: Annotated[int, Kind("counter")]
    replication_lag: Annotated[Seconds, Levels(warn=5, critical=30)]
    size: Annotated[Bytes, Field(title="All databases")]
    in_recovery: bool


class Activity(Section, title="Disk I/O"):
    """One item of ``diskio``."""

    name: Text
    read: BytesPerSecond
    written: BytesPerSecond
    writes: PerSecond
    utilisation: Annotated[Percent, Levels(warn=90)]


class Temperature(Section):
    """One item of ``sensors.temperatures``."""

    label: Annotated[Text, Field(title="Sensor")]
    current: Annotated[Celsius, Levels(warn=70, critical=82), Field(title="Temperature")]


class Sensors(Section):
    """``sensors``."""

    temperatures: list[Temperature]
    fan: Annotated[Rpm, Field(title="Fan speed")]
    throttled: bool


GPUS = {"gpu": list[Gpu]}
DATABASE = {"postgres": Postgres, "diskio": list[Activity]}
BOARD = {"sensors": Sensors}


def gpus(moment: Moment) -> dict[str, Any]:
    """Return the section of four graphics processors, the last in a warm place."""
    random, busy, _ = moment
    return {
        "gpu": [
            {
                "name": f"H100 {number}",
                "usage": round(min(100.0, 100 * busy * random.uniform(1.1, 1.25)), 1),
                "memory": round(61.0 + 6 * number + random.uniform(-0.5, 0.5), 1),
                "temperature": round(56 + 18 * busy + 4 * number + random.uniform(-0.6, 0.6), 1),
                "power": round(210 + 420 * busy + random.uniform(-20, 20), 1),
                "fan": float(round(1900 + 1600 * busy + 60 * number)),
            }
            for number in range(4)
        ]
    }


def database(moment: Moment) -> dict[str, Any]:
    """Return the sections of a database and of the disks under it."""
    random, busy, elapsed = moment
    return {
        "postgres": {
            "connections": round(60 + 90 * busy + random.uniform(-4, 4)),
            "cache_hits": round(99.2 + random.uniform(-0.3, 0.3), 2),
            "transactions": 1_844_674_407 + round(2_350 * elapsed),
            "replication_lag": round(random.uniform(0.02, 0.4), 3),
            "size": 1_412 * GIB,
            "in_recovery": False,
        },
        "diskio": [
            {
                "name": f"nvme{number}n1",
                "read": round(400 * MIB * busy * random.uniform(0.5, 1)),
                "written": round(90 * MIB * busy * random.uniform(0.5, 1)),
                "writes": round(4000 * busy * random.uniform(0.8, 1), 1),
                "utilisation": round(min(100.0, 130 * busy * random.uniform(0.6, 1)), 1),
            }
            for number in range(4)
        ],
    }


def board(moment: Moment) -> dict[str, Any]:
    """Return the section of a small board's sensors."""
    random, busy, _ = moment
    labels = (("cpu", 47.0), ("rp1", 44.0), ("nvme", 38.0))
    return {
        "sensors": {
            "temperatures": [
                {"label": label, "current": round(base + 25 * busy + random.uniform(-1, 1), 1)}
                for label, base in labels
            ],
            "fan": float(round(2200 + 4000 * busy)),
            "throttled": False,
        }
    }
