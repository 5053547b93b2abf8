"""The agent's connection to the server."""
