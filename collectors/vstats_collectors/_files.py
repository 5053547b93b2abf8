"""Read a small file of the kernel's, or of the distribution's, that may not be there."""

from pathlib import Path

__all__ = ["read"]


def read(path: Path) -> str:
    """Return the file's text; empty where there is none, or none for us."""
    try:
        # Half the price of read_text(), once a second and file.
        with path.open("rb", buffering=0) as file:
            return file.read().decode(errors="replace")
    except OSError:
        return ""
