"""What axe-core finds, which is to be nothing, and what it cannot see."""

import re

import pytest

pytest.importorskip("playwright")
pytest.importorskip("axe_playwright_python")
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

pytestmark = pytest.mark.slow


@pytest.fixture
def fleet(site):
    fleet = site(
        {
            "web-1": {"name": "Web 1", "location": "US-West", "tags": ["eu", "web"]},
            "hot": {"name": "Hot", "tags": ["us"]},
            "gone": {"name": "Gone", "location": "Home", "tags": ["eu"]},
            "new": {"name": "New", "tags": ["eu"]},
        },
        "offline_after = 1",
    )
    fleet.agent(
        "web-1",
        {"users": {"title": "Users", "fields": {}}},
        users={"count": 3, "names": [{"a": 1}]},
    )
    fleet.agent(
        "hot",
        memory={"total": 100, "used": 90, "available": 10, "swap_total": 0, "swap_used": 0, "usage_percent": 90.0},
        load_average={"one": 30, "five": 5, "fifteen": 4},
        collectors={"disks": {"ok": False, "age": 9, "duration": 5, "error": "no answer"}},
    )  # fmt: skip
    fleet.agent("gone")
    fleet.leave("gone")
    return fleet


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(fleet, look, scheme):
    axe = Axe()
    for fragment, width in (
        ("", 1440),
        ("#show=attention&sort=cpu", 1440),
        ("#q=cpu>x", 1000),
        ("#view=cards", 1440),
        ("", 390),
        ("#host=web-1", 1440),
        ("#host=hot", 390),
        ("#host=gone", 1440),
        ("#host=nobody", 1440),
    ):
        page = look(fleet.url + fragment, width=width, color_scheme=scheme)
        expect(page.locator(".pill")).to_contain_text("live")
        if "host" not in fragment:
            expect(page.locator(".rows .row[data-state=online]").first).to_be_visible()
            if not fragment:
                expect(page.locator("[data-state=never]")).to_be_attached()
        results = axe.run(page)

        assert results.violations_count == 0, f"{fragment} {width}: {results.generate_report()}"


def test_axe_would_find_something(fleet, look):
    page = look(fleet.url)
    page.evaluate("document.querySelector('#filter').removeAttribute('aria-label');"
                  "document.querySelector('#filter').removeAttribute('placeholder')")  # fmt: skip

    assert Axe().run(page).violations_count > 0


def test_a_row_is_heard_with_its_state_its_numbers_and_their_levels(fleet, look):
    page = look(fleet.url)
    expect(page.locator("[data-state=never]")).to_be_attached()
    table = page.get_by_role("table", name="Hosts")

    expect(table.get_by_role("row")).to_have_count(5)
    expect(table.get_by_role("rowheader").nth(1)).to_have_accessible_name("online: Hot")
    expect(table.get_by_role("row").nth(2).get_by_role("cell").nth(2)).to_have_accessible_name(
        re.compile(r"^90\.0\s+%\s*, warning$")
    )
    expect(table.get_by_role("rowheader").nth(2)).to_have_accessible_name(
        re.compile("^offline: Gone")
    )
    expect(table.get_by_role("rowheader").nth(3)).to_have_accessible_name("never seen: New")
    expect(page.get_by_role("button", name="Attention 1")).to_be_visible()


def test_the_tab_key_finds_one_row_and_the_arrows_the_others(fleet, look):
    page = look(fleet.url)
    expect(page.locator(".rows .row")).to_have_count(4)

    assert page.locator(".rows a[tabindex='0']").count() == 1
