import time
import traceback

import pytest
from kit import OTHER_TOKEN, TOKEN, config, sha256
from pydantic import SecretStr

from vstats_core import toml as core_config
from vstats_core.errors import ConfigError
from vstats_server.config import (
    TLS,
    Host,
    Limits,
    Login,
    ServerConfig,
    digest,
    load,
    slug,
    warnings,
)

HASH = "$scrypt$ln=4,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$rkTI9fAgA7thDzzR8FHXhMiojYBreJBmYTkEzWypBCQ"
HOSTS = f"""
[[server.hosts]]
name = "Web 1"
token_sha256 = "{sha256(TOKEN)}"
"""


@pytest.fixture
def loaded(tmp_path):
    """Return a function that loads a text as a configuration file of mode 600."""

    def load_text(text):
        path = tmp_path / "server.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(0o600)
        return load(path)

    return load_text


def complaints(error):
    return [(each.place, each.text) for each in error.value.complaints]


def test_an_empty_file_gives_the_defaults(loaded):
    assert loaded("") == ServerConfig()


def test_the_defaults_are_those_of_the_protocol():
    defaults = ServerConfig()

    assert (defaults.host, defaults.port) == ("127.0.0.1", 3001)
    assert (defaults.offline_after, defaults.public_url, defaults.allowed_origins) == (45, None, [])
    assert defaults.limits == Limits(
        max_message_size=262144,
        messages_per_second=20,
        message_burst=40,
        max_agents=10000,
        max_dashboards=1000,
        connections_per_address=64,
        handshake_timeout=5,
    )


def test_everything_that_can_be_set_is_read(loaded):
    settings = loaded(
        f"""
        [server]
        host = "0.0.0.0"
        port = 8080
        public_url = "https://vstats.example.org"
        allowed_origins = ["https://wall.example.org", "*"]
        offline_after = 60
        [server.limits]
        max_message_size = 1024
        messages_per_second = 0.5
        message_burst = 1
        max_agents = 0
        max_dashboards = 0
        connections_per_address = 1
        handshake_timeout = 0.5
        [[server.hosts]]
        id = "db.1"
        name = "Database"
        location = "US-West"
        tags = ["db", "eu"]
        token_sha256 = "{sha256(TOKEN)}"
        """
    )

    assert settings == ServerConfig(
        host="0.0.0.0",
        port=8080,
        public_url="https://vstats.example.org",
        allowed_origins=["https://wall.example.org", "*"],
        offline_after=60,
        limits=Limits(
            max_message_size=1024,
            messages_per_second=0.5,
            message_burst=1,
            max_agents=0,
            max_dashboards=0,
            connections_per_address=1,
            handshake_timeout=0.5,
        ),
        hosts=[
            Host(
                id="db.1",
                name="Database",
                location="US-West",
                tags=["db", "eu"],
                token_sha256=sha256(TOKEN),
            )
        ],
    )


def test_the_agents_table_in_the_same_file_is_none_of_the_servers_business(loaded):
    assert loaded('[agent]\nwhatever = "it holds"\n[server]\nport = 1\n').port == 1


def test_a_host_without_an_id_goes_by_the_slug_of_its_name(loaded):
    (host,) = loaded(HOSTS).hosts

    assert (host.id, host.location, host.tags) == ("web-1", "", [])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Web 1", "web-1"),
        ("db.example.org", "db.example.org"),
        ("  ä/ö  Büro__1 ", "b-ro__1"),
        ("x" * 100, "x" * 64),
        ("x" * 63 + " y", "x" * 63),
        ("日本", ""),
    ],
)
def test_a_slug_is_an_id_or_empty(name, expected):
    assert slug(name) == expected


def test_a_name_without_a_letter_or_digit_needs_an_id(loaded):
    with pytest.raises(ConfigError) as error:
        loaded(HOSTS.replace("Web 1", "日本"))

    assert complaints(error) == [
        ("server.hosts[0]", "give an id; the name has no letter or digit to make one from")
    ]


