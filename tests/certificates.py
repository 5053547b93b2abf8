"""An authority of a test's own, and certificates by it."""

import ssl
from pathlib import Path

import trustme


class Authority:
    """Signs certificates; its own is the one to trust."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = trustme.CA()
        self.file = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(self.file)

    def sign(self, *names: str, stem: str = "server", **options: object) -> tuple[Path, Path]:
        """Write a certificate for the names, and its key, over those of the same stem."""
        pair = self.authority.issue_cert(*(names or ("127.0.0.1", "localhost")), **options)
        certificate, key = self.folder / f"{stem}.pem", self.folder / f"{stem}-key.pem"
        certificate.write_bytes(b"".join(blob.bytes() for blob in pair.cert_chain_pems))
        key.touch(mode=0o600)
        pair.private_key_pem.write_to_path(key)
        return certificate, key

    def trust(self) -> ssl.SSLContext:
        """Return a client's context that trusts this authority and no other."""
        return ssl.create_default_context(cafile=self.file)
