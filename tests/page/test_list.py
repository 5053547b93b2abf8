"""What the list shows, and how one looks for something in it."""

import re

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import expect

pytestmark = pytest.mark.slow

DISKS = [
    {"name": n, "mount_point": m, "fs_type": "ext4", "total": 1000, "used": u * 10,
     "available": 1000 - u * 10, "usage_percent": float(u)}
    for n, m, u in (("sda1", "/", 30), ("sdb1", "/srv", 91), ("sdc1", "/home", 12))
]  # fmt: skip


def cpu(usage, cores=4):
    return {
        "brand": "CPU",
        "cores": cores,
        "usage": usage,
        "frequency": 2000,
        "per_core": [usage] * cores,
    }


@pytest.fixture
def fleet(site):
    """Five hosts: an ordinary one, a hot one with a full disk, a failing one, one gone, one new."""
    fleet = site(
        {
            "web-1": {"name": "Web 1", "location": "US-West", "tags": ["eu", "web"]},
            "hot": {"name": "Hot", "tags": ["us"]},
            "ill": {"name": "Ill", "tags": ["us", "db"]},
            "gone": {"name": "Gone", "tags": ["eu"]},
            "new": {"name": "New"},
        },
        "offline_after = 1",
    )
    fleet.agent("web-1", cpu=cpu(20.0))
    fleet.agent("hot", cpu=cpu(97.0), disks=DISKS, load_average={"one": 6, "five": 5, "fifteen": 4})
    fleet.agent(
        "ill",
        cpu=cpu(50.0),
        os={"name": "Debian", "version": "12", "kernel": "6.1", "arch": "aarch64"},
        collectors={"disks": {"ok": False, "age": 9, "duration": 5, "error": "no answer"}},
    )
    fleet.agent("gone", cpu=cpu(99.0))
    fleet.leave("gone")
    return fleet


def row(page, name):
    return page.locator(".rows .row", has=page.get_by_role("link", name=name, exact=True))


def names(page):
    return page.locator(".rows .row .name").all_inner_texts()


def tile(page, name):
    return page.get_by_role("button", name=re.compile(f"^{name} "))


def test_a_row_holds_what_its_host_reports(fleet, look):
    page = look(fleet.url)
    web = row(page, "Web 1")

    expect(web.locator(".c-cpu")).to_have_text("20.0\u00a0%")
    expect(web.locator(".c-memory")).to_have_text("50.0\u00a0%")
    expect(web.locator(".c-disk")).to_have_text("50.0\u00a0%/")
    expect(web.locator(".c-load")).to_have_text("0.50")
    expect(web.locator(".c-down")).to_have_text("0\u00a0B/s")
    expect(web.locator(".c-uptime")).to_have_text("1\u00a0d")
    expect(web.locator(".c-tags .tag")).to_have_text(["eu", "web"])
    expect(web.locator(".place")).to_have_text("US-West")
    expect(web.locator(".c-health")).to_have_text("ok")
    expect(page.locator(".pill .text")).to_have_text("live")


def test_the_worst_disk_stands_in_the_row_and_all_of_them_under_the_pointer(fleet, look):
    page = look(fleet.url)
    cell = row(page, "Hot").locator(".c-disk")
    expect(cell).to_contain_text("91.0\u00a0%")
    expect(cell.locator(".mount")).to_have_text("/srv")

    cell.hover()

    hint = page.get_by_role("tooltip")
    expect(hint.locator("th")).to_have_text(["/", "/srv", "/home"])
    expect(hint.locator("tr").nth(1)).to_contain_text("910\u00a0B of 0.977\u00a0KiB")
    page.keyboard.press("Escape")
    expect(hint).to_be_hidden()


def test_levels_are_told_by_sign_and_word_and_not_by_colour_alone(fleet, look):
    page = look(fleet.url)
    hot = row(page, "Hot")

    expect(hot.locator(".c-cpu")).to_have_text("◆97.0\u00a0%, critical")
    expect(hot.locator(".c-disk .figure")).to_have_text("▲91.0\u00a0%, warning")
    expect(hot.locator(".c-load")).to_have_text("▲6.00, warning")
    expect(row(page, "Web 1").locator(".c-load")).to_have_text("0.50")
    expect(row(page, "Ill").locator(".c-health")).to_contain_text("disks: no answer")


