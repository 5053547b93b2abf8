import json
import os
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
    assert "No such file or directory; the agent will not start without it" in checked.stderr
    assert started.returncode == 78


def test_check_can_do_without_the_token(tmp_path):
    path = written(tmp_path, "")

    result = agent("--config", path, "check", "--no-token")

    assert (result.returncode, result.stdout, result.stderr) == (0, f"{path}: ok\n", "")


def test_the_environments_token_is_enough(tmp_path):
    path = written(tmp_path, "")

    result = agent("--config", path, "check", environment={"VSTATS_TOKEN": "t" * 43})

    assert result.returncode == 0


def test_config_stands_before_the_subcommand_and_help_says_so():
    assert "Usage: python -m vstats_core [OPTIONS] [COMMAND]" in agent("--help").stdout
    assert "--config" in agent("--help").stdout
    assert agent("report", "--config", "x").returncode == 2


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    path = written(tmp_path, "[agent]\nintervall = 1\n[agent.collectors.disks]\nfoo = 1\n")

    lines = agent("--config", path, "check").stderr.splitlines()

    assert [line.split(": ")[1] for line in lines] == [
        "agent.intervall",
        "agent.collectors.disks.foo",
    ]


@pytest.mark.parametrize("command", [["check"], []])
def test_a_named_pipe_is_no_configuration_and_is_not_waited_for(tmp_path, command):
    path = tmp_path / "agent.toml"
    os.mkfifo(path)

    result = agent("--config", path, *command)

    assert (result.returncode, result.stderr) == (78, f"{path}: should be a regular file\n")


def test_a_service_managers_token_that_cannot_be_read_is_said_in_a_line(tmp_path):
    path = written(tmp_path, "")
    (tmp_path / "token").mkdir()

    result = agent("--config", path, environment={"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert (result.returncode, result.stderr) == (
        78,
        f"{tmp_path}/token: Is a directory\n",
    )


def test_a_hostile_key_is_printed_on_one_short_line(tmp_path):
    path = written(tmp_path, f'[agent]\n"{"k" * 5000}\\u001b[31m" = 1\n')

    result = agent("--config", path, "check")

    assert "\x1b" not in result.stderr
    assert len(result.stderr) < 1100


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-"])
def test_a_closed_stream_ends_nothing(tmp_path, closed):
    path = written(tmp_path, f"[agent]\ntoken = '{'t' * 43}'\n")
    command = f"exec {sys.executable} -m vstats_core --config {path} check {closed}"

    assert (
        subprocess.run(
            command, shell=True, check=False, timeout=20, stderr=subprocess.DEVNULL
        ).returncode
        == 0
    )


def test_verbose_shows_no_secret(tmp_path):
    path = written(tmp_path, "[agent]\nurl = 'ws://127.0.0.1:1/ws/agent'\n")
    environment = {"VSTATS_TOKEN": "hunter2" * 5}
    with subprocess.Popen(
        [*AGENT, "--verbose", "--config", path],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    ) as running:
        lines = ""
        while "cannot connect" not in lines:
            lines += running.stderr.readline()
        running.terminate()

    assert "DEBUG" in lines
    assert "hunter2" not in lines
    assert running.returncode == 0


def test_what_a_collector_prints_does_not_spoil_the_answer(tmp_path):
    site = tmp_path / "site"
    info = site / "acme-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[vstats]\nprints = acme_prints\n")
    source = "from vstats_core import hookimpl\n@hookimpl\ndef vstats_collect():\n    print('noise'); return {'p': 1}\n"
    (site / "acme_prints.py").write_text(f"print('noise')\n{source}")

    result = agent("report", environment={"PYTHONPATH": str(site)})

    assert json.loads(result.stdout)["p"] == 1
    assert "noise" in result.stderr


SHOWN = ("show", "check", "run")


@pytest.mark.parametrize("command", SHOWN)
def test_a_collector_that_is_not_installed_is_named_with_what_was_meant(command):
    result = agent("collectors", command, "memroy")

    assert result.returncode == 1
    assert result.stderr == "collector memroy: not installed; did you mean 'memory'?\n"


def test_show_prints_settings_origin_answer_and_duration():
    shown = agent("collectors", "show", "load").stdout

    assert "load: vstats-monitor" in shown
    assert "vstats_collectors.load:plugin" in shown
    assert "timeout   2.0    2.0      Seconds that a call may take" in shown
    assert '{"load_average":{"one":' in shown


def test_run_prints_a_line_of_json_a_call():
    lines = agent("collectors", "run", "cpu", "--count", "2").stdout.splitlines()

    assert [list(json.loads(line)) for line in lines] == [["cpu"], ["cpu"]]


def test_a_new_collector_needs_a_name_that_is_free_and_a_folder_that_is_not_there(tmp_path):
    assert "installed already" in agent("collectors", "new", "cpu", "--in", tmp_path).stderr
    assert "a letter first" in agent("collectors", "new", "9", "--in", tmp_path).stderr
    assert agent("collectors", "new", "fans", "--in", tmp_path).returncode == 0
    assert "is there already" in agent("collectors", "new", "fans", "--in", tmp_path).stderr
