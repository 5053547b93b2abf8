"""The good one: a section that declares what its numbers mean."""

from typing import Annotated

from pydantic import Field

from vstats_core import Fragment, Levels, Rpm, Section, Text, hookimpl


class Fan(Section):
    """One item of ``fans``."""

    name: Text
    speed: Annotated[Rpm, Levels(warn=4000, critical=6000)] = Field(title="Speed")


@hookimpl
def vstats_sections() -> dict[str, object]:
    """Declare the section."""
    return {"fans": list[Fan]}


@hookimpl
def vstats_collect() -> Fragment:
    """Return a fan that always turns."""
    return {"fans": [{"name": "rear", "speed": 1200}]}
