"""The command line of ``vstats-server``."""
