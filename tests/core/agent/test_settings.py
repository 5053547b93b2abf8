import pytest

from vstats_core.agent.settings import AgentSettings, is_loopback, load, token, warnings
from vstats_core.errors import ConfigError


def settings(tmp_path, text):
    path = tmp_path / "agent.toml"
    path.write_text(text)
    path.chmod(0o600)
    return load(path)


def complaint(tmp_path, text) -> str:
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, text)
    return str(caught.value)


def test_every_key_has_a_default(tmp_path):
    assert settings(tmp_path, "") == AgentSettings()
    assert AgentSettings().url == "ws://127.0.0.1:3001/ws/agent"
    assert AgentSettings().interval == 1


@pytest.mark.parametrize("interval", ["0.5", "3601", "-1", "nan", "inf", "'1'"])
def test_the_interval_is_1_to_3600_seconds(tmp_path, interval):
    assert "agent.interval: should be" in complaint(tmp_path, f"[agent]\ninterval = {interval}")


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.org/ws/agent", "example.org", "ws://", "ws://host:99999/"),
        *("ws://user:pw@host/ws/agent", "ws://host/ws/agent?token=abc", "ws://host/#x"),
    ],
)
def test_the_address_is_a_websockets_and_carries_no_secret(tmp_path, url):
    text = complaint(tmp_path, f"[agent]\nurl = '{url}'")

    assert "agent.url: " in text
    assert "abc" not in text
    assert "pw" not in text


def test_two_tokens_are_one_too_many(tmp_path):
    text = "[agent]\ntoken = 'x'\ntoken_file = '/x'"

    assert "token and token_file exclude each other" in complaint(tmp_path, text)


def test_a_token_in_a_file_that_others_may_read_is_refused(tmp_path):
    path = tmp_path / "agent.toml"
    path.write_text("[agent]\ntoken = 'x'")
    path.chmod(0o644)

    with pytest.raises(ConfigError, match=r"holds agent\.token in the clear; run: chmod o-rwx"):
        load(path)


def test_the_environments_token_beats_the_service_managers_beats_the_files(tmp_path):
    (tmp_path / "token").write_text("of-the-manager\n")
    told = settings(tmp_path, "[agent]\ntoken = 'of-the-file'")
    manager = {"CREDENTIALS_DIRECTORY": str(tmp_path)}

    assert (
        token(told, "f", manager | {"VSTATS_TOKEN": "of-the-environment"}) == "of-the-environment"
    )
    assert token(told, "f", manager) == "of-the-manager"
    assert token(told, "f", {}) == "of-the-file"


def test_an_empty_credential_is_none(tmp_path):
    # SetCredential=, for a machine whose token stands in the configuration.
    (tmp_path / "token").write_text("\n")
    told = settings(tmp_path, "[agent]\ntoken = 'of-the-file'")

    assert token(told, "f", {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == "of-the-file"


def test_the_token_may_stand_in_a_file_of_its_own(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("of-the-token-file\n")
    secret.chmod(0o600)
    told = settings(tmp_path, f"[agent]\ntoken_file = '{secret}'")

    assert token(told, "f", {}) == "of-the-token-file"

    secret.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod"):
        token(told, "f", {})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "f: agent.token: no token; `vstats-server hosts add NAME` makes one"),
        ("[agent]\ntoken_file = '/nowhere/token'", "/nowhere/token: No such file or directory"),
        ("[agent]\ntoken = 'a b'", "f: agent.token: should be printable ASCII without spaces"),
        ("[agent]\ntoken = 'ä'", "f: agent.token: should be printable ASCII without spaces"),
    ],
    ids=["none", "missing file", "a space", "not ASCII"],
)
def test_a_token_that_cannot_be_sent_is_refused(tmp_path, text, reason):
    with pytest.raises(ConfigError) as caught:
        token(settings(tmp_path, text), "f", {})

    assert reason in str(caught.value)


def test_the_token_is_never_shown(tmp_path):
    assert "hunter2" not in repr(settings(tmp_path, "[agent]\ntoken = 'hunter2'"))


def test_a_short_token_and_a_bare_connection_to_another_machine_are_warned_of():
    elsewhere = AgentSettings(url="ws://192.0.2.1/ws/agent")

    short, bare = warnings(elsewhere, "short")

    assert "it can be guessed" in short
    assert "use wss://" in bare
    assert warnings(AgentSettings(), "t" * 22) == []
    assert warnings(AgentSettings(url="wss://192.0.2.1/ws/agent"), "t" * 22) == []


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.", "127.8.8.8", "::1", "[::1]", "a.localhost"]
)
def test_some_names_can_only_be_this_machine(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["localhost.example.org", "10.0.0.1", "0.0.0.0", "", "127.0.0.1.x"]
)
def test_any_other_name_may_be_another_machine(host):
    assert not is_loopback(host)
