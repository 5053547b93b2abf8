"""What travels: the report's schema, units and messages, their descriptions, and strict JSON."""
