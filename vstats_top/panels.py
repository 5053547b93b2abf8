"""A section that nobody here has heard of, as lines, from what its plugin declares of it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len

from vstats_top import format as fmt
from vstats_top.draw import DIM, LEVEL_STYLES, Spans, bar, left, right
from vstats_top.levels import SIGNS, level
from vstats_top.rates import Rates

__all__ = ["Column", "panel", "rows"]

MOST_ROWS = 100
MOST_COLUMNS = 8
DEEPEST = 4
WIDEST = 40
BAR = 12

Field = Mapping[str, Any]
Shown = tuple[str, int]
"""A value's text and its level."""


@dataclass(frozen=True)
class Column:
    """A column of a small table."""

    title: str
    right: bool = False


@dataclass(frozen=True)
class _Context:
    name: str
    fields: Mapping[str, Field]
    rates: Rates
    at: float
    width: int

    def title(self, path: str, key: str) -> str:
        declared = self.fields.get(path)
        return fmt.inert(declared["title"]) if declared else fmt.words(key)


def panel(  # noqa: PLR0913, PLR0917 - a section, what is said of it, and where it goes
    name: str, content: Any, declared: Mapping[str, Any] | None, rates: Rates, at: float, width: int
) -> list[Spans]:
    """Return the lines of a section; ``declared`` is what its plugin says of it, if anything."""
    fields = declared["fields"] if declared else {}
    return _block(content, "", _Context(name, fields, rates, at, width), 0)


def rows(
    columns: Sequence[Column], cells: Sequence[Sequence[Shown]], width: int, total: int = 0
) -> list[Spans]:
    """Return a table as lines; columns that there is no room for are left out."""
    chosen: list[tuple[int, int]] = []
    room = width
    for index, column in enumerate(columns[:MOST_COLUMNS]):
        texts = (_signed(row[index]) for row in cells)
        cell_width = min(WIDEST, max(cell_len(column.title), *map(cell_len, texts)))
        if cell_width > room:
            break
        chosen.append((index, cell_width))
        room -= cell_width + 2
    lines = [_row(columns, chosen, [(column.title, -1) for column in columns])]
    lines += [_row(columns, chosen, row) for row in cells]
    if total > len(cells):
        lines.append([(f"and {fmt.count(total - len(cells))} more", DIM)])
    return lines


def _row(columns: Sequence[Column], chosen: list[tuple[int, int]], row: Sequence[Shown]) -> Spans:
    spans: Spans = []
    for index, width in chosen:
        text, worst = row[index]
        style = DIM if worst < 0 else LEVEL_STYLES[worst]
        put = right if columns[index].right else left
        spans += put(_signed((text, max(0, worst))), width, style)
        spans.append(("  ", ""))
    return spans[:-1]


def _signed(shown: Shown) -> str:
    return f"{SIGNS[max(0, shown[1])]}{shown[0]}"


def _block(content: Any, path: str, context: _Context, depth: int) -> list[Spans]:
    if depth > DEEPEST:
        return [[("and more", DIM)]]
    if isinstance(content, list):
        return _list(content, path, context)
    if not isinstance(content, dict):
        return _pairs([(context.title(path, "value"), content, path)], context)
    if not content:
        return [[("nothing", DIM)]]
    if _is_table(content, path, context):
        return _table(list(content.values()), path, context, names=list(content))
    plain = [
        (context.title(_below(path, key), key), value, _below(path, key))
        for key, value in content.items()
        if not isinstance(value, (dict, list))
    ]
    lines = _pairs(plain, context) if plain else []
    for key, value in content.items():
        if isinstance(value, (dict, list)):
            lines.append([(context.title(_below(path, key), key), "underline")])
            lines += _block(value, _below(path, key), context, depth + 1)
    return lines


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _is_table(content: Mapping[str, Any], path: str, context: _Context) -> bool:
    """Return whether an object is better shown as a table whose rows are its keys."""
    return (
        len(content) > 1
        and all(isinstance(value, dict) for value in content.values())
        and all(
            not isinstance(v, (dict, list)) for inner in content.values() for v in inner.values()
        )
        and not any(
            declared.startswith((f"{_below(path, key)}.", f"{_below(path, key)}["))
            for key in content
            for declared in context.fields
        )
    )


