"""Whom the agent trusts to be its server, and what to do when it cannot."""

import ssl
from pathlib import Path

from vstats_core.errors import Complaint, ConfigError
from vstats_core.toml import read_bytes

__all__ = ["client_context", "explain"]

UNKNOWN_AUTHORITY = {18, 19, 20, 21}
"""OpenSSL's codes for a chain that does not lead to an authority that is trusted."""
NOT_YET_VALID = 9
EXPIRED = 10
WRONG_NAME = {62, 64}
"""OpenSSL's codes for a certificate of another name, or another address."""


def client_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context that verifies the server, by the system's authorities or the file's alone.

    Raises:
        ConfigError: for a file that cannot be read or holds no certificate.
    """
    if ca_file is None:
        return _modern(ssl.create_default_context())
    complaint = "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
    try:
        text = read_bytes(ca_file).decode("ascii", errors="ignore")
        # Of an empty text, Python would make a context that trusts the system's authorities.
        if "-----BEGIN " in text:
            return _modern(ssl.create_default_context(cadata=text))
    except ssl.SSLError:
        pass
    except OSError as error:
        complaint = error.strerror or str(error)
    raise ConfigError([Complaint(str(ca_file), "", complaint)])


def _modern(context: ssl.SSLContext) -> ssl.SSLContext:
    # Python leaves it to OpenSSL's configuration, which a machine's owner may have loosened.
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def explain(error: BaseException) -> str | None:
    """Return why no connection with TLS came about and what to do, or None if that was not TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {_explain_certificate(error)}"
    if isinstance(error, ssl.SSLError):
        if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"):
            return "it does not speak TLS there; is it the right port, or should it be ws://?"
        reason = (error.reason or str(error)).replace("_", " ").lower()
        return f"TLS failed: {reason}"
    if isinstance(error, ConnectionResetError):
        return "it ended the connection before TLS was agreed on; does it speak TLS there?"
    return None


def _explain_certificate(error: ssl.SSLCertVerificationError) -> str:
    code, text = error.verify_code, error.verify_message.rstrip(".")
    if code in UNKNOWN_AUTHORITY:
        return (
            f"{text}; if its authority is your own, put the authority's certificate into a file "
            "and name that as agent.ca_file; else have the server send its whole chain"
        )
    if code == EXPIRED:
        return f"{text}; renew it on the server (or set this machine's clock)"
    if code == NOT_YET_VALID:
        return f"{text}; set this machine's clock (or the server's, and make a new one)"
    if code in WRONG_NAME:
        return f"{text}; agent.url must have a name that the certificate is for"
    return text
