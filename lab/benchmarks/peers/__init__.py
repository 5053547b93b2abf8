"""Relays to compare ours with."""
