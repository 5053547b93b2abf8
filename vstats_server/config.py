"""What the server is told: the table ``[server]`` and the hosts in it."""

import hashlib
import ipaddress
import re
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, StringConstraints, field_validator, model_validator

from vstats_core.agent.settings import SHORTEST_TOKEN, is_loopback
from vstats_core.settings import Settings
from vstats_core.toml import build, read, refuse_if_others_may_read
from vstats_core.wire.messages import ServerId
from vstats_core.wire.schema import Text
from vstats_server.scrypt import ScryptHash

__all__ = [
    "SHORTEST_TOKEN",
    "TLS",
    "Host",
    "Limits",
    "Login",
    "ServerConfig",
    "digest",
    "load",
    "slug",
    "warnings",
]


class Limits(Settings):
    """The table ``[server.limits]``."""

    max_message_size: Annotated[int, Field(ge=1024)] = 262144
    """Bytes of one message from an agent."""
    messages_per_second: Annotated[float, Field(gt=0)] = 20.0
    """Messages an agent may send a second, for long."""
    message_burst: Annotated[int, Field(ge=1)] = 40
    """Messages an agent may send at once."""
    max_agents: Annotated[int, Field(ge=0)] = 10000
    """Agents connected at a time."""
    max_dashboards: Annotated[int, Field(ge=0)] = 1000
    """Dashboards connected at a time."""
    connections_per_address: Annotated[int, Field(ge=1)] = 64
    """Dashboards, and connections that are not admitted yet, from one address."""
    handshake_timeout: Annotated[float, Field(gt=0)] = 5.0
    """Seconds that a connection may take to send its request."""


File = Annotated[Path, Field(strict=False)]


class TLS(Settings):
    """The table ``[server.tls]``: both files, or none and no TLS."""

    certificate: File | None = None
    """A file with the server's certificate and those between it and the authority's, in PEM."""
    key: File | None = None
    """A file with the certificate's private key, in PEM, without a passphrase."""

    @model_validator(mode="after")
    def _is_a_pair(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("needs both certificate and key, or neither")
        return self

    def __bool__(self) -> bool:
        return self.certificate is not None

    @property
    def files(self) -> tuple[Path, ...]:
        """The certificate's file and the key's; none without TLS."""
        return tuple(filter(None, (self.certificate, self.key)))


class Login(Settings):
    """The table ``[server.dashboard]``: both keys, or none and no password."""

    username: str | None = None
    """Who may look at the page and the HTTP API, and watch."""
    password_scrypt: SecretStr | None = None
    """The password's hash, as `vstats-server password` prints it."""

    @field_validator("username")
    @classmethod
    def _can_be_sent(cls, name: str | None) -> str | None:
        if name is not None and (not name.isprintable() or ":" in name or not name):
            raise ValueError("should be printable characters, at least one, and no colon")
        return name

    @field_validator("password_scrypt")
    @classmethod
    def _is_a_hash(cls, text: SecretStr | None) -> SecretStr | None:
        if text is not None:
            ScryptHash.parse(text.get_secret_value())
        return text

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.username is None) != (self.password_scrypt is None):
            raise ValueError("needs both username and password_scrypt, or neither")
        return self

    def __bool__(self) -> bool:
        return self.password_scrypt is not None


class Host(Settings):
    """One table ``[[server.hosts]]``: a machine that may report."""

    id: ServerId
    """What the wire calls it; a slug of the name unless given."""
    name: Annotated[Text, StringConstraints(min_length=1)]
    """What people call it."""
    location: Text = ""
    """Where it stands."""
    tags: list[Text] = Field(default_factory=list)
    """Words to group and filter by."""
    token_sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None
    """The SHA-256 of its agent's token, in hexadecimal."""
    token: SecretStr | None = None
    """The token itself, for trying out."""

    @model_validator(mode="before")
    @classmethod
    def _id_from_name(cls, table: object) -> object:
        if isinstance(table, dict) and "id" not in table and isinstance(table.get("name"), str):
            if not slug(table["name"]):
                raise ValueError("give an id; the name has no letter or digit to make one from")
            return table | {"id": slug(table["name"])}
        return table

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if (self.token is None) == (self.token_sha256 is None):
            raise ValueError("needs either token_sha256 or token")
        return self

    @property
    def digest(self) -> str:
        """The SHA-256 of its agent's token, in hexadecimal, however it was given."""
        if self.token is not None:
            return digest(self.token.get_secret_value())
        return self.token_sha256 or ""


