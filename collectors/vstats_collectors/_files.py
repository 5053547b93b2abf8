"""Read a small file of the kernel's, or of the distribution's, that may not be there."""

import os
from pathlib import Path

__all__ = ["read", "read_bytes"]

ENOUGH = 64 * 1024


def read(path: Path) -> str:
    """Return the file's text; empty where there is none, or none for us."""
    try:
        return read_bytes(path).decode(errors="replace")
    except OSError:
        return ""


def read_bytes(path: Path) -> bytes:
    """Return what is in the file.

    Raises:
        OSError: when it cannot be read.
    """
    # A third of the price of read_text(), once a second and file.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        content = b""
        # Only an empty answer is the end: the kernel may stop short of it at any line.
        while more := os.read(descriptor, ENOUGH):
            content += more
        return content
    finally:
        os.close(descriptor)
