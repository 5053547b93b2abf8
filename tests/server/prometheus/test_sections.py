import json
from typing import Annotated, Any

from prometheus_client.parser import text_string_to_metric_families

from vstats_core import Bytes, Celsius, Count, Kind, Percent, Rpm, Section, Text
from vstats_core.wire.describe import describe
from vstats_server.prometheus.report import FAMILIES
from vstats_server.prometheus.sections import plan
from vstats_server.prometheus.text import Families


def lines(types: dict[str, Any], report: dict[str, Any]) -> list[str]:
    """Return the samples that a host's plugins make, without the label that they all have."""
    return lines_of(describe(types), report)


def lines_of(sections: dict[str, Any], report: dict[str, Any]) -> list[str]:
    families = Families()
    planned = plan(json.dumps(sections).encode(), frozenset(FAMILIES))
    for _ in planned.write(families, "web-1", report):
        pass
    text = b"".join(families.chunks()).decode()
    found = [line for line in text.splitlines() if not line.startswith("#")]
    names = [line.rpartition(" ")[0] for line in found]
    assert len(set(names)) == len(names), "a sample comes twice"
    assert list(text_string_to_metric_families(text)) or not found
    return [line.replace('host="web-1",', "").replace('{host="web-1"}', "") for line in found]


class Fan(Section):
    name: Text
    speed: Rpm
    broken: bool = False


class Battery(Section, title="Battery"):
    percent: Percent
    plugged: bool
    status: Annotated[Text, Kind("state")]
    written: Annotated[Bytes, Kind("counter")]


def test_numbers_and_truth_values_are_samples_and_strings_are_labels():
    assert lines(
        {"fans": list[Fan]}, {"fans": [{"name": "rear", "speed": 1200, "broken": True}]}
    ) == [
        'vstats_fans_broken{name="rear"} 1',
        'vstats_fans_speed_rpm{name="rear"} 1200',
    ]


def test_a_section_of_its_own_has_base_units_and_its_words_in_an_info():
    content = {"percent": 12.5, "plugged": False, "status": "worn", "written": 7}

    assert lines({"battery": Battery}, {"battery": content}) == [
        'vstats_battery_info{status="worn"} 1',
        "vstats_battery_plugged 0",
        "vstats_battery_ratio 0.125",
        "vstats_battery_written_bytes_total 7",
    ]


def test_a_plain_value_and_a_list_of_them_are_taken():
    report = {"fans_total": 3, "core_temperatures": [40.5, 41]}

    assert lines({"fans_total": Count, "core_temperatures": list[Celsius]}, report) == [
        'vstats_core_temperatures_celsius{index="0"} 40.5',
        'vstats_core_temperatures_celsius{index="1"} 41',
        "vstats_fans 3",
    ]


def test_items_that_their_strings_do_not_tell_apart_get_an_index():
    fans = [{"name": "", "speed": 1}, {"name": "", "speed": 2}, {"speed": 3}]

    assert lines({"fans": list[Fan]}, {"fans": fans}) == [
        'vstats_fans_speed_rpm{name=""} 1',
        'vstats_fans_speed_rpm{name="",index="1"} 2',
        'vstats_fans_speed_rpm{index="2"} 3',
    ]


def test_items_without_numbers_are_told_in_words():
    class Problem(Section):
        source: Text
        error: Text

    report = {"problems": [{"source": "a.prom", "error": 'line 1: "x"\nwhat?'}]}

    assert lines({"problems": list[Problem]}, report) == [
        'vstats_problems_info{error="line 1: \\"x\\"\\nwhat?",source="a.prom"} 1'
    ]


def test_lists_within_lists_keep_the_labels_of_both():
    class Drive(Section):
        name: Text
        hours: Count

    class Array(Section):
        name: Text
        drives: list[Drive]

    drives = [{"name": "sda", "hours": 5}, {"name": "sdb", "hours": 6}]

    assert lines({"raid": list[Array]}, {"raid": [{"name": "md0", "drives": drives}]}) == [
        'vstats_raid_driveshours{name="md0",inner_name="sda"} 5',
        'vstats_raid_driveshours{name="md0",inner_name="sdb"} 6',
    ]


def test_what_is_not_declared_or_not_as_declared_is_left_out():
    report = {
        "unknown": {"value": 1},
        "fans": [{"name": "rear", "speed": "fast", "wobble": 7}, None, 5, [], {"speed": [1]}],
    }

    assert lines({"fans": list[Fan]}, report) == ['vstats_fans_info{name="rear"} 1']
    assert lines({"fans": list[Fan]}, {"fans": {"name": "rear", "speed": 7}}) == []
    assert lines({"fans": list[Fan]}, {}) == []


def test_a_plugin_cannot_speak_for_what_the_core_reports():
    class Memory(Section):
        total: Bytes

    assert lines({"memory": Memory}, {"memory": {"total": 7}}) == []


def field(title: str = "Title", unit: str = "none", kind: str = "gauge") -> dict[str, str]:
    return {"title": title, "unit": unit, "kind": kind}


def test_families_of_ours_are_not_mixed_with_a_plugins():
    sections = {
        "up": {"title": "Up", "fields": {"": field()}},
        "disk": {"title": "Disk", "fields": {"used": field(unit="bytes")}},
        "server": {"title": "Server", "fields": {"reports": field(kind="counter")}},
    }
    report = {"up": 3, "disk": {"used": 4}, "server": {"reports": 5}}

    assert lines_of(sections, report) == [
        "vstats_plugin_disk_used_bytes 4",
        "vstats_plugin_server_reports_total 5",
        "vstats_plugin_up 3",
    ]


def test_fields_of_one_name_are_numbered():
    fields = {"a b": field(), "a-b": field(), "a_b": field(), "aB": field(unit="bytes")}
    report = {"x": {"a b": 1, "a-b": 2, "a_b": 3, "aB": 4}, "x_a": {"b": 5}}
    sections = {
        "x": {"title": "X", "fields": fields},
        "x_a": {"title": "X", "fields": {"b": field()}},
    }

    expected = [
        "vstats_x_ab 1",
        "vstats_x_ab_2 2",
        "vstats_x_ab_3 3",
        "vstats_x_ab_4 5",
        "vstats_x_ab_bytes 4",
    ]
    assert sorted(lines_of(sections, report)) == expected
    backwards = {
        "x_a": sections["x_a"],
        "x": {"title": "X", "fields": dict(reversed(fields.items()))},
    }
    assert sorted(lines_of(backwards, report)) == expected


def test_labels_of_one_name_are_both_kept():
    fields = {"[].a-b": field(), "[].a_b": field(), "[].n": field()}
    sections = {"x": {"title": "X", "fields": fields}}

    assert lines_of(sections, {"x": [{"a-b": "1", "a_b": "2", "n": 3}]}) == [
        'vstats_x_n{a_b="1",other_a_b="2"} 3'
    ]
