"""Every event: what the code logs, what the catalogue calls it, what the page says of it."""

import ast
import logging
import re
from pathlib import Path

import pytest

from vstats_core.logs import event as core
from vstats_core.logs.journal import JournalHandler
from vstats_core.logs.setup import OneLine
from vstats_server import events as server

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/logging.md").read_text()
EVENTS = core.EVENTS | server.EVENTS
LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "exception": logging.ERROR,
}


def calls():
    """Return each call of a logger in our packages: logger, message, level, number of arguments."""
    found = []
    for folder in ("vstats_core", "vstats_server", "collectors/vstats_collectors"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                match node:
                    case ast.Call(func=ast.Attribute(ast.Name("logger"), name), args=[text, *rest]):
                        assert isinstance(text, ast.Constant), f"{path}:{node.lineno}: no literal"
                        place = path.relative_to((ROOT / folder).parent).with_suffix("")
                        module = ".".join(place.parts)
                        found.append((module, text.value, LEVELS[name], len(rest)))
    return found


def test_every_call_of_a_logger_is_an_event_of_the_catalogue_and_the_other_way_round():
    said = {(name, text, level, count) for name, text, level, count in calls()}

    assert said == {
        (name, text, event.level, len(event.fields)) for (name, text), event in EVENTS.items()
    }


@pytest.mark.parametrize("key", EVENTS, ids=lambda key: f"{key[0]} {EVENTS[key].name}")
def test_an_event_reaches_the_journal_with_its_level_and_its_fields(key, tmp_path, capsys):
    name, text = key
    event = EVENTS[key]
    kinds = re.findall(r"%(?:\.\d)?([sdfgr])", text)
    arguments = [f"v{n}" if kind in "sr" else n for n, kind in enumerate(kinds)]
    record = logging.LogRecord(name, event.level, "x.py", 1, text, tuple(arguments), None)
    handler = JournalHandler(EVENTS, str(tmp_path / "gone"))
    handler.setFormatter(OneLine("%(message)s"))

    fields = handler.fields(record)
    handler.close()

    assert fields.pop("VSTATS_EVENT") == event.name
    assert fields == {
        f"VSTATS_{field.upper()}": str(value)
        for field, value in zip(event.fields, arguments, strict=True)
    }


def test_the_page_lists_every_event_with_its_level_and_fields_and_no_other():
    rows = re.findall(
        r"^\| (agent|server) \| `(\w+)` \| (\w+) \| ([^|]*) \| \S[^|]* \|$", PAGE, re.MULTILINE
    )
    told = {
        (program, name, level, tuple(re.findall(r"`(\w+)`", fields)))
        for program, name, level, fields in rows
    }

    assert told == {
        (program, event.name, logging.getLevelName(event.level).lower(), event.fields)
        for program, events in (("agent", core.EVENTS), ("server", server.EVENTS))
        for event in events.values()
    }
    assert len(rows) == len(told)


def test_nothing_is_logged_at_info_or_above_for_each_report():
    hot = ("intake", "hub", "compose", "frames", "mailbox", "strict_json")

    assert not [name for name, _ in EVENTS if name.rpartition(".")[2] in hot]
