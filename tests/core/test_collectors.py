import sys
from importlib.metadata import distributions

import pytest

from vstats_core.collectors import bind, find
from vstats_core.errors import ConfigError

HEAD = "from vstats_core import CollectorSettings, hookimpl\n"
GOOD = HEAD + "@hookimpl\ndef vstats_collect():\n    return {'answer': 42}\n"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Return a function that installs a distribution with collectors, name by source."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def install(distribution, version="1.0", **sources):
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        )
        lines = ["[vstats]"]
        for name, source in sources.items():
            module = f"{distribution.replace('-', '_')}_{name.replace('-', '_')}"
            (site / f"{module}.py").write_text(source)
            sys.modules.pop(module, None)
            lines.append(f"{name} = {module}")
        (info / "entry_points.txt").write_text("\n".join(lines))

    def entries():
        return [
            entry
            for distribution in distributions(path=[str(site)])
            for entry in distribution.entry_points
        ]

    install.entries = entries
    return install


def bound(installed, tables=None):
    return bind(find(installed.entries()), tables or {}, file="f")


def states(collectors):
    return {collector.found.name: collector.state for collector in collectors}


def test_our_own_collectors_are_entry_points_like_anyone_elses():
    names = {found.name for found in find() if found.builtin}

    assert names == {"cpu", "memory", "disks", "network", "os", "load"}


def test_a_collector_is_named_with_its_distribution_and_version(installed):
    installed("acme-fans", "2.1", fans=GOOD)

    (found,) = find(installed.entries())

    assert (found.name, found.distribution, found.version) == ("fans", "acme-fans", "2.1")
    assert not found.builtin


def test_a_collector_without_settings_of_its_own_has_those_that_all_have(installed):
    installed("acme-fans", fans=GOOD)

    (collector,) = bound(installed, {"fans": {"interval": 5}})

    assert collector.settings.interval == 5
    assert collector.settings.timeout == 2
    assert collector.collect() == {"answer": 42}


def test_a_collector_gets_the_settings_that_its_model_validated(installed):
    source = HEAD + (
        "class Fans(CollectorSettings):\n    limit: int = 3\n"
        "@hookimpl\ndef vstats_settings():\n    return Fans\n"
        "@hookimpl\ndef vstats_collect(settings):\n    return {'limit': settings.limit}\n"
    )
    installed("acme-fans", fans=source)

    assert bound(installed)[0].collect() == {"limit": 3}
    assert bound(installed, {"fans": {"limit": 9}})[0].collect() == {"limit": 9}


def test_a_wrong_setting_is_refused_by_file_and_key(installed):
    installed("acme-fans", fans=GOOD)

    with pytest.raises(ConfigError) as caught:
        bound(installed, {"fans": {"intervall": 5, "timeout": "soon"}})

    assert "f: agent.collectors.fans.intervall: unknown key; did you mean 'interval'?" in str(
        caught.value
    )
    assert "f: agent.collectors.fans.timeout: should be a valid number" in str(caught.value)


def test_settings_for_a_collector_that_is_not_installed_are_a_warning(installed, caplog):
    installed("acme-fans", fans=GOOD)

    bound(installed, {"fnas": {}})

    assert (
        "f: agent.collectors.fnas: no such collector installed; did you mean 'fans'?" in caplog.text
    )


def test_every_collector_is_called_alone(installed):
    broken = HEAD + "@hookimpl\ndef vstats_collect():\n    raise RuntimeError('no')\n"
    installed("acme", good=GOOD, broken=broken)

    by_name = {collector.found.name: collector for collector in bound(installed)}

    assert by_name["good"].collect() == {"answer": 42}
    with pytest.raises(RuntimeError):
        by_name["broken"].collect()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nowhere_to_be_found\n", "cannot be loaded: ModuleNotFoundError"),
        ("import sys\nsys.exit(3)\n", "cannot be loaded: SystemExit: 3"),
        ("def vstats_collect():\n    return {}\n", "has no vstats_collect marked with @hookimpl"),
        (
            HEAD + "@hookimpl\ndef vstats_collect(wrong):\n    return {}\n",
            "cannot be loaded: PluginValidationError",
        ),
        (
            GOOD + "@hookimpl\ndef vstats_settings():\n    return int\n",
            "did not return a CollectorSettings class",
        ),
        (
            GOOD + "@hookimpl\ndef vstats_settings():\n    raise OSError('no')\n",
            "vstats_settings failed: OSError",
        ),
    ],
    ids=["import fails", "exits", "no hook", "wrong argument", "wrong model", "model fails"],
)
def test_a_collector_that_cannot_be_loaded_costs_only_itself(installed, source, reason):
    installed("acme-bad", bad=source)
    installed("acme-fans", fans=GOOD)

    found = states(bound(installed))

    assert reason in found["bad"]
    assert found["fans"] == "enabled"


