"""The table of hosts: only the lines that are seen are ever made."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from vstats_top.columns import Column, Sight, fit, headings
from vstats_top.draw import Spans
from vstats_top.order import AS_CONFIGURED, Sort
from vstats_top.store import Host

__all__ = ["Headings", "HostTable"]

CURSOR = "on #24344a"


@lru_cache(maxsize=256)
def _style(text: str) -> Style:
    return Style.parse(text)


def strip_of(spans: Spans, width: int, ground: str = "") -> Strip:
    """Return the pieces as a line of that many cells, on a ground."""
    segments = [
        Segment(text, _style(f"{style} {ground}".strip() or "none")) for text, style in spans
    ]
    return Strip(segments).adjust_cell_length(width, _style(ground or "none"))


class Headings(Widget):
    """The line above the table; a click on a heading sorts by it."""

    DEFAULT_CSS = "Headings { height: 1; }"

    class Pressed(Message):
        """A heading was clicked."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(self) -> None:
        super().__init__()
        self._columns: Sequence[tuple[Column, int]] = []
        self._sort = AS_CONFIGURED

    def show(self, columns: Sequence[tuple[Column, int]], sort: Sort) -> None:
        """Show these columns, and which of them is sorted by."""
        if (columns, sort) != (self._columns, self._sort):
            self._columns, self._sort = columns, sort
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """See :class:`textual.widget.Widget`."""
        if y or not self._columns:
            return Strip.blank(self.size.width, self.rich_style)
        spans = headings(self._columns, self._sort.key, upwards=self._sort.upwards)
        return strip_of(spans, self.size.width).apply_style(self.rich_style)

    def on_click(self, event: Click) -> None:
        """Sort by the column under the pointer."""
        at = 0
        for column, width in self._columns:
            at += width + 1
            if event.x < at:
                if column.key:
                    self.post_message(self.Pressed(column.key))
                return


class HostTable(ScrollView, can_focus=True):
    """The hosts, a line each; the cursor stays with its host wherever that moves to."""

    DEFAULT_CSS = "HostTable { height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown,space", "page(1)", "Page down", show=False),
        Binding("home", "move(-1000000)", "First", show=False),
        Binding("end", "move(1000000)", "Last", show=False),
        Binding("enter", "open", "Open"),
    ]

    class Opened(Message):
        """A host was chosen."""

        def __init__(self, host: str) -> None:
            super().__init__()
            self.host = host

    class Moved(Message):
        """The cursor stands on another host."""

    def __init__(self, sight_of: Callable[[Host], Sight]) -> None:
        super().__init__()
        self._sight_of = sight_of
        self._hosts: Sequence[Host] = []
        self._columns: list[tuple[Column, int]] = []
        self._names: list[str] = []
        self.cursor = ""
        """The id of the host that the cursor is on."""
        self._row = 0
        self._width = 0
        self._ground = Style()

    @property
    def columns(self) -> list[tuple[Column, int]]:
        """The columns that are shown, with their widths."""
        return self._columns

    def show(self, hosts: Sequence[Host]) -> None:
        """Show these hosts, in this order, as they are now."""
        self._hosts = hosts
        names = [host.name for host in hosts]
        if names != self._names:
            self._names = names
            self._fit()
        ids = [host.id for host in hosts]
        # A host that is no longer shown leaves the cursor where it was.
        self._row = ids.index(self.cursor) if self.cursor in ids else min(self._row, len(ids) - 1)
        self._row = max(0, self._row)
        self.cursor = ids[self._row] if ids else ""
        size = Size(self.size.width, len(hosts))
        if size != self.virtual_size:
            self.virtual_size = size
        # The same for every line, and dear to ask for.
        self._ground = self.rich_style
        self.refresh()

    def _fit(self) -> None:
        self._width = self.scrollable_content_region.width
        self._columns = fit(self._width, self._names)

    def on_resize(self, _: Resize) -> None:
        """Choose the columns anew."""
        self._fit()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """See :class:`textual.widget.Widget`."""
        width = self._width
        row = y + self.scroll_offset.y
        if row >= len(self._hosts):
            return Strip.blank(width, self._ground)
        sight = self._sight_of(self._hosts[row])
        spans: Spans = []
        for column, cells in self._columns:
            spans += column.fill(sight, cells)
            spans.append((" ", ""))
        ground = CURSOR if row == self._row else ""
        return strip_of(spans[:-1], width, ground).apply_style(self._ground)

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        self._put(self._row + rows)

    def action_page(self, pages: int) -> None:
        """Move the cursor by what is seen at once."""
        self._put(self._row + pages * max(1, self.size.height - 1))

    def action_open(self) -> None:
        """Open the host under the cursor."""
        if self.cursor:
            self.post_message(self.Opened(self.cursor))

    def on_click(self, event: Click) -> None:
        """Put the cursor there; a second click opens."""
        row = event.y + self.scroll_offset.y
        if row < len(self._hosts):
            self._put(row)
            if event.chain > 1:
                self.action_open()

    def _put(self, row: int) -> None:
        if not self._hosts:
            return
        self._row = max(0, min(row, len(self._hosts) - 1))
        self.cursor = self._hosts[self._row].id
        region = Region(0, self._row, self.size.width, 1)
        self.scroll_to_region(region, animate=False, force=True)
        self.refresh()
        self.post_message(self.Moved())
