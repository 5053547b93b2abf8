"""``python -m vstats_core``: the same as ``vstats-agent``."""

from vstats_core.cli import main

main()
