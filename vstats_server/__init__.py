"""The relay: takes reports on /ws/agent and fans them out on /ws."""
