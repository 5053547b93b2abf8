"""Decide whether a name matches one of many globs, quickly enough to ask every second."""

import fnmatch
import re
from collections.abc import Iterable

__all__ = ["Globs"]


class Globs:
    """A set of globs such as ``veth*``: ``"veth0" in Globs(["veth*"])``. Capitals matter."""

    def __init__(self, globs: Iterable[str]) -> None:
        self._match = re.compile("|".join(map(fnmatch.translate, globs)) or r"(?!)").match

    def __contains__(self, name: str) -> bool:
        return self._match(name) is not None