def test_offline_never_seen_and_online_are_different_and_no_zero_stands_for_nothing(fleet, look):
    page = look(fleet.url)
    gone, new = row(page, "Gone"), row(page, "New")

    expect(gone).to_have_attribute("data-state", "offline")
    expect(gone.locator(".c-name")).to_contain_text("offline")
    expect(gone.locator(".c-health")).to_have_text(re.compile(r"last seen (just now|\d s ago)"))
    expect(gone.locator(".c-cpu")).to_have_text("99.0\u00a0%")  # frozen, and no longer alarming
    expect(gone.locator(".c-health")).to_have_text(re.compile(r"last seen [2-9]\u00a0s ago"))
    expect(new).to_have_attribute("data-state", "never")
    expect(new.locator(".c-health")).to_have_text("never seen")
    for cell in ("cpu", "memory", "disk", "load", "down", "up", "uptime"):
        expect(new.locator(f".c-{cell}")).to_have_text("-")


def test_a_host_that_is_there_and_reports_no_more_is_stale(fleet, look):
    page = look(fleet.url)
    expect(row(page, "Web 1")).to_have_attribute("data-state", "online")

    fleet.silence("web-1")

    expect(row(page, "Web 1")).to_have_attribute("data-state", "stale", timeout=14_000)
    expect(row(page, "Web 1").locator(".c-health")).to_contain_text("no report for 1")
    tile(page, "Attention").click()
    assert "Web 1" in names(page)


def test_what_changes_is_shown_as_it_comes(fleet, look):
    page = look(fleet.url)
    web = row(page, "Web 1")
    expect(web.locator(".c-cpu .number")).to_have_text("20.0")
    fleet.reports["web-1"]["cpu"] = cpu(61.5)

    expect(web.locator(".c-cpu .number")).to_have_text("61.5", timeout=2000)

    line = web.locator(".c-cpu .line")
    before = line.get_attribute("d")
    page.wait_for_function("([line, before]) => line.getAttribute('d') !== before",
                           arg=[line.element_handle(), before])  # fmt: skip


def test_a_host_comes_and_goes_while_one_watches(fleet, look):
    page = look(fleet.url)
    expect(tile(page, "Offline")).to_contain_text("2")

    fleet.agent("gone")

    expect(row(page, "Gone")).to_have_attribute("data-state", "online")
    expect(tile(page, "Online")).to_contain_text("4")
    text = fleet._file.read_text()
    fleet._file.write_text(
        text + f'\n[[server.hosts]]\nname = "Added"\ntoken_sha256 = "{"0" * 64}"\n'
    )
    expect(row(page, "Added")).to_be_visible()
    fleet._file.write_text(text)
    expect(row(page, "Added")).to_have_count(0)


def test_tiles_count_and_filter(fleet, look):
    page = look(fleet.url)
    expect(tile(page, "All hosts")).to_contain_text("5")
    expect(tile(page, "Online")).to_contain_text("3")
    expect(tile(page, "Attention")).to_contain_text("2")
    expect(tile(page, "Offline")).to_contain_text("1 never seen")

    for name, expected in (
        ("Attention", ["Hot", "Ill"]),
        ("Offline", ["Gone", "New"]),
        ("Online", ["Web 1", "Hot", "Ill"]),
    ):
        tile(page, name).click()
        expect(tile(page, name)).to_have_attribute("aria-pressed", "true")
        expect(page.locator(".rows .row .name")).to_have_text(expected)
    tile(page, "Online").click()
    expect(page.locator(".rows .row")).to_have_count(5)


def test_the_filter_box_finds(fleet, look):
    page = look(fleet.url)
    expect(row(page, "New")).to_have_attribute("data-state", "never")
    for text, expected in (
        ("web", ["Web 1"]),
        ("tag:us", ["Hot", "Ill"]),
        ("tag:us os:debian", ["Ill"]),
        ("cpu>80", ["Hot", "Gone"]),
        ("cpu>80 -status:offline", ["Hot"]),
        ("status:never", ["New"]),
        ("zebra", []),
    ):
        page.get_by_role("searchbox").fill(text)

        expect(page.locator(".rows .row .name")).to_have_text(expected)
        expect(page.locator("main .empty")).to_be_visible(visible=not expected)


def test_a_filter_that_cannot_be_read_says_why(fleet, look):
    page = look(fleet.url)

    page.get_by_role("searchbox").fill("cpu>much")

    expect(page.locator("#problem")).to_contain_text("wants a number")
    expect(page.locator(".rows .row")).to_have_count(5)


