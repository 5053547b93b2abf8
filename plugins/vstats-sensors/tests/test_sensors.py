"""Requirements for the sensors collector.

`machines/` holds what psutil answers on machines of several kinds. None of them was recorded on
one: they are put together after psutil's documentation and what people reported of theirs.
"""

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from vstats_core import Levels
from vstats_core.testing import Recording, run
from vstats_sensors import SensorsCollector, Temperature, plugin

MACHINES = Path(__file__).parent / "machines"


class Hot(NamedTuple):
    """As psutil's shwtemp; any value, since that is what drivers say."""

    label: Any
    current: Any
    high: Any = None
    critical: Any = None


class Spin(NamedTuple):
    """As psutil's sfan."""

    label: Any
    current: Any


class Charge(NamedTuple):
    """As psutil's sbattery."""

    percent: Any
    secsleft: Any = 3600
    power_plugged: Any = False


class Source:
    """Those of psutil's functions that a test gives: an answer, or an exception to be raised."""

    def __init__(self, **answers):
        for name, answer in answers.items():
            self.set(name, answer)

    def set(self, name, answer):
        def function():
            if isinstance(answer, Exception):
                raise answer
            return answer

        setattr(self, f"sensors_{name}", function)


def collect(source, **settings):
    """Return the section, held to what is declared, as the agent does."""
    return run(SensorsCollector(source=source), **settings)["sensors"]


def answers_of(machine):
    return Recording.load(MACHINES / f"{machine}.json")


def temperatures(*readings, **settings):
    answer = {"chip": list(readings)}
    return collect(Source(temperatures=answer), **settings)["temperatures"]


def fans(*readings):
    return collect(Source(fans={"chip": list(readings)}))["fans"]


def battery(percent, **charge):
    return collect(Source(battery=Charge(percent, **charge))).get("battery")


def names(items):
    return [f"{item['name']}/{item['label']}" for item in items]


def test_a_laptop_has_temperatures_fans_and_a_battery():
    assert collect(answers_of("laptop")) == {
        "temperatures": [
            {"name": "acpitz", "label": "", "current": 47.0, "high": 128.0, "critical": 128.0},
            {"name": "coretemp", "label": "Core 0", "current": 46.0}
            | {"high": 100.0, "critical": 100.0},
            {"name": "coretemp", "label": "Core 1", "current": 48.0}
            | {"high": 100.0, "critical": 100.0},
            {"name": "coretemp", "label": "Package id 0", "current": 48.0}
            | {"high": 100.0, "critical": 100.0},
            {"name": "nvme", "label": "Composite", "current": 38.9, "high": 81.8, "critical": 84.8},
            {"name": "nvme", "label": "Sensor 1", "current": 38.9},
            {"name": "nvme", "label": "Sensor 2", "current": 45.9},
            {"name": "thinkpad", "label": "CPU", "current": 47.0},
        ],
        "fans": [{"name": "thinkpad", "label": "", "speed": 2873.0}],
        "battery": {"percent": 67.1, "plugged": False, "left": 4160},
    }


def test_a_machine_without_sensors_says_that_there_are_none():
    assert collect(answers_of("virtual-machine")) == {"temperatures": [], "fans": []}


def test_a_platform_that_cannot_tell_says_nothing_rather_than_none():
    assert collect(answers_of("macbook")) == {"battery": {"percent": 99.0, "plugged": True}}
    assert collect(Source()) == {}


def test_a_board_with_one_thermal_zone_has_one_temperature():
    assert collect(answers_of("single-board")) == {
        "temperatures": [
            {"name": "cpu_thermal", "label": "", "current": 55.0, "high": 110.0, "critical": 110.0}
        ],
        "fans": [],
    }


def test_a_server_with_two_processors_of_64_cores_and_24_disks_fits_in_a_report():
    section = collect(answers_of("server"))

    assert len(section["temperatures"]) == 2 * 65 + 24
    assert len(json.dumps(section)) < 16 * 1024