def _list(items: list[Any], path: str, context: _Context) -> list[Spans]:
    if not items:
        return [[("none", DIM)]]
    if all(isinstance(item, dict) for item in items):
        return _table(items, f"{path}[]", context)
    field = context.fields.get(f"{path}[]")
    lines = [
        _value(item, field, context, f"{path}[{n}]") for n, item in enumerate(items[:MOST_ROWS])
    ]
    if len(items) > MOST_ROWS:
        lines.append([(f"and {fmt.count(len(items) - MOST_ROWS)} more", DIM)])
    return lines


def _table(
    items: list[dict[str, Any]], path: str, context: _Context, names: Iterable[str] = ()
) -> list[Spans]:
    present = dict.fromkeys(key for item in items for key in item)
    prefix = f"{path}." if path else ""
    declared = [p.removeprefix(prefix) for p in context.fields if p.startswith(prefix)]
    keys = list(dict.fromkeys([*(key for key in declared if key in present), *present]))
    names = list(names)
    heads = [Column("")] if names else []
    for key in keys:
        numeric = any(_is_number(item.get(key)) for item in items)
        heads.append(Column(context.title(f"{prefix}{key}", key), numeric))
    cells = []
    for index, item in enumerate(items[:MOST_ROWS]):
        row: list[Shown] = [(fmt.inert(names[index]), 0)] if names else []
        who = names[index] if names else f"{item.get('name')}/{item.get('label')}/{index}"
        for key in keys:
            field = context.fields.get(f"{prefix}{key}")
            row.append(_shown(item.get(key), field, context, f"{path}.{key}#{who}"))
        cells.append(row)
    return rows(heads, cells, context.width, len(items))


def _pairs(entries: list[tuple[str, Any, str]], context: _Context) -> list[Spans]:
    titles = max(cell_len(title) for title, _, _ in entries)
    shown = [
        (title, *_shown(value, context.fields.get(path), context, path), value, path)
        for title, value, path in entries
    ]
    texts = max((cell_len(text) for _, text, _, value, _ in shown if _is_number(value)), default=0)
    lines = []
    for title, text, worst, value, path in shown:
        spans = [*left(title, min(titles, WIDEST), DIM), ("  ", "")]
        if _is_number(value):
            spans += right(f"{SIGNS[worst]}{text}", texts + 1, LEVEL_STYLES[worst])
            spans += _meter(value, context.fields.get(path))
        else:
            spans.append((f" {text}", LEVEL_STYLES[worst]))
        lines.append(spans)
    return lines


def _meter(value: float, field: Field | None) -> Spans:
    """Return a bar for what has a natural end: a share, or a declared level."""
    if not field:
        return []
    end = field.get("critical", field.get("warn", 0)) * 1.15
    if field.get("unit") == "percent":
        end = 100
    return [("  ", ""), *bar(value / end, BAR, level(value, field))] if end > 0 else []


def _value(value: Any, field: Field | None, context: _Context, where: str) -> Spans:
    text, worst = _shown(value, field, context, where)
    return [(f"{SIGNS[worst]}{text}", LEVEL_STYLES[worst])]


def _shown(value: Any, field: Field | None, context: _Context, where: str) -> Shown:
    if isinstance(value, (dict, list)):
        return fmt.inert(json.dumps(value, ensure_ascii=False), WIDEST), 0
    if not _is_number(value):
        return fmt.value(value, field), 0
    text = fmt.value(value, field)
    if field and field.get("kind") == "counter":
        rate = context.rates.of(f"{context.name}.{where}", value, context.at)
        if rate is not None:
            text = f"{text}  {fmt.counter_rate(rate, field)}"
    return text, level(value, field)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
