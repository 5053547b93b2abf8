"""How both programs log: setup, events, and the systemd journal."""
