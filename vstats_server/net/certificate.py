"""The server's own TLS: its certificate, which can be renewed while it serves."""

import asyncio
import hashlib
import logging
import re
import ssl
from pathlib import Path
from typing import NoReturn

from vstats_core.errors import Complaint, ConfigError
from vstats_core.toml import read_bytes, refuse_if_others_may_read
from vstats_server.config import TLS

__all__ = ["Certificate", "load"]

logger = logging.getLogger(__name__)

CERTIFICATE = re.compile(rb"-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----")
PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")
PASSPHRASE = re.compile(
    rb"-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED", re.MULTILINE
)
OTHERS_KEY = {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"}


class Certificate:
    """A certificate in use: each new connection gets the newest that was good.

    A context that has served once keeps what it was given (a key of another kind, say), so each
    certificate gets a context of its own. The listening socket keeps the first, which asks this
    object, at the beginning of each handshake, for the one to go on with.

    Attributes:
        context: What the listening socket is given.
        warning: What is wrong with the files now, for everybody to read; empty if nothing is.
    """

    def __init__(self, tls: TLS) -> None:
        """Load the pair of files, which blocks.

        Raises:
            ConfigError: as :func:`load` does.
        """
        self.context, self._fingerprint = load(tls)
        self.warning = ""
        self._newest = self.context
        self.context.sni_callback = self._choose

    async def renew(self, tls: TLS) -> None:
        """Use what the files hold now; while that cannot be used, the old certificate stays.

        Connections that are there keep what they have.
        """
        try:
            context, fingerprint = await asyncio.to_thread(load, tls)
        except ConfigError as error:
            self.warning = "the files of the certificate cannot be used; the last good one is"
            logger.error("%s; the certificate in use stays", error)  # noqa: TRY400
            return
        self.warning = ""
        if fingerprint != self._fingerprint:
            self._newest, self._fingerprint = context, fingerprint
            logger.info("certificate renewed from %s", tls.certificate)

    def _choose(self, link: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        del name, context
        link.context = self._newest


def load(tls: TLS) -> tuple[ssl.SSLContext, bytes]:
    """Return a context with the pair of files, and a digest of what they hold.

    Raises:
        ConfigError: for files that cannot be read, hold something else, or are no pair, and for a
            key that everybody may read.
    """
    certificate, key = tls.files
    chain = _read(certificate)
    if not CERTIFICATE.search(chain):
        _complain(certificate, "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    secret = _read(key)
    if not PRIVATE_KEY.search(secret):
        _complain(key, "holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)")
    if PASSPHRASE.search(secret):
        remove = f"openssl pkey -in {key} -out NEW"
        _complain(key, f"has a passphrase, and nobody is there to type it; run: {remove}")
    refuse_if_others_may_read(key, "a private key")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    # WebSockets are HTTP/1.1; some clients would try HTTP/2 unless told.
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        if error.reason in OTHERS_KEY:
            _complain(key, f"is not the key of the (first) certificate in {certificate}")
        reason = (error.reason or str(error)).replace("_", " ").lower()
        _complain(certificate, f"cannot be used with {key}: {reason}")
    except OSError as error:  # one of them has gone in between
        _complain(certificate, error.strerror or str(error))
    return context, hashlib.sha256(chain + secret).digest()


def _read(file: Path) -> bytes:
    try:
        return read_bytes(file)
    except OSError as error:
        _complain(file, error.strerror or str(error))


def _complain(file: Path, text: str) -> NoReturn:
    raise ConfigError([Complaint(str(file), "", text)])
