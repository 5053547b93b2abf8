"""The kit for authors of collectors: a pytest plugin, installed with vStats.

Fixtures: ``run_collector``, ``fake_clock``, ``fake_root``. Besides, :class:`Recording` keeps and
plays back what psutil, or any other module, answered on some machine; and two lines hold a
collector to everything that the agent expects of it::

    from vstats_core.testing import Conformance

    class TestFans(Conformance):
        collector = "fans"
"""

import json
from collections import namedtuple
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pluggy
import pytest

from vstats_core import collectors as plugins
from vstats_core import hookspecs
from vstats_core.agent.compose import check_fragment
from vstats_core.agent.trial import Trial, judge, try_out
from vstats_core.collectors import Collector
from vstats_core.hookspecs import Fragment
from vstats_core.settings import CollectorSettings
from vstats_core.wire.describe import describe

__all__ = ["Conformance", "FakeClock", "FakeRoot", "Recording", "describe", "run"]


class FakeClock:
    """A monotonic clock that stands still until a test moves it; call it as ``time.monotonic``."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.now += seconds


class FakeRoot:
    """A folder that stands for ``/``, for a collector that takes the root it reads below."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str | bytes) -> Path:
        """Put a file below the root, such as ``proc/meminfo``, and return its path."""
        path = self.path / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def __truediv__(self, name: str) -> Path:
        return self.path / name


class Recording:
    """What the functions of a module answered, kept as JSON, to be played back on any machine.

    ``Recording.of(psutil, sensors_fans={}, cpu_times={"percpu": True})`` asks; ``save`` and
    ``load`` keep it in a file; ``recording.sensors_fans()`` answers as the module did, named
    tuples included.
    """

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._answers = answers

    @classmethod
    def of(cls, module: ModuleType, **calls: Mapping[str, Any]) -> "Recording":
        """Call the named functions of the module with these arguments, and keep the answers."""
        return cls({name: _kept(getattr(module, name)(**how)) for name, how in calls.items()})

    @classmethod
    def load(cls, path: Path) -> "Recording":
        """Return what was saved."""
        return cls(json.loads(path.read_text(encoding="utf-8")))

    def save(self, path: Path) -> None:
        """Write the answers to a file that a person can read."""
        text = json.dumps(self._answers, indent=1)
        path.write_text(text + "\n", encoding="utf-8")

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_") or name not in self._answers:
            raise AttributeError(f"{name} was not recorded")
        return lambda *_args, **_kwargs: _played(self._answers[name])


def _kept(answer: Any) -> Any:
    if hasattr(answer, "_asdict"):
        pairs = {key: _kept(value) for key, value in answer._asdict().items()}
        return {"namedtuple": type(answer).__name__, "values": pairs}
    if isinstance(answer, dict):
        return {"dict": [[_kept(key), _kept(value)] for key, value in answer.items()]}
    if isinstance(answer, (list, tuple)):
        return [_kept(item) for item in answer]
    return answer


def _played(kept: Any) -> Any:
    if isinstance(kept, dict) and "namedtuple" in kept:
        values = kept["values"]
        return namedtuple(kept["namedtuple"], values)(*map(_played, values.values()))  # noqa: PYI024
    if isinstance(kept, dict):
        return {_played(key): _played(value) for key, value in kept["dict"]}
    if isinstance(kept, list):
        return [_played(item) for item in kept]
    return kept


def run(plugin: object, **settings: Any) -> Fragment | None:
    """Call a plugin (a module or an object) once, as the agent does, and return its fragment.

    The settings are validated by the plugin's own model; the fragment is held to the rules of the
    report and to the plugin's declared sections.

    Raises:
        ValidationError: for settings that the plugin's model refuses.
        FragmentError, JSONError: for a fragment that the agent would refuse.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    model = manager.hook.vstats_settings() or CollectorSettings
    told = model(**settings)
    fragment: Fragment | None = manager.hook.vstats_collect(settings=told)
    if fragment is not None:
        declared = manager.hook.vstats_sections(settings=told) or {}
        check_fragment(fragment, plugins.adapters(declared))
    return fragment


@pytest.fixture
def run_collector() -> Callable[..., Fragment | None]:
    """Return :func:`run`: call a plugin once, as the agent does."""
    return run


@pytest.fixture
def fake_clock() -> FakeClock:
    """Return a clock that stands still until the test moves it."""
    return FakeClock()


@pytest.fixture
def fake_root(tmp_path: Path) -> FakeRoot:
    """Return an empty folder that stands for ``/``."""
    return FakeRoot(tmp_path / "root")


class Conformance:
    """Tests that any collector passes; a subclass names the entry point of an installed one.

    ``settings`` are what its table in the configuration would hold, where it cannot run without.
    """

    collector: ClassVar[str]
    settings: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(scope="class")
    @classmethod
    def bound(cls) -> Collector:
        """Return the collector as the agent would load it."""
        found = [found for found in plugins.find() if found.name == cls.collector]
        assert found, f"no collector {cls.collector!r} is installed: pip install -e . first"
        return plugins.bind(found, {cls.collector: cls.settings}, file="test")[0]

    @pytest.fixture(scope="class")
    @classmethod
    def trial(cls, bound: Collector) -> Trial:
        """Return what came of ten calls."""
        assert bound.enabled, bound.state
        return try_out(bound)

    def test_it_is_an_entry_point_that_loads(self, bound: Collector) -> None:
        """The agent finds it, under one name, and loads it."""
        assert bound.state == "enabled"

    def test_every_setting_says_what_it_is(self, bound: Collector) -> None:
        """``vstats-agent collectors show`` has a sentence for each setting."""
        fields = type(bound.settings).model_fields
        silent = [name for name, field in fields.items() if not field.description]
        assert silent == []

    def test_it_starts_without_settings_or_says_which_it_needs(self, bound: Collector) -> None:
        """All settings have defaults, unless the tests give the missing ones."""
        required = {n for n, f in type(bound.settings).model_fields.items() if f.is_required()}
        assert required <= self.settings.keys()

    def test_it_does_what_a_good_collector_does(self, trial: Trial) -> None:
        """It passes ``vstats-agent collectors check``."""
        faults = [f"{verdict.what}: {verdict.seen}" for verdict in judge(trial) if not verdict.ok]
        assert faults == []

    def test_what_it_declares_can_be_shown(self, bound: Collector) -> None:
        """Each declared section, and each of its fields, has a title."""
        for section in describe(bound.sections).values():
            assert section["title"]
            assert all(field["title"] for field in section["fields"].values())

    def test_it_prints_nothing(self, bound: Collector, capfd: pytest.CaptureFixture[str]) -> None:
        """Standard output belongs to whoever runs the agent."""
        try_out(bound, times=2)
        assert capfd.readouterr().out == ""

    def test_two_calls_do_not_share_their_answer(self, trial: Trial) -> None:
        """Each call returns a fragment of its own, which later ones do not change."""
        answers = [id(o.fragment) for o in trial.outcomes if o.fragment is not None]
        assert len(set(answers)) == len(answers)
