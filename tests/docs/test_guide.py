import re
import subprocess
import sys
from pathlib import Path

import pytest
import tomli
from tools import pip_installs_into

from vstats_core.testing import run

GUIDE = (Path(__file__).parents[2] / "docs" / "writing-a-collector.md").read_text()
BLOCKS = re.findall(r"```(\w+)(?: (\S+))?\n(.*?)```", GUIDE, re.DOTALL)


def written(folder: Path, *names: str) -> None:
    for _, name, text in BLOCKS:
        if name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)


def shell(command: str, folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def test_there_is_no_block_that_no_test_runs():
    kinds = {(kind, bool(name)) for kind, name, _ in BLOCKS}

    assert kinds == {("python", True), ("toml", True), ("toml", False), ("console", False)}


def test_the_consoles_show_what_happens(tmp_path):
    folder, site = tmp_path / "zombies", tmp_path / "site"
    written(folder, "vstats_zombies/__init__.py", "pyproject.toml")
    environment = pip_installs_into(site)
    for kind, _, text in BLOCKS:
        if kind != "console":
            continue
        for command, expected in re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", text, re.MULTILINE):
            output = shell(command, folder, environment)
            for line in expected.splitlines():
                pattern = ".*".join(map(re.escape, re.split(r" ?\.\.\. ?", line)))
                assert re.search(pattern, output), f"{command}: no {line!r} in {output}"

    assert list((folder / "dist").glob("vstats_zombies-0.1.0-*.whl"))


def test_the_collector_with_a_memory_passes_the_tests_of_the_guide(tmp_path):
    folder, site = tmp_path / "forks", tmp_path / "site"
    written(folder, "vstats_forks/__init__.py", "tests/test_forks.py", "pyproject.toml")
    project = folder / "pyproject.toml"
    text = project.read_text().replace("zombies", "forks")
    project.write_text(text.replace('"vstats_forks"', '"vstats_forks:plugin"'))
    environment = pip_installs_into(site)
    shell("pip install .", folder, environment)

    output = shell(f"{sys.executable} -m pytest -p no:cacheprovider -q tests", folder, environment)

    assert " passed" in output


@pytest.mark.parametrize(
    ("name", "settings", "fragment"),
    [
        ("vstats_forks/settings.py", {"highest": 50}, {"forks": {"highest": 50}}),
        ("vstats_forks/sections.py", {}, {"forks": {"total": 4711, "rate": 2.5}}),
    ],
)
def test_the_other_examples_work(tmp_path, monkeypatch, name, settings, fragment):
    written(tmp_path, name)
    monkeypatch.syspath_prepend(str(tmp_path / "vstats_forks"))
    module = __import__(Path(name).stem)
    sys.modules.pop(Path(name).stem)

    assert run(module.plugin, **settings) == fragment


def test_the_settings_shown_are_those_of_the_example(tmp_path, monkeypatch):
    written(tmp_path, "vstats_forks/settings.py")
    monkeypatch.syspath_prepend(str(tmp_path / "vstats_forks"))
    module = __import__("settings")
    sys.modules.pop("settings")
    (text,) = [text for kind, name, text in BLOCKS if (kind, name) == ("toml", "")]

    table = tomli.loads(text)["agent"]["collectors"]["forks"]

    assert module.ForksSettings(**table).highest == 50


def test_a_new_collector_installs_and_passes_its_own_tests_untouched(tmp_path):
    site = tmp_path / "site"
    environment = pip_installs_into(site)
    said = shell("vstats-agent collectors new rack-fans", tmp_path, environment)
    folder = tmp_path / "vstats-rack-fans"
    shell("pip install ./vstats-rack-fans", tmp_path, environment)

    output = shell(f"{sys.executable} -m pytest -p no:cacheprovider -q", folder, environment)
    checked = shell("vstats-agent collectors check rack-fans", tmp_path, environment)
    shown = shell("vstats-agent collectors show rack-fans", tmp_path, environment)

    assert "pip install -e 'vstats-rack-fans[dev]'" in said
    assert " passed" in output
    assert "BAD" not in checked
    assert "The folder to look into." in shown
    assert re.search(r"rack_fans\.entries +Entries +count +gauge +warn 10000", shown)