@pytest.mark.parametrize("id_", ["a", "A-Z_0.9", "x" * 64])
def test_an_id_may_have_64_letters_digits_dots_dashes_and_underscores(id_):
    assert Host(id=id_, name="x", token_sha256=sha256(TOKEN)).id == id_


@pytest.mark.parametrize("id_", ["", "x" * 65, "a b", "a/b", "ä", "a\n", '"', "a\x00"])
def test_any_other_id_is_refused(loaded, id_):
    escaped = "".join(f"\\u{ord(c):04x}" for c in id_)

    with pytest.raises(ConfigError) as error:
        loaded(HOSTS + f'id = "{escaped}"')

    assert [place for place, _ in complaints(error)] == ["server.hosts[0].id"]


def test_a_host_needs_a_name(loaded):
    with pytest.raises(ConfigError) as error:
        loaded(f'[[server.hosts]]\nid = "a"\ntoken_sha256 = "{sha256(TOKEN)}"')

    assert complaints(error) == [("server.hosts[0].name", "missing")]


@pytest.mark.parametrize(
    "keys",
    ["", f'token = "{TOKEN}"\ntoken_sha256 = "{sha256(TOKEN)}"'],
    ids=["neither", "both"],
)
def test_a_host_needs_either_a_token_or_its_digest(loaded, keys):
    with pytest.raises(ConfigError) as error:
        loaded(f'[[server.hosts]]\nname = "a"\n{keys}')

    assert complaints(error) == [("server.hosts[0]", "needs either token_sha256 or token")]


@pytest.mark.parametrize("value", ["", "abc", sha256(TOKEN).upper(), sha256(TOKEN) + "0"])
def test_a_digest_is_64_hexadecimal_digits(loaded, value):
    with pytest.raises(ConfigError) as error:
        loaded(f'[[server.hosts]]\nname = "a"\ntoken_sha256 = "{value}"')

    assert [place for place, _ in complaints(error)] == ["server.hosts[0].token_sha256"]


def test_two_hosts_may_not_have_the_same_id(loaded):
    with pytest.raises(ConfigError) as error:
        loaded(HOSTS + f'[[server.hosts]]\nname = "WEB 1"\ntoken_sha256 = "{sha256("b")}"')

    assert complaints(error) == [("server", "hosts 'Web 1' and 'WEB 1' have the same id")]


def test_two_hosts_may_not_have_the_same_token_however_it_is_given(loaded):
    with pytest.raises(ConfigError) as error:
        loaded(HOSTS + f'[[server.hosts]]\nname = "b"\ntoken = "{TOKEN}"')

    assert complaints(error) == [("server", "hosts 'Web 1' and 'b' have the same token")]
    assert TOKEN not in str(error.value)


def test_ten_thousand_hosts_are_checked_within_a_second():
    tables = [{"name": f"host {n}", "token_sha256": f"{n:064x}"} for n in range(10_000)]
    before = time.process_time()

    ServerConfig.model_validate({"hosts": tables})

    assert time.process_time() - before < 1


def test_a_token_in_the_clear_and_its_digest_are_the_same_host():
    host = Host(name="a", token=SecretStr(TOKEN))

    assert host.digest == sha256(TOKEN) == digest(TOKEN)


def test_a_file_with_a_token_in_the_clear_must_not_be_readable_by_everybody(tmp_path):
    path = tmp_path / "server.toml"
    path.write_text(f'[[server.hosts]]\nname = "a"\ntoken = "{TOKEN}"')
    path.chmod(0o644)

    with pytest.raises(ConfigError) as error:
        load(path)

    assert f"chmod o-rwx {path}" in str(error.value)
    assert TOKEN not in str(error.value)


def test_a_file_with_digests_only_may_be_readable_by_everybody(tmp_path):
    path = tmp_path / "server.toml"
    path.write_text(HOSTS)
    path.chmod(0o644)

    assert len(load(path).hosts) == 1


