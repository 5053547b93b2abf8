"""``python -m vstats_server.top``."""

from vstats_server.top.cli import main

main()
