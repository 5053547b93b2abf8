"""``python -m vstats_core``: the same as ``vstats-agent``."""

from vstats_core.commands.main import main

main()
