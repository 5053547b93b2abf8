"""Name what plugins declare as Prometheus wants it: base units, snake case, ``_total``.

``promtool check metrics`` is what these rules answer to, whatever a plugin calls its fields.
"""

import re
import unicodedata
import zlib

from vstats_core.wire.units import KindName, UnitName

__all__ = ["info_name", "label_name", "metric_name"]

LONGEST = 100
"""Characters of a section's name, or of a field's path, that go into a name."""

SUFFIXES: dict[UnitName, tuple[str, ...]] = {
    "bytes": ("bytes",),
    "percent": ("ratio",),
    "seconds": ("seconds",),
    "bytes_per_second": ("bytes", "per", "second"),
    "celsius": ("celsius",),
    "hertz": ("hertz",),
    "count": (),
    "per_second": ("per", "second"),
    "volts": ("volts",),
    "watts": ("watts",),
    "rpm": ("rpm",),
    "none": (),
}
SHARES = {"percent", "percentage", "pct", "ratio"}
ENDINGS = {"bucket", "count", "sum", "total"}
"""What only counters and histograms may end in."""
RESERVED_LABELS = {"host", "index", "instance", "job", "le", "quantile"}

# A unit that is none of the base units, and a type, are not to stand as a word of their own.
_TYPES = "counter|gauge|summary|untyped|histogram"
_ABBREVIATED = "s|ms|us|ns|sec|b|kb|mb|gb|tb|pb|m|h|d"
_OTHER_UNITS = "minutes|hours|days|weeks|kelvins|fahrenheit|rankine|inches|yards|miles|bits"
_MORE_UNITS = "calories|pounds|ounces"
_PREFIXES = (
    "pico|nano|micro|milli|centi|deci|deca|hecto|kilo|kibi|mega|mibi|giga|gibi|tera|tebi|peta|pebi"
)
_BASE_UNITS = (
    "amperes|bytes|celsius|grams|joules|kelvin|meters|metres|moles|seconds|volts"
    f"|{_OTHER_UNITS}|{_MORE_UNITS}"
)
_NO_WORD = re.compile(
    rf"{_TYPES}|{_ABBREVIATED}|{_OTHER_UNITS}|{_MORE_UNITS}|(?:{_PREFIXES})(?:{_BASE_UNITS})"
)


def metric_name(section: str, path: str, unit: UnitName, kind: KindName, *, number: int = 1) -> str:
    """Return the name of a field's family; a ``number`` above 1 tells it from its namesakes."""
    words = (_words(section) + _words(path)) or ["section"]
    suffix = SUFFIXES[unit]
    dropped = SHARES if unit == "percent" else {"total"} if kind == "counter" else set()
    if words[-1] in dropped:
        words.pop()
    if suffix and tuple(words[-len(suffix) :]) == suffix:
        words = words[: -len(suffix)]
    if not suffix and kind != "counter":
        while words and words[-1] in ENDINGS:
            words.pop()
    if number > 1:
        words.append(str(number))
    words = _glued(words) + list(suffix)
    if kind == "counter":
        words.append("total")
    return "_".join(("vstats", *words))


def info_name(section: str, path: str, *, number: int = 1) -> str:
    """Return the name of the family whose labels are a section's strings."""
    words = _glued(_words(section) + _words(path))
    return "_".join(("vstats", *words, *([str(number)] if number > 1 else []), "info"))


def label_name(key: str) -> str:
    """Return what a label is called; what Prometheus or we mean otherwise is ``exported_``."""
    name = "_".join(_words(key) or _unspeakable(key))
    if name in RESERVED_LABELS:
        return f"exported_{name}"
    return f"_{name}" if name[0].isdigit() else name


def _words(text: str) -> list[str]:
    """Return the words of a name or a path, in lower case; of what is not ASCII, a checksum."""
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text[:LONGEST])
    letters = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode().lower()
    return re.findall(r"[a-z0-9]+", letters) or (_unspeakable(text) if text.strip("[].") else [])


def _unspeakable(text: str) -> list[str]:
    return [f"x{zlib.crc32(text.encode()):08x}"]


def _glued(words: list[str]) -> list[str]:
    """Return the words, those that may not stand alone at the end of the one before."""
    result: list[str] = []
    for word in words:
        if not _NO_WORD.fullmatch(word):
            result.append(word)
        elif result:
            result[-1] += word
        else:
            result.append(f"section{word}")
    return result or ["section"]
