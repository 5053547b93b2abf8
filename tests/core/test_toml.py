import os
from pathlib import Path

import pytest
from pydantic import Field

from vstats_core.errors import ConfigError
from vstats_core.settings import Settings
from vstats_core.toml import build, did_you_mean, read, refuse_if_others_may_read


class Inner(Settings):
    size: int = 1


class Outer(Settings):
    port: int = Field(default=1, ge=0)
    inner: Inner = Inner()
    rows: list[Inner] = Field(default_factory=list)


def written(tmp_path, text):
    path = tmp_path / "vstats.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def complaint(path) -> str:
    with pytest.raises(ConfigError) as caught:
        read(path)
    return str(caught.value)


def test_each_program_finds_its_own_table(tmp_path):
    path = written(tmp_path, "[agent]\nurl = 'x'\n[server]\nport = 1\n")

    assert read(path) == {"agent": {"url": "x"}, "server": {"port": 1}}


def test_a_syntax_error_is_placed_by_line_and_column(tmp_path):
    path = written(tmp_path, "[agent]\nurl = = 1\n")

    assert complaint(path).startswith(f"{path}:2:7: invalid value")


def test_an_unknown_table_is_refused_with_a_hint(tmp_path):
    path = written(tmp_path, "[agnet]\n")

    assert complaint(path) == f"{path}: agnet: unknown table; did you mean 'agent'?"


def test_a_key_outside_every_table_is_refused(tmp_path):
    path = written(tmp_path, "interval = 1\n")

    assert "interval: a key outside every table" in complaint(path)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "No such file or directory"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "not UTF-8 at byte 0"),
        (lambda path: path.write_text("a=" + "[" * 100_000), ""),
    ],
    ids=["missing", "a folder", "not UTF-8", "too deep"],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, make, reason):
    path = tmp_path / "vstats.toml"
    make(path)

    assert str(path) in complaint(path)
    assert reason in complaint(path)


def open_descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_folder_in_the_files_place_costs_no_descriptor(tmp_path):
    complaint(tmp_path)
    before = open_descriptors()

    for _ in range(10):
        complaint(tmp_path)

    assert open_descriptors() == before


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"prot": 1}, "f: server.prot: unknown key; did you mean 'port'?"),
        ({"zzz": 1}, "f: server.zzz: unknown key; known: inner, port, rows"),
        ({"inner": {"szie": 1}}, "f: server.inner.szie: unknown key; did you mean 'size'?"),
        ({"rows": [{}, {"siez": 1}]}, "f: server.rows[1].siez: unknown key; did you mean 'size'?"),
        ({"port": "80"}, "f: server.port: should be a valid integer"),
        ({"port": -1}, "f: server.port: should be greater than or equal to 0"),
    ],
)
def test_a_wrong_key_is_placed_by_its_path(table, expected):
    with pytest.raises(ConfigError) as caught:
        build(Outer, table, file="f", prefix="server")

    assert str(caught.value) == expected


def test_everything_that_is_wrong_is_said_at_once():
    with pytest.raises(ConfigError) as caught:
        build(Outer, {"port": "x", "prot": 1}, file="f", prefix="server")

    assert len(caught.value.complaints) == 2


def test_a_complaint_never_shows_the_value():
    with pytest.raises(ConfigError) as caught:
        build(Outer, {"port": "hunter2"}, file="f", prefix="server")

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o660])
def test_a_secret_may_be_read_by_owner_and_group(tmp_path, mode):
    path = written(tmp_path, "")
    path.chmod(mode)

    refuse_if_others_may_read(path, "a token in the clear")


def test_a_secret_that_others_may_read_is_refused_with_the_command_that_mends_it(tmp_path):
    path = written(tmp_path, "")
    path.chmod(0o604)

    with pytest.raises(ConfigError) as caught:
        refuse_if_others_may_read(path, "a token in the clear")

    assert str(caught.value).endswith(f"holds a token in the clear; run: chmod o-rwx {path}")
    os.system(str(caught.value).rpartition("run: ")[2])
    refuse_if_others_may_read(path, "a token in the clear")


def test_a_hint_names_what_is_alike_or_all_there_is():
    assert did_you_mean("prot", ["port", "host"]) == "; did you mean 'port'?"
    assert did_you_mean("zzz", ["port", "host"]) == "; known: host, port"
    assert did_you_mean("zzz", []) == ""
