from typing import Annotated

from pydantic import MISSING, ConfigDict, Field

from vstats_core import Bytes, Celsius, Count, Kind, Levels, Percent, Section, Text, Unit
from vstats_core.wire.describe import describe


def fields(type_):
    return describe({"x": type_})["x"]["fields"]


def field(title, unit="none", kind="gauge", **levels):
    return {"title": title, "unit": unit, "kind": kind} | levels


class Sensor(Section):
    name: Text
    is_on: bool
    current: Annotated[Celsius, Levels(warn=80, critical=95)] = Field(title="Temperature")


def test_a_field_has_a_title_a_unit_a_kind_and_its_levels():
    assert fields(Sensor) == {
        "name": field("Name", kind="state"),
        "is_on": field("Is on", kind="state"),
        "current": field("Temperature", "celsius", warn=80, critical=95),
    }


def test_items_of_a_list_have_brackets_in_their_path():
    assert list(fields(list[Sensor])) == ["[].name", "[].is_on", "[].current"]


def test_a_section_within_a_section_is_dotted():
    class Inner(Section):
        total: Annotated[Bytes, Kind("counter")]

    class Outer(Section):
        inner: Inner
        many: list[Inner]
        shares: list[Percent]

    assert fields(Outer) == {
        "inner.total": field("Total", "bytes", "counter"),
        "many[].total": field("Total", "bytes", "counter"),
        "shares[]": field("Shares", "percent"),
    }


def test_a_section_that_is_a_plain_value_has_an_empty_path():
    assert describe({"users": Count}) == {
        "users": {"title": "Users", "fields": {"": field("Users", "count")}}
    }


def test_what_may_be_absent_means_the_same_when_it_is_there():
    class Fan(Section):
        speed: Percent | MISSING = MISSING
        other: Annotated[Percent | None, Levels(warn=5)] = None

    assert fields(Fan) == {
        "speed": field("Speed", "percent"),
        "other": field("Other", "percent", warn=5),
    }


def test_any_number_can_be_given_a_unit():
    assert fields(Annotated[float, Unit("volts"), Levels(critical=5)]) == {
        "": field("X", "volts", critical=5)
    }


def test_a_section_is_called_by_its_models_title_or_else_by_its_name():
    class Titled(Section):
        model_config = ConfigDict(title="Disk activity")
        a: int

    assert describe({"disk_io": Titled})["disk_io"]["title"] == "Disk activity"
    assert describe({"disk_io": list[Titled]})["disk_io"]["title"] == "Disk activity"
    assert describe({"disk_io": Sensor})["disk_io"]["title"] == "Disk io"


def test_what_has_no_fixed_keys_has_no_fields():
    assert fields(dict[str, int]) == {}
