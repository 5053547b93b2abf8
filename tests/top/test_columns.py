from itertools import pairwise
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import REPORT
from rich.cells import cell_len

from vstats_core import Celsius, Count, Kind, Levels, Percent, Section, Text
from vstats_core.wire.describe import describe
from vstats_top.columns import Sight, fit, headings, health
from vstats_top.detail import lines
from vstats_top.draw import bar, cores, line
from vstats_top.rates import Rates
from vstats_top.store import Host, Point

HOSTILE = "\x1b[31m<img onerror>\u202e[red]名前" + "x" * 10_000


def sight(state="online", name="web-1", seen_ago=1.0, **report) -> Sight:
    host = Host()
    host.id = host.name = name
    host.tags, host.location = ["eu", "web"], "Frankfurt"
    if state != "never":
        host.report, host.reported_at = report or REPORT | {"network": NETWORK}, 1.0
    return Sight(host, state, seen_ago)


NETWORK = REPORT["network"] | {"rx": 1024 * 999, "tx": 5.0}


def cells(spans) -> int:
    return sum(cell_len(text) for text, _ in spans)


def text(spans) -> str:
    return "".join(piece for piece, _ in spans)


@pytest.mark.parametrize("width", range(20, 260))
def test_every_line_is_as_wide_as_the_terminal_whatever_that_is(width):
    columns = fit(width, ["web-1", "a much longer name than that"])
    numbers = {"cpu": {"usage": 100.0, "cores": 1}, "uptime": 99999999}
    for each in (
        sight(),
        sight("never"),
        sight("offline", HOSTILE),
        sight("stale", "名前名前名前名前", **numbers),
    ):
        spans = [piece for column, cell_width in columns for piece in column.fill(each, cell_width)]
        assert cells(spans) + len(columns) - 1 <= width
        assert [cells(c.fill(each, w)) for c, w in columns] == [w for _, w in columns]
    assert cells(headings(columns, "cpu", upwards=False)) <= width


def test_a_terminal_of_80_columns_has_the_numbers_that_matter():
    titles = [column.title for column, _ in fit(80, ["web-1"]) if column.title]

    assert titles == ["Host", "CPU", "Memory", "Disk", "Load", "Down", "Up", "Health"]


def test_what_there_is_room_for_grows_with_the_terminal():
    shown = [{column.key for column, _ in fit(width, ["web-1"])} for width in range(40, 220)]

    assert all(narrow <= wide for narrow, wide in pairwise(shown))


def test_numbers_line_up_and_what_needs_attention_has_a_sign():
    (cpu, width), *_ = [each for each in fit(80, []) if each[0].key == "cpu"]
    shown = [cpu.fill(sight(cpu={"usage": usage, "cores": 1}), width) for usage in (5.3, 85.0, 100)]

    assert [text(spans) for spans in shown] == ["  5.3 %", "▲85.0 %", " ◆100 %"]
    assert text(cpu.fill(sight("never"), width)) == "      -"
    # The values of a host that is gone are kept, and need no attention.
    gone = sight("offline", cpu={"usage": 100, "cores": 1})
    assert text(cpu.fill(gone, width)) == "  100 %"


def test_what_is_said_of_a_host():
    assert health(sight()) == ("ok", 0, 0)
    assert health(sight("never", seen_ago=None)) == ("never seen", 0, 0)
    assert health(sight("offline", seen_ago=200)) == ("last seen 3 min ago", 0, 0)
    assert health(sight("stale", seen_ago=42.9)) == ("no report for 42 s", 1, 0)
    assert health(sight("waiting"))[0] == "waiting for news"
    hot = {"cpu": {"usage": 99, "cores": 1}, "memory": {"usage_percent": 90}}
    assert health(sight(**hot)) == ("CPU 99.0 %", 2, 1)
    assert health(sight(**hot), short=True) == ("CPU", 2, 1)
    assert health(sight("offline", seen_ago=200), short=True) == ("3 min ago", 0, 0)


def test_a_bar_is_fine_to_half_a_cell_and_legible_without_colour():
    assert [text(bar(share, 4)) for share in (0, 0.13, 0.5, 1, 7)] == [
        "────",
        "╸───",
        "━━──",
        "━━━━",
        "━━━━",
    ]
    assert text(bar(None, 4)) == "    "


def test_a_gap_stays_a_gap_in_a_line():
    points = [
        Point(float(at), cpu, None, None)
        for at, cpu in ((1, 0), (2, 50), (6, 100), (7, None), (8, 99))
    ]

    assert text(line(points, "cpu", 10, 1.0, 100.0)) == " ▁▄   ▇ ▇".rjust(10)
    assert text(line([], "cpu", 4, 1.0, 100.0)) == "    "


