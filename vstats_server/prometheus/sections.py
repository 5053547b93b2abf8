"""Turn plugins' sections into samples, by what ``describe`` declares of them.

Numbers and truth values become samples. An item of a list is known by its strings, which become
labels, and where they do not tell it from its neighbours by ``index``. Strings elsewhere, and
those of items without numbers, become the labels of one family ``..._info``. What is not declared
is left out.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from vstats_core.wire import strict_json
from vstats_core.wire.schema import SECTION_NAMES
from vstats_server.prometheus.names import info_name, label_name, metric_name
from vstats_server.prometheus.text import Families, FamilyType, label

__all__ = ["Plan", "plan"]


@dataclass(frozen=True)
class _Leaf:
    """A value: the family of its number, and what the label of its string is called, if any."""

    name: str
    about: str
    kind: FamilyType
    is_share: bool
    label: str


@dataclass
class _Node:
    """What is declared of an object, of a list (``items``), or of a plain value (``leaf``)."""

    path: str
    about: str
    info: str = ""
    leaf: _Leaf | None = None
    items: "_Node | None" = None
    children: "dict[str, _Node]" = field(default_factory=dict)

    def below(self, step: str) -> "_Node":
        """Return the node that a step of a path leads to; ``[]`` leads to a list's items."""
        if step == "[]":
            self.items = self.items or _Node(f"{self.path}[]", self.about)
            return self.items
        path = f"{self.path}.{step}" if self.path else step
        return self.children.setdefault(step, _Node(path, self.about))


class Plan:
    """What becomes of the sections of one description; it keeps off the names in ``reserved``."""

    def __init__(self, sections: Mapping[str, Any], reserved: frozenset[str]) -> None:
        self._roots: dict[str, _Node] = {}
        self._reserved = reserved
        self._taken: set[str] = set()
        for name in sorted(sections.keys() - SECTION_NAMES):
            title, fields = sections[name]["title"], sections[name]["fields"]
            root = self._roots[name] = _Node("", f"{title}: what it says in words.")
            # Who is called what must not depend on the order in which it was declared.
            for path in sorted(fields):
                node = root
                for step in path.replace("[]", ".[]").split("."):
                    if step:
                        node = node.below(step)
                node.leaf = self._leaf(name, title, path, fields[path])
            self._name_infos(name, root)

    def _leaf(self, section: str, title: str, path: str, about: Mapping[str, Any]) -> _Leaf:
        unit, kind = about["unit"], about["kind"]
        name = self._free(lambda number: metric_name(section, path, unit, kind, number=number))
        key = path.rstrip("[]").rpartition(".")[2].removeprefix("[]")
        return _Leaf(
            name,
            f"{title}: {about['title']}.",
            "counter" if kind == "counter" else "gauge",
            unit == "percent",
            label_name(key) if unit == "none" else "",
        )

    def _name_infos(self, section: str, node: _Node) -> None:
        if node.children:
            node.info = self._free(lambda number: info_name(section, node.path, number=number))
        for inner in (node.items, *node.children.values()):
            if inner is not None:
                self._name_infos(section, inner)

    def _free(self, naming: Callable[[int], str]) -> str:
        number = 1
        while True:
            name = naming(number)
            if name in self._reserved or name.startswith("vstats_server_"):
                name = name.replace("vstats_", "vstats_plugin_", 1)
            if name not in self._taken:
                self._taken.add(name)
                return name
            number += 1

    def write(self, families: Families, host: str, report: Mapping[str, Any]) -> Iterator[None]:
        """Add the samples of a report; it pauses after each, so that others get their turn."""
        for section, root in self._roots.items():
            if section in report:
                yield from _write(families, root, report[section], _Labels({"host": host}))


@lru_cache(maxsize=64)
def plan(description: bytes, reserved: frozenset[str]) -> Plan:
    """Return the plan of a description's sections, given as JSON; many hosts share theirs."""
    return Plan(strict_json.loads(description), reserved)


class _Labels:
    """Labels, and their text."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values
        self.text = ",".join(label(name, value) for name, value in values.items())

    def and_(self, more: Mapping[str, str]) -> "_Labels":
        """Return these and more; what is called like one of these becomes ``inner_``."""
        values = dict(self.values)
        for name, value in more.items():
            while name in values:
                name = f"inner_{name}"  # noqa: PLW2901 - until it is free
            values[name] = value
        return _Labels(values)


def _write(families: Families, node: _Node, value: Any, labels: _Labels) -> Iterator[None]:
    if isinstance(value, list):
        if node.items is not None:
            yield from _write_items(families, node.items, value, labels)
    elif isinstance(value, dict):
        if strings := _strings(node, value):
            yield from _write_info(families, node, labels.and_(strings))
        for key, child in node.children.items():
            if key in value:
                yield from _write(families, child, value[key], labels)
    elif node.leaf is not None and isinstance(value, (bool, int, float)):
        number = int(value) if isinstance(value, bool) else value
        leaf = node.leaf
        families.declare(leaf.name, leaf.kind, leaf.about)
        families.add(leaf.name, labels.text, number / 100 if leaf.is_share else number)
        yield


def _write_items(
    families: Families, node: _Node, items: list[Any], labels: _Labels
) -> Iterator[None]:
    seen: set[str] = set()
    for index, item in enumerate(items):
        strings = _strings(node, item) if isinstance(item, dict) else {}
        own = labels.and_(strings)
        # Of several of one name the first stays who it is.
        if not strings or own.text in seen:
            own = own.and_({"index": str(index)})
        seen.add(own.text)
        if not isinstance(item, dict):
            yield from _write(families, node, item, own)
            continue
        has_numbers = False
        for key, child in node.children.items():
            if key in item:
                for _ in _write(families, child, item[key], own):
                    has_numbers = True
                    yield
        if strings and not has_numbers:
            yield from _write_info(families, node, own)


def _write_info(families: Families, node: _Node, labels: _Labels) -> Iterator[None]:
    families.declare(node.info, "gauge", node.about)
    families.add(node.info, labels.text, 1)
    yield


def _strings(node: _Node, content: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels that an object's declared strings make."""
    labels: dict[str, str] = {}
    for key, child in node.children.items():
        value = content.get(key)
        if child.leaf is not None and child.leaf.label and isinstance(value, str):
            name = child.leaf.label
            while name in labels:
                name = f"other_{name}"
            labels[name] = value
    return labels