@pytest.mark.parametrize(
    "url",
    [
        "",
        "vstats.example.org",
        "ftp://a",
        "https://",
        "https://a/path",
        "https://a?q",
        "https://a#f",
        "https://user@a",
        "https://user:pw@a",
        "https://:pw@a",
        "https://a:port",
        "https://[::1",
    ],
)
def test_a_public_url_that_is_not_plainly_an_origin_is_refused(loaded, url):
    with pytest.raises(ConfigError) as error:
        loaded(f'[server]\npublic_url = "{url}"')

    assert complaints(error) == [
        ("server.public_url", "should be like https://vstats.example.org, without a path")
    ]


def test_a_slash_at_the_end_of_public_url_is_dropped(loaded):
    settings = loaded('[server]\npublic_url = "https://vstats.example.org/"')

    assert settings.public_url == "https://vstats.example.org"


def test_an_allowed_origin_that_is_none_is_named(loaded):
    with pytest.raises(ConfigError) as error:
        loaded('[server]\nallowed_origins = ["https://wall.example.org", "wall.example.org"]')

    assert complaints(error) == [
        (
            "server.allowed_origins",
            "'wall.example.org' should be like https://example.org, without a path",
        )
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[server]\nprot = 1", "server.prot"),
        ('[server]\nport = "1"', "server.port"),
        ("[server]\nport = 65536", "server.port"),
        ("[server]\nport = true", "server.port"),
        ("[server]\noffline_after = 0", "server.offline_after"),
        ("[server]\noffline_after = inf", "server.offline_after"),
        ("[server]\noffline_after = nan", "server.offline_after"),
        ("[server.limits]\nmax_agents = -1", "server.limits.max_agents"),
        ("[server.limits]\nmax_message_size = 10", "server.limits.max_message_size"),
        ("[server.limits]\nmessages_per_second = 0", "server.limits.messages_per_second"),
        ("[server.limits]\nhandshake_timeout = nan", "server.limits.handshake_timeout"),
        ("[server.limits]\nmax_agnets = 1", "server.limits.max_agnets"),
        ("[srever]\nport = 1", "srever"),
        ("port = 1", "port"),
        ("[server]\nport = ", "2:8"),
        ("[server]\nport = 1\nport = 2", "3:9"),
    ],
)
def test_a_complaint_names_the_place(loaded, text, place):
    with pytest.raises(ConfigError) as error:
        loaded(text)

    assert [found for found, _ in complaints(error)] == [place]


@pytest.mark.parametrize(
    "text",
    [
        b"[server]\nport = " + b"1" * 5000,
        b"[server]\nport = 0x" + b"f" * 5000,
        b"[server]\noffline_after = 1e999",
        b"[server]\nhost = '\xff'",
        b"x = " + b"[" * 30_000,
        b"[server]\nport = 2024-99-99",
        b"\xef\xbb\xbf[server]\nport = true",
        b"\x00",
    ],
    ids=["5000 digits", "5000 hex", "1e999", "not UTF-8", "deep", "no date", "BOM", "NUL"],
)
def test_a_hostile_file_is_a_complaint_and_never_a_crash(loaded, text):
    with pytest.raises(ConfigError):
        loaded(text)


def test_a_file_that_is_not_there_is_a_complaint(tmp_path):
    with pytest.raises(ConfigError) as error:
        load(tmp_path / "server.toml")

    assert str(error.value) == f"{tmp_path / 'server.toml'}: No such file or directory"


def test_a_file_that_vanishes_while_it_is_read_is_a_complaint(tmp_path, monkeypatch):
    path = tmp_path / "server.toml"
    path.write_text(f'[[server.hosts]]\nname = "a"\ntoken = "{TOKEN}"')
    path.chmod(0o600)
    read_bytes = core_config.read_bytes

    def read_and_remove(path):
        text = read_bytes(path)
        path.unlink()
        return text

    monkeypatch.setattr(core_config, "read_bytes", read_and_remove)

    with pytest.raises(ConfigError):
        load(path)