def test_cores_are_shown_in_rows():
    assert [text(row) for row in cores([0, 50, 100], 80)] == ["▁ ▄ ▇ "]
    assert [text(row) for row in cores([0, 50, 100], 2)] == ["▁▄", "▇"]


class Gpu(Section, title="Graphics"):
    name: Text
    temperature: Annotated[Celsius, Levels(warn=80, critical=90)]
    busy: Percent
    errors: Annotated[Count, Kind("counter")]


def detail(each: Sight, width: int = 100, rates: Rates | None = None) -> str:
    return "\n".join(text(spans).rstrip() for spans in lines(each, rates or Rates(), width))


def test_a_host_is_told_with_all_that_is_known_of_it():
    health = {
        "cpu": {"ok": True, "age": 0.05, "duration": 0.002},
        "gpu": {"ok": False, "age": 9, "duration": 5, "error": "no answer"},
    }
    gpus = [{"name": "A", "temperature": 85.5, "busy": 42.0, "errors": 1000}]
    each = sight(
        **REPORT | {"network": NETWORK, "gpu": gpus, "odd": {"a": {"b": 1}}, "collectors": health}
    )
    each.host.describe(describe({"gpu": list[Gpu]}))

    told = detail(each)

    for expected in (
        "● web-1  online · Frankfurt · eu · web",
        "▲ gpu: no answer",
        "▲ A: Temperature 85.5 °C",
        "System      Ubuntu 22.04",
        "Kernel      5.15.0 · x86_64",
        "CPUs        8 · 3.60 GHz",
        "busiest of 8 is number 1 with 50.0 %",
        "1 min 0.50",
        "Used    50.0 %  ━━━",
        "8.00 GiB of 16.0 GiB",
        "Swap    25.0 %",
        "Down    999 KiB/s",
        "1.00 GiB in all",
        "eth0          -   -  1.00 GiB  512 MiB",
        "/            50.0 %  50.0 GiB   50.0 GiB  100 GiB  sda1 · ext4",
        "Graphics gpu ─",
        "Name  Temperature    Busy  Errors",
        "A        ▲85.5 °C  42.0 %   1 000",
        "Odd ─",
        "cpu   ok        50.0 ms  2.00 ms",
        "gpu   ▲failing      9 s      5 s  no answer",
    ):
        assert expected in told, told


def test_counters_have_rates_once_they_were_seen_twice():
    rates = Rates()
    each = sight(**REPORT | {"network": NETWORK})
    detail(each, rates=rates)
    interface = {"name": "eth0", "rx": 1073741824 + 4096, "tx": 536870912}
    each.host.report = REPORT | {"network": NETWORK | {"interfaces": [interface]}}
    each.host.heard_at += 2

    assert "eth0       2.00 KiB/s  0 B/s  1.00 GiB  512 MiB" in detail(each, rates=rates)


def test_a_host_without_a_report_says_why():
    assert "does it have this host's token?" in detail(sight("never", seen_ago=None))
    waiting = sight("never")._replace(state="waiting")
    assert "Waiting for its first report." in detail(waiting)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(-1e18, 1e18)
    | st.integers(0, 2**63)
    | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=30,
)


@given(JSON, st.integers(20, 200), st.booleans())
def test_no_section_breaks_the_view_or_its_lines(content, width, declared):
    each = sight(odd=content, hostname=HOSTILE)
    if declared:
        each.host.describe(describe({"odd": list[Gpu]}))

    for spans in lines(each, Rates(), width):
        assert cells(spans) <= max(width, 60)
        assert text(spans).isprintable()


def test_strangers_texts_are_inert_everywhere():
    each = sight(
        name=HOSTILE,
        hostname=HOSTILE,
        **{
            HOSTILE[:40]: [{HOSTILE[:30]: HOSTILE, "n": 1}],
            "os": dict.fromkeys(("name", "version", "kernel", "arch"), HOSTILE),
            "disks": [REPORT["disks"][0] | {"mount_point": HOSTILE, "name": HOSTILE}],
            "collectors": {HOSTILE: {"ok": False, "age": 1, "duration": 1, "error": HOSTILE}},
        },
    )
    each.host.tags, each.host.location = [HOSTILE], HOSTILE

    for spans in lines(each, Rates(), 100):
        assert text(spans).isprintable(), spans
        assert cells(spans) <= 100
