"""Break things for real, count what is lost, time the recovery."""
