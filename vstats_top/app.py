"""The terminal view: joins link, store and widgets; decides when something is painted."""

import time
from collections.abc import Callable
from typing import Any, ClassVar

from rich.cells import cell_len
from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import Click
from textual.widgets import Input, Static

from vstats_top import format as fmt
from vstats_top.columns import Sight
from vstats_top.draw import Spans, left, text_of
from vstats_top.keys import BINDINGS, HELP, footer
from vstats_top.link import Link, Target
from vstats_top.order import AS_CONFIGURED, pressed, shown
from vstats_top.overview import pill, tiles
from vstats_top.pane import HostPane
from vstats_top.query import parse
from vstats_top.store import Host, Store
from vstats_top.style import STYLE
from vstats_top.table import Headings, HostTable

__all__ = ["TopApp"]

PAINT_GAP = 0.25
"""Seconds between two paintings for reports; what a person does is painted at once."""
SURVEY_GAP = 1.0
"""Seconds between two looks at all hosts, for the counts; the table looks at those it shows."""
SORT_GAP = 2.0
"""Seconds between two orders by what changes all the time: a row should stay to be read."""
PRUNE_AFTER = 5.0
"""Seconds after which a snapshot has surely named all hosts."""
SIDE_BY_SIDE = 170
"""Columns of a terminal from which on a host is shown beside the table."""


