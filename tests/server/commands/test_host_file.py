import os
import stat
import tomllib
from concurrent.futures import ThreadPoolExecutor

import pytest
from kit import OTHER_TOKEN, TOKEN, sha256

from vstats_core.errors import ConfigError
from vstats_server.commands import host_file as hosts
from vstats_server.config import load

COMMENTED = f"""\
# The relay of the third floor.
[server]
port = 3001  # as everywhere

[server.limits]
max_agents = 10  # we have nine

# The web servers.
[[server.hosts]]
id = "web-1"
name = "Web 1"   # the old one
token_sha256 = "{sha256(TOKEN)}"

# The other one.
[[server.hosts]]
id = "web-2"
name = "Web 2"
tags = [
  "eu",  # for now
]
token_sha256 = "{sha256(OTHER_TOKEN)}"
"""


ONE_HOST = f'[[server.hosts]]\nname = "a"\ntoken_sha256 = "{sha256("a")}"\n'


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "server.toml"
    file.write_text(COMMENTED)
    file.chmod(0o640)
    return file


def add(path, name, id_=None, location="", tags=()):
    return hosts.add(path, name, id_=id_, location=location, tags=tags)


def test_an_added_host_is_the_last_and_has_the_digest_of_the_token_that_is_returned(path):
    token = add(path, "Database", location="US-West", tags=("db", "eu"))

    host = load(path).hosts[-1]
    assert (host.id, host.name, host.location) == ("database", "Database", "US-West")
    assert (host.tags, host.token, host.token_sha256) == (["db", "eu"], None, sha256(token))


def test_a_token_has_256_random_bits_and_is_not_in_the_file(path):
    tokens = {add(path, f"host {number}") for number in range(3)}

    assert len(tokens) == 3
    assert {len(token) for token in tokens} == {43}
    assert not any(token in path.read_text() for token in tokens)


def test_adding_keeps_every_line_that_was_there(path):
    add(path, "Database")

    assert path.read_text().startswith(COMMENTED)


def test_removing_keeps_the_others_and_their_comments(path):
    hosts.remove(path, "web-1")

    assert [host.id for host in load(path).hosts] == ["web-2"]
    for comment in ("# The relay of", "# as everywhere", "# we have nine", "# for now"):
        assert comment in path.read_text()


def test_rotating_changes_the_digest_alone(path):
    token = hosts.rotate(path, "web-1")

    assert path.read_text() == COMMENTED.replace(sha256(TOKEN), sha256(token))


def test_rotating_a_token_in_the_clear_leaves_its_digest_only(path):
    path.write_text(f'[[server.hosts]]\nname = "Web 1"  # kept\ntoken = "{TOKEN}"\n')

    token = hosts.rotate(path, "web-1")

    assert TOKEN not in path.read_text()
    assert "# kept" in path.read_text()
    assert load(path).hosts[0].token_sha256 == sha256(token)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment\n",
        "[server]\nport = 1\n",
        "[server]\nhosts = []\n",
        "server.port = 1\n",
        "[agent]\n",
        "[server]\nport = 1\n[agent]\ninterval = 2.0\n",
        "[server.limits]\nmax_agents = 1\n",
        f"{ONE_HOST}[server]\nport = 1\n",
        f"{ONE_HOST}[server.limits]\nmax_agents = 1\n[agent]\ninterval = 2.0\n",
        "[server]\r\nport = 1  # carriage returns\r\n",
    ],
    ids=[
        "empty",
        "comment",
        "no hosts",
        "empty list",
        "dotted",
        "other table",
        "table after",
        "subtable only",
        "hosts before server",
        "hosts in the middle",
        "CRLF",
    ],
)
def test_hosts_can_be_added_rotated_and_removed_in_a_file_of_any_layout(path, text):
    path.write_bytes(text.encode())
    before = tomllib.loads(text)
    known = [host.id for host in load(path).hosts]

    add(path, "New 1")
    add(path, "New 2")
    token = hosts.rotate(path, "new-2")
    assert [host.id for host in load(path).hosts] == [*known, "new-1", "new-2"]
    assert load(path).hosts[-1].token_sha256 == sha256(token)
    hosts.remove(path, "new-1")
    hosts.remove(path, "new-2")

    assert [host.id for host in load(path).hosts] == known
    after = tomllib.loads(path.read_bytes().decode())
    for tables in (before, after):
        if not tables.setdefault("server", {}).get("hosts"):
            tables["server"].pop("hosts", None)
    assert after == before


