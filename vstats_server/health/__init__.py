"""The server's own health: counters, event loop lag, stalls, and file descriptors."""
