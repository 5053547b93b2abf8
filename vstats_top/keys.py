"""Which keys there are."""

from textual.binding import Binding

from vstats_top.columns import STATE_SIGNS, STATE_WORDS
from vstats_top.draw import DIM, LEVEL_STYLES, Spans

__all__ = ["BINDINGS", "HELP", "SORT_KEYS", "footer"]

SORT_KEYS: dict[str, tuple[str, str]] = {
    "n": ("name", "name"),
    "t": ("tags", "tags"),
    "c": ("cpu", "CPU"),
    "m": ("memory", "memory"),
    "d": ("disk", "the fullest disk"),
    "l": ("load", "load for each CPU"),
    "i": ("down", "traffic in"),
    "o": ("up", "traffic out"),
    "u": ("uptime", "uptime"),
    "h": ("health", "health"),
}
"""Columns, and what they are called, by the key that sorts by them."""

BINDINGS = (
    Binding("slash", "filter", "Filter", key_display="/"),
    Binding("escape", "leave", "Back", show=False),
    *(Binding(key, f"sort('{column}')", show=False) for key, (column, _) in SORT_KEYS.items()),
    Binding("full_stop", "sort('')", show=False),
    *(
        Binding(key, f"show('{what}')", show=False)
        for key, what in zip("1234", ("all", "online", "offline", "attention"), strict=True)
    ),
    Binding("r", "reconnect", show=False),
    Binding("question_mark", "help", "Keys", key_display="?"),
    Binding("q", "quit", "Quit"),
)
"""What the keys do, wherever one is; the table has its own."""

_KEYS = (
    ("↑ ↓ PgUp PgDn Home End", "move"),
    ("Enter", "show a host; Esc goes back"),
    ("/", "filter: words, tag:eu os:debian cpu>80 disk>=90 down>1m uptime<1h"),
    ("", "status:offline is:attention; a minus before a term turns it round"),
    ("Esc", "clear the filter"),
    ("1 2 3 4", "all, online, offline, attention"),
    *((key, f"sort by {what}") for key, (_, what) in SORT_KEYS.items()),
    (".", "as the server's configuration has it"),
    ("r", "connect now"),
    ("q", "quit"),
)
_SIGNS = (
    *((*STATE_SIGNS[state], word) for state, word in STATE_WORDS.items()),
    ("▲", LEVEL_STYLES[1], "warning"),
    ("◆", LEVEL_STYLES[2], "critical"),
)

HELP: Spans = [
    *(piece for key, what in _KEYS for piece in ((f"{key:>24}  ", "bold"), (f"{what}\n", ""))),
    ("\n", ""),
    *(
        piece
        for sign, style, word in _SIGNS
        for piece in ((f"{sign:>24}  ", style), (f"{word}\n", DIM))
    ),
]

_FOOTERS = {
    "table": (
        ("Enter", "open"),
        ("/", "filter"),
        (" ".join(SORT_KEYS), "sort"),
        ("1-4", "show"),
        ("?", "keys"),
        ("q", "quit"),
    ),
    "host": (("Esc", "back"), ("↑↓", "scroll"), ("/", "filter"), ("?", "keys"), ("q", "quit")),
    "filter": (("Enter", "keep"), ("Esc", "clear")),
    "lost": (("r", "connect now"),),
    "help": (("Esc", "back"), ("q", "quit")),
}


def footer(where: str) -> Spans:
    """Return the line at the bottom: the keys that are most wanted there."""
    return [
        piece
        for key, what in _FOOTERS[where]
        for piece in ((f" {key} ", "bold #9cc4e4"), (f"{what} ", DIM))
    ]
