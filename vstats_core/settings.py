"""The agent's own configuration: the models of ``[agent]`` and of every collector's table."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

__all__ = ["AgentSettings", "CollectorSettings", "Settings"]


class Settings(BaseModel):
    """The base of every configuration table: unknown keys and wrong types are refused."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", use_attribute_docstrings=True
    )


class CollectorSettings(Settings):
    """What every collector can be told; a collector's own settings subclass it."""

    enabled: bool = True
    """Whether to collect at all."""
    interval: Annotated[float, Field(ge=1, le=86400)] | None = None
    """Seconds between two calls; without it, the agent's interval."""
    timeout: Annotated[float, Field(gt=0, le=3600)] = 2.0
    """Seconds that a call may take; a later answer counts as a failure."""


class AgentSettings(Settings):
    """The table ``[agent]``."""

    url: str = "ws://127.0.0.1:3001/ws/agent"
    """Where the server takes reports; ``wss://`` in production."""
    token: SecretStr | None = None
    """What the server knows this machine by."""
    token_file: Annotated[Path, Field(strict=False)] | None = None
    """A file that holds the token, instead of ``token``."""
    interval: Annotated[float, Field(ge=1, le=3600)] = 1.0
    """Seconds between two reports."""
    collectors: dict[str, dict[str, Any]] = {}
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

    @model_validator(mode="after")
    def _one_token(self) -> "AgentSettings":
        if self.token is not None and self.token_file is not None:
            raise ValueError("token and token_file exclude each other; keep one")
        return self
