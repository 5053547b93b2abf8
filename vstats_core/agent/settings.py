"""What the agent is told: the table ``[agent]``, and the token, wherever it is kept."""

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from vstats_core.errors import Complaint, ConfigError
from vstats_core.settings import Settings
from vstats_core.toml import build, read, read_bytes, refuse_if_others_may_read

__all__ = [
    "AgentSettings",
    "TokenMissingError",
    "complaint_about",
    "is_loopback",
    "load",
    "token",
    "warnings",
]

SHORTEST_TOKEN = 22
"""Characters of a token that carry 128 bits in base64."""


class AgentSettings(Settings):
    """The table ``[agent]``."""

    url: str = "ws://127.0.0.1:3001/ws/agent"
    """Where the server takes reports; ``wss://`` in production."""
    token: SecretStr | None = None
    """What the server knows this machine by."""
    token_file: Annotated[Path, Field(strict=False)] | None = None
    """A file that holds the token, instead of ``token``."""
    ca_file: Annotated[Path, Field(strict=False)] | None = None
    """Certificates, in PEM, of the authorities to trust instead of the system's, for ``wss://``."""
    interval: Annotated[float, Field(ge=1, le=3600)] = 1.0
    """Seconds between two reports."""
    collectors: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """A table for each collector that is told something."""

    @field_validator("url")
    @classmethod
    def _is_a_websocket_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss") or not parts.hostname:
            raise ValueError("should be an address that starts with ws:// or wss://")
        _ = parts.port  # raises on a port that is none
        if parts.username is not None or "token" in parse_qs(parts.query):
            raise ValueError("should not carry a secret; the token has its own key")
        if parts.fragment:
            raise ValueError("should not have a fragment (#...)")
        return url

    @property
    def is_secure(self) -> bool:
        """Whether the way to the server is encrypted, and the server verified."""
        return urlsplit(self.url).scheme == "wss"

    @model_validator(mode="after")
    def _one_token(self) -> "AgentSettings":
        if self.token is not None and self.token_file is not None:
            raise ValueError("token and token_file exclude each other; keep one")
        return self


class TokenMissingError(ConfigError):
    """The file that should hold the token is not there, or not yet."""


def load(path: Path) -> AgentSettings:
    """Return the table ``[agent]`` of the file.

    Raises:
        ConfigError: with everything that is wrong with it.
    """
    settings = build(AgentSettings, read(path).get("agent", {}), file=str(path), prefix="agent")
    if settings.token is not None:
        refuse_if_others_may_read(path, "agent.token in the clear")
    return settings


def token(settings: AgentSettings, file: str, environment: Mapping[str, str]) -> str:
    """Return the token: from the environment, the service manager, or the configuration.

    ``VSTATS_TOKEN`` comes first, then ``$CREDENTIALS_DIRECTORY/token`` (systemd's
    ``LoadCredential=token:...``) unless it is empty, then ``token`` or ``token_file`` of the
    configuration.

    Raises:
        ConfigError: when there is none, or one that cannot be sent.
    """
    place = "agent.token"
    value = environment.get("VSTATS_TOKEN", "")
    credential, handed_over = ("", "") if value else _handed_over(environment)
    try:
        if value:
            file, place = "VSTATS_TOKEN", ""
        elif handed_over:
            file, place, value = credential, "", handed_over
        elif settings.token is not None:
            value = settings.token.get_secret_value()
        elif settings.token_file is not None:
            place = "agent.token_file"
            value = read_bytes(settings.token_file).decode(errors="replace").strip()
            refuse_if_others_may_read(settings.token_file, "the token in the clear")
    except FileNotFoundError as error:
        complaint = f"{settings.token_file}: {error.strerror}"
        raise TokenMissingError([Complaint(file, place, complaint)]) from None
    except OSError as error:
        complaint = f"{settings.token_file}: {error.strerror or error}"
        raise ConfigError([Complaint(file, place, complaint)]) from None
    if complaint := complaint_about(value):
        raise ConfigError([Complaint(file, place, complaint)])
    return value


def complaint_about(token: str) -> str:
    """Return why the token cannot be sent, or nothing."""
    if not token:
        return "no token; `vstats-server hosts add NAME` makes one"
    if not token.isascii() or not token.isprintable() or " " in token:
        return "should be printable ASCII without spaces"
    return ""


def _handed_over(environment: Mapping[str, str]) -> tuple[str, str]:
    """Return the service manager's file for the token and what it holds; empty where none is."""
    folder = environment.get("CREDENTIALS_DIRECTORY")
    if not folder or not os.path.lexists(path := Path(folder, "token")):
        return "", ""
    try:
        return str(path), read_bytes(path).decode(errors="replace").strip()
    except OSError as error:
        raise ConfigError([Complaint(str(path), "", error.strerror or str(error))]) from None


def warnings(settings: AgentSettings, token: str) -> list[str]:
    """Return what is allowed but unwise."""
    result = []
    if len(token) < SHORTEST_TOKEN:
        result.append(f"the token is shorter than {SHORTEST_TOKEN} characters; it can be guessed")
    url = urlsplit(settings.url)
    if url.scheme == "ws" and settings.ca_file is not None:
        result.append("agent.ca_file is for wss://, and agent.url begins with ws://")
    if url.scheme == "ws" and not is_loopback(url.hostname or ""):
        result.append(
            f"agent.url: {settings.url} sends the token and all reports in the clear; use wss://"
        )
    return result


def is_loopback(host: str) -> bool:
    """Return whether the name or address can only be this machine."""
    if host.lower().rstrip(".") == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