def test_a_click_on_a_column_sorts_high_first_with_the_offline_last(fleet, look):
    page = look(fleet.url)
    expect(row(page, "New")).to_have_attribute("data-state", "never")
    header = page.get_by_role("columnheader", name="CPU")
    expect(page.locator(".rows .name")).to_have_text(["Web 1", "Hot", "Ill", "Gone", "New"])

    header.get_by_role("button").click()
    expect(page.locator(".rows .name")).to_have_text(["Hot", "Ill", "Web 1", "Gone", "New"])
    expect(header).to_have_attribute("aria-sort", "descending")

    header.get_by_role("button").click()
    expect(page.locator(".rows .name")).to_have_text(["Web 1", "Ill", "Hot", "Gone", "New"])
    expect(header).to_have_attribute("aria-sort", "ascending")

    header.get_by_role("button").click()
    expect(page.locator(".rows .name")).to_have_text(["Web 1", "Hot", "Ill", "Gone", "New"])


def test_a_sorted_list_follows_the_values(fleet, look):
    page = look(fleet.url + "#sort=cpu")
    expect(page.locator(".rows .name").first).to_have_text("Hot")

    fleet.reports["web-1"]["cpu"] = cpu(98.0)

    expect(page.locator(".rows .name").first).to_have_text("Web 1")


def test_the_address_holds_what_is_shown(fleet, look):
    page = look(fleet.url)
    expect(row(page, "New")).to_have_attribute("data-state", "never")
    page.get_by_role("searchbox").fill("tag:us cpu>10")
    page.get_by_role("columnheader", name="Memory").get_by_role("button").click()
    tile(page, "Attention").click()
    page.get_by_role("button", name="Show cards").click()

    again = look(page.url)

    expect(again.locator(".rows .name")).to_have_text(["Hot", "Ill"])
    expect(again.get_by_role("searchbox")).to_have_value("tag:us cpu>10")
    expect(again.locator("body")).to_have_attribute("data-view", "cards")
    expect(again.get_by_label("Sort by")).to_have_value("memory")
    expect(tile(again, "Attention")).to_have_attribute("aria-pressed", "true")


def test_everything_can_be_done_from_the_keyboard(fleet, look):
    page = look(fleet.url)
    expect(row(page, "New")).to_have_attribute("data-state", "never")
    box = page.get_by_role("searchbox")

    page.keyboard.press("/")
    expect(box).to_be_focused()
    page.keyboard.type("tag:us")
    expect(page.locator(".rows .row")).to_have_count(2)
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name="Hot")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name="Ill")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Hot", level=2)).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Hot")).to_be_focused()
    expect(box).to_have_value("tag:us")
    page.keyboard.press("Escape")
    expect(page.locator(".rows .row")).to_have_count(5)
    expect(box).to_have_value("")


def test_a_tag_leads_to_all_that_have_it(fleet, look):
    page = look(fleet.url)

    row(page, "Web 1").locator(".tag", has_text="eu").click()

    expect(page.locator(".rows .name")).to_have_text(["Web 1", "Gone"])
    expect(page.get_by_role("searchbox")).to_have_value("tag:eu")


def test_a_server_without_hosts_says_how_to_add_one(site, look):
    page = look(site({}).url)

    expect(page.locator("main .empty")).to_contain_text("vstats-server hosts add")


def test_a_phone_gets_cards_and_nothing_to_scroll_sideways(fleet, look):
    page = look(fleet.url, width=390, height=844, has_touch=True, is_mobile=True)
    expect(page.locator("body")).to_have_attribute("data-view", "cards")
    expect(row(page, "Hot").locator(".c-cpu")).to_be_visible()

    assert page.evaluate("document.documentElement.scrollWidth") == 390
    row(page, "Hot").locator(".c-memory").tap()
    expect(page.get_by_role("heading", name="Hot", level=2)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_the_colours_are_the_systems_until_one_chooses(fleet, look):
    page = look(fleet.url, color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(13, 17, 23)"

    page.get_by_role("button", name="Colours: system").click()

    expect(page.get_by_role("button", name="Colours: light")).to_be_visible()
    assert page.evaluate(ground) == "rgb(245, 246, 248)"
    page.reload()
    assert page.evaluate(ground) == "rgb(245, 246, 248)"
    page.emulate_media(color_scheme="light")
    page.get_by_role("button", name="Colours: light").click()
    assert page.evaluate(ground) == "rgb(13, 17, 23)"


def test_nothing_moves_for_those_who_asked_for_that(fleet, look):
    page = look(fleet.url, reduced_motion="reduce")
    expect(row(page, "Hot")).to_be_visible()

    moving = page.evaluate(
        "[...document.querySelectorAll('*')].filter((e) => {"
        " const s = getComputedStyle(e);"
        " return s.animationName !== 'none' || s.transitionDuration !== '0s'; }).length"
    )

    assert moving == 0
