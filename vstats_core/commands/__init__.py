"""The command line of ``vstats-agent``."""