@pytest.mark.parametrize(
    "current",
    [None, math.nan, math.inf, -math.inf, -273.0, -273.15, -128.0, -62.0, 127.0, 255.0, 65261.85],
)
def test_a_reading_that_cannot_be_true_is_left_out(current):
    assert temperatures(Hot("a", current), Hot("b", 40.0)) == [
        {"name": "chip", "label": "b", "current": 40.0}
    ]


@pytest.mark.parametrize("current", [-54.9, -20, 0.0, 21, 126.9])
def test_a_reading_that_can_be_true_is_reported(current):
    assert temperatures(Hot("a", current))[0]["current"] == current


@pytest.mark.parametrize("limit", [None, math.nan, math.inf, 0, 0.0, -273.15, 65261.85])
def test_a_limit_that_is_none_is_left_out_and_costs_nothing_else(limit):
    assert temperatures(Hot("a", 40.0, limit, 90.0), Hot("b", 40.0, 80.0, limit)) == [
        {"name": "chip", "label": "a", "current": 40.0, "critical": 90.0},
        {"name": "chip", "label": "b", "current": 40.0, "high": 80.0},
    ]


def test_a_temperature_has_one_decimal_as_sensors_prints_it():
    assert temperatures(Hot("a", 38.85, 81.849))[0] == {
        "name": "chip",
        "label": "a",
        "current": 38.9,
        "high": 81.8,
    }


@pytest.mark.parametrize("speed", [None, math.nan, -1, 65535, 1_350_000])
def test_a_speed_that_cannot_be_true_is_left_out(speed):
    assert fans(Spin("a", speed), Spin("b", 900)) == [
        {"name": "chip", "label": "b", "speed": 900.0}
    ]


def test_a_fan_that_stands_still_is_reported():
    assert fans(Spin("a", 0)) == [{"name": "chip", "label": "a", "speed": 0.0}]


def test_a_label_that_comes_again_is_numbered():
    readings = [Hot("Core 0", 40), Hot("", 41), Hot("Core 0", 42), Hot("", 43), Hot(None, 44)]

    assert names(temperatures(*readings)) == [
        *("chip/", "chip/(2)", "chip/(3)", "chip/Core 0", "chip/Core 0 (2)")
    ]


def test_no_two_labels_are_the_same_even_if_a_chip_numbers_its_own():
    readings = [Hot("Core", 40), Hot("Core (2)", 41), Hot("Core", 42), Hot("Core (2)", 43)]

    assert len(set(names(temperatures(*readings)))) == len(readings)


def test_a_sensor_keeps_its_label_when_the_one_before_it_says_nonsense():
    before = temperatures(Hot("Composite", 40), Hot("Composite", 50))
    after = temperatures(Hot("Composite", math.nan), Hot("Composite", 50))

    assert after == before[1:]


def test_sensors_are_ordered_as_a_person_would():
    chips = {"b": [Hot("Core 10", 1), Hot("Core 9", 1), Hot("Ä2", 1), Hot("10", 1)]}
    chips |= {"a": [Hot("x", 1)]}

    items = collect(Source(temperatures=chips))["temperatures"]

    assert names(items) == ["a/x", "b/10", "b/Core 9", "b/Core 10", "b/Ä2"]


def test_a_name_that_is_no_text_is_made_one():
    chips = {"chi\udcffp": [Hot("\udc80" + 2000 * "x", 40.0)]}

    (item,) = collect(Source(temperatures=chips))["temperatures"]

    assert (item["name"], item["label"]) == ("chi?p", "?" + 1023 * "x")


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        (["nct6798"], 5),
        (["nct*", "k10*"], 3),
        (["nvme/Sensor *"], 7),
        (["nct6798/PCH*", "nvme/*(2)"], 6),
        (["*"], 0),
        (["NVME"], 8),
    ],
)
def test_globs_leave_out_a_chip_or_one_of_its_sensors(exclude, left):
    assert len(collect(answers_of("desktop"), exclude=exclude)["temperatures"]) == left


