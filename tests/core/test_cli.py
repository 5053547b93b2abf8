import json
import subprocess
import sys
import time

import pytest

AGENT = [sys.executable, "-m", "vstats_core"]


def agent(*arguments, environment=None):
    """Run ``vstats-agent`` to its end."""
    return subprocess.run(
        [*AGENT, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        env={"PATH": "/usr/bin:/bin"} | (environment or {}),
    )


def written(tmp_path, text, mode=0o600):
    path = tmp_path / "agent.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_report_prints_one_report_and_nothing_else_without_any_file():
    started = time.monotonic()
    result = agent("report")

    report = json.loads(result.stdout)
    assert result.returncode == 0
    assert {"cpu", "memory", "disks", "network", "os", "uptime", "load_average"} <= report.keys()
    assert all(health["ok"] for health in report["collectors"].values())
    assert time.monotonic() - started < 5


def test_collectors_list_names_each_with_distribution_version_and_state(tmp_path):
    path = written(tmp_path, "[agent.collectors.cpu]\nenabled = false\n")

    result = agent("--config", path, "collectors", "list")

    lines = [line.split() for line in result.stdout.splitlines()]
    assert result.returncode == 0
    assert lines[0] == ["NAME", "DISTRIBUTION", "VERSION", "STATE"]
    assert {line[0]: line[3] for line in lines[1:] if line[1] == "vstats-monitor"} == {
        "cpu": "disabled",
        "disks": "enabled",
        "load": "enabled",
        "memory": "enabled",
        "network": "enabled",
        "os": "enabled",
    }


def test_collectors_list_works_without_any_file():
    assert agent("collectors", "list").returncode == 0


def test_check_finds_nothing_wrong_with_a_good_file(tmp_path):
    path = written(tmp_path, f"[agent]\ntoken = '{'t' * 43}'\n")

    result = agent("--config", path, "check")

    assert (result.returncode, result.stdout, result.stderr) == (0, f"{path}: ok\n", "")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[agent]\nurl = = 1\n", "{path}:2:7: invalid value"),
        (
            "[agent]\nintervall = 1\n",
            "{path}: agent.intervall: unknown key; did you mean 'interval'?",
        ),
        ("[agents]\n", "{path}: agents: unknown table; did you mean 'agent'?"),
        (
            "[agent.collectors.disks]\nexclude_fs_type = []\n",
            (
                "{path}: agent.collectors.disks.exclude_fs_type: unknown key; "
                "did you mean 'exclude_fs_types'?"
            ),
        ),
        ("", "{path}: agent.token: no token; `vstats-server hosts add NAME` makes one"),
    ],
    ids=["syntax", "key", "table", "a collector's key", "no token"],
)
@pytest.mark.parametrize("command", [["check"], []], ids=["check", "run"])
def test_a_configuration_error_is_placed_and_ends_with_78(tmp_path, text, complaint, command):
    path = written(tmp_path, text)

    result = agent("--config", path, *command)

    assert result.returncode == 78
    assert result.stdout == ""
    assert result.stderr == complaint.format(path=path) + "\n"


@pytest.mark.parametrize("command", [["check"], ["report"], ["collectors", "list"], []])
def test_a_file_that_was_named_and_is_not_there_is_an_error(tmp_path, command):
    result = agent("--config", tmp_path / "nowhere.toml", *command)

    assert result.returncode == 78
    assert result.stderr == f"{tmp_path}/nowhere.toml: No such file or directory\n"


def test_a_file_with_a_token_that_others_may_read_is_refused_with_the_remedy(tmp_path):
    path = written(tmp_path, "[agent]\ntoken = 'x'\n", mode=0o644)

    result = agent("--config", path, "check")

    assert result.returncode == 78
    assert result.stderr.endswith(f"holds agent.token in the clear; run: chmod o-rwx {path}\n")


def test_a_token_file_that_is_not_there_yet_is_a_warning_of_check_and_an_error_of_run(tmp_path):
    path = written(tmp_path, f"[agent]\ntoken_file = '{tmp_path}/token'\n")

    checked = agent("--config", path, "check")
    started = agent("--config", path)

    assert checked.returncode == 0
    assert "does not exist yet" in checked.stderr
    assert started.returncode == 78


def test_the_environments_token_is_enough(tmp_path):
    path = written(tmp_path, "")

    result = agent("--config", path, "check", environment={"VSTATS_TOKEN": "t" * 43})

    assert result.returncode == 0


def test_config_stands_before_the_subcommand_and_help_says_so():
    assert "Usage: python -m vstats_core [OPTIONS] [COMMAND]" in agent("--help").stdout
    assert "--config" in agent("--help").stdout
    assert agent("report", "--config", "x").returncode == 2
