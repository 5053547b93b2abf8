"""``python -m vstats_top``."""

from vstats_top.cli import main

main()
