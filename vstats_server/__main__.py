"""``python -m vstats_server``: the same as ``vstats-server``."""

from vstats_server.cli import main

main()
