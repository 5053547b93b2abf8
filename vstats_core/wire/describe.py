"""From the types of a plugin's sections to the description that lets anyone show them."""

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import MISSING, BaseModel
from pydantic.fields import FieldInfo

from vstats_core.wire.units import Kind, Levels, Unit

__all__ = ["describe"]

Description = dict[str, Any]


def describe(sections: Mapping[str, Any]) -> dict[str, Description]:
    """Return title and fields of each section, as a ``describe`` message has them.

    ``sections`` maps a top-level key of the report to its type: a model, a list of models, or one
    of the types of :mod:`vstats_core.wire.units`.
    """
    return {
        name: {"title": _title(name, type_), "fields": dict(_fields("", name, type_, ()))}
        for name, type_ in sections.items()
    }


def _fields(
    path: str, name: str, type_: Any, metadata: tuple[Any, ...], title: str | None = None
) -> Iterator[tuple[str, Description]]:
    """Yield the path, from the section on, and the meaning of every value."""
    type_, inner = _unwrapped(type_)
    metadata = (*inner, *metadata)
    if isinstance(type_, type) and issubclass(type_, BaseModel):
        for key, field in type_.model_fields.items():
            below = f"{path}.{key}" if path else key
            yield from _fields(below, key, *_parts(field), field.title)
    elif get_origin(type_) in (list, tuple):
        yield from _fields(f"{path}[]", name, get_args(type_)[0], metadata, title)
    elif get_origin(type_) is not dict and type_ is not Any:
        yield path, _meaning(type_, metadata, title or _words(name))


def _parts(field: FieldInfo) -> tuple[Any, tuple[Any, ...]]:
    return field.annotation, tuple(field.metadata)


def _unwrapped(type_: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return the type without ``Annotated``, ``| None`` and ``| MISSING``, and its metadata."""
    if get_origin(type_) is Annotated:
        bare, *metadata = get_args(type_)
        inner, more = _unwrapped(bare)
        return inner, (*more, *metadata)
    if get_origin(type_) in (Union, UnionType):
        for option in get_args(type_):
            if option not in (type(None), MISSING):
                return _unwrapped(option)
    return type_, ()


def _meaning(type_: Any, metadata: tuple[Any, ...], title: str) -> Description:
    is_number = isinstance(type_, type) and issubclass(type_, (int, float)) and type_ is not bool
    meaning = {"title": title, "unit": "none", "kind": "gauge" if is_number else "state"}
    levels: dict[str, float] = {}
    for item in metadata:
        match item:
            case Unit(name):
                meaning["unit"] = name
            case Kind(kind):
                meaning["kind"] = kind
            case Levels(warn, critical):
                pairs = {"warn": warn, "critical": critical}
                levels = {key: level for key, level in pairs.items() if level is not None}
    return meaning | levels


def _title(name: str, type_: Any) -> str:
    bare = _unwrapped(type_)[0]
    if get_origin(bare) in (list, tuple):
        bare = _unwrapped(get_args(bare)[0])[0]
    own = bare.model_config.get("title") if hasattr(bare, "model_config") else None
    return own or _words(name)


def _words(name: str) -> str:
    """Return a key as words: ``read_bytes`` gives "Read bytes"."""
    return name.replace("_", " ").strip().capitalize()
