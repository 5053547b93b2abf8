"""Running as a systemd service: readiness notices, units, and installation actions."""