def test_a_disabled_collector_is_not_even_imported(installed):
    installed("acme-bad", bad="raise RuntimeError\n")

    assert states(bound(installed, {"bad": {"enabled": False}})) == {"bad": "disabled"}


def test_of_two_with_one_name_ours_stays(installed):
    installed("acme-cpu", cpu=GOOD)
    installed("vstats-monitor", "0.0", cpu=GOOD)

    ours, theirs = bound(installed)

    assert (ours.found.distribution, ours.state) == ("vstats-monitor", "enabled")
    assert (
        "two installed collectors are named 'cpu': the one of vstats-monitor stays" in theirs.state
    )


def test_of_two_strangers_with_one_name_the_first_distribution_stays(installed):
    installed("zeta", fans=GOOD)
    installed("Acme", fans=GOOD)

    first, second = bound(installed)

    assert (first.found.distribution, first.state) == ("Acme", "enabled")
    assert "the one of Acme stays" in second.state


@pytest.mark.parametrize("name", ["9fans", "fans.cpu", "f" * 65])
def test_a_name_that_could_not_be_a_table_is_refused(installed, name):
    installed("acme", **{name: GOOD})

    assert "its name should be letters" in find(installed.entries())[0].refusal


HEAVY = HEAD + (
    "from typing import Annotated\nimport math\nfrom vstats_core import Celsius, Levels, Section\n"
    "{model}\n"
    "@hookimpl\ndef vstats_sections():\n    return {sections}\n"
    "@hookimpl\ndef vstats_collect():\n    return {{}}\n"
)


@pytest.mark.parametrize(
    ("model", "sections", "reason"),
    [
        (
            "Hot = Annotated[Celsius, Levels(warn=80, critical=math.inf)]",
            "{'x': Hot}",
            "vstats_sections failed",
        ),
        (
            "M = type('M', (Section,), {'__annotations__': {f'f{n}': int for n in range(3000)}})",
            "{'x': M}",
            "declares more than",
        ),
        ("", "{'cpu': Celsius}", "may not declare cpu: the protocol does"),
        ("", "{'x': object()}", "vstats_sections failed"),
        ("", "5", "vstats_sections failed"),
    ],
    ids=["endless level", "too many fields", "ours", "no type", "no dict"],
)
def test_a_declaration_that_nobody_could_use_keeps_its_collector_from_being_loaded(
    installed, model, sections, reason
):
    installed("acme-bad", bad=HEAVY.format(model=model, sections=sections))

    assert reason in states(bound(installed))["bad"]


def test_a_class_in_place_of_an_instance_is_named_for_what_it_is(installed):
    source = HEAD + "class Fans:\n    @hookimpl\n    def vstats_collect(self):\n        return {}\n"
    installed("acme-fans", fans=source)
    entry = next(iter(installed.entries()))
    by_class = type(entry)("fans", f"{entry.value}:Fans", "vstats")

    (collector,) = bind(find([by_class]), {}, file="f")

    assert collector.state == "is a class; the entry point should name an instance of it"


def test_what_keeps_a_collector_from_being_loaded_is_said_on_one_line(installed):
    installed("acme-bad", bad="raise RuntimeError('a\\n\\x1b[31m' * 500)\n")

    state = states(bound(installed))["bad"]

    assert "\n" not in state
    assert "\x1b" not in state
    assert len(state) <= 200


def test_what_is_declared_may_depend_on_the_settings(installed):
    source = HEAD + (
        "from vstats_core import Count\n"
        "@hookimpl\ndef vstats_sections(settings):\n    return {'x': Count} if settings.interval else {}\n"
        "@hookimpl\ndef vstats_collect():\n    return {}\n"
    )
    installed("acme-x", x=source)

    assert not bound(installed)[0].sections
    assert list(bound(installed, {"x": {"interval": 5}})[0].sections) == ["x"]