def test_globs_hold_for_fans_too():
    section = collect(answers_of("desktop"), exclude=["nct6798"])

    assert names(section["fans"]) == ["amdgpu/"]


def test_include_wins_over_exclude():
    section = collect(answers_of("desktop"), exclude=["*"], include=["k10temp", "nvme/Comp*"])

    assert names(section["temperatures"]) == [
        *("k10temp/Tccd1", "k10temp/Tctl", "nvme/Composite", "nvme/Composite (2)")
    ]
    assert section["fans"] == []


@pytest.mark.parametrize(
    ("percent", "reported"), [(0, 0.0), (67.12187, 67.1), (100, 100.0), (117.4, 100.0)]
)
def test_a_battery_is_never_fuller_than_full(percent, reported):
    assert battery(percent)["percent"] == reported


@pytest.mark.parametrize("percent", [None, math.nan, -1, 255])
def test_a_battery_whose_charge_is_unknown_is_none(percent):
    assert battery(percent) is None


@pytest.mark.parametrize(
    "left", [None, psutil.POWER_TIME_UNLIMITED, psutil.POWER_TIME_UNKNOWN, 2**32 - 1, math.nan]
)
def test_time_left_that_is_unknown_or_unlimited_is_absent(left):
    assert battery(50, secsleft=left, power_plugged=True) == {"percent": 50.0, "plugged": True}


def test_a_battery_that_does_not_know_whether_it_is_charged_does_not_say():
    assert collect(answers_of("windows-laptop")) == {"battery": {"percent": 58.0}}


def test_a_machine_without_power_supplies_has_no_battery_and_no_failure(caplog):
    source = Source(fans={}, battery=FileNotFoundError("/sys/class/power_supply"))

    assert collect(source) == {"fans": []}
    assert caplog.messages == []


def test_a_broken_driver_costs_its_own_part_and_is_logged_once(caplog):
    caplog.set_level("INFO", "vstats_sensors")
    source = Source(temperatures={"chip": [Hot("a", 40.0)]}, fans=ValueError("invalid literal"))
    collector = SensorsCollector(source=source)

    sections = [run(collector)["sensors"] for _ in range(3)]

    hot = {"temperatures": [{"name": "chip", "label": "a", "current": 40.0}]}
    assert sections == [hot, hot, hot]
    failed = "collector sensors: sensors_fans failed: ValueError('invalid literal')"
    assert caplog.messages == [f"{failed}; left out until it answers"]

    source.set("fans", {})

    assert run(collector)["sensors"] == hot | {"fans": []}
    assert caplog.messages[1:] == ["collector sensors: sensors_fans answers again"]


def test_a_temperature_tells_dashboards_from_where_on_it_is_bad():
    assert Levels(warn=80, critical=95) in Temperature.model_fields["current"].metadata


def test_what_is_asked_is_what_psutil_has_on_some_platform():
    class Asked:
        def __init__(self):
            self.names = []

        def __getattr__(self, name):
            self.names.append(name)
            raise AttributeError(name)

    asked = Asked()
    collect(asked)

    assert asked.names == ["sensors_temperatures", "sensors_fans", "sensors_battery"]
    if psutil.LINUX:
        assert all(hasattr(psutil, name) for name in asked.names)


def test_this_very_machine_agrees_with_its_own_files():
    section = run(plugin)["sensors"]

    hwmon = Path("/sys/class/hwmon")
    inputs = {kind: len(list(hwmon.glob(f"hwmon*/{kind}*_input"))) for kind in ("temp", "fan")}
    zones = len(list(Path("/sys/class/thermal").glob("thermal_zone*")))
    if not psutil.LINUX:
        pytest.skip("there is no /sys to compare with")
    assert len(section["temperatures"]) <= max(inputs["temp"], zones)
    assert len(section["fans"]) <= inputs["fan"]
    assert ("battery" in section) <= any(Path("/sys/class/power_supply").glob("*BAT*"))
