import re
import subprocess
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tools import program

from vstats_core.wire.units import KindName, UnitName
from vstats_server.prometheus.names import info_name, label_name, metric_name

UNITS, KINDS = get_args(UnitName), get_args(KindName)


@pytest.mark.parametrize(
    ("section", "path", "unit", "kind", "name"),
    [
        ("fans", "[].speed", "rpm", "gauge", "vstats_fans_speed_rpm"),
        ("sensors", "battery.percent", "percent", "gauge", "vstats_sensors_battery_ratio"),
        ("gpu", "[].memory_used", "bytes", "gauge", "vstats_gpu_memory_used_bytes"),
        ("gpu", "[].memory_bytes", "bytes", "gauge", "vstats_gpu_memory_bytes"),
        ("io", "read_bytes", "bytes", "counter", "vstats_io_read_bytes_total"),
        ("io", "bytes_total", "bytes", "counter", "vstats_io_bytes_total"),
        ("io", "errors", "count", "counter", "vstats_io_errors_total"),
        ("io", "read", "bytes_per_second", "gauge", "vstats_io_read_bytes_per_second"),
        ("io", "reads", "per_second", "gauge", "vstats_io_reads_per_second"),
        ("cpu_time", "", "seconds", "counter", "vstats_cpu_time_seconds_total"),
        ("board", "rail", "volts", "gauge", "vstats_board_rail_volts"),
        ("board", "draw", "watts", "gauge", "vstats_board_draw_watts"),
        ("board", "clock", "hertz", "gauge", "vstats_board_clock_hertz"),
        ("raid", "state", "none", "state", "vstats_raid_state"),
        ("users", "count", "count", "gauge", "vstats_users"),
        ("processes", "total", "count", "gauge", "vstats_processes"),
        ("rack-fans", "topSpeed", "none", "gauge", "vstats_rack_fans_top_speed"),
        ("certificate", "days_left", "count", "gauge", "vstats_certificatedays_left"),
        ("ping", "latency_ms", "none", "gauge", "vstats_ping_latencyms"),
        ("fuel", "gauge", "none", "gauge", "vstats_fuelgauge"),
        ("température", "", "celsius", "gauge", "vstats_temperature_celsius"),
        ("温度", "", "celsius", "gauge", "vstats_xefbd1ec2_celsius"),
        ("", "", "none", "gauge", "vstats_section"),
    ],
)
def test_a_field_is_named_in_base_units_and_snake_case(section, path, unit, kind, name):
    assert metric_name(section, path, unit, kind) == name


def test_namesakes_are_told_apart_before_the_unit():
    assert metric_name("io", "read", "bytes", "counter", number=2) == "vstats_io_read_2_bytes_total"
    assert info_name("io", "[]", number=2) == "vstats_io_2_info"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("label", "label"),
        ("mountPoint", "mount_point"),
        ("host", "exported_host"),
        ("le", "exported_le"),
        ("1st", "_1st"),
        ("<img onerror>", "img_onerror"),
        ("名", "xb220bede"),
    ],
)
def test_a_label_is_called_what_prometheus_takes(key, name):
    assert label_name(key) == name


ANYTHING = st.text(max_size=30) | st.text(alphabet="abc_.[]-9AZ é", max_size=30)


@given(ANYTHING, ANYTHING, st.sampled_from(UNITS), st.sampled_from(KINDS), st.integers(1, 3))
def test_every_name_is_one(section, path, unit, kind, number):
    assert re.fullmatch(
        r"vstats(_[a-z0-9]+)+", metric_name(section, path, unit, kind, number=number)
    )
    assert re.fullmatch(r"vstats(_[a-z0-9]+)+", info_name(section, path, number=number))
    assert re.fullmatch(r"[a-z_][a-z0-9_]*", label_name(path))


HOSTILE_WORDS = (
    *("count", "sum", "total", "bucket", "info", "counter", "gauge", "summary", "histogram"),
    *("s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d"),
    *("minutes", "hours", "days", "weeks", "milliseconds", "kilobytes", "gibibytes", "bits"),
    *("microvolts", "fahrenheit", "inches", "calories", "pounds", "kelvins", "megameters"),
    *("camelCase", "ALLCAPS", "a:b", "le", "quantile", "__name__", "", " ", "é", "温度", "9lives"),
)


def test_promtool_finds_nothing_to_say_against_any_name():
    names: dict[str, str] = {}
    for word in HOSTILE_WORDS:
        for section, path in ((word, ""), (word, "x"), ("x", word), ("x", f"{word}_left")):
            for unit in UNITS:
                for kind in KINDS:
                    name = metric_name(section, path, unit, kind)
                    names[name] = "counter" if kind == "counter" else "gauge"
            names[info_name(section, path)] = "gauge"
    text = "".join(
        f'# HELP {name} About.\n# TYPE {name} {kind}\n{name}{{{label_name(word)}="1"}} 1\n'
        for (name, kind), word in zip(names.items(), HOSTILE_WORDS * len(names), strict=False)
    )

    result = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=text,
        check=False,
        capture_output=True,
        text=True,
    )

    assert (result.returncode, result.stderr, result.stdout) == (0, "", "")
