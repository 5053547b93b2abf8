"""What a host calls itself, and whatever it reports, is text."""

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import expect

pytestmark = pytest.mark.slow

IMAGE = "<img src=x onerror=\"globalThis.harmed = 'image'\">"
SCRIPT = "</script><script>globalThis.harmed = 'script'</script>"
RTL = "\u202eevil\u2066\u202b"
LONG = "W" * 1000
WIDER = """[...document.querySelectorAll('main *')].filter((element) =>
  element.getBoundingClientRect().right > innerWidth + 1
  && !element.closest('.scroll *, .list *, pre *')).map((e) => e.className || e.tagName)"""
NASTY = (IMAGE, SCRIPT, RTL, "'; --", "{{7*7}}", "\u0000\u0007\u001b[31m", "\ud83d\udca9" * 50)


@pytest.fixture
def fleet(site):
    fleet = site(
        {
            "a": {"name": IMAGE, "location": SCRIPT, "tags": [IMAGE, 'x" onclick="y', RTL]},
            "b": {"name": RTL + "b", "tags": [LONG]},
            "c": {"name": LONG, "location": LONG},
            "d": {"name": "plain"},
        }
    )
    text = "".join(NASTY)
    fleet.agent(
        "a",
        {
            IMAGE: {
                "title": SCRIPT,
                "fields": {
                    f"rows[].{IMAGE}": {"title": IMAGE, "unit": "none", "kind": "state"},
                    "__proto__.polluted": {"title": "x", "unit": "none", "kind": "gauge", "warn": 1},
                },
            }
        },
        hostname=text,
        os=dict.fromkeys(("name", "version", "kernel", "arch"), text),
        disks=[
            {"name": text, "mount_point": IMAGE, "fs_type": SCRIPT, "total": 2**63 - 1, "used": 2**63 - 1,
             "available": 0, "usage_percent": 100.0}
        ],
        collectors={IMAGE: {"ok": False, "age": 1, "duration": 1, "error": SCRIPT}},
        **{
            IMAGE: {"rows": [{IMAGE: SCRIPT}, {"b": RTL}], "long": "Z" * 10_000, "nested": {IMAGE: {SCRIPT: IMAGE}}},
            "__proto__": {"polluted": 5},
            "constructor": {"prototype": {"polluted": 5}},
            "toString": "text",
            "deep": [[[[[[[[IMAGE]]]]]]]],
        },
    )  # fmt: skip
    fleet.agent("b")
    fleet.agent("c")
    fleet.agent("d")
    return fleet


def harmless(page):
    assert page.evaluate("globalThis.harmed") is None
    assert page.evaluate("({}).polluted") is None
    assert page.locator("main img, main script, main iframe, main style").count() == 0
    assert page.evaluate(
        "[...document.querySelectorAll('*')].every((e) => [...e.attributes].every((a) => !a.name.startsWith('on')))"
    )


def test_names_and_tags_are_text_in_table_and_cards(fleet, look):
    for view in ("", "#view=cards"):
        page = look(fleet.url + view)
        expect(page.locator(".rows .row")).to_have_count(4)
        expect(page.locator(".rows .row .name").first).to_have_text(IMAGE)
        expect(page.locator(".rows .row .c-cpu").first).to_contain_text("45.2")
        page.locator(".rows .row").first.locator(".c-disk").hover()
        page.locator(".rows .row").first.locator(".c-health").hover()
        page.wait_for_timeout(500)
        harmless(page)


def test_a_long_name_pushes_nothing_out_of_its_place(fleet, look):
    page = look(fleet.url)
    expect(page.locator(".rows .row")).to_have_count(4)
    plain = page.locator(".rows .row", has_text="plain").locator(".c-cpu .figure").bounding_box()

    for index in range(3):
        box = page.locator(".rows .row").nth(index).locator(".c-cpu .figure").bounding_box()
        assert abs(box["x"] + box["width"] - plain["x"] - plain["width"]) < 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_marks_that_turn_the_direction_of_text_end_with_the_name(fleet, look):
    page = look(fleet.url)
    row = page.locator(".rows .row").nth(1)
    expect(row.locator(".c-cpu")).to_have_text("45.2\u00a0%")

    number = row.locator(".c-cpu .number").bounding_box()
    unit = row.locator(".c-cpu .unit").bounding_box()
    name = row.locator(".name").bounding_box()

    assert name["x"] < number["x"] < unit["x"]


def test_the_detail_view_shows_whatever_there_is_as_text(fleet, look):
    for width in (1440, 390):
        page = look(f"{fleet.url}#host=a", width=width)
        expect(page.get_by_role("heading", level=2)).to_have_text(IMAGE)
        expect(page.get_by_role("region", name=SCRIPT).first).to_contain_text("Z" * 200)
        page.get_by_text("The report as JSON").click()
        expect(page.locator("pre")).to_contain_text('"polluted": 5')
        page.wait_for_timeout(500)
        harmless(page)
        assert page.evaluate(WIDER) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_address_made_by_somebody_else_is_text(fleet, look):
    for fragment in (
        f"#host={IMAGE}",
        f"#q={SCRIPT}",
        "#sort=__proto__",
        "#sort=constructor&view=%00",
        "#q=%E0%A4%A",
        "#host=%",
    ):
        page = look(fleet.url + fragment)
        expect(page.locator(".pill")).to_contain_text("live")
        harmless(page)
