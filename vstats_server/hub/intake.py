"""Decide what one message of an agent is: a report, a heartbeat, or a fault."""

import re
from dataclasses import dataclass
from typing import Any, Final

from pydantic import MISSING, ValidationError

from vstats_core.errors import JSONError, VStatsError
from vstats_core.wire import strict_json
from vstats_core.wire.messages import AgentDescribe, ErrorCode, Fault, Heartbeat, faults
from vstats_core.wire.schema import Report, Section, Timestamp

__all__ = ["IncomingDescription", "IncomingReport", "MessageError", "read"]

# The envelope as our own agent and the protocol's page write it, around the report's own text.
PREFIX: Final = b'{"type":"metrics","data":'
SUFFIX: Final = re.compile(rb',"timestamp":"([0-9TZ:-]{20})"\}\Z')
LONGEST_DESCRIPTION: Final = 64 * 1024
LONGEST_SUFFIX: Final = len(b',"timestamp":"2024-01-01T12:00:00Z"}')


@dataclass(frozen=True)
class IncomingReport:
    """A report that passed: its content, and the very text that was checked."""

    content: dict[str, Any]
    text: bytes

    def with_rates(self, rates: dict[str, float]) -> "IncomingReport":
        """Return the report with its network section completed by these keys."""
        content = self.content | {"network": self.content["network"] | rates}
        return IncomingReport(content, strict_json.dumps_again(content))


@dataclass(frozen=True)
class IncomingDescription:
    """What the sections of an agent's plugins mean, as JSON."""

    sections: bytes


class MessageError(VStatsError):
    """A message that is not taken; the agent is told why."""

    def __init__(self, code: ErrorCode, text: str, found: list[Fault] | None = None) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text
        self.faults = found or []

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


class _Envelope(Section):
    """What stands around a report."""

    timestamp: Timestamp | MISSING = MISSING


def read(message: bytes) -> IncomingReport | IncomingDescription | None:
    """Return the report or the description that the message carries, or None for a heartbeat.

    What is checked is exactly what will be passed on. The text of a report in the usual envelope
    is cut out and kept; from any other envelope the report is written anew.

    Raises:
        MessageError: for everything else, with what is wrong.
        UnicodeDecodeError: for what is not UTF-8, and so no text message at all.
    """
    text, stamp = _cut_out(message)
    if text:
        try:
            content = strict_json.loads(text)
        except JSONError:
            # Perhaps it is the envelope that is not the usual one; read it all.
            pass
        else:
            if stamp:
                _check_envelope(_Envelope, {"timestamp": stamp.decode()})
            return IncomingReport(_checked(content), text)
    try:
        # The message around a report is one level more.
        return _read_any(strict_json.loads(message, deepest=strict_json.DEEPEST + 1))
    except JSONError as error:
        message.decode()
        raise MessageError("invalid_json", error.reason) from None


def _read_any(envelope: Any) -> IncomingReport | IncomingDescription | None:
    if not isinstance(envelope, dict):
        raise MessageError("invalid_message", "a message should be an object")
    match envelope.get("type"):
        case "metrics":
            _check_envelope(_Envelope, envelope)
            if "data" not in envelope:
                raise MessageError("invalid_message", "a report should stand under data")
            content = _checked(envelope["data"])
            return IncomingReport(content, strict_json.dumps_again(content))
        case "describe":
            _check_envelope(AgentDescribe, envelope)
            sections = strict_json.dumps_again(envelope["data"]["sections"])
            if len(sections) > LONGEST_DESCRIPTION:
                raise MessageError("invalid_message", "a description should have 64 KiB at most")
            return IncomingDescription(sections)
        case "heartbeat":
            _check_envelope(Heartbeat, envelope)
            return None
        case str():
            raise MessageError("unknown_type", "an agent sends metrics, describe and heartbeat")
        case _:
            raise MessageError("invalid_message", "type should be a string")


def _cut_out(message: bytes) -> tuple[bytes, bytes]:
    """Return the texts of the report and of the envelope's timestamp, empty where there is none."""
    if not message.startswith(PREFIX) or not message.endswith(b"}"):
        return b"", b""
    if found := SUFFIX.search(message, max(0, len(message) - LONGEST_SUFFIX)):
        return message[len(PREFIX) : -LONGEST_SUFFIX], found[1]
    return message[len(PREFIX) : -1], b""


def _checked(content: Any) -> dict[str, Any]:
    try:
        Report.model_validate(content)
    except ValidationError as error:
        raise MessageError("invalid_report", "the report breaks the rules", faults(error)) from None
    assert isinstance(content, dict)  # noqa: S101 - the model takes nothing else
    return content


def _check_envelope(model: type[Section], envelope: dict[str, Any]) -> None:
    try:
        model.model_validate(envelope)
    except ValidationError as error:
        raise MessageError(
            "invalid_message", "the envelope breaks the rules", faults(error)
        ) from None
