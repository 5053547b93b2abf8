"""What is shown of one host, of sections that the page has never heard of above all."""

import json
import re

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import expect

pytestmark = pytest.mark.slow

SECTIONS = {
    "ups": {
        "title": "Power supply",
        "fields": {
            "charge": {"title": "Charge", "unit": "percent", "kind": "gauge"},
            "draw": {
                "title": "Draw",
                "unit": "watts",
                "kind": "gauge",
                "warn": 900,
                "critical": 1100,
            },
            "saved": {"title": "Times it helped", "unit": "count", "kind": "counter"},
            "on_battery": {"title": "On battery", "unit": "none", "kind": "state"},
            "cells[].name": {"title": "Cell", "unit": "none", "kind": "state"},
            "cells[].voltage": {"title": "Voltage", "unit": "volts", "kind": "gauge"},
            "cells[].temperature": {
                "title": "Heat",
                "unit": "celsius",
                "kind": "gauge",
                "warn": 40,
            },
        },
    }
}
UPS = {
    "charge": 83.25,
    "draw": 1150,
    "saved": 12345,
    "on_battery": True,
    "cells": [
        {"name": "a", "voltage": 12.61, "temperature": 31.0},
        {"name": "b", "voltage": 0.9, "temperature": 44.5},
    ],
}


@pytest.fixture
def host(site):
    fleet = site({"web-1": {"name": "Web 1", "location": "US-West", "tags": ["eu"]}, "new": {}})
    fleet.content = fleet.agent(
        "web-1",
        SECTIONS,
        ups=UPS,
        collectors={
            "cpu": {"ok": True, "age": 0.1, "duration": 0.002},
            "ups": {"ok": False, "age": 95, "duration": 5, "error": "the cable is loose"},
        },
    )
    return fleet


def panel(page, name):
    return page.get_by_role("region", name=name, exact=True)


def test_the_facts_of_a_host_are_there(host, look):
    page = look(f"{host.url}#host=web-1")

    expect(page.get_by_role("heading", name="Web 1", level=2)).to_be_visible()
    facts = page.locator(".facts")
    for text in (
        "Ubuntu 22.04",
        "5.15.0 · x86_64",
        "Intel Core i7",
        "8 · 3.60\u00a0GHz",
        "1.0 · every 1\u00a0s",
    ):
        expect(facts).to_contain_text(text)
    expect(panel(page, "CPU")).to_contain_text("8 CPUs, busiest is number 1 with 50.0\u00a0%")
    expect(panel(page, "Memory")).to_contain_text("8.00\u00a0GiB of 16.0\u00a0GiB")
    expect(panel(page, "Memory")).to_contain_text("1.00\u00a0GiB of 4.00\u00a0GiB")
    expect(panel(page, "Mounts").locator("tbody tr")).to_contain_text(
        re.compile("/.*50.0.*50.0\u00a0GiB.*100\u00a0GiB.*sda1 · ext4")
    )
    expect(panel(page, "Interfaces").locator("tbody tr")).to_contain_text("eth0")
    ups = panel(page, "Collectors").locator("tbody tr", has_text="ups")
    expect(ups).to_contain_text("▲failing1\u00a0min\u00a035\u00a0s5\u00a0sthe cable is loose")
    assert page.title() == "Web 1 · vStats"


def test_a_section_that_the_page_has_never_heard_of_is_shown_as_its_plugin_declares(host, look):
    page = look(f"{host.url}#host=web-1")
    ups = panel(page, "Power supply")

    expect(ups.locator("h3")).to_have_text("Power supplyups")
    expect(ups.locator("dt")).to_have_text(["Charge", "Draw", "Times it helped", "On battery"])
    expect(ups.locator("dd").nth(0)).to_have_text("83.3\u00a0%")
    expect(ups.locator("dd").nth(1)).to_have_text("◆1.15\u00a0kW, critical")
    expect(ups.locator("dd").nth(2)).to_contain_text("12\u202f345")
    expect(ups.locator("dd").nth(3)).to_have_text("yes")
    expect(ups.locator("th[scope=col]")).to_have_text(["Cell", "Voltage", "Heat"])
    expect(ups.locator("tbody tr")).to_have_text(
        ["a12.6\u00a0V31.0\u00a0°C", "b900\u00a0mV▲44.5\u00a0°C, warning"]
    )
    expect(page.locator(".reasons li")).to_have_text(
        [
            "◆Power supply: Draw 1.15\u00a0kW",
            "▲ups: the cable is loose",
            "▲b: Heat 44.5\u00a0°C",
        ]
    )


