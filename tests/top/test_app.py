"""The terminal view itself, by Textual's pilot, watching a real relay."""

import asyncio
import contextlib
import time

import pytest
from kit import REPORT, Peers, config, metrics, serving, until
from pydantic import SecretStr
from rich.cells import cell_len
from textual.widgets import Input

from vstats_server.config import Host, Limits
from vstats_server.hub.intake import read
from vstats_top.app import TopApp
from vstats_top.link import Target
from vstats_top.table import Headings, HostTable

HOSTILE = "\x1b[2J[red]<b>\u202e名前\r\n" + "x" * 900


def hosts(*names: str, **about) -> list[Host]:
    return [
        Host(id=f"h-{n}", name=name, token=SecretStr(f"{n:030}"), **about.get(name, {}))
        for n, name in enumerate(names)
    ]


@contextlib.asynccontextmanager
async def watching(peers: Peers, size=(80, 24)):
    """Run the view against the relay; it has had the snapshot when the context begins."""
    app = TopApp(Target(f"http://127.0.0.1:{peers.port}"))
    async with app.run_test(size=size) as pilot:
        await until(
            lambda: (
                app.link.state == "live" and len(app.store.hosts) == len(peers.relay._hub._states)
            )
        )
        app._now_paint()
        await pilot.pause()
        yield app, pilot


def report(peers: Peers, host: str, **changes) -> None:
    hub = peers.relay._hub
    if not hub._states[host].connected:
        hub.connected(host)
    hub.publish(host, read(metrics(**changes).encode()))


def cpu(usage: float) -> dict:
    return REPORT["cpu"] | {"usage": usage}


def screen(app: TopApp) -> list[str]:
    """Return what is on the screen, line by line."""
    return [strip.text for strip in app.screen._compositor.render_strips()]


def rows(app: TopApp) -> list[str]:
    """Return the names of the hosts in the table, from the top."""
    return [host.name for host in app.query_one(HostTable)._hosts]


async def test_a_terminal_of_80_by_24_shows_every_host_and_how_it_is():
    names = ("web-1", "web-2", "nas", "new")
    async with serving(config(hosts=hosts(*names, **{"web-1": {"tags": ["eu"]}}))) as peers:
        report(peers, "h-0", cpu=cpu(12.34))
        report(peers, "h-1", cpu=cpu(96))
        report(peers, "h-2")
        peers.relay._hub.disconnected("h-2")
        peers.relay._hub._listening_since -= 60
        peers.relay._hub.sweep()
        async with watching(peers) as (app, _):
            shown = screen(app)

    assert len(shown) == 24
    assert {cell_len(line) for line in shown} == {80}
    assert shown[0].startswith(f" vStats  127.0.0.1:{peers.port} ")
    assert shown[0].endswith("● live ")
    assert shown[1].split() == [
        "All",
        "4",
        "Online",
        "2",
        "Offline",
        "2",
        "·",
        "1",
        "never",
        "seen",
        "Attention",
        "1",
        "·",
        "1",
        "critical",
    ]
    assert shown[2].split() == ["Host", "CPU", "Memory", "Disk", "Load", "Down", "Up", "Health"]
    assert (
        shown[3]
        == ("● web-1         12.3 %  50.0 %  50.0 %    0.50      0 B/s      0 B/s ok          ")[
            :80
        ]
    )
    assert shown[4].split()[:3] == ["●", "web-2", "◆96.0"]
    assert shown[4].rstrip().endswith("◆ CPU")
    assert shown[5].startswith("○ nas ")
    assert shown[5].rstrip().endswith("just now")
    assert shown[6].split() == ["◌", "new", *"-" * 6, "never", "seen"]
    assert shown[23].startswith(
        " Enter open  / filter  n t c m d l i o u h sort  1-4 show  ? keys  q quit"
    )


async def test_a_wide_terminal_shows_more():
    async with serving(config(hosts=hosts("web-1", **{"web-1": {"tags": ["eu", "db"]}}))) as peers:
        report(peers, "h-0")
        async with watching(peers, (200, 50)) as (app, _):
            shown = screen(app)

    assert shown[2].split() == [
        "Host",
        "Tags",
        "CPU",
        "Memory",
        "Disk",
        "Load",
        "Down",
        "Up",
        "Uptime",
        "Health",
    ]
    assert "eu db" in shown[3]
    assert "━━━━────" in shown[3]
    assert "1 d" in shown[3]


async def test_what_is_new_is_shown_within_half_a_second():
    async with serving(config(hosts=hosts("web-1"))) as peers:
        report(peers, "h-0", cpu=cpu(10))
        async with watching(peers) as (app, _):
            report(peers, "h-0", cpu=cpu(77.7))
            await until(lambda: "77.7 %" in screen(app)[3], within=1.5)
            peers.relay._hub.disconnected("h-0")
            await until(lambda: screen(app)[3].startswith("○"), within=1.5)
            peers.relay._hub.replace_hosts([])
            await until(lambda: "The server has no hosts" in " ".join(screen(app)), within=1.5)


