"""What the section ``exec_problems`` holds; what ``exec`` holds is up to the sources."""

from vstats_core import Section, Text

__all__ = ["Problem"]


class Problem(Section, title="Exec problems"):
    """One item of ``exec_problems``: a source that is left out of ``exec``."""

    source: Text
    """The command's name, the file's, or the directory."""
    error: Text
    """Why it is left out."""
