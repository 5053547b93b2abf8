import math

import pytest
from kit import REPORT, report
from pydantic import ValidationError

from vstats_core.wire.schema import LARGEST, Report


def changed(path: str, value: object) -> dict:
    """Return the page's report with one value in its depth replaced."""
    result = report()
    *parents, last = path.split(".")
    place = result
    for part in parents:
        place = place[int(part) if part.isdigit() else part]
    place[last] = value
    return result


def test_the_report_of_the_page_is_valid():
    assert Report.model_validate(REPORT).cpu.cores == 8


@pytest.mark.parametrize(
    "section", ["os", "cpu", "memory", "disks", "network", "uptime", "load_average"]
)
def test_every_section_may_be_absent(section):
    shorter = report()
    del shorter[section]

    Report.model_validate(shorter)


@pytest.mark.parametrize("key", ["timestamp", "hostname"])
def test_timestamp_and_hostname_are_required(key):
    shorter = report()
    del shorter[key]

    with pytest.raises(ValidationError, match=key):
        Report.model_validate(shorter)


@pytest.mark.parametrize("section", ["os", "cpu", "memory", "disks", "network", "uptime"])
def test_a_section_that_is_there_is_not_null(section):
    with pytest.raises(ValidationError, match=section):
        Report.model_validate(report(**{section: None}))


@pytest.mark.parametrize(
    "path",
    [
        *("os.name", "os.version", "os.kernel", "os.arch"),
        *("cpu.brand", "cpu.cores", "cpu.usage", "cpu.frequency", "cpu.per_core"),
        *("memory.total", "memory.used", "memory.available", "memory.swap_total"),
        *("memory.swap_used", "memory.usage_percent"),
        *("disks.0.name", "disks.0.mount_point", "disks.0.fs_type", "disks.0.total"),
        *("disks.0.used", "disks.0.available", "disks.0.usage_percent"),
        *("network.interfaces", "network.total_rx", "network.total_tx"),
        *("network.interfaces.0.name", "network.interfaces.0.rx", "network.interfaces.0.tx"),
        *("load_average.one", "load_average.five", "load_average.fifteen"),
    ],
)
def test_a_section_that_is_there_has_all_fields_of_the_page(path):
    shorter = report()
    *parents, last = path.split(".")
    place = shorter
    for part in parents:
        place = place[int(part) if part.isdigit() else part]
    del place[last]

    with pytest.raises(ValidationError):
        Report.model_validate(shorter)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("cpu.usage", 100.1),
        ("cpu.usage", -0.1),
        ("cpu.usage", "45.2"),
        ("cpu.usage", True),
        ("cpu.usage", math.nan),
        ("cpu.frequency", math.inf),
        ("cpu.per_core", [101]),
        ("cpu.cores", 8.5),
        ("memory.total", -1),
        ("memory.total", LARGEST + 1),
        ("memory.total", 1.5),
        ("memory.usage_percent", 101),
        ("disks.0.usage_percent", 100.01),
        ("network.total_rx", -1),
        ("network.rx", -1),
        ("uptime", 1.5),
        ("uptime", -1),
        ("load_average.one", -0.5),
        ("hostname", 7),
    ],
)
def test_numbers_are_finite_percentages_0_to_100_sizes_whole_and_not_negative(path, value):
    with pytest.raises(ValidationError):
        Report.model_validate(changed(path, value))


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("cpu.per_core", 4096),
        ("disks", 1024),
        ("network.interfaces", 1024),
    ],
)
def test_lists_have_a_bound(path, most):
    items = {"cpu.per_core": 1.0}.get(path)
    item = (
        items
        if items is not None
        else {
            "disks": REPORT["disks"][0],
            "network.interfaces": REPORT["network"]["interfaces"][0],
        }[path]
    )

    Report.model_validate(changed(path, [item] * most))
    with pytest.raises(ValidationError):
        Report.model_validate(changed(path, [item] * (most + 1)))


def test_text_has_a_bound_of_1024_characters():
    Report.model_validate(report(hostname="h" * 1024))

    with pytest.raises(ValidationError):
        Report.model_validate(report(hostname="h" * 1025))


@pytest.mark.parametrize(
    "timestamp",
    [
        "2024-01-01T12:00:00Z",
        "2024-01-01T12:00:00.123456789Z",
        "2024-02-29t23:59:60z",
        "2024-01-01T12:00:00+05:30",
    ],
)
def test_any_rfc_3339_time_is_a_timestamp(timestamp):
    Report.model_validate(report(timestamp=timestamp))


@pytest.mark.parametrize(
    "timestamp",
    [
        *("2024-01-01", "2024-01-01T12:00:00", "2024-01-01 12:00", "2024-13-01T12:00:00Z"),
        *("2023-02-29T12:00:00Z", "2024-01-01T24:00:00Z", "", 1704110400, "2024-01-01T12:00:00Z\n"),
        "٢٠٢٤-01-01T12:00:00Z",
    ],
)
def test_nothing_else_is_a_timestamp(timestamp):
    with pytest.raises(ValidationError):
        Report.model_validate(report(timestamp=timestamp))


def test_what_the_schema_does_not_name_is_kept():
    extended = report(temperature=[{"name": "cpu", "celsius": 41}])
    extended["cpu"]["steal"] = 0.5

    kept = Report.model_validate(extended)

    assert kept.model_extra == {"temperature": [{"name": "cpu", "celsius": 41}]}
    assert kept.cpu.model_extra == {"steal": 0.5}


def test_units_are_in_the_types():
    memory = Report.model_json_schema()["$defs"]["Memory"]["properties"]

    assert memory["total"]["unit"] == "bytes"
    assert memory["usage_percent"]["unit"] == "percent"