async def test_hosts_are_sorted_by_keys_and_by_clicks():
    async with serving(config(hosts=hosts("a", "b", "c"))) as peers:
        for number, usage in enumerate((50, 10, 90)):
            report(peers, f"h-{number}", cpu=cpu(usage))
        async with watching(peers) as (app, pilot):
            orders = [rows(app)]
            for _ in range(3):
                await pilot.press("c")
                orders.append(rows(app))
            await pilot.press("n", "n")
            orders.append(rows(app))
            heading = screen(app)[2]
            await pilot.click(Headings, offset=(heading.index("CPU"), 0))
            orders.append(rows(app))
            await pilot.press("full_stop")
            orders.append(rows(app))
            assert "Host↓" in heading

    assert ["".join(order) for order in orders] == ["abc", "cab", "bac", "abc", "cba", "cab", "abc"]


async def test_the_cursor_stays_with_its_host():
    async with serving(config(hosts=hosts("a", "b", "c"))) as peers:
        for number, usage in enumerate((50, 10, 90)):
            report(peers, f"h-{number}", cpu=cpu(usage))
        async with watching(peers) as (app, pilot):
            table = app.query_one(HostTable)
            await pilot.press("down", "j", "k")
            assert (table.cursor, table._row) == ("h-1", 1)
            await pilot.press("c")
            assert (table.cursor, table._row) == ("h-1", 2)
            await pilot.press("home")
            assert table.cursor == "h-2"
            await pilot.press("end", "pageup", "pagedown", "down")
            assert table.cursor == "h-1"


async def test_a_filter_is_written_kept_and_cleared():
    names = {"web-1": {"tags": ["eu"]}, "web-2": {"tags": ["us"]}}
    async with (
        serving(config(hosts=hosts("web-1", "web-2", "db", **names))) as peers,
        watching(peers) as (app, pilot),
    ):
        await pilot.press("slash", *"tag:eu", "enter")
        kept = rows(app), app.query_one("#filter-row").display
        await pilot.press("c", "slash")
        assert app.query_one(Input).value == "tag:eu"
        await pilot.press("space", *"ram>5")
        await pilot.pause(0.1)
        problem = " ".join(screen(app))
        await pilot.press("escape")
        cleared = rows(app), app.query_one("#filter-row").display
        await pilot.press("slash", *"nothing", "enter")
        await pilot.pause(0.1)
        empty = " ".join(screen(app))

    assert kept == (["web-1"], True)
    assert 'no number is called "ram"' in problem
    assert cleared == (["web-1", "web-2", "db"], False)
    assert "No host passes the filter; Esc clears it." in empty


async def test_the_tiles_filter_by_key_and_by_click():
    async with serving(config(hosts=hosts("hot", "calm", "gone"))) as peers:
        report(peers, "h-0", cpu=cpu(99))
        report(peers, "h-1")
        peers.relay._hub._listening_since -= 60
        peers.relay._hub.sweep()
        async with watching(peers) as (app, pilot):
            found = []
            for key in ("2", "3", "4", "4"):
                await pilot.press(key)
                found.append(rows(app))
            await pilot.click("#tiles", offset=(screen(app)[1].index("Offline"), 0))
            found.append(rows(app))

    everyone = ["hot", "calm", "gone"]
    assert found == [["hot", "calm"], ["gone"], ["hot"], everyone, ["gone"]]


async def test_a_host_is_opened_follows_the_news_and_is_left_again():
    async with serving(config(hosts=hosts("web-1", "web-2"))) as peers:
        report(peers, "h-0")
        report(peers, "h-1", cpu=cpu(33.3))
        async with watching(peers) as (app, pilot):
            await pilot.press("down", "enter")
            await pilot.pause(0.1)
            opened = screen(app)
            report(peers, "h-1", cpu=cpu(44.4))
            await until(lambda: "44.4 %" in " ".join(screen(app)), within=1.5)
            await pilot.press("escape")
            await pilot.pause(0.1)
            left = screen(app)

    assert opened[2].lstrip().startswith("● web-2  online")
    assert "33.3 %" in " ".join(opened)
    assert opened[23].startswith(" Esc back")
    assert left[3].startswith("● web-1")


async def test_on_a_very_wide_terminal_the_host_is_shown_beside_the_table():
    async with serving(config(hosts=hosts("web-1", "web-2"))) as peers:
        report(peers, "h-0")
        report(peers, "h-1")
        async with watching(peers, (200, 40)) as (app, pilot):
            await pilot.press("enter")
            await pilot.pause(0.3)
            both = screen(app)
            await pilot.press("down")
            await pilot.pause(0.3)
            followed = screen(app)

    assert both[3].startswith("● web-1")
    assert "● web-1  online" in both[2]
    assert "● web-2  online" in followed[2]


async def test_a_lost_connection_is_counted_down_and_comes_back():
    async with serving(config(hosts=hosts("web-1"))) as peers:
        report(peers, "h-0")
        async with watching(peers) as (app, pilot):
            app.link._backoff._uniform = lambda *_: 20.0
            (connection,) = peers.relay._admission.dashboards
            connection.cut(1011, "out of order")
            await until(lambda: "reconnecting in 20 s" in screen(app)[0])
            assert screen(app)[23].split() == [
                "closed",
                "by",
                "the",
                "server:",
                "out",
                "of",
                "order",
                "r",
                "connect",
                "now",
            ]
            await until(lambda: "reconnecting in 19 s · data" in screen(app)[0])
            # What was known stays to be read.
            assert screen(app)[3].startswith("● web-1")
            await pilot.press("r")
            await until(lambda: "● live" in screen(app)[0])


