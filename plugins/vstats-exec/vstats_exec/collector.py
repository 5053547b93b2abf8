"""Decide which of the answers go into the report, and name those that do not."""

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from vstats_core import Fragment, hookimpl
from vstats_exec.commands import Runner
from vstats_exec.directory import File, read_directory
from vstats_exec.formats import PARSERS, Unusable, printable
from vstats_exec.section import Problem
from vstats_exec.settings import ExecSettings

__all__ = ["ExecCollector", "fit", "plugin", "sort_out"]

logger = logging.getLogger(__name__)

LARGEST = 60 * 1024
"""Bytes of JSON, all answers and problems together; the agent takes 64 KiB of a collector."""
MOST_PROBLEMS = 32


def sort_out(answers: Iterable[File]) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Return what the usable answers say, by name, and what is wrong with the others.

    The first of a name has it for good, even where it cannot be used: what stands under a name
    never changes its source.
    """
    owners: dict[str, str] = {}
    values: dict[str, Any] = {}
    problems = []
    for answer in answers:
        owner = owners.setdefault(answer.name, answer.source)
        error = answer.error or (owner != answer.source and f"{owner} has the same name")
        if error:
            problems.append(_problem(answer.source, error))
            continue
        try:
            values[answer.name] = PARSERS[answer.format](answer.text)
        except Unusable as unusable:
            problems.append(_problem(answer.source, str(unusable)))
    return values, problems


def fit(values: dict[str, Any], problems: list[dict[str, str]]) -> Fragment:
    """Return both as a fragment that the agent takes: too much costs the largest answers."""
    values, problems = dict(values), list(problems)
    sizes = {name: len(_json(value)) for name, value in values.items()}
    while True:
        shown = problems[:MOST_PROBLEMS]
        if len(problems) > len(shown):
            shown[-1] = _problem("exec", f"{len(problems) - len(shown) + 1} problems more")
        fragment = {"exec": values, "exec_problems": shown}
        if not values or len(_json(fragment)) <= LARGEST:
            return fragment
        name = max(values, key=lambda name: sizes[name])
        del values[name]
        text = f"left out: {sizes[name]} bytes; all together may have {LARGEST}"
        problems.insert(0, _problem(name, text))


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _problem(source: str, error: str) -> dict[str, str]:
    return {"source": printable(source), "error": printable(error)}


class ExecCollector:
    """Collects ``exec`` and ``exec_problems``."""

    def __init__(
        self, *, runner: Runner | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._runner = runner or Runner()
        self._clock = clock
        self._failing: set[str] = set()

    @hookimpl
    def vstats_settings(self) -> type[ExecSettings]:
        """Name the settings."""
        return ExecSettings

    @hookimpl
    def vstats_sections(self) -> dict[str, Any]:
        """Name the section whose form is known; that of ``exec`` is up to the sources."""
        return {"exec_problems": list[Problem]}

    @hookimpl
    def vstats_collect(self, settings: ExecSettings) -> Fragment | None:
        """Return what each source says, and what is wrong with those that are left out.

        None where no source is configured. A command's problem is said once in the log, and so is
        its end.
        """
        if not settings.commands and settings.directory is None:
            return None
        values, problems = sort_out(self._answers(settings))
        fragment = fit(values, problems)
        self._log(fragment["exec_problems"])
        return fragment

    def _answers(self, settings: ExecSettings) -> Iterator[File]:
        if settings.commands:
            outcomes = self._runner.run(settings.commands)
            for command in settings.commands:
                output, error = outcomes[command.name]
                yield File(command.name, command.name, command.format, output, error)
        if settings.directory is not None:
            yield from read_directory(
                settings.directory, stale_after=settings.stale_after, now=self._clock()
            )

    def _log(self, problems: Iterable[dict[str, str]]) -> None:
        errors = {problem["source"]: problem["error"] for problem in problems}
        for source in sorted(errors.keys() - self._failing):
            logger.warning("exec: %s is left out: %s", source, errors[source])
        for source in sorted(self._failing - errors.keys()):
            logger.info("exec: %s has no problem any more", source)
        self._failing = set(errors)


plugin = ExecCollector()
