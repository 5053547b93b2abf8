"""Requirements for what goes into the report, and what is named instead."""

import logging
import os
import time

import pytest
from pydantic import ValidationError

from vstats_exec import Command, ExecCollector, ExecSettings
from vstats_exec.collector import LARGEST, fit

LOGGER = "vstats_exec.collector"


def echo(name, text, **more):
    return {"name": name, "command": ["printf", "%s", text], **more}


@pytest.fixture
def collect(run_collector):
    """Return a function that calls one collector, as the agent does, with these settings."""
    collector = ExecCollector()

    def call(**settings):
        return run_collector(collector, **settings)

    return call


def test_where_nothing_is_configured_there_is_nothing_to_say(collect):
    assert collect() is None


def test_each_source_stands_under_its_name(collect, tmp_path):
    (tmp_path / "backup.json").write_text('{"age": 3600}')
    (tmp_path / "raid.prom").write_text('raid_disks{array="md0"} 2\n')

    fragment = collect(
        commands=[
            echo("queue", "17"),
            echo("certificates", "days 12\n", format="prometheus"),
        ],
        directory=tmp_path,
    )

    assert fragment == {
        "exec": {
            "queue": 17,
            "certificates": [{"name": "days", "labels": {}, "value": 12}],
            "backup": {"age": 3600},
            "raid": [{"name": "raid_disks", "labels": {"array": "md0"}, "value": 2}],
        },
        "exec_problems": [],
    }


def test_what_cannot_be_used_is_left_out_and_named(collect, tmp_path):
    (tmp_path / "half.json").write_text('{"age": 36')
    (tmp_path / "half.prom").write_text("bytes_total 12")
    (tmp_path / "old.json").write_text("{}")
    os.utime(tmp_path / "old.json", (0, time.time() - 1000))
    os.mkfifo(tmp_path / "pipe.json")

    fragment = collect(
        commands=[
            echo("good", "1"),
            echo("nan", '{"a": NaN}'),
            echo("silent", ""),
            {"name": "binary", "command": ["printf", r"\377"]},
            {"name": "missing", "command": ["/no/such/program"]},
        ],
        directory=tmp_path,
    )

    assert fragment["exec"] == {"good": 1}
    assert {p["source"]: p["error"] for p in fragment["exec_problems"]} == {
        "nan": "not JSON: NaN is no number",
        "silent": "empty",
        "binary": "not UTF-8 at byte 0",
        "missing": "cannot be started: No such file or directory: /no/such/program",
        "half.json": "not JSON: Expecting ',' delimiter at line 1, column 11",
        "half.prom": "half.json has the same name",
        "old.json": "stale: written 1000 s ago, and 300 are allowed",
        "pipe.json": "not a regular file",
    }


def test_a_folder_that_is_missing_costs_no_command(collect, tmp_path):
    fragment = collect(commands=[echo("good", "1")], directory=tmp_path / "missing")

    assert fragment["exec"] == {"good": 1}
    assert [p["source"] for p in fragment["exec_problems"]] == [str(tmp_path / "missing")]


def test_what_stands_under_a_name_never_changes_its_source(collect, tmp_path):
    (tmp_path / "backup.json").write_text('"of the file"')

    fragment = collect(commands=[{"name": "backup", "command": ["false"]}], directory=tmp_path)

    assert fragment == {
        "exec": {},
        "exec_problems": [
            {"source": "backup", "error": "exit status 1"},
            {"source": "backup.json", "error": "backup has the same name"},
        ],
    }


def test_too_much_in_all_costs_the_largest(collect):
    code = "print('\"' + 'x' * {} + '\"')"
    commands = [
        {"name": str(size), "command": ["python3", "-c", code.format(size)]}
        for size in (10_000, 30_000, 20_000, 25_000)
    ]

    fragment = collect(commands=commands)

    assert list(fragment["exec"]) == ["10000", "20000", "25000"]
    assert fragment["exec_problems"] == [
        {"source": "30000", "error": "left out: 30002 bytes; all together may have 61440"}
    ]


def test_a_hundred_problems_fit_into_a_report():
    problems = [{"source": f"{number}.json", "error": '"' * 200} for number in range(100)]

    fragment = fit({"large": "x" * LARGEST, "small": 1}, problems)

    assert fragment["exec"] == {"small": 1}
    assert len(fragment["exec_problems"]) == 32
    assert fragment["exec_problems"][0]["source"] == "large"
    assert fragment["exec_problems"][-1] == {"source": "exec", "error": "70 problems more"}


def test_a_problem_and_its_end_are_logged_once(collect, tmp_path, caplog):
    caplog.set_level(logging.INFO, LOGGER)
    file = tmp_path / "backup.json"

    file.write_text("age: 1")
    collect(directory=tmp_path)
    collect(directory=tmp_path)
    file.write_text("{}")
    collect(directory=tmp_path)
    collect(directory=tmp_path)

    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "WARNING",
            "exec: backup.json is left out: not JSON: Expecting value at line 1, column 1",
        ),
        ("INFO", "exec: backup.json has no problem any more"),
    ]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"commands": [echo("a", ""), echo("a", "")]}, "2 commands are named 'a'"),
        (
            {"commands": [echo("slow", "", timeout=30)]},
            "timeout should be 31 or more, since the command 'slow' may take 30 seconds; it is 10",
        ),
        ({"commands": [echo("a", "")] * 33}, "at most 32"),
        ({"commands": [echo("a b", "")]}, r"commands.0.name"),
        ({"commands": [{"name": "a", "command": "df -h"}]}, r"commands.0.command"),
        ({"commands": [{"name": "a", "command": []}]}, r"commands.0.command"),
        ({"commands": [{"name": "a", "command": ["a\0b"]}]}, r"commands.0.command.0"),
        ({"commands": [echo("a", "", environment={"A=B": "c"})]}, r"commands.0.environment"),
        ({"commands": [echo("a", "", shell=True)]}, r"commands.0.shell"),
        ({"commands": [echo("a", "", format="xml")]}, r"commands.0.format"),
        ({"stale_after": 0}, "stale_after"),
    ],
    ids=[
        *("one name twice", "too little time", "too many", "name", "one string", "no program"),
        *("NUL", "variable", "unknown key", "unknown format", "no time"),
    ],
)
def test_settings_that_could_only_fail_later_are_refused(settings, complaint):
    with pytest.raises(ValidationError, match=complaint):
        ExecSettings(**settings)


def test_settings_that_fit_together_are_taken():
    settings = ExecSettings(commands=[echo("slow", "", timeout=30)], timeout=31)

    assert settings.commands == [Command(name="slow", command=["printf", "%s", ""], timeout=30)]