async def test_a_server_that_is_not_there_is_said_and_waited_for():
    async with serving() as peers:
        port = peers.port
    app = TopApp(Target(f"127.0.0.1:{port}"))
    async with app.run_test(size=(100, 24)) as pilot:
        await until(lambda: "reconnecting in" in screen(app)[0])
        await pilot.pause(0.3)

        assert screen(app)[4].strip() == "Connection refused"
        assert screen(app)[23].split() == ["Connection", "refused", "r", "connect", "now"]


async def test_hostile_names_are_inert():
    about = {HOSTILE: {"tags": [HOSTILE], "location": HOSTILE}}
    async with serving(config(hosts=hosts(HOSTILE, "web-1", **about))) as peers:
        disks = [REPORT["disks"][0] | {"mount_point": HOSTILE}]
        report(peers, "h-0", hostname=HOSTILE, disks=disks, gpu={HOSTILE: HOSTILE})
        for size in ((80, 24), (200, 50)):
            async with watching(peers, size) as (app, pilot):
                lines = screen(app)
                await pilot.press("enter")
                await pilot.pause(0.3)
                lines += screen(app)
            assert all(line.isprintable() for line in lines)
            assert {cell_len(line) for line in lines} == {size[0]}
            assert any("[red]<b>" in line for line in lines)


async def test_help_names_every_key():
    async with (
        serving(config(hosts=hosts("web-1"))) as peers,
        watching(peers, (100, 40)) as (app, pilot),
    ):
        await pilot.press("question_mark")
        await pilot.pause(0.1)
        shown = " ".join(screen(app))
        await pilot.press("escape")
        await pilot.pause(0.1)

        assert screen(app)[3].split()[1] == "web-1"
    for key in "ntcmdliouh":
        assert f" {key}  sort by" in shown
    assert "never seen" in shown


async def test_a_terminal_of_any_size_does():
    async with serving(config(hosts=hosts("web-1"))) as peers:
        report(peers, "h-0")
        async with watching(peers) as (app, pilot):
            for size in ((20, 6), (40, 3), (300, 10), (80, 24)):
                await pilot.resize_terminal(*size)
                await pilot.pause(0.3)
                assert {cell_len(line) for line in screen(app)} == {size[0]}
                await pilot.press("enter", "escape")
            assert screen(app)[3].startswith("● web-1")


async def test_five_hundred_hosts_cost_a_few_paints_a_second_and_only_the_lines_that_are_seen():
    many = hosts(*(f"host-{n}" for n in range(500)))
    async with serving(config(hosts=many, limits=Limits(max_agents=1000))) as peers:
        for number in range(500):
            report(peers, f"h-{number}")
        async with watching(peers, (120, 40)) as (app, pilot):
            lines, paints = [], []
            table = app.query_one(HostTable)
            render, paint = table.render_line, app._paint
            table.render_line = lambda y: (lines.append(y), render(y))[1]
            app._paint = lambda: (paints.append(1), paint())[1]
            started = time.monotonic()
            for wave in range(2):
                for number in range(500):
                    report(peers, f"h-{number}", uptime=wave)
                await asyncio.sleep(0.5)
            await until(lambda: app.store.hosts["h-499"].report.get("uptime") == 1)
            elapsed = time.monotonic() - started
            await pilot.press("end")
            await pilot.pause(0.3)

            assert "host-499" in " ".join(screen(app))
    assert len(paints) <= 4 * elapsed + 4
    assert len(lines) <= 36 * (len(paints) + 8)


async def test_nothing_that_the_view_shows_is_taken_for_markup():
    names = hosts("[bold]web[/bold]", "[/]")
    async with serving(config(hosts=names)) as peers, watching(peers) as (app, pilot):
        table = screen(app)
        await pilot.press("enter")
        await pilot.pause(0.3)
        opened = screen(app)

    assert "[bold]web[/" in table[3]
    assert table[4].split()[1] == "[/]"
    assert "[bold]web[/bold]  waiting" in opened[2]


async def test_while_nothing_comes_it_paints_once_a_second_for_the_ages_alone():
    async with serving(config(hosts=hosts("web-1"))) as peers, watching(peers) as (app, _):
        paints, paint = [], app._paint
        app._paint = lambda: (paints.append(1), paint())[1]
        await asyncio.sleep(1.5)

    assert 1 <= len(paints) <= 3


@pytest.mark.parametrize("key", ["q", "ctrl+q"])
async def test_it_ends_when_told_to(key):
    async with serving(config(hosts=hosts("web-1"))) as peers:
        async with watching(peers) as (app, pilot):
            await pilot.press(key)
            await until(lambda: app._exit)
        await until(lambda: not peers.relay._admission.dashboards)
