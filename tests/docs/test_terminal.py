import re
from pathlib import Path

from vstats_core.backoff import Backoff
from vstats_top.columns import STATE_SIGNS
from vstats_top.keys import SORT_KEYS
from vstats_top.levels import LEVELS, SIGNS
from vstats_top.query import NUMBERS, STATUSES, TEXTS, parse

PAGE = (Path(__file__).parents[2] / "docs" / "terminal.md").read_text()


def test_the_page_names_every_sign():
    for sign, _ in STATE_SIGNS.values():
        assert f"`{sign}`" in PAGE
    for sign in filter(None, SIGNS):
        assert f"`{sign}`" in PAGE


def test_the_page_names_every_key_that_sorts():
    assert " ".join(f"`{key}`" for key in SORT_KEYS) in PAGE


def test_the_page_names_every_term_of_the_filter():
    filters = PAGE.split("## Filter")[1].split("## A host")[0]
    for word in (*(key for key in NUMBERS if key != "memory"), *STATUSES):
        assert f"`{word}`" in filters, word
    for word in TEXTS:
        assert f"`{word}:`" in filters, word
    for example in re.findall(r"`([^`]*[a-z][:<>=]+[^`]+)`", filters):
        assert parse(example).problem == "", example


def test_the_figures_on_the_page_are_those_of_the_code():
    assert LEVELS["cpu"] == LEVELS["memory"] == LEVELS["disk"] == {"warn": 85, "critical": 95}
    assert "from 85 and 95 percent" in PAGE
    assert LEVELS["load"] == {"warn": 1, "critical": 2}
    assert (Backoff.FIRST, Backoff.LONGEST) == (1, 30)
    assert "after 1 to 30 seconds" in PAGE