def test_a_counter_is_shown_with_its_rate(host, look):
    page = look(f"{host.url}#host=web-1")
    expect(panel(page, "Power supply")).to_contain_text("12\u202f345")

    host.content["ups"] = UPS | {"saved": 12445}

    expect(panel(page, "Power supply").locator(".rate")).to_have_text(re.compile(r"^\d+/s$"))


def test_a_section_that_nobody_has_declared_is_shown_all_the_same(host, look):
    host.content["weather"] = {
        "wind_speed": 12.3456,
        "deep": {"er": {"still": [1, "two", None]}},
        "empty": [],
        "stations": {"north": {"rain": 1}, "south": {"rain": 2}},
    }
    host.content["plain"] = 42
    page = look(f"{host.url}#host=web-1")

    weather = panel(page, "Weather")
    expect(weather).to_contain_text("Wind speed")
    expect(weather).to_contain_text("12.3")
    expect(weather.locator("li")).to_have_text(["1", "two", "-"])
    expect(weather.locator("tbody tr")).to_have_text(["north1", "south2"])
    expect(panel(page, "Plain")).to_contain_text("42")


def test_a_long_list_is_cut_and_says_so(host, look):
    host.content["many"] = [{"number": n} for n in range(5000)]
    page = look(f"{host.url}#host=web-1")

    expect(panel(page, "Many").locator("tbody tr")).to_have_count(100)
    expect(panel(page, "Many")).to_contain_text("and 4\u202f900 more")


def test_the_report_itself_can_be_read(host, look):
    page = look(f"{host.url}#host=web-1")

    page.get_by_text("The report as JSON").click()

    raw = page.locator("pre")
    expect(raw).to_contain_text('"on_battery": true')
    assert json.loads(raw.inner_text())["ups"] == UPS
    # It stays open and goes on.
    host.content["ups"] = UPS | {"draw": 1}
    expect(raw).to_contain_text('"draw": 1,')


def test_what_changes_is_patched_and_what_is_selected_stays(host, look):
    page = look(f"{host.url}#host=web-1")
    expect(panel(page, "Power supply")).to_be_visible()
    page.evaluate(
        "globalThis.marked = document.querySelector('[aria-label=\"Power supply\"] dd');"
        "getSelection().selectAllChildren(document.querySelector('.facts dd'))"
    )

    host.content["ups"] = UPS | {"charge": 12.0}

    expect(panel(page, "Power supply").locator("dd").first).to_have_text("12.0\u00a0%")
    assert page.evaluate("marked.isConnected && marked.textContent.startsWith('12.0')")
    assert page.evaluate("getSelection().toString()") == "web-1"


def test_back_leads_to_the_list_as_it_was_left(host, look):
    page = look(f"{host.url}#q=web")
    page.locator(".rows .row").first.locator(".c-load").click()
    expect(page.get_by_role("heading", name="Web 1", level=2)).to_be_visible()
    assert "host=web-1" in page.url

    page.go_back()
    expect(page.locator(".rows .name")).to_have_text(["Web 1"])
    page.go_forward()
    expect(page.get_by_role("heading", name="Web 1", level=2)).to_be_visible()
    page.get_by_role("button", name="All hosts").click()
    expect(page.get_by_role("searchbox")).to_have_value("web")
    assert page.url.endswith("#q=web")


def test_a_host_that_is_not_there_or_has_not_come_yet_says_so(host, look):
    page = look(f"{host.url}#host=nobody")
    expect(page.locator(".detail")).to_contain_text("no host of this id")

    page = look(f"{host.url}#host=new")
    expect(page.locator(".detail")).to_contain_text("Waiting for its first report")


def test_a_report_with_nothing_in_it_is_shown_without_a_zero(host, look):
    for key in list(host.content):
        if key not in ("timestamp", "hostname"):
            del host.content[key]
    page = look(f"{host.url}#host=web-1")

    expect(page.locator(".facts")).to_contain_text("Hostnameweb-1")
    expect(page.locator(".facts dd").nth(4)).to_have_text("-")
    expect(page.locator(".charts .panel")).to_have_count(0)
