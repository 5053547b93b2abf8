"""The agent: call the collectors, check what they return, compose a report, send it."""
