"""How the page fares when the connection does not."""

import re
import time

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import expect

pytestmark = pytest.mark.slow


@pytest.fixture
def fleet(site):
    fleet = site({"web-1": {"name": "Web 1"}, "web-2": {"name": "Web 2"}})
    fleet.agent("web-1")
    return fleet


@pytest.fixture
def window(browser):
    """Return a window in which scripts may be refused something."""
    context = browser.new_context()
    yield context
    context.close()


def test_a_page_whose_server_was_killed_counts_down_keeps_its_values_and_comes_back(fleet, look):
    page = look(fleet.url)
    row = page.locator(".rows .row").first
    pill = page.locator(".pill")
    expect(row.locator(".c-cpu")).to_have_text("45.2\u00a0%")

    fleet.relay.process.kill()

    expect(pill).to_contain_text(re.compile(r"reconnecting in \d s"))
    expect(page.locator("[role=status]", has_text="connection lost")).to_be_attached()
    expect(pill.locator(".age")).to_have_text(re.compile(r"data \d\s+s old"))
    expect(row.locator(".c-cpu")).to_have_text("45.2\u00a0%")
    assert row.get_attribute("data-state") == "online"  # nobody knows better
    with fleet.relaying():
        fleet.agent("web-1")
        expect(pill).to_contain_text("live", timeout=9000)
        expect(row).to_have_attribute("data-state", "online")
        expect(pill.locator(".age")).to_have_text("")


def test_the_waits_double_with_jitter_and_a_click_ends_them(fleet, look):
    page = look(fleet.url)
    expect(page.locator(".pill")).to_contain_text("live")
    fleet.relay.process.kill()
    expect(page.locator(".pill")).to_contain_text(re.compile("in [234] s"), timeout=6000)
    with fleet.relaying():
        before = time.monotonic()
        page.locator(".pill").click()
        expect(page.locator(".pill")).to_contain_text("live")

    assert time.monotonic() - before < 1.5


def test_it_connects_at_once_when_the_network_is_back(fleet, look):
    page = look(fleet.url)
    expect(page.locator(".pill")).to_contain_text("live")
    fleet.relay.process.kill()
    expect(page.locator(".pill")).to_contain_text(re.compile("in [3-8] s"), timeout=10_000)
    with fleet.relaying():
        before = time.monotonic()
        page.evaluate("dispatchEvent(new Event('online'))")
        expect(page.locator(".pill")).to_contain_text("live")

    assert time.monotonic() - before < 1.5


def test_a_host_that_was_removed_while_the_page_was_away_is_gone(fleet, look):
    page = look(fleet.url)
    expect(page.locator(".rows .row")).to_have_count(2)
    fleet.relay.process.kill()
    text = fleet._file.read_text()
    fleet._file.write_text(text[: text.rindex("[[server.hosts]]")])

    with fleet.relaying():
        expect(page.locator(".rows .row")).to_have_count(1, timeout=14_000)


SCRYPT = "$scrypt$ln=4,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$rkTI9fAgA7thDzzR8FHXhMiojYBreJBmYTkEzWypBCQ"


def guard(fleet):
    """Give the site the password "correct horse"."""
    login = f'[server.dashboard]\nusername = "ann"\npassword_scrypt = "{SCRYPT}"\n[[server.hosts]]'
    # A server does not take a file with a secret in it that everybody may read.
    fleet._file.chmod(0o600)
    fleet._file.write_text(fleet._file.read_text().replace("[[server.hosts]]", login, 1))


@pytest.fixture
def signed_in(browser):
    """Return a page whose person knows the password, should it be asked for."""
    known = {"username": "ann", "password": "correct horse"}
    context = browser.new_context(http_credentials=known)
    yield context.new_page()
    context.close()


def test_a_page_whose_password_was_changed_asks_for_the_new_one(fleet, signed_in):
    signed_in.goto(fleet.url)
    expect(signed_in.locator(".pill")).to_contain_text("live")

    with signed_in.expect_event("load"):
        guard(fleet)

    expect(signed_in.locator(".pill")).to_contain_text("live")
    assert signed_in.context.cookies()


def test_a_page_whose_server_came_back_with_a_password_asks_for_it(fleet, signed_in):
    signed_in.goto(fleet.url)
    expect(signed_in.locator(".pill")).to_contain_text("live")
    fleet.relay.process.kill()
    expect(signed_in.locator(".pill")).to_contain_text("reconnecting")
    guard(fleet)

    with fleet.relaying():
        signed_in.wait_for_event("load", timeout=14_000)
        expect(signed_in.locator(".pill")).to_contain_text("live")
    assert signed_in.context.cookies()


def test_the_policy_lets_the_page_talk_to_its_own_server_and_to_nobody_else(fleet, window):
    page = window.new_page()
    page.goto(fleet.url)
    expect(page.locator(".pill")).to_contain_text("live")

    for attempt in (
        "fetch('http://127.0.0.2:1/').then(() => 'sent', () => 'refused')",
        (
            "new Promise((done) => { const s = new WebSocket('ws://127.0.0.2:1/');"
            " s.onerror = () => done('refused'); s.onopen = () => done('sent'); })"
        ),
    ):
        with page.expect_console_message(lambda m: "Content Security Policy" in m.text):
            assert page.evaluate(attempt) == "refused"
    violated = page.evaluate(
        "new Promise((done) => { addEventListener('securitypolicyviolation',"
        " (e) => done(e.effectiveDirective), { once: true });"
        " const s = document.createElement('style'); s.textContent = 'a {}'; document.head.append(s); })"
    )
    assert violated == "style-src-elem"
