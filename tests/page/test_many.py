"""Five hundred hosts, each reporting once a second, from the simulation."""

import re

import pytest
from programs import free_port, running

pytest.importorskip("playwright")
from playwright.sync_api import expect

pytestmark = pytest.mark.slow

HOSTS = 500


@pytest.fixture(scope="module")
def crowd():
    """Run the demonstration with so many hosts; the value is the page's address."""
    port = free_port()
    with running("-m", "vstats_server", "demo", f"--port={port}", f"--hosts={HOSTS}") as demo:
        demo.until(r"the live page is at +\S+", 20)
        yield f"http://127.0.0.1:{port}/"
        # Killed, it would leave the agent behind that it has started.
        assert demo.end()[0] == 0


@pytest.mark.timeout(120)
def test_five_hundred_hosts_are_live_sort_filter_and_cost_only_what_is_seen(crowd, look):
    page = look(crowd)
    page.set_default_timeout(20_000)
    rows = page.locator(".rows .row")
    expect(rows).to_have_count(HOSTS + 1, timeout=20_000)
    expect(page.get_by_role("button", name=re.compile("Online"))).to_contain_text(
        "499", timeout=20_000
    )

    # What is out of sight is not drawn, and what comes into sight is up to date.
    last = rows.last
    last.scroll_into_view_if_needed()
    before = last.locator(".c-down .number").inner_text()
    expect(last.locator(".c-down .number")).not_to_have_text(before, timeout=5000)
    drawn = page.evaluate(
        "[...document.querySelectorAll('.rows .row')].filter((row) =>"
        " row.firstChild.checkVisibility({ contentVisibilityAuto: true })).length"
    )
    assert 10 < drawn < 200

    page.evaluate("scrollTo(0, 0)")
    page.get_by_role("columnheader", name="CPU").get_by_role("button").click()
    expect(page.get_by_role("columnheader", name="CPU")).to_have_attribute(
        "aria-sort", "descending"
    )
    assert "web-2" in page.locator(".rows .name").all_inner_texts()[:5]
    page.get_by_role("searchbox").fill("tag:ml")
    expect(rows.first.locator(".name")).to_have_text(re.compile("^gpu"))
    assert 50 < rows.count() < 100

    # A second of it leaves the main thread most of its time.
    page.get_by_role("searchbox").fill("")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def busy():
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")

    page.wait_for_timeout(1000)
    began = busy()
    page.wait_for_timeout(4000)
    assert (busy() - began) / 4 < 0.5
