from types import SimpleNamespace
from typing import NamedTuple

import pytest
from pydantic import ValidationError

from vstats_core import Celsius, CollectorSettings, hookimpl
from vstats_core.errors import FragmentError, JSONError
from vstats_core.testing import Recording


class Fan(NamedTuple):
    speed: int
    label: str


class Settings(CollectorSettings):
    warmest: float = 80.0
    """From where on it is hot."""


class Oven:
    def __init__(self, fragment):
        self.fragment = fragment

    @hookimpl
    def vstats_settings(self):
        return Settings

    @hookimpl
    def vstats_sections(self):
        return {"oven": Celsius}

    @hookimpl
    def vstats_collect(self, settings):
        return self.fragment or {"oven": settings.warmest}


def test_a_collector_is_run_with_settings_that_its_model_validated(run_collector):
    assert run_collector(Oven(None)) == {"oven": 80.0}
    assert run_collector(Oven(None), warmest=90) == {"oven": 90.0}
    with pytest.raises(ValidationError):
        run_collector(Oven(None), wramest=90)


@pytest.mark.parametrize(
    ("fragment", "error"),
    [({"oven": "hot"}, FragmentError), ({"cpu": {}}, FragmentError), ({"x": 1e999}, JSONError)],
)
def test_what_the_agent_would_refuse_fails_the_authors_test(run_collector, fragment, error):
    with pytest.raises(error):
        run_collector(Oven(fragment))


def test_the_fake_clock_stands_still_until_it_is_moved(fake_clock):
    before = fake_clock()
    assert fake_clock() == before

    fake_clock.advance(2.5)

    assert fake_clock() == before + 2.5


def test_the_fake_root_holds_what_a_collector_reads(fake_root):
    fake_root.write("/proc/meminfo", "MemTotal: 1 kB\n")
    fake_root.write("sys/raw", b"\x00")

    assert (fake_root / "proc/meminfo").read_text() == "MemTotal: 1 kB\n"
    assert (fake_root.path / "sys/raw").read_bytes() == b"\x00"


def test_what_a_module_answered_is_played_back_from_a_file_named_tuples_and_all(tmp_path):
    asked = []

    def sensors_fans(**how):
        asked.append(how)
        return {"cpu": [Fan(1200, "rear"), Fan(0, "")], 7: None}

    module = SimpleNamespace(sensors_fans=sensors_fans)
    Recording.of(module, sensors_fans={"all": True}).save(tmp_path / "machine.json")

    played = Recording.load(tmp_path / "machine.json").sensors_fans(all=True)

    assert asked == [{"all": True}]
    assert played == {"cpu": [Fan(1200, "rear"), Fan(0, "")], 7: None}
    assert played["cpu"][0]._fields == ("speed", "label")
    speed, label = played["cpu"][0]
    assert (speed, label) == (1200, "rear")


def test_what_was_not_recorded_is_not_made_up():
    with pytest.raises(AttributeError, match="sensors_fans was not recorded"):
        Recording({}).sensors_fans()