def test_hosts_of_an_inline_list_can_be_rotated_and_removed_but_not_added_to(path):
    path.write_text(f'[server]\nhosts = [{{name = "a", token_sha256 = "{sha256("a")}"}}]\n')

    with pytest.raises(ConfigError, match=r"write it as \[\[server.hosts\]\] first"):
        add(path, "b")
    token = hosts.rotate(path, "a")
    assert load(path).hosts[0].token_sha256 == sha256(token)
    hosts.remove(path, "a")

    assert load(path).hosts == []


def test_an_inline_table_of_the_server_cannot_be_added_to(path):
    path.write_text("server = {port = 1}\n")

    with pytest.raises(ConfigError, match=r"server: write it as \[server\] first"):
        add(path, "a")

    assert path.read_text() == "server = {port = 1}\n"


def test_the_last_host_can_be_removed_and_another_added(path):
    hosts.remove(path, "web-1")
    hosts.remove(path, "web-2")
    assert load(path).hosts == []

    add(path, "Web 3")

    assert [host.id for host in load(path).hosts] == ["web-3"]


@pytest.mark.parametrize("change", [hosts.remove, hosts.rotate])
def test_an_unknown_host_is_named_with_the_known_ones(path, change):
    with pytest.raises(ConfigError) as error:
        change(path, "web-3")

    assert str(error.value) == f"{path}: server.hosts: no host 'web-3'; known: web-1, web-2"
    assert path.read_text() == COMMENTED


@pytest.mark.parametrize(
    ("name", "id_"),
    [("Web 1", None), ("x", "web-2"), ("", None), ("日本", None), ("x", "a b"), ("x" * 1025, None)],
    ids=["same slug", "same id", "no name", "no slug", "no id", "too long"],
)
def test_what_would_break_the_file_is_refused_and_the_file_is_as_it_was(path, name, id_):
    with pytest.raises(ConfigError) as error:
        add(path, name, id_)

    assert path.read_text() == COMMENTED
    assert [file.name for file in path.parent.iterdir()] == ["server.toml"]
    assert {complaint.file for complaint in error.value.complaints} == {str(path)}


@pytest.mark.parametrize("text", ["[server", "[server]\nprot = 1\n", "[server]\nport = 'x'\n"])
def test_a_broken_file_is_never_replaced(path, text):
    path.write_text(text)

    for change in (lambda: add(path, "x"), lambda: hosts.remove(path, "web-1")):
        with pytest.raises(ConfigError):
            change()

    assert path.read_text() == text


def test_a_name_with_quotes_and_line_breaks_comes_back_as_it_was(path):
    name = 'a "b" \\ \n # [server] \x7f'

    add(path, name, "odd")

    assert load(path).hosts[-1].name == name


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_the_files_mode_is_kept(path, mode):
    path.chmod(mode)

    add(path, "x")
    hosts.remove(path, "x")

    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_files_owner_is_kept(path):
    os.chown(path, 12345, 54321)

    add(path, "x")

    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 54321)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_new_file_is_not_readable_by_everybody(tmp_path):
    path = tmp_path / "new.toml"

    add(path, "Web 1")

    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [host.id for host in load(path).hosts] == ["web-1"]


def test_a_link_to_the_file_stays_a_link(path, tmp_path):
    link = tmp_path / "link.toml"
    link.symlink_to(path)

    add(link, "x")

    assert link.is_symlink()
    assert load(path).hosts[-1].id == "x"


def test_a_folder_that_is_not_there_is_a_complaint(tmp_path):
    path = tmp_path / "missing" / "server.toml"

    with pytest.raises(ConfigError) as error:
        add(path, "x")

    assert str(error.value) == f"{path}: No such file or directory"


def test_edits_at_the_same_time_wait_for_each_other(path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: add(path, f"host {number}"), range(16)))

    assert len(load(path).hosts) == 2 + 16


def test_a_reader_never_sees_half_a_file(path):
    with ThreadPoolExecutor(1) as pool:
        edits = pool.submit(lambda: [hosts.rotate(path, "web-1") for _ in range(20)])
        while not edits.done():
            assert len(load(path).hosts) == 2

    edits.result()
