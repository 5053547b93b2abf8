"""Deliver messages to dashboards: framing, batching, and slow readers."""
