"""``python -m vstats_server``: the same as ``vstats-server``."""

from vstats_server.commands.main import main

main()