def test_a_token_is_shown_nowhere():
    settings = config()

    assert TOKEN not in repr(settings) + str(settings) + str(settings.hosts)
    try:
        ServerConfig(hosts=[Host(name="a", token=SecretStr(OTHER_TOKEN))] * 2)
    except ValueError:
        assert OTHER_TOKEN not in traceback.format_exc()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("192.0.2.1", False),
    ],
)
def test_only_a_loopback_address_keeps_others_out(host, expected):
    assert config(host=host).is_loopback is expected


def test_a_plain_configuration_gives_no_warning():
    assert warnings(config()) == []


TLS_WARNING = "without TLS: tokens and reports can be read on the way"
PASSWORD_WARNING = "without a password: whoever can connect sees every host"
CERTIFICATE = TLS(certificate="/etc/c.pem", key="/etc/k.pem")
PASSWORD = Login(username="ann", password_scrypt=SecretStr(HASH))
EVERYWHERE = {"host": "0.0.0.0"}
HTTPS = {"public_url": "https://vstats.example.org"}
HTTP = {"public_url": "http://vstats.example.org"}
PROXY = {"trusted_proxies": ["192.0.2.1"]}


@pytest.mark.parametrize(
    ("settings", "tls", "password"),
    [
        ({}, False, False),
        ({"public_url": "http://localhost:3001"}, False, False),
        ({"trusted_proxies": ["127.0.0.1"]}, False, False),
        (EVERYWHERE, True, True),
        ({"host": "::"}, True, True),
        ({"host": ""}, True, True),
        ({"host": "192.0.2.7"}, True, True),
        (EVERYWHERE | {"tls": CERTIFICATE}, False, True),
        (EVERYWHERE | {"dashboard": PASSWORD}, True, False),
        (EVERYWHERE | {"tls": CERTIFICATE, "dashboard": PASSWORD}, False, False),
        # That a proxy speaks TLS is believed once it is named, and its TLS is said.
        (EVERYWHERE | HTTPS, True, True),
        (EVERYWHERE | PROXY, True, True),
        (EVERYWHERE | HTTPS | PROXY, False, True),
        (EVERYWHERE | HTTP | PROXY, True, True),
        # On loopback only a proxy can come, and public_url says that one does.
        (HTTPS, False, True),
        (HTTPS | {"dashboard": PASSWORD}, False, False),
        (HTTP | {"dashboard": PASSWORD}, True, False),
        (HTTP | {"dashboard": PASSWORD, "tls": CERTIFICATE}, False, False),
    ],
)
def test_what_others_can_reach_without_tls_or_a_password_gives_a_warning(settings, tls, password):
    found = warnings(config(**settings))

    assert [TLS_WARNING in warning for warning in found].count(True) == tls
    assert [PASSWORD_WARNING in warning for warning in found].count(True) == password
    assert len(found) == tls + password


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0"])
def test_to_trust_everybody_as_a_proxy_gives_a_warning(network):
    assert warnings(config(trusted_proxies=[network])) == [
        "server.trusted_proxies is everybody: any client can claim any address"
    ]


@pytest.mark.parametrize("given", ["certificate", "key"])
def test_half_a_certificate_is_refused(loaded, given):
    with pytest.raises(ConfigError) as error:
        loaded(f'[server.tls]\n{given} = "/etc/vstats/file.pem"')

    assert complaints(error) == [("server.tls", "needs both certificate and key, or neither")]


def test_a_short_token_gives_a_warning_that_names_neither_host_nor_token():
    host = Host(name="web-1", token=SecretStr("x" * 21))

    (warning,) = warnings(config(hosts=[host]))

    assert warning == "a token is shorter than 22 characters; it can be guessed"
    assert warnings(config(hosts=[Host(name="web-1", token=SecretStr("x" * 22))])) == []