class ServerConfig(Settings):
    """The table ``[server]``."""

    host: str = "127.0.0.1"
    """The address to listen on; ``0.0.0.0`` or ``::`` for all."""
    port: Annotated[int, Field(ge=0, le=65535)] = 3001
    """The port to listen on; 0 for any that is free."""
    public_url: str | None = None
    """How the server is reached from outside, like ``https://vstats.example.org``."""
    allowed_origins: list[str] = Field(default_factory=list)
    """Web pages of other origins that may watch; ``*`` for any."""
    trusted_proxies: list[str] = Field(default_factory=list)
    """Addresses and networks of proxies whose ``X-Forwarded-For`` is believed."""
    offline_after: Annotated[float, Field(ge=1)] = 45.0
    """Seconds of silence after which a connected host counts as offline."""
    write_interval: Annotated[float, Field(ge=0, le=1)] = 0.02
    """Seconds of news that a dashboard gets in one write; 0 for a write each."""
    tls: TLS = TLS()
    dashboard: Login = Login()
    limits: Limits = Limits()
    hosts: list[Host] = Field(default_factory=list)

    @field_validator("public_url")
    @classmethod
    def _is_a_web_address(cls, url: str | None) -> str | None:
        if url is not None and not _origin(url):
            raise ValueError("should be like https://vstats.example.org, without a path")
        return url and url.rstrip("/")

    @field_validator("allowed_origins")
    @classmethod
    def _are_origins(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            if origin != "*" and not _origin(origin):
                raise ValueError(f"{origin!r} should be like https://example.org, without a path")
        return origins

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, networks: list[str]) -> list[str]:
        for network in networks:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                form = "should be an address or a network, like 192.0.2.1 or 2001:db8::/64"
                raise ValueError(f"{network!r} {form}: {error}") from None
        return networks

    @model_validator(mode="after")
    def _all_different(self) -> Self:
        for what, values in (
            ("id", [host.id for host in self.hosts]),
            ("token", [host.digest for host in self.hosts]),
        ):
            first: dict[str, Host] = {}
            for host, value in zip(self.hosts, values, strict=True):
                if (other := first.setdefault(value, host)) is not host:
                    pair = f"{other.name!r} and {host.name!r}"
                    raise ValueError(f"hosts {pair} have the same {what}")
        return self

    @property
    def is_secure(self) -> bool:
        """Whether browsers come by TLS, the server's own or a proxy's."""
        return bool(self.tls) or (self.public_url or "").startswith("https://")

    @property
    def is_loopback(self) -> bool:
        """Whether nobody outside this machine can connect."""
        return is_loopback(self.host)


def load(path: Path) -> ServerConfig:
    """Return the table ``[server]`` of the file.

    Raises:
        ConfigError: with everything that is wrong with it.
    """
    table = read(path).get("server", {})
    config = build(ServerConfig, table, file=str(path), prefix="server")
    if any(host.token is not None for host in config.hosts):
        refuse_if_others_may_read(path, "a host's token in the clear")
    if config.dashboard:
        # It is what a password can be guessed by, and what cookies are made with.
        refuse_if_others_may_read(path, "the hash of the dashboard's password")
    return config


def warnings(config: ServerConfig) -> list[str]:
    """Return what is allowed but unwise; it names no host, since anybody may read it."""
    result = []
    public = urlsplit(config.public_url or "")
    outside = bool(public.hostname) and not is_loopback(public.hostname or "")
    # Of a proxy we know only what we are told: that there is one, and what it speaks.
    proxied = public.scheme == "https" and bool(config.trusted_proxies)
    listening = f"listening on {config.host or 'all addresses'}"
    reachable = f"reachable as {config.public_url}" if outside else listening
    in_the_clear = "without TLS: tokens and reports can be read on the way"
    if not config.is_loopback and not config.tls and not proxied:
        result.append(
            f"{listening} {in_the_clear}; set server.tls, or have a proxy that speaks TLS "
            "(https in server.public_url, its address in server.trusted_proxies)"
        )
    elif outside and public.scheme == "http" and not config.tls:
        result.append(f"{reachable} {in_the_clear}; have a proxy that speaks TLS")
    if (outside or not config.is_loopback) and not config.dashboard:
        result.append(
            f"{reachable} without a password: whoever can connect sees every host; "
            "`vstats-server password` makes one"
        )
    if any(ipaddress.ip_network(network).prefixlen == 0 for network in config.trusted_proxies):
        result.append("server.trusted_proxies is everybody: any client can claim any address")
    tokens = [host.token.get_secret_value() for host in config.hosts if host.token]
    if any(len(token) < SHORTEST_TOKEN for token in tokens):
        result.append(f"a token is shorter than {SHORTEST_TOKEN} characters; it can be guessed")
    return result


def digest(token: str) -> str:
    """Return the SHA-256 of a token, in hexadecimal."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


def slug(name: str) -> str:
    """Return the id that a name suggests: ``Web 1`` gives ``web-1``."""
    return re.sub(r"[^a-z0-9._]+", "-", name.lower()).strip("-")[:64].rstrip("-")


def _origin(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or "@" in parts.netloc) and parts.path in ("", "/")
    return parts.scheme in ("http", "https") and bool(parts.hostname) and plain