class TopApp(App[None]):
    """``vstats-top``."""

    TITLE = "vStats"
    ENABLE_COMMAND_PALETTE = False
    CSS = STYLE
    BINDINGS: ClassVar[list[BindingType]] = [*BINDINGS]

    def __init__(self, target: Target, *, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self.store = Store()
        self.link = Link(
            target,
            on_open=self._opened,
            on_message=self._take,
            on_change=self._link_changed,
            now=now,
        )
        self._show = "all"
        self._sort = AS_CONFIGURED
        self._query = parse("")
        self._order: list[str] = []
        self._tiles: list[tuple[str, Spans]] = []
        self._ordered_at = self._surveyed_at = float("-inf")
        self._pruned_at: float | None = None
        self._dirty = True
        self._second = 0

    def compose(self) -> ComposeResult:
        """See :class:`textual.app.App`."""
        yield Static(id="head")
        yield Static(id="tiles")
        with Horizontal(id="filter-row"):
            yield Input(placeholder="web tag:eu os:debian cpu>80 -status:offline", id="filter")
            yield Static(id="problem")
        with Horizontal(id="body"):
            with Vertical(id="list"):
                yield Headings()
                yield Static(id="empty")
                yield HostTable(self._sight)
            yield HostPane()
        with VerticalScroll(id="help"):
            yield Static(text_of(HELP))
        yield Static(id="keys")

    def on_mount(self) -> None:
        """Begin."""
        self.query_one(HostTable).focus()
        self._connect()
        self.set_interval(PAINT_GAP, self._tick)
        self._paint()

    # What comes from the server.

    @work(exclusive=True)
    async def _connect(self) -> None:
        await self.link.run()

    def _opened(self) -> None:
        self.store.connected()
        self._pruned_at = self._now() + PRUNE_AFTER

    def _take(self, message: dict[str, Any]) -> None:
        self.store.apply(message, self._now())
        self._dirty = True
        if message["type"] in ("server_added", "server_removed", "status"):
            self._ordered_at = float("-inf")

    def _link_changed(self) -> None:
        self._dirty = True

    # What is shown.

    def _judged_at(self) -> float:
        """Return the moment by which states are judged: while nothing can come, none grows old."""
        if self.link.state == "live" or self.store.heard_at is None:
            return self._now()
        return self.store.heard_at

    def _sight(self, host: Host) -> Sight:
        state = self.store.state(host, self._judged_at())
        return Sight(host, state, self.store.seen_ago(host, self._now()))

    def _tick(self) -> None:
        now = self._now()
        if self._pruned_at is not None and now >= self._pruned_at:
            self._pruned_at = None
            if self.link.state == "live":
                self.store.prune()
                self._dirty = True
        # Ages and the countdown change by themselves, once a second.
        if self._dirty or int(now) != self._second:
            self._paint()

    def _paint(self) -> None:
        if not self.query("#head"):
            # A last tick, while it all ends.
            return
        self._dirty = False
        now = self._now()
        self._second = int(now)
        pieces = pill(self.link, self.store, now, self.size.width)
        self.query_one("#head", Static).update(text_of(pieces))
        if now - min(self._surveyed_at, self._ordered_at + SORT_GAP - SURVEY_GAP) >= SURVEY_GAP:
            self._survey(now)
        known = self.store.hosts
        hosts = [known[key] for key in self._order if key in known]
        table = self.query_one(HostTable)
        table.show(hosts)
        self.query_one(Headings).show(table.columns, self._sort)
        empty = self.query_one("#empty", Static)
        empty.display = not hosts
        if not hosts:
            empty.update(self._why_empty())
        pane = self.query_one(HostPane)
        if pane.host:
            host = known.get(pane.host)
            pane.show(self._sight(host) if host else None)
        spans = footer(self._where())
        if self.link.trouble and self.link.state != "live":
            trouble = left(f" {fmt.inert(self.link.trouble)}", self.size.width - 16, "#f2c55c")
            spans = [*trouble, *footer("lost")]
        self.query_one("#keys", Static).update(text_of(spans))

    def _where(self) -> str:
        if self.screen.has_class("help"):
            return "help"
        if self.query_one("#filter", Input).has_focus:
            return "filter"
        return "host" if self.query_one(HostPane).host else "table"

    def _survey(self, now: float) -> None:
        """Look at all hosts: count them, and, if it is time, order them anew."""
        self._surveyed_at = now
        sights = [self._sight(host) for host in self.store.hosts.values()]
        self._tiles = tiles(sights, self._show, self.size.width)
        pieces = (piece for _, spans in self._tiles for piece in spans)
        self.query_one("#tiles", Static).update(text_of(pieces))
        if now - self._ordered_at >= SORT_GAP:
            self._ordered_at = now
            states = {sight.host.id: sight.state for sight in sights}
            found = shown(
                (sight.host for sight in sights),
                lambda host: states[host.id],
                self._show,
                self._query,
                self._sort,
            )
            self._order = [host.id for host in found]

    def _why_empty(self) -> str:
        if self.store.hosts:
            return "No host passes the filter; Esc clears it."
        if self.link.state == "live":
            return "The server has no hosts; `vstats-server hosts add NAME` adds one."
        return self.link.trouble or "Connecting."

    def _now_paint(self) -> None:
        self._ordered_at = float("-inf")
        self._paint()

    def on_resize(self) -> None:
        """Show a host beside the table, or in its place."""
        self.query_one("#body").set_class(self.size.width >= SIDE_BY_SIDE, "wide")
        self._surveyed_at = float("-inf")
        self.call_after_refresh(self._paint)

    # What a person does.

    @on(HostTable.Opened)
    def _open(self, event: HostTable.Opened) -> None:
        body, pane = self.query_one("#body"), self.query_one(HostPane)
        pane.open(event.host)
        body.add_class("open")
        if not body.has_class("wide"):
            pane.focus()
        self.call_after_refresh(self._paint)

    @on(HostTable.Moved)
    def _follow(self) -> None:
        table, pane = self.query_one(HostTable), self.query_one(HostPane)
        if pane.host and table.cursor != pane.host:
            pane.open(table.cursor)
            self._paint()

    @on(Headings.Pressed)
    def _heading(self, event: Headings.Pressed) -> None:
        self.action_sort(event.key)

    @on(Input.Changed, "#filter")
    def _filter_changed(self, event: Input.Changed) -> None:
        self._query = parse(event.value)
        self.query_one("#problem", Static).update(text_of([(self._query.problem, "")]))
        self._now_paint()

    @on(Input.Submitted, "#filter")
    def _filter_done(self) -> None:
        box = self.query_one("#filter", Input)
        self.query_one("#filter-row").set_class(bool(box.value), "open")
        self.query_one(HostTable).focus()
        self.call_after_refresh(self._paint)

    @on(Click, "#tiles")
    def _tile(self, event: Click) -> None:
        at = 0
        for key, spans in self._tiles:
            at += sum(cell_len(text) for text, _ in spans)
            if event.x < at:
                if key:
                    self.action_show(key)
                return

    def action_filter(self) -> None:
        """Write a filter."""
        self._close()
        self.query_one("#filter-row").add_class("open")
        self.query_one("#filter", Input).focus()
        self.call_after_refresh(self._paint)

    def action_leave(self) -> None:
        """Leave what is open: the help, a host, the filter."""
        box = self.query_one("#filter", Input)
        if self.screen.has_class("help"):
            self.screen.remove_class("help")
            self._paint()
        elif self.query_one(HostPane).host and not box.has_focus:
            self._close()
        else:
            box.value = ""
            self._show = "all"
            self._filter_done()
            self._now_paint()

    def _close(self) -> None:
        self.query_one(HostPane).open("")
        self.query_one("#body").remove_class("open")
        self.query_one(HostTable).focus()
        self.call_after_refresh(self._paint)

    def action_sort(self, key: str) -> None:
        """Sort by a column: high first, then low first, then as configured; "" is as configured."""
        self._sort = pressed(self._sort, key)
        self._now_paint()

    def action_show(self, what: str) -> None:
        """Show all hosts, or those only."""
        self._show = "all" if what == self._show else what
        self._now_paint()

    def action_reconnect(self) -> None:
        """Try at once."""
        self.link.wake()

    def action_help(self) -> None:
        """Show the keys, or what was there before."""
        self.screen.toggle_class("help")
        self._paint()
