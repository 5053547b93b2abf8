"""The pane that shows all that is known of one host."""

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from vstats_top.columns import Sight
from vstats_top.detail import lines
from vstats_top.draw import text_of
from vstats_top.rates import Rates

__all__ = ["HostPane"]

NARROWEST = 20


class HostPane(VerticalScroll):
    """Shows the host whose id is ``host``; none while that is empty."""

    def __init__(self) -> None:
        super().__init__()
        self.host = ""
        self._rates = Rates()

    def compose(self) -> ComposeResult:
        """See :class:`textual.widget.Widget`."""
        yield Static()

    def open(self, host: str) -> None:
        """Show this host from now on, from its beginning."""
        self.host, self._rates = host, Rates()
        self.scroll_home(animate=False)

    def show(self, sight: Sight | None) -> None:
        """Show the host as it is now; None for one that is no more."""
        about = self.query_one(Static)
        if sight is None:
            about.update("The server has no such host any more.")
            return
        width = max(NARROWEST, self.scrollable_content_region.width - 2)
        spans = lines(sight, self._rates, width)
        about.update(text_of(piece for line in spans for piece in (*line, ("\n", ""))))
